"""Plucked and struck strings: partials that are stretched, beat and die away, and what hammer or plectrum adds."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.bodies import resonate
from reprise.data.synthetic.instruments.filters import decibels, partials, shelf_noise, unit_level
from reprise.data.synthetic.instruments.makes import BASS, Make
from reprise.data.synthetic.instruments.score import NoteList

__all__ = ["inharmonicity", "play_strings"]

Array = NDArray[np.float64]
Audio = NDArray[np.float32]

_SILENCE = 7.0
_RELEASE = {"pia": 0.07, "gac": 0.06, "gel": 0.04, BASS: 0.05}
_MOST_PARTIALS = {"pia": 36, "gac": 44, "gel": 44, BASS: 32}
_KNOCK = {
    "pia": [(80.0, -3.0), (250.0, 0.0), (1200.0, -6.0), (6000.0, -30.0)],
    "gac": [(150.0, -6.0), (1500.0, 0.0), (5000.0, -2.0), (12000.0, -14.0)],
    "gel": [(200.0, -6.0), (2000.0, 0.0), (5000.0, -3.0), (12000.0, -20.0)],
    BASS: [(60.0, 0.0), (600.0, -3.0), (3000.0, -20.0)],
}
_KNOCK_SECONDS = 0.12


def inharmonicity(pitch: Array | float, *, make: Make) -> Array:
    """Coefficient B of a string.

    Parameters
    ----------
    pitch : ndarray [shape=(n_notes,)] or float, MIDI numbers
    make : Make
        Of a piano or a guitar.

    Returns
    -------
    ndarray [shape=(n_notes,)]
        Partial n lies at n f0 sqrt(1 + B n²). A piano's short high strings are stiffer and so are its wound bass ones.
    """
    pitch = np.asarray(pitch, dtype=np.float64)
    if make.code != "pia":
        return np.full(pitch.shape, make.traits["stiffness"])
    treble = np.exp(0.09 * (pitch - 60.0))
    return make.traits["stiffness"] * (treble + 0.5 * np.exp(-0.09 * (pitch - 33.0)))


def _string(make: Make, pitch: float, velocity: float, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Frequencies, amplitudes, decays and phases of one note."""
    traits, code = make.traits, make.code
    number = np.arange(1.0, _MOST_PARTIALS[code] + 1.0)
    f0 = 440.0 * np.exp2((pitch + make.tuning + 0.02 * rng.standard_normal() - 69.0) / 12.0)
    stretch = np.sqrt(1.0 + inharmonicity(pitch, make=make) * np.square(number))
    frequencies = number * f0 * stretch
    # what has a node where it is struck is not there; a hard or fast blow is short and excites more
    comb = np.abs(np.sin(np.pi * number * np.clip(traits["point"] + 0.02 * rng.standard_normal(), 0.04, 0.5)))
    corner = traits["softness"] * (0.15 + 1.6 * velocity**1.5) * np.sqrt(f0 / 220.0)
    amplitudes = (comb + 0.02) / np.power(number, 0.5 if code == "pia" else 1.0)
    amplitudes /= 1.0 + np.square(frequencies / corner)
    if "pickup" in traits:
        amplitudes *= np.abs(np.sin(np.pi * number * traits["pickup"])) + 0.03
    # short strings and high partials die first
    decays = traits["decay"] * np.sqrt(f0 / 220.0) + traits["loss"] * (frequencies / 1000.0)
    if code == "pia":
        decays = 2.2 * decays * np.sqrt(f0 / 220.0)
    phases = np.where(np.sin(np.pi * number * traits["point"]) < 0.0, 0.25, -0.25) + 0.02 * rng.standard_normal(
        len(number)
    )
    # strings of one note, or two directions of one string, are never quite in tune: the sound beats and decays twice
    detuned = frequencies * np.exp2(traits["beating"] * rng.uniform(0.5, 1.5) / 1200.0)
    weak = decibels(traits.get("aftersound", -12.0) + 3.0 * rng.standard_normal(len(number)))
    return (
        np.concatenate([frequencies, detuned]),
        np.concatenate([amplitudes, amplitudes * weak]),
        np.concatenate([decays, 0.3 * decays]),
        np.concatenate([phases, rng.uniform(size=len(number))]),
    )


def _note(
    make: Make, pitch: float, velocity: float, *, first: int, held: float, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """One note from ``first`` samples after its onset until it has died away or is damped."""
    frequencies, amplitudes, decays, phases = _string(make, pitch, velocity, rng)
    amplitudes = amplitudes * velocity**1.6
    release = _RELEASE[make.code]
    alive = min(_SILENCE / float(decays.min()), held + 3.0 * release)
    n_samples = round(alive * sample_rate) - first
    # what is 70 dB below the strongest is left out
    heard = amplitudes > 3e-4 * amplitudes.max()
    audio = partials(
        frequencies[heard],
        amplitudes[heard],
        decays=decays[heard],
        phases=phases[heard],
        n_samples=max(n_samples, 0),
        sample_rate=sample_rate,
        first=first,
    )
    damped = max(round(held * sample_rate) - first, 0)
    if damped < len(audio):
        fall = np.arange(len(audio) - damped, dtype=np.float32) / np.float32(release * sample_rate)
        audio[damped:] *= np.exp(-2.5 * fall)
    if first == 0:
        rise = min(len(audio), round(0.0015 * sample_rate))
        audio[:rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)
    return audio


def _distort(clean: Audio, *, drive: float, cabinet: float, sample_rate: int) -> Audio:
    """Valve stages at twice the sample rate, so that what they add does not fold back."""
    n = scipy.fft.next_fast_len(len(clean), real=True)
    spectrum = scipy.fft.rfft(unit_level(clean), n)
    frequencies = np.arange(len(spectrum)) * (sample_rate / n)
    # amplifiers cut the bass before they clip
    spectrum *= (frequencies / (frequencies + 250.0)).astype(np.float32)
    double = np.zeros(n + 1, dtype=spectrum.dtype)
    double[: len(spectrum)] = spectrum
    wave = scipy.fft.irfft(2.0 * double, 2 * n)
    clipped = np.tanh(np.float32(decibels(10.0 + 32.0 * drive)) * wave + np.float32(0.25))
    shaped = scipy.fft.rfft(clipped, 2 * n)[: len(spectrum)] * 0.5
    shaped[0] = 0.0
    # a loudspeaker rolls off steeply; the body filter of the guitar has the rest of its shape
    shaped /= (1.0 + np.square(frequencies / (1.3 * cabinet))).astype(np.float32)
    return scipy.fft.irfft(shaped, n)[: len(clean)]


def _chorus(audio: Audio, *, depth: float, sample_rate: int, rng: np.random.Generator) -> Audio:
    """The sound and a copy whose delay wavers."""
    time = np.arange(len(audio), dtype=np.float64)
    swing = np.sin(2.0 * np.pi * (rng.uniform(0.4, 1.2) * time / sample_rate + rng.uniform()))
    delayed = np.interp(time - sample_rate * (0.012 + 0.003 * swing), time, audio).astype(np.float32)
    return audio + np.float32(depth) * delayed


def play_strings(notes: NoteList, *, make: Make, n_samples: int, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Piano, acoustic or electric guitar, bass guitar.

    Parameters
    ----------
    notes : NoteList
        Any number at a time.
    make : Make
        Of ``pia``, ``gac``, ``gel`` or ``BASS``; a ``drive`` above 0.45 of ``gel`` is a distorted guitar.
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, behind body or loudspeaker, of no particular level.
    """
    dry = np.zeros(n_samples, dtype=np.float32)
    knock = shelf_noise(
        round(_KNOCK_SECONDS * sample_rate), _KNOCK[make.code], sample_rate=sample_rate, rng=rng
    ) * np.exp(-np.arange(round(_KNOCK_SECONDS * sample_rate), dtype=np.float32) / np.float32(0.02 * sample_rate))
    knock *= np.float32(3.0 * decibels(make.traits["noise"]))
    starts = np.round(notes.onset * sample_rate).astype(int)
    for start, held, pitch, velocity in zip(starts, notes.length, notes.pitch, notes.velocity, strict=True):
        if start >= n_samples:
            continue
        first = max(-int(start), 0)
        audio = _note(make, pitch, velocity, first=first, held=held, sample_rate=sample_rate, rng=rng)
        begin = max(int(start), 0)
        length = min(len(audio), n_samples - begin)
        dry[begin : begin + length] += audio[:length]
        length = max(min(len(knock) - first, n_samples - begin), 0)
        dry[begin : begin + length] += knock[first : first + length] * np.float32(velocity)
    if make.traits.get("drive", 0.0) > 0.45:
        drive = (make.traits["drive"] - 0.45) / 0.55
        dry = _distort(dry, drive=drive, cabinet=make.traits["cabinet"], sample_rate=sample_rate)
    if make.traits.get("chorus", 0.0) > 0.0:
        dry = _chorus(dry, depth=make.traits["chorus"], sample_rate=sample_rate, rng=rng)
    return resonate(dry, make=make, sample_rate=sample_rate)
