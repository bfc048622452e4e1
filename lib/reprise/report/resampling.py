"""Weights of seeds and statistics of predictions, the two halves of a resampling draw."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from reprise.stats.metrics import weighted_metrics
from reprise.stats.multilabel import DECISIONS, MULTILABEL, weighted_multilabel

__all__ = [
    "CLASSIFICATION",
    "SeedFactors",
    "Statistic",
    "bootstrap_factors",
    "check_predictions",
    "classification",
    "multilabel",
    "resample",
    "stack",
    "student_factors",
]

CLASSIFICATION = ("macro_f1", "accuracy", "balanced_accuracy", "top_2", "top_3")

# weights of one block of draws, in numbers: 4 million are 32 MB
BLOCK_ELEMENTS = 4_000_000

Statistic = Callable[[np.ndarray, np.ndarray, np.ndarray], Mapping[str, np.ndarray]]


def bootstrap_factors(n_seeds: int, *, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    r"""Bootstrap weights of seeds, rescaled so that the variance is that of a mean of n, not n − 1 over n of it.

    Parameters
    ----------
    n_seeds : int ≥ 1
    n_draws : int ≥ 0
    rng : Generator

    Returns
    -------
    ndarray [shape=(n_draws, n_seeds)]
        Each row sums to 1; single weights may be negative. With one seed all are 1.

    Notes
    -----
    With counts :math:`c` of a bootstrap sample, :math:`1/n + (c - 1)/n \cdot \sqrt{n / (n - 1)}` (Rao and Wu 1988).
    """
    counts = rng.multinomial(n_seeds, np.full(n_seeds, 1.0 / n_seeds), size=n_draws) / n_seeds
    return 1.0 / n_seeds + (counts - 1.0 / n_seeds) * np.sqrt(n_seeds / max(n_seeds - 1, 1))


def student_factors(n_seeds: int, *, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    r"""Weights of seeds under which every mean has Student's t distribution around its value.

    Parameters
    ----------
    n_seeds : int ≥ 2
    n_draws : int ≥ 0
    rng : Generator

    Returns
    -------
    ndarray [shape=(n_draws, n_seeds)]
        Each row sums to 1; single weights may be negative.

    Notes
    -----
    :math:`1/n + (z - \bar z) / (s \sqrt{n (n - 1)})` with standard normal :math:`z` and
    :math:`s^2 = \chi^2_{n-1} / (n - 1)`: a row times the seeds' values is their mean plus a multiple of its standard
    error that has Student's t distribution with n − 1 degrees of freedom. The same holds for the difference of two
    conditions over the same seeds under the same weights.
    """
    normal = rng.standard_normal((n_draws, n_seeds))
    spread = np.sqrt(rng.chisquare(n_seeds - 1, size=n_draws) / (n_seeds - 1))[:, None]
    centred = normal - normal.mean(axis=1, keepdims=True)
    return 1.0 / n_seeds + centred / (spread * np.sqrt(n_seeds * (n_seeds - 1)))


class SeedFactors:
    """One matrix of seed weights per set of seeds, so that conditions with the same seeds are paired."""

    def __init__(self, maker: Callable[..., np.ndarray], *, n_draws: int, rng: np.random.Generator) -> None:
        self.maker, self.n_draws, self.rng = maker, n_draws, rng
        self.made: dict[tuple[int, ...], np.ndarray] = {}

    def __getitem__(self, seeds: tuple[int, ...]) -> np.ndarray:
        if seeds not in self.made:
            self.made[seeds] = self.maker(len(seeds), n_draws=self.n_draws, rng=self.rng)
        return self.made[seeds]


def check_predictions(predictions: Mapping[str, list[np.ndarray]], n_clips: int) -> None:
    """Refuse a condition without seeds or with another number of clips; the message names it."""
    for name, seeds in predictions.items():
        if not seeds:
            raise ValueError(f"condition {name!r} has no seed; leave it out to have it reported as not run")
        for index, item in enumerate(seeds):
            if len(item) != n_clips:
                raise ValueError(f"condition {name!r}, seed {index} has {len(item)} clips, but there are {n_clips}")


def classification(metrics: tuple[str, ...], class_names: Sequence[str] | None) -> Statistic:
    """Statistic that gives some of the five classification metrics, and F1 and recall of named classes."""
    unknown = sorted(set(metrics) - set(CLASSIFICATION))
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known are {', '.join(CLASSIFICATION)}")

    def statistic(weights: np.ndarray, probabilities: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
        found = weighted_metrics(weights, probabilities, targets, class_names=class_names)
        return {metric: values for metric, values in found.items() if "/" in metric or metric in metrics}

    return statistic


def multilabel(
    metrics: Sequence[str] = (*DECISIONS, "macro_auc"),
    class_names: Sequence[str] | None = None,
    *,
    threshold: float | np.ndarray = 0.5,
) -> Statistic:
    """Statistic for clips with several labels, for :meth:`reprise.report.draws.Draws.from_predictions`.

    Parameters
    ----------
    metrics : sequence of str
        Which metrics of :func:`reprise.stats.multilabel.weighted_multilabel` to keep.
    class_names : sequence of str or None
        Adds ``f1/<class>`` for each class.
    threshold : float or ndarray [shape=(n_classes,)]
        A class is predicted where its score is above it.

    Returns
    -------
    callable
        Its predictions are scores [shape=(n_clips, n_classes)], its targets 0 or 1 of the same shape.
    """
    unknown = sorted(set(metrics) - set(MULTILABEL))
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known are {', '.join(MULTILABEL)}")
    return partial(weighted_multilabel, threshold=threshold, class_names=class_names, metrics=tuple(metrics))


def stack(
    statistic: Statistic, seeds: Sequence[np.ndarray], *, weights: np.ndarray, targets: np.ndarray
) -> dict[str, np.ndarray]:
    """Statistic of each seed under each row of weights.

    Parameters
    ----------
    statistic : callable
    seeds : sequence of ndarray [shape=(n_clips, …)]
        One prediction per seed, at least one.
    weights : ndarray [shape=(n_draws, n_clips)], ≥ 0
    targets : ndarray [shape=(n_clips, …)]

    Returns
    -------
    dict
        Metric → ndarray [shape=(n_seeds, n_draws)].
    """
    each = [statistic(weights, item, targets) for item in seeds]
    return {metric: np.stack([np.asarray(found[metric]) for found in each]) for metric in each[0]}


def resample(
    statistic: Statistic,
    predictions: Mapping[str, Sequence[np.ndarray]],
    *,
    targets: np.ndarray,
    weigh: Callable[..., np.ndarray],
    rng: np.random.Generator,
    n_draws: int,
) -> dict[tuple[str, str], np.ndarray]:
    """Draws of every metric of every condition, block by block so that the weights fit in memory.

    Parameters
    ----------
    statistic : callable
    predictions : mapping of str to sequence of ndarray
        Condition → one prediction per seed.
    targets : ndarray [shape=(n_clips, …)]
    weigh : callable
        ``weigh(n_draws=k)`` → weights of the clips [shape=(k, n_clips)].
    rng : Generator
    n_draws : int

    Returns
    -------
    dict
        (condition, metric) → ndarray [shape=(n_draws,)].
    """
    factors = SeedFactors(bootstrap_factors, n_draws=n_draws, rng=rng)
    # all seeds are drawn before the first clip, so that the size of a block changes nothing
    shares = {name: factors[tuple(range(len(seeds)))] for name, seeds in predictions.items()}
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    block = max(1, BLOCK_ELEMENTS // len(targets))
    for start in range(0, n_draws, block):
        size = min(block, n_draws - start)
        weights = weigh(n_draws=size)
        for name, seeds in predictions.items():
            share = shares[name][start : start + size].T
            for metric, values in stack(statistic, seeds, weights=weights, targets=targets).items():
                parts.setdefault((name, metric), []).append((share * values).sum(axis=0))
    return {key: np.concatenate(blocks) for key, blocks in parts.items()}
