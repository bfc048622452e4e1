"""Networks from settings: families, standardised spectrograms, soft starts, and what stays as in the code."""

import pytest
import torch

from reprise.models.nsf import NSF
from reprise.models.vocoders import SawSing
from reprise.papers.sawsing.networks import build, build_network, network_config
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import SYSTEMS
from reprise.seeds import torch_generator


def mel_of(n_frames=12):
    return torch.randn(1, n_frames, 80, generator=torch_generator("networks")) - 3.5


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_a_network_is_rebuilt_from_its_config_to_the_same_sound(tiny_settings, system):
    settings = tiny_settings.model_copy(update={"mel_mean": -3.5, "mel_deviation": 0.7, "start_level": -2.0})
    torch.manual_seed(0)
    first = build(system, settings).eval()
    second = build_network(network_config(system, settings)).eval()
    second.load_state_dict(first.state_dict())
    sounds = []
    for network in (first, second):
        torch.manual_seed(1)
        with torch.no_grad():
            sounds.append(network(mel_of()).audio)
    assert torch.equal(*sounds)


def test_by_default_a_network_is_the_library_s_as_in_the_code():
    torch.manual_seed(0)
    ours = build("sawsing", Settings())
    torch.manual_seed(0)
    theirs = SawSing()
    for one, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    controls, expected = ours.controls(mel_of()), theirs.controls(mel_of())
    for name, value in expected.items():
        assert torch.equal(controls[name], value)


@pytest.mark.parametrize("system", ["sawsing", "nsf"])
def test_standardised_spectrograms_are_what_the_network_reads(tiny_settings, system):
    settings = tiny_settings.model_copy(update={"mel_mean": -3.5, "mel_deviation": 0.7})
    network = build(system, settings).eval()
    plain = build(system, tiny_settings).eval()
    plain.load_state_dict(network.state_dict())
    mel = mel_of()
    with torch.no_grad():
        torch.testing.assert_close(network(mel).f0, plain((mel + 3.5) / 0.7).f0)
        assert not torch.allclose(network(mel).f0, plain(mel).f0)
    assert isinstance(network, NSF) == (system == "nsf")


def test_a_soft_start_lowers_levels_and_leaves_pitch_and_voicing(tiny_settings):
    made = []
    for level in (0.0, -2.5):
        torch.manual_seed(0)
        settings = tiny_settings.model_copy(update={"start_level": level, "voicing_gate": True})
        made.append(build("sawsing", settings).controls(mel_of()))
    loud, soft = made
    for name in ("f0", "voicing"):
        torch.testing.assert_close(loud[name], soft[name])
    for name in ("harmonic", "noise"):
        decibels = 20 * torch.log10(loud[name] / soft[name]).mean()
        assert 15 < float(decibels.detach()) < 45
