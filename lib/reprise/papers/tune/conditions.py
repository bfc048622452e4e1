"""The paper's rows as trials: pre-trainings and the probes behind them, made from the settings and the clips."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reprise.papers.tune.settings import Settings
from reprise.papers.tune.systems import SYSTEMS, TASKS, Condition, TaskName, split_condition
from reprise.papers.tune.trials import (
    EncoderConfig,
    PretrainTrial,
    ProbeTrial,
    ProtocolConfig,
    Stage,
    TrialKey,
    ViewsConfig,
)

if TYPE_CHECKING:
    from reprise.papers.tune.corpus import Clips, Collection

__all__ = ["PretrainTrial", "ProbeTrial", "TrialKey", "batch_of", "conditions", "encoder_config", "tasks_of"]


def encoder_config(system: str, settings: Settings) -> EncoderConfig:
    """Encoder of a system under these settings.

    Parameters
    ----------
    system : str
        A name of `reprise.papers.tune.systems.SYSTEMS`.
    settings : Settings

    Returns
    -------
    EncoderConfig
    """
    network = SYSTEMS[system].network
    scheme = settings.clmr_initialisation if system == "clmr" else settings.initialisation
    tail = settings.clmr_tail if system == "clmr_tail" else None
    return EncoderConfig(
        network=network,
        initialisation=None if network is None else scheme,
        tail=tail,
        tail_initialisation=settings.clmr_initialisation if tail in ("frozen", "trained") else None,
        sample_rate=settings.sample_rate,
    )


def batch_of(n_clips: int, *, batch_size: int, groups: int) -> tuple[int, int]:
    """Batch and groups that a set has clips for.

    Parameters
    ----------
    n_clips : int ≥ 2
    batch_size, groups : int
        Of the settings.

    Returns
    -------
    tuple of int
        The same where the set is large enough; else the largest batch that splits into as many groups of two clips or
        more, or does not split.
    """
    if n_clips >= batch_size:
        return batch_size, groups
    return (n_clips - n_clips % groups, groups) if n_clips >= 2 * groups else (n_clips, 1)


def tasks_of(condition: Condition, settings: Settings, *, available: Iterable[str]) -> list[TaskName]:
    """Tasks that a condition is probed on.

    Parameters
    ----------
    condition : Condition
    settings : Settings
    available : iterable of str
        Tasks at hand.

    Returns
    -------
    list of str
        Tags for all, and what else there is for ``task_systems`` pre-trained on MagnaTagATune or not at all; without
        tags in the data folder, what there is.
    """
    at_hand = list(available)
    names: list[TaskName] = ["mtt", "gtzan", "key", "emotion"]
    if "mtt" not in at_hand:
        return [name for name in names if name in at_hand]
    more = condition.system in settings.task_systems and condition.pretraining == "mtt"
    return [name for name in names if name in at_hand and (name == "mtt" or more)]


def conditions(
    settings: Settings, collection: "Collection", *, seeds: Iterable[int], device: str = "auto"
) -> dict[TrialKey, PretrainTrial | ProbeTrial]:
    """All conditions, stages and seeds.

    Parameters
    ----------
    settings : Settings
    collection : Collection
        From `reprise.papers.tune.corpus.open_collection`.
    seeds : iterable of int ≥ 0
    device : str
        ``auto``, ``cpu`` or ``cuda:N``; not part of a trial's identity.

    Returns
    -------
    dict of TrialKey to PretrainTrial or ProbeTrial
        Of each condition the pre-training first, then its probes. A baseline has probes only. Conditions on sets that
        the collection lacks are left out.
    """
    chosen = list(seeds)
    maker = _Maker(settings, collection, device)
    sets = tuple(name for name in ("mtt", "fma", "gtzan", "billboard") if name in collection.pretraining)
    grid: dict[TrialKey, PretrainTrial | ProbeTrial] = {}
    for name in settings.conditions(sets):
        condition = split_condition(name)
        for seed in chosen:
            parent = maker.pretraining(condition, seed) if SYSTEMS[condition.system].trained else None
            if parent is not None:
                grid[TrialKey(name, "pretrain", seed)] = parent
            for task in tasks_of(condition, settings, available=collection.tasks):
                grid[TrialKey(name, task, seed)] = maker.probe(condition, task, seed=seed, parent=parent)
    return grid


class _Maker:
    """Makes the trials of one grid."""

    def __init__(self, settings: Settings, collection: "Collection", device: str) -> None:
        self.settings, self.collection, self.device = settings, collection, device

    def pretraining(self, condition: Condition, seed: int) -> PretrainTrial:
        """Training of an encoder, after that of the CLMR that is its tail."""
        ours, clips = self.settings, self.collection.pretraining[condition.pretraining]
        batch_size, groups = self._batch(clips)
        parent = None
        if condition.system == "clmr_tail" and ours.clmr_tail == "from_clmr":
            # the paper's tail is the CLMR that was trained for longest
            longest = ours.lengths[-1] if ours.lengths and "clmr" in ours.longer_systems else "regular"
            parent = self.pretraining(condition._replace(system="clmr", length=longest), seed)
        return PretrainTrial(
            **self._place(condition, "pretrain", seed, clips),
            system=condition.system,
            encoder=encoder_config(condition.system, ours),
            clips=clips.config,
            views=ViewsConfig(**asdict(ours.view_settings)),
            n_samples=ours.n_samples,
            same_crop=ours.same_crop,
            batch_size=batch_size,
            groups=groups,
            split_norms=ours.split_norms,
            temperature=ours.temperature,
            projection=ours.projection,
            learning_rate=ours.learning_rate,
            weight_decay=ours.weight_decay,
            epochs=self._epochs(condition),
            autocast=ours.autocast,
            parent=parent,
        )

    def probe(self, condition: Condition, task: TaskName, *, seed: int, parent: PretrainTrial | None) -> ProbeTrial:
        """Probes of a task."""
        ours, clips, tags = self.settings, self.collection.tasks[task], task == "mtt"
        return ProbeTrial(
            **self._place(condition, task, seed, clips),
            system=condition.system,
            task=task,
            encoder=encoder_config(condition.system, ours),
            clips=clips.config,
            n_samples=ours.n_samples,
            protocol=self._protocol(task),
            label_fractions=ours.label_fractions if tags else (),
            layers=tags and condition.system in ours.layer_systems and SYSTEMS[condition.system].network is not None,
            key_strategy=ours.key_strategy if task == "key" else None,
            parent=parent,
        )

    def _place(self, condition: Condition, stage: Stage, seed: int, clips: "Clips") -> dict[str, Any]:
        return {
            "paper": "tune",
            "condition": f"{condition.name}/{stage}",
            "seed": seed,
            "dataset": clips.fingerprint,
            "data_root": self.collection.folders[clips.name],
            "device": self.device,
        }

    def _protocol(self, task: TaskName) -> ProtocolConfig:
        ours, scores = self.settings, {"gtzan": "accuracy", "key": "key_score", "emotion": "r2"}
        by_loss = ours.probe_score == "loss"
        return ProtocolConfig.model_validate(
            {
                "name": ours.probe_protocol if task == "mtt" else ours.task_protocol,
                "kinds": ours.probe_kinds,
                "windows": ours.probe_windows if TASKS[task].kind == "tags" else "all",
                "score": "loss" if by_loss else scores.get(task, ours.probe_score),
                "batch_size": ours.probe_batch,
                "max_epochs": ours.probe_epochs,
            }
        )

    def _batch(self, clips: "Clips") -> tuple[int, int]:
        ours = self.settings
        return batch_of(len(clips.rows("train")), batch_size=ours.batch_size, groups=ours.nt_xent_groups)

    def _steps(self, clips: "Clips") -> int:
        """Steps of an epoch."""
        return len(clips.rows("train")) // self._batch(clips)[0]

    def _epochs(self, condition: Condition) -> int:
        ours, sets = self.settings, self.collection.pretraining
        if condition.pretraining == "mtt":
            return ours.epochs_of(condition.length)
        if ours.epochs_transfer is not None or "mtt" not in sets:
            return ours.epochs_transfer or ours.epochs
        steps = ours.epochs_of(condition.length) * self._steps(sets["mtt"])
        return math.ceil(steps / self._steps(sets[condition.pretraining]))
