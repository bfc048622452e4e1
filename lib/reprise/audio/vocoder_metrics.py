"""Spectra, embeddings and speed by which vocoders are compared."""

import math
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reprise.audio.features import mel_spectrogram
from reprise.audio.losses import multi_scale_stft_loss

__all__ = ["EMBEDDINGS", "SpectralDistance", "log_mel_statistics", "real_time_factor", "spectral_distance"]


class SpectralDistance(NamedTuple):
    """Multi-scale spectral distance, also with the prediction moved in time.

    Attributes
    ----------
    whole : float
        Of the signals as they are: the number that is compared with published ones.
    at_zero, at_best : float
        Without the target's first and last ``max_lag`` samples: not moved, and at the best lag.
    lag : int, samples
        The best one; below 0 where the prediction is early.
    """

    whole: float
    at_zero: float
    at_best: float
    lag: int


@torch.no_grad()
def spectral_distance(
    prediction: Tensor,
    target: Tensor,
    *,
    formula: Literal["power", "amplitude"] = "power",
    max_lag: int = 240,
    step: int = 8,
) -> SpectralDistance:
    """MSSTFT of a resynthesis, as it is and at the best lag.

    Parameters
    ----------
    prediction, target : Tensor [shape=(time,)]
    formula : "power" or "amplitude"
        See `reprise.audio.losses.multi_scale_stft_loss`: the two have the same name in the literature and different
        scales.
    max_lag : int, samples, ≥ 0
    step : int, samples, ≥ 1
        Lags are multiples of it. They are searched coarsely, then around the best: the distance is smooth in time.

    Returns
    -------
    SpectralDistance

    Raises
    ------
    ValueError
        If the shapes differ, the signals are too short or a parameter is out of range.

    Notes
    -----
    In training the authors' code cuts its mel spectrograms from the start of the 10 ms block in which a crop begins,
    so that its outputs are early by 5 ms on average; MSSTFT counts this as an error of the spectrum.
    Paper: Wu et al. 2022; Yu and Fazekas 2023. Notebook: 04_sawsing.ipynb.
    """
    if max_lag < 0 or step < 1:
        raise ValueError(f"max_lag must not be negative and step at least 1, got {max_lag} and {step}")
    if prediction.ndim != 1 or prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target must have one shape (time,), got {tuple(prediction.shape)} and "
            f"{tuple(target.shape)}; cut both to the same length"
        )
    whole = float(multi_scale_stft_loss(prediction[None], target[None], formula=formula))
    length = len(target) - 2 * max_lag
    inner = target[None, max_lag : max_lag + length]
    found: dict[int, float] = {}

    def at(lag: int) -> float:
        if lag not in found:
            moved = prediction[None, max_lag + lag : max_lag + lag + length]
            found[lag] = float(multi_scale_stft_loss(moved, inner, formula=formula))
        return found[lag]

    stride = max(1, round(math.sqrt(max_lag / step)))
    last = max_lag // step
    best = min((n for n in range(-last, last + 1) if n % stride == 0), key=lambda n: at(n * step))
    fine = range(max(best - stride + 1, -last), min(best + stride - 1, last) + 1)
    best = min(fine, key=lambda n: at(n * step))
    return SpectralDistance(whole, at(0), at(best * step), best * step)


def log_mel_statistics(y: Tensor, *, sample_rate: float, seconds: float = 1.0, n_mels: int = 32) -> np.ndarray:
    r"""Means and deviations of mel levels of each piece of a recording: an embedding without learned weights.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
    sample_rate : float, Hz
    seconds : float, s
        Length of a piece; pieces overlap by half, and what is left at the end is left out.
    n_mels : int

    Returns
    -------
    ndarray [shape=(n_pieces, 2 * n_mels)], dB
        First the means, then the standard deviations over time.

    Raises
    ------
    ValueError
        If the recording is shorter than a piece.

    Notes
    -----
    :math:`20 \log_{10} \max(M, 10^{-5})` of mel magnitudes, windows of 1024 samples. Fréchet distances of this
    embedding and of VGGish have different scales; neither is the paper's, whose embedding is not known.
    Notebook: 04_sawsing.ipynb.
    """
    n_samples = round(seconds * sample_rate)
    if y.ndim != 1 or len(y) < n_samples:
        raise ValueError(f"y must have shape (time,) and at least {n_samples} samples, got {tuple(y.shape)}")
    pieces = y.unfold(0, n_samples, max(1, n_samples // 2))
    mel = mel_spectrogram(
        pieces, sample_rate=sample_rate, n_fft=1024, hop_length=256, n_mels=n_mels, power=1.0, pad_mode="reflect"
    )
    level = 20 * mel.clamp(min=1e-5).log10()
    return torch.cat([level.mean(dim=-1), level.std(dim=-1)], dim=-1).double().cpu().numpy()


# any function of (y, sample_rate=…) that gives [shape=(n_pieces, n_features)] can be added under its name
EMBEDDINGS: dict[str, Callable[..., np.ndarray]] = {"log_mel_statistics": log_mel_statistics}


def real_time_factor(
    synthesise: Callable[[], Any],
    *,
    seconds: float,
    device: str = "cpu",
    n_repeats: int = 5,
    n_warm: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Time of a synthesis divided by the length of its sound.

    Parameters
    ----------
    synthesise : callable
        Makes ``seconds`` of sound.
    seconds : float, s, > 0
    device : str
        Where it is made; a GPU is waited for.
    n_repeats : int, ≥ 1
        The median counts.
    n_warm : int
        Calls before the first one that counts.
    clock : callable
        Gives the time in s.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If ``seconds`` or ``n_repeats`` is out of range.

    Notes
    -----
    The authors' code does not wait for the GPU and counts the first call. Notebook: 04_sawsing.ipynb.
    """
    if not seconds > 0 or n_repeats < 1:
        raise ValueError(f"seconds must be above 0 and n_repeats at least 1, got {seconds} and {n_repeats}")
    place = torch.device(device)

    def once() -> float:
        start = clock()
        synthesise()
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        return clock() - start

    for _ in range(n_warm):
        synthesise()
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    return float(np.median([once() for _ in range(n_repeats)])) / seconds
