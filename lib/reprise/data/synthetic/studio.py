"""From dry parts to a clip: balance, places from left to right, room, noise, band and level."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.filters import decibels

__all__ = ["Part", "Studio", "draw_studio", "mix"]

Audio = NDArray[np.float32]

_LIMIT = 0.98
# decay times of rooms in s by genre
_ROOMS = {
    "cla": (0.6, 1.6),
    "cou_fol": (0.15, 0.6),
    "jaz_blu": (0.2, 0.8),
    "lat_sou": (0.15, 0.6),
    "pop_roc": (0.15, 0.7),
}


@dataclass(frozen=True)
class Part:
    """What one instrument plays in a clip.

    Attributes
    ----------
    audio : ndarray [shape=(n_samples,)], float32
        Dry, with an RMS of one.
    gain : float, dB
    pan : float, in [-1, 1]
        Left to right.
    """

    audio: Audio
    gain: float
    pan: float


@dataclass(frozen=True)
class Studio:
    """A room with its microphones and what follows them.

    Attributes
    ----------
    reverberation : float, s
        Decay by 60 dB.
    wetness : float, dB
        The room's level below the direct sound's.
    damping : float, Hz
        From here on the walls swallow.
    tilt : float, dB per octave
    low_cut, high_cut : float, Hz
        Band of the recording.
    noise : float, dB
        RMS below the music's.
    peak : float, in (0, 1]
        Of the clip.
    squash : float, dB, >= 0
        How far peaks are driven into a limiter.
    """

    reverberation: float
    wetness: float
    damping: float
    tilt: float
    low_cut: float
    high_cut: float
    noise: float
    peak: float
    squash: float


def draw_studio(genre: str, rng: np.random.Generator, *, rough: bool = False) -> Studio:
    """A studio for a genre.

    Parameters
    ----------
    genre : str
        One of IRMAS's five.
    rng : numpy.random.Generator
    rough : bool
        A camera or a telephone in a live room instead: band-limited, noisy, of any level.

    Returns
    -------
    Studio
    """
    low, high = _ROOMS[genre]
    common = {"reverberation": rng.uniform(low, high), "damping": rng.uniform(2000.0, 7000.0)}
    if rough:
        return Studio(
            **common,
            wetness=rng.uniform(-12.0, -2.0),
            tilt=rng.uniform(-2.0, 1.5),
            low_cut=rng.uniform(50.0, 220.0),
            high_cut=float(np.exp(rng.uniform(np.log(3800.0), np.log(15000.0)))),
            noise=rng.uniform(-42.0, -20.0),
            peak=float(decibels(rng.uniform(-20.0, 0.0))) * _LIMIT,
            squash=max(rng.uniform(-10.0, 8.0), 0.0),
        )
    return Studio(
        **common,
        wetness=rng.uniform(-20.0, -8.0),
        tilt=rng.uniform(-1.0, 1.0),
        low_cut=rng.uniform(20.0, 50.0),
        high_cut=rng.uniform(15000.0, 21000.0),
        noise=rng.uniform(-70.0, -48.0),
        peak=rng.uniform(0.6, _LIMIT),
        squash=rng.uniform(3.0, 10.0) if genre == "pop_roc" else rng.uniform(0.0, 4.0),
    )


def _tail(studio: Studio, *, n_channels: int, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Reflections per channel: noise that decays, of unit energy times the wetness."""
    n = round(0.8 * studio.reverberation * sample_rate)
    time = np.arange(n, dtype=np.float32) / np.float32(sample_rate)
    tail = rng.standard_normal((n_channels, n), dtype=np.float32)
    tail *= np.exp(np.float32(-6.9 / studio.reverberation) * time)
    tail[:, : round(rng.uniform(0.004, 0.02) * sample_rate)] = 0.0
    return tail * np.float32(decibels(studio.wetness) / max(float(np.sqrt(np.square(tail).sum(axis=1).mean())), 1e-9))


def mix(parts: list[Part], studio: Studio, *, n_channels: int, sample_rate: int, rng: np.random.Generator) -> Audio:
    """Record parts together.

    Parameters
    ----------
    parts : list of Part
        At least one, all of the same length.
    studio : Studio
    n_channels : int
        1 or 2.
    sample_rate : int, Hz
    rng : numpy.random.Generator
        Draws reflections and noise.

    Returns
    -------
    ndarray [shape=(n_samples, n_channels)], float32, in [-1, 1]
    """
    n_samples = len(parts[0].audio)
    dry = np.zeros((n_channels, n_samples), dtype=np.float32)
    for part in parts:
        angle = 0.25 * np.pi * (1.0 + part.pan)
        sides = (np.cos(angle), np.sin(angle)) if n_channels == 2 else (1.0,)
        for channel, side in zip(dry, sides, strict=True):
            channel += np.float32(side * decibels(part.gain)) * part.audio
    tail = _tail(studio, n_channels=n_channels, sample_rate=sample_rate, rng=rng)
    n_fft = scipy.fft.next_fast_len(n_samples + tail.shape[1], real=True)
    frequencies = np.maximum(np.arange(n_fft // 2 + 1, dtype=np.float32) * np.float32(sample_rate / n_fft), 1.0)
    room = scipy.fft.rfft(tail, n_fft) / np.sqrt(1.0 + np.square(frequencies / np.float32(studio.damping)))
    room += 1.0
    band = np.square(frequencies) / (np.square(frequencies) + np.float32(studio.low_cut**2))
    band /= 1.0 + np.square(np.square(np.square(frequencies / np.float32(studio.high_cut))))
    band *= np.power(frequencies / np.float32(1000.0), np.float32(studio.tilt / 6.02))
    clip = scipy.fft.irfft(scipy.fft.rfft(dry, n_fft) * room * band, n_fft)[:, :n_samples]
    level = np.sqrt(np.mean(np.square(clip, dtype=np.float64)))
    hiss = rng.standard_normal(clip.shape, dtype=np.float32)
    # rooms hum and rumble: a running mean takes treble from half of the noise
    hiss[:, 1:] += hiss[:, :-1]
    clip += np.float32(level * decibels(studio.noise - 3.0)) * hiss
    crest = max(float(np.abs(clip).max()), 1e-9)
    drive = np.float32(decibels(studio.squash))
    # smooth limiter: nearly straight for small values, never beyond one
    clip = np.tanh(clip * (drive / np.float32(crest))) / np.tanh(drive)
    return (np.float32(studio.peak) * clip).T
