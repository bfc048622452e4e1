"""Train a vocoder on a singer's songs and score it on others: what a trial of this paper does."""

import math
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from reprise.models.shapes import count_parameters
from reprise.models.synthesiser import VocoderOutput
from reprise.papers.sawsing.corpus import Songs, open_songs
from reprise.papers.sawsing.networks import build_network
from reprise.papers.sawsing.scoring import score, summary
from reprise.papers.sawsing.synthesis import resynthesise
from reprise.papers.sawsing.training import train
from reprise.papers.sawsing.trials import VocoderTrial
from reprise.runs import StoredTrial, TrialContext, TrialResult
from reprise.seeds import derive_seed, torch_generator

__all__ = ["config_of", "load_network", "resynthesis", "run_trial"]


def run_trial(config: VocoderTrial, context: TrialContext) -> TrialResult:
    """Train a system, or take the weights of another, and score it on the test songs.

    Parameters
    ----------
    config : VocoderTrial
    context : TrialContext
        Folder for checkpoints, and the device.

    Returns
    -------
    TrialResult
        Metrics of `reprise.papers.sawsing.scoring.summary`, ``steps``, ``n_parameters`` (of the vocoder alone),
        ``seconds_per_step``, ``valid_msstft`` and ``msstft_early`` (the validation loss after the early step); NaN
        where a system is not trained. Arrays of `reprise.papers.sawsing.scoring.score`; curves; weights of the vocoder.

    Raises
    ------
    ValueError
        If there is no data folder, or it is not the one that the trial was made for.
    """
    songs = _open(config)
    if context.device.startswith("cuda"):
        songs.bank.to(context.device)
    network = _built(config).to(context.device)
    curves, notes = None, []
    metrics: dict[str, float] = {}
    if config.parent is not None:
        parent = context.load(config.parent)
        network.load_state_dict(parent.weights())
        metrics = {"steps": parent.metrics["steps"]}
        notes = [f"The weights are those of {config.parent.condition}."]
    else:
        curves, notes = train(network, songs, config=config, context=context)
    network.eval()
    scores = score(network, songs, config=config)
    return TrialResult(
        metrics=metrics | _course(curves, config) | summary(scores) | {"n_parameters": count_parameters(network)},
        arrays=scores,
        curves=curves,
        weights={name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()},
        notes=[*songs.notes, *notes],
    )


def _open(config: VocoderTrial) -> Songs:
    if config.data_root is None:
        raise ValueError(f"trial {config.condition} has no folder of songs; make trials with conditions()")
    songs = open_songs(config.songs, Path(config.data_root))
    if songs.fingerprint != config.dataset:
        raise ValueError(
            f"{config.data_root} has changed since this trial was planned (fingerprint {songs.fingerprint[:12]}, "
            f"expected {config.dataset[:12]}); plan the trials again"
        )
    return songs


def _built(config: VocoderTrial) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(config.seed, "weights"))
        return build_network(config.network)


def _course(curves: pd.DataFrame | None, config: VocoderTrial) -> dict[str, float]:
    """Numbers of the training."""
    if curves is None or config.training is None:
        return dict.fromkeys(("seconds_per_step", "valid_msstft", "msstft_early"), math.nan)
    early = curves.loc[curves["step"] == config.training.early_step, "valid_msstft"]
    return {
        "steps": float(config.training.steps),
        "seconds_per_step": float(curves["seconds"].sum()) / config.training.steps,
        "valid_msstft": float(curves["valid_msstft"].iloc[-1]),
        "msstft_early": float(early.iloc[0]) if len(early) else math.nan,
    }


def config_of(stored: StoredTrial) -> VocoderTrial:
    """Trial of a stored result.

    Parameters
    ----------
    stored : StoredTrial

    Returns
    -------
    VocoderTrial
        Without the data folder.

    Raises
    ------
    ValueError
        If it is the result of another paper.
    """
    return VocoderTrial.restore(stored.config)


def load_network(stored: StoredTrial) -> nn.Module:
    """Trained vocoder of a stored trial.

    Parameters
    ----------
    stored : StoredTrial

    Returns
    -------
    Module
        In evaluation mode, on the CPU.
    """
    network = build_network(config_of(stored).network)
    network.load_state_dict(stored.weights())
    return network.eval()


def resynthesis(stored: StoredTrial, songs: Songs, *, row: int, f0: torch.Tensor | None = None) -> VocoderOutput:
    """What a stored trial makes of a recording.

    Parameters
    ----------
    stored : StoredTrial
    songs : Songs
        Those of the trial, or of another singer read in the same way.
    row : int
    f0 : Tensor [shape=(1, n_frames)] or None, Hz
        Sounds instead of the predicted one.

    Returns
    -------
    VocoderOutput
        ``audio`` [shape=(1, time)], the one whose pitch was scored; compare it with ``songs.song(row)[:time]``.
    """
    config = config_of(stored)
    mel = songs.mel(row, config.mel)[None]
    return resynthesise(
        load_network(stored),
        mel,
        generator=torch_generator(config.seed, "noise", row, 0),
        f0=f0,
        debuzz=config.scoring.pitch if config.debuzz else None,
    )
