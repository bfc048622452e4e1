"""Phase deviation of signals with known jumps, branch energies by hand, harmonicity of known mixtures."""

import math

import numpy as np
import pytest
import torch

from reprise.audio.harmonicity import branch_ratio, harmonic_to_noise, phase_deviation

RATE, HOP = 24_000, 240


def note(f0, *, jumps=None, n_partials=8):
    """Partials of the phase of per-sample frequencies, with jumps in cycles added."""
    phase = np.cumsum(f0) / RATE + (0 if jumps is None else np.cumsum(jumps))
    numbers = np.arange(1, n_partials + 1)[:, None]
    return torch.tensor((np.sin(2 * np.pi * numbers * phase) / numbers).sum(axis=0))


def frames(f0):
    return torch.tensor(f0.reshape(-1, HOP).mean(axis=1))


def vibrato(seconds=2.0, *, cents=60.0, centre=440.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return centre * 2 ** (cents * np.sin(2 * np.pi * 5.5 * time) / 1200)


def test_a_held_note_with_vibrato_has_no_deviation():
    f0 = vibrato()
    found = phase_deviation(note(f0), frames(f0), sample_rate=RATE, n_partials=8)
    assert found.rms < 0.02
    assert found.frames.shape == (200,)
    # two more frames on each side and one for the neighbour would see what is outside
    assert torch.isnan(found.frames[:3]).all()
    assert torch.isfinite(found.frames[3:-3]).all()


def test_a_wrong_but_steady_frequency_does_not_count():
    f0 = np.full(2 * RATE, 440.0)
    found = phase_deviation(note(f0), frames(f0) * 1.005, sample_rate=RATE, n_partials=8)
    assert found.rms < 0.02


def test_jumps_of_the_phase_are_found_where_they_are_and_grow():
    f0 = vibrato()
    values = []
    for size in (0.05, 0.1, 0.2):
        jumps = np.zeros(len(f0))
        jumps[100 * HOP] = size
        found = phase_deviation(note(f0, jumps=jumps), frames(f0), sample_rate=RATE, n_partials=4)
        values.append(float(torch.nan_to_num(found.frames).max()))
        assert abs(int(torch.nan_to_num(found.frames).argmax()) - 100) <= 2
        assert float(torch.nan_to_num(found.frames)[:90].max()) < 0.02
    assert values == sorted(values)
    assert values[0] > 0.1


def test_a_partial_that_bends_by_a_known_amount():
    # the phase of a sine is a parabola: its second difference is the same everywhere
    bend = 0.02
    time = np.arange(2 * RATE)
    wave = torch.tensor(np.sin(2 * np.pi * 440 * time / RATE + 0.5 * bend * (time / HOP - 100) ** 2))
    found = phase_deviation(wave, torch.full((200,), 440.0, dtype=torch.float64), sample_rate=RATE, n_partials=1)
    np.testing.assert_allclose(found.frames[60:140], bend, rtol=0.02)


def test_noise_is_chance():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(10 * RATE, generator=generator, dtype=torch.float64)
    f0 = torch.full((1000,), 300.0, dtype=torch.float64)
    assert phase_deviation(noise, f0, sample_rate=RATE, n_partials=4).rms > 0.4
    # with frames that do not overlap, uniform on the circle
    far = phase_deviation(noise, f0[:250], sample_rate=RATE, hop_length=4 * HOP, n_fft=4 * HOP, n_partials=10)
    assert far.rms == pytest.approx(math.pi / math.sqrt(3), rel=0.12)


def test_only_held_frames_and_partials_below_half_of_the_rate_count():
    f0 = vibrato()
    held = torch.zeros(200, dtype=torch.bool)
    held[50:100] = True
    jumps = np.zeros(len(f0))
    jumps[150 * HOP] = 0.2
    clean = phase_deviation(note(f0, jumps=jumps), frames(f0), sample_rate=RATE, n_partials=8, held=held)
    assert clean.rms < 0.02
    assert set(torch.isfinite(clean.frames).nonzero().flatten().tolist()) == set(range(53, 97))
    many, few = (phase_deviation(note(f0), frames(f0), sample_rate=RATE, n_partials=n) for n in (200, 27))
    assert many.rms == pytest.approx(few.rms, rel=0.2)
    nothing = phase_deviation(note(f0), torch.zeros(200), sample_rate=RATE)
    assert math.isnan(nothing.rms)


def test_the_loss_of_one_partial_at_half_of_the_rate_is_exact():
    f0 = np.full(RATE, 5000.0)
    noise = 0.2 * torch.randn(RATE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = note(f0, n_partials=2) + noise
    two, five = (phase_deviation(y, frames(f0), sample_rate=RATE, n_partials=n) for n in (2, 5))
    torch.testing.assert_close(two.frames, five.frames, equal_nan=True)


def test_phase_deviation_refuses_short_signals():
    with pytest.raises(ValueError, match="blocks"):
        phase_deviation(torch.zeros(100), torch.ones(2), sample_rate=RATE)
    with pytest.raises(ValueError, match="n_partials"):
        phase_deviation(torch.zeros(480), torch.ones(2), sample_rate=RATE, n_partials=0)


def test_branch_energies_by_hand():
    harmonic = torch.cat([torch.full((HOP,), v) for v in (0.1, 0.2, 0.4, 0.1, 9.0)])
    noise = torch.cat([torch.full((HOP,), v) for v in (0.01, 0.1, 0.1, 0.1, 0.1)])
    target = torch.cat([torch.full((HOP,), v) for v in (0.1, 0.1, 0.1, 0.1, 1e-4)])
    f0 = torch.tensor([200.0, 0, 0, 0, 0])
    found = branch_ratio(harmonic, noise, f0=f0, target=target)
    assert found.voiced == pytest.approx(20, abs=1e-4)
    # the last frame is silent in the recording
    assert found.unvoiced == pytest.approx(10 * math.log10((0.04 + 0.16 + 0.01) / 0.03), abs=1e-4)
    assert found.median_unvoiced == pytest.approx(20 * math.log10(2), abs=1e-4)
    assert math.isnan(branch_ratio(harmonic, noise, f0=f0 + 1, target=target).unvoiced)
    with pytest.raises(ValueError, match="equally long"):
        branch_ratio(harmonic, noise[:-1], f0=f0, target=target)


@pytest.mark.parametrize("ratio", [-3.0, 5.0, 15.0])
@pytest.mark.parametrize("frequency", [130.0, 217.0, 600.0])
def test_a_mixture_has_its_ratio(ratio, frequency):
    tone = note(np.full(4 * RATE, frequency), n_partials=4)
    noise = torch.randn(len(tone), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    noise *= (tone.square().mean() / noise.square().mean()).sqrt() * 10 ** (-ratio / 20)
    found = harmonic_to_noise(tone + noise, sample_rate=RATE)[5:-5]
    # the highest of many values: noise can only add to it, the more the less there is of the tone
    assert float(found.median()) == pytest.approx(ratio, abs=1.0 if ratio > 0 else 3.0)


def test_a_tone_is_far_above_noise_and_silence_has_no_ratio():
    tone = note(np.full(RATE, 333.3), n_partials=5)
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    levels = harmonic_to_noise(torch.cat([tone, noise, torch.zeros(RATE)]).double(), sample_rate=RATE)
    assert levels.shape == (300,)
    assert float(levels[5:95].min()) > 25
    assert -10 < float(levels[105:195].median()) < -6
    assert torch.isnan(levels[205:]).all()


def test_harmonicity_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="window"):
        harmonic_to_noise(torch.zeros(2400), sample_rate=RATE, low=20.0)
    with pytest.raises(ValueError, match="240 samples"):
        harmonic_to_noise(torch.zeros(100), sample_rate=RATE)
