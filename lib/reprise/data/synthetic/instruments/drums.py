"""A drum set: bass drum, snare and cymbals in the patterns of each genre."""

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.filters import partials, shelf_noise
from reprise.data.synthetic.instruments.style import Style

__all__ = ["Pattern", "play_drums"]

Audio = NDArray[np.float32]
Pattern = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Eighths of a bar at which bass drum, snare drum and cymbals are struck."""

# eighths of a bar at which each is struck
_PATTERNS = {
    "pop_roc": ((0, 4), (2, 6), tuple(range(8))),
    "jaz_blu": ((0,), (2, 6), (0, 2, 3, 4, 6, 7)),
    "lat_sou": ((0, 3, 4, 7), (3, 6), tuple(range(8))),
    "cou_fol": ((0, 4), (2, 6), (1, 3, 5, 7)),
    "cla": ((0,), (4,), ()),
}


def _kit(sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Audio, Audio]:
    """One stroke of each."""

    def stroke(seconds: float, fall: float, points: list[tuple[float, float]]) -> Audio:
        n = round(seconds * sample_rate)
        noise = shelf_noise(n, points, sample_rate=sample_rate, rng=rng)
        return noise * np.exp(-np.arange(n, dtype=np.float32) / np.float32(fall * sample_rate))

    def skin(pitch: float, decay: float, seconds: float) -> Audio:
        ratios = np.array([1.0, 1.59, 2.14, 2.3, 2.65])
        return partials(
            pitch * ratios,
            np.array([1.0, 0.5, 0.3, 0.2, 0.15]),
            decays=decay * ratios,
            phases=np.full(5, -0.25),
            n_samples=round(seconds * sample_rate),
            sample_rate=sample_rate,
        )

    kick = 1.6 * skin(rng.uniform(48.0, 70.0), rng.uniform(9.0, 18.0), 0.35)
    kick += 0.25 * stroke(0.35, 0.008, [(100.0, 0.0), (3000.0, -12.0)])
    snare = 0.5 * skin(rng.uniform(160.0, 230.0), rng.uniform(18.0, 35.0), 0.25)
    snare += 0.7 * stroke(0.25, rng.uniform(0.04, 0.09), [(300.0, -10.0), (2000.0, 0.0), (9000.0, -6.0)])
    hat = 0.35 * stroke(0.3, rng.uniform(0.02, 0.12), [(2000.0, -24.0), (7000.0, 0.0), (15000.0, -6.0)])
    return kick, snare, hat


def play_drums(
    style: Style, *, n_samples: int, sample_rate: int, rng: np.random.Generator, pattern: Pattern | None = None
) -> Audio:
    """Drums in time with a piece.

    Parameters
    ----------
    style : Style
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator
    pattern : (tuple, tuple, tuple) of float, optional
        Eighths of a bar at which bass drum, snare and cymbals are struck; default that of the genre.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, of no particular level.
    """
    dry = np.zeros(n_samples, dtype=np.float32)
    first = int(np.floor(style.start / 4.0)) * 4.0
    bars = np.arange(int(np.ceil(n_samples / sample_rate * style.tempo / 240.0)) + 2)
    for stroke, eighths in zip(_kit(sample_rate, rng), pattern or _PATTERNS[style.genre], strict=True):
        beats = (first + 4.0 * bars[:, None] + 0.5 * np.array(eighths, dtype=float)).ravel()
        starts = np.round(style.seconds(beats) * sample_rate + 0.004 * sample_rate * rng.standard_normal(len(beats)))
        for start, force in zip(starts.astype(int), rng.uniform(0.6, 1.0, len(beats)), strict=True):
            if 0 <= start < n_samples:
                length = min(len(stroke), n_samples - start)
                dry[start : start + length] += np.float32(force) * stroke[:length]
    return dry
