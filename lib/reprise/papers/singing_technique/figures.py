"""Plots that only this paper has; each takes plain data and returns axes or a figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

__all__ = [
    "plot_class_f1",
    "plot_confusions",
    "plot_curves",
    "plot_deformed_kernel",
    "plot_minutes",
    "plot_offsets",
    "plot_placements",
    "plot_techniques",
]

PAPER: dict[str, Any] = {
    "color": "0.35",
    "linestyle": "none",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
}


def readable(name: str) -> str:
    """A class or condition name as a reader would write it."""
    return name.replace("_", " ")


def plot_minutes(frame: pd.DataFrame) -> Figure:
    """Minutes of audio per technique, and their shares beside the paper's (Figure 2).

    Parameters
    ----------
    frame : DataFrame
        ``technique, minutes, paper`` in the order to draw, min.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.8), sharey=True)
    positions = np.arange(len(frame))
    bars = left.barh(positions, frame["minutes"], height=0.6)
    left.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    left.margins(x=0.15)
    left.set_yticks(positions, [readable(name) for name in frame["technique"]])
    left.invert_yaxis()
    left.set_xlabel("Audio in this copy (min)")
    right.barh(positions, 100 * frame["minutes"] / frame["minutes"].sum(), height=0.6, label="this copy")
    right.plot(100 * frame["paper"] / frame["paper"].sum(), positions, label="paper (digitised)", **PAPER)
    right.set_xlabel("Share of all audio (%)")
    right.legend(loc="lower right")
    return figure


def plot_techniques(spectrograms: Mapping[str, np.ndarray], *, seconds: float, max_frequency: float) -> Figure:
    """One spectrogram per technique.

    Parameters
    ----------
    spectrograms : mapping of str to ndarray [shape=(freq, n_frames)]
        Compressed magnitudes, from 0 Hz up.
    seconds : float
        Length of a clip, s.
    max_frequency : float
        Of the highest row, Hz.

    Returns
    -------
    Figure
    """
    n_columns = min(5, len(spectrograms))
    n_rows = -(-len(spectrograms) // n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(2.0 * n_columns + 1.0, 1.9 * n_rows + 0.6), sharex=True, sharey=True, squeeze=False
    )
    for ax in axes.flat[len(spectrograms) :]:
        ax.set_visible(False)
    for ax, (name, values) in zip(axes.flat, spectrograms.items(), strict=False):
        low, high = np.percentile(values, [25, 99.8])
        ax.imshow(
            values,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, max_frequency / 1000),
            vmin=low,
            vmax=high,
            cmap="magma",
        )
        ax.set_title(readable(name))
        ax.grid(visible=False)
    figure.supxlabel("Time (s)")
    figure.supylabel("Frequency (kHz)")
    return figure


def plot_placements(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Macro-F1 of the rows of Table 2, ours with intervals beside the published values.

    Parameters
    ----------
    frame : DataFrame
        ``label, ours, low, high, paper`` in the order to draw; NaN for what was not run.
    ax : Axes or None

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(7.0, 4.0))[1]
    positions = np.arange(len(frame))
    error = np.nan_to_num(np.abs(frame[["low", "high"]].to_numpy().T - frame["ours"].to_numpy()))
    ax.errorbar(frame["ours"], positions, xerr=error, fmt="o", capsize=3, label="ours, 95 % CI")
    ax.plot(frame["paper"], positions, label="paper", **PAPER)
    ax.set_yticks(positions, frame["label"])
    ax.invert_yaxis()
    ax.set_xlabel("Macro-F1")
    ax.set_xlim(0, 1)
    ax.legend(loc="lower right")
    return ax


def plot_confusions(matrices: Mapping[str, pd.DataFrame]) -> Figure:
    """Confusion matrices side by side, each row in percent of its true class.

    Parameters
    ----------
    matrices : mapping of str to DataFrame
        Title → counts, true × predicted.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, len(matrices), figsize=(5.2 * len(matrices), 4.8), squeeze=False)
    for ax, (title, counts) in zip(axes.flat, matrices.items(), strict=True):
        percent = 100 * counts.to_numpy() / counts.to_numpy().sum(axis=1, keepdims=True)
        ax.imshow(percent, vmin=0, vmax=100, cmap="Blues")
        for row, column in np.ndindex(percent.shape):
            value = percent[row, column]
            if value >= 0.5:
                ax.text(
                    column,
                    row,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if value > 55 else "black",
                )
        ax.set_xticks(range(len(counts.columns)), [readable(name) for name in counts.columns], rotation=60, ha="right")
        ax.set_yticks(range(len(counts.index)), [readable(name) for name in counts.index])
        ax.set_title(title)
        ax.set_xlabel("Predicted (% of the true class)")
        ax.grid(visible=False)
    axes[0, 0].set_ylabel("True technique")
    return figure


def plot_class_f1(frame: pd.DataFrame, labels: Mapping[str, str], *, ax: Axes | None = None) -> Axes:
    """F1 of each technique under some conditions, with intervals.

    Parameters
    ----------
    frame : DataFrame
        ``technique, condition, f1, low, high``.
    labels : mapping of str to str
        Condition → legend entry, in the order to draw.
    ax : Axes or None

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(8.0, 4.0))[1]
    techniques = list(dict.fromkeys(frame["technique"]))
    width = 0.7 / max(1, len(labels) - 1)
    for index, (condition, label) in enumerate(labels.items()):
        part = frame[frame["condition"] == condition].set_index("technique").reindex(techniques)
        x = np.arange(len(techniques)) + width * (index - (len(labels) - 1) / 2)
        values = part["f1"].to_numpy()
        error = np.nan_to_num(np.abs(part[["low", "high"]].to_numpy().T - values))
        ax.errorbar(x, values, yerr=error, fmt="o", capsize=2, label=label)
    ax.set_xticks(range(len(techniques)), [readable(name) for name in techniques], rotation=30, ha="right")
    ax.set_ylabel("F1")
    ax.set_ylim(-0.02, 1.02)
    ax.legend(ncols=2)
    return ax


def plot_curves(curves: Mapping[str, Sequence[pd.DataFrame]], ax: Axes | None = None) -> Axes:
    """Training loss against epochs, one thin line per seed.

    Parameters
    ----------
    curves : mapping of str to sequence of DataFrame
        Label → curves of the seeds, each with ``epoch`` and ``loss``.
    ax : Axes or None

    Returns
    -------
    Axes
    """
    ax = ax or plt.subplots(figsize=(7.0, 3.4))[1]
    for index, (label, runs) in enumerate(curves.items()):
        for number, run in enumerate(runs):
            ax.plot(
                run["epoch"] + 1,
                run["loss"],
                color=f"C{index}",
                alpha=0.8,
                marker=".",
                label=label if number == 0 else None,
            )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("Epoch")
    ax.set_ylabel("Training loss")
    ax.legend()
    return ax


def plot_deformed_kernel(
    spectrogram: np.ndarray, points: pd.DataFrame, *, seconds: float, max_frequency: float
) -> Figure:
    """Where a kernel samples the spectrogram: on its grid, and after its learned offsets (Figure 1, our own drawing).

    Parameters
    ----------
    spectrogram : ndarray [shape=(freq, n_frames)]
    points : DataFrame
        ``layer, place, tap, frame, bin, frame_deformed, bin_deformed, weight``: positions in the spectrogram.
    seconds : float
        Length of a clip, s.
    max_frequency : float
        Of the highest row, Hz.

    Returns
    -------
    Figure
    """
    layers = list(dict.fromkeys(points["layer"]))
    figure, axes = plt.subplots(1, len(layers), figsize=(5.0 * len(layers), 3.8), sharey=True, squeeze=False)
    n_bins, n_frames = spectrogram.shape
    x_scale, y_scale = seconds / n_frames, max_frequency / 1000 / n_bins
    low, high = np.percentile(spectrogram, [25, 99.8])
    for ax, layer in zip(axes.flat, layers, strict=True):
        ax.imshow(
            spectrogram,
            origin="lower",
            aspect="auto",
            cmap="gray_r",
            vmin=low,
            vmax=high,
            extent=(0, seconds, 0, max_frequency / 1000),
        )
        for index, (_, part) in enumerate(points[points["layer"] == layer].groupby("place", sort=True)):
            color = f"C{index}"
            ax.plot(
                part["frame"] * x_scale, part["bin"] * y_scale, "o", color=color, markerfacecolor="none", markersize=5
            )
            ax.scatter(part["frame_deformed"] * x_scale, part["bin_deformed"] * y_scale, s=22, color=color, zorder=3)
            for start, end in zip(
                part[["frame", "bin"]].to_numpy(), part[["frame_deformed", "bin_deformed"]].to_numpy(), strict=True
            ):
                ax.annotate(
                    "",
                    xy=end * (x_scale, y_scale),
                    xytext=start * (x_scale, y_scale),
                    arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.8},
                )
        ax.set_title(f"Layer {layer}: grid (rings) and learned positions (dots)")
        ax.set_xlim(0, seconds)
        ax.set_ylim(0, max_frequency / 1000)
        ax.set_xlabel("Time (s)")
        ax.grid(visible=False)
    axes[0, 0].set_ylabel("Frequency (kHz)")
    return figure


def plot_offsets(
    spectrogram: np.ndarray, fields: Mapping[int, np.ndarray], *, seconds: float, max_frequency: float
) -> Figure:
    """Mean learned displacement of each layer's kernels over the spectrogram.

    Parameters
    ----------
    spectrogram : ndarray [shape=(freq, n_frames)]
    fields : mapping of int to ndarray [shape=(2, rows, columns)]
        Layer → mean vertical and horizontal offset per position, in rows and columns of that layer's input.
    seconds : float
        Length of a clip, s.
    max_frequency : float
        Of the highest row, Hz.

    Returns
    -------
    Figure
    """
    extent = (0, seconds, 0, max_frequency / 1000)
    figure, axes = plt.subplots(
        len(fields), 2, figsize=(9.6, 3.0 * len(fields)), sharex=True, sharey=True, squeeze=False
    )
    low, high = np.percentile(spectrogram, [25, 99.8])
    for row, (layer, field) in enumerate(fields.items()):
        for ax, values, axis_name in zip(axes[row], field, ("vertical", "horizontal"), strict=True):
            ax.imshow(spectrogram, origin="lower", aspect="auto", cmap="gray_r", vmin=low, vmax=high, extent=extent)
            limit = max(float(np.abs(values).max()), 1e-6)
            image = ax.imshow(
                values, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent, alpha=0.6
            )
            ax.set_title(f"Layer {layer}, {axis_name} offset")
            ax.grid(visible=False)
            figure.colorbar(image, ax=ax, label="map cells")
    for ax in axes[-1]:
        ax.set_xlabel("Time (s)")
    for ax in axes[:, 0]:
        ax.set_ylabel("Frequency (kHz)")
    return figure
