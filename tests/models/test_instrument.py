"""The instrument networks against the paper's tables, plain functions and torchvision."""

import hashlib
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torchvision.models import resnet50

from reprise.models.instrument import MFCCCNN, FeatureCNN, RawAudioCNN, SpectrogramResNet
from reprise.models.shapes import count_parameters, shape_walk
from reprise.models.weights import load_weights

SMALL = {RawAudioCNN: (14_110,), MFCCCNN: (33, 145), FeatureCNN: (37,)}
CHANNELS = {RawAudioCNN: 1, MFCCCNN: 1, FeatureCNN: 40}
small = pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def resnet():
    return SpectrogramResNet().eval()


@pytest.fixture(scope="module")
def pretrained():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return resnet50(weights=None).eval()


def randomised(model: nn.Module) -> nn.Module:
    """Statistics of the normalisations that a wrong order of layers cannot hide behind."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                tensor.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "count"), [(RawAudioCNN, 180_427), (MFCCCNN, 879_275), (FeatureCNN, 114_859)], ids=lambda x: str(x)
)
def test_parameters_are_the_papers(kind, count):
    assert count_parameters(kind()) == count
    assert kind().shape_walk()["parameters"].sum() == count


def test_resnet_has_the_papers_parameters(resnet):
    assert count_parameters(resnet) == 23_530_571
    walk = resnet.shape_walk()
    assert walk["parameters"].sum() == 23_530_571
    assert dict(zip(walk["layer"], walk["output"], strict=True))["layer4"] == "2048 × 8 × 8"


def sizes(model, *kinds, column="input"):
    walk = model.shape_walk()
    return list(walk.loc[walk["kind"].isin(kinds), column])


def test_raw_cnn_has_table_4_2():
    lengths = [44100, 21831, 5457, 5452, 1363, 1361, 340, 338, 84, 82, 20, 18]
    widths = [1, 32, 32, 32, 32, 64, 64, 64, 64, 128, 128, 256]
    chain = [f"{width} × {length}" for width, length in zip(widths, lengths, strict=True)]
    model = RawAudioCNN()
    assert sizes(model, "Conv1d", "MaxPool1d") == chain
    assert sizes(model, "AdaptiveAvgPool1d", "Flatten", "Linear") == ["256 × 4", "256 × 1", "256", "64"]
    assert list(model.shape_walk()["output"])[-1] == "11"
    weights = [14112, 6176, 6208, 12352, 24704, 98560]
    assert sizes(model, "Conv1d", column="parameters") == weights
    assert sizes(model, "Conv1d", column="kernel") == ["440, stride 2", "6", "3", "3", "3", "3"]


def test_mfcc_cnn_has_figure_4_2():
    model = MFCCCNN()
    assert sizes(model, "Conv2d") == ["1 × 40 × 256", "32 × 18 × 126", "64 × 8 × 58", "128 × 3 × 24"]
    assert sizes(model, "AdaptiveAvgPool2d") == ["256 × 1 × 7"]
    assert sizes(model, "Conv2d", column="parameters") == [544, 41024, 163968, 655616]


def test_feature_cnn_has_figure_4_3():
    model = FeatureCNN()
    assert sizes(model, "Conv1d") == ["40 × 87", "32 × 40", "64 × 19", "128 × 9"]
    assert sizes(model, "AdaptiveAvgPool1d") == ["256 × 4"]
    assert sizes(model, "Conv1d", column="parameters") == [10272, 4160, 16512, 65792]


def plain(model, x, *, two_d, norm_first, stride, pool):
    """The same network in functions, from its weights by position."""
    values = list(model.state_dict().values())
    conv = functional.conv2d if two_d else functional.conv1d
    squeeze = functional.max_pool2d if two_d else functional.max_pool1d
    while len(values) > 4:
        weight, bias, gamma, beta, mean, var, _ = values[:7]
        del values[:7]
        x = conv(x, weight, bias, stride=stride)
        stride = 1
        steps = [functional.relu, lambda h: functional.batch_norm(h, mean, var, gamma, beta)]  # noqa: B023
        for step in reversed(steps) if norm_first else steps:
            x = step(x)
        x = squeeze(x, pool)
    x = x.flatten(2).mean(dim=2)
    first, first_bias, second, second_bias = values
    return functional.relu(x @ first.T + first_bias) @ second.T + second_bias


@pytest.mark.parametrize(
    ("model", "shape", "options"),
    [
        (RawAudioCNN(), (2, 1, 20_000), {"two_d": False, "norm_first": False, "stride": 2, "pool": 4}),
        (MFCCCNN(), (2, 1, 40, 256), {"two_d": True, "norm_first": True, "stride": 1, "pool": 2}),
        (MFCCCNN(norm_first=False), (2, 1, 40, 256), {"two_d": True, "norm_first": False, "stride": 1, "pool": 2}),
        (FeatureCNN(), (2, 40, 87), {"two_d": False, "norm_first": False, "stride": 1, "pool": 2}),
    ],
    ids=["raw", "mfcc", "mfcc as printed", "features"],
)
def test_equals_plain_functions(model, shape, options):
    model = randomised(model).double()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(model(x), plain(model, x, **options))
    if shape[1] == 1:
        torch.testing.assert_close(model(x[:, 0]), model(x))


@small
def test_dropout_is_before_the_relu_of_the_head(kind):
    layers = [type(layer).__name__ for layer in kind(dropout=0.3).head]
    assert layers == ["Flatten", "Linear", "Dropout", "ReLU", "Linear"]
    assert kind(dropout=0.3).head[2].p == 0.3
    assert kind(n_classes=5).eval()(torch.zeros(1, *kind.example)).shape == (1, 5)


@small
def test_the_smallest_input_is_named(kind):
    model, smallest = kind().eval(), SMALL[kind]
    assert model(torch.zeros(1, CHANNELS[kind], *smallest)).shape == (1, 11)
    for axis, size in enumerate(smallest):
        shape = [1, CHANNELS[kind], *smallest]
        shape[2 + axis] -= 1
        with pytest.raises(ValueError, match=f"≥ {size}"):
            model(torch.zeros(shape))


@small
def test_a_wrong_shape_is_named(kind):
    with pytest.raises(ValueError, match=rf"shape \(batch, {CHANNELS[kind]}, .*got \(2, 3, "):
        kind()(torch.zeros(2, 3, *kind.example[1:]))


@small
def test_it_learns(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(n_classes=2, dropout=0)
        x = torch.randn(4, CHANNELS[kind], *SMALL[kind])
    targets = torch.arange(4) % 2
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_resnet_equals_torchvision(resnet):
    reference = resnet50(weights=None)
    reference.fc = nn.Linear(2048, 11)
    own = {name.replace("fc.1.", "fc."): value for name, value in resnet.resnet.state_dict().items()}
    reference.load_state_dict(own)
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(resnet(x), reference.eval()(x))
        one = x[:, :1]
        torch.testing.assert_close(resnet(one), resnet(one.repeat(1, 3, 1, 1)))
        torch.testing.assert_close(resnet(one[:, 0]), resnet(one))


def test_resnet_says_that_it_is_random_and_has_dropout(resnet):
    assert resnet.initialisation == "random"
    assert isinstance(resnet.resnet.fc[0], nn.Dropout)
    assert resnet.resnet.fc[0].p == 0.2


@pytest.mark.parametrize(("shape", "message"), [((1, 3, 31, 64), "freq ≥ 32"), ((1, 2, 64, 64), "got (1, 2, 64, 64)")])
def test_resnet_names_wrong_inputs(resnet, shape, message):
    with pytest.raises(ValueError) as caught:
        resnet(torch.zeros(shape))
    assert message in str(caught.value)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_resnet_takes_local_weights(tmp_path, pretrained, suffix):
    path = tmp_path / f"weights{suffix}"
    state = {name: value for name, value in pretrained.state_dict().items() if "num_batches" not in name}
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    with pytest.raises(ValueError, match="pass the SHA-256"):
        SpectrogramResNet(weights=path)
    model = SpectrogramResNet(weights=path, sha256=sha256(path))
    assert model.initialisation == "imagenet"
    assert count_parameters(model) == 23_530_571
    for name in ("conv1.weight", "layer4.2.bn3.running_var"):
        assert torch.equal(model.resnet.state_dict()[name], state[name])


def test_resnet_refuses_another_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(ValueError, match="has the SHA-256"):
        SpectrogramResNet(weights=path, sha256="0" * 64)
    with pytest.raises(ValueError, match="is not torchvision's ResNet-50"):
        SpectrogramResNet(weights=path, sha256=sha256(path))
    save_file({"conv1.weight": torch.zeros(1, 3, 7, 7)}, path)
    with pytest.raises(ValueError, match="is not torchvision's ResNet-50"):
        SpectrogramResNet(weights=path, sha256=sha256(path))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of a pickle was run",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bomb.pth", pickle.dumps(Bomb(), protocol=2), "more than tensors"),
        ("cut.pth", b"PK\x03\x04 not a zip", "damaged"),
        ("cut.safetensors", b"\x10\x00", "not a whole .safetensors"),
    ],
    ids=["code", "cut", "cut safetensors"],
)
def test_weights_hold_no_code_and_are_whole(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_weights(path, sha256=sha256(path))


def test_weights_are_a_state_dict_that_exists(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="not a state_dict"):
        load_weights(tmp_path / "a.pth", sha256=None)
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        load_weights(tmp_path / "nothing.pth", sha256=None)


def test_walking_changes_nothing():
    model = FeatureCNN()
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    numbers = torch.random.get_rng_state()
    walk = model.shape_walk()
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(numbers, torch.random.get_rng_state())
    assert not any(module._forward_hooks for module in model.modules())
    assert walk["layer"].is_unique


def test_a_shared_layer_is_counted_once():
    layer = nn.Linear(3, 3)
    walk = shape_walk(nn.Sequential(layer, nn.ReLU(), layer), torch.zeros(1, 3))
    assert list(walk["kind"]) == ["Linear", "ReLU", "Linear"]
    assert walk["parameters"].sum() == 12


def test_an_unknown_layer_is_named():
    with pytest.raises(ValueError, match=r"no module 'blocks\.9'"):
        shape_walk(FeatureCNN(), torch.zeros(1, 40, 87), names=["blocks.9"])


def test_heavy_libraries_are_loaded_on_first_use():
    script = "import sys; from reprise.models import instrument; instrument.RawAudioCNN(); "
    script += "print(sorted({'transformers', 'torchvision', 'torchaudio'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_smaller_resnet_has_the_same_layers_in_smaller():
    small = SpectrogramResNet(blocks=(1, 2, 1, 1), width=8)
    state = small.resnet.state_dict()
    assert state["conv1.weight"].shape == (8, 3, 7, 7)
    assert {name.split(".")[1] for name in state if name.startswith("layer2.")} == {"0", "1"}
    assert state["layer4.0.conv3.weight"].shape == (256, 64, 1, 1)
    assert small(torch.zeros(2, 1, 32, 32)).shape == (2, 11)
    full = resnet50(weights=None)
    assert {name for name in SpectrogramResNet().resnet.state_dict() if not name.startswith("fc")} == {
        name for name in full.state_dict() if not name.startswith("fc")
    }
