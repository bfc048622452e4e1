"""The spectrogram transformer against its library: counts, positions and local weights."""

import re
from functools import partial

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from reprise.models.ast import n_positions
from reprise.models.instrument import InstrumentAST
from reprise.models.shapes import count_parameters

TINY = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20}
PREFIX = "audio_spectrogram_transformer."
POSITIONS = f"{PREFIX}embeddings.position_embeddings"


@pytest.fixture(scope="module")
def one_second():
    return InstrumentAST(n_frames=98).eval()


@pytest.fixture
def tiny(monkeypatch):
    """Build small transformers, of the same structure."""
    monkeypatch.setattr("transformers.ASTConfig", partial(transformers.ASTConfig, **TINY))


def write(folder, *, n_frames=1024, current_names=True):
    """Weights of a tiny AST with 527 classes, all of them random, under the library's names or the hub's."""
    folder.mkdir(exist_ok=True)
    config = transformers.AutoConfig.for_model("audio-spectrogram-transformer", **TINY, max_length=n_frames)
    config.num_labels = 527
    model = transformers.ASTForAudioClassification(config)
    generator = torch.Generator().manual_seed(3)
    state = {name: torch.randn(value.shape, generator=generator) for name, value in model.state_dict().items()}
    if not current_names:
        hub = {
            r"\.layers\.": ".encoder.layer.",
            r"attention\.(q|k|v)_proj": lambda m: (
                "attention.attention." + {"q": "query", "k": "key", "v": "value"}[m[1]]
            ),
            r"attention\.o_proj": "attention.output.dense",
            r"mlp\.fc1": "intermediate.dense",
            r"mlp\.fc2": "output.dense",
        }
        for pattern, name in hub.items():
            state = {re.sub(pattern, name, key): value for key, value in state.items()}
    save_file(state, folder / "model.safetensors")
    config.save_pretrained(folder)
    return folder


def test_one_second_has_the_papers_parameters(one_second):
    assert count_parameters(one_second) == 85_349_387
    walk = one_second.shape_walk()
    assert walk["parameters"].sum() == 85_349_387
    assert walk["layer"].tolist() == ["embeddings", *(f"layers.{i}" for i in range(12)), "layernorm", "classifier"]
    assert walk["output"].iloc[0] == "110 × 768"
    assert walk["output"].iloc[-1] == "11"
    assert sum(p.numel() for p in one_second.head_parameters()) == 9_995
    assert sum(p.numel() for p in one_second.base_parameters()) == 85_349_387 - 9_995


def test_ten_seconds_have_the_papers_parameters():
    model = InstrumentAST()
    assert count_parameters(model) == 86_197_259
    assert model.initialisation == "random"
    assert model.new_positions


@pytest.mark.parametrize(("n_frames", "count"), [(1024, 1214), (96, 110), (105, 110), (95, 98), (106, 122), (16, 14)])
def test_positions(n_frames, count):
    assert n_positions(n_frames) == count


def test_positions_are_those_of_the_paper():
    assert 768 * n_positions(1024) == 932_352
    assert 768 * n_positions(98) == 84_480
    with pytest.raises(ValueError, match="at least 16 frames"):
        n_positions(15)


def test_random_positions_are_normal(one_second):
    positions = one_second.transformer.state_dict()[POSITIONS]
    assert abs(positions.std().item() - 0.02) < 0.001
    assert abs(positions.mean().item()) < 0.001
    assert len(torch.unique(positions)) > 0.9 * positions.numel()


def test_equals_the_library(one_second):
    x = torch.randn(2, 128, 98, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = one_second.transformer(input_values=x.transpose(1, 2)).logits
        assert expected.shape == (2, 11)
        assert torch.equal(one_second(x), expected)
        assert torch.equal(one_second(x[:, None]), expected)
        assert not torch.allclose(one_second(x.roll(20, dims=2)), expected, atol=1e-4), "positions do not count"


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 98, 128), "transpose"), ((1, 64, 98), "got (1, 64, 98)"), ((1, 128, 95), "96 to 105"), ((98, 128), "shape")],
)
def test_wrong_inputs_are_named(one_second, shape, message):
    with pytest.raises(ValueError) as caught:
        one_second(torch.zeros(shape))
    assert message in str(caught.value)


def test_lengths_with_the_same_patches_fit(one_second):
    x = torch.randn(1, 128, 105, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(one_second(x)[0], one_second(x[..., :96])[0])


@pytest.mark.parametrize("current_names", [True, False], ids=["current names", "names on the hub"])
@pytest.mark.parametrize("n_frames", [1024, 98])
def test_local_weights(tmp_path, tiny, current_names, n_frames):
    folder = write(tmp_path / "ast", current_names=current_names)
    model = InstrumentAST(n_frames=n_frames, weights=folder)
    assert model.initialisation == "audioset"
    assert model.new_positions == (n_frames == 98)
    reference = load_file(write(tmp_path / "same") / "model.safetensors")
    own = model.transformer.state_dict()
    fresh = {"classifier.dense.weight", "classifier.dense.bias"} | ({POSITIONS} if n_frames == 98 else set())
    for name, value in reference.items():
        same = own[name].shape == value.shape and torch.equal(own[name], value)
        assert same == (name not in fresh), name
    assert own["classifier.dense.weight"].shape[0] == 11
    assert own[POSITIONS].std() < 0.05 or n_frames == 1024


def test_loading_equals_from_pretrained(tmp_path, tiny):
    folder = write(tmp_path / "ast")
    model = InstrumentAST(weights=folder).eval()
    reference = transformers.ASTForAudioClassification.from_pretrained(
        folder, num_labels=11, ignore_mismatched_sizes=True, local_files_only=True
    ).eval()
    x = torch.randn(1, 128, 1024, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        hidden = reference.audio_spectrogram_transformer(x.transpose(1, 2)).pooler_output
        own = model.transformer.audio_spectrogram_transformer(x.transpose(1, 2)).pooler_output
        torch.testing.assert_close(own, hidden)


def changed(folder, change):
    path = folder / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop(f"{PREFIX}layernorm.weight"), "layernorm.weight has shape None"),
        (lambda state: state.update({f"{PREFIX}extra": torch.zeros(1)}), "extra has shape"),
        (lambda state: state.update({f"{PREFIX}layernorm.bias": torch.zeros(7)}), "layernorm.bias has shape"),
        (lambda state: state.update({POSITIONS: torch.zeros(1, 514, 12)}), "has 514 positions, not the 1214"),
        (lambda state: state.pop(POSITIONS), "has 0 positions"),
    ],
    ids=["missing", "extra", "size", "stride 16", "no positions"],
)
def test_another_network_is_refused(tmp_path, tiny, change, message):
    folder = write(tmp_path / "ast")
    changed(folder, change)
    with pytest.raises(ValueError) as caught:
        InstrumentAST(n_frames=98, weights=folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


def test_missing_and_wrong_files_are_named(tmp_path, tiny):
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        InstrumentAST(weights=tmp_path)
    with pytest.raises(ValueError, match="has the SHA-256"):
        InstrumentAST(weights=write(tmp_path / "ast"), sha256="0" * 64)


def test_both_groups_learn(tiny):
    model = InstrumentAST(n_frames=26)
    groups = [{"params": list(model.base_parameters()), "lr": 1e-4}, {"params": model.head_parameters(), "lr": 1e-3}]
    optimizer = torch.optim.Adam(groups)
    x = torch.randn(4, 128, 26, generator=torch.Generator().manual_seed(0))
    model(x).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    before = model(x).square().sum().item()
    optimizer.step()
    assert model(x).square().sum().item() < before


def test_sizes_can_be_chosen():
    small = InstrumentAST(n_frames=40, layers=1, width=24, heads=2)
    config = small.transformer.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (1, 24, 2)
    assert config.intermediate_size == 96
    assert small(torch.zeros(1, 128, 40)).shape == (1, 11)
