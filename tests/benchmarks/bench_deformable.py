"""Deformable convolution on the CPU: ours, torchvision's and plain conv2d on the four layers of the paper.

    python tests/benchmarks/bench_deformable.py [--batch 8] [--repeats 5]

Forward and backward are timed in turn, so that all three see the same machine; peak memory is that of a fresh process
each. The first layer's input needs no gradient, as in the network.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from reprise.kernels import ALLOCATOR

LAYERS = {
    "L1": {"size": (3, 1025, 259), "filters": 32, "kernel": (4, 1)},
    "L2": {"size": (32, 256, 64), "filters": 64, "kernel": (16, 1)},
    "L3": {"size": (64, 64, 16), "filters": 128, "kernel": (1, 4)},
    "L4": {"size": (128, 21, 5), "filters": 128, "kernel": (1, 16)},
}
VARIANTS = ("ours", "torchvision", "conv2d")
RESULT = Path(__file__).parent / "results" / "deformable_cpu.json"


def make_step(variant, layer, batch):
    """One forward and backward pass of a layer, as a function that returns its gradients."""
    import torch
    import torchvision

    from reprise.models.deformable import deform_conv2d

    settings = LAYERS[layer]
    generator = torch.Generator().manual_seed(0)
    kernel, padding = settings["kernel"], tuple(k // 2 for k in settings["kernel"])
    taps = kernel[0] * kernel[1]
    out = tuple(n + 2 * p - k + 1 for n, p, k in zip(settings["size"][1:], padding, kernel, strict=True))
    x = torch.randn(batch, *settings["size"], generator=generator).requires_grad_(layer != "L1")
    weight = (
        0.1 * torch.randn(settings["filters"], settings["size"][0], *kernel, generator=generator)
    ).requires_grad_()
    leaves = [weight] if layer == "L1" else [x, weight]
    if variant == "conv2d":

        def forward():
            return torch.nn.functional.conv2d(x, weight, padding=padding)
    else:
        offset = torch.randn(batch, 2 * taps, *out, generator=generator).requires_grad_()
        mask = (2 * torch.rand(batch, taps, *out, generator=generator)).requires_grad_()
        leaves += [offset, mask]
        operator = deform_conv2d if variant == "ours" else torchvision.ops.deform_conv2d

        def forward():
            return operator(x, offset, weight, padding=padding, mask=mask)

    grad = torch.randn(batch, settings["filters"], *out, generator=generator)
    return lambda: torch.autograd.grad(forward(), leaves, grad)


def time_layer(layer, *, batch, repeats):
    """Median milliseconds per clip of each variant."""
    steps = {variant: make_step(variant, layer, batch) for variant in VARIANTS}
    seconds = {variant: [] for variant in VARIANTS}
    for repeat in range(repeats + 1):
        for variant, step in steps.items():
            start = time.perf_counter()
            step()
            if repeat:
                seconds[variant].append(time.perf_counter() - start)
    return {variant: 1000 * median(values) / batch for variant, values in seconds.items()}


def peak_memory(variant, layer, *, batch):
    """MiB that one step adds to a fresh process at its peak."""
    command = [sys.executable, __file__, "--child", variant, layer, "--batch", str(batch)]
    environment = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def child(variant, layer, batch):
    # a small step first, so that what the libraries load and keep is not counted
    make_step(variant, "L4", 1)()
    step = make_step(variant, layer, batch)
    # the peak so far may come from loading the libraries: start again from what is resident now
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = resident("VmRSS")
    gradients = step()
    print((resident("VmHWM") - before) / 1024)
    del gradients


def resident(name):
    """An entry of the process's status, KiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", nargs=2, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child, arguments.batch)
        return
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        # the suite's own processes run with these settings, which are read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    import torch
    import torchvision

    times = {layer: time_layer(layer, batch=arguments.batch, repeats=arguments.repeats) for layer in LAYERS}
    times["sum"] = {variant: sum(times[layer][variant] for layer in LAYERS) for variant in VARIANTS}
    memory = {layer: {v: peak_memory(v, layer, batch=arguments.batch) for v in VARIANTS} for layer in LAYERS}
    memory["max"] = {variant: max(memory[layer][variant] for layer in LAYERS) for variant in VARIANTS}
    print(f"{'ms per clip':>12}" + "".join(f"{v:>13}" for v in VARIANTS) + f"{'speed-up':>10}{'MiB at the peak':>40}")
    for row, peak in zip(times, memory, strict=True):
        cells = "".join(f"{times[row][v]:13.2f}" for v in VARIANTS)
        speed_up = times[row]["torchvision"] / times[row]["ours"]
        print(f"{row:>12}{cells}{speed_up:9.1f}×" + "".join(f"{memory[peak][v]:13.1f}" for v in VARIANTS))
    result = {
        "device": f"{platform.processor() or platform.machine()} CPU",
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "threads": torch.get_num_threads(),
        "load_1min": os.getloadavg()[0],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "batch": arguments.batch,
        "repeats": arguments.repeats,
        "ms_per_clip": times,
        "speed_up": {row: values["torchvision"] / values["ours"] for row, values in times.items()},
        "peak_mib": memory,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
