"""The verbs ``data list``, ``data fetch``, ``data verify`` and ``data synth``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from reprise.papers.choices import MissingData, UnknownName, closest
from reprise.paths import cache_root

__all__ = ["app"]

app = typer.Typer(help="List, download, check and synthesise data sets.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As printed by data list.")]
Folder = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder that holds data-set folders; default: REPRISE_DATA."),
]


def _folder(data: Path | None) -> Path:
    chosen = data if data is not None else Path(os.environ.get("REPRISE_DATA", ""))
    if chosen == Path():
        raise MissingData("say where data sets are kept: --data DIR, or set REPRISE_DATA")
    return chosen.expanduser().resolve()


def _known(name: str, valid: list[str]) -> str:
    if name not in valid:
        raise UnknownName(f"unknown data set {name!r}{closest(name, valid)} there are {', '.join(valid)}")
    return name


@contextmanager
def _failures_told() -> Iterator[None]:
    """Answer what a data set's manifest, servers or disk did wrong with a message of some lines, and status 1."""
    from reprise.data.fetch import FetchError
    from reprise.data.manifest import ManifestError

    try:
        yield
    except (FetchError, ManifestError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


@app.command("list")
def list_() -> None:
    """Data sets, their licences, and how to get them."""
    from reprise.data import manifest, synthetic

    made = synthetic.available()
    for name in manifest.available():
        with _failures_told():
            entry = manifest.load_manifest(name)
        ways = "fetch, synth" if name in made else "fetch"
        total = entry.download_bytes
        size = f"{total / 1e9:.2g} GB" if total else f"unpacked {entry.extracted_bytes / 1e9:.2g} GB"
        typer.echo(f"{name:<16} {entry.title}; {size}; {entry.licence}; {ways}; folder {entry.folder}/")
    for name in made:
        if name not in manifest.available():
            typer.echo(f"{name:<16} synth only")


@app.command()
def fetch(name: Name, data: Folder = None) -> None:
    """Download, check and unpack; goes on where it stopped."""
    from reprise.data import manifest
    from reprise.data.fetch import fetch as get_files

    with _failures_told():
        folder = get_files(_known(name, manifest.available()), _folder(data))
    typer.echo(f"{name}: complete in {folder}")


@app.command()
def verify(name: Name, data: Folder = None) -> None:
    """Compare a data set on disk with its manifest."""
    from reprise.data import manifest
    from reprise.data.fetch import verify as compare

    with _failures_told():
        report = compare(_known(name, manifest.available()), _folder(data))
    typer.echo(report.to_string(index=False))
    if not (report["status"] == "ok").all():
        raise typer.Exit(1)


@app.command()
def synth(
    name: Name,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where to write it; default: the cache.")
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="smoke (seconds of audio) or demo (a class room's).")
    ] = "demo",
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0)] = 0,
) -> None:
    """Write a synthetic data set in the real one's layout."""
    from reprise.data import synthetic

    if preset not in ("smoke", "demo"):
        raise UnknownName(f"unknown preset {preset!r}{closest(preset, ('smoke', 'demo'))} there are smoke, demo")
    root = data.expanduser().resolve() if data is not None else cache_root() / "synthetic" / preset
    with _failures_told():
        folder = synthetic.write(_known(name, synthetic.available()), root, seed=seed, preset=preset)
    typer.echo(f"{name}: {folder}")
