"""What the networks read of a window: samples, mel images, cepstra, descriptors, filter banks."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reprise.audio.descriptors import describe
from reprise.audio.features import mel_spectrogram, mfcc, power_to_db
from reprise.audio.kaldi import ast_input
from reprise.papers.irmas.trials import InputConfig

__all__ = ["DESCRIPTORS", "Mask", "descriptor_matrix", "network_input"]

# rows of the descriptor matrix, from top to bottom
DESCRIPTORS = (
    "mfcc",
    "chroma_stft",
    "zero_crossing_rate",
    "spectral_centroid",
    "rms",
    "spectral_contrast",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_flatness",
    "poly_features",
)

Mask = Callable[[Tensor], Tensor]


def descriptor_matrix(windows: Tensor, *, sample_rate: int, n_fft: int, hop_length: int) -> Tensor:
    """The 40 hand-made descriptors over time.

    Parameters
    ----------
    windows : Tensor [shape=(batch, time)]
    sample_rate : int, Hz
    n_fft, hop_length : int, samples

    Returns
    -------
    Tensor [shape=(batch, 40, n_frames)]
        13 MFCC, 12 chroma, zero-crossing rate, centroid, RMS, 7 contrast, bandwidth, roll-off, flatness, 2 polynomial
        coefficients.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 3.1.3. Notebook: 05_irmas.ipynb.
    """
    rows = describe(windows, sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mfcc=13, tonnetz=False)
    return torch.cat([rows[name] for name in DESCRIPTORS], dim=1)


def network_input(
    windows: Tensor,
    config: InputConfig,
    *,
    sample_rate: int,
    mask: Mask | None = None,
    rows: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Feature of standardised windows.

    Parameters
    ----------
    windows : Tensor [shape=(batch, time)]
    config : InputConfig
    sample_rate : int, Hz
    mask : callable or None
        Applied to the power of mel spectrograms, before decibels, and to cepstra.
    rows : tuple of Tensor or None
        Mean and deviation of each descriptor, [shape=(40, 1)] each.

    Returns
    -------
    Tensor
        Samples [shape=(batch, time)], images of one channel [shape=(batch, 1, freq, time)], descriptors as channels
        [shape=(batch, 40, time)], or filter banks [shape=(batch, 128, time)].

    Notes
    -----
    Decibels are relative to the window's maximum, 80 dB deep; images are resized linearly, smoothed where they shrink.
    Paper: Ferković and Smoljan 2023, sections 3.1 and 3.4.2. Notebook: 05_irmas.ipynb.
    """
    frames: dict[str, Any] = {"n_fft": config.n_fft, "hop_length": config.hop_length}
    mask = mask or (lambda spectrogram: spectrogram)
    match config.feature:
        case "raw":
            return windows
        case "mel":
            power = mel_spectrogram(windows, sample_rate=sample_rate, n_mels=config.n_mels or 0, **frames)
            return _resize(power_to_db(mask(power), ref="max"), config.size)
        case "mfcc":
            cepstra = mfcc(windows, sample_rate=sample_rate, n_mfcc=config.n_mfcc or 0, **frames)
            return _resize(mask(cepstra), config.size)
        case "descriptors":
            matrix = descriptor_matrix(windows, sample_rate=sample_rate, **frames)
            if rows is not None:
                matrix = (matrix - rows[0]) / rows[1]
            return matrix if config.size is None else _resize(matrix, config.size)
        case "fbank":
            mean, deviation = config.fbank_statistics or (0.0, 0.5)
            return ast_input(
                windows,
                n_frames=config.n_frames or 0,
                sample_rate=sample_rate,
                mean=mean,
                std=deviation,
                window=config.fbank_window or "hann",
            )


def _resize(spectrogram: Tensor, size: tuple[int, int] | None) -> Tensor:
    """One-channel images of a size."""
    image = spectrogram[:, None]
    if size is None or tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)
