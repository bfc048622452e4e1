"""Pictures of the clips: how often tags occur, how well they are found, and which clips are alike to an encoder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reprise.papers.tune.figures_results import AXES, colour_of, spans
from reprise.papers.tune.outcome import label_of

if TYPE_CHECKING:
    from reprise.papers.tune.corpus import Clips

__all__ = ["plot_map", "plot_prevalence", "plot_tags", "prevalence_frame"]

SIDES = {"train": ("C0", "o"), "valid": ("C5", "s"), "test": ("C1", "D")}
NO_TAG = ("other", "no tag")


def prevalence_frame(clips: "Clips") -> pd.DataFrame:
    """How often each tag occurs on each side.

    Parameters
    ----------
    clips : Clips
        Of MagnaTagATune.

    Returns
    -------
    DataFrame
        ``tag, train, valid, test`` (share of the side's clips, 0 to 1), ``train_clips, valid_clips, test_clips``, in
        the order of frequency on the training side; last a row ``without any tag``.
    """
    targets = np.asarray(clips.targets).astype(bool)
    columns: dict[str, Any] = {"tag": [*clips.tags, "without any tag"]}
    for side in SIDES:
        own = targets[clips.rows(side)]
        counts = np.append(own.sum(axis=0), (~own.any(axis=1)).sum())
        columns |= {side: counts / max(1, len(own)), f"{side}_clips": counts}
    frame = pd.DataFrame(columns)
    order = np.argsort(-frame["train"].to_numpy()[:-1], kind="stable")
    return frame.iloc[[*order, len(frame) - 1]].reset_index(drop=True)


def plot_prevalence(frame: pd.DataFrame) -> Figure:
    """Shares of the clips with each tag, one mark per side.

    Parameters
    ----------
    frame : DataFrame
        From :func:`prevalence_frame`.

    Returns
    -------
    Figure
    """
    figure, ax = plt.subplots(figsize=(min(14.0, max(5.0, 2.0 + 0.24 * len(frame))), 3.9))
    places = np.arange(len(frame))
    ax.bar(places, 100 * frame["train"], color="0.9", width=0.85)
    for side, (colour, marker) in SIDES.items():
        ax.plot(places, 100 * frame[side], linestyle="none", marker=marker, color=colour, markersize=4, label=side)
    ax.set_xticks(places, frame["tag"], rotation=90, fontsize=8)
    ax.set_xlim(-0.8, len(frame) - 0.2)
    ax.set_ylabel("Clips with the tag (%)")
    ax.legend(ncols=3, loc="upper center")
    return figure


def plot_tags(frame: pd.DataFrame, *, metric: str = "auc", most: int = 50) -> Figure:
    """How well each tag is found, in the order of the first condition; the size of a mark is its frequency.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.tune.comparisons.tag_frame`.
    metric : "auc" or "ap"
    most : int ≥ 1
        Tags shown: the most frequent ones.

    Returns
    -------
    Figure
        Tags without a positive test clip are left out. For AP the share of positive clips, which is chance, is drawn.
    """
    conditions = list(dict.fromkeys(frame["condition"]))
    first = frame[(frame["condition"] == conditions[0]) & frame[metric].notna()]
    tags = first.nlargest(most, "positives").sort_values(metric, ascending=False)["tag"].tolist()
    figure, ax = plt.subplots(figsize=(min(14.0, max(7.0, 2.2 + 0.25 * len(tags))), 4.2))
    places = np.arange(len(tags))
    for index, name in enumerate(conditions):
        part = frame[frame["condition"] == name].set_index("tag").reindex(tags)
        x = places + 0.22 * (index - (len(conditions) - 1) / 2)
        ax.errorbar(x, part[metric], yerr=spans(part, metric), fmt="o", markersize=4, linewidth=0.9, capsize=0,
                    color=colour_of(name), label=label_of(name))  # fmt: skip
    if metric == "ap":
        part = frame[frame["condition"] == conditions[0]].set_index("tag").reindex(tags)
        ax.plot(places, 100 * part["test_share"], color="0.4", marker="_", markersize=9, linestyle="none",
                label="share of positive clips (chance)")  # fmt: skip
    else:
        ax.axhline(50, color="0.5", linestyle=":", linewidth=1)
    positives = first.set_index("tag")["positives"]
    ax.set_xticks(places, [f"{tag} ({positives[tag]})" for tag in tags], rotation=90, fontsize=8)
    ax.set_xlim(-0.8, len(tags) - 0.2)
    ax.set_ylabel(AXES[metric])
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def plot_map(frames: Mapping[str, pd.DataFrame]) -> Figure:
    """Maps of the test clips, those that are alike to an encoder beside each other, coloured by tag.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Title → from :func:`reprise.papers.tune.neighbours.embedding_map`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, len(frames), figsize=(4.9 * len(frames) + 0.4, 4.7), squeeze=False)
    tags = pd.concat([frame["tag"] for frame in frames.values()]).value_counts().index.tolist()
    colours = {tag: f"C{index}" for index, tag in enumerate(tag for tag in tags if tag not in NO_TAG)}
    for ax, (title, frame) in zip(axes[0], frames.items(), strict=True):
        # what has no colour of its own lies below the rest
        for tag in sorted(tags, key=lambda name: name not in NO_TAG):
            part = frame[frame["tag"] == tag]
            ax.plot(part["x"], part["y"], linestyle="none", marker="o", markersize=5 if len(frame) < 300 else 2.5,
                    color=colours.get(tag, "0.8" if tag == "other" else "0.9"), alpha=0.85, label=tag)  # fmt: skip
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(visible=False)
        ax.set_title(title)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
