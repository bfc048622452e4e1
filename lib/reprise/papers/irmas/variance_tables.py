"""Tables of the analysis of variance as the paper has them, with its statistics beside ours."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from reprise.papers.irmas.variance import GROUP, comparable
from reprise.stats.anova import games_howell
from reprise.stats.compare import holm
from reprise.stats.tails import log10_f_survival

__all__ = ["PAPER_DF", "TONNETZ", "compared_with", "feature_summary", "pair_effects", "tonnetz_table"]

# 11 instruments and 6,705 clips
PAPER_DF = (10, 6694)
# librosa's coordinates: circles of fifths, minor thirds and major thirds
TONNETZ = ("5x", "5y", "m3x", "m3y", "M3x", "M3y")


def compared_with(table: pd.DataFrame, published: Mapping[str, float], *, alpha: float = 0.001) -> pd.DataFrame:
    r"""A table of :func:`~reprise.papers.irmas.variance.anova_table` with the paper's statistics beside it.

    Parameters
    ----------
    table : DataFrame
    published : mapping of str to float
        Column's name → the paper's F; others may be missing.
    alpha : float, in (0, 1)

    Returns
    -------
    DataFrame
        With ``paper_F``, and from it with the paper's degrees of freedom ``paper_log10_p``, ``paper_eta_squared``,
        ``paper_passes`` and, where all rows have an F, ``paper_passes_holm``; missing where the paper has none.

    Notes
    -----
    :math:`\eta^2 = \mathrm{df_b} F / (\mathrm{df_b} F + \mathrm{df_w})`.
    """
    between, within = PAPER_DF
    f = np.array([published.get(str(name), np.nan) for name in table.index], dtype=float)
    known = np.isfinite(f)
    log10_p = np.full(len(f), np.nan)
    log10_p[known] = log10_f_survival(f[known], df_between=between, df_within=within)
    passes = pd.array(np.where(known, log10_p < np.log10(alpha), False), dtype="boolean")
    passes[~known] = pd.NA
    result = table.assign(
        paper_F=f, paper_log10_p=log10_p, paper_eta_squared=between * f / (between * f + within), paper_passes=passes
    )
    if known.all():
        result["paper_passes_holm"] = holm(10.0**log10_p) < alpha
    return result


def feature_summary(table: pd.DataFrame, published: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Ranges of F, log10 p and effect size over the dimensions of each feature.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.irmas.variance.anova_table`.
    published : mapping of str to float or None
        Column's name → the paper's F.

    Returns
    -------
    DataFrame [one row per feature]
        ``dimensions``, ``passing``, ``passing_holm``, ``F_low, F_high, log10_p_low, log10_p_high, eta_squared_low,
        eta_squared_high``, and with ``published`` ``paper_F_low, paper_F_high, paper_log10_p_low,
        paper_log10_p_high``.
    """
    names = ["F", "log10_p", "eta_squared"]
    if published is not None:
        table = compared_with(table, published)
        names += ["paper_F", "paper_log10_p"]
    grouped = table.groupby("feature", sort=False)
    counts = {"dimensions": grouped.size(), "passing": grouped["passes"].sum()}
    counts["passing_holm"] = grouped["passes_holm"].sum()
    ranges: dict[str, pd.Series] = {}
    for name in names:
        ranges |= {f"{name}_low": grouped[name].min(), f"{name}_high": grouped[name].max()}
    return pd.DataFrame(counts | ranges)


def tonnetz_table(table: pd.DataFrame, published: Mapping[str, float]) -> pd.DataFrame:
    """The six dimensions of tonnetz, ours and the paper's.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.irmas.variance.anova_table`.
    published : mapping of str to float
        ``tonnetz_0`` … ``tonnetz_5`` → the paper's F.

    Returns
    -------
    DataFrame [6 rows, indexed by the coordinate, such as ``m3x``]
        ``F, log10_p, eta_squared, passes, passes_holm`` and the paper's, where Holm's correction counts all
        ``published`` statistics.
    """
    alpha = table.attrs.get("alpha", 0.001)
    compared = compared_with(table, published, alpha=alpha)
    rows = compared[compared["feature"] == "tonnetz"]
    ours = ["F", "log10_p", "eta_squared", "passes", "passes_holm"]
    theirs = [column for column in compared.columns if column.startswith("paper_")]
    return rows[ours + theirs].set_axis(pd.Index(TONNETZ[: len(rows)], name="coordinate"))


def pair_effects(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    r"""Which pairs of instruments differ in one dimension (Games-Howell), and by how much.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`.
    column : str

    Returns
    -------
    DataFrame [one row per pair]
        The columns of :func:`reprise.stats.anova.games_howell` and ``effect``: the difference in units of the pair's
        mean standard deviation, :math:`\sqrt{(s_a^2 + s_b^2) / 2}`.
    """
    used = comparable(frame)
    pairs = games_howell(used, value=column, group=GROUP, level=None)
    variance = used.groupby(GROUP)[column].var()
    spread = np.sqrt((pairs["group_a"].map(variance) + pairs["group_b"].map(variance)) / 2)
    return pairs.assign(effect=pairs["difference"] / spread)
