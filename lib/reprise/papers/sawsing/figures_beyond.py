"""Results beyond the paper's own: levels of any metric, sizes and speeds, and metrics against listeners."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reprise.papers.sawsing.figures_rows import (
    AXES,
    VOICES,
    beyond,
    colour_of,
    in_short,
    inside,
    lie_down,
    reach,
    spans,
    with_plain_numbers,
)
from reprise.papers.sawsing.outcome import label_of
from reprise.report.draws import Draws
from reprise.report.reported import Reported

__all__ = ["level_frame", "listener_frame", "plot_levels", "plot_listeners", "plot_sizes"]


def level_frame(draws: Draws, *, metrics: Iterable[str], conditions: Iterable[str] | None = None) -> pd.DataFrame:
    """Some metrics of some conditions with their intervals.

    Parameters
    ----------
    draws : Draws
    metrics : iterable of str
    conditions : iterable of str or None
        Default: every condition of the regular scenario and all singers.

    Returns
    -------
    DataFrame
        Long: ``condition, label, metric, ours, low, high, n``; what a condition does not have is left out.
    """
    names = [name for name in draws.conditions if ">" not in name and "/" not in name]
    rows = []
    for name in names if conditions is None else conditions:
        for metric in metrics:
            if draws.has(name, metric):
                low, high = draws.interval(name, metric)
                rows.append((name, label_of(name), metric, draws.value(name, metric), low, high, draws.n(name, metric)))
    return pd.DataFrame(rows, columns=["condition", "label", "metric", "ours", "low", "high", "n"])


def plot_levels(frame: pd.DataFrame, *, marks: Mapping[str, Mapping[str, float]] | None = None) -> Figure:
    """Points with intervals, one panel per metric.

    Parameters
    ----------
    frame : DataFrame
        From :func:`level_frame`.
    marks : mapping of str to mapping of str to float, or None
        Metric → words → where to draw a dashed line, for example ``{"lag": {"published, about": -120}}``.

    Returns
    -------
    Figure
    """
    metrics, names = (list(dict.fromkeys(frame[name])) for name in ("metric", "condition"))
    figure, axes = plt.subplots(1, len(metrics), figsize=(3.4 * len(metrics) + 1.8, 1.3 + 0.32 * len(names)),
                                sharey=True, squeeze=False)  # fmt: skip
    places = np.arange(len(names))
    for ax, metric in zip(axes.flat, metrics, strict=True):
        part = frame[frame["metric"] == metric].set_index("condition").reindex(names)
        limits = reach(part["ours"])
        errors = spans(part, "ours", low="low", high="high")
        ax.errorbar(inside(part["ours"], limits), places, xerr=errors, fmt="o", linewidth=1.3)
        beyond(ax, [part["ours"]], places=places, limits=limits, colour="C0")
        ax.locator_params(axis="x", nbins=5)
        for words, place in (marks or {}).get(metric, {}).items():
            ax.axvline(place, color="0.35", linestyle="--", linewidth=1)
            ax.annotate(f"{words} {in_short(place)}", (place, 1), xycoords=("data", "axes fraction"), xytext=(3, 2),
                        textcoords="offset points", fontsize=8, color="0.35")  # fmt: skip
        ax.set_xlabel(AXES.get(metric, metric))
        lie_down(ax)
    labels = frame.drop_duplicates("condition").set_index("condition")["label"]
    axes[0, 0].set_yticks(places, [labels[name] for name in names])
    axes[0, 0].set_ylim(len(names) - 0.45, -0.55)
    return figure


def plot_sizes(table: pd.DataFrame, *, device: str) -> Figure:
    """Real-time factor against the number of parameters of the networks of this run.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.sawsing.tables_results.size_table`.
    device : str
        What the factors were measured on.

    Returns
    -------
    Figure
    """
    known = table.dropna(subset=["rtf", "this_run"])
    figure, ax = plt.subplots(figsize=(6.6, 4.2))
    ax.axhline(1, color="0.4", linestyle="--", linewidth=1)
    ax.annotate("real time", (0, 1), xycoords=("axes fraction", "data"), xytext=(4, -11), textcoords="offset points",
                fontsize=8, color="0.35")  # fmt: skip
    for index, row in enumerate(known.sort_values("rtf").to_dict("records")):
        millions = row["this_run"] / 1e6
        ax.plot(millions, row["rtf"], marker="o", markersize=8, color=colour_of(row["system"]))
        # every second name to the left: the DDSP vocoders are of one size
        right = index % 2 == 1
        ax.annotate(row["label"].partition(" (")[0], (millions, row["rtf"]), xytext=(7 if right else -7, 0),
                    textcoords="offset points", va="center", ha="left" if right else "right", fontsize=9)  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    with_plain_numbers(ax.xaxis, steps=(1.0, 2.0, 5.0))
    with_plain_numbers(ax.yaxis)
    ax.margins(x=0.28, y=0.12)
    ax.set_xlabel("Trainable parameters in this run (millions)")
    ax.set_ylabel(f"Real-time factor\n({device})")
    ax.grid(visible=True)
    return figure


def listener_frame(reported: Reported) -> pd.DataFrame:
    """Ratings of the follow-up's listening test beside its metrics.

    Parameters
    ----------
    reported : Reported
        With ``follow_up`` and ``follow_up_listening``.

    Returns
    -------
    DataFrame
        ``system, voice, mos, half_width`` (of its 95 % interval), ``msstft_amplitude, mae_f0_floored, fad_vggish``.

    Notes
    -----
    All published: Yu and Fazekas 2023, repository. Notebook: 04_sawsing.ipynb.
    """
    ratings, metrics = reported.tables["follow_up_listening"], reported.tables["follow_up"]
    rows = []
    for name, row in metrics.rows.items():
        system, voice = row.label.partition(" of ")[0], name.partition("/")[2]
        rated = ratings.rows[name].values
        found = {"system": system, "voice": voice, "mos": rated["mos"], "half_width": rated["mos_half_width"]}
        rows.append(found | {key: row.values[key] for key in ("msstft_amplitude", "mae_f0_floored", "fad_vggish")})
    return pd.DataFrame(rows)


def plot_listeners(frame: pd.DataFrame) -> Figure:
    """Ratings against metrics: were a metric right, points would fall from left to right.

    Parameters
    ----------
    frame : DataFrame
        From :func:`listener_frame`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 3, figsize=(11.0, 3.7), sharey=True)
    systems = list(dict.fromkeys(frame["system"]))
    for ax, metric in zip(axes, ("msstft_amplitude", "mae_f0_floored", "fad_vggish"), strict=True):
        for index, system in enumerate(systems):
            for voice, (marker, _) in VOICES.items():
                part = frame[(frame["system"] == system) & (frame["voice"] == voice)]
                ax.errorbar(part[metric], part["mos"], yerr=part["half_width"], color=f"C{index}", marker=marker,
                            linestyle="none", linewidth=1.2)  # fmt: skip
        ax.set_xlabel(f"{AXES[metric]}, lower is better")
    axes[0].set_ylabel("Rating by listeners (1 to 5)")
    handles = [Line2D([], [], color=f"C{k}", linewidth=4, label=name) for k, name in enumerate(systems)]
    handles += [Line2D([], [], color="0.35", marker=marker, linestyle="none", label=name)
                for marker, name in VOICES.values()]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure
