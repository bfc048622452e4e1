"""Spectrograms side by side as one image, which is drawn and stored several times faster than one axis for each."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from reprise.audio.spectrogram import stft_magnitude

__all__ = ["show_strip", "spectrogram", "stretches", "window_for"]

RANGE_DB = 70.0
ROWS, COLUMNS = 150, 220  # of one picture: more than can be seen side by side
LEVELS = 56  # colours: a tenth of the bytes of all of them, 1.25 dB apart
GAP = 0.03  # between pictures, as a part of one


def spectrogram(y: Tensor, *, sample_rate: float, top: float, n_fft: int = 1024) -> np.ndarray:
    """Magnitudes up to a frequency, in no more rows and columns than can be seen.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
    sample_rate : float, Hz
    top : float, Hz
        Highest frequency.
    n_fft : int, samples
        Length of the window.

    Returns
    -------
    ndarray [shape=(n_bins, n_frames)], dB
        20 times the logarithm of the magnitude; not referred to anything, so that pictures can be compared. Where there
        are too many bins, the highest of neighbours stands for them.
    """
    hop_length = max(1, -(-len(y) // COLUMNS))
    magnitude = stft_magnitude(y[None].float(), n_fft=n_fft, hop_length=hop_length)[0]
    kept = (20 * magnitude[: int(top * n_fft / sample_rate) + 1].clamp(min=1e-7).log10()).cpu().numpy()
    return np.maximum.reduceat(kept, np.arange(0, len(kept), -(-len(kept) // ROWS)), axis=0)


def window_for(f0: float, *, sample_rate: float, shortest: int = 1024) -> int:
    """Shortest window that tells the partials of a note apart: its lobe is narrower than two thirds of their distance.

    Parameters
    ----------
    f0 : float, Hz, > 0
    sample_rate : float, Hz
    shortest : int, samples

    Returns
    -------
    int, samples
        ``shortest`` or that times a power of two.
    """
    n_fft = shortest
    while 4 * sample_rate / n_fft > f0 / 1.5:
        n_fft *= 2
    return n_fft


def show_strip(
    ax: Axes,
    pictures: Mapping[str, np.ndarray],
    *,
    seconds: float,
    top: float,
    start: float = 0.0,
    columns: int | None = None,
    unit: float = 1000.0,
    reference: float | None = None,
) -> AxesImage:
    """Draw several time-frequency pictures of one sound as one image, side by side and in rows.

    Parameters
    ----------
    ax : Axes
    pictures : mapping of str to ndarray [shape=(n_bins, n_frames)], dB
        Title → picture; all of one shape.
    seconds : float, s
        Length of each.
    top : float, Hz
        Frequency of the last row.
    start : float, s
        Time of the first column, for the axis.
    columns : int or None
        Pictures per row; all by default.
    unit : float, Hz
        The vertical axis counts in it.
    reference : float or None, dB
        Top of the range of colours; the highest level of all pictures by default.

    Returns
    -------
    AxesImage
        One for all: each image or axis costs as much as the sound's transform.

    Raises
    ------
    ValueError
        If there is no picture or their shapes differ.
    """
    shapes = {picture.shape for picture in pictures.values()}
    if len(shapes) != 1:
        raise ValueError(f"pictures must be there and have one shape, got {sorted(shapes)}")
    (high, wide), number = shapes.pop(), columns or len(pictures)
    n_rows = -(-len(pictures) // number)
    across, down = max(1, round(GAP * wide)), max(1, round((0.12 if n_rows > 1 else 0.0) * high))
    canvas = np.full((n_rows * (high + down) - down, number * (wide + across) - across), np.nan)
    highest = max(float(picture.max()) for picture in pictures.values()) if reference is None else reference
    scale_x, scale_y = seconds / wide, top / unit / high
    ticks_x, ticks_y = _round_ticks(seconds, start=start), _round_ticks(top / unit)
    places_x, places_y, labels_x, labels_y = [], [], [], []
    for index, (title, picture) in enumerate(pictures.items()):
        row, column = divmod(index, number)
        bottom, left = (n_rows - 1 - row) * (high + down), column * (wide + across)
        canvas[bottom : bottom + high, left : left + wide] = picture
        ax.annotate(title, (left * scale_x, (bottom + high) * scale_y), xytext=(0, 3), textcoords="offset points",
                    fontsize=9, weight="bold", annotation_clip=False)  # fmt: skip
        if row == n_rows - 1:
            places_x += [left * scale_x + tick - start for tick in ticks_x]
            labels_x += [f"{tick:g}" for tick in ticks_x]
        if column == 0:
            places_y += [bottom * scale_y + tick for tick in ticks_y]
            labels_y += [f"{tick:g}" for tick in ticks_y]
    extent = (0.0, canvas.shape[1] * scale_x, 0.0, canvas.shape[0] * scale_y)
    # without interpolation, or the vector file would hold a far larger image
    image = ax.imshow(canvas, origin="lower", aspect="auto", extent=extent, cmap=plt.get_cmap("magma", LEVELS),
                      vmin=highest - RANGE_DB, vmax=highest, interpolation="none")  # fmt: skip
    unique = dict(zip(places_x, labels_x, strict=True))
    ax.set_xticks(list(unique), list(unique.values()))
    ax.set_yticks(places_y, labels_y)
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    return image


def _round_ticks(length: float, *, start: float = 0.0) -> list[float]:
    """Two to five round numbers from ``start`` on."""
    step = 10.0 ** np.floor(np.log10(length))
    step = next(step * part for part in (5.0, 2.0, 1.0, 0.5) if length / (step * part) >= 2)
    first = np.ceil(start / step - 1e-9)
    return [
        round(float(step * k), 6) + 0.0 for k in np.arange(first, np.floor((start + 0.9 * length) / step + 1e-9) + 1)
    ]


def stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true ones in a mask.

    Parameters
    ----------
    mask : ndarray of bool [shape=(n_frames,)]

    Returns
    -------
    list of (int, int)
        First frame of each, and the one behind its last.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(mask, dtype=bool), [False]])))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
