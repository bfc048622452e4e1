"""Figure 1 from the live network: contractive path, bottom, expansive path and tail with all their links."""

from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch
from matplotlib.ticker import MaxNLocator
from torch import nn

from reprise.models.tune import TUNe, shape_trace
from reprise.papers.tune.blocks import block_names

__all__ = ["COLOURS", "WORDS", "architecture", "block_steps", "plot_architecture", "plot_blocks", "plot_lengths"]

COLOURS = {"contractive": "#9CC9E3", "bottom": "#F3C9A5", "expansive": "#A9D8C3", "tail": "#D9C2E0"}
WORDS = {
    "contractive": "contractive block",
    "bottom": "bottom of the U",
    "expansive": "transposed convolution and expansive block",
    "tail": "tail block",
}
# of a link that the plus stands for
PLUS = "#D55E00"
HALF_WIDTH, HALF_HEIGHT = 0.4, 0.3


def architecture(encoder: nn.Module, *, length: int = 59_049) -> pd.DataFrame:
    """Blocks of an encoder with their places in Figure 1 and what they receive.

    Parameters
    ----------
    encoder : TUNe, CLMRTail or SampleCNN
    length : int, samples

    Returns
    -------
    DataFrame
        The convolution blocks of :func:`reprise.models.unet.shape_trace` in the order in which they run: ``name``
        (Contr-1, …, Bot-U, Expa-1, …, Tail-1, …), ``path, channels, length, parameters`` (with the transposed
        convolution before it), ``depth`` (the input's length over its own, as a power of three), ``link`` (name of the
        earlier block whose output it also receives, or empty) and ``link_channels``.

    Notes
    -----
    Links are not written down anywhere: they follow from the channels that a block takes beyond those of the block
    before it. Paper: Vélez Vásquez and Burgoyne 2022, Figure 1. Notebook: 03_tune.ipynb.
    """
    trace = shape_trace(encoder, length=length)
    rows: list[dict[str, Any]] = []
    names = iter(block_names(trace))
    pending, arriving = 0, 1
    for block in trace.to_dict("records"):
        if block["kind"] == "up":
            pending, arriving = block["parameters"], block["channels"]
            continue
        extra = block["in_channels"] - arriving
        source = next((row for row in reversed(rows) if extra and _fits(row, block["length"], extra)), None)
        rows.append(
            {
                "name": next(names),
                **{key: block[key] for key in ("path", "channels", "length")},
                "parameters": block["parameters"] + pending,
                "depth": round(np.log(length / block["length"]) / np.log(3)),
                "link": "" if source is None else source["name"],
                "link_channels": extra,
            }
        )
        pending, arriving = 0, block["channels"]
    return pd.DataFrame(rows)


def _fits(row: dict[str, Any], length: int, channels: int) -> bool:
    return row["length"] == length and row["channels"] == channels and row["path"] != "tail"


def plot_architecture(frame: pd.DataFrame, *, title: str = "TUNe+") -> Figure:
    """The network as the paper draws it: down the contractive path, up the expansive one, down the tail.

    Parameters
    ----------
    frame : DataFrame
        From :func:`architecture`.
    title : str

    Returns
    -------
    Figure
        Blocks stand at the depth of their lengths; the number in a block is its channels.
    """
    depths = int(frame["depth"].max())
    figure, ax = plt.subplots(figsize=(1.4 + 0.62 * len(frame), 1.7 + 0.46 * depths))
    points = [(float(index), -float(depth)) for index, depth in enumerate(frame["depth"])]
    places = dict(zip(frame["name"], points, strict=True))
    lengths = frame.groupby("depth")["length"].first()
    for depth, length in zip(lengths.index, lengths, strict=True):
        ax.axhline(-depth, color="0.93", linewidth=1, zorder=0)
        ax.text(-0.9, -depth, f"{length:,}", ha="right", va="center", fontsize=8, color="0.35")
    for before, after in pairwise(points):
        _arrow(ax, before, after, colour="0.45")
    for point, link, path in zip(points, frame["link"], frame["path"], strict=True):
        if link:
            _link(ax, places[link], point, colour=PLUS if path == "tail" else "0.45")
    for (x, y), row in zip(points, frame.itertuples(), strict=True):
        ax.add_patch(FancyBboxPatch((x - HALF_WIDTH, y - HALF_HEIGHT), 2 * HALF_WIDTH, 2 * HALF_HEIGHT,
                                    boxstyle="round,pad=0,rounding_size=0.08", facecolor=COLOURS[str(row.path)],
                                    edgecolor="white", linewidth=0.8, zorder=3))  # fmt: skip
        ax.text(x, y, f"{row.channels}", ha="center", va="center", fontsize=8, zorder=4)
    ax.text(points[-1][0] + 0.55, points[-1][1], f"mean over time:\n{frame['channels'].iloc[-1]} numbers", fontsize=8.5,
            va="center")  # fmt: skip
    ax.text(-0.9, 0.75, "points", ha="right", fontsize=8, color="0.35")
    handles: list[Artist] = [Patch(facecolor=COLOURS[path], label=WORDS[path]) for path in dict.fromkeys(frame["path"])]
    linked = frame.loc[frame["link"] != "", "path"]
    for there, colour, label in (
        ((linked != "tail").any(), "0.45", "skip link"),
        ((linked == "tail").any(), PLUS, "link that makes the plus"),
    ):
        if there:
            handles.append(plt.Line2D([], [], color=colour, linestyle="--", label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
    ax.set_xlim(-2.3, len(frame) + 2.1)
    ax.set_ylim(-depths - 0.6, 1.1)
    ax.set_axis_off()
    ax.set_title(f"{title}: {int(frame['parameters'].sum()):,} weights in the encoder")
    return figure


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], *, colour: str) -> None:
    ax.annotate("", xy=(end[0] - HALF_WIDTH * 0.6, end[1] + np.sign(start[1] - end[1]) * HALF_HEIGHT), xytext=(
        start[0] + HALF_WIDTH * 0.6, start[1] - np.sign(start[1] - end[1]) * HALF_HEIGHT),
        arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 0.9}, zorder=2)  # fmt: skip


def _link(ax: Axes, start: tuple[float, float], end: tuple[float, float], *, colour: str) -> None:
    style = {"arrowstyle": "->", "color": colour, "linestyle": "--", "linewidth": 1.1}
    ax.annotate("", xy=(end[0] - HALF_WIDTH, end[1]), xytext=(start[0] + HALF_WIDTH, start[1]), arrowprops=style,
                zorder=1)  # fmt: skip


def plot_lengths(frames: dict[str, pd.DataFrame]) -> Figure:
    """How long the maps of several encoders are, from block to block, and how many numbers they hold.

    Parameters
    ----------
    frames : dict of str to DataFrame
        Label → from :func:`architecture`.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.8), sharex=True)
    for index, (label, frame) in enumerate(frames.items()):
        style = {"color": f"C{index}", "label": label, "marker": "o", "markersize": 3.5, "linewidth": 1.4,
                 "linestyle": ("-", "--")[index % 2]}  # fmt: skip
        places = np.arange(1, len(frame) + 1)
        left.plot(places, frame["length"], **style)
        right.plot(places, frame["length"] * frame["channels"], **style)
    for ax, name in ((left, "Points in time"), (right, "Numbers in the map")):
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("Block")
        ax.set_ylabel(name)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def block_steps(encoder: TUNe) -> dict[str, list[str]]:
    """What a contractive, an expansive and a tail block do, read off the first of each (Figure S1).

    Parameters
    ----------
    encoder : TUNe

    Returns
    -------
    dict of str to list of str
        Kind → its steps in order.
    """
    unet = encoder.unet
    kinds: dict[str, list[nn.Module | str]] = {
        "contractive block": [*unet.contractive[0].children(), unet.pool],
        "expansive block": [unet.up[0], "beside it: contractive\nblock of this\nlength", *unet.expansive[0].children()],
        "tail block": [encoder.pool, *encoder.tail[0].children()],
    }
    if encoder.plus:
        kinds["tail block"].insert(1, "beside it: U's block\nof this length\n(the plus)")
    return {
        kind: [step if isinstance(step, str) else _in_words(step) for step in steps] for kind, steps in kinds.items()
    }


def _in_words(module: nn.Module) -> str:
    if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
        kind = "transposed\nconvolution" if isinstance(module, nn.ConvTranspose1d) else "convolution"
        channels = f"{module.in_channels} → {module.out_channels}"
        return f"{kind}\n{channels}\nkernel {module.kernel_size[0]}, stride {module.stride[0]}"
    if isinstance(module, nn.MaxPool1d):
        return f"maximum\nof {module.kernel_size}"
    return {"BatchNorm1d": "batch norm", "ReLU": "ReLU"}.get(type(module).__name__, type(module).__name__)


def plot_blocks(steps: dict[str, list[str]]) -> Figure:
    """The three kinds of blocks as rows of boxes.

    Parameters
    ----------
    steps : dict of str to list of str
        From :func:`block_steps`.

    Returns
    -------
    Figure
    """
    colours = dict(zip(steps, (COLOURS["contractive"], COLOURS["expansive"], COLOURS["tail"]), strict=True))
    figure, ax = plt.subplots(figsize=(9.6, 4.0))
    for index, (kind, names) in enumerate(steps.items()):
        y = -1.5 * index
        ax.text(-1.0, y, kind, ha="right", va="center", fontsize=10)
        for place, name in enumerate(names):
            x = 1.9 * place
            beside = name.startswith("beside")
            ax.add_patch(FancyBboxPatch((x - 0.78, y - 0.5), 1.56, 1.0, boxstyle="round,pad=0,rounding_size=0.1",
                                        facecolor="white" if beside else colours[kind],
                                        edgecolor="0.5" if beside else "white",
                                        linestyle="--" if beside else "-"))  # fmt: skip
            ax.text(x, y, name.removeprefix("beside it: "), ha="center", va="center", fontsize=8)
            if place:
                ax.annotate("", xy=(x - 0.8, y), xytext=(x - 1.1, y), arrowprops={"arrowstyle": "->", "color": "0.45"})
    ax.set_xlim(-3.0, 1.9 * max(len(names) for names in steps.values()))
    ax.set_ylim(-1.5 * len(steps) + 0.8, 0.75)
    ax.set_axis_off()
    return figure
