"""Pictures of songs: mel spectrogram with pitch, crops off the grid, one phrase by all systems."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from torch import Tensor

from reprise.audio.vocoder_input import log_mel
from reprise.papers.sawsing.figures_strip import show_strip, spectrogram, stretches
from reprise.papers.sawsing.settings import Settings

__all__ = [
    "crop_frame",
    "plot_crops",
    "plot_song",
    "plot_systems",
    "song_frame",
    "systems_frame",
]

# marks of the axis of pitch in Hz, for wide and for narrow ranges
COARSE = (80, 100, 150, 200, 300, 400, 600, 800, 1000)
FINE = (80, 90, 100, 120, 140, 160, 180, 200, 220, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000)


def song_frame(y: Tensor, f0: Tensor, *, settings: Settings, start: float = 0.0, seconds: float = 6.0) -> pd.DataFrame:
    """What the network reads and what it shall find, frame by frame.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
        A song, scaled as for training.
    f0 : Tensor [shape=(n_frames,)], Hz
        Its labels, 0 where unvoiced.
    settings : Settings
    start, seconds : float, s
        Part to show.

    Returns
    -------
    DataFrame
        ``time`` (s), ``f0`` (Hz, NaN where unvoiced), ``voiced``, and ``mel_0``, …: logarithms of the mel magnitudes.
    """
    hop_length = settings.hop_length
    first = min(round(start * settings.sample_rate) // hop_length, max(0, len(f0) - 1))
    part = y[first * hop_length :][: round(seconds * settings.sample_rate)]
    mel = log_mel(
        part[None].float(),
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=hop_length,
        n_mels=settings.n_mels,
        center=settings.center_mel,
    )[0].numpy()
    n_frames = min(len(mel), len(f0) - first)
    pitch = f0[first : first + n_frames].double().numpy()
    time = (first + np.arange(n_frames)) * hop_length / settings.sample_rate
    bands = pd.DataFrame(mel[:n_frames].round(3), columns=[f"mel_{k}" for k in range(settings.n_mels)])
    frame = pd.DataFrame({"time": time, "f0": np.where(pitch > 0, pitch, np.nan), "voiced": pitch > 0})
    return frame.join(bands)


def plot_song(frame: pd.DataFrame, *, title: str = "") -> Figure:
    """A mel spectrogram, and below it the pitch labels with the unvoiced stretches shaded.

    Parameters
    ----------
    frame : DataFrame
        From :func:`song_frame`.
    title : str

    Returns
    -------
    Figure
    """
    mel = frame.filter(like="mel_").to_numpy().T
    time = frame["time"].to_numpy()
    step = time[1] - time[0]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(10.0, 4.8), sharex=True, height_ratios=[1.5, 1.0])
    extent = (time[0], time[-1] + step, -0.5, len(mel) - 0.5)
    shown = top.imshow(mel, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="none")
    figure.colorbar(shown, ax=(top, bottom), label="log₁₀ of mel magnitude", pad=0.01, aspect=30)
    top.grid(visible=False)
    top.set_ylabel("Mel band")
    top.set_title(title or "What the network reads")
    bottom.plot(time + step / 2, frame["f0"])
    for first, last in stretches(~frame["voiced"].to_numpy()):
        bottom.axvspan(time[first], time[first] + (last - first) * step, color="0.9", linewidth=0, zorder=0)
    bottom.set_yscale("log")
    low, high = frame["f0"].min(), frame["f0"].max()
    if np.isfinite(low):
        bottom.set_ylim(low / 1.15, high * 1.15)
        marks = COARSE if high > 2.5 * low else FINE
        ticks = [tick for tick in marks if low / 1.15 <= tick <= high * 1.15]
        bottom.set_yticks(ticks, [str(tick) for tick in ticks])
    bottom.yaxis.set_minor_locator(NullLocator())
    bottom.set_ylabel("f0 label (Hz)")
    bottom.set_xlabel("Time (s)")
    bottom.set_title(f"What it shall find: {100 * (~frame['voiced']).mean():.0f} % of the frames are unvoiced (grey)")
    return figure


def crop_frame(*, settings: Settings, offset: float = 0.7, n_frames: int = 3) -> pd.DataFrame:
    """Where the blocks of a crop and the mel frames beside them lie, in training and in use.

    Parameters
    ----------
    settings : Settings
    offset : float, 0 to 1
        Where between two points of the grid the training crop begins; 0 with ``align_crops``.
    n_frames : int
        Blocks to show.

    Returns
    -------
    DataFrame
        ``when`` ("in training" or "in use"), ``part`` ("audio" or "mel"), ``frame``, ``start, end`` (ms from the point
        of the grid before the crop).

    Notes
    -----
    Paper: the authors' code; the offset is as likely to be any number from 0 to a hop. Notebook: 04_sawsing.ipynb.
    """
    hop, window = (1000 * n / settings.sample_rate for n in (settings.hop_length, settings.n_fft))
    rows = []
    for when, moved in (("in training", 0.0 if settings.align_crops else offset * hop), ("in use", 0.0)):
        for index in range(n_frames):
            begin = index * hop
            rows.append({"when": when, "part": "audio", "frame": index, "start": begin + moved,
                         "end": begin + moved + hop})  # fmt: skip
            centred = begin - window / 2 if settings.center_mel else begin
            rows.append({"when": when, "part": "mel", "frame": index, "start": centred, "end": centred + window})
    return pd.DataFrame(rows)


def plot_crops(frame: pd.DataFrame) -> Figure:
    """Blocks of audio and windows of the mel frames that belong to them, in training and in use.

    Parameters
    ----------
    frame : DataFrame
        From :func:`crop_frame`.

    Returns
    -------
    Figure
    """
    whens = list(dict.fromkeys(frame["when"]))
    figure, axes = plt.subplots(1, len(whens), figsize=(5.2 * len(whens), 3.0), sharex=True, sharey=True)
    hop = float((frame["end"] - frame["start"])[frame["part"] == "audio"].iloc[0])
    for ax, when in zip(axes, whens, strict=True):
        part = frame[frame["when"] == when]
        for index, rows in part.groupby("frame"):
            for name, row in rows.set_index("part").iterrows():
                place = 0.0 if name == "audio" else -1.0 - 0.45 * float(index)
                ax.barh(place, row["end"] - row["start"], left=row["start"], height=0.36 if name == "mel" else 0.7,
                        color=f"C{index}", alpha=0.85, edgecolor="white")  # fmt: skip
                ax.text(row["start"] + 0.6, place, f"{index}", va="center", fontsize=9, color="white", weight="bold")
        grid = np.arange(np.floor(frame["start"].min() / hop), np.ceil(frame["end"].max() / hop) + 1) * hop
        ax.vlines(grid, -1.3 - 0.45 * part["frame"].max(), 0.5, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        moved = float(part.loc[part["part"] == "audio", "start"].iloc[0])
        words = f"the crop begins {moved:.1f} ms behind the grid" if moved else "begins on the grid"
        ax.set_title(f"{when.capitalize()}: {words}")
        ax.set_xlabel("Time (ms)")
        ax.grid(visible=False)
    axes[0].set_yticks([0.0, -1.0 - 0.45 * frame["frame"].max() / 2], ["blocks that\nsound", "windows of\nmel frames"])
    return figure


def systems_frame(sounds: Mapping[str, Tensor], *, sample_rate: float) -> pd.DataFrame:
    """Length, level and peak of each sound of one phrase.

    Parameters
    ----------
    sounds : mapping of str to Tensor [shape=(time,)]
    sample_rate : float, Hz

    Returns
    -------
    DataFrame
        ``sound, seconds, rms, peak``.
    """
    return pd.DataFrame(
        {
            "sound": list(sounds),
            "seconds": [len(y) / sample_rate for y in sounds.values()],
            "rms": [float(y.square().mean().sqrt()) for y in sounds.values()],
            "peak": [float(y.abs().max()) for y in sounds.values()],
        }
    )


def plot_systems(
    sounds: Mapping[str, Tensor], *, sample_rate: float, top: float = 8000.0, columns: int = 4, n_fft: int = 1024
) -> Figure:
    """Spectrograms of one phrase by all systems, on one scale of colours.

    Parameters
    ----------
    sounds : mapping of str to Tensor [shape=(time,)]
        Title → sound; cut to the shortest.
    sample_rate : float, Hz
    top : float, Hz
    columns : int
        Pictures per row.
    n_fft : int, samples

    Returns
    -------
    Figure
    """
    length = min(len(y) for y in sounds.values())
    pictures = {
        name: spectrogram(y[:length], sample_rate=sample_rate, top=top, n_fft=n_fft) for name, y in sounds.items()
    }
    n_rows = -(-len(pictures) // columns)
    figure, ax = plt.subplots(figsize=(11.0, 0.9 + 1.9 * n_rows))
    # the first is the recording: a system that is far too loud shall not darken it
    shown = show_strip(ax, pictures, seconds=length / sample_rate, top=top, columns=columns,
                       reference=float(next(iter(pictures.values())).max()))  # fmt: skip
    figure.colorbar(shown, ax=ax, label="dB", pad=0.01)
    ax.set_xlabel("Time (s)")
    ax.set_ylabel("Frequency (kHz)")
    return figure
