"""An instrument plays: a part of a piece, a phrase of its own, or one note."""

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.filters import unit_level
from reprise.data.synthetic.instruments.makes import BASS, Make, draw_make
from reprise.data.synthetic.instruments.organ import play_organ
from reprise.data.synthetic.instruments.score import NoteList, chords, melody
from reprise.data.synthetic.instruments.strings import play_strings
from reprise.data.synthetic.instruments.style import GENRES, Style, draw_style
from reprise.data.synthetic.instruments.sung import play_voice, singer_of
from reprise.data.synthetic.instruments.sustained import play_sustained

__all__ = ["note", "phrase", "play"]

Audio = NDArray[np.float32]

_PEAK = 0.9
# what else than a melody is played, by instrument and genre: kind, notes of a chord, weight
_PARTS: dict[str, tuple[tuple[str, int, float], ...]] = {
    "gac": (("strum", 5, 4.0), ("arpeggio", 5, 4.0), ("melody", 1, 2.5)),
    "gel": (("strum", 4, 2.0), ("arpeggio", 4, 1.5), ("melody", 1, 4.0)),
    "org": (("hymn", 4, 4.0), ("block", 3, 2.0), ("melody", 1, 2.5)),
    "pia": (("block", 4, 3.0), ("arpeggio", 4, 3.0), ("both", 3, 4.0), ("melody", 1, 2.0)),
}
# lowest notes of chords, MIDI numbers
_CHORDS_FROM = {"gac": (40.0, 54.0), "gel": (40.0, 56.0), "org": (44.0, 60.0), "pia": (36.0, 60.0)}


def _chosen(make: Make, rng: np.random.Generator) -> tuple[str, int]:
    """What the instrument does in a clip."""
    if make.code == BASS:
        return "bass", 1
    if make.code == "gel" and make.traits["drive"] > 0.45:
        # chords of three and more notes turn to mud in a distorted amplifier
        return ("power", 3) if rng.uniform() < 0.5 else ("melody", 1)
    parts = _PARTS[make.code]
    weights = np.array([weight for _, _, weight in parts])
    kind, size, _ = parts[rng.choice(len(parts), p=weights / weights.sum())]
    return kind, size


def _both_hands(make: Make, style: Style, *, seconds: float, dynamic: float, rng: np.random.Generator) -> NoteList:
    """A bass, chords in the middle, and a melody above."""
    low = make.low + 4.0
    hands = (
        chords(style, kind="bass", low=low, high=low + 20.0, seconds=seconds, dynamic=dynamic, rng=rng),
        chords(style, kind="block", size=3, low=52.0, high=74.0, seconds=seconds, dynamic=0.8 * dynamic, rng=rng),
        melody(style, low=60.0, high=make.high, seconds=seconds, dynamic=min(1.2 * dynamic, 1.0), rng=rng),
    )
    fields = ("onset", "length", "pitch", "velocity")
    return NoteList(*(np.concatenate([getattr(hand, name) for hand in hands]) for name in fields))


def _notes(make: Make, style: Style, *, seconds: float, rng: np.random.Generator) -> NoteList:
    dynamic = float(np.clip(make.dynamic + 0.08 * rng.standard_normal(), 0.15, 0.95))
    if make.code not in (*_PARTS, BASS):
        low, high = (make.low, make.high) if make.code != "voi" else (singer_of(make).low, singer_of(make).low + 17.0)
        legato = rng.uniform(0.75, 1.0)
        return melody(style, low=low, high=high, seconds=seconds, legato=legato, dynamic=dynamic, rng=rng)
    kind, size = _chosen(make, rng)
    if kind == "melody":
        return melody(style, low=max(make.low, 52.0), high=make.high, seconds=seconds, dynamic=dynamic, rng=rng)
    if kind == "both":
        return _both_hands(make, style, seconds=seconds, dynamic=dynamic, rng=rng)
    low = make.low if kind in ("bass", "power") else rng.uniform(*_CHORDS_FROM[make.code])
    return chords(style, kind=kind, size=size, low=low, high=low + 34.0, seconds=seconds, dynamic=dynamic, rng=rng)


def _sound(
    notes: NoteList, *, make: Make, genre: str, n_samples: int, sample_rate: int, rng: np.random.Generator, spoken: bool
) -> Audio:
    size = {"n_samples": n_samples, "sample_rate": sample_rate}
    if make.code == "voi":
        return play_voice(notes, make=make, genre=genre, rng=rng, spoken=spoken, **size)
    if make.code == "org":
        return play_organ(notes, make=make, rng=rng, **size)
    if make.code in ("pia", "gac", "gel", BASS):
        return play_strings(notes, make=make, rng=rng, **size)
    return play_sustained(notes, make=make, genre=genre, rng=rng, **size)


def play(
    make: Make, style: Style, *, n_samples: int, sample_rate: int, rng: np.random.Generator, spoken: bool = False
) -> Audio:
    """A part of a piece.

    Parameters
    ----------
    make : Make
    style : Style
        Shared by all who play together.
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator
        Draws the notes and all that is uneven.
    spoken : bool
        A voice speaks instead of singing.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, with an RMS of one.
    """
    notes = _notes(make, style, seconds=n_samples / sample_rate, rng=rng)
    audio = _sound(
        notes, make=make, genre=style.genre, n_samples=n_samples, sample_rate=sample_rate, rng=rng, spoken=spoken
    )
    return unit_level(audio)


def _within(audio: Audio) -> Audio:
    return audio * np.float32(_PEAK / max(float(np.abs(audio).max(initial=0.0)), 1e-9))


def phrase(
    code: str,
    *,
    seconds: float,
    sample_rate: int,
    rng: np.random.Generator,
    genre: str = "pop_roc",
    make: Make | None = None,
) -> Audio:
    """An instrument alone, in no room: a melody, or chords where it can.

    Parameters
    ----------
    code : str
        One of IRMAS's eleven codes.
    seconds : float, s, > 0
    sample_rate : int, Hz, >= 8000
    rng : numpy.random.Generator
        Draws the make, the key and the notes.
    genre : str
        One of ``GENRES``.
    make : Make, optional
        Default a new one of this code.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        With a peak of 0.9.

    Raises
    ------
    ValueError
        If code or genre is unknown.
    """
    make = draw_make(code, rng) if make is None else make
    style = draw_style(genre, rng)
    return _within(play(make, style, n_samples=round(seconds * sample_rate), sample_rate=sample_rate, rng=rng))


def note(
    code: str,
    *,
    pitch: float,
    seconds: float,
    sample_rate: int,
    rng: np.random.Generator,
    velocity: float = 0.65,
    make: Make | None = None,
) -> Audio:
    """One note, from its onset on, held for four fifths of the time.

    Parameters
    ----------
    code : str
        One of IRMAS's eleven codes.
    pitch : float, MIDI number
    seconds : float, s, > 0
        Of the result.
    sample_rate : int, Hz, >= 8000
    rng : numpy.random.Generator
    velocity : float, in [0, 1]
        How hard it is played.
    make : Make, optional
        Default a new one of this code.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        With a peak of 0.9.

    Raises
    ------
    ValueError
        If the code is unknown.
    """
    make = draw_make(code, rng) if make is None else make
    notes = NoteList(*(np.array([value]) for value in (0.0, 0.8 * seconds, pitch, velocity)))
    n_samples = round(seconds * sample_rate)
    audio = _sound(
        notes, make=make, genre=next(iter(GENRES)), n_samples=n_samples, sample_rate=sample_rate, rng=rng, spoken=False
    )
    return _within(audio)
