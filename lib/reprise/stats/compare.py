"""Intervals and tests for comparing systems on the same clips or over seeds."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["bootstrap_weights", "holm", "interval", "mcnemar", "mean_interval", "permutation_test"]

# flips are drawn in blocks so that many pairs and many permutations fit in memory together
BLOCK_ELEMENTS = 4_000_000


def bootstrap_weights(n: int, *, n_draws: int, rng: np.random.Generator, groups: ArrayLike | None = None) -> np.ndarray:
    """How often each clip occurs in each bootstrap sample.

    Parameters
    ----------
    n : int ≥ 1
        Number of clips.
    n_draws : int ≥ 1
    rng : Generator
    groups : array [shape=(n,)] or None
        Label of each clip's group, for example its singer; whole groups are then drawn with replacement.

    Returns
    -------
    ndarray [shape=(n_draws, n)]
        Counts ≥ 0. Rows sum to ``n`` without groups; with groups, to the size of the groups drawn.

    Notes
    -----
    Efron and Tibshirani 1993, chapter 6; drawing groups keeps clips of one singer together, which are not independent.
    """
    if n < 1 or n_draws < 1:
        raise ValueError(f"n and n_draws must be at least 1, got {n} and {n_draws}")
    if groups is None:
        return rng.multinomial(n, np.full(n, 1.0 / n), size=n_draws).astype(np.float64)
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), got {labels.shape}")
    names, member = np.unique(labels, return_inverse=True)
    counts = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=n_draws)
    return counts[:, member].astype(np.float64)


def interval(draws: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of resampling draws.

    Parameters
    ----------
    draws : array [shape=(n_draws,)]
        NaN draws (a class missing from a sample) are left out.
    level : float in (0, 1)

    Returns
    -------
    tuple of float
        Low and high; NaN when fewer than two draws are numbers.
    """
    _check_level(level)
    values = np.asarray(draws, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and Student's t interval of independent repetitions.

    Parameters
    ----------
    values : array [shape=(n,)]
        One number per seed.
    level : float in (0, 1)

    Returns
    -------
    tuple of float
        Mean, low, high; low and high are NaN when ``n`` < 2.
    """
    _check_level(level)
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) == 0:
        raise ValueError(f"values must have shape (n,) with n ≥ 1, got {data.shape}")
    mean = float(data.mean())
    if len(data) < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf((1 + level) / 2, len(data) - 1) * data.std(ddof=1) / np.sqrt(len(data)))
    return mean, mean - half, mean + half


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> dict[str, float]:
    """Exact McNemar test of two systems on the same clips.

    Parameters
    ----------
    correct_a, correct_b : array of bool [shape=(n,)]
        Whether each system is right about each clip.

    Returns
    -------
    dict
        ``n_01`` (only b right), ``n_10`` (only a right), ``statistic`` (the smaller of the two) and the two-sided
        binomial ``p``, 1 when the systems never disagree.

    Notes
    -----
    McNemar 1947 with the exact binomial distribution, as ``statsmodels``' ``mcnemar(exact=True)``.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"both systems need one answer per clip, got shapes {a.shape} and {b.shape}")
    n_01, n_10 = int((~a & b).sum()), int((a & ~b).sum())
    smaller = min(n_01, n_10)
    p = min(1.0, 2.0 * float(stats.binom.cdf(smaller, n_01 + n_10, 0.5))) if n_01 + n_10 else 1.0
    return {"statistic": float(smaller), "p": p, "n_01": n_01, "n_10": n_10}


def _sign_blocks(n: int, *, n_permutations: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    block = max(1, BLOCK_ELEMENTS // n)
    for start in range(0, n_permutations, block):
        size = (min(block, n_permutations - start), n)
        yield rng.integers(0, 2, size=size, dtype=np.int8) * 2.0 - 1.0


def permutation_test(
    values_a: ArrayLike, values_b: ArrayLike, *, rng: np.random.Generator, n_permutations: int = 10_000
) -> float:
    """Two-sided paired permutation test of equal means by sign flips.

    Parameters
    ----------
    values_a, values_b : array [shape=(n,)]
        Paired: the same clip or seed at the same position.
    rng : Generator
        Used only when the flips are sampled.
    n_permutations : int ≥ 1

    Returns
    -------
    float
        p in (0, 1]. All ``2**n`` flips are enumerated when there are at most ``n_permutations``; otherwise sampled
        ones are counted together with the observed one, so that p is never 0.

    Notes
    -----
    Phipson and Smyth 2010 for the count of the observed flip.
    """
    a, b = np.asarray(values_a, dtype=np.float64), np.asarray(values_b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"values must be paired, got shapes {a.shape} and {b.shape}")
    difference = a - b
    # sums of the same numbers in another order differ by round-off; such ties must count as ties
    observed = abs(difference.sum()) - 1e-12 * np.abs(difference).sum()
    if len(a) <= np.log2(n_permutations):
        signs = np.array(list(product((-1.0, 1.0), repeat=len(a))))
        return float((np.abs(signs @ difference) >= observed).mean())
    blocks = _sign_blocks(len(a), n_permutations=n_permutations, rng=rng)
    extreme = sum(int((np.abs(signs @ difference) >= observed).sum()) for signs in blocks)
    return (1 + extreme) / (1 + n_permutations)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down adjustment of p values.

    Parameters
    ----------
    p_values : array [shape=(n,)], in [0, 1]
        NaN (a test that could not be made) stays NaN and is not counted.

    Returns
    -------
    ndarray [shape=(n,)], in [0, 1]
        Adjusted p values in the order given.

    Notes
    -----
    Holm 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values must have shape (n,), got {p.shape}")
    known = np.flatnonzero(~np.isnan(p))
    if np.any((p[known] < 0) | (p[known] > 1)):
        raise ValueError(f"p values must lie in [0, 1], got {p[known].min()} to {p[known].max()}")
    adjusted = np.full(p.shape, np.nan)
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}; 0.95 is usual")
