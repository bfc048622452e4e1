"""Pre-train an encoder without labels, or probe one: what the trials of this paper do."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from reprise.models.shapes import count_parameters
from reprise.papers.tune.answers import answer
from reprise.papers.tune.corpus import Clips, open_clips
from reprise.papers.tune.embedding import embed
from reprise.papers.tune.encoders import build_encoder, build_model
from reprise.papers.tune.open_task import open_task
from reprise.papers.tune.pretraining import pretrain
from reprise.papers.tune.trials import PretrainTrial, ProbeTrial
from reprise.runs import StoredTrial, TrialContext, TrialResult
from reprise.training.contrastive import ContrastiveModel

__all__ = ["config_of", "embed", "load_contrastive", "load_encoder", "run_pretraining", "run_probes"]

ENCODER = "encoder."


def run_pretraining(config: PretrainTrial, context: TrialContext) -> TrialResult:
    """Pre-train an encoder.

    Parameters
    ----------
    config : PretrainTrial
    context : TrialContext
        Folder for checkpoints, and the device.

    Returns
    -------
    TrialResult
        Metrics ``pretrain_loss`` (mean of the last epoch), ``valid_loss``, ``pair_accuracy``, ``steps``,
        ``seconds_per_step`` and ``n_parameters`` (of the encoder); curves of
        `reprise.papers.tune.pretraining.pretrain`; weights of encoder and projector.

    Raises
    ------
    ValueError
        If there is no data folder, or it is not the one that the trial was made for.
    """
    clips = _open(config)
    tail = None if config.parent is None else _encoder_weights(context.load(config.parent))
    model = build_model(config, tail=tail).to(context.device)
    curves, notes = pretrain(model, clips, config=config, context=context)
    # the bank outlives the trial, its samples on the device need not
    clips.bank.to("cpu")
    last = curves.iloc[-1]
    metrics = {
        "pretrain_loss": float(last["loss"]),
        "valid_loss": float(last["valid_loss"]),
        "pair_accuracy": float(last["pair_accuracy"]),
        "steps": float(last["step"]),
        "seconds_per_step": float(curves["seconds"].sum()) / float(last["step"]),
        "n_parameters": float(count_parameters(model.encoder)),
    }
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    return TrialResult(metrics, curves=curves, weights=weights, notes=[*clips.notes, *notes])


def run_probes(config: ProbeTrial, context: TrialContext) -> TrialResult:
    """Train and test the probes of a task.

    Parameters
    ----------
    config : ProbeTrial
    context : TrialContext

    Returns
    -------
    TrialResult
        Metrics and arrays of `reprise.papers.tune.answers.answer`, and ``n_parameters`` of the encoder.

    Raises
    ------
    ValueError
        If there is no data folder, or it is not the one that the trial was made for.
    """
    clips = _open(config)
    if config.parent is None:
        encoder = build_encoder(config.encoder, seed=config.seed)
    else:
        encoder = load_encoder(context.load(config.parent))
    encoder = encoder.to(context.device).eval()
    task = open_task(encoder, clips, config=config, device=context.device)
    clips.bank.to("cpu")
    metrics, arrays, notes = answer(task)
    metrics["n_parameters"] = float(count_parameters(encoder))
    return TrialResult(metrics, arrays=arrays, notes=[*clips.notes, *notes])


def _open(config: PretrainTrial | ProbeTrial) -> Clips:
    if config.data_root is None:
        raise ValueError(f"trial {config.condition} has no folder of clips; make trials with conditions()")
    clips = open_clips(config.clips, Path(config.data_root))
    if clips.fingerprint != config.dataset:
        raise ValueError(
            f"{config.data_root} has changed since this trial was planned (fingerprint {clips.fingerprint[:12]}, "
            f"expected {config.dataset[:12]}); plan the trials again"
        )
    return clips


def config_of(stored: StoredTrial) -> PretrainTrial | ProbeTrial:
    """Trial of a stored result.

    Parameters
    ----------
    stored : StoredTrial

    Returns
    -------
    PretrainTrial or ProbeTrial
        Without the data folder.

    Raises
    ------
    ValueError
        If it is the result of another paper.
    """
    kind = ProbeTrial if stored.config.get("class") == ProbeTrial.__name__ else PretrainTrial
    return kind.restore(stored.config)


def _pretraining(stored: StoredTrial) -> PretrainTrial:
    config: Any = config_of(stored)
    if not isinstance(config, PretrainTrial):
        raise ValueError(f"{stored.folder} holds probes, which have no encoder of their own; give their pre-training")
    return config


def _encoder_weights(stored: StoredTrial) -> dict[str, Tensor]:
    return {name.removeprefix(ENCODER): value for name, value in stored.weights().items() if name.startswith(ENCODER)}


def load_contrastive(stored: StoredTrial) -> ContrastiveModel:
    """Encoder and projector of a stored pre-training.

    Parameters
    ----------
    stored : StoredTrial

    Returns
    -------
    ContrastiveModel
        In evaluation mode, on the CPU.

    Raises
    ------
    ValueError
        If it holds probes.
    """
    model = build_model(_pretraining(stored))
    model.load_state_dict(stored.weights())
    return model.eval()


def load_encoder(stored: StoredTrial) -> nn.Module:
    """Encoder of a stored pre-training.

    Parameters
    ----------
    stored : StoredTrial

    Returns
    -------
    Module
        Waveforms [shape=(batch, time)] → vectors [shape=(batch, representation)]; in evaluation mode, on the CPU.

    Raises
    ------
    ValueError
        If it holds probes.
    """
    config = _pretraining(stored)
    encoder = build_encoder(config.encoder, seed=config.seed)
    encoder.load_state_dict(_encoder_weights(stored))
    return encoder.eval()
