"""Spectrograms, mel spectrograms and MFCCs of a batch of clips, differentiable and equal to librosa's."""

from typing import Any, Literal

import torch
from torch import Tensor

from reprise.audio.bases import dct_matrix, mel_filters
from reprise.audio.spectrogram import multi_resolution_spectrogram, stft_magnitude

__all__ = [
    "amplitude_to_db",
    "mel_spectrogram",
    "mfcc",
    "multi_resolution_spectrogram",
    "power_to_db",
    "stft_magnitude",
]


def mel_spectrogram(
    y: Tensor,
    *,
    sample_rate: float,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    power: float = 2.0,
    **stft: Any,
) -> Tensor:
    """Mel spectrogram, equal to ``librosa.feature.melspectrogram`` of each clip.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    sample_rate : float, Hz
    n_mels, fmin, fmax, htk, norm
        See `reprise.audio.bases.mel_filters`.
    power : float
        Exponent of the magnitude before the filters.
    **stft
        ``n_fft``, ``win_length``, ``hop_length``, ``center``, ``pad_mode``, ``normalized`` of `stft_magnitude`.

    Returns
    -------
    Tensor [shape=(batch, n_mels, n_frames)]
    """
    # a product in half precision, which an enclosing autocast would choose, is off by 1e-2
    with torch.autocast(device_type=y.device.type, enabled=False):
        spectrogram = stft_magnitude(y, power=power, **stft)
        filters = mel_filters(
            sample_rate=sample_rate,
            n_fft=stft.get("n_fft", 2048),
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            htk=htk,
            norm=norm,
            device=y.device,
            dtype=y.dtype,
        )
        return filters @ spectrogram


def power_to_db(
    spectrogram: Tensor, *, ref: float | Literal["max"] = 1.0, amin: float = 1e-10, top_db: float | None = 80.0
) -> Tensor:
    """Decibels of a power spectrogram; each clip is limited by its own maximum.

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., freq, time)], power, ≥ 0
        The last two axes are one clip.
    ref : float or "max"
        Power of 0 dB; "max": the clip's maximum.
    amin : float, > 0
        Floor of power and reference.
    top_db : float, dB, ≥ 0, or None
        Range below the clip's maximum.

    Returns
    -------
    Tensor [shape=(..., freq, time)], dB

    Raises
    ------
    ValueError
        If ``amin`` or ``top_db`` is out of range.

    Notes
    -----
    librosa takes one maximum over everything it is given, so a loud clip lifts the floor of a quiet one in a batch.
    """
    if amin <= 0:
        raise ValueError(f"amin must be positive, got {amin}")
    if top_db is not None and top_db < 0:
        raise ValueError(f"top_db must not be negative, got {top_db}")
    decibels = 10.0 * torch.log10(spectrogram.clamp(min=amin))
    reference = spectrogram.amax(dim=(-2, -1), keepdim=True) if ref == "max" else decibels.new_tensor(abs(float(ref)))
    decibels = decibels - 10.0 * torch.log10(reference.clamp(min=amin))
    if top_db is None:
        return decibels
    return torch.maximum(decibels, decibels.amax(dim=(-2, -1), keepdim=True) - top_db)


def amplitude_to_db(
    spectrogram: Tensor, *, ref: float | Literal["max"] = 1.0, amin: float = 1e-5, top_db: float | None = 80.0
) -> Tensor:
    """Decibels of an amplitude spectrogram; each clip is limited by its own maximum.

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., freq, time)], amplitude
    ref, amin, top_db
        As in `power_to_db`, as amplitudes.

    Returns
    -------
    Tensor [shape=(..., freq, time)], dB
    """
    reference: float | Literal["max"] = "max" if ref == "max" else float(ref) ** 2
    return power_to_db(spectrogram.square(), ref=reference, amin=amin**2, top_db=top_db)


def mfcc(
    y: Tensor, *, sample_rate: float, n_mfcc: int = 20, n_mels: int = 128, lifter: float = 0.0, **mel: Any
) -> Tensor:
    """Mel-frequency cepstral coefficients, equal to ``librosa.feature.mfcc`` of each clip.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    sample_rate : float, Hz
    n_mfcc : int, 1 ≤ n_mfcc ≤ n_mels
    n_mels : int
    lifter : float, ≥ 0
        Cepstral liftering; 0 for none.
    **mel
        Further parameters of `mel_spectrogram`.

    Returns
    -------
    Tensor [shape=(batch, n_mfcc, n_frames)]
        Orthonormal DCT-II of the mel spectrogram in dB, 80 dB below the clip's maximum at most.

    Raises
    ------
    ValueError
        If ``n_mfcc`` or ``lifter`` is out of range.
    """
    if not 1 <= n_mfcc <= n_mels:
        raise ValueError(f"n_mfcc must lie between 1 and n_mels={n_mels}, got {n_mfcc}")
    if lifter < 0:
        raise ValueError(f"lifter must not be negative, got {lifter}")
    decibels = power_to_db(mel_spectrogram(y, sample_rate=sample_rate, n_mels=n_mels, **mel))
    with torch.autocast(device_type=y.device.type, enabled=False):
        return dct_matrix(n_mfcc, n_mels, lifter=lifter, device=y.device, dtype=y.dtype) @ decibels
