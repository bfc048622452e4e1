"""Windows and representations: where windows lie, what they give, and encoders that are no networks."""

import librosa
import numpy as np
import pytest
import torch
from torch import nn

from reprise.models.tune import CLMRTail, TUNe
from reprise.papers.tune.embedding import (
    EMBEDDING,
    all_windows,
    embed,
    embed_windows,
    mean_of_clips,
    random_windows,
)
from reprise.papers.tune.encoders import MelStatistics, build_encoder
from reprise.papers.tune.trials import EncoderConfig


class Bank:
    """Clips that count up, as a wave bank would serve them."""

    def __init__(self, *lengths):
        self.lengths = np.array(lengths)

    def batch(self, rows, starts, length, *, device="cpu"):
        audio = torch.zeros(len(rows), length)
        for place, (row, start) in enumerate(zip(rows, starts, strict=True)):
            n = min(length, self.lengths[row] - start)
            audio[place, :n] = torch.arange(start, start + n) + 1000 * row
        return audio


class First(nn.Module):
    """First and last sample of a window."""

    def forward(self, audio):
        return audio[:, [0, -1]]


def encoder_config(network, **changes):
    given = {"network": network, "initialisation": "he", "tail": None, "tail_initialisation": None}
    return EncoderConfig(**(given | changes), sample_rate=22050)


def test_windows_follow_one_another_and_the_rest_is_dropped():
    windows = all_windows(Bank(35, 9, 20), np.array([0, 1, 2]), n_samples=10)
    np.testing.assert_array_equal(windows.rows, [0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(windows.starts, [0, 10, 20, 0, 0, 10])
    np.testing.assert_array_equal(windows.clips, windows.rows)


def test_a_clip_of_the_paper_has_ten_windows():
    assert len(all_windows(Bank(round(29.12 * 22050)), np.array([0]), n_samples=59049)) == 10


def test_random_windows_fit_and_depend_on_seed_and_side():
    bank, rows = Bank(35, 9, 2000), np.array([2, 0, 1])
    windows = random_windows(bank, rows, n_samples=10, seed=1, side="train")
    np.testing.assert_array_equal(windows.rows, rows)
    assert (windows.starts >= 0).all()
    assert (windows.starts <= [1990, 25, 0]).all()
    again, valid, other = (
        random_windows(bank, rows, n_samples=10, seed=seed, side=side)
        for seed, side in ((1, "train"), (1, "valid"), (2, "train"))
    )
    np.testing.assert_array_equal(windows.starts, again.starts)
    assert windows.starts[0] not in (valid.starts[0], other.starts[0])


def test_the_mean_of_a_clip_is_that_of_its_windows():
    bank = Bank(35, 9)
    windows = all_windows(bank, np.array([1, 0]), n_samples=10)
    found = embed_windows(First(), bank, windows=windows, n_samples=10, device="cpu")
    assert list(found) == [EMBEDDING]
    np.testing.assert_allclose(mean_of_clips(found[EMBEDDING], windows), [[1000, 0], [10, 19]])


def test_embeddings_do_not_depend_on_the_batch(monkeypatch):
    from reprise.papers.tune import embedding

    bank, rows = Bank(*(70,) * 5), np.arange(5)
    windows = all_windows(bank, rows, n_samples=10)
    sizes = []
    for size in (1, 4, 100):
        monkeypatch.setitem(embedding.BATCH, "cpu", size)
        sizes.append(embed_windows(First(), bank, windows=windows, n_samples=10, device="cpu")[EMBEDDING])
    assert torch.equal(sizes[0], sizes[1])
    assert torch.equal(sizes[0], sizes[2])


def test_blocks_are_averaged_over_time_and_the_last_is_the_representation():
    encoder = build_encoder(encoder_config("Vanilla TUNe Small"), seed=0).eval()
    bank = Bank(400, 300)
    windows = all_windows(bank, np.arange(2), n_samples=243)
    found = embed_windows(encoder, bank, windows=windows, n_samples=243, device="cpu", layers=True)
    assert list(found) == [
        *(f"Contr-{k}" for k in range(1, 5)), "Bot-U", *(f"Expa-{k}" for k in range(1, 5)),
        *(f"Tail-{k}" for k in range(1, 5)), EMBEDDING,
    ]  # fmt: skip
    plain = embed_windows(encoder, bank, windows=windows, n_samples=243, device="cpu")[EMBEDDING]
    torch.testing.assert_close(found[EMBEDDING], plain)
    assert torch.equal(found["Tail-4"], found[EMBEDDING])


def test_recordings_of_any_length_are_averaged_over_whole_windows():
    audio = torch.arange(25.0)[None].expand(2, -1)
    np.testing.assert_allclose(embed(First(), audio, n_samples=10), [[5, 14]] * 2)
    np.testing.assert_allclose(embed(First(), audio[:, :4], n_samples=10), [[0, 0]] * 2)
    with pytest.raises(ValueError, match="audio needs shape"):
        embed(First(), audio[0])


def test_mel_statistics_are_those_of_librosa():
    audio = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    found = MelStatistics(sample_rate=16000, n_mels=40)(audio)
    for y, vector in zip(audio.numpy(), found.numpy(), strict=True):
        levels = 10 * np.log10(np.maximum(librosa.feature.melspectrogram(y=y, sr=16000, n_mels=40), 1e-8))
        expected = np.concatenate([(levels.mean(axis=1) + 40) / 40, levels.std(axis=1, ddof=1) / 10])
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_the_seed_decides_the_weights_and_nothing_else():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (build_encoder(encoder_config("Vanilla TUNe Small"), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [next(iter(network.parameters())) for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_clmr_tail_is_fixed_unless_it_learns():
    given = build_encoder(encoder_config("CLMR", initialisation="default"), seed=7).state_dict()
    config = encoder_config("TUNe CLMR-tail", tail="from_clmr")
    encoder = build_encoder(config, seed=0, tail=given)
    assert isinstance(encoder, CLMRTail)
    assert all(torch.equal(value, given[name]) for name, value in encoder.tail.state_dict().items())
    assert not any(value.requires_grad for value in encoder.tail.parameters())
    assert sum(value.numel() for value in encoder.parameters() if value.requires_grad) == 153_993
    learning = build_encoder(encoder_config("TUNe CLMR-tail", tail="trained", tail_initialisation="default"), seed=0)
    assert all(value.requires_grad for value in learning.parameters())
    assert isinstance(build_encoder(encoder_config("TUNe+"), seed=0), TUNe)
