"""What a profile will cost: each kind of training step measured once on this machine, then multiplied."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from reprise.models.wilkins import WilkinsCNN
from reprise.papers.singing_technique.conditions import SingingTrial, conditions
from reprise.papers.singing_technique.experiment import build_network
from reprise.papers.singing_technique.inputs import spectrograms
from reprise.papers.singing_technique.settings import Settings

__all__ = ["plan", "unique_trials"]

# Clips of all of VocalSet: 4,905 in the authors' 2021 paper. 72 % of the clips of a public list are of the official
# training singers (2,992 of 4,132). Both are from the fact sheet, neither is printed in this paper.
FULL_CLIPS, FULL_TRAIN_CLIPS = 4905, 3552
FULL_MINUTES, SYNTHETIC_MINUTES = 289.0, {"smoke": 2.5, "demo": 30.0}
DOWNLOAD_GB = 2.08
PROBE_BATCH = 2
KINDS = {"features": "first phase", "joint": "joint training after it", "raw": "all epochs"}


@dataclass(frozen=True)
class _Step:
    """Cost of one clip in a training step."""

    seconds: float
    saved_bytes: float


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


def _measure(trial: SingingTrial, device: str) -> _Step:
    """Time and memory of forward and backward of this trial's network, after a warm-up step."""
    waves = torch.randn(PROBE_BATCH, trial.clips.n_samples, generator=torch.Generator().manual_seed(0)).to(device)
    targets = torch.arange(PROBE_BATCH, device=device)
    if trial.network is None:
        model: torch.nn.Module = WilkinsCNN(n_samples=trial.clips.n_samples)
    else:
        model = build_network(trial.network, seed=0)
    model.to(device)
    saved: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    def step() -> None:
        inputs = waves if trial.spectrogram is None else spectrograms(waves, trial.spectrogram)
        with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
            loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    seconds = _second_call(step)
    weights = sum(parameter.untyped_storage().nbytes() for parameter in model.parameters())
    return _Step(seconds / PROBE_BATCH, max(0, sum(saved.values()) - weights) / PROBE_BATCH)


def _second_call(step: Callable[[], None]) -> float:
    step()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _size(settings: Settings, profile_is_papers: bool) -> tuple[float, float]:
    """Training clips and minutes of audio that the forecast is for."""
    if profile_is_papers:
        return FULL_TRAIN_CLIPS, FULL_MINUTES
    minutes = SYNTHETIC_MINUTES[settings.synthetic]
    return FULL_TRAIN_CLIPS / FULL_CLIPS * minutes * 60 / settings.clip_seconds, minutes


def plan(settings: Settings) -> pd.DataFrame:
    """Forecast of a whole run on this machine, its GPU where it has one.

    Parameters
    ----------
    settings : Settings
        With the paper's number of epochs the full data set is assumed, with fewer the synthetic one.

    Returns
    -------
    DataFrame
        One row per kind of training: ``stage, trials, epochs, clip_passes, gpu_hours`` or ``cpu_hours``,
        ``memory_gb`` (of what a step keeps for its backward pass), ``disk_gb``, ``download_gb``. Stages on stored
        features cost seconds and have no row.
    """
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    published = settings.epochs_features >= Settings().epochs_features
    n_train, minutes = _size(settings, published)
    trained = [
        trial
        for trial in unique_trials(settings, seeds=list(range(settings.n_seeds)))
        if trial.stage in ("features", "joint", "raw")
    ]
    measured: dict[str, _Step] = {}
    rows = []
    for label, group in groupby(sorted(trained, key=_label), key=_label):
        trials = list(group)
        system = label.split(",")[0]
        if system not in measured:
            measured[system] = _measure(trials[0], device)
        epochs = trials[0].epochs - (0 if trials[0].parent is None else trials[0].parent.epochs)
        passes = epochs * n_train * len(trials)
        rows.append(
            {
                "stage": label,
                "trials": len(trials),
                "epochs": epochs,
                "clip_passes": passes,
                ("gpu_hours" if device != "cpu" else "cpu_hours"): passes * measured[system].seconds / 3600,
                "memory_gb": measured[system].saved_bytes * settings.batch_size / 1e9,
            }
        )
    bank = minutes * 60 * settings.sample_rate * 2 / 1e9
    rows.append(
        {
            "stage": "audio, decoded once",
            "disk_gb": bank + (DOWNLOAD_GB * 2.6 if published else minutes * 60 * 44100 * 2 / 1e9),
            "download_gb": DOWNLOAD_GB if published else 0.0,
        }
    )
    return pd.DataFrame(rows)


def _label(trial: SingingTrial) -> str:
    system = trial.condition.split("/")[0].split("@")[0].replace("_", " ")
    return f"{system}, {KINDS[trial.stage]}"
