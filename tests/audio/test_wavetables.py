"""Additive and wavetable synthesis against sums written out, and their gradients."""

import numpy as np
import pytest
import torch

from reprise.audio.oscillators import accumulate_phase, upsample
from reprise.audio.wavetables import additive, harmonics_below_nyquist, read_periods, wavetable

RATE, HOP = 24000, 60


def frames(n=12, *, low=150.0, high=600.0):
    f0 = torch.linspace(low, high, n, dtype=torch.float64)[None].repeat(2, 1)
    f0[1] = f0[1].flip(0)
    return f0, accumulate_phase(upsample(f0, hop_length=HOP), sample_rate=RATE)


def test_partials_below_half_of_the_sample_rate():
    f0 = torch.tensor([80.0, 80.01, 0.0, 1000.0, 11_999.0, 12_000.0])
    mask = harmonics_below_nyquist(f0, sample_rate=RATE, n_harmonics=150)
    assert mask.sum(dim=-1).tolist() == [149, 149, 0, 11, 1, 0]


@pytest.mark.parametrize("n_harmonics", [1, 5, 150])
def test_additive_is_a_sum_of_sines(n_harmonics):
    f0, phase = frames()
    below = harmonics_below_nyquist(f0, sample_rate=RATE, n_harmonics=n_harmonics)
    amplitudes = torch.rand(2, 12, n_harmonics, dtype=torch.float64) * below
    numbers = np.arange(1, n_harmonics + 1)
    waves = np.sin(2 * np.pi * numbers * phase.numpy()[..., None])
    for interpolation in ("nearest", "linear"):
        columns = [upsample(amplitudes[..., k], hop_length=HOP, interpolation="nearest") for k in range(n_harmonics)]
        if interpolation == "linear":
            centres = np.arange(12) * HOP + (HOP - 1) / 2
            place = np.arange(12 * HOP)
            columns = [
                torch.from_numpy(np.stack([np.interp(place, centres, clip[:, k].numpy()) for clip in amplitudes]))
                for k in range(n_harmonics)
            ]
        expected = (torch.stack(columns, dim=-1).numpy() * waves).sum(axis=-1)
        ours = additive(amplitudes, phase, hop_length=HOP, interpolation=interpolation).numpy()
        error = 10 * np.log10(np.square(expected).sum() / np.square(ours - expected).sum())
        assert error > 60


def test_wavetables_of_sines_are_sines():
    f0, phase = frames()
    grid = 2 * np.pi * np.arange(512) / 512
    tables = torch.from_numpy(np.stack([np.sin(grid), np.cos(3 * grid), np.sin(100 * grid)]))
    weights = torch.rand(2, 12, 3, dtype=torch.float64)
    options = {"phase": phase, "f0": f0, "sample_rate": RATE, "hop_length": HOP}
    ours = wavetable(tables, weights, **options).numpy()
    held = weights.repeat_interleave(HOP, dim=1).numpy()
    angle = 2 * np.pi * phase.numpy()
    # the hundredth partial of 150 Hz and more lies above 12 kHz, and is gone
    expected = held[..., 0] * np.sin(angle) + held[..., 1] * np.cos(3 * angle)
    np.testing.assert_allclose(ours, expected, atol=3e-4)


def test_wavetables_filtered_one_by_one_as_the_authors_do():
    f0, phase = frames()
    tables, weights = torch.randn(4, 64, dtype=torch.float64), torch.rand(2, 12, 4, dtype=torch.float64)
    ours = wavetable(tables, weights, phase=phase, f0=f0, sample_rate=RATE, hop_length=HOP)
    expected = np.zeros(phase.shape)
    for clip in range(2):
        for frame in range(12):
            spectra = np.fft.rfft(tables.numpy(), axis=1)
            numbers = np.arange(spectra.shape[1])
            spectra[:, numbers * float(f0[clip, frame]) >= RATE / 2] = 0
            filtered = np.fft.irfft(spectra, n=64, axis=1)
            for n in range(frame * HOP, (frame + 1) * HOP):
                place = np.arange(65)
                values = [np.interp(float(phase[clip, n]) * 64, place, np.r_[row, row[0]]) for row in filtered]
                expected[clip, n] = np.dot(weights[clip, frame].numpy(), values)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-10)


def test_unvoiced_and_too_high_frames_are_silent():
    f0 = torch.tensor([[0.0, 200.0, 0.0, 12_000.0, 11_999.0]])
    phase = accumulate_phase(upsample(f0, hop_length=HOP), sample_rate=RATE)
    ours = wavetable(torch.randn(3, 64) + 1, torch.ones(1, 5, 3), phase=phase, f0=f0, sample_rate=RATE, hop_length=HOP)
    blocks = ours.view(5, HOP)
    assert (blocks[[0, 2]] == 0).all()
    assert torch.isfinite(blocks).all()
    assert blocks[1].abs().max() > 0
    # half of the sample rate itself is no partial: only the tables' mean is left
    assert blocks[3].std() < 1e-6


@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_gradients(interpolation):
    f0, phase = frames(3)
    amplitudes = torch.rand(2, 3, 2, dtype=torch.float64, requires_grad=True)
    options = {"hop_length": HOP, "interpolation": interpolation}
    assert torch.autograd.gradcheck(lambda a: additive(a, phase, **options), (amplitudes,))
    tables = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda t, w: wavetable(t, w, phase=phase, f0=f0, sample_rate=RATE, **options), (tables, weights)
    )


def test_faults_are_named():
    _, phase = frames()
    with pytest.raises(ValueError, match="11 frames of 60 need"):
        read_periods(torch.zeros(2, 11, 8), phase, hop_length=HOP)
    with pytest.raises(ValueError, match="'cubic'; choose"):
        read_periods(torch.zeros(2, 12, 8), phase, hop_length=HOP, interpolation="cubic")
