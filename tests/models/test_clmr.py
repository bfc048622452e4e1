"""CLMR's encoder and projector: counts, lengths, initialisation and refusals."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reprise.models.clmr import ConvBlock, Projector, SampleCNN, initialise
from reprise.models.shapes import count_parameters


def test_parameter_counts_of_the_published_code():
    assert count_parameters(SampleCNN()) == 2_368_512
    assert count_parameters(nn.Sequential(SampleCNN(), nn.Linear(512, 50))) == 2_394_162
    assert count_parameters(Projector()) == 294_912
    assert count_parameters(Projector(256)) == 81_920
    assert all(not name.endswith("bias") for name, _ in Projector().named_parameters())


def test_every_block_leaves_a_third_of_the_length_down_to_one():
    with torch.no_grad():
        maps = list(SampleCNN().eval().maps(torch.zeros(1, 59_049)))
    assert [name for name, _ in maps] == [f"Conv-{number}" for number in range(1, 12)]
    assert [value.shape[2] for _, value in maps] == [3**power for power in range(9, -1, -1)] + [1]
    assert [value.shape[1] for _, value in maps] == [128, 128, 128, 256, 256, 256, 256, 256, 256, 512, 512]


def test_longer_audio_is_averaged_over_time():
    model = SampleCNN().eval()
    audio = torch.randn(1, 2 * 59_049, generator=torch.Generator().manual_seed(0))
    last = []
    model.last.register_forward_hook(lambda _module, _inputs, output: last.append(output))
    with torch.no_grad():
        vectors = model(audio)
    assert last[0].shape == (1, 512, 2)
    torch.testing.assert_close(vectors, last[0].mean(dim=2))


@pytest.mark.parametrize(
    ("shape", "words"), [((2, 59_048), "next valid length is 59049"), ((2, 1, 59_049), "batch, t")]
)
def test_other_inputs_are_refused(shape, words):
    with pytest.raises(ValueError, match=words):
        SampleCNN()(torch.zeros(shape))


def test_a_block_is_convolution_norm_and_relu():
    block, x = ConvBlock(2, 5).double(), torch.randn(3, 2, 30, dtype=torch.float64)
    convolved = F.conv1d(F.pad(x, (1, 1)), block[0].weight, block[0].bias)
    mean, variance = convolved.mean(dim=(0, 2), keepdim=True), convolved.var(dim=(0, 2), keepdim=True, unbiased=False)
    torch.testing.assert_close(block(x), ((convolved - mean) / (variance + 1e-5).sqrt()).clamp(min=0))
    assert ConvBlock(2, 5, stride=3)(x.float()).shape == (3, 5, 10)


def convolutions():
    return nn.ModuleDict({"conv": nn.Conv1d(8, 500, 3), "up": nn.ConvTranspose1d(20, 500, 3, stride=3)})


@pytest.mark.parametrize(("scheme", "changed"), [("he", {"conv", "up"}), ("code", {"conv"}), ("default", set())])
def test_schemes_draw_the_weights_they_say(scheme, changed):
    network = convolutions()
    before = {name: module.weight.clone() for name, module in network.items()}
    biases = [module.bias.clone() for module in network.values()]
    initialise(network, scheme)
    assert {name for name, module in network.items() if not torch.equal(module.weight, before[name])} == changed
    assert all(torch.equal(a, module.bias) for a, module in zip(biases, network.values(), strict=True))
    for name in changed:
        # He: variance 2 / fan-in, uniform, so that the largest is √3 standard deviations
        fan_in = {"conv": 24, "up": 20}[name]
        assert network[name].weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)
        assert network[name].weight.abs().max().item() == pytest.approx((6 / fan_in) ** 0.5, rel=0.01)


def test_hes_start_keeps_the_variance_through_a_transposed_convolution():
    up = nn.ConvTranspose1d(64, 64, 3, stride=3)
    initialise(up, "he")
    x = torch.randn(4, 64, 300, generator=torch.Generator().manual_seed(0)).relu()
    assert up(x).var().item() == pytest.approx(1.0, rel=0.15)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="'glorot'"):
        SampleCNN(init="glorot")
