"""Oblong CNN: counts and map sizes of the paper, and the fast first block against its layers one by one."""

import copy

import pytest
import torch
from torch import nn

from reprise.models.normpool import conv_norm_relu_pool
from reprise.models.oblong import OblongCNN

COUNTS = {None: 337_510, "all": 463_374, "early": 362_194, "late": 438_690, "last": 435_734}


def spectrogram(freq=91, time=32, *, batch=2, dtype=torch.float32):
    values = torch.randn(batch, 3, freq, time, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return 8 * values - 30


def parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(("deformable", "count"), COUNTS.items())
def test_parameter_counts(deformable, count):
    model = OblongCNN(deformable=deformable)
    assert parameters(model) == count
    assert model.shape_walk()["parameters"].sum() == count


def test_parameter_counts_of_other_readings():
    assert parameters(OblongCNN(deformable="late", modulated=False)) == 404_878
    assert parameters(OblongCNN(head="table")) == 333_300
    assert parameters(OblongCNN(n_classes=7)) == 337_510 - 3 * 31


@pytest.mark.parametrize(
    ("settings", "conv_sizes", "last"),
    [
        ({}, ["1026 × 259", "257 × 64", "64 × 17", "21 × 6"], "10 × 3"),
        ({"deformable": "late"}, ["1026 × 259", "257 × 64", "64 × 17", "21 × 6"], "10 × 3"),
        (
            {"deformable": "late", "pool_deformable": False},
            ["1026 × 259", "257 × 64", "64 × 17", "64 × 18"],
            "64 × 18",
        ),
        ({"deformable": "last", "pool_deformable": False}, ["1026 × 259", "257 × 64", "64 × 17", "21 × 6"], "21 × 6"),
    ],
)
def test_map_sizes_of_the_paper(settings, conv_sizes, last):
    walk = OblongCNN(**settings).shape_walk(1025, 259)
    convs = walk[walk["layer"].str.contains("conv")]["output"]
    assert [size.split(" × ", 1)[1] for size in convs] == conv_sizes
    maps = walk[walk["output"].str.count("×") == 2]["output"]
    assert maps.iloc[-1] == f"128 × {last}"
    assert list(walk["output"])[-1] == "10"


def test_flattened_maps_have_the_size_hard_coded_in_the_authors_code():
    with torch.no_grad():
        assert OblongCNN().eval().maps(torch.zeros(1, 3, 1025, 259)).numel() == 128 * 10 * 3


def test_deformable_network_starts_as_the_plain_one():
    plain, late = OblongCNN().eval(), OblongCNN(deformable="all").eval()
    weights = plain.state_dict()
    for name in [name for name in weights if name.startswith("blocks") and name.endswith("conv.bias")]:
        weights[name].zero_()
    missing = late.load_state_dict({k: v for k, v in weights.items() if k in late.state_dict()}, strict=False)
    assert all("offset_conv" in name or "mask_conv" in name for name in missing.missing_keys)
    with torch.no_grad():
        torch.testing.assert_close(late(spectrogram()), plain(spectrogram()), rtol=1e-4, atol=1e-5)


def test_classifier_sees_the_features():
    model = OblongCNN().eval()
    with torch.no_grad():
        features = model.features(spectrogram())
        assert features.shape == (2, 30)
        assert torch.equal(model(spectrogram()), model.classifier(features))


def test_every_parameter_learns():
    torch.manual_seed(0)
    model = OblongCNN(deformable="all")
    model(spectrogram(batch=4)).square().sum().backward()
    for name, parameter in model.named_parameters():
        # batch norm takes any constant away again, so the bias before it has no gradient
        assert parameter.grad.abs().sum() > 0 or name.endswith("conv.bias") or name == "feature.0.bias", name


@pytest.mark.parametrize("settings", [{}, {"deformable": "late", "pool_deformable": False}])
def test_smallest_input_works_and_one_less_is_explained(settings):
    model = OblongCNN(**settings).eval()
    freq, time = model.smallest_input()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, freq, time)).shape == (1, 10)
    for size in ((freq - 1, time), (freq, time - 1)):
        with pytest.raises(ValueError, match=f"smallest is {freq} × {time}"):
            model(torch.zeros(1, 3, *size))


def test_smallest_input_of_the_pooled_network():
    assert OblongCNN().smallest_input() == (91, 32)


@pytest.mark.parametrize(("name", "value"), [("deformable", "first"), ("head", "mlp")])
def test_unknown_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=value):
        OblongCNN(**{name: value})


def test_other_inputs_are_refused():
    with pytest.raises(ValueError, match=r"\(batch, 3, freq, time\)"):
        OblongCNN()(torch.zeros(2, 1, 91, 32))


def test_shape_walk_leaves_the_model_as_it_was():
    model = OblongCNN()
    before = copy.deepcopy(model.state_dict())
    model.shape_walk(91, 32)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_weights_can_be_stored_as_they_are():
    assert all(value.is_contiguous() for value in OblongCNN(deformable="all").state_dict().values())


def layers(*, kernel=(4, 1), momentum=0.1):
    """A first block with gains of both signs, in double precision."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, kernel, padding=(kernel[0] // 2, kernel[1] // 2)).double()
    norm = nn.BatchNorm2d(8, momentum=momentum).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return conv, norm


@pytest.mark.parametrize("kernel", [(4, 1), (1, 4), (3, 3)])
@pytest.mark.parametrize("pool", [2, 4])
def test_fast_first_block_equals_its_layers(kernel, pool):
    conv, norm = layers(kernel=kernel)
    conv_2, norm_2 = copy.deepcopy(conv), copy.deepcopy(norm)
    assert (norm.weight < 0).any()
    assert (norm.weight > 0).any()
    x = spectrogram(19, 13, batch=3, dtype=torch.float64)
    actual = conv_norm_relu_pool(x, conv, norm=norm, pool=pool)
    expected = nn.Sequential(conv_2, norm_2, nn.ReLU(), nn.MaxPool2d(pool))(x)
    torch.testing.assert_close(actual, expected)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    actual.backward(grad)
    expected.backward(grad)
    for name in ("weight", "bias"):
        torch.testing.assert_close(getattr(norm, name).grad, getattr(norm_2, name).grad)
    torch.testing.assert_close(conv.weight.grad, conv_2.weight.grad, rtol=1e-9, atol=1e-9)
    assert conv_2.bias.grad.abs().max() < 1e-9
    assert conv.bias.grad is None or not conv.bias.grad.any()
    for (name, kept), expected_kept in zip(norm.named_buffers(), norm_2.buffers(), strict=True):
        torch.testing.assert_close(kept, expected_kept, msg=name)


def test_fast_first_block_averages_all_batches_without_momentum():
    conv, norm = layers(momentum=None)
    conv_2, norm_2 = copy.deepcopy(conv), copy.deepcopy(norm)
    for shift in range(3):
        x = spectrogram(19, 13, dtype=torch.float64) + shift
        conv_norm_relu_pool(x, conv, norm=norm, pool=4)
        norm_2(conv_2(x))
    torch.testing.assert_close(norm.running_mean, norm_2.running_mean)
    torch.testing.assert_close(norm.running_var, norm_2.running_var)


def test_network_gives_the_same_with_and_without_the_fast_block():
    torch.manual_seed(0)
    fast = OblongCNN(deformable="late").double()
    for module in fast.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    nn.init.normal_(fast.blocks[0].norm.weight)
    slow = copy.deepcopy(fast)
    x = spectrogram(dtype=torch.float64, batch=3)
    # an input that needs a gradient goes through the layers one by one
    a, b = fast(x), slow(x.clone().requires_grad_())
    torch.testing.assert_close(a, b)
    a.square().sum().backward()
    b.square().sum().backward()
    for (name, p), q in zip(fast.named_parameters(), slow.parameters(), strict=True):
        if p.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-7, atol=1e-9, msg=name)
    for p, q in zip(fast.buffers(), slow.buffers(), strict=True):
        torch.testing.assert_close(p, q)
