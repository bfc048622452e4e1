"""Grouped bars of the paper's results (Figures 5.1 to 5.5 and 5.8), ours beside the paper's."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprise.report.draws import Draws
from reprise.report.schema import Table
from reprise.report.tables import long_table

__all__ = ["BASELINE", "OURS", "PAPER", "bar_frame", "plot_bars"]

OURS, PAPER, BASELINE = "#0072B2", "#c9ced6", "#B23A2E"
# answers without listening that are worth a line in each metric's panel
LINES = {
    "hamming": (("all_negative", "nothing named"),),
    "exact_match": (("always_voi", "voice alone"),),
    "macro_f1": (("all_positive", "everything named"),),
    "macro_precision": (("all_positive", "everything named"),),
    "macro_recall": (),
}
BAR = 0.38


def bar_frame(tables: Table | Iterable[Table], draws: Draws) -> pd.DataFrame:
    """Bars of a figure: our values and the paper's, and the answers without listening on the same clips.

    Parameters
    ----------
    tables : Table or iterable of Table
        Of ``reported.yaml``: one per part of the figure.
    draws : Draws
        From :func:`reprise.papers.irmas.analysis.make_draws`.

    Returns
    -------
    DataFrame
        Long: ``part`` (the table's title), the columns of :func:`reprise.report.tables.long_table`, ``measure`` (its
        label) and ``baseline, baseline_label`` (NaN and empty where there is none).
    """
    frames = []
    for table in [tables] if isinstance(tables, Table) else list(tables):
        frame = long_table(table, draws)
        frame.insert(0, "part", table.title)
        frame["measure"] = frame["metric"].map({name: measure.label for name, measure in table.columns.items()})
        frames.append(frame)
    frame = pd.concat(frames, ignore_index=True)
    lines = [_line(draws, *row) for row in frame[["condition", "metric"]].itertuples(index=False)]
    return frame.assign(baseline=[value for value, _ in lines], baseline_label=[label for _, label in lines])


def _line(draws: Draws, condition: str, metric: str) -> tuple[float, str]:
    """Best known answer without listening on the condition's test set."""
    _, sign, dataset = condition.partition(">")
    for name, label in LINES.get(metric, ()):
        key = f"{name}{sign}{dataset}"
        if draws.has(key, metric):
            return draws.value(key, metric), label
    return float("nan"), ""


def plot_bars(frame: pd.DataFrame, *, title: str = "") -> Figure:
    """Grouped bars: ours with its 95 % interval above the paper's, one panel per metric, one row per part.

    Parameters
    ----------
    frame : DataFrame
        From :func:`bar_frame`.
    title : str

    Returns
    -------
    Figure
        Conditions that were not run have the paper's bar alone; a dashed line marks the answer without listening.
    """
    parts = list(dict.fromkeys(frame["part"]))
    panels = [[rows for _, rows in frame[frame["part"] == part].groupby("metric", sort=False)] for part in parts]
    heights = [0.6 * len(row[0]) + 0.9 + 0.3 * (len(parts) > 1) for row in panels]
    width = 3.3 * max(len(row) for row in panels) + 1.8
    figure = plt.figure(figsize=(width, sum(heights) + 0.45))
    places = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)
    for part, row, place in zip(parts, panels, places[:, 0], strict=True):
        axes = place.subplots(1, len(row), squeeze=False)
        for index, (rows, ax) in enumerate(zip(row, axes[0], strict=True)):
            _bars(ax, rows, labels=index == 0)
        if len(parts) > 1:
            place.suptitle(part, x=0.01, ha="left", fontsize=11)
    handles: list[Artist] = [
        plt.Rectangle((0, 0), 1, 1, color=OURS, label="ours, 95 % CI"),
        plt.Rectangle((0, 0), 1, 1, color=PAPER, label="paper"),
    ]
    if frame["baseline"].notna().any():
        handles.append(plt.Line2D([], [], color=BASELINE, linestyle="--", label="without listening"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    if title:
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def _bars(ax: Axes, rows: pd.DataFrame, *, labels: bool) -> None:
    places = np.arange(len(rows))
    ours, paper = rows["ours"].to_numpy(dtype=float), rows["paper"].to_numpy(dtype=float)
    low, high = (rows[name].fillna(rows["ours"]).to_numpy(dtype=float) for name in ("low", "high"))
    ax.barh(places - BAR / 2, np.nan_to_num(ours), BAR, color=OURS)
    ax.barh(places + BAR / 2, np.nan_to_num(paper), BAR, color=PAPER)
    errors = np.nan_to_num([np.maximum(ours - low, 0), np.maximum(high - ours, 0)])
    ax.errorbar(ours, places - BAR / 2, xerr=errors, fmt="none", color="black", linewidth=1.1, capsize=2.5)
    edge = 1.02
    for place, value, upper, printed in zip(places, ours, high, paper, strict=True):
        words = "not run" if np.isnan(value) else f"{value:.3f}"
        start = 0 if np.isnan(value) else upper
        ax.text(start + 0.015, place - BAR / 2, words, va="center", fontsize=8)
        if np.isfinite(printed):
            ax.text(printed + 0.015, place + BAR / 2, f"{printed:.4f}", va="center", fontsize=8, color="0.35")
        edge = max(edge, np.nan_to_num(upper) + 0.17, np.nan_to_num(printed) + 0.17)
    for place, value in zip(places, rows["baseline"], strict=True):
        if np.isfinite(value):
            ax.plot([value, value], [place - 0.48, place + 0.48], color=BASELINE, linestyle="--", linewidth=1.3)
    names = [label for label in rows["baseline_label"] if label]
    values = rows["baseline"].dropna().unique()
    note = f"{names[0]}: {values[0]:.3f}" if names and len(values) == 1 else names[0] if names else ""
    ax.set_title(rows["measure"].iloc[0], pad=16)
    ax.annotate(
        note, (0, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points", fontsize=8, color=BASELINE
    )
    ax.set_yticks(places, rows["label"] if labels else [""] * len(rows))
    ax.set_ylim(len(rows) - 0.45, -0.55)
    ax.set_xlim(0, edge)
    ax.set_xticks(np.arange(0, 1.01, 0.25))
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
