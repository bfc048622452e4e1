"""What a profile will cost: a training step of each kind of network measured once here, then multiplied."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from reprise.data import synthetic
from reprise.data.sampling import epoch_length
from reprise.papers.irmas.augmentation import Randomness
from reprise.papers.irmas.conditions import conditions
from reprise.papers.irmas.corpus import CLIP_SECONDS
from reprise.papers.irmas.frontends import network_input
from reprise.papers.irmas.networks import build_network
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.trials import DataSets, IrmasTrial
from reprise.papers.irmas.windows import stack_windows

__all__ = ["plan"]

PROBE_CLIPS = 2
# of the step, the part that is left without the way back
FORWARD = 1 / 3


@dataclass(frozen=True)
class _Size:
    """Clips that are trained on, clips that choose the weights, and seconds of each of them."""

    training: int
    valid: int
    test: int
    test_seconds: float

    def seconds(self, clip_seconds: float) -> float:
        """Seconds of audio on all sides."""
        return self.training * clip_seconds + (self.valid + self.test) * self.test_seconds


# IRMAS: 48,531 s of test clips; AudioSet: the authors' copy (both from the fact sheet)
PUBLISHED = {"irmas": _Size(6705, 863, 2011, 16.9), "audioset": _Size(14_619, 2_089, 4_177, 10.0)}
# decoded WAV files of IRMAS as they are downloaded
IRMAS_GB = 12.1


@dataclass(frozen=True)
class _Step:
    """Cost of one window in a training step."""

    seconds: float
    saved_bytes: float


def _measure(trial: IrmasTrial, device: str) -> _Step:
    """Time and memory of a training step with its inputs, per window, after a warm-up step."""
    rate, window = trial.clips.sample_rate, round(trial.inputs.window_seconds * trial.clips.sample_rate)
    n_samples = round(CLIP_SECONDS[trial.trained_on] * rate)
    waves = torch.randn(PROBE_CLIPS, n_samples, generator=torch.Generator().manual_seed(0)).to(device)
    # the file of published weights is not needed to know what a step costs
    network = trial.network.model_copy(update={"weights": None, "weights_sha256": None})
    model = build_network(network, seed=0).to(device)
    saved: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    def step() -> None:
        changed = waves
        if trial.augment is not None:
            changed = Randomness.of(0, 0, device=device).change(waves, trial.augment, statistics=(0.0, 1.0))
        inputs = network_input(stack_windows(changed, length=window), trial.inputs, sample_rate=rate)
        with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
            logits = model(inputs)
            loss = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
        loss.backward()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    n_windows = PROBE_CLIPS * ceil(n_samples / window)
    seconds = _second_call(step)
    weights = sum(parameter.untyped_storage().nbytes() for parameter in model.parameters())
    return _Step(seconds / n_windows, max(0, sum(saved.values()) - weights) / n_windows)


def _second_call(step: Callable[[], None]) -> float:
    step()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _sizes(settings: Settings) -> dict[str, _Size]:
    """Sizes of the sets: the published ones for the paper's number of epochs, else the synthetic ones."""
    if settings.epochs >= Settings().epochs:
        return PUBLISHED
    irmas = synthetic.presets("irmas")[settings.synthetic]
    clips = synthetic.presets("audioset")[settings.synthetic]["clips"]
    n_valid, n_test = ceil(0.3 * irmas["testing"]), ceil(0.2 * clips)
    valid_audioset = ceil((clips - n_test) / 8)
    return {
        "irmas": _Size(irmas["training"], n_valid, irmas["testing"] - n_valid, sum(irmas["test_seconds"]) / 2),
        "audioset": _Size(clips - n_test - valid_audioset, valid_audioset, n_test, 10.0),
    }


def _examples(trial: IrmasTrial, n_clips: int) -> int:
    """Examples per epoch."""
    mixing = trial.mixing
    if mixing is None or mixing.unsampled is None:
        return n_clips
    return epoch_length(
        n_clips, min_sampled=mixing.min_sampled, max_sampled=mixing.max_sampled, unsampled=mixing.unsampled
    )


def plan(settings: Settings) -> pd.DataFrame:
    """Forecast of a whole run on this machine, its GPU where it has one.

    Parameters
    ----------
    settings : Settings
        With the paper's number of epochs the full data sets are assumed, with fewer the synthetic ones.

    Returns
    -------
    DataFrame
        One row per system: ``stage, trials, epochs, clip_passes, gpu_hours`` or ``cpu_hours`` (validation after each
        epoch and the scoring of all sets included), ``memory_gb`` (of what a step keeps for its backward pass); and
        one of the audio: ``disk_gb``.
    """
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    sizes = _sizes(settings)
    sets = DataSets(irmas="forecast", audioset=None if settings.with_audioset is False else "forecast")
    measured: dict[tuple, _Step] = {}
    rows = []
    for name, trial in conditions(settings, seed=0, sets=sets).items():
        kind = (trial.network, trial.inputs, trial.trained_on)
        if kind not in measured:
            measured[kind] = _measure(trial, device)
        rows.append(_row(name, trial, sizes=sizes, step=measured[kind], device=device, n_seeds=settings.n_seeds))
    used = {name: size for name, size in sizes.items() if name == "irmas" or sets.audioset is not None}
    seconds = sum(size.seconds(CLIP_SECONDS[name]) for name, size in used.items())
    # two banks, one per sample rate, beside the files
    bank = seconds * (settings.sample_rate + settings.sample_rate_ast) * 2 / 1e9
    files = IRMAS_GB if sizes is PUBLISHED else seconds * 44100 * 2 / 1e9
    return pd.DataFrame([*rows, {"stage": "audio and what is decoded of it", "disk_gb": bank + files}])


def _row(
    name: str, trial: IrmasTrial, *, sizes: dict[str, _Size], step: _Step, device: str, n_seeds: int
) -> dict[str, object]:
    own = sizes[trial.trained_on]
    per_clip = partial(_windows, window=trial.inputs.window_seconds)
    n_examples = _examples(trial, own.training)
    trained = trial.epochs * n_examples * per_clip(CLIP_SECONDS[trial.trained_on])
    validated = trial.epochs * own.valid * per_clip(own.test_seconds)
    scored = sum((size.valid + size.test) * per_clip(size.test_seconds) for size in sizes.values())
    hours = (trained + FORWARD * (validated + scored)) * step.seconds * n_seeds / 3600
    batch = trial.batch_size * per_clip(CLIP_SECONDS[trial.trained_on])
    return {
        "stage": name.replace("_", " "),
        "trials": n_seeds,
        "epochs": trial.epochs,
        "clip_passes": trial.epochs * n_examples * n_seeds,
        ("gpu_hours" if device != "cpu" else "cpu_hours"): hours,
        "memory_gb": step.saved_bytes * batch / 1e9,
    }


def _windows(seconds: float, *, window: float) -> int:
    return ceil(seconds / window)
