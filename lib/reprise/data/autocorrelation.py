"""Pitch from the autocorrelation of frames, and the cheapest path through its candidates."""

import math

import numpy as np

__all__ = ["autocorrelation_pitch"]

# Boersma's, which are Praat's: candidates per frame, costs per octave and at steps of 10 ms, thresholds
N_CANDIDATES = 6
OCTAVE_COST, JUMP_COST, VOICING_COST, COST_STEP = 0.01, 0.35, 0.14, 0.01
VOICING_THRESHOLD, SILENCE_THRESHOLD = 0.45, 0.03
PERIODS = 3
# the autocorrelation is evaluated at as many points per sample, and parabolas are drawn between
OVERSAMPLING = 4
# frames that are transformed together
BLOCK = 256


def autocorrelation_pitch(
    y: np.ndarray, *, sample_rate: int, hop_length: int, fmin: float = 65.0, fmax: float = 1047.0
) -> np.ndarray:
    r"""Estimate the pitch of a recording with one voice by Boersma's method.

    Parameters
    ----------
    y : ndarray [shape=(n_samples,)]
    sample_rate : int, Hz
    hop_length : int, samples
    fmin, fmax : float, Hz, 0 < fmin < fmax < sample_rate / 4
        Range that is searched; a frame has three periods of ``fmin``.

    Returns
    -------
    ndarray of float32 [shape=(1 + n_samples // hop_length,)], Hz
        Point *t* is centred on sample ``t * hop_length``; 0 is unvoiced.

    Raises
    ------
    ValueError
        If the range does not fit the sample rate.

    Notes
    -----
    Candidates are the peaks :math:`r` of the autocorrelation of a windowed frame over that of the window, with the
    strength :math:`r - 0.01 \log_2 (f_{min} \tau)`; unvoiced is one more, the stronger the softer the frame. The path
    pays 0.35 for each octave, and 0.14 between voiced and unvoiced, at steps of 10 ms.
    Paper: Boersma 1993; the voicing decision that Wu et al. 2022 take the buzz away with is Praat's of this kind.
    """
    if not 0 < fmin < fmax < sample_rate / 4:
        raise ValueError(f"0 < fmin < fmax < {sample_rate / 4:g} Hz does not hold for {fmin!r} and {fmax!r}")
    n_points = 1 + len(y) // hop_length
    length = math.ceil(PERIODS * sample_rate / fmin)
    padded = np.pad(np.asarray(y, dtype=np.float64), (length // 2, length + hop_length))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop_length][:n_points]
    parts = [_candidates(frames[n : n + BLOCK], sample_rate, fmin, fmax) for n in range(0, n_points, BLOCK)]
    frequency, strength, peak = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    loudest = max(float(peak.max()), 1e-12)
    softness = 2 - peak / loudest / (SILENCE_THRESHOLD / (1 + VOICING_THRESHOLD))
    unvoiced = VOICING_THRESHOLD + np.maximum(0.0, softness)
    frequency = np.concatenate([np.zeros((n_points, 1)), frequency], axis=1)
    strength = np.concatenate([unvoiced[:, None], strength], axis=1)
    path = _path(frequency, strength, scale=COST_STEP * sample_rate / hop_length)
    return frequency[np.arange(n_points), path].astype(np.float32)


def _candidates(
    frames: np.ndarray, sample_rate: int, fmin: float, fmax: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies in Hz and strengths of the best peaks [shape=(n, N_CANDIDATES) each], and frames' loudest samples."""
    length = frames.shape[1]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    centred = frames - frames.mean(axis=1, keepdims=True)
    size = 2 ** math.ceil(math.log2(1.5 * length))
    first = math.floor(OVERSAMPLING * sample_rate / fmax)
    last = math.ceil(OVERSAMPLING * sample_rate / fmin)

    def correlation(signals: np.ndarray) -> np.ndarray:
        power = np.square(np.abs(np.fft.rfft(signals, n=size)))
        curve = np.fft.irfft(power, n=OVERSAMPLING * size)
        return curve[..., : last + 2] / np.maximum(curve[..., :1], 1e-20)

    ratio = correlation(centred * window) / correlation(window)
    middle = ratio[:, first : last + 1]
    left, right = ratio[:, first - 1 : last], ratio[:, first + 1 : last + 2]
    bend = left - 2 * middle + right
    peaked = (middle > left) & (middle >= right) & (middle > 0.5 * VOICING_THRESHOLD)
    shift = np.where(peaked, 0.5 * (left - right) / np.where(peaked, bend, -1.0), 0.0)
    height = np.where(peaked, middle - 0.25 * (left - right) * shift, -np.inf)
    lags = (np.arange(first, last + 1) + shift) / (OVERSAMPLING * sample_rate)
    # what rises above one is not periodic for longer: a steep onset
    height = np.where(height > 1, 1 / np.maximum(height, 1.0), height)
    strength = height - OCTAVE_COST * np.log2(fmin * lags)
    best = np.argpartition(-strength, N_CANDIDATES, axis=1)[:, :N_CANDIDATES]
    frequency = 1 / np.take_along_axis(lags, best, axis=1)
    return frequency, np.take_along_axis(strength, best, axis=1), np.abs(centred).max(axis=1)


def _path(frequency: np.ndarray, strength: np.ndarray, *, scale: float) -> np.ndarray:
    """Candidate of each frame on the path of the greatest strength less the costs [shape=(n,)]."""
    voiced = frequency > 0
    octaves = np.log2(np.where(voiced, frequency, 1.0))
    total, steps = strength[0], np.zeros(frequency.shape, dtype=np.int64)
    for n in range(1, len(frequency)):
        both = voiced[n][:, None] & voiced[n - 1]
        either = voiced[n][:, None] != voiced[n - 1]
        cost = JUMP_COST * np.abs(octaves[n][:, None] - octaves[n - 1]) * both + VOICING_COST * either
        reached = total - scale * cost
        steps[n] = reached.argmax(axis=1)
        total = reached.max(axis=1) + strength[n]
    path = np.zeros(len(frequency), dtype=np.int64)
    path[-1] = total.argmax()
    for n in range(len(frequency) - 1, 0, -1):
        path[n - 1] = steps[n, path[n]]
    return path
