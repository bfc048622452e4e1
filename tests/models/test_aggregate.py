"""Scores of clips against the formulas, window by window."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.models.aggregate import aggregate_s1, aggregate_s2


def reference(probabilities, clips):
    groups = [probabilities[clips == clip] for clip in range(clips.max() + 1)]
    s1 = np.stack([group.mean(axis=0) for group in groups])
    s2 = np.stack([group.sum(axis=0) / group.sum(axis=0).max() for group in groups])
    return s1, s2


@given(counts=st.lists(st.integers(1, 6), min_size=1, max_size=8), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_equals_the_formulas_in_any_order_of_windows(counts, seed):
    rng = np.random.default_rng(seed)
    clips = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    probabilities = rng.uniform(size=(len(clips), 11)).astype(np.float32)
    s1, s2 = reference(probabilities.astype(np.float64), clips)
    given_ = torch.from_numpy(probabilities), torch.from_numpy(clips)
    torch.testing.assert_close(aggregate_s1(*given_), torch.from_numpy(s1).float(), rtol=1e-6, atol=0)
    torch.testing.assert_close(aggregate_s2(*given_), torch.from_numpy(s2).float(), rtol=1e-6, atol=0)


def test_s2_always_names_an_instrument_and_s1_may_name_none():
    probabilities = torch.tensor([[0.3, 0.1, 0.0], [0.1, 0.05, 0.0]])
    clips = torch.tensor([0, 0])
    assert not (aggregate_s1(probabilities, clips) > 0.5).any()
    assert (aggregate_s2(probabilities, clips) > 0.5).tolist() == [[True, False, False]]
    assert aggregate_s2(probabilities, clips)[0, 0] == 1


def test_a_clip_does_not_depend_on_its_neighbours():
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(2, 4, generator=generator) * 1e-6
    both = torch.cat([torch.ones(50, 4), small])
    clips = torch.cat([torch.zeros(50, dtype=torch.int64), torch.ones(2, dtype=torch.int64)])
    assert torch.equal(aggregate_s2(both, clips)[1:], aggregate_s2(small, torch.tensor([0, 0])))


def test_silence_everywhere_stays_zero():
    assert aggregate_s2(torch.zeros(2, 3), torch.tensor([0, 1])).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_nothing_gives_nothing():
    assert aggregate_s1(torch.zeros(0, 11), torch.zeros(0, dtype=torch.int64)).shape == (0, 11)


def test_gradients_reach_the_windows():
    probabilities = torch.full((3, 2), 0.5, dtype=torch.float64, requires_grad=True)
    aggregate_s1(probabilities, torch.tensor([0, 0, 1]))[:, 0].sum().backward()
    torch.testing.assert_close(probabilities.grad[:, 0], torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64))


@pytest.mark.parametrize(
    ("clips", "message"), [([0, 2], "clip 1 has no window"), ([0, -1], "from 0, got -1"), ([0], "n_windows")]
)
def test_faults_are_named(clips, message):
    with pytest.raises(ValueError, match=message):
        aggregate_s2(torch.rand(2, 3), torch.tensor(clips))
