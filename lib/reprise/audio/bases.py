"""Windows and filter matrices, built once per device and dtype."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["dct_matrix", "fast_length", "hann_window", "mel_filters", "on_device"]


def on_device(build: Callable[[], np.ndarray], *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Turn a float64 array into a tensor that both training and inference may use.

    Parameters
    ----------
    build : callable without arguments, returns ndarray
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    Tensor [shape=(…)]
        As the array. Never an inference tensor, because one that was cached inside ``torch.inference_mode`` could not
        be used in training.
    """
    with torch.inference_mode(False):
        return torch.as_tensor(build()).to(device=device, dtype=dtype)


def fast_length(least: int) -> int:
    """Smallest length for a transform that is a power of two times 1, 3, 5, 9 or 15."""
    return min(factor << max(0, math.ceil(math.log2(least / factor))) for factor in (1, 3, 5, 9, 15))


@cache
def hann_window(
    win_length: int, n_fft: int, *, normalized: bool = False, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Periodic Hann window, centred in ``n_fft`` samples.

    Parameters
    ----------
    win_length : int, 1 ≤ win_length ≤ n_fft
    n_fft : int
    normalized : bool
        Divide by the window's L2 norm.
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    Tensor [shape=(n_fft,)]
        Shared between callers: do not write to it.
    """

    def build() -> np.ndarray:
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
        if win_length == 1:
            hann = np.ones(1)
        if normalized:
            hann = hann / np.sqrt(np.square(hann).sum())
        left = (n_fft - win_length) // 2
        return np.pad(hann, (left, n_fft - win_length - left))

    return on_device(build, device=device, dtype=dtype)


def _hz_to_mel(frequencies: np.ndarray, *, htk: bool) -> np.ndarray:
    if htk:
        return 2595.0 * np.log10(1.0 + frequencies / 700.0)
    linear = frequencies / (200.0 / 3)
    log_part = 15.0 + np.log(np.maximum(frequencies, 1e-10) / 1000.0) / (np.log(6.4) / 27.0)
    return np.where(frequencies >= 1000.0, log_part, linear)


def _mel_to_hz(mels: np.ndarray, *, htk: bool) -> np.ndarray:
    if htk:
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    return np.where(mels >= 15.0, 1000.0 * np.exp(np.log(6.4) / 27.0 * (mels - 15.0)), mels * (200.0 / 3))


@cache
def mel_filters(
    *,
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Triangular mel filters.

    Parameters
    ----------
    sample_rate : float, Hz
    n_fft : int
    n_mels : int, ≥ 1
    fmin, fmax : float, Hz
        ``fmax`` defaults to half of the sample rate.
    htk : bool
        HTK's mel scale instead of Slaney's.
    norm : "slaney" or None
        Divide each triangle by its width.
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    Tensor [shape=(n_mels, n_fft / 2 + 1)]
        Equal to ``librosa.filters.mel``. Shared between callers: do not write to it.

    Raises
    ------
    ValueError
        If the band limits are out of order or ``norm`` is unknown.
    """
    high = sample_rate / 2 if fmax is None else fmax
    if not 0 <= fmin < high:
        raise ValueError(f"mel bands need 0 ≤ fmin < fmax, got fmin={fmin} Hz and fmax={high} Hz")
    if norm not in ("slaney", None):
        raise ValueError(f"norm must be 'slaney' or None, got {norm!r}")

    def build() -> np.ndarray:
        low_mel, high_mel = _hz_to_mel(np.array([fmin, high], dtype=np.float64), htk=htk)
        corners = _mel_to_hz(np.linspace(low_mel, high_mel, n_mels + 2), htk=htk)
        bins = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
        slopes = corners[:, None] - bins[None, :]
        widths = np.diff(corners)[:, None]
        triangles = np.maximum(0.0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
        if norm == "slaney":
            triangles *= 2.0 / (corners[2:] - corners[:-2])[:, None]
        return triangles

    return on_device(build, device=device, dtype=dtype)


@cache
def dct_matrix(n_mfcc: int, n_mels: int, *, lifter: float = 0.0, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Orthonormal DCT-II of the mel axis, liftered.

    Parameters
    ----------
    n_mfcc : int, ≤ n_mels
    n_mels : int
    lifter : float, ≥ 0
        0 for none.
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    Tensor [shape=(n_mfcc, n_mels)]
        Shared between callers: do not write to it.
    """

    def build() -> np.ndarray:
        rows = np.arange(n_mfcc)[:, None]
        matrix = np.sqrt(2.0 / n_mels) * np.cos(np.pi / n_mels * (np.arange(n_mels)[None, :] + 0.5) * rows)
        matrix[0] /= np.sqrt(2.0)
        if lifter > 0:
            matrix *= 1 + (lifter / 2) * np.sin(np.pi * (rows + 1) / lifter)
        return matrix

    return on_device(build, device=device, dtype=dtype)
