"""Pictures of the model: layers from mel spectrogram to sound, and what the filters do to a spectrum and to time."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from reprise.audio.filters import delay_of, impulse_responses
from reprise.models.shapes import count_parameters, shape_walk
from reprise.models.synthesiser import Vocoder
from reprise.papers.sawsing.settings import Settings

__all__ = ["architecture", "filter_frame", "plot_architecture", "plot_filters"]

N_FRAMES = 100
RAISED_HZ = 3000.0
FILTER_FFT = 16384
CONTROLS = {
    "f0": "pitch",
    "harmonic": "filter of the\nharmonic branch",
    "noise": "filter of the\nnoise branch",
    "amplitude": "level",
    "partials": "shares of\nthe partials",
    "weights": "shares of\nthe wavetables",
    "voicing": "gate",
}
SOURCES = {
    "SawSing": "sawtooth",
    "SawSub": "naive\nsawtooth",
    "DDSPAdd": "150 sines",
    "Full": "150 sines",
    "DWTS": "20 learned\nwavetables",
}


def architecture(model: Vocoder, *, n_frames: int = N_FRAMES) -> pd.DataFrame:
    """Layers of a vocoder's network and its controls, read from the live module.

    Parameters
    ----------
    model : Vocoder
    n_frames : int
        Length of the example.

    Returns
    -------
    DataFrame
        ``stage`` (its name in the figure), ``layer`` (in the module), ``kind, input, output`` (shapes without the
        batch), ``parameters`` (trainable). The last rows are the controls, one each, with their share of the last
        layer's parameters, and tables that are learned. ``attrs``: ``model`` (its class), ``compensate``.

    Notes
    -----
    Paper: Wu et al. 2022, section 3 and the authors' code. Notebook: 04_sawsing.ipynb.
    """
    network = model.network
    layers = {
        "network.stack": "two convolutions",
        **{f"network.blocks.{k}": f"conformer {k + 1}" for k in range(len(network.blocks))},
        "network.norm": "normalisation",
        "network.out": "linear",
    }
    walk = shape_walk(model, torch.zeros(1, n_frames, network.n_mels), names=list(layers))
    walk.insert(0, "stage", walk["layer"].map(layers))
    walk["kind"] = walk["kind"].str.removeprefix("Parametrized")
    per_output = count_parameters(network.out) // sum(network.sizes.values())
    rows = [
        {
            "stage": f"control: {name}",
            "layer": "network.out",
            "kind": "part of it",
            "input": walk["output"].iloc[-1],
            "output": f"{n_frames} × {size}",
            "parameters": per_output * size,
        }
        for name, size in network.sizes.items()
    ]
    if (rest := count_parameters(model) - count_parameters(network)) > 0:
        shape = " × ".join(str(n) for n in getattr(model, "tables").shape)  # noqa: B009
        rows.append({"stage": "wavetables", "layer": "tables", "kind": "Parameter", "input": "", "output": shape,
                     "parameters": rest})  # fmt: skip
    frame = pd.concat([walk.drop(columns="kernel"), pd.DataFrame(rows)], ignore_index=True)
    frame.attrs |= {"model": type(model).__name__, "compensate": model.compensate}
    return frame


def plot_architecture(frame: pd.DataFrame, *, settings: Settings) -> Figure:
    """From the mel spectrogram to the sound, with the shapes and weights of the live network.

    Parameters
    ----------
    frame : DataFrame
        From :func:`architecture`.
    settings : Settings
        For the rates at which frames and samples come.

    Returns
    -------
    Figure
    """
    controls = frame[frame["stage"].str.startswith("control: ")]
    network = frame[(frame["layer"] != "tables") & ~frame.index.isin(controls.index)]
    name = str(frame.attrs.get("model", "SawSing"))
    figure, ax = plt.subplots(figsize=(12.0, 4.6))
    middle, wide = 2.5, 1.25
    _box(ax, (0.0, middle), "mel\nspectrogram", str(network["input"].iloc[0]), colour="0.85", width=wide)
    place = 0.0
    shown = network[network["kind"] != "LayerNorm"]
    for stage, group in shown.groupby(_group(shown["stage"]), sort=False):
        place += 1.75
        weights = f"{group['output'].iloc[-1]}\n{group['parameters'].sum():,} weights"
        _box(ax, (place, middle), str(stage), weights, colour="#9CC9E3", width=wide)
        _arrow(ax, (place - 1.75 + wide / 2, middle), (place - wide / 2, middle))
    place += 2.0
    shapes = {str(stage).removeprefix("control: "): str(size) for stage, size in controls[["stage", "output"]].values}
    # the noise branch below all that belongs to the harmonic one
    heads = sorted(shapes, key=lambda head: (head == "noise", head == "harmonic"))
    rows = dict(zip(heads, np.linspace(4.6, 0.4, len(heads)), strict=True))
    for head, size in shapes.items():
        _box(ax, (place, rows[head]), f"{CONTROLS.get(head, head)}\n{size}", "", colour="#F3C9A5", width=1.5)
        _arrow(ax, (place - 2.0 + wide / 2, middle), (place - 0.75, rows[head]))
    delays = {
        head: 0 if frame.attrs.get("compensate") else delay_of(int(size.rpartition(" ")[2]))
        for head, size in shapes.items()
        if head in ("harmonic", "noise")
    }
    _synthesiser(ax, rows, place=place, source=SOURCES.get(name, "source"), delays=delays)
    rate, hop = settings.sample_rate, settings.hop_length
    ax.text(0.0, 0.15, f"frames: one per {1000 * hop / rate:g} ms\nsamples: {rate / 1000:g} kHz", fontsize=9, ha="left",
            color="0.35")  # fmt: skip
    ax.set_xlim(-0.75, place + 6.5)
    ax.set_ylim(-0.3, 5.3)
    ax.set_axis_off()
    total = int(frame.loc[frame["layer"] != "network.out", "parameters"].sum() + controls["parameters"].sum())
    ax.set_title(f"{name}: {total:,} weights")
    return figure


def _group(stages: pd.Series) -> pd.Series:
    """Blocks of one kind as one box."""
    blocks = stages.str.startswith("conformer")
    return stages.where(~blocks, f"{blocks.sum()} conformer\nblocks").str.replace("two conv", "two\nconv")


def _synthesiser(ax: Axes, rows: dict[str, float], *, place: float, source: str, delays: dict[str, int]) -> None:
    """Source, filters and sum, right of the controls."""
    green: dict[str, Any] = {"colour": "#A9D8C3", "width": 1.4}
    top = rows["f0"]
    x = place + 2.0
    _box(ax, (x, top), source, "", **green)
    for head, height in rows.items():
        if head not in ("harmonic", "noise"):
            _arrow(ax, (place + 0.75, height), (x - 0.7, top))
    filtered = "harmonic" in rows
    branch = (x + 2.0, top) if filtered else (x, top)
    if filtered:
        _box(ax, branch, "filter", f"delay {delays['harmonic']}", **green)
        _arrow(ax, (x + 0.7, top), (x + 1.3, top))
        _arrow(ax, (place + 0.75, rows["harmonic"]), (x + 1.6, top - 0.45))
    _box(ax, (x, rows["noise"]), "noise", "", **green)
    _box(ax, (x + 2.0, rows["noise"]), "filter", f"delay {delays['noise']}", **green)
    _arrow(ax, (x + 0.7, rows["noise"]), (x + 1.3, rows["noise"]))
    _arrow(ax, (place + 0.75, rows["noise"]), (x + 1.6, rows["noise"] + 0.45), bend=-0.35)
    _box(ax, (x + 3.9, 2.5), "+", "sound", colour="0.85", width=0.9)
    _arrow(ax, (branch[0] + 0.7, top), (x + 3.6, 2.95))
    _arrow(ax, (x + 2.7, rows["noise"]), (x + 3.6, 2.05))


def _box(ax: Axes, centre: tuple[float, float], words: str, small: str, *, colour: str, width: float) -> None:
    x, y = centre
    ax.add_patch(FancyBboxPatch((x - width / 2, y - 0.42), width, 0.84, boxstyle="round,pad=0,rounding_size=0.12",
                                facecolor=colour, edgecolor="none"))  # fmt: skip
    ax.text(x, y, words, ha="center", va="center", fontsize=9)
    if small:
        ax.text(x, y - 0.5, small, ha="center", va="top", fontsize=7.5, color="0.3")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], *, bend: float = 0.0) -> None:
    style: dict[str, Any] = {"arrowstyle": "->", "color": "0.45", "connectionstyle": f"arc3,rad={bend}"}
    ax.annotate("", xy=end, xytext=start, arrowprops=style)


def filter_frame(*, sample_rate: int = 24000, harmonic: int = 256, noise: int = 80) -> pd.DataFrame:
    """Filters of both branches for one raised magnitude among zeros: their responses in time and in frequency.

    Parameters
    ----------
    sample_rate : int, Hz
    harmonic, noise : int
        Numbers of magnitudes.

    Returns
    -------
    DataFrame
        ``branch``, ``what`` ("response" or "spectrum"), ``x`` (samples or Hz), ``y`` (amplitude relative to the
        highest, or gain).

    Notes
    -----
    Linear phase: the response is symmetric about the delay. The window that makes it fade makes of one raised magnitude
    a lobe of half its height. Paper: the authors' code. Notebook: 04_sawsing.ipynb.
    """
    parts = []
    for branch, n_bins in (("harmonic", harmonic), ("noise", noise)):
        magnitudes = torch.zeros(n_bins, dtype=torch.float64)
        magnitudes[round(RAISED_HZ * 2 * (n_bins - 1) / sample_rate)] = 1.0
        response = impulse_responses(magnitudes).numpy()
        gain = np.abs(np.fft.rfft(response, n=FILTER_FFT))
        frequency = np.fft.rfftfreq(FILTER_FFT, 1 / sample_rate)
        near = np.abs(frequency - RAISED_HZ) < 0.16 * RAISED_HZ
        scaled = response / np.abs(response).max()
        parts.append(pd.DataFrame({"branch": branch, "what": "response", "x": np.arange(len(response)), "y": scaled}))
        parts.append(pd.DataFrame({"branch": branch, "what": "spectrum", "x": frequency[near], "y": gain[near]}))
    return pd.concat(parts, ignore_index=True)


def plot_filters(frame: pd.DataFrame, *, sample_rate: int = 24000, hop_length: int = 240) -> Figure:
    """Impulse responses with their delays, and the lobe that one raised magnitude becomes.

    Parameters
    ----------
    frame : DataFrame
        From :func:`filter_frame`.
    sample_rate : int, Hz
    hop_length : int, samples
        A block, for comparison.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 3.6), width_ratios=[1.5, 1.0])
    for index, branch in enumerate(dict.fromkeys(frame["branch"])):
        response, spectrum = (
            frame[(frame["branch"] == branch) & (frame["what"] == what)] for what in ("response", "spectrum")
        )
        delay = delay_of(len(response) // 2 + 1)
        base = -2.3 * index
        left.plot(response["x"], response["y"] + base, color=f"C{index}", linewidth=0.9)
        left.vlines(delay, base - 1.05, base + 1.05, color="0.3", linestyle="--", linewidth=1)
        words = f"{branch} branch: {len(response)} taps,\n{delay} samples late = {1000 * delay / sample_rate:.1f} ms"
        left.text(max(float(response["x"].max()) + 15, 250), base, words, fontsize=9, color=f"C{index}", va="center")
        spacing = sample_rate / 2 / delay
        half = spectrum.loc[spectrum["y"] >= spectrum["y"].max() / np.sqrt(2), "x"]
        width = half.max() - half.min() + sample_rate / FILTER_FFT
        label = f"{branch}: bins {spacing:.0f} Hz apart,\nlobe of {width:.0f} Hz (−3 dB)"
        right.plot(spectrum["x"], spectrum["y"], color=f"C{index}", label=label)
        centre = round(RAISED_HZ / spacing) * spacing
        right.vlines(centre, 0, 1, color=f"C{index}", linewidth=1, linestyle=":")
    left.axvspan(0, hop_length, color="0.94", zorder=0)
    left.text(4, 1.25, f"one block, {hop_length} samples", fontsize=8, color="0.4")
    left.set_yticks([])
    left.set_xlim(-10, 1.5 * frame.loc[frame["what"] == "response", "x"].max())
    left.set_ylim(-3.5, 1.6)
    left.set_xlabel("Sample")
    left.set_title("Responses: symmetric about their delay")
    left.grid(visible=False)
    right.set_xlabel("Frequency (Hz)")
    right.set_ylabel("Gain")
    right.set_ylim(0, 1.05)
    right.set_title("One magnitude of 1 (dotted)")
    right.legend(loc="upper left", fontsize=8)
    return figure
