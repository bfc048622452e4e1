"""What a profile will cost and how fast vocoders are: steps and syntheses measured here, then multiplied."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import ceil
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from reprise.audio.vocoder_metrics import real_time_factor, spectral_distance
from reprise.data import synthetic
from reprise.models.shapes import count_parameters
from reprise.papers.sawsing.conditions import conditions, songs_config
from reprise.papers.sawsing.crops import Crop
from reprise.papers.sawsing.networks import build, build_network
from reprise.papers.sawsing.objectives import learner, loss_of, optimiser, turns
from reprise.papers.sawsing.outcome import label_of
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.synthesis import estimated_pitch, resynthesise
from reprise.papers.sawsing.systems import Condition
from reprise.papers.sawsing.training import stretches
from reprise.papers.sawsing.trials import VocoderTrial
from reprise.seeds import torch_generator

__all__ = ["plan", "real_time_factors", "speed_conditions"]

# on a processor a step costs in proportion to the audio in it, so that little is enough to measure
PROBE_SECONDS = 0.5
SCORED_SECONDS = 2.0
# typical level of log-mel frames
LEVEL = -2.0


@dataclass(frozen=True)
class _Size:
    """Songs of a singer on each side, and the mean length of one."""

    singers: int
    training: int
    valid: int
    test: int
    seconds: float
    file_rate: int

    @property
    def total_seconds(self) -> float:
        """Audio of all singers."""
        return self.singers * (self.training + self.valid + self.test) * self.seconds


# MPop600: 150 songs of 62.8 s per singer at 48 kHz (fact sheet 3.1)
PUBLISHED = _Size(2, 123, 24, 3, 62.8, 48_000)


@dataclass(frozen=True)
class _Cost:
    """Seconds per second of audio in a training step and in a synthesis; what a step keeps for its way back."""

    step: float
    synthesis: float
    saved_bytes: float
    parameters: int


def _mel(n_frames: int, n_mels: int, *, batch: int = 1) -> Tensor:
    return LEVEL + torch.randn(batch, n_frames, n_mels, generator=torch_generator("sawsing", "probe"))


def _crop(trial: VocoderTrial, device: str) -> Crop:
    """Noise instead of singing, as many crops as fill a GPU, little on a processor."""
    if trial.training is None:
        raise ValueError(f"{trial.condition} takes its weights from another trial and is not trained")
    rate, hop = trial.mel.sample_rate, trial.mel.hop_length
    batch, n_samples = trial.training.batch_size, trial.training.n_samples
    if device == "cpu":
        # the longest windows must fit
        batch, n_samples = 1, min(n_samples, max(round(PROBE_SECONDS * rate), 4 * trial.mel.n_fft))
    n_frames = n_samples // hop
    audio = 0.02 * torch.randn(batch, n_frames * hop, generator=torch_generator("sawsing", "probe audio"))
    mel, f0 = _mel(n_frames, trial.mel.n_mels, batch=batch), torch.full((batch, n_frames), 220.0)
    # the last step, in which all losses and discriminators take part
    return Crop(audio.to(device), mel.to(device), f0.to(device), trial.training.steps - 1)


def _measure(trial: VocoderTrial, device: str) -> _Cost:
    """Time and memory of a training step and of a synthesis."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = build_network(trial.network)
        model = learner(network, trial).to(device)
        crop, optimizer = _crop(trial, device), optimiser(model, trial)
        saved: dict[int, int] = {}

        def remember(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        def step() -> None:
            # of both turns of a GAN: more than is kept at one time, and never less
            saved.clear()
            for turn in turns(crop, trial):
                with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
                    loss = loss_of(model, turn, config=trial)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            _wait(device)

        def synthesise() -> None:
            resynthesise(network, crop.mel)
            _wait(device)

        stepped = _quickest(step)
        network.eval()
        synthesised = _quickest(synthesise)
    seconds = crop.audio.numel() / trial.mel.sample_rate
    weights = sum(parameter.untyped_storage().nbytes() for parameter in model.parameters())
    kept = max(0, sum(saved.values()) - weights)
    return _Cost(stepped / seconds, synthesised / seconds, kept / seconds, count_parameters(network))


def _scoring_cost(trial: VocoderTrial) -> tuple[float, float]:
    """Seconds per second of audio of comparing spectra at all lags, and of estimating the pitch."""
    rate = trial.mel.sample_rate
    times = torch.arange(round(SCORED_SECONDS * rate)) / rate
    tone = 0.05 * torch.sin(2 * torch.pi * 220 * times) + 0.01 * torch.randn(len(times), generator=torch_generator(0))
    scoring = trial.scoring
    spectra = _quickest(lambda: spectral_distance(tone, tone, max_lag=scoring.max_lag))
    pitch = _quickest(
        lambda: estimated_pitch(tone, pitch=scoring.pitch, sample_rate=rate, hop_length=trial.mel.hop_length)
    )
    return spectra / SCORED_SECONDS, pitch / SCORED_SECONDS


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def _quickest(call: Callable[[], Any]) -> float:
    """Seconds of the quicker of two calls after a warm one: what else the machine does can only slow them down."""
    call()
    found = []
    for _ in range(2):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def _size(settings: Settings) -> _Size:
    """Songs: the published ones for the paper's number of steps, else the synthetic ones."""
    size = PUBLISHED
    if settings.steps_regular < Settings().steps_regular:
        preset = synthetic.presets("singing")[settings.synthetic]
        size = _Size(
            singers=preset["singers"],
            training=preset["training"],
            valid=preset["validation"],
            test=preset["testing"],
            seconds=sum(preset["song_seconds"]) / 2,
            file_rate=preset["sample_rate"],
        )
    return replace(
        size,
        singers=min(settings.max_singers, size.singers),
        valid=min(settings.n_valid_songs, size.valid),
        test=min(settings.n_test_songs, size.test),
    )


def plan(settings: Settings) -> pd.DataFrame:
    """Forecast of a whole run on this machine, its GPU where it has one.

    Parameters
    ----------
    settings : Settings
        With the paper's number of steps MPop600 is assumed, with fewer the synthetic songs.

    Returns
    -------
    DataFrame
        One row per system and scenario: ``stage, trials, clip_passes`` (training crops), ``gpu_hours`` or
        ``cpu_hours`` (validation and scoring included), ``memory_gb`` (of what a step keeps for its backward pass),
        ``disk_gb`` (weights); and one of the songs: ``cpu_hours`` of their pitch, ``disk_gb``.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = _size(settings)
    songs = SimpleNamespace(fingerprint="forecast", config=songs_config(settings, singer="forecast"))
    singers: Any = SimpleNamespace(singers={"forecast": songs}, folder=None)
    grid = conditions(settings, singers, seeds=[0])
    spectra, pitch = _scoring_cost(next(iter(grid.values())))
    measured: dict[Any, _Cost] = {}
    rows: list[dict[str, object]] = []
    for key, trial in grid.items():
        trained = trial.parent or trial
        if trained.network not in measured:
            measured[trained.network] = _measure(trained, device)
        cost = measured[trained.network]
        n_trials = size.singers * settings.n_seeds
        seconds, crops = _training_cost(trial, cost, size)
        scored = size.test * size.seconds
        seconds += scored * (trial.scoring.n_noise * (cost.synthesis + spectra) + pitch * (2 if trial.debuzz else 1))
        rows.append(
            {
                "stage": label_of(Condition(key.system, key.scenario).name),
                "trials": n_trials,
                "clip_passes": crops * n_trials,
                ("cpu_hours" if device == "cpu" else "gpu_hours"): seconds * n_trials / 3600,
                "disk_gb": 4 * cost.parameters * n_trials / 1e9,
                "memory_gb": cost.saved_bytes * settings.batch_size * settings.crop_seconds / 1e9,
            }
        )
    # files, and a bank of 16-bit samples beside them
    disk = size.total_seconds * 2 * (size.file_rate + settings.sample_rate) / 1e9
    rows.append({"stage": "songs and their pitch", "cpu_hours": pitch * size.total_seconds / 3600, "disk_gb": disk})
    return pd.DataFrame(rows)


def _training_cost(trial: VocoderTrial, cost: _Cost, size: _Size) -> tuple[float, float]:
    """Seconds of training with its validations, and number of crops."""
    training = trial.training
    if training is None:
        return 0.0, 0.0
    n_files = min(training.n_songs or size.training, size.training)
    # without filling up, the last batch of an epoch is short
    per_step = training.batch_size if training.fill_batch else n_files / ceil(n_files / training.batch_size)
    crops = per_step * training.steps
    trained = crops * training.n_samples / trial.mel.sample_rate * cost.step
    watched = len(stretches(training)) * max(size.valid, 1) * size.seconds * cost.synthesis
    return trained + watched, crops


def real_time_factors(
    settings: Settings, systems: Iterable[str] | None = None, *, device: str = "cpu"
) -> dict[str, float]:
    """Time of a synthesis over the length of its sound, measured here with random weights.

    Parameters
    ----------
    settings : Settings
        ``rtf_seconds`` of sound per call, ``rtf_repeats`` calls after a warm one, sizes of the networks.
    systems : iterable of str or None
        Default: all that are trained, without variants.
    device : str

    Returns
    -------
    dict of str to float
        ``rtf/<system>``, medians. Say with them what `speed_conditions` says.
    """
    found = {}
    n_frames = round(settings.rtf_seconds * settings.sample_rate / settings.hop_length)
    seconds = n_frames * settings.hop_length / settings.sample_rate
    mel = _mel(n_frames, settings.n_mels).to(device)
    for name in settings.trained if systems is None else systems:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            network = build(name, settings).to(device).eval()

            def synthesise(network: torch.nn.Module = network) -> Any:
                return resynthesise(network, mel)

            found[f"rtf/{name}"] = real_time_factor(
                synthesise, seconds=seconds, device=device, n_repeats=settings.rtf_repeats
            )
    return found


def speed_conditions(settings: Settings, *, device: str = "cpu") -> str:
    """Under which conditions real-time factors were measured, for a caption.

    Parameters
    ----------
    settings : Settings
    device : str

    Returns
    -------
    str
        As in "CPU, 2 threads; one sound of 10 s, median of 5 calls after a warm one".
    """
    place = f"CPU, {torch.get_num_threads()} threads" if device == "cpu" else torch.cuda.get_device_name(device)
    return f"{place}; one sound of {settings.rtf_seconds:g} s, median of {settings.rtf_repeats} calls after a warm one"
