"""The reverb against the recursion of its filters, sample by sample, and against how long a room must ring."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from reprise.audio.reverb import reverb

RATE = 22_050
COMBS = (1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617)
ALL_PASSES = (225, 341, 441, 556)


def feedback_of(reverberance):
    a = -1 / math.log(1 - 0.3)
    b = 100 / (math.log(1 - 0.98) * a + 1)
    return 1 - math.exp((reverberance - b) / (a * b))


def comb(x, delay, feedback, damping):
    b, a = np.zeros(delay + 2), np.zeros(delay + 1)
    b[delay], b[delay + 1] = 1, -damping
    a[0], a[1] = 1, -damping
    a[delay] -= feedback * (1 - damping)
    return signal.lfilter(b, a, x)


def all_pass(x, delay):
    b, a = np.zeros(delay + 1), np.zeros(delay + 1)
    b[0], b[delay] = -1, 1.5
    a[0], a[delay] = 1, -0.5
    return signal.lfilter(b, a, x)


def wet(x, reverberance, damping, room_scale, *, rate=RATE):
    """The wet part by recursion, in double precision."""
    scale, sides = room_scale / 100 * 0.9 + 0.1, []
    for side in (0, 1):
        signs = [side * (-1) ** i for i in range(12)]
        delays = [int(scale * rate / 44_100 * (n + 12 * s) + 0.5) for n, s in zip(COMBS, signs, strict=False)]
        out = sum(comb(x, delay, feedback_of(reverberance), damping / 100 * 0.3 + 0.2) for delay in delays)
        for n, s in zip(ALL_PASSES, signs, strict=False):
            out = all_pass(out, int(rate / 44_100 * (n + 12 * s) + 0.5))
        sides.append(0.015 * out)
    return (sides[0] + sides[1]) / 2


def impulse(n_samples):
    y = torch.zeros(1, n_samples)
    y[0, 0] = 1
    return y


def response(n_samples, **room):
    return (reverb(impulse(n_samples), **room, sample_rate=RATE) - impulse(n_samples))[0].double().numpy()


@pytest.mark.parametrize("rate", [22_050, 44_100, 16_000])
def test_equals_the_recursion(rate):
    y = 0.1 * torch.randn(4, 12_000, generator=torch.Generator().manual_seed(0))
    room = torch.tensor([[99.0, 0, 99], [50, 50, 50], [0, 99, 0], [99, 0, 0]])
    ours = reverb(y, reverberance=room[:, 0], damping=room[:, 1], room_scale=room[:, 2], sample_rate=rate)
    for row, clip, parameters in zip(ours.numpy(), y.double().numpy(), room.tolist(), strict=True):
        expected = wet(clip, *parameters, rate=rate)
        error = (row - clip - expected).std()
        assert error < 1e-4 * expected.std()


def test_short_clips_ring_as_the_beginning_of_long_ones():
    y = torch.randn(1, 9_000, generator=torch.Generator().manual_seed(0))
    room = {"reverberance": 80.0, "damping": 20.0, "room_scale": 90.0, "sample_rate": RATE}
    whole = reverb(y, **room)
    for n_samples in (1, 40, 800, 5_000):
        torch.testing.assert_close(reverb(y[:, :n_samples], **room), whole[:, :n_samples], atol=5e-5, rtol=0)


@pytest.mark.parametrize(("reverberance", "room_scale"), [(20, 100), (50, 60), (70, 10)])
def test_rings_as_long_as_its_combs(reverberance, room_scale):
    """60 dB are lost in 3 / -log10(f) rounds of D samples; low frequencies pass the damping unharmed."""
    whole = response(2 * RATE, reverberance=reverberance, damping=0.0, room_scale=room_scale)
    low = signal.sosfiltfilt(signal.butter(4, 300, fs=RATE, output="sos"), whole)
    energy = np.cumsum(low[::-1] ** 2)[::-1]
    decibels = 10 * np.log10(energy / energy[0])
    late = (decibels < -10) & (decibels > -40)
    measured = -60 / np.polyfit(np.flatnonzero(late) / RATE, decibels[late], 1)[0]
    scale = (room_scale / 100 * 0.9 + 0.1) / 44_100
    rounds = 3 / -math.log10(feedback_of(reverberance))
    assert 0.97 * rounds * min(COMBS) * scale < measured < 1.03 * rounds * max(COMBS) * scale


def test_each_control_does_what_it_says():
    def after(seconds, **room):
        room = {"reverberance": 50.0, "damping": 50.0, "room_scale": 50.0} | room
        return response(RATE, **room)[int(seconds * RATE) :]

    def brightness(x):
        power = np.abs(np.fft.rfft(x)) ** 2
        return power[len(power) // 2 :].sum() / power.sum()

    for name in ("reverberance", "room_scale"):
        loudness = [np.square(after(0.25, **{name: value})).sum() for value in (10.0, 40.0, 70.0, 100.0)]
        assert all(np.diff(np.log10(loudness)) > 0.3), name
    bright = [brightness(after(0.15, damping=value)) for value in (0.0, 50.0, 100.0)]
    assert bright[0] > 2 * bright[1] > 4 * bright[2]


@given(at=st.integers(1, 1_999), seed=st.integers(0, 9))
@settings(max_examples=15)
def test_nothing_sounds_before_its_cause(at, seed):
    y = torch.randn(1, 2_000, generator=torch.Generator().manual_seed(seed))
    other = y.clone()
    other[:, at:] = 0
    room = {"reverberance": 60.0, "damping": 10.0, "room_scale": 0.0, "sample_rate": RATE}
    torch.testing.assert_close(reverb(y, **room)[:, :at], reverb(other, **room)[:, :at], atol=1e-5, rtol=0)


def test_clips_do_not_depend_on_each_other():
    y = torch.randn(5, 3_000, generator=torch.Generator().manual_seed(0))
    values = torch.tensor([0.0, 30.0, 99.0, 50.0, 10.0])
    rooms = {"reverberance": values, "damping": values.flip(0), "room_scale": values.roll(1)}
    together = reverb(y, **rooms, sample_rate=RATE)
    for i in range(5):
        alone = reverb(y[i : i + 1], **{k: v[i : i + 1] for k, v in rooms.items()}, sample_rate=RATE)
        torch.testing.assert_close(together[i], alone[0], atol=1e-6, rtol=0)


def test_silence_stays_silent_and_nothing_gives_nothing():
    room = {"reverberance": 50.0, "damping": 50.0, "room_scale": 50.0, "sample_rate": RATE}
    assert not reverb(torch.zeros(1, 500), **room).any()
    assert reverb(torch.zeros(0, 500), **room).shape == (0, 500)


@pytest.mark.parametrize(
    ("y", "change", "message"),
    [
        (torch.zeros(2, 9), {"damping": -1.0}, r"damping must lie in \[0, 100\], got -1.0"),
        (torch.zeros(2, 9), {"reverberance": float("nan")}, "got nan"),
        (torch.zeros(2, 9), {"room_scale": torch.zeros(3)}, r"room_scale must be .* 2, got shape \(3,\)"),
        (torch.zeros(9), {}, r"\(batch, time\)"),
        (torch.zeros(2, 9, dtype=torch.float64), {}, "float64"),
    ],
)
def test_faults_are_named(y, change, message):
    room = {"reverberance": 50.0, "damping": 50.0, "room_scale": 50.0} | change
    with pytest.raises(ValueError, match=message):
        reverb(y, **room, sample_rate=RATE)
