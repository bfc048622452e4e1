"""Effects with a strength per clip against scipy's filters and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from reprise.audio.effects import add_noise_of_level, amplify, echo, first_order_filter, sinc_filter

RATE = 22_050
CUTOFFS = torch.tensor([200.0, 731.5, 1200.0, 2200.0, 4000.0, 11_000.0])


def clips(n=6, n_samples=5_000, *, seed=0, dtype=torch.float64):
    return torch.randn(n, n_samples, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def tone(frequency, n_samples=20_000):
    return torch.sin(2 * np.pi * frequency * torch.arange(n_samples, dtype=torch.float64) / RATE)[None]


def windowed_sinc(clip, cutoff, *, high, zeros=8):
    """The same filter by scipy's design, convolved directly."""
    half = int(zeros / (cutoff / RATE) / 2)
    taps = signal.firwin(2 * half + 1, cutoff, window="hann", fs=RATE)
    low = np.convolve(np.pad(clip, half, mode="edge"), taps, mode="valid")
    return clip - low if high else low


@pytest.mark.parametrize("high", [False, True])
def test_the_steep_filter_is_scipys_windowed_sinc(high):
    y = clips() + 0.5
    filtered = sinc_filter(y, CUTOFFS, high=high, sample_rate=RATE)
    for row, clip, cutoff in zip(filtered.numpy(), y.numpy(), CUTOFFS.tolist(), strict=True):
        np.testing.assert_allclose(row, windowed_sinc(clip, cutoff, high=high), atol=1e-12)


@pytest.mark.parametrize("high", [False, True])
def test_the_gentle_filter_is_scipys_butterworth(high):
    y = clips()
    filtered = first_order_filter(y, CUTOFFS, high=high, sample_rate=RATE)
    for row, clip, cutoff in zip(filtered.numpy(), y.numpy(), CUTOFFS.tolist(), strict=True):
        b, a = signal.butter(1, cutoff, "high" if high else "low", fs=RATE)
        np.testing.assert_allclose(row, signal.lfilter(b, a, clip), atol=1e-7)


@pytest.mark.parametrize(("function", "loss"), [(sinc_filter, 6.02), (first_order_filter, 3.01)])
@pytest.mark.parametrize("high", [False, True])
def test_a_tone_at_the_cutoff_loses(function, loss, high):
    for cutoff in (200.0, 1200.0, 4000.0):
        filtered = function(tone(cutoff), cutoff, high=high, sample_rate=RATE)[0, 5_000:-5_000]
        assert 20 * np.log10(filtered.std().item() * np.sqrt(2)) == pytest.approx(-loss, abs=0.1)


@pytest.mark.parametrize("function", [sinc_filter, first_order_filter])
def test_each_clip_has_its_own_side(function):
    y = clips(2)
    mixed = function(y, 1000.0, high=torch.tensor([True, False]), sample_rate=RATE)
    for row, clip, high in zip(mixed, y, (True, False), strict=True):
        alone = function(clip[None], 1000.0, high=high, sample_rate=RATE)[0]
        torch.testing.assert_close(row, alone)
    torch.testing.assert_close(mixed[0] + function(y[:1], 1000.0, high=False, sample_rate=RATE)[0], y[0])


def test_a_steep_filter_lets_a_constant_pass_up_to_its_ends():
    y = torch.full((1, 3_000), 0.7)
    torch.testing.assert_close(sinc_filter(y, 300.0, high=False, sample_rate=RATE), y)
    torch.testing.assert_close(sinc_filter(y, 300.0, high=True, sample_rate=RATE), torch.zeros_like(y))


@pytest.mark.parametrize("function", [sinc_filter, first_order_filter])
def test_filters_of_single_precision_are_near_those_of_double(function):
    y = clips(n_samples=59_049)
    high = torch.tensor([True, False] * 3)
    exact = function(y, CUTOFFS, high=high, sample_rate=RATE)
    single = function(y.float(), CUTOFFS, high=high, sample_rate=RATE)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, atol=2e-6, rtol=0)


@given(delays=st.lists(st.integers(0, 60), min_size=1, max_size=4), factor=st.floats(-1, 1), n=st.integers(1, 40))
def test_an_echo_comes_later_and_softer(delays, factor, n):
    y = clips(len(delays), n)
    mixed = echo(y, torch.tensor(delays), factor=factor)
    for row, clip, delay in zip(mixed.numpy(), y.numpy(), delays, strict=True):
        late = np.concatenate([np.zeros(delay), clip])[:n]
        np.testing.assert_allclose(row, (clip + factor * late) / 2, atol=1e-15)


def test_gain_is_in_decibels():
    y = clips(3)
    louder = amplify(y, torch.tensor([-20.0, 0.0, 6.0]))
    torch.testing.assert_close(louder, y * torch.tensor([[0.1], [1.0], [10**0.3]], dtype=torch.float64))
    assert amplify(y.float(), -3.0).dtype == torch.float32


def test_noise_is_in_proportion_to_the_clip():
    y = clips(3, 40_000) * torch.tensor([[1.0], [0.01], [0.0]], dtype=torch.float64)
    noise = clips(3, 40_000, seed=1)
    added = add_noise_of_level(y, noise, level=torch.tensor([0.01, 0.5, 0.5])) - y
    np.testing.assert_allclose(added.std(dim=1).numpy(), [0.01, 0.005, 0.0], rtol=0.02)
    torch.testing.assert_close(added[0], 0.01 * y[0].std() * noise[0], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("function", [sinc_filter, first_order_filter])
def test_nothing_gives_nothing(function):
    empty = function(torch.zeros(0, 100), torch.zeros(0), high=True, sample_rate=RATE)
    assert empty.shape == (0, 100)
    assert not function(torch.zeros(1, 100), 500.0, high=False, sample_rate=RATE).any()


Y = torch.zeros(2, 100)


@pytest.mark.parametrize("function", [sinc_filter, first_order_filter])
@pytest.mark.parametrize(
    ("cutoff", "message"),
    [
        (0.0, "got 0.0"),
        (11_025.0, "11025.0 Hz, got 11025.0"),
        (float("nan"), "got nan"),
        (torch.ones(3), "one per clip, 2, got"),
    ],
)
def test_impossible_cutoffs_are_named(function, cutoff, message):
    with pytest.raises(ValueError, match=message):
        function(Y, cutoff, high=False, sample_rate=RATE)


def test_a_delay_backwards_is_named():
    with pytest.raises(ValueError, match="got -3 samples"):
        echo(Y, torch.tensor([2, -3]))
