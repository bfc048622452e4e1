"""Rival vocoders and their discriminators: published sizes, lengths, reach, losses, one step of training."""

import math

import numpy as np
import pytest
import torch

from reprise.models.adversarial import discriminator_loss, feature_matching_loss, generator_loss
from reprise.models.hifigan import HiFiGAN, PeriodDiscriminators, ScaleDiscriminators
from reprise.models.nsf import NSF
from reprise.models.shapes import count_parameters
from reprise.models.wavegan import ParallelWaveGAN, WaveDiscriminator, spectral_convergence_loss
from reprise.models.wavegan import _Stretch as Stretch


def mel(n_frames=9, *, batch=2):
    return torch.randn(batch, n_frames, 80, generator=torch.Generator().manual_seed(5)) - 2


def small_wavegan():
    return ParallelWaveGAN(n_layers=4, n_cycles=2, channels=8)


def small_nsf():
    return NSF(channels=8, n_blocks=2, n_layers=3)


def merged(model):
    """Weights once the gains of the weight normalisation are multiplied in."""
    return sum(p.numel() for name, p in model.named_parameters() if not name.endswith("original0"))


@pytest.mark.parametrize(("size", "millions"), [("V1", 13.92), ("V2", 0.92), ("V3", 1.46)])
def test_hifigan_has_the_published_sizes(size, millions):
    model = HiFiGAN(size=size, rates=None)
    assert model.hop_length == 256
    assert math.floor(merged(model) / 1e4) / 100 == millions


def test_sizes_of_the_others():
    assert merged(PeriodDiscriminators()) == pytest.approx(41.1e6, rel=0.01)
    assert merged(ScaleDiscriminators()) == pytest.approx(29.6e6, rel=0.01)
    # per layer: dilated, condition, residual, skip; then context, smoothing, first and last convolutions
    layer = (64 * 128 * 3 + 128) + 80 * 128 + 2 * (64 * 64 + 64)
    rest = 80 * 80 * 5 + (11 + 9 + 9 + 7) + 2 * 64 + (64 * 64 + 64) + 65
    assert merged(ParallelWaveGAN()) == 30 * layer + rest


@pytest.mark.parametrize("rate", [2, 3, 5])
def test_stretching_is_repetition_and_a_convolution(rate):
    stretch = Stretch(rate).double()
    torch.nn.init.normal_(stretch.weight, generator=torch.Generator().manual_seed(rate))
    frames = torch.randn(
        2, 1, 4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    plain = torch.nn.functional.conv2d(frames.repeat_interleave(rate, dim=-1), stretch.weight, padding=(0, rate))
    ours = stretch(frames)
    torch.testing.assert_close(ours, plain)
    weights = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for found, wanted in zip(
        torch.autograd.grad((ours * weights).sum(), [frames, stretch.weight]),
        torch.autograd.grad((plain * weights).sum(), [frames, stretch.weight]),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    "build", [lambda: HiFiGAN(size="V2"), small_wavegan, small_nsf], ids=["hifigan", "wavegan", "nsf"]
)
def test_240_samples_a_frame_and_gradients_everywhere(build):
    model = build()
    output = model(mel())
    assert output.audio.shape == (2, 9 * 240)
    assert torch.isfinite(output.audio).all()
    loss = output.audio.square().sum()
    if output.f0 is not None:
        loss = loss + output.f0.sum() + output.voicing.sum()
    loss.backward()
    # the last layer's way on leads nowhere, in the published model, too
    unused = "layers.3.residual" if isinstance(model, ParallelWaveGAN) else "none"
    for name, weight in model.named_parameters():
        assert (weight.grad is None) == name.startswith(unused), name
        assert weight.grad is None or torch.isfinite(weight.grad).all(), name
    with pytest.raises(ValueError, match=r"not \(batch, n_frames, 80\)"):
        model(mel().transpose(1, 2))


def test_hifigan_alone_has_no_parts_and_any_rates():
    output = HiFiGAN(size="V2", rates=(5, 3))(mel(4))
    assert output.audio.shape == (2, 60)
    assert output.harmonic is None
    assert output.f0 is None
    with pytest.raises(ValueError, match="'V4'; choose one of"):
        HiFiGAN(size="V4")


def test_wavegan_noise_comes_from_the_generator():
    model = small_wavegan()
    with torch.no_grad():
        first, again, other = (model(mel(), generator=torch.Generator().manual_seed(s)).audio for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(ValueError, match="5 layers do not divide into 2 cycles"):
        ParallelWaveGAN(n_layers=5, n_cycles=2)


def test_wavegan_reaches_as_far_as_its_dilations():
    model = small_wavegan()
    frames = mel(12, batch=1)
    changed = frames.clone()
    changed[0, 6] += 1
    with torch.no_grad():
        outputs = [model(x, generator=torch.Generator().manual_seed(0)).audio[0] for x in (frames, changed)]
    moved = (outputs[0] - outputs[1]).abs().nonzero().flatten()
    # dilations 1, 2, 1, 2 reach 6 samples; the context 2 frames; smoothing its 48, 12, 3 and 1 samples of each rate
    reach = 6 + 2 * 240 + 5 * 48 + 4 * 12 + 4 * 3 + 3
    assert int(moved.min()) >= 6 * 240 - reach
    assert int(moved.max()) < 7 * 240 + reach
    assert len(moved) > 240


def test_wave_discriminator():
    model = WaveDiscriminator()
    audio = torch.randn(1, 400, requires_grad=True)
    ((scores,),) = model(audio)
    assert scores.shape == (1, 400)
    scores[0, 200].backward()
    seen = audio.grad[0].nonzero().flatten()
    reach = 2 + sum(range(1, 9))
    assert (int(seen.min()), int(seen.max())) == (200 - reach, 200 + reach)


def test_period_discriminators_see_every_pth_sample():
    model = PeriodDiscriminators(divisor=32)
    audio = torch.randn(1, 2310, requires_grad=True)
    outputs = model(audio)
    assert [len(maps) for maps in outputs] == [6] * 5
    for period, maps in zip((2, 3, 5, 7, 11), outputs, strict=True):
        (gradient,) = torch.autograd.grad(maps[-1][0, 0], audio, retain_graph=True)
        seen = gradient[0].nonzero().flatten()
        assert set((seen % period).tolist()) == {0}


def test_scale_discriminators_see_averages():
    model = ScaleDiscriminators(divisor=32)
    outputs = model(torch.randn(2, 1600))
    assert [len(maps) for maps in outputs] == [8] * 3
    assert [maps[0].shape[-1] for maps in outputs] == [1600, 801, 401]


def test_losses_by_hand():
    real = [[torch.tensor([[2.0]]), torch.tensor([[0.5, 1.0]])], [torch.tensor([[0.0]]), torch.tensor([[3.0]])]]
    fake = [[torch.tensor([[5.0]]), torch.tensor([[0.0, 2.0]])], [torch.tensor([[1.0]]), torch.tensor([[-1.0]])]]
    assert float(discriminator_loss(real, fake)) == (0.25 / 2 + 4 / 2) + (4 + 1)
    assert float(generator_loss(fake)) == (1 + 1) / 2 + 4
    assert float(feature_matching_loss(real, fake)) == 3 + 1


def test_spectral_convergence_by_hand():
    target, prediction = torch.randn(2, 3000), torch.randn(2, 3000)
    total = 0.0
    for n_fft, hop, win in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)):
        spectra = []
        for y in (prediction.double().numpy(), target.double().numpy()):
            window = np.zeros(n_fft)
            left = (n_fft - win) // 2
            window[left : left + win] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / win)
            padded = np.pad(y, ((0, 0), (n_fft // 2, n_fft // 2)), mode="reflect")
            frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop]
            power = np.square(np.abs(np.fft.rfft(frames * window)))
            spectra.append(np.sqrt(np.maximum(power, 1e-7)))
        ours, theirs = spectra
        total += np.linalg.norm(theirs - ours) / np.linalg.norm(theirs) + np.abs(np.log(ours / theirs)).mean()
    assert float(spectral_convergence_loss(prediction, target)) == pytest.approx(total / 3, rel=1e-4)


def test_nsf_sources():
    model = NSF(channels=8, n_blocks=1, n_layers=1)
    with torch.no_grad():
        model.merge.weight.copy_(torch.eye(1, 8))
        model.merge.bias.zero_()
        f0 = torch.tensor([[0.0, 240.0, 240.0, 240.0, 240.0]])
        harmonic, noise = model._sources(f0, torch.Generator().manual_seed(0))
    assert harmonic.shape == noise.shape == (1, 1, 5 * 240)
    # nine periods
    sung = harmonic[0, 0, 240:1140].numpy()
    spectrum = np.abs(np.fft.rfft(sung)) / len(sung) * 2
    peak = int(spectrum.argmax())
    assert peak * 24000 / len(sung) == pytest.approx(240)
    assert spectrum[peak] == pytest.approx(0.1, rel=0.05)
    # noise at a third of the sines' amplitude where nobody sings
    assert float(harmonic[0, 0, :240].std()) == pytest.approx(0.1 / 3, rel=0.2)


@pytest.mark.parametrize("frequency", [0.0, 80.0, 11_999.0, 12_000.0])
def test_nsf_at_the_edges(frequency):
    with torch.no_grad():
        output = small_nsf()(mel(), f0=torch.full((1, 1), frequency))
    assert torch.isfinite(output.audio).all()
    torch.testing.assert_close(output.audio, output.harmonic + output.noise)


def test_a_step_against_the_discriminators():
    generator = HiFiGAN(size="V2", rates=(4, 4))
    discriminators = [PeriodDiscriminators(divisor=32), ScaleDiscriminators(divisor=32)]
    real = 0.1 * torch.randn(2, 20 * 16)

    def judge(audio):
        return [maps for discriminator in discriminators for maps in discriminator(audio)]

    weights = [weight for discriminator in discriminators for weight in discriminator.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    fake = generator(mel(20)).audio
    losses = []
    for _ in range(4):
        loss = discriminator_loss(judge(real), judge(fake.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    features = judge(fake)
    (generator_loss(features) + 2 * feature_matching_loss(judge(real), features)).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in generator.parameters())
    assert count_parameters(generator) > 0
