"""From clips to batches of what the networks read: standardised, changed at random, cut into windows."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from reprise.papers.irmas.augmentation import Randomness
from reprise.papers.irmas.corpus import Corpus
from reprise.papers.irmas.frontends import Mask, descriptor_matrix, network_input
from reprise.papers.irmas.trials import AugmentConfig, InputConfig
from reprise.papers.irmas.windows import Windows, plan_windows, stack_windows, within

__all__ = ["PAPER_STATISTICS", "Inputs", "descriptor_matrix", "network_input"]

# mean and deviation of samples in the authors' configuration files
PAPER_STATISTICS = {"irmas": (-0.000404580, 0.108187131), "audioset": (-0.000431315, 0.126361664)}
# seconds of audio that are evaluated at once: as much as a processor's cache holds, or enough to fill a GPU
EVALUATION_SECONDS = {"cpu": 16, "cuda": 128}
# a CPU needs longer for the features of a window than for a small network, so they are kept where they fit
KEEP_BYTES = 1_500_000_000


class _Kept:
    """Features that were computed in this process, up to a number of bytes; the oldest go first."""

    def __init__(self) -> None:
        self.stored: OrderedDict[tuple, list[Tensor]] = OrderedDict()

    def serve(self, key: tuple, batches: Iterator[Tensor], *, n_items: int, device: str) -> Iterator[Tensor]:
        """The batches, from memory where they are there, and remembered where a CPU made them and they are few."""
        if key in self.stored:
            self.stored.move_to_end(key)
            yield from self.stored[key]
            return
        made: list[Tensor] | None = [] if device == "cpu" else None
        for batch in batches:
            if made is not None:
                made.append(batch)
                if batch.nbytes / len(batch) * n_items > KEEP_BYTES // 4:
                    made = None
            yield batch
        if made is not None:
            self.stored[key] = made
            while sum(one.nbytes for kept in self.stored.values() for one in kept) > KEEP_BYTES:
                self.stored.popitem(last=False)


_KEPT = _Kept()


@dataclass(frozen=True)
class Inputs:
    """Inputs of one trial's network.

    Attributes
    ----------
    training : Corpus
        The set that is trained on: its statistics are used for all sets.
    config : InputConfig
    augment : AugmentConfig or None
    device : str
    """

    training: Corpus
    config: InputConfig
    augment: AugmentConfig | None
    device: str

    @property
    def sample_rate(self) -> int:
        """Of the waves, in Hz."""
        return self.training.bank.sample_rate

    @property
    def window(self) -> int:
        """Samples per window."""
        return round(self.config.window_seconds * self.sample_rate)

    @property
    def clip(self) -> int:
        """Samples per training clip."""
        return round(self.training.clip_seconds * self.sample_rate)

    @cached_property
    def statistics(self) -> tuple[float, float]:
        """Mean and deviation that samples are standardised by."""
        if self.config.standardise == "paper" and self.training.name in PAPER_STATISTICS:
            return PAPER_STATISTICS[self.training.name]
        return self.training.statistics

    @cached_property
    def rows(self) -> tuple[Tensor, Tensor] | None:
        """Mean and deviation of each descriptor over the windows of the training clips, None where not asked for."""
        if not self.config.row_statistics:
            return None
        matrix = self._descriptors_of_training().double()
        mean, deviation = matrix.mean(dim=(0, 2)), matrix.std(dim=(0, 2))
        return (
            mean.float()[:, None].to(self.device),
            deviation.clamp(min=1e-8).float()[:, None].to(self.device),
        )

    def standardise(self, waves: Tensor, n_samples: np.ndarray) -> Tensor:
        """Standardise samples; what follows a clip's end stays zero.

        Parameters
        ----------
        waves : Tensor [shape=(batch, time)]
        n_samples : ndarray of int [shape=(batch,)]
            Samples that are the clip's own.

        Returns
        -------
        Tensor [shape=(batch, time)]
        """
        mean, deviation = self.statistics
        waves = (waves - mean) / deviation
        if (n_samples >= waves.shape[1]).all():
            return waves
        return waves * within(n_samples, waves.shape[1], device=waves.device)

    def train(self, waves: Tensor, n_samples: np.ndarray, *, random: Randomness | None = None) -> Tensor:
        """Inputs of training clips, all windows of all clips stacked.

        Parameters
        ----------
        waves : Tensor [shape=(batch, time)]
        n_samples : ndarray of int [shape=(batch,)]
        random : Randomness or None
            None leaves the clips as they are.

        Returns
        -------
        Tensor [shape=(batch · windows per clip, …)]
        """
        waves = self.standardise(waves, n_samples)
        mask: Mask | None = None
        if self.augment is not None and random is not None:
            waves = random.change(waves, self.augment, statistics=self.statistics)
            if any(self.augment.n_masks):
                mask = random.masks(self.augment)
        windows = stack_windows(waves, length=self.window)
        return network_input(windows, self.config, sample_rate=self.sample_rate, mask=mask, rows=self.rows)

    def evaluation(self, corpus: Corpus, side: str) -> tuple[Iterator[Tensor], Tensor]:
        """Inputs of all windows of a side's clips, batch by batch.

        Parameters
        ----------
        corpus : Corpus
            At the rate of ``training``.
        side : str

        Returns
        -------
        batches : iterator of Tensor
        clips : Tensor of int64 [shape=(n_windows,)]
            Which clip of the side each window is of.
        """
        rows = corpus.rows(side)
        lengths = corpus.bank.lengths[rows]
        plan = plan_windows(lengths, length=self.window)

        def make(waves: Tensor) -> Tensor:
            return network_input(waves, self.config, sample_rate=self.sample_rate, rows=self.rows)

        batches = map(make, self._windows(corpus, rows, plan))
        key = (corpus.fingerprint, side, self.sample_rate, self.config, self.training.fingerprint)
        return _KEPT.serve(key, batches, n_items=len(plan), device=self.device), torch.from_numpy(plan.clips)

    def _windows(self, corpus: Corpus, rows: np.ndarray, plan: Windows) -> Iterator[Tensor]:
        """Standardised windows of some clips, as many at once as one evaluates."""
        size = max(1, int(EVALUATION_SECONDS[self.device.split(":")[0]] / self.config.window_seconds))
        for part in np.split(np.arange(len(plan)), np.arange(size, len(plan), size)):
            chosen, starts = rows[plan.clips[part]], plan.starts[part]
            waves = corpus.bank.batch(chosen, starts, self.window, device=self.device)
            yield self.standardise(waves, corpus.bank.lengths[chosen] - starts)

    def _descriptors_of_training(self) -> Tensor:
        """Descriptors of all windows of the training clips, not yet scaled."""
        rows = self.training.rows("train")
        plan = plan_windows(np.minimum(self.training.bank.lengths[rows], self.clip), length=self.window)
        frames = {"n_fft": self.config.n_fft or 0, "hop_length": self.config.hop_length or 0}
        found = [
            descriptor_matrix(waves, sample_rate=self.sample_rate, **frames).cpu()
            for waves in self._windows(self.training, rows, plan)
        ]
        return torch.cat(found)
