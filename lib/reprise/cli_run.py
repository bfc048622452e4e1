"""The verb ``run``: notebooks one after the other, a line each, and the site of what they wrote."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from reprise.notebooks import NotebookRun, run_notebook
from reprise.papers.catalogue import PAPERS, Paper, load_settings, papers, resolve_data
from reprise.papers.choices import MissingData, check_profile, parse_overrides
from reprise.paths import figures_root

__all__ = ["Out", "Profile", "Settings", "run"]

Names = Annotated[
    list[str] | None, typer.Argument(metavar="PAPER", help="As 01_singing_technique or 01; default: all.")
]
Profile = Annotated[
    str,
    typer.Option("--profile", "-p", metavar="PROFILE", help="smoke (minutes), demo (a lesson), paper (as published)."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter of the profile; may be given again."),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR|synthetic",
        help="Folder that holds data-set folders; default: REPRISE_DATA, else synthetic (the paper profile asks).",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the results go; default: figures/.")]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, help="Trials at once; default: one process.")
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Dask scheduler to run trials on.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="First seed; repetitions count up.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=1, help="Per notebook; default: 1 h (smoke), 6 h (demo), none (paper)."
    ),
]

# generous: a run that hangs ends at last, a slow machine does not fail for being slow
TIME_LIMIT_SECONDS = {"smoke": 3600.0, "demo": 6 * 3600.0, "paper": None}


class _Line:
    """Progress of one notebook: a line that is rewritten on a terminal, and silence in a log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = time.monotonic()
        self.live = sys.stderr.isatty()
        if not self.live:
            typer.echo(f"{name}: started", err=True)

    def cell(self, number: int, total: int) -> None:
        if self.live:
            seconds = time.monotonic() - self.start
            typer.echo(f"\r\x1b[K{self.name}: cell {number}/{total}, {seconds:.0f} s", err=True, nl=False)

    def end(self) -> None:
        if self.live:
            typer.echo("\r\x1b[K", err=True, nl=False)


def run(
    names: Names = None,
    profile: Profile = "smoke",
    data: Data = None,
    settings: Settings = None,
    out: Out = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    timeout: Timeout = None,
) -> None:
    """Regenerate tables, figures and verdicts (the default verb)."""
    check_profile(profile)
    overrides = parse_overrides(settings or [])
    chosen = papers(names or [])
    for paper in chosen:
        if paper.kind == "paper":
            load_settings(paper, profile, overrides)
    sources = _sources(chosen, data=data, profile=profile)
    root = out.expanduser().resolve() if out is not None else figures_root()
    results: list[NotebookRun] = []
    for paper in chosen:
        source = sources[paper]
        if isinstance(source, MissingData):
            results.append(NotebookRun(paper, "failed", 0.0, root / profile, str(source)))
            _report(results[-1])
            continue
        line = _Line(paper.name)
        try:
            result = run_notebook(
                paper,
                profile=profile,
                data=source,
                overrides=overrides if paper.kind == "paper" else {},
                out=root,
                seed=seed,
                workers=workers,
                scheduler=scheduler,
                timeout=timeout if timeout is not None else TIME_LIMIT_SECONDS[profile],
                on_cell=line.cell,
            )
        finally:
            line.end()
        results.append(result)
        _report(result)
    _finish(results, root=root, profile=profile)


def _sources(chosen: tuple[Paper, ...], *, data: str | None, profile: str) -> dict[Paper, str | MissingData]:
    """Data of each paper; one whose data is missing fails alone, unless there would be nothing left to run."""
    sources: dict[Paper, str | MissingData] = {}
    for paper in chosen:
        try:
            sources[paper] = resolve_data(data, profile, paper.datasets)
        except MissingData as error:
            sources[paper] = error
    with_data = [source for paper, source in sources.items() if paper.datasets]
    missing = [source for source in with_data if isinstance(source, MissingData)]
    if missing and len(missing) == len(with_data):
        raise missing[0]
    return sources


def _shown(path: Path) -> str:
    try:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    except OSError:
        return str(path)


def _report(result: NotebookRun) -> None:
    if result.status == "done":
        typer.echo(f"{result.paper.name}: done in {result.seconds:.0f} s, {_shown(result.folder / 'notebook.html')}")
    else:
        typer.echo(f"{result.paper.name}: {result.status} after {result.seconds:.0f} s, {result.error}")
        typer.echo(f"  what there was: {_shown(result.folder)}")


def _finish(results: list[NotebookRun], *, root: Path, profile: str) -> None:
    from reprise.report.site import build_site

    folder = root / profile
    try:
        build_site(folder, papers={paper.name: paper.title for paper in PAPERS if paper.kind == "paper"})
    except (OSError, ValueError) as error:
        typer.echo(f"error: the overview of {_shown(folder)} could not be written: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"overview: {_shown(folder / 'index.html')}")
    failed = [result.paper.name for result in results if result.status != "done"]
    if failed:
        typer.echo(f"{len(failed)} of {len(results)} failed: {', '.join(failed)}", err=True)
        raise typer.Exit(1)
