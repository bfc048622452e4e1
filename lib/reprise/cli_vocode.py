"""The verb ``vocode``: a recording resynthesised by a vocoder that was trained here."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["vocode"]

Weights = Annotated[
    Path,
    typer.Option(
        "--weights", metavar="DIR", help="Vocoder: a stored trial of 04_sawsing, runs/sawsing/…/<seed>-<hash>."
    ),
]
Source = Annotated[
    Path, typer.Option("--in", metavar="FILE", help="Recording of one singer; its channels are averaged.")
]
Target = Annotated[Path, typer.Option("--out", metavar="FILE", help="Sound to write, .wav or .flac.")]
Resample = Annotated[bool, typer.Option("--resample", help="Convert a recording at another rate than the vocoder's.")]
Branches = Annotated[bool, typer.Option("--branches", help="Write the harmonic and the noise branch beside it.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the noise.")]


def vocode(
    weights: Weights,
    source: Source,
    target: Target,
    resample: Resample = False,
    branches: Branches = False,
    seed: Seed = 0,
) -> None:
    """Resynthesise a recording from its mel spectrogram."""
    from reprise.papers.sawsing.vocode import vocode_file

    done = vocode_file(source, target, weights=weights, resample=resample, branches=branches, seed=seed)
    for file in done.files:
        typer.echo(f"{file}: {done.seconds:.1f} s at {done.sample_rate} Hz by {done.vocoder}")
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
