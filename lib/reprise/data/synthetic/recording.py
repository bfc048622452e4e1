"""From a dry voice to a take: room, microphone, noise and recording level."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from reprise.data.synthetic.singers import Singer

__all__ = ["record"]

_PEAK = 0.97


def _room(singer: Singer, *, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Impulse response: the direct sound, then noise that decays and loses its treble."""
    n = round(singer.reverberation * sample_rate)
    t = np.arange(n) / sample_rate
    tail = rng.standard_normal(n) * np.exp(-6.9 * t / singer.reverberation)
    tail[: round(0.004 * sample_rate)] = 0.0
    # walls swallow treble: a plain average of three samples at 44.1 kHz
    width = max(1, round(3 * sample_rate / 44100))
    tail = np.convolve(tail, np.full(width, 1.0 / width))[:n]
    tail *= np.power(10.0, singer.wetness / 20.0) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail


def record(
    voice: NDArray[np.float32], *, singer: Singer, sample_rate: int, noisier: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Put a voice into the singer's room and before the singer's microphone.

    Parameters
    ----------
    voice : ndarray [shape=(n_samples,)]
        Dry.
    singer : Singer
        Gives room, noise and gain.
    sample_rate : int, Hz
    noisier : float, dB
        Added to the singer's room noise.
    rng : numpy.random.Generator
        Draws the room's reflections, which differ a little from take to take, and the noise.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32, in [-0.97, 0.97]
        Without anything below 30 Hz; takes that would clip are turned down.
    """
    n_samples = len(voice)
    room = _room(singer, sample_rate=sample_rate, rng=rng).astype(np.float32)
    n_fft = scipy.fft.next_fast_len(n_samples + len(room), real=True)
    frequencies = np.maximum(np.arange(n_fft // 2 + 1) * (sample_rate / n_fft), 1.0)
    microphone = np.square(frequencies) / (np.square(frequencies) + 30.0**2)
    microphone[0] = 0.0
    microphone *= np.power(frequencies / 1000.0, singer.brightness / 6.02)
    spectrum = scipy.fft.rfft(voice, n_fft) * scipy.fft.rfft(room, n_fft)
    spectrum *= np.power(10.0, singer.gain / 20.0)
    # rooms hum and rumble: noise falls by some 4 dB per octave above 100 Hz
    colour = np.power(1.0 + frequencies / 100.0, -0.7)
    hiss = scipy.fft.rfft(rng.standard_normal(n_samples, dtype=np.float32), n_fft) * colour
    level = np.sqrt(np.mean(np.square(colour)))
    hiss *= np.power(10.0, (singer.noise + noisier) / 20.0) / level
    spectrum = (spectrum + hiss) * microphone
    take = scipy.fft.irfft(spectrum, n_fft)[:n_samples].astype(np.float32)
    take -= take.mean()
    peak = float(np.abs(take).max())
    return take * np.float32(_PEAK / peak) if peak > _PEAK else take
