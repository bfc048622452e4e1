"""Pictures of sound: waveform, Fourier transform, spectrograms, descriptors (Figures 2.1 to 2.7 and 2.15)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, NullFormatter

from reprise.papers.irmas.sound import HOP_LENGTH, N_FFT, Clip

__all__ = [
    "plot_chroma_tonnetz",
    "plot_envelopes",
    "plot_frame_spectrum",
    "plot_mfcc_examples",
    "plot_mfcc_process",
    "plot_polynomials",
    "plot_scales",
    "plot_spectrograms",
    "plot_waveform",
    "show_picture",
]

PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
TONNETZ = ("5x", "5y", "m3x", "m3y", "M3x", "M3y")
_ZOOM_SECONDS = 0.02
_LOWEST_HZ = 32.0


def show_picture(
    ax: Axes, values: np.ndarray, *, seconds: float, rows: tuple[float, float] | None = None, **image: object
) -> AxesImage:
    """Draw a time-frequency picture with its time axis in seconds.

    Parameters
    ----------
    ax : Axes
    values : ndarray [shape=(rows, n_frames)]
    seconds : float, s
        Length of the clip.
    rows : tuple of float or None
        Lower and upper end of the vertical axis; by default the numbers of the rows.
    **image
        Passed on to ``imshow``.

    Returns
    -------
    AxesImage
    """
    low, high = (-0.5, len(values) - 0.5) if rows is None else rows
    options = {"origin": "lower", "aspect": "auto", "extent": (0, seconds, low, high), "cmap": "magma"}
    ax.grid(visible=False)
    return ax.imshow(values, **(options | image))  # type: ignore[arg-type]


def plot_waveform(clip: Clip) -> Figure:
    """A clip's waveform, whole and through a magnifying glass (Figure 2.1)."""
    figure, (whole, part) = plt.subplots(1, 2, figsize=(10.0, 3.0), sharey=True, width_ratios=[1.6, 1.0])
    time = np.arange(len(clip.y)) / clip.sample_rate
    whole.plot(time, clip.y, linewidth=0.4)
    start = max(0.0, clip.seconds / 2 - _ZOOM_SECONDS / 2)
    inside = (time >= start) & (time < start + _ZOOM_SECONDS)
    part.plot(1000 * (time[inside] - start), clip.y[inside], linewidth=1.2)
    whole.axvspan(start, start + _ZOOM_SECONDS, color="C1", linewidth=1.5)
    whole.set_title(f"{clip.name}: {clip.seconds:.1f} s")
    part.set_title(f"{1000 * _ZOOM_SECONDS:.0f} ms from {start:.2f} s")
    whole.set_xlabel("Time (s)")
    part.set_xlabel("Time (ms)")
    whole.set_ylabel("Amplitude")
    return figure


def plot_frame_spectrum(frame: pd.DataFrame) -> Figure:
    """One frame and the magnitude of its Fourier transform (Figure 2.2).

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.papers.irmas.sound.frame_spectrum`.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 3.2))
    left.plot(1000 * frame["time"], frame["sample"], linewidth=0.8, color="0.6", label="frame")
    left.plot(1000 * frame["time"], frame["windowed"], linewidth=0.9, label="times the window")
    left.set_xlabel("Time (ms)")
    left.set_ylabel("Amplitude")
    left.set_title(f"{len(frame)} samples")
    left.legend(loc="upper right")
    half = frame.iloc[1 : len(frame) // 2]
    decibels = 20 * np.log10(np.maximum(half["magnitude"], 1e-5 * half["magnitude"].max()))
    right.plot(half["frequency"], decibels - decibels.max(), linewidth=1.0)
    right.set_xscale("log")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.set_xlim(_LOWEST_HZ, half["frequency"].max())
    right.set_ylim(-90, 3)
    right.set_xlabel("Frequency (Hz)")
    right.set_ylabel("Magnitude (dB below the peak)")
    right.set_title(f"{len(half)} frequencies")
    return figure


def plot_polynomials(clip: Clip, fits: pd.DataFrame) -> Figure:
    """Coefficients of polynomial fits over time, and the fits of one column of the spectrogram (Figure 2.3).

    Parameters
    ----------
    clip : Clip
    fits : DataFrame
        From :func:`reprise.papers.irmas.sound.polynomial_fits`.

    Returns
    -------
    Figure
    """
    figure = plt.figure(figsize=(11.0, 6.4))
    grid = figure.add_gridspec(4, 2, width_ratios=[1.5, 1.0], height_ratios=[1, 1, 1, 1.4])
    axes = [figure.add_subplot(grid[row, 0]) for row in range(4)]
    names = ("constant", "linear", "quadratic")
    for order, ax in enumerate(axes[:3]):
        for degree in range(order + 1):
            values = fits[f"order_{order}_{degree}"]
            scale = values.abs().max() or 1.0
            label = f"{scale:.1e} · $f^{degree}$"
            ax.plot(fits["time"], values / scale, color=f"C{degree}", linewidth=1.2, label=label)
        ax.set_title(f"Order {order} ({names[order]})", fontsize=10)
        ax.set_xlim(0, clip.seconds)
        ax.set_xticklabels([])
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), fontsize=8)
        ax.set_ylabel("Coefficient\n(of max.)", fontsize=9)
    power = clip.power()
    _log_spectrogram(axes[3], power, clip)
    axes[3].set_xlabel("Time (s)")
    side = figure.add_subplot(grid[:, 1])
    column = int(power.sum(axis=0).argmax())
    frequencies = np.fft.rfftfreq(N_FFT, 1 / clip.sample_rate)
    side.plot(frequencies / 1000, np.sqrt(power[:, column]), color="0.7", linewidth=0.8, label="magnitude")
    highest = 0.0
    for order in range(3):
        values = sum(fits[f"order_{order}_{k}"][column] * frequencies**k for k in range(order + 1))
        side.plot(frequencies / 1000, values, color=f"C{order}", label=f"order {order}")
        highest = max(highest, float(np.max(values)))
    side.set_xlim(0, frequencies[-1] / 1000)
    # the peaks are many times as high as any of the fits
    side.set_ylim(-0.5 * highest, 3 * highest)
    side.set_xlabel("Frequency (kHz)")
    side.set_ylabel("Magnitude (higher peaks are cut off)")
    side.set_title(f"The loudest column, {fits['time'][column]:.2f} s", fontsize=10)
    side.legend()
    for ax in axes[:3]:
        ax.axvline(fits["time"][column], color="0.5", linewidth=0.8, linestyle=":")
    return figure


def plot_chroma_tonnetz(clips: Sequence[Clip]) -> Figure:
    """Chroma and tonnetz of some clips (Figure 2.4)."""
    figure, axes = plt.subplots(2, len(clips), figsize=(5.4 * len(clips), 5.4), sharex="col", squeeze=False)
    for column, clip in zip(axes.T, clips, strict=True):
        described = clip.described
        tones = (
            (described["chroma_stft"], PITCHES, 0, 1, "magma"),
            (described["tonnetz"], TONNETZ, -0.5, 0.5, "RdBu_r"),
        )
        for ax, (values, names, low, high, cmap) in zip(column, tones, strict=True):
            shown = show_picture(ax, values, seconds=clip.seconds, vmin=low, vmax=high, cmap=cmap, interpolation="none")
            ax.set_yticks(range(len(names)), names)
            figure.colorbar(shown, ax=ax)
        column[0].set_title(f"{clip.name}: chroma")
        column[1].set_title(f"{clip.name}: tonnetz")
        column[1].set_xlabel("Time (s)")
    return figure


def plot_mfcc_process(steps: Mapping[str, np.ndarray], *, seconds: float, sample_rate: float) -> Figure:
    """From the waveform to MFCCs (Figure 2.5a).

    Parameters
    ----------
    steps : mapping of str to ndarray
        From :func:`reprise.papers.irmas.sound.mfcc_steps`.
    seconds : float, s
    sample_rate : float, Hz

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 5, figsize=(15.0, 3.2))
    time = np.linspace(0, seconds, len(steps["waveform"]), endpoint=False)
    axes[0].plot(time, steps["waveform"], linewidth=0.4)
    axes[0].set_ylabel("Amplitude")
    show_picture(axes[1], steps["stft"], seconds=seconds, rows=(0, sample_rate / 2000))
    axes[1].set_ylabel("Frequency (kHz)")
    show_picture(axes[2], steps["mel"], seconds=seconds)
    show_picture(axes[3], steps["log_mel"], seconds=seconds)
    for ax in axes[2:4]:
        ax.set_ylabel("Mel band")
    kept = steps["mfcc"][1:]
    limit = float(np.abs(kept).max())
    signs = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    show_picture(axes[4], kept, seconds=seconds, rows=(0.5, len(kept) + 0.5), **signs)
    axes[4].set_ylabel("Coefficient (from 1)")
    titles = ("1 waveform", "2 |STFT|, dB", "3 mel power", "4 logarithm, dB", "5 cosine transform")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("Time (s)")
    return figure


def plot_mfcc_examples(clips: Sequence[Clip]) -> Figure:
    """MFCCs of some clips, and their time means side by side (Figure 2.5b).

    Parameters
    ----------
    clips : sequence of Clip

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, len(clips) + 1, figsize=(4.2 * (len(clips) + 1), 3.4))
    for index, (ax, clip) in enumerate(zip(axes, clips, strict=False)):
        values = clip.described["mfcc"]
        limit = float(np.abs(values[1:]).max())
        shown = show_picture(ax, values, seconds=clip.seconds, vmin=-limit, vmax=limit, cmap="RdBu_r")
        figure.colorbar(shown, ax=ax)
        ax.set_title(f"{clip.name}: MFCC")
        ax.set_xlabel("Time (s)")
        ax.set_ylabel("Coefficient")
        axes[-1].plot(values.mean(axis=1), marker="o", color=f"C{index}", label=clip.name)
    axes[-1].set_yscale("symlog", linthresh=50)
    axes[-1].set_title("Means over time")
    axes[-1].set_xlabel("Coefficient")
    axes[-1].legend()
    return figure


def _log_spectrogram(ax: Axes, power: np.ndarray, clip: Clip) -> QuadMesh:
    """Spectrogram in dB below its peak over a logarithmic frequency axis, as a mesh: an image would be linear."""
    decibels = 10 * np.log10(np.maximum(power, 1e-8 * power.max()) / power.max())
    frequencies = np.fft.rfftfreq(N_FFT, 1 / clip.sample_rate)
    time = np.arange(power.shape[1]) * HOP_LENGTH / clip.sample_rate
    shown = ax.pcolormesh(
        time, frequencies[1:], decibels[1:], cmap="magma", vmin=-80, vmax=0, shading="nearest", rasterized=True
    )
    ax.set_yscale("log")
    ax.set_ylim(_LOWEST_HZ, frequencies[-1])
    ax.set_xlim(0, clip.seconds)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("Frequency (Hz)")
    ax.grid(visible=False)
    return shown


def plot_spectrograms(clips: Sequence[Clip]) -> Figure:
    """Spectrograms over a logarithmic frequency axis (Figure 2.6)."""
    figure, axes = plt.subplots(1, len(clips), figsize=(5.4 * len(clips), 3.8), squeeze=False)
    for ax, clip in zip(axes.flat, clips, strict=True):
        shown = _log_spectrogram(ax, clip.power(), clip)
        ax.set_title(clip.name)
        ax.set_xlabel("Time (s)")
    figure.colorbar(shown, ax=axes, label="dB below the peak")
    return figure


def plot_scales(clip: Clip, mel: np.ndarray) -> Figure:
    """One sound on a logarithmic and on the mel scale (Figure 2.7).

    Parameters
    ----------
    clip : Clip
    mel : ndarray [shape=(n_mels, n_frames)], dB
        From :func:`reprise.papers.irmas.sound.mel_picture`.

    Returns
    -------
    Figure
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 3.8))
    _log_spectrogram(left, clip.power(), clip)
    shown = show_picture(right, mel, seconds=clip.seconds, vmin=-80, vmax=0)
    places, labels = _mel_ticks(len(mel), clip.sample_rate)
    right.set_yticks(places, labels)
    right.set_ylabel("Frequency (Hz)")
    left.set_title(f"{clip.name}: logarithmic scale")
    right.set_title(f"{clip.name}: mel scale, {len(mel)} bands")
    for ax in (left, right):
        ax.set_xlabel("Time (s)")
    figure.colorbar(shown, ax=[left, right], label="dB below the peak")
    return figure


def _mel(frequency: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    return np.where(
        frequency < 1000, 3 * frequency / 200, 15 + 27 * np.log(np.maximum(frequency, 1) / 1000) / np.log(6.4)
    )


def _mel_ticks(n_mels: int, sample_rate: float) -> tuple[np.ndarray, list[str]]:
    """Rows at which a mel spectrogram reaches round frequencies."""
    frequencies = np.array([256, 512, 1024, 2048, 4096, 8192, 16384])
    frequencies = frequencies[frequencies < sample_rate / 2]
    top = float(_mel(np.array(sample_rate / 2)))
    # band k is centred on the (k + 1)-th of n_mels + 2 points that are evenly spaced in mel
    return _mel(frequencies) / top * (n_mels + 1) - 1, [str(value) for value in frequencies]


def plot_envelopes(clips: Sequence[Clip]) -> Figure:
    """Zero-crossing rate and RMS of some clips over time, with their means and spreads (Figure 2.15)."""
    figure, axes = plt.subplots(2, 1, figsize=(8.5, 5.0), sharex=True)
    for index, clip in enumerate(clips):
        described = clip.described
        for ax, name in zip(axes, ("zero_crossing_rate", "rms"), strict=True):
            values = described[name][0]
            time = np.arange(len(values)) * HOP_LENGTH / clip.sample_rate
            label = f"{clip.name}: mean {values.mean():.3f}, s.d. {values.std():.3f}"
            ax.plot(time, values, color=f"C{index}", linewidth=1.2, label=label)
            ax.axhline(values.mean(), color=f"C{index}", linewidth=0.8, linestyle="--")
    axes[0].set_ylabel("Zero-crossing rate\n(crossings per sample)")
    axes[1].set_ylabel("RMS")
    axes[1].set_xlabel("Time (s)")
    for ax in axes:
        ax.margins(y=0.25)
        ax.legend(loc="upper right", ncols=len(clips))
    return figure
