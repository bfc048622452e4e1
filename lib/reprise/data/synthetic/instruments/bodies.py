"""What a sound passes before it reaches the room: wood, bell, soundboard, pick-up and loudspeaker."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.filters import body, decibels, shape
from reprise.data.synthetic.instruments.makes import BASS, Make

__all__ = ["resonate"]

Audio = NDArray[np.float32]

# signature modes (Hz, Q, gain in dB), then the range and number of the many that nobody counts
_MODES = {
    "vio": (((278.0, 18, 6.0), (462.0, 25, 9.0), (545.0, 28, 10.0)), (700.0, 7000.0), 36),
    "cel": (((98.0, 14, 6.0), (176.0, 22, 9.0), (208.0, 24, 10.0), (280.0, 22, 7.0)), (330.0, 4000.0), 36),
    "gac": (((102.0, 18, 9.0), (201.0, 22, 10.0), (392.0, 28, 6.0)), (450.0, 5000.0), 30),
    "pia": (((88.0, 9, 3.0), (150.0, 10, 3.0)), (200.0, 4500.0), 30),
}
# corners of the spectrum's shape: radiation, bridge hill, cabinet
_SHAPES = {
    "vio": [(60, -36), (180, -12), (280, 0), (900, 0), (1300, -3), (2400, 6), (3400, 2), (6000, -14), (16000, -40)],
    "cel": [(30, -30), (80, -6), (110, 0), (600, 1), (1100, 3), (1800, 0), (3500, -14), (12000, -44)],
    "cla": [(60, -18), (150, 0), (2500, 0), (6000, -6), (16000, -26)],
    "sax": [(60, -12), (150, 0), (3500, 0), (8000, -6), (16000, -18)],
    "flu": [(120, -24), (250, 0), (3000, 0), (9000, -6), (16000, -14)],
    "tru": [(100, -14), (200, 0), (4000, 0), (9000, -8), (16000, -26)],
    "gac": [(50, -24), (85, 0), (1000, -2), (4000, 0), (9000, -12), (16000, -26)],
    "pia": [(28, -20), (90, 0), (1000, 0), (5000, -4), (10000, -16), (16000, -30)],
    "org": [(25, -18), (60, 0), (5000, 0), (10000, -10), (16000, -24)],
}


def _corners(make: Make) -> list[tuple[float, float]]:
    if make.code not in ("gel", BASS):
        return [(float(frequency), float(gain)) for frequency, gain in _SHAPES[make.code]]
    top = make.traits["cabinet"]
    low = 35.0 if make.code == BASS else 85.0
    return [(0.4 * low, -24.0), (low, 0.0), (0.3 * top, 0.0), (0.65 * top, 5.0), (top, 0.0), (2.0 * top, -34.0)]


def _response(make: Make, *, sample_rate: int) -> Audio | None:
    """Impulse response of the wood of this make; None where there is none."""
    if make.code not in _MODES:
        return None
    rng = np.random.default_rng(make.seed)
    signature, (low, high), count = _MODES[make.code]
    first = np.array(signature)
    # bodies of other sizes have all modes higher or lower
    size = np.exp(0.05 * rng.standard_normal())
    many = np.exp(rng.uniform(np.log(low), np.log(high), count))
    frequencies = size * np.concatenate([first[:, 0] * np.exp(0.03 * rng.standard_normal(len(first))), many])
    quality = np.concatenate([first[:, 1], rng.uniform(15.0, 45.0, count)])
    # the row of modes ends softly
    place = np.log(many / low) / np.log(high / low)
    fading = rng.normal(0.0, 4.0, count) - 16.0 * np.square(np.maximum(2.0 * place - 1.0, 0.0))
    gains = np.concatenate([first[:, 2] + 2.0 * rng.standard_normal(len(first)), fading])
    return body(frequencies, quality=quality, gains=decibels(gains), direct=0.6, sample_rate=sample_rate, rng=rng)


def resonate(dry: Audio, *, make: Make, sample_rate: int) -> Audio:
    """Send a part through the body of its instrument.

    Parameters
    ----------
    dry : ndarray [shape=(n_samples,)], float32
    make : Make
        Not of a voice, which has its own tract.
    sample_rate : int, Hz

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
    """
    response = _response(make, sample_rate=sample_rate)
    longest = 0 if response is None else len(response)
    n_fft = scipy.fft.next_fast_len(len(dry) + longest + 64, real=True)
    frequencies = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    corners = _corners(make)
    # brighter and darker makes turn about 1 kHz, down from 10 kHz on they keep their distance
    octaves = [np.log2(np.clip(frequency, 80.0, 10000.0) / 1000.0) for frequency, _ in corners]
    gain = shape(
        [(frequency, level + make.tilt * up) for (frequency, level), up in zip(corners, octaves, strict=True)],
        frequencies,
    )
    gain[0] = 0.0
    spectrum = scipy.fft.rfft(dry, n_fft) * gain
    if response is not None:
        spectrum *= scipy.fft.rfft(response, n_fft)
    return scipy.fft.irfft(spectrum, n_fft)[: len(dry)]
