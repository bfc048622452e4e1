"""Draws are paired, honest about seeds, and the same for the same generator."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reprise.report import resampling
from reprise.report.draws import Draws
from reprise.stats.metrics import classification_metrics
from reprise.stats.multilabel import label_f1, multilabel_metrics


def case(n=150, n_seeds=3, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, size=n)
    eye = np.eye(3)[targets]
    return {
        name: [rng.random((n, 3)) + strength * eye for _ in range(n_seeds)]
        for name, strength in (("a", 0.4), ("b", 0.2))
    }, targets


def make(predictions, targets, *, seed=0, **options):
    return Draws.from_predictions(predictions, targets, rng=np.random.default_rng(seed), **{"n_draws": 400, **options})


def test_values_are_means_over_seeds_of_the_metrics():
    predictions, targets = case()
    draws = make(predictions, targets)
    for name, seeds in predictions.items():
        each = [classification_metrics(scores, targets) for scores in seeds]
        for metric, value in each[0].items():
            assert draws.per_seed(name, metric)[0] == pytest.approx(value)
            assert draws.value(name, metric) == pytest.approx(np.mean([item[metric] for item in each]))
    assert draws.conditions == ["a", "b"]
    assert draws.n("a") == 3
    assert draws.unit("a", "accuracy") == "paired bootstrap over 150 clips and 3 seeds"


def test_the_same_predictions_have_the_same_draws():
    predictions, targets = case()
    draws = make({"a": predictions["a"], "twin": predictions["a"]}, targets)
    np.testing.assert_array_equal(draws.draws("a", "macro_f1"), draws.draws("twin", "macro_f1"))
    assert draws.difference("a", "twin", "macro_f1") == (0, 0, 0)


def test_pairing_makes_differences_narrower_than_independent_ones():
    predictions, targets = case(n_seeds=1)
    nearly = [predictions["a"][0] + 0.01 * np.random.default_rng(5).random((150, 3))]
    draws = make({"a": predictions["a"], "nearly": nearly}, targets)
    _, low, high = draws.difference("a", "nearly", "accuracy")
    wide = draws.interval("a", "accuracy")
    assert high - low < 0.5 * (wide[1] - wide[0])


def test_same_generator_same_draws_and_the_blocks_do_not_matter(monkeypatch):
    predictions, targets = case()
    first = make(predictions, targets)
    np.testing.assert_array_equal(first.draws("b", "top_2"), make(predictions, targets).draws("b", "top_2"))
    assert not np.array_equal(first.draws("b", "top_2"), make(predictions, targets, seed=1).draws("b", "top_2"))
    monkeypatch.setattr("reprise.report.resampling.BLOCK_ELEMENTS", 7 * 150)
    np.testing.assert_allclose(make(predictions, targets).draws("b", "top_2"), first.draws("b", "top_2"))


def test_clip_bootstrap_has_the_variance_of_a_proportion():
    predictions, targets = case(n=400, n_seeds=1)
    draws = make(predictions, targets, n_draws=4000)
    p = draws.value("a", "accuracy")
    assert draws.draws("a", "accuracy").std() == pytest.approx(np.sqrt(p * (1 - p) / 400), rel=0.06)


def test_seed_variance_is_that_of_a_mean_of_n():
    factors = resampling.bootstrap_factors(4, n_draws=40_000, rng=np.random.default_rng(0))
    values = np.array([0.1, 0.5, 0.2, 0.9])
    np.testing.assert_allclose(factors.sum(axis=1), 1)
    assert (factors @ values).var() == pytest.approx(values.var(ddof=1) / 4, rel=0.03)
    np.testing.assert_array_equal(resampling.bootstrap_factors(1, n_draws=3, rng=np.random.default_rng(0)), 1)


def test_groups_are_resampled_whole():
    predictions, targets = case(n=90)
    groups = np.repeat(["x", "y", "z"], 30)
    draws = make(predictions, targets, groups=groups)
    assert draws.unit("a", "accuracy") == "paired bootstrap over 3 groups of clips and 3 seeds"
    one_seed = make({"a": predictions["a"][:1]}, targets, groups=groups)
    # three groups give at most ten different samples
    assert len(np.unique(one_seed.draws("a", "accuracy").round(12))) <= 10
    assert one_seed.unit("a", "accuracy").endswith("1 seed, not resampled")


def test_class_metrics_are_named_and_nan_where_a_class_is_absent():
    predictions, targets = case(n_seeds=1)
    hard = [np.where(np.arange(3) == 2, -1.0, scores) for scores in predictions["a"]]
    draws = make({"a": hard}, np.where(targets == 2, 0, targets), class_names=["p", "q", "r"])
    assert draws.has("a", "f1/p")
    assert draws.has("a", "recall/q")
    assert not draws.has("a", "recall/r")
    assert np.isnan(draws.interval("a", "f1/r")).all()


def test_another_statistic_can_be_resampled():
    def mean_error(weights, prediction, targets):
        return {"mae": weights @ np.abs(prediction - targets) / weights.sum(axis=1)}

    targets = np.arange(20.0)
    draws = make({"a": [targets + 1, targets + 3]}, targets, statistic=mean_error)
    assert draws.value("a", "mae") == 2
    assert draws.interval("a", "mae") == pytest.approx((2 - np.sqrt(2), 2 + np.sqrt(2)))


def labels(n=120, n_seeds=2, seed=0):
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, 4)) < 0.3).astype(int)
    return [rng.random((n, 4)) * 0.7 + 0.3 * targets for _ in range(n_seeds)], targets


def test_clips_of_several_labels_are_resampled_by_the_same_machinery():
    scores, targets = labels()
    statistic = resampling.multilabel(["hamming", "exact_match", "macro_auc"], ["p", "q", "r", "s"])
    draws = make({"a": scores, "b": scores}, targets, statistic=statistic)
    assert draws.metrics == ["hamming", "exact_match", "macro_auc", "f1/p", "f1/q", "f1/r", "f1/s"]
    each = [multilabel_metrics(one, targets) for one in scores]
    for metric in ("hamming", "exact_match", "macro_auc"):
        np.testing.assert_allclose(draws.per_seed("a", metric), [found[metric] for found in each])
    assert draws.difference("a", "b", "hamming") == (0, 0, 0)
    assert draws.value("a", "f1/q") == pytest.approx(np.mean([label_f1(one, targets)[1] for one in scores]))
    with pytest.raises(ValueError, match="'accuracy'"):
        resampling.multilabel(["accuracy"])


def test_exact_matches_vary_like_a_share_of_clips():
    scores, targets = labels(n=400, n_seeds=1)
    draws = make({"a": scores}, targets, statistic=resampling.multilabel(["exact_match"]), n_draws=4000)
    p = draws.value("a", "exact_match")
    assert draws.draws("a", "exact_match").std() == pytest.approx(np.sqrt(p * (1 - p) / 400), rel=0.06)


def test_a_bootstrap_over_songs_of_one_clip_is_one_over_clips():
    scores, targets = labels()
    statistic = resampling.multilabel(["hamming", "macro_f1"])
    plain = make({"a": scores}, targets, statistic=statistic)
    songs = make({"a": scores}, targets, statistic=statistic, groups=np.arange(120))
    for metric in ("hamming", "macro_f1"):
        np.testing.assert_array_equal(plain.draws("a", metric), songs.draws("a", metric))
    together = make({"a": scores}, targets, statistic=statistic, groups=np.repeat(np.arange(12), 10))
    assert not np.array_equal(plain.draws("a", "hamming"), together.draws("a", "hamming"))


def test_scores_per_clip():
    scores = np.random.default_rng(0).normal(5, 1, size=(2, 80))
    draws = Draws.from_scores({"a": scores, "b": scores - 1}, "sdr", rng=np.random.default_rng(0))
    assert draws.value("a", "sdr") == pytest.approx(scores.mean())
    assert draws.difference("a", "b", "sdr") == pytest.approx((1, 1, 1))


def results(**values):
    rows = [
        {"condition": name, "seed": seed, "status": "done", "f1": value}
        for name, each in values.items()
        for seed, value in enumerate(each)
    ]
    return pd.DataFrame(rows)


def test_intervals_over_seeds_are_the_t_intervals_also_of_paired_differences():
    a, b = np.array([0.50, 0.56, 0.53]), np.array([0.45, 0.49, 0.50])
    draws = Draws.from_seeds(results(a=a, b=b), ["f1"], rng=np.random.default_rng(0), n_draws=100_000)
    for (value, low, high), sample in (
        ((draws.value("a", "f1"), *draws.interval("a", "f1")), a),
        (draws.difference("a", "b", "f1"), a - b),
    ):
        expected = stats.ttest_1samp(sample, 0).confidence_interval()
        assert value == pytest.approx(sample.mean())
        half = (expected.high - expected.low) / 2
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.05 * half)
    assert draws.unit("a", "f1") == "t distribution over 3 seeds"


def test_two_seeds_cover_as_often_as_they_say():
    rng, hits = np.random.default_rng(3), 0
    for _ in range(300):
        draws = Draws.from_seeds(results(a=rng.normal(size=2)), ["f1"], rng=rng, n_draws=1000)
        low, high = draws.interval("a", "f1")
        hits += low <= 0 <= high
    assert 0.91 <= hits / 300 <= 0.98


def test_one_seed_has_no_interval_and_failed_trials_do_not_count():
    frame = results(a=[0.5, 0.9], b=[0.4])
    frame.loc[1, "status"] = "failed"
    draws = Draws.from_seeds(frame, ["f1"], rng=np.random.default_rng(0))
    assert draws.n("a") == draws.n("b") == 1
    assert draws.value("a", "f1") == 0.5
    assert np.isnan(draws.draws("a", "f1")).all()
    assert np.isnan(draws.difference("a", "b", "f1")[1:]).all()


def test_two_test_sets_can_be_merged():
    predictions, targets = case()
    first = make({"a": predictions["a"]}, targets)
    first.exact["parameters/a"] = 10
    other, other_targets = case(n=50, seed=9)
    both = first.merge(make({"b": other["b"]}, other_targets))
    assert both.conditions == ["a", "b"]
    assert both.exact == {"parameters/a": 10}
    assert np.isfinite(both.difference("a", "b", "accuracy")).all()
    with pytest.raises(ValueError, match="both sets"):
        first.merge(first)
    with pytest.raises(ValueError, match="400 with 100"):
        first.merge(make({"b": other["b"]}, other_targets, n_draws=100))
    assert Draws(exact={"q": 1.0}).merge(both).n_draws == 400


def test_unknown_results_are_named():
    predictions, targets = case()
    draws = make(predictions, targets)
    with pytest.raises(KeyError, match=r"'c'.*'a', 'b'"):
        draws.value("c", "accuracy")
    with pytest.raises(KeyError, match="it has"):
        draws.value("a", "bleu")
    assert draws.n("c") == 0


@pytest.mark.parametrize(
    ("predictions", "options", "words"),
    [
        ({"a": []}, {}, "no seed"),
        ({"a": [np.eye(3)[:2]]}, {}, "'a', seed 0 has 2 clips"),
        ({"a": [np.eye(3)]}, {"metrics": ["f2"]}, "'f2'"),
        ({"a": [np.eye(3)]}, {"class_names": ["x"]}, "1 class names for 3"),
    ],
)
def test_bad_predictions_are_refused_by_name(predictions, options, words):
    with pytest.raises(ValueError, match=words):
        make(predictions, np.arange(3), **options)
