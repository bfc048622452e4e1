"""Results as points with intervals: both scenarios, what little data costs, variants of SawSing."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reprise.papers.sawsing.figures_rows import AXES, VOICES, beyond, in_short, inside, lie_down, reach, spans
from reprise.papers.sawsing.outcome import label_of
from reprise.papers.sawsing.systems import PAPER_SYSTEMS
from reprise.report.draws import Draws
from reprise.report.figures import PAPER
from reprise.report.schema import Table

__all__ = ["plot_gaps", "plot_scenarios", "plot_variants", "scenario_frame"]

REGULAR, LIMITED = "#0072B2", "#D55E00"


def scenario_frame(
    draws: Draws, demo: Table, *, metrics: Iterable[str] = ("msstft", "mae_f0", "vuv_error"), voice: str | None = None
) -> pd.DataFrame:
    """Every system in both scenarios, ours and on the authors' demo page.

    Parameters
    ----------
    draws : Draws
    demo : Table
        ``demo_audio`` of ``reported.yaml``, with one row per system, scenario and voice.
    metrics : iterable of str
        Columns of ``demo``, none of which can be below 0.
    voice : "female", "male" or None
        None: all of our singers together.

    Returns
    -------
    DataFrame
        Long: ``system, label, scenario, metric, ours, low, high, n, demo_female, demo_male``; NaN where something was
        not run. Systems with nothing of ours are left out.
    """
    rows = []
    for system in PAPER_SYSTEMS:
        for scenario, arrow in (("regular", ""), ("limited", ">limited")):
            condition = f"{system}{arrow}"
            own = f"{condition}/{voice}" if voice else condition
            for metric in metrics:
                ran = draws.has(own, metric)
                low, high = draws.interval(own, metric) if ran else (np.nan, np.nan)
                row: dict[str, object] = {
                    "system": system,
                    "label": label_of(system),
                    "scenario": scenario,
                    "metric": metric,
                    "ours": draws.value(own, metric) if ran else np.nan,
                    "low": low,
                    "high": high,
                    "n": draws.n(own, metric) if ran else None,
                }
                for name in VOICES:
                    printed = demo.rows.get(f"{condition}/{name}")
                    row[f"demo_{name}"] = np.nan if printed is None else printed.values[metric]
                rows.append(row)
    frame = pd.DataFrame(rows).astype({"n": "Int64"})
    return frame[frame.groupby("system")["ours"].transform("count") > 0].reset_index(drop=True)


def plot_scenarios(frame: pd.DataFrame) -> Figure:
    """Systems in the regular and the limited scenario as points with intervals, the demo page's audio as open marks.

    Parameters
    ----------
    frame : DataFrame
        From :func:`scenario_frame`.

    Returns
    -------
    Figure
        Numbers far above all others are drawn as triangles at the edge.
    """
    metrics, systems = (list(dict.fromkeys(frame[name])) for name in ("metric", "system"))
    figure, axes = plt.subplots(1, len(metrics), figsize=(3.2 * len(metrics) + 1.3, 1.4 + 0.48 * len(systems)),
                                sharey=True, squeeze=False)  # fmt: skip
    for ax, metric in zip(axes.flat, metrics, strict=True):
        part = frame[frame["metric"] == metric]
        limits = reach(*(part[name] for name in ("ours", "demo_female", "demo_male")))
        for index, (scenario, colour) in enumerate((("regular", REGULAR), ("limited", LIMITED))):
            rows = part[part["scenario"] == scenario].set_index("system").reindex(systems).reset_index()
            places = np.arange(len(systems)) + 0.3 * (index - 0.5)
            _points(ax, rows, places, limits=limits, colour=colour)
        ax.set_xlim(left=0)
        ax.set_xlabel(AXES.get(metric, metric))
        lie_down(ax)
    labels = frame.drop_duplicates("system")["label"]
    axes[0, 0].set_yticks(range(len(systems)), labels)
    axes[0, 0].set_ylim(len(systems) - 0.4, -0.6)
    handles = [Line2D([], [], color=colour, marker="o", linestyle="none", label=f"{name}, ours with 95 % CI")
               for name, colour in (("regular", REGULAR), ("limited", LIMITED))]  # fmt: skip
    handles += [Line2D([], [], color="0.35", label=f"demo page, {name}", **(PAPER | {"marker": marker}))
                for marker, name in VOICES.values()]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _points(ax: Axes, rows: pd.DataFrame, places: np.ndarray, *, limits: tuple[float, float], colour: str) -> None:
    ours = inside(rows["ours"], limits)
    ax.errorbar(ours, places, xerr=spans(rows, "ours", low="low", high="high"), fmt="o", color=colour, linewidth=1.3)
    demo = [rows[f"demo_{name}"] for name in VOICES]
    for (marker, _), values in zip(VOICES.values(), demo, strict=True):
        ax.plot(inside(values, limits), places, color=colour, zorder=1, **(PAPER | {"marker": marker}))
    beyond(ax, [rows["ours"], *demo], places=places, limits=limits, colour=colour)


def plot_gaps(table: pd.DataFrame) -> Figure:
    """What little data and time cost each system: from regular to limited, and the difference.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.sawsing.comparisons.gap_table`.

    Returns
    -------
    Figure
    """
    places = np.arange(len(table))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 1.5 + 0.4 * len(table)), sharey=True,
                                         width_ratios=[1.4, 1.0])  # fmt: skip
    limits = reach(*(table[name] for name in ("regular", "limited", "demo_regular", "demo_limited")))
    left.hlines(places, *(table[name].clip(*limits) for name in ("regular", "limited")), color="0.75", linewidth=2.5)
    for name, colour in (("regular", REGULAR), ("limited", LIMITED)):
        _pair(left, table, name, limits=limits, colour=colour, label=name)
    beyond(left, [table["regular"], table["limited"]], places=places, limits=limits, colour="0.35")
    right.axvline(0, color="0.4", linewidth=1)
    limits = reach(table["gap"], table["demo_gap"])
    _pair(right, table, "gap", limits=limits, colour="0.15", label="limited − regular")
    beyond(right, [table["gap"]], places=places, limits=limits, colour="0.15")
    left.set_xlabel(AXES["msstft"])
    right.set_xlabel(AXES["msstft_gap"])
    right.plot([], [], color="0.35", label="demo page, mean of both voices", **PAPER)
    left.set_yticks(places, table["label"])
    left.set_ylim(len(table) - 0.4, -0.6)
    handles, labels = ([*a, *b] for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels(),
                                                strict=True))  # fmt: skip
    for ax in (left, right):
        lie_down(ax)
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _pair(ax: Axes, table: pd.DataFrame, name: str, *, limits: tuple[float, float], colour: str, label: str) -> None:
    """Ours with intervals, and below it the demo page's."""
    places = np.arange(len(table))
    errors = spans(table, name, low=f"{name}_low", high=f"{name}_high")
    ax.errorbar(inside(table[name], limits), places, xerr=errors, fmt="o", color=colour, linewidth=1.3, label=label)
    ax.plot(inside(table[f"demo_{name}"], limits), places + 0.28, color=colour, **PAPER)


def plot_variants(table: pd.DataFrame, *, metrics: Iterable[str] | None = None) -> Figure:
    """Variants of SawSing: differences from SawSing with intervals, one panel per metric.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.sawsing.comparisons.ablation_table`.
    metrics : iterable of str or None
        Panels; default: MSSTFT, the same at the best lag, lag, phase deviation, buzz, as far as there are.

    Returns
    -------
    Figure
    """
    wanted = metrics or ("msstft", "msstft_delayed", "lag", "phase_deviation", "buzz_unvoiced")
    variants = table[table["variant"] != "sawsing"]
    own = table[table["variant"] == "sawsing"].set_index("metric")["value"]
    shown = [name for name in wanted if name in set(variants["metric"])]
    names = list(dict.fromkeys(variants["variant"]))
    figure, axes = plt.subplots(1, max(1, len(shown)), figsize=(2.25 * len(shown) + 2.6, 1.3 + 0.36 * len(names)),
                                sharey=True, squeeze=False)  # fmt: skip
    places = np.arange(len(names))
    for ax, metric in zip(axes.flat, shown, strict=False):
        part = variants[variants["metric"] == metric].set_index("variant").reindex(names)
        errors = spans(part, "difference", low="difference_low", high="difference_high")
        ax.axvline(0, color="0.4", linewidth=1)
        limits = reach(part["difference"])
        ax.errorbar(inside(part["difference"], limits), places, xerr=errors, fmt="o", linewidth=1.3)
        beyond(ax, [part["difference"]], places=places, limits=limits, colour="C0")
        name = AXES.get(metric, metric).replace("\n", " ").partition(" (")[0]
        ax.set_title(f"{name}\nSawSing: {in_short(own[metric])}", fontsize=8.5)
        ax.locator_params(axis="x", nbins=5)
        lie_down(ax)
    labels = variants.drop_duplicates("variant").set_index("variant")["label"]
    axes[0, 0].set_yticks(places, [labels[name].removeprefix("SawSing").lstrip(", ") for name in names])
    axes[0, 0].set_ylim(len(names) - 0.45, -0.55)
    figure.supxlabel("Variant minus SawSing, 95 % CI", fontsize=10)
    return figure
