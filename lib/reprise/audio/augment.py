"""Random changes of waveforms and spectrograms in a batch, on its device, each from a given generator."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import fast_length, hann_window

__all__ = ["add_noise", "mask_spectrogram", "pitch_shift", "random_pitch_shift", "random_time_shift"]

# steps of a fixed-point phase
TURN = 2**40
# part of the band that fades out before half of the sample rate
EDGE = 0.04


def add_noise(y: Tensor, *, generator: torch.Generator, mean: float, std: float, amount: float = 0.005) -> Tensor:
    r"""Add faint Gaussian noise.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)]
    generator : torch.Generator
        On the CPU or on the device of ``y``; numbers are drawn where it lives.
    mean, std : float, std ≥ 0
        Of the noise before it is scaled: the paper takes those of the training set's samples.
    amount : float
        Scale :math:`\alpha` of the noise.

    Returns
    -------
    Tensor [shape=(batch, time)]
        :math:`y + \alpha \epsilon` with :math:`\epsilon \sim \mathcal N(\mu, \sigma)`.

    Raises
    ------
    ValueError
        If ``std`` is negative.

    Notes
    -----
    The authors add it to standardised audio, whose standard deviation is 1: theirs has 0.00054.
    Paper: Ferković and Smoljan 2023, section 3.4.1. Notebook: 05_irmas.ipynb.
    """
    if std < 0:
        raise ValueError(f"std must not be negative, got {std}")
    noise = torch.randn(y.shape, generator=generator, device=generator.device, dtype=y.dtype).to(y.device)
    return y + amount * (mean + std * noise)


def random_time_shift(y: Tensor, *, generator: torch.Generator, limit: float = 0.4) -> Tensor:
    """Roll each clip by a random part of its length; what leaves at one end comes in at the other.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)]
    generator : torch.Generator
    limit : float, 0 to 1
        Shifts are uniform in [-limit, limit] of the length, rounded towards zero; positive is later.

    Returns
    -------
    Tensor [shape=(batch, time)]

    Raises
    ------
    ValueError
        If ``limit`` is out of range.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 3.4.1. Notebook: 05_irmas.ipynb.
    """
    if not 0 <= limit <= 1:
        raise ValueError(f"limit must lie in [0, 1], got {limit}")
    n_samples = y.shape[-1]
    shifts = (_uniform((len(y), 1), limit, generator) * n_samples).trunc().long().to(y.device)
    return y.gather(1, (torch.arange(n_samples, device=y.device) - shifts) % n_samples)


def random_pitch_shift(y: Tensor, *, generator: torch.Generator, limit: float = 6.0, n_fft: int = 2048) -> Tensor:
    """Shift each clip by a random number of semitones.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    generator : torch.Generator
    limit : float, semitones, ≥ 0
        Shifts are uniform in [-limit, limit], not rounded.
    n_fft : int, samples
        Of the phase vocoder.

    Returns
    -------
    Tensor [shape=(batch, time)]

    Raises
    ------
    ValueError
        If ``limit`` is negative, or as `pitch_shift`.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 3.4.1. Notebook: 05_irmas.ipynb.
    """
    if limit < 0:
        raise ValueError(f"limit must not be negative, got {limit}")
    return pitch_shift(y, _uniform((len(y),), limit, generator), n_fft=n_fft)


def pitch_shift(y: Tensor, semitones: Tensor | float, *, n_fft: int = 2048) -> Tensor:
    """Change the pitch and keep the duration, each clip by its own interval.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    semitones : Tensor [shape=(batch,)] or float
        Any number; on the CPU it saves a wait for the device.
    n_fft : int, samples, a multiple of 4
        Window of the phase vocoder, with a hop of a quarter.

    Returns
    -------
    Tensor [shape=(batch, time)]
        As it is where ``semitones`` is 0. Elsewhere the highest 4 % of the band that remains fade out.

    Raises
    ------
    ValueError
        If a shape, ``n_fft`` or a number of semitones is out of range; the message names it.

    Notes
    -----
    A phase vocoder stretches the clip in time and its spectrum is read at another rate, as in
    ``librosa.effects.pitch_shift``, which resamples by a filter instead. In double precision the two agree to -120 dB;
    librosa adds its phases in single precision where the clip is float32, which costs it up to 60 dB.
    """
    shifts = torch.as_tensor(semitones, dtype=torch.float64).cpu()
    if y.ndim != 2 or y.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"y must be float32 or float64 of shape (batch, time), got {y.dtype} of {tuple(y.shape)}")
    if shifts.shape not in ((), (1,), y.shape[:1]):
        raise ValueError(f"semitones must be one number or one per clip, {len(y)}, got shape {tuple(shifts.shape)}")
    if not bool(torch.isfinite(shifts).all()):
        raise ValueError(f"semitones must be finite, got {shifts[~torch.isfinite(shifts)][0].item()}")
    if n_fft < 4 or n_fft % 4:
        raise ValueError(f"n_fft must be a multiple of 4, got {n_fft}")
    if not y.numel():
        return y.clone()
    ratios = 2.0 ** (shifts.expand(len(y)) / 12.0)
    with torch.autocast(device_type=y.device.type, enabled=False):
        shifted = _read_at(_stretch(y, ratios, n_fft=n_fft), ratios, length=y.shape[1])
    return torch.where((shifts == 0).to(y.device).reshape(-1, 1), y, shifted)


def mask_spectrogram(
    spectrogram: Tensor, *, generator: torch.Generator, n_freq: int = 2, n_time: int = 2, limit: float = 0.1
) -> Tensor:
    """Replace bands and stretches of time by the clip's mean.

    Parameters
    ----------
    spectrogram : Tensor [shape=(..., freq, time)]
        Power, as the authors do, or any other scale. The last two axes are one clip; a channel axis gets masks of its
        own, so mask before copying channels.
    generator : torch.Generator
    n_freq, n_time : int ≥ 0
        Number of masks per axis; they may overlap.
    limit : float, 0 to 1
        Widths are uniform over whole numbers from 0 to ``limit`` of the axis, positions over all that fit.

    Returns
    -------
    Tensor [shape=(..., freq, time)]

    Raises
    ------
    ValueError
        If ``limit`` or a number of masks is out of range.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 3.4.2: at most 20 % of an axis, 10 % on average. The authors' code masks
    3 to 4 %. Notebook: 05_irmas.ipynb.
    """
    if not 0 <= limit <= 1:
        raise ValueError(f"limit must lie in [0, 1], got {limit}")
    if n_freq < 0 or n_time < 0:
        raise ValueError(f"numbers of masks must not be negative, got n_freq={n_freq} and n_time={n_time}")
    *batch, n_bands, n_frames = spectrogram.shape
    device = spectrogram.device
    bands = _masks(batch, n_bands, number=n_freq, limit=limit, generator=generator).to(device)
    frames = _masks(batch, n_frames, number=n_time, limit=limit, generator=generator).to(device)
    mean = spectrogram.mean(dim=(-2, -1), keepdim=True)
    return torch.where(bands[..., :, None] | frames[..., None, :], mean, spectrogram)


def _uniform(shape: tuple[int, ...], limit: float, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return limit * (2.0 * drawn - 1.0)


def _masks(batch: list[int], size: int, *, number: int, limit: float, generator: torch.Generator) -> Tensor:
    """Union of masks, boolean [shape=(*batch, size)]."""
    shape = (*batch, number, 1)
    drawn = torch.rand((2, *shape), generator=generator, device=generator.device, dtype=torch.float64)
    # a tiny surplus, because 0.29 * 100 is less than 29
    widths = (drawn[0] * (int(limit * size + 1e-9) + 1)).floor()
    starts = (drawn[1] * (size - widths + 1)).floor()
    points = torch.arange(size, device=generator.device)
    return ((points >= starts) & (points < starts + widths)).any(dim=-2)


def _stretch(y: Tensor, ratios: Tensor, *, n_fft: int) -> Tensor:
    """Phase vocoder: each clip ``ratios`` times as long, followed by silence up to the longest."""
    hop_length = n_fft // 4
    window = hann_window(n_fft, n_fft, device=y.device, dtype=y.dtype)
    # with silence up to where no window holds sound, so that a clip's end does not depend on the others' lengths
    padded = functional.pad(y, (0, n_fft // 2))
    spectrum = torch.stft(padded, n_fft, hop_length, window=window, pad_mode="constant", return_complex=True)
    n_frames = spectrum.shape[-1]
    n_out = math.ceil(n_frames * float(ratios.max()))
    steps = torch.arange(n_out, dtype=torch.float64) / ratios[:, None]
    # frames beyond the end are silent
    before = steps.floor().clamp(max=n_frames).long().to(y.device)[:, None, :].expand(-1, spectrum.shape[1], -1)
    weight = steps.frac().to(y.device, y.dtype)[:, None, :]
    magnitude = functional.pad(spectrum.abs(), (0, 2))
    magnitudes = torch.lerp(magnitude.gather(2, before), magnitude.gather(2, before + 1), weight)
    # in turns: frames keep their distance, so that a phase advances as it did, and whole turns do not count
    angle = functional.pad(spectrum.angle() / (2 * math.pi), (0, 2))
    phases = torch.cat([angle[..., :1], angle.diff(dim=-1).gather(2, before[..., :-1])], dim=-1)
    # as integers the sum is exact, and the same in whatever order a device adds
    phases = (phases.double() * TURN).round().long().cumsum(dim=-1).bitwise_and(TURN - 1)
    stretched = torch.polar(magnitudes, (phases.double() * (2 * math.pi / TURN)).to(y.dtype))
    return torch.istft(stretched, n_fft, hop_length, window=window)


def _read_at(y: Tensor, ratios: Tensor, *, length: int) -> Tensor:
    r"""Samples of each band-limited clip at times :math:`i \cdot ratio`, without what would alias.

    The sum :math:`\sum_k X_k e^{2\pi j k i r / P}` is a chirp-z transform: with
    :math:`k i = (k^2 + i^2 - (i - k)^2) / 2` it becomes one convolution, whatever the ratio.
    """
    # a gap of silence, so that the end does not ring into the beginning
    period = fast_length(y.shape[1] + y.shape[1] // 64 + 64)
    spectrum = torch.fft.rfft(y, period)
    bins = torch.arange(spectrum.shape[1], device=y.device)
    speed = ratios.to(y.device)[:, None]
    # a soft edge below the frequency that becomes half of the sample rate: a hard one rings through the whole clip
    place = bins * (speed.clamp(min=1.0) / (period / 2))
    gain = torch.sin((math.pi / 2) * ((1.0 - place) / EDGE).clamp(0.0, 1.0)).square()
    spectrum = spectrum * gain.to(y.dtype)
    spectrum[:, 1:] *= 2
    n_points = max(length, len(bins))
    squares = torch.arange(n_points, device=y.device, dtype=torch.float64).square()
    turns = torch.remainder(squares * (speed / (2 * period)), 1.0)
    chirp = torch.polar(torch.ones_like(turns), 2 * math.pi * turns).to(spectrum.dtype)
    size = fast_length(length + len(bins) - 1)
    kernel = chirp.new_zeros(len(y), size)
    kernel[:, :length] = chirp[:, :length].conj()
    kernel[:, size - len(bins) + 1 :] = chirp[:, 1 : len(bins)].conj().flip(1)
    product = torch.fft.fft(spectrum * chirp[:, : len(bins)], size) * torch.fft.fft(kernel)
    return (torch.fft.ifft(product)[:, :length] * chirp[:, :length]).real / period
