"""Plots beyond the paper: F1 per instrument, results per number of labels, two ways of deciding; plain data in."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from reprise.papers.irmas.figures_results import BASELINE

__all__ = ["plot_class_heat_map", "plot_differences", "plot_label_numbers"]


def plot_class_heat_map(frame: pd.DataFrame, *, labels: Mapping[str, str], support: Mapping[str, int]) -> Figure:
    """F1 of each instrument under each condition as numbers on colours.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.analysis.class_results`.
    labels : mapping of str to str
        Condition → how a reader calls it.
    support : mapping of str to int
        Instrument → clips of the test side that have it.

    Returns
    -------
    Figure
    """
    wide = frame.pivot(index="condition", columns="instrument", values="f1")
    wide = wide.loc[list(dict.fromkeys(frame["condition"])), list(dict.fromkeys(frame["instrument"]))]
    values = wide.to_numpy(dtype=float)
    figure, ax = plt.subplots(figsize=(0.62 * wide.shape[1] + 3.4, 0.36 * len(wide) + 1.5))
    image = ax.imshow(np.ma.masked_invalid(values), cmap="viridis", norm=Normalize(0, 1), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        words = "–" if np.isnan(value) else f"{value:.2f}"
        colour = "0.4" if np.isnan(value) else "white" if value < 0.55 else "black"
        ax.text(column, row, words, ha="center", va="center", fontsize=8, color=colour)
    ax.set_yticks(range(len(wide)), [labels.get(str(name), str(name)) for name in wide.index])
    ax.set_xticks(range(wide.shape[1]), [f"{name}\n{support.get(str(name), 0)}" for name in wide.columns])
    ax.set_xlabel("Instrument, and test clips that have it")
    ax.grid(visible=False)
    figure.colorbar(image, ax=ax, label="F1", fraction=0.03, pad=0.02)
    return figure


def plot_label_numbers(frame: pd.DataFrame, *, labels: Mapping[str, str]) -> Figure:
    """Exact match, Hamming score, labels found and labels named against the number of labels.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.comparisons.label_results`.
    labels : mapping of str to str
        Condition → legend entry, in the order to draw.

    Returns
    -------
    Figure
    """
    titles = {
        "exact_match": "Exact match",
        "hamming": "Hamming score",
        "found": "Share of the labels found",
        "named": "Labels named",
    }
    figure, axes = plt.subplots(1, 4, figsize=(12.4, 3.6))
    names = [name for name in labels if name in set(frame["condition"])]
    numbers = sorted(frame["labels"].unique())
    for ax, (metric, title) in zip(axes, titles.items(), strict=True):
        for index, name in enumerate(names):
            part = frame[(frame["condition"] == name) & (frame["metric"] == metric)].set_index("labels").loc[numbers]
            x = np.arange(len(numbers)) + 0.1 * (index - (len(names) - 1) / 2)
            errors = np.nan_to_num(np.maximum([part["value"] - part["low"], part["high"] - part["value"]], 0))
            ax.errorbar(x, part["value"], yerr=errors, fmt="o-", linewidth=1, capsize=2, label=labels[name])
        if metric == "named":
            ax.plot(np.arange(len(numbers)), numbers, color=BASELINE, linestyle="--", label="as many as there are")
        else:
            ax.set_ylim(-0.03, 1.05)
        ax.set_title(title)
        ax.set_xlabel("Labels of the clip")
    counts = frame.drop_duplicates("labels").set_index("labels")["n_clips"]
    for ax in axes:
        ax.set_xticks(range(len(numbers)), [f"{number}\nn={counts[number]}" for number in numbers])
    handles, words = axes[-1].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


def plot_differences(
    frame: pd.DataFrame, *, labels: Mapping[str, str], metrics: Mapping[str, str], sides: Sequence[str]
) -> Figure:
    """Differences between two ways of deciding, with intervals, one panel per metric.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.comparisons.aggregation_results` or
        :func:`reprise.papers.irmas.comparisons.calibration`.
    labels : mapping of str to str
        Condition → how a reader calls it, in the order to draw.
    metrics : mapping of str to str
        Metric → title of its panel.
    sides : sequence of two str
        What a difference below and above 0 is in favour of.

    Returns
    -------
    Figure
    """
    names = [name for name in labels if name in set(frame["condition"])]
    figure, axes = plt.subplots(
        1, len(metrics), figsize=(2.5 * len(metrics) + 1.8, 0.36 * len(names) + 1.5), sharey=True, squeeze=False
    )
    places = np.arange(len(names))
    for ax, (metric, title) in zip(axes.flat, metrics.items(), strict=True):
        part = frame[frame["metric"] == metric].set_index("condition").loc[names]
        value = part["difference"].to_numpy(dtype=float)
        errors = np.maximum([value - part["difference_low"], part["difference_high"] - value], 0)
        ax.axvline(0, color="0.4", linewidth=1)
        ax.errorbar(value, places, xerr=np.nan_to_num(errors), fmt="o", capsize=2.5)
        ax.set_title(title)
        ax.grid(visible=True, axis="x")
        ax.grid(visible=False, axis="y")
    axes[0, 0].set_yticks(places, [labels[name] for name in names])
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(f"← {sides[0]} higher          difference, 95 % CI          {sides[1]} higher →", fontsize=10)
    return figure
