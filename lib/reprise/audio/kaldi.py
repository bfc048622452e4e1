"""Kaldi's log-mel filter banks of a batch of clips, as the spectrogram transformer takes them."""

import math
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import on_device

__all__ = ["AUDIOSET_MEAN", "AUDIOSET_STD", "ast_input", "fbank"]

# of the filter banks of AudioSet: defaults of the transformers library
AUDIOSET_MEAN, AUDIOSET_STD = -4.2677393, 4.5689974
PREEMPHASIS, LOW_HZ = 0.97, 20.0

Window = Literal["hann", "hamming"]


def fbank(y: Tensor, *, sample_rate: float = 16_000, n_mels: int = 128, window: Window = "hann") -> Tensor:
    """Log-mel filter banks of 25 ms windows every 10 ms, equal to ``torchaudio.compliance.kaldi.fbank`` of each clip.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
        At least 25 ms.
    sample_rate : float, Hz
    n_mels : int, > 3
        Triangles from 20 Hz to half of the sample rate, of equal width on Kaldi's mel scale.
    window : "hann" or "hamming"
        The paper's text says Hamming, its code and the model's authors use Hann.

    Returns
    -------
    Tensor [shape=(batch, n_mels, n_frames)], natural logarithm of power
        Only whole windows count: ``n_frames = 1 + (time - 0.025 · sample_rate) // (0.01 · sample_rate)``, 98 for 1 s.

    Raises
    ------
    ValueError
        If ``y`` is not a batch of floating-point clips or is too short; the message says which.
    """
    win_length, hop_length = int(0.025 * sample_rate), int(0.010 * sample_rate)
    if y.ndim != 2 or y.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"y must be float32 or float64 of shape (batch, time), got {y.dtype} of {tuple(y.shape)}")
    if y.shape[1] < win_length:
        raise ValueError(f"filter banks need at least {win_length} samples (25 ms), got {y.shape[1]}; pad the clips")
    if n_mels <= 3:
        raise ValueError(f"n_mels must be more than 3, got {n_mels}")
    if window not in ("hann", "hamming"):
        raise ValueError(f"window must be 'hann' or 'hamming', got {window!r}")
    n_fft = 1 << (win_length - 1).bit_length()
    kind = {"device": y.device, "dtype": y.dtype}
    with torch.autocast(device_type=y.device.type, enabled=False):
        frames = y.unfold(1, win_length, hop_length)
        frames = frames - frames.mean(dim=-1, keepdim=True)
        before = functional.pad(frames, (1, 0), mode="replicate")[..., :-1]
        tapered = (frames - PREEMPHASIS * before) * _window(window, win_length, **kind)
        power = torch.fft.rfft(tapered, n=n_fft).abs().square()
        energies = power @ _mel_filters(sample_rate, n_fft, n_mels=n_mels, **kind).T
        # Kaldi's floor is the resolution of float32 in either precision
        return energies.clamp(min=torch.finfo(torch.float32).eps).log().transpose(1, 2)


def ast_input(
    y: Tensor,
    *,
    n_frames: int = 1024,
    sample_rate: float = 16_000,
    mean: float | None = AUDIOSET_MEAN,
    std: float = AUDIOSET_STD,
    window: Window = "hann",
) -> Tensor:
    r"""Normalised filter banks of a fixed length, equal to those of ``transformers.ASTFeatureExtractor``.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32, 16 kHz for the published weights
    n_frames : int ≥ 1
        Longer clips are cut; shorter ones get zeros at the end, before the normalisation.
    sample_rate : float, Hz
    mean, std : float
        Statistics :math:`\mu, \sigma` of the filter banks; ``mean=None`` leaves out the normalisation.
    window : "hann" or "hamming"

    Returns
    -------
    Tensor [shape=(batch, 128, n_frames)]
        :math:`(x - \mu) / (2 \sigma)`, standard deviation about 0.5.

    Raises
    ------
    ValueError
        If an argument is out of range; the message names it.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 4.5; Gong et al. 2021, section 2.1. Notebook: 05_irmas.ipynb.
    """
    if n_frames < 1:
        raise ValueError(f"n_frames must be at least 1, got {n_frames}")
    if std <= 0:
        raise ValueError(f"std must be positive, got {std}")
    banks = fbank(y, sample_rate=sample_rate, window=window)[..., :n_frames]
    banks = functional.pad(banks, (0, n_frames - banks.shape[-1]))
    return banks if mean is None else (banks - mean) / (2.0 * std)


@cache
def _window(name: str, length: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Symmetric window, whose last sample equals the first."""
    build = torch.hann_window if name == "hann" else torch.hamming_window
    return on_device(lambda: build(length, periodic=False, dtype=dtype).numpy(), device=device, dtype=dtype)


@cache
def _mel_filters(sample_rate: float, n_fft: int, *, n_mels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Triangles on the mel axis, not on the frequency axis; the bin at half of the sample rate has no weight.

    In single precision, step by step as the reference: its rounding shows in the logarithm of the narrowest bands.
    """

    def build() -> np.ndarray:
        low, high = (1127.0 * math.log(1.0 + frequency / 700.0) for frequency in (LOW_HZ, sample_rate / 2))
        width = (high - low) / (n_mels + 1)
        bands = torch.arange(n_mels)[:, None]
        left, center, right = low + bands * width, low + (bands + 1.0) * width, low + (bands + 2.0) * width
        bins = 1127.0 * (1.0 + (sample_rate / n_fft) * torch.arange(n_fft / 2) / 700.0).log()
        triangles = torch.minimum((bins - left) / (center - left), (right - bins) / (right - center))
        return functional.pad(triangles.clamp(min=0.0), (0, 1)).numpy()

    return on_device(build, device=device, dtype=dtype)
