"""Probes of one task on the representations of one fixed encoder."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from reprise.papers.tune.embedding import EMBEDDING
from reprise.papers.tune.open_task import Task
from reprise.papers.tune.trials import ProtocolConfig
from reprise.seeds import torch_generator
from reprise.stats.tagging import tag_scores
from reprise.training.probe import (
    STOPPING,
    Examples,
    Probe,
    ProbeConfig,
    Stopping,
    best_probe,
    supplement_grid,
    train_probes,
)

__all__ = [
    "block_scores",
    "label_subset",
    "macro",
    "probe_configs",
    "stopping_of",
    "subset_scores",
    "train_kinds",
]

RATES = {"paper": 3e-4, "code": 1e-3}


def probe_configs(protocol: ProtocolConfig, kind: str, *, n_features: int, seed: int) -> list[ProbeConfig]:
    """Probes of one kind.

    Parameters
    ----------
    protocol : ProtocolConfig
    kind : "linear" or "mlp"
    n_features : int
        Hidden units of the second, as many as there are features; the supplement's has 512.
    seed : int

    Returns
    -------
    list of ProbeConfig
        One, or those of the supplement's grid, of which the best on the validation clips counts.
    """
    if protocol.name == "supplement":
        return [config for config in supplement_grid(seed=seed) if (config.hidden is None) == (kind == "linear")]
    hidden = None if kind == "linear" else n_features
    return [ProbeConfig(hidden=hidden, lr=RATES[protocol.name], batch_size=protocol.batch_size, seed=seed)]


def stopping_of(protocol: ProtocolConfig) -> Stopping:
    """When probes of a protocol stop."""
    stopping = STOPPING[protocol.name]
    return stopping if protocol.name == "supplement" else replace(stopping, max_epochs=protocol.max_epochs)


def _train(task: Task, train: Examples, *, kinds: Sequence[str], block: str = EMBEDDING) -> dict[str, Probe]:
    """Best probe of each kind, all of them trained side by side."""
    protocol, n_features = task.config.protocol, train.features.shape[1]
    configs = {kind: probe_configs(protocol, kind, n_features=n_features, seed=task.config.seed) for kind in kinds}
    probes = train_probes(
        train,
        task.examples("valid", block=block),
        configs=[config for group in configs.values() for config in group],
        kind=task.kind,
        n_classes=len(task.clips.classes) if task.kind == "classes" else None,
        score=task.score()[0],
        stopping=stopping_of(protocol),
    )
    best, first = {}, 0
    for kind, group in configs.items():
        best[kind] = best_probe(probes[first : first + len(group)])
        first += len(group)
    return best


def train_kinds(task: Task) -> dict[str, Probe]:
    """Train the probes of all kinds on the encoder's output.

    Parameters
    ----------
    task : Task

    Returns
    -------
    dict of str to Probe
        Kind → the probe that counts, in the order of the protocol's kinds.
    """
    return _train(task, task.examples("train"), kinds=task.config.protocol.kinds)


def label_subset(n_clips: int, *, fraction: float, seed: int) -> np.ndarray:
    """Training clips whose labels are used.

    Parameters
    ----------
    n_clips : int ≥ 1
    fraction : float, 0 < fraction ≤ 1
        Smaller parts lie within larger ones of the same seed.
    seed : int

    Returns
    -------
    ndarray of int [shape=(n,)], ascending
        One at least.
    """
    order = torch.randperm(n_clips, generator=torch_generator(seed, "labels")).numpy()
    # 0.3 of 10 is 3, whatever 0.3 times 10 is in binary
    return np.sort(order[: max(1, int(np.ceil(fraction * n_clips - 1e-9)))])


def subset_scores(task: Task, fraction: float) -> np.ndarray:
    """Score the test clips by a linear probe that learns from a part of the training clips.

    Parameters
    ----------
    task : Task
    fraction : float, 0 < fraction ≤ 1
        See :func:`label_subset`; the validation clips are all there.

    Returns
    -------
    ndarray [shape=(n_clips, n_outputs)]
        Probabilities.
    """
    chosen = label_subset(len(task.rows["train"]), fraction=fraction, seed=task.config.seed)
    whole = task.examples("train")
    if whole.clips is None:
        part = Examples(whole.features[chosen], whole.targets[chosen])
    else:
        place = torch.full((len(whole.targets),), -1, dtype=torch.long, device=whole.clips.device)
        place[chosen] = torch.arange(len(chosen), device=place.device)
        kept = place[whole.clips] >= 0
        part = Examples(whole.features[kept], whole.targets[chosen], place[whole.clips][kept])
    return task.predict(_train(task, part, kinds=("linear",))["linear"], "test")


def block_scores(task: Task) -> dict[str, np.ndarray]:
    """Score the test clips by a linear probe on the mean over time of each block's output.

    Parameters
    ----------
    task : Task
        With the outputs of the blocks.

    Returns
    -------
    dict of str to ndarray [shape=(n_clips, n_outputs)]
        Probabilities by the block's name, in the order in which blocks run.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, Figures S3 and S4. Notebook: 03_tune.ipynb.
    """
    found = {}
    for block in task.features["train"]:
        if block != EMBEDDING:
            probe = _train(task, task.examples("train", block=block), kinds=("linear",), block=block)["linear"]
            found[block] = task.predict(probe, "test", block=block)
    return found


def macro(scores: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Mean ROC-AUC and average precision over tags.

    Parameters
    ----------
    scores : ndarray [shape=(n, n_tags)]
    targets : ndarray of bool [shape=(n, n_tags)]

    Returns
    -------
    auc, average_precision : float, 0 to 1
        Over the tags that have them; NaN where none has.
    """
    auc, precision = tag_scores(scores, targets)
    return _known_mean(auc), _known_mean(precision)


def _known_mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
