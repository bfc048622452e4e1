"""Short-time Fourier magnitudes of a batch of clips, at one or several window lengths."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import hann_window
from reprise.audio.parallel import map_blocks

__all__ = ["frame_magnitudes", "multi_resolution_spectrogram", "stft_frames", "stft_magnitude"]

Compression = Literal["db_authors", "db", "log1p", "none"]
PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "replicate": "replicate"}
COMPRESSIONS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "db_authors": lambda magnitude: 10.0 * torch.log10(magnitude.clamp(min=1e-10)),
    "db": lambda magnitude: 20.0 * torch.log10(magnitude.clamp(min=1e-10)),
    "log1p": torch.log1p,
    "none": None,
}


def stft_frames(y: Tensor, *, n_fft: int, hop_length: int, center: bool = True, pad_mode: str = "constant") -> Tensor:
    """Overlapping frames of each clip, as a view where no padding is needed.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    n_fft : int, samples
    hop_length : int, samples
    center : bool
        Pad by ``n_fft // 2`` on both sides, so that frame *t* is centred on sample ``t * hop_length``.
    pad_mode : "constant", "reflect" or "edge"

    Returns
    -------
    Tensor [shape=(batch, n_frames, n_fft)]
        Rows share memory: do not write to it.

    Raises
    ------
    ValueError
        If ``y`` is not a batch of floating-point clips or is too short; the message says which.
    """
    if y.ndim != 2:
        raise ValueError(f"y must have shape (batch, time), got {tuple(y.shape)}; use y[None] for one clip")
    if y.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"y must be float32 or float64, got {y.dtype}; convert with y.float()")
    if n_fft < 1 or hop_length < 1:
        raise ValueError(f"n_fft and hop_length must be at least 1, got {n_fft} and {hop_length}")
    if pad_mode not in PAD_MODES:
        raise ValueError(f"pad_mode must be one of {', '.join(PAD_MODES)}, got {pad_mode!r}")
    n_samples = y.shape[-1]
    half = n_fft // 2 if center else 0
    if half and pad_mode == "reflect" and n_samples <= half:
        raise ValueError(f"reflection of {half} samples needs longer clips than {n_samples} samples; lower n_fft")
    if n_samples == 0 or n_samples + 2 * half < n_fft:
        raise ValueError(f"clips of {n_samples} samples are too short for n_fft={n_fft}; pad them or lower n_fft")
    padded = functional.pad(y, (half, half), mode=PAD_MODES[pad_mode]) if half else y
    return padded.unfold(-1, n_fft, hop_length)


def _window_length(win_length: int | None, n_fft: int) -> int:
    length = n_fft if win_length is None else win_length
    if not 1 <= length <= n_fft:
        raise ValueError(f"win_length must lie between 1 and n_fft={n_fft}, got {length}")
    return length


def _magnitude(spectrum: Tensor, power: float) -> Tensor:
    if power == 1 and spectrum.requires_grad:
        return spectrum.abs()  # its gradient at zero is zero, that of a square root is not a number
    squared = spectrum.real.square() + spectrum.imag.square()
    if power == 2:
        return squared
    return squared.sqrt() if power == 1 else squared.pow(power / 2)


def frame_magnitudes(
    frames: Tensor,
    windows: Sequence[Tensor],
    *,
    power: float = 1.0,
    finish: Callable[[Tensor], Tensor] | None = None,
    time_last: bool = True,
) -> Tensor:
    """Fourier magnitudes of frames under each of several windows.

    Parameters
    ----------
    frames : Tensor [shape=(batch, n_frames, n_fft)]
    windows : sequence of Tensor [shape=(n_fft,)]
    power : float, > 0
        Exponent of the magnitude.
    finish : callable
        Pointwise function of the magnitudes, for example a compression.
    time_last : bool
        Order of the last two axes of the result.

    Returns
    -------
    Tensor [shape=(batch, len(windows), n_fft / 2 + 1, n_frames) or, time first, (…, n_frames, n_fft / 2 + 1)]
        Contiguous.
    """

    def magnitudes(some: Tensor, window: Tensor) -> Tensor:
        magnitude = _magnitude(torch.fft.rfft(some * window), power)
        finished = magnitude if finish is None else finish(magnitude)
        return finished.transpose(-1, -2) if time_last else finished

    batch, n_frames, n_fft = frames.shape
    needs_graph = torch.is_grad_enabled() and frames.requires_grad
    if needs_graph or frames.device.type != "cpu":
        return torch.stack([magnitudes(frames, window) for window in windows], dim=1)
    # one clip at a time: intermediate results stay in cache, and the allocator keeps their pages
    n_bins = n_fft // 2 + 1
    shape = (n_bins, n_frames) if time_last else (n_frames, n_bins)
    result = frames.new_empty(batch, len(windows), *shape)

    def fill(clip: int) -> None:
        for window, row in zip(windows, result[clip], strict=True):
            row.copy_(magnitudes(frames[clip], window))

    map_blocks(fill, range(batch))
    return result


def stft_magnitude(
    y: Tensor,
    *,
    n_fft: int = 2048,
    win_length: int | None = None,
    hop_length: int = 512,
    power: float = 1.0,
    center: bool = True,
    pad_mode: str = "constant",
    normalized: bool = False,
) -> Tensor:
    """Magnitude of the short-time Fourier transform.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    n_fft : int, samples
    win_length : int, samples, ≤ n_fft
        Length of the periodic Hann window, padded with zeros to ``n_fft``. Default: ``n_fft``.
    hop_length : int, samples
    power : float, > 0
        Exponent of the magnitude.
    center, pad_mode
        As in librosa; torchaudio's default is ``pad_mode="reflect"``.
    normalized : bool
        Divide by the window's L2 norm, as torchaudio's ``normalized=True`` does.

    Returns
    -------
    Tensor [shape=(batch, n_fft / 2 + 1, n_frames)]
        ``n_frames = 1 + time // hop_length`` with centring.

    Raises
    ------
    ValueError
        If a length or mode is out of range; the message names it.
    """
    length = _window_length(win_length, n_fft)
    frames = stft_frames(y, n_fft=n_fft, hop_length=hop_length, center=center, pad_mode=pad_mode)
    window = hann_window(length, n_fft, normalized=normalized, device=y.device, dtype=y.dtype)
    return frame_magnitudes(frames, [window], power=power)[:, 0]


def multi_resolution_spectrogram(
    y: Tensor,
    *,
    win_lengths: Sequence[int] = (2048, 1024, 512),
    n_fft: int = 2048,
    hop_length: int = 512,
    compression: Compression = "db_authors",
    normalized: bool = True,
    pad_mode: str = "reflect",
) -> Tensor:
    r"""Spectrograms of several window lengths on one time-frequency grid, stacked as channels.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    win_lengths : sequence of int, samples, each ≤ n_fft
    n_fft, hop_length : int, samples
    compression : "db_authors", "db", "log1p" or "none"
        "db_authors": the authors' code, which applies the decibels of a power to the magnitude; "db": decibels of
        the magnitude; "log1p": :math:`\log(1 + S)`.
    normalized : bool
        Divide by each window's L2 norm.
    pad_mode : "constant", "reflect" or "edge"
        The authors' front end (torchaudio) reflects.

    Returns
    -------
    Tensor [shape=(batch, len(win_lengths), n_fft / 2 + 1, n_frames)]

    Raises
    ------
    ValueError
        If a length, mode or compression is out of range; the message names it.

    Notes
    -----
    "db_authors" is :math:`10 \log_{10} \max(S, 10^{-10})`, half of the true decibels; "db" is twice that, with the
    same floor on the magnitude. Neither is limited to a range below the clip's maximum.
    Paper: Yamamoto et al. 2022, section 4.2. Notebook: 01_singing_technique.ipynb.
    """
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression must be one of {', '.join(COMPRESSIONS)}, got {compression!r}")
    if not win_lengths:
        raise ValueError("win_lengths must name at least one window length")
    lengths = [_window_length(length, n_fft) for length in win_lengths]
    frames = stft_frames(y, n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode)
    windows = [hann_window(length, n_fft, normalized=normalized, device=y.device, dtype=y.dtype) for length in lengths]
    return frame_magnitudes(frames, windows, finish=COMPRESSIONS[compression])
