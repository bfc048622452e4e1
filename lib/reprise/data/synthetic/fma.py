"""A synthetic FMA: pieces of many kinds in the original's numbered folders, with its list of tracks."""

from pathlib import Path
from typing import Any

import pandas as pd

from reprise.data.synthetic.collection import artist_name, deal_kinds, write_collection
from reprise.data.synthetic.tracks import Passage, draw_track
from reprise.seeds import numpy_generator

__all__ = ["KIND_GENRES", "PRESETS", "SIDES", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"clips": 40, "seconds": 4.0, "sample_rate": 22050},
    "demo": {"clips": 240, "seconds": 10.0, "sample_rate": 22050},
}

KIND_GENRES = {
    "techno": "Electronic",
    "dance": "Electronic",
    "weird": "Experimental",
    "ambient": "Instrumental",
    "rock": "Rock",
    "metal": "Rock",
    "hiphop": "Hip-Hop",
    "pop": "Pop",
    "country": "Country",
    "reggae": "International",
    "indian": "International",
    "classical": "Classical",
    "jazz": "Jazz",
    "blues": "Blues",
}
"""Some of the original's sixteen top genres by kind of music."""

SIDES = {"training": 8.0, "validation": 1.0, "test": 1.0}
"""Shares of the three sides."""

_CLIPS = (14, 99_000)
# numbers of the original's tracks begin with 2, and have gaps
_FIRST, _STEP = 2, 3


def plan(*, seed: int, clips: int, seconds: float) -> list[tuple[str, Passage]]:
    """All clips, each of another piece, with their sides.

    Parameters
    ----------
    seed : int
    clips : int
    seconds : float, s

    Returns
    -------
    list of (str, Passage)
        Side of ``SIDES``.
    """
    rng = numpy_generator(seed, "synthetic fma")
    planned: list[tuple[str, Passage]] = []
    for index, (side, kind) in enumerate(deal_kinds(clips, dict.fromkeys(KIND_GENRES, 1.0), sides=SIDES, rng=rng)):
        number = _FIRST + _STEP * index
        track = draw_track(kind, piece=f"archive {number}", seed=seed)
        path = f"fma_medium/{number // 1000:03d}/{number:06d}.wav"
        planned.append((side, Passage(index, path, track, 0, seconds)))
    return planned


def _list(planned: list[tuple[str, Passage]]) -> pd.DataFrame:
    """Columns of the original's list that are in use, under two rows of headings."""
    rows = {}
    for side, passage in planned:
        number = int(Path(passage.path).stem)
        rows[number] = {
            ("artist", "id"): passage.index + 1,
            ("artist", "name"): artist_name(passage.index),
            ("set", "split"): side,
            ("set", "subset"): "medium",
            ("track", "genre_top"): KIND_GENRES[passage.track.kind],
            ("track", "title"): f"Piece {number:06d}",
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis("track_id")


def write(
    root: Path,
    *,
    seed: int = 0,
    clips: int = PRESETS["demo"]["clips"],
    seconds: float = PRESETS["demo"]["seconds"],
    sample_rate: int = 22050,
    workers: int | None = None,
) -> Path:
    """Write ``root/FMA``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    clips : int, in [14, 99000]
    seconds : float, s, in [1, 60]
        Of a clip; the original's have 30.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path
        With ``fma_medium`` and ``fma_metadata`` in it.

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/FMA`` is a folder that was not written here.
    """
    sizes: dict[str, Any] = {"clips": clips, "seconds": float(seconds)}

    def fill(folder: Path) -> list[Passage]:
        planned = plan(seed=seed, **sizes)
        (folder / "fma_metadata").mkdir()
        _list(planned).to_csv(folder / "fma_metadata" / "tracks.csv", lineterminator="\n", encoding="utf-8")
        return [passage for _, passage in planned]

    return write_collection(
        Path(root).expanduser() / "FMA",
        fill,
        dataset="fma",
        format_version=FORMAT_VERSION,
        seed=seed,
        sizes=sizes,
        ranges={"clips": _CLIPS},
        sample_rate=sample_rate,
        workers=workers,
    )
