"""Intervals and tests against scipy, statsmodels and closed forms."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from reprise.stats.compare import bootstrap_weights, holm, interval, mcnemar, mean_interval, permutation_test

BITS = st.lists(st.booleans(), min_size=1, max_size=60)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_weights_are_counts_of_n_clips():
    weights = bootstrap_weights(50, n_draws=4000, rng=rng())
    assert weights.shape == (4000, 50)
    np.testing.assert_array_equal(weights.sum(axis=1), 50)
    np.testing.assert_array_equal(weights, np.round(weights))
    # multinomial: each count has mean 1 and variance 1 − 1/n
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.08)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.02)


def test_groups_are_drawn_whole():
    groups = np.array(list("aabbbc"))
    weights = bootstrap_weights(6, n_draws=500, rng=rng(), groups=groups)
    for name in "abc":
        members = weights[:, groups == name]
        np.testing.assert_array_equal(members, np.repeat(members[:, :1], members.shape[1], axis=1))
    np.testing.assert_array_equal(weights[:, [0, 2, 5]].sum(axis=1), 3)
    assert len(np.unique(weights.sum(axis=1))) > 1


def test_same_generator_same_weights():
    a, b = (bootstrap_weights(9, n_draws=7, rng=rng(3)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, bootstrap_weights(9, n_draws=7, rng=rng(4)))


def test_interval_is_the_percentiles_without_nan():
    draws = np.append(np.arange(1001.0), [np.nan] * 5)
    assert interval(draws) == pytest.approx((25, 975))
    assert interval(draws, level=0.5) == pytest.approx((250, 750))
    assert np.isnan(interval([np.nan, np.nan])).all()
    assert np.isnan(interval([1.0])).all()


def test_bootstrap_interval_of_a_mean_covers_as_often_as_it_says():
    generator, n, hits, trials = rng(7), 60, 0, 400
    for _ in range(trials):
        sample = generator.exponential(size=n)
        weights = bootstrap_weights(n, n_draws=400, rng=generator)
        low, high = interval(weights @ sample / n)
        hits += low <= 1.0 <= high
    # nominal 0.95; the percentile interval of a skewed mean is known to be a little short at n = 60
    assert 0.90 <= hits / trials <= 0.975


def test_bootstrap_over_groups_is_wider_where_clips_of_a_group_agree():
    generator = rng(1)
    groups = np.repeat(np.arange(10), 20)
    values = generator.normal(size=10)[groups]
    widths = []
    for labels in (None, groups):
        weights = bootstrap_weights(200, n_draws=2000, rng=generator, groups=labels)
        low, high = interval(weights @ values / weights.sum(axis=1))
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] * np.sqrt(20), rel=0.2)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=12).filter(lambda x: np.std(x) > 1e-6), st.sampled_from([0.9, 0.95])
)
def test_mean_interval_equals_scipy(values, level):
    mean, low, high = mean_interval(values, level=level)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-9)


def test_one_value_has_no_interval():
    mean, low, high = mean_interval([0.5])
    assert mean == 0.5
    assert np.isnan([low, high]).all()


@settings(max_examples=60, deadline=None)
@given(BITS.flatmap(lambda a: st.tuples(st.just(a), st.lists(st.booleans(), min_size=len(a), max_size=len(a)))))
def test_mcnemar_equals_statsmodels(pair):
    a, b = (np.array(bits) for bits in pair)
    ours = mcnemar(a, b)
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    expected = reference_mcnemar(table, exact=True)
    assert ours["p"] == pytest.approx(expected.pvalue)
    assert ours["statistic"] == expected.statistic
    assert (ours["n_10"], ours["n_01"]) == (table[0][1], table[1][0])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_holm_equals_statsmodels(p_values):
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-9, atol=1e-12)


def test_holm_leaves_out_what_could_not_be_tested():
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    assert holm([]).shape == (0,)


def test_few_pairs_are_enumerated_exactly():
    a, b = np.array([3.0, 2.0, 5.0, 1.0]), np.array([1.0, 2.5, 2.0, 0.0])
    difference = a - b
    sums = [abs(sum(s * d for s, d in zip(signs, difference, strict=True))) for signs in product((-1, 1), repeat=4)]
    expected = np.mean(np.array(sums) >= abs(difference.sum()) - 1e-12)
    assert permutation_test(a, b, rng=rng()) == expected
    assert permutation_test(a, b, rng=rng(5)) == expected


def test_exact_permutation_equals_scipy():
    a, b = rng(2).normal(size=(2, 9))
    expected = stats.permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert permutation_test(a, b, rng=rng()) == pytest.approx(expected.pvalue)


def test_sampled_permutations_agree_with_the_t_test_and_are_never_zero():
    a = rng(3).normal(0.25, 1, size=80)
    p = permutation_test(a, np.zeros(80), rng=rng(), n_permutations=20_000)
    assert p == pytest.approx(stats.ttest_1samp(a, 0).pvalue, abs=0.01)
    assert permutation_test(np.ones(40), np.zeros(40), rng=rng(), n_permutations=99) == 1 / 100


def test_systems_that_are_the_same_have_p_one():
    same = rng().normal(size=30)
    assert permutation_test(same, same, rng=rng()) == 1.0
    assert mcnemar([True, False], [True, False])["p"] == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bootstrap_weights(0, n_draws=2, rng=rng()), "at least 1"),
        (lambda: bootstrap_weights(3, n_draws=2, rng=rng(), groups=[1, 2]), r"\(3,\)"),
        (lambda: interval([1, 2], level=95), "0.95 is usual"),
        (lambda: mean_interval([]), "n ≥ 1"),
        (lambda: mcnemar([True], [True, False]), "shapes"),
        (lambda: permutation_test([1.0], [1.0, 2.0], rng=rng()), "paired"),
        (lambda: holm([0.5, 1.5]), "1.5"),
        (lambda: holm([[0.5]]), "shape"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
