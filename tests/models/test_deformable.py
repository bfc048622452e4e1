"""Deformable convolution against torchvision's operator, against conv2d, and against closed forms."""

import itertools

import pytest
import torch
from torch import nn
from torchvision.ops import deform_conv2d as reference

from reprise.models import deformable
from reprise.models.deformable import DeformConv2d, deform_conv2d


def problem(
    *,
    kernel=(3, 3),
    size=(7, 9),
    channels=(4, 6),
    batch=2,
    stride=(1, 1),
    padding=None,
    dilation=(1, 1),
    groups=1,
    offset_groups=1,
    mask=True,
    bias=True,
    spread=2.0,
    dtype=torch.float32,
    seed=0,
):
    """Random arguments of a deformable convolution that all need gradients."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    padding = tuple(k // 2 for k in kernel) if padding is None else padding
    out = [(size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1)]
    taps = kernel[0] * kernel[1]
    tensors = {
        "input": draw(batch, channels[0], *size),
        "offset": spread * draw(batch, 2 * taps * offset_groups, *out),
        "weight": draw(channels[1], channels[0] // groups, *kernel),
        "mask": draw(batch, taps * offset_groups, *out) if mask else None,
        "bias": draw(channels[1]) if bias else None,
    }
    tensors = {name: None if t is None else t.requires_grad_() for name, t in tensors.items()}
    return tensors, {"stride": stride, "padding": padding, "dilation": dilation}


def ours(tensors, settings):
    return deform_conv2d(
        tensors["input"], tensors["offset"], tensors["weight"], tensors["bias"], mask=tensors["mask"], **settings
    )


def relative(a, b):
    return float((a - b).detach().norm() / b.detach().norm().clamp_min(1e-12))


def assert_same(tensors, settings, tolerance=1e-5):
    actual, expected = ours(tensors, settings), reference(**tensors, **settings)
    assert actual.shape == expected.shape
    assert relative(actual, expected) < tolerance
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=expected.dtype)
    names = [name for name, tensor in tensors.items() if tensor is not None]
    leaves = [tensors[name] for name in names]
    for name, a, b in zip(
        names, torch.autograd.grad(actual, leaves, grad), torch.autograd.grad(expected, leaves, grad), strict=True
    ):
        assert relative(a, b) < tolerance, name


@pytest.mark.parametrize("kernel", [(4, 1), (16, 1), (1, 4), (1, 16), (3, 3), (1, 1)])
@pytest.mark.parametrize(("mask", "bias"), [(True, True), (False, False)])
def test_equals_torchvision_for_the_kernels_of_the_paper(kernel, mask, bias):
    assert_same(*problem(kernel=kernel, mask=mask, bias=bias))


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"),
    [((2, 1), (0, 0), (1, 1)), ((1, 3), (2, 1), (1, 2)), ((2, 2), (3, 0), (3, 1)), ((1, 1), (5, 6), (2, 2))],
)
def test_equals_torchvision_for_strides_paddings_and_dilations(stride, padding, dilation):
    assert_same(*problem(size=(11, 12), stride=stride, padding=padding, dilation=dilation))


@pytest.mark.parametrize(("groups", "offset_groups"), list(itertools.product((1, 2, 3, 6), repeat=2)))
def test_equals_torchvision_for_groups(groups, offset_groups):
    assert_same(*problem(channels=(12, 12), groups=groups, offset_groups=offset_groups))


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1)])
def test_equals_torchvision_on_maps_one_pixel_wide(size):
    assert_same(*problem(size=size))


@pytest.mark.parametrize("spread", [0.0, 20.0, 1e6, 1e12])
def test_equals_torchvision_far_outside_of_the_map(spread):
    assert_same(*problem(spread=spread))


def test_equals_torchvision_on_whole_pixels_and_on_the_border():
    tensors, settings = problem(size=(5, 6), spread=0.0)
    offset = torch.randint(-8, 9, tensors["offset"].shape, generator=torch.Generator().manual_seed(2))
    tensors["offset"] = offset.float().requires_grad_()
    assert_same(tensors, settings)


@pytest.mark.parametrize("values", [1, 40, 700, 10**6])
def test_blocks_do_not_change_the_result(values, monkeypatch):
    monkeypatch.setitem(deformable.BLOCK, True, (values, values))
    assert_same(*problem(batch=5, size=(9, 4)))


def test_equals_torchvision_at_double_precision():
    assert_same(*problem(dtype=torch.float64), tolerance=1e-13)


def test_gradients_agree_with_finite_differences():
    tensors, settings = problem(
        kernel=(2, 3), size=(4, 5), channels=(4, 4), groups=2, offset_groups=2, dtype=torch.float64
    )
    names = list(tensors)
    assert torch.autograd.gradcheck(
        lambda *values: ours(dict(zip(names, values, strict=True)), settings), list(tensors.values())
    )


def test_gradients_only_where_they_are_asked_for():
    tensors, settings = problem()
    tensors["input"].requires_grad_(False)
    ours(tensors, settings).sum().backward()
    assert tensors["input"].grad is None
    assert tensors["offset"].grad is not None


def test_without_offsets_it_is_a_convolution():
    tensors, settings = problem(size=(70, 259), kernel=(4, 1), mask=False, spread=0.0)
    expected = nn.functional.conv2d(tensors["input"], tensors["weight"], tensors["bias"], **settings)
    # only the order of the sums differs: whole pixels are hit exactly, however far from the origin
    torch.testing.assert_close(ours(tensors, settings), expected, rtol=1e-5, atol=1e-5)


def test_samples_a_plane_exactly():
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    plane = (2 * y - 3 * x + 1)[None, None]
    offset = torch.empty(1, 2, 12, 10).uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    sampled = deform_conv2d(plane, offset, torch.ones(1, 1, 1, 1))
    expected = 2 * (y + offset[0, 0]) - 3 * (x + offset[0, 1]) + 1
    torch.testing.assert_close(sampled[0, 0, 1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-5, atol=1e-4)


def test_offsets_are_y_then_x_and_taps_go_row_by_row():
    image = torch.arange(20.0).view(1, 1, 4, 5)
    offset = torch.zeros(1, 8, 3, 4)
    offset[0, 4], offset[0, 5] = -1.0, 1.0
    weight = torch.tensor([0.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2)
    # the third tap is (1, 0): one up and one to the right of it is (0, 1)
    assert torch.equal(deform_conv2d(image, offset, weight)[0, 0], image[0, 0, :3, 1:])


def test_keeps_the_memory_format_and_the_type():
    tensors, settings = problem()
    assert ours(tensors, settings).is_contiguous()
    tensors["input"] = tensors["input"].detach().to(memory_format=torch.channels_last)
    out = ours(tensors, settings)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert relative(out, reference(**tensors, **settings)) < 1e-5
    assert ours({**tensors, "input": tensors["input"].bfloat16()}, settings).dtype == torch.bfloat16


def test_an_empty_batch_stays_empty():
    tensors, settings = problem(batch=0)
    out = ours(tensors, settings)
    out.sum().backward()
    assert out.shape == (0, 6, 7, 9)
    assert not tensors["weight"].grad.any()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_offsets_that_are_no_numbers_are_no_addresses(value):
    tensors, settings = problem(bias=False)
    offset = tensors["offset"].detach()
    offset[0, 0, 3, 3] = value
    out = ours({**tensors, "offset": offset}, settings)
    assert out[1].isfinite().all()
    assert out[0, :, 3, 3].isnan().all() == (value != value)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("offset", (2, 17, 7, 9), "needs 18"),
        ("offset", (2, 54, 7, 9), "divides the 4 input channels"),
        ("offset", (2, 18, 6, 9), r"needs \(2, 18, 7, 9\)"),
        ("offset", (1, 18, 7, 9), r"needs \(2, 18, 7, 9\)"),
        ("mask", (2, 18, 7, 9), r"needs \(2, 9, 7, 9\)"),
        ("weight", (6, 3, 3, 3), "equal groups"),
        ("weight", (5, 2, 3, 3), "equal groups"),
        ("weight", (6, 8, 3, 3), "equal groups"),
        ("bias", (5,), r"6 filters need \(6,\)"),
        ("input", (4, 7, 9), "four axes"),
        ("weight", (6, 4, 11, 3), "too small"),
    ],
)
def test_wrong_shapes_are_named(name, shape, message):
    tensors, settings = problem()
    with pytest.raises(ValueError, match=message):
        ours({**tensors, name: torch.zeros(shape)}, settings)


@pytest.mark.parametrize("modulated", [True, False])
def test_layer_starts_as_a_plain_convolution(modulated):
    settings = {"stride": (1, 2), "padding": (2, 0), "dilation": (1, 2), "bias": True}
    layer = DeformConv2d(3, 5, (4, 1), modulated=modulated, **settings)
    plain = nn.Conv2d(3, 5, (4, 1), **settings)
    plain.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    x = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(x), plain(x), rtol=1e-5, atol=1e-5)
    offset, mask = layer.offsets(x)
    assert offset.shape == (2, 8, 10, 6)
    assert not offset.any()
    assert (mask is None) if not modulated else torch.equal(mask, torch.ones(2, 4, 10, 6))


def test_layer_uses_the_offsets_that_it_tells():
    layer = DeformConv2d(3, 5, 3, padding=1)
    generator = torch.Generator().manual_seed(0)
    nn.init.normal_(layer.offset_conv.weight, generator=generator)
    nn.init.normal_(layer.mask_conv.weight, std=0.1, generator=generator)
    x = torch.randn(2, 3, 6, 7, generator=generator)
    offset, mask = layer.offsets(x)
    assert mask.min() > 0
    assert mask.max() < 2
    expected = reference(x, offset, layer.weight, padding=1, mask=mask)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_layer_learns_its_offsets_and_mask():
    layer = DeformConv2d(3, 5, 3, padding=1)
    layer(torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    assert layer.offset_conv.weight.grad.abs().sum() > 0
    assert layer.mask_conv.weight.grad.abs().sum() > 0


def test_layer_keeps_offsets_exact_under_autocast():
    layer = DeformConv2d(2, 2, 3, padding=1)
    nn.init.normal_(layer.offset_conv.weight)
    x = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        offset, _ = layer.offsets(x)
        out = layer(x)
    assert offset.dtype == torch.float32
    torch.testing.assert_close(out, layer(x))
