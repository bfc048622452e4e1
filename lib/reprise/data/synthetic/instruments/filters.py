"""Damped partials, bodies that ring, and filters over a whole part."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

__all__ = ["body", "decibels", "partials", "shape", "shelf_noise", "unit_level"]

Array = NDArray[np.float64]
Audio = NDArray[np.float32]

_BLOCK = 256
# BLAS libraries take one thread for products below some 262 000 multiplications: their bits do not depend on threads
_LARGEST_PRODUCT = 250_000


def decibels(values: Array | float) -> Array:
    """Factor of an amplitude given in dB."""
    return np.power(10.0, np.asarray(values, dtype=np.float64) / 20.0)


def partials(
    frequencies: Array,
    amplitudes: Array,
    *,
    decays: Array,
    phases: Array,
    n_samples: int,
    sample_rate: int,
    first: int = 0,
) -> Audio:
    """Sum of exponentially decaying sine waves, exact at every sample.

    Parameters
    ----------
    frequencies : ndarray [shape=(n_partials,)], Hz
        Those from 0.48 ``sample_rate`` on are left out.
    amplitudes : ndarray [shape=(n_partials,)]
        At time zero.
    decays : ndarray [shape=(n_partials,)], 1/s, >= 0
    phases : ndarray [shape=(n_partials,)], cycles
    n_samples : int
    sample_rate : int, Hz
    first : int
        Sample at which the result begins.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32

    Notes
    -----
    A damped wave at sample ``256 m + n`` is the product of its value at ``256 m`` and of one at ``n``: all partials
    together are one product of matrices, and only some hundred exponentials per partial are taken.
    """
    keep = (frequencies < 0.48 * sample_rate) & (amplitudes != 0.0)
    turns, loss = frequencies[keep] / sample_rate, decays[keep] / sample_rate
    n_blocks = -(-n_samples // _BLOCK)
    if not len(turns) or n_blocks < 1:
        return np.zeros(max(n_samples, 0), dtype=np.float32)
    coarse = first + _BLOCK * np.arange(n_blocks, dtype=np.float64)[:, None]
    fine = np.arange(_BLOCK, dtype=np.float64)
    turn = (coarse * turns + phases[keep]) % 1.0
    angle = (2.0 * np.pi * turn).astype(np.float32)
    size = (amplitudes[keep] * np.exp(-loss * coarse)).astype(np.float32)
    left = np.concatenate([size * np.cos(angle), size * np.sin(angle)], axis=1)
    angle = (2.0 * np.pi * ((turns[:, None] * fine) % 1.0)).astype(np.float32)
    size = np.exp((-loss[:, None] * fine).astype(np.float32))
    right = np.concatenate([size * np.cos(angle), -size * np.sin(angle)], axis=0)
    rows = max(1, _LARGEST_PRODUCT // right.size)
    padded = np.zeros((-(-n_blocks // rows) * rows, left.shape[1]), dtype=np.float32)
    padded[:n_blocks] = left
    return np.matmul(padded.reshape(-1, rows, left.shape[1]), right).reshape(-1)[:n_samples]


def body(
    modes: Array,
    *,
    quality: Array | float,
    gains: Array,
    direct: float,
    sample_rate: int,
    rng: np.random.Generator,
    seconds: float = 0.12,
) -> Audio:
    """Impulse response of a resonating body.

    Parameters
    ----------
    modes : ndarray [shape=(n_modes,)], Hz
    quality : ndarray [shape=(n_modes,)] or float
        Q factors.
    gains : ndarray [shape=(n_modes,)]
        Gain at each resonance.
    direct : float
        Of the sound that does not pass the modes.
    sample_rate : int, Hz
    rng : numpy.random.Generator
        Draws the modes' phases.
    seconds : float, s

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
    """
    decays = np.pi * modes / quality
    # a damped wave of amplitude a has the gain a / (2 decay) at its frequency
    heights = gains * 2.0 * decays / sample_rate
    phases = rng.choice([0.0, 0.5], size=len(modes)) + rng.uniform(-0.12, 0.12, len(modes))
    ringing = partials(
        modes,
        heights,
        decays=decays,
        phases=phases,
        n_samples=round(seconds * sample_rate),
        sample_rate=sample_rate,
    )
    ringing[0] += np.float32(direct)
    return ringing


def shape(points: list[tuple[float, float]], frequencies: Array) -> Audio:
    """Gain that is straight between corners in dB over the logarithm of frequency.

    Parameters
    ----------
    points : list of (Hz, dB)
        Corners, frequencies increasing; held beyond the ends.
    frequencies : ndarray [shape=(n,)], Hz, increasing

    Returns
    -------
    ndarray [shape=(n,)], float32
    """
    corners = np.log2([frequency for frequency, _ in points])
    levels = np.array([level for _, level in points])
    grid = np.linspace(corners[0], corners[-1], 160)
    gains = decibels(np.interp(grid, corners, levels))
    # a curve over frequency itself is all that the many bins need
    return np.interp(frequencies, np.exp2(grid), gains).astype(np.float32)


def shelf_noise(
    n_samples: int, points: list[tuple[float, float]], *, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """Noise of a given spectrum and an RMS of one.

    Parameters
    ----------
    n_samples : int
    points : list of (Hz, dB)
        See :func:`shape`.
    sample_rate : int, Hz
    rng : numpy.random.Generator

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
    """
    n_fft = scipy.fft.next_fast_len(max(n_samples, 16), real=True)
    gain = shape(points, np.arange(n_fft // 2 + 1) * (sample_rate / n_fft))
    gain[0] = 0.0
    # a random spectrum is white noise already: one transform is saved
    parts = rng.standard_normal((2, len(gain)), dtype=np.float32)
    noise = scipy.fft.irfft((parts[0] + 1j * parts[1]) * gain, n_fft)[:n_samples]
    return unit_level(noise.astype(np.float32))


def unit_level(audio: Audio) -> Audio:
    """Audio scaled to an RMS of one; silence stays silence.

    Parameters
    ----------
    audio : ndarray [shape=(n_samples,)], float32

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
    """
    level = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) if len(audio) else 0.0
    return audio if level < 1e-9 else audio * np.float32(1.0 / level)
