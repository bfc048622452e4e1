"""Vowels, and the filters that make a voice of pulses and breath."""

import math

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "VOWELS",
    "block_length",
    "filter_voice",
    "formant_bandwidths",
    "glottal_filter",
    "tract_filter",
    "vowel_formants",
]

Array = NDArray[np.float64]

VOWELS = {
    "a": (730.0, 1090.0, 2440.0, 3400.0, 4450.0),
    "e": (490.0, 1900.0, 2550.0, 3500.0, 4500.0),
    "i": (290.0, 2250.0, 2950.0, 3550.0, 4550.0),
    "o": (500.0, 850.0, 2410.0, 3350.0, 4400.0),
    "u": (320.0, 800.0, 2250.0, 3300.0, 4400.0),
}

# poles of the short cavities: without them a cascade at 44.1 kHz would be mute above the fifth formant
_UPPER = (5500.0, 6500.0, 7550.0, 8650.0, 9800.0)
_BLOCK_SECONDS = 512 / 44100
# a frame, room for what the anticausal pulse has before it, and room for the formants to ring out
_N_FFT_BLOCKS = 8
_LEAD_BLOCKS = 2
_CHUNK = 64


def vowel_formants(vowel: str, *, tract: float = 1.0, ring: float = 0.0) -> Array:
    """Resonances of a vowel.

    Parameters
    ----------
    vowel : str
        One of ``a e i o u``.
    tract : float, > 0
        Factor of all frequencies: 1 for a vocal tract of 17.5 cm, about 1.18 for one of 14.8 cm.
    ring : float, in [0, 1]
        How far the third to fifth formant are drawn together to the singer's formant near 3 kHz.

    Returns
    -------
    ndarray [shape=(10,)], Hz, increasing

    Raises
    ------
    ValueError
        If there is no such vowel.
    """
    if vowel not in VOWELS:
        raise ValueError(f"there is no vowel {vowel!r}; known: {' '.join(VOWELS)}")
    formants = np.array(VOWELS[vowel] + _UPPER)
    # what lies above moves down with them, or the spectrum would end there
    formants[2:] += ring * (np.array([2650.0, 3000.0, 3450.0, 4450.0, 5500.0, 6600.0, 7700.0, 9000.0]) - formants[2:])
    return tract * formants


def formant_bandwidths(formants: ArrayLike) -> Array:
    """Usual bandwidths at given resonances: some 80 Hz at the first, 400 Hz at 10 kHz.

    Parameters
    ----------
    formants : array_like, Hz

    Returns
    -------
    ndarray of the same shape, Hz
    """
    return 80.0 * (1.0 + np.square(np.asarray(formants, dtype=float)) / 2.5e7)


def block_length(sample_rate: int) -> int:
    """Samples from one filter to the next: the power of two nearest to 12 ms."""
    return 1 << round(math.log2(_BLOCK_SECONDS * sample_rate))


def _biquad(frequency: Array, bandwidth: Array, sample_rate: int) -> tuple[Array, Array]:
    """Coefficients b and c of a resonance 1 / (1 + b z^-1 + c z^-2)."""
    radius = np.exp(-np.pi * bandwidth / sample_rate)
    return -2.0 * radius * np.cos(2.0 * np.pi * frequency / sample_rate), np.square(radius)


def tract_filter(formants: Array, bandwidths: Array, *, lips: Array, sample_rate: int) -> Array:
    """Denominator polynomial of the vocal tract per frame, scaled to a gain of one at 0 Hz.

    Parameters
    ----------
    formants, bandwidths : ndarray [shape=(n_frames, n_formants)], Hz
    lips : ndarray [shape=(n_frames,)], Hz
        Corner of the low-pass that nearly closed lips make; none from 0.45 times the sample rate on.
    sample_rate : int, Hz

    Returns
    -------
    ndarray [shape=(n_frames, n_taps)]
        Powers of the delay, from 0 up.
    """
    polynomial = np.ones((len(formants), 1))
    sections = [_biquad(f, b, sample_rate) for f, b in zip(formants.T, bandwidths.T, strict=True)]
    pole = np.exp(-2.0 * np.pi * np.minimum(lips, 0.45 * sample_rate) / sample_rate)
    closed = (lips < 0.45 * sample_rate).astype(float)
    sections.append((-2.0 * pole * closed, np.square(pole) * closed))
    for b, c in sections:
        longer = np.pad(polynomial, ((0, 0), (0, 2)))
        longer[:, 1:-1] += b[:, None] * polynomial
        longer[:, 2:] += c[:, None] * polynomial
        polynomial = longer
    return polynomial / polynomial.sum(axis=1, keepdims=True)


def glottal_filter(f0: Array, open_quotient: Array, *, tilt: Array, sample_rate: int) -> Array:
    """Denominator of the glottal pulse per frame: taps at times -2, -1, 0, 1, scaled to a peak of one.

    Parameters
    ----------
    f0 : ndarray [shape=(n_frames,)], Hz
    open_quotient : ndarray [shape=(n_frames,)]
        Part of each cycle in which the glottis is open.
    tilt : ndarray [shape=(n_frames,)]
        Of the spectrum, in the unit of :func:`reprise.data.synthetic.voice.sing`.
    sample_rate : int, Hz

    Returns
    -------
    ndarray [shape=(n_frames, 4)]

    Notes
    -----
    Causal-anticausal linear model of the derivative of the glottal flow (Doval, d'Alessandro and Henrich 2003): an
    anticausal resonance for the open phase, a causal one-pole filter for the abruptness of the closure.
    """
    centre = np.maximum(f0, 60.0) / (2.0 * open_quotient)
    width = np.maximum(f0, 75.0) / (1.8 * open_quotient)
    b, c = _biquad(centre, width, sample_rate)
    angle = 2.0 * np.pi * centre / sample_rate
    unit = np.exp(-1j * angle)
    peak = np.abs(1.0 - unit) / np.abs(1.0 + b * unit + c * np.square(unit))
    corner = 3000.0 / np.sqrt(np.power(10.0, np.maximum(tilt, 0.2) / 10.0) - 1.0)
    pole = np.exp(-2.0 * np.pi * corner / sample_rate)
    scale = peak / (1.0 - pole)
    taps = np.stack([c, b - pole * c, 1.0 - pole * b, -pole], axis=1)
    return taps * scale[:, None]


def _short_cavities(top: float, frequencies: Array, *, sample_rate: int) -> Array:
    """Gain of the endless row of resonances above the highest formant, which lift all below them.

    Notes
    -----
    What Fant (1960) calls the higher-pole correction: 15 dB at 5 kHz at 44.1 kHz. Digital resonances repeat around
    multiples of the sample rate and already do their part there, so only the gaps between the copies are filled.
    """
    poles = np.arange(top + 1050.0, 4.0 * sample_rate, 1050.0)
    poles = poles[np.abs(poles - sample_rate * np.round(poles / sample_rate)) > top + 500.0]
    gain = np.ones_like(frequencies)
    for pole in poles:
        square = np.square(frequencies / pole)
        gain /= np.sqrt(np.square(1.0 - square) + 0.15 * square)
    return gain


def _frames(signal: NDArray[np.float32], *, block: int, n_frames: int) -> NDArray[np.float32]:
    """Overlapping Hann-weighted frames that add up to the signal; a view is weighted, nothing is looped."""
    padded = np.zeros((n_frames + 1) * block, dtype=np.float32)
    padded[block : block + len(signal)] = signal
    window = np.square(np.sin(np.pi * (np.arange(2 * block) + 0.5) / (2 * block))).astype(np.float32)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * block)[::block] * window


def filter_voice(
    pulses: NDArray[np.float32],
    breath: NDArray[np.float32],
    *,
    tract: Array,
    glottis: Array,
    top: float,
    sample_rate: int,
) -> NDArray[np.float32]:
    """Send each frame through its own filter and add the frames up, some dozens of frames at a time.

    Parameters
    ----------
    pulses, breath : ndarray [shape=(n_samples,)], float32
        Glottal pulses and aspiration noise.
    tract : ndarray [shape=(n_frames, n_taps)]
        From :func:`tract_filter`.
    glottis : ndarray [shape=(n_frames, 4)]
        From :func:`glottal_filter`; shapes the pulses only.
    top : float, Hz
        Where the modelled formants end; shorter cavities lift what is above.
    sample_rate : int, Hz

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
    """
    block = block_length(sample_rate)
    n_frames, n_fft = len(tract), _N_FFT_BLOCKS * block
    frequencies = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sample_rate / n_fft)
    lift = _short_cavities(top, frequencies, sample_rate=sample_rate).astype(np.float32)
    differentiate = lift * (1.0 - np.exp(-2j * np.pi * frequencies / sample_rate)).astype(np.complex64)
    # lungs make no infrasound
    breath_shape = lift * (np.square(frequencies) / (np.square(frequencies) + 250.0**2)).astype(np.float32)
    voiced, breathed = (_frames(signal, block=block, n_frames=n_frames) for signal in (pulses, breath))
    out = np.zeros((n_frames + _N_FFT_BLOCKS, block), dtype=np.float32)
    for start in range(0, n_frames, _CHUNK):
        part = slice(start, start + _CHUNK)
        # the two taps before time zero sit at the end of the circle
        circle = np.zeros((len(tract[part]), n_fft))
        circle[:, -2:], circle[:, :2] = glottis[part, :2], glottis[part, 2:]
        source = scipy.fft.rfft(voiced[part], n_fft, axis=1) * differentiate
        source /= scipy.fft.rfft(circle, axis=1).astype(np.complex64)
        source += scipy.fft.rfft(breathed[part], n_fft, axis=1) * breath_shape
        source /= scipy.fft.rfft(tract[part], n_fft, axis=1).astype(np.complex64)
        ringing = scipy.fft.irfft(source, n_fft, axis=1).reshape(-1, _N_FFT_BLOCKS, block)
        for k in range(_N_FFT_BLOCKS):
            place = start + (k + _LEAD_BLOCKS) % _N_FFT_BLOCKS
            out[place : place + len(ringing)] += ringing[:, k]
    return out[_LEAD_BLOCKS + 1 :].reshape(-1)
