"""A synthetic GTZAN: ten kinds of music in the original's folders, with the lists of a fault-filtered split."""

from pathlib import Path
from typing import Any

import numpy as np

from reprise.data.synthetic.collection import shares, write_collection
from reprise.data.synthetic.tracks import Passage, draw_track
from reprise.seeds import numpy_generator

__all__ = ["GENRES", "PRESETS", "SIDES", "lists", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"per_genre": 5, "seconds": 4.0, "sample_rate": 22050},
    "demo": {"per_genre": 24, "seconds": 10.0, "sample_rate": 22050},
}

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
"""The original's, each a kind of music here."""

SIDES = {"train": 443.0, "valid": 197.0, "test": 290.0, "": 70.0}
"""Clips on each side of the original's fault-filtered split, and on none."""

_PER_GENRE = (4, 100)


def plan(*, seed: int, per_genre: int, seconds: float) -> list[Passage]:
    """All clips, each of another piece.

    Parameters
    ----------
    seed : int
    per_genre : int
    seconds : float, s

    Returns
    -------
    list of Passage
        Genre after genre.
    """
    planned: list[Passage] = []
    for genre in GENRES:
        for number in range(per_genre):
            track = draw_track(genre, piece=f"{genre} {number}", seed=seed)
            path = f"genres/{genre}/{genre}.{number:05d}.wav"
            planned.append(Passage(len(planned), path, track, 0, seconds))
    return planned


def lists(*, seed: int, per_genre: int) -> dict[str, list[str]]:
    """Which clips are on which side; some are on none, as if they were faulty.

    Parameters
    ----------
    seed : int
    per_genre : int

    Returns
    -------
    dict of str to list of str
        ``train``, ``valid`` and ``test`` to lines like ``blues/blues.00029.wav``.
    """
    rng = numpy_generator(seed, "synthetic gtzan split")
    found: dict[str, list[str]] = {side: [] for side in SIDES if side}
    for genre in GENRES:
        numbers = shares(per_genre, SIDES, rng=rng)
        sides = rng.permutation(np.repeat(list(numbers), list(numbers.values())))
        for number, side in enumerate(sides):
            if side:
                found[str(side)].append(f"{genre}/{genre}.{number:05d}.wav")
    return found


def write(
    root: Path,
    *,
    seed: int = 0,
    per_genre: int = PRESETS["demo"]["per_genre"],
    seconds: float = PRESETS["demo"]["seconds"],
    sample_rate: int = 22050,
    workers: int | None = None,
) -> Path:
    """Write ``root/GTZAN``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    per_genre : int, in [4, 100]
        Clips of each of the ten genres; the original has 100.
    seconds : float, s, in [1, 60]
        Of a clip; the original's have 30.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path
        With ``genres`` and ``train_filtered.txt``, ``valid_filtered.txt``, ``test_filtered.txt`` in it.

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/GTZAN`` is a folder that was not written here.
    """
    sizes: dict[str, Any] = {"per_genre": per_genre, "seconds": float(seconds)}

    def fill(folder: Path) -> list[Passage]:
        for side, lines in lists(seed=seed, per_genre=per_genre).items():
            text = "".join(f"{line}\n" for line in lines)
            (folder / f"{side}_filtered.txt").write_text(text, encoding="utf-8", newline="\n")
        return plan(seed=seed, **sizes)

    return write_collection(
        Path(root).expanduser() / "GTZAN",
        fill,
        dataset="gtzan",
        format_version=FORMAT_VERSION,
        seed=seed,
        sizes=sizes,
        ranges={"per_genre": _PER_GENRE},
        sample_rate=sample_rate,
        workers=workers,
    )
