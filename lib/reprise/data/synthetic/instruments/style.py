"""Pieces of music: genre, tempo, key, chord progression, and where in the piece a clip begins."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["GENRES", "Genre", "Style", "draw_style"]

Array = NDArray[np.float64]

_MAJOR, _MINOR, _DORIAN = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10)
_BEATS_PER_BAR = 4


@dataclass(frozen=True)
class Genre:
    """How music of a kind goes.

    Attributes
    ----------
    tempo : (float, float), beats per minute
    scales : tuple of tuple of int
        Semitones above the tonic.
    progressions : tuple of tuple of int
        Degrees of the chords, one per bar, from 0.
    beats : tuple of float
        Lengths of melody notes that are drawn from, in beats.
    sevenths : float
        Probability of chords of four notes.
    swing : float, in [0.5, 0.7]
        Where in a beat the second half begins.
    """

    tempo: tuple[float, float]
    scales: tuple[tuple[int, ...], ...]
    progressions: tuple[tuple[int, ...], ...]
    beats: tuple[float, ...]
    sevenths: float = 0.0
    swing: float = 0.5


GENRES = {
    "cla": Genre(
        (52.0, 116.0),
        (_MAJOR, _MINOR),
        ((0, 3, 4, 0), (0, 5, 1, 4), (0, 4, 5, 3), (0, 4)),
        (0.25, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0),
    ),
    "cou_fol": Genre((72.0, 132.0), (_MAJOR,), ((0, 3, 4, 0), (0, 4, 3, 0), (0, 0, 3, 4)), (0.5, 0.5, 1.0, 1.0, 2.0)),
    "jaz_blu": Genre(
        (80.0, 168.0),
        (_MAJOR, _DORIAN, _MINOR),
        ((1, 4, 0, 0), (0, 5, 1, 4), (0, 3, 0, 4)),
        (0.5, 0.5, 0.5, 1.0, 1.5, 2.0),
        sevenths=0.9,
        swing=0.64,
    ),
    "lat_sou": Genre(
        (88.0, 128.0),
        (_MINOR, _DORIAN, _MAJOR),
        ((0, 3, 4, 0), (0, 6, 5, 4), (1, 4, 0, 0)),
        (0.5, 0.5, 0.75, 1.0, 1.5),
        sevenths=0.4,
    ),
    "pop_roc": Genre(
        (78.0, 144.0),
        (_MAJOR, _MINOR),
        ((0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 4, 3), (0, 6, 3, 0)),
        (0.5, 0.5, 0.5, 1.0, 1.0, 2.0),
    ),
}
"""Genres of IRMAS by code; what is in them is made up, in the manner of each."""


@dataclass(frozen=True)
class Style:
    """A piece of music that several instruments play together.

    Attributes
    ----------
    genre : str
        One of ``GENRES``.
    tempo : float, beats per minute
    tonic : int
        Pitch class, 0 is C.
    scale, progression : tuple of int
    sevenths : bool
    swing : float
    start : float, beats
        Where in the piece time zero lies.
    """

    genre: str
    tempo: float
    tonic: int
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    sevenths: bool
    swing: float
    start: float = 0.0

    def anywhere(self, rng: np.random.Generator) -> "Style":
        """The same piece from another beat on, as excerpts are cut."""
        n_beats = _BEATS_PER_BAR * len(self.progression)
        return replace(self, start=float(rng.uniform(0.0, n_beats)))

    def seconds(self, beats: Array) -> Array:
        """Time of positions in beats."""
        whole = np.floor(beats)
        part = beats - whole
        swung = np.where(part < 0.5, part * 2.0 * self.swing, self.swing + (part - 0.5) * 2.0 * (1.0 - self.swing))
        return (whole + swung - self.start) * 60.0 / self.tempo

    def pitches(self, degrees: NDArray[np.int64]) -> Array:
        """MIDI numbers of degrees of the scale, degree 0 being the tonic below 12."""
        scale = np.array(self.scale, dtype=float)
        return self.tonic + 12.0 * (degrees // 7) + scale[degrees % 7]

    def roots(self, beats: Array) -> NDArray[np.int64]:
        """Degree of the chord at positions in beats."""
        bar = np.floor(beats / _BEATS_PER_BAR).astype(int)
        return np.array(self.progression)[bar % len(self.progression)]


def draw_style(genre: str, rng: np.random.Generator) -> Style:
    """A key, a tempo and a progression in the manner of a genre.

    Parameters
    ----------
    genre : str
        One of ``GENRES``.
    rng : numpy.random.Generator

    Returns
    -------
    Style

    Raises
    ------
    ValueError
        If there is no such genre.
    """
    if genre not in GENRES:
        raise ValueError(f"there is no genre {genre!r}; known: {', '.join(GENRES)}")
    kind = GENRES[genre]
    return Style(
        genre=genre,
        tempo=float(rng.uniform(*kind.tempo)),
        tonic=int(rng.integers(12)),
        scale=kind.scales[rng.integers(len(kind.scales))],
        progression=kind.progressions[rng.integers(len(kind.progressions))],
        sevenths=bool(rng.uniform() < kind.sevenths),
        swing=kind.swing,
    )
