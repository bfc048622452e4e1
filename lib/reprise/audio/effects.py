"""Changes of waveforms in a batch whose strength is given per clip: noise, gain, filters, echo."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import fast_length

__all__ = ["add_noise_of_level", "amplify", "echo", "first_order_filter", "sinc_filter"]


def add_noise_of_level(y: Tensor, noise: Tensor, *, level: Tensor | float) -> Tensor:
    """Add noise in proportion to the clip's own standard deviation.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)]
    noise : Tensor [shape=(batch, time)]
        Of unit variance.
    level : Tensor [shape=(batch,)] or float, ≥ 0
        Standard deviation of the noise per standard deviation of the clip.

    Returns
    -------
    Tensor [shape=(batch, time)]
        Silence stays silent.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1, after CLMR. Notebook: 03_tune.ipynb.
    """
    return y + _column(level, y) * y.std(dim=1, keepdim=True) * noise


def amplify(y: Tensor, decibels: Tensor | float) -> Tensor:
    """Multiply each clip by a gain.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)]
    decibels : Tensor [shape=(batch,)] or float, dB

    Returns
    -------
    Tensor [shape=(batch, time)]
    """
    return y * 10.0 ** (_column(decibels, y) / 20.0)


def echo(y: Tensor, delays: Tensor | int, *, factor: float = 0.5) -> Tensor:
    r"""Mix each clip with itself, later and softer.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)]
    delays : Tensor [shape=(batch,)] or int, samples, ≥ 0
    factor : float
        Of the delayed copy.

    Returns
    -------
    Tensor [shape=(batch, time)]
        :math:`(y_t + a y_{t - d}) / 2`: where nothing comes back yet, the clip is 6 dB softer.

    Raises
    ------
    ValueError
        If a delay is negative.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1, after CLMR. Notebook: 03_tune.ipynb.
    """
    offsets = torch.as_tensor(delays).cpu()
    if bool((offsets < 0).any()):
        raise ValueError(f"a delay must not be negative, got {int(offsets.min())} samples")
    places = torch.arange(y.shape[1], device=y.device) - offsets.to(y.device).reshape(-1, 1)
    places = places.expand(len(y), -1)
    late = y.gather(1, places.clamp(min=0)).masked_fill(places < 0, 0.0)
    return 0.5 * (y + factor * late)


def sinc_filter(
    y: Tensor, cutoff: Tensor | float, *, high: Tensor | bool, sample_rate: float, zeros: int = 8
) -> Tensor:
    r"""Low-pass or high-pass filter each clip by a windowed sinc, without delay.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    cutoff : Tensor [shape=(batch,)] or float, Hz, above 0 and below half of the sample rate
        Where half of the amplitude is left. On the CPU it saves a wait for the device.
    high : Tensor [shape=(batch,)] or bool
        Whether what lies above the cut-off is kept, instead of what lies below.
    sample_rate : float, Hz
    zeros : int ≥ 1
        Zero crossings of the sinc on each side: the more, the steeper.

    Returns
    -------
    Tensor [shape=(batch, time)]
        Beyond its ends a clip goes on with its first and last sample.

    Raises
    ------
    ValueError
        If a cut-off frequency is out of range; the message names it.

    Notes
    -----
    With :math:`c = f / f_s` and the half length :math:`h = \lfloor z / 2c \rfloor`, the low-pass filter is
    :math:`2 c\, \mathrm{sinc}(2 c t) \cos^2(\pi t / 2h)` for :math:`|t| \le h`, scaled to the sum 1, and the high-pass
    filter is what it takes away: as julius 0.2.8, which CLMR's later code calls. Paper: Vélez Vásquez and Burgoyne
    2022, section 4.1. Notebook: 03_tune.ipynb.
    """
    c = _relative(cutoff, len(y), sample_rate=sample_rate)[:, None]
    half = (zeros / c / 2).floor().clamp(min=1)
    width = int(half.max()) if len(half) else 1
    time = torch.arange(-width, width + 1, dtype=torch.float64)
    taps = torch.sinc(2 * c * time) * torch.cos(math.pi / 2 * (time / half).clamp(-1, 1)).square()
    # of the wanted form in any case: the clip itself less what passes, or what passes
    sign = torch.where(torch.as_tensor(high).cpu().reshape(-1, 1), -1.0, 1.0)
    taps = sign * taps / taps.sum(dim=1, keepdim=True)
    taps[:, width] += (sign[:, 0] < 0).double()
    padded = functional.pad(y[:, None], (width, width), mode="replicate")[:, 0]
    return _convolve(padded, taps.to(y.device, y.dtype))[:, 2 * width : 2 * width + y.shape[1]]


def first_order_filter(y: Tensor, cutoff: Tensor | float, *, high: Tensor | bool, sample_rate: float) -> Tensor:
    r"""Low-pass or high-pass filter each clip with a slope of 6 dB per octave.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    cutoff : Tensor [shape=(batch,)] or float, Hz, above 0 and below half of the sample rate
        Where 3 dB are lost. On the CPU it saves a wait for the device.
    high : Tensor [shape=(batch,)] or bool
        Whether what lies above the cut-off is kept, instead of what lies below.
    sample_rate : float, Hz

    Returns
    -------
    Tensor [shape=(batch, time)]

    Raises
    ------
    ValueError
        If a cut-off frequency is out of range; the message names it.

    Notes
    -----
    A Butterworth filter of order 1. With :math:`c = (\tan \pi f / f_s - 1) / (\tan \pi f / f_s + 1)` its response is
    :math:`(1 \pm c)(1 \pm z^{-1}) / 2 (1 + c z^{-1})`, plus for low-pass. It rings so briefly that its impulse
    response is cut where :math:`|c|^n` has fallen to :math:`10^{-9}`. CLMR's first code filters like this.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """
    tangent = torch.tan(math.pi * _relative(cutoff, len(y), sample_rate=sample_rate))[:, None]
    c = (tangent - 1) / (tangent + 1)
    sign = torch.where(torch.as_tensor(high).cpu().reshape(-1, 1), -1.0, 1.0)
    slowest = float(c.abs().max()) if len(c) else 0.0
    n_taps = 2 + (math.ceil(math.log(1e-9) / math.log(slowest)) if slowest > 0 else 0)
    powers = (-c) ** torch.arange(min(n_taps, y.shape[1]), dtype=torch.float64)
    taps = powers.clone()
    taps[:, 1:] += sign * powers[:, :-1]
    taps *= (1 + sign * c) / 2
    return _convolve(y, taps.to(y.device, y.dtype))[:, : y.shape[1]]


def _relative(cutoff: Tensor | float, n_clips: int, *, sample_rate: float) -> Tensor:
    """Cut-off frequencies in parts of the sample rate, float64, on the CPU [shape=(batch,)]."""
    frequencies = torch.as_tensor(cutoff, dtype=torch.float64).cpu()
    if frequencies.shape not in ((), (1,), (n_clips,)):
        raise ValueError(f"cutoff must be one number or one per clip, {n_clips}, got {tuple(frequencies.shape)}")
    wrong = frequencies[~((frequencies > 0) & (frequencies < sample_rate / 2))]
    if len(wrong):
        raise ValueError(f"cutoff must lie between 0 and {sample_rate / 2} Hz, got {wrong[0].item()}")
    return (frequencies / sample_rate).expand(n_clips)


def _convolve(y: Tensor, taps: Tensor) -> Tensor:
    """Full linear convolution of each row, and some silence."""
    size = fast_length(y.shape[1] + taps.shape[1] - 1)
    if not len(y):
        return y.new_zeros(0, size)
    with torch.autocast(device_type=y.device.type, enabled=False):
        return torch.fft.irfft(torch.fft.rfft(y, size) * torch.fft.rfft(taps, size), size)


def _column(value: Tensor | float, y: Tensor) -> Tensor:
    return torch.as_tensor(value, device=y.device).to(y.dtype).reshape(-1, 1)
