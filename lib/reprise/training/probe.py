"""Probes on fixed representations: linear or with one hidden layer, many at once, stopped early by a chosen score."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.training.loop import batch_order
from reprise.training.probe_stack import ProbeConfig, ProbeStack
from reprise.training.probe_types import (
    SCORES,
    STOPPING,
    Examples,
    Kind,
    Probe,
    Score,
    Stopping,
    predictions,
    stack_losses,
)

__all__ = [
    "SCORES",
    "STOPPING",
    "Examples",
    "Probe",
    "ProbeConfig",
    "Stopping",
    "best_probe",
    "supplement_grid",
    "train_probes",
]

# what ReduceLROnPlateau of the published code multiplies by
PLATEAU_FACTOR = 0.1


class _Run:
    """Training of the probes that share architecture, batch size and standardisation."""

    def __init__(
        self,
        configs: Sequence[ProbeConfig],
        train: Examples,
        valid: Examples,
        *,
        kind: Kind,
        n_outputs: int,
        score: str | Score,
        stopping: Stopping,
    ) -> None:
        self.configs, self.kind, self.stopping, self.valid = configs, kind, stopping, valid
        self.score = None if score == "loss" else SCORES[score] if isinstance(score, str) else score
        features = train.features.float()
        self.mean, self.scale = torch.zeros_like(features[0]), torch.ones_like(features[0])
        if configs[0].standardise:
            self.mean, deviation = features.mean(dim=0), features.std(dim=0, unbiased=False)
            # a feature that never varies stays zero
            self.scale = torch.where(deviation > 0, deviation, 1.0)
        self.x, self.checked = ((e.features.float() - self.mean) / self.scale for e in (train, valid))
        self.y, self.checked_y = train.row_targets(), valid.row_targets()
        if kind != "classes":
            self.y, self.checked_y = self.y.float(), self.checked_y.float()
        self.stack = ProbeStack(configs, n_features=features.shape[1], n_outputs=n_outputs, device=features.device)
        self.alive = list(range(len(configs)))
        self.best = [float("-inf")] * len(configs)
        self.idle, self.since_cut = [0] * len(configs), [0] * len(configs)
        self.layers = [self.stack.layers_of(probe) for probe in self.alive]
        self.curves: list[list[tuple[int, float]]] = [[] for _ in configs]

    def train(self) -> list[Probe]:
        losses, every = stack_losses(self.kind), self.stopping.every
        for epoch in range(self.stopping.max_epochs):
            for index, rows in self._batches(epoch):
                self.stack.update(self.x[rows], self.y[rows], loss_fn=losses, place=(epoch, index))
                if every is not None and self.stack.updates % every == 0 and not self._look():
                    return self._results()
            if every is None and not self._look():
                break
        return self._results()

    def _batches(self, epoch: int) -> Iterator[tuple[int, Tensor]]:
        """Number and rows of each batch [shape=(1 or probes, batch)]; the stack may shrink on the way."""
        size, orders = self.configs[0].batch_size, {}
        for seed in set(self.stack.seeds):
            orders[seed] = batch_order(len(self.x), batch_size=size, seed=seed, epoch=epoch)
        for index in range(-(-len(self.x) // size)):
            seeds = self.stack.seeds if len(set(self.stack.seeds)) > 1 else self.stack.seeds[:1]
            yield index, torch.stack([orders[seed][index] for seed in seeds]).to(self.x.device)

    def _scores(self) -> list[float]:
        with torch.no_grad():
            outputs = self.stack.evaluate(self.checked)
            if self.score is None:
                return (-stack_losses(self.kind)(outputs, self.checked_y[None])).tolist()
            targets, score, clips = self.valid.targets.cpu().numpy(), self.score, self.valid.clips
            finite = torch.isfinite(outputs).all(dim=2).all(dim=1).tolist()
            return [
                float(score(predictions(output, kind=self.kind, clips=clips).double().cpu().numpy(), targets))
                if good
                else float("nan")
                for output, good in zip(outputs, finite, strict=True)
            ]

    def _look(self) -> bool:
        """Evaluate all probes and drop those that are done; whether any is left."""
        scores = self._scores()
        if not self.curves[0] and not np.isfinite(scores).any():
            raise ValueError(
                "no probe has a score on the validation clips: do they hold positives and negatives of any tag, and "
                "targets that vary? Choose score='loss' for a set this small"
            )
        staying = []
        for place, (probe, score) in enumerate(zip(self.alive, scores, strict=True)):
            self.curves[probe].append((self.stack.updates, score))
            if score > self.best[probe]:
                self.best[probe], self.layers[probe] = score, self.stack.layers_of(place)
                self.idle[probe] = self.since_cut[probe] = 0
            else:
                self.idle[probe] += 1
                self.since_cut[probe] += 1
            if self.stopping.plateau is not None and self.since_cut[probe] > self.stopping.plateau:
                self.stack.lr[place] *= PLATEAU_FACTOR
                self.since_cut[probe] = 0
            if self.idle[probe] < self.stopping.patience:
                staying.append(place)
        if staying and len(staying) < len(self.alive):
            self.stack.keep(staying)
        self.alive = [self.alive[place] for place in staying]
        return bool(staying)

    def _results(self) -> list[Probe]:
        curves = [pd.DataFrame(curve, columns=["update", "score"]) for curve in self.curves]
        kept = zip(self.configs, self.layers, self.best, curves, strict=True)
        return [
            Probe(config, self.kind, layers, self.mean, self.scale, score, curve)
            for config, layers, score, curve in kept
        ]


def train_probes(
    train: Examples,
    valid: Examples,
    *,
    configs: Sequence[ProbeConfig],
    kind: Kind,
    n_classes: int | None = None,
    score: str | Score = "loss",
    stopping: Stopping | None = None,
) -> list[Probe]:
    """Train probes side by side, each as if it were alone.

    Parameters
    ----------
    train, valid : Examples
        On one device.
    configs : sequence of ProbeConfig
        Those that agree in ``hidden``, ``batch_size`` and ``standardise`` are one batched product per layer.
    kind : "tags", "classes" or "values"
        Sigmoids and binary cross entropy, softmax and cross entropy, or identity and squared error.
    n_classes : int or None
        Of ``kind="classes"``; None for one more than the largest class of both sets.
    score : str or callable
        What decides on the validation clips: "loss", a name of ``SCORES`` ("auc", "average_precision", "accuracy",
        "key_score", "r2"), or (predictions, targets) → float, arrays with one row per clip, higher is better.
    stopping : Stopping or None
        None for ``STOPPING["paper"]``: 5 epochs without gain.

    Returns
    -------
    list of Probe
        In the order of ``configs``, each with the weights of its best evaluation.

    Raises
    ------
    ValueError
        If shapes do not fit, the kind or the score is unknown, a class is out of range, or no validation score is a
        number.

    Notes
    -----
    First weights, order and dropout of a probe depend on its seed, the epoch and the batch alone, so that neither
    the other probes nor their number change them, beyond rounding. Batches run through all rows once per epoch; the
    suite that the supplement's tables come from draws each batch anew.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.3, supplement. Notebook: 03_tune.ipynb.
    """
    if kind not in ("tags", "classes", "values"):
        raise ValueError(f"kind={kind!r}; choose 'tags', 'classes' or 'values'")
    if isinstance(score, str) and score != "loss" and score not in SCORES:
        raise ValueError(f"the score {score!r} is unknown; choose 'loss', one of {', '.join(SCORES)}, or a function")
    n_outputs = _n_outputs(train, valid, kind=kind, n_classes=n_classes)
    groups: dict[tuple[int | None, int, bool], list[int]] = {}
    for position, config in enumerate(configs):
        groups.setdefault((config.hidden, config.batch_size, config.standardise), []).append(position)
    found: dict[int, Probe] = {}
    for positions in groups.values():
        run = _Run(
            [configs[position] for position in positions],
            train,
            valid,
            kind=kind,
            n_outputs=n_outputs,
            score=score,
            stopping=stopping or STOPPING["paper"],
        )
        found |= dict(zip(positions, run.train(), strict=True))
    return [found[position] for position in range(len(configs))]


def _n_outputs(train: Examples, valid: Examples, *, kind: Kind, n_classes: int | None) -> int:
    if train.features.shape[1] != valid.features.shape[1]:
        raise ValueError(f"{train.features.shape[1]} training features, but {valid.features.shape[1]} for validation")
    if kind != "classes":
        widths = {tuple(examples.targets.shape[1:]) for examples in (train, valid)}
        if len(widths) > 1 or len(next(iter(widths))) != 1:
            raise ValueError(f"targets of kind {kind!r} need shape (n, n_outputs) in both sets, got rows of {widths}")
        return train.targets.shape[1]
    both = torch.cat([examples.targets for examples in (train, valid)])
    if both.ndim != 1 or both.is_floating_point():
        raise ValueError(f"classes must be integers of shape (n,), got {both.dtype} {tuple(both.shape)}")
    count = int(both.max()) + 1 if n_classes is None else n_classes
    if int(both.min()) < 0 or int(both.max()) >= count:
        raise ValueError(f"classes must lie in [0, {count}), found {int(both.min())} to {int(both.max())}")
    return count


def supplement_grid(*, seed: int = 0) -> list[ProbeConfig]:
    """Return the 216 probes of the supplement, of which the best on the validation clips is tested.

    Parameters
    ----------
    seed : int

    Returns
    -------
    list of ProbeConfig
        Standardisation no, yes × hidden units none, 512 × batch 64, 256 × learning rate 1e-5, 1e-4, 1e-3 × dropout
        0.25, 0.5, 0.75 × L2 penalty 0, 1e-4, 1e-3.

    Notes
    -----
    With ``STOPPING["supplement"]``.
    Paper: Vélez Vásquez and Burgoyne 2022, supplement, after Castellon et al. 2021. Notebook: 03_tune.ipynb.
    """
    grid = product((False, True), (None, 512), (64, 256), (1e-5, 1e-4, 1e-3), (0.25, 0.5, 0.75), (0.0, 1e-4, 1e-3))
    return [
        ProbeConfig(
            hidden=hidden,
            lr=lr,
            weight_decay=decay,
            batch_size=batch_size,
            dropout=dropout,
            standardise=standardise,
            seed=seed,
        )
        for standardise, hidden, batch_size, lr, dropout, decay in grid
    ]


def best_probe(probes: Sequence[Probe]) -> Probe:
    """Return the probe with the highest validation score, of equal ones the first.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not probes:
        raise ValueError("there are no probes to choose from; give train_probes at least one config")
    return max(probes, key=lambda probe: probe.score)
