"""Electronic instruments: filtered waves in chords and lines, bells, and a tone that wanders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.filters import decibels, partials
from reprise.data.synthetic.instruments.score import NoteList
from reprise.data.synthetic.melodies import POINT_RATE, point_hop, wander

__all__ = ["Patch", "draw_patch", "play_sweep", "play_synthesizer"]

Array = NDArray[np.float64]
Audio = NDArray[np.float32]

_MOST_PARTIALS = 28
# multiples of a bell's pitch, as of a struck bar with ends free, and of none at all
_BELL = np.array([1.0, 2.76, 5.40, 8.93, 0.5, 1.19])


@dataclass(frozen=True)
class Patch:
    """Setting of a synthesiser.

    Attributes
    ----------
    bell : bool
        Inharmonic partials that die away instead of a wave.
    odd : float, in [0, 1]
        0 is a sawtooth wave, 1 a square wave.
    cutoff : float, Hz
        Of the filter, 12 dB per octave.
    detune : float, cents
        Between two oscillators.
    attack, release : float, s
    decay : float, 1/s, >= 0
        At which a held note falls.
    """

    bell: bool
    odd: float
    cutoff: float
    detune: float
    attack: float
    release: float
    decay: float


# limits of what is drawn: cutoff in Hz, detuning in cents, attack and release in s, decay in 1/s
_PATCHES: dict[str, dict[str, tuple[float, float]]] = {
    "pad": {"cutoff": (500, 2200), "detune": (6, 16), "attack": (0.2, 0.8), "release": (0.4, 1.2), "decay": (0, 0)},
    "lead": {
        "cutoff": (2000, 7000),
        "detune": (2, 12),
        "attack": (0.005, 0.02),
        "release": (0.03, 0.1),
        "decay": (0, 1),
    },
    "arpeggiator": {
        "cutoff": (1200, 6000),
        "detune": (0, 8),
        "attack": (0.002, 0.005),
        "release": (0.02, 0.06),
        "decay": (5, 14),
    },
    "synth bass": {
        "cutoff": (250, 900),
        "detune": (0, 5),
        "attack": (0.003, 0.01),
        "release": (0.02, 0.05),
        "decay": (1, 6),
    },
    "bells": {
        "cutoff": (3000, 9000),
        "detune": (1, 6),
        "attack": (0.001, 0.003),
        "release": (0.8, 2),
        "decay": (0.8, 3),
    },
}


def draw_patch(name: str, rng: np.random.Generator) -> Patch:
    """A setting of a kind.

    Parameters
    ----------
    name : str
        ``pad``, ``lead``, ``arpeggiator``, ``synth bass`` or ``bells``.
    rng : numpy.random.Generator

    Returns
    -------
    Patch

    Raises
    ------
    ValueError
        If there is no such setting.
    """
    if name not in _PATCHES:
        raise ValueError(f"there is no patch {name!r}; known: {', '.join(_PATCHES)}")
    drawn = {key: float(rng.uniform(*limits)) for key, limits in _PATCHES[name].items()}
    return Patch(bell=name == "bells", odd=float(rng.choice([0.0, 0.0, 0.6, 1.0])), **drawn)


def _spectrum(patch: Patch, f0: float) -> tuple[Array, Array, Array]:
    """Frequencies, amplitudes and decays of a note."""
    if patch.bell:
        multiples = _BELL
        amplitudes = np.array([1.0, 0.6, 0.35, 0.2, 0.3, 0.25])
        decays = patch.decay * np.sqrt(multiples)
    else:
        multiples = np.arange(1.0, _MOST_PARTIALS + 1.0)
        amplitudes = np.where(multiples % 2 == 0, 1.0 - patch.odd, 1.0) / multiples
        decays = np.full(len(multiples), patch.decay)
    frequencies = f0 * multiples
    return frequencies, amplitudes / (1.0 + np.square(frequencies / patch.cutoff)), decays


def play_synthesizer(
    notes: NoteList, *, patch: Patch, n_samples: int, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """Notes on a synthesiser.

    Parameters
    ----------
    notes : NoteList
        Any number at a time.
    patch : Patch
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator
        Draws the oscillators' phases.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, of no particular level.
    """
    dry = np.zeros(n_samples, dtype=np.float32)
    starts = np.round(notes.onset * sample_rate).astype(int)
    for start, held, pitch, velocity in zip(starts, notes.length, notes.pitch, notes.velocity, strict=True):
        begin, first = max(int(start), 0), max(-int(start), 0)
        length = min(round((held + 3.0 * patch.release) * sample_rate) - first, n_samples - begin)
        if length <= 0:
            continue
        frequencies, amplitudes, decays = _spectrum(patch, 440.0 * float(np.exp2((pitch - 69.0) / 12.0)))
        audio = partials(
            np.concatenate([frequencies, frequencies * np.exp2(patch.detune / 1200.0)]),
            np.concatenate([amplitudes, amplitudes]) * velocity,
            decays=np.concatenate([decays, decays]),
            phases=rng.uniform(size=2 * len(frequencies)),
            n_samples=length,
            sample_rate=sample_rate,
            first=first,
        )
        since = (np.arange(length, dtype=np.float32) + np.float32(first)) / np.float32(sample_rate)
        envelope = 1.0 - np.exp(-since / np.float32(patch.attack))
        envelope *= np.exp(-np.maximum(since - np.float32(held), 0.0) / np.float32(patch.release))
        dry[begin : begin + length] += audio * envelope
    return dry


def play_sweep(*, n_samples: int, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A tone that wanders over some octaves and is part of no scale.

    Parameters
    ----------
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, of no particular level.
    """
    n_points = -(-n_samples // point_hop(sample_rate)) + 1
    pitch = rng.uniform(58.0, 76.0) + 9.0 * wander(n_points, seconds=rng.uniform(0.3, 1.2), rng=rng)
    level = decibels(np.clip(5.0 * wander(n_points, seconds=0.7, rng=rng), -30.0, 6.0))
    at = np.arange(n_samples) * (POINT_RATE / sample_rate)
    f0 = 440.0 * np.exp2((np.clip(np.interp(at, np.arange(n_points), pitch), 40.0, 98.0) - 69.0) / 12.0)
    phase = 2.0 * np.pi * np.cumsum(f0 / sample_rate)
    tone = np.sin(phase + rng.uniform(0.5, 2.5) * np.sin(rng.choice([1.0, 2.0, 1.41]) * phase))
    return (tone * np.interp(at, np.arange(n_points), level)).astype(np.float32)
