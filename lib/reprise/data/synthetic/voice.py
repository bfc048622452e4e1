"""A singing voice without recordings: glottal pulses and breath through moving formants."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reprise.data.synthetic.tract import (
    block_length,
    filter_voice,
    formant_bandwidths,
    glottal_filter,
    tract_filter,
    vowel_formants,
)

__all__ = ["formant_bandwidths", "sing", "vowel_formants"]

# output level of a modal /a/ at 0 dB, found by measurement: about -20 dB RMS re full scale
_REFERENCE = 0.05
_TAPS = 32
_OPEN_LIPS = 1e6

Curve = ArrayLike
Array = NDArray[np.float64]


def _pitch(f0: ArrayLike, *, sample_rate: int) -> Array:
    pitch = np.asarray(f0, dtype=np.float64)
    if pitch.ndim != 1 or not len(pitch):
        raise ValueError(f"f0 must be one curve with at least one point, not shape {pitch.shape}")
    if not np.isfinite(pitch).all() or pitch.min() < 0 or pitch.max() > sample_rate / 4:
        raise ValueError(f"f0 must lie in [0, {sample_rate / 4:g}] Hz, a quarter of the sample rate")
    return pitch


# what curves may be; the rest has no limits
_RANGES = {
    "voicing": (0.0, np.inf),
    "aspiration": (0.0, np.inf),
    "open_quotient": (0.1, 1.0),
    "tilt": (0.0, np.inf),
    "jitter": (0.0, np.inf),
    "shimmer": (0.0, np.inf),
    "subharmonic": (0.0, 1.0),
    "lips": (1.0, np.inf),
}


def _points(value: Curve, n_points: int, *, name: str) -> Array:
    """Curve as one value per point."""
    curve = np.asarray(value, dtype=np.float64)
    if curve.shape not in ((), (1,), (n_points,)):
        raise ValueError(f"{name} must be a number or have the {n_points} points of f0, not shape {curve.shape}")
    low, high = _RANGES.get(name, (-np.inf, np.inf))
    if not np.isfinite(curve).all() or (curve < low).any() or (curve > high).any():
        raise ValueError(f"{name} must be finite and lie in [{low:g}, {high:g}]")
    return np.broadcast_to(curve, (n_points,))


def _resonances(
    formants: ArrayLike, bandwidths: ArrayLike | None, *, n_points: int, sample_rate: int
) -> tuple[Array, Array]:
    """Formants and bandwidths as one curve per formant, shape (n_formants, n_points), those near Nyquist left out."""
    centres = np.asarray(formants, dtype=np.float64)
    widths = formant_bandwidths(centres) if bandwidths is None else np.asarray(bandwidths, dtype=np.float64)
    for name, values in (("formants", centres), ("bandwidths", widths)):
        if values.ndim not in (1, 2) or (values.ndim == 2 and len(values) != n_points):
            raise ValueError(f"{name} must have shape (n_formants,) or ({n_points}, n_formants), not {values.shape}")
        if not np.isfinite(values).all() or (values <= 0).any():
            raise ValueError(f"{name} must be finite and above 0 Hz")
    if centres.shape[-1] != widths.shape[-1]:
        raise ValueError(f"{centres.shape[-1]} formants do not go with {widths.shape[-1]} bandwidths")
    shape = (n_points, centres.shape[-1])
    centres, widths = np.broadcast_to(centres, shape).T, np.broadcast_to(widths, shape).T
    below = centres.max(axis=1) < 0.46 * sample_rate
    return centres[below], widths[below]


def _at(positions: Array, curves: Array) -> Array:
    """Linear interpolation at fractional points of the last axis; the last value is held."""
    last = curves.shape[-1] - 1
    left = np.minimum(positions.astype(np.int64), last)
    weight = np.minimum(positions - left, 1.0)
    return curves[..., left] * (1.0 - weight) + curves[..., np.minimum(left + 1, last)] * weight


def _per_sample(curve: Array, hop_length: int) -> Array:
    """Linear interpolation at every sample; the last value is held."""
    step = np.append(np.diff(curve), 0.0)
    return (curve[:, None] + step[:, None] * (np.arange(hop_length) / hop_length)).reshape(-1)


def _pulses(
    phase: Array, f0: Array, height: Array, curves: dict[str, Array], *, hop_length: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Band-limited impulses where the phase passes half cycles; heights for harmonics of the same size at any f0."""
    n_samples = len(phase)
    n_pulses = max(0, int(np.floor(phase[-1] - 0.5)) + 1)
    regular = np.interp(np.arange(n_pulses) + 0.5, phase, np.arange(n_samples, dtype=np.float64))
    position = regular / hop_length
    # the deviation of one pulse moves two periods, hence the root of two; the mean frequency stays
    deviation = rng.standard_normal(n_pulses) * _at(position, curves["jitter"]) / np.sqrt(2.0)
    period = 1.0 / f0[regular.astype(np.int64)]
    times = np.clip(regular + np.clip(deviation, -0.45, 0.45) * period, 0.0, n_samples - 1.0)
    uneven = 1.0 + rng.standard_normal(n_pulses) * _at(position, curves["shimmer"])
    uneven *= 1.0 - _at(position, curves["subharmonic"]) * (np.arange(n_pulses) % 2)
    strength = 0.5 * period * _at(position, height) * np.clip(uneven, 0.0, 2.5)
    whole = np.floor(times)
    taps = np.arange(1 - _TAPS // 2, 1 + _TAPS // 2)
    distance = taps - (times - whole)[:, None]
    kernel = np.sinc(distance) * np.square(np.cos(np.pi * distance / (_TAPS + 2)))
    index = whole.astype(np.int64)[:, None] + taps + _TAPS
    train = np.bincount(index.ravel(), (kernel * strength[:, None]).ravel(), minlength=n_samples + 2 * _TAPS)
    return train[_TAPS : _TAPS + n_samples].astype(np.float32)


def _breath(
    phase: Array,
    height: Array,
    curves: dict[str, Array],
    *,
    hop_length: int,
    sample_rate: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """White noise that swells while the glottis is open, which is before the pulse."""
    # equal density at any rate
    noise = rng.standard_normal(len(phase), dtype=np.float32) * np.float32(np.sqrt(sample_rate / 44100))
    # a glottis that is never closed lets breath pass all the time
    depth = _per_sample(np.clip(1.25 - curves["open_quotient"], 0.0, 0.7), hop_length).astype(np.float32)
    # pulses (closures) lie at half cycles, the open phase's middle a quarter of a cycle before
    swing = np.cos((2.0 * np.pi * (phase % 1.0 - 0.25)).astype(np.float32))
    return noise * height.astype(np.float32) * (1.0 + depth * swing)


def _without_gaps(f0: Array) -> tuple[Array, Array]:
    """Curve without gaps, and where there is voice: 0 or 1 per point."""
    voiced = f0 > 0.0
    if not voiced.any():
        return np.full_like(f0, 100.0), np.zeros_like(f0)
    where = np.flatnonzero(voiced)
    return np.interp(np.arange(len(f0)), where, f0[where]), voiced.astype(float)


def sing(
    *,
    f0: ArrayLike,
    sample_rate: int,
    hop_length: int,
    formants: ArrayLike,
    rng: np.random.Generator,
    bandwidths: ArrayLike | None = None,
    level: Curve = 0.0,
    voicing: Curve = 1.0,
    aspiration: Curve = 0.01,
    open_quotient: Curve = 0.6,
    tilt: Curve = 8.0,
    jitter: Curve = 0.004,
    shimmer: Curve = 0.03,
    subharmonic: Curve = 0.0,
    lips: Curve = _OPEN_LIPS,
) -> NDArray[np.float32]:
    """Voice that follows curves of pitch, vowel, loudness and voice quality.

    Parameters
    ----------
    f0 : array_like [shape=(n_points,)], Hz, in [0, sample_rate / 4]
        Fundamental frequency; 0 where there is no voice. Point ``k`` lies at sample ``k * hop_length``.
    sample_rate : int, Hz, >= 8000
    hop_length : int, samples, >= 1
        Distance of the points of all curves; 1 gives a value per sample. Between points curves are linear.
    formants : array_like [shape=(n_formants,) or (n_points, n_formants)], Hz
        Resonances of the tract, see :func:`vowel_formants`. Those above 0.46 ``sample_rate`` are left out.
    rng : numpy.random.Generator
        Draws jitter, shimmer and breath.
    bandwidths : array_like of the shape of ``formants``, Hz, optional
        Default :func:`formant_bandwidths`.
    level : float or array_like [shape=(n_points,)], dB
        Of voice and breath together; 0 dB of a modal /a/ at 200 Hz is about -20 dB RMS re full scale.
    voicing : float or array_like, >= 0
        Factor of the glottal pulses alone.
    aspiration : float or array_like, >= 0
        Breath noise, RMS relative to the voice before the tract: 0.01 modal, 0.2 very breathy.
    open_quotient : float or array_like, in [0.1, 1]
        Part of a cycle with open glottis: 0.4 pressed, 0.6 modal, 0.8 breathy. Breath comes most in this part.
    tilt : float or array_like, dB, >= 0
        Damping of the pulses at 3 kHz beyond -6 dB per octave: 2 brassy, 8 modal, 25 soft.
    jitter : float or array_like, >= 0
        Relative standard deviation of the periods: 0.004 modal, 0.2 creaky. The mean frequency stays.
    shimmer : float or array_like, >= 0
        Relative standard deviation of the pulses' heights.
    subharmonic : float or array_like, in [0, 1]
        How much weaker every second pulse is.
    lips : float or array_like, Hz
        Corner of a low-pass of second order for lips that are nearly closed.

    Returns
    -------
    ndarray [shape=(n_points * hop_length,)], float32
        Neither limited nor normalised: the sum of loud curves may exceed 1.

    Raises
    ------
    ValueError
        If a curve has another shape than ``f0``, or leaves its range; the message names it.

    Notes
    -----
    Source-filter model. Pulses are band-limited impulses where the integral of ``f0`` passes whole numbers, sent
    through a causal-anticausal glottal filter; breath is white noise that swells with the open phase. Both pass a
    cascade of resonances. The filters change from frame to frame (12 ms) in the Fourier domain, the pulses at once.
    """
    pitch = _pitch(f0, sample_rate=sample_rate)
    n_points = len(pitch)
    given = {"voicing": voicing, "aspiration": aspiration, "open_quotient": open_quotient, "tilt": tilt}
    given |= {"jitter": jitter, "shimmer": shimmer, "subharmonic": subharmonic, "lips": lips}
    curves = {name: _points(value, n_points, name=name) for name, value in given.items()}
    resonances, widths = _resonances(formants, bandwidths, n_points=n_points, sample_rate=sample_rate)
    filled, voiced = _without_gaps(pitch)
    gain = _REFERENCE * np.power(10.0, _points(level, n_points, name="level") / 20.0)

    f0_samples = _per_sample(filled, hop_length) / sample_rate
    phase = np.cumsum(f0_samples)
    pulses = _pulses(phase, f0_samples, gain * voiced * curves["voicing"], curves, hop_length=hop_length, rng=rng)
    breath_height = _per_sample(gain * curves["aspiration"], hop_length)
    breath = _breath(phase, breath_height, curves, hop_length=hop_length, sample_rate=sample_rate, rng=rng)

    block = block_length(sample_rate)
    at = np.arange(-(-len(phase) // block) + 1, dtype=np.float64) * (block / hop_length)
    open_part, damping, corner = (_at(at, curves[name]) for name in ("open_quotient", "tilt", "lips"))
    tract = tract_filter(_at(at, resonances).T, _at(at, widths).T, lips=corner, sample_rate=sample_rate)
    glottis = glottal_filter(_at(at, filled), open_part, tilt=damping, sample_rate=sample_rate)
    top = float(resonances.max(initial=0.0))
    return filter_voice(pulses, breath, tract=tract, glottis=glottis, top=top, sample_rate=sample_rate)[: len(phase)]
