"""FastDiff: its convolution against a loop, its size, its noise schedule, sampling and training."""

import numpy as np
import pytest
import torch

from reprise.models.fastdiff import FastDiff, location_variable_convolution
from reprise.models.shapes import count_parameters


def small():
    return FastDiff(rates=(4, 3), channels=4)


def mel(n_frames=7, *, batch=2):
    return torch.randn(batch, n_frames, 80, generator=torch.Generator().manual_seed(5)) - 2


@pytest.mark.parametrize("dilation", [1, 3])
def test_convolution_with_a_kernel_per_frame(dilation):
    x = torch.randn(2, 3, 20, dtype=torch.float64)
    kernels, bias = torch.randn(2, 5, 4, 3, 3, dtype=torch.float64), torch.randn(2, 5, 4, dtype=torch.float64)
    ours = location_variable_convolution(x, kernels, bias=bias, dilation=dilation).numpy()
    for clip in range(2):
        for n in range(20):
            expected = bias[clip, n // 4].numpy().copy()
            for tap in range(3):
                place = n + (tap - 1) * dilation
                if 0 <= place < 20:
                    expected += kernels[clip, n // 4, :, :, tap].numpy() @ x[clip, :, place].numpy()
            np.testing.assert_allclose(ours[clip, :, n], expected, atol=1e-12)


def test_size_as_published():
    assert count_parameters(FastDiff()) == pytest.approx(15e6, rel=0.05)


def test_levels_fall_from_one_and_have_fractional_steps():
    model = small()
    levels = model.levels.double().numpy()
    betas = np.linspace(1e-6, 0.01, 1000)
    np.testing.assert_allclose(levels, np.sqrt(np.cumprod(1 - betas)), rtol=1e-5)
    assert float(model._step_of(float(model.levels[300]))) == pytest.approx(300, abs=1e-3)
    between = float(model.levels[300] + model.levels[301]) / 2
    assert float(model._step_of(between)) == pytest.approx(300.5, abs=0.02)
    assert float(model._step_of(2.0)) == 0
    assert float(model._step_of(0.0)) == 999


def test_sampling_ends_at_the_signal_that_the_noise_was_added_to(monkeypatch):
    model = small()
    signal = 0.1 * torch.randn(2, 7 * 12)

    def oracle(audio, mel, *, step):
        level = float(np.interp(float(step[0]), np.arange(1000), model.levels.numpy()))
        return (audio - level * signal) / np.sqrt(1 - level**2)

    monkeypatch.setattr(model, "denoise", oracle)
    error = (model(mel(), generator=torch.Generator().manual_seed(0)).audio - signal).abs().max()
    assert error < 0.005


def test_noise_comes_from_the_generator():
    model = small()
    with torch.no_grad():
        first, again, other = (model(mel(), generator=torch.Generator().manual_seed(s)).audio for s in (1, 1, 2))
    assert first.shape == (2, 7 * 12)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_training_lowers_the_loss():
    model, audio = small(), 0.1 * torch.randn(2, 7 * 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(30):
        loss = model.loss(audio, mel(), generator=torch.Generator().manual_seed(0))
        optimizer.zero_grad()
        loss.backward()
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_faults_are_named():
    model = small()
    with pytest.raises(ValueError, match="does not match 7 frames of 12"):
        model.denoise(torch.zeros(2, 83), mel(), step=torch.zeros(2))
    with pytest.raises(ValueError, match="not \\(batch, n_frames, 80\\)"):
        model.denoise(torch.zeros(2, 84), mel().transpose(1, 2), step=torch.zeros(2))
