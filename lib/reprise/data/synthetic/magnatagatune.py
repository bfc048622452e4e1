"""A synthetic MagnaTagATune: pieces of sixteen kinds in the original's folders, with tags that are true of them."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from reprise.data.synthetic.collection import deal_kinds, write_collection
from reprise.data.synthetic.tags import OTHER_TAGS, TOP_TAGS, given_tags
from reprise.data.synthetic.tracks import Passage, draw_track
from reprise.seeds import numpy_generator

__all__ = ["KIND_WEIGHTS", "PRESETS", "SIDES", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"clips": 64, "per_track": 1, "seconds": 5.5, "sample_rate": 22050},
    "demo": {"clips": 600, "per_track": 2, "seconds": 10.0, "sample_rate": 22050},
}

KIND_WEIGHTS = {
    "classical": 14.0,
    "techno": 10.0,
    "rock": 10.0,
    "ambient": 9.0,
    "baroque": 8.0,
    "indian": 7.0,
    "opera": 6.0,
    "new age": 6.0,
    "pop": 6.0,
    "choral": 4.0,
    "metal": 4.0,
    "country": 4.0,
    "jazz": 4.0,
    "dance": 4.0,
    "weird": 4.0,
    "blues": 2.0,
}
"""How frequent kinds are: chosen so that tags are about as frequent as the original's."""

SIDES = {"train": 11.0, "valid": 2.0, "test": 4.0}
"""Shares of the three sides. The original's are 12:1:3, which leaves too few of a few hundred clips to validate on."""

_FOLDERS = {"train": "0123456789ab", "valid": "c", "test": "def"}
# clips of one track begin so many seconds after one another
_STEP = 30
_CLIPS, _PER_TRACK = (17, 50_000), (1, 20)


def plan(*, seed: int, clips: int, per_track: int, seconds: float) -> list[Passage]:
    """All clips with their pieces.

    Parameters
    ----------
    seed : int
    clips : int
    per_track : int
        Clips of one piece; the last piece may have fewer.
    seconds : float, s

    Returns
    -------
    list of Passage
        Clips of one piece are in one folder, as in the original.
    """
    rng = numpy_generator(seed, "synthetic magnatagatune")
    planned: list[Passage] = []
    dealt = deal_kinds(-(-clips // per_track), KIND_WEIGHTS, sides=SIDES, rng=rng)
    spare = len(dealt) * per_track - clips
    for number, (side, kind) in enumerate(dealt):
        track = draw_track(kind, piece=f"{kind} {number}", seed=seed)
        folder = _FOLDERS[side][number % len(_FOLDERS[side])]
        album = f"procedural_{kind.replace(' ', '_')}_players-synthetic-{number % 20 + 1:02d}-piece_{number:05d}"
        # the first pieces, which are for training, are one clip shorter where the number does not divide
        for k in range(per_track - (number < spare)):
            begin = _STEP * k
            path = f"{folder}/{album}-{begin}-{begin + round(seconds)}.wav"
            planned.append(Passage(len(planned), path, track, k, seconds))
    return planned


def _lists(passages: list[Passage], *, seed: int) -> dict[str, pd.DataFrame]:
    """Content of the two lists."""
    annotations, clips = [], []
    for passage in passages:
        given = set(given_tags(passage.track, number=passage.number, seed=seed))
        key = {"clip_id": passage.index + 1}
        place = {"mp3_path": passage.path}
        annotations.append(key | {tag: int(tag in given) for tag in (*TOP_TAGS, *OTHER_TAGS)} | place)
        piece = Path(passage.path).stem.split("-")
        facts = {
            "track_number": int(piece[2]),
            "title": piece[3],
            "artist": piece[0],
            "album": piece[1],
            "url": f"procedural/{passage.track.piece.replace(' ', '_')}",
            "segmentStart": _STEP * passage.number,
            "segmentEnd": _STEP * passage.number + round(passage.seconds),
            "original_url": "",
        }
        clips.append(key | facts | place)
    return {"annotations_final.csv": pd.DataFrame(annotations), "clip_info_final.csv": pd.DataFrame(clips)}


def write(
    root: Path,
    *,
    seed: int = 0,
    clips: int = PRESETS["demo"]["clips"],
    per_track: int = PRESETS["demo"]["per_track"],
    seconds: float = PRESETS["demo"]["seconds"],
    sample_rate: int = 22050,
    workers: int | None = None,
) -> Path:
    """Write ``root/MagnaTagATune``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    clips : int, in [17, 50000]
    per_track : int, in [1, 20]
        Clips of one piece.
    seconds : float, s, in [1, 60]
        Of a clip; the original's have 29.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/MagnaTagATune`` is a folder that was not written here.

    Notes
    -----
    Clips are WAV files where the original has MP3; ``mp3_path`` names them as they are.
    """
    sizes: dict[str, Any] = {"clips": clips, "per_track": per_track, "seconds": float(seconds)}

    def fill(folder: Path) -> list[Passage]:
        passages = plan(seed=seed, **sizes)
        for name, table in _lists(passages, seed=seed).items():
            table.to_csv(
                folder / name, sep="\t", index=False, quoting=csv.QUOTE_ALL, lineterminator="\n", encoding="utf-8"
            )
        return passages

    return write_collection(
        Path(root).expanduser() / "MagnaTagATune",
        fill,
        dataset="magnatagatune",
        format_version=FORMAT_VERSION,
        seed=seed,
        sizes=sizes,
        ranges={"clips": _CLIPS, "per_track": _PER_TRACK},
        sample_rate=sample_rate,
        workers=workers,
    )
