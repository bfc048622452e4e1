"""A synthetic VocalSet: twenty procedural singers, ten techniques, the original's folders and imbalance."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reprise.data.datasets.vocalset import OFFICIAL_TEST_SINGERS
from reprise.data.synthetic.folder import generate, write_clips
from reprise.data.synthetic.melodies import draw_line, point_hop
from reprise.data.synthetic.plan import Take, plan
from reprise.data.synthetic.recording import record
from reprise.data.synthetic.singers import SINGERS, draw_singer
from reprise.data.synthetic.techniques import DIFFICULTY, PACE, perform
from reprise.seeds import numpy_generator

__all__ = ["PRESETS", "render", "write"]

FORMAT_VERSION = 2

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"minutes": 2.5, "take_seconds": (1.05, 3.0), "sample_rate": 44100},
    "demo": {"minutes": 30.0, "take_seconds": (3.05, 9.0), "sample_rate": 44100},
}


def render(take: Take, *, seed: int, sample_rate: int, difficulty: float = DIFFICULTY) -> NDArray[np.float32]:
    """Audio of a take.

    Parameters
    ----------
    take : Take
    seed : int
        Of the data set.
    sample_rate : int, Hz
    difficulty : float, in [0, 1]
        See :data:`reprise.data.synthetic.techniques.DIFFICULTY`.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32, in [-1, 1]
    """
    singer = draw_singer(take.singer, seed=seed)
    rng = numpy_generator(seed, take.singer, take.index)
    n_samples = round(take.seconds * sample_rate)
    line = draw_line(
        context=take.context,
        song=take.song,
        key=take.key,
        vowel=take.vowel,
        low=singer.low,
        n_points=-(-n_samples // point_hop(sample_rate)),
        pace=PACE.get(take.technique, 1.0),
        glide=singer.glide,
        rng=rng,
    )
    voice = perform(
        line, technique=take.technique, singer=singer, sample_rate=sample_rate, rng=rng, difficulty=difficulty
    )
    noisier = 8.0 * difficulty * rng.uniform()
    return record(voice[:n_samples], singer=singer, sample_rate=sample_rate, noisier=noisier, rng=rng)


def _check(minutes: float, take_seconds: tuple[float, float], sample_rate: int, workers: int | None) -> None:
    low, high = take_seconds
    if not 0 < minutes <= 10000:
        raise ValueError(f"minutes must lie in (0, 10000], not {minutes}")
    if not 0.5 <= low <= high <= 600:
        raise ValueError(f"take_seconds must be (shortest, longest) in [0.5, 600], not {take_seconds}")
    if not 8000 <= sample_rate <= 192000:
        raise ValueError(f"sample_rate must lie in [8000, 192000], not {sample_rate}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")


def write(
    root: Path,
    *,
    seed: int = 0,
    minutes: float = PRESETS["demo"]["minutes"],
    take_seconds: tuple[float, float] = PRESETS["demo"]["take_seconds"],
    sample_rate: int = 44100,
    workers: int | None = None,
) -> Path:
    """Write ``root/VocalSet``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    minutes : float, min, in (0, 10000]
        Total, divided as in the original.
    take_seconds : (float, float), s, in [0.5, 600]
        Shortest and longest take.
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
        If ``root/VocalSet`` is a folder that was not written here.
    """
    _check(minutes, take_seconds, sample_rate, workers)
    parameters = {
        "dataset": "vocalset",
        "format_version": FORMAT_VERSION,
        "seed": seed,
        "minutes": float(minutes),
        "take_seconds": [float(value) for value in take_seconds],
        "sample_rate": sample_rate,
        "difficulty": DIFFICULTY,
    }

    def fill(folder: Path) -> None:
        write_clips(
            plan(seed=seed, minutes=minutes, take_seconds=take_seconds),
            lambda take: render(take, seed=seed, sample_rate=sample_rate),
            folder=folder,
            sample_rate=sample_rate,
            workers=workers,
            name="VocalSet",
        )
        train = [name for name in SINGERS if name not in OFFICIAL_TEST_SINGERS]
        for side, names in (("train", train), ("test", OFFICIAL_TEST_SINGERS)):
            (folder / f"{side}_singers_technique.txt").write_text("\n".join(names) + "\n", encoding="utf-8")

    return generate(Path(root).expanduser() / "VocalSet", parameters=parameters, fill=fill)
