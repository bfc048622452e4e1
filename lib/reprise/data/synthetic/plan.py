"""Which takes a synthetic VocalSet has: the original's imbalance, singers, contexts and file names."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reprise.data.datasets.vocalset import OFFICIAL_TEST_SINGERS, TECHNIQUES
from reprise.data.synthetic.melodies import CONTEXTS, SONGS
from reprise.data.synthetic.singers import SINGERS
from reprise.seeds import numpy_generator

__all__ = ["MINUTES", "Take", "plan"]

MINUTES = {
    "straight": 71.5,
    "vibrato": 57.6,
    "vocal_fry": 34.1,
    "breathy": 27.9,
    "belt": 26.3,
    "lip_trill": 24.4,
    "trill": 18.4,
    "trillo": 14.5,
    "inhaled": 9.9,
    "spoken": 4.1,
}
"""Minutes per class in the original (Yamamoto et al. 2022, Figure 2)."""

# context, key, vowel, song, how many times the same before plus one
Content = tuple[str, str, str, str, int]

# fewest takes of a class with training and with test singers
_FEWEST = {"train": 4, "test": 2}
_SUNG = ("scales", "arpeggios", "long_tones")


@dataclass(frozen=True)
class Take:
    """One file to be written.

    Attributes
    ----------
    index : int
        Position in the plan; part of the seed.
    singer, technique, context, key, vowel, song : str
        What is sung; excerpts have a song, the others a key and a vowel.
    seconds : float, s
    path : str
        Relative to the data set's folder.
    """

    index: int
    singer: str
    technique: str
    context: str
    key: str
    vowel: str
    song: str
    seconds: float
    path: str


def _class_seconds(minutes: float, take_seconds: tuple[float, float]) -> dict[str, float]:
    """Seconds per class: the original's proportions, and enough of the rare classes for both sides of the split."""
    fewest = 1.1 * take_seconds[0] * sum(_FEWEST.values())
    total, whole = 60.0 * minutes, sum(MINUTES.values())
    rare: set[str] = set()
    while True:
        left = max(total - fewest * len(rare), 0.0)
        share = {name: left * value / whole for name, value in MINUTES.items() if name not in rare}
        small = {name for name, seconds in share.items() if seconds < fewest}
        if not small:
            return {name: share.get(name, fewest) for name in MINUTES}
        rare |= small
        whole = sum(value for name, value in MINUTES.items() if name not in rare)


def _lengths(seconds: float, take_seconds: tuple[float, float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Lengths of a class's takes: between the limits, together as long as asked."""
    low, high = take_seconds
    n = max(sum(_FEWEST.values()), round(seconds / (0.5 * (low + high))))
    mean = min(max(seconds / n, low), high)
    spread = min(mean - low, high - mean)
    lengths = mean + spread * rng.uniform(-1.0, 1.0, n)
    return np.clip(lengths + mean - lengths.mean(), low, high)


def _in_turn(names: list[str], rng: np.random.Generator) -> Iterator[str]:
    """Endless: each singer once, in random order, then again."""
    while True:
        yield from (names[k] for k in rng.permutation(len(names)))


def _contents(technique: str, singer: str, *, seed: int) -> Iterator[Content]:
    """Endless: context, key, vowel and song of a singer's takes of a technique, all different before any repeats."""
    rng = numpy_generator(seed, "synthetic vocalset contents", technique, singer)
    songs = [("excerpts", "c", "", song) for song in SONGS]
    sung = [(context, key, vowel, "") for context in _SUNG for key in "cf" for vowel in "aeiou"]
    if technique == "spoken":
        sung = []
    elif technique not in ("straight", "vibrato", "belt", "breathy"):
        songs = []
    choices = sung + songs
    again = 1
    while True:
        for k in rng.permutation(len(choices)):
            yield (*choices[k], again)
        again += 1


def _prefix(singer: str) -> str:
    """Start of a singer's file names: ``f1`` for ``female1``."""
    return singer[0] + singer.removeprefix("female").removeprefix("male")


def _path(singer: str, technique: str, content: Content) -> str:
    context, key, vowel, song, again = content
    prefix = _prefix(singer)
    name = f"{prefix}_{song}_{technique}" if song else f"{prefix}_{CONTEXTS[context]}_{technique}_{key}_{vowel}"
    # the loader knows numbers in brackets; (1) is taken by a faulty file of the original
    return f"FULL/{singer}/{context}/{technique}/{name}{f'({again})' if again > 1 else ''}.wav"


def plan(*, seed: int, minutes: float, take_seconds: tuple[float, float]) -> list[Take]:
    """All takes of a data set.

    Parameters
    ----------
    seed : int
    minutes : float, min, > 0
        Total; grows where the rare classes would else miss a side of the split.
    take_seconds : (float, float), s
        Shortest and longest take.

    Returns
    -------
    list of Take
        Every technique with training and with test singers, a quarter of the takes with the latter.
    """
    rng = numpy_generator(seed, "synthetic vocalset plan")
    train = [name for name in SINGERS if name not in OFFICIAL_TEST_SINGERS]
    turns = {"train": _in_turn(train, rng), "test": _in_turn(list(OFFICIAL_TEST_SINGERS), rng)}
    contents = {(t, s): _contents(t, s, seed=seed) for t in TECHNIQUES for s in SINGERS}
    takes: list[Take] = []
    for technique, seconds in _class_seconds(minutes, take_seconds).items():
        for k, length in enumerate(_lengths(seconds, take_seconds, rng)):
            # of four takes the second is a test take; of the smallest six it is two
            singer = next(turns["test" if k % 4 == 1 else "train"])
            content = next(contents[technique, singer])
            takes.append(
                Take(
                    index=len(takes),
                    singer=singer,
                    technique=technique,
                    context=content[0],
                    key=content[1],
                    vowel=content[2],
                    song=content[3],
                    seconds=float(length),
                    path=_path(singer, technique, content),
                )
            )
    return takes
