"""Contrastive pre-training on two changed crops of each clip, resumable to the same bits."""

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from reprise.audio.views import ViewAugment
from reprise.papers.tune.corpus import Clips
from reprise.papers.tune.trials import PretrainTrial
from reprise.runs import TrialContext
from reprise.seeds import torch_generator
from reprise.training.checkpoint import Checkpoint
from reprise.training.contrastive import ContrastiveModel, nt_xent, pair_accuracy
from reprise.training.contrastive import contrastive_step as step_loss
from reprise.training.loop import batch_order, fit

__all__ = ["Pairs", "pretrain"]

CURVES = ["epoch", "step", "loss", "valid_loss", "pair_accuracy", "lr", "seconds"]


class Pairs:
    """Two views of each clip of a batch.

    Parameters
    ----------
    clips : Clips
        Opened for pre-training.
    config : PretrainTrial
    device : str
        Where views are made; the audio is kept there if it fits.
    """

    def __init__(self, clips: Clips, config: PretrainTrial, *, device: str) -> None:
        self.bank, self.config, self.device = clips.bank.to(device), config, device
        self.rows = clips.rows("train")
        self.augment = ViewAugment(config.views.settings, sample_rate=clips.config.sample_rate)
        valid = clips.rows("valid")
        n_visible = config.batch_size // config.groups
        self.watches_training = len(valid) < 2
        self.watched_rows = (self.rows if self.watches_training else valid)[:n_visible]

    @property
    def steps(self) -> int:
        """Batches of an epoch; clips that do not fill one wait for another epoch."""
        return len(self.rows) // self.config.batch_size

    def views(self, rows: np.ndarray, *place: int | str) -> tuple[Tensor, Tensor]:
        """Two views of clips.

        Parameters
        ----------
        rows : ndarray of int [shape=(n,)]
        *place : int or str
            With the trial's seed, what crops and changes depend on.

        Returns
        -------
        tuple of two Tensor [shape=(n, n_samples)]
        """
        config = self.config
        room = torch.from_numpy(self.bank.lengths[rows] - config.n_samples + 1)
        draws = torch.rand(2, len(rows), generator=torch_generator(config.seed, "crops", *place), dtype=torch.float64)
        starts = (draws * room).long()
        first = self.bank.batch(rows, starts[0], config.n_samples, device=self.device)
        other = first if config.same_crop else self.bank.batch(rows, starts[1], config.n_samples, device=self.device)
        generator = torch_generator(config.seed, "views", *place)
        return self.augment.pair(first, other, generator=generator, keys=torch.from_numpy(rows))

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch: each clip at most once, in an order of the epoch's own."""
        config = self.config
        order = batch_order(len(self.rows), batch_size=config.batch_size, seed=config.seed, epoch=epoch, drop_last=True)
        for index, chosen in enumerate(order):
            yield self.views(self.rows[chosen.numpy()], epoch, index)

    def watched(self) -> tuple[Tensor, Tensor]:
        """Views of as many validation clips as see each other in training, the same every time."""
        return self.views(self.watched_rows, "watched")


def pretrain(
    model: ContrastiveModel, clips: Clips, *, config: PretrainTrial, context: TrialContext
) -> tuple[pd.DataFrame, list[str]]:
    """Train encoder and projector in place.

    Parameters
    ----------
    model : ContrastiveModel
        On the context's device.
    clips : Clips
    config : PretrainTrial
    context : TrialContext
        Folder for checkpoints, and the device.

    Returns
    -------
    curves : DataFrame
        One row per epoch: ``epoch``, ``step`` (done at its end), ``loss`` (mean over its steps), ``valid_loss`` and
        ``pair_accuracy`` (of validation clips, in evaluation mode), ``lr``, ``seconds`` (of training alone).
    notes : list of str

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """
    pairs = Pairs(clips, config, device=context.device)
    fixed: list[tuple[Tensor, Tensor]] = []

    def watch(network: nn.Module, epoch: int) -> dict[str, float]:
        start = time.monotonic()
        if not fixed:
            fixed.append(pairs.watched())
        z_a, z_b = (network(view) for view in fixed[0])
        found = {
            "step": (epoch + 1) * pairs.steps,
            "valid_loss": float(nt_xent(z_a, z_b, temperature=config.temperature)),
            "pair_accuracy": float(pair_accuracy(z_a, z_b)),
        }
        return {**found, "watching": time.monotonic() - start}

    learnt = [value for value in model.parameters() if value.requires_grad]
    curves = fit(
        model,
        pairs.epoch,
        loss_fn=step_loss(temperature=config.temperature, groups=config.groups, split_norms=config.split_norms),
        optimizer=torch.optim.Adam(learnt, lr=config.learning_rate, weight_decay=config.weight_decay),
        epochs=config.epochs,
        seed=config.seed,
        autocast=torch.bfloat16 if config.autocast and context.device.startswith("cuda") else None,
        checkpoint=Checkpoint(context.folder),
        validate=watch,
        description=config.condition,
    )
    curves["seconds"] = curves["seconds"] - curves.pop("watching")
    return curves[CURVES].astype({"epoch": int, "step": int}), _notes(pairs, clips)


def _notes(pairs: Pairs, clips: Clips) -> list[str]:
    notes = [f"{len(pairs.rows)} clips of {clips.name}; steps of {pairs.config.batch_size}, {pairs.steps} per epoch."]
    if pairs.watches_training:
        notes.append("There are no validation clips: training is watched on clips that it has seen.")
    return notes
