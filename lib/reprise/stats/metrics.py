"""Classification metrics, also under resampling weights, equal to scikit-learn's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "classification_metrics",
    "confusion",
    "per_class_f1",
    "per_class_recall",
    "weighted_metrics",
]

TOP = (2, 3)


def _checked(probabilities: ArrayLike, targets: ArrayLike, n_classes: int | None) -> tuple[np.ndarray, np.ndarray]:
    scores = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(targets)
    if scores.ndim != 2 or len(scores) == 0:
        raise ValueError(f"probabilities must have shape (n, n_classes) with n ≥ 1, got {scores.shape}")
    if truth.shape != scores.shape[:1]:
        raise ValueError(f"targets must have shape ({len(scores)},) as probabilities have rows, got {truth.shape}")
    if n_classes is not None and n_classes != scores.shape[1]:
        raise ValueError(f"probabilities have {scores.shape[1]} columns, but n_classes is {n_classes}")
    if not np.issubdtype(truth.dtype, np.integer):
        raise ValueError(f"targets must be integers, got {truth.dtype}")
    if not np.isfinite(scores).all():
        row = int(np.argmin(np.isfinite(scores).all(axis=1)))
        raise ValueError(f"probabilities of row {row} are not finite: {scores[row]}; look at that clip's prediction")
    if truth.min() < 0 or truth.max() >= scores.shape[1]:
        raise ValueError(f"targets must lie in [0, {scores.shape[1]}), found {truth.min()} to {truth.max()}")
    return scores, truth.astype(np.int64)


def _rank_of_target(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Place of the true class among the scores, 0 for the first; of equal scores the lower class comes first."""
    own = scores[np.arange(len(scores)), truth][:, None]
    earlier = np.arange(scores.shape[1])[None, :] < truth[:, None]
    return ((scores > own) | ((scores == own) & earlier)).sum(axis=1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(float))


@dataclass(frozen=True)
class _Counts:
    """Weighted counts under each row of weights; classes last [shape=(n_draws, n_classes)]."""

    hits: np.ndarray
    predicted: np.ndarray
    clips: np.ndarray
    in_top: dict[int, np.ndarray]
    total: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        return _ratio(2 * self.hits, self.predicted + self.clips)

    @property
    def recall(self) -> np.ndarray:
        return _ratio(self.hits, self.clips)


def _counts(weights: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> _Counts:
    classes = np.arange(scores.shape[1])
    is_true = truth[:, None] == classes
    is_predicted = scores.argmax(axis=1)[:, None] == classes
    rank = _rank_of_target(scores, truth)[:, None]
    # one wide product is several times faster than one per count
    columns = np.concatenate([is_true & is_predicted, is_predicted, is_true, rank < np.array(TOP)], axis=1)
    sums = weights @ columns.astype(np.float64)
    hits, predicted, clips, in_top = np.split(sums, np.arange(1, 4) * len(classes), axis=1)
    return _Counts(hits, predicted, clips, dict(zip(TOP, in_top.T, strict=True)), weights.sum(axis=1))


def _checked_weights(weights: ArrayLike, n: int) -> np.ndarray:
    checked = np.asarray(weights, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != n:
        raise ValueError(f"weights must have shape (n_draws, {n}), got {checked.shape}")
    if not (checked >= 0).all():
        raise ValueError("weights must be numbers ≥ 0")
    return checked


def weighted_metrics(
    weights: ArrayLike,
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    n_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """The five metrics under each row of weights, equal to repeating each clip as often as its weight says.

    Parameters
    ----------
    weights : array [shape=(n_draws, n)], ≥ 0
        Weight of each clip in each draw, for example bootstrap counts.
    probabilities : array [shape=(n, n_classes)]
    targets : array of int [shape=(n,)], in [0, n_classes)
    n_classes : int or None
        Checked against the columns where given.
    class_names : sequence of str or None
        Adds ``f1/<class>`` and ``recall/<class>`` for each class.

    Returns
    -------
    dict
        ``macro_f1, accuracy, balanced_accuracy, top_2, top_3``, each [shape=(n_draws,)], in [0, 1]; NaN for a draw
        without any weight. F1 of a class is NaN where it has neither clip nor prediction, recall where it has no clip.

    Raises
    ------
    ValueError
        If shapes do not fit, a score is not finite, a target is no class or a weight is negative.
    """
    scores, truth = _checked(probabilities, targets, n_classes)
    if class_names is not None and len(class_names) != scores.shape[1]:
        raise ValueError(f"{len(class_names)} class names for {scores.shape[1]} columns of probabilities")
    counts = _counts(_checked_weights(weights, len(scores)), scores, truth)
    f1, recall = counts.f1, counts.recall
    metrics = {
        "macro_f1": _mean_of_known(f1),
        "accuracy": _ratio(counts.hits.sum(axis=1), counts.total),
        "balanced_accuracy": _mean_of_known(recall),
    }
    metrics |= {f"top_{k}": _ratio(hits, counts.total) for k, hits in counts.in_top.items()}
    names = list(enumerate(class_names or ()))
    metrics |= {f"f1/{name}": f1[:, index] for index, name in names}
    return metrics | {f"recall/{name}": recall[:, index] for index, name in names}


def classification_metrics(
    probabilities: ArrayLike, targets: ArrayLike, *, n_classes: int | None = None
) -> dict[str, float]:
    """Macro-F1, accuracy, balanced accuracy, top-2 and top-3 accuracy.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Scores; the highest wins.
    targets : array of int [shape=(n,)], in [0, n_classes)
    n_classes : int or None
        Checked against the columns where given.

    Returns
    -------
    dict
        ``macro_f1, accuracy, balanced_accuracy, top_2, top_3``, each in [0, 1].

    Raises
    ------
    ValueError
        If shapes do not fit, a score is not finite or a target is no class; the message names the first.

    Notes
    -----
    Equal to scikit-learn: classes with neither clip nor prediction are left out of macro-F1, classes without clip out
    of balanced accuracy. Among equal scores the lower class comes first, for top-k as for the prediction, so that
    top-1 is accuracy (scikit-learn's top-k prefers the higher class).
    """
    scores, truth = _checked(probabilities, targets, n_classes)
    values = weighted_metrics(np.ones((1, len(scores))), scores, truth)
    return {name: float(value[0]) for name, value in values.items()}


def per_class_f1(probabilities: ArrayLike, targets: ArrayLike, *, n_classes: int) -> np.ndarray:
    """F1 of every class.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Scores; the highest wins, of equal ones the lower class.
    targets : array of int [shape=(n,)], in [0, n_classes)
    n_classes : int ≥ 1
        Checked against the columns.

    Returns
    -------
    ndarray [shape=(n_classes,)], in [0, 1]
        NaN where a class has neither clip nor prediction.

    Raises
    ------
    ValueError
        As :func:`classification_metrics`.
    """
    scores, truth = _checked(probabilities, targets, n_classes)
    return _counts(np.ones((1, len(scores))), scores, truth).f1[0]


def per_class_recall(probabilities: ArrayLike, targets: ArrayLike, *, n_classes: int) -> np.ndarray:
    """Recall (class-wise accuracy) of every class.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Scores; the highest wins, of equal ones the lower class.
    targets : array of int [shape=(n,)], in [0, n_classes)
    n_classes : int ≥ 1
        Checked against the columns.

    Returns
    -------
    ndarray [shape=(n_classes,)], in [0, 1]
        NaN where a class has no clip.

    Raises
    ------
    ValueError
        As :func:`classification_metrics`.
    """
    scores, truth = _checked(probabilities, targets, n_classes)
    return _counts(np.ones((1, len(scores))), scores, truth).recall[0]


def confusion(probabilities: ArrayLike, targets: ArrayLike, *, n_classes: int) -> np.ndarray:
    """Count pairs of true and predicted class.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Scores; the highest wins, of equal ones the lower class.
    targets : array of int [shape=(n,)], in [0, n_classes)
    n_classes : int ≥ 1
        Checked against the columns.

    Returns
    -------
    ndarray of int [shape=(n_classes, n_classes)], ≥ 0
        Clips by true class (rows) and predicted class (columns).

    Raises
    ------
    ValueError
        As :func:`classification_metrics`.
    """
    scores, truth = _checked(probabilities, targets, n_classes)
    pairs = truth * n_classes + scores.argmax(axis=1)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
