"""What is played: melodies, strums and riffs as lists of notes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.style import GENRES, Style

__all__ = ["NoteList", "chords", "melody"]

Array = NDArray[np.float64]

_LONGEST_REST = 0.6


@dataclass
class NoteList:
    """Notes of one part, sorted by onset.

    Attributes
    ----------
    onset, length : ndarray [shape=(n_notes,)], s
        Onsets may lie a little before zero.
    pitch : ndarray [shape=(n_notes,)], MIDI numbers
    velocity : ndarray [shape=(n_notes,)], in [0, 1]
        How hard it is played.
    """

    onset: Array
    length: Array
    pitch: Array
    velocity: Array

    def __post_init__(self) -> None:
        order = np.argsort(self.onset, kind="stable")
        for name in ("onset", "length", "pitch", "velocity"):
            setattr(self, name, np.asarray(getattr(self, name), dtype=np.float64)[order])

    def __len__(self) -> int:
        return len(self.onset)


def _positions(style: Style, seconds: float, lengths: Array) -> tuple[Array, Array]:
    """Beats at which notes of these lengths begin from half a beat before the start on, and the lengths used."""
    total = seconds * style.tempo / 60.0 + 1.0
    repeats = int(np.ceil(total / lengths.sum())) + 1
    lengths = np.tile(lengths, repeats)
    beats = np.floor(2.0 * style.start) / 2.0 - 0.5 + np.cumsum(lengths) - lengths
    keep = beats < style.start + total
    return beats[keep], lengths[keep]


def _fold(values: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
    """Reflect a walk at the ends of a range."""
    width = max(high - low, 1)
    place = (values - low) % (2 * width)
    return low + np.where(place > width, 2 * width - place, place)


def _degree_range(style: Style, low: float, high: float) -> tuple[int, int]:
    """Degrees of the scale within a range of pitches."""
    degrees = np.arange(0, 80)
    inside = degrees[(style.pitches(degrees) >= low) & (style.pitches(degrees) <= high)]
    return int(inside[0]), int(inside[-1])


def melody(
    style: Style,
    *,
    seconds: float,
    low: float,
    high: float,
    rng: np.random.Generator,
    legato: float = 0.95,
    dynamic: float = 0.65,
) -> NoteList:
    """One voice that walks along the scale and leans on the chords.

    Parameters
    ----------
    style : Style
    seconds : float, s, > 0
    low, high : float, MIDI numbers
        At least an octave apart. A register of a bit more than an octave within is used.
    rng : numpy.random.Generator
    legato : float, in (0, 1]
        Part of a note's time that sounds.
    dynamic : float, in [0, 1]
        Mean velocity.

    Returns
    -------
    NoteList
        At least one, and never two at a time.
    """
    centre = rng.uniform(low + 6.0, max(high - 6.0, low + 6.1))
    bottom, top = _degree_range(style, max(low, centre - 9.0), min(high, centre + 9.0))
    lengths = rng.choice(GENRES[style.genre].beats, size=8)
    # very short notes are no melody at a high tempo
    lengths = np.maximum(lengths, np.ceil(0.13 * style.tempo / 60.0 * 2.0) / 2.0 if style.tempo > 100 else 0.25)
    beats, lengths = _positions(style, seconds, lengths)
    steps = rng.choice([-3, -2, -1, -1, -1, 0, 1, 1, 1, 2, 4], size=len(beats))
    walk = _fold(int(rng.integers(bottom, top + 1)) + np.cumsum(steps), bottom, top)
    roots = style.roots(beats)
    nearest = walk - np.array([0, 1, -1, 0, 1, -1, 1])[(walk - roots) % 7]
    strong = (np.abs(beats - np.round(beats)) < 0.01) & (rng.uniform(size=len(beats)) < 0.7)
    degrees = np.clip(np.where(strong, nearest, walk), bottom, top)
    onset = style.seconds(beats)
    length = style.seconds(beats + lengths) - onset
    arch = 0.1 * np.sin(2.0 * np.pi * beats / rng.uniform(6.0, 12.0) + rng.uniform(0.0, 6.3))
    velocity = np.clip(dynamic + arch + 0.08 * rng.standard_normal(len(beats)), 0.08, 1.0)
    # rests are short, and never two in a row
    rest = (rng.uniform(size=len(beats)) < 0.15) & (length < _LONGEST_REST)
    rest[1:] &= ~rest[:-1]
    played = ~rest
    return NoteList(
        onset=(onset + 0.008 * rng.standard_normal(len(beats)))[played],
        length=(length * legato)[played],
        pitch=style.pitches(degrees)[played],
        velocity=velocity[played],
    )


_RHYTHMS = {
    "block": ((1.0,), (2.0,), (1.5, 1.5, 1.0), (1.0, 0.5, 1.5, 1.0), (4.0,)),
    "strum": ((1.0, 0.5, 0.5, 0.5, 0.5, 1.0), (0.5,), (1.0, 1.0, 0.5, 0.5, 1.0), (1.5, 0.5, 1.0, 1.0)),
    "arpeggio": ((0.5,), (0.25,), (0.5,)),
    "hymn": ((1.0,), (2.0,), (2.0, 1.0, 1.0), (4.0,)),
    "power": ((0.5,), (0.5, 0.5, 1.0), (1.5, 0.5), (2.0,)),
    "bass": ((1.0,), (2.0,), (0.5,), (1.5, 0.5)),
}


def _voicings(style: Style, roots: NDArray[np.int64], *, size: int, low: float, high: float) -> Array:
    """Chords as close as possible above ``low``: pitches [n_chords, size]; the lowest note is any chord tone."""
    tones = np.array([0, 2, 4, 6] if style.sevenths else [0, 2, 4])
    ladder = np.sort((tones[:, None] + 7 * np.arange(11)).ravel())
    table = {}
    for root in np.unique(roots):
        pitches = style.pitches(root + ladder)
        inside = pitches[(pitches >= low) & (pitches <= high)]
        inside = inside if len(inside) else pitches[np.argmin(np.abs(pitches - low))][None]
        table[int(root)] = np.resize(inside[:size], size) if len(inside) < size else inside[:size]
    return np.stack([table[int(root)] for root in roots])


def chords(
    style: Style,
    *,
    kind: str,
    seconds: float,
    low: float,
    high: float,
    rng: np.random.Generator,
    size: int = 4,
    dynamic: float = 0.6,
) -> NoteList:
    """Several voices that follow the chord progression.

    Parameters
    ----------
    style : Style
    kind : str
        ``block`` (struck together), ``strum`` (from string to string, alternating), ``arpeggio`` (one after another),
        ``hymn`` (held until the next), ``power`` (root, fifth, octave) or ``bass`` (root and fifth alone).
    seconds : float, s, > 0
    low, high : float, MIDI numbers
        Range of the notes.
    rng : numpy.random.Generator
    size : int
        NoteList of a chord.
    dynamic : float, in [0, 1]
        Mean velocity.

    Returns
    -------
    NoteList

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in _RHYTHMS:
        raise ValueError(f"there is no kind {kind!r} of chords; known: {', '.join(_RHYTHMS)}")
    rhythm = np.array(_RHYTHMS[kind][rng.integers(len(_RHYTHMS[kind]))])
    beats, lengths = _positions(style, seconds, rhythm)
    roots = style.roots(beats)
    n = len(beats)
    if kind in ("power", "bass"):
        root = low + (style.pitches(roots) - low) % 12.0
        pitch = root[:, None] + np.array([0.0, 7.0, 12.0])
        if kind == "bass":
            pitch = pitch[np.arange(n), rng.choice([0, 0, 0, 1], size=n)][:, None]
    else:
        pitch = _voicings(style, roots, size=size, low=low, high=high)
        if kind == "arpeggio":
            order = np.concatenate([np.arange(size), np.arange(size - 2, 0, -1)])
            pitch = pitch[np.arange(n), order[np.arange(n) % len(order)]][:, None]
    onset = style.seconds(beats)[:, None] + np.zeros_like(pitch)
    held = {"arpeggio": 3.0, "power": rng.uniform(0.4, 1.0), "hymn": 0.97}.get(kind, 0.92)
    length = (style.seconds(beats + lengths * held) - style.seconds(beats))[:, None] + np.zeros_like(pitch)
    if kind == "strum":
        down = (np.arange(n) % 2 == 0)[:, None]
        order = np.where(down, np.arange(size), np.arange(size)[::-1])
        onset = onset + order * rng.uniform(0.006, 0.018)
    accent = np.where(np.abs(beats % 2.0) < 0.01, 0.08, 0.0)[:, None]
    velocity = dynamic + accent + 0.06 * rng.standard_normal(pitch.shape)
    onset = onset + 0.005 * rng.standard_normal(pitch.shape)
    return NoteList(onset.ravel(), length.ravel(), pitch.ravel(), np.clip(velocity, 0.08, 1.0).ravel())
