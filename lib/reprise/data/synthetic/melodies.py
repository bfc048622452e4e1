"""What is sung: scales, arpeggios, long tones and songs as curves of pitch, vowel and phrasing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONTEXTS", "POINT_RATE", "SONGS", "Line", "draw_line", "point_hop", "smooth", "wander"]

Array = NDArray[np.float64]

POINT_RATE = 200
"""Points of a curve per second, to within the rounding to whole samples."""

# folder of VocalSet -> word in its file names; excerpts bear the name of the song
CONTEXTS = {"scales": "scales", "arpeggios": "arpeggios", "long_tones": "long", "excerpts": ""}

_SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2)
_ARPEGGIO = (0, 4, 7, 12, 16, 12, 7, 4)
# semitones above the tonic, vowels of the syllables, relative lengths
SONGS: dict[str, tuple[tuple[int, ...], str, tuple[float, ...]]] = {
    "row": (
        (0, 0, 0, 2, 4, 4, 2, 4, 5, 7, 12, 12, 12, 7, 7, 7, 4, 4, 4, 0, 0, 0, 7, 5, 4, 2, 0),
        "ooooueiaoieieieieieiaiuaaei",
        (3, 3, 2, 1, 3, 2, 1, 2, 1, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 5),
    ),
    "dona": ((0, 7, 4, 2, 9, 7, 5, 4, 7, 5, 4, 2, 0), "oaoiaeoiaoiae", (2, 1, 3, 2, 1, 3, 2, 1, 2, 1, 2, 1, 4)),
    "caro": ((7, 4, 0, 2, 4, 5, 4, 2, 7, 5, 4, 2, 0), "aoieeioaeiaeo", (4, 2, 2, 3, 1, 2, 2, 4, 3, 1, 2, 2, 4)),
}


@dataclass
class Line:
    """A melody on a grid of ``POINT_RATE`` points per second.

    Attributes
    ----------
    pitch : ndarray [shape=(n_points,)], MIDI numbers
        With glides from note to note.
    level : ndarray [shape=(n_points,)], dB
        Phrasing: attacks, ends, breaths, a little less between notes.
    vowels : ndarray [shape=(n_points, 5)], weights that sum to one
        In the order ``a e i o u``.
    since : ndarray [shape=(n_points,)], s
        Time since the note began.
    """

    pitch: Array
    level: Array
    vowels: Array
    since: Array


def point_hop(sample_rate: int) -> int:
    """Samples between points."""
    return round(sample_rate / POINT_RATE)


def smooth(values: Array, *, seconds: float) -> Array:
    """Moving average with a Hann window along the first axis; ends are held."""
    half = max(1, round(seconds * POINT_RATE / 2))
    window = np.hanning(2 * half + 3)[1:-1]
    window /= window.sum()
    padded = np.pad(values, [(half, half)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    if values.ndim == 1:
        return np.convolve(padded, window, mode="valid")
    return np.stack([np.convolve(column, window, mode="valid") for column in padded.T], axis=1)


def wander(n_points: int, *, seconds: float, rng: np.random.Generator) -> Array:
    """Random curve of standard deviation one that forgets itself after about the given time.

    Parameters
    ----------
    n_points : int
    seconds : float, s
        Time after which two points are nearly independent.
    rng : Generator

    Returns
    -------
    ndarray [shape=(n_points,)]
        One point per control point of a line.
    """
    half = max(1, round(seconds * POINT_RATE / 2))
    window = np.hanning(2 * half + 3)[1:-1]
    window /= np.sqrt(np.square(window).sum())
    return np.convolve(rng.standard_normal(n_points + 2 * half), window, mode="valid")


def _notes(context: str, song: str, vowel: str, rng: np.random.Generator) -> tuple[Array, str, Array]:
    """Semitones above the tonic, vowels and lengths in s, one round."""
    if context == "excerpts":
        steps, vowels, beats = SONGS[song]
        # takes are cut from anywhere in a song
        start = int(rng.integers(len(steps)))
        lengths = np.roll(np.array(beats, dtype=float), -start) * rng.uniform(0.18, 0.3)
        return np.roll(np.array(steps, dtype=float), -start), vowels[start:] + vowels[:start], lengths
    if context == "long_tones":
        step = float(rng.choice([0, 2, 4, 5, 7, 9]))
        return np.array([step]), vowel, np.array([rng.uniform(2.5, 6.0)])
    steps = _SCALE if context == "scales" else _ARPEGGIO
    start = int(rng.integers(len(steps)))
    tempo = rng.uniform(0.3, 0.75) if context == "scales" else rng.uniform(0.4, 0.95)
    return np.roll(np.array(steps, dtype=float), -start), vowel * len(steps), np.full(len(steps), tempo)


def draw_line(
    *,
    context: str,
    song: str,
    key: str,
    vowel: str,
    low: float,
    n_points: int,
    pace: float,
    glide: float,
    rng: np.random.Generator,
) -> Line:
    """Melody for a take.

    Parameters
    ----------
    context : str
        One of ``CONTEXTS``.
    song : str
        One of ``SONGS``, for excerpts.
    key : str
        ``c`` or ``f``: the tonic is the lowest such note not below ``low``.
    vowel : str
        One of ``a e i o u``; songs bring their own.
    low : float
        MIDI number.
    n_points : int
        Length of the take, with a short silence at its ends.
    pace : float
        Factor of the notes' lengths.
    glide : float, s
        Time from note to note.
    rng : numpy.random.Generator

    Returns
    -------
    Line
    """
    tonic = low + (({"c": 0, "f": 5}[key] - low) % 12)
    steps, vowels, lengths = _notes(context, song, vowel, rng)
    rounds = int(np.ceil(n_points / POINT_RATE / (lengths.sum() * pace))) + 1
    lengths = np.tile(lengths, rounds) * pace * np.exp(0.08 * rng.standard_normal(len(lengths) * rounds))
    onsets = np.round((np.cumsum(lengths) - lengths) * POINT_RATE).astype(int)
    note = np.searchsorted(onsets, np.arange(n_points), side="right") - 1
    # each note has its own small error, the whole line drifts
    tuning = 0.08 * rng.standard_normal(len(lengths))
    pitch = smooth((tonic + np.tile(steps, rounds) + tuning)[note], seconds=glide)
    pitch += 0.06 * wander(n_points, seconds=0.8, rng=rng) + 0.025 * wander(n_points, seconds=0.08, rng=rng)
    classes = np.array(["aeiou".index(letter) for letter in vowels])
    weights = smooth(np.eye(5)[np.tile(classes, rounds)[note]], seconds=0.07)
    since = (np.arange(n_points) - onsets[note]) / POINT_RATE
    level = _phrasing(since, note, lengths, long=context == "long_tones", rng=rng)
    return Line(pitch=pitch, level=level, vowels=weights, since=since)


def _phrasing(since: Array, note: NDArray[np.int64], lengths: Array, *, long: bool, rng: np.random.Generator) -> Array:
    """Level in dB: a breath every few notes, swells, soft joints, silence at both ends."""
    n_points = len(since)
    left = lengths[note] - since
    joint = np.exp(-np.square(np.minimum(since, left) / 0.035))
    breath = np.ones(len(lengths), dtype=bool) if long else rng.uniform(size=len(lengths)) < 0.12
    depth = np.where(breath, 45.0, rng.uniform(1.0, 6.0))
    width = np.where(breath, 0.09, 0.03)
    pause = np.exp(-np.square(np.maximum(left, 0.0) / width[note])) * depth[note]
    attack = np.where(breath, 0.025, 0.012)[note - (note > 0)]
    pause += np.exp(-np.square(since / attack)) * np.where(note > 0, depth[note - (note > 0)], 0.0)
    opening = rng.uniform(0.03, 0.1), rng.uniform(0.04, 0.15)
    t = np.arange(n_points) / POINT_RATE
    edge = np.minimum((t - opening[0]) / rng.uniform(0.03, 0.08), (t[-1] - opening[1] - t) / rng.uniform(0.05, 0.12))
    fade = 20.0 * np.log10(np.clip(np.sin(0.5 * np.pi * np.clip(edge, 0.0, 1.0)), 1e-4, 1.0))
    return fade - pause - 1.5 * joint + 1.5 * wander(n_points, seconds=0.6, rng=rng)
