"""The command line: run, plan, scorecard, data, vocode, embed, clean, and the way to the tests and to JupyterLab."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from reprise import __version__, cli_data, cli_embed, cli_run, cli_vocode
from reprise.papers.catalogue import get, load_settings, papers
from reprise.papers.choices import UsageError, check_profile, parse_overrides
from reprise.paths import cache_root, figures_root, notebooks_root, project_root, runs_root

__all__ = ["app", "main"]

app = typer.Typer(
    name="reprise",
    help=(
        "Play six music-audio papers again: every table, figure and claim, next to the published one.\n\n"
        "Without a verb, words and options belong to run: `--profile demo 01` is `run --profile demo 01`."
    ),
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command("run")(cli_run.run)
app.add_typer(cli_data.app, name="data")
app.command("vocode")(cli_vocode.vocode)
app.command("embed")(cli_embed.embed)

MISUSED, STOPPED = 2, 130

PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reprise {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Options before the verb."""


@app.command()
def plan(
    names: cli_run.Names = None,
    profile: cli_run.Profile = "paper",
    settings: cli_run.Settings = None,
) -> None:
    """Forecast a run: trials, hours, disk, memory, downloads."""
    from reprise.plan import forecast, readable

    overrides = parse_overrides(settings or [])
    chosen = [paper for paper in papers(names or []) if paper.kind == "paper"]
    resolved = [load_settings(paper, profile, overrides) for paper in chosen]
    for paper, values in zip(chosen, resolved, strict=True):
        typer.echo(f"{paper.name}, profile {profile}")
        typer.echo(readable(forecast(paper, values)) + "\n")


@app.command()
def scorecard(
    profile: cli_run.Profile = "smoke",
    out: cli_run.Out = None,
) -> None:
    """Print the verdict on every claim that has been run."""
    from reprise.report import scorecard as collect

    check_profile(profile)
    root = out.expanduser().resolve() if out is not None else figures_root()
    frame = collect(profile, root)
    if frame.empty:
        raise UsageError(f"nothing has been run under {profile} yet; run ./run_all.sh --profile {profile}")
    columns = ["paper", "claim", "paper_value", "ours", "low", "high", "n", "evidence", "verdict"]
    typer.echo(frame[columns].to_string(index=False, na_rep="", float_format="{:.3g}".format))
    typer.echo(f"\n{root / profile / 'scorecard.csv'}")


@app.command()
def clean(
    what: Annotated[
        str, typer.Argument(help="caches (made again when needed), runs (the results), figures or all.")
    ] = "caches",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete caches, stored results or figures."""
    import shutil

    folders = {"caches": cache_root(), "runs": runs_root(), "figures": figures_root()}
    if what not in (*folders, "all"):
        raise UsageError(f"clean {what!r}: choose one of {', '.join(folders)}, all")
    chosen = [folder for name, folder in folders.items() if what in (name, "all") and folder.is_dir()]
    for folder in chosen:
        _refuse_precious(folder)
    if not chosen:
        typer.echo("nothing to delete")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"clean {what} deletes {', '.join(map(str, chosen))}; say --yes to do it unasked")
        typer.confirm(f"delete the content of {', '.join(map(str, chosen))}?", abort=True)
    for folder in chosen:
        for item in folder.iterdir():
            if item.name == ".gitkeep":
                continue
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink()
        typer.echo(f"emptied {folder}")


def _refuse_precious(folder: Path) -> None:
    """Refuse a folder that holds the project or a home: a wrong ``REPRISE_*`` variable must not cost anyone's work."""
    for precious in (project_root(), Path.home().resolve()):
        if precious.is_relative_to(folder):
            raise UsageError(f"{folder} contains {precious} and is not emptied; check the REPRISE_* variables")


@app.command("test", context_settings=PASS_ON)
def check(arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENT")] = None) -> None:
    """Run the tests; arguments go to pytest."""
    # slow ones and those that need a network only where they are asked for
    chosen = arguments or ["-m", "not slow and not network"]
    raise typer.Exit(subprocess.call([sys.executable, "-m", "pytest", *chosen], cwd=project_root()))


@app.command(context_settings=PASS_ON)
def lab(arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENT")] = None) -> None:
    """Open the notebooks in JupyterLab."""
    from reprise.kernels import kernel_environment

    command = [sys.executable, "-m", "jupyterlab", *(arguments or [])]
    raise typer.Exit(subprocess.call(command, cwd=notebooks_root(), env=kernel_environment()))


@app.command()
def setup() -> None:
    """Make the environment, and nothing else."""
    typer.echo(f"the environment is ready: {sys.prefix}")


def _with_verb(arguments: list[str]) -> list[str]:
    """Put ``run`` before arguments that do not start with a verb."""
    if arguments == ["data"]:
        return ["data", "--help"]
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    if arguments and (arguments[0] in verbs or arguments[0] in ("-h", "--help", "--version")):
        return arguments
    if arguments and arguments[0].isalpha() and arguments[0].islower():
        _refuse_misspelt_verb(arguments[0], verbs)
    return ["run", *arguments]


def _refuse_misspelt_verb(word: str, verbs: set[str]) -> None:
    try:
        get(word)
    except UsageError as error:
        import difflib

        close = difflib.get_close_matches(word, verbs, n=1, cutoff=0.7)
        if close:
            raise UsageError(f"unknown verb {word!r}; did you mean {close[0]!r}?") from error


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _invoke(arguments: list[str]) -> int:
    """Run the command and turn a user's mistake into one line."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=_with_verb(arguments), prog_name="reprise", standalone_mode=False)
    except typer.Abort:
        return STOPPED
    except typer.TyperException as error:
        typer.echo(f"error: {' '.join(error.format_message().split())}", err=True)
        return MISUSED
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        return MISUSED
    return result if isinstance(result, int) else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str or None
        Default: the process's own.

    Returns
    -------
    int
        0 done; 1 a notebook or check failed; 2 the command cannot be used as typed; 130 or 143 stopped by Ctrl-C or
        SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminate)
    code = _invoke(list(sys.argv[1:] if arguments is None else arguments))
    if code == STOPPED:
        typer.echo("stopped; the same command goes on from here", err=True)
    return code
