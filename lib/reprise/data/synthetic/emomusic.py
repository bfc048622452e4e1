"""Synthetic emotion data in EmoMusic's layout: arousal and valence by a formula, which no listener has judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reprise.data.synthetic.collection import artist_name, deal_kinds, write_collection
from reprise.data.synthetic.tracks import Passage, Track, draw_track
from reprise.seeds import numpy_generator

__all__ = ["KIND_GENRES", "PRESETS", "SIDES", "emotion", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"clips": 40, "seconds": 4.0, "sample_rate": 22050},
    "demo": {"clips": 180, "seconds": 10.0, "sample_rate": 22050},
}

KIND_GENRES = {
    "blues": "Blues",
    "classical": "Classical",
    "choral": "Classical",
    "country": "Country",
    "techno": "Electronic",
    "ambient": "Electronic",
    "new age": "Folk",
    "jazz": "Jazz",
    "pop": "Pop",
    "rock": "Rock",
    "metal": "Rock",
}
"""The original's eight genres by kind of music."""

SIDES = {"development": 619.0, "evaluation": 125.0}
"""Clips on each side of the original."""

_MAJOR = ("major", "dorian")
_AROUSAL_NOISE, _VALENCE_NOISE = 0.3, 0.4
_SCALE = (1.0, 9.0)
_CLIPS = (12, 5000)


def emotion(track: Track) -> tuple[float, float]:
    """Arousal and valence that the formula gives to a piece, before a listener's noise.

    Parameters
    ----------
    track : Track

    Returns
    -------
    (float, float), in [1, 9]
        With t = log2(tempo / 95), l = peak level in dB re full scale over 10, d = strokes of the drums per second over
        10 and m = 1 in major and dorian, else -1: arousal = 4.6 + 1.5 t + 1.0 l + 2.0 d, valence = 5 + 0.7 m + 1.4 t.
    """
    pace = float(np.log2(track.tempo / 95.0))
    mode = 1.0 if track.scale in _MAJOR else -1.0
    arousal = 4.6 + 1.5 * pace + track.level / 10.0 + 0.2 * track.strokes
    valence = 5.0 + 0.7 * mode + 1.4 * pace
    return float(np.clip(arousal, *_SCALE)), float(np.clip(valence, *_SCALE))


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
        Side of ``SIDES``; the numbers in the names are in random order of sides, as in the original.
    """
    rng = numpy_generator(seed, "synthetic emomusic")
    dealt = deal_kinds(clips, dict.fromkeys(KIND_GENRES, 1.0), sides=SIDES, rng=rng)
    planned: list[tuple[str, Passage]] = []
    for k in rng.permutation(len(dealt)):
        side, kind = dealt[int(k)]
        number = len(planned)
        track = draw_track(kind, piece=f"emotion {number}", seed=seed, scales=("major", "minor"))
        path = f"clips_45seconds/{number + 1}.wav"
        planned.append((side, Passage(number, path, track, 0, seconds)))
    return planned


def _clock(seconds: float) -> str:
    """Minutes and seconds as the original's list has them."""
    return f"{int(seconds) // 60}.{int(seconds) % 60:02d}"


def _lists(planned: list[tuple[str, Passage]], *, seed: int) -> dict[str, pd.DataFrame]:
    """Content of the two lists."""
    judged, songs = [], []
    for side, passage in planned:
        rng = numpy_generator(seed, "synthetic emotion", passage.index)
        arousal, valence = emotion(passage.track)
        row: dict[str, Any] = {"song_id": passage.index + 1}
        for name, value, noise in (("arousal", arousal, _AROUSAL_NOISE), ("valence", valence, _VALENCE_NOISE)):
            mean = float(np.clip(value + noise * rng.standard_normal(), *_SCALE))
            row |= {f"mean_{name}": round(mean, 2), f"std_{name}": round(float(rng.uniform(0.8, 2.0)), 4)}
        judged.append(row)
        songs.append(
            {
                "song_id": passage.index + 1,
                "file_name": Path(passage.path).name,
                "Artist": artist_name(passage.index // 2),
                "Song title": f"Piece {passage.index:04d}",
                "start of the segment (min.sec)": _clock(0.0),
                "end of the segment (min.sec)": _clock(round(passage.seconds)),
                "Genre": KIND_GENRES[passage.track.kind],
                "Mediaeval 2013 set": side,
            }
        )
    return {"static_annotations.csv": pd.DataFrame(judged), "songs_info.csv": pd.DataFrame(songs)}


def write(
    root: Path,
    *,
    seed: int = 0,
    clips: int = PRESETS["demo"]["clips"],
    seconds: float = PRESETS["demo"]["seconds"],
    sample_rate: int = 22050,
    workers: int | None = None,
) -> Path:
    """Write ``root/emomusic``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    clips : int, in [12, 5000]
    seconds : float, s, in [1, 60]
        Of a clip; the original's have 45.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path
        With ``annotations`` and ``clips_45seconds`` in it.

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/emomusic`` is a folder that was not written here.
    """
    sizes: dict[str, Any] = {"clips": clips, "seconds": float(seconds)}

    def fill(folder: Path) -> list[Passage]:
        planned = plan(seed=seed, **sizes)
        (folder / "annotations").mkdir()
        for name, table in _lists(planned, seed=seed).items():
            table.to_csv(folder / "annotations" / name, index=False, lineterminator="\n", encoding="utf-8")
        return [passage for _, passage in planned]

    return write_collection(
        Path(root).expanduser() / "emomusic",
        fill,
        dataset="emomusic",
        format_version=FORMAT_VERSION,
        seed=seed,
        sizes=sizes,
        ranges={"clips": _CLIPS},
        sample_rate=sample_rate,
        workers=workers,
    )
