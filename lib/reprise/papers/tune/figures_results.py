"""Pictures of results: Table 1 as points, the length of the tail, longer pre-training, other sets and other tasks."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reprise.papers.tune.intervals import with_interval
from reprise.papers.tune.outcome import label_of
from reprise.papers.tune.systems import BASELINES, split_condition
from reprise.report.draws import Draws
from reprise.report.figures import PAPER
from reprise.report.schema import Table

__all__ = ["AXES", "colour_of", "epoch_frame", "plot_epochs", "plot_scores", "plot_tail", "score_frame", "spans"]

AXES = {
    "auc": "ROC-AUC (%)",
    "ap": "Average precision (%)",
    "auc_mlp": "ROC-AUC, two layers (%)",
    "ap_mlp": "Average precision, two layers (%)",
    "gtzan_accuracy": "GTZAN accuracy (%)",
    "key_score": "Key score (%)",
    "arousal_r2": "Arousal, R² (%)",
    "valence_r2": "Valence, R² (%)",
}
_COLOURS = {"tune_plus": "C0", "tail_5": "C1", "clmr": "C2", "clmr_tail": "C3", "vanilla": "C4"}
OTHERS, GREY = "C5", "0.55"


def colour_of(condition: str) -> str:
    """Colour of a condition, that of its system, the same in every figure.

    Parameters
    ----------
    condition : str

    Returns
    -------
    str
        Grey for what was not pre-trained.
    """
    system = split_condition(condition).system
    return GREY if system in BASELINES else _COLOURS.get(system, OTHERS)


def spans(frame: pd.DataFrame, value: str) -> np.ndarray:
    """Lengths of the error bars of a column.

    Parameters
    ----------
    frame : DataFrame
        With the columns ``<value>``, ``<value>_low`` and ``<value>_high``.
    value : str

    Returns
    -------
    ndarray [shape=(2, n)]
        Below and above; 0 where an end is not known.
    """
    centre, low, high = (frame[name].to_numpy(dtype=float) for name in (value, f"{value}_low", f"{value}_high"))
    return np.nan_to_num(np.maximum([centre - low, high - centre], 0))


def score_frame(
    table: Table, draws: Draws, *, metrics: Iterable[str], also: Iterable[str] = (), baselines: bool = True
) -> pd.DataFrame:
    """Rows of a published table with our numbers, and what was not pre-trained below them.

    Parameters
    ----------
    table : Table
        Rows named as conditions; others, such as those of neighbours, are left out.
    draws : Draws
    metrics : iterable of str
        Columns of the table, such as ``auc``.
    also : iterable of str
        Conditions that the table does not have and that are shown where they were run.
    baselines : bool
        Add the encoders that learned nothing.

    Returns
    -------
    DataFrame
        Long: ``condition, label, metric, ours, ours_low, ours_high, paper, n, difference``; NaN where there is no such
        number, and no row for conditions that have none at all.
    """
    named = [name for name in table.rows if _system_of(name) is not None]
    extra = [name for name in (*also, *(BASELINES if baselines else ())) if name not in named]
    rows = []
    for metric in metrics:
        for name in (*named, *extra):
            printed = table.rows[name].values.get(metric) if name in table.rows else None
            label = table.rows[name].label if name in table.rows else label_of(name)
            row = {"condition": name, "label": label, "metric": metric} | with_interval(draws, name, metric=metric,
                                                                                        prefix="ours")  # fmt: skip
            row["paper"] = float("nan") if printed is None else float(printed)
            rows.append(row | {"n": draws.n(name, metric) or None})
    frame = pd.DataFrame(rows).astype({"n": "Int64"})
    frame["difference"] = frame["ours"] - frame["paper"]
    either = frame.groupby("condition")[["ours", "paper"]].transform("count").sum(axis=1) > 0
    return frame[either].reset_index(drop=True)


def _system_of(name: str) -> str | None:
    """System of a row that is a condition, else None."""
    try:
        return split_condition(name).system
    except ValueError:
        return None


def plot_scores(frame: pd.DataFrame) -> Figure:
    """Conditions as rows of points, one panel per metric: ours with 95 % intervals, the paper's as open diamonds.

    Parameters
    ----------
    frame : DataFrame
        From :func:`score_frame`.

    Returns
    -------
    Figure
        Conditions that were not run have the paper's diamond alone.
    """
    metrics, conditions = (list(dict.fromkeys(frame[name])) for name in ("metric", "condition"))
    labels = frame.drop_duplicates("condition").set_index("condition")["label"]
    figure, axes = plt.subplots(1, len(metrics), figsize=(3.1 * len(metrics) + 2.2, 1.3 + 0.27 * len(conditions)),
                                sharey=True, squeeze=False)  # fmt: skip
    places = np.arange(len(conditions))
    for ax, metric in zip(axes.flat, metrics, strict=True):
        part = frame[frame["metric"] == metric].set_index("condition").reindex(conditions)
        errors, colours = spans(part, "ours"), np.array([colour_of(name) for name in conditions])
        for colour in dict.fromkeys(colours.tolist()):
            own = colours == colour
            ax.errorbar(part["ours"][own], places[own] - 0.12, xerr=errors[:, own], fmt="o", linewidth=1.3,
                        color=colour)  # fmt: skip
        ax.plot(part["paper"], places + 0.12, color="0.35", zorder=1, **PAPER)
        _chance(ax, metric)
        if metric.endswith("_r2"):
            # R² has no lower end, and intervals of few clips reach far down
            shown = np.concatenate([part["ours"].dropna(), part["paper"].dropna(), [0.0]])
            ax.set_xlim(max(ax.get_xlim()[0], shown.min() - 25), 102)
        ax.set_xlabel(AXES.get(metric, metric))
        ax.grid(visible=True, axis="x")
        ax.grid(visible=False, axis="y")
    axes[0, 0].set_yticks(places, [labels[name] for name in conditions])
    axes[0, 0].set_ylim(len(conditions) - 0.4, -0.6)
    handles = [Line2D([], [], color="0.2", marker="o", linestyle="none", label="ours, 95 % CI"),
               Line2D([], [], color="0.35", label="paper", **PAPER)]  # fmt: skip
    if "auc" in metrics or "auc_mlp" in metrics:
        handles.append(Line2D([], [], color="0.5", linestyle=":", label="chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _chance(ax: Axes, metric: str) -> None:
    """Chance of a ranking, where it is near what is shown."""
    if metric.startswith("auc") and ax.get_xlim()[0] < 60:
        ax.axvline(50, color="0.5", linestyle=":", linewidth=1)


def plot_tail(series: pd.DataFrame) -> Figure:
    """Scores over the number of tail blocks, ours and the paper's.

    Parameters
    ----------
    series : DataFrame
        From :func:`reprise.papers.tune.blocks.tail_series`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.9))
    places = series["tail"].to_numpy()
    for index, (ax, metric) in enumerate(zip(axes, ("auc", "ap"), strict=True)):
        ran = series[series[metric].notna()]
        ax.errorbar(
            ran["tail"], ran[metric], yerr=spans(ran, metric), fmt="o-", color=f"C{index}", label="ours, 95 % CI"
        )
        ax.plot(places, series[f"{metric}_paper"], color="0.35",
                **(PAPER | {"linestyle": "--", "linewidth": 1.0}), label="paper")  # fmt: skip
        words = [f"{row.tail}\n{row.length} left\nc = {row.filters}" for row in series.itertuples()]
        ax.set_xticks(places, words, fontsize=8)
        ax.set_ylabel(AXES[metric])
        ax.legend()
    figure.supxlabel("Tail blocks, points left for the mean, filters of the first block", fontsize=9.5)
    return figure


def epoch_frame(table: Table, draws: Draws, *, epochs: dict[str, int], metrics: Iterable[str] = ("auc", "ap"),
                printed: dict[str, int] | None = None) -> pd.DataFrame:  # fmt: skip
    """Scores over the length of pre-training.

    Parameters
    ----------
    table : Table
        ``table_s1`` of ``reported.yaml``.
    draws : Draws
    epochs : dict of str to int
        Length (regular, middle, long) → epochs of this run.
    metrics : iterable of str
    printed : dict of str to int or None
        The same of the paper; by default 1,000, 3,000 and 10,000.

    Returns
    -------
    DataFrame
        Long: ``condition, system, length, epochs, paper_epochs, metric, ours, ours_low, ours_high, paper, n``.
    """
    theirs = printed or {"regular": 1000, "middle": 3000, "long": 10000}
    frame = score_frame(table, draws, metrics=metrics, baselines=False)
    parts = [split_condition(name) for name in frame["condition"]]
    return frame.assign(
        system=[part.system for part in parts],
        length=[part.length for part in parts],
        epochs=[epochs[part.length] for part in parts],
        paper_epochs=[theirs[part.length] for part in parts],
    )


def plot_epochs(frame: pd.DataFrame) -> Figure:
    """Scores over epochs: ours on the left, the paper's on the right, as lengths and levels differ.

    Parameters
    ----------
    frame : DataFrame
        From :func:`epoch_frame`.

    Returns
    -------
    Figure
    """
    metrics = list(dict.fromkeys(frame["metric"]))
    figure, axes = plt.subplots(len(metrics), 2, figsize=(9.6, 1.1 + 2.3 * len(metrics)), squeeze=False, sharex="col")
    for row, metric in zip(axes, metrics, strict=True):
        for index, (name, part) in enumerate(frame[frame["metric"] == metric].groupby("system", sort=False)):
            style = {"color": colour_of(str(name)), "label": label_of(str(name))}
            ours = part[part["ours"].notna()].sort_values("epochs")
            # neighbours are moved apart a little, or their intervals would cover each other
            row[0].errorbar(
                ours["epochs"] * 1.03 ** (index - 1), ours["ours"], yerr=spans(ours, "ours"), fmt="o-", **style
            )
            theirs = part.sort_values("paper_epochs")
            row[1].plot(theirs["paper_epochs"], theirs["paper"], **(PAPER | {"linestyle": "--"}), **style)
        for ax in row:
            ax.set_ylabel(AXES[metric])
    for ax, key, title in (
        (axes[0, 0], "epochs", "ours, 95 % CI"),
        (axes[0, 1], "paper_epochs", "paper, one run each"),
    ):
        ax.set_title(title)
        ax.set_xscale("log")
        ticks = sorted(set(frame[key]))
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.set_xticks([], minor=True)
        ax.set_xlim(ticks[0] / 1.4, 1.4 * ticks[-1])
    for ax in axes[-1]:
        ax.set_xlabel("Epochs")
    figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
