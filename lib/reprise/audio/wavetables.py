"""One period of a wave per frame, read at the oscillator's phase: additive and wavetable synthesis."""

import math
from typing import Literal

import torch
from torch import Tensor

__all__ = ["additive", "harmonics_below_nyquist", "read_periods", "wavetable"]

OVERSAMPLING, SHORTEST = 13, 1024  # entries per period of the highest partial, and of the wave: 2048 for 150


def harmonics_below_nyquist(f0: Tensor, *, sample_rate: float, n_harmonics: int) -> Tensor:
    """Which partials of each frame lie below half of the sample rate.

    Parameters
    ----------
    f0 : Tensor [shape=(..., n_frames)], Hz, ≥ 0
        0 means unvoiced: no partial.
    sample_rate : float, Hz
    n_harmonics : int, ≥ 1

    Returns
    -------
    Tensor [shape=(..., n_frames, n_harmonics)], bool
    """
    numbers = torch.arange(1, n_harmonics + 1, device=f0.device, dtype=f0.dtype)
    return (f0[..., None] * numbers < 0.5 * sample_rate) & (f0[..., None] > 0)


def read_periods(
    periods: Tensor, phase: Tensor, *, hop_length: int, interpolation: Literal["nearest", "linear"] = "nearest"
) -> Tensor:
    """Read each frame's period at the phases of its block.

    Parameters
    ----------
    periods : Tensor [shape=(batch, n_frames, length)]
        One period of the wave per frame.
    phase : Tensor [shape=(batch, n_frames * hop_length)], cycles, in [0, 1)
        See `reprise.audio.oscillators.accumulate_phase`. No gradient.
    hop_length : int, samples
    interpolation : "nearest" or "linear"
        Hold each period for its block, or cross-fade from centre to centre of the blocks.

    Returns
    -------
    Tensor [shape=(batch, n_frames * hop_length)]
        Lines between the entries of a period; differentiable in ``periods``.

    Raises
    ------
    ValueError
        If the lengths do not fit or ``interpolation`` is unknown.
    """
    batch, n_frames, length = periods.shape
    if phase.shape != (batch, n_frames * hop_length):
        expected = (batch, n_frames * hop_length)
        raise ValueError(f"phase has shape {tuple(phase.shape)}; {n_frames} frames of {hop_length} need {expected}")
    if interpolation not in ("nearest", "linear"):
        raise ValueError(f"interpolation={interpolation!r}; choose 'nearest' or 'linear'")
    with torch.no_grad():
        position = (phase.double() * length).view(batch * n_frames, hop_length)
        entry = position.long().clamp_(max=length - 1)
        fraction = (position - entry).to(periods.dtype)
        following = (entry + 1).remainder_(length)

    def read(rows: Tensor) -> Tensor:
        rows = rows.reshape(batch * n_frames, length)
        return torch.lerp(rows.gather(1, entry), rows.gather(1, following), fraction)

    own = read(periods)
    if interpolation == "nearest":
        return own.view(batch, -1)
    time = (torch.arange(hop_length, device=phase.device, dtype=periods.dtype) + 0.5) / hop_length - 0.5
    before = read(torch.cat([periods[:, :1], periods[:, :-1]], dim=1))
    after = read(torch.cat([periods[:, 1:], periods[:, -1:]], dim=1))
    mixed = own * (1 - time.abs()) + before * (-time).clamp(min=0) + after * time.clamp(min=0)
    return mixed.view(batch, -1)


def additive(
    amplitudes: Tensor,
    phase: Tensor,
    *,
    hop_length: int,
    interpolation: Literal["nearest", "linear"] = "nearest",
) -> Tensor:
    r"""Sum of sines whose frequencies are multiples of one fundamental.

    Parameters
    ----------
    amplitudes : Tensor [shape=(batch, n_frames, n_harmonics)]
        Partials above half of the sample rate must be zero already: `harmonics_below_nyquist`.
    phase : Tensor [shape=(batch, n_frames * hop_length)], cycles, in [0, 1)
        Of the fundamental.
    hop_length : int, samples
    interpolation : "nearest" or "linear"
        How amplitudes become samples.

    Returns
    -------
    Tensor [shape=(batch, n_frames * hop_length)]
        :math:`\sum_k a_{k,t} \sin(2 \pi k \phi[n])`; differentiable in ``amplitudes``.

    Raises
    ------
    ValueError
        If the lengths do not fit or ``interpolation`` is unknown.

    Notes
    -----
    One inverse Fourier transform per frame gives its period, which is then read at the phase: no sine per sample and
    partial. Reading between two entries of the period scales partial k by :math:`\mathrm{sinc}^2(k / L)`, which is
    undone beforehand; images 45 dB below the highest partial and more below lower ones remain.
    Paper: Engel et al. 2020; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """
    n_harmonics = amplitudes.shape[-1]
    length = max(SHORTEST, 2 ** math.ceil(math.log2(OVERSAMPLING * n_harmonics)))
    numbers = torch.arange(1, n_harmonics + 1, device=amplitudes.device, dtype=amplitudes.dtype)
    scaled = amplitudes * (0.5 * length / torch.sinc(numbers / length).square())
    spectrum = torch.complex(torch.zeros_like(scaled), -scaled)
    spectrum = torch.nn.functional.pad(spectrum, (1, 0))
    periods = torch.fft.irfft(spectrum, n=length)
    return read_periods(periods, phase, hop_length=hop_length, interpolation=interpolation)


def wavetable(
    tables: Tensor,
    weights: Tensor,
    *,
    phase: Tensor,
    f0: Tensor,
    sample_rate: float,
    hop_length: int,
    interpolation: Literal["nearest", "linear"] = "nearest",
) -> Tensor:
    r"""Weighted sum of tables read at one phase, without what they hold above half of the sample rate.

    Parameters
    ----------
    tables : Tensor [shape=(n_tables, length)]
        One period each.
    weights : Tensor [shape=(batch, n_frames, n_tables)]
    phase : Tensor [shape=(batch, n_frames * hop_length)], cycles, in [0, 1)
    f0 : Tensor [shape=(batch, n_frames)], Hz, ≥ 0
        Decides how many partials of the tables a frame keeps; 0 means unvoiced: none, nor their mean.
    sample_rate : float, Hz
    hop_length : int, samples
    interpolation : "nearest" or "linear"
        How weights become samples.

    Returns
    -------
    Tensor [shape=(batch, n_frames * hop_length)]
        :math:`\sum_i w_{i,t} \, \mathrm{table}_{i,t}(\phi[n])`; differentiable in ``tables`` and ``weights``.

    Raises
    ------
    ValueError
        If the lengths do not fit or ``interpolation`` is unknown.

    Notes
    -----
    Filtering is linear, so the tables are summed before they are filtered: one transform per frame, not one per table.
    Lines between the entries of a table leave images of its upper partials, as in the authors' code.
    Paper: Shan et al. 2022; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """
    length = tables.shape[-1]
    spectra = torch.fft.rfft(tables)
    n_partials = spectra.shape[-1] - 1
    below = harmonics_below_nyquist(f0, sample_rate=sample_rate, n_harmonics=n_partials)
    kept = torch.cat([f0[..., None] > 0, below], dim=-1)
    parts = torch.cat([spectra.real, spectra.imag], dim=-1)
    real, imaginary = (weights @ parts).chunk(2, dim=-1)
    periods = torch.fft.irfft(torch.complex(real, imaginary) * kept, n=length)
    return read_periods(periods, phase, hop_length=hop_length, interpolation=interpolation)
