"""Who can play in a piece: IRMAS's instruments, voices by kind, other plucked strings, and electronic instruments."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments import BASS, Make, NoteList, Style, draw_make, play
from reprise.data.synthetic.instruments.filters import unit_level
from reprise.data.synthetic.instruments.score import chords, melody
from reprise.data.synthetic.instruments.strings import play_strings
from reprise.data.synthetic.instruments.sung import play_voice
from reprise.data.synthetic.instruments.synthesizer import draw_patch, play_sweep, play_synthesizer
from reprise.data.synthetic.singers import SINGERS
from reprise.seeds import numpy_generator

__all__ = ["PLAYERS", "SYNTHESIZERS", "VOICES", "perform"]

Audio = NDArray[np.float32]

SYNTHESIZERS = ("arpeggiator", "bells", "lead", "pad", "sweep", "synth bass")
"""Players whose instruments are electronic."""

VOICES = ("choir", "female", "male", "rapper")
"""Players who sing or speak."""

_ACOUSTIC = ("cel", "cla", "flu", "gac", "gel", "org", "pia", "sax", "tru", "vio", BASS)


@dataclass(frozen=True)
class _Plucked:
    """A guitar's string behind another body's name: what differs, and how it is played.

    Attributes
    ----------
    traits : mapping
        Limits from which traits are drawn; the others stay a guitar's.
    parts : mapping
        Kind of part to weight; ``drone`` is a melody above a held fifth.
    low, high : float, MIDI numbers
    even : bool
        The instrument knows no loud and soft.
    """

    traits: Mapping[str, tuple[float, float]]
    parts: Mapping[str, float]
    low: float
    high: float
    even: bool = False


_PLUCKED = {
    "harpsichord": _Plucked(
        {"softness": (7000, 11000), "point": (0.1, 0.16), "decay": (1.0, 1.8), "loss": (0.8, 1.4), "noise": (-30, -22)},
        {"arpeggio": 4, "melody": 3, "block": 2},
        45.0,
        84.0,
        even=True,
    ),
    "harp": _Plucked(
        {"softness": (1000, 2400), "point": (0.3, 0.45), "decay": (0.4, 0.8), "loss": (0.8, 1.6), "noise": (-46, -38)},
        {"arpeggio": 4, "melody": 1},
        43.0,
        88.0,
    ),
    "sitar": _Plucked(
        {"softness": (7000, 12000), "point": (0.04, 0.08), "decay": (0.3, 0.6), "loss": (0.2, 0.5), "beating": (4, 9)},
        {"drone": 1},
        50.0,
        76.0,
    ),
}

PLAYERS = tuple(sorted([*_ACOUSTIC, *_PLUCKED, *SYNTHESIZERS, *VOICES, "distorted"]))
"""All players by name."""

_LINES = {
    "pad": (("hymn", 4, 50.0, 80.0),),
    "lead": (("melody", 1, 57.0, 86.0),),
    "arpeggiator": (("arpeggio", 4, 48.0, 84.0), ("arpeggio", 3, 60.0, 90.0)),
    "synth bass": (("bass", 1, 30.0, 50.0),),
    "bells": (("arpeggio", 4, 62.0, 96.0), ("melody", 1, 64.0, 94.0)),
}
_FEMALE = tuple(k for k, name in enumerate(SINGERS) if name.startswith("female"))
_MALE = tuple(k for k, (name, kind) in enumerate(SINGERS.items()) if name.startswith("male") and kind != "countertenor")
# singers of a choir: two of each
_CHOIR = ("female", "female", "male", "male")
_CHOIR_LOW, _CHOIR_HIGH = 45.0, 60.0


@dataclass(frozen=True)
class _Size:
    """Length of what is played."""

    n_samples: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


def _singer(name: str, rng: np.random.Generator) -> Make:
    """A voice of a kind; rappers are men."""
    make = draw_make("voi", rng)
    which = rng.choice(_FEMALE if name == "female" else _MALE)
    return replace(make, traits=make.traits | {"singer": float(which)})


def _guitar(name: str, rng: np.random.Generator) -> Make:
    """An electric guitar, clean or not."""
    make = draw_make("gel", rng)
    drive = rng.uniform(0.7, 1.0) if name == "distorted" else rng.uniform(0.0, 0.4)
    return replace(make, traits=make.traits | {"drive": float(drive)})


def _joined(parts: list[NoteList]) -> NoteList:
    fields = ("onset", "length", "pitch", "velocity")
    return NoteList(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _notes(kind: str, style: Style, *, low: float, high: float, size: _Size, rng: np.random.Generator) -> NoteList:
    if kind == "melody":
        return melody(style, low=low, high=high, seconds=size.seconds, rng=rng)
    if kind == "drone":
        held = chords(style, kind="power", low=low - 12.0, high=high, seconds=size.seconds, dynamic=0.4, rng=rng)
        return _joined([melody(style, low=low, high=high, seconds=size.seconds, dynamic=0.7, rng=rng), held])
    voices = 3 if kind == "block" else 4
    return chords(style, kind=kind, low=low, high=high, seconds=size.seconds, size=voices, rng=rng)


def _plucked(name: str, style: Style, *, size: _Size, maker: np.random.Generator, rng: np.random.Generator) -> Audio:
    kind = _PLUCKED[name]
    make = draw_make("gac", maker)
    traits = {key: float(maker.uniform(*limits)) for key, limits in kind.traits.items()}
    make = replace(make, traits=make.traits | traits)
    p = np.array(list(kind.parts.values()), dtype=float)
    part = str(rng.choice(list(kind.parts), p=p / p.sum()))
    notes = _notes(part, style, low=kind.low, high=kind.high, size=size, rng=rng)
    if kind.even:
        notes = NoteList(notes.onset, notes.length, notes.pitch, np.full(len(notes), 0.7))
    return play_strings(notes, make=make, rng=rng, n_samples=size.n_samples, sample_rate=size.sample_rate)


def _electronic(name: str, style: Style, *, size: _Size, maker: np.random.Generator, rng: np.random.Generator) -> Audio:
    if name == "sweep":
        return play_sweep(rng=rng, n_samples=size.n_samples, sample_rate=size.sample_rate)
    lines = _LINES[name]
    kind, voices, low, high = lines[maker.integers(len(lines))]
    if kind == "melody":
        notes = melody(style, low=low, high=high, seconds=size.seconds, rng=rng)
    else:
        notes = chords(style, kind=kind, size=voices, low=low, high=high, seconds=size.seconds, rng=rng)
    return play_synthesizer(
        notes, patch=draw_patch(name, maker), rng=rng, n_samples=size.n_samples, sample_rate=size.sample_rate
    )


def _choir(style: Style, *, size: _Size, maker: np.random.Generator, rng: np.random.Generator) -> Audio:
    """Men in unison, and women an octave above."""
    line = melody(style, low=_CHOIR_LOW, high=_CHOIR_HIGH, seconds=size.seconds, rng=rng)
    heard = np.zeros(size.n_samples, dtype=np.float32)
    for name in _CHOIR:
        late = np.abs(0.02 * rng.standard_normal(len(line)))
        pitch = line.pitch + (12.0 if name == "female" else 0.0)
        sung = NoteList(line.onset + late, line.length, pitch, line.velocity)
        voice = play_voice(
            sung,
            make=_singer(name, maker),
            genre=style.genre,
            rng=rng,
            n_samples=size.n_samples,
            sample_rate=size.sample_rate,
        )
        heard[: len(voice)] += unit_level(voice)
    return heard


def perform(
    name: str, style: Style, *, piece: tuple[int | str, ...], n_samples: int, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """What a player does in a piece.

    Parameters
    ----------
    name : str
        One of ``PLAYERS``.
    style : Style
        Shared by all who play together.
    piece : tuple
        Parts of a seed: the same player plays the same instrument in all clips of a piece.
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator
        Draws the notes.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, with an RMS of one.

    Raises
    ------
    ValueError
        If there is no such player.
    """
    if name not in PLAYERS:
        raise ValueError(f"there is no player {name!r}; known: {', '.join(PLAYERS)}")
    maker = numpy_generator("player", *piece, name)
    size = _Size(n_samples, sample_rate)
    if name in _PLUCKED:
        return unit_level(_plucked(name, style, size=size, maker=maker, rng=rng))
    if name in SYNTHESIZERS:
        return unit_level(_electronic(name, style, size=size, maker=maker, rng=rng))
    if name == "choir":
        return unit_level(_choir(style, size=size, maker=maker, rng=rng))
    if name in VOICES:
        return play(
            _singer(name, maker),
            style,
            rng=rng,
            spoken=name == "rapper",
            n_samples=size.n_samples,
            sample_rate=size.sample_rate,
        )
    make = _guitar(name, maker) if name in ("gel", "distorted") else draw_make(name, maker)
    return play(make, style, rng=rng, n_samples=size.n_samples, sample_rate=size.sample_rate)
