"""What listeners would write about a piece: MagnaTagATune's words, from what was generated and from nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from reprise.data.synthetic.instruments import BASS
from reprise.data.synthetic.players import SYNTHESIZERS, VOICES
from reprise.data.synthetic.tracks import Track
from reprise.seeds import numpy_generator

__all__ = ["OTHER_TAGS", "TAGS", "TOP_TAGS", "UNHEARD", "given_tags", "true_tags"]

UNHEARD = 0.15
"""Part of the clips for which nobody wrote anything."""

_SLOW, _FAST = 76.0, 132.0
_LOUD, _QUIET = -1.0, -11.0
_BUSY = 5.0
_STRINGS = ("vio", "cel")
_ELECTRONIC = ("techno", "dance", "ambient")
_VOICE_LOW = ("male", "rapper")


@dataclass(frozen=True)
class _Rule:
    """When a tag is true, and how often a listener to whom it is true writes it."""

    holds: Callable[[Track], bool]
    given: float


def _plays(*names: str) -> Callable[[Track], bool]:
    return lambda track: any(name in track.players for name in names)


def _leads(*names: str) -> Callable[[Track], bool]:
    return lambda track: any(name in track.leads for name in names)


def _kind(*names: str) -> Callable[[Track], bool]:
    return lambda track: track.kind in names


def _sings(*names: str) -> Callable[[Track], bool]:
    """A voice of these kinds, of those that sing."""
    return lambda track: any(name in track.players and name != "rapper" for name in names)


def _silent(track: Track) -> bool:
    """No voice."""
    return not any(name in VOICES for name in track.players)


def _alone(*names: str) -> Callable[[Track], bool]:
    return lambda track: len(track.players) == 1 and not track.drums and track.players[0] in (names or track.players)


def _tempo(low: float, high: float) -> Callable[[Track], bool]:
    return lambda track: low <= track.tempo < high


def _level(low: float, high: float) -> Callable[[Track], bool]:
    return lambda track: low <= track.level < high


def _busy(track: Track) -> bool:
    """Many strokes of the drums per second."""
    return track.strokes >= _BUSY


def _deep(track: Track) -> bool:
    """Nothing above the tenor."""
    return set(track.players) <= {"cel", BASS, "male", "rapper", "synth bass"}


def _both(*rules: Callable[[Track], bool]) -> Callable[[Track], bool]:
    return lambda track: all(rule(track) for rule in rules)


# in the order of the original's list: from the most to the least frequent there
TAGS: dict[str, _Rule] = {
    "guitar": _Rule(_plays("gac", "gel", "distorted"), 0.8),
    "classical": _Rule(_kind("classical", "baroque", "opera", "choral"), 0.65),
    "slow": _Rule(_tempo(0.0, _SLOW), 0.6),
    "techno": _Rule(_kind("techno", "dance"), 0.85),
    "strings": _Rule(_plays(*_STRINGS), 0.6),
    "drums": _Rule(lambda track: track.drums, 0.3),
    "electronic": _Rule(lambda track: track.kind in _ELECTRONIC or "lead" in track.players, 0.6),
    "rock": _Rule(_kind("rock", "metal"), 0.9),
    "fast": _Rule(_tempo(_FAST, 1e3), 0.5),
    "piano": _Rule(_plays("pia"), 0.75),
    "ambient": _Rule(_kind("ambient"), 0.85),
    "beat": _Rule(_busy, 0.3),
    "violin": _Rule(_plays("vio"), 0.6),
    "vocal": _Rule(_sings(*VOICES), 0.25),
    "synth": _Rule(_plays(*SYNTHESIZERS), 0.35),
    "female": _Rule(_sings("female"), 0.5),
    "indian": _Rule(_kind("indian"), 0.85),
    "opera": _Rule(_kind("opera"), 0.8),
    "male": _Rule(_plays(*_VOICE_LOW), 0.4),
    "singing": _Rule(_sings(*VOICES), 0.2),
    "vocals": _Rule(_sings(*VOICES), 0.2),
    "no vocals": _Rule(_silent, 0.09),
    "harpsichord": _Rule(_plays("harpsichord"), 0.7),
    "loud": _Rule(_level(_LOUD, 0.1), 0.2),
    "quiet": _Rule(_level(-99.0, _QUIET), 0.4),
    "flute": _Rule(_plays("flu"), 0.65),
    "woman": _Rule(_sings("female"), 0.35),
    "male vocal": _Rule(_sings("male"), 0.3),
    "no vocal": _Rule(_silent, 0.07),
    "pop": _Rule(_kind("pop"), 0.7),
    "soft": _Rule(_level(-99.0, _QUIET), 0.35),
    "sitar": _Rule(_plays("sitar"), 0.6),
    "solo": _Rule(_alone(), 0.5),
    "man": _Rule(_plays(*_VOICE_LOW), 0.25),
    "classic": _Rule(_kind("classical", "baroque"), 0.15),
    "choir": _Rule(_plays("choir"), 0.8),
    "voice": _Rule(_plays(*VOICES), 0.12),
    "new age": _Rule(_kind("new age"), 0.5),
    "dance": _Rule(_kind("dance"), 0.6),
    "male voice": _Rule(_plays(*_VOICE_LOW), 0.2),
    "female vocal": _Rule(_sings("female"), 0.3),
    "beats": _Rule(_busy, 0.12),
    "harp": _Rule(_plays("harp"), 0.6),
    "cello": _Rule(_plays("cel"), 0.4),
    "no voice": _Rule(_silent, 0.05),
    "weird": _Rule(_kind("weird"), 0.7),
    "country": _Rule(_kind("country"), 0.75),
    "metal": _Rule(_kind("metal"), 0.7),
    "female voice": _Rule(_sings("female"), 0.25),
    "choral": _Rule(_kind("choral"), 0.6),
}
"""Rules of the original's fifty most frequent tags, by tag."""

TOP_TAGS = tuple(TAGS)
"""The fifty tags."""

# less frequent ones, which the usual task leaves out
_OTHERS: dict[str, _Rule] = {
    "organ": _Rule(_leads("org"), 0.4),
    "sax": _Rule(_plays("sax"), 0.5),
    "trumpet": _Rule(_plays("tru"), 0.4),
    "clarinet": _Rule(_plays("cla"), 0.3),
    "bass": _Rule(_plays(BASS, "synth bass"), 0.06),
    "electric guitar": _Rule(_plays("gel", "distorted"), 0.1),
    "acoustic guitar": _Rule(_plays("gac"), 0.1),
    "low": _Rule(_deep, 0.3),
    "deep": _Rule(_deep, 0.2),
    "jazz": _Rule(_kind("jazz"), 0.4),
    "blues": _Rule(_kind("blues"), 0.5),
    "baroque": _Rule(_kind("baroque"), 0.1),
    "piano solo": _Rule(_alone("pia"), 0.5),
    "happy": _Rule(_both(lambda track: track.scale == "major", _tempo(_FAST, 1e3)), 0.2),
    "sad": _Rule(_both(lambda track: track.scale == "minor", _tempo(0.0, _SLOW)), 0.2),
    "no beat": _Rule(lambda track: not track.drums, 0.03),
}
OTHER_TAGS = tuple(_OTHERS)
"""Further tags of the original, of instruments, register, mode and kind."""


def true_tags(track: Track) -> tuple[str, ...]:
    """Tags that are true of a piece, whoever hears it.

    Parameters
    ----------
    track : Track

    Returns
    -------
    tuple of str
        Of ``TOP_TAGS`` and ``OTHER_TAGS``, in their order.
    """
    return tuple(tag for tag, rule in (TAGS | _OTHERS).items() if rule.holds(track))


def given_tags(track: Track, *, number: int, seed: int) -> tuple[str, ...]:
    """Tags that listeners gave to a passage: true ones, but not all of them.

    Parameters
    ----------
    track : Track
    number : int
        Of the passage within the track.
    seed : int
        Of the data set.

    Returns
    -------
    tuple of str
        Some of :func:`true_tags`, in their order; none at all for one clip in seven.

    Notes
    -----
    Synonyms share what is true, so that each is rare, as in the original.
    """
    rng = numpy_generator(seed, "listeners", track.piece, number)
    heard = rng.uniform() >= UNHEARD
    rules = TAGS | _OTHERS
    drawn = rng.uniform(size=len(rules))
    return tuple(
        tag
        for (tag, rule), chance in zip(rules.items(), drawn, strict=True)
        if heard and chance < rule.given and rule.holds(track)
    )
