"""Train and test one stage of one system: what a trial of this paper does."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprise.models.oblong import OblongCNN
from reprise.models.wilkins import WilkinsCNN
from reprise.papers.singing_technique.conditions import NetworkConfig, SingingTrial
from reprise.papers.singing_technique.corpus import Corpus, open_corpus
from reprise.papers.singing_technique.inputs import Inputs, make_inputs
from reprise.runs import StoredTrial, TrialContext, TrialResult
from reprise.seeds import derive_seed
from reprise.stats.metrics import classification_metrics
from reprise.training.checkpoint import Checkpoint
from reprise.training.loop import batch_order, fit

__all__ = ["build_network", "class_weights", "load_network", "run_trial"]

EVALUATION_BATCH = 64
SIDES = ("train", "valid", "test")


def class_weights(counts: np.ndarray, alpha: float) -> Tensor:
    """Smoothed inverse-frequency weights, w_c = n_c^(−α).

    Parameters
    ----------
    counts : ndarray of int [shape=(n_classes,)]
        Training clips per class.
    alpha : float ≥ 0
        0 leaves all classes equal, 1 weights by inverse frequency.

    Returns
    -------
    Tensor [shape=(n_classes,)]
        0 for a class without clips, which no target refers to.

    Notes
    -----
    Paper: Yamamoto et al. 2022, equation 2. Notebook: 01_singing_technique.ipynb.
    """
    present = counts > 0
    weights = np.where(present, np.power(np.maximum(counts, 1), -float(alpha)), 0.0)
    return torch.as_tensor(weights, dtype=torch.float32)


def build_network(config: NetworkConfig, *, seed: int, n_classes: int = 10) -> OblongCNN:
    """Oblong CNN whose initial weights depend on the seed alone.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
    n_classes : int

    Returns
    -------
    OblongCNN
        On the CPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "oblong"))
        return OblongCNN(
            n_classes=n_classes,
            deformable=config.deformable,
            modulated=config.modulated,
            pool_deformable=config.pool_deformable,
            head=config.head,
        )


def load_network(stored: StoredTrial) -> OblongCNN:
    """Trained network of a stored trial.

    Parameters
    ----------
    stored : StoredTrial
        Of any stage but ``raw`` and ``forest``.

    Returns
    -------
    OblongCNN
        In evaluation mode, on the CPU.
    """
    fields = {name: stored.config["network"][name] for name in NetworkConfig.model_fields}
    model = build_network(NetworkConfig(**fields), seed=stored.config["seed"])
    _restore(model, None, stored.weights())
    return model.eval()


def run_trial(config: SingingTrial, context: TrialContext) -> TrialResult:
    """Run one stage.

    Parameters
    ----------
    config : SingingTrial
    context : TrialContext
        Folder for checkpoints, device, and access to the parent's result.

    Returns
    -------
    TrialResult
        Five test metrics; test probabilities, and features where the stage has them; the loss curve; weights.

    Raises
    ------
    ValueError
        If there is no data folder, or it is not the one that the trial was made for.
    """
    if config.data_root is None:
        raise ValueError(
            f"trial {config.condition} has no data_root; make trials with conditions(..., data_root=folder)"
        )
    corpus = open_corpus(config.clips, config.data_root)
    if corpus.fingerprint != config.dataset:
        raise ValueError(
            f"{config.data_root} has changed since this trial was planned "
            f"(fingerprint {corpus.fingerprint[:12]}, expected {config.dataset[:12]}); plan the trials again"
        )
    stages: dict[str, Callable[[SingingTrial, TrialContext, Corpus], TrialResult]] = {
        "features": _train_network,
        "joint": _train_network,
        "classifier": _retrain_classifier,
        "forest": _fit_forest,
        "raw": _train_raw,
    }
    return stages[config.stage](config, context, corpus)


def _epoch_batches(
    epoch: int, *, config: SingingTrial, corpus: Corpus, inputs: Inputs, device: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of one epoch in an order that only the seed and the epoch decide."""
    rows = corpus.rows("train")
    for order in batch_order(len(rows), batch_size=config.batch_size, seed=config.seed, epoch=epoch):
        # batch norm has no variance of a single clip
        if len(order) > 1:
            chosen = rows[order.numpy()]
            yield inputs(chosen), corpus.targets[chosen].to(device)


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor], *, weights: Tensor) -> Tensor:
    inputs, targets = batch
    return F.cross_entropy(model(inputs), targets, weight=weights)


@torch.no_grad()
def _apply(function: Callable[[Tensor], Tensor], inputs: Inputs, rows: np.ndarray) -> Tensor:
    """Apply a function of the network's input to some clips, batch by batch; the result is on the CPU."""
    batches = np.array_split(rows, -(-len(rows) // EVALUATION_BATCH))
    return torch.cat([function(inputs(batch)).float().cpu() for batch in batches])


def _see(
    function: Callable[[Tensor], Tensor],
    *,
    config: SingingTrial,
    corpus: Corpus,
    device: str,
) -> dict[str, Tensor]:
    """Apply a function of the network's input to each side of the split that has clips."""
    inputs = make_inputs(config, corpus, device=device)
    sides = {side: corpus.rows(side) for side in SIDES}
    return {side: _apply(function, inputs, rows) for side, rows in sides.items() if len(rows)}


def _fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    config: SingingTrial,
    context: TrialContext,
    corpus: Corpus,
) -> pd.DataFrame:
    """Train on the training side with the loss weights of this stage; return the curves."""
    weights = class_weights(corpus.counts(), config.alpha).to(context.device)
    inputs = make_inputs(config, corpus, device=context.device)
    return fit(
        model,
        partial(_epoch_batches, config=config, corpus=corpus, inputs=inputs, device=context.device),
        loss_fn=partial(_loss, weights=weights),
        optimizer=optimizer,
        epochs=config.epochs,
        first_epoch=_parent(config).epochs if config.stage == "joint" else 0,
        seed=config.seed,
        checkpoint=Checkpoint(context.folder),
        description=config.condition,
    )


@torch.no_grad()
def _to_evaluation(model: nn.Module, *, config: SingingTrial, corpus: Corpus, device: str) -> None:
    """Switch to evaluation mode, where asked with batch-norm statistics of the training clips under these weights.

    Running averages lag behind weights that still move, and contain dropout's noise; after 200 epochs at a small
    learning rate that hardly matters, after ten at a large one the network predicts one class.
    """
    model.eval()
    if config.batch_norm_statistics == "running":
        return
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # a plain average over the batches
    inputs = make_inputs(config, corpus, device=device)
    rows = corpus.rows("train")
    for batch in np.array_split(rows, -(-len(rows) // EVALUATION_BATCH)):
        model(inputs(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def _train_network(config: SingingTrial, context: TrialContext, corpus: Corpus) -> TrialResult:
    """First phase, or joint training that goes on where the first phase ended, to the same bits as one long run."""
    model = build_network(_network(config), seed=config.seed).to(context.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    parent = None if config.parent is None else context.load(config.parent)
    if parent is not None:
        _restore(model, optimizer, parent.weights())
    curves = _fit(model, optimizer, config=config, context=context, corpus=corpus)
    _to_evaluation(model, config=config, corpus=corpus, device=context.device)
    features = _see(model.features, config=config, corpus=corpus, device=context.device)
    result = _result(corpus, {side: _softmax(model.classifier.cpu()(values)) for side, values in features.items()})
    result.arrays.update({f"{side}_features": values.numpy() for side, values in features.items()})
    result.curves = curves if parent is None else pd.concat([parent.curves, curves], ignore_index=True)
    result.weights = _state(model, optimizer)
    return result


def _retrain_classifier(config: SingingTrial, context: TrialContext, corpus: Corpus) -> TrialResult:
    """Second phase: the last layer alone, on features that no longer change (§3.3)."""
    parent = context.load(_parent(config))
    if config.frozen_mode == "train":
        return _retrain_in_train_mode(config, context, corpus)
    model = build_network(_network(config), seed=config.seed)
    _restore(model, None, parent.weights())
    classifier = _classifier(model, config)
    rows, features = corpus.rows("train"), torch.from_numpy(parent.arrays["train_features"])
    targets = corpus.targets[rows]
    weights = class_weights(corpus.counts(), config.alpha)

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for order in batch_order(len(rows), batch_size=config.batch_size, seed=config.seed, epoch=epoch):
            yield features[order], targets[order]

    curves = fit(
        classifier,
        batches,
        loss_fn=lambda layer, batch: F.cross_entropy(layer(batch[0]), batch[1], weight=weights),
        optimizer=torch.optim.Adam(classifier.parameters(), lr=config.learning_rate),
        epochs=config.epochs,
        seed=config.seed,
        checkpoint=Checkpoint(context.folder),
        description=config.condition,
    )
    sides = {side: torch.from_numpy(parent.arrays[f"{side}_features"]) for side in SIDES if len(corpus.rows(side))}
    result = _result(corpus, {side: _softmax(classifier(values)) for side, values in sides.items()})
    result.curves = curves
    result.weights = _state(model, None)
    return result


def _retrain_in_train_mode(config: SingingTrial, context: TrialContext, corpus: Corpus) -> TrialResult:
    """Second phase as the published code runs it: frozen weights, but live dropout and drifting batch norm."""
    model = build_network(_network(config), seed=config.seed)
    _restore(model, None, context.load(_parent(config)).weights())
    classifier = _classifier(model, config)
    model.to(context.device).requires_grad_(False)
    classifier.requires_grad_(True)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=config.learning_rate)
    curves = _fit(model, optimizer, config=config, context=context, corpus=corpus)
    model.eval()
    result = _result(
        corpus, {s: _softmax(v) for s, v in _see(model, config=config, corpus=corpus, device=context.device).items()}
    )
    result.curves = curves
    result.weights = _state(model, None)
    return result


def _fit_forest(config: SingingTrial, context: TrialContext, corpus: Corpus) -> TrialResult:
    """Random forest on the features of a jointly trained network (the Oblong baseline)."""
    from sklearn.ensemble import RandomForestClassifier

    parent = context.load(_parent(config))
    forest = RandomForestClassifier(
        n_estimators=config.forest_trees,
        class_weight="balanced_subsample",
        random_state=derive_seed(config.seed, "forest") % 2**32,
    )
    forest.fit(parent.arrays["train_features"], corpus.targets[corpus.rows("train")].numpy())
    probabilities = {}
    for side in SIDES:
        rows = corpus.rows(side)
        if len(rows):
            full = np.zeros((len(rows), len(corpus.classes)), dtype=np.float32)
            full[:, forest.classes_] = forest.predict_proba(parent.arrays[f"{side}_features"])
            probabilities[side] = torch.from_numpy(full)
    return _result(corpus, probabilities)


def _train_raw(config: SingingTrial, context: TrialContext, corpus: Corpus) -> TrialResult:
    """The 1-D CNN of Wilkins et al. on samples."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "cnn1d"))
        model = WilkinsCNN(n_classes=len(corpus.classes), n_samples=config.clips.n_samples)
    model.to(context.device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    curves = _fit(model, optimizer, config=config, context=context, corpus=corpus)
    _to_evaluation(model, config=config, corpus=corpus, device=context.device)
    result = _result(
        corpus, {s: _softmax(v) for s, v in _see(model, config=config, corpus=corpus, device=context.device).items()}
    )
    result.curves = curves
    result.weights = _state(model, None)
    return result


def _network(config: SingingTrial) -> NetworkConfig:
    if config.network is None:
        raise ValueError(f"stage {config.stage} of {config.condition} needs a network; make trials with conditions()")
    return config.network


def _parent(config: SingingTrial) -> SingingTrial:
    if config.parent is None:
        raise ValueError(f"stage {config.stage} of {config.condition} needs a parent; make trials with conditions()")
    return config.parent


def _classifier(model: OblongCNN, config: SingingTrial) -> nn.Linear:
    """Last layer of the model, drawn anew where the trial asks for it."""
    if config.reinitialise:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(config.seed, "classifier"))
            model.classifier.reset_parameters()
    return model.classifier


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits.detach().cpu().float(), dim=1)


def _result(corpus: Corpus, probabilities: dict[str, Tensor]) -> TrialResult:
    """Metrics on the test side (and on held-out singers, where there are any), with the probabilities behind them."""
    metrics: dict[str, float] = {}
    arrays: dict[str, np.ndarray] = {}
    for side, prefix in (("test", ""), ("valid", "valid_")):
        if side in probabilities:
            values, targets = probabilities[side].numpy(), corpus.targets[corpus.rows(side)].numpy()
            scores = classification_metrics(values, targets, n_classes=len(corpus.classes))
            metrics.update({prefix + name: score for name, score in scores.items()})
            arrays[f"{side}_probabilities"] = values
    return TrialResult(metrics=metrics, arrays=arrays)


def _state(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> dict[str, Tensor]:
    """Weights, and the optimiser's moments under ``optimizer.``, as tensors only."""
    state = {f"model.{name}": value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if optimizer is not None:
        for index, moments in optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{index}.{name}": value.detach().cpu() for name, value in moments.items()}
    return state


def _restore(model: nn.Module, optimizer: torch.optim.Optimizer | None, state: dict[str, Tensor]) -> None:
    """Inverse of :func:`_state`."""
    model.load_state_dict({name[len("model.") :]: value for name, value in state.items() if name.startswith("model.")})
    if optimizer is None:
        return
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
