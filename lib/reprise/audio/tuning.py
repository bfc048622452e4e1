"""Tuning of each clip of a batch and chroma filters that follow it, equal to librosa's."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from reprise.audio.bases import on_device

__all__ = ["TUNINGS", "chroma_filters", "estimate_tuning"]

TUNINGS = np.linspace(-0.5, 0.5, 101)[:-1]  # fractions of a bin, librosa's resolution of 0.01
CONCERT = 50  # position of 0 in TUNINGS
PEAK_RANGE = (150.0, 4000.0)  # Hz
PEAK_THRESHOLD = 0.1  # of the frame's maximum


def _peaks(spectrogram: Tensor, *, sample_rate: float) -> tuple[Tensor, Tensor, Tensor]:
    """Clip, frequency (Hz) and height of every spectral peak, with the roundings of ``librosa.piptrack``."""
    n_bins = spectrogram.shape[-1]
    n_fft = 2 * (n_bins - 1)
    low, high = np.searchsorted(np.fft.rfftfreq(n_fft, 1 / sample_rate), PEAK_RANGE).tolist()
    low, high = max(low, 1), min(high, n_bins - 1)
    centre, before, after = (spectrogram[..., low + shift : high + shift] for shift in (0, -1, 1))
    reference = PEAK_THRESHOLD * spectrogram.amax(dim=-1, keepdim=True)
    found = (centre > reference) & (centre > before) & (centre >= after)
    clip, frame, bin_ = found.nonzero(as_tuple=True)
    centre, before, after = (values[clip, frame, bin_] for values in (centre, before, after))
    curvature = (after + before).double() - 2 * centre.double()
    slope = (after - before).double() / 2
    inside = slope.abs() < curvature.abs()
    shift = torch.where(inside, -slope / torch.where(inside, curvature, 1.0), 0.0).float()
    frequency = ((bin_ + low).double() + shift.double()) * sample_rate / n_fft
    return clip, frequency.float(), centre + 0.5 * ((after - before) / 2) * shift


def _medians(values: Tensor, clip: Tensor, n_clips: int) -> Tensor:
    """Median of each clip's values; 0 for a clip without any."""
    order = torch.argsort(values)
    ordered = values[order[torch.argsort(clip[order], stable=True)]]
    counts = torch.bincount(clip, minlength=n_clips)
    starts = counts.cumsum(0) - counts
    last = max(len(values) - 1, 0)
    lower = (starts + (counts - 1).clamp(min=0) // 2).clamp(max=last)
    upper = (starts + counts // 2).clamp(max=last)
    if len(values) == 0:
        return values.new_zeros(n_clips)
    return torch.where(counts > 0, (ordered[lower] + ordered[upper]) / 2, 0.0)


def estimate_tuning(spectrogram: Tensor, *, sample_rate: float, bins_per_octave: int = 12) -> Tensor:
    """Deviation from A4 = 440 Hz of each clip's spectral peaks.

    Parameters
    ----------
    spectrogram : Tensor [shape=(batch, n_frames, freq)], float32
        Frequency last. librosa's default is a magnitude with ``n_fft=2048, hop_length=512``; its ``chroma_stft``
        passes a power.
    sample_rate : float, Hz
    bins_per_octave : int

    Returns
    -------
    Tensor [shape=(batch,)], int64
        Positions in `TUNINGS`, which holds fractions of a bin in [−0.5, 0.5). No peaks: the position of 0.

    Notes
    -----
    Peaks between 150 and 4000 Hz above a tenth of their frame's maximum, interpolated by a parabola; those at least
    as high as the clip's median vote in a histogram of 100 residuals. Equal to ``librosa.estimate_tuning`` of each
    clip.
    """
    n_clips = len(spectrogram)
    clip, frequency, height = _peaks(spectrogram, sample_rate=sample_rate)
    strong = height >= _medians(height, clip, n_clips)[clip]
    clip, frequency = clip[strong], frequency[strong]
    # a logarithm in double, rounded, is what a correctly rounded logarithm in single precision gives
    octaves = torch.log2((frequency / 27.5).double()).float()
    residual = torch.remainder(bins_per_octave * octaves, 1.0)
    residual = torch.where(residual >= 0.5, residual - 1.0, residual).double()
    edges = torch.as_tensor(TUNINGS, device=residual.device)
    n_bins = len(TUNINGS)
    vote = (torch.searchsorted(edges, residual, right=True) - 1).clamp(0, n_bins - 1)
    votes = torch.bincount(clip * n_bins + vote, minlength=n_clips * n_bins).view(n_clips, n_bins)
    # of equal counts the first wins, which argmax alone does not promise
    ranked = votes * n_bins - torch.arange(n_bins, device=votes.device)
    return torch.where(votes.sum(dim=1) > 0, ranked.argmax(dim=1), CONCERT)


@cache
def chroma_filters(
    tuning: int, *, sample_rate: float, n_fft: int, n_chroma: int = 12, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Filters from a spectrum to pitch classes.

    Parameters
    ----------
    tuning : int
        Position in `TUNINGS`.
    sample_rate : float, Hz
    n_fft : int
    n_chroma : int
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    Tensor [shape=(n_chroma, n_fft / 2 + 1)]
        Equal to ``librosa.filters.chroma``. Shared between callers: do not write to it.
    """

    def build() -> np.ndarray:
        n_bins = n_fft // 2 + 1
        frequencies = np.arange(1, n_bins + 1) * (sample_rate / n_fft)
        reference = 440.0 * 2.0 ** (TUNINGS[tuning] / n_chroma) / 16
        pitch = n_chroma * np.log2(frequencies / reference)
        # 0 Hz is placed 1.5 octaves below the first bin, which makes its bump broad
        pitch = np.concatenate(([pitch[0] - 1.5 * n_chroma], pitch))
        widths = np.maximum(np.diff(pitch), 1.0)
        pitch = pitch[:n_bins]
        half = np.round(n_chroma / 2)
        distance = np.remainder(pitch[None] - np.arange(n_chroma)[:, None] + half + 10 * n_chroma, n_chroma) - half
        bumps = np.exp(-0.5 * (2 * distance / widths) ** 2)
        bumps /= np.linalg.norm(bumps, axis=0)
        bumps *= np.exp(-0.5 * ((pitch / n_chroma - 5.0) / 2.0) ** 2)
        return np.roll(bumps, -3 * (n_chroma // 12), axis=0)

    return on_device(build, device=device, dtype=dtype)
