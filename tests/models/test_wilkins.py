"""1-D CNN against a literal transcription, its published counts and lengths."""

import pytest
import torch
from torch import nn

from reprise.models.wilkins import WilkinsCNN

SHORTEST = 24_000


def transcription(model):
    """The published layers one by one, with the weights of a model."""
    layers = []
    for block in model.blocks:
        conv = nn.Conv1d(block.conv.in_channels, block.conv.out_channels, block.conv.kernel_size[1])
        conv.load_state_dict({"weight": block.conv.weight[:, :, 0], "bias": block.conv.bias})
        norm = nn.BatchNorm1d(block.norm.num_features)
        norm.load_state_dict(block.norm.state_dict())
        layers += [conv, norm, nn.ReLU(), nn.MaxPool1d(64, stride=8)]
    return nn.Sequential(*layers, nn.Flatten(), model.hidden, nn.ReLU(), nn.Dropout(0.4), model.classifier).train(
        model.training
    )


def clips(n_samples, batch=2):
    return torch.randn(batch, n_samples, generator=torch.Generator().manual_seed(0))


def test_parameters_and_lengths_of_the_paper():
    model = WilkinsCNN()
    assert sum(p.numel() for p in model.parameters()) == 298_514
    assert model.hidden.in_features == 6944
    lengths, x = [], clips(132_300, batch=1)[:, None, None]
    model.eval()
    with torch.no_grad():
        for block in model.blocks:
            x = block(x)
            lengths.append(x.shape[-1])
    assert lengths == [16_514, 2_049, 217]


def test_equals_the_layers_one_by_one_in_value_and_gradient():
    torch.manual_seed(0)
    model = WilkinsCNN(n_classes=4, n_samples=SHORTEST).double()
    model.dropout.p = 0.0
    literal = transcription(model).double()
    literal[-2].p = 0.0
    x = clips(SHORTEST).double()
    expected = literal(x[:, None])
    actual = model(x)
    torch.testing.assert_close(actual, expected)
    actual.square().sum().backward()
    gradients = [model.blocks[i].conv.weight.grad[:, :, 0].clone() for i in range(3)]
    expected.square().sum().backward()
    for gradient, layer in zip(gradients, literal[0:12:4], strict=True):
        torch.testing.assert_close(gradient, layer.weight.grad)
    for block, norm in zip(model.blocks, literal[1:12:4], strict=True):
        torch.testing.assert_close(block.norm.running_var, norm.running_var)


def test_dropout_is_off_in_evaluation():
    model = WilkinsCNN(n_samples=SHORTEST).eval()
    x = clips(SHORTEST)
    with torch.no_grad():
        assert torch.equal(model(x), model(x))
        model.dropout.train()
        assert not torch.equal(model(x), model(x))


def test_shortest_clip_works_and_one_sample_less_does_not():
    with pytest.raises(ValueError, match=r"needs (\d+) or more") as error:
        WilkinsCNN(n_samples=1000)
    shortest = int(str(error.value).split("needs ")[1].split()[0])
    assert WilkinsCNN(n_samples=shortest).eval()(clips(shortest)).shape == (2, 10)
    with pytest.raises(ValueError, match="too short"):
        WilkinsCNN(n_samples=shortest - 1)


def test_other_lengths_are_refused():
    model = WilkinsCNN(n_samples=SHORTEST)
    with pytest.raises(ValueError, match=str(SHORTEST)):
        model(clips(SHORTEST + 1))
