"""Losses of the two transformer runs and cost of every system (Figures 5.6 and 5.7); each takes plain data."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reprise.papers.irmas.figures_results import OURS, PAPER
from reprise.report.schema import Table

__all__ = ["cost_frame", "curve_frame", "plot_costs", "plot_losses"]


def curve_frame(curves: Mapping[str, Sequence[pd.DataFrame]]) -> pd.DataFrame:
    """Losses of some systems and seeds in one long table.

    Parameters
    ----------
    curves : mapping of str to sequence of DataFrame
        System → curves of its seeds, each with ``epoch``, ``loss`` and, where it was validated, ``valid_loss``.

    Returns
    -------
    DataFrame
        ``condition, seed`` (a count), ``epoch`` (from 1), ``training``, ``validation``.
    """
    parts = [
        pd.DataFrame(
            {
                "condition": name,
                "seed": number,
                "epoch": run["epoch"] + 1,
                "training": run["loss"],
                "validation": run.get("valid_loss", pd.Series(np.nan, run.index)),
            }
        )
        for name, runs in curves.items()
        for number, run in enumerate(runs)
        if len(run)
    ]
    columns = ["condition", "seed", "epoch", "training", "validation"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def plot_losses(frame: pd.DataFrame, readings: Table) -> Figure:
    """Training and validation loss, one line per seed, with the paper's readings at the margin (Figure 5.6).

    Parameters
    ----------
    frame : DataFrame
        From :func:`curve_frame`.
    readings : Table
        ``figure_5_6_readings`` of ``reported.yaml``.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.9))
    marks = {"training": ("final_training_loss", "end"), "validation": ("lowest_valid_loss", "lowest, smoothed")}
    for ax, (kind, (column, words)) in zip(axes, marks.items(), strict=True):
        for index, (name, row) in enumerate(readings.rows.items()):
            for number, run in frame[frame["condition"] == name].groupby("seed"):
                ax.plot(
                    run["epoch"], run[kind], color=f"C{index}", alpha=0.85, marker="o", markersize=3,
                    label=row.label if number == 0 else None,
                )  # fmt: skip
            ax.axhline(
                row.values[column], color=f"C{index}", linestyle=":", linewidth=1.3,
                label=f"paper, {words}: {row.values[column]:g}",
            )  # fmt: skip
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("Epoch")
        ax.set_ylabel(f"{kind.capitalize()} loss (nat)")
        ax.legend(fontsize=8)
    axes[0].set_title("Training: cross-entropy of windows")
    axes[1].set_title("Validation: cross-entropy of S2 scores of clips")
    return figure


def cost_frame(results: pd.DataFrame, readings: Table, *, labels: Mapping[str, str]) -> pd.DataFrame:
    """Cost of each system on this device beside the paper's hours.

    Parameters
    ----------
    results : DataFrame
        From :func:`reprise.papers.irmas.analysis.training_results`.
    readings : Table
        ``figure_5_7_readings`` of ``reported.yaml``.
    labels : mapping of str to str
        Condition → how a reader calls it.

    Returns
    -------
    DataFrame
        One row per system, the slowest epochs first: ``condition, label, seconds_per_epoch, low, high`` (extremes of
        the seeds), ``parameters, memory_gb, n, paper_hours, paper_gpu_power``.
    """
    rows = []
    for name, part in results.groupby("condition", sort=False):
        printed = readings.rows.get(str(name))
        values = {} if printed is None else printed.values
        seconds = part["seconds_per_epoch"]
        rows.append(
            {
                "condition": name,
                "label": labels.get(str(name), str(name)),
                "seconds_per_epoch": seconds.mean(),
                "low": seconds.min(),
                "high": seconds.max(),
                "parameters": part["parameters_trained"].mean(),
                "memory_gb": part["memory_gb"].max(),
                "n": len(part),
                "paper_hours": values.get("training_hours"),
                "paper_gpu_power": values.get("gpu_power"),
            }
        )
    frame = pd.DataFrame(rows).astype({"paper_hours": float, "paper_gpu_power": float})
    return frame.sort_values("seconds_per_epoch", ascending=False, ignore_index=True)


def plot_costs(frame: pd.DataFrame, *, device: str) -> Figure:
    """Seconds per epoch, parameters, memory where it was measured, and the paper's hours (Figure 5.7).

    Parameters
    ----------
    frame : DataFrame
        From :func:`cost_frame`.
    device : str
        What the times were measured on.

    Returns
    -------
    Figure
    """
    panels: list[tuple[str, str, str, bool]] = [
        ("seconds_per_epoch", f"Seconds per epoch\n{device}", OURS, False),
        ("parameters", "Parameters of the networks\ntrained here", OURS, True),
        ("memory_gb", "Highest memory of the\ndevice (GB)", OURS, False),
        ("paper_hours", "Paper: hours of training,\nRTX 2080 Ti", PAPER, False),
    ]
    shown = [panel for panel in panels if frame[panel[0]].notna().any()]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(2.9 * len(shown) + 1.8, 0.36 * len(frame) + 1.3), sharey=True, squeeze=False
    )
    places = np.arange(len(frame))
    for ax, (column, title, colour, logarithmic) in zip(axes.flat, shown, strict=True):
        values = frame[column].to_numpy(dtype=float)
        ax.barh(places, np.nan_to_num(values), 0.62, color=colour)
        ends = np.nan_to_num(values)
        if column == "seconds_per_epoch":
            spread = [values - frame["low"], frame["high"] - values]
            ax.errorbar(values, places, xerr=np.nan_to_num(spread), fmt="none", color="black", capsize=2.5)
            ends = frame["high"].fillna(0).to_numpy()
        if logarithmic:
            ax.set_xscale("log")
            ax.set_xlim(np.nanmin(values) / 4, np.nanmax(values) * 12)
        else:
            ax.set_xlim(0, np.nanmax(ends) * 1.28)
        for place, value, end in zip(places, values, ends, strict=True):
            if np.isfinite(value):
                ax.annotate(
                    _short(value), (end, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8
                )
        ax.set_title(title, fontsize=9.5)
        ax.grid(visible=True, axis="x")
        ax.grid(visible=False, axis="y")
    axes[0, 0].set_yticks(places, frame["label"])
    axes[0, 0].invert_yaxis()
    return figure


def _short(value: float) -> str:
    for factor, unit in ((1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"
