"""Ten ways to sing a line, made the way voices make them, each from nearly nothing to full strength."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.melodies import POINT_RATE, Line, point_hop, smooth, wander
from reprise.data.synthetic.singers import Singer
from reprise.data.synthetic.voice import formant_bandwidths, sing, vowel_formants

__all__ = ["DIFFICULTY", "PACE", "perform"]

Array = NDArray[np.float64]

DIFFICULTY = 0.5
"""How much the classes overlap, in [0, 1].

0: every singer does every technique fully and all the time, and straight takes are perfectly straight. 1: strengths
reach down to nothing, up to half of a take is without the technique, vibrato slips in everywhere. A take at strength
``s`` lies the fraction ``s`` of the way from the singer's modal voice to the full technique.
"""

# notes are held longer where the technique needs time
PACE = {"vibrato": 1.4, "trill": 1.6, "trillo": 1.8, "inhaled": 1.3, "vocal_fry": 1.3}


@dataclass
class _Voice:
    """All curves of a take while the technique changes them; ``amount`` says how much of it there is, per point."""

    singer: Singer
    line: Line
    amount: Array
    difficulty: float
    rng: np.random.Generator
    pitch: Array
    level: Array
    breath: Array
    voicing: Array
    open_quotient: Array
    tilt: Array
    jitter: Array
    shimmer: Array
    subharmonic: Array
    lips: Array
    formants: Array
    damping: Array

    @property
    def n(self) -> int:
        return len(self.pitch)

    def toward(self, name: str, target: float | Array) -> None:
        """Move a curve to its value in the full technique, as far as there is technique."""
        now = getattr(self, name)
        setattr(self, name, now + self.amount * (target - now))

    def cycle(self, rate: float | Array) -> Array:
        """Phase in radians of something that repeats at about this rate, unsteadily."""
        speed = rate * (1.0 + 0.05 * wander(self.n, seconds=0.4, rng=self.rng))
        return 2.0 * np.pi * (np.cumsum(speed) / POINT_RATE + self.rng.uniform())


def _formants(singer: Singer, vowels: Array, pitch: Array, *, ring: float | None = None) -> Array:
    """Curves of the formants; high voices open the mouth so that the first formant is never below the pitch."""
    ring = singer.quality["ring"] if ring is None else ring
    table = np.log([vowel_formants(vowel, tract=singer.tract, ring=ring) for vowel in "aeiou"])
    formants = np.exp(np.einsum("pv,vf->pf", vowels, table))
    formants[:, 0] = np.maximum(formants[:, 0], 1.03 * 440.0 * np.exp2((pitch - 69.0) / 12.0))
    formants[:, 1] = np.maximum(formants[:, 1], 1.2 * formants[:, 0])
    return formants


def _amount(n_points: int, *, strength: float, difficulty: float, rng: np.random.Generator) -> Array:
    """Technique per point: it sets in late, and may be dropped for a while."""
    t = np.arange(n_points) / n_points
    seconds = n_points / POINT_RATE
    on = t > difficulty * rng.uniform(0.0, 0.4) * min(1.0, 1.2 / seconds)
    if rng.uniform() < difficulty:
        length = difficulty * rng.uniform(0.2, 0.8)
        start = rng.uniform(0.0, 1.0 - length)
        on &= (t < start) | (t > start + length)
    return strength * smooth(on.astype(float), seconds=0.12)


def _modal(singer: Singer, line: Line, *, amount: Array, difficulty: float, rng: np.random.Generator) -> _Voice:
    """The singer's plain voice, with what differs from take to take."""
    n, quality = len(line.pitch), singer.quality
    spread = rng.standard_normal(6)
    return _Voice(
        singer=singer,
        line=line,
        amount=amount,
        difficulty=difficulty,
        rng=rng,
        pitch=line.pitch.copy(),
        level=line.level + 2.0 * spread[0],
        breath=np.full(n, quality["breath"] + 3.0 * spread[1]),
        voicing=np.ones(n),
        open_quotient=np.clip(quality["open_quotient"] + 0.04 * spread[2] + np.zeros(n), 0.35, 0.85),
        # louder is brighter
        tilt=np.maximum(quality["tilt"] + 2.0 * spread[3] - 0.3 * np.maximum(line.level, -10.0), 0.5),
        jitter=np.full(n, quality["jitter"] * np.exp(0.3 * spread[4])),
        shimmer=np.full(n, quality["shimmer"] * np.exp(0.3 * spread[5])),
        subharmonic=np.zeros(n),
        lips=np.full(n, np.log(20000.0)),
        formants=_formants(singer, line.vowels, line.pitch),
        damping=np.full(n, quality["damping"]),
    )


def _swing(voice: _Voice, *, extent: Array, rate: float) -> None:
    """Vibrato of pitch, with the loudness that comes with it; ``extent`` in semitones to either side."""
    phase = voice.cycle(rate)
    voice.pitch = voice.pitch + extent * np.sin(phase)
    voice.level = voice.level + 1.8 * extent * np.sin(phase + voice.rng.uniform(0.0, 2.0))


def _habit(voice: _Voice) -> None:
    """Vibrato that slips into other techniques, late in a note and small."""
    if voice.rng.uniform() < 0.9 * voice.difficulty:
        size = voice.difficulty * voice.rng.uniform(0.1, 0.9) * voice.singer.vibrato_extent
        delay = voice.rng.uniform(0.1, 0.6)
        rise = np.clip((voice.line.since - delay) / 0.3, 0.0, 1.0)
        _swing(voice, extent=size * rise, rate=voice.singer.vibrato_rate * voice.rng.uniform(0.93, 1.07))


def _straight(voice: _Voice) -> None:
    _habit(voice)


def _vibrato(voice: _Voice) -> None:
    rng = voice.rng
    delay = rng.uniform(0.0, 0.5 * voice.difficulty)
    rise = np.clip((voice.line.since - delay) / rng.uniform(0.1, 0.4), 0.0, 1.0)
    extent = np.clip(voice.singer.vibrato_extent * rng.uniform(0.8, 1.2), 0.3, 1.0)
    rate = np.clip(voice.singer.vibrato_rate * rng.uniform(0.94, 1.06), 5.0, 7.0)
    _swing(voice, extent=extent * rise * voice.amount, rate=float(rate))


def _trill(voice: _Voice) -> None:
    rng = voice.rng
    interval = float(rng.choice([1.0, 2.0])) * rng.uniform(0.85, 1.1)
    phase = voice.cycle(float(np.clip(voice.singer.pulse_rate * rng.uniform(0.9, 1.1), 5.0, 8.0)))
    steep = rng.uniform(1.0, 4.0)
    alternation = np.tanh(steep * np.sin(phase)) / np.tanh(steep)
    voice.pitch = voice.pitch + voice.amount * interval * 0.5 * (1.0 + alternation)
    voice.level = voice.level - voice.amount * rng.uniform(0.0, 3.0) * np.square(np.cos(phase))


def _trillo(voice: _Voice) -> None:
    rng = voice.rng
    slow, fast = rng.uniform(3.0, 5.0), voice.singer.pulse_rate * rng.uniform(0.9, 1.25)
    # pulses hasten within each note, or within the take where notes are short
    progress = np.clip(voice.line.since / rng.uniform(0.8, 3.0), 0.0, 1.0)
    phase = voice.cycle(slow + (fast - slow) * progress)
    gap = 1.0 / (1.0 + np.exp(-(np.cos(phase) - rng.uniform(0.2, 0.6)) / 0.15))
    gap = gap * voice.amount
    voice.level = voice.level - rng.uniform(5.0, 12.0) * gap
    voice.voicing = voice.voicing * (1.0 - 0.95 * gap)
    voice.breath = voice.breath + (rng.uniform(-22.0, -14.0) - voice.breath) * gap
    voice.pitch = voice.pitch - rng.uniform(0.0, 0.3) * gap
    voice.open_quotient = voice.open_quotient + 0.15 * gap


def _vocal_fry(voice: _Voice) -> None:
    rng = voice.rng
    rate = np.clip(voice.singer.fry_rate * np.exp(0.15 * rng.standard_normal()), 20.0, 60.0)
    wandering = np.clip(rate * np.exp(0.15 * wander(voice.n, seconds=0.3, rng=rng)), 20.0, 60.0)
    voice.toward("pitch", 69.0 + 12.0 * np.log2(wandering / 440.0))
    voice.toward("open_quotient", 0.3)
    voice.toward("tilt", 4.0)
    voice.toward("jitter", rng.uniform(0.08, 0.25))
    voice.toward("shimmer", rng.uniform(0.15, 0.35))
    voice.toward("subharmonic", rng.uniform(0.0, 0.6))
    voice.level = voice.level - 4.0 * voice.amount


def _breathy(voice: _Voice) -> None:
    _habit(voice)
    rng = voice.rng
    voice.toward("breath", rng.uniform(-17.0, -9.0))
    voice.toward("tilt", rng.uniform(16.0, 24.0))
    voice.toward("open_quotient", 0.85)
    voice.toward("damping", 1.8)
    voice.level = voice.level - 3.0 * voice.amount


def _belt(voice: _Voice) -> None:
    _habit(voice)
    rng = voice.rng
    voice.pitch = voice.pitch + rng.uniform(1.0, 5.0) * voice.amount.max()
    voice.toward("tilt", rng.uniform(0.5, 2.0))
    voice.toward("open_quotient", 0.38)
    voice.toward("breath", -48.0)
    voice.toward("damping", 0.8)
    # the epilaryngeal tube narrows: third to fifth formant close up and stand out; the mouth opens
    ringing = _formants(voice.singer, voice.line.vowels, voice.pitch, ring=1.0)
    ringing[:, :2] *= (1.15, 1.05)
    voice.formants *= np.exp(voice.amount[:, None] * np.log(ringing / voice.formants))
    voice.level = voice.level + 5.0 * voice.amount


def _inhaled(voice: _Voice) -> None:
    rng = voice.rng
    voice.toward("breath", rng.uniform(-13.0, -4.0))
    unsteady = np.clip(rng.uniform(0.2, 0.6) * (1.0 + 0.6 * wander(voice.n, seconds=0.2, rng=rng)), 0.0, 1.0)
    voice.toward("voicing", unsteady)
    voice.pitch = voice.pitch + voice.amount * rng.uniform(0.3, 1.2) * wander(voice.n, seconds=0.25, rng=rng)
    voice.toward("jitter", rng.uniform(0.015, 0.06))
    voice.toward("shimmer", 0.2)
    voice.toward("tilt", rng.uniform(10.0, 18.0))
    voice.toward("open_quotient", 0.75)
    voice.toward("subharmonic", rng.uniform(0.0, 0.4))
    voice.toward("damping", 1.7)
    # air drawn in cools and the larynx drops or lifts: formants shift
    voice.formants *= 1.0 + rng.uniform(-0.03, 0.08) * voice.amount[:, None]
    voice.level = voice.level - 4.0 * voice.amount + 2.0 * voice.amount * wander(voice.n, seconds=0.15, rng=rng)


def _lip_trill(voice: _Voice) -> None:
    _habit(voice)
    rng = voice.rng
    phase = voice.cycle(float(np.clip(voice.singer.lip_rate * rng.uniform(0.94, 1.06), 20.0, 30.0)))
    opening = np.square(0.5 + 0.5 * np.sin(phase))
    rounded = voice.singer.tract * np.array([330.0, 900.0])
    voice.formants[:, :2] *= np.exp(0.6 * voice.amount[:, None] * np.log(rounded / voice.formants[:, :2]))
    voice.formants[:, 0] = np.maximum(voice.formants[:, 0], 1.03 * 440.0 * np.exp2((voice.pitch - 69.0) / 12.0))
    closed, parted = np.log(rng.uniform(350.0, 700.0)), np.log(rng.uniform(1500.0, 3500.0))
    voice.toward("lips", closed + (parted - closed) * opening)
    voice.toward("breath", voice.breath + rng.uniform(4.0, 14.0) * opening)
    voice.level = voice.level - voice.amount * rng.uniform(6.0, 14.0) * (1.0 - opening)


def _spoken(voice: _Voice) -> None:
    rng, n = voice.rng, voice.n
    # syllables with their own vowel, stress and gap, three to five a second
    n_syllables = int(6 * n / POINT_RATE) + 2
    ends = np.cumsum(rng.uniform(0.15, 0.36, n_syllables)) * POINT_RATE
    syllable = np.searchsorted(ends, np.arange(n), side="right")
    start = np.concatenate([[0.0], ends])[syllable]
    place = (np.arange(n) - start) / (ends[syllable] - start)
    vowels = smooth(np.eye(5)[rng.integers(0, 5, n_syllables)[syllable]], seconds=0.09)
    fall = 3.0 - 5.0 * ((np.arange(n) / POINT_RATE / rng.uniform(1.2, 2.4)) % 1.0)
    accent = 2.0 * rng.standard_normal(n_syllables)[syllable] * np.sin(np.pi * place)
    voice.toward("pitch", smooth(voice.singer.low + rng.uniform(-1.0, 4.0) + fall + accent, seconds=0.1))
    spoken = _formants(voice.singer, vowels, voice.pitch)
    voice.formants *= np.exp(voice.amount[:, None] * np.log(spoken / voice.formants))
    consonant = smooth((place < 0.22).astype(float), seconds=0.04) * voice.amount
    unvoiced = consonant * (rng.uniform(size=n_syllables) < 0.5)[syllable]
    voice.voicing = voice.voicing * (1.0 - 0.97 * smooth(unvoiced, seconds=0.02))
    voice.breath = voice.breath + (rng.uniform(-20.0, -8.0) - voice.breath) * unvoiced
    voice.level = voice.level - rng.uniform(8.0, 18.0, n_syllables)[syllable] * consonant - 2.0 * voice.amount
    voice.toward("jitter", 0.01)


_METHODS = {
    "belt": _belt,
    "breathy": _breathy,
    "inhaled": _inhaled,
    "lip_trill": _lip_trill,
    "spoken": _spoken,
    "straight": _straight,
    "trill": _trill,
    "trillo": _trillo,
    "vibrato": _vibrato,
    "vocal_fry": _vocal_fry,
}


def perform(
    line: Line,
    *,
    technique: str,
    singer: Singer,
    sample_rate: int,
    rng: np.random.Generator,
    difficulty: float = DIFFICULTY,
) -> NDArray[np.float32]:
    """Sing a line.

    Parameters
    ----------
    line : Line
    technique : str
        One of the ten.
    singer : Singer
    sample_rate : int, Hz
    rng : numpy.random.Generator
    difficulty : float, in [0, 1]
        See ``DIFFICULTY``.

    Returns
    -------
    ndarray [shape=(n_points * point_hop(sample_rate),)], float32
        Dry voice.
    """
    weakness = 0.65 * (1.0 - singer.skill[technique]) + 0.35 * rng.uniform()
    amount = _amount(len(line.pitch), strength=1.0 - difficulty * weakness, difficulty=difficulty, rng=rng)
    voice = _modal(singer, line, amount=amount, difficulty=difficulty, rng=rng)
    _METHODS[technique](voice)
    return sing(
        f0=np.clip(440.0 * np.exp2((voice.pitch - 69.0) / 12.0), 18.0, sample_rate / 6),
        sample_rate=sample_rate,
        hop_length=point_hop(sample_rate),
        formants=voice.formants,
        bandwidths=formant_bandwidths(voice.formants) * voice.damping[:, None],
        level=voice.level,
        voicing=voice.voicing,
        aspiration=np.power(10.0, voice.breath / 20.0),
        open_quotient=voice.open_quotient,
        tilt=voice.tilt,
        jitter=voice.jitter,
        shimmer=voice.shimmer,
        subharmonic=voice.subharmonic,
        lips=np.exp(voice.lips),
        rng=rng,
    )
