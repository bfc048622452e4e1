"""Pictures of training: validation over steps and over time beside the authors' log, and the two regimes of f0 loss."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reprise.audio.losses import FLOOR_HZ
from reprise.models.synthesiser import HIGHEST, LOWEST
from reprise.papers.sawsing.figures_rows import colour_of, with_plain_numbers
from reprise.report.schema import Table

__all__ = ["loss_frame", "plot_convergence", "plot_f0_loss"]

# runs of the log, as drawn
RUNS = {
    "sawsing": ("SawSing, authors", "sawsing", "--"),
    "ddsp_add": ("DDSP-Add, authors", "ddsp_add", "--"),
    "ddsp_add_a": ("DDSP-Add, authors, first run", "ddsp_add", ":"),
}
LONGEST_HOURS = 0.2  # our times are shown in minutes or in seconds up to here
POINTS = 121


def _log(log: Table, metric: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Runs of the published log without their beginning, which no logarithmic axis has: ``step, hours, value``."""
    rows = [
        (name.partition("@")[0], row.values["steps"], row.values["hours"], row.values[metric])
        for name, row in log.rows.items()
    ]
    frame = pd.DataFrame(rows, columns=["run", "step", "hours", "value"]).dropna()
    for run, part in frame[frame["step"] > 0].groupby("run", sort=False):
        yield str(run), part


def plot_convergence(curves: pd.DataFrame, log: Table | None = None) -> Figure:
    """Validation loss over steps and over time, with the range of the seeds, and the authors' log as dashed lines.

    Parameters
    ----------
    curves : DataFrame
        From :func:`reprise.papers.sawsing.comparisons.convergence`.
    log : Table or None
        ``validation_log`` of ``reported.yaml``: other data and another level of loss.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(11.0, 4.4), sharey=True)
    factor, unit = _time_unit(float(curves["seconds"].max()) if len(curves) else 0.0, with_log=log is not None)
    # a logarithmic axis has no step 0
    for name, part in curves[curves["step"] > 0].groupby("condition", sort=False):
        style = {"color": colour_of(str(name)), "label": str(part["label"].iloc[0])}
        for ax, x in ((axes[0], part["step"]), (axes[1], part["seconds"] / factor)):
            ax.plot(x, part["msstft"], marker="o", markersize=3, **style)
            if (part["n"] > 1).any():
                # an interval of two seeds leaves a logarithmic axis; both seeds can be shown
                ax.fill_between(x, part["lowest"], part["highest"], color=style["color"], alpha=0.15, linewidth=0)
    for run, part in _log(log, "valid_msstft") if log is not None else ():
        label, system, line = RUNS[run]
        for ax, x in ((axes[0], part["step"]), (axes[1], 3600 * part["hours"] / factor)):
            ax.plot(x, part["value"], color=colour_of(system), linestyle=line, linewidth=1.2, label=label)
    for ax in axes:
        ax.set_xscale("log")
        with_plain_numbers(ax.xaxis)
    axes[0].set_yscale("log")
    low, high = axes[0].get_ylim()
    with_plain_numbers(axes[0].yaxis, steps=(1.0, 3.0) if high > 20 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
    axes[0].set_ylabel("MSSTFT of the validation songs")
    axes[0].set_xlabel("Steps")
    axes[1].set_xlabel(f"Time of training ({unit})")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    return figure


def _time_unit(longest: float, *, with_log: bool) -> tuple[float, str]:
    if with_log or longest > 3600 * LONGEST_HOURS:
        return 3600.0, "hours"
    return (60.0, "minutes") if longest > 120 else (1.0, "s")


def loss_frame(*, voiced_at: float = 220.0) -> pd.DataFrame:
    """Loss of one frame over the predicted pitch, where it is voiced and where it is not.

    Parameters
    ----------
    voiced_at : float, Hz
        Pitch of the voiced frame.

    Returns
    -------
    DataFrame
        ``f0`` (predicted, Hz, as far as the vocoders reach), ``voiced``, ``unvoiced``: before the switch; afterwards
        unvoiced frames do not count.

    Notes
    -----
    Paper: the authors' code. Notebook: 04_sawsing.ipynb.
    """
    f0 = np.geomspace(LOWEST, HIGHEST, POINTS)
    own = np.log(f0 + FLOOR_HZ)
    return pd.DataFrame({"f0": f0, "voiced": np.abs(own - np.log(voiced_at + FLOOR_HZ)),
                         "unvoiced": own - np.log(FLOOR_HZ)})  # fmt: skip


def plot_f0_loss(
    frame: pd.DataFrame, curves: pd.DataFrame, *, switch_step: int, unvoiced: float, log: Table | None = None
) -> Figure:
    """Loss of a frame over the predicted pitch, and the loss of the validation songs before and after the switch.

    Parameters
    ----------
    frame : DataFrame
        From :func:`loss_frame`.
    curves : DataFrame
        From :func:`reprise.papers.sawsing.comparisons.convergence`.
    switch_step : int
        From it on unvoiced frames do not count.
    unvoiced : float, 0 to 1
        Share of frames that are unvoiced: it decides the height of the plateau.
    log : Table or None
        ``validation_log`` of ``reported.yaml``.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 3.9), width_ratios=[1.0, 1.5])
    left.plot(frame["f0"], frame["unvoiced"], color="C1", label="unvoiced frame, before the switch")
    left.plot(frame["f0"], frame["voiced"], color="C0", label="voiced frame")
    least = float(frame["unvoiced"].min())
    left.annotate(f"at least {least:.2f}", (float(frame["f0"].iloc[0]), least), xytext=(4, -13),
                  textcoords="offset points", fontsize=9, color="C1")  # fmt: skip
    left.set_xscale("log")
    ticks = [80, 125, 220, 440, 1000]
    left.set_xticks(ticks, [str(tick) for tick in ticks])
    left.set_xticks([], minor=True)
    left.set_ylim(bottom=0)
    left.set_xlabel("Predicted pitch (Hz)")
    left.set_ylabel("Loss of a frame")
    left.legend(loc="center left")
    known = curves[(curves["step"] > 0) & curves["f0_loss"].notna()]
    for name, part in known.groupby("condition", sort=False):
        right.plot(part["step"], part["f0_loss"].clip(lower=1e-3), marker="o", markersize=3,
                   color=colour_of(str(name)), label=str(part["label"].iloc[0]))  # fmt: skip
    for run, part in _log(log, "valid_f0_loss") if log is not None else ():
        label, system, line = RUNS[run]
        right.plot(part["step"], part["value"], color=colour_of(system), linestyle=line, linewidth=1.2,
                   label=label)  # fmt: skip
    right.axhline(unvoiced * least, color="0.4", linewidth=1, linestyle="-.",
                  label=f"{100 * unvoiced:.0f} % unvoiced × {least:.2f}")  # fmt: skip
    if switch_step:
        right.axvline(switch_step, color="0.4", linewidth=1, linestyle="--", label=f"our switch, step {switch_step}")
    right.set_xscale("log")
    right.set_yscale("log")
    with_plain_numbers(right.xaxis)
    with_plain_numbers(right.yaxis)
    right.set_xlabel("Steps")
    right.set_ylabel("f0 loss of the validation songs")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    return figure
