"""Pictures of where knowledge comes from: sets of the pre-training, maps along the depth, numbers of labels."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reprise.papers.tune.figures_model import COLOURS, WORDS
from reprise.papers.tune.figures_results import AXES, colour_of, score_frame, spans
from reprise.papers.tune.outcome import label_of
from reprise.papers.tune.systems import split_condition
from reprise.report.draws import Draws
from reprise.report.figures import PAPER
from reprise.report.schema import Table

__all__ = ["SETS", "plot_label_efficiency", "plot_layers", "plot_transfer", "transfer_frame"]

LENGTHS = {"regular": "", "middle": "longer, ", "long": "longest, "}
SETS = {"mtt": "MagnaTagATune", "fma": "FMA", "gtzan": "GTZAN", "billboard": "Billboard"}


def transfer_frame(home: Table, elsewhere: Table, *, draws: Draws) -> pd.DataFrame:
    """Scores on MagnaTagATune after pre-training there and on other sets.

    Parameters
    ----------
    home : Table
        ``table_s1`` of ``reported.yaml``, which has CLMR after as many epochs as the others.
    elsewhere : Table
        ``table_2``, whose rows are conditions such as ``tune_plus@fma``.
    draws : Draws

    Returns
    -------
    DataFrame
        Long, as :func:`reprise.papers.tune.figures_results.score_frame`, with ``system`` and ``pretraining``; AUC and
        AP of linear probes; systems of ``elsewhere`` only. What this run cannot train on is left out where it is not
        published either.
    """
    systems = {split_condition(name).system for name in elsewhere.rows}
    metrics = ("auc", "ap")
    parts = [score_frame(table, draws, metrics=metrics, baselines=False) for table in (home, elsewhere)]
    frame = pd.concat(parts, ignore_index=True)
    named = [split_condition(name) for name in frame["condition"]]
    frame = frame.assign(
        system=[part.system for part in named],
        pretraining=[part.pretraining for part in named],
        length=[part.length for part in named],
    )
    kept = frame["system"].isin(systems) & (frame["length"] == "regular")
    return frame[kept].drop(columns="length").reset_index(drop=True)


def plot_transfer(frame: pd.DataFrame) -> Figure:
    """Scores by the set of the pre-training, ours with intervals and the paper's as open diamonds.

    Parameters
    ----------
    frame : DataFrame
        From :func:`transfer_frame`.

    Returns
    -------
    Figure
    """
    sets = [name for name in SETS if (frame["pretraining"] == name).any()]
    systems = list(dict.fromkeys(frame["system"]))
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.0))
    for ax, metric in zip(axes, ("auc", "ap"), strict=True):
        for index, system in enumerate(systems):
            part = frame[(frame["metric"] == metric) & (frame["system"] == system)].set_index("pretraining")
            part = part.reindex(sets)
            places = np.arange(len(sets)) + 0.2 * (index - (len(systems) - 1) / 2)
            ax.errorbar(places, part["ours"], yerr=spans(part, "ours"), fmt="o", color=colour_of(system), linewidth=1.3)
            ax.plot(places + 0.07, part["paper"], color=colour_of(system), zorder=1, **PAPER)
        ax.set_xticks(range(len(sets)), [SETS[name] for name in sets])
        ax.set_ylabel(AXES[metric])
        ax.set_xlabel("Set of the pre-training")
    handles = [Line2D([], [], color=colour_of(system), marker="o", linestyle="none", label=label_of(system))
               for system in systems]  # fmt: skip
    handles.append(Line2D([], [], color="0.35", label="paper", **PAPER))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def plot_layers(frames: Mapping[str, pd.DataFrame]) -> Figure:
    """AUC of linear probes on every block, in the order in which they run, with readings of the paper's figure.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Title → from :func:`reprise.papers.tune.blocks.layer_frame`, with conditions of one network.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(len(frames), 1, figsize=(9.6, 0.9 + 2.9 * len(frames)), squeeze=False)
    paths: dict[str, None] = {}
    lines: dict[str, Line2D] = {}
    for ax, (title, frame) in zip(axes[:, 0], frames.items(), strict=True):
        blocks = frame.drop_duplicates("block").reset_index(drop=True)
        places = np.arange(len(blocks))
        paths |= dict.fromkeys(blocks["path"])
        for path in dict.fromkeys(blocks["path"]):
            inside = places[blocks["path"] == path]
            ax.axvspan(inside.min() - 0.5, inside.max() + 0.5, color=COLOURS[path], alpha=0.28, linewidth=0, zorder=0)
        for index, (name, part) in enumerate(frame.groupby("condition", sort=False)):
            parts = split_condition(str(name))
            label = f"{LENGTHS[parts.length]}{SETS[parts.pretraining]}"
            colour = f"C{list(dict.fromkeys([*lines, label])).index(label)}"
            lines.setdefault(label, Line2D([], [], color=colour, marker="o", label=label))
            ran, shift = part["auc"].notna().to_numpy(), 0.08 * index
            ax.errorbar(places[ran] + shift, part["auc"][ran], yerr=spans(part[ran], "auc"), fmt="o-", color=colour,
                        linewidth=1.4)  # fmt: skip
            ax.plot(places + shift, part["paper"], color=colour,
                    **(PAPER | {"linestyle": "--", "linewidth": 1.0}))  # fmt: skip
        ax.set_xticks(places, [f"{row.block}\n{row.channels}" for row in blocks.itertuples()], fontsize=7.5)
        ax.set_xlim(-0.5, len(blocks) - 0.5)
        ax.set_ylabel(AXES["auc"])
        ax.set_title(title)
    axes[-1, 0].set_xlabel("Block, and its channels: what the probe sees")
    handles: list[Artist] = [*lines.values(), Line2D([], [], color="0.35", label="paper, read off", **PAPER)]
    handles += [Patch(facecolor=COLOURS[path], alpha=0.4, label=WORDS[path].split(" and ")[-1]) for path in paths]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def plot_label_efficiency(frame: pd.DataFrame) -> Figure:
    """Scores over the number of labelled clips that the probe saw.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.tune.comparisons.label_efficiency`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.2))
    systems = list(dict.fromkeys(frame["condition"]))
    for ax, metric in zip(axes, ("auc", "ap"), strict=True):
        for index, name in enumerate(systems):
            part = frame[(frame["condition"] == name) & (frame["metric"] == metric)]
            # neighbours are moved apart a little, or their intervals would cover each other
            x = part["n_clips"] * 1.04 ** (index - (len(systems) - 1) / 2)
            ax.errorbar(x, part["value"], yerr=spans(part, "value"), marker="o", color=colour_of(name),
                        linestyle=_LINES[index % len(_LINES)], linewidth=1.4, label=label_of(name))  # fmt: skip
        ax.set_xscale("log")
        counts = frame.drop_duplicates("percent")
        ticks = counts.drop_duplicates("n_clips")
        ax.set_xticks(ticks["n_clips"], [f"{row.n_clips}\n{row.percent:g} %" for row in ticks.itertuples()], fontsize=8)
        ax.set_xticks([], minor=True)
        ax.set_xlabel("Labelled training clips")
        ax.set_ylabel(AXES[metric])
    axes[0].axhline(50, color="0.5", linestyle=":", linewidth=1)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


_LINES = ("-", "--", "-.", ":")
