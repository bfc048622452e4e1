"""Figure 1: one held note by several systems, as spectrograms, and how unsteadily the phases of its partials move."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from reprise.audio.harmonicity import phase_deviation
from reprise.papers.sawsing.figures_strip import show_strip, spectrogram, stretches, window_for
from reprise.papers.sawsing.settings import Settings
from reprise.stats.vocoding import held_frames

__all__ = ["HeldNote", "deviation_frame", "held_note", "plot_held_note"]

TOP = 2700.0  # Hz, as in Figure 1
MARGIN = 5  # frames on both sides of the note
RECORDING = "recording"


class HeldNote(NamedTuple):
    """A part of a song in which one note is held.

    Attributes
    ----------
    start, end : int
        Its first frame, and the one behind its last.
    f0 : float, Hz
        Median.
    """

    start: int
    end: int
    f0: float


def held_note(f0: Tensor, *, settings: Settings, longest: float = 3.0) -> HeldNote | None:
    """Longest held note of a song.

    Parameters
    ----------
    f0 : Tensor [shape=(n_frames,)], Hz
        Labels, 0 where unvoiced.
    settings : Settings
        Says what a held note is.
    longest : float, s
        What is beyond is left out.

    Returns
    -------
    HeldNote or None
        Where no note is held long enough, the longest voiced stretch; None where nothing is voiced.
    """
    contour = f0.double().numpy()
    held = held_frames(
        contour,
        n_frames=settings.n_held,
        cents=settings.held_cents,
        step=settings.held_step,
        n_step=settings.n_step,
    )
    runs = stretches(held) or stretches(contour > 0)
    if not runs:
        return None
    first, last = max(runs, key=lambda run: run[1] - run[0])
    last = min(last, first + round(longest * settings.sample_rate / settings.hop_length))
    return HeldNote(first, last, float(np.median(contour[first:last])))


def deviation_frame(
    sounds: Mapping[str, Tensor], f0: Tensor, *, note: HeldNote, settings: Settings
) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """Phase deviation of a note in each frame, and the sounds cut to the note.

    Parameters
    ----------
    sounds : mapping of str to Tensor [shape=(time,)]
        Title → the whole song; ``recording`` first.
    f0 : Tensor [shape=(n_frames,)], Hz
        Labels.
    note : HeldNote
    settings : Settings

    Returns
    -------
    frame : DataFrame
        ``sound, time`` (s from the beginning of the part), ``deviation`` (rad; NaN at the edges), ``rms`` (of the
        sound's frames, the same in each row).
    parts : dict of str to Tensor [shape=(time,)]
        Of the same length.

    Notes
    -----
    Paper: Figure 1 of Wu et al. 2022 shows spectrograms alone. Notebook: 04_sawsing.ipynb.
    """
    hop_length = settings.hop_length
    frames = min(len(f0), *(len(y) // hop_length for y in sounds.values()))
    first, last = max(0, note.start - MARGIN), min(note.end + MARGIN, frames)
    pitch = f0[first:last].double()
    held = torch.zeros(last - first, dtype=torch.bool)
    held[note.start - first : note.end - first] = True
    time = np.arange(last - first) * hop_length / settings.sample_rate
    rows, parts = [], {}
    for name, y in sounds.items():
        parts[name] = y[first * hop_length : last * hop_length]
        found = phase_deviation(
            parts[name],
            pitch,
            sample_rate=settings.sample_rate,
            hop_length=hop_length,
            n_partials=settings.n_partials,
            held=held,
        )
        rows.append(pd.DataFrame({"sound": name, "time": time, "deviation": found.frames.numpy(), "rms": found.rms}))
    return pd.concat(rows, ignore_index=True), parts


def plot_held_note(
    parts: Mapping[str, Tensor], frame: pd.DataFrame, *, note: HeldNote, settings: Settings, top: float = TOP
) -> Figure:
    """Spectrograms of a held note side by side, and below each its phase deviation over time (Figure 1).

    Parameters
    ----------
    parts : dict of str to Tensor [shape=(time,)]
    frame : DataFrame
        Both from :func:`deviation_frame`.
    note : HeldNote
    settings : Settings
    top : float, Hz
        Highest frequency.

    Returns
    -------
    Figure
        The recording's deviation is repeated in grey below each system.
    """
    names = list(parts)
    n_fft = window_for(note.f0, sample_rate=settings.sample_rate)
    pictures = {
        name: spectrogram(y, sample_rate=settings.sample_rate, top=top, n_fft=n_fft) for name, y in parts.items()
    }
    seconds = len(parts[names[0]]) / settings.sample_rate
    figure, (above, below) = plt.subplots(2, 1, figsize=(11.0, 5.0), sharex=True, height_ratios=[1.7, 1.0])
    show_strip(above, pictures, seconds=seconds, top=top, reference=float(pictures[names[0]].max()))
    above.set_ylabel("Frequency (kHz)")
    # where the pictures of the strip begin
    across = above.get_images()[0].get_extent()[1]
    step = (across - seconds) / (len(names) - 1) if len(names) > 1 else 0.0
    reference = frame[frame["sound"] == names[0]]
    highest = max(0.1, 1.3 * float(np.nanquantile(frame["deviation"], 0.995)) if frame["rms"].notna().any() else 1.0)
    for index, name in enumerate(names):
        part = frame[frame["sound"] == name]
        moved = index * step
        if index:
            below.plot(reference["time"] + moved, reference["deviation"], color="0.75", linewidth=1.2)
        below.plot(part["time"] + moved, part["deviation"], color="0.35" if not index else f"C{index - 1}")
        rms = float(part["rms"].iloc[0])
        words = "no frame counts" if np.isnan(rms) else f"root mean square {rms:.2f} rad"
        below.text(moved + 0.02 * seconds, 0.97 * highest, words, fontsize=9, va="top")
    below.set_ylim(0, highest)
    below.set_ylabel("Phase deviation\n(rad)")
    below.set_xlabel(f"Time (s) in a note of {note.f0:.0f} Hz")
    return figure
