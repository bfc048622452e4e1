"""Pipe and tonewheel organs: ranks of steady partials, the chiff of speaking pipes, rotor and wind."""

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.bodies import resonate
from reprise.data.synthetic.instruments.filters import decibels, partials, shelf_noise
from reprise.data.synthetic.instruments.makes import Make
from reprise.data.synthetic.instruments.score import NoteList

__all__ = ["play_organ", "ranks"]

Array = NDArray[np.float64]
Audio = NDArray[np.float32]

# pitch of a rank as a multiple of the key's: 16', 5 1/3', 8', 4', 2 2/3', 2', 1 3/5', 1 1/3', 1'
_DRAWBARS = np.array([0.5, 1.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
# numbers from 0 to 8 on the drawbars, 3 dB apart
_TONEWHEEL = (
    (8, 8, 8, 0, 0, 0, 0, 0, 0),
    (8, 8, 8, 0, 0, 0, 0, 0, 8),
    (8, 8, 8, 8, 8, 8, 8, 8, 8),
    (0, 0, 8, 6, 4, 2, 0, 0, 0),
)
_PIPES = (
    (0, 0, 8, 0, 0, 0, 0, 0, 0),
    (0, 0, 8, 7, 0, 6, 0, 0, 0),
    (7, 0, 8, 7, 5, 6, 0, 0, 4),
    (0, 0, 8, 5, 0, 0, 4, 0, 0),
)
_HARMONICS = 8


def ranks(make: Make) -> tuple[Array, Array]:
    """Partials of a key: multiples of its pitch and their sizes.

    Parameters
    ----------
    make : Make
        Of an organ; with ``pipes`` above one half it has pipes, else tone wheels.

    Returns
    -------
    (ndarray, ndarray) [shape=(n_partials,)]
    """
    rng = np.random.default_rng(make.seed)
    piped = make.traits["pipes"] > 0.5
    choices = _PIPES if piped else _TONEWHEEL
    drawn = np.array(choices[int(make.traits["registration"] * len(choices)) % len(choices)], dtype=float)
    sizes = np.where(drawn > 0, decibels(3.0 * (drawn - 8.0) + rng.normal(0.0, 1.5, len(drawn))), 0.0)
    if not piped:
        return _DRAWBARS, sizes
    # principals have harmonics that fall by some 8 to 12 dB each; every rank is a little out of tune
    number = np.arange(1.0, _HARMONICS + 1.0)
    fall = decibels(-rng.uniform(7.0, 13.0) * (number - 1.0))
    tuning = np.exp2(rng.normal(0.0, 1.5, len(_DRAWBARS)) / 1200.0)
    return (tuning * _DRAWBARS)[:, None].repeat(_HARMONICS, 1).ravel() * np.tile(number, len(_DRAWBARS)), np.outer(
        sizes, fall
    ).ravel()


def _rotor(audio: Audio, *, depth: float, sample_rate: int, rng: np.random.Generator) -> Audio:
    """A horn that turns: its delay and its loudness waver."""
    time = np.arange(len(audio), dtype=np.float64)
    rate = rng.uniform(5.8, 7.0) if rng.uniform() < 0.6 else rng.uniform(0.7, 1.0)
    angle = 2.0 * np.pi * (rate * time / sample_rate + rng.uniform())
    swing = np.sin(angle)
    moved = np.interp(time - sample_rate * 0.0004 * depth * (1.0 + swing), time, audio)
    return (moved * (1.0 + 0.35 * depth * np.cos(angle))).astype(np.float32)


def play_organ(notes: NoteList, *, make: Make, n_samples: int, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Organ with pipes or tone wheels.

    Parameters
    ----------
    notes : NoteList
        Any number at a time; an organ knows no velocity, the swell pedal moves slowly.
    make : Make
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, of no particular level.
    """
    traits = make.traits
    multiples, sizes = ranks(make)
    multiples, sizes = multiples[sizes > 1e-3], sizes[sizes > 1e-3]
    dry = np.zeros(n_samples, dtype=np.float32)
    chiff = shelf_noise(
        round(0.1 * sample_rate), [(300.0, -10.0), (1500.0, 0.0), (6000.0, -4.0)], sample_rate=sample_rate, rng=rng
    )
    chiff *= np.exp(-np.arange(len(chiff), dtype=np.float32) / np.float32(0.015 * sample_rate))
    chiff *= np.float32(2.0 * decibels(traits["chiff"]))
    starts = np.round(notes.onset * sample_rate).astype(int)
    for start, held, pitch in zip(starts, notes.length, notes.pitch, strict=True):
        begin, first = max(int(start), 0), max(-int(start), 0)
        length = min(round((held + 4.0 * traits["release"]) * sample_rate) - first, n_samples - begin)
        if length <= 0:
            continue
        audio = partials(
            440.0 * np.exp2((pitch + make.tuning - 69.0) / 12.0) * multiples,
            sizes,
            decays=np.zeros(len(sizes)),
            phases=rng.uniform(size=len(sizes)),
            n_samples=length,
            sample_rate=sample_rate,
            first=first,
        )
        since = (np.arange(length, dtype=np.float32) + np.float32(first)) / np.float32(sample_rate)
        envelope = 1.0 - np.exp(-since / np.float32(traits["attack"]))
        envelope *= np.exp(-np.maximum(since - np.float32(held), 0.0) / np.float32(traits["release"]))
        dry[begin : begin + length] += audio * envelope
        cut = max(min(len(chiff) - first, length), 0)
        dry[begin : begin + cut] += chiff[first : first + cut]
    if traits["rotor"] > 0.0 and traits["pipes"] <= 0.5:
        dry = _rotor(dry, depth=traits["rotor"], sample_rate=sample_rate, rng=rng)
    if traits["pipes"] > 0.5:
        wind = [(40.0, 0.0), (400.0, -6.0), (4000.0, -20.0)]
        dry += np.float32(decibels(traits["wind"])) * shelf_noise(n_samples, wind, sample_rate=sample_rate, rng=rng)
    return resonate(dry, make=make, sample_rate=sample_rate)
