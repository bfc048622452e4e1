"""One-way analyses of variance of many columns at once, with effect sizes, rivals and checks of their assumptions."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import sparse, stats

from reprise.stats.compare import holm
from reprise.stats.tails import log10_f_survival

__all__ = ["games_howell", "normality", "one_way"]

COLUMNS = (
    *("F", "p", "log10_p", "df_between", "df_within", "eta_squared", "omega_squared"),
    *("welch_F", "welch_p", "kruskal_H", "kruskal_p", "levene_p"),
)
CHUNK = 2**24  # values held in memory at a time
SHAPIRO_LIMITS = (3, 5000)  # number of values for which the p-value's approximation was made
DAGOSTINO_MINIMUM = 20


def _listed(value: str | Sequence[str]) -> list[str]:
    names = [value] if isinstance(value, str) else list(value)
    if not names:
        raise ValueError("value names no column")
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"value names {', '.join(twice)} more than once")
    return names


def _groups(frame: pd.DataFrame, names: list[str], group: str) -> tuple[np.ndarray, list]:
    """Code of each row's group and the groups' labels, sorted."""
    missing = [name for name in [*names, group] if name not in frame.columns]
    if missing:
        raise ValueError(f"the frame has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
    for name in names:
        dtype = frame[name].dtype
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
            raise ValueError(f"column {name!r} is not numeric ({dtype}); convert it with pandas.to_numeric")
        if pd.api.types.is_complex_dtype(dtype):
            raise ValueError(f"column {name!r} is complex; take its magnitude or one of its parts")
    labels = frame[group]
    if labels.isna().any():
        row = frame.index[int(labels.isna().to_numpy().argmax())]
        raise ValueError(f"column {group!r} names no group in row {row!r}; drop the row or name its group")
    codes, uniques = pd.factorize(labels, sort=True)
    if len(uniques) < 2:
        raise ValueError(f"column {group!r} has {len(uniques)} group(s); an analysis of variance needs at least two")
    counts = np.bincount(codes, minlength=len(uniques))
    if counts.min() < 2:
        single = uniques[int(counts.argmin())]
        raise ValueError(
            f"group {single!r} of column {group!r} has one row: its variance is unknown; add runs or drop the group"
        )
    return codes, list(uniques)


def _chunks(frame: pd.DataFrame, names: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Columns as float64 arrays [shape=(n, some)], checked, a few at a time."""
    width = max(1, CHUNK // max(1, len(frame)))
    for start in range(0, len(names), width):
        some = names[start : start + width]
        values = frame[some].to_numpy(dtype=np.float64, na_value=np.nan)
        finite = np.isfinite(values)
        if not finite.all():
            column = int(np.argmin(finite.all(axis=0)))
            row = frame.index[int(np.argmin(finite[:, column]))]
            n_bad = int((~finite[:, column]).sum())
            raise ValueError(
                f"column {some[column]!r} has {n_bad} missing or infinite value(s), the first in row {row!r}; "
                "drop those rows or find out why the run left none"
            )
        yield some, values


def _between_within(values: np.ndarray, member: sparse.csr_array, codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Group means and variances and the sums of squares between and within groups, per column."""
    counts = np.asarray(member.sum(axis=1), dtype=np.float64).reshape(-1, 1)
    grand = values.mean(axis=0)
    centred = values - grand
    means = (member @ centred) / counts
    centred -= means[codes]
    squares = member @ np.square(centred)
    between = (counts * np.square(means)).sum(axis=0)
    return means + grand, squares / (counts - 1), between, squares.sum(axis=0)


def _welch(means: np.ndarray, variances: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F and p of Welch's test; NaN where a group does not vary."""
    k = len(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = counts[:, None] / variances
        total = weights.sum(axis=0)
        grand = (weights * means).sum(axis=0) / total
        spread = (np.square(1 - weights / total) / (counts[:, None] - 1)).sum(axis=0)
        numerator = (weights * np.square(means - grand)).sum(axis=0) / (k - 1)
        f = numerator / (1 + 2 * (k - 2) / (k**2 - 1) * spread)
        p = stats.f.sf(f, k - 1, (k**2 - 1) / (3 * spread))
    known = (variances > 0).all(axis=0)
    return np.where(known, f, np.nan), np.where(known, p, np.nan)


def _kruskal(values: np.ndarray, member: sparse.csr_array, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(values)
    ranks = stats.rankdata(values, axis=0)
    sums = member @ ranks
    h = 12.0 / (n * (n + 1)) * (np.square(sums) / counts[:, None]).sum(axis=0) - 3 * (n + 1)
    # sum of squared ranks falls short of its value without ties by the tie correction
    full, mean = n * (n + 1) * (2 * n + 1) / 6, (n + 1) / 2
    correction = (np.square(ranks).sum(axis=0) - n * mean**2) / (full - n * mean**2)
    h = h / correction
    return h, stats.chi2.sf(h, len(counts) - 1)


def _levene(values: np.ndarray, member: sparse.csr_array, codes: np.ndarray) -> np.ndarray:
    k, n = member.shape
    deviations = np.empty_like(values)
    for code in range(k):
        rows = np.flatnonzero(codes == code)
        deviations[rows] = np.abs(values[rows] - np.median(values[rows], axis=0))
    _, _, between, within = _between_within(deviations, member, codes)
    with np.errstate(divide="ignore", invalid="ignore"):
        f = (between / (k - 1)) / (within / (n - k))
    return stats.f.sf(f, k - 1, n - k)


def one_way(frame: pd.DataFrame, *, value: str | Sequence[str], group: str) -> pd.DataFrame:
    r"""One-way analysis of variance of each column.

    Parameters
    ----------
    frame : DataFrame
        One row per observation.
    value : str or sequence of str
        Numeric columns to analyse.
    group : str
        Column of groups, each with at least two rows.

    Returns
    -------
    DataFrame [one row per column of ``value``, in that order; its index holds their names]
        ``F, p, log10_p`` (finite where ``p`` underflows to 0), ``df_between, df_within``, ``eta_squared,
        omega_squared``, ``welch_F, welch_p`` (unequal variances; NaN where a group does not vary), ``kruskal_H,
        kruskal_p`` (ranks, corrected for ties), ``levene_p`` (equality of variances, around the median), ``p_holm``
        (``p`` adjusted over the rows).

    Raises
    ------
    ValueError
        If a column is missing, not numeric, holds missing values or does not vary within any group, or if a group
        has a single row; the message names column, group or row.

    Notes
    -----
    Equal to ``scipy.stats.f_oneway``, ``kruskal`` and ``levene``, and to ``f_oneway(equal_var=False)``.
    :math:`\eta^2 = SS_b / SS_t`,
    :math:`\omega^2 = \mathrm{df_b} (F - 1) / (\mathrm{df_b} (F - 1) + n)`.
    Paper: Ferković and Smoljan 2023, section 2.5. Notebook: 05_irmas.ipynb.
    """
    names = _listed(value)
    codes, labels = _groups(frame, names, group)
    k, n = len(labels), len(frame)
    member = sparse.csr_array((np.ones(n), (codes, np.arange(n))), shape=(k, n))
    counts = np.bincount(codes, minlength=k).astype(np.float64)
    rows = []
    for some, values in _chunks(frame, names):
        means, variances, between, within = _between_within(values, member, codes)
        constant = (values == values[0]).all(axis=0) | (np.ptp(values, axis=0) ** 2 * n * 1e-30 >= within)
        if constant.any():
            name = some[int(constant.argmax())]
            raise ValueError(f"column {name!r} has zero variance within every group: F is undefined; leave it out")
        f = (between / (k - 1)) / (within / (n - k))
        effect = (k - 1) * (f - 1)
        rows.append(
            np.stack(
                [
                    f,
                    stats.f.sf(f, k - 1, n - k),
                    log10_f_survival(f, df_between=k - 1, df_within=n - k),
                    np.full_like(f, k - 1),
                    np.full_like(f, n - k),
                    between / (between + within),
                    effect / (effect + n),
                    *_welch(means, variances, counts),
                    *_kruskal(values, member, counts),
                    _levene(values, member, codes),
                ],
                axis=1,
            )
        )
    table = pd.DataFrame(np.concatenate(rows), columns=list(COLUMNS), index=pd.Index(names, name="value"))
    table["p_holm"] = holm(table["p"].to_numpy())
    return table.astype({"df_between": int, "df_within": int})


def games_howell(frame: pd.DataFrame, *, value: str, group: str, level: float | None = 0.95) -> pd.DataFrame:
    """Which pairs of groups differ in the mean, without assuming equal variances.

    Parameters
    ----------
    frame : DataFrame
    value, group : str
        As in `one_way`, one column.
    level : float in (0, 1), or None
        Of the simultaneous intervals; None leaves them out, and with them most of the time.

    Returns
    -------
    DataFrame [one row per pair]
        ``group_a, group_b, difference`` (mean of a minus mean of b), ``low, high`` (unless ``level`` is None), ``p``.

    Raises
    ------
    ValueError
        As `one_way`, and if a group does not vary.

    Notes
    -----
    ``scipy.stats.tukey_hsd(..., equal_var=False)``.
    """
    codes, labels = _groups(frame, [value], group)
    ((_, values),) = _chunks(frame, [value])
    samples = [values[codes == code, 0] for code in range(len(labels))]
    for label, sample in zip(labels, samples, strict=True):
        if np.ptp(sample) == 0:
            raise ValueError(f"group {label!r} does not vary in column {value!r}: Games-Howell is undefined")
    result = stats.tukey_hsd(*samples, equal_var=False)
    pairs = list(itertools.combinations(range(len(labels)), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    found = {
        "group_a": [labels[a] for a in first],
        "group_b": [labels[b] for b in second],
        "difference": result.statistic[first, second],
    }
    if level is not None:
        interval = result.confidence_interval(level)
        found |= {"low": interval.low[first, second], "high": interval.high[first, second]}
    return pd.DataFrame(found | {"p": result.pvalue[first, second]})


def normality(frame: pd.DataFrame, *, value: str | Sequence[str], group: str) -> pd.DataFrame:
    """How far each group of each column is from a normal distribution.

    Parameters
    ----------
    frame : DataFrame
    value : str or sequence of str
    group : str
        As in `one_way`.

    Returns
    -------
    DataFrame [one row per column and group]
        ``value, group, n, mean, std, skew, kurtosis`` (excess; 0 for a normal distribution), ``shapiro_W, shapiro_p``
        (NaN outside 3 to 5000 rows, where the p-value is not valid), ``dagostino_K2, dagostino_p`` (NaN below 20
        rows). All NaN but mean and std where a group does not vary.

    Raises
    ------
    ValueError
        As `one_way`.
    """
    names = _listed(value)
    codes, labels = _groups(frame, names, group)
    parts = [
        _shapes_of(values[codes == code]).assign(value=some, group=label)
        for some, values in _chunks(frame, names)
        for code, label in enumerate(labels)
    ]
    found = pd.concat(parts)
    order = pd.Index(names).get_indexer(pd.Index(found["value"]))
    first = ["value", "group"]
    rows = found.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    return rows[first + [name for name in rows.columns if name not in first]]


def _shapes_of(samples: np.ndarray) -> pd.DataFrame:
    """Moments and tests of each column of one group [shape=(n_rows, n_columns)]."""
    n = len(samples)
    varies = np.ptp(samples, axis=0) > 0
    found = pd.DataFrame({"n": n, "mean": samples.mean(axis=0), "std": samples.std(axis=0, ddof=1)})
    tested = samples[:, varies]
    none = np.full((2, tested.shape[1]), np.nan)
    # one call for all columns where scipy has one; Shapiro and Wilk's W it computes sample by sample
    skew, kurtosis = (function(tested, axis=0) for function in (stats.skew, stats.kurtosis))
    shapiro, dagostino = none, none
    if SHAPIRO_LIMITS[0] <= n <= SHAPIRO_LIMITS[1] and tested.size:
        shapiro = np.array([stats.shapiro(sample) for sample in tested.T]).T
    if n >= DAGOSTINO_MINIMUM and tested.size:
        dagostino = np.array(stats.normaltest(tested, axis=0))
    columns = {"skew": skew, "kurtosis": kurtosis, "shapiro_W": shapiro[0], "shapiro_p": shapiro[1]}
    for name, values in (columns | {"dagostino_K2": dagostino[0], "dagostino_p": dagostino[1]}).items():
        found[name] = np.nan
        found.loc[varies, name] = values
    return found
