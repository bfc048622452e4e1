"""Training batches of an epoch: clips as they are, or mixed anew by dynamic sampling."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from reprise.data.sampling import base_persistent, epoch_length, mix, true_dynamic
from reprise.papers.irmas.augmentation import Randomness
from reprise.papers.irmas.corpus import Corpus
from reprise.papers.irmas.inputs import Inputs
from reprise.papers.irmas.trials import IrmasTrial, MixingConfig
from reprise.training.loop import batch_order

__all__ = ["examples", "n_updates", "training_batches"]


def _most(mixing: MixingConfig, labels: np.ndarray) -> int:
    """Most clips in a mixture: no more than there are instruments."""
    return min(mixing.max_sampled, len(np.unique(labels[labels >= 0])))


def _n_examples(config: IrmasTrial, corpus: Corpus) -> int:
    n_clips = len(corpus.rows("train"))
    if config.mixing is None:
        return n_clips
    labels = corpus.labels()
    n_single = int((labels >= 0).sum())
    if config.mixing.kind == "base":
        return n_single
    most = _most(config.mixing, labels)
    least = min(config.mixing.min_sampled, most)
    return epoch_length(n_single, min_sampled=least, max_sampled=most, unsampled=config.mixing.unsampled or 0.001)


def examples(config: IrmasTrial, corpus: Corpus, *, epoch: int) -> tuple[np.ndarray, Tensor]:
    """What is learnt from in an epoch.

    Parameters
    ----------
    config : IrmasTrial
    corpus : Corpus
        The set that is trained on.
    epoch : int
        With the seed, what mixtures depend on.

    Returns
    -------
    rows : ndarray of int64 [shape=(n, max_sampled)]
        Clips of each example, −1 behind the last one.
    targets : Tensor [shape=(n, n_classes)]
        1 for the instruments that play in it.
    """
    if config.mixing is None:
        rows = corpus.rows("train")
        return rows[:, None].astype(np.int64), corpus.targets[rows]
    labels = corpus.labels()
    most = _most(config.mixing, labels)
    numbers = {
        "seed": config.seed,
        "epoch": epoch,
        "min_sampled": min(config.mixing.min_sampled, most),
        "max_sampled": most,
        "n_classes": len(corpus.classes),
    }
    if config.mixing.kind == "base":
        mixtures = base_persistent(labels, **numbers)
    else:
        mixtures = true_dynamic(labels, n=_n_examples(config, corpus), **numbers)
    return mixtures.rows, torch.from_numpy(mixtures.targets).float()


def n_updates(config: IrmasTrial, corpus: Corpus) -> int:
    """Updates of a whole training, which the schedule of the rates is made for."""
    n, size = _n_examples(config, corpus), config.batch_size
    n_batches = n // size if config.train_drop_last and n >= size else -(-n // size)
    return max(1, n_batches * config.epochs)


def training_batches(
    config: IrmasTrial, inputs: Inputs, *, epoch: int, augmented: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of one epoch, in an order and with changes that only the seed and the epoch decide.

    Parameters
    ----------
    config : IrmasTrial
    inputs : Inputs
        Of the set that is trained on.
    epoch : int
    augmented : bool
        Change the clips at random, where the trial does.

    Yields
    ------
    inputs : Tensor [shape=(n_windows, …)]
        All windows of ``batch_size`` clips, 48, 32 and 16 of 16 clips of 3 s for windows of 1, 2 and 3 s; or of as many
        parts of such a batch, one after the other, as the optimiser accumulates.
    targets : Tensor [shape=(n_windows, n_classes)]
        Of each window's clip.
    """
    corpus = inputs.training
    rows, targets = examples(config, corpus, epoch=epoch)
    random = Randomness.of(config.seed, epoch, device=inputs.device) if augmented else None
    drop_last = config.train_drop_last and len(rows) >= config.batch_size
    order = batch_order(len(rows), batch_size=config.batch_size, seed=config.seed, epoch=epoch, drop_last=drop_last)
    size = max(1, config.batch_size // config.optimiser.accumulate)
    for chosen in (part for batch in order for part in batch.split(size)):
        clips = rows[chosen.numpy()]
        waves = mix(corpus.bank, clips, length=inputs.clip, device=inputs.device)
        n_samples = np.where(clips >= 0, corpus.bank.lengths[clips], 0).max(axis=1)
        windows = inputs.train(waves, n_samples, random=random)
        # batch norm, which the transformer does without, has no variance of a single window
        if len(windows) > 1 or config.network.family == "ast":
            repeated = targets[chosen].repeat_interleave(len(windows) // len(clips), dim=0)
            yield windows, repeated.to(inputs.device, non_blocking=True)
