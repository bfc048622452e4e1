"""Train one system on one seed and score it on every set: what a trial of this paper does."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprise.models.aggregate import aggregate_s1
from reprise.models.shapes import count_parameters
from reprise.papers.irmas.batches import n_updates, training_batches
from reprise.papers.irmas.corpus import Corpus, open_corpus
from reprise.papers.irmas.inputs import Inputs
from reprise.papers.irmas.networks import build_network, build_optimiser, load_network
from reprise.papers.irmas.systems import SetName
from reprise.papers.irmas.trials import IrmasTrial
from reprise.runs import TrialContext, TrialResult
from reprise.stats.multilabel import multilabel_metrics, strongest_is_one
from reprise.training.checkpoint import Checkpoint
from reprise.training.loop import fit

__all__ = ["clip_scores", "load_network", "run_trial", "s2_loss"]

# windows that batch-norm statistics are averaged over
RECALCULATE_WINDOWS = 256
IMAGE_NETWORKS = ("mfcc", "features_2d", "resnet")


def run_trial(config: IrmasTrial, context: TrialContext) -> TrialResult:
    """Train a system, take the weights of the lowest validation loss, score all sets.

    Parameters
    ----------
    config : IrmasTrial
    context : TrialContext
        Folder for checkpoints, and the device.

    Returns
    -------
    TrialResult
        Metrics on the test side of its own set (``valid_…`` on the validation side, ``audioset_…`` or ``irmas_…`` on
        the other set's test side), ``seconds_per_epoch``, ``n_parameters``, on a GPU ``peak_memory_gb``; the mean
        probabilities ``<set>_<side>_scores``; curves with ``valid_loss``; weights.

    Raises
    ------
    ValueError
        If there is no data folder, or it is not the one that the trial was made for.
    """
    corpora = _open(config)
    training = corpora[config.trained_on]
    inputs = Inputs(training, config.inputs, config.augment, context.device)
    model = build_network(config.network, seed=config.seed, n_classes=len(training.classes)).to(context.device)
    if config.network.family in IMAGE_NETWORKS:
        # a third faster on a CPU
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if context.device.startswith("cuda"):
        for corpus in corpora.values():
            corpus.bank.to(context.device)
        torch.cuda.reset_peak_memory_stats(context.device)
    optimiser, schedule = build_optimiser(model, config.optimiser, updates=n_updates(config, training))
    best = _Best(context.folder)
    validated = len(training.rows("valid")) > 0
    curves = fit(
        model,
        lambda epoch: training_batches(config, inputs, epoch=epoch),
        loss_fn=_loss,
        optimizer=optimiser,
        schedule=schedule,
        epochs=config.epochs,
        seed=config.seed,
        accumulate=config.optimiser.accumulate,
        clip_norm=config.optimiser.clip_norm,
        checkpoint=Checkpoint(context.folder),
        validate=partial(_validate, config=config, inputs=inputs, best=best) if validated else None,
        description=config.condition,
    )
    if validated and config.selection == "best":
        best.restore(model)
    elif not validated:
        _recalculate(model, config=config, inputs=inputs)
    scores = _score(model.eval(), inputs, corpora)
    result = TrialResult(metrics=_metrics(config, corpora, scores), arrays=scores, curves=curves)
    result.metrics |= {"seconds_per_epoch": float(curves["seconds"].mean()), "n_parameters": count_parameters(model)}
    if context.device.startswith("cuda"):
        result.metrics["peak_memory_gb"] = torch.cuda.max_memory_allocated(context.device) / 1e9
    result.weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if not validated:
        result.notes.append("There is no validation clip, so the last weights were taken.")
    return result


def _open(config: IrmasTrial) -> dict[SetName, Corpus]:
    """Corpora of the trial's sets at its sample rate, checked against the fingerprints of its plan."""
    sets = config.sets
    places: list[tuple[SetName, str, Path | None, str | None]] = [
        ("irmas", sets.collection, sets.irmas_root, sets.irmas),
        ("audioset", "audioset", sets.audioset_root, sets.audioset),
    ]
    corpora: dict[SetName, Corpus] = {}
    for name, collection, folder, expected in places:
        if expected is None:
            continue
        if folder is None:
            raise ValueError(f"trial {config.condition} has no folder of {name}; make trials with Collection.sets")
        corpus = open_corpus(collection, folder, config=config.clips)
        if corpus.fingerprint != expected:
            raise ValueError(
                f"{folder} has changed since this trial was planned (fingerprint {corpus.fingerprint[:12]}, expected "
                f"{expected[:12]}); plan the trials again"
            )
        corpora[name] = corpus
    classes = corpora[config.trained_on].classes
    # notes have other instruments than AudioSet, so that neither network can be scored on the other set
    return {name: corpus for name, corpus in corpora.items() if corpus.classes == classes}


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    inputs, targets = batch
    return F.binary_cross_entropy_with_logits(model(inputs), targets)


@torch.no_grad()
def clip_scores(model: nn.Module, inputs: Inputs, *, corpus: Corpus, side: str) -> Tensor:
    """Mean probability of each instrument over each clip's windows (S1).

    Parameters
    ----------
    model : Module
        In evaluation mode, on the device of ``inputs``.
    inputs : Inputs
    corpus : Corpus
        May be another set than the one that was trained on.
    side : str

    Returns
    -------
    Tensor [shape=(n_clips_of_side, n_classes)]
        On the CPU.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 4.7. Notebook: 05_irmas.ipynb.
    """
    batches, clips = inputs.evaluation(corpus, side)
    probabilities = torch.cat([torch.sigmoid(model(batch)).float() for batch in batches])
    return aggregate_s1(probabilities.cpu(), clips)


def s2_loss(scores: Tensor, targets: Tensor) -> float:
    """Binary cross-entropy of S2 scores, by which the paper chooses its checkpoints.

    Parameters
    ----------
    scores : Tensor [shape=(n_clips, n_classes)]
        Mean or summed probabilities.
    targets : Tensor [shape=(n_clips, n_classes)], 0 or 1

    Returns
    -------
    float
        A clip whose strongest instrument does not play costs 100 / n_classes: torch's floor of the logarithm.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 5.1. Notebook: 05_irmas.ipynb.
    """
    relative = torch.from_numpy(strongest_is_one(scores.numpy())).float()
    return float(F.binary_cross_entropy(relative, targets))


def _validate(model: nn.Module, epoch: int, *, config: IrmasTrial, inputs: Inputs, best: "_Best") -> dict[str, float]:
    """S2 loss on the validation side; the weights are kept where it is the lowest yet."""
    _recalculate(model, config=config, inputs=inputs)
    corpus = inputs.training
    loss = s2_loss(clip_scores(model, inputs, corpus=corpus, side="valid"), corpus.targets[corpus.rows("valid")])
    best.offer(model, epoch=epoch, loss=loss)
    return {"valid_loss": loss}


class _Best:
    """Weights of the lowest validation loss, in a file beside the checkpoint, so that a resumed run has them too."""

    def __init__(self, folder: Path) -> None:
        self.checkpoint = Checkpoint(folder, name="best")
        stored = self.checkpoint.load()
        self.loss = math.inf if stored is None else float(stored["loss"])

    def offer(self, model: nn.Module, *, epoch: int, loss: float) -> None:
        # an interrupted epoch that is run again has the same loss, and its weights are there
        if loss < self.loss:
            self.loss = loss
            self.checkpoint.save({"loss": loss, "epoch": epoch, "model": model.state_dict()})

    def restore(self, model: nn.Module) -> None:
        stored = self.checkpoint.load()
        if stored is None:
            raise RuntimeError(
                f"{self.checkpoint.folder} holds no best weights although it was validated; remove it and run again"
            )
        model.load_state_dict(stored["model"])


@torch.no_grad()
def _recalculate(model: nn.Module, *, config: IrmasTrial, inputs: Inputs) -> None:
    """Batch-norm statistics of the unchanged training examples under these weights, where the trial asks for them.

    Running averages lag behind weights that still move; after thousands of steps at a small rate that hardly matters,
    after thirty at a large one the network says the same of every clip.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    if config.batch_norm_statistics == "running" or not norms:
        model.eval()
        return
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # a plain average over the batches
    seen = 0
    for windows, _ in training_batches(config, inputs, epoch=0, augmented=False):
        model(windows)
        seen += len(windows)
        if seen >= RECALCULATE_WINDOWS:
            break
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def _score(model: nn.Module, inputs: Inputs, corpora: dict[SetName, Corpus]) -> dict[str, np.ndarray]:
    """Mean probabilities of every clip that was not trained on."""
    return {
        f"{name}_{side}_scores": clip_scores(model, inputs, corpus=corpus, side=side).numpy()
        for name, corpus in corpora.items()
        for side in ("valid", "test")
        if len(corpus.rows(side))
    }


def _metrics(config: IrmasTrial, corpora: dict[SetName, Corpus], scores: dict[str, np.ndarray]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, corpus in corpora.items():
        own = name == config.trained_on
        for side in ("test", "valid") if own else ("test",):
            if f"{name}_{side}_scores" not in scores:
                continue
            values = strongest_is_one(scores[f"{name}_{side}_scores"])
            targets = corpus.targets[corpus.rows(side)].numpy()
            if config.drop_last and side == "test" and len(values) >= config.batch_size:
                kept = len(values) - len(values) % config.batch_size
                values, targets = values[:kept], targets[:kept]
            prefix = ("" if own else f"{name}_") if side == "test" else "valid_"
            found = multilabel_metrics(values, targets, threshold=config.threshold)
            metrics |= {prefix + metric: value for metric, value in found.items()}
    return metrics
