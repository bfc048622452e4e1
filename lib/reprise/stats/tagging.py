"""Scores of tagging, key finding and emotion: rankings per tag, MIREX's key score and R², also under weights."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

__all__ = ["KEYS", "key_points", "r_squared", "tag_scores", "weighted_key_score", "weighted_r_squared", "weighted_tags"]

TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# order of the 24 classes: majors, then minors
KEYS = (*(f"{tonic} major" for tonic in TONICS), *(f"{tonic} minor" for tonic in TONICS))
# draws are worked through in blocks, as a block of this many numbers per tag is held several times
BLOCK_ELEMENTS = 4_000_000


def _checked_weights(weights: ArrayLike, n: int) -> np.ndarray:
    checked = np.asarray(weights, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != n:
        raise ValueError(f"weights must have shape (n_draws, {n}), got {checked.shape}")
    if not (checked >= 0).all():
        raise ValueError("weights must be numbers ≥ 0")
    return checked


def _checked_tags(scores: ArrayLike, targets: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(targets)
    if values.ndim != 2 or 0 in values.shape or truth.shape != values.shape:
        raise ValueError(
            f"scores and targets must both have shape (n, n_tags) with n ≥ 1, got {values.shape} and {truth.shape}"
        )
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise ValueError(f"scores of row {row} are not finite: {values[row]}; look at that clip's prediction")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError(f"targets must be 0 or 1 for each tag, found {np.unique(truth)[:5]}")
    return values, truth.astype(bool)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(float))


def _one_tag(columns: np.ndarray, score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUC and average precision under each column of weights; clips of equal score come in together."""
    if not truth.any():
        return np.full(columns.shape[1], np.nan), np.full(columns.shape[1], np.nan)
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(score[order]) != 0))
    positives = np.add.reduceat(truth[order].astype(np.int64), starts)
    # only places with a positive clip count, so the many clips between two of them are added up at once
    places = positives > 0
    bounds = np.stack([starts, np.append(starts[1:], len(order))], axis=1)[places]
    sums = _sums(columns, order, np.concatenate([[0], bounds.ravel(), [len(order)]]))
    gained = _sums(columns, order[truth[order]], np.append(0, np.cumsum(positives[places])))
    hits, above = np.cumsum(gained, axis=0), np.cumsum(sums, axis=0)
    total, above, tied = above[-1], above[1::2], sums[1::2] - gained
    misses = total - hits[-1]
    # what rounding leaves of nothing is nothing
    misses[misses < 1e-12 * total] = 0.0
    won = (gained * (misses - (above - hits) + 0.5 * tied)).sum(axis=0)
    precision = np.divide(hits, above, out=np.zeros_like(hits), where=above > 0)
    return _ratio(won, hits[-1] * misses), _ratio((gained * precision).sum(axis=0), hits[-1])


def _sums(columns: np.ndarray, order: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Sums of the rows of each stretch of an order [shape=(n_stretches, n_draws)], without sorting the rows."""
    stretches = csr_array((np.ones(len(order)), order, bounds), shape=(len(bounds) - 1, len(columns)))
    return stretches @ columns


def weighted_tags(
    weights: ArrayLike, scores: ArrayLike, targets: ArrayLike, *, tags: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """ROC-AUC and average precision under each row of weights, equal to repeating each clip as its weight says.

    Parameters
    ----------
    weights : array [shape=(n_draws, n)], ≥ 0
        Weight of each clip in each draw, for example bootstrap counts.
    scores : array [shape=(n, n_tags)]
    targets : array [shape=(n, n_tags)], 0 or 1
        Rows without any tag count as negatives of all of them.
    tags : sequence of str or None
        Adds ``auc/<tag>`` and ``average_precision/<tag>`` for each tag.

    Returns
    -------
    dict
        ``auc`` and ``average_precision``, means over the tags that have them, each [shape=(n_draws,)], in [0, 1].

    Raises
    ------
    ValueError
        If shapes do not fit, a score is not finite, a target is neither 0 nor 1 or a weight is negative.

    Notes
    -----
    A tag without weight on a positive clip has neither number, one without weight on a negative clip has no AUC: they
    are NaN and left out of the means, which are NaN where no tag is left. Equal to scikit-learn's ``roc_auc_score`` and
    ``average_precision_score`` for the rest. One sort per tag, so that a thousand draws of MagnaTagATune's test clips
    take about a second; :func:`reprise.stats.multilabel.weighted_multilabel` compares all pairs, for small sets.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.2. Notebook: 03_tune.ipynb.
    """
    values, truth = _checked_tags(scores, targets)
    checked = _checked_weights(weights, len(values))
    if tags is not None and len(tags) != values.shape[1]:
        raise ValueError(f"{len(tags)} names of tags for {values.shape[1]} columns of scores")
    auc, precision = np.empty((2, len(checked), values.shape[1]))
    step = max(1, BLOCK_ELEMENTS // len(values))
    for start in range(0, len(checked), step):
        draws = slice(start, start + step)
        # one row per clip, so that whole rows are added
        columns = np.ascontiguousarray(checked[draws].T)
        for index in range(values.shape[1]):
            auc[draws, index], precision[draws, index] = _one_tag(columns, values[:, index], truth[:, index])
    found = {"auc": _mean_of_known(auc), "average_precision": _mean_of_known(precision)}
    for index, tag in enumerate(tags or ()):
        found |= {f"auc/{tag}": auc[:, index], f"average_precision/{tag}": precision[:, index]}
    return found


def tag_scores(scores: ArrayLike, targets: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC and average precision of every tag.

    Parameters
    ----------
    scores : array [shape=(n, n_tags)]
    targets : array [shape=(n, n_tags)], 0 or 1

    Returns
    -------
    auc, average_precision : ndarray [shape=(n_tags,)], in [0, 1]
        NaN as in :func:`weighted_tags`.

    Raises
    ------
    ValueError
        As :func:`weighted_tags`.
    """
    values, truth = _checked_tags(scores, targets)
    once = np.ones((len(values), 1))
    pairs = [_one_tag(once, values[:, index], truth[:, index]) for index in range(values.shape[1])]
    return np.array([auc[0] for auc, _ in pairs]), np.array([precision[0] for _, precision in pairs])


def key_points(predicted: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """MIREX's points of each answer to "which key?".

    Parameters
    ----------
    predicted, truth : array of int [shape=(n,)], 0 to 23
        Positions in ``KEYS``.

    Returns
    -------
    ndarray [shape=(n,)]
        1 for the key; 0.5 for one of the same mode a perfect fifth above it; 0.3 for the relative major or minor; 0.2
        for the other mode on the same tonic; 0 otherwise.

    Raises
    ------
    ValueError
        If shapes differ or a key lies outside of 0 to 23.

    Notes
    -----
    As ``mir_eval.key.weighted_score``, which the published evaluation uses: a fifth below gets nothing.
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, Table S2. Notebook: 03_tune.ipynb.
    """
    answer, key = np.asarray(predicted), np.asarray(truth)
    if answer.shape != key.shape or answer.ndim != 1:
        raise ValueError(f"predicted and true keys need one shape (n,), got {answer.shape} and {key.shape}")
    for name, values in (("predicted", answer), ("true", key)):
        if values.size and (not np.issubdtype(values.dtype, np.integer) or values.min() < 0 or values.max() > 23):
            raise ValueError(f"{name} keys must be integers from 0 (C major) to 23 (B minor), got {np.unique(values)}")
    same_mode = answer // 12 == key // 12
    interval = (answer % 12 - key % 12) % 12
    # the relative minor lies three semitones below its major, the relative major three above its minor
    relative = np.where(key < 12, 9, 3)
    points = np.where(same_mode, np.select([interval == 0, interval == 7], [1.0, 0.5], 0.0), 0.0)
    return np.where(same_mode, points, np.select([interval == relative, interval == 0], [0.3, 0.2], 0.0))


def weighted_key_score(weights: ArrayLike, predicted: ArrayLike, truth: ArrayLike) -> dict[str, np.ndarray]:
    """Mean of MIREX's points, and the share of right keys, under each row of weights.

    Parameters
    ----------
    weights : array [shape=(n_draws, n)], ≥ 0
    predicted, truth : array of int [shape=(n,)], 0 to 23
        One answer per song; see :func:`key_points`.

    Returns
    -------
    dict
        ``key_score`` and ``key_accuracy``, each [shape=(n_draws,)], in [0, 1]; NaN for a draw without weight.

    Raises
    ------
    ValueError
        As :func:`key_points`, or if the weights do not fit.
    """
    points = key_points(predicted, truth)
    checked = _checked_weights(weights, len(points))
    total = checked.sum(axis=1)
    right = (points == 1).astype(np.float64)
    return {"key_score": _ratio(checked @ points, total), "key_accuracy": _ratio(checked @ right, total)}


def _varies(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Whether the values with weight differ [shape=(n_draws, n_dimensions)]."""
    present = weights > 0
    # a draw's first value with weight, then any other one that is not equal to it
    first = values[present.argmax(axis=1)]
    columns = zip(values.T, first.T, strict=True)
    return np.stack([(present & (column != start[:, None])).any(axis=1) for column, start in columns], axis=1)


def weighted_r_squared(
    weights: ArrayLike, predictions: ArrayLike, targets: ArrayLike, *, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    r"""Coefficient of determination of each dimension under each row of weights.

    Parameters
    ----------
    weights : array [shape=(n_draws, n)], ≥ 0
    predictions, targets : array [shape=(n, n_dimensions)]
        For example arousal and valence.
    names : sequence of str or None
        Adds ``r2/<name>`` for each dimension.

    Returns
    -------
    dict
        ``r2``, the mean over the dimensions that have it, [shape=(n_draws,)], at most 1 and without a lower end.

    Raises
    ------
    ValueError
        If shapes do not fit or a number is not finite.

    Notes
    -----
    :math:`1 - \sum w (y - \hat y)^2 / \sum w (y - \bar y)^2` with the weighted mean :math:`\bar y`, as scikit-learn's
    ``r2_score``; NaN where the targets of a draw do not vary.
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, Table S2. Notebook: 03_tune.ipynb.
    """
    guess, truth = np.asarray(predictions, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if truth.ndim != 2 or 0 in truth.shape or guess.shape != truth.shape:
        raise ValueError(
            f"predictions and targets must both have shape (n, n_dimensions), got {guess.shape} and {truth.shape}"
        )
    if not (np.isfinite(guess).all() and np.isfinite(truth).all()):
        raise ValueError("predictions and targets must be finite; look at the clips without annotation")
    if names is not None and len(names) != truth.shape[1]:
        raise ValueError(f"{len(names)} names for {truth.shape[1]} dimensions")
    checked = _checked_weights(weights, len(truth))
    # around the mean of all clips first, so that far-off values lose no digits
    centred = truth - truth.mean(axis=0)
    total = checked.sum(axis=1)[:, None]
    spread = checked @ centred**2 - (checked @ centred) ** 2 / np.where(total > 0, total, 1.0)
    varies = _varies(checked, truth)
    share = np.divide(checked @ (truth - guess) ** 2, spread, out=np.full(spread.shape, np.nan), where=varies)
    found = {"r2": _mean_of_known(1 - share)}
    return found | {f"r2/{name}": 1 - share[:, index] for index, name in enumerate(names or ())}


def r_squared(predictions: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Coefficient of determination of each dimension.

    Parameters
    ----------
    predictions, targets : array [shape=(n, n_dimensions)]

    Returns
    -------
    ndarray [shape=(n_dimensions,)], at most 1
        NaN where the targets do not vary.

    Raises
    ------
    ValueError
        As :func:`weighted_r_squared`.
    """
    n, n_dimensions = np.shape(targets) if np.ndim(targets) == 2 else (1, 0)
    names = [str(index) for index in range(n_dimensions)]
    found = weighted_r_squared(np.ones((1, n)), predictions, targets, names=names)
    return np.array([found[f"r2/{name}"][0] for name in names])
