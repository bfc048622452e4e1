"""SawSing against the reference formulation: source, source with filters, whole vocoder, training step.

    python tests/benchmarks/bench_vocoder.py [--threads 2] [--rounds 5]

The reference adds up 150 sines in single precision and filters every frame by transforms of a power of two, as the
published code does; its attention keeps the features of all heads at once. Both are timed in turn, so that they see
the same machine; both run with the allocator's settings of the suite.
"""

import argparse
import math
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from reprise.files import write_json
from reprise.kernels import ALLOCATOR

SAMPLE_RATE, HOP, N_HARMONICS = 24_000, 240, 150
RESULT = Path(__file__).parent / "results" / "vocoder_cpu.json"
GOALS = {"source": 30.0, "source_and_filters": 8.0, "training_step": 2.0}
REAL_TIME_FACTOR = 0.009


def reference_sawtooth(f0):
    """Sum of 150 sines; f0 per sample."""
    import torch

    with torch.no_grad():
        phase = 2 * math.pi * torch.cumsum(f0 / SAMPLE_RATE, dim=-1)
        numbers = torch.arange(1, N_HARMONICS + 1, dtype=f0.dtype)
        below = (f0[..., None] * numbers < SAMPLE_RATE / 2).float() + 1e-7
        return 0.4 * (torch.sin(phase[..., None] * numbers) * (below / numbers)).sum(dim=-1)


def reference_filter(x, magnitudes):
    """One filter per frame: frequency sampling, windowing, and overlap-add of transforms of 2^n samples."""
    import torch
    import torch.nn.functional as F

    n_bins = magnitudes.shape[-1]
    taps = 2 * n_bins - 2
    response = torch.fft.irfft(torch.complex(magnitudes, torch.zeros_like(magnitudes)))
    window = torch.roll(torch.hann_window(taps), n_bins - 1)
    response = torch.roll(response * window, n_bins - 1, dims=-1)
    n_fft = 2 ** math.ceil(math.log2(HOP + taps - 1))
    blocks = F.pad(x.unflatten(-1, (-1, HOP)), (0, n_fft - HOP))
    filters = F.pad(response, (0, n_fft - taps))
    filtered = torch.fft.irfft(torch.fft.rfft(blocks) * torch.fft.rfft(filters))
    length = (blocks.shape[1] - 1) * HOP + n_fft
    total = F.fold(filtered.transpose(1, 2), (1, length), kernel_size=(1, n_fft), stride=(1, HOP))
    return total[:, 0, 0, : x.shape[1]]


def reference_features(x, directions, *, query):
    """Positive random features, one step after another."""
    import torch

    scale = x.shape[-1] ** -0.25
    projected = torch.einsum("...id,...jd->...ij", scale * x, directions.expand(*x.shape[:2], -1, -1))
    exponent = (x**2).sum(dim=-1, keepdim=True) / 2 * scale**2
    ratio = directions.shape[0] ** -0.5
    if query:
        return ratio * (torch.exp(projected - exponent - projected.amax(dim=-1, keepdim=True)) + 1e-4)
    return ratio * (torch.exp(projected - exponent) + 1e-4)


def reference_attention(layer, x):
    """Linear attention of a layer of ours."""
    import torch

    query, key, value = (
        part(x).unflatten(-1, (layer.n_heads, -1)).transpose(1, 2) for part in (layer.query, layer.key, layer.value)
    )
    query, key = (reference_features(part, layer.directions, query=q) for part, q in ((query, True), (key, False)))
    inverse = 1 / torch.einsum("...nd,...d->...n", query, key.sum(dim=-2))
    context = torch.einsum("...nd,...ne->...de", key, value)
    mixed = torch.einsum("...de,...nd,...n->...ne", context, query, inverse)
    return layer.out(mixed.transpose(1, 2).flatten(2))


def reference_network(network, mel):
    """The network of ours with the attention above."""
    x = network.stack(mel.transpose(1, 2)).transpose(1, 2)
    for block in network.blocks:
        x = x + reference_attention(block.attention, block.norm(x))
        x = x + block.convolution(x)
    return network.out(network.norm(x)).split([1, 256, 80], dim=-1)


def reference_synthesis(f0, harmonic, noise):
    """Source and filters for controls per frame."""
    import torch

    source = reference_sawtooth(f0.detach().repeat_interleave(HOP, dim=-1))
    return reference_filter(source, harmonic) + reference_filter(2 * torch.rand_like(source) - 1, noise)


def reference_vocoder(model, mel):
    """Audio and frequencies."""
    from reprise.models.synthesiser import positive, to_pitch

    logit, harmonic, noise = reference_network(model.network, mel)
    f0 = to_pitch(logit[..., 0])
    return reference_synthesis(f0, positive(harmonic), positive(noise)), f0


def reference_loss(prediction, target):
    """Power spectra of torch.stft at four sizes."""
    import torch
    import torch.nn.functional as F

    total = 0.0
    for size in (1024, 512, 256, 128):
        window = torch.hann_window(size)
        spectra = [
            torch.stft(y, size, size // 4, window=window, return_complex=True).abs().pow(2)
            for y in (prediction, target)
        ]
        logarithms = [torch.log2(spectrum + 1e-7) for spectrum in spectra]
        total = total + F.l1_loss(*spectra) + F.l1_loss(*logarithms)
    return total


def forward_calls(model, *, seconds):
    """Pairs (reference, ours) of calls without gradients."""
    import torch

    from reprise.audio.oscillators import sawtooth, upsample

    mel = torch.randn(1, round(seconds * SAMPLE_RATE / HOP), 80) - 2
    with torch.no_grad():
        controls = model.controls(mel)
    frames = 220 * 2 ** (torch.sin(torch.arange(mel.shape[1]) / 3) / 12)[None]
    controls["f0"] = frames
    f0 = upsample(frames, hop_length=HOP)
    return {
        "source": (lambda: reference_sawtooth(f0), lambda: sawtooth(f0, sample_rate=SAMPLE_RATE)),
        "source_and_filters": (
            lambda: reference_synthesis(frames, controls["harmonic"], controls["noise"]),
            lambda: model.synthesise(controls),
        ),
        "network": (lambda: reference_network(model.network, mel), lambda: model.network(mel)),
        "vocoder": (lambda: reference_vocoder(model, mel), lambda: model(mel)),
    }


def training_calls(model, *, batch, seconds):
    """The pair of calls of a training step: forward, losses, backward, update."""
    import torch

    from reprise.audio.losses import f0_loss, multi_scale_stft_loss

    n_frames = round(seconds * SAMPLE_RATE / HOP)
    mel, target = torch.randn(batch, n_frames, 80) - 2, 0.1 * torch.randn(batch, n_frames * HOP)
    labels = torch.full((batch, n_frames), 220.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

    def step(audio, f0, spectral_loss):
        loss = spectral_loss(audio, target) + f0_loss(f0, labels, step=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def ours():
        output = model(mel)
        step(output.audio, output.f0, multi_scale_stft_loss)

    return lambda: step(*reference_vocoder(model, mel), reference_loss), ours


def time_in_turn(calls, *, rounds):
    """Median and best seconds of each call, in turn, after a warm-up."""
    seconds = [[] for _ in calls]
    for number in range(rounds + 1):
        for call, values in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if number:
                values.append(time.perf_counter() - start)
    return [{"median": median(values), "best": min(values)} for values in seconds]


def measure(model, *, arguments):
    """Seconds of reference and ours for everything."""
    import torch

    results = {}
    with torch.no_grad():
        for name, calls in forward_calls(model, seconds=arguments.seconds).items():
            results[name] = dict(zip(("reference", "ours"), time_in_turn(calls, rounds=arguments.rounds), strict=True))
    calls = training_calls(model, batch=arguments.batch, seconds=2)
    rounds = max(1, arguments.rounds // 2)
    results["training_step"] = dict(zip(("reference", "ours"), time_in_turn(calls, rounds=rounds), strict=True))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        # the suite's own processes run with these settings, which are read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    import torch

    from reprise.models.vocoders import SawSing

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    load = os.getloadavg()[0]
    results = measure(SawSing(), arguments=arguments)
    speed_up = {
        name: {kind: times["reference"][kind] / times["ours"][kind] for kind in ("median", "best")}
        for name, times in results.items()
    }
    factor = {kind: results["vocoder"]["ours"][kind] / arguments.seconds for kind in ("median", "best")}
    print(f"{'ms':>20}{'reference':>12}{'ours':>10}{'speed-up':>10}{'goal':>7}")
    for name, times in results.items():
        cells = "".join(f"{1000 * times[who]['median']:{width}.1f}" for who, width in (("reference", 12), ("ours", 10)))
        print(f"{name:>20}{cells}{speed_up[name]['median']:9.1f}×{GOALS.get(name, ''):>7}")
    print(f"real-time factor {factor['median']:.4f}, best {factor['best']:.4f}; goal {REAL_TIME_FACTOR}")
    record = {
        "seconds": results,
        "speed_up": speed_up,
        "real_time_factor": factor,
        "goal": {**GOALS, "real_time_factor": REAL_TIME_FACTOR},
        "setting": {
            "device": f"{platform.processor() or platform.machine()} CPU",
            "cores": os.cpu_count(),
            "threads": arguments.threads,
            "load_1min_before": load,
            "torch": torch.__version__,
            "audio_seconds": arguments.seconds,
            "training_batch": f"{arguments.batch} clips of 2 s",
            "rounds": arguments.rounds,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    write_json(arguments.out, record)


if __name__ == "__main__":
    main()
