"""Stored trials with known scores on invented clips, in the layout of real ones."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from reprise.papers.tune.outcome import Outcome
from reprise.papers.tune.systems import SYSTEMS, split_condition
from reprise.papers.tune.trials import TrialKey
from reprise.runs import StoredTrial, TrialConfig, TrialResult
from reprise.runs.artefacts import write_artefacts

TAGS = ("guitar", "slow", "drums", "loud", "voice", "harp")
# how well each encoder's probes tell tags, and how many of its directions do
SKILL = {
    "vanilla": 0.9, "tail_1": 1.2, "tail_2": 1.5, "tail_3": 1.7, "tail_4": 1.8, "tail_5": 1.9, "tune_plus": 1.9,
    "clmr": 1.4, "clmr_tail": 1.9, "vanilla_small": 0.7, "contractive_2": 1.2, "contractive_3": 1.0,
    "expansive_3": 0.9, "tune_plus_large": 2.0, "tune_plus_small": 1.8, "untrained": 0.3, "mel_statistics": 0.6,
}  # fmt: skip
PERCENTS = (1, 10, 100)
MAPS = ("Contr-1", "Contr-2", "Contr-3", "Contr-4", "Bot-U", "Expa-1", "Expa-2", "Expa-3", "Expa-4",
        *(f"Tail-{number}" for number in range(1, 10)))  # fmt: skip
LAYERED = ("tail_5", "tune_plus")
WIDTH = 16


@dataclass(frozen=True)
class Clips:
    """As much of a task's clips as results need: five songs of an artist each, sides in turns."""

    kind: str = "tags"
    n: int = 60
    classes: tuple[str, ...] = TAGS
    artists: int = 12
    notes: list = field(default_factory=list)

    @cached_property
    def targets(self):
        rng = np.random.default_rng(7)
        if self.kind == "tags":
            shares = np.linspace(0.6, 0.15, len(self.classes))
            return rng.random((self.n, len(self.classes))) < shares
        if self.kind == "classes":
            return np.arange(self.n) % len(self.classes)
        return rng.standard_normal((self.n, 2))

    @property
    def tags(self):
        return self.classes

    @cached_property
    def table(self):
        numbers = np.arange(self.n)
        names = [f"{self.kind}{number:03d}" for number in numbers]
        frame = pd.DataFrame({"clip_id": names, "path": [f"{name}.wav" for name in names]})
        frame["group"] = [f"track{number // 2}" for number in numbers]
        frame["artist"] = [f"artist{number % self.artists}" if number % 3 else None for number in numbers]
        frame["split"] = [("train", "test", "test", "valid")[number % 4] for number in numbers]
        if self.kind == "tags":
            frame["tags"] = [tuple(np.array(self.classes)[row]) for row in self.targets]
        return frame.assign(evidence="synthetic")

    def rows(self, side):
        return np.flatnonzero(self.table["split"] == side)


def collection(*, n=60, tasks=("mtt", "gtzan", "key", "emotion")):
    made = {
        "mtt": Clips(n=n),
        "gtzan": Clips("classes", n, ("blues", "jazz", "metal")),
        "key": Clips("classes", n, tuple(f"key {number}" for number in range(24))),
        "emotion": Clips("values", n, ("arousal", "valence")),
    }
    chosen = {name: made[name] for name in tasks}
    return SimpleNamespace(tasks=chosen, pretraining={"mtt": made["mtt"]}, mtt=chosen.get("mtt"), folders={},
                           evidence="synthetic", notes=[])  # fmt: skip


def _noisy(targets, skill, rng):
    return 1 / (1 + np.exp(-(skill * (2.0 * targets - 1) + rng.standard_normal(targets.shape))))


def _tag_arrays(targets, skill, rng, *, layered):
    arrays = {"targets": targets, "scores_linear": _noisy(targets, skill, rng),
              "scores_mlp": _noisy(targets, 1.1 * skill, rng)}  # fmt: skip
    for percent in PERCENTS:
        arrays[f"label_scores_{percent}"] = _noisy(targets, skill * (0.3 + 0.35 * np.log10(percent)), rng)
    if layered:
        strength = np.linspace(0.2, 1.0, len(MAPS)) * skill
        arrays["layer_scores"] = np.stack([_noisy(targets, own, rng) for own in strength])
        arrays["layer_names"] = np.array(MAPS)
    return arrays


def _arrays(key, clips, skill, rng):
    rows = clips.rows("test")
    targets = clips.targets[rows]
    if key.stage == "mtt":
        arrays = _tag_arrays(targets, skill, rng, layered=key.condition in LAYERED)
        directions = np.random.default_rng(3).standard_normal((targets.shape[1], WIDTH))
        values = skill * targets @ directions + rng.standard_normal((len(rows), WIDTH))
    else:
        arrays, values = {}, rng.standard_normal((len(rows), WIDTH))
    if key.stage == "gtzan":
        arrays |= {"targets": targets, "scores": _noisy(np.eye(3)[targets], skill, rng)}
    if key.stage == "key":
        songs = np.arange(len(rows)) // 2
        truth = targets[np.unique(songs, return_index=True)[1]]
        answers = np.where(rng.random(len(truth)) < skill / 3, truth, (truth + 7) % 12)
        arrays |= {"targets": truth, "songs": songs, "answers": answers}
    if key.stage == "emotion":
        arrays |= {"targets": targets, "scores": targets + rng.standard_normal(targets.shape) / (1 + skill)}
    arrays = {name: np.asarray(value, np.float32) if "scores" in name else value for name, value in arrays.items()}
    return arrays | {"rows": rows, "embeddings": np.maximum(values, 0).astype(np.float32)}


def write_trial(folder: Path, key: TrialKey, clips: Clips) -> StoredTrial:
    parts = split_condition(key.condition)
    longer = {"regular": 1.0, "middle": 1.03, "long": 1.06}[parts.length]
    skill = SKILL[parts.system] * longer * (1.0 if parts.pretraining == "mtt" else 0.8)
    rng = np.random.default_rng([key.seed, len(key.stage), list(SYSTEMS).index(parts.system), len(key.condition)])
    config = TrialConfig(paper="tune", condition=f"{key.condition}/{key.stage}", seed=key.seed, dataset="invented")
    if key.stage == "pretrain":
        steps = np.arange(1, 6) * 20
        loss = 4.0 - skill * (1 - np.exp(-steps / 40)) + 0.02 * rng.standard_normal(5)
        curves = pd.DataFrame({"epoch": range(5), "step": steps, "loss": loss, "pair_accuracy": (4.5 - loss) / 4,
                               "valid_loss": loss + 0.1, "lr": 3e-4, "seconds": 2.0})  # fmt: skip
        metrics = {"pretrain_loss": loss[-1], "pair_accuracy": 0.5, "seconds_per_step": 0.1, "n_parameters": 1000.0}
        result = TrialResult(metrics=metrics, curves=curves)
    else:
        result = TrialResult(metrics={"n_features": float(WIDTH)}, arrays=_arrays(key, clips, skill, rng))
    folder.mkdir(parents=True)
    write_artefacts(folder, config, result=result, provenance={"device": "cpu"})
    return StoredTrial(folder)


CONDITIONS = (
    *SKILL, "tail_5+long", "tune_plus+long", "clmr+long", "clmr+middle", "tune_plus@gtzan", "tail_5@gtzan",
    "clmr@gtzan",
)  # fmt: skip


def outcome(root: Path, *, conditions=CONDITIONS, n_seeds=2, songs=None) -> Outcome:
    """Outcome of some conditions, probed on all tasks where these are of the regular length on MagnaTagATune."""
    songs = songs or collection()
    stored = {}
    for name in conditions:
        parts = split_condition(name)
        regular = name in ("tail_5", "tune_plus", "clmr", "untrained", "mel_statistics")
        stages = ["pretrain"] if SYSTEMS[parts.system].trained else []
        stages += [task for task in songs.tasks if task == "mtt" or regular]
        for seed in range(n_seeds):
            for stage in stages:
                key = TrialKey(name, stage, seed)
                folder = root / f"{name}-{stage}-{seed}"
                stored[key] = write_trial(folder, key, songs.tasks.get(stage, songs.mtt))
    return Outcome(stored, songs)
