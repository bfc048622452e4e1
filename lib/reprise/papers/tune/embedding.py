"""Windows of clips and their representations by a fixed encoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reprise.data.wavebank import WaveBank
from reprise.models.aggregate import aggregate_s1
from reprise.seeds import torch_generator

__all__ = ["EMBEDDING", "Windows", "all_windows", "embed", "embed_windows", "mean_of_clips", "random_windows"]

EMBEDDING = "embedding"
"""Name of an encoder's own output among those of its blocks."""
# windows that are encoded together: the published code takes 256, but a processor's cache holds no more than two
BATCH = {"cpu": 2, "cuda": 128}


@dataclass(frozen=True)
class Windows:
    """Pieces of clips, all of one length.

    Attributes
    ----------
    rows : ndarray of int64 [shape=(n,)]
        Positions in the bank's table.
    starts : ndarray of int64 [shape=(n,)], samples
    clips : ndarray of int64 [shape=(n,)]
        Clip of each, counted from 0 in the order in which the clips were given.
    """

    rows: np.ndarray
    starts: np.ndarray
    clips: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def random_windows(bank: WaveBank, rows: np.ndarray, *, n_samples: int, seed: int, side: str) -> Windows:
    """One window of each clip, anywhere in it.

    Parameters
    ----------
    bank : WaveBank
    rows : ndarray of int [shape=(n_clips,)]
        Positions in the bank's table.
    n_samples : int, samples
        Clips that are shorter begin the window and silence ends it.
    seed : int
    side : str
        Draws differ between sides.

    Returns
    -------
    Windows
        In the order of the rows.

    Notes
    -----
    Paper: the published code, which takes one crop of each training and validation clip. Notebook: 03_tune.ipynb.
    """
    room = np.maximum(bank.lengths[rows] - n_samples, 0)
    places = torch.rand(len(rows), generator=torch_generator(seed, "probe crops", side), dtype=torch.float64).numpy()
    return Windows(np.asarray(rows), np.floor(places * (room + 1)).astype(np.int64), np.arange(len(rows)))


def all_windows(bank: WaveBank, rows: np.ndarray, *, n_samples: int) -> Windows:
    """All windows of each clip that follow one another; what is left at the end is dropped.

    Parameters
    ----------
    bank : WaveBank
    rows : ndarray of int [shape=(n_clips,)]
    n_samples : int, samples

    Returns
    -------
    Windows
        Ten of 59,049 samples for a clip of 29.12 s; clips that are shorter than a window have one, with silence.

    Notes
    -----
    Paper: the published code. Notebook: 03_tune.ipynb.
    """
    counts = np.maximum(bank.lengths[rows] // n_samples, 1)
    clips = np.repeat(np.arange(len(rows)), counts)
    number = np.arange(len(clips)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Windows(np.asarray(rows)[clips], number * n_samples, clips)


@torch.no_grad()
def embed_windows(
    encoder: nn.Module, bank: WaveBank, *, windows: Windows, n_samples: int, device: str, layers: bool = False
) -> dict[str, Tensor]:
    """Representations of windows.

    Parameters
    ----------
    encoder : Module
        In evaluation mode, on the device.
    bank : WaveBank
    windows : Windows
    n_samples : int, samples
    device : str
    layers : bool
        Also the mean over time of each block's output, as the supplement's Figures S3 and S4 probe them.

    Returns
    -------
    dict of str to Tensor [shape=(n_windows, features)]
        ``embedding``, and with ``layers`` one entry per block by its name (``Contr-1`` … ``Tail-9``); on the CPU.
    """
    parts: dict[str, list[Tensor]] = {}
    for audio in _batches(bank, windows, n_samples=n_samples, device=device):
        for name, value in _outputs(encoder, audio, layers=layers):
            parts.setdefault(name, []).append(value.float().cpu())
    return {name: torch.cat(values) for name, values in parts.items()}


def _batches(bank: WaveBank, windows: Windows, *, n_samples: int, device: str) -> Iterator[Tensor]:
    size = BATCH["cpu" if device == "cpu" else "cuda"]
    for first in range(0, len(windows), size):
        here = slice(first, first + size)
        yield bank.batch(windows.rows[here], windows.starts[here], n_samples, device=device)


def _outputs(encoder: nn.Module, audio: Tensor, *, layers: bool) -> Iterator[tuple[str, Tensor]]:
    if not layers:
        yield EMBEDDING, encoder(audio)
        return
    maps: Any = encoder.maps
    for name, value in maps(audio):
        mean = value.mean(dim=2)
        yield name, mean
    # the last block's mean is the representation
    yield EMBEDDING, mean


def mean_of_clips(values: Tensor, windows: Windows) -> Tensor:
    """Mean over the windows of each clip.

    Parameters
    ----------
    values : Tensor [shape=(n_windows, features)]
    windows : Windows

    Returns
    -------
    Tensor [shape=(n_clips, features)]
    """
    return aggregate_s1(values, torch.from_numpy(windows.clips))


@torch.no_grad()
def embed(encoder: nn.Module, audio: Tensor, *, n_samples: int = 59_049) -> Tensor:
    """Representation of recordings of any length.

    Parameters
    ----------
    encoder : Module
        In evaluation mode, for example from `reprise.papers.tune.experiment.load_encoder`.
    audio : Tensor [shape=(batch, time)], −1 to 1
        At the rate that the encoder was trained at.
    n_samples : int, samples
        Of a window.

    Returns
    -------
    Tensor [shape=(batch, representation)]
        Mean over the windows that fit, one after another; a recording shorter than a window is filled up with silence.

    Raises
    ------
    ValueError
        If the audio is not a batch, or empty.
    """
    if audio.ndim != 2 or not audio.numel():
        raise ValueError(f"audio needs shape (batch, time), with samples in it, got {tuple(audio.shape)}")
    if audio.shape[1] < n_samples:
        audio = torch.nn.functional.pad(audio, (0, n_samples - audio.shape[1]))
    count = audio.shape[1] // n_samples
    windows = audio[:, : count * n_samples].reshape(-1, n_samples)
    size = BATCH["cpu" if audio.device.type == "cpu" else "cuda"]
    return torch.cat([encoder(part) for part in windows.split(size)]).view(len(audio), count, -1).mean(dim=1)
