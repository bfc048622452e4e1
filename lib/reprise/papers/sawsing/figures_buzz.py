"""Figure 4: what the harmonic and the noise branch do where nothing is voiced, as pictures and as a ratio."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from reprise.audio.harmonicity import ACTIVE
from reprise.models.synthesiser import VocoderOutput
from reprise.papers.sawsing.figures_strip import show_strip, spectrogram, stretches, window_for
from reprise.papers.sawsing.settings import Settings
from reprise.report.figures import PAPER

__all__ = ["branch_frame", "busiest_part", "plot_branches", "plot_buzz"]

TOP = 2300.0  # Hz, as in Figure 4
LOWEST_PITCH = 150.0  # Hz
BOX = "#3FD0E0"  # the figure of the paper has red ones, which magma swallows
SHORTEST_BOX = 3  # frames
FLOOR = 1e-12
# a ratio of a silent branch has no end
LIMIT_DB = 40.0
SILENT_DB = 60.0


def busiest_part(f0: Tensor, target: Tensor, *, settings: Settings, seconds: float = 2.5) -> int:
    """Frame from which on a part of a song has the most voiced and unvoiced sound side by side.

    Parameters
    ----------
    f0 : Tensor [shape=(n_frames,)], Hz
        Labels, 0 where unvoiced.
    target : Tensor [shape=(time,)]
        The recording.
    settings : Settings
    seconds : float, s

    Returns
    -------
    int
    """
    kinds = _kinds(f0, target, settings=settings)
    length = min(len(kinds), max(1, round(seconds * settings.sample_rate / settings.hop_length)))
    counts = [np.convolve(kinds == kind, np.ones(length), mode="valid") for kind in ("voiced", "unvoiced")]
    return int(np.argmax(np.minimum(*counts)))


def _kinds(f0: Tensor, target: Tensor, *, settings: Settings) -> np.ndarray:
    """Frames as "voiced", "unvoiced" or "silent"."""
    n_frames = min(len(f0), len(target) // settings.hop_length)
    blocks = target[: n_frames * settings.hop_length].double().unflatten(0, (-1, settings.hop_length))
    sounding = (blocks.square().mean(dim=1) > ACTIVE).numpy()
    return np.where(sounding, np.where(f0[:n_frames].numpy() > 0, "voiced", "unvoiced"), "silent")


def branch_frame(
    outputs: Mapping[str, VocoderOutput],
    *,
    f0: Tensor,
    target: Tensor,
    settings: Settings,
    start: int = 0,
    seconds: float = 2.5,
) -> tuple[pd.DataFrame, dict[str, dict[str, Tensor]]]:
    """Energy of the branches in each frame of a part of a song, and the branches' sounds.

    Parameters
    ----------
    outputs : mapping of str to VocoderOutput
        Title → resynthesis of the whole song; those without branches are left out.
    f0 : Tensor [shape=(n_frames,)], Hz
        Labels, 0 where unvoiced.
    target : Tensor [shape=(time,)]
        The recording.
    settings : Settings
    start : int
        First frame; see :func:`busiest_part`.
    seconds : float, s

    Returns
    -------
    frame : DataFrame
        ``sound, time`` (s from the beginning of the part), ``kind`` ("voiced", "unvoiced" or "silent", of the
        recording), ``ratio`` (dB, harmonic over noise).
    branches : dict of str to dict of str to Tensor [shape=(time,)]
        Title → ``harmonic`` and ``noise``.

    Raises
    ------
    ValueError
        If no output has branches.

    Notes
    -----
    Paper: Figure 4 of Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """
    hop_length = settings.hop_length
    pairs = {name: (o.harmonic, o.noise) for name, o in outputs.items() if o.harmonic is not None}
    if not pairs:
        raise ValueError(f"none of {', '.join(outputs) or 'no outputs'} has a harmonic and a noise branch")
    kinds = _kinds(f0, target, settings=settings)
    shortest = min(len(one.flatten()) // hop_length for one, _ in pairs.values())
    last = min(len(kinds), shortest, start + round(seconds * settings.sample_rate / hop_length))
    time = np.arange(last - start) * hop_length / settings.sample_rate
    rows, branches = [], {}
    for name, pair in pairs.items():
        cut = [one.flatten()[start * hop_length : last * hop_length].detach() for one in pair if one is not None]
        energies = [one.double().unflatten(0, (-1, hop_length)).square().mean(dim=1).numpy() for one in cut]
        ratio = 10 * np.log10(np.maximum(energies[0], FLOOR) / np.maximum(energies[1], FLOOR))
        rows.append(pd.DataFrame({"sound": name, "time": time, "kind": kinds[start:last], "ratio": ratio}))
        branches[name] = dict(zip(("harmonic", "noise"), cut, strict=True))
    return pd.concat(rows, ignore_index=True), branches


def plot_branches(
    branches: Mapping[str, Mapping[str, Tensor]],
    frame: pd.DataFrame,
    *,
    settings: Settings,
    top: float = TOP,
    lowest: float = LOWEST_PITCH,
) -> Figure:
    """Spectrograms of both branches with the unvoiced stretches boxed, and the ratio of their energies (Figure 4).

    Parameters
    ----------
    branches : dict of str to dict of str to Tensor
    frame : DataFrame
        Both from :func:`branch_frame`.
    settings : Settings
    top : float, Hz
        Highest frequency.
    lowest : float, Hz
        Pitch whose partials shall be seen one by one.

    Returns
    -------
    Figure
    """
    names = list(branches)
    n_fft = window_for(lowest, sample_rate=settings.sample_rate)
    pictures = {
        f"{name}: {branch}": spectrogram(branches[name][branch], sample_rate=settings.sample_rate, top=top, n_fft=n_fft)
        for branch in ("harmonic", "noise")
        for name in names
    }
    step = settings.hop_length / settings.sample_rate
    seconds = len(branches[names[0]]["noise"]) / settings.sample_rate
    figure, (above, below) = plt.subplots(2, 1, figsize=(11.0, 6.4), sharex=True, height_ratios=[2.6, 1.0])
    shown = show_strip(above, pictures, seconds=seconds, top=top, columns=len(names))
    _, right, _, high = shown.get_extent()
    across = (right - seconds) / (len(names) - 1) if len(names) > 1 else 0.0
    rows = (0.0, high - top / 1000)
    for index, name in enumerate(names):
        part = frame[frame["sound"] == name]
        unvoiced = (part["kind"] == "unvoiced").to_numpy()
        for first, last in stretches(unvoiced):
            if last - first < SHORTEST_BOX:
                continue
            left, wide = index * across + first * step, (last - first) * step
            below.axvspan(left, left + wide, color=BOX, alpha=0.25, linewidth=0)
            for bottom in rows:
                box = Rectangle((left, bottom), wide, top / 1000, fill=False, edgecolor=BOX, linewidth=1.5)
                above.add_patch(box)
        ratio = part["ratio"].clip(-LIMIT_DB, LIMIT_DB).where(part["kind"] != "silent")
        below.plot(part["time"] + index * across, ratio, color=f"C{index}")
    above.set_ylabel("Frequency (kHz)")
    below.axhline(0, color="0.4", linewidth=1)
    below.set_ylim(-LIMIT_DB - 2, LIMIT_DB + 2)
    below.set_ylabel("Harmonic over\nnoise (dB)")
    below.set_xlabel("Time (s); framed: the recording is unvoiced")
    return figure


def plot_buzz(table: pd.DataFrame) -> Figure:
    """Harmonic over noise energy in voiced and in unvoiced frames, with the released checkpoints as diamonds.

    Parameters
    ----------
    table : DataFrame
        From :func:`reprise.papers.sawsing.tables_results.buzz_table`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 1.6 + 0.38 * len(table)), sharey=True)
    titles = {"voiced": "Voiced frames", "unvoiced": "Unvoiced frames: the buzz"}
    for ax, (part, title) in zip(axes, titles.items(), strict=True):
        _levels(ax, table, part)
        ax.set_title(title)
        ax.set_xlabel("Harmonic over noise energy (dB)")
    axes[0].set_yticks(range(len(table)), table["label"])
    axes[0].set_ylim(len(table) - 0.45, -0.55)
    handles, words = axes[1].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=2)
    return figure


def _levels(ax: Axes, table: pd.DataFrame, part: str) -> None:
    places = np.arange(len(table))
    ours, low, high, released = (
        table[name].to_numpy(dtype=float) for name in (part, f"{part}_low", f"{part}_high", f"released_{part}")
    )
    errors = np.nan_to_num(np.maximum([ours - low, high - ours], 0))
    silent = ours < -SILENT_DB
    ax.axvline(0, color="0.4", linewidth=1)
    ax.barh(places, np.nan_to_num(np.maximum(ours, -SILENT_DB)), 0.6, color="C0", alpha=0.85, label="ours, 95 % CI")
    for place in places[silent]:
        ax.text(-0.97 * SILENT_DB, place, "silent", color="white", va="center", fontsize=9)
    if silent.any():
        ax.set_xlim(left=-SILENT_DB)
    ours = np.where(silent, np.nan, ours)
    ax.errorbar(ours, places, xerr=errors, fmt="none", color="black", linewidth=1.1)
    ax.plot(released, places, label="released checkpoints, mean of three songs", color="0.35", **PAPER)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
