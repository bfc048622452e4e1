"""The chain of views: batched, against one clip at a time by scipy and librosa, and against a training step of TUNe+.

    python tests/benchmarks/bench_views.py [--threads 2] [--rounds 3]

The reference makes the same changes with the same parameters, clip by clip, as a data loader's worker does: scipy's
filters, librosa's phase vocoder, and Freeverb's recursions a delay's length at a time. All are timed in turn, so that
they see the same machine. Every change is made to every clip when the parts are timed, and as often as in the paper
when the chain is.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import librosa
import numpy as np
import scipy
import torch
from scipy import signal

from reprise.audio.view_settings import TRANSFORMS, ViewSettings
from reprise.audio.views import Changes, ViewAugment
from reprise.files import write_json
from reprise.models.clmr import Projector
from reprise.models.tune import TUNe
from reprise.training.contrastive import ContrastiveModel, contrastive_step

RESULT = Path(__file__).parent / "results" / "views_cpu.json"
RATE, N_SAMPLES = 22_050, 59_049
COMBS = (1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617)
ALL_PASSES = (225, 341, 441, 556)
GOAL = "chain at most half of a TUNe+ training step"


def clips(n: int) -> torch.Tensor:
    """Notes of a few partials with vibrato, decay and noise."""
    rng = np.random.default_rng(0)
    moments = np.arange(N_SAMPLES) / RATE
    out = []
    for _ in range(n):
        phase = 2 * np.pi * 110 * 2 ** rng.uniform(0, 3) * moments + 0.5 * np.sin(2 * np.pi * 5 * moments)
        tone = sum(np.sin(k * phase) / k for k in range(1, 9))
        out.append(0.1 * tone * np.exp(-(moments % 0.5) * 4) + 0.003 * rng.standard_normal(N_SAMPLES))
    return torch.from_numpy(np.stack(out).astype(np.float32))


def comb(x: np.ndarray, delay: int, *, feedback: float, damping: float) -> np.ndarray:
    """Recursive comb filter, as many samples at a time as the delay allows."""
    out, state, waiting = np.empty_like(x), np.zeros(1), np.zeros(delay)
    for start in range(0, len(x), delay):
        block = x[start : start + delay]
        out[start : start + delay] = waiting[: len(block)]
        stored, state = signal.lfilter([1 - damping], [1, -damping], waiting, zi=state)
        waiting[: len(block)] = block + feedback * stored[: len(block)]
    return out


def all_pass(x: np.ndarray, delay: int) -> np.ndarray:
    """sox's all-pass filter, as many samples at a time as the delay allows."""
    out, waiting = np.empty_like(x), np.zeros(delay)
    for start in range(0, len(x), delay):
        block = x[start : start + delay]
        out[start : start + delay] = waiting[: len(block)] - block
        waiting[: len(block)] = block + 0.5 * waiting[: len(block)]
    return out


def freeverb(x: np.ndarray, *, reverberance: float, damping: float, room_scale: float) -> np.ndarray:
    """The clip and the mean of both wet sides."""
    a = -1 / np.log(1 - 0.3)
    b = 100 / (np.log(1 - 0.98) * a + 1)
    feedback, damping = 1 - np.exp((reverberance - b) / (a * b)), damping / 100 * 0.3 + 0.2
    scale, wet = room_scale / 100 * 0.9 + 0.1, np.zeros_like(x)
    for side in (0, 1):
        signs = [side * (-1) ** i for i in range(8)]
        out = np.zeros_like(x)
        for length, sign in zip(COMBS, signs, strict=True):
            delay = int(scale * RATE / 44_100 * (length + 12 * sign) + 0.5)
            out += comb(x, delay, feedback=feedback, damping=damping)
        for length, sign in zip(ALL_PASSES, signs, strict=False):
            out = all_pass(out, int(RATE / 44_100 * (length + 12 * sign) + 0.5))
        wet += 0.5 * 0.015 * out
    return np.clip(x + wet, -1, 1)


def one_clip(x: np.ndarray, changes: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """The whole chain for one clip."""
    if changes["polarity"]:
        x = -x
    if not np.isnan(changes["noise_level"]):
        x = x + rng.normal(0, changes["noise_level"] * x.std(), len(x))
    if not np.isnan(changes["gain"]):
        x = x * 10 ** (changes["gain"] / 20)
    if not np.isnan(changes["cutoff"]):
        half = int(4 / (changes["cutoff"] / RATE))
        taps = signal.firwin(2 * half + 1, changes["cutoff"], window="hann", fs=RATE)
        low = signal.oaconvolve(np.pad(x, half, mode="edge"), taps, mode="valid")
        x = x - low if changes["high_pass"] else low
    if not np.isnan(changes["delay"]):
        offset = int(changes["delay"] * RATE / 1000)
        x = (x + 0.5 * np.pad(x, (offset, 0))[: len(x)]) / 2
    if changes["cents"] and not np.isnan(changes["cents"]):
        x = np.clip(librosa.effects.pitch_shift(x, sr=RATE, n_steps=changes["cents"] / 100), -1, 1)
    if not np.isnan(changes["reverberance"]):
        x = freeverb(x, **{name: changes[name] for name in ("reverberance", "damping", "room_scale")})
    return x


def one_by_one(y: np.ndarray, changes: Changes) -> np.ndarray:
    """The chain for every clip of a batch."""
    columns = {name: values.tolist() for name, values in vars(changes).items()}
    rng = np.random.default_rng(0)
    return np.stack([one_clip(x, {k: v[i] for k, v in columns.items()}, rng) for i, x in enumerate(y)])


def agreement(y: torch.Tensor) -> dict[str, float]:
    """Difference of both for each change, in dB of the changed clips."""
    out = {}
    for name in TRANSFORMS:
        if name == "noise":
            continue
        chain = ViewAugment(always().only(name))
        changes = chain.draw(len(y), generator=torch.Generator().manual_seed(0))
        reference = one_by_one(y.double().numpy(), changes)
        error = chain.apply(y, changes).numpy() - reference
        out[name] = round(20 * float(np.log10(max(error.std(), 1e-12) / reference.std())), 1)
    return out


def always() -> ViewSettings:
    """Every change for every clip."""
    return ViewSettings(**dict.fromkeys(TRANSFORMS, 1.0))


def training_step(n_pairs: int) -> Callable[[tuple[torch.Tensor, torch.Tensor]], None]:
    """One update of TUNe+ from a batch of pairs."""
    torch.manual_seed(0)
    model = ContrastiveModel(TUNe.from_name("TUNe+"), Projector())
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-4)
    loss_of = contrastive_step()

    def step(views: tuple[torch.Tensor, torch.Tensor]) -> None:
        optimiser.zero_grad()
        loss_of(model, views).backward()
        optimiser.step()

    return step


def in_turn(calls: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of each call by the clock and of processor time, after one warm-up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            clock, processor = time.perf_counter(), time.process_time()
            call()
            if number:
                seconds[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return {
        name: {"clock_s": round(median(c for c, _ in v), 4), "processor_s": round(median(p for _, p in v), 4)}
        for name, v in seconds.items()
    }


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0]
    y = clips(2 * options.pairs)
    arrays = y.numpy()
    pair = (y[: options.pairs], y[options.pairs :])
    chain, step = ViewAugment(), training_step(options.pairs)
    generator = torch.Generator().manual_seed(0)
    changes = chain.draw(len(y), generator=generator)
    calls: dict[str, Callable[[], object]] = {
        "chain_batched": lambda: chain.apply(y, changes),
        "chain_one_by_one": lambda: one_by_one(arrays, changes),
        "step_without_chain": lambda: step(pair),
        "step_with_chain": lambda: step(chain.pair(*pair, generator=generator)),
    }
    for name in TRANSFORMS:
        alone = ViewAugment(always().only(name))
        done = alone.draw(len(y), generator=generator)
        calls[f"{name}_batched"] = lambda alone=alone, done=done: alone.apply(y, done)
        calls[f"{name}_one_by_one"] = lambda done=done: one_by_one(arrays, done)
    seconds = in_turn(calls, rounds=options.rounds)
    names = ("chain", *TRANSFORMS)
    kinds = ("clock_s", "processor_s")
    ratios = {
        "one_by_one_over_batched": {
            name: {k: round(seconds[f"{name}_one_by_one"][k] / seconds[f"{name}_batched"][k], 2) for k in kinds}
            for name in names
        },
        "chain_over_step": {k: round(seconds["chain_batched"][k] / seconds["step_without_chain"][k], 3) for k in kinds},
        "step_with_over_step_without": {
            k: round(seconds["step_with_chain"][k] / seconds["step_without_chain"][k], 3) for k in kinds
        },
    }
    setting = {
        "pairs": options.pairs,
        "n_samples": N_SAMPLES,
        "sample_rate": RATE,
        "rounds": options.rounds,
        "threads": options.threads,
        "cores": os.cpu_count(),
        "load_average_before": round(load, 1),
        "machine_was_shared": load > 0.5 * (os.cpu_count() or 1),
        "torch": torch.__version__,
        "librosa": librosa.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
        "goal": GOAL,
        "network": "TUNe+, float32, forward, backward and Adam",
    }
    result = {"setting": setting, "seconds": seconds, "ratios": ratios, "agreement_db": agreement(y[:8])}
    write_json(options.out, result)
    print(ratios, result["agreement_db"], sep="\n")


if __name__ == "__main__":
    main()
