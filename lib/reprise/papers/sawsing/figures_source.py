"""Pictures of the harmonic source: band-limited and naive sawtooth, aliases, and the precision of the phase."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprise.audio.oscillators import naive_sawtooth, sawtooth
from reprise.report.figures import PAPER
from reprise.report.schema import Table

__all__ = ["SOURCES", "phase_frame", "plot_phase_precision", "plot_source", "source_frame"]

SOURCES = {"band-limited": "SawSing: partials below half of the rate", "naive": "SawSub: jumps, with aliases"}
IDEAL_GAIN = 2 / math.pi  # with it the ideal sawtooth reaches 1, as the naive one does
PERIODS = 2.5
N_FFT = 2048
LOWEST_DB = -75.0
# samples drawn at random per duration and note: the ratio is known to some tenths of a dB
N_SAMPLES = 1500


def source_frame(*, f0: float = 811.0, sample_rate: int = 24000) -> pd.DataFrame:
    """A few periods and the spectrum of both sawtooths at one pitch and one level.

    Parameters
    ----------
    f0 : float, Hz
    sample_rate : int, Hz

    Returns
    -------
    DataFrame
        ``what`` ("waveform" or "spectrum"), ``source`` (a key of ``SOURCES``), ``x`` (s or Hz), ``y`` (amplitude, or dB
        below the fundamental).

    Notes
    -----
    Paper: Wu et al. 2022, section 3, and the authors' code. Notebook: 04_sawsing.ipynb.
    """
    frequencies = torch.full((1, 2 * N_FFT), float(f0), dtype=torch.float64)
    waves = {
        "band-limited": sawtooth(frequencies, sample_rate=sample_rate, gain=IDEAL_GAIN).audio[0].numpy(),
        "naive": naive_sawtooth(frequencies, sample_rate=sample_rate).audio[0].numpy(),
    }
    shown = round(PERIODS * sample_rate / f0) + 1
    window = np.blackman(N_FFT)
    bins = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    parts = []
    for name, wave in waves.items():
        level = np.abs(np.fft.rfft(window * wave[:N_FFT]))
        decibels = 20 * np.log10(np.maximum(level / level.max(), 1e-6))
        parts.append(pd.DataFrame({"what": "waveform", "source": name, "x": np.arange(shown) / sample_rate,
                                   "y": wave[:shown]}))  # fmt: skip
        parts.append(pd.DataFrame({"what": "spectrum", "source": name, "x": bins, "y": decibels}))
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs["f0"] = f0
    return frame


def plot_source(frame: pd.DataFrame, aliases: pd.DataFrame | None = None) -> Figure:
    """Waveforms and spectra of both sawtooths, and the aliases of the naive one over pitch.

    Parameters
    ----------
    frame : DataFrame
        From :func:`source_frame`.
    aliases : DataFrame or None
        :func:`reprise.report.tables.long_table` of the table ``aliases``: ours as points, the fact sheet's as diamonds.

    Returns
    -------
    Figure
    """
    ratios = [1.0, 1.7] if aliases is None else [1.0, 1.7, 0.8]
    figure, axes = plt.subplots(1, len(ratios), figsize=(4.3 * sum(ratios), 3.5), width_ratios=ratios)
    for index, (name, label) in enumerate(SOURCES.items()):
        wave = frame[(frame["what"] == "waveform") & (frame["source"] == name)]
        spectrum = frame[(frame["what"] == "spectrum") & (frame["source"] == name)]
        # the naive spectrum lies behind: what of it is seen beside the other is alias
        style = {"color": f"C{index}", "zorder": 3 - index, "label": label}
        axes[0].plot(1000 * wave["x"], wave["y"], linewidth=1.2, marker=".", markersize=4, **style)
        axes[1].plot(spectrum["x"] / 1000, spectrum["y"], linewidth=1.0, **style)
    axes[0].set_xlabel("Time (ms)")
    axes[0].set_ylabel("Amplitude")
    axes[0].set_title(f"{frame.attrs.get('f0', 0):g} Hz, {PERIODS:g} periods")
    axes[1].set_xlabel("Frequency (kHz)")
    axes[1].set_ylabel("Level (dB below the fundamental)")
    axes[1].set_ylim(LOWEST_DB, 16)
    axes[1].set_xlim(0, frame["x"].max() / 1000)
    axes[1].set_title("Spectrum")
    axes[1].legend(loc="upper right", framealpha=0.85, frameon=True, edgecolor="none")
    if aliases is not None:
        _aliases(axes[2], aliases)
    return figure


def _aliases(ax: Axes, aliases: pd.DataFrame) -> None:
    f0 = aliases["condition"].str.removesuffix("hz").astype(float)
    ax.plot(f0, aliases["ours"], color="C1", marker="o", label="here")
    ax.plot(f0, aliases["paper"], label="fact sheet", color="0.35", **PAPER)
    ax.set_xlabel("Fundamental (Hz)")
    ax.set_ylabel("Aliases over partials (dB)")
    ax.set_title("Naive sawtooth")
    ax.legend(loc="upper left")


def phase_frame(
    *,
    pitches: Sequence[float] = (110.0, 220.0, 440.0, 880.0),
    longest: float = 120.0,
    sample_rate: int = 24000,
    seed: int = 0,
) -> pd.DataFrame:
    """How much of the sawtooth is left intact where its phase is added up in radians in single precision.

    Parameters
    ----------
    pitches : sequence of float, Hz
    longest : float, s
    sample_rate : int, Hz
    seed : int
        Of the moments at which the sources are compared.

    Returns
    -------
    DataFrame
        ``f0, seconds, snr``: duration from half a second on in half octaves, and the energy of the source over that of
        the error in dB, expected from some random moments of the duration.

    Notes
    -----
    The phase is rounded when it is stored, as by torch's running sum, and multiplied by the partial's number in single
    precision. The step, rounded too, is a constant detuning. Paper: the authors' code. Notebook: 04_sawsing.ipynb.
    """
    rng = np.random.default_rng(seed)
    durations = longest * 0.5 ** np.arange(0, math.log2(longest / 0.5) + 1e-9, 0.5)[::-1]
    rows = []
    for f0 in pitches:
        step = 2 * math.pi * f0 / sample_rate
        numbers = np.arange(1, math.ceil(sample_rate / 2 / f0), dtype=np.float32)[:, None]
        for seconds in durations:
            moments = rng.integers(1, max(2, round(seconds * sample_rate)) + 1, size=N_SAMPLES)
            rounded = (float(np.float32(step)) * moments).astype(np.float32)
            error = (numbers * rounded).astype(np.float64) - numbers.astype(np.float64) * (step * moments)
            # sines of different partials are orthogonal: each loses 1 − cos of its own error
            lost = (1 - np.cos(error)).mean(axis=1) / np.square(numbers[:, 0])
            snr = 10 * math.log10(0.5 * np.square(1 / numbers).sum() / lost.sum())
            rows.append({"f0": f0, "seconds": seconds, "snr": snr})
    return pd.DataFrame(rows)


def plot_phase_precision(frame: pd.DataFrame, readings: Table | None = None) -> Figure:
    """Signal-to-noise ratio of the source against duration, one line per pitch.

    Parameters
    ----------
    frame : DataFrame
        From :func:`phase_frame`.
    readings : Table or None
        ``phase_precision`` of ``reported.yaml``, drawn as open diamonds.

    Returns
    -------
    Figure
    """
    figure, ax = plt.subplots(figsize=(6.4, 3.8))
    pitches = list(dict.fromkeys(frame["f0"]))
    for index, f0 in enumerate(pitches):
        part = frame[frame["f0"] == f0]
        ax.plot(part["seconds"], part["snr"], color=f"C{index}", label=f"{f0:g} Hz")
        column = next((name for name, measure in _columns(readings).items() if measure == f"{f0:g} Hz"), None)
        if readings is not None and column is not None:
            values = readings.column(column)
            places = [float(name.removesuffix("s")) for name in values]
            ax.plot(places, list(values.values()), color=f"C{index}", **PAPER)
    if readings is not None:
        ax.plot([], [], color="0.35", label="fact sheet", **PAPER)
    ax.axhline(40, color="0.4", linestyle="--", linewidth=1)
    ax.annotate("threshold of the claim", (frame["seconds"].min(), 40), xytext=(2, -11), textcoords="offset points",
                fontsize=8, color="0.3")  # fmt: skip
    ax.set_xscale("log")
    ticks = [x for x in (0.5, 1, 2, 5, 10, 30, 60, 120, 300) if frame["seconds"].min() <= x <= frame["seconds"].max()]
    ax.set_xticks(ticks, [f"{x:g}" for x in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("Duration (s)")
    ax.set_ylabel("Source over error (dB)")
    ax.set_title("Phase added up in single precision")
    ax.legend(ncols=2, loc="upper right")
    return figure


def _columns(readings: Table | None) -> dict[str, str]:
    return {} if readings is None else {name: measure.label for name, measure in readings.columns.items()}
