"""Linear attention against a quadratic one written frame by frame; blocks and controls by their shapes and counts."""

import numpy as np
import pytest
import torch

from reprise.models.conformer import ConformerBlock, ConvolutionModule, LinearAttention, orthogonal_features
from reprise.models.mel2control import Mel2Control
from reprise.models.shapes import count_parameters


def softmax_kernel(x, directions, *, query):
    """Positive random features of rows, one by one."""
    x = x / x.shape[-1] ** 0.25
    exponent = directions @ x.T
    exponent = exponent - 0.5 * np.square(x).sum(axis=1)
    if query:
        exponent = exponent - (directions @ x.T).max(axis=0)
    return (np.exp(exponent) + 1e-4).T


def slow_attention(layer, x):
    weights = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
    parts = [x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"] for name in ("query", "key", "value")]
    width = weights["directions"].shape[1]
    heads = []
    for head in range(layer.n_heads):
        query, key, value = (part[:, head * width : (head + 1) * width] for part in parts)
        similarity = (
            softmax_kernel(query, weights["directions"], query=True)
            @ softmax_kernel(key, weights["directions"], query=False).T
        )
        heads.append(similarity / similarity.sum(axis=1, keepdims=True) @ value)
    return np.concatenate(heads, axis=1) @ weights["out.weight"].T + weights["out.bias"]


# 16 features of 8 values: from 12 frames on, products of features with values are fewer than pairs of frames
@pytest.mark.parametrize("n_frames", [1, 6, 11, 12, 17])
def test_linear_attention_is_the_quadratic_formula(n_frames):
    layer = LinearAttention(12, n_heads=3, head_width=8).double()
    x = torch.randn(2, n_frames, 12, dtype=torch.float64)
    with torch.no_grad():
        ours = layer(x).numpy()
    expected = np.stack([slow_attention(layer, clip.numpy()) for clip in x])
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def test_random_features_approximate_softmax_attention():
    layer = LinearAttention(16, n_heads=1, head_width=16, n_features=4096).double()
    x = torch.randn(1, 30, 16, dtype=torch.float64)
    with torch.no_grad():
        query, key, value = (part(x) for part in (layer.query, layer.key, layer.value))
        exact = layer.out(torch.softmax(query @ key.transpose(1, 2) / 4, dim=-1) @ value)
        error = (layer(x) - exact).norm() / exact.norm()
    assert error < 0.1


def test_directions_are_orthogonal_in_groups_and_as_long_as_normal_vectors():
    directions = orthogonal_features(266, 64)
    unit = directions / directions.norm(dim=1, keepdim=True)
    for group in unit.split(64):
        torch.testing.assert_close(group @ group.T, torch.eye(len(group)), atol=1e-5, rtol=0)
    assert float(directions.norm(dim=1).square().mean()) == pytest.approx(64, rel=0.05)


@pytest.mark.parametrize("n_frames", [2, 6])
def test_gradients_of_attention_in_either_order(n_frames):
    layer = LinearAttention(4, n_heads=2, head_width=3, n_features=5).double()
    x = torch.randn(2, n_frames, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_gradients_of_the_convolution():
    x = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    module = ConvolutionModule(4, kernel_size=3).double()
    assert torch.autograd.gradcheck(module, (x,))


def test_the_convolution_sees_fifteen_frames_on_each_side():
    module = ConvolutionModule(8)
    x = torch.randn(1, 80, 8, requires_grad=True)
    module(x)[0, 40].sum().backward()
    seen = x.grad[0].abs().sum(dim=1).nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (25, 55)


def test_large_activations_stay_finite():
    layer = LinearAttention(8, n_heads=1, head_width=64)
    with torch.no_grad():
        assert torch.isfinite(layer(30 * torch.randn(1, 50, 8))).all()


def test_counts_of_the_parts():
    block = ConformerBlock(64)
    assert count_parameters(block) == 161_920
    assert count_parameters(block.attention) == 132_672
    assert count_parameters(block.convolution) == 29_120
    assert block.attention.directions.shape == (266, 64)
    network = Mel2Control({"f0": 1})
    assert count_parameters(network) == 513_792 + 66
    assert count_parameters(network.stack) == 27_904
    assert sum(buffer.numel() for buffer in network.buffers()) == 3 * 266 * 64
    assert count_parameters(Mel2Control({"f0": 1, "a": 9})) == 513_792 + 660


def test_directions_are_saved_with_the_weights():
    first, second = Mel2Control({"f0": 1}), Mel2Control({"f0": 1})
    mel = torch.randn(1, 20, 80)
    with torch.no_grad():
        assert not torch.equal(first(mel)["f0"], second(mel)["f0"])
        second.load_state_dict(first.state_dict())
        assert torch.equal(first(mel)["f0"], second(mel)["f0"])


def test_controls_come_by_name_for_any_length():
    network = Mel2Control({"f0": 1, "noise": 80})
    for n_frames in (1, 2, 33):
        controls = network(torch.randn(2, n_frames, 80))
        assert {name: tuple(value.shape) for name, value in controls.items()} == {
            "f0": (2, n_frames, 1),
            "noise": (2, n_frames, 80),
        }


@pytest.mark.parametrize("shape", [(2, 80, 33), (33, 80), (1, 0, 80)])
def test_faults_are_named(shape):
    with pytest.raises(ValueError, match=r"needed is \(batch, n_frames, 80\)"):
        Mel2Control({"f0": 1})(torch.zeros(shape))
