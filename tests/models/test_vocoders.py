"""DDSP vocoders: exact counts, bounds of the controls, sound against formulas, delays, chunks, gradients."""

import math

import numpy as np
import pytest
import torch

from reprise.audio.filters import filter_frames
from reprise.audio.losses import f0_loss, multi_scale_stft_loss
from reprise.models import vocoders
from reprise.models.shapes import count_parameters
from reprise.models.synthesiser import positive, to_pitch
from reprise.models.vocoders import DDSPAdd, SawSing, SynthesisState, Vocoder

COUNTS = {"SawSing": 536_034, "DDSPAdd": 529_104, "DWTS": 530_764, "Full": 546_000, "SawSub": 552_930}
MODELS = [getattr(vocoders, name) for name in COUNTS]
every = pytest.mark.parametrize("model", MODELS, ids=list(COUNTS))


def mel(n_frames=30, *, batch=2):
    return torch.randn(batch, n_frames, 80, generator=torch.Generator().manual_seed(5)) - 2


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_trainable_parameters_of_the_authors_code(name, count):
    assert count_parameters(getattr(vocoders, name)()) == count
    assert count_parameters(getattr(vocoders, name)(voicing_gate=True)) == count + 66


@every
def test_output(model):
    with torch.no_grad():
        output = model()(mel(), generator=seeded())
    assert output.audio.shape == output.harmonic.shape == output.noise.shape == (2, 30 * 240)
    assert output.f0.shape == (2, 30)
    assert output.voicing is None
    torch.testing.assert_close(output.audio, output.harmonic + output.noise)
    assert torch.isfinite(output.audio).all()
    assert output.harmonic.abs().max() > 1e-4
    assert output.noise.abs().max() > 1e-4
    assert bool(((output.f0 > 80) & (output.f0 < 1000)).all())


@every
def test_noise_comes_from_the_generator_alone(model):
    vocoder = model()
    with torch.no_grad():
        first, again, other = (vocoder(mel(), generator=seeded(seed)).audio for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every
@pytest.mark.parametrize("frequency", [0.0, 80.0, 1000.0, 11_999.0, 12_000.0, 20_000.0])
def test_any_frequency_sounds_finite(model, frequency):
    with torch.no_grad():
        output = model(voicing_gate=True)(mel(6), f0=torch.full((1, 1), frequency))
    assert torch.isfinite(output.audio).all()
    if frequency == 0:
        assert (output.harmonic == 0).all()


@every
def test_chunks_are_the_whole(model):
    vocoder = model(voicing_gate=True)
    with torch.no_grad():
        controls = vocoder.controls(mel())
        whole = vocoder.synthesise(controls, generator=seeded())
        state, generator, parts = SynthesisState(), seeded(), []
        for start, stop in [(0, 1), (1, 12), (12, 13), (13, 30)]:
            part = {name: value[:, start:stop] for name, value in controls.items()}
            parts.append(vocoder.synthesise(part, state=state, generator=generator))
    for name in ("audio", "harmonic", "noise"):
        together = torch.cat([getattr(part, name) for part in parts], dim=1)
        torch.testing.assert_close(together, getattr(whole, name), rtol=1e-4, atol=2e-6)


@every
@pytest.mark.parametrize("option", [{"interpolation": "linear"}, {"crossfade": True}, {"compensate": True}])
def test_options_change_the_sound_and_refuse_chunks(model, option):
    plain, changed = model(), model(**option)
    changed.load_state_dict(plain.state_dict())
    with torch.no_grad():
        outputs = [vocoder(mel(), generator=seeded()) for vocoder in (plain, changed)]
        assert torch.isfinite(outputs[1].audio).all()
        assert not torch.allclose(outputs[0].audio, outputs[1].audio, atol=1e-5)
        with pytest.raises(ValueError, match="looks ahead cannot work chunk by chunk"):
            changed.synthesise(changed.controls(mel()), state=SynthesisState())


def test_bounds_of_the_controls():
    logits = torch.tensor([-50.0, -4.0, 0.0, 50.0], dtype=torch.float64)
    np.testing.assert_allclose(positive(logits), [1e-7, 1.9e-4, 0.405, 2.0], rtol=0.03)
    expected = [2 * (1 / (1 + math.exp(-x))) ** math.log(10) + 1e-7 for x in logits.tolist()]
    np.testing.assert_allclose(positive(logits), expected, rtol=1e-9)
    np.testing.assert_allclose(to_pitch(logits), [80, 80 * 12.5 ** (1 / (1 + math.exp(4))), 80 * 12.5**0.5, 1000])


def test_sawsing_is_the_formula_partial_by_partial():
    vocoder = SawSing()
    with torch.no_grad():
        controls = vocoder.controls(mel(20, batch=1))
        output = vocoder.synthesise(controls, generator=seeded())
    frequencies = np.repeat(controls["f0"][0].numpy().astype(np.float64), 240)
    phase = 2 * np.pi * np.cumsum(frequencies / 24000)
    source = np.zeros(len(phase))
    for k in range(1, 151):
        source += 0.4 / k * np.sin(k * phase) * (k * frequencies < 12000)
    expected = filter_frames(torch.from_numpy(source)[None], controls["harmonic"].double(), hop_length=240).numpy()
    error = np.square(output.harmonic.numpy() - expected).sum() / np.square(expected).sum()
    assert error < 1e-7
    white = 2 * torch.rand(20 * 240, generator=seeded()) - 1
    torch.testing.assert_close(output.noise, filter_frames(white[None], controls["noise"], hop_length=240))


def test_ddsp_add_gets_softer_where_partials_are_lost():
    vocoder = DDSPAdd()
    with torch.no_grad():
        loudness = [
            float(vocoder(mel(40, batch=1), f0=torch.full((1, 1), f0)).harmonic.square().mean()) for f0 in (90.0, 900.0)
        ]
    # equal shares of 150 partials, of which 133 and 13 fit
    assert loudness[1] < 0.3 * loudness[0]


@pytest.mark.parametrize(("compensate", "delays"), [(False, (255, 79)), (True, (0, 0))])
def test_delays(compensate, delays):
    vocoder = SawSing(compensate=compensate)
    with torch.no_grad():
        for name, delay in zip(("harmonic", "noise"), delays, strict=True):
            n_bins = vocoder.heads[name]
            click = torch.zeros(1, 5 * 240)
            click[0, 480] = 1
            answer = vocoder._filter(click, torch.ones(1, 5, n_bins), branch=name, state=None)
            assert int(answer[0].argmax()) - 480 == delay


def test_the_gate_multiplies_the_harmonic_source():
    vocoder = SawSing(voicing_gate=True)
    with torch.no_grad():
        controls = vocoder.controls(mel())
        assert bool(((controls["voicing"] > 0) & (controls["voicing"] < 1)).all())
        half = vocoder.synthesise(controls | {"voicing": torch.full((2, 30), 0.5)}).harmonic
        open_ = vocoder.synthesise({name: value for name, value in controls.items() if name != "voicing"}).harmonic
    torch.testing.assert_close(2 * half, open_)
    assert vocoder(mel()).voicing.shape == (2, 30)


@every
def test_the_audio_trains_everything_but_the_pitch(model):
    vocoder = model()
    controls = {name: value.detach().requires_grad_() for name, value in vocoder.controls(mel()).items()}
    output = vocoder.synthesise(controls, generator=seeded())
    multi_scale_stft_loss(output.audio, torch.zeros_like(output.audio)).backward()
    assert controls.pop("f0").grad is None
    for name, control in controls.items():
        assert torch.isfinite(control.grad).all(), name
        assert control.grad.abs().sum() > 0, name
    output = vocoder(mel(), generator=seeded())
    target = torch.full((2, 30), 220.0)
    (
        multi_scale_stft_loss(output.audio, 0.1 * torch.randn_like(output.audio)) + f0_loss(output.f0, target, step=0)
    ).backward()
    missing = [
        name for name, weight in vocoder.named_parameters() if weight.grad is None or not weight.grad.isfinite().all()
    ]
    assert missing == []


def test_a_few_steps_lower_the_loss():
    vocoder, generator = SawSing(), seeded()
    time = torch.arange(40 * 240) / 24000
    target = sum(torch.sin(2 * math.pi * 220 * k * time) / k for k in range(1, 20))[None] * 0.05
    features, f0 = mel(40, batch=1), torch.full((1, 40), 220.0)
    optimizer = torch.optim.Adam(vocoder.parameters(), lr=2e-3)
    losses = []
    for step in range(12):
        output = vocoder(features, generator=generator)
        loss = multi_scale_stft_loss(output.audio, target) + f0_loss(output.f0, f0, step=step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_faults_are_named():
    with pytest.raises(ValueError, match="'cubic'; choose"):
        SawSing(interpolation="cubic")
    with pytest.raises(ValueError, match="needed is"):
        SawSing()(torch.zeros(1, 80, 30))
    with pytest.raises(TypeError, match=r"abstract.*_source"):
        Vocoder()
    assert issubclass(SawSing, Vocoder)


def test_autocast_leaves_the_synthesiser_in_single_precision():
    vocoder = DDSPAdd()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = vocoder(mel(), generator=seeded())
    assert output.audio.dtype == torch.float32
    assert torch.isfinite(output.audio).all()
