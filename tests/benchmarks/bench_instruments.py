"""Synthetic IRMAS and AudioSet: seconds of audio per second of work, files included, and each instrument alone."""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scipy
import soundfile

from reprise.data import synthetic
from reprise.data.synthetic.instruments import RANGES, phrase
from reprise.files import write_json

RESULT = Path(__file__).parent / "results" / "instruments_cpu.json"
RATE, PHRASE_SECONDS, SEED = 44100, 3.0, 0


def alone(code: str) -> float:
    """Three dry phrases; returns their length."""
    for seed in range(3):
        phrase(code, seconds=PHRASE_SECONDS, sample_rate=RATE, rng=np.random.default_rng(seed))
    return 3 * PHRASE_SECONDS


def files(name: str, workers: int) -> float:
    """The small data set on disk; returns the seconds of audio in it."""
    with tempfile.TemporaryDirectory() as folder:
        root = synthetic.write(name, folder, seed=SEED, preset="smoke", workers=workers)
        return sum(soundfile.info(path).duration for path in root.rglob("*.wav"))


def measure(work: Callable[[], float]) -> tuple[float, float]:
    """Times real time by the clock, and by the processor time of all threads."""
    clock, processor = time.perf_counter(), time.process_time()
    seconds = work()
    return seconds / (time.perf_counter() - clock), seconds / (time.process_time() - processor)


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    kinds: dict[str, Callable[[], float]] = {f"alone_{code}": partial(alone, code) for code in RANGES}
    kinds |= {
        f"{name}_files_{workers}_worker{'s' * (workers > 1)}": partial(files, name, workers)
        for name in ("irmas", "audioset")
        for workers in (1, 2)
    }
    load = os.getloadavg()[0]
    rounds = [{name: measure(work) for name, work in kinds.items()} for _ in range(options.rounds)]
    results = {}
    for name in kinds:
        by_clock, by_processor = np.array([values[name] for values in rounds]).T
        results[name] = {
            "times_real_time_median": round(float(np.median(by_clock)), 1),
            "times_real_time_best": round(float(by_clock.max()), 1),
            "times_real_time_per_cpu_second": round(float(np.median(by_processor)), 1),
        }
        print(name, results[name])
    setting = {
        "sample_rate": RATE,
        "rounds": options.rounds,
        "cores": os.cpu_count(),
        "load_average_before": round(load, 1),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
        "goal": "50 times real time with 2 workers, files included",
    }
    write_json(options.out, {"setting": setting, "results": results})


if __name__ == "__main__":
    main()
