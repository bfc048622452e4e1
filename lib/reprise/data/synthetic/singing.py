"""A synthetic folder of solo singing: procedural singers and songs, with the true pitch beside every song."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from reprise.data.synthetic.folder import generate
from reprise.data.synthetic.singers import SINGERS, draw_singer
from reprise.data.synthetic.songs import Song, render_song
from reprise.progress import track
from reprise.seeds import numpy_generator

__all__ = ["PRESETS", "SongPlan", "plan", "render", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "singers": 1,
        "training": 3,
        "validation": 0,
        "testing": 2,
        "song_seconds": (4.0, 5.5),
        "sample_rate": 24000,
    },
    "demo": {
        "singers": 2,
        "training": 9,
        "validation": 1,
        "testing": 3,
        "song_seconds": (18.0, 28.0),
        "sample_rate": 24000,
    },
}

_SIDES = (("train", "training"), ("valid", "validation"), ("test", "testing"))
# a woman, a man, and so on
_ORDER = tuple(sorted(SINGERS, key=lambda name: (int(name.lstrip("femal")), name)))


@dataclass(frozen=True)
class SongPlan:
    """One song to be written.

    Attributes
    ----------
    singer : str
    path : str
        Relative to the folder: ``train/female1/song01.wav``.
    seconds : float, s
    """

    singer: str
    path: str
    seconds: float


def plan(
    *,
    seed: int,
    singers: int,
    training: int,
    validation: int,
    testing: int,
    song_seconds: tuple[float, float],
) -> list[SongPlan]:
    """All songs of a folder.

    Parameters
    ----------
    seed : int
    singers : int, in [1, 20]
    training, validation, testing : int, >= 0
        Songs of each singer on each side.
    song_seconds : (float, float), s
        Shortest and longest song; lengths are spread evenly between them, in a random order.

    Returns
    -------
    list of SongPlan
        Singer by singer; a song's number is unique for its singer.
    """
    counts = {"training": training, "validation": validation, "testing": testing}
    sides = [side for side, size in _SIDES for _ in range(counts[size])]
    low, high = song_seconds
    songs = []
    for name in _ORDER[:singers]:
        spread = (np.arange(len(sides)) + 0.5) / len(sides)
        lengths = low + (high - low) * numpy_generator(seed, "song lengths", name).permutation(spread)
        songs += [
            SongPlan(singer=name, path=f"{side}/{name}/song{number:02d}.wav", seconds=round(float(length), 2))
            for number, (side, length) in enumerate(zip(sides, lengths, strict=True), start=1)
        ]
    return songs


def render(song: SongPlan, *, seed: int, sample_rate: int) -> Song:
    """Audio and true pitch of a planned song.

    Parameters
    ----------
    song : SongPlan
    seed : int
        Of the folder.
    sample_rate : int, Hz

    Returns
    -------
    Song
    """
    rng = numpy_generator(seed, "synthetic song", song.path)
    singer = draw_singer(song.singer, seed=seed)
    return render_song(singer, seconds=song.seconds, sample_rate=sample_rate, rng=rng)


def _check(sizes: dict[str, int], song_seconds: tuple[float, float], sample_rate: int, workers: int | None) -> None:
    low, high = song_seconds
    if not 1 <= sizes["singers"] <= len(SINGERS):
        raise ValueError(f"singers must lie in [1, {len(SINGERS)}], not {sizes['singers']}")
    for name in ("training", "validation", "testing"):
        if not 0 <= sizes[name] <= 1000:
            raise ValueError(f"{name} must lie in [0, 1000], not {sizes[name]}")
    if not sizes["training"] + sizes["validation"] + sizes["testing"]:
        raise ValueError("there must be at least one song")
    if not 2 <= low <= high <= 600:
        raise ValueError(f"song_seconds must be (shortest, longest) in [2, 600], not {song_seconds}")
    if not 16000 <= sample_rate <= 192000:
        raise ValueError(f"sample_rate must lie in [16000, 192000], not {sample_rate}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")


def _write_song(song: SongPlan, *, folder: Path, seed: int, sample_rate: int) -> None:
    made = render(song, seed=seed, sample_rate=sample_rate)
    path = folder / song.path
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, made.audio, sample_rate, subtype="PCM_16")
    times = np.arange(len(made.f0)) * (made.hop_length / sample_rate)
    np.savetxt(path.with_suffix(".f0.csv"), np.stack([times, made.f0], axis=1), fmt=("%.6f", "%.4f"), delimiter=",")


def write(
    root: Path,
    *,
    seed: int = 0,
    singers: int = PRESETS["demo"]["singers"],
    training: int = PRESETS["demo"]["training"],
    validation: int = PRESETS["demo"]["validation"],
    testing: int = PRESETS["demo"]["testing"],
    song_seconds: tuple[float, float] = PRESETS["demo"]["song_seconds"],
    sample_rate: int = PRESETS["demo"]["sample_rate"],
    workers: int | None = None,
) -> Path:
    """Write ``root/singing``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    singers : int, in [1, 20]
    training, validation, testing : int, in [0, 1000]
        Songs of each singer on each side.
    song_seconds : (float, float), s, in [2, 600]
        Shortest and longest song.
    sample_rate : int, Hz, in [16000, 192000]
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
        If ``root/singing`` is a folder that was not written here.

    Notes
    -----
    Layout: ``<side>/<singer>/<song>.wav`` and beside it ``<song>.f0.csv``, lines of time in s and true f0 in Hz, about
    200 a second, f0 linear between the lines and 0 where there is no voice: see :func:`reprise.data.pitch.read_known`.
    """
    sizes = {"singers": singers, "training": training, "validation": validation, "testing": testing}
    _check(sizes, song_seconds, sample_rate, workers)
    parameters = {
        "dataset": "singing",
        "format_version": FORMAT_VERSION,
        "seed": seed,
        **sizes,
        "song_seconds": [float(value) for value in song_seconds],
        "sample_rate": sample_rate,
    }

    def fill(folder: Path) -> None:
        songs = plan(seed=seed, **sizes, song_seconds=song_seconds)
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            done = pool.map(lambda song: _write_song(song, folder=folder, seed=seed, sample_rate=sample_rate), songs)
            for _ in track(done, total=len(songs), description="synthetic singing"):
                pass

    return generate(Path(root).expanduser() / "singing", parameters=parameters, fill=fill)
