"""Time the batched descriptors and spectrograms against librosa and torch.stft, and write a JSON record."""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch

from reprise.audio.descriptors import describe
from reprise.audio.features import multi_resolution_spectrogram

SAMPLE_RATE = 44_100
SECONDS = 3
RESULT = Path(__file__).parent / "results" / "descriptors_cpu.json"


def clips(n: int) -> np.ndarray:
    """Harmonic tones with vibrato, decay and noise, each with its own pitch."""
    rng = np.random.default_rng(0)
    time_axis = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    out = []
    for _ in range(n):
        f0 = 110 * 2 ** rng.uniform(0, 3)
        phase = 2 * np.pi * f0 * time_axis + 0.5 * np.sin(2 * np.pi * 5 * time_axis)
        tone = sum(np.sin(k * phase) / k for k in range(1, 20) if k * f0 < SAMPLE_RATE / 2)
        out.append(0.2 * tone * np.exp(-time_axis / 2) + 0.003 * rng.standard_normal(len(time_axis)))
    return np.stack(out).astype(np.float32)


def with_librosa(y: np.ndarray) -> None:
    """The calls of the contract, one after another, with librosa's defaults."""
    feature = librosa.feature
    sr = {"sr": SAMPLE_RATE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feature.zero_crossing_rate(y)
        feature.rms(y=y)
        feature.spectral_centroid(y=y, **sr)
        feature.spectral_bandwidth(y=y, **sr)
        feature.spectral_contrast(y=y, **sr)
        feature.spectral_rolloff(y=y, **sr)
        feature.spectral_flatness(y=y)
        feature.poly_features(y=y, **sr)
        feature.chroma_stft(y=y, **sr)
        feature.tonnetz(y=y, **sr)
        feature.mfcc(y=y, n_mfcc=13, **sr)


def three_stfts(y: torch.Tensor) -> torch.Tensor:
    """The multi-resolution spectrogram as three calls of torch.stft."""
    channels = []
    for length in (2048, 1024, 512):
        window = torch.hann_window(length)
        spectrum = torch.stft(y, 2048, 512, length, window, pad_mode="reflect", return_complex=True)
        channels.append(spectrum.abs() / window.square().sum().sqrt())
    return 10 * torch.log10(torch.stack(channels, dim=1).clamp(min=1e-10))


def interleaved(calls: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, in turn, after one warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arrays = clips(arguments.batch)
    tensor = torch.from_numpy(arrays)
    calls: dict[str, Callable[[], object]] = {
        "librosa": lambda: [with_librosa(clip) for clip in arrays],
        "describe": lambda: describe(tensor, sample_rate=SAMPLE_RATE),
        "three torch.stft": lambda: three_stfts(tensor),
        "multi_resolution_spectrogram": lambda: multi_resolution_spectrogram(tensor),
    }
    if torch.cuda.is_available():
        on_card = tensor.cuda()

        def on_gpu() -> None:
            describe(on_card, sample_rate=SAMPLE_RATE)
            torch.cuda.synchronize()

        calls["describe on GPU"] = on_gpu
    seconds = interleaved(calls, rounds=arguments.rounds)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    record = {
        "clips": {"batch": arguments.batch, "seconds": SECONDS, "sample_rate": SAMPLE_RATE},
        "milliseconds_per_clip": {name: 1e3 * value / arguments.batch for name, value in median.items()},
        "milliseconds_per_clip_all": {
            name: [1e3 * value / arguments.batch for value in values] for name, values in seconds.items()
        },
        "speedup": {
            "describe": median["librosa"] / median["describe"],
            "multi_resolution_spectrogram": median["three torch.stft"] / median["multi_resolution_spectrogram"],
        },
        "threads": arguments.threads,
        "machine": platform.machine(),
        "versions": {"torch": torch.__version__, "librosa": librosa.__version__, "numpy": np.__version__},
    }
    if "describe on GPU" in median:
        record["speedup"]["describe on GPU"] = median["librosa"] / median["describe on GPU"]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    print(json.dumps({key: record[key] for key in ("milliseconds_per_clip", "speedup")}, indent=2))


if __name__ == "__main__":
    main()
