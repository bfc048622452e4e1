"""Losses against formulas written out in NumPy, at the switch, for silence, and their gradients."""

import math

import librosa
import numpy as np
import pytest
import torch

from reprise.audio.losses import f0_loss, multi_scale_stft_loss, voicing_loss


def signals(n=3000, *, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    return (0.1 * torch.randn(2, n, generator=generator, dtype=dtype) for _ in range(2))


def by_librosa(prediction, target, *, sizes, power, epsilon):
    total = 0.0
    for size in sizes:
        spectra = [
            np.abs(librosa.stft(y.numpy(), n_fft=size, hop_length=size // 4, pad_mode="reflect")) ** power
            for y in (prediction, target)
        ]
        logarithms = [np.log2(spectrum + epsilon) for spectrum in spectra]
        total += np.abs(spectra[0] - spectra[1]).mean() + np.abs(logarithms[0] - logarithms[1]).mean()
    return total


@pytest.mark.parametrize(
    ("formula", "constants"),
    [
        ("power", {"sizes": (1024, 512, 256, 128), "power": 2, "epsilon": 1e-7}),
        ("amplitude", {"sizes": (512, 1024, 2048), "power": 1, "epsilon": 1e-8}),
    ],
)
def test_both_formulas(formula, constants):
    prediction, target = signals()
    ours = multi_scale_stft_loss(prediction, target, formula=formula)
    assert float(ours) == pytest.approx(by_librosa(prediction, target, **constants), rel=1e-6)
    assert float(multi_scale_stft_loss(target, target, formula=formula)) == 0
    # the linear term grows with the level, the other hardly does
    assert float(multi_scale_stft_loss(10 * prediction, 10 * target, formula=formula)) > float(ours)


def test_silence_has_a_finite_value_and_gradient():
    for formula in ("power", "amplitude"):
        silence = torch.zeros(1, 4096, requires_grad=True)
        loss = multi_scale_stft_loss(silence, torch.rand(1, 4096), formula=formula)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(silence.grad).all()


def test_spectral_gradient():
    prediction, target = signals(100)
    assert torch.autograd.gradcheck(
        lambda y: multi_scale_stft_loss(y, target, sizes=(32, 16)), (prediction.requires_grad_(),)
    )


def test_f0_loss_before_and_after_the_switch():
    target = torch.zeros(2, 20)
    target[:, :8] = 220.0
    predicted = target + 10
    predicted[:, 8:] = 80.0
    semitones = math.log(230.001 / 220.001)
    unvoiced = math.log(80.001 / 0.001)
    everything = (8 * semitones + 12 * unvoiced) / 20
    assert unvoiced == pytest.approx(11.29, abs=0.01)
    for step, expected in [(0, everything), (4999, everything), (5000, semitones), (10**6, semitones)]:
        assert float(f0_loss(predicted, target, step=step)) == pytest.approx(expected, rel=1e-4)
    assert float(f0_loss(predicted, target, step=0, switch_step=0)) == pytest.approx(semitones, rel=1e-4)


@pytest.mark.parametrize("step", [0, 5000])
def test_few_voiced_frames_count_for_nothing(step):
    target = torch.zeros(1, 100)
    target[0, :9] = 100.0
    predicted = torch.full((1, 100), 200.0, requires_grad=True)
    loss = f0_loss(predicted, target, step=step)
    loss.backward()
    assert loss == 0
    assert (predicted.grad == 0).all()
    target[0, 9] = 100.0
    assert f0_loss(predicted, target, step=step) > 0
    assert f0_loss(predicted, torch.zeros(1, 100), step=step) == 0


def test_f0_gradient_reaches_voiced_frames_only_after_the_switch():
    target = torch.zeros(1, 40)
    target[0, :20] = 300.0
    for step, silent in [(0, False), (5000, True)]:
        predicted = torch.full((1, 40), 200.0, requires_grad=True)
        f0_loss(predicted, target, step=step).backward()
        assert (predicted.grad[0, :20] < 0).all()
        assert bool((predicted.grad[0, 20:] == 0).all()) == silent


def test_voicing_loss():
    voicing = torch.tensor([[0.9, 0.2, 0.0, 1.0]])
    target = torch.tensor([[100.0, 0.0, 0.0, 200.0]])
    assert float(voicing_loss(voicing, target)) == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 4, rel=1e-4)
    assert torch.isfinite(voicing_loss(1 - voicing, target))


def test_faults_are_named():
    y = torch.zeros(1, 3000)
    with pytest.raises(ValueError, match="differ in shape"):
        multi_scale_stft_loss(y, y[:, :-1])
    with pytest.raises(ValueError, match="'mel'; choose one of"):
        multi_scale_stft_loss(y, y, formula="mel")
    with pytest.raises(ValueError, match="longer clips"):
        multi_scale_stft_loss(y[:, :300], y[:, :300])
    with pytest.raises(ValueError, match="do not fit"):
        f0_loss(y, y[:, :-1], step=0)
    with pytest.raises(ValueError, match="must not be negative"):
        f0_loss(y, y, step=-1)
