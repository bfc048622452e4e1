"""One class per song from the probabilities of its clips: four ways, and the best of them on given songs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from reprise.stats.tagging import key_points

__all__ = ["STRATEGIES", "best_strategy", "song_classes", "song_key_score"]

STRATEGIES = ("vote", "max", "gmean", "mean")
# below the smallest float32, so that a probability of zero has a logarithm and stays last
SMALLEST = 1e-46


def song_classes(probabilities: ArrayLike, songs: ArrayLike, *, strategy: str) -> np.ndarray:
    """Class of each song.

    Parameters
    ----------
    probabilities : array [shape=(n_clips, n_classes)], 0 to 1
    songs : array of int [shape=(n_clips,)], ≥ 0
        Song of each clip, from 0 without gaps, in any order.
    strategy : "vote", "max", "gmean" or "mean"
        The class that most clips name; the class with the highest probability in any clip, geometric mean, or mean
        over clips.

    Returns
    -------
    ndarray of int [shape=(n_songs,)]
        Of equally good classes the lowest.

    Raises
    ------
    ValueError
        If shapes do not fit, a song has no clip or the strategy is unknown.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, after Castellon et al. 2021, whose "max" looks at logits, not
    at probabilities. Notebook: 03_tune.ipynb.
    """
    values, owner = np.asarray(probabilities, dtype=np.float64), np.asarray(songs)
    if values.ndim != 2 or not len(values) or owner.shape != values.shape[:1]:
        raise ValueError(
            "probabilities need shape (n_clips, n_classes) with n_clips ≥ 1 and songs (n_clips,), "
            f"got {values.shape} and {owner.shape}"
        )
    if strategy not in STRATEGIES:
        raise ValueError(f"the strategy {strategy!r} is unknown; choose one of {', '.join(STRATEGIES)}")
    if owner.min() < 0:
        raise ValueError(f"songs are counted from 0, got {owner.min()}")
    counts = np.bincount(owner)
    if not counts.all():
        raise ValueError(f"song {int(np.argmin(counts))} has no clip; number the songs without gaps")
    if strategy == "vote":
        values = np.eye(values.shape[1])[values.argmax(axis=1)]
    elif strategy == "gmean":
        values = np.log(np.maximum(values, SMALLEST))
    order = np.argsort(owner, kind="stable")
    gather = np.maximum if strategy == "max" else np.add
    return gather.reduceat(values[order], np.cumsum(counts) - counts, axis=0).argmax(axis=1)


def best_strategy(probabilities: ArrayLike, songs: ArrayLike, *, keys: ArrayLike) -> tuple[str, float]:
    """Strategy with the highest mean of MIREX's points.

    Parameters
    ----------
    probabilities : array [shape=(n_clips, 24)]
        Of clips that are not tested on.
    songs : array of int [shape=(n_clips,)]
        See :func:`song_classes`.
    keys : array of int [shape=(n_songs,)], 0 to 23

    Returns
    -------
    tuple of str and float
        Of equally good ones the first of ``STRATEGIES``, and its score, 0 to 1.

    Raises
    ------
    ValueError
        As :func:`song_classes` and :func:`reprise.stats.tagging.key_points`.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, Table S2. Notebook: 03_tune.ipynb.
    """
    scores = {
        strategy: float(key_points(song_classes(probabilities, songs, strategy=strategy), keys).mean())
        for strategy in STRATEGIES
    }
    best = max(scores, key=lambda strategy: scores[strategy])
    return best, scores[best]


def song_key_score(songs: ArrayLike, keys: ArrayLike) -> Callable[[np.ndarray, np.ndarray], float]:
    """Score of clips by the songs they come from, for ``reprise.training.probe.train_probes(score=...)``.

    Parameters
    ----------
    songs : array of int [shape=(n_clips,)]
        Of the validation clips, in their order.
    keys : array of int [shape=(n_songs,)], 0 to 23

    Returns
    -------
    callable
        (probabilities of clips, ignored) → points of the best strategy, 0 to 1.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, Table S2. Notebook: 03_tune.ipynb.
    """
    return lambda probabilities, _targets: best_strategy(probabilities, songs, keys=keys)[1]
