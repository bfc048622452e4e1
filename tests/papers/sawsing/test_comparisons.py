"""Pairs, convergence, gaps, variants, metrics beside ears: numbers from the trials or from the published file."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import reprise.papers.sawsing as room
from reprise.papers.sawsing import analysis, comparisons
from reprise.papers.sawsing.agreement import metric_agreement
from reprise.papers.sawsing.intervals import bounded_interval, with_interval
from reprise.papers.sawsing.outcome import Outcome
from reprise.papers.sawsing.settings import Settings
from reprise.report.draws import Draws, Estimate
from reprise.report.reported import Reported

from .stored import collection, outcome

REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))
FEW = ("sawsing", "ddsp_add", "pwg", "fastdiff", "sawsing_debuzz", "sawsing_aligned")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), systems=FEW)


@pytest.fixture(scope="module")
def draws(found):
    patch = pytest.MonkeyPatch()
    for name in ("source_quantities", "architecture_quantities"):
        patch.setattr(analysis, name, dict)
    made = analysis.make_draws(found, Settings(n_draws=200))
    patch.undo()
    return made


def test_pairs_are_those_that_were_run(found, draws):
    frame = comparisons.pair_tests(found, draws)
    assert list(zip(frame["a"], frame["b"], strict=True)) == [
        ("sawsing", "ddsp_add"), ("sawsing", "pwg"), ("sawsing", "fastdiff"),
        ("sawsing>limited", "ddsp_add>limited"), ("sawsing>limited", "pwg>limited"),
        ("sawsing>limited", "fastdiff>limited"), ("sawsing_debuzz", "sawsing"), ("sawsing_aligned", "sawsing"),
    ]  # fmt: skip
    row = frame.iloc[4]
    assert row["msstft"] == pytest.approx(
        draws.value("sawsing>limited", "msstft") - draws.value("pwg>limited", "msstft")
    )
    assert row["msstft_low"] < row["msstft"] < row["msstft_high"] < 0
    assert (row["n_pieces"], row["n_songs"], row["n_seeds"]) == (18, 6, 2)
    # all six songs agree: the two most extreme of 64 flips
    assert row["p_songs"] == pytest.approx(2 / 64)
    assert row["p_pieces"] < 1e-3
    assert (frame["p_songs_holm"] >= frame["p_songs"]).all()
    assert comparisons.pair_tests(found, draws, pairs=[("never", "run"), ("pwg", "sawsing/male")]).empty


def test_a_pair_without_a_metric_has_no_number_for_it(found, draws):
    without = Draws({key: value for key, value in draws.estimates.items() if key != ("pwg", "mae_f0")}, {}, 200)
    frame = comparisons.pair_tests(found, without, pairs=[("sawsing", "pwg")])
    assert frame[["mae_f0", "mae_f0_low", "mae_f0_high"]].isna().all(axis=None)
    assert frame["msstft"].notna().all()


def test_convergence_is_the_mean_of_the_curves(found):
    frame = comparisons.convergence(found)
    assert list(dict.fromkeys(frame["condition"])) == ["sawsing", "ddsp_add", "pwg", "fastdiff"]
    part = frame[frame["condition"] == "pwg"]
    assert part["step"].tolist() == [100, 200, 300, 400]
    assert part["seconds"].tolist() == [2, 4, 6, 8]
    curves = np.array(
        [[curve["valid_msstft"] for curve in found.curves(f"pwg/{voice}")] for voice in ("female", "male")]
    )
    per_seed = curves.mean(axis=0)
    np.testing.assert_allclose(part["msstft"], per_seed.mean(axis=0))
    half = stats.t.ppf(0.975, 1) * per_seed.std(axis=0, ddof=1) / np.sqrt(2)
    np.testing.assert_allclose(part["high"] - part["msstft"], half)
    np.testing.assert_allclose(part[["lowest", "highest"]], np.sort(per_seed, axis=0).T)
    assert (part["n"] == 2).all()
    assert comparisons.convergence(found, conditions=["sawsing_debuzz"]).empty
    assert comparisons.convergence(Outcome({}, collection())).empty


def test_times_are_read_at_the_validations(found):
    curves = comparisons.convergence(found)
    frame = comparisons.time_to_reach(curves).set_index("condition")
    # FastDiff ends at 8.75, where SawSing is at 7 after 100 steps already
    assert frame.loc["fastdiff", ["steps", "reference_steps", "fewer_steps"]].tolist() == [400, 100, 4]
    assert frame.loc["fastdiff", "less_time"] == pytest.approx(4)
    assert "sawsing" not in frame.index
    never = comparisons.time_to_reach(curves, reference="fastdiff").set_index("condition")
    assert np.isnan(never.loc["sawsing", "fewer_steps"])
    assert comparisons.time_to_reach(curves, reference="dwts").empty


def test_gaps_stand_beside_those_of_the_demo_page(draws):
    frame = comparisons.gap_table(draws, REPORTED).set_index("system")
    assert list(frame.index) == ["ddsp_add", "sawsing", "fastdiff", "pwg"]
    assert frame.loc["pwg", "demo_gap"] == pytest.approx(12.45 - (6.52 + 6.29) / 2)
    for name, row in frame.iterrows():
        assert row["gap"] == pytest.approx(row["limited"] - row["regular"])
        assert row["gap_low"] < row["gap"] < row["gap_high"]
        assert row["regular"] == draws.value(name, "msstft")
    assert comparisons.gap_table(Draws(), REPORTED).empty


def test_variants_stand_beside_sawsing(draws):
    frame = comparisons.ablation_table(draws)
    assert list(dict.fromkeys(frame["variant"])) == ["sawsing", "sawsing_debuzz", "sawsing_aligned"]
    assert frame[frame["variant"] == "sawsing"]["difference"].isna().all()
    row = frame[(frame["variant"] == "sawsing_debuzz") & (frame["metric"] == "buzz_unvoiced")].iloc[0]
    assert row["difference"] == pytest.approx(-36, abs=2)
    assert row["difference_low"] < row["difference"] < row["difference_high"] < 0
    debuzzed = set(frame.loc[frame["variant"] == "sawsing_debuzz", "metric"])
    assert "seconds_per_step" not in debuzzed, "it was not trained"
    assert comparisons.ablation_table(Draws()).empty


def test_intervals_end_where_their_metric_ends():
    wide = np.linspace(-300, 300, 601)
    estimates = {("sawsing", name): Estimate(np.zeros(2), wide, "", (0, 1)) for name in ("lag", "mae_f0", "vuv_error")}
    estimates["sawsing", "fad"] = Estimate(np.ones(1), np.full(601, np.nan), "", (0,))
    made = Draws(estimates, {}, 601)
    assert bounded_interval(made, "sawsing", metric="lag") == (-285, 285)
    assert bounded_interval(made, "sawsing", metric="mae_f0") == (0, 285)
    assert bounded_interval(made, "sawsing", metric="vuv_error") == (0, 100)
    cells = with_interval(made, "sawsing", metric="fad", prefix="x")
    assert (cells["x"], np.isnan(cells["x_low"]), np.isnan(cells["x_high"])) == (1, True, True)
    assert np.isnan(list(with_interval(made, "pwg", metric="fad", prefix="x").values())).all()


def test_the_follow_ups_metrics_do_not_hear_what_its_listeners_hear():
    frame = metric_agreement(Draws(), REPORTED).set_index(["metric", "voice"])
    assert (frame["ratings"] == "follow-up").all()
    assert (frame["n"] == 4).all()
    for voice in ("female", "male"):
        fad = frame.loc[("fad_vggish", voice)]
        assert fad["best_by_metric"] == "SawSing"
        assert fad["best_by_ears"] == "DDSP"
    # MSSTFT 3.12 3.13: DDSP SawSing GOLF PULF; ears 3.58 2.31 3.03 2.61
    assert frame.loc[("msstft_amplitude", "male"), "rho"] == pytest.approx(
        stats.spearmanr([4, 3, 2, 1], [4, 1, 3, 2])[0]
    )


def test_ratings_of_ones_own_are_compared_where_there_are_three():
    def estimate(value):
        return Estimate(np.array([value]), np.full(10, value), "", (0,))

    names = ("sawsing", "ddsp_add", "pwg")
    estimates = {(name, "mos"): estimate(3.0 + index) for index, name in enumerate(names)}
    estimates |= {(name, "msstft"): estimate(7.0 - index) for index, name in enumerate(names)}
    estimates |= {(name, "fad"): estimate(1.0) for name in names[:2]}
    frame = metric_agreement(Draws(estimates, {}, 10), REPORTED)
    own = frame[frame["ratings"] == "here"]
    assert own[["metric", "rho", "best_by_metric", "best_by_ears"]].to_numpy().tolist() == [
        ["msstft", 1.0, "PWG", "PWG"]
    ]
