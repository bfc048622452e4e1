"""Songs without recordings: melodies with words, breath and vibrato, and the pitch that was really sung."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from reprise.data.synthetic.melodies import POINT_RATE, point_hop, smooth, wander
from reprise.data.synthetic.recording import record
from reprise.data.synthetic.singers import Singer
from reprise.data.synthetic.voice import formant_bandwidths, sing, vowel_formants

__all__ = ["LOWEST_F0", "Note", "Song", "compose", "render_song"]

Array = NDArray[np.float64]

LOWEST_F0 = 82.0
"""Hz; above the 80 Hz where the singing vocoders' pitch begins."""

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "pentatonic": (0, 2, 4, 7, 9)}
# voiceless fricatives and what is between a breath and a burst: band in Hz, RMS re full scale
_BANDS = {"s": (4800.0, 10000.0, 0.016), "S": (2200.0, 6500.0, 0.02), "f": (1200.0, 9000.0, 0.006)}
_PLOSIVES = {"p": "f", "t": "s", "k": "S"}
_VOICED = ("m", "l")
_CONSONANTS = ("", *_VOICED, *_BANDS, "h", *_PLOSIVES)
_SHARES = np.array([0.24, 0.12, 0.1, 0.1, 0.08, 0.06, 0.06, 0.08, 0.08, 0.08])
_EDGE_SECONDS = 0.15
_LONGEST_CONSONANT = 0.4


@dataclass(frozen=True)
class Note:
    """A syllable on a note.

    Attributes
    ----------
    start, end : float, s
    pitch : float, MIDI number
    vowel : str
        One of ``a e i o u``.
    consonant : str
        Before the vowel: none, voiced (``m l``), fricative (``s S f h``) or plosive (``p t k``).
    opens : bool
        Whether a phrase begins here, after a breath.
    """

    start: float
    end: float
    pitch: float
    vowel: str
    consonant: str
    opens: bool


@dataclass(frozen=True)
class Song:
    """What was sung.

    Attributes
    ----------
    audio : ndarray [shape=(n_samples,)], float32, in [-1, 1]
    f0 : ndarray [shape=(n_points,)], Hz
        Point ``k`` lies at sample ``k * hop_length``, linear between; 0 where the voice is silent.
    hop_length : int, samples
    notes : list of Note
    """

    audio: NDArray[np.float32]
    f0: Array
    hop_length: int
    notes: list[Note]


def compose(singer: Singer, *, seconds: float, rng: np.random.Generator) -> list[Note]:
    """Melody of phrases of five to nine notes with a rest after each.

    Parameters
    ----------
    singer : Singer
        Gives the range.
    seconds : float, s, >= 2
        The last note ends a moment before.
    rng : numpy.random.Generator

    Returns
    -------
    list of Note
        Without overlap, in order; at least one.
    """
    scale = np.array(_SCALES[str(rng.choice(list(_SCALES)))])
    degrees = np.concatenate([scale, scale + 12, [24]])
    degrees = degrees[degrees <= 17]
    tonic = max(singer.low + rng.uniform(0.5, 4.0), 41.5)
    beat = rng.uniform(0.26, 0.42)
    end = seconds - _EDGE_SECONDS
    notes: list[Note] = []
    now, place = _EDGE_SECONDS + rng.uniform(0.0, 0.3), int(rng.integers(len(degrees)))
    while now < end - 0.3:
        n_notes = int(rng.integers(5, 10))
        for k in range(n_notes):
            length = beat * float(rng.choice([0.5, 1.0, 1.0, 1.5, 2.0]) if k < n_notes - 1 else rng.choice([3.0, 4.0]))
            last = min(now + max(length, 0.2), end)
            if last - now < 0.2:
                break
            # steps more than leaps, away from the ends of the range
            step = int(rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3])) + (place < 2) - (place > len(degrees) - 3)
            place = int(np.clip(place + step, 0, len(degrees) - 1))
            consonant = str(rng.choice(_CONSONANTS, p=_SHARES))
            pitch = tonic + float(degrees[place]) + 0.06 * rng.standard_normal()
            notes.append(Note(now, last, pitch, str(rng.choice(list("aeiou"))), consonant, k == 0))
            now = last
        now += rng.uniform(0.35, 0.9)
    return notes


@dataclass
class _Curves:
    """Curves on points; ``noise`` has one curve per band of ``_BANDS``, in RMS re full scale."""

    pitch: Array
    voiced: NDArray[np.bool_]
    level: Array
    aspiration: Array
    vowels: Array
    murmur: Array
    vibrato: Array
    noise: dict[str, Array]


def _points(start: float, end: float) -> slice:
    return slice(round(start * POINT_RATE), max(round(end * POINT_RATE), round(start * POINT_RATE)))


def _articulate(curves: _Curves, note: Note, *, rng: np.random.Generator) -> float:
    """Write the consonant of a note into the curves; returns where the voice of a voiceless one sets in."""
    longest = _LONGEST_CONSONANT * (note.end - note.start)
    strength = float(np.exp(0.25 * rng.standard_normal()))
    begin = note.start
    if note.consonant in _VOICED:
        hum = _points(begin, begin + min(rng.uniform(0.05, 0.09), longest))
        curves.murmur[hum] = 1.0
        return begin
    if note.consonant in _BANDS:
        end = begin + min(rng.uniform(0.07, 0.15), longest)
        curves.noise[note.consonant][_points(begin, end)] = strength * _BANDS[note.consonant][2]
        return end
    if note.consonant == "h":
        end = begin + min(rng.uniform(0.05, 0.1), longest)
        curves.aspiration[_points(begin, end)] = 0.12 * strength
        return end
    if note.consonant in _PLOSIVES:
        band = _PLOSIVES[note.consonant]
        closed = begin + min(rng.uniform(0.04, 0.07), 0.6 * longest)
        end = closed + min(rng.uniform(0.015, 0.04), 0.4 * longest)
        curves.noise[band][_points(closed, closed + 0.01)] = 2.0 * strength * _BANDS[band][2]
        curves.aspiration[_points(closed, end)] = 0.1 * strength
        return end
    return begin


def _draw_curves(notes: list[Note], singer: Singer, *, n_points: int, rng: np.random.Generator) -> _Curves:
    quality = float(np.power(10.0, singer.quality["breath"] / 20.0))
    # pitch and vowel are held through rests, so that a phrase begins where its first note is
    starts = np.array([round(note.start * POINT_RATE) for note in notes])
    which = np.maximum(np.searchsorted(starts, np.arange(n_points), side="right") - 1, 0)
    zeros = np.zeros(n_points)
    curves = _Curves(
        pitch=np.array([note.pitch for note in notes])[which],
        voiced=np.zeros(n_points, dtype=bool),
        level=zeros.copy(),
        aspiration=zeros.copy(),
        vowels=np.eye(5)[np.array(["aeiou".index(note.vowel) for note in notes])[which]],
        murmur=zeros.copy(),
        vibrato=zeros.copy(),
        noise={band: zeros.copy() for band in _BANDS},
    )
    loudness = np.clip(4.0 * wander(n_points, seconds=1.5, rng=rng), -6.0, 5.0)
    for note in notes:
        if note.opens:
            length = min(rng.uniform(0.15, 0.3), note.start)
            curves.noise["f"][_points(note.start - length - 0.04, note.start - 0.04)] = 0.002
        onset = _articulate(curves, note, rng=rng)
        sung = _points(onset, note.end)
        curves.voiced[sung] = True
        if note.end - onset > 0.45 and rng.uniform() < 0.8:
            since = np.arange(sung.stop - sung.start) / POINT_RATE
            curves.vibrato[sung] = np.clip((since - rng.uniform(0.1, 0.3)) / 0.25, 0.0, 1.0) * rng.uniform(0.3, 0.9)
    curves.level = loudness - 8.0 * smooth(curves.murmur, seconds=0.03)
    curves.aspiration = smooth(curves.aspiration + quality * curves.voiced, seconds=0.015)
    phase = 2.0 * np.pi * np.cumsum(singer.vibrato_rate * (1.0 + 0.04 * wander(n_points, seconds=0.5, rng=rng)))
    swing = singer.vibrato_extent * curves.vibrato * np.sin(phase / POINT_RATE)
    unsteady = 0.05 * wander(n_points, seconds=0.8, rng=rng) + 0.02 * wander(n_points, seconds=0.08, rng=rng)
    curves.pitch = smooth(curves.pitch, seconds=singer.glide) + swing + unsteady
    return curves


def _sing(curves: _Curves, singer: Singer, *, f0: Array, sample_rate: int, rng: np.random.Generator) -> Array:
    """Dry voice of the curves, with its consonants."""
    quality, hop_length = singer.quality, point_hop(sample_rate)
    table = np.log([vowel_formants(vowel, tract=singer.tract, ring=quality["ring"]) for vowel in "aeiou"])
    formants = np.exp(smooth(curves.vowels, seconds=0.07) @ table)
    murmur = smooth(curves.murmur, seconds=0.03)
    formants[:, 0] *= np.exp(murmur * np.log(280.0 * singer.tract / formants[:, 0]))
    # high voices open the mouth so that the first formant is never below the pitch
    formants[:, 0] = np.maximum(formants[:, 0], 1.03 * f0)
    formants[:, 1] = np.maximum(formants[:, 1], 1.2 * formants[:, 0])
    # the voice fades within what counts as voiced: nothing of it is left where the true pitch is 0
    inside = smooth(curves.voiced.astype(float), seconds=0.03)
    voicing = np.clip(2.0 * inside - 1.0, 0.0, 1.0) * curves.voiced
    voice = sing(
        f0=f0,
        sample_rate=sample_rate,
        hop_length=hop_length,
        formants=formants,
        bandwidths=formant_bandwidths(formants) * (quality["damping"] * (1.0 + murmur))[:, None],
        level=curves.level,
        voicing=voicing,
        aspiration=curves.aspiration,
        open_quotient=quality["open_quotient"],
        # louder is brighter
        tilt=np.maximum(quality["tilt"] + 2.0 - 0.3 * curves.level, 0.5),
        jitter=quality["jitter"],
        shimmer=quality["shimmer"],
        rng=rng,
    ).astype(np.float64)
    at = np.arange(len(voice)) / hop_length
    for band, (low, high, _) in _BANDS.items():
        envelope = np.interp(at, np.arange(len(f0)), smooth(curves.noise[band], seconds=0.015))
        top = min(high, 0.45 * sample_rate)
        filter_ = scipy.signal.butter(2, (min(low, 0.6 * top), top), "bandpass", fs=sample_rate, output="sos")
        noise = scipy.signal.sosfilt(filter_, rng.standard_normal(len(voice)))
        voice += envelope * noise / noise.std()
    return voice


def render_song(singer: Singer, *, seconds: float, sample_rate: int, rng: np.random.Generator) -> Song:
    """Compose a song, sing it, and record it near the microphone.

    Parameters
    ----------
    singer : Singer
    seconds : float, s, >= 2
    sample_rate : int, Hz, >= 16000
    rng : numpy.random.Generator

    Returns
    -------
    Song
        Of ``round(seconds * sample_rate)`` samples.

    Notes
    -----
    The true pitch is that of the glottal pulses before jitter, whose mean is zero. It is 0 in rests and in voiceless
    consonants, where pulses are absent; formants and the room ring on for some hundredths of a second.
    """
    n_samples, hop_length = round(seconds * sample_rate), point_hop(sample_rate)
    n_points = -(-n_samples // hop_length) + 1
    notes = compose(singer, seconds=seconds, rng=rng)
    curves = _draw_curves(notes, singer, n_points=n_points, rng=rng)
    f0 = np.clip(440.0 * np.exp2((curves.pitch - 69.0) / 12.0), LOWEST_F0, 1000.0)
    voice = _sing(curves, singer, f0=f0, sample_rate=sample_rate, rng=rng)
    # near the microphone, and at a level at which high voices, whose mouths follow the pitch, do not clip
    near = replace(
        singer,
        gain=0.5 * singer.gain - 8.0,
        reverberation=min(singer.reverberation, 0.25),
        wetness=min(singer.wetness, -20.0),
    )
    audio = record(voice[:n_samples].astype(np.float32), singer=near, sample_rate=sample_rate, noisier=-6.0, rng=rng)
    return Song(audio=audio, f0=np.where(curves.voiced, f0, 0.0), hop_length=hop_length, notes=notes)
