"""What leaves string, reed, lips or air jet: the sizes of the harmonics at a pitch and a loudness."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.makes import Make

__all__ = ["LEVELS", "TABLE_SIZE", "cycles", "harmonics"]

Array = NDArray[np.float64]

LEVELS = 5
"""Loudnesses for which a cycle is made, from the softest to the loudest; between them there is a mixture."""
TABLE_SIZE = 2048
_HIGHEST = 0.46


def _bowed(number: Array, frequency: Array, loudness: Array, traits: dict[str, float]) -> Array:
    """Sawtooth of the slip-stick motion, less what has a node under the bow, dull where the bow is light."""
    node = 0.3 + 0.7 * np.abs(np.sin(np.pi * number * traits["point"]))
    corner = traits["cutoff"] * (0.35 + 1.3 * loudness)
    return node / number / (1.0 + np.square(frequency / corner))


def _clarinet(number: Array, frequency: Array, loudness: Array, traits: dict[str, float]) -> Array:
    """Cylinder closed at the reed: odd harmonics, until the row of tone holes lets even ones pass as well."""
    even = traits["even"] + (1.0 - traits["even"]) / (1.0 + np.exp(-(frequency - 1.35 * traits["cutoff"]) / 260.0))
    parity = np.where(number % 2 == 1, 1.0, even)
    lattice = np.power(1.0 + np.square(frequency / traits["cutoff"]), -1.5 + 0.6 * loudness)
    return parity * lattice * np.exp(-0.28 * (1.0 - loudness) * (number - 1.0)) / np.power(number, 0.35)


def _saxophone(number: Array, frequency: Array, loudness: Array, traits: dict[str, float]) -> Array:
    """Cone: all harmonics, a weak fundamental in the low register, a broad hump below the tone-hole cut-off."""
    hump = np.power(1.0 + np.square(frequency / traits["cutoff"]), -0.95 + 0.4 * loudness)
    return hump * frequency / (frequency + 260.0) * np.exp(-frequency / (1100.0 + 5200.0 * loudness))


def _flute(number: Array, frequency: Array, loudness: Array, traits: dict[str, float]) -> Array:
    """Air jet: few harmonics, fewer still when it is soft or high."""
    slope = traits["slope"] + 4.0 - 6.0 * loudness
    # low notes have a strong octave
    octave = np.where(number == 2, 3.0 * np.clip(1.0 - frequency / 1400.0, -1.0, 1.0), 0.0)
    return np.power(10.0, (-slope * (number - 1.0) + octave) / 20.0) / (1.0 + np.square(frequency / 4000.0))


def _trumpet(number: Array, frequency: Array, loudness: Array, traits: dict[str, float]) -> Array:
    """Lips: the waves steepen in the bore when loud; the bell sends out what is high."""
    radiation = frequency / np.sqrt(np.square(frequency) + traits["cutoff"] ** 2)
    size = radiation * np.exp(-frequency / (260.0 + 3200.0 * np.power(loudness, 1.7)))
    # some makes have a mute, whose nasal hump is narrow
    mute = max(traits["mute"] - 0.3, 0.0)
    return size * (1.0 + 6.0 * mute * np.exp(-np.square(np.log2(frequency / 1800.0) / 0.5)) - 0.6 * mute)


_SOURCES: dict[str, Callable[[Array, Array, Array, dict[str, float]], Array]] = {
    "cel": _bowed,
    "vio": _bowed,
    "cla": _clarinet,
    "sax": _saxophone,
    "flu": _flute,
    "tru": _trumpet,
}


def harmonics(make: Make, *, f0: Array, loudness: Array, n_harmonics: int) -> Array:
    """Sizes of the harmonics before body, bell and room.

    Parameters
    ----------
    make : Make
        Of a bowed or blown instrument.
    f0 : ndarray [shape=(n_pitches,)], Hz
    loudness : ndarray [shape=(n_levels,)], in [0, 1]
    n_harmonics : int

    Returns
    -------
    ndarray [shape=(n_pitches, n_levels, n_harmonics)]
        With a sum of squares of one.
    """
    number = np.arange(1, n_harmonics + 1, dtype=np.float64)
    frequency = f0[:, None, None] * number
    sizes = _SOURCES[make.code](number, frequency, loudness[:, None], make.traits)
    return sizes / np.sqrt(np.square(sizes).sum(axis=2, keepdims=True))


def cycles(make: Make, *, f0: Array, sample_rate: int) -> NDArray[np.float32]:
    """One cycle per pitch and loudness, band-limited at that pitch.

    Parameters
    ----------
    make : Make
    f0 : ndarray [shape=(n_pitches,)], Hz
    sample_rate : int, Hz

    Returns
    -------
    ndarray [shape=(n_pitches, LEVELS, TABLE_SIZE + 1)], float32
        With an RMS of one; the last value repeats the first.
    """
    n_harmonics = int(np.clip(_HIGHEST * sample_rate / f0.min(), 1, TABLE_SIZE // 4))
    sizes = harmonics(make, f0=f0, loudness=np.linspace(0.0, 1.0, LEVELS), n_harmonics=n_harmonics)
    sizes *= (f0[:, None] * np.arange(1, n_harmonics + 1) < _HIGHEST * sample_rate)[:, None, :]
    # a sawtooth's phases, strewn a little: a crest as high as a sawtooth's is rare behind a body
    phases = np.random.default_rng(make.seed).normal(-0.5 * np.pi, 0.5, n_harmonics)
    spectrum = np.zeros((*sizes.shape[:2], TABLE_SIZE // 2 + 1), dtype=np.complex128)
    spectrum[..., 1 : n_harmonics + 1] = sizes * np.exp(1j * phases) * TABLE_SIZE / np.sqrt(2.0)
    table = np.fft.irfft(spectrum, TABLE_SIZE, axis=2).astype(np.float32)
    return np.concatenate([table, table[..., :1]], axis=2)
