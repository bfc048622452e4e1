"""Oscillators whose phase is a running sum in single precision, as in the authors' code of SawSing."""

import math

import numpy as np
import pytest
import torch

from reprise.audio.oscillators import accumulate_phase, naive_sawtooth, sawtooth
from reprise.models.vocoders import DWTS, DDSPAdd, SawSing, SawSub

RATE = 24000


def radians(f0, *, sample_rate):
    """Sums in double precision, each rounded to single: what torch's running sum in single precision stores."""
    return np.cumsum(2 * np.pi * f0.double().numpy() / sample_rate).astype(np.float32)


def test_the_phase_is_the_rounded_sum_of_radians_without_whole_cycles():
    f0 = torch.full((20 * RATE,), 440.0)
    phase = accumulate_phase(f0, sample_rate=RATE, precision="single")
    expected = radians(f0, sample_rate=RATE).astype(np.float64) / (2 * np.pi)
    distance = np.abs(phase.numpy() - expected % 1)
    # a sum that lies between two numbers may be rounded to either
    step = np.spacing(radians(f0, sample_rate=RATE)) / (2 * np.pi)
    assert (np.minimum(distance, 1 - distance) <= 1.01 * step).all()
    assert (np.minimum(distance, 1 - distance) < 1e-9).mean() > 0.9
    assert float(phase.min()) >= 0
    assert float(phase.max()) < 1


@pytest.mark.parametrize(("seconds", "low", "high"), [(2, 60, 90), (30, 35, 62)])
def test_the_error_of_the_sawtooth_grows_with_time(seconds, low, high):
    f0 = torch.full((1, seconds * RATE), 880.0)
    exact = sawtooth(f0, sample_rate=RATE).audio
    rounded = sawtooth(f0, sample_rate=RATE, precision="single").audio
    level = 10 * math.log10(float(exact.square().sum() / (exact - rounded).square().sum()))
    assert low < level < high


def test_double_precision_is_the_default_and_other_words_are_refused():
    f0 = torch.full((1000,), 200.0)
    for oscillator in (sawtooth, naive_sawtooth):
        default, double = oscillator(f0, sample_rate=RATE), oscillator(f0, sample_rate=RATE, precision="double")
        assert torch.equal(default.audio, double.audio)
    with pytest.raises(ValueError, match="choose 'double' or 'single'"):
        accumulate_phase(f0, sample_rate=RATE, precision="half")


@pytest.mark.parametrize("family", [SawSing, DDSPAdd, DWTS, SawSub])
def test_vocoders_pass_the_precision_on(family):
    torch.manual_seed(0)
    double, single = family(), family(phase_precision="single")
    single.load_state_dict(double.state_dict())
    mel, f0 = torch.randn(1, 1500, 80) - 3, torch.full((1, 1500), 440.0)
    with torch.no_grad():
        ours, theirs = (network(mel, f0=f0).harmonic for network in (double, single))
    assert not torch.equal(ours, theirs)
    assert float((ours - theirs).square().mean()) < 1e-2 * float(ours.square().mean())
