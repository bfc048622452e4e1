"""Bowed and blown instruments: a cycle that follows pitch and loudness, and the noise of bow or breath."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reprise.data.synthetic.instruments.bodies import resonate
from reprise.data.synthetic.instruments.filters import decibels, shelf_noise
from reprise.data.synthetic.instruments.makes import Make
from reprise.data.synthetic.instruments.score import NoteList
from reprise.data.synthetic.instruments.sources import LEVELS, TABLE_SIZE, cycles
from reprise.data.synthetic.melodies import POINT_RATE, point_hop, smooth, wander

__all__ = ["play_sustained"]

Array = NDArray[np.float64]
Audio = NDArray[np.float32]

_NOISES = {
    "cel": [(150.0, -10.0), (500.0, 0.0), (3000.0, -6.0), (12000.0, -24.0)],
    "vio": [(300.0, -14.0), (1200.0, 0.0), (5000.0, -4.0), (14000.0, -18.0)],
    "cla": [(300.0, -12.0), (1500.0, 0.0), (5000.0, -4.0), (14000.0, -16.0)],
    "sax": [(300.0, -8.0), (1200.0, 0.0), (5000.0, -3.0), (14000.0, -12.0)],
    "flu": [(400.0, -12.0), (1500.0, 0.0), (4500.0, 0.0), (14000.0, -14.0)],
    "tru": [(400.0, -10.0), (1500.0, 0.0), (6000.0, -4.0), (14000.0, -14.0)],
}
# semitones of vibrato and the rest are habits of genres, too
_VIBRATO = {"cla": 1.1, "jaz_blu": 0.8, "pop_roc": 0.7, "cou_fol": 0.6, "lat_sou": 0.9}


@dataclass
class _Line:
    """Curves with ``POINT_RATE`` points per second."""

    note: NDArray[np.int64]
    pitch: Array
    level: Array
    loudness: Array
    noise: Array
    growl: Array


def _place(notes: NoteList, n_points: int) -> tuple[NDArray[np.int64], Array, Array]:
    """Note, time since its onset and time after its end, per point."""
    time = np.arange(n_points) / POINT_RATE
    note = np.maximum(np.searchsorted(notes.onset, time, side="right") - 1, 0)
    since = time - notes.onset[note]
    return note, since, since - notes.length[note]


def _line(notes: NoteList, *, make: Make, genre: str, n_points: int, rng: np.random.Generator) -> _Line:
    traits, n = make.traits, len(notes)
    note, since, after = _place(notes, n_points)
    gaps = np.append(np.inf, notes.onset[1:] - notes.onset[:-1] - notes.length[:-1])
    slurred = ((gaps < 0.04) & (rng.uniform(size=n) < 0.5))[note]
    attack = traits["attack"] * np.exp(0.3 * rng.standard_normal(n))[note]
    rise = 1.0 - np.where(slurred, 0.35, 1.0) * np.exp(-np.maximum(since, 0.0) / attack)
    envelope = rise * np.exp(-np.maximum(after, 0.0) / traits["release"]) * (since >= 0.0)
    middle = np.sin(np.pi * np.clip(since / np.maximum(notes.length[note], 0.05), 0.0, 1.0))
    swell = rng.uniform(0.0, 4.0, n)[note] * middle

    speed = traits["vibrato_rate"] * (1.0 + 0.04 * wander(n_points, seconds=0.5, rng=rng))
    phase = 2.0 * np.pi * (np.cumsum(speed) / POINT_RATE + rng.uniform())
    depth = np.clip((since - traits["vibrato_delay"]) / 0.2, 0.0, 1.0) * _VIBRATO.get(genre, 0.8)
    depth *= rng.uniform(0.6, 1.2, n)[note]
    pitch = smooth((notes.pitch + 0.05 * rng.standard_normal(n))[note], seconds=traits["glide"]) + make.tuning
    pitch += traits["vibrato_extent"] * depth * np.sin(phase) + 0.03 * wander(n_points, seconds=0.3, rng=rng)
    scoop = traits.get("scoop", 0.0) * (rng.uniform(size=n) < 0.4)
    pitch -= scoop[note] * np.exp(-np.maximum(since, 0.0) / 0.05)

    flutter = 0.8 * wander(n_points, seconds=0.25, rng=rng)
    level = 26.0 * (notes.velocity[note] - 1.0) + swell + flutter
    level += traits["vibrato_level"] * depth * np.sin(phase + rng.uniform(0.0, 1.5))
    loudness = notes.velocity[note] + 0.03 * (swell + flutter) - 0.25 * (1.0 - rise)
    growl = np.clip(traits.get("growl", 0.0), 0.0, 1.0) * (rng.uniform(size=n) < 0.5)
    # noise comes before the tone and does not swell as much
    burst = traits["burst"] * np.exp(-np.maximum(since, 0.0) / 0.035) * ~slurred
    noise = traits["noise"] + burst + 14.0 * (notes.velocity[note] - 1.0)
    audible = np.sqrt(envelope)
    return _Line(
        note=note,
        pitch=pitch,
        level=envelope * decibels(level),
        loudness=np.clip(loudness, 0.0, 1.0),
        noise=audible * decibels(noise + rng.uniform(-2.0, 2.0)),
        growl=growl[note] if growl.any() else np.zeros(0),
    )


def _samples(curve: Array, hop_length: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Linear interpolation at every sample; the last value is held."""
    curve = curve.astype(dtype)
    step = np.diff(curve, append=curve[-1:])
    ramp: NDArray[Any] = (np.arange(hop_length) / hop_length).astype(dtype)
    return (curve[:, None] + step[:, None] * ramp).reshape(-1)


def _tone(line: _Line, notes: NoteList, *, make: Make, sample_rate: int) -> Audio:
    """Read the cycles along the phase, mixed after loudness."""
    hop = point_hop(sample_rate)
    pitches, which = np.unique(np.round(notes.pitch), return_inverse=True)
    tables = cycles(make, f0=440.0 * np.exp2((pitches - 69.0) / 12.0), sample_rate=sample_rate)
    f0 = 440.0 * np.exp2((line.pitch - 69.0) / 12.0)
    phase = np.cumsum(_samples(f0 / sample_rate, hop, np.float64))
    turn = ((phase % 1.0) * TABLE_SIZE).astype(np.float32)
    place = np.minimum(turn.astype(np.int32), TABLE_SIZE - 1)
    part = turn - place.astype(np.float32)
    level = _samples(line.loudness * (LEVELS - 1.001), hop)
    lower = level.astype(np.int32)
    row = np.repeat(which[line.note].astype(np.int32) * LEVELS, hop) + lower
    flat, index = tables.reshape(-1), row * np.int32(TABLE_SIZE + 1) + place
    soft = flat[index]
    soft += part * (flat[index + 1] - soft)
    index += np.int32(TABLE_SIZE + 1)
    loud = flat[index]
    loud += part * (flat[index + 1] - loud)
    tone = soft + (level - lower.astype(np.float32)) * (loud - soft)
    if len(line.growl):
        # the player's voice beats with the reed: every second cycle is weaker
        tone *= 1.0 - _samples(line.growl, hop) * (np.floor(phase) % 2.0).astype(np.float32)
    return tone * _samples(line.level, hop)


def play_sustained(
    notes: NoteList, *, make: Make, genre: str, n_samples: int, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """Bowed string, reed, flute or trumpet.

    Parameters
    ----------
    notes : NoteList
        At least one; never two at a time.
    make : Make
        Of ``cel``, ``vio``, ``cla``, ``sax``, ``flu`` or ``tru``.
    genre : str
        Decides on the width of the vibrato.
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, behind the instrument's body, of no particular level.
    """
    hop = point_hop(sample_rate)
    line = _line(notes, make=make, genre=genre, n_points=-(-n_samples // hop), rng=rng)
    dry = _tone(line, notes, make=make, sample_rate=sample_rate)
    dry += _samples(line.noise, hop) * shelf_noise(len(dry), _NOISES[make.code], sample_rate=sample_rate, rng=rng)
    return resonate(dry[:n_samples], make=make, sample_rate=sample_rate)
