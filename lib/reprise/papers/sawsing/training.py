"""Train a vocoder in stretches between validations, resumable to the same bits."""

import itertools
import math
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn

from reprise.audio.losses import f0_loss, multi_scale_stft_loss
from reprise.papers.sawsing.corpus import Songs
from reprise.papers.sawsing.crops import Crops
from reprise.papers.sawsing.objectives import Turn, learner, loss_of, optimiser, turns
from reprise.papers.sawsing.trials import TrainingConfig, VocoderTrial
from reprise.runs import TrialContext
from reprise.seeds import derive_seed, torch_generator
from reprise.training.checkpoint import Checkpoint
from reprise.training.loop import fit

__all__ = ["stretches", "train", "training_rows", "validate", "validation_rows"]


def stretches(training: TrainingConfig) -> list[range]:
    """Steps between one validation and the next.

    Parameters
    ----------
    training : TrainingConfig

    Returns
    -------
    list of range
        They end at multiples of ``valid_every``, at ``early_step`` and at the last step.
    """
    ends = {training.steps, *range(training.valid_every, training.steps, training.valid_every)}
    if training.early_step is not None:
        ends.add(training.early_step)
    borders = [0, *sorted(ends)]
    return [range(first, last) for first, last in itertools.pairwise(borders)]


def training_rows(songs: Songs, config: VocoderTrial) -> np.ndarray:
    """Recordings that a trial trains on: all, or those of a few songs [shape=(n,)]."""
    n_songs = None if config.training is None else config.training.n_songs
    return songs.rows("train") if n_songs is None else songs.limited_rows(config.seed, n_songs)


def validation_rows(songs: Songs, config: VocoderTrial) -> np.ndarray:
    """Recordings that a training is watched on.

    Parameters
    ----------
    songs : Songs
    config : VocoderTrial

    Returns
    -------
    ndarray of int [shape=(n,)]
        Those of the validation side, else as many songs of the training side; never test songs.
    """
    rows = songs.rows("valid")
    if len(rows):
        return rows
    rows = training_rows(songs, config)
    groups = songs.table["group"].iloc[rows]
    return rows[groups.isin(pd.unique(groups)[: songs.config.n_valid_songs]).to_numpy()]


@torch.no_grad()
def validate(
    network: nn.Module, songs: Songs, *, rows: np.ndarray, config: VocoderTrial, step: int
) -> dict[str, float]:
    """Losses of whole recordings.

    Parameters
    ----------
    network : Module
        The vocoder, in evaluation mode.
    songs : Songs
    rows : ndarray of int [shape=(n,)]
    config : VocoderTrial
    step : int
        Steps done, which decide what the f0 loss is.

    Returns
    -------
    dict of str to float
        ``valid_msstft`` by the formula that is trained with, and ``valid_f0_loss``, NaN without a predicted pitch;
        means over recordings.
    """
    from reprise.papers.sawsing.synthesis import resynthesise

    if config.training is None:
        raise ValueError(f"{config.condition} takes its weights from another trial and is not trained")
    device = next(network.parameters()).device
    spectral, pitch = [], []
    for row in rows:
        mel = songs.mel(row, config.mel).to(device)[None]
        # the same noise every time, so that what moves is the network
        generator = torch_generator(config.seed, "validation", int(row), device=str(device))
        output = resynthesise(network, mel, generator=generator)
        target = songs.song(row).to(device)[: output.audio.shape[1]]
        audio = output.audio[:, : len(target)]
        spectral.append(float(multi_scale_stft_loss(audio, target[None], formula=config.training.loss.formula)))
        if output.f0 is not None:
            labels = songs.f0(row).to(device)[None, : output.f0.shape[1]]
            switch_step = config.training.loss.switch_step or 0
            pitch.append(float(f0_loss(output.f0[:, : labels.shape[1]], labels, step=step, switch_step=switch_step)))
    return {
        "valid_msstft": float(np.mean(spectral)),
        "valid_f0_loss": float(np.mean(pitch)) if pitch else math.nan,
    }


def train(
    network: nn.Module, songs: Songs, *, config: VocoderTrial, context: TrialContext
) -> tuple[pd.DataFrame, list[str]]:
    """Train a vocoder in place.

    Parameters
    ----------
    network : Module
        On the context's device.
    songs : Songs
    config : VocoderTrial
        With a ``training``.
    context : TrialContext
        Folder for checkpoints, and the device.

    Returns
    -------
    curves : DataFrame
        One row per stretch: ``epoch, step`` (steps done at its end), ``loss`` (mean over its updates, of GANs the
        generator's and the discriminators'), ``lr, seconds`` (of training alone), ``valid_msstft, valid_f0_loss``.
    notes : list of str
    """
    if config.training is None:
        raise ValueError(f"{config.condition} takes its weights from another trial and is not trained")
    crops = Crops(
        songs,
        training_rows(songs, config),
        training=config.training,
        mel=config.mel,
        seed=config.seed,
        device=context.device,
    )
    parts, rows = stretches(config.training), validation_rows(songs, config)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(config.seed, "discriminators"))
        model = learner(network, config).to(context.device)
    best = _Best(Checkpoint(context.folder, name="best"), kept=config.training.selection == "best")

    def batches(epoch: int) -> Iterator[Turn]:
        return (turn for step in parts[epoch] for turn in turns(crops.batch(step), config))

    def watch(_: nn.Module, epoch: int) -> dict[str, float]:
        start, step = time.monotonic(), parts[epoch].stop
        found = validate(network, songs, rows=rows, config=config, step=step)
        best.offer(network, loss=found["valid_msstft"])
        return {"step": step, **found, "watching": time.monotonic() - start}

    curves = fit(
        model,
        batches,
        loss_fn=partial(loss_of, config=config),
        optimizer=optimiser(model, config),
        epochs=len(parts),
        seed=config.seed,
        checkpoint=Checkpoint(context.folder),
        validate=watch,
        description=config.condition,
    )
    best.restore(network)
    curves["seconds"] = curves["seconds"] - curves.pop("watching")
    columns = ["epoch", "step", "loss", "lr", "seconds", "valid_msstft", "valid_f0_loss"]
    return curves[columns].astype({"step": int}), _notes(songs, crops)


def _notes(songs: Songs, crops: Crops) -> list[str]:
    notes = []
    if crops.left_out:
        notes.append(f"{len(crops.left_out)} recordings are shorter than a crop and are not trained on.")
    if not len(songs.rows("valid")):
        notes.append("There is no validation song: training is watched on songs that it has seen.")
    return notes


class _Best:
    """Weights of the lowest validation loss, beside the checkpoint, where they are to be kept."""

    def __init__(self, checkpoint: Checkpoint, *, kept: bool) -> None:
        self.checkpoint, self.kept = checkpoint, kept
        stored = checkpoint.load() if kept else None
        self.loss = math.inf if stored is None else float(stored["loss"])

    def offer(self, network: nn.Module, *, loss: float) -> None:
        if self.kept and loss < self.loss:
            self.loss = loss
            self.checkpoint.save({"loss": loss, "model": network.state_dict()})

    def restore(self, network: nn.Module) -> None:
        stored = self.checkpoint.load() if self.kept else None
        if stored is not None:
            network.load_state_dict(stored["model"])
