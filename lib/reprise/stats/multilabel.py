"""Metrics of clips with several labels, also under resampling weights, equal to scikit-learn's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "DECISIONS",
    "MULTILABEL",
    "best_thresholds",
    "decide",
    "label_f1",
    "multilabel_metrics",
    "ranking_metrics",
    "strongest_is_one",
    "weighted_multilabel",
]

DECISIONS = ("hamming", "exact_match", "macro_f1", "macro_precision", "macro_recall", "micro_f1")
MULTILABEL = (*DECISIONS, "macro_auc", "macro_average_precision")


def _checked(scores: ArrayLike, targets: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(targets)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"scores must have shape (n, n_classes) with n ≥ 1, got {values.shape}")
    if truth.shape != values.shape:
        raise ValueError(f"targets must have the shape of the scores {values.shape}, got {truth.shape}")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise ValueError(f"scores of row {row} are not finite: {values[row]}; look at that clip's prediction")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError(f"targets must be 0 or 1 for each class, found {np.unique(truth)[:5]}")
    return values, truth.astype(bool)


def _checked_weights(weights: ArrayLike, n: int) -> np.ndarray:
    checked = np.asarray(weights, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != n:
        raise ValueError(f"weights must have shape (n_draws, {n}), got {checked.shape}")
    if not (checked >= 0).all():
        raise ValueError("weights must be numbers ≥ 0")
    return checked


def _ratio(numerator: np.ndarray, denominator: np.ndarray, *, empty: float) -> np.ndarray:
    """Quotient, ``empty`` where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(numerator.shape, empty), where=denominator > 0)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(float), empty=np.nan)


def strongest_is_one(scores: ArrayLike) -> np.ndarray:
    r"""Scores of each clip relative to its strongest class: aggregation S2 from that of S1.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)], ≥ 0
        Mean (or sum) of the windows' probabilities.

    Returns
    -------
    ndarray [shape=(n, n_classes)], 0 to 1
        The strongest class of each clip has exactly 1; a clip of zeros keeps them.

    Notes
    -----
    :math:`s_c = \bar p_c / \max_{c'} \bar p_{c'}` (Han et al. 2017).
    Paper: Ferković and Smoljan 2023, section 4.7. Notebook: 05_irmas.ipynb.
    """
    values = np.asarray(scores, dtype=np.float64)
    strongest = values.max(axis=1, keepdims=True)
    return values / np.where(strongest > 0, strongest, 1.0)


def decide(scores: ArrayLike, threshold: ArrayLike = 0.5) -> np.ndarray:
    """Labels of each clip: the classes whose score is above the threshold.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)]
    threshold : float or array [shape=(n_classes,)]

    Returns
    -------
    ndarray of bool [shape=(n, n_classes)]
    """
    return np.asarray(scores, dtype=np.float64) > np.asarray(threshold, dtype=np.float64)


@dataclass(frozen=True)
class _Counts:
    """Weighted counts under each row of weights; classes last [shape=(n_draws, n_classes)]."""

    hits: np.ndarray
    predicted: np.ndarray
    positives: np.ndarray
    exact: np.ndarray
    total: np.ndarray

    @cached_property
    def f1(self) -> np.ndarray:
        """NaN where a class has neither label nor prediction."""
        return _ratio(2 * self.hits, self.predicted + self.positives, empty=np.nan)

    def metrics(self) -> dict[str, np.ndarray]:
        wrong = (self.predicted + self.positives - 2 * self.hits).sum(axis=1)
        found, labels = (self.predicted + self.positives).sum(axis=1), 2 * self.hits.sum(axis=1)
        weightless = np.where(self.total > 0, 0.0, np.nan)
        return {
            "hamming": 1 - _ratio(wrong, self.total * self.hits.shape[1], empty=np.nan),
            "exact_match": _ratio(self.exact, self.total, empty=np.nan),
            "macro_f1": np.nan_to_num(self.f1).mean(axis=1) + weightless,
            "macro_precision": _ratio(self.hits, self.predicted, empty=0.0).mean(axis=1) + weightless,
            "macro_recall": _ratio(self.hits, self.positives, empty=0.0).mean(axis=1) + weightless,
            "micro_f1": _ratio(labels, found, empty=0.0) + weightless,
        }


def _counts(weights: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> _Counts:
    n_classes, exact = truth.shape[1], (predicted == truth).all(axis=1)[:, None]
    # one wide product is several times faster than one per count
    sums = weights @ np.concatenate([truth & predicted, predicted, truth, exact], axis=1).astype(np.float64)
    hits, found, positives, exact_sum = np.split(sums, np.arange(1, 4) * n_classes, axis=1)
    return _Counts(hits, found, positives, exact_sum[:, 0], weights.sum(axis=1))


def _distinct(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the weights without repetitions, and which of them each clip has: clips of one song share theirs."""
    # sums row by row give equal columns the same bits; unequal ones that agree by chance are found below
    keys = np.add.reduce(weights * np.cos(np.arange(len(weights)))[:, None], axis=0)
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    columns = weights[:, first]
    if np.array_equal(columns[:, member], weights):
        return columns, member
    return weights, np.arange(weights.shape[1])


def _weighted_auc(weights: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """ROC-AUC of every class [shape=(n_draws, n_classes)]: share of won comparisons of a positive with a negative."""
    columns, member = _distinct(weights)
    found = np.full((len(weights), scores.shape[1]), np.nan)
    for index in np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0)):
        yes, no = truth[:, index], ~truth[:, index]
        own, others = scores[yes, index][:, None], scores[no, index][None, :]
        rows, row = np.unique(member[yes], return_inverse=True)
        places, place = np.unique(member[no], return_inverse=True)
        cells = (row[:, None] * len(places) + place[None, :]).ravel()
        wins = np.bincount(cells, ((own > others) + 0.5 * (own == others)).ravel(), len(rows) * len(places))
        first, second = columns[:, rows], columns[:, places]
        won = ((first @ wins.reshape(len(rows), -1)) * second).sum(axis=1)
        compared = (first @ np.bincount(row)) * (second @ np.bincount(place))
        found[:, index] = _ratio(won, compared, empty=np.nan)
    return found


def _weighted_precision(weights: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Average precision of every class [shape=(n_draws, n_classes)]; equal scores count as one place."""
    # one row per clip: sorting then moves whole rows, several times faster than columns
    columns = np.ascontiguousarray(weights.T)
    found = np.empty((len(weights), scores.shape[1]))
    for index in range(scores.shape[1]):
        order = np.argsort(-scores[:, index], kind="stable")
        ends = np.flatnonzero(np.append(np.diff(scores[order, index]) != 0, True))
        above = np.cumsum(columns[order], axis=0)[ends]
        hits = np.cumsum(columns[order] * truth[order, index, None], axis=0)[ends]
        steps = np.diff(hits, axis=0, prepend=0.0)
        found[:, index] = _ratio((steps * _ratio(hits, above, empty=0.0)).sum(axis=0), hits[-1], empty=np.nan)
    return found


_RANKINGS = {"macro_auc": _weighted_auc, "macro_average_precision": _weighted_precision}


def weighted_multilabel(
    weights: ArrayLike,
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    threshold: ArrayLike = 0.5,
    class_names: Sequence[str] | None = None,
    metrics: Sequence[str] = MULTILABEL,
) -> dict[str, np.ndarray]:
    """All metrics under each row of weights, equal to repeating each clip as often as its weight says.

    Parameters
    ----------
    weights : array [shape=(n_draws, n)], ≥ 0
        Weight of each clip in each draw, for example bootstrap counts.
    scores : array [shape=(n, n_classes)]
        A class is predicted where its score is above ``threshold``.
    targets : array [shape=(n, n_classes)], 0 or 1
    threshold : float or array [shape=(n_classes,)]
    class_names : sequence of str or None
        Adds ``f1/<class>`` for each class.
    metrics : sequence of str
        Which ones; the average precision takes most of the time.

    Returns
    -------
    dict
        ``hamming, exact_match, macro_f1, macro_precision, macro_recall, micro_f1, macro_auc,
        macro_average_precision``, each [shape=(n_draws,)], in [0, 1]; NaN for a draw without any weight.

    Raises
    ------
    ValueError
        If shapes do not fit, a score is not finite, a target is neither 0 nor 1, a weight is negative or a metric is
        unknown.

    Notes
    -----
    - The Hamming score is 1 minus the Hamming loss: the share of right answers among all clips and classes.
    - F1, precision and recall are 0 where nothing is divided by nothing (``zero_division=0``), so macro averages count
      a class without label and prediction as a failure, as the paper's do; ``f1/<class>`` is NaN for it.
    - A class without any positive clip, or for the AUC without any negative one, has no ranking and is left out of
      ``macro_auc`` and ``macro_average_precision``; they are NaN where no class is left.
    """
    unknown = sorted(set(metrics) - set(MULTILABEL))
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known are {', '.join(MULTILABEL)}")
    values, truth = _checked(scores, targets)
    if class_names is not None and len(class_names) != values.shape[1]:
        raise ValueError(f"{len(class_names)} class names for {values.shape[1]} columns of scores")
    checked = _checked_weights(weights, len(values))
    counts = _counts(checked, decide(values, threshold), truth)
    found = {name: value for name, value in counts.metrics().items() if name in metrics}
    for name, ranking in _RANKINGS.items():
        if name in metrics:
            found[name] = _mean_of_known(ranking(checked, values, truth))
    return found | {f"f1/{name}": counts.f1[:, index] for index, name in enumerate(class_names or ())}


def multilabel_metrics(scores: ArrayLike, targets: ArrayLike, *, threshold: ArrayLike = 0.5) -> dict[str, float]:
    """Hamming score, exact match, F1, precision, recall, AUC and average precision.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)]
        A class is predicted where its score is above ``threshold``.
    targets : array [shape=(n, n_classes)], 0 or 1
    threshold : float or array [shape=(n_classes,)]

    Returns
    -------
    dict
        As :func:`weighted_multilabel`, each in [0, 1].

    Raises
    ------
    ValueError
        As :func:`weighted_multilabel`.
    """
    found = weighted_multilabel(np.ones((1, len(np.asarray(scores)))), scores, targets, threshold=threshold)
    return {name: float(value[0]) for name, value in found.items()}


def label_f1(scores: ArrayLike, targets: ArrayLike, *, threshold: ArrayLike = 0.5) -> np.ndarray:
    """F1 of every class.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)]
    targets : array [shape=(n, n_classes)], 0 or 1
    threshold : float or array [shape=(n_classes,)]

    Returns
    -------
    ndarray [shape=(n_classes,)], in [0, 1]
        NaN where a class has neither label nor prediction.

    Raises
    ------
    ValueError
        As :func:`weighted_multilabel`.
    """
    values, truth = _checked(scores, targets)
    return _counts(np.ones((1, len(values))), decide(values, threshold), truth).f1[0]


def ranking_metrics(scores: ArrayLike, targets: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve and average precision of every class.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)]
    targets : array [shape=(n, n_classes)], 0 or 1

    Returns
    -------
    auc : ndarray [shape=(n_classes,)], in [0, 1]
        NaN where a class has no positive or no negative clip.
    average_precision : ndarray [shape=(n_classes,)], in [0, 1]
        NaN where a class has no positive clip.

    Raises
    ------
    ValueError
        As :func:`weighted_multilabel`.
    """
    values, truth = _checked(scores, targets)
    once = np.ones((1, len(values)))
    return _weighted_auc(once, values, truth)[0], _weighted_precision(once, values, truth)[0]


def best_thresholds(scores: ArrayLike, targets: ArrayLike, *, default: float = 0.5) -> np.ndarray:
    """Threshold of each class that has the highest F1 on these clips.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)]
        Of clips that are not tested on.
    targets : array [shape=(n, n_classes)], 0 or 1
    default : float
        For classes without any positive clip.

    Returns
    -------
    ndarray [shape=(n_classes,)]
        Halfway between two scores, so that :func:`decide` splits the clips there; of equally good ones the highest.

    Raises
    ------
    ValueError
        As :func:`weighted_multilabel`.
    """
    values, truth = _checked(scores, targets)
    order = np.argsort(-values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    hits = np.cumsum(np.take_along_axis(truth, order, axis=0), axis=0)
    below = np.vstack([ranked[1:], np.nextafter(ranked[-1:], -np.inf)])
    f1 = 2 * hits / (np.arange(1, len(values) + 1)[:, None] + truth.sum(axis=0))
    # between two equal scores nothing can be split
    best = np.where(ranked > below, f1, -1.0).argmax(axis=0)[None]
    upper, lower = np.take_along_axis(ranked, best, axis=0)[0], np.take_along_axis(below, best, axis=0)[0]
    middle = lower + (upper - lower) / 2
    return np.where(truth.any(axis=0), np.where(middle < upper, middle, lower), default)
