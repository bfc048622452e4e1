"""Training crops of one step after another, with spectrograms that are aligned with them or, as in the code, not."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from reprise.data.crops import CropPlan, draw_crops, possible_starts
from reprise.papers.sawsing.corpus import Songs
from reprise.papers.sawsing.trials import MelConfig, TrainingConfig
from reprise.seeds import numpy_generator

__all__ = ["Crop", "Crops"]


@dataclass(frozen=True)
class Crop:
    """What one step is trained on.

    Attributes
    ----------
    audio : Tensor [shape=(batch, n_frames * hop_length)]
    mel : Tensor [shape=(batch, n_frames, n_mels)]
    f0 : Tensor [shape=(batch, n_frames)], Hz
    step : int
        Steps done before.
    """

    audio: Tensor
    mel: Tensor
    f0: Tensor
    step: int


class Crops:
    """Crops of each step, which depend on the seed and the number of the step alone.

    Parameters
    ----------
    songs : Songs
    rows : ndarray of int [shape=(n,)]
        Recordings to cut from.
    training : TrainingConfig
    mel : MelConfig
    seed : int
    device : str

    Raises
    ------
    ValueError
        If no recording is long enough; the message says how long the longest is.

    Notes
    -----
    The authors' code cuts audio from any sample on, and spectrogram and pitch from the frame before: audio is late by
    up to a frame, half of one on average. A step has one crop of each of ``batch_size`` files, the last of an epoch
    fewer; or, with ``fill_batch``, always ``batch_size`` crops, each start of each file alike.
    Paper: the code of Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """

    def __init__(
        self,
        songs: Songs,
        rows: np.ndarray,
        *,
        training: TrainingConfig,
        mel: MelConfig,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.songs, self.training, self.mel, self.seed, self.device = songs, training, mel, seed, device
        hop = mel.hop_length
        self.n_frames = training.n_samples // hop
        # frames look ahead of their block, and audio may begin as late as a sample before the next one
        self.tail = max(0 if mel.center else mel.n_fft - hop, 0 if training.align_crops else hop - 1)
        starts = possible_starts(songs.bank, songs.labels, n_frames=self.n_frames, tail=self.tail)
        self.left_out = [songs.name(row) for row in rows[starts[rows] == 0]]
        kept = rows[starts[rows] > 0]
        self.rows = kept if len(kept) else rows
        self._plan = lru_cache(maxsize=1)(self._draw)
        self._plan(0)
        # all frames in one piece, so that a batch is one look-up on the device
        lengths = [min(len(songs.mel(row, mel)), len(songs.f0(row))) for row in self.rows]
        pairs = list(zip(self.rows, lengths, strict=True))
        self._mel = torch.cat([songs.mel(row, mel)[:length] for row, length in pairs]).to(device)
        self._f0 = torch.cat([songs.f0(row)[:length] for row, length in pairs]).to(device)
        self._first = np.zeros(len(songs.table), dtype=np.int64)
        self._first[self.rows] = np.cumsum([0, *lengths[:-1]])
        self._gains = songs.gains.to(device)

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every file has given a crop; 1 with ``fill_batch``."""
        return 1 if self.training.fill_batch else -(-len(self.rows) // self.training.batch_size)

    def _draw(self, epoch: int) -> tuple[CropPlan, np.ndarray]:
        """Crops of an epoch, and how many samples after its frame each begins."""
        config = self.training
        plan = draw_crops(
            self.songs.bank,
            self.songs.labels,
            n_frames=self.n_frames,
            seed=self.seed,
            epoch=epoch,
            n_crops=config.batch_size if config.fill_batch else None,
            tail=self.tail,
            rows=self.rows,
        )
        if not (config.shuffle or config.fill_batch):
            order = np.argsort(plan.rows, kind="stable")
            plan = CropPlan(plan.rows[order], plan.frames[order])
        if config.align_crops:
            return plan, np.zeros(len(plan), dtype=np.int64)
        return plan, numpy_generator(self.seed, "offsets", epoch).integers(0, self.mel.hop_length, len(plan))

    def batch(self, step: int) -> Crop:
        """Crops of a step.

        Parameters
        ----------
        step : int ≥ 0

        Returns
        -------
        Crop
            On the device.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        plan, offsets = self._plan(epoch)
        part = slice(place * self.training.batch_size, (place + 1) * self.training.batch_size)
        rows, frames = plan.rows[part], plan.frames[part]
        hop = self.mel.hop_length
        starts = frames * hop + offsets[part]
        audio = self.songs.bank.batch(rows, starts, self.n_frames * hop, device=self.device)
        places = torch.from_numpy((self._first[rows] + frames)[:, None] + np.arange(self.n_frames)).to(self.device)
        gains = self._gains[torch.from_numpy(rows).to(self.device)]
        return Crop(audio * gains[:, None], self._mel[places], self._f0[places], step)
