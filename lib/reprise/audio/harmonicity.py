"""Glitches and buzz as numbers: phases of partials in held notes, and periodic energy where nothing should be."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import hann_window
from reprise.audio.oscillators import accumulate_phase, upsample
from reprise.audio.spectrogram import stft_frames

__all__ = ["BranchRatio", "PhaseDeviation", "branch_ratio", "harmonic_to_noise", "phase_deviation"]

ACTIVE = 1e-7  # mean square of a frame that is not silence


class PhaseDeviation(NamedTuple):
    """How unsteadily the phases of partials move.

    Attributes
    ----------
    rms : float, radians
        Over the frames that count; NaN where there are none. Pure chance gives about 1.8 between frames that do not
        overlap.
    frames : Tensor [shape=(n_frames,)], radians
        Of each frame; NaN for those that do not count.
    """

    rms: float
    frames: Tensor


@torch.no_grad()
def phase_deviation(
    y: Tensor,
    f0: Tensor,
    *,
    sample_rate: float,
    hop_length: int = 240,
    n_fft: int = 1024,
    n_partials: int = 20,
    held: Tensor | None = None,
) -> PhaseDeviation:
    r"""Phase deviation of the partials of a held note: what is heard as a glitch.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
    f0 : Tensor [shape=(n_frames,)], Hz
        Of blocks of ``hop_length`` samples; 0 where unvoiced.
    sample_rate : float, Hz
    hop_length : int, samples
    n_fft : int, samples
        Periodic Hann window about the centre of each block. It tells partials apart whose distance is above
        ``2 * sample_rate / n_fft``.
    n_partials : int, ≥ 1
        Those below half of the sample rate count.
    held : Tensor of bool [shape=(n_frames,)] or None
        Frames of held notes; default: the voiced ones. A frame counts if all that its three windows see is held.

    Returns
    -------
    PhaseDeviation

    Raises
    ------
    ValueError
        If the signal is shorter than the frames, or ``n_partials`` is below 1.

    Notes
    -----
    Each partial is moved to 0 Hz by :math:`k` times the accumulated phase of ``f0``; what is left of its phase,
    :math:`\psi_k[t]`, should move steadily. The deviation of a frame is the root mean square of
    :math:`\mathrm{princarg}(\psi_k[t+1] - 2 \psi_k[t] + \psi_k[t-1])` over its partials, weighted by their amplitudes.
    A constant error of ``f0`` cancels, and so does vibrato, which the accumulated phase follows.
    Paper: the deviation of phase of Bello et al. 2004, for Figure 1 of Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """
    n_frames = len(f0)
    if y.ndim != 1 or len(y) < n_frames * hop_length:
        raise ValueError(
            f"y must have shape (time,) and {n_frames} blocks of {hop_length} samples, got {tuple(y.shape)}"
        )
    if n_partials < 1:
        raise ValueError(f"n_partials must be at least 1, got {n_partials}")
    voiced = f0 > 0
    counts = _seen(voiced if held is None else voiced & held, n_fft=n_fft, hop_length=hop_length)
    squares, weights = y.new_zeros(n_frames, dtype=torch.float64), y.new_zeros(n_frames, dtype=torch.float64)
    signal = y[: n_frames * hop_length].double()
    phase = accumulate_phase(upsample(f0, hop_length=hop_length, interpolation="linear"), sample_rate=sample_rate)
    for number in range(1, n_partials + 1):
        left = _demodulated(signal, number * phase, n_fft=n_fft, hop_length=hop_length)
        bend = torch.angle(left[2:] * left[:-2] * left[1:-1].conj().square())
        amplitude = torch.stack([left[2:].abs(), left[1:-1].abs(), left[:-2].abs()]).amin(dim=0)
        amplitude = amplitude * (number * f0[1:-1] < sample_rate / 2)
        squares[1:-1] += amplitude * bend.square()
        weights[1:-1] += amplitude
    counts &= weights > 0
    frames = torch.where(counts, (squares / weights.clamp(min=1e-300)).sqrt(), math.nan)
    rms = float(frames[counts].square().mean().sqrt()) if bool(counts.any()) else math.nan
    return PhaseDeviation(rms, frames)


def _demodulated(signal: Tensor, cycles: Tensor, *, n_fft: int, hop_length: int) -> Tensor:
    """Complex amplitude of the partial of the given phase in each block [shape=(n_frames,)]."""
    angle = 2 * math.pi * (cycles - cycles.round())
    window = hann_window(n_fft, n_fft, device=signal.device, dtype=signal.dtype)
    before = (n_fft - hop_length) // 2
    parts = []
    for wave in (torch.cos(angle), torch.sin(angle)):
        padded = functional.pad(signal * wave, (before, n_fft - hop_length - before))
        parts.append(stft_frames(padded[None], n_fft=n_fft, hop_length=hop_length, center=False)[0] @ window)
    return torch.complex(parts[0], -parts[1])


def _seen(held: Tensor, *, n_fft: int, hop_length: int) -> Tensor:
    """Frames whose window, and those of their neighbours, see held blocks only."""
    reach = 1 + math.ceil((n_fft - hop_length) / 2 / hop_length)
    missing = functional.pad((~held).double(), (reach, reach), value=1.0)
    return functional.max_pool1d(missing[None, None], 2 * reach + 1, stride=1)[0, 0] == 0


class BranchRatio(NamedTuple):
    """Energy of the harmonic branch over that of the noise branch.

    Attributes
    ----------
    voiced, unvoiced : float, dB
        Of all the energy in frames that are voiced, and in those that are not; NaN where there are none.
    median_unvoiced : float, dB
        Median over the unvoiced frames.
    """

    voiced: float
    unvoiced: float
    median_unvoiced: float


@torch.no_grad()
def branch_ratio(harmonic: Tensor, noise: Tensor, *, f0: Tensor, target: Tensor, hop_length: int = 240) -> BranchRatio:
    """Buzz of a vocoder with two branches: its harmonic energy where the recording is unvoiced.

    Parameters
    ----------
    harmonic, noise : Tensor [shape=(time,)]
        The branches' sounds.
    f0 : Tensor [shape=(n_frames,)], Hz
        Of the recording; 0 where unvoiced.
    target : Tensor [shape=(time,)]
        The recording. Frames with a mean square below 1e-7 are silence and do not count.
    hop_length : int, samples

    Returns
    -------
    BranchRatio

    Raises
    ------
    ValueError
        If the signals differ in length or are shorter than the frames.

    Notes
    -----
    Paper: Figure 4 of Wu et al. 2022 as a number. Notebook: 04_sawsing.ipynb.
    """
    n_samples = len(f0) * hop_length
    if not harmonic.shape == noise.shape == target.shape or len(target) < n_samples:
        raise ValueError(
            f"harmonic {tuple(harmonic.shape)}, noise {tuple(noise.shape)} and target {tuple(target.shape)} must be "
            f"equally long, with {len(f0)} blocks of {hop_length} samples"
        )
    energies = [x[:n_samples].double().unflatten(0, (-1, hop_length)).square().mean(1) for x in (harmonic, noise)]
    active = target[:n_samples].double().unflatten(0, (-1, hop_length)).square().mean(1) > ACTIVE
    voiced, unvoiced = active & (f0 > 0), active & (f0 == 0)

    def decibels(over: Tensor, under: Tensor) -> Tensor:
        return 10 * torch.log10(over.clamp(min=1e-30) / under.clamp(min=1e-30))

    def of(chosen: Tensor) -> float:
        if not bool(chosen.any()):
            return math.nan
        return float(decibels(energies[0][chosen].sum(), energies[1][chosen].sum()))

    each = decibels(energies[0][unvoiced], energies[1][unvoiced])
    median = float(each.quantile(0.5)) if len(each) else math.nan
    return BranchRatio(of(voiced), of(unvoiced), median)


@torch.no_grad()
def harmonic_to_noise(
    y: Tensor, *, sample_rate: float, hop_length: int = 240, n_fft: int = 1024, low: float = 80.0, high: float = 1000.0
) -> Tensor:
    r"""Harmonic-to-noise ratio of each frame, from the waveform alone.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
    sample_rate : float, Hz
    hop_length : int, samples
    n_fft : int, samples
        Hann window about the centre of each block; should hold three periods.
    low, high : float, Hz
        Range of the fundamental.

    Returns
    -------
    Tensor [shape=(n_frames,)], dB, float64
        ``n_frames = time // hop_length``; within ± 60 dB. NaN for silence (mean square below 1e-7).

    Raises
    ------
    ValueError
        If the signal is shorter than a block or the range does not fit the window.

    Notes
    -----
    :math:`10 \log_{10} \frac{r}{1 - r}` with the highest autocorrelation :math:`r` of the windowed frame over that of
    the window (Boersma 1993). The highest of many values is above zero in noise, too: white noise has about −8 dB, not
    −∞. It makes the buzz of vocoders without branches comparable. Notebook: 04_sawsing.ipynb.
    """
    first, last = math.floor(sample_rate / high), math.ceil(sample_rate / low)
    if not 0 < low < high or first < 2 or last > n_fft // 2:
        raise ValueError(
            f"{low} to {high} Hz at {sample_rate} Hz does not fit a window of {n_fft} samples; raise low or n_fft"
        )
    if y.ndim != 1 or len(y) < hop_length:
        raise ValueError(f"y must have shape (time,) and at least {hop_length} samples, got {tuple(y.shape)}")
    n_frames = len(y) // hop_length
    before = (n_fft - hop_length) // 2
    signal = functional.pad(y[: n_frames * hop_length].double(), (before, n_fft - hop_length - before))
    frames = stft_frames(signal[None], n_fft=n_fft, hop_length=hop_length, center=False)[0]
    window = hann_window(n_fft, n_fft, device=y.device, dtype=signal.dtype)
    frames = frames - (frames @ window / window.sum())[:, None]
    spectra = [torch.fft.rfft(x * window, n=2 * n_fft).abs().square() for x in (frames, torch.ones_like(window))]
    ours, windows = (torch.fft.irfft(spectrum)[..., : last + 2] for spectrum in spectra)
    ratio = (ours / ours[:, :1].clamp(min=1e-30)) / (windows / windows[0])
    highest = _peak(ratio[:, first - 1 :])
    level = (highest.clamp(1e-6, 1 - 1e-6) / (1 - highest.clamp(1e-6, 1 - 1e-6))).log10() * 10
    silent = frames.square().mean(dim=1) <= ACTIVE
    return level.masked_fill(silent, math.nan)


def _peak(curve: Tensor) -> Tensor:
    """Height of the highest inner point, of the parabola through it and its neighbours [shape=(n_frames,)]."""
    at = curve[:, 1:-1].argmax(dim=1, keepdim=True) + 1
    left, middle, right = (curve.gather(1, at + shift)[:, 0] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    peaked = (bend < 0) & (middle >= left) & (middle >= right)
    return torch.where(peaked, middle - (right - left).square() / (8 * torch.where(peaked, bend, -1.0)), middle)
