"""What a profile will cost: each kind of training step timed once on this machine, then multiplied."""

import time
from collections import Counter

import pandas as pd
import torch
import torch.nn.functional as F

from reprise.models.wilkins import WilkinsCNN
from reprise.papers.singing_technique.conditions import SingingTrial, conditions
from reprise.papers.singing_technique.experiment import build_network
from reprise.papers.singing_technique.inputs import spectrograms
from reprise.papers.singing_technique.settings import Settings

__all__ = ["forecast", "unique_trials"]

# clips of the whole of VocalSet: 4,905 in the authors' 2021 paper, split as in the public clip lists of the
# official singers (2,992 of 4,132 in training); both from the fact sheet, none from this paper itself
FULL_TRAIN_CLIPS = 3552
PROBE_BATCH = 2


def unique_trials(settings: Settings, *, seeds: list[int], dataset: str = "forecast") -> list[SingingTrial]:
    """Every trial that a run needs, each once, parents included.

    Parameters
    ----------
    settings : Settings
    seeds : list of int
    dataset : str
        Fingerprint of the clips.

    Returns
    -------
    list of SingingTrial
    """
    found: dict[str, SingingTrial] = {}
    for seed in seeds:
        pending = list(conditions(settings, seed=seed, dataset=dataset).values())
        while pending:
            trial = pending.pop()
            found.setdefault(trial.fingerprint(), trial)
            if trial.parent is not None:
                pending.append(trial.parent)
    return list(found.values())


def _step_seconds(trial: SingingTrial, device: str) -> float:
    """Seconds per clip of one training step (forward, backward) of this trial's network, after a warm-up step."""
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(PROBE_BATCH, trial.clips.n_samples, generator=generator).to(device)
    targets = torch.arange(PROBE_BATCH, device=device)
    if trial.network is None:
        model: torch.nn.Module = WilkinsCNN(n_samples=trial.clips.n_samples)
    else:
        model = build_network(trial.network, seed=0)
    model.to(device)

    def step() -> None:
        inputs = waves if trial.spectrogram is None else spectrograms(waves, trial.spectrogram)
        F.cross_entropy(model(inputs), targets).backward()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    step()
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) / PROBE_BATCH


def forecast(
    settings: Settings, *, seeds: list[int], n_train: int = FULL_TRAIN_CLIPS, device: str = "cpu"
) -> pd.DataFrame:
    """Forecast of the training time of a whole run on one device.

    Parameters
    ----------
    settings : Settings
    seeds : list of int
    n_train : int
        Training clips; by default those of the full data set.
    device : str
        Device to time a step on, which is the device that the forecast is for.

    Returns
    -------
    DataFrame
        One row per kind of stage: ``stage, system, trials, clip_passes, ms_per_clip, hours``. Stages that work on
        stored features cost seconds and have no row.
    """
    passes: Counter[tuple[str, str]] = Counter()
    trials: Counter[tuple[str, str]] = Counter()
    example: dict[str, SingingTrial] = {}
    for trial in unique_trials(settings, seeds=seeds):
        if trial.stage not in ("features", "joint", "raw"):
            continue
        system = trial.condition.split("/")[0].split("@")[0]
        done_by_parent = 0 if trial.parent is None else trial.parent.epochs
        passes[trial.stage, system] += (trial.epochs - done_by_parent) * n_train
        trials[trial.stage, system] += 1
        example.setdefault(system, trial)
    seconds = {system: _step_seconds(trial, device) for system, trial in example.items()}
    rows = [
        {
            "stage": stage,
            "system": system,
            "trials": trials[stage, system],
            "clip_passes": count,
            "ms_per_clip": 1000 * seconds[system],
            "hours": count * seconds[system] / 3600,
        }
        for (stage, system), count in passes.items()
    ]
    return pd.DataFrame(rows).sort_values(["stage", "system"], ignore_index=True)
