"""Hand-made descriptors of a batch of clips from one shared spectrogram, equal to librosa's."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import dct_matrix, hann_window, mel_filters, on_device
from reprise.audio.constant_q import constant_q_chroma, tonal_centroids
from reprise.audio.features import power_to_db
from reprise.audio.parallel import map_blocks
from reprise.audio.spectrogram import frame_magnitudes, stft_frames
from reprise.audio.tuning import chroma_filters, estimate_tuning

__all__ = ["describe"]

N_MELS = 128
CONTRAST_FMIN, CONTRAST_BANDS, CONTRAST_QUANTILE = 200.0, 6, 0.02
ROLLOFF = 0.85
FLATNESS_FLOOR = 1e-10
# a block's intermediate results stay in a processor's cache, or fill a graphics card
BLOCK_SAMPLES = {"cpu": 550_000, "cuda": 32_000_000}


def _moment_matrix(sample_rate: float, n_fft: int) -> np.ndarray:
    """Columns 1, f, f² and the least-squares polynomials of orders 0, 1, 2 (highest power first)."""
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    moments = [np.ones_like(frequencies), frequencies, frequencies**2]
    fits = [np.polyfit(frequencies, np.eye(len(frequencies)), order) for order in range(3)]
    return np.concatenate([np.stack(moments), *fits]).T


@cache
def _moments(sample_rate: float, n_fft: int, *, device: torch.device) -> Tensor:
    return on_device(lambda: _moment_matrix(sample_rate, n_fft), device=device, dtype=torch.float64)


@cache
def _contrast_bands(sample_rate: float, n_fft: int) -> tuple[tuple[int, int, int], ...]:
    """First bin, end and number of extreme bins of each contrast band."""
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = np.concatenate([[0.0], CONTRAST_FMIN * 2.0 ** np.arange(CONTRAST_BANDS + 1)])
    if edges[-2] >= sample_rate / 2:
        raise ValueError(
            f"spectral contrast reaches {edges[-2]:.0f} Hz, beyond half of sample_rate={sample_rate} Hz; "
            "resample to 16000 Hz or more"
        )
    bands = []
    for k in range(CONTRAST_BANDS + 1):
        inside = np.flatnonzero((frequencies >= edges[k]) & (frequencies <= edges[k + 1]))
        if len(inside) == 0:
            raise ValueError(f"n_fft={n_fft} puts no bin between {edges[k]:.0f} and {edges[k + 1]:.0f} Hz; raise it")
        first = inside[0] - (k > 0)
        end = len(frequencies) if k == CONTRAST_BANDS else inside[-1] + 1
        extreme = max(int(np.rint(CONTRAST_QUANTILE * (end - first))), 1)
        # every band but the last gives its highest bin to the next one
        end -= k < CONTRAST_BANDS
        if end <= first:
            raise ValueError(f"n_fft={n_fft} leaves no bin below {edges[k + 1]:.0f} Hz for contrast; raise it")
        bands.append((int(first), int(end), extreme))
    return tuple(bands)


def _extremes(band: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Mean of the ``n`` lowest and of the ``n`` highest values of the last axis."""
    if n == 1:
        return band.amin(dim=-1), band.amax(dim=-1)
    if band.device.type == "cpu":
        # numpy's vectorised sort is several times faster than torch.topk here
        ordered = torch.from_numpy(np.sort(band.numpy(), axis=-1))
        return ordered[..., :n].mean(dim=-1), ordered[..., -n:].mean(dim=-1)
    low, high = (band.topk(n, dim=-1, largest=largest, sorted=False).values for largest in (False, True))
    return low.mean(dim=-1), high.mean(dim=-1)


def _contrast(magnitude: Tensor, *, sample_rate: float, n_fft: int) -> Tensor:
    extremes = [_extremes(magnitude[..., first:end], n) for first, end, n in _contrast_bands(sample_rate, n_fft)]
    valleys, peaks = (torch.stack(rows, dim=1) for rows in zip(*extremes, strict=True))
    return power_to_db(peaks) - power_to_db(valleys)


def _rolloff(magnitude: Tensor, *, sample_rate: float, n_fft: int) -> Tensor:
    if magnitude.device.type == "cpu":
        # librosa adds in single precision from the lowest bin up; torch adds in double, which moves some
        # frames by one bin
        total = torch.from_numpy(np.cumsum(magnitude.numpy(), axis=-1))
    else:
        total = magnitude.cumsum(dim=-1)
    reached = torch.searchsorted(total, ROLLOFF * total[..., -1:])[..., 0]
    return (reached * (sample_rate / n_fft)).float()


def _time_domain(y: Tensor, *, n_fft: int, hop_length: int) -> dict[str, Tensor]:
    half = n_fft // 2
    energy = functional.pad(y.square(), (half, half)).unfold(-1, n_fft, hop_length).mean(dim=-1)
    held = functional.pad(y, (half, half), mode="replicate")
    negative = held < -1e-10
    crossings = (negative[:, 1:] != negative[:, :-1]).to(y.dtype)
    # the first sample of a frame has no neighbour in it
    rate = crossings.unfold(-1, n_fft - 1, hop_length).sum(dim=-1) / n_fft
    return {"zero_crossing_rate": rate[:, None], "rms": energy.sqrt()[:, None]}


def _shape(exact: Tensor, *, sample_rate: float, n_fft: int) -> dict[str, Tensor]:
    """Centroid, bandwidth and polynomials: linear in the magnitude, in double against cancellation."""
    columns = (exact @ _moments(sample_rate, n_fft, device=exact.device)).transpose(1, 2)
    mass = torch.where(columns[:, :1] < torch.finfo(torch.float32).tiny, 1.0, columns[:, :1])
    centroid, second = columns[:, 1:2] / mass, columns[:, 2:3] / mass
    return {
        "spectral_centroid": centroid.float(),
        "spectral_bandwidth": (second - centroid.square()).clamp(min=0).sqrt().float(),
        "poly_features_0": columns[:, 3:4].float(),
        "poly_features": columns[:, 4:6].float(),
        "poly_features_2": columns[:, 6:9].float(),
    }


def _flatness(power: Tensor) -> Tensor:
    floored = power.clamp(min=FLATNESS_FLOOR)
    return (floored.log().mean(dim=-1).exp() / floored.mean(dim=-1))[:, None]


def _chroma(power: Tensor, *, sample_rate: float, n_fft: int) -> Tensor:
    tunings = estimate_tuning(power, sample_rate=sample_rate).tolist()
    filters = torch.stack(
        [
            chroma_filters(tuning, sample_rate=sample_rate, n_fft=n_fft, device=power.device, dtype=power.dtype)
            for tuning in tunings
        ]
    )
    raw = filters @ power.transpose(1, 2)
    peak = raw.amax(dim=1, keepdim=True)
    return raw / torch.where(peak < torch.finfo(raw.dtype).tiny, 1.0, peak)


def _tonnetz(y: Tensor, magnitude: Tensor, *, sample_rate: float, hop_length: int) -> Tensor:
    tunings = estimate_tuning(magnitude, sample_rate=sample_rate, bins_per_octave=36)
    chroma: Tensor | None = None
    for tuning in tunings.unique().tolist():
        members = (tunings == tuning).nonzero()[:, 0]
        part = constant_q_chroma(y[members], tuning, sample_rate=sample_rate, hop_length=hop_length)
        if chroma is None:
            chroma = part.new_zeros(len(y), *part.shape[1:])
        chroma[members] = part
    return tonal_centroids(chroma if chroma is not None else y.new_zeros(0, 12, 0))


def _spectrum(y: Tensor, *, n_fft: int, hop_length: int) -> Tensor:
    """Magnitude in double with frequency last: weak bins beside strong ones need more than single precision."""
    window = hann_window(n_fft, n_fft, device=y.device, dtype=torch.float64)
    frames = stft_frames(y.double(), n_fft=n_fft, hop_length=hop_length)
    return frame_magnitudes(frames, [window], time_last=False)[:, 0]


def _describe_block(
    y: Tensor, *, sample_rate: float, n_fft: int, hop_length: int, n_mfcc: int, tonnetz: bool
) -> dict[str, Tensor]:
    exact = _spectrum(y, n_fft=n_fft, hop_length=hop_length)
    magnitude = exact.float()
    power = magnitude.square()
    place: dict[str, Any] = {"device": y.device, "dtype": y.dtype}
    mel = mel_filters(sample_rate=sample_rate, n_fft=n_fft, n_mels=N_MELS, **place) @ power.transpose(1, 2)
    shared: dict[str, Any] = {"sample_rate": sample_rate, "n_fft": n_fft}
    described = {
        **_time_domain(y, n_fft=n_fft, hop_length=hop_length),
        **_shape(exact, **shared),
        "spectral_contrast": _contrast(magnitude, **shared),
        "spectral_rolloff": _rolloff(magnitude, **shared)[:, None],
        "spectral_flatness": _flatness(power),
        "chroma_stft": _chroma(power, **shared),
        "mfcc": dct_matrix(n_mfcc, N_MELS, **place) @ power_to_db(mel),
        "melspectrogram": mel,
    }
    if tonnetz:
        is_default = (n_fft, hop_length) == (2048, 512)
        default = magnitude if is_default else _spectrum(y, n_fft=2048, hop_length=512).float()
        described["tonnetz"] = _tonnetz(y, default, sample_rate=sample_rate, hop_length=hop_length)
    return described


def _check(y: Tensor, *, n_fft: int, n_mfcc: int) -> None:
    if y.ndim != 2 or 0 in y.shape:
        raise ValueError(f"y must have shape (batch, time) with at least one clip, got {tuple(y.shape)}")
    if not y.is_floating_point():
        raise ValueError(f"y must hold floating-point samples, got {y.dtype}; divide integers by their full scale")
    if n_fft % 2 or n_fft < 2:
        raise ValueError(f"n_fft must be even, got {n_fft}")
    if not 1 <= n_mfcc <= N_MELS:
        raise ValueError(f"n_mfcc must lie between 1 and {N_MELS}, got {n_mfcc}")
    finite = torch.isfinite(y).all(dim=1)
    if not finite.all():
        raise ValueError(
            f"clip {int(finite.int().argmin())} of the batch has samples that are not finite; leave it out"
        )


def describe(
    y: Tensor,
    *,
    sample_rate: float,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mfcc: int = 13,
    tonnetz: bool = True,
) -> dict[str, Tensor]:
    """All descriptors of the instrument paper.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], finite
        On any device. Computed as float32, without gradients.
    sample_rate : float, Hz, > 12800
    n_fft, hop_length : int, samples
        Frames are centred; ``n_fft`` is also the frame of the time-domain descriptors.
    n_mfcc : int, 1 to 128
    tonnetz : bool
        Compute ``tonnetz`` too, which takes longer than all others together.

    Returns
    -------
    dict of str to Tensor [shape=(batch, rows, n_frames)], float32
        Keyed by librosa's function names: ``zero_crossing_rate``, ``rms``, ``spectral_centroid``,
        ``spectral_bandwidth``, ``spectral_rolloff``, ``spectral_flatness`` (1 row each), ``spectral_contrast`` (7),
        ``poly_features`` (order 1: slope, level) with ``poly_features_0`` (1) and ``poly_features_2`` (3),
        ``chroma_stft`` (12), ``tonnetz`` (6), ``mfcc`` (``n_mfcc``), ``melspectrogram`` (128).

    Raises
    ------
    ValueError
        If the clips, the sample rate or ``n_fft`` do not allow a descriptor; the message says which and why.

    Notes
    -----
    Equal to librosa's defaults on each clip alone to 1e-4. Three steps decide between neighbours (the tunings behind
    ``chroma_stft`` and ``tonnetz``, the bin of the roll-off): in a tie they can fall to the other side. ``tonnetz``
    can have one frame more than the rest, as in librosa, where ``time + 1`` is a multiple of ``hop_length``. From
    88.2 kHz up its first two frames differ by up to 1e-3, see `reprise.audio.constant_q.decimate`.
    Paper: Ferković and Smoljan 2023, sections 2.4 and 2.5. Notebook: 05_irmas.ipynb.
    """
    _check(y, n_fft=n_fft, n_mfcc=n_mfcc)
    size = max(1, BLOCK_SAMPLES.get(y.device.type, BLOCK_SAMPLES["cuda"]) // y.shape[1])
    if y.device.type == "cpu":
        # a small batch is shared among the threads too
        size = min(size, -(-len(y) // torch.get_num_threads()))

    def compute(block: Tensor) -> dict[str, Tensor]:
        with torch.autocast(device_type=block.device.type, enabled=False):
            return _describe_block(
                block,
                sample_rate=sample_rate,
                n_fft=n_fft,
                hop_length=hop_length,
                n_mfcc=n_mfcc,
                tonnetz=tonnetz,
            )

    blocks = map_blocks(compute, y.detach().float().split(size))
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}
