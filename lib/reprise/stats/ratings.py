"""Ratings of a listening test: averaged with intervals, and tested."""

from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from reprise.stats.compare import bootstrap_weights, holm, interval
from reprise.stats.raters import COLUMNS, HIGHEST, REFERENCE, read_ratings, screen_raters

__all__ = [
    "COLUMNS",
    "REFERENCE",
    "friedman",
    "mean_ratings",
    "mos_of",
    "pairwise_wilcoxon",
    "rating_draws",
    "read_ratings",
    "screen_raters",
]

Unit = Literal["rater", "item"]

# differences of which all signs are tried
MOST_ENUMERATED = 13


def mos_of(rating: ArrayLike) -> np.ndarray:
    """Ratings from 0 to 100 on the scale of opinion scores, 1 to 5.

    Parameters
    ----------
    rating : array [shape=(...)], in [0, 100]

    Returns
    -------
    ndarray [shape=(...)], in [1, 5]

    Notes
    -----
    1 + rating / 25. Yu and Fazekas 2023 give such scores too; that theirs are linear is taken for granted.
    Notebook: 04_sawsing.ipynb.
    """
    return 1.0 + 4.0 * np.asarray(rating, dtype=np.float64) / HIGHEST


def _cube(ratings: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Ratings [raters, items, stimuli], NaN where there is none, repeated ones averaged; and the stimuli's names."""
    keys = ["rater", "item", "stimulus"]
    levels = [list(dict.fromkeys(ratings[key])) for key in keys]
    if not len(ratings):
        raise ValueError("there are no ratings; with screened raters, see which were excluded and why")
    mean = ratings.groupby(keys, sort=False)["rating"].mean()
    full = mean.reindex(pd.MultiIndex.from_product(levels, names=keys))
    return full.to_numpy().reshape([len(level) for level in levels]), levels[2]


def rating_draws(ratings: pd.DataFrame, *, rng: np.random.Generator, n_draws: int = 2000) -> dict[str, np.ndarray]:
    """Mean rating of every stimulus for other raters and other items.

    Parameters
    ----------
    ratings : DataFrame
        With ``rater, item, stimulus, rating``; not every rater needs to have rated everything.
    rng : Generator
    n_draws : int, ≥ 1

    Returns
    -------
    dict of str to ndarray [shape=(n_draws,)]
        Paired: in a draw all stimuli have the same raters and items. NaN where a draw has no rating of a stimulus.

    Raises
    ------
    ValueError
        If there are no ratings.

    Notes
    -----
    Raters and items are both drawn with replacement, independently (Owen 2007): intervals are rather too wide than too
    narrow. A single rater or item is not resampled.
    """
    cube, names = _cube(ratings)
    raters, items = (bootstrap_weights(size, n_draws=n_draws, rng=rng) for size in cube.shape[:2])
    found = {}
    for index, name in enumerate(names):
        known = np.isfinite(cube[..., index])
        total = ((raters @ np.where(known, cube[..., index], 0.0)) * items).sum(axis=1)
        weight = ((raters @ known.astype(float)) * items).sum(axis=1)
        found[name] = np.divide(total, weight, out=np.full(n_draws, np.nan), where=weight > 0)
    return found


def mean_ratings(ratings: pd.DataFrame, *, rng: np.random.Generator, n_draws: int = 2000) -> pd.DataFrame:
    """Mean of every stimulus with its 95 % interval.

    Parameters
    ----------
    ratings : DataFrame
        As for `rating_draws`.
    rng : Generator
    n_draws : int, ≥ 1

    Returns
    -------
    DataFrame
        One row per stimulus, the best first: ``stimulus, mean, low, high, median`` in [0, 100]; ``mos, mos_low,
        mos_high`` in [1, 5]; ``n_raters, n_items, n_ratings``.

    Raises
    ------
    ValueError
        If there are no ratings.
    """
    cube, names = _cube(ratings)
    draws = rating_draws(ratings, rng=rng, n_draws=n_draws)
    rows = []
    for index, name in enumerate(names):
        known = np.isfinite(cube[..., index])
        values = cube[..., index][known]
        low, high = interval(draws[name])
        row = {"stimulus": name, "mean": values.mean(), "low": low, "high": high, "median": np.median(values)}
        row |= dict(zip(("mos", "mos_low", "mos_high"), mos_of([values.mean(), low, high]).tolist(), strict=True))
        row |= {"n_raters": int(known.any(axis=1).sum()), "n_items": int(known.any(axis=0).sum())}
        rows.append(row | {"n_ratings": int((ratings["stimulus"] == name).sum())})
    return pd.DataFrame(rows).sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def _by_unit(ratings: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Mean rating of each stimulus (column) by each rater, or on each item (row)."""
    if unit not in ("rater", "item"):
        raise ValueError(f"unit = {unit!r}; choose 'rater' or 'item'")
    table = ratings.pivot_table(index=unit, columns="stimulus", values="rating", aggfunc="mean", sort=False)
    return table[list(dict.fromkeys(ratings["stimulus"]))]


def pairwise_wilcoxon(ratings: pd.DataFrame, *, unit: Unit = "rater") -> pd.DataFrame:
    """Signed-rank test of every pair of stimuli.

    Parameters
    ----------
    ratings : DataFrame
        As for `rating_draws`.
    unit : "rater" or "item"
        What is taken as independent. Of a rater (item) the mean over all items (raters) that both stimuli have in
        common is compared, since single ratings are not independent.

    Returns
    -------
    DataFrame
        One row per pair: ``a, b, difference`` (mean of a − b over units), ``n`` (units), ``statistic, p, p_holm``. p is
        1 where no unit tells the two apart, NaN without a common unit.

    Notes
    -----
    Wilcoxon 1945; corrected for the number of pairs (Holm 1979).
    """
    rows = []
    for a, b in combinations(dict.fromkeys(ratings["stimulus"]), 2):
        difference = _paired(ratings, a, b, unit=unit)
        row: dict[str, object] = {"a": a, "b": b, "difference": float("nan"), "n": len(difference)}
        row |= {"statistic": float("nan"), "p": float("nan")}
        if len(difference):
            row |= {"difference": float(difference.mean()), "statistic": 0.0, "p": 1.0}
        if difference.any():
            row |= dict(zip(("statistic", "p"), _signed_rank(difference), strict=True))
        rows.append(row)
    frame = pd.DataFrame(rows, columns=["a", "b", "difference", "n", "statistic", "p"])
    frame["p_holm"] = holm(frame["p"].to_numpy(dtype=float))
    return frame


def _signed_rank(difference: np.ndarray) -> tuple[float, float]:
    """Statistic and two-sided p; SciPy's, which takes up to a second for a few tied differences."""
    known = difference[difference != 0]
    if len(known) > MOST_ENUMERATED:
        test = stats.wilcoxon(known)
        return float(test.statistic), float(test.pvalue)
    ranks = stats.rankdata(np.abs(known))
    positive = float(ranks[known > 0].sum())
    signs = np.arange(2 ** len(known))[:, None] >> np.arange(len(known)) & 1
    sums = signs @ ranks
    tail = min((sums <= positive).mean(), (sums >= positive).mean())
    return min(positive, float(ranks.sum()) - positive), min(1.0, 2 * float(tail))


def _paired(ratings: pd.DataFrame, a: str, b: str, *, unit: Unit) -> np.ndarray:
    """Differences of two stimuli per unit, over the cells that both have."""
    chosen = ratings[ratings["stimulus"].isin((a, b))]
    cells = chosen.groupby(["rater", "item", "stimulus"], sort=False)["rating"].mean().unstack("stimulus").dropna()
    if cells.empty:
        return np.zeros(0)
    return (cells[a] - cells[b]).groupby(level=unit, sort=False).mean().to_numpy(dtype=float)


def friedman(ratings: pd.DataFrame, *, unit: Unit = "rater") -> dict[str, float]:
    """Whether any stimulus is rated differently from the others.

    Parameters
    ----------
    ratings : DataFrame
        As for `rating_draws`.
    unit : "rater" or "item"
        Block of the test, whose mean ratings are ranked. Those without a rating of every stimulus are left out.

    Returns
    -------
    dict of str to float
        ``statistic, p, df, n`` (blocks), ``n_stimuli`` and Kendall's ``w``, in [0, 1]: how alike the ranks are. NaN
        with fewer than three stimuli or two blocks, or where nobody tells any apart.

    Notes
    -----
    Friedman 1937, corrected for ties.
    """
    table = _by_unit(ratings, unit).dropna()
    n, k = table.shape
    found = {"statistic": float("nan"), "p": float("nan"), "df": float(k - 1), "n": float(n), "n_stimuli": float(k)}
    if n >= 2 and k >= 3 and (table.nunique(axis=1) > 1).any():
        test = stats.friedmanchisquare(*(table[name].to_numpy() for name in table.columns))
        found |= {"statistic": float(test.statistic), "p": float(test.pvalue)}
    return found | {"w": found["statistic"] / (n * (k - 1)) if n and k > 1 else float("nan")}
