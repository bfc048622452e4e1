"""Oscillators against sums of sines in double precision, over long times, in chunks, at the edges of the range."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.audio.oscillators import accumulate_phase, naive_sawtooth, sawtooth, upsample

RATE = 24000


def glide(low=180.0, high=700.0, *, n=12_000, dtype=torch.float64):
    return torch.linspace(math.log(low), math.log(high), n, dtype=dtype).exp()[None]


def exact_phase(f0, start=0.0):
    """Sum in rational steps: every increment in extended precision, whole cycles taken off at once."""
    phase, out = np.longdouble(start), np.empty(len(f0))
    for n, frequency in enumerate(np.asarray(f0, dtype=np.longdouble) / RATE):
        phase = (phase + frequency) % 1
        out[n] = phase
    return out


def sines(f0, *, start=0.0, gain=0.4, n_harmonics=150):
    """The formula of the paper's code, partial by partial."""
    f0 = f0.numpy().astype(np.float64)
    phase = exact_phase(f0, start)
    out = np.zeros(len(f0))
    for k in range(1, n_harmonics + 1):
        out += np.where((k * f0 < RATE / 2) & (f0 > 0), np.sin(2 * np.pi * k * phase) / k, 0)
    return gain * out


def snr(reference, found):
    return 10 * np.log10(np.square(reference).sum() / np.square(found - reference).sum())


def circular(a, b):
    return np.abs((np.asarray(a) - np.asarray(b) + 0.5) % 1 - 0.5)


@pytest.mark.parametrize(
    ("f0", "floor"), [(82.4, 75), (110.0, 75), (220.0, 80), (440.0, 80), (880.0, 85), (3000.0, 85)]
)
def test_sawtooth_is_the_sum_of_its_partials(f0, floor):
    frequencies = torch.full((1, RATE), f0)
    ours = sawtooth(frequencies, sample_rate=RATE)
    assert snr(sines(frequencies[0]), ours.audio[0].numpy()) > floor
    assert ours.audio.dtype == torch.float32


def test_sawtooth_of_a_glide_and_of_another_size():
    f0 = glide()
    assert snr(sines(f0[0]), sawtooth(f0, sample_rate=RATE).audio[0].numpy()) > 75
    ours = sawtooth(f0, sample_rate=RATE, n_harmonics=7, gain=1.0).audio[0].numpy()
    assert snr(sines(f0[0], gain=1.0, n_harmonics=7), ours) > 100


def alias_to_harmonic(wave, f0):
    """Energy away from the multiples of f0 over energy at them, dB, of one second at a whole number of Hz."""
    power = np.square(np.abs(np.fft.rfft(wave)))
    at = np.zeros(len(power), dtype=bool)
    at[f0 : RATE // 2 : f0] = True
    return 10 * np.log10(power[~at][1:].sum() / power[at].sum())


@pytest.mark.parametrize(("f0", "naive"), [(113, -22), (227, -19), (442, -17), (811, -14)])
def test_aliases(f0, naive):
    frequencies = torch.full((1, RATE), float(f0), dtype=torch.float64)
    assert alias_to_harmonic(naive_sawtooth(frequencies, sample_rate=RATE).audio[0].numpy(), f0) == pytest.approx(
        naive, abs=0.6
    )
    assert alias_to_harmonic(sawtooth(frequencies, sample_rate=RATE).audio[0].numpy(), f0) < -75


def test_150_partials_end_at_half_of_the_sample_rate_at_80_hz():
    for f0, count in [(79.9, 150), (80.0, 149), (80.5, 149), (1000.0, 11), (1000.1, 11), (999.9, 12), (11_999.0, 1)]:
        frequencies = torch.full((1, 4000), f0)
        ours = sawtooth(frequencies, sample_rate=RATE).audio[0].numpy()
        assert snr(sines(frequencies[0], n_harmonics=count), ours) > 70, f0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_edges_of_the_range(dtype):
    f0 = torch.tensor([0.0, 1e-30, 1e-3, 0.0, 11_999.99, 12_000.0, 12_001.0, 23_999.0, 24_000.0, 1e6, 0.0], dtype=dtype)
    for wave in (sawtooth, naive_sawtooth):
        ours = wave(f0.repeat_interleave(300)[None], sample_rate=RATE)
        assert torch.isfinite(ours.audio).all()
        assert ours.audio.abs().max() <= 1
        assert (ours.audio[0, :300] == 0).all()
        assert (ours.audio[0, -300:] == 0).all()
        assert 0 <= float(ours.phase) < 1
    assert (sawtooth(f0.repeat_interleave(300)[None], sample_rate=RATE).audio[0, 5 * 300 :] == 0).all()


def test_an_unvoiced_gap_holds_the_phase():
    f0 = torch.cat([torch.full((1000,), 220.0), torch.zeros(777), torch.full((1000,), 220.0)])[None]
    gap = accumulate_phase(f0, sample_rate=RATE)[0]
    none = accumulate_phase(f0[f0 > 0][None], sample_rate=RATE)[0]
    np.testing.assert_allclose(gap[1777:], none[1000:], atol=1e-12)
    assert circular(gap[1000:1777], gap[999]).max() < 1e-12


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_wrong_frequencies_are_named(value):
    f0 = torch.full((1, 70_000), 220.0)
    f0[0, 40_000] = value
    with pytest.raises(ValueError, match="finite and not negative"):
        sawtooth(f0, sample_rate=RATE)
    with pytest.raises(ValueError, match="finite and not negative"):
        accumulate_phase(f0, sample_rate=RATE)


def test_other_faults():
    with pytest.raises(ValueError, match="n_harmonics must be at least 1"):
        sawtooth(torch.ones(1, 4), sample_rate=RATE, n_harmonics=0)
    with pytest.raises(ValueError, match="'cubic'; choose"):
        upsample(torch.ones(1, 4), hop_length=2, interpolation="cubic")


def test_phase_stays_exact_for_ten_minutes():
    n = 600 * RATE
    f0 = torch.full((1, n), 233.37, dtype=torch.float64)
    last = accumulate_phase(f0, sample_rate=RATE)[0, [n // 2 - 1, n - 1]].numpy()
    exact = [float(np.longdouble(233.37) * (n // 2) / RATE % 1), float(np.longdouble(233.37) * n / RATE % 1)]
    assert circular(last, exact).max() < 1e-7


def test_single_precision_frequencies_do_not_blur_the_phase():
    f0 = (220 * 2 ** (torch.sin(torch.arange(60_000) / 700) / 12))[None]
    ours = accumulate_phase(f0, sample_rate=RATE)[0].numpy()
    assert circular(ours, exact_phase(f0[0].numpy())).max() < 1e-10


@given(
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    low=st.floats(0, 2000),
    high=st.floats(0, 2000),
    start=st.floats(-3, 3),
)
@settings(max_examples=40, deadline=None)
def test_chunks_join_without_a_seam(cuts, low, high, start):
    f0 = torch.linspace(low, high, sum(cuts), dtype=torch.float64)[None]
    phase = torch.tensor([start])
    whole = sawtooth(f0, sample_rate=RATE, initial_phase=phase)
    parts, place = [], 0
    for cut in cuts:
        part = sawtooth(f0[:, place : place + cut], sample_rate=RATE, initial_phase=phase)
        parts.append(part.audio)
        phase, place = part.phase, place + cut
    # a table of 0.4 · 150 partials is nowhere steeper than 0.4 · 150 · 2π per cycle
    torch.testing.assert_close(torch.cat(parts, dim=1), whole.audio, rtol=0, atol=1e-8)
    assert circular(phase, whole.phase).max() < 1e-10


@given(frequencies=st.lists(st.floats(0, 12_000), min_size=2, max_size=600), start=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_phase_advances_by_the_frequency(frequencies, start):
    f0 = torch.tensor(frequencies, dtype=torch.float64)
    phase = accumulate_phase(f0, sample_rate=RATE, initial_phase=torch.tensor(start, dtype=torch.float64))
    assert bool((phase >= 0).all())
    assert bool((phase < 1).all())
    steps = np.diff(np.r_[start, phase.numpy()])
    assert circular(steps, f0.numpy() / RATE).max() < 1e-12


def test_batches_are_independent_and_shapes_kept():
    f0 = torch.rand(2, 3, 1000, dtype=torch.float64) * 500 + 80
    start = torch.rand(2, 3, dtype=torch.float64)
    together = sawtooth(f0, sample_rate=RATE, initial_phase=start)
    assert together.audio.shape == f0.shape
    assert together.phase.shape == (2, 3)
    alone = sawtooth(f0[1, 2], sample_rate=RATE, initial_phase=start[1, 2])
    torch.testing.assert_close(together.audio[1, 2], alone.audio)
    assert sawtooth(f0[..., :0], sample_rate=RATE, initial_phase=start).audio.shape == (2, 3, 0)


def test_no_gradient_and_no_change_of_the_input():
    # a whole number of rows needs no padding, so nothing else copies the input
    f0 = (torch.rand(2, 512, dtype=torch.float64) * 300 + 100).requires_grad_()
    copy = f0.detach().clone()
    for wave in (sawtooth, naive_sawtooth):
        assert not wave(f0, sample_rate=RATE).audio.requires_grad
    assert torch.equal(f0.detach(), copy)


def test_the_table_made_in_inference_mode_serves_training():
    with torch.inference_mode():
        sawtooth(torch.full((1, 10), 100.0), sample_rate=RATE, n_harmonics=11)
    weight = torch.ones(10, requires_grad=True)
    (sawtooth(torch.full((1, 10), 100.0), sample_rate=RATE, n_harmonics=11).audio * weight).sum().backward()
    assert weight.grad is not None


def test_upsampling():
    frames = torch.tensor([[100.0, 200.0, 400.0, 0.0, 300.0]])
    held = upsample(frames, hop_length=4)
    assert held.tolist() == [[value for value in frames[0].tolist() for _ in range(4)]]
    lines = upsample(frames, hop_length=4, interpolation="linear")[0].numpy()
    centres = np.arange(5) * 4 + 1.5
    expected = np.interp(np.arange(20), centres[:3], [100, 200, 400])
    np.testing.assert_allclose(lines[:10], expected[:10], rtol=1e-6)
    assert set(lines[10:]) == {400.0, 0.0, 300.0}, "no glide into or out of silence"
    assert upsample(frames, hop_length=4, interpolation="linear").shape == (1, 20)
