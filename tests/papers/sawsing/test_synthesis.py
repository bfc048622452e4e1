"""Whole songs from spectrograms: given pitch, silenced buzz, estimated pitch, and phase in single precision."""

import numpy as np
import pytest
import torch

from reprise.models.synthesiser import VocoderOutput
from reprise.papers.sawsing.networks import build_network, network_config
from reprise.papers.sawsing.synthesis import debuzzed, estimated_pitch, resynthesise
from reprise.papers.sawsing.trials import PitchConfig
from reprise.seeds import torch_generator

PITCH = PitchConfig(estimator="autocorrelation", search=(65.0, 1047.0), lowest=80.0)
RATE, HOP = 24000, 240


def tone(seconds, *, f0=220.0):
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return sum(torch.sin(2 * torch.pi * k * f0 * time) / k for k in range(1, 6)).float() * 0.1


def spectrogram(n_frames=100):
    return torch.randn(1, n_frames, 80, generator=torch_generator("synthesis")) - 3


@pytest.mark.parametrize("system", ["sawsing", "ddsp_add", "nsf", "pwg", "hifigan", "fastdiff"])
def test_equal_generators_give_equal_sounds_of_every_frame(tiny_settings, system):
    torch.manual_seed(0)
    network = build_network(network_config(system, tiny_settings)).eval()
    mel = spectrogram(20)
    first, second = (resynthesise(network, mel, generator=torch_generator(7)).audio for _ in range(2))
    assert first.shape == (1, 20 * HOP)
    assert not first.requires_grad
    assert torch.equal(first, second)
    if system != "hifigan":
        assert not torch.equal(first, resynthesise(network, mel, generator=torch_generator(8)).audio)


def test_a_given_pitch_sounds(tiny_settings):
    torch.manual_seed(0)
    network = build_network(network_config("sawsing", tiny_settings)).eval()
    output = resynthesise(network, spectrogram(), f0=torch.full((1, 100), 300.0))
    track = estimated_pitch(output.harmonic[0], pitch=PITCH, sample_rate=RATE, hop_length=HOP)
    assert np.median(track[10:90]) == pytest.approx(300, rel=0.01)


def test_what_a_network_cannot_do_is_refused(tiny_settings):
    network = build_network(network_config("pwg", tiny_settings))
    with pytest.raises(ValueError, match="ParallelWaveGAN has no harmonic branch"):
        resynthesise(network, spectrogram(5), f0=torch.full((1, 5), 300.0))
    with pytest.raises(ValueError, match="no harmonic branch"):
        resynthesise(network, spectrogram(5), debuzz=PITCH)
    with pytest.raises(ValueError, match="cannot be silenced"):
        debuzzed(VocoderOutput(torch.zeros(1, 4800)), pitch=PITCH, sample_rate=RATE, hop_length=HOP)


def test_the_harmonic_branch_is_silent_where_the_output_is_unvoiced_and_at_the_ends():
    noise = 0.05 * torch.randn(1, 3 * RATE, generator=torch_generator("noise"))
    loud = noise.clone()
    loud[:, RATE : 2 * RATE] *= 0.02
    harmonic = tone(3.0)[None].clone()
    harmonic[:, :RATE] *= 0.02
    made = debuzzed(VocoderOutput(harmonic + loud, harmonic, loud), pitch=PITCH, sample_rate=RATE, hop_length=HOP)
    kept = made.harmonic[0] / harmonic[0].where(harmonic[0].abs() > 1e-9, torch.ones(()))
    assert float(made.harmonic[0, : round(0.8 * RATE)].abs().max()) == 0
    torch.testing.assert_close(made.harmonic[0, 30000:40000], harmonic[0, 30000:40000])
    assert float(made.harmonic[0, -6000 + 60 :].abs().max()) == 0
    # a fade of a hundred samples has no step of more than a hundredth
    assert float(kept[kept.isfinite()].max()) <= 1 + 1e-5
    torch.testing.assert_close(made.audio, made.harmonic + made.noise)
    torch.testing.assert_close(made.noise, loud)


def test_estimated_pitch_has_one_value_per_frame_and_none_below_the_lowest():
    y = tone(1.01, f0=75.0)
    track = estimated_pitch(y, pitch=PITCH, sample_rate=RATE, hop_length=HOP)
    assert track.shape == (101,)
    assert not track.any()
    low = PITCH.model_copy(update={"lowest": 70.0})
    found = estimated_pitch(y, pitch=low, sample_rate=RATE, hop_length=HOP)
    assert np.median(found) == pytest.approx(75, rel=0.01)


def test_single_precision_differs_more_the_longer_the_song(tiny_settings):
    torch.manual_seed(0)
    double = build_network(network_config("sawsing", tiny_settings)).eval()
    single = build_network(network_config("sawsing_single", tiny_settings)).eval()
    single.load_state_dict(double.state_dict())
    mel, f0 = spectrogram(1).expand(1, 1000, 80), torch.full((1, 1000), 440.0)
    exact, rounded = (resynthesise(network, mel, f0=f0).harmonic[0] for network in (double, single))
    error = (exact - rounded).square().unflatten(0, (10, -1)).mean(dim=1)
    signal = exact.square().unflatten(0, (10, -1)).mean(dim=1)
    level = 10 * torch.log10(signal / error)
    assert float(level[0]) > 60
    assert 40 < float(level[-1]) < float(level[0]) - 10
