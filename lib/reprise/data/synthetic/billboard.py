"""A synthetic McGill Billboard: songs of popular kinds under the original's numbers, with an index of its form."""

from pathlib import Path
from typing import Any

import pandas as pd

from reprise.data.synthetic.collection import artist_name, deal_kinds, write_collection
from reprise.data.synthetic.tracks import Passage, draw_track
from reprise.seeds import numpy_generator

__all__ = ["KIND_WEIGHTS", "PRESETS", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"songs": 32, "seconds": 4.0, "sample_rate": 22050},
    "demo": {"songs": 160, "seconds": 10.0, "sample_rate": 22050},
}

KIND_WEIGHTS = {"pop": 6.0, "rock": 6.0, "country": 2.0, "disco": 3.0, "blues": 1.0, "jazz": 1.0, "reggae": 1.0}
"""Kinds of the songs: few, as in the charts, against the many of the other sets."""

_INDEX = "billboard-2.0-index.csv"
_FIRST = 3
_SONGS = (8, 1300)
_SONGS_PER_ARTIST = 2


def plan(*, seed: int, songs: int, seconds: float) -> list[Passage]:
    """All songs.

    Parameters
    ----------
    seed : int
    songs : int
    seconds : float, s

    Returns
    -------
    list of Passage
        Named after slots of the charts from 3 on.
    """
    rng = numpy_generator(seed, "synthetic billboard")
    planned: list[Passage] = []
    for index, (_, kind) in enumerate(deal_kinds(songs, KIND_WEIGHTS, sides={"all": 1.0}, rng=rng)):
        slot = _FIRST + index
        track = draw_track(kind, piece=f"chart {slot}", seed=seed)
        planned.append(Passage(index, f"audio/{slot:04d}.wav", track, 0, seconds))
    return planned


def _listed(passages: list[Passage]) -> pd.DataFrame:
    """Columns of the original's index that are in use."""
    rows = [
        {
            "id": int(Path(passage.path).stem),
            "title": f"Song {passage.index:04d}",
            "artist": artist_name(passage.index // _SONGS_PER_ARTIST),
        }
        for passage in passages
    ]
    return pd.DataFrame(rows)


def write(
    root: Path,
    *,
    seed: int = 0,
    songs: int = PRESETS["demo"]["songs"],
    seconds: float = PRESETS["demo"]["seconds"],
    sample_rate: int = 22050,
    workers: int | None = None,
) -> Path:
    """Write ``root/Billboard``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    songs : int, in [8, 1300]
    seconds : float, s, in [1, 60]
        Of a song; those of the charts have some minutes.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path
        With the index and ``audio`` in it.

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/Billboard`` is a folder that was not written here.
    """
    sizes: dict[str, Any] = {"songs": songs, "seconds": float(seconds)}

    def fill(folder: Path) -> list[Passage]:
        passages = plan(seed=seed, **sizes)
        _listed(passages).to_csv(folder / _INDEX, index=False, lineterminator="\n", encoding="utf-8")
        return passages

    return write_collection(
        Path(root).expanduser() / "Billboard",
        fill,
        dataset="billboard",
        format_version=FORMAT_VERSION,
        seed=seed,
        sizes=sizes,
        ranges={"songs": _SONGS},
        sample_rate=sample_rate,
        workers=workers,
    )
