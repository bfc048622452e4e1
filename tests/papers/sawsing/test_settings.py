"""Settings and systems: the code's constants, what cannot work, names of conditions, networks."""

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

import reprise.papers.sawsing as room
from reprise.papers.catalogue import Paper, load_settings
from reprise.papers.choices import UnknownName
from reprise.papers.sawsing.networks import build
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import ABLATIONS, PAPER_SYSTEMS, SYSTEMS, Condition, split_condition

PAPER = Paper(slug="sawsing", number="04", notebook="04_sawsing.ipynb", title="", module=room.__name__)


def test_the_codes_constants_are_the_defaults():
    settings = Settings()
    assert (settings.sample_rate, settings.hop_length, settings.n_fft, settings.n_mels) == (24000, 240, 1024, 80)
    assert (settings.f0_search, settings.f0_lowest) == ((65.0, 1047.0), 80.0)
    assert (settings.batch_size, settings.crop_seconds, settings.learning_rate) == (16, 2.0, 2e-3)
    assert (settings.weight_stft, settings.weight_f0, settings.switch_step) == (1.0, 1.0, 5000)
    assert (settings.interpolation, settings.loss_formula, settings.selection) == ("nearest", "power", "last")
    switches = ("center_mel", "crossfade", "compensate", "voicing_gate", "align_crops", "shuffle", "fill_batch")
    assert not any(getattr(settings, name) for name in switches)
    assert settings.scenarios == ("regular", "limited")
    assert settings.n_samples == 48_000
    assert (settings.n_held, settings.n_step) == (50, 20)


@pytest.mark.parametrize("profile", ["smoke", "demo", "paper"])
def test_profiles_are_valid_and_the_papers_changes_nothing(profile):
    settings = load_settings(PAPER, profile)
    assert (settings == Settings()) == (profile == "paper")
    assert set(PAPER_SYSTEMS) <= set(settings.trained)


def test_every_field_is_described_and_nothing_can_be_changed():
    assert all(field.description for field in Settings.model_fields.values())
    with pytest.raises(ValidationError):
        Settings().batch_size = 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"batchsize": 3}, "batchsize"),
        ({"f0_search": (100.0, 80.0)}, "f0_search"),
        ({"f0_lowest": 50.0}, "f0_lowest"),
        ({"crop_seconds": 0.05}, "two frames"),
        ({"hop_length": 256}, "name other systems"),
        ({"early_steps": 30000}, "steps_regular"),
        ({"pwg_layers": 10}, "three cycles"),
        ({"embedding": "vggish"}, "log_mel_statistics"),
        ({"systems": ("sawsin",)}, "did you mean 'sawsing'"),
        ({"ablations": ("sawsing_linear",)}, "did you mean 'sawsing_linear_f0'"),
        ({"scenarios": ()}, "scenarios"),
        ({"nsf_channels": 33}, "nsf_channels"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, word):
    with pytest.raises(ValidationError, match=word):
        Settings(**change)


def test_another_hop_suits_the_signal_processing():
    settings = Settings(hop_length=256, systems=("sawsing", "nsf"))
    assert build("sawsing", settings).hop_length == 256


def test_an_ablation_changes_what_it_says_and_nothing_else():
    for name in ABLATIONS:
        system, changed = SYSTEMS[name], Settings().of(name)
        different = {key for key, value in changed.model_dump().items() if value != getattr(Settings(), key)}
        assert different == set(system.changes)
        assert system.family == "sawsing"
    # whoever has it already gets the same again
    assert Settings(crossfade=True).of("sawsing_crossfade") == Settings(crossfade=True)
    assert Settings().of("sawsing") == Settings()


def test_what_takes_over_weights_needs_no_others():
    for name, system in SYSTEMS.items():
        if system.weights_from is None:
            continue
        ours, theirs = (build(other, Settings()).state_dict() for other in (name, system.weights_from))
        assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sawsing", Condition("sawsing", "regular", None)),
        ("pwg>limited", Condition("pwg", "limited", None)),
        ("dwts/male", Condition("dwts", "regular", "male")),
        ("nsf>limited/female", Condition("nsf", "limited", "female")),
    ],
)
def test_names_of_conditions(name, expected):
    assert split_condition(name) == expected
    assert expected.name == name


@pytest.mark.parametrize(
    ("name", "word"), [("sawsong", "'sawsing'"), ("sawsing>few", "few"), ("sawsing/child", "child"), ("nsf>", "''")]
)
def test_names_that_are_no_conditions(name, word):
    with pytest.raises(UnknownName, match=word):
        split_condition(name)


def test_every_network_of_the_smoke_profile_makes_240_samples_a_frame():
    settings = load_settings(PAPER, "smoke")
    mel = torch.randn(1, 6, settings.n_mels, generator=torch.Generator().manual_seed(0)) - 2
    for name in SYSTEMS:
        with torch.no_grad():
            output = build(name, settings)(mel)
        assert output.audio.shape == (1, 6 * 240), name
        assert (output.voicing is not None) == (name in ("sawsing_gate", "nsf")), name
        assert (output.noise is not None) == SYSTEMS[name].has_branches, name


def test_systems_are_light():
    script = "import sys, reprise.papers.sawsing.systems; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
