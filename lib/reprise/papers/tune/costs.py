"""What a profile will cost: a training step and a pass of each network measured here, then multiplied."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from reprise.audio.views import ViewAugment
from reprise.data import synthetic
from reprise.models.shapes import count_parameters
from reprise.papers.tune.conditions import conditions
from reprise.papers.tune.encoders import build_encoder, build_model
from reprise.papers.tune.outcome import label_of
from reprise.papers.tune.settings import Settings
from reprise.papers.tune.systems import PRETRAINING_SETS, TASKS, split_condition
from reprise.papers.tune.trials import ClipsConfig, EncoderConfig, PretrainTrial, ProbeTrial
from reprise.seeds import torch_generator
from reprise.training.contrastive import contrastive_step

__all__ = ["plan"]

# a processor takes as long for a second of audio in a short input as in a long one
PROBE_SAMPLES = 19_683


@dataclass(frozen=True)
class _Size:
    """Clips of a set on each side, and seconds of one."""

    train: int
    valid: int
    test: int
    seconds: float

    @property
    def total(self) -> float:
        """Seconds of audio."""
        return (self.train + self.valid + self.test) * self.seconds

    def limited(self, most: int | None) -> "_Size":
        """No more than so many clips on each side."""
        if most is None:
            return self
        return _Size(min(most, self.train), min(most, self.valid), min(most, self.test), self.seconds)


# clips as published (fact sheet); a song of Billboard is taken for four minutes
PUBLISHED = {
    "magnatagatune": _Size(18_706, 1_825, 5_329, 29.12),
    "fma": _Size(25_000, 0, 0, 30.0),
    "gtzan": _Size(443, 197, 290, 30.0),
    "billboard": _Size(712, 0, 0, 240.0),
    "giantsteps_key": _Size(3_687, 942, 2_406, 30.0),
    "emomusic": _Size(504, 115, 125, 45.0),
}
# parts of a synthetic set on each side, about
PARTS = (0.7, 0.1, 0.2)


@dataclass(frozen=True)
class _Forecast:
    """As much of a set as trials are made of."""

    config: ClipsConfig
    size: _Size
    fingerprint: str = "forecast"

    @property
    def name(self) -> str:
        """Data set."""
        return self.config.dataset

    def rows(self, side: str) -> np.ndarray:
        """Places of one side."""
        return np.arange(getattr(self.size, side))


def _sizes(settings: Settings) -> dict[str, _Size]:
    """Sizes of the sets: the published ones for the paper's number of epochs, else the synthetic ones."""
    if settings.epochs >= Settings().epochs:
        return PUBLISHED
    found = {}
    for name in PUBLISHED:
        preset = synthetic.presets(name)[settings.synthetic]
        if "training" in preset:
            n_train = round(0.8 * preset["training"])
            found[name] = _Size(n_train, preset["training"] - n_train, preset["testing"], preset["seconds"])
        else:
            clips = preset.get("clips") or preset.get("songs") or 10 * preset["per_genre"]
            n_train, n_valid, n_test = (round(part * clips) for part in PARTS)
            found[name] = _Size(n_train, n_valid, n_test, preset["seconds"])
    return found


def _collection(settings: Settings) -> Any:
    """Sets as trials see them, without audio."""
    sizes = _sizes(settings)

    def clips(dataset: str, *, purpose: str, size: _Size, **more: Any) -> _Forecast:
        config = ClipsConfig(dataset=dataset, sample_rate=settings.sample_rate, purpose=purpose, **more)
        return _Forecast(config, size)

    pretraining = {}
    for name in ("mtt", *settings.pretraining):
        size = sizes[PRETRAINING_SETS[name]]
        if name != "mtt" or settings.pretrain_split == "all":
            size = _Size(size.train + size.valid + size.test, 0, 0, size.seconds)
        pretraining[name] = clips(PRETRAINING_SETS[name], purpose="pretrain", pool="train",
                                  size=size.limited(settings.max_pretrain_clips))  # fmt: skip
    tasks = {
        name: clips(
            TASKS[name].dataset, purpose="task", size=sizes[TASKS[name].dataset].limited(settings.max_probe_clips)
        )
        for name in settings.tasks
    }
    folders = {size: Path("forecast") for size in sizes}
    return SimpleNamespace(pretraining=pretraining, tasks=tasks, folders=folders)


@dataclass(frozen=True)
class _Cost:
    """Of one clip: seconds of a step without and of a pass without gradients, bytes kept for the way back."""

    step: float
    forward: float
    saved_bytes: float
    parameters: int


def _measure(trial: PretrainTrial, device: str) -> _Cost:
    """Time and memory of a step and of a pass, per clip."""
    model = build_model(trial.model_copy(update={"parent": None})).to(device)
    batch, groups, length = trial.batch_size, trial.groups, trial.n_samples
    if device == "cpu":
        # enough for any network, and the cost is in proportion
        shortest = max(PROBE_SAMPLES, int(getattr(model.encoder, "smallest_input", 0)))
        batch, groups, length = 2, 1, min(length, shortest)
    first, second = _noise(2 * batch, length).to(device).chunk(2)
    loss = contrastive_step(temperature=trial.temperature, groups=groups, split_norms=trial.split_norms)
    optimizer = torch.optim.Adam([value for value in model.parameters() if value.requires_grad])
    saved: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    def step() -> None:
        saved.clear()
        half = trial.autocast and device != "cpu"
        with (
            torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=half),
            torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor),
        ):
            value = loss(model, (first, second))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        _wait(device)

    stepped = _quickest(step)
    passed = _pass_cost(model.encoder.eval(), first, device=device)
    weights = sum(parameter.untyped_storage().nbytes() for parameter in model.parameters())
    share = trial.n_samples / (batch * length)
    kept = max(0, sum(saved.values()) - weights)
    return _Cost(stepped * share, passed * trial.n_samples / length, kept * share, count_parameters(model))


def _pass_cost(encoder: nn.Module, audio: Tensor, *, device: str) -> float:
    """Seconds of a pass without gradients, per window."""

    def forward() -> None:
        with torch.no_grad():
            encoder(audio)
        _wait(device)

    return _quickest(forward) / len(audio)


def _view_cost(trial: PretrainTrial, device: str) -> float:
    """Seconds that both views of one clip take."""
    batch = 4 if device == "cpu" else trial.batch_size
    augment = ViewAugment(trial.views.settings, sample_rate=trial.clips.sample_rate)
    first, second = _noise(2 * batch, trial.n_samples).to(device).chunk(2)

    def views() -> None:
        augment.pair(first, second, generator=torch_generator("tune", "probe views"))
        _wait(device)

    return _quickest(views) / batch


def _noise(n: int, length: int) -> Tensor:
    return 0.1 * torch.randn(n, length, generator=torch_generator("tune", "probe audio"))


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def _quickest(call: Callable[[], None]) -> float:
    """Seconds of a call after a warm one."""
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _windows(clips: _Forecast, trial: ProbeTrial) -> int:
    """Windows that the encoder sees of a task."""
    each = max(1, int(clips.size.seconds * clips.config.sample_rate // trial.n_samples))
    learnt = 1 if trial.protocol.windows == "one" else each
    return (clips.size.train + clips.size.valid) * learnt + clips.size.test * each


def plan(settings: Settings) -> pd.DataFrame:
    """Forecast of a whole run on this machine, its GPU where it has one.

    Parameters
    ----------
    settings : Settings
        With the paper's number of epochs the full data sets are assumed, with fewer the synthetic ones.

    Returns
    -------
    DataFrame
        One row per condition: ``stage, trials`` (pre-trainings and probes of all seeds), ``epochs, clip_passes`` (of
        the pre-trainings), ``gpu_hours`` or ``cpu_hours`` (views and the representations for all probes included; the
        training of the probes, seconds to minutes each, is not), ``memory_gb`` (of what a step keeps for its way back)
        and ``disk_gb`` (weights); and one of the decoded audio.
    """
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    collection = _collection(settings)
    grid = conditions(settings, collection, seeds=[0], device=device)
    measured: dict[EncoderConfig, _Cost] = {}
    passes: dict[EncoderConfig, float] = {}
    rows: dict[str, dict[str, Any]] = {}
    views = next((_view_cost(trial, device) for trial in grid.values() if isinstance(trial, PretrainTrial)), 0.0)
    for key, trial in grid.items():
        row = rows.setdefault(key.condition, {"stage": label_of(key.condition), "trials": 0, "hours": 0.0})
        row["trials"] += settings.n_seeds
        if isinstance(trial, PretrainTrial):
            if trial.encoder not in measured:
                measured[trial.encoder] = _measure(trial, device)
            clips = collection.pretraining[split_condition(key.condition).pretraining].size.train
            _add_training(row, trial, cost=measured[trial.encoder], views=views, n_clips=clips, n=settings.n_seeds)
            continue
        if trial.parent is None and trial.encoder not in passes:
            encoder = build_encoder(trial.encoder, seed=0).to(device).eval()
            passes[trial.encoder] = _pass_cost(encoder, _noise(2, trial.n_samples).to(device), device=device)
        each = passes[trial.encoder] if trial.parent is None else measured[trial.parent.encoder].forward
        row["hours"] += each * _windows(collection.tasks[trial.task], trial) * settings.n_seeds / 3600
    frame = pd.DataFrame(rows.values()).rename(columns={"hours": "cpu_hours" if device == "cpu" else "gpu_hours"})
    used = {clips.name for clips in (*collection.pretraining.values(), *collection.tasks.values())}
    sizes = _sizes(settings)
    seconds = sum(sizes[name].total for name in used)
    audio = {"stage": "decoded audio", "disk_gb": 2 * seconds * settings.sample_rate / 1e9}
    return pd.concat([frame, pd.DataFrame([audio])], ignore_index=True)


def _add_training(
    row: dict[str, Any], trial: PretrainTrial, *, cost: _Cost, views: float, n_clips: int, n: int
) -> None:
    """Puts what n pre-trainings cost into a row."""
    passes = n_clips // trial.batch_size * trial.batch_size * trial.epochs * n
    row |= {"epochs": trial.epochs, "clip_passes": passes, "disk_gb": 4 * cost.parameters * n / 1e9}
    row["memory_gb"] = cost.saved_bytes * trial.batch_size / 1e9
    row["hours"] += passes * (cost.step + views) / 3600
