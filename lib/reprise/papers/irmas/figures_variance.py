"""Pictures of the analysis of variance: all tests, class means, pairs (section 2.5)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from reprise.papers.irmas.figures_data import PAPER
from reprise.papers.irmas.variance import GROUP, comparable
from reprise.papers.irmas.variance_tables import TONNETZ as COORDINATES

__all__ = ["class_means", "most_telling", "plot_class_means", "plot_overview", "plot_pairs"]

TONNETZ = {f"tonnetz_{k}": f"tonnetz {name}" for k, name in enumerate(COORDINATES)}
_LIMIT = 4.0  # of the axis of class means; what lies beyond is drawn at the edge
_MANY = 20  # dimensions of a feature from which on marks are drawn smaller
_FLOOR = 1e-2  # of −log10 p on its logarithmic axis


def most_telling(table: pd.DataFrame) -> str:
    """Column with the largest share of variance between the instruments."""
    return str(table["eta_squared"].idxmax())


def class_means(
    frame: pd.DataFrame, columns: Sequence[str] = (), *, level: float = 0.95, table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Means of the instruments in units of the spread within an instrument, with intervals.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.features.feature_frame`.
    columns : sequence of str
        By default the six of tonnetz, behind the most telling one of ``table`` where that is given.
    level : float, in (0, 1)
        Of the intervals of Student's t, one instrument at a time.
    table : DataFrame or None
        From :func:`reprise.papers.irmas.variance.anova_table`: adds ``eta_squared`` and ``passes``.

    Returns
    -------
    DataFrame
        ``column, instrument, n, mean, low, high`` and, with ``table``, ``eta_squared, passes``. The mean of all clips
        is 0 and the pooled standard deviation within instruments 1, so that columns can be compared.
    """
    used = comparable(frame)
    if not columns:
        columns = list(TONNETZ) if table is None else [most_telling(table), *TONNETZ]
    rows = []
    for column in columns:
        grouped = used.groupby(GROUP)[column]
        n, mean, variance = grouped.size(), grouped.mean(), grouped.var()
        pooled = np.sqrt(((n - 1) * variance).sum() / (n - 1).sum())
        half = stats.t.isf((1 - level) / 2, n - 1) * np.sqrt(variance / n) / pooled
        centred = (mean - used[column].mean()) / pooled
        part = pd.DataFrame({"n": n, "mean": centred, "low": centred - half, "high": centred + half})
        if table is not None:
            part["eta_squared"] = float(table["eta_squared"][column])
            part["passes"] = bool(table["passes"][column])
        rows.append(part.rename_axis("instrument").reset_index().assign(column=column))
    found = pd.concat(rows, ignore_index=True)
    return found[["column", *found.columns.drop("column")]]


def plot_class_means(means: pd.DataFrame) -> Figure:
    """A feature that tells instruments apart next to some that do not.

    Parameters
    ----------
    means : DataFrame
        From :func:`class_means`.

    Returns
    -------
    Figure

    Notes
    -----
    The grey band is one standard deviation within an instrument to either side: where all means lie deep inside of it,
    the instrument does not decide on the feature. On a large sample even such small differences can be significant.
    Blue: the test passes; orange: it does not. Means beyond four deviations are triangles at the edge.
    """
    columns = list(dict.fromkeys(means["column"]))
    figure, axes = plt.subplots(1, len(columns), figsize=(1.2 + 1.65 * len(columns), 4.2), sharey=True, squeeze=False)
    instruments = sorted(means["instrument"].unique())
    limit = min(_LIMIT, 1.1 * max(1.2, float(means[["low", "high"]].abs().max().max())))
    for ax, column in zip(axes.flat, columns, strict=True):
        part = means[means["column"] == column].set_index("instrument").reindex(instruments)
        places = np.arange(len(part))
        passes = bool(part["passes"].dropna().any()) if "passes" in part else True
        color = "C0" if passes else "C1"
        mean = part["mean"].to_numpy()
        error = np.abs(part[["low", "high"]].to_numpy().T - mean)
        ax.axvspan(-1, 1, color="0.93", zorder=0)
        ax.axvline(0, color="0.6", linewidth=0.8)
        ax.errorbar(mean, places, xerr=error, fmt="o", capsize=2, markersize=4, linewidth=1.2, color=color)
        for beyond, marker in ((mean > limit, ">"), (mean < -limit, "<")):
            edge = np.copysign(0.96 * limit, mean[beyond])
            ax.plot(edge, places[beyond], marker=marker, markersize=5, linestyle="none", color=color)
        title = TONNETZ.get(column, column.replace("_", " "))
        if "eta_squared" in part:
            title += f"\nη² = {part['eta_squared'].iloc[0]:.3f}"
        ax.set_title(title, fontsize=9, loc="center")
        ax.set_xlim(-limit, limit)
        ax.grid(visible=False)
    axes[0, 0].set_yticks(range(len(instruments)), [name.replace("_", " ") for name in instruments])
    axes[0, 0].invert_yaxis()
    figure.supxlabel("Mean of the class with 95 % interval (standard deviations within a class; band: ±1)", fontsize=10)
    return figure


def plot_overview(table: pd.DataFrame, *, alpha: float = 0.001) -> Figure:
    """All tests at one glance: p-values above, effect sizes below, the paper's as diamonds where known.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.irmas.variance.anova_table`, or with the paper's columns from
        :func:`reprise.papers.irmas.variance_tables.compared_with`.
    alpha : float, in (0, 1)
        The dashed line.

    Returns
    -------
    Figure
    """
    features = list(dict.fromkeys(table["feature"]))
    figure, axes = plt.subplots(2, 1, figsize=(10.5, 6.2), sharex=True)
    values = {"log10_p": (-table["log10_p"]).clip(lower=_FLOOR), "eta_squared": table["eta_squared"]}
    paper = {}
    if "paper_F" in table:
        paper = {"log10_p": (-table["paper_log10_p"]).clip(lower=_FLOOR), "eta_squared": table["paper_eta_squared"]}
    sizes = table["feature"].value_counts()
    widths = np.array([max(1.0, 0.5 * np.sqrt(sizes[name])) for name in features])
    centres = np.cumsum(widths) - widths / 2
    for feature, centre, width in zip(features, centres, widths, strict=True):
        rows = (table["feature"] == feature).to_numpy()
        place = centre + (np.linspace(-0.4, 0.4, rows.sum()) * width if rows.sum() > 1 else np.zeros(1))
        colors = np.where(table["passes"][rows], "C0", "C1")
        small = {"markersize": 4 if rows.sum() < _MANY else 2.5, "markeredgewidth": 0.7, "zorder": 2}
        for ax, name in zip(axes, values, strict=True):
            ax.scatter(place, values[name][rows], s=12, c=colors, linewidths=0, zorder=3)
            if paper and paper[name][rows].notna().any():
                ax.plot(place, paper[name][rows], **(PAPER | small))
    axes[0].axhline(-np.log10(alpha), color="0.3", linestyle="--", linewidth=1)
    axes[0].set_yscale("log")
    axes[0].set_ylabel("−log₁₀ p")
    axes[1].set_ylabel("η², share of variance\nbetween instruments")
    axes[1].set_ylim(bottom=0)
    axes[1].set_xticks(centres, [f"{name}\n{sizes[name]}" for name in features], fontsize=8)
    axes[1].set_xlim(0, widths.sum())
    axes[1].set_xlabel("Feature, with its number of dimensions (from left to right within a feature)")
    handles = [
        axes[0].scatter([], [], s=12, color="C0", label=f"p < {alpha:g}"),
        axes[0].scatter([], [], s=12, color="C1", label=f"p ≥ {alpha:g}"),
        axes[0].plot([], [], color="0.3", linestyle="--", linewidth=1, label=f"p = {alpha:g}")[0],
    ]
    if paper:
        handles.append(axes[0].plot([], [], label="paper", **PAPER)[0])
    axes[0].legend(handles=handles, ncols=len(handles), loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure


def plot_pairs(pairs: pd.DataFrame, *, title: str, alpha: float = 0.001) -> Figure:
    """Which instruments differ in one feature: differences of means, a dot where Games-Howell finds them significant.

    Parameters
    ----------
    pairs : DataFrame
        From :func:`reprise.papers.irmas.variance_tables.pair_effects`.
    title : str
    alpha : float, in (0, 1)

    Returns
    -------
    Figure
    """
    names = sorted({*pairs["group_a"], *pairs["group_b"]})
    matrix, p = (np.full((len(names), len(names)), np.nan) for _ in range(2))
    rows, columns = (pairs[side].map(names.index).to_numpy() for side in ("group_a", "group_b"))
    matrix[rows, columns], matrix[columns, rows] = pairs["effect"], -pairs["effect"]
    p[rows, columns] = p[columns, rows] = pairs["p"]
    limit = min(3.0, max(0.5, float(np.nanmax(np.abs(matrix)))))
    figure, ax = plt.subplots(figsize=(2.2 + 0.42 * len(names), 1.6 + 0.4 * len(names)))
    shown = ax.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
    places = np.argwhere(p < alpha)
    ax.scatter(places[:, 1], places[:, 0], s=10, color="black")
    labels = [name.replace("_", " ") for name in names]
    ax.set_xticks(range(len(names)), labels, rotation=60)
    ax.set_yticks(range(len(names)), labels)
    ax.grid(visible=False)
    ax.set_xlabel("… than in this instrument")
    ax.set_ylabel("Higher (red) or lower (blue) in this instrument …")
    ax.set_title(f"{title}; dot: p < {alpha:g}")
    figure.colorbar(shown, ax=ax, label="difference (standard deviations)", extend="both")
    return figure
