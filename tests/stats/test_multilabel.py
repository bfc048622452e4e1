"""Metrics of several labels against scikit-learn, repeated clips and every possible threshold."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from reprise.models.aggregate import aggregate_s1, aggregate_s2
from reprise.stats.compare import bootstrap_weights
from reprise.stats.multilabel import (
    MULTILABEL,
    best_thresholds,
    decide,
    label_f1,
    multilabel_metrics,
    ranking_metrics,
    strongest_is_one,
    weighted_multilabel,
)

cases = given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(2, 6))


def random_case(seed, n, n_classes):
    """Scores with many ties; some classes without any positive clip, some with nothing else."""
    rng = np.random.default_rng(seed)
    prevalence = rng.choice([0.0, 0.1, 0.4, 0.8, 1.0], size=n_classes)
    return rng.integers(0, 7, size=(n, n_classes)) / 6, (rng.random((n, n_classes)) < prevalence).astype(int)


def sklearns(scores, targets, threshold=0.5):
    predicted = (scores > threshold).astype(int)
    options = {"average": "macro", "zero_division": 0}
    known = [index for index in range(targets.shape[1]) if 0 < targets[:, index].sum() < len(targets)]
    any_positive = [index for index in range(targets.shape[1]) if targets[:, index].any()]
    auc = [sk.roc_auc_score(targets[:, index], scores[:, index]) for index in known]
    precision = [sk.average_precision_score(targets[:, index], scores[:, index]) for index in any_positive]
    return {
        "hamming": 1 - sk.hamming_loss(targets, predicted),
        "exact_match": sk.accuracy_score(targets, predicted),
        "macro_f1": sk.f1_score(targets, predicted, **options),
        "macro_precision": sk.precision_score(targets, predicted, **options),
        "macro_recall": sk.recall_score(targets, predicted, **options),
        "micro_f1": sk.f1_score(targets, predicted, average="micro", zero_division=0),
        "macro_auc": np.mean(auc) if auc else np.nan,
        "macro_average_precision": np.mean(precision) if precision else np.nan,
    }


@settings(max_examples=60, deadline=None)
@cases
def test_equal_to_scikit_learn(seed, n, n_classes):
    scores, targets = random_case(seed, n, n_classes)
    ours = multilabel_metrics(scores, targets)
    assert set(ours) == set(MULTILABEL)
    assert ours == pytest.approx(sklearns(scores, targets), nan_ok=True)
    f1 = sk.f1_score(targets, scores > 0.5, average=None, zero_division=np.nan)
    np.testing.assert_allclose(label_f1(scores, targets), f1)


@settings(max_examples=40, deadline=None)
@cases
def test_weights_are_the_same_as_repeating_clips(seed, n, n_classes):
    scores, targets = random_case(seed, n, n_classes)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=4)
    names = [f"c{index}" for index in range(n_classes)]
    ours = weighted_multilabel(counts, scores, targets, class_names=names)
    for draw, count in enumerate(counts):
        repeated = np.repeat(np.arange(n), count)
        expected = sklearns(scores[repeated], targets[repeated])
        assert {name: ours[name][draw] for name in MULTILABEL} == pytest.approx(expected, nan_ok=True)
        f1 = label_f1(scores[repeated], targets[repeated])
        np.testing.assert_allclose([ours[f"f1/{name}"][draw] for name in names], f1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 6))
def test_songs_change_the_weights_and_not_the_formula(seed, n, n_songs):
    # weights that are equal within a song are added up before the comparisons are counted
    scores, targets = random_case(seed, n, 3)
    rng = np.random.default_rng(seed)
    weights = bootstrap_weights(n, n_draws=3, rng=rng, groups=rng.integers(0, n_songs, size=n))
    ours = weighted_multilabel(weights, scores, targets, metrics=["macro_auc"])["macro_auc"]
    for draw, count in enumerate(weights.astype(int)):
        repeated = np.repeat(np.arange(n), count)
        assert ours[draw] == pytest.approx(sklearns(scores[repeated], targets[repeated])["macro_auc"], nan_ok=True)


def test_classes_without_positives_have_no_ranking_and_are_left_out():
    targets = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1]])
    auc, precision = ranking_metrics(np.array([[0.9, 0.5, 0.1], [0.2, 0.4, 0.2], [0.8, 0.3, 0.3]]), targets)
    np.testing.assert_array_equal(auc, [1, np.nan, np.nan])
    np.testing.assert_array_equal(precision, [1, np.nan, 1])
    nothing = multilabel_metrics(np.zeros((3, 3)), np.zeros((3, 3), int))
    assert nothing["hamming"] == nothing["exact_match"] == 1
    assert nothing["macro_f1"] == nothing["micro_f1"] == 0
    assert np.isnan(nothing["macro_auc"])


def test_a_class_never_named_counts_in_the_mean_and_is_empty_alone():
    scores, targets = np.array([[0.9, 0.0], [0.9, 0.0]]), np.array([[1, 0], [1, 0]])
    assert multilabel_metrics(scores, targets)["macro_f1"] == 0.5
    np.testing.assert_array_equal(label_f1(scores, targets), [1, np.nan])


def test_a_draw_without_weight_is_nan():
    scores, targets = random_case(1, 6, 3)
    targets[:2] = [[0, 1, 0], [1, 0, 1]]
    ours = weighted_multilabel(np.stack([np.zeros(6), np.ones(6)]), scores, targets)
    assert all(np.isnan(values[0]) and np.isfinite(values[1]) for values in ours.values())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25))
def test_s2_is_that_of_the_windows_and_always_names_an_instrument(seed, n_windows):
    rng = np.random.default_rng(seed)
    windows = torch.from_numpy(rng.random((n_windows, 11)))
    clips = torch.from_numpy(np.sort(rng.integers(0, 4, size=n_windows)))
    clips = torch.unique(clips, return_inverse=True)[1]
    s2 = strongest_is_one(aggregate_s1(windows, clips).numpy())
    np.testing.assert_allclose(s2, aggregate_s2(windows, clips).numpy())
    named = decide(s2)
    assert (named.sum(axis=1) >= 1).all()
    assert named[np.arange(len(s2)), s2.argmax(axis=1)].all()


def test_s2_of_silence_names_nothing():
    assert not decide(strongest_is_one(np.zeros((2, 3)))).any()


@settings(max_examples=60, deadline=None)
@cases
def test_no_threshold_is_better_than_the_calibrated_one(seed, n, n_classes):
    scores, targets = random_case(seed, n, n_classes)
    chosen = best_thresholds(scores, targets)
    ours = sk.f1_score(targets, decide(scores, chosen), average=None, zero_division=0)
    for threshold in np.arange(-1, 14) / 12:
        theirs = sk.f1_score(targets, scores > threshold, average=None, zero_division=0)
        assert (ours >= theirs - 1e-12).all()
    absent = ~targets.any(axis=0)
    np.testing.assert_array_equal(chosen[absent], 0.5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25))
def test_a_calibrated_s2_still_names_an_instrument(seed, n):
    rng = np.random.default_rng(seed)
    scores, targets = strongest_is_one(rng.random((n, 4))), rng.integers(0, 2, size=(n, 4))
    assert decide(scores, best_thresholds(scores, targets)).any(axis=1).all()


def test_a_threshold_lies_halfway_between_two_scores():
    assert best_thresholds([[0.2], [0.6], [0.8]], [[0], [1], [1]]) == pytest.approx([0.4])
    # neighbours that no number lies between
    low, high = np.float64(0.5), np.nextafter(0.5, 1)
    chosen = best_thresholds([[low], [high]], [[0], [1]])
    assert decide([[low], [high]], chosen).ravel().tolist() == [False, True]


@pytest.mark.parametrize(
    ("scores", "targets", "words"),
    [
        (np.ones(3), np.ones(3), "shape"),
        (np.ones((0, 3)), np.ones((0, 3)), "n ≥ 1"),
        (np.ones((3, 2)), np.ones((3, 3)), "targets must have the shape"),
        (np.ones((2, 2)), np.full((2, 2), 2), "0 or 1"),
        (np.array([[0.5, 0.5], [np.nan, 1]]), np.ones((2, 2)), "row 1"),
    ],
)
def test_bad_input_is_refused_by_name(scores, targets, words):
    for function in (multilabel_metrics, label_f1, ranking_metrics, best_thresholds):
        with pytest.raises(ValueError, match=words):
            function(scores, targets)


@pytest.mark.parametrize(
    ("weights", "options", "words"),
    [
        (np.ones(2), {}, "shape"),
        ([[1, -1]], {}, "≥ 0"),
        (np.ones((1, 2)), {"class_names": ["a"]}, "1 class names for 2 columns"),
        (np.ones((1, 2)), {"metrics": ["accuracy"]}, "'accuracy'"),
    ],
)
def test_bad_options_are_refused(weights, options, words):
    with pytest.raises(ValueError, match=words):
        weighted_multilabel(weights, np.eye(2), np.eye(2), **options)
