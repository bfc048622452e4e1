"""The verb ``embed``: a folder of recordings as vectors, by an encoder that was pre-trained here."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["embed"]

Weights = Annotated[
    Path,
    typer.Option(
        "--weights",
        metavar="DIR",
        help="Encoder: a stored pre-training of 03_tune, runs/tune/<condition>/pretrain/<seed>-<hash>.",
    ),
]
Source = Annotated[Path, typer.Option("--in", metavar="FOLDER", help="Recordings, at any depth.")]
Target = Annotated[Path, typer.Option("--out", metavar="FILE", help="Table to write: .parquet, .csv or .npz.")]


def embed(weights: Weights, source: Source, target: Target) -> None:
    """Describe each recording of a folder by one vector."""
    from reprise.papers.tune.embed import embed_folder

    done = embed_folder(source, target, weights=weights)
    typer.echo(f"{done.target}: {done.n_files} recordings, {done.n_features} features each, by {done.encoder}")
    for problem in done.problems:
        typer.echo(f"note: left out {problem}", err=True)
