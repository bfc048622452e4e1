"""Classification metrics against scikit-learn and against repeated clips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from reprise.stats.metrics import (
    classification_metrics,
    confusion,
    per_class_f1,
    per_class_recall,
    weighted_metrics,
)

NAMES = {"macro_f1", "accuracy", "balanced_accuracy", "top_2", "top_3"}


def random_case(seed, n, n_classes, present):
    """Scores without ties; targets from the first ``present`` classes only, so that some are absent."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n_classes), size=n), rng.integers(0, min(present, n_classes), size=n)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(3, 8), st.integers(1, 8))
def test_equal_to_scikit_learn(seed, n, n_classes, present):
    scores, targets = random_case(seed, n, n_classes, present)
    predicted = scores.argmax(axis=1)
    ours = classification_metrics(scores, targets)
    assert set(ours) == NAMES
    assert ours["macro_f1"] == pytest.approx(sk.f1_score(targets, predicted, average="macro", zero_division=0))
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(targets, predicted))
    assert ours["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(targets, predicted))
    labels = list(range(n_classes))
    assert ours["top_2"] == pytest.approx(sk.top_k_accuracy_score(targets, scores, k=2, labels=labels))
    if n_classes > 3:
        assert ours["top_3"] == pytest.approx(sk.top_k_accuracy_score(targets, scores, k=3, labels=labels))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(2, 6), st.integers(1, 6))
def test_weights_are_the_same_as_repeating_clips(seed, n, n_classes, present):
    scores, targets = random_case(seed, n, n_classes, present)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=4)
    names = [f"c{index}" for index in range(n_classes)]
    ours = weighted_metrics(counts, scores, targets, class_names=names)
    for draw, count in enumerate(counts):
        repeated = np.repeat(np.arange(n), count)
        expected = classification_metrics(scores[repeated], targets[repeated])
        assert {name: ours[name][draw] for name in NAMES} == pytest.approx(expected)
        f1 = per_class_f1(scores[repeated], targets[repeated], n_classes=n_classes)
        np.testing.assert_allclose([ours[f"f1/{name}"][draw] for name in names], f1)
        recall = per_class_recall(scores[repeated], targets[repeated], n_classes=n_classes)
        np.testing.assert_allclose([ours[f"recall/{name}"][draw] for name in names], recall)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(2, 7), st.integers(1, 7))
def test_per_class_and_confusion_equal_to_scikit_learn(seed, n, n_classes, present):
    scores, targets = random_case(seed, n, n_classes, present)
    predicted, labels = scores.argmax(axis=1), list(range(n_classes))
    expected = sk.f1_score(targets, predicted, labels=labels, average=None, zero_division=np.nan)
    np.testing.assert_allclose(per_class_f1(scores, targets, n_classes=n_classes), expected)
    recall = sk.recall_score(targets, predicted, labels=labels, average=None, zero_division=np.nan)
    np.testing.assert_allclose(per_class_recall(scores, targets, n_classes=n_classes), recall)
    ours = confusion(scores, targets, n_classes=n_classes)
    assert np.issubdtype(ours.dtype, np.integer)
    np.testing.assert_array_equal(ours, sk.confusion_matrix(targets, predicted, labels=labels))


def test_a_class_without_clip_and_prediction_is_nan_and_left_out():
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    np.testing.assert_array_equal(per_class_f1(scores, [0, 1], n_classes=3), [1, 1, np.nan])
    assert classification_metrics(scores, np.array([0, 1]))["macro_f1"] == 1.0


def test_of_equal_scores_the_lower_class_comes_first():
    flat = np.full((4, 4), 0.25)
    ours = classification_metrics(flat, np.arange(4))
    # class 0 is predicted, classes 0 and 1 are the top two, 0 to 2 the top three
    assert (ours["accuracy"], ours["top_2"], ours["top_3"]) == (0.25, 0.5, 0.75)


def test_two_classes_are_always_in_the_top_two():
    scores, targets = random_case(0, 20, 2, 2)
    ours = classification_metrics(scores, targets)
    assert ours["top_2"] == ours["top_3"] == 1.0
    assert ours["accuracy"] < 1.0


def test_a_draw_without_weight_is_nan():
    scores, targets = random_case(1, 5, 3, 3)
    ours = weighted_metrics(np.stack([np.zeros(5), np.ones(5)]), scores, targets)
    assert all(np.isnan(values[0]) and np.isfinite(values[1]) for values in ours.values())


@pytest.mark.parametrize(
    ("scores", "targets", "words"),
    [
        (np.ones(3), [0, 0, 0], "shape"),
        (np.ones((0, 3)), np.array([], int), "n ≥ 1"),
        (np.ones((3, 2)), [0, 1], "targets must have shape"),
        (np.ones((2, 2)), [0, 2], r"\[0, 2\)"),
        (np.ones((2, 2)), [-1, 0], "found -1"),
        (np.ones((2, 2)), [0.0, 1.0], "integers"),
        (np.array([[0.5, 0.5], [np.nan, 1]]), [0, 1], "row 1"),
    ],
)
def test_bad_input_is_refused_by_name(scores, targets, words):
    with pytest.raises(ValueError, match=words):
        classification_metrics(scores, targets)


@pytest.mark.parametrize(
    ("weights", "words"),
    [(np.ones(2), "shape"), (np.ones((1, 3)), "shape"), ([[1, -1]], "≥ 0"), ([[1, np.nan]], "≥ 0")],
)
def test_bad_weights_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        weighted_metrics(weights, np.eye(2), np.array([0, 1]))


def test_class_count_and_names_must_fit_the_columns():
    with pytest.raises(ValueError, match="n_classes is 3"):
        classification_metrics(np.eye(2), np.array([0, 1]), n_classes=3)
    with pytest.raises(ValueError, match="1 class names for 2 columns"):
        weighted_metrics(np.ones((1, 2)), np.eye(2), np.array([0, 1]), class_names=["a"])
