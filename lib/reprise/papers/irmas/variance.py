"""Analysis of variance of the 174 time means: tables, verdicts, sensitivity and the quantities behind claims."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from reprise.papers.irmas.features import COLUMNS, feature_of
from reprise.stats.anova import normality, one_way

__all__ = ["anova_table", "comparable", "exact_quantities", "normality_summary", "recording_means", "sensitivity"]

GROUP = "instrument"
_LEAST_CLIPS = 2


def _features(frame: pd.DataFrame) -> list[str]:
    return [column for column in COLUMNS if column in frame.columns]


def comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of instruments with at least two rows: one alone has no variance."""
    counts = frame[GROUP].map(frame[GROUP].value_counts())
    return frame[counts >= _LEAST_CLIPS]


def _varying(frame: pd.DataFrame, columns: list[str]) -> list[str]:
    """Columns that vary within at least one group: F is undefined for the others."""
    values = frame[columns]
    within = (values - values.groupby(frame[GROUP]).transform("mean")).abs().max()
    scale = values.abs().max()
    return [column for column in columns if within[column] > 1e-12 * scale[column]]


def anova_table(frame: pd.DataFrame, *, alpha: float = 0.001) -> pd.DataFrame:
    """One-way analysis of variance of every feature dimension between the instruments.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`; instruments with a single row are left out.
    alpha : float, in (0, 1)
        Level of the verdicts.

    Returns
    -------
    DataFrame [one row per dimension, indexed by its column's name]
        ``feature``, the columns of :func:`reprise.stats.anova.one_way` (with ``F_critical`` behind ``F``), and the
        verdicts ``passes`` (p < alpha), ``passes_holm`` (after Holm's correction over all rows), ``passes_welch``
        (unequal variances allowed) and ``passes_kruskal`` (ranks). A dimension that does not vary has NaN and passes
        nothing. ``attrs``: ``alpha``, ``left_out`` (instruments).

    Raises
    ------
    ValueError
        If fewer than two instruments have two rows.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 2.5. Notebook: 05_irmas.ipynb.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    used, columns = comparable(frame), _features(frame)
    if used[GROUP].nunique() < 2:
        raise ValueError(
            f"{used[GROUP].nunique()} instrument(s) have two clips or more; an analysis of variance needs two of them"
        )
    table = one_way(used, value=_varying(used, columns), group=GROUP).reindex(pd.Index(columns, name="value"))
    table[["df_between", "df_within"]] = (used[GROUP].nunique() - 1, len(used) - used[GROUP].nunique())
    table.insert(0, "feature", [feature_of(column) for column in columns])
    critical = stats.f.isf(alpha, table["df_between"], table["df_within"])
    table.insert(2, "F_critical", critical)
    for verdict, p in (("", "p"), ("_holm", "p_holm"), ("_welch", "welch_p"), ("_kruskal", "kruskal_p")):
        table[f"passes{verdict}"] = table[p] < alpha
    table.attrs = {"alpha": alpha, "left_out": sorted(set(frame[GROUP]) - set(used[GROUP]))}
    return table


def normality_summary(frame: pd.DataFrame, *, alpha: float = 0.001) -> pd.DataFrame:
    """How often the normal distribution that the paper takes for granted is refused.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`.
    alpha : float, in (0, 1)

    Returns
    -------
    DataFrame [one row per feature]
        ``groups`` (instrument and dimension), ``shapiro_refused`` and ``dagostino_refused`` (shares of the groups where
        the test applies), ``median_skew`` (of the absolute value) and ``median_kurtosis`` (excess).
    """
    used = comparable(frame)
    checks = normality(used, value=_varying(used, _features(used)), group=GROUP)
    checks["feature"] = checks["value"].map(feature_of)
    for name in ("shapiro", "dagostino"):
        p = checks[f"{name}_p"]
        checks[name] = (p < alpha).astype(float).where(p.notna())
    checks["skew"] = checks["skew"].abs()
    grouped = checks.groupby("feature", sort=False)
    return pd.DataFrame(
        {
            "groups": grouped.size(),
            "shapiro_refused": grouped["shapiro"].mean(),
            "dagostino_refused": grouped["dagostino"].mean(),
            "median_skew": grouped["skew"].median(),
            "median_kurtosis": grouped["kurtosis"].median(),
        }
    )


def recording_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Average the clips of each recording, so that rows no longer depend on one another.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`.

    Returns
    -------
    DataFrame [one row per instrument and recording]
        The same features, ``instrument``, ``group`` and ``clips`` (how many were averaged).
    """
    grouped = frame.groupby([GROUP, "group"], sort=True)
    means = grouped[_features(frame)].mean()
    return means.assign(clips=grouped.size()).reset_index()


def sensitivity(
    frame: pd.DataFrame, *, contradictory: Iterable[str] = (), alpha: float = 0.001
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """How many dimensions pass under other assumptions than the paper's.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`.
    contradictory : iterable of str
        ``clip_id`` of clips that exist twice with different labels.
    alpha : float, in (0, 1)

    Returns
    -------
    summary : DataFrame [one row per analysis]
        ``rows`` (clips or recordings used), ``passing`` and ``passing_holm`` of ``dimensions``, ``tonnetz`` and
        ``tonnetz_holm`` of 6.
        Holm's correction is left empty for the tests that :func:`anova_table` does not correct.
    tables : dict
        Analysis → its table: ``clips``, ``recordings`` and, where there are such clips, ``without contradictory``.
    """
    tables = {"clips": anova_table(frame, alpha=alpha)}
    twice = frame["clip_id"].isin(set(contradictory))
    if twice.any():
        tables["without contradictory"] = anova_table(frame[~twice], alpha=alpha)
    means = recording_means(frame)
    if (means[GROUP].value_counts() >= _LEAST_CLIPS).sum() >= 2:
        tables["recordings"] = anova_table(means, alpha=alpha)
    rows = {name: _passing(table, "passes", "passes_holm") for name, table in tables.items()}
    for name, verdict in (("clips, Welch", "passes_welch"), ("clips, Kruskal-Wallis", "passes_kruskal")):
        rows[name] = _passing(tables["clips"], verdict)
    order = ["rows", "dimensions", "passing", "passing_holm", "tonnetz", "tonnetz_holm"]
    summary = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=order).astype("Int64")
    return summary.rename_axis("analysis"), tables


def _passing(table: pd.DataFrame, verdict: str, corrected: str | None = None) -> dict[str, int]:
    tonnetz = table["feature"] == "tonnetz"
    counts = {
        "rows": int(table["df_between"].iloc[0] + table["df_within"].iloc[0] + 1),
        "dimensions": len(table),
        "passing": int(table[verdict].sum()),
        "tonnetz": int(table.loc[tonnetz, verdict].sum()),
    }
    if corrected is not None:
        counts["passing_holm"] = int(table[corrected].sum())
        counts["tonnetz_holm"] = int(table.loc[tonnetz, corrected].sum())
    return counts


def exact_quantities(
    frame: pd.DataFrame, *, contradictory: Iterable[str] = (), alpha: float = 0.001
) -> dict[str, float]:
    """Everything about the analysis that a claim may ask for.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`.
    contradictory : iterable of str
        As in :func:`sensitivity`.
    alpha : float, in (0, 1)

    Returns
    -------
    dict of str to float
        ``anova/n_tests, n_clips, n_recordings``; ``anova/n_passing, n_passing_holm, n_passing_welch,
        n_passing_kruskal`` and the same with ``tonnetz_`` and ``others_`` for ``n_``; ``anova/levene_refused`` and
        ``anova/normality_refused`` (shares); ``anova/recordings_passing, recordings_tonnetz_passing``; for each feature
        ``anova/min_log10_p/…, max_log10_p/…, min_eta_squared/…, max_eta_squared/…, passing/…`` (share); for each
        dimension ``anova/F/…, log10_p/…, eta_squared/…, omega_squared/…``.
    """
    _, tables = sensitivity(frame, contradictory=contradictory, alpha=alpha)
    table = tables["clips"]
    tonnetz = table["feature"] == "tonnetz"
    found: dict[str, float] = {
        "n_tests": len(table),
        "n_clips": len(frame),
        "n_recordings": frame.groupby([GROUP, "group"]).ngroups,
        "levene_refused": float((table["levene_p"] < alpha).mean()),
        "max_log10_p_others": float(table.loc[~tonnetz, "log10_p"].max()),
    }
    for verdict in ("passes", "passes_holm", "passes_welch", "passes_kruskal"):
        ending = verdict.removeprefix("passes")
        parts = {"n": table, "tonnetz": table[tonnetz], "others": table[~tonnetz]}
        found |= {f"{part}_passing{ending}": float(rows[verdict].sum()) for part, rows in parts.items()}
    checks = normality_summary(frame, alpha=alpha)
    known = checks["shapiro_refused"].notna()
    if known.any():
        refused = np.average(checks.loc[known, "shapiro_refused"], weights=checks.loc[known, "groups"])
        found["normality_refused"] = float(refused)
    for name, key in (("recordings", "recordings"), ("without contradictory", "without_contradictory")):
        if name in tables:
            other = tables[name]
            found[f"{key}_passing"] = float(other["passes"].sum())
            found[f"{key}_tonnetz_passing"] = float(other.loc[tonnetz, "passes"].sum())
    for feature, rows in table.groupby("feature", sort=False):
        for name in ("log10_p", "eta_squared"):
            found |= {f"min_{name}/{feature}": rows[name].min(), f"max_{name}/{feature}": rows[name].max()}
        found[f"passing/{feature}"] = rows["passes"].mean()
    for name in ("F", "log10_p", "eta_squared", "omega_squared"):
        found |= {f"{name}/{column}": value for column, value in table[name].items()}
    return {f"anova/{name}": float(value) for name, value in found.items()}
