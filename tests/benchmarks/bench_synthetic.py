"""Synthetic VocalSet: seconds of audio per second of work, files included."""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy

from reprise.data import synthetic
from reprise.data.synthetic.melodies import point_hop
from reprise.data.synthetic.plan import plan
from reprise.data.synthetic.voice import sing, vowel_formants
from reprise.files import write_json

RESULT = Path(__file__).parent / "results" / "synthetic_cpu.json"
RATE, MINUTES, TAKE_SECONDS, SEED = 44100, 3.0, (3.05, 9.0), 0


def voice_only() -> float:
    """Nine seconds of the dry voice with moving formants; returns their length."""
    hop = point_hop(RATE)
    n_points = 9 * RATE // hop
    formants = np.linspace(vowel_formants("a"), vowel_formants("i"), n_points)
    audio = sing(
        f0=np.geomspace(150, 300, n_points),
        sample_rate=RATE,
        hop_length=hop,
        formants=formants,
        rng=np.random.default_rng(SEED),
    )
    return len(audio) / RATE


def files(workers: int) -> float:
    """A small VocalSet on disk; returns the seconds of audio in it."""
    with tempfile.TemporaryDirectory() as folder:
        synthetic.write(
            "vocalset",
            folder,
            seed=SEED,
            workers=workers,
            minutes=MINUTES,
            take_seconds=TAKE_SECONDS,
            sample_rate=RATE,
        )
    return sum(take.seconds for take in plan(seed=SEED, minutes=MINUTES, take_seconds=TAKE_SECONDS))


def measure(work: Callable[[], float]) -> tuple[float, float]:
    """Times real time by the clock, and by the processor time of all threads."""
    clock, processor = time.perf_counter(), time.process_time()
    seconds = work()
    return seconds / (time.perf_counter() - clock), seconds / (time.process_time() - processor)


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    kinds: dict[str, Callable[[], float]] = {
        "voice_only": voice_only,
        "files_1_worker": lambda: files(1),
        "files_2_workers": lambda: files(2),
    }
    for work in kinds.values():
        work()
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
        "minutes": MINUTES,
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
