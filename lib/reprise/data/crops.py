"""Random crops that begin on the hop grid: audio and the pitch of exactly its frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.data.f0 import F0Labels
from reprise.data.wavebank import WaveBank
from reprise.seeds import numpy_generator

__all__ = ["CropPlan", "crop_batches", "cut_crops", "draw_crops", "possible_starts"]


@dataclass(frozen=True)
class CropPlan:
    """Where the crops of an epoch lie.

    Attributes
    ----------
    rows : ndarray of int64 [shape=(n,)]
        Positions in the bank's table.
    frames : ndarray of int64 [shape=(n,)]
        First frame of each crop, counted from the clip's own start.
    """

    rows: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def _check(bank: WaveBank, labels: F0Labels) -> None:
    if labels.sample_rate != bank.sample_rate:
        raise ValueError(f"labels at {labels.sample_rate} Hz do not go with a bank at {bank.sample_rate} Hz")
    paths = pd.Index(bank.table["path"].astype(str).unique())
    absent = paths.difference(labels.files.index)
    if len(absent):
        raise ValueError(f"{len(absent)} files have no pitch, the first {absent[0]}; label this bank again")
    other = labels.files["length"].reindex(paths) != bank.files["length"].reindex(paths)
    if other.any():
        raise ValueError(f"{paths[other][0]} has another length than when it was labelled; label this bank again")


def _first_points(bank: WaveBank, labels: F0Labels) -> np.ndarray:
    """Point of the labels where each clip of the bank begins, int64 [shape=(n_clips,)]."""
    start = np.rint(bank.table["start"].to_numpy(float) * bank.sample_rate).astype(np.int64)
    off = np.flatnonzero(start % labels.hop_length)
    if off.size:
        row = bank.table.iloc[off[0]]
        raise ValueError(
            f"clip {row['clip_id']} begins at sample {start[off[0]]}, which is not on the grid of {labels.hop_length} "
            "samples: crops of it would not be aligned with their pitch; cut clips at multiples of the hop"
        )
    offsets = labels.files["offset"].reindex(bank.table["path"].astype(str)).to_numpy(np.int64)
    return offsets + start // labels.hop_length


def possible_starts(bank: WaveBank, labels: F0Labels, *, n_frames: int, tail: int = 0) -> np.ndarray:
    """How many crops of a length each clip has room for.

    Parameters
    ----------
    bank : WaveBank
    labels : F0Labels
    n_frames : int, > 0
        Frames of a crop.
    tail : int, samples, >= 0
        What a crop needs beyond its frames: ``n_fft - hop_length`` for frames that look ahead.

    Returns
    -------
    ndarray of int64 [shape=(n_clips,)]
        0 for clips that are too short.

    Raises
    ------
    ValueError
        If the labels are not this bank's.
    """
    _check(bank, labels)
    if n_frames < 1 or tail < 0:
        raise ValueError(f"n_frames must be at least 1 and tail at least 0, not {n_frames!r} and {tail!r}")
    room = bank.lengths - n_frames * labels.hop_length - tail
    return np.where(room >= 0, room // labels.hop_length + 1, 0)


def draw_crops(
    bank: WaveBank,
    labels: F0Labels,
    *,
    n_frames: int,
    seed: int,
    epoch: int,
    n_crops: int | None = None,
    tail: int = 0,
    rows: Any = None,
) -> CropPlan:
    """Draw where the crops of an epoch lie.

    Parameters
    ----------
    bank : WaveBank
    labels : F0Labels
    n_frames : int, > 0
        Frames of a crop.
    seed, epoch : int
        Decide on every draw; equal ones give equal crops.
    n_crops : int or None, > 0
        Crops, each start of each clip alike, so that long clips give more. By default one crop of each clip, in random
        order.
    tail : int, samples, >= 0
        See :func:`possible_starts`.
    rows : int array or None [shape=(n,)]
        Positions in the bank's table to draw from, for example the training side; all by default.

    Returns
    -------
    CropPlan
        Without clips that are too short.

    Raises
    ------
    ValueError
        If no clip is long enough; the message says how long the longest is.

    Notes
    -----
    Paper: one crop of 2 s of each file per epoch, in the authors' code in a fixed order and beginning anywhere, so that
    the mel frames begin up to a hop before the audio. Here all begin on the grid. With three recordings such an epoch
    is one batch of three: ``n_crops`` fills batches.
    """
    starts = possible_starts(bank, labels, n_frames=n_frames, tail=tail)
    chosen = np.arange(len(bank)) if rows is None else np.asarray(rows, dtype=np.int64)
    fitting = chosen[starts[chosen] > 0] if len(chosen) else chosen
    if not len(fitting):
        longest = bank.lengths[chosen].max() / bank.sample_rate if len(chosen) else 0.0
        need = (n_frames * labels.hop_length + tail) / bank.sample_rate
        raise ValueError(
            f"none of {len(chosen)} clips has room for a crop of {need:.3f} s, the longest has {longest:.3f} s; "
            "use fewer frames"
        )
    rng = numpy_generator(seed, "crops", epoch)
    if n_crops is None:
        drawn = rng.permutation(fitting)
        return CropPlan(drawn, rng.integers(0, starts[drawn]))
    if n_crops < 1:
        raise ValueError(f"n_crops must be at least 1, not {n_crops!r}")
    ends = np.cumsum(starts[fitting])
    flat = rng.integers(0, ends[-1], n_crops)
    which = np.searchsorted(ends, flat, side="right")
    return CropPlan(fitting[which], flat - (ends - starts[fitting])[which])


def cut_crops(
    bank: WaveBank,
    labels: F0Labels,
    *,
    rows: np.ndarray,
    frames: np.ndarray,
    n_frames: int,
    tail: int = 0,
    device: str | torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Audio and pitch of crops.

    Parameters
    ----------
    bank : WaveBank
    labels : F0Labels
    rows : ndarray of int [shape=(batch,)]
        Positions in the bank's table.
    frames : ndarray of int [shape=(batch,)]
        First frame of each crop, counted from the clip's start.
    n_frames : int, > 0
        Frames of each.
    tail : int, samples, >= 0
        Audio beyond the last frame's hop.
    device : str, torch.device or None
        As for :meth:`reprise.data.wavebank.WaveBank.batch`.

    Returns
    -------
    (Tensor [shape=(batch, n_frames * hop_length + tail)], Tensor [shape=(batch, n_frames)])
        Audio in [−1, 1) and f0 in Hz, float32, on one device. f0 at *t* belongs to the crop's sample
        ``t * hop_length``, whatever window the mel frames have.

    Raises
    ------
    ValueError
        If a crop reaches beyond its clip.
    """
    starts = possible_starts(bank, labels, n_frames=n_frames, tail=tail)
    rows, frames = np.asarray(rows), np.asarray(frames)
    wrong = np.flatnonzero((frames < 0) | (frames >= starts[rows]))
    if wrong.size:
        raise ValueError(
            f"a crop of {n_frames} frames from frame {frames[wrong[0]]} reaches beyond clip {rows[wrong[0]]}, "
            f"which has room for {starts[rows[wrong[0]]]}"
        )
    return _cut(bank, labels, _first_points(bank, labels), rows, frames, n_frames, tail, device)


def _cut(
    bank: WaveBank,
    labels: F0Labels,
    first: np.ndarray,
    rows: np.ndarray,
    frames: np.ndarray,
    n_frames: int,
    tail: int,
    device: str | torch.device | None,
) -> tuple[Tensor, Tensor]:
    hop_length = labels.hop_length
    audio = bank.batch(rows, frames * hop_length, n_frames * hop_length + tail, device=device)
    f0 = labels.values[(first[rows] + frames)[:, None] + np.arange(n_frames)]
    return audio, torch.from_numpy(f0).to(audio.device)


def crop_batches(
    bank: WaveBank,
    labels: F0Labels,
    *,
    batch_size: int,
    n_frames: int,
    seed: int,
    epoch: int,
    n_crops: int | None = None,
    tail: int = 0,
    rows: Any = None,
    device: str | torch.device | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of random crops with the pitch of their frames, for one epoch.

    Parameters
    ----------
    bank : WaveBank
    labels : F0Labels
    batch_size : int, > 0
        The last batch may be smaller.
    n_frames : int, > 0
        Frames of a crop.
    seed, epoch : int
        Decide on every draw; equal ones give equal bits.
    n_crops, tail, rows
        See :func:`draw_crops`.
    device : str, torch.device or None
        As for :meth:`reprise.data.wavebank.WaveBank.batch`.

    Yields
    ------
    (Tensor [shape=(batch, n_frames * hop_length + tail)], Tensor [shape=(batch, n_frames)])
        See :func:`cut_crops`.

    Raises
    ------
    ValueError
        If no clip is long enough, or a clip does not begin on the grid.

    Notes
    -----
    Two gathers per batch, of samples and of pitch; nothing is done crop by crop.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size!r}")
    plan = draw_crops(bank, labels, n_frames=n_frames, seed=seed, epoch=epoch, n_crops=n_crops, tail=tail, rows=rows)
    first = _first_points(bank, labels)
    for start in range(0, len(plan), batch_size):
        part = slice(start, start + batch_size)
        yield _cut(bank, labels, first, plan.rows[part], plan.frames[part], n_frames, tail, device)
