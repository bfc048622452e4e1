"""Band-limited sawtooth in a few operations per sample, and the phase that all oscillators share."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import on_device

__all__ = ["Oscillation", "accumulate_phase", "naive_sawtooth", "sawtooth", "upsample"]

Precision = Literal["double", "single"]

ROW = 256  # samples whose increments are added up before the sum is wrapped
ROWS = 128  # rows that a processor thread works on: what stays in its cache
TABLE = 8192  # entries per period; the interpolation error falls with the square


class Oscillation(NamedTuple):
    """Samples of an oscillator and where it stopped.

    Attributes
    ----------
    audio : Tensor [shape=(..., time)]
    phase : Tensor [shape=(...)], cycles, float64, in [0, 1)
        At the last sample; give it to the next call as ``initial_phase``.
    """

    audio: Tensor
    phase: Tensor


def upsample(frames: Tensor, *, hop_length: int, interpolation: Literal["nearest", "linear"] = "nearest") -> Tensor:
    """Frame values as sample values.

    Parameters
    ----------
    frames : Tensor [shape=(..., n_frames)]
    hop_length : int, samples
    interpolation : "nearest" or "linear"
        Hold each value for its block, or draw lines between the centres of the blocks and hold the first and last
        value outside.

    Returns
    -------
    Tensor [shape=(..., n_frames * hop_length)]

    Raises
    ------
    ValueError
        If ``interpolation`` is unknown.

    Notes
    -----
    The authors' code holds (stairs of 10 ms). A line to or from an unvoiced frame (0 Hz) would be a glide that nobody
    sang, so there the value is held.
    """
    if interpolation == "nearest":
        return frames.repeat_interleave(hop_length, dim=-1)
    if interpolation != "linear":
        raise ValueError(f"interpolation={interpolation!r}; choose 'nearest' or 'linear'")
    flat = frames.reshape(-1, 1, frames.shape[-1])
    lines = functional.interpolate(flat, scale_factor=float(hop_length), mode="linear", align_corners=False)
    if bool((flat == 0).any()):
        silent = (flat == 0).to(flat.dtype)
        mixed = functional.interpolate(silent, scale_factor=float(hop_length), mode="linear", align_corners=False)
        lines = torch.where(mixed > 0, flat.repeat_interleave(hop_length, dim=-1), lines)
    return lines.reshape(*frames.shape[:-1], -1)


def accumulate_phase(
    f0: Tensor, *, sample_rate: float, initial_phase: Tensor | None = None, precision: Precision = "double"
) -> Tensor:
    r"""Phase of an oscillator at each sample.

    Parameters
    ----------
    f0 : Tensor [shape=(..., time)], Hz, ≥ 0
    sample_rate : float, Hz
    initial_phase : Tensor [shape=(...)] or None, cycles
        Before the first sample. Default: 0.
    precision : "double" or "single"
        Single: the sum is in radians, never wrapped, and rounded to float32, as in the authors' code.

    Returns
    -------
    Tensor [shape=(..., time)], cycles, float64, in [0, 1)
        :math:`\phi[n] = \phi_0 + \sum_{m \le n} f_0[m] / f_s`, without its whole cycles. No gradient.

    Raises
    ------
    ValueError
        If a frequency is negative, infinite or not a number.

    Notes
    -----
    The authors' code adds up radians in float32, whose rounding, multiplied by the number of the partial, is audible
    after a minute. Here sums stay below one cycle and are wrapped before anything is multiplied.
    """
    return _from_phase(
        f0,
        lambda phase, _: phase,
        sample_rate=sample_rate,
        initial_phase=initial_phase,
        precision=precision,
        dtype=torch.float64,
    )[0]


def sawtooth(
    f0: Tensor,
    *,
    sample_rate: float,
    initial_phase: Tensor | None = None,
    n_harmonics: int = 150,
    gain: float = 0.4,
    precision: Precision = "double",
) -> Oscillation:
    r"""Falling sawtooth with the partials below half of the sample rate, and none above.

    Parameters
    ----------
    f0 : Tensor [shape=(..., time)], Hz, ≥ 0, float32 or float64
        Per sample; 0 means unvoiced. See `upsample`.
    sample_rate : float, Hz
    initial_phase : Tensor [shape=(...)] or None, cycles
        Default: 0.
    n_harmonics : int, ≥ 1
        Most partials; 150 reach half of 24 kHz from 80 Hz on.
    gain : float
        Amplitude of the fundamental; 2/π makes the ideal sawtooth's peak 1.
    precision : "double" or "single"
        See `accumulate_phase`.

    Returns
    -------
    Oscillation
        ``audio`` without gradient, of the type of ``f0``; zero where unvoiced and where the fundamental itself is too
        high. Fed with ``phase``, the next call goes on without a seam.

    Raises
    ------
    ValueError
        If a frequency is negative, infinite or not a number, or if ``n_harmonics`` is below 1.

    Notes
    -----
    :math:`e[n] = g \sum_{k=1}^{K} \sin(2 \pi k \phi[n]) / k` with the largest :math:`K \le` ``n_harmonics`` for which
    :math:`K f_0[n] < f_s / 2`. One period for every :math:`K` is tabulated, and lines are drawn between its entries:
    the work per sample does not depend on the number of partials.
    Paper: Wu et al. 2022, section 3 (the authors' code adds up 150 sines). Notebook: 04_sawsing.ipynb.
    """
    if n_harmonics < 1:
        raise ValueError(f"n_harmonics must be at least 1, got {n_harmonics}")
    table = _sawtooth_table(n_harmonics, device=f0.device, dtype=f0.dtype)

    def look_up(phase: Tensor, frequency: Tensor) -> Tensor:
        # the largest whole number below the quotient; an unvoiced sample asks for infinitely many partials, gets none
        quotient = torch.div(0.5 * sample_rate, frequency).clamp_(max=n_harmonics + 1)
        count = quotient.int()
        count.sub_((count == quotient).int()).mul_(frequency > 0)
        position = phase.mul_(TABLE).to(f0.dtype)
        # the largest phase below 1 may round up to it
        entry = position.int().clamp_(max=TABLE - 1)
        found = torch.view_as_real(table.index_select(0, count.mul_(TABLE).add_(entry).flatten()))
        value, step = found.unflatten(0, entry.shape).unbind(-1)
        return torch.addcmul(value, step, position.sub_(entry)).mul_(gain)

    return Oscillation(
        *_from_phase(f0, look_up, sample_rate=sample_rate, initial_phase=initial_phase, precision=precision)
    )


def naive_sawtooth(
    f0: Tensor, *, sample_rate: float, initial_phase: Tensor | None = None, precision: Precision = "double"
) -> Oscillation:
    r"""Falling sawtooth that jumps from −1 to 1, with all its aliases.

    Parameters
    ----------
    f0 : Tensor [shape=(..., time)], Hz, ≥ 0
        Per sample; 0 means unvoiced.
    sample_rate : float, Hz
    initial_phase : Tensor [shape=(...)] or None, cycles
        Default: 0.
    precision : "double" or "single"
        See `accumulate_phase`.

    Returns
    -------
    Oscillation
        ``audio`` without gradient: :math:`1 - 2 \phi`, and zero where unvoiced.

    Raises
    ------
    ValueError
        If a frequency is negative, infinite or not a number.

    Notes
    -----
    Source of the authors' model SawSub. Notebook: 04_sawsing.ipynb.
    """

    def shape(phase: Tensor, frequency: Tensor) -> Tensor:
        return phase.mul_(-2).add_(1).to(f0.dtype).mul_(frequency > 0)

    return Oscillation(
        *_from_phase(f0, shape, sample_rate=sample_rate, initial_phase=initial_phase, precision=precision)
    )


@cache
def _sawtooth_table(n_harmonics: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Waves of k partials, one after another: value + i · step to the next [shape=((n_harmonics + 1) * TABLE,)]."""

    def build() -> np.ndarray:
        sine = np.sin(2 * np.pi * np.arange(TABLE) / TABLE)
        numbers = np.arange(1, n_harmonics + 1)[:, None]
        partials = sine[(numbers * np.arange(TABLE)) % TABLE] / numbers
        values = np.concatenate([np.zeros((1, TABLE)), np.cumsum(partials, axis=0)])
        return np.stack([values, np.roll(values, -1, axis=1) - values], axis=-1)

    # one gather of a complex number is several times faster than one of a row of two
    return torch.view_as_complex(on_device(build, device=device, dtype=dtype).flatten(0, 1))


@torch.no_grad()
def _from_phase(
    f0: Tensor,
    shape: Callable[[Tensor, Tensor], Tensor],
    *,
    sample_rate: float,
    initial_phase: Tensor | None,
    precision: Precision,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """Wave of the phase, and the phase at the last sample.

    ``shape`` turns rows of phases, which it may overwrite, and of frequencies [shape=(n, ROW) each] into samples.
    """
    if precision not in ("double", "single"):
        raise ValueError(f"precision={precision!r}; choose 'double' or 'single'")
    lead, n_samples = f0.shape[:-1], f0.shape[-1]
    start = torch.zeros(lead, dtype=torch.float64, device=f0.device)
    if initial_phase is not None:
        start = start + initial_phase.detach().to(start)
        start = start - start.floor()
    if f0.numel() == 0:
        return f0.detach().to(dtype or f0.dtype, copy=True), start
    rows = functional.pad(f0.detach(), (0, -n_samples % ROW)).reshape(-1, ROW)
    # pieces too small to be shared out: on a busy machine threads wait longer for each other than the work takes
    size = ROWS if f0.device.type == "cpu" else len(rows)
    parts = rows.split(size)
    _check_frequencies(parts)
    sums = (torch.cat([part.sum(dim=-1, dtype=torch.float64) for part in parts]) / sample_rate).view(*lead, -1)
    if precision == "double":
        sums -= sums.floor()
    ends = torch.cumsum(sums, dim=-1) + start[..., None]
    starts = (ends - sums).view(-1, 1)
    wave = torch.empty_like(rows, dtype=dtype)

    for part, begin, out in zip(parts, starts.split(size), wave.split(size), strict=True):
        phase = torch.cumsum(part.double() / sample_rate, dim=-1).add_(begin)
        if precision == "single":
            phase = phase.mul_(2 * torch.pi).float().double().div_(2 * torch.pi)
        out.copy_(shape(phase.frac_(), part))
    final = ends[..., -1]
    return wave.view(*lead, -1)[..., :n_samples], final - final.floor()


def _check_frequencies(parts: Sequence[Tensor]) -> None:
    extremes = torch.stack([torch.stack(torch.aminmax(part)) for part in parts])
    low, high = float(extremes[:, 0].amin()), float(extremes[:, 1].amax())
    # the comparison is false for what is not a number, too
    if not 0 <= low <= high < float("inf"):
        raise ValueError(f"frequencies must be finite and not negative, got {low} to {high} Hz")
