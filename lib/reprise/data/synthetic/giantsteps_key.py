"""Synthetic key data in the layout of GiantSteps and MTG: electronic music whose key is known because it was chosen."""

from pathlib import Path
from typing import Any

import pandas as pd

from reprise.data.synthetic.collection import artist_name, write_collection
from reprise.data.synthetic.tracks import Passage, Track, draw_track, pick
from reprise.seeds import numpy_generator

__all__ = ["KIND_WEIGHTS", "MTG", "PRESETS", "TEST", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"training": 30, "testing": 12, "seconds": 4.0, "sample_rate": 22050},
    "demo": {"training": 150, "testing": 72, "seconds": 10.0, "sample_rate": 22050},
}

MTG, TEST = "giantsteps-mtg-key-dataset", "giantsteps-key-dataset"
"""Folders of what is for training and of what is for testing."""

KIND_WEIGHTS = {"techno": 4.0, "dance": 3.0, "ambient": 2.0, "disco": 1.0, "hiphop": 1.0}
"""Kinds of the pieces, in the manner of a shop of electronic music."""

_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_FIRST = {MTG: 1001, TEST: 5001}
# one training piece in twelve is in no key, and who has annotated it says so
_WITHOUT = 12
_PIECES_PER_ARTIST = 2
_TRAINING, _TESTING = (12, 4000), (4, 4000)


def plan(*, seed: int, training: int, testing: int, seconds: float) -> list[Passage]:
    """All pieces: those for training, then those for testing.

    Parameters
    ----------
    seed : int
    training, testing : int
    seconds : float, s

    Returns
    -------
    list of Passage
        Major and minor keys of all tonics, equally often; one training piece in twelve is in none.
    """
    rng = numpy_generator(seed, "synthetic giantsteps")
    planned: list[Passage] = []
    for part, count in ((MTG, training), (TEST, testing)):
        for number in range(count):
            atonal = part == MTG and number % _WITHOUT == _WITHOUT - 1
            kind = "weird" if atonal else pick(KIND_WEIGHTS, n=1, rng=rng)[0]
            scales = None if atonal else ("major", "minor")
            track = draw_track(kind, piece=f"{part} {number}", seed=seed, scales=scales)
            path = f"{part}/audio/{_FIRST[part] + number}.LOFI.wav"
            planned.append(Passage(len(planned), path, track, 0, seconds))
    return planned


def _key(track: Track, names: tuple[str, ...]) -> str:
    return f"{names[track.tonic]} {track.scale}" if track.scale in ("major", "minor") else "-"


def _annotate(folder: Path, passages: list[Passage]) -> None:
    """Write a file per piece, and for MTG the two lists."""
    keys, facts = [], []
    for passage in passages:
        part, _, name = passage.path.split("/")
        number = int(name.split(".")[0])
        names = _FLATS if part == TEST else tuple(tonic.lower() for tonic in _SHARPS)
        for what, text in (("key", _key(passage.track, names)), ("genre", passage.track.kind)):
            path = folder / part / "annotations" / what / f"{number}.LOFI.{what}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        if part == MTG:
            key = _key(passage.track, _SHARPS)
            keys.append({"ID": number, "MANUAL KEY": key, "C": 0 if key == "-" else 2})
            artist = (number - _FIRST[MTG]) // _PIECES_PER_ARTIST
            facts.append({"ID": number, "ARTIST": artist_name(artist), "GENRE": passage.track.kind})
    for name, rows in (("annotations", keys), ("beatport_metadata", facts)):
        path = folder / MTG / "annotations" / f"{name}.txt"
        pd.DataFrame(rows).to_csv(path, sep="\t", index=False, lineterminator="\n", encoding="utf-8")


def write(
    root: Path,
    *,
    seed: int = 0,
    training: int = PRESETS["demo"]["training"],
    testing: int = PRESETS["demo"]["testing"],
    seconds: float = PRESETS["demo"]["seconds"],
    sample_rate: int = 22050,
    workers: int | None = None,
) -> Path:
    """Write ``root/GiantSteps``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    training : int, in [12, 4000]
        Pieces in the folder of the MTG key data set.
    testing : int, in [4, 4000]
        Pieces in the folder of the GiantSteps key data set.
    seconds : float, s, in [1, 60]
        Of a piece; the original's excerpts have two minutes.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path
        With the folders ``MTG`` and ``TEST`` in it.

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/GiantSteps`` is a folder that was not written here.
    """
    sizes: dict[str, Any] = {"training": training, "testing": testing, "seconds": float(seconds)}

    def fill(folder: Path) -> list[Passage]:
        passages = plan(seed=seed, **sizes)
        _annotate(folder, passages)
        return passages

    return write_collection(
        Path(root).expanduser() / "GiantSteps",
        fill,
        dataset="giantsteps_key",
        format_version=FORMAT_VERSION,
        seed=seed,
        sizes=sizes,
        ranges={"training": _TRAINING, "testing": _TESTING},
        sample_rate=sample_rate,
        workers=workers,
    )
