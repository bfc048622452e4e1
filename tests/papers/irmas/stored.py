"""Stored trials with known scores on an invented set of clips, in the layout of real ones."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from reprise.data.datasets._instruments import INSTRUMENTS
from reprise.papers.irmas.outcome import Outcome
from reprise.papers.irmas.systems import SYSTEMS
from reprise.runs import StoredTrial, TrialConfig, TrialResult
from reprise.runs.artefacts import write_artefacts

# how well each system tells an instrument that plays from one that does not
STRENGTH = {
    "resnet_1s": 2.0, "resnet_2s": 1.8, "resnet_3s": 1.7, "cnn_raw": 1.0, "cnn_mfcc": 0.9, "cnn_features": 0.7,
    "tds5_1s": 1.9, "tds4_1s": 1.9, "bspds5_1s": 1.9, "bspds5_3s": 2.1, "resnet_audioset": 1.2, "ast_audioset": 1.2,
    "ast_low_l2": 1.7, "ast_high_l2": 2.1, "cnn_features_2d": 0.9,
}  # fmt: skip


@dataclass(frozen=True)
class Clips:
    """As much of a corpus as scores and intervals need."""

    name: str
    labels: np.ndarray
    songs: np.ndarray
    sides: np.ndarray
    classes: tuple[str, ...] = tuple(INSTRUMENTS)

    @cached_property
    def targets(self):
        return torch.from_numpy(self.labels.astype(np.float32))

    @property
    def table(self):
        return pd.DataFrame({"split": self.sides})

    def rows(self, side):
        return np.flatnonzero(self.sides == side)

    def counts(self, side="train"):
        return self.labels[self.rows(side)].sum(axis=0)


def clips(name, *, n_train=60, n_valid=70, n_test=163, n_songs=20, classes=tuple(INSTRUMENTS), seed=0):
    """Clips of one to five instruments; training clips of one."""
    rng = np.random.default_rng(seed)
    n = n_train + n_valid + n_test
    sides = np.repeat(["train", "valid", "test"], [n_train, n_valid, n_test])
    numbers = np.where(sides == "train", 1, rng.choice(5, size=n, p=[0.43, 0.44, 0.11, 0.015, 0.005]) + 1)
    rank = rng.random((n, len(classes))) / np.linspace(0.6, 1.6, len(classes))
    labels = rank.argsort(axis=1).argsort(axis=1) < np.minimum(numbers, len(classes))[:, None]
    return Clips(name, labels.astype(int), rng.integers(0, n_songs, size=n).astype(str), sides, classes)


@dataclass(frozen=True)
class Collection:
    irmas: Clips
    audioset: Clips | None = None

    def corpus(self, name):
        return self.irmas if name == "irmas" else self.audioset


def scores(corpus, side, *, strength, rng):
    """Mean probabilities, as the windows of a clip would have them."""
    labels = corpus.labels[corpus.rows(side)]
    return (1 / (1 + np.exp(2 + strength - rng.normal(2 * strength * labels, 1.0)))).astype(np.float32)


def write_trial(folder: Path, *, system: str, seed: int, collection: Collection) -> StoredTrial:
    rng = np.random.default_rng([seed, list(SYSTEMS).index(system)])
    own = SYSTEMS[system].trained_on
    arrays = {
        f"{name}_{side}_scores": scores(corpus, side, strength=STRENGTH[system] * (1 if name == own else 0.5), rng=rng)
        for name, corpus in (("irmas", collection.irmas), ("audioset", collection.audioset))
        if corpus is not None
        for side in ("valid", "test")
        if len(corpus.rows(side))
    }
    epochs = np.arange(6)
    curves = pd.DataFrame(
        {
            "epoch": epochs,
            "loss": 0.4 / (1 + epochs * STRENGTH[system]) + 0.01 * rng.random(6),
            "lr": 1e-3,
            "seconds": 1.5,
            "valid_loss": 2.2 + 0.6 * (epochs - 2.5) ** 2 / 6 + 0.1 * rng.random(6),
        }
    )
    metrics = {"seconds_per_epoch": 1.0 + STRENGTH[system] + rng.random(), "n_parameters": 10 ** (4 + STRENGTH[system])}
    config = TrialConfig(paper="irmas", condition=system, seed=seed, dataset="invented")
    folder.mkdir(parents=True)
    write_artefacts(
        folder, config, result=TrialResult(metrics=metrics, arrays=arrays, curves=curves), provenance={"device": "cpu"}
    )
    return StoredTrial(folder)


def outcome(root: Path, *, systems=tuple(STRENGTH), n_seeds=2, collection=None, **options) -> Outcome:
    """An outcome of some systems; without AudioSet those that are trained on it are left out."""
    collection = collection or Collection(clips("irmas"), clips("audioset", n_test=90, n_songs=90, seed=1))
    stored = {
        name: [
            write_trial(root / name / str(seed), system=name, seed=seed, collection=collection)
            for seed in range(n_seeds)
        ]
        for name in systems
        if SYSTEMS[name].trained_on == "irmas" or collection.audioset is not None
    }
    return Outcome(stored=stored, collection=collection, **options)
