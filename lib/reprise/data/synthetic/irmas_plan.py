"""Which clips a synthetic IRMAS has: the original's classes, genres, label counts, songs and file names."""

from collections.abc import Mapping

import numpy as np

from reprise.data.synthetic.ensembles import Clip, company, deal, quotas
from reprise.seeds import numpy_generator

__all__ = ["LABELS_PER_CLIP", "TEST_LABELS", "TRAINING_CLIPS", "plan_testing", "plan_training"]

_CODES = ("cel", "cla", "flu", "gac", "gel", "org", "pia", "sax", "tru", "vio", "voi")
TRAINING_CLIPS = dict(zip(_CODES, (388, 505, 451, 637, 760, 682, 721, 626, 577, 580, 778), strict=True))
"""Training clips per class of the original."""
TEST_LABELS = dict(zip(_CODES, (111, 62, 163, 535, 942, 361, 995, 326, 167, 211, 1044), strict=True))
"""How often each label is given to a testing clip of the original."""
LABELS_PER_CLIP = {"1": 1236, "2": 1278, "3": 318, "4": 39, "5": 3}
"""Testing clips of the original by number of labels."""
_PARTS = {
    "IRMAS-TestingData-Part1/Part1": 58,
    "IRMAS-TestingData-Part2/IRTestingData-Part2": 97,
    "IRMAS-TestingData-Part3/Part3": 53,
}

SECONDS = 3.0
_EXCERPTS = 3

# Of the original only the totals and some pairs are known (no classical voice, nearly half of violin and of clarinet
# classical); the rest is a guess that keeps genre and instrument confounded as they are there.
_GENRES: dict[str, dict[str, float]] = {
    "cel": {"cla": 70, "pop_roc": 20, "jaz_blu": 10},
    "cla": {"cla": 44, "jaz_blu": 50, "cou_fol": 5, "lat_sou": 1},
    "flu": {"cla": 36, "jaz_blu": 36, "pop_roc": 12, "cou_fol": 13, "lat_sou": 3},
    "gac": {"pop_roc": 38, "cla": 25, "cou_fol": 30, "jaz_blu": 5, "lat_sou": 2},
    "gel": {"pop_roc": 77, "jaz_blu": 20, "cou_fol": 3},
    "org": {"pop_roc": 45, "cla": 30, "jaz_blu": 25},
    "pia": {"jaz_blu": 42, "cla": 32, "pop_roc": 26},
    "sax": {"jaz_blu": 75, "pop_roc": 22, "lat_sou": 2, "cla": 1},
    "tru": {"jaz_blu": 70, "cla": 18, "pop_roc": 11, "lat_sou": 1},
    "vio": {"cla": 44, "pop_roc": 20, "jaz_blu": 18, "cou_fol": 18},
    "voi": {"pop_roc": 74, "jaz_blu": 15, "cou_fol": 11},
}
_DRUMS = {"cla": 0.02, "cou_fol": 0.3, "jaz_blu": 0.5, "lat_sou": 0.6, "pop_roc": 0.7}
# two of seven recordings tell whether there are drums, as in the original
_TELLING = (1, 4)


def _one_of(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    p = np.array(list(weights.values()), dtype=float)
    return str(rng.choice(list(weights), p=p / p.sum()))


def plan_training(*, seed: int, clips: int, fewest: int = 3) -> list[Clip]:
    """Training clips.

    Parameters
    ----------
    seed : int
    clips : int
        In all; grows where a class would have less than ``fewest``.
    fewest : int
        Clips per class.

    Returns
    -------
    list of Clip
        Each class from at least two recordings, about three clips each.
    """
    rng = numpy_generator(seed, "synthetic irmas training")
    planned: list[Clip] = []
    recording = 0
    for code, count in quotas(clips, TRAINING_CLIPS, fewest=fewest).items():
        n_recordings = max(min(2, count), round(count / _EXCERPTS))
        for k in range(n_recordings):
            recording += 1
            genre = _one_of(_GENRES[code], rng)
            drums = bool(rng.uniform() < _DRUMS[genre])
            others = company(genre, [code], n=int(rng.choice(3, p=[0.25, 0.45, 0.3])), rng=rng)
            tags = f"[{code}][{genre}]"
            if recording % 7 in _TELLING:
                tags = f"{k + 1:03d}__[{code}][{'dru' if drums else 'nod'}][{genre}]"
            n_excerpts = count // n_recordings + (k < count % n_recordings)
            for excerpt in range(1, n_excerpts + 1):
                path = f"IRMAS-TrainingData/{code}/{tags}{recording:04d}__{excerpt}.wav"
                planned.append(Clip(len(planned), path, f"train {recording}", genre, (code,), others, drums, SECONDS))
    return planned


def _song_sizes(clips: int, songs: int, rng: np.random.Generator) -> list[list[int]]:
    """Number of labels of each clip of each song: few songs have many clips."""
    each = 1 + rng.multinomial(clips - songs, rng.dirichlet(np.full(songs, 2.0)))
    numbers = quotas(clips, LABELS_PER_CLIP)
    every = rng.permutation(np.repeat([int(name) for name in numbers], list(numbers.values())))
    return [[int(size) for size in part] for part in np.split(every, np.cumsum(each)[:-1])]


def plan_testing(*, seed: int, clips: int, songs: int, seconds: tuple[float, float], fewest: int = 2) -> list[Clip]:
    """Testing clips.

    Parameters
    ----------
    seed : int
    clips, songs : int
    seconds : (float, float), s
        Shortest and longest clip; short ones are more frequent than in the original, to save time.
    fewest : int
        How often each label is given at least.

    Returns
    -------
    list of Clip
        Songs in order, none in two parts.
    """
    rng = numpy_generator(seed, "synthetic irmas testing")
    sizes = _song_sizes(clips, songs, rng)
    counts = quotas(sum(map(sum, sizes)), TEST_LABELS, fewest=fewest)
    share = quotas(songs, _PARTS, fewest=1 if songs >= len(_PARTS) else 0)
    places = np.repeat(list(share), list(share.values()))
    planned: list[Clip] = []
    for song, (labels, place) in enumerate(zip(deal(sizes, counts, rng=rng), places, strict=True), start=1):
        main = sorted({code for some in labels for code in some})
        genre = _one_of(_GENRES[main[rng.integers(len(main))]], rng)
        drums = bool(rng.uniform() < _DRUMS[genre])
        others = company(genre, main, n=2, rng=rng)
        for number, some in enumerate(labels, start=1):
            quiet = others[: int(rng.choice(3, p=[0.3, 0.5, 0.2]))]
            length = seconds[0] + (seconds[1] - seconds[0]) * rng.uniform() ** 2
            path = f"{place}/procedural song {song:03d}-{number}.wav"
            planned.append(Clip(len(planned), path, f"test {song}", genre, some, quiet, drums, round(float(length), 2)))
    return planned
