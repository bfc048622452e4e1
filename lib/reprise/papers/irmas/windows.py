"""Clips as windows of one length, the last one followed by zeros."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Windows", "plan_windows", "stack_windows", "within"]


@dataclass(frozen=True)
class Windows:
    """Windows of some clips, clip by clip.

    Attributes
    ----------
    clips : ndarray of int64 [shape=(n_windows,)]
        Which of the clips, from 0.
    starts : ndarray of int64 [shape=(n_windows,)], samples
        From the clip's own start.
    """

    clips: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.clips)


def plan_windows(lengths: np.ndarray, *, length: int) -> Windows:
    """Windows that cover clips of different lengths.

    Parameters
    ----------
    lengths : ndarray of int [shape=(n_clips,)], samples, ≥ 1
    length : int, samples, ≥ 1

    Returns
    -------
    Windows
        ``⌈length of the clip / length⌉`` per clip, one after the other without overlap.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 4.6. Notebook: 05_irmas.ipynb.
    """
    counts = -(-np.asarray(lengths, dtype=np.int64) // length)
    clips = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(clips)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Windows(clips, place * length)


def stack_windows(waves: Tensor, *, length: int) -> Tensor:
    """Cut clips of one length into windows, stacked along the batch.

    Parameters
    ----------
    waves : Tensor [shape=(batch, time)]
    length : int, samples, ≥ 1

    Returns
    -------
    Tensor [shape=(batch · ⌈time / length⌉, length)]
        The windows of the first clip, then those of the second; the last window of each ends in zeros.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1 sample, got {length}")
    missing = -waves.shape[1] % length
    return functional.pad(waves, (0, missing)).reshape(-1, length).contiguous()


def within(n_samples: Tensor | np.ndarray, length: int, *, device: str | torch.device) -> Tensor:
    """Which samples of each clip are its own.

    Parameters
    ----------
    n_samples : Tensor or ndarray of int [shape=(batch,)]
        Samples that each clip has.
    length : int
    device : str or torch.device

    Returns
    -------
    Tensor of bool [shape=(batch, length)]
    """
    own = torch.as_tensor(n_samples, device=device)
    return torch.arange(length, device=device) < own[:, None]
