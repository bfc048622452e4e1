"""Fréchet distances of resampled pieces are those of the repeated rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.papers.sawsing.frechet import frechet_estimates, weighted_frechet
from reprise.stats.vocoding import frechet_distance

from .stored import collection, outcome


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 12), n_features=st.integers(1, 9), seed=st.integers(0, 99))
def test_weights_are_repeated_rows(n, n_features, seed):
    rng = np.random.default_rng(seed)
    reference = rng.standard_normal((n, n_features))
    embeddings = 0.7 * reference + rng.standard_normal((n, n_features)) + 0.5
    counts = rng.integers(0, 3, (4, n))
    counts[0] = 1
    found = weighted_frechet(embeddings, reference, weights=counts.astype(float))
    for row, value in zip(counts, found, strict=True):
        if row.sum() < 2:
            assert np.isnan(value)
        else:
            expected = frechet_distance(np.repeat(embeddings, row, axis=0), np.repeat(reference, row, axis=0))
            assert value == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_equal_sets_have_no_distance():
    rows = np.random.default_rng(0).standard_normal((30, 5))
    np.testing.assert_allclose(weighted_frechet(rows, rows, weights=np.ones((1, 30))), 0, atol=1e-6)


def test_sets_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        weighted_frechet(np.ones((3, 2)), np.ones((4, 2)), weights=np.ones((1, 3)))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), systems=("sawsing", "pwg"), songs=collection(voices=(None,)))


def test_the_distance_of_a_condition_is_that_of_all_its_rows(found):
    rng = np.random.default_rng(0)
    estimates = frechet_estimates(found, ["sawsing", "pwg>limited"], voice=None, rng=rng, n_draws=600)
    estimate = estimates["pwg>limited", "fad"]
    arrays = [found.trials("pwg>limited", seed)[0].arrays for seed in (0, 1)]
    each = [frechet_distance(one["embeddings"], one["reference_embeddings"]) for one in arrays]
    np.testing.assert_allclose(estimate.per_seed, each, rtol=1e-6)
    assert np.nanmean(estimate.draws) == pytest.approx(estimate.value)
    assert np.isfinite(estimate.draws).sum() == 400
    low, high = np.nanquantile(estimate.draws, [0.025, 0.975])
    assert low < estimate.value < high
    # paired: the same pieces in both conditions
    own = estimates["sawsing", "fad"].draws
    assert np.nanstd(estimate.draws - own) < np.nanstd(estimate.draws) + np.nanstd(own)


def test_pieces_without_embeddings_leave_the_condition_out(tmp_path, monkeypatch):
    short = outcome(tmp_path, systems=("sawsing",), n_seeds=1, songs=collection(voices=(None,)))
    trial = short.trials("sawsing", 0)[0]
    arrays = dict(trial.arrays)
    empty = {name: arrays[name][:1] for name in ("embeddings", "reference_embeddings", "embedding_piece")}
    monkeypatch.setattr(trial, "arrays", arrays | empty)
    rng = np.random.default_rng(0)
    assert frechet_estimates(short, ["sawsing"], voice=None, rng=rng, n_draws=100) == {}
