"""Pictures of the data sets: classes, labels per clip, co-occurrence and lengths (Figures 2.8 to 2.14)."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "PAPER",
    "plot_class_counts",
    "plot_co_occurrence",
    "plot_duration_groups",
    "plot_durations",
    "plot_label_numbers",
]

PAPER: dict[str, Any] = {
    "color": "0.35",
    "linestyle": "none",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
}
_FEW = 5  # a violin of fewer clips would draw a shape that is not there


def plot_class_counts(frame: pd.DataFrame) -> Figure:
    """Share of each class in all labels of a side; the numbers at the bars are clips.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.description.class_counts`.

    Returns
    -------
    Figure
    """
    sides = list(dict.fromkeys(frame["side"]))
    figure, axes = plt.subplots(1, len(sides), figsize=(1.0 + 4.2 * len(sides), 4.0), sharey=True, squeeze=False)
    handles: list[Any] = []
    for ax, side in zip(axes.flat, sides, strict=True):
        part = frame[frame["side"] == side]
        places = np.arange(len(part))
        drawn = [ax.barh(places, 100 * part["label_share"], height=0.65, label="this copy")]
        printed = part["paper"].notna().to_numpy()
        reach = 100 * np.fmax(part["label_share"], part["paper_share"]).to_numpy()
        for place, count, end in zip(places, part["clips"], reach, strict=True):
            ax.text(end + 0.6, place, f"{count}", va="center", fontsize=9)
        if printed.any():
            drawn += ax.plot(100 * part["paper_share"][printed], places[printed], label="paper", **PAPER)
            handles = handles or drawn
        ax.margins(x=0.15)
        ax.set_yticks(places, part["instrument"])
        ax.set_title(f"{side} ({part['clips'].sum()} labels)")
        ax.set_xlabel("Share of all labels (%)")
        ax.grid(visible=False, axis="y")
        ax.grid(visible=True, axis="x")
    axes[0, 0].invert_yaxis()
    if handles:
        figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


def plot_label_numbers(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Share of clips with each number of labels; the numbers at the bars are clips.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.description.label_numbers`.
    ax : Axes or None

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(5.0, 3.6))[1]
    ax.bar(frame["labels"], 100 * frame["share"], width=0.65, label="this copy")
    reach = 100 * np.fmax(frame["share"], frame["paper_share"])
    for place, count, end in zip(frame["labels"], frame["clips"], reach, strict=True):
        ax.text(place, end + 1.5, f"{count}", ha="center", fontsize=9)
    if frame["paper"].notna().any():
        ax.plot(frame["labels"], 100 * frame["paper_share"], label="paper", **PAPER)
        ax.legend()
    ax.set_xticks(frame["labels"])
    ax.margins(y=0.12)
    ax.set_xlabel("Labels per clip")
    ax.set_ylabel("Share of clips (%)")
    return ax


def plot_co_occurrence(frame: pd.DataFrame, numbers: pd.DataFrame | None = None) -> Figure:
    """Clips with two instruments, and how that compares with independence; with labels per clip beside (Figure 2.14).

    Pairs that chance alone would bring together in less than one clip are left empty on the right.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.description.co_occurrence`.
    numbers : DataFrame or None
        From :func:`reprise.papers.irmas.description.label_numbers`.

    Returns
    -------
    Figure
    """
    names = list(dict.fromkeys([*frame["a"], *frame["b"]]))
    n_panels = 2 if numbers is None else 3
    figure, axes = plt.subplots(1, n_panels, figsize=(4.9 * n_panels, 4.6))
    counts, ratio, expected = (_square(frame, column, names) for column in ("together", "ratio", "expected"))
    ratio[expected < 1] = np.nan
    with np.errstate(divide="ignore"):
        octaves = np.log2(ratio)
    limit = 3.0
    shown = axes[0].imshow(counts, cmap="Blues", vmin=0)
    _write(axes[0], counts, form="{:.0f}", dark=counts > 0.6 * np.nanmax(counts))
    axes[0].set_title("Clips with both")
    figure.colorbar(shown, ax=axes[0], shrink=0.8, label="clips")
    shown = axes[1].imshow(np.clip(octaves, -limit, limit), cmap="RdBu_r", vmin=-limit, vmax=limit)
    _write(axes[1], ratio, form="{:.1f}", dark=np.abs(octaves) > 1.9)
    axes[1].set_title("Times as often as by chance")
    bar = figure.colorbar(shown, ax=axes[1], shrink=0.8, ticks=[-3, -2, -1, 0, 1, 2, 3])
    bar.ax.set_yticklabels(["≤ ⅛", "¼", "½", "1", "2", "4", "≥ 8"])
    for ax in axes[:2]:
        ax.set_xticks(range(len(names)), names, rotation=45)
        ax.set_yticks(range(len(names)), names)
        ax.grid(visible=False)
    if numbers is not None:
        plot_label_numbers(numbers, axes[2])
    return figure


def _square(frame: pd.DataFrame, column: str, names: list[str]) -> np.ndarray:
    """Symmetric matrix with an empty diagonal."""
    matrix = np.full((len(names), len(names)), np.nan)
    rows, columns = (frame[side].map(names.index).to_numpy() for side in ("a", "b"))
    matrix[rows, columns] = matrix[columns, rows] = frame[column]
    return matrix


def _write(ax: Axes, matrix: np.ndarray, *, form: str, dark: np.ndarray) -> None:
    for row, column in np.argwhere(np.isfinite(matrix)):
        color = "white" if dark[row, column] else "black"
        ax.text(column, row, form.format(matrix[row, column]), ha="center", va="center", fontsize=7, color=color)


def plot_durations(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Histogram of the clips' lengths (Figure 2.11).

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.description.durations`.
    ax : Axes or None

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(6.0, 3.4))[1]
    seconds = frame.drop_duplicates("clip_id")["seconds"]
    low, high = np.floor(seconds.min()), np.ceil(seconds.max())
    ax.hist(seconds, bins=list(np.arange(low, max(high, low + 1) + 0.5, 0.5)), color="C0")
    ax.set_xlabel("Length (s)")
    ax.set_ylabel("Clips")
    return ax


def plot_duration_groups(frame: pd.DataFrame) -> Figure:
    """Distribution of the lengths per instrument and per number of labels (Figure 2.12).

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.description.durations`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(11.0, 3.8), sharey=True, width_ratios=[2.2, 1.0])
    clips = frame.drop_duplicates("clip_id")
    for ax, part, column in zip(axes, (frame, clips), ("instrument", "labels"), strict=True):
        names = list(dict.fromkeys(frame["instrument"])) if column == "instrument" else sorted(part[column].unique())
        names = sorted(names)
        for place, name in enumerate(names):
            seconds = part["seconds"][part[column] == name].to_numpy()
            if len(seconds) >= _FEW and np.ptp(seconds) > 0:
                violin = ax.violinplot(seconds, [place], widths=0.85, showextrema=False, showmedians=True)
                for body in violin["bodies"]:
                    body.set(facecolor="C0", alpha=0.45)
                violin["cmedians"].set_color("black")
            else:
                ax.plot(np.full(len(seconds), place), seconds, ".", color="C0")
        counts = part[column].value_counts()
        ax.set_xticks(range(len(names)), [f"{name}\n{counts[name]}" for name in names])
    axes[0].set_ylabel("Length (s)")
    axes[0].set_xlabel("Instrument, with its number of clips")
    axes[1].set_xlabel("Labels per clip, with the number of clips")
    return figure
