"""Contrastive pre-training on tiny clips: which views, how they depend on the seed, and what is learnt."""

import numpy as np
import pytest
import torch

from reprise.papers.tune.encoders import build_model
from reprise.papers.tune.pretraining import Pairs, pretrain
from reprise.papers.tune.trials import TrialKey
from reprise.runs import Store, TrialContext
from reprise.training.contrastive import chance_loss


@pytest.fixture
def opened(grid):
    """Clips and trial of a pre-training with some changed settings."""

    def make(*, n_clips=8, views=True, **changes):
        silent = () if views else ("polarity", "noise", "gain", "filter", "delay", "pitch", "reverb")
        collection, trials = grid(max_pretrain_clips=n_clips, views_without=silent, **changes)
        return collection.pretraining["mtt"], trials[TrialKey("vanilla_small", "pretrain", 0)]

    return make


def pairs_of(clips, config):
    return Pairs(clips, config, device="cpu")


def test_views_are_two_crops_of_one_clip(opened):
    clips, config = opened(views=False)
    pairs = pairs_of(clips, config)
    rows = np.array([3, 0, 5])
    for view in pairs.views(rows, 0, 0):
        assert view.shape == (3, 2187)
        for row, crop in zip(rows, view, strict=True):
            whole = clips.bank.batch([row], length=int(clips.bank.lengths[row]), device="cpu")[0]
            assert any(torch.equal(crop, piece) for piece in whole.unfold(0, 2187, 1))
    first, second = pairs.views(rows, 0, 0)
    assert not torch.equal(first, second)
    clips, config = opened(views=False, same_crop=True)
    first, second = pairs_of(clips, config).views(rows, 0, 0)
    assert torch.equal(first, second)


def test_views_depend_on_seed_and_place_alone(opened):
    clips, config = opened()
    rows = np.arange(4)
    pairs = pairs_of(clips, config)
    first = pairs.views(rows, 0, 1)[0]
    pairs.views(rows, 3, 0)
    assert torch.equal(pairs.views(rows, 0, 1)[0], first)
    assert not torch.equal(pairs.views(rows, 1, 0)[0], first)
    other = pairs_of(clips, config.model_copy(update={"seed": 1}))
    assert not torch.equal(other.views(rows, 0, 1)[0], first)


def test_an_epoch_has_each_clip_once_and_drops_what_fills_no_batch(opened, monkeypatch):
    clips, config = opened(n_clips=10)
    seen = []
    monkeypatch.setattr(Pairs, "views", lambda self, rows, *place: seen.append((tuple(rows), place)))
    pairs = pairs_of(clips, config)
    for epoch in (0, 1):
        list(pairs.epoch(epoch))
    assert pairs.steps == 2
    assert [place for _, place in seen] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for number in (0, 2):
        both = seen[number][0] + seen[number + 1][0]
        assert len(set(both)) == 8
        assert set(both) <= set(clips.rows("train"))
    assert seen[0][0] != seen[2][0]


def test_validation_clips_are_watched_and_never_trained_on(opened):
    clips, config = opened()
    pairs = pairs_of(clips, config)
    assert set(pairs.watched_rows) <= set(clips.rows("valid"))
    assert len(pairs.watched_rows) == config.batch_size // config.groups
    assert not set(pairs.watched_rows) & set(pairs.rows)
    assert all(torch.equal(a, b) for a, b in zip(pairs.watched(), pairs.watched(), strict=True))


def test_a_set_without_validation_clips_is_watched_on_what_it_learns_from(grid, tmp_path):
    collection, trials = grid()
    clips, config = collection.pretraining["gtzan"], trials[TrialKey("vanilla_small@gtzan", "pretrain", 0)]
    pairs = pairs_of(clips, config)
    assert set(pairs.watched_rows) <= set(pairs.rows)
    context = TrialContext(folder=tmp_path, device="cpu", store=Store(tmp_path / "store"))
    _, notes = pretrain(build_model(config), clips, config=config.model_copy(update={"epochs": 1}), context=context)
    assert notes == [
        "8 clips of gtzan; steps of 4, 2 per epoch.",
        "There are no validation clips: training is watched on clips that it has seen.",
    ]


def test_the_loss_falls_from_chance(opened, tmp_path):
    clips, config = opened(views=False, same_crop=True, epochs=4, epochs_middle=4, epochs_long=4, learning_rate=1e-3)
    context = TrialContext(folder=tmp_path, device="cpu", store=Store(tmp_path / "store"))
    curves, _ = pretrain(build_model(config), clips, config=config, context=context)
    assert list(curves.columns) == ["epoch", "step", "loss", "valid_loss", "pair_accuracy", "lr", "seconds"]
    assert list(curves["step"]) == [2, 4, 6, 8]
    # equal views: what is left is to tell the two clips of a group apart
    assert curves["loss"].iloc[0] < chance_loss(2)
    assert curves["loss"].iloc[-1] < curves["loss"].iloc[0] - 0.1
    assert curves["pair_accuracy"].iloc[-1] == 1.0
    assert (curves["seconds"] > 0).all()
