"""Tagging, key and emotion scores against scikit-learn, the all-pairs formula and MIREX's table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from reprise.stats.compare import bootstrap_weights
from reprise.stats.multilabel import weighted_multilabel
from reprise.stats.tagging import (
    KEYS,
    key_points,
    r_squared,
    tag_scores,
    weighted_key_score,
    weighted_r_squared,
    weighted_tags,
)


def random_tags(seed, n, n_tags):
    """Scores with many ties; some tags without any positive clip, some with nothing else."""
    rng = np.random.default_rng(seed)
    prevalence = rng.choice([0.0, 0.05, 0.3, 1.0], size=n_tags)
    return rng.integers(0, 6, size=(n, n_tags)) / 5, (rng.random((n, n_tags)) < prevalence).astype(int)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6))
def test_every_tag_is_scored_as_by_scikit_learn(seed, n, n_tags):
    scores, targets = random_tags(seed, n, n_tags)
    auc, precision = tag_scores(scores, targets)
    for tag in range(n_tags):
        positives = targets[:, tag].sum()
        if positives:
            assert precision[tag] == pytest.approx(sk.average_precision_score(targets[:, tag], scores[:, tag]))
        else:
            assert np.isnan(precision[tag])
        if 0 < positives < n:
            assert auc[tag] == pytest.approx(sk.roc_auc_score(targets[:, tag], scores[:, tag]))
        else:
            assert np.isnan(auc[tag])


def test_means_are_scikit_learns_macro_means():
    rng = np.random.default_rng(0)
    targets = (rng.random((200, 7)) < 0.2).astype(int)
    scores = rng.random((200, 7)) + 0.3 * targets
    ours = weighted_tags(np.ones((1, 200)), scores, targets)
    assert ours["auc"][0] == pytest.approx(sk.roc_auc_score(targets, scores, average="macro"))
    expected = sk.average_precision_score(targets, scores, average="macro")
    assert ours["average_precision"][0] == pytest.approx(expected)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_draws_equal_the_comparison_of_all_pairs(seed, n, n_tags):
    scores, targets = random_tags(seed, n, n_tags)
    weights = bootstrap_weights(n, n_draws=6, rng=np.random.default_rng(seed))
    ours = weighted_tags(weights, scores, targets)
    theirs = weighted_multilabel(weights, scores, targets, metrics=["macro_auc", "macro_average_precision"])
    np.testing.assert_allclose(ours["auc"], theirs["macro_auc"])
    np.testing.assert_allclose(ours["average_precision"], theirs["macro_average_precision"])


def test_weights_are_repeated_clips():
    scores, targets = random_tags(3, 30, 4)
    counts = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), size=3)
    names = list("abcd")
    ours = weighted_tags(counts, scores, targets, tags=names)
    for draw, count in enumerate(counts):
        repeated = np.repeat(np.arange(30), count)
        auc, precision = tag_scores(scores[repeated], targets[repeated])
        np.testing.assert_allclose([ours[f"auc/{name}"][draw] for name in names], auc)
        np.testing.assert_allclose([ours[f"average_precision/{name}"][draw] for name in names], precision)


def test_weights_need_not_be_whole_numbers():
    scores, targets = random_tags(11, 30, 4)
    targets[0], targets[1] = 1, 0
    weights = np.random.default_rng(2).exponential(size=(3, 30))
    ours = weighted_tags(weights, scores, targets)
    for draw, weight in enumerate(weights):
        auc = [sk.roc_auc_score(y, x, sample_weight=weight) for y, x in zip(targets.T, scores.T, strict=True)]
        precision = [
            sk.average_precision_score(y, x, sample_weight=weight) for y, x in zip(targets.T, scores.T, strict=True)
        ]
        assert ours["auc"][draw] == pytest.approx(np.mean(auc))
        assert ours["average_precision"][draw] == pytest.approx(np.mean(precision))
    # negatives without weight: no ranking, whatever rounding leaves
    weights[:, targets[:, 2] == 0] = 0
    assert np.isnan(weighted_tags(weights, scores[:, [2]], targets[:, [2]])["auc"]).all()


def test_blocks_of_draws_change_nothing(monkeypatch):
    scores, targets = random_tags(5, 25, 3)
    weights = bootstrap_weights(25, n_draws=7, rng=np.random.default_rng(0))
    whole = weighted_tags(weights, scores, targets)
    monkeypatch.setattr("reprise.stats.tagging.BLOCK_ELEMENTS", 50)
    for name, values in weighted_tags(weights, scores, targets).items():
        np.testing.assert_array_equal(values, whole[name])


def test_a_constant_answer_has_half_the_area_and_the_prevalence_as_precision():
    targets = np.zeros((100, 1), int)
    targets[:5] = 1
    ours = weighted_tags(np.ones((1, 100)), np.full((100, 1), 0.3), targets)
    assert ours["auc"][0] == 0.5
    assert ours["average_precision"][0] == pytest.approx(0.05)


def test_a_tag_nobody_has_leaves_the_mean_alone():
    rng = np.random.default_rng(0)
    scores, targets = rng.random((50, 3)), rng.integers(0, 2, (50, 3))
    wider = np.hstack([targets, np.zeros((50, 1), int)]), np.hstack([scores, rng.random((50, 1))])
    without, with_it = (weighted_tags(np.ones((1, 50)), s, t) for t, s in ((targets, scores), wider))
    assert with_it == without
    nothing = weighted_tags(np.ones((1, 50)), scores, np.zeros_like(targets))
    assert np.isnan(nothing["auc"][0])
    assert np.isnan(nothing["average_precision"][0])


@pytest.mark.parametrize(
    ("answer", "points"),
    [
        ("C major", 1.0),
        ("G major", 0.5),
        ("F major", 0.0),
        ("A minor", 0.3),
        ("C minor", 0.2),
        ("E minor", 0.0),
        ("G minor", 0.0),
        ("Eb minor", 0.0),
        ("D major", 0.0),
    ],
)
def test_points_for_answers_to_c_major(answer, points):
    # the same in all twelve transpositions
    for shift in range(12):
        index = KEYS.index(answer)
        moved = index // 12 * 12 + (index + shift) % 12
        assert key_points(np.array([moved]), np.array([shift]))[0] == points


@pytest.mark.parametrize(
    ("answer", "points"),
    [("A minor", 1.0), ("E minor", 0.5), ("D minor", 0.0), ("C major", 0.3), ("A major", 0.2), ("F major", 0.0)],
)
def test_points_for_answers_to_a_minor(answer, points):
    assert key_points(np.array([KEYS.index(answer)]), np.array([KEYS.index("A minor")]))[0] == points


def test_the_key_score_of_a_blind_guess_is_the_tables_mean():
    # over all 24 answers to any key: (1 + 0.5 + 0.3 + 0.2) / 24
    for key in range(24):
        found = weighted_key_score(np.ones((1, 24)), np.arange(24), np.full(24, key))
        assert found["key_score"][0] == pytest.approx(2 / 24)
        assert found["key_accuracy"][0] == pytest.approx(1 / 24)


def test_key_scores_under_weights_are_those_of_repeated_songs():
    rng = np.random.default_rng(0)
    answers, keys, counts = rng.integers(0, 24, 20), rng.integers(0, 24, 20), rng.integers(0, 4, (3, 20))
    ours = weighted_key_score(np.vstack([counts, np.zeros(20)]), answers, keys)["key_score"]
    for draw, count in enumerate(counts):
        repeated = np.repeat(np.arange(20), count)
        assert ours[draw] == pytest.approx(key_points(answers[repeated], keys[repeated]).mean())
    assert np.isnan(ours[3])


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.sampled_from([0.0, 1e6]))
def test_r_squared_is_scikit_learns(seed, n, offset):
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=(n, 2)) + offset
    guess = targets + rng.normal(size=(n, 2))
    np.testing.assert_allclose(
        r_squared(guess, targets), sk.r2_score(targets, guess, multioutput="raw_values"), rtol=1e-6, atol=1e-8
    )
    weights = rng.integers(0, 3, (4, n)).astype(float)
    weights[:, :2] = 1
    ours = weighted_r_squared(weights, guess, targets, names=["arousal", "valence"])
    for draw, weight in enumerate(weights):
        theirs = sk.r2_score(targets, guess, sample_weight=weight, multioutput="raw_values")
        found = [ours["r2/arousal"][draw], ours["r2/valence"][draw]]
        np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-8)
        assert ours["r2"][draw] == pytest.approx(theirs.mean(), rel=1e-6, abs=1e-8)


def test_targets_that_do_not_vary_have_no_r_squared():
    targets = np.column_stack([np.arange(4.0), np.full(4, 0.1)])
    np.testing.assert_array_equal(r_squared(targets, targets), [1, np.nan])
    draws = np.array([[1.0, 1, 1, 1], [2, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(weighted_r_squared(draws, targets, targets)["r2"], [1, np.nan, np.nan])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tag_scores(np.ones((2, 2)), np.ones((2, 3))), "shape"),
        (lambda: tag_scores([[0.1], [np.nan]], [[1], [0]]), "row 1"),
        (lambda: tag_scores([[0.1], [0.2]], [[2], [0]]), "0 or 1"),
        (lambda: weighted_tags([[1, -1]], [[0.1], [0.2]], [[1], [0]]), "≥ 0"),
        (lambda: weighted_tags([[1]], [[0.1], [0.2]], [[1], [0]]), r"\(n_draws, 2\)"),
        (lambda: weighted_tags([[1, 1]], [[0.1], [0.2]], [[1], [0]], tags=["a", "b"]), "2 names"),
        (lambda: key_points(np.array([24]), np.array([0])), "predicted keys .* 23"),
        (lambda: key_points(np.array([0]), np.array([0.5])), "true keys"),
        (lambda: key_points(np.array([0, 1]), np.array([0])), "one shape"),
        (lambda: r_squared(np.ones(3), np.ones(3)), "n_dimensions"),
        (lambda: r_squared([[np.inf]], [[1.0]]), "finite"),
        (lambda: weighted_r_squared([[1]], [[1.0]], [[1.0]], names=["a", "b"]), "2 names"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
