"""Random 3 s crops: a batch of the wave bank against soundfile, file by file."""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr
import torch

from reprise.data.wavebank import WaveBank
from reprise.files import write_json

RESULT = Path(__file__).parent / "results" / "wavebank_cpu.json"
RATE, SECONDS, BATCH, N_FILES, FILE_SECONDS = 44100, 3, 64, 40, 9
LENGTH = RATE * SECONDS


def write_takes(folder: Path, *, suffix: str, rate: int) -> pd.DataFrame:
    """Takes of the length of VocalSet's, noise under a slow swell, as a clip table."""
    rng = np.random.default_rng(0)
    swell = np.sin(np.linspace(0, 9, rate * FILE_SECONDS)) ** 2
    rows = []
    for i in range(N_FILES):
        path = folder / f"{rate}_{i}.{suffix}"
        soundfile.write(path, 0.3 * swell * rng.standard_normal(len(swell)).clip(-3, 3), rate)
        rows.append({"clip_id": path.name, "path": str(path), "start": 0.0, "duration": float(FILE_SECONDS)})
    return pd.DataFrame(rows).assign(group=range(N_FILES), split="train", evidence="synthetic")


def by_file(paths: list[str], starts: np.ndarray, *, rate: int) -> torch.Tensor:
    """Open, seek and read each crop, as a data set class does."""
    crops = []
    for path, start in zip(paths, starts, strict=True):
        with soundfile.SoundFile(path) as file:
            file.seek(int(start) * rate // RATE)
            audio = file.read(SECONDS * rate, dtype="float32")
        crops.append(torch.from_numpy(audio if rate == RATE else soxr.resample(audio, rate, RATE, quality="HQ")))
    return torch.stack(crops)


def seconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(folder: Path, *, suffix: str, rate: int, rounds: int) -> dict[str, float]:
    """Medians of interleaved rounds for one kind of file."""
    bank = WaveBank.build(write_takes(folder, suffix=suffix, rate=rate), sample_rate=RATE, cache=folder / "cache")
    paths = bank.table["path"].to_numpy()
    rng = np.random.default_rng(1)
    out = torch.zeros(BATCH, LENGTH)
    times: dict[str, list[float]] = {"soundfile": [], "bank": [], "bank_out": []}
    for _ in range(rounds + 2):
        rows = rng.integers(0, len(bank), BATCH)
        starts = rng.integers(0, bank.lengths[rows] - LENGTH)
        times["soundfile"].append(seconds(lambda r=rows, s=starts: by_file(list(paths[r]), s, rate=rate)))
        times["bank"].append(seconds(lambda r=rows, s=starts: bank.batch(r, s, LENGTH)))
        times["bank_out"].append(seconds(lambda r=rows, s=starts: bank.batch(r, s, LENGTH, out=out)))
    median = {name: float(np.median(values[2:])) for name, values in times.items()}
    return {f"{name}_ms": round(1e3 * value, 3) for name, value in median.items()} | {
        "speedup": round(median["soundfile"] / median["bank"], 1),
        "speedup_out": round(median["soundfile"] / median["bank_out"], 1),
    }


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    kinds = {"wav": ("wav", RATE), "flac": ("flac", RATE), "ogg": ("ogg", RATE), "mp3": ("mp3", RATE)}
    kinds["wav_48k"] = ("wav", 48000)
    with tempfile.TemporaryDirectory() as folder:
        results = {
            name: compare(Path(folder), suffix=suffix, rate=rate, rounds=options.rounds)
            for name, (suffix, rate) in kinds.items()
        }
    for name, values in results.items():
        print(name, values)
    setting = {
        "batch": BATCH,
        "crop_seconds": SECONDS,
        "sample_rate": RATE,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "files": "in the page cache",
        "goal": "20 times soundfile per item",
    }
    write_json(options.out, {"setting": setting, "results": results})


if __name__ == "__main__":
    main()
