"""Each kind of claim meets results that reproduce, contradict and leave it open."""

import math

import numpy as np
import pytest

from reprise.report.claims import SCORECARD_COLUMNS, evaluate
from reprise.report.draws import Draws, Estimate


def known(exact=None, metric="macro_f1", **conditions):
    """Draws with given value and half-width: independent normal-ish ramps are not needed, intervals are."""
    ramp = np.linspace(-1, 1, 2001) / 0.95
    estimates = {
        (name.replace("__", "@").replace("_p_", "."), metric): Estimate(
            np.array([value, value]), value + half * ramp, "paired bootstrap over 9 clips and 2 seeds", (0, 1)
        )
        for name, (value, half) in conditions.items()
    }
    return Draws(estimates, dict(exact or {}), 2001)


def verdict(content, load, draws, *, evidence="full", **fields):
    content["claims"] = [{"id": "c", "source": "§2", "statement": "s", **fields}]
    frame = evaluate(load(content), draws, evidence=evidence, profile="demo")
    assert tuple(frame.columns) == SCORECARD_COLUMNS
    return frame.iloc[0]


ORDER = {"kind": "ordering", "metric": "macro_f1", "better": "good", "worse": "bad"}


@pytest.mark.parametrize(
    ("good", "half", "expected"),
    [(0.7, 0.1, "reproduced"), (0.55, 0.1, "inconclusive"), (0.5, 0.1, "inconclusive"), (0.3, 0.1, "contradicted")],
)
def test_ordering(content, load, good, half, expected):
    row = verdict(content, load, known(good=(good, half), bad=(0.5, 0)), **ORDER)
    assert row["verdict"] == expected
    assert (row["ours"], row["low"], row["high"]) == pytest.approx((good - 0.5, good - 0.5 - half, good - 0.5 + half))
    assert row["paper_value"] == "+0.300"
    assert row["n"] == 2
    assert "good − bad > 0" in row["test"]
    assert "9 clips and 2 seeds" in row["test"]


def test_ordering_needs_every_pair_and_shows_the_smallest(content, load):
    fields = {**ORDER, "better": "good", "worse": ["bad", "bad@0", "good@0"]}
    open_one = known(good=(0.8, 0.05), bad=(0.5, 0), bad__0=(0.6, 0), good__0=(0.78, 0))
    row = verdict(content, load, open_one, **fields)
    assert row["verdict"] == "inconclusive"
    assert row["ours"] == pytest.approx(0.02)
    assert "smallest of 3 differences (good − good@0)" in row["test"]
    assert row["paper_value"] == ""
    lost_one = known(good=(0.8, 0.05), bad=(0.5, 0), bad__0=(0.6, 0), good__0=(0.9, 0))
    assert verdict(content, load, lost_one, **fields)["verdict"] == "contradicted"
    all_won = known(good=(0.8, 0.05), bad=(0.5, 0), bad__0=(0.6, 0), good__0=(0.7, 0))
    assert verdict(content, load, all_won, **fields)["verdict"] == "reproduced"


def test_a_significant_loss_is_named_also_when_it_is_not_the_smallest_difference(content, load):
    draws = known(good=(0.5, 0), bad=(0.7, 0.3), bad__0=(0.6, 0.01))
    row = verdict(content, load, draws, **{**ORDER, "worse": ["bad", "bad@0"]})
    assert row["verdict"] == "contradicted"
    assert row["ours"] == pytest.approx(-0.2)
    assert "also below 0: good − bad@0" in row["test"]


def test_paired_ordering_compares_first_with_first(content, load):
    fields = {**ORDER, "better": ["good", "bad"], "worse": ["bad", "bad@0"], "pairs": True}
    row = verdict(content, load, known(good=(0.9, 0), bad=(0.6, 0.01), bad__0=(0.5, 0)), **fields)
    assert row["verdict"] == "reproduced"
    assert row["ours"] == pytest.approx(0.1)


def test_where_low_is_good_the_sign_is_turned(content, load):
    draws = known(metric="mae", good=(10, 1), bad=(20, 1))
    row = verdict(content, load, draws, **{**ORDER, "metric": "mae"})
    assert (row["verdict"], row["ours"], row["paper_value"]) == ("reproduced", 10, "+20.0")
    assert row["low"] <= 10 <= row["high"]
    assert "low is good" in row["test"]
    row = verdict(content, load, draws, **{**ORDER, "metric": "mae", "lower_is_better": False})
    assert (row["verdict"], row["ours"]) == ("contradicted", -10)


def test_no_interval_no_verdict(content, load):
    estimate = Estimate(np.array([0.9]), np.full(10, np.nan), "1 seed", (0,))
    draws = Draws({("good", "macro_f1"): estimate, ("bad", "macro_f1"): estimate}, {}, 10)
    row = verdict(content, load, draws, **ORDER)
    assert row["verdict"] == "inconclusive"
    assert math.isnan(row["low"])
    assert "1 seed" in row["test"]


@pytest.mark.parametrize(
    ("difference", "half", "expected"),
    [
        (0.0, 0.02, "reproduced"),
        (0.04, 0.005, "reproduced"),
        (-0.04, 0.02, "inconclusive"),
        (0.2, 0.02, "contradicted"),
        (-0.2, 0.02, "contradicted"),
        (0.0, 0.2, "inconclusive"),
    ],
)
def test_equivalence(content, load, difference, half, expected):
    fields = {"kind": "equivalence", "metric": "macro_f1", "a": "good", "b": "bad", "margin": 0.05}
    row = verdict(content, load, known(good=(0.5 + difference, half), bad=(0.5, 0)), **fields)
    assert row["verdict"] == expected
    assert "within ±0.05" in row["test"]


def test_equivalence_of_several_shows_the_largest(content, load):
    fields = {"kind": "equivalence", "metric": "macro_f1", "a": "good", "b": ["bad", "bad@0"], "margin": 0.05}
    row = verdict(content, load, known(good=(0.5, 0.01), bad=(0.5, 0), bad__0=(0.52, 0)), **fields)
    assert (row["verdict"], row["ours"]) == ("reproduced", pytest.approx(-0.02))
    assert verdict(content, load, known(good=(0.5, 0.01), bad=(0.5, 0), bad__0=(0.6, 0)), **fields)["verdict"] == (
        "contradicted"
    )


@pytest.mark.parametrize(
    ("difference", "half", "tolerance", "expected"),
    [
        (0.30, 0.02, 0.05, "reproduced"),
        (0.30, 0.02, "20%", "reproduced"),
        (0.34, 0.02, 0.05, "inconclusive"),
        (0.10, 0.02, 0.05, "contradicted"),
        (0.50, 0.02, "20%", "contradicted"),
    ],
)
def test_magnitude_against_the_difference_in_the_table(content, load, difference, half, tolerance, expected):
    fields = {"kind": "magnitude", "metric": "macro_f1", "a": "good", "b": "bad", "tolerance": tolerance}
    row = verdict(content, load, known(good=(0.4 + difference, half), bad=(0.4, 0)), **fields)
    assert row["verdict"] == expected
    assert row["paper_value"] == "+0.300"


def test_magnitude_of_one_value_and_of_a_stated_difference(content, load):
    fields = {"kind": "magnitude", "metric": "macro_f1", "a": "good", "tolerance": 0.02}
    row = verdict(content, load, known(good=(0.81, 0.005)), **fields)
    assert (row["verdict"], row["paper_value"]) == ("reproduced", "0.800")
    fields = {**fields, "b": "bad", "paper_difference": 0.1}
    row = verdict(content, load, known(good=(0.6, 0.005), bad=(0.5, 0)), **fields)
    assert (row["verdict"], row["paper_value"]) == ("reproduced", "+0.100")


@pytest.mark.parametrize(
    ("fields", "ours", "expected", "paper_value"),
    [
        ({"value": 337.5, "tolerance": 0.05}, 337.51, "reproduced", "337.5"),
        ({"value": 337.5, "tolerance": 0.05}, 337.55, "reproduced", "337.5"),
        ({"value": 463.3, "tolerance": 0.05}, 463.374, "contradicted", "463.3"),
        ({"value": 12}, 12, "reproduced", "12"),
        ({"at_least": 0.008}, 0.01, "reproduced", "≥ 0.008"),
        ({"at_least": 0.008}, 0.001, "contradicted", "≥ 0.008"),
        ({"at_least": 1, "at_most": 2}, 3, "contradicted", "≥ 1 and ≤ 2"),
    ],
)
def test_exact(content, load, fields, ours, expected, paper_value):
    row = verdict(content, load, known({"q": ours}), kind="exact", quantity="q", **fields)
    assert (row["verdict"], row["ours"], row["paper_value"]) == (expected, ours, paper_value)
    assert math.isnan(row["low"])


def test_only_claims_about_the_code_are_free_of_the_data(content, load):
    draws = known({"parameters/good": 1, "q": 1})
    common = {"kind": "exact", "value": 1, "evidence": "synthetic"}
    assert verdict(content, load, draws, quantity="parameters/good", **common)["evidence"] == "no data"
    assert verdict(content, load, draws, quantity="q", **common)["evidence"] == "synthetic"
    assert verdict(content, load, draws, quantity="q", data_free=True, **common)["evidence"] == "no data"


@pytest.mark.parametrize(
    "fields",
    [
        ORDER,
        {"kind": "equivalence", "metric": "macro_f1", "a": "good", "b": "bad", "margin": 0.1},
        {"kind": "magnitude", "metric": "macro_f1", "a": "good", "b": "bad", "tolerance": 0.1},
        {"kind": "exact", "quantity": "q", "value": 3},
    ],
)
def test_what_was_not_run_says_so_and_keeps_the_papers_value(content, load, fields):
    row = verdict(content, load, known(good=(0.5, 0.1)), **fields)
    assert row["verdict"] == "not run"
    assert math.isnan(row["ours"])
    assert row["paper_value"]
    assert ("for bad" if "metric" in fields else "of q") in row["test"]


def test_a_metric_without_a_value_is_not_run(content, load):
    row = verdict(content, load, known(good=(float("nan"), 0), bad=(0.5, 0)), **ORDER)
    assert row["verdict"] == "not run"


def test_unknown_evidence_is_refused(reported, draws):
    with pytest.raises(ValueError, match="synthetic, excerpt, full"):
        evaluate(reported, draws, evidence="real", profile="demo")


def test_one_of_many_intervals_just_below_zero_may_be_chance(content, load):
    # the 95 % interval of good − bad ends just below 0, the one that holds for three comparisons does not
    barely_lost = known(good=(0.5, 0.1), bad=(0.6001, 0), bad__0=(0.3, 0), good__0=(0.3, 0))
    assert verdict(content, load, barely_lost, **ORDER)["verdict"] == "contradicted"
    several = {**ORDER, "worse": ["bad", "bad@0", "good@0"]}
    assert verdict(content, load, barely_lost, **several)["verdict"] == "inconclusive"


@pytest.mark.parametrize("good", [0.9, 0.1])
def test_one_seed_decides_nothing(content, load, good):
    draws = known(good=(good, 0.01), bad=(0.5, 0.01))
    alone = {
        key: Estimate(one.per_seed[:1], one.draws, "paired bootstrap over 9 clips and 1 seed, not resampled", (0,))
        for key, one in draws.estimates.items()
    }
    row = verdict(content, load, Draws(alone, {}, draws.n_draws), **ORDER)
    assert row["verdict"] == "inconclusive"
    assert "run-to-run noise is unknown" in row["test"]
