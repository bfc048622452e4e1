"""Constant-Q chroma and tonal centroids of a batch of clips, equal to librosa's."""

from functools import cache

import numpy as np
import soxr
import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import on_device
from reprise.audio.tuning import TUNINGS

__all__ = ["constant_q_chroma", "decimate", "tonal_centroids"]

FMIN = 440.0 * 2.0 ** (-45 / 12)  # C1, Hz
N_OCTAVES = 7
BINS = 36  # per octave
R = 2.0 ** (2.0 / BINS)
Q = (R + 1) / (R - 1)
HANN_BANDWIDTH = 1.50018310546875  # equivalent noise bandwidth in bins, librosa's value
SPARSITY = 0.01
LONG_FRAME = 0.2  # s


@cache
def _decimation_filter(factor: int) -> np.ndarray:
    """Impulse response of soxr's HQ decimator, odd length, centred; soxr publishes no coefficients."""
    half = 512 * factor
    n = 4 * half
    taps = np.zeros(2 * half)
    for phase in range(factor):
        impulse = np.zeros(n)
        impulse[2 * half + phase] = 1.0
        response = soxr.resample(impulse, factor, 1, quality="soxr_hq")
        # output m holds tap m * factor − position of the impulse
        positions = np.arange(len(response)) * factor - (2 * half + phase)
        kept = np.abs(positions) < half
        taps[positions[kept] + half] = response[kept]
    reach = int(np.abs(np.flatnonzero(np.abs(taps) > 1e-7) - half).max())
    return taps[half - reach : half + reach + 1]


@cache
def _decimation_response(factor: int, size: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Frequency response below the new Nyquist frequency on a grid of ``size`` samples; real, as the taps mirror."""

    def build() -> np.ndarray:
        taps = _decimation_filter(factor)
        reach = len(taps) // 2
        circular = np.zeros(size)
        circular[: reach + 1] = taps[reach:]
        circular[size - reach :] = taps[:reach]
        return np.fft.rfft(circular).real[: size // (2 * factor) + 1] / np.sqrt(factor)

    return on_device(build, device=device, dtype=dtype)


def decimate(y: Tensor, factor: int) -> Tensor:
    r"""Lower the sample rate by a whole factor and keep the energy.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)]
    factor : int, ≥ 2

    Returns
    -------
    Tensor [shape=(batch, ⌈time / factor⌉)]
        Equal to ``librosa.resample(y, orig_sr=factor, target_sr=1, res_type="soxr_hq", scale=True)`` to 1e-5; for
        factors with several stages in soxr (4, 8, …) not in the first 50 samples, where soxr's stages are cut one
        by one (5e-3).

    Notes
    -----
    Overlap-save in short blocks and in double, so that a loud passage's rounding errors stay out of a quiet one.
    What would fold back is left out: the filter is at least 115 dB down beyond the new Nyquist frequency. soxr rounds
    the number of samples to the nearest; librosa fills up with zeros.
    """
    n = y.shape[-1]
    lead = -(-(len(_decimation_filter(factor)) // 2) // factor) * factor
    size = min(4096, 2 ** int(np.ceil(np.log2(n + 2 * lead)))) if 4 * lead <= 4096 else 16 * lead
    step = size - 2 * lead
    n_blocks = -(-n // step)
    response = _decimation_response(factor, size, device=y.device, dtype=torch.float64)
    blocks = functional.pad(y.double(), (lead, n_blocks * step - n + lead)).unfold(-1, size, step)
    spectrum = torch.fft.rfft(blocks)[..., : len(response)] * response
    lower = torch.fft.irfft(spectrum, size // factor)[..., lead // factor : (size - lead) // factor]
    n_computed, n_wanted = (2 * n + factor) // (2 * factor), -(-n // factor)
    joined = lower.flatten(1)[:, :n_computed].to(y.dtype)
    return functional.pad(joined, (0, n_wanted - n_computed)) if n_wanted > n_computed else joined


def _filters(frequencies: np.ndarray, *, sample_rate: float, scale: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Frame length, first bin and matrix from (real, imaginary) pairs of bins to real and imaginary responses.

    librosa drops the smallest hundredth of each filter's spectrum, which shows in the fourth digit; few bins are left.
    """
    lengths = Q * sample_rate / frequencies
    n_fft = 2 ** int(np.ceil(np.log2(lengths.max())))
    basis = np.zeros((len(frequencies), n_fft), dtype=np.complex64)
    for row, (length, frequency) in enumerate(zip(lengths, frequencies, strict=True)):
        times = np.arange(-length // 2, length // 2)
        n = len(times)
        taps = np.exp(2j * np.pi * frequency / sample_rate * times)
        taps *= 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
        left = (n_fft - n) // 2
        basis[row, left : left + n] = taps / np.abs(taps).sum()
    basis *= lengths[:, None] / n_fft
    spectrum = np.fft.fft(basis, axis=1)[:, : n_fft // 2 + 1]
    sizes = np.abs(spectrum)
    ranked = np.sort(sizes, axis=1)
    small = np.cumsum(ranked / sizes.sum(axis=1, keepdims=True), axis=1) < SPARSITY
    floor = np.take_along_axis(ranked, small.argmin(axis=1)[:, None], axis=1)
    thinned = np.where(sizes >= floor, spectrum, 0.0) * scale[:, None]
    used = np.flatnonzero(thinned.any(axis=0))
    kept = thinned[:, used[0] : used[-1] + 1].T
    pairs = np.stack([np.hstack([kept.real, kept.imag]), np.hstack([-kept.imag, kept.real])], axis=1)
    return n_fft, int(used[0]), pairs.reshape(2 * len(kept), -1)


@cache
def _octaves(
    tuning: int, *, sample_rate: float, hop_length: int, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[int, int, int, int, Tensor], ...]:
    """Plan from the highest octave down: factor to decimate by beforehand, hop length, and what `_filters` gives."""
    fmin = FMIN * 2.0 ** (TUNINGS[tuning] / BINS)
    frequencies = fmin * 2.0 ** (np.arange(N_OCTAVES * BINS) / BINS)
    cutoff = frequencies[-1] * (1 + 0.5 * HANN_BANDWIDTH / Q)
    if cutoff > sample_rate / 2:
        raise ValueError(
            f"seven octaves from C1 reach {cutoff:.0f} Hz, beyond half of sample_rate={sample_rate} Hz; "
            "resample to 16000 Hz or more"
        )
    twos = (hop_length & -hop_length).bit_length() - 1
    early = min(max(0, int(np.ceil(np.log2(sample_rate / 2 / cutoff))) - 2), max(0, twos - N_OCTAVES + 1))
    factor, rate, hop = 2**early, sample_rate / 2**early, hop_length // 2**early
    base_rate = rate
    plan = []
    for octave in range(N_OCTAVES):
        top = len(frequencies) - octave * BINS
        chosen = frequencies[top - BINS : top]
        if octave == 0 or factor == 1:
            scale = np.sqrt(base_rate / rate) / np.sqrt(Q * base_rate / chosen)
            n_fft, first, pairs = _filters(chosen, sample_rate=rate, scale=scale)
            matrix = on_device(lambda pairs=pairs: pairs, device=device, dtype=dtype)  # type: ignore[misc]
        # an octave lower at half the rate has the same filters
        plan.append((factor, hop, n_fft, first, matrix))
        factor = 2 if hop % 2 == 0 else 1
        rate, hop = rate / factor, hop // factor
    return tuple(plan)


def constant_q_chroma(y: Tensor, tuning: int, *, sample_rate: float, hop_length: int = 512) -> Tensor:
    """Energy of the twelve pitch classes in seven octaves from C1, unnormalised.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32
    tuning : int
        Position in `TUNINGS`, in thirds of a semitone, for all clips.
    sample_rate : float, Hz
    hop_length : int, samples

    Returns
    -------
    Tensor [shape=(batch, 12, n_frames)]
        Proportional to ``librosa.feature.chroma_cqt(..., norm=None)``.

    Raises
    ------
    ValueError
        If the highest octave lies beyond half of the sample rate.

    Notes
    -----
    Every octave below the highest is filtered with the same filters after halving the sample rate.
    """
    total: Tensor | None = None
    for factor, hop, n_fft, first, matrix in _octaves(
        tuning, sample_rate=sample_rate, hop_length=hop_length, device=y.device, dtype=y.dtype
    ):
        if factor > 1:
            y = decimate(y, factor)
        # a lower octave's frame lasts up to three seconds: in double, its loud ends do not blur its quiet middle
        precise = y if n_fft < LONG_FRAME * sample_rate * hop / hop_length else y.double()
        frames = functional.pad(precise, (n_fft // 2, n_fft // 2)).unfold(-1, n_fft, hop)
        bins = torch.fft.rfft(frames)[..., first : first + len(matrix) // 2]
        real, imaginary = (torch.view_as_real(bins).to(y.dtype).flatten(-2) @ matrix).split(BINS, dim=-1)
        magnitude = (real.square() + imaginary.square()).sqrt()
        if total is None:
            total = magnitude
        else:
            n_frames = min(total.shape[1], magnitude.shape[1])
            total = total[:, :n_frames] + magnitude[:, :n_frames]
    if total is None:
        raise ValueError("no octaves to analyse")
    # three bins a semitone, the middle one in tune
    semitones = total.roll(1, dims=-1).unflatten(-1, (12, 3)).sum(dim=-1)
    return semitones.transpose(1, 2)


@cache
def _tonnetz(*, device: torch.device, dtype: torch.dtype) -> Tensor:
    def build() -> np.ndarray:
        angle = np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(12))
        angle[::2] -= 0.5  # a sine
        return np.array([1, 1, 1, 1, 0.5, 0.5])[:, None] * np.cos(np.pi * angle)

    return on_device(build, device=device, dtype=dtype)


def tonal_centroids(chroma: Tensor) -> Tensor:
    """Six tonal centroid coordinates: fifths, minor thirds, major thirds.

    Parameters
    ----------
    chroma : Tensor [shape=(batch, 12, n_frames)], ≥ 0

    Returns
    -------
    Tensor [shape=(batch, 6, n_frames)]
        Zero in silence.
    """
    total = chroma.sum(dim=1, keepdim=True)
    share = chroma / torch.where(total < torch.finfo(chroma.dtype).tiny, 1.0, total)
    return _tonnetz(device=chroma.device, dtype=chroma.dtype) @ share
