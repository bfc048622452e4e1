"""Losses of each family, and that generator and discriminators learn by turns exactly as with two optimisers."""

import copy
import math

import pytest
import torch
from torch import nn

from reprise.audio.losses import f0_loss, multi_scale_stft_loss, voicing_loss
from reprise.audio.vocoder_input import log_mel
from reprise.models import adversarial
from reprise.models.synthesiser import VocoderOutput
from reprise.models.wavegan import spectral_convergence_loss
from reprise.papers.sawsing.conditions import conditions
from reprise.papers.sawsing.crops import Crop
from reprise.papers.sawsing.networks import build_network
from reprise.papers.sawsing.objectives import Adversaries, learner, loss_of, optimiser, turns
from reprise.seeds import torch_generator


class Line(nn.Module):
    """A generator that is one linear layer of frames, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(80, 240)
        self.calls = 0

    def forward(self, mel):
        self.calls += 1
        return VocoderOutput(0.02 * torch.tanh(self.layer(mel)).flatten(1))


class Judge(nn.Module):
    """A discriminator of two layers, with the feature map between them."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv1d(1, 3, 9, stride=4), nn.Conv1d(3, 1, 3)

    def forward(self, audio):
        features = torch.tanh(self.first(audio[:, None]))
        return [[features, self.last(features)[:, 0]]]


def crop_of(step, *, n_frames=20, batch=2):
    drawn = torch_generator("objectives", step)
    audio = 0.05 * torch.randn(batch, n_frames * 240, generator=drawn)
    f0 = 200 + 100 * torch.rand(batch, n_frames, generator=drawn)
    f0[:, ::3] = 0
    return Crop(audio, torch.randn(batch, n_frames, 80, generator=drawn) - 3, f0, step)


@pytest.fixture
def trial_of(open_sung, tiny_settings):
    def make(system, **changes):
        settings = type(tiny_settings).model_validate(tiny_settings.model_dump() | changes)
        made = conditions(settings, open_sung(settings), seeds=[0])
        return next(trial for key, trial in made.items() if key.system == system and key.scenario == "regular")

    return make


@pytest.mark.parametrize("system", ["sawsing", "ddsp_add", "nsf", "sawsing_gate"])
@pytest.mark.parametrize("formula", ["power", "amplitude"])
def test_synthesisers_minimise_spectra_pitch_and_where_there_is_a_gate_voicing(trial_of, system, formula):
    trial = trial_of(system, weight_stft=0.5, weight_f0=3.0, weight_voicing=2.0, switch_step=4, loss_formula=formula)
    torch.manual_seed(0)
    network = build_network(trial.network)
    for step in (3, 4):
        crop = crop_of(step)
        torch.manual_seed(1)
        loss = loss_of(network, turns(crop, trial)[0], config=trial)
        torch.manual_seed(1)
        output = network(crop.mel)
        expected = 0.5 * multi_scale_stft_loss(output.audio, crop.audio, formula=formula)
        expected = expected + 3 * f0_loss(output.f0, crop.f0, step=step, switch_step=4)
        assert (output.voicing is not None) == (system in ("nsf", "sawsing_gate"))
        if output.voicing is not None:
            expected = expected + 2 * voicing_loss(output.voicing, crop.f0)
        torch.testing.assert_close(loss, expected)


def test_the_pitch_loss_falls_to_voiced_frames_at_the_switch(trial_of):
    trial = trial_of("sawsing", weight_stft=1e-9, switch_step=4)
    network = build_network(trial.network)
    before, after = (
        float(loss_of(network, turns(Crop(c.audio, c.mel, c.f0, step), trial)[0], config=trial).detach())
        for c in [crop_of(0)]
        for step in (3, 4)
    )
    # a third of the frames is unvoiced, and each of them costs at least ln(80 / 1e-3)
    assert before > 0.3 * math.log(80 / 1e-3)
    assert after < before / 2


def test_the_diffusion_learns_its_noise(trial_of):
    trial = trial_of("fastdiff")
    network, crop = build_network(trial.network), crop_of(0)
    torch.manual_seed(0)
    loss = loss_of(network, turns(crop, trial)[0], config=trial)
    torch.manual_seed(0)
    torch.testing.assert_close(loss, network.loss(crop.audio, crop.mel))


def test_the_order_of_the_turns_is_that_of_the_published_trainings(trial_of):
    assert [turn.who for turn in turns(crop_of(0), trial_of("hifigan"))] == ["discriminator", "generator"]
    pwg = trial_of("pwg", steps_regular=8, discriminator_start=0.25)
    assert [[turn.who for turn in turns(crop_of(step), pwg)] for step in (0, 1, 2, 7)] == [
        ["generator"], ["generator"], ["generator", "discriminator"], ["generator", "discriminator"],
    ]  # fmt: skip
    assert [turn.who for turn in turns(crop_of(0), trial_of("sawsing"))] == ["vocoder"]


def play(model, trial, *, steps):
    """Take the turns of some steps as the training loop does."""
    both = optimiser(model, trial)
    for step in range(steps):
        for turn in turns(crop_of(step), trial):
            loss = loss_of(model, turn, config=trial)
            both.zero_grad(set_to_none=True)
            loss.backward()
            both.step()


def two_optimisers(generator, discriminator, trial, *, steps):
    """The published trainings, written down anew."""
    family, weights, rate = trial.network.family, trial.training.loss, trial.training.learning_rate
    betas = (0.8, 0.99) if family == "hifigan" else (0.9, 0.999)
    optimiser_g = torch.optim.Adam(generator.parameters(), lr=rate, betas=betas, fused=True)
    optimiser_d = torch.optim.Adam(discriminator.parameters(), lr=rate, betas=betas, fused=True)

    def update_discriminator(crop, fake):
        optimiser_d.zero_grad()
        adversarial.discriminator_loss(discriminator(crop.audio), discriminator(fake.detach())).backward()
        optimiser_d.step()

    for step in range(steps):
        crop = crop_of(step)
        fake = generator(crop.mel).audio
        if family == "hifigan":
            update_discriminator(crop, fake)
            mel = math.log(10) * (log_mel(fake) - log_mel(crop.audio)).abs().mean()
            real, made = discriminator(crop.audio), discriminator(fake)
            loss = weights.mel * mel + weights.features * adversarial.feature_matching_loss(real, made)
            loss = loss + adversarial.generator_loss(made)
        else:
            loss = spectral_convergence_loss(fake, crop.audio)
            if step >= weights.discriminator_start:
                loss = loss + weights.adversarial * adversarial.generator_loss(discriminator(fake))
        optimiser_g.zero_grad()
        loss.backward()
        optimiser_g.step()
        if family == "pwg" and step >= weights.discriminator_start:
            update_discriminator(crop, fake)


@pytest.mark.parametrize("system", ["hifigan", "pwg"])
def test_turns_with_one_optimiser_are_the_training_with_two(trial_of, system):
    trial = trial_of(system, steps_regular=4, discriminator_start=0.25, learning_rate_rivals=1e-3)
    torch.manual_seed(0)
    generator, discriminator = Line(), Judge()
    model = Adversaries(copy.deepcopy(generator), [copy.deepcopy(discriminator)])
    play(model, trial, steps=4)
    two_optimisers(generator, discriminator, trial, steps=4)
    assert model.generator.calls == 4
    assert model.fake is None
    for ours, theirs in ((model.generator, generator), (model.discriminators[0], discriminator)):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("system", ["hifigan", "pwg"])
def test_each_turn_changes_the_one_whose_turn_it_is(trial_of, system):
    trial = trial_of(system, discriminator_start=0.0)
    model = Adversaries(Line(), [Judge()])
    both = optimiser(model, trial)
    for turn in turns(crop_of(0), trial):
        before = copy.deepcopy(model.state_dict())
        loss = loss_of(model, turn, config=trial)
        both.zero_grad(set_to_none=True)
        loss.backward()
        both.step()
        changed = {name.split(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}
        assert changed == {"generator" if turn.who == "generator" else "discriminators"}


def test_only_rivals_with_adversaries_get_them(trial_of):
    assert isinstance(learner(Line(), trial_of("pwg")), Adversaries)
    assert len(learner(Line(), trial_of("hifigan")).discriminators) == 2
    line = Line()
    assert learner(line, trial_of("sawsing")) is line


def test_a_child_is_not_trained(trial_of):
    child = trial_of("sawsing_debuzz")
    for call in (lambda: optimiser(Line(), child), lambda: learner(Line(), child)):
        with pytest.raises(ValueError, match="takes its weights from another trial"):
            call()
