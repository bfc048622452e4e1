"""Pictures of pre-training: losses against chance, one crop under each change, and which views find each other."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from reprise.audio.features import mel_spectrogram, power_to_db
from reprise.audio.view_settings import TRANSFORMS, ViewSettings
from reprise.audio.views import ViewAugment
from reprise.papers.tune.figures_results import colour_of
from reprise.seeds import torch_generator
from reprise.training.contrastive import chance_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["plot_curves", "plot_similarity", "plot_views", "similarity_frame", "single_changes"]

N_FFT, HOP_LENGTH, N_MELS = 2048, 512, 64
COLUMNS = 5
NAMES = {
    "polarity": "upside down",
    "noise": "noise",
    "gain": "quieter",
    "filter": "filter",
    "delay": "echo",
    "pitch": "pitch shift",
    "reverb": "reverb",
}
# dB below the peak
DEEPEST = -70.0
_LINES = ("-", "--", "-.", ":")


def plot_curves(curves: pd.DataFrame, *, n_visible: int) -> Figure:
    """Loss and share of found partners over steps, against what chance gives.

    Parameters
    ----------
    curves : DataFrame
        From :func:`reprise.papers.tune.comparisons.learning_curves`.
    n_visible : int ≥ 2
        Clips that see each other in the loss.

    Returns
    -------
    Figure
        Lines are means over seeds, bands go from the lowest to the highest, thin lines are the validation clips.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.8, 4.2))
    used: dict[str, int] = {}
    for name, part in curves.groupby("condition", sort=False):
        colour = colour_of(str(name))
        # several conditions of one colour
        used[colour] = used.get(colour, -1) + 1
        style = {
            "color": colour,
            "linestyle": _LINES[used[colour] % 4],
            "linewidth": 1.5,
            "marker": "o",
            "markersize": 2.5,
        }
        left.plot(part["step"], part["loss"], label=part["label"].iloc[0], **style)
        if (part["n"] > 1).any():
            left.fill_between(part["step"], part["lowest"], part["highest"], color=style["color"], alpha=0.15,
                              linewidth=0)  # fmt: skip
        left.plot(part["step"], part["valid_loss"], **(style | {"linewidth": 0.7}))
        right.plot(part["step"], 100 * part["pair_accuracy"], **style)
    left.axhline(chance_loss(n_visible), color="0.4", linestyle=":", linewidth=1)
    left.annotate(f"chance, ln {2 * n_visible - 1} = {chance_loss(n_visible):.2f}", (0.99, chance_loss(n_visible)),
                  xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8,
                  color="0.4")  # fmt: skip
    right.axhline(100 / (2 * n_visible - 1), color="0.4", linestyle=":", linewidth=1)
    left.set_ylabel("NT-Xent")
    right.set_ylabel("Views that find their partner (%)")
    right.set_ylim(bottom=0)
    for ax in (left, right):
        ax.set_xlabel("Steps")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def single_changes(
    crop: Tensor, *, settings: ViewSettings | None = None, sample_rate: int = 22_050, seed: int = 0
) -> dict[str, Tensor]:
    """One crop as it is, after each change alone, and after two draws of all of them.

    Parameters
    ----------
    crop : Tensor [shape=(time,)], float32
    settings : ViewSettings or None
        Ranges; those of the code behind the paper by default.
    sample_rate : int, Hz
    seed : int
        Of the draws.

    Returns
    -------
    dict of str to Tensor [shape=(time,)]
        ``original``, the names of ``TRANSFORMS``, ``view 1``, ``view 2``; each change is certain to happen when it is
        shown alone.
    """
    ranges = settings or ViewSettings()
    found = {"original": crop}
    y = crop[None].float()
    for name in TRANSFORMS:
        certain = type(ranges)(**(vars(ranges) | {other: float(other == name) for other in TRANSFORMS}))
        augment = ViewAugment(certain, sample_rate=sample_rate)
        found[name] = augment(y, generator=torch_generator("tune", "changes", seed))[0]
    both = ViewAugment(ranges, sample_rate=sample_rate).pair(y, y, generator=torch_generator("tune", "views", seed))
    return found | {"view 1": both[0][0], "view 2": both[1][0]}


def plot_views(changed: "Mapping[str, Tensor]", *, sample_rate: int = 22_050) -> Figure:
    """Mel spectrograms of one crop under each change and under all of them, with their loudness.

    Parameters
    ----------
    changed : mapping of str to Tensor [shape=(time,)]
        From :func:`single_changes`.
    sample_rate : int, Hz

    Returns
    -------
    Figure
        All pictures share one scale, dB below the peak of the original.
    """
    names = list(changed)
    n_rows = -(-len(names) // COLUMNS)
    batch = torch.stack([changed[name] for name in names]).float()
    power = mel_spectrogram(batch, sample_rate=sample_rate, n_mels=N_MELS, n_fft=N_FFT, hop_length=HOP_LENGTH)
    reference = float(power_to_db(power[:1], top_db=None).max())
    pictures = (power_to_db(power, top_db=None) - reference).clamp(DEEPEST, 0).numpy()
    levels = 20 * torch.log10(batch.square().mean(dim=1).sqrt().clamp_min(1e-8))
    seconds = batch.shape[1] / sample_rate
    # places by hand: to find them for so many pictures takes longer than to draw them
    height = 0.7 + 1.9 * n_rows
    figure, axes = plt.subplots(n_rows, COLUMNS, figsize=(11.0, height), squeeze=False, layout="none")
    figure.subplots_adjust(left=0.065, right=0.89, top=1 - 0.3 / height, bottom=0.5 / height, wspace=0.08, hspace=0.22)
    for place, ax in enumerate(axes.flat):
        if place >= len(names):
            ax.set_visible(False)
            continue
        shown = ax.imshow(pictures[place], origin="lower", aspect="auto", extent=(0, seconds, 0, N_MELS), vmin=DEEPEST,
                          vmax=0, interpolation="nearest")  # fmt: skip
        change = f"{levels[place] - levels[0]:+.1f} dB".replace("-", "−")
        ax.set_title(f"{NAMES.get(names[place], names[place])}  ({change})", fontsize=9)
        ax.grid(visible=False)
        ax.set_yticks([0, N_MELS // 2, N_MELS] if place % COLUMNS == 0 else [])
        if place % COLUMNS == 0:
            ax.set_ylabel("Mel band", fontsize=9)
        ax.set_xticks(range(int(seconds) + 1) if place + COLUMNS >= len(names) else [])
    figure.supxlabel("Time (s)", fontsize=10)
    figure.colorbar(shown, cax=figure.add_axes((0.91, 0.15, 0.015, 0.7)), label="dB below the original's peak")
    return figure


def similarity_frame(z_a: Tensor, z_b: Tensor, *, names: list[str] | None = None) -> pd.DataFrame:
    """Cosines between the first and the second views of some clips.

    Parameters
    ----------
    z_a, z_b : Tensor [shape=(n_clips, features)]
        Projections: row i of both belongs to clip i.
    names : list of str or None
        Of the clips; numbers by default.

    Returns
    -------
    DataFrame [shape=(n_clips, n_clips)]
        Row: first view of a clip; column: second view; −1 to 1. The loss wants the diagonal high and the rest low.
    """
    first, second = (torch.nn.functional.normalize(z.float(), dim=1) for z in (z_a, z_b))
    labels = names or [str(number + 1) for number in range(len(first))]
    return pd.DataFrame((first @ second.T).numpy(force=True), index=labels, columns=labels).round(4)


def plot_similarity(frames: "Mapping[str, pd.DataFrame]") -> Figure:
    """Which first view is near to which second one, before and after pre-training for example.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Title → from :func:`similarity_frame`.

    Returns
    -------
    Figure
        Titles say how many of the first views are nearest to their own second view.
    """
    figure, axes = plt.subplots(1, len(frames), figsize=(4.2 * len(frames) + 1.0, 4.1), squeeze=False)
    for ax, (title, frame) in zip(axes[0], frames.items(), strict=True):
        values = frame.to_numpy()
        found = int((values.argmax(axis=1) == np.arange(len(values))).sum())
        shown = ax.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
        ax.set_title(f"{title}: {found} of {len(values)} found", fontsize=10)
        ax.grid(visible=False)
        ax.set_xlabel("Second view of clip")
        places = np.arange(len(values))
        ax.set_xticks(places, frame.columns, fontsize=7, rotation=90 if len(str(frame.columns[0])) > 2 else 0)
        ax.set_yticks(places, frame.index, fontsize=7)
    axes[0, 0].set_ylabel("First view of clip")
    figure.colorbar(shown, ax=axes, label="Cosine")
    return figure
