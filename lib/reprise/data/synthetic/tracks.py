"""Pieces of tagged music: drawn from a kind, rendered in passages, and described by what was drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments import draw_style
from reprise.data.synthetic.instruments.drums import play_drums
from reprise.data.synthetic.instruments.filters import decibels, unit_level
from reprise.data.synthetic.kinds import KINDS, PATTERNS, SCALES
from reprise.data.synthetic.players import VOICES, perform
from reprise.data.synthetic.studio import Part, draw_studio, mix
from reprise.seeds import numpy_generator

__all__ = ["Passage", "Track", "draw_track", "pick", "render_passage"]

_LEAD, _COMPANY, _DRUMS = (-4.0, 0.0), (-12.0, -4.0), (-6.0, 0.0)


@dataclass(frozen=True)
class Track:
    """A piece of music.

    Attributes
    ----------
    piece : str
        Seeds everything; clips of one piece share key, tempo, players and studio.
    kind : str
        One of ``KINDS``.
    tempo : float, beats per minute
    tonic : int
        Pitch class, 0 is C.
    scale : str
        One of ``SCALES``.
    leads, company : tuple of str
        Players.
    drums : bool
    level : float, dB
        Peak re full scale.
    """

    piece: str
    kind: str
    tempo: float
    tonic: int
    scale: str
    leads: tuple[str, ...]
    company: tuple[str, ...]
    drums: bool
    level: float

    @property
    def players(self) -> tuple[str, ...]:
        """All who play but the drummer, leads first, each once."""
        return tuple(dict.fromkeys((*self.leads, *self.company)))

    @property
    def strokes(self) -> float:
        """Strokes of the drums per second, 0 without drums."""
        struck = sum(len(part) for part in PATTERNS[KINDS[self.kind].pattern])
        return struck * self.tempo / 240.0 if self.drums else 0.0


@dataclass(frozen=True)
class Passage:
    """One file to be written.

    Attributes
    ----------
    index : int
        Position in the plan; part of the seed.
    path : str
        Relative to the data set's folder.
    track : Track
    number : int
        Of the passage within the track, from 0.
    seconds : float, s
    """

    index: int
    path: str
    track: Track
    number: int
    seconds: float


def pick(weights: Mapping[str, float], *, n: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw names after weights, none twice.

    Parameters
    ----------
    weights : mapping
        Name to a positive number.
    n : int
        How many; all where there are fewer.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of str
    """
    p = np.array(list(weights.values()), dtype=float)
    return tuple(str(name) for name in rng.choice(list(weights), size=min(n, len(p)), replace=False, p=p / p.sum()))


def draw_track(kind: str, *, piece: str, seed: int, scales: tuple[str, ...] | None = None) -> Track:
    """A piece of a kind.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    piece : str
        Name; another name gives another piece.
    seed : int
        Of the data set.
    scales : tuple of str, optional
        Draw from these, equally often, instead of the kind's.

    Returns
    -------
    Track

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r} of music; known: {', '.join(KINDS)}")
    recipe = KINDS[kind]
    rng = numpy_generator(seed, "track", piece)
    leads = pick(recipe.leads, n=2 if rng.uniform() < recipe.second else 1, rng=rng)
    others = {name: weight for name, weight in recipe.company.items() if name not in leads}
    if any(name in VOICES for name in leads):
        # nobody sings along with a singer
        others = {name: weight for name, weight in others.items() if name not in VOICES}
    n_company = int(rng.integers(recipe.n_company[0], recipe.n_company[1] + 1))
    company = pick(others, n=n_company, rng=rng) if n_company and others else ()
    weights = dict.fromkeys(scales, 1.0) if scales else recipe.scales
    # loud is more frequent than quiet within a kind
    level = recipe.level[1] - (recipe.level[1] - recipe.level[0]) * rng.uniform() ** 1.5
    return Track(
        piece=piece,
        kind=kind,
        tempo=float(rng.uniform(*recipe.tempo)),
        tonic=int(rng.integers(12)),
        scale=pick(weights, n=1, rng=rng)[0],
        leads=leads,
        company=company,
        drums=bool(rng.uniform() < recipe.drums),
        level=float(level),
    )


def _gains(track: Track, rng: np.random.Generator) -> list[float]:
    leads = rng.uniform(*_LEAD, len(track.players))
    company = rng.uniform(*_COMPANY, len(track.players))
    leads -= leads[: len(track.leads)].max()
    return [float(leads[k] if name in track.leads else company[k]) for k, name in enumerate(track.players)]


def render_passage(passage: Passage, *, seed: int, sample_rate: int) -> NDArray[np.float32]:
    """Audio of a passage.

    Parameters
    ----------
    passage : Passage
    seed : int
        Of the data set.
    sample_rate : int, Hz

    Returns
    -------
    ndarray [shape=(n_samples,)], float32, in [-1, 1]
        Mono, with the peak that the track's level says.
    """
    track = passage.track
    recipe = KINDS[track.kind]
    fixed = numpy_generator(seed, "piece", track.piece)
    style = draw_style(recipe.manner, fixed)
    progression = (0,) if track.scale == "bhairav" else style.progression
    style = replace(style, tempo=track.tempo, tonic=track.tonic, scale=SCALES[track.scale], progression=progression)
    studio = replace(draw_studio(recipe.manner, fixed), peak=float(decibels(track.level)) * 0.98)
    gains = _gains(track, fixed)
    rng = numpy_generator(seed, "passage", track.piece, passage.number)
    style = style.anywhere(rng)
    size = {"n_samples": round(passage.seconds * sample_rate), "sample_rate": sample_rate}
    parts = []
    for name, gain in zip(track.players, gains, strict=True):
        audio = perform(name, style, piece=(seed, track.piece), rng=rng, **size)
        parts.append(Part(audio, gain, 0.0))
    if track.drums:
        audio = unit_level(play_drums(style, rng=rng, pattern=PATTERNS[recipe.pattern], **size))
        parts.append(Part(audio, float(fixed.uniform(*_DRUMS)), 0.0))
    return mix(parts, studio, n_channels=1, sample_rate=sample_rate, rng=rng)[:, 0]
