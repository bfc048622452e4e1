"""Pictures of models and training: learning rates, architectures, S1 and S2 (Figures 4.1 to 4.3, section 4.7)."""

from collections.abc import Sequence
from math import log2
from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reprise.data.datasets.irmas import N_TRAINING
from reprise.models.aggregate import aggregate_s1, aggregate_s2
from reprise.papers.irmas.figures_features import show_picture
from reprise.training.schedules import polynomial_decay

if TYPE_CHECKING:
    from reprise.papers.irmas.settings import Settings

__all__ = [
    "aggregation",
    "learning_rates",
    "plot_aggregation",
    "plot_architecture",
    "plot_learning_rates",
]

PARTS = {"cnn": "small CNNs", "resnet": "ResNet", "ast_base": "AST, base", "ast_head": "AST, classifier"}
_POINTS = 400


def learning_rates(settings: "Settings", *, n_clips: int = N_TRAINING) -> pd.DataFrame:
    """Learning rate of every network over its training (Figure 4.1).

    Parameters
    ----------
    settings : Settings
    n_clips : int
        Training clips; the paper's by default.

    Returns
    -------
    DataFrame
        ``network, update, rate``, a few hundred updates of each; ``attrs["updates"]``.
    """
    updates = max(1, n_clips // settings.batch_size) * settings.epochs
    shown = np.unique(np.linspace(0, updates - 1, _POINTS).round().astype(int))
    # the peak lies between two points of an even grid
    shown = np.union1d(shown, np.array([int(settings.warmup * updates)]))
    rows = []
    for part in ("cnn", "resnet", "ast_base", "ast_head"):
        start, end = settings.rates(part)
        factor = polynomial_decay(
            updates=updates, start=start, end=end, power=settings.decay_power, warmup=settings.warmup
        )
        rates = [start * factor(int(update)) for update in shown]
        rows.append(pd.DataFrame({"network": PARTS[part], "update": shown, "rate": rates}))
    frame = pd.concat(rows, ignore_index=True)
    frame.attrs["updates"] = updates
    return frame


def plot_learning_rates(frame: pd.DataFrame) -> Figure:
    """Learning rates, of one network on a linear axis and of all on a logarithmic one.

    Parameters
    ----------
    frame : DataFrame
        From :func:`learning_rates`.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.6))
    names = list(dict.fromkeys(frame["network"]))
    for index, name in enumerate(names):
        part = frame[frame["network"] == name]
        right.plot(part["update"], part["rate"].where(part["rate"] > 0), color=f"C{index}", label=name)
        if index == 0:
            left.plot(part["update"], part["rate"])
    left.set_title(names[0])
    left.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    left.set_ylim(bottom=0)
    right.set_yscale("log")
    right.set_title("All")
    right.legend(ncols=2, loc="lower left")
    right.set_ylim(bottom=frame.loc[frame["rate"] > 0, "rate"].min() / 30)
    for ax in (left, right):
        ax.set_xlabel("Update")
        ax.set_ylabel("Learning rate")
    return figure


def plot_architecture(maps: pd.DataFrame, *, title: str) -> Figure:
    """The maps of a network as boxes, as high as their frequency axis and as wide as their time axis (both in octaves).

    Parameters
    ----------
    maps : DataFrame
        From :func:`reprise.papers.irmas.tables_models.feature_maps`.
    title : str

    Returns
    -------
    Figure
    """
    boxes = [_box([int(size) for size in str(shape).split(" × ")]) for shape in maps["ours"]]
    top = max(high for _, _, high, _ in boxes) / 2
    figure, ax = plt.subplots(figsize=(11.5, 1.7 + 0.42 * top * 2))
    left = 0.0
    for index, ((name, wide, high, flat), row) in enumerate(zip(boxes, maps.to_dict("records"), strict=True)):
        ax.add_patch(Rectangle((left, -high / 2), wide, high, facecolor="C1" if flat else "C0", alpha=0.55))
        ax.text(left + wide / 2, high / 2 + 0.12, name, ha="center", fontsize=9)
        if index:
            lines = str(row["operation"]).replace(", ", "\n").replace("Adaptive", "")
            count = f"{row['parameters']:,} weights" if row["parameters"] else ""
            ax.text(left - 0.55, -top - 0.2, f"{lines}\n{count}".strip(), ha="center", va="top", fontsize=7)
            ax.annotate(
                "", xy=(left - 0.08, 0), xytext=(left - 1.0, 0), arrowprops={"arrowstyle": "->", "color": "0.4"}
            )
        left += wide + 1.15
    ax.set_xlim(-0.2, left - 0.9)
    ax.set_ylim(-top - 1.9, top + 0.6)
    ax.set_axis_off()
    ax.set_title(title)
    return figure


def _box(sizes: list[int]) -> tuple[str, float, float, bool]:
    """Name, width and height of a map, and whether it has no axis left."""
    channels, *axes = sizes
    if all(size == 1 for size in axes):
        return f"{channels}", 0.5, 0.5 + 0.4 * log2(channels), True
    high = 0.5 + 0.5 * log2(axes[0]) if len(axes) == 2 else 0.5
    return f"{channels} @ {' × '.join(map(str, axes))}", 0.5 + 0.25 * log2(axes[-1]), high, False


def aggregation(
    probabilities: np.ndarray, classes: Sequence[str], *, targets: Sequence[str] = (), threshold: float = 0.5
) -> pd.DataFrame:
    """Scores of one clip by both ways of aggregation.

    Parameters
    ----------
    probabilities : ndarray [shape=(n_windows, n_classes)], 0 to 1
        Of the clip's windows, in time.
    classes : sequence of str
    targets : sequence of str
        Labels of the clip.
    threshold : float, in (0, 1)

    Returns
    -------
    DataFrame [one row per class]
        ``instrument, target, S1, S2, named_S1, named_S2`` and ``window_0``, …: the probabilities.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 4.7. Notebook: 05_irmas.ipynb.
    """
    windows = torch.as_tensor(probabilities, dtype=torch.float64)
    clip = torch.zeros(len(windows), dtype=torch.long)
    mean, relative = aggregate_s1(windows, clip)[0].numpy(), aggregate_s2(windows, clip)[0].numpy()
    frame = pd.DataFrame({"instrument": list(classes), "target": [name in set(targets) for name in classes]})
    frame = frame.assign(S1=mean, S2=relative, named_S1=mean > threshold, named_S2=relative > threshold)
    return frame.join(pd.DataFrame(windows.numpy().T, columns=[f"window_{k}" for k in range(len(windows))]))


def plot_aggregation(frame: pd.DataFrame, *, window_seconds: float, threshold: float = 0.5) -> Figure:
    """What S1 and S2 make of the windows of one clip.

    Parameters
    ----------
    frame : DataFrame
        From :func:`aggregation`.
    window_seconds : float, s
    threshold : float, in (0, 1)

    Returns
    -------
    Figure
    """
    windows = [name for name in frame.columns if name.startswith("window_")]
    figure, axes = plt.subplots(
        1, 3, figsize=(11.0, 1.4 + 0.26 * len(frame)), sharey=True, width_ratios=[2.2, 1.0, 1.0]
    )
    rows = (len(frame) - 0.5, -0.5)
    seconds = len(windows) * window_seconds
    values = frame[windows].to_numpy()
    shown = show_picture(
        axes[0],
        values,
        seconds=seconds,
        rows=rows,
        vmin=0,
        vmax=1,
        cmap="viridis",
        origin="upper",
        interpolation="none",
    )
    figure.colorbar(shown, ax=axes[0], label="probability")
    axes[0].set_title(f"{len(windows)} windows of {window_seconds:g} s")
    axes[0].set_xlabel("Time (s)")
    places = np.arange(len(frame))
    titles = {"S1": "S1: mean", "S2": "S2: relative to the strongest"}
    for ax, (name, title) in zip(axes[1:], titles.items(), strict=True):
        named = frame[f"named_{name}"].to_numpy()
        ax.barh(places, frame[name], height=0.65, color=np.where(named, "C1", "0.75"))
        ax.axvline(threshold, color="0.3", linestyle="--", linewidth=1)
        ax.set_xlim(0, 1.02)
        names = fill(f"names {', '.join(frame['instrument'][named]) or 'nothing'}", 28)
        ax.set_title(f"{title}\n{names}", fontsize=9)
        ax.set_xticks([0, threshold, 1])
        ax.set_xlabel("Score")
        ax.grid(visible=False)
    labels = [
        f"{'▶ ' if target else ''}{name}" for name, target in zip(frame["instrument"], frame["target"], strict=True)
    ]
    axes[0].set_yticks(places, labels)
    axes[0].set_ylabel("▶ is in the clip")
    return figure
