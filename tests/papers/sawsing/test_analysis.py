"""Numbers of the vocoder notebook: conditions, means over pieces and frames, gaps, recordings, what is absent."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reprise.papers.sawsing as room
from reprise.papers.sawsing import analysis, quantities
from reprise.papers.sawsing.outcome import GROUND_TRUTH, Outcome, condition_names, label_of
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import split_condition
from reprise.papers.sawsing.trials import TrialKey
from reprise.report.claims import evaluate
from reprise.report.draws import Draws, Estimate
from reprise.report.reported import Reported
from reprise.runs import StoredTrial

from .stored import collection, outcome

SETTINGS = Settings(n_draws=200)
REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))
FEW = ("sawsing", "ddsp_add", "pwg", "fastdiff", "sawsing_debuzz")


@pytest.fixture(scope="module", autouse=True)
def _without_sources():
    # a minute of a source and all networks take a second and are tested where they are made
    patch = pytest.MonkeyPatch()
    patch.setattr(analysis, "source_quantities", lambda: {"phase_snr/60s": 28.0})
    patch.setattr(analysis, "architecture_quantities", lambda: {"parameters/sawsing": 536_034.0})
    yield
    patch.undo()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), systems=FEW)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, SETTINGS, speeds={"rtf/sawsing": 0.1})


def test_conditions_are_those_of_all_singers_and_of_each_voice(found):
    pooled = [*FEW, *(f"{name}>limited" for name in FEW[:-1])]
    assert found.conditions == [*pooled, *(f"{name}/{v}" for v in ("female", "male") for name in pooled), GROUND_TRUTH]
    keys = [TrialKey("pwg", "limited", "x", 0), TrialKey("pwg", "regular", "x", 0)]
    assert condition_names(keys, {"x": None}) == ["pwg", "pwg>limited"]


def test_labels_are_words(found):
    assert label_of("pwg>limited/male") == "PWG, limited, male"
    assert label_of(GROUND_TRUTH) == "recording"
    assert all(label_of(name) for name in found.conditions)


def test_there_is_a_row_per_trial_and_piece(found):
    frame = found.pieces
    assert len(frame) == len(found.stored) * (2 + 3 + 4)
    assert frame["song"].nunique() == 6
    key = TrialKey("pwg", "limited", "male2", 1)
    part = frame[(frame[["system", "scenario", "singer", "seed"]] == list(key)).all(axis=1)]
    np.testing.assert_array_equal(part["msstft"], found.stored[key].arrays["msstft"])
    assert part["recording"].tolist() == ["song05"] * 2 + ["song06"] * 3 + ["song07"] * 4
    assert part["start"].tolist() == [0, 5, 0, 5, 10, 0, 5, 10, 15]
    assert list(found.songs("male")) == part["song"].tolist()


def test_values_are_means_over_pieces_of_all_singers(found, draws):
    frame = found.pieces
    for condition in ("sawsing", "pwg>limited", "ddsp_add/male"):
        system, scenario, voice = split_condition(condition)
        part = frame[(frame["system"] == system) & (frame["scenario"] == scenario)]
        part = part if voice is None else part[part["voice"] == voice]
        for metric in ("msstft", "msstft_delayed", "vuv_error", "lag", "phase_deviation"):
            assert draws.value(condition, metric) == pytest.approx(part[metric].mean())
        assert draws.value(condition, "lag_size") == pytest.approx(part["lag"].abs().mean())
        low, high = draws.interval(condition, "msstft")
        assert low < draws.value(condition, "msstft") < high


def test_pitch_is_a_mean_over_frames(found, draws):
    part = found.pieces.query("system == 'sawsing' and scenario == 'regular'")
    each = [np.average(rows["mae_f0"], weights=rows["n_voiced"]) for _, rows in part.groupby("seed")]
    assert draws.value("sawsing", "mae_f0") == pytest.approx(np.mean(each))


def test_draws_are_means_of_the_pieces_that_were_drawn():
    values = np.full((3, len(analysis.METRICS) + 1), np.nan)
    values[:, 0] = [1.0, 2.0, np.nan]
    values[:, analysis.METRICS.index("mae_f0")] = [10.0, 20.0, np.nan]
    values[:, -1] = [1, 3, 0]
    means = analysis.piece_means(np.array([[1.0, 1, 1], [0, 2, 1], [0, 0, 3]]), values)
    np.testing.assert_allclose(means["msstft"], [1.5, 2.0, np.nan])
    np.testing.assert_allclose(means["mae_f0"], [17.5, 20.0, np.nan])


def test_songs_are_resampled_and_pieces_where_songs_are_few(draws):
    assert draws.unit("sawsing", "msstft") == "paired bootstrap over 6 songs and 2 seeds"
    assert draws.unit("sawsing", "fad") == draws.unit("sawsing", "msstft")
    assert draws.unit("sawsing/male", "msstft").startswith("paired bootstrap over 9 pieces (fewer than 5 songs) and 2")


def test_the_gap_is_paired(draws):
    gap = draws.draws("pwg", "msstft_gap")
    np.testing.assert_allclose(gap, draws.draws("pwg>limited", "msstft") - draws.draws("pwg", "msstft"))
    assert draws.value("pwg", "msstft_gap") == pytest.approx(6.0, abs=0.2)
    assert draws.has("pwg/female", "msstft_gap")
    assert not draws.has("sawsing_debuzz", "msstft_gap")
    # pieces that are hard for both scenarios cancel
    low, high = draws.interval("pwg", "msstft_gap")
    assert high - low < 0.5


def test_recordings_have_a_phase_and_nothing_else(found, draws):
    expected = np.nanmean(found.values("sawsing", "reference_phase_deviation")[0])
    assert draws.value(GROUND_TRUTH, "phase_deviation") == pytest.approx(expected)
    assert [metric for name, metric in draws.estimates if name == GROUND_TRUTH] == ["phase_deviation"]
    value, low, high = draws.difference("sawsing", GROUND_TRUTH, "phase_deviation")
    assert low < value < high < 0


def test_what_a_system_does_not_have_is_absent(draws):
    assert draws.has("ddsp_add", "buzz_unvoiced")
    assert not draws.has("pwg", "buzz_unvoiced")
    assert ("pwg", "buzz_unvoiced") not in draws.estimates
    assert not draws.has("sawsing_debuzz", "msstft_early")
    assert not draws.has("sawsing", "mos")


def test_training_results_are_means_over_singers(found):
    frame = analysis.training_results(found)
    row = frame[(frame["condition"] == "pwg") & (frame["seed"] == 1)].iloc[0]
    each = [found.stored[TrialKey("pwg", "regular", singer, 1)].metrics for singer in ("female1", "male2")]
    assert row["msstft_early"] == pytest.approx(np.mean([one["msstft_early"] for one in each]))
    assert row["training_hours"] == pytest.approx(400 * 0.02 / 3600)
    assert np.isnan(frame[frame["condition"] == "sawsing_debuzz"]["steps"]).all()


def test_one_voice_is_the_whole_collection_and_has_its_draws(tmp_path):
    alone = outcome(tmp_path, systems=("sawsing",), n_seeds=1, songs=collection(voices=("female",)))
    draws = analysis.make_draws(alone, SETTINGS)
    for metric in ("msstft", "fad", "msstft_gap"):
        np.testing.assert_array_equal(draws.draws("sawsing", metric), draws.draws("sawsing/female", metric))
    assert "sawsing/male" not in draws.conditions


def test_a_single_piece_has_no_interval(tmp_path):
    songs = collection(voices=(None,), n_test=1, pieces=(1,))
    alone = outcome(tmp_path, systems=("sawsing", "pwg"), n_seeds=1, songs=songs)
    draws = analysis.make_draws(alone, SETTINGS)
    assert alone.conditions == ["sawsing", "pwg", "sawsing>limited", "pwg>limited", GROUND_TRUTH]
    assert draws.unit("sawsing", "msstft") == "1 piece, 1 seed, not resampled"
    assert np.isnan(draws.interval("sawsing", "msstft")).all()
    assert np.isnan(draws.interval("sawsing", "fad")).all()
    assert np.isfinite(draws.value("pwg", "fad"))
    # the only piece has no held note
    assert not draws.has(GROUND_TRUTH, "phase_deviation")


def test_a_seed_without_one_of_its_singers_is_left_out(found):
    stored = dict(found.stored)
    del stored[TrialKey("pwg", "regular", "male2", 1)]
    part = Outcome(stored, found.collection)
    assert (part.seeds("pwg"), part.seeds("pwg/female"), part.seeds("pwg/male")) == ([0], [0, 1], [0])
    draws = analysis.make_draws(part, SETTINGS)
    assert draws.n("pwg", "msstft") == 1
    assert not draws.has("pwg", "msstft_gap"), "seeds would not be paired"
    assert draws.has("pwg/female", "msstft_gap")


def test_scenarios_with_other_seeds_have_no_gap(found):
    stored = dict(found.stored)
    for singer in ("female1", "male2"):
        del stored[TrialKey("pwg", "regular", singer, 0)]
        del stored[TrialKey("pwg", "limited", singer, 1)]
    draws = analysis.make_draws(Outcome(stored, found.collection), SETTINGS)
    assert (draws.n("pwg", "msstft"), draws.n("pwg>limited", "msstft")) == (1, 1)
    assert not draws.has("pwg", "msstft_gap")
    assert draws.has("sawsing", "msstft_gap")


def test_singers_without_a_seed_in_common_have_numbers_of_their_own(found):
    keys = [TrialKey("pwg", "regular", "female1", 0), TrialKey("pwg", "regular", "male2", 1)]
    part = Outcome({key: found.stored[key] for key in keys}, found.collection)
    draws = analysis.make_draws(part, SETTINGS)
    assert draws.conditions == ["pwg/female", "pwg/male"]
    assert analysis.seed_spread(part).empty


def test_collect_leaves_out_failed_trials(found):
    grid = dict.fromkeys(list(found.stored)[:4])
    folders = [str(found.stored[key].folder) for key in grid]
    results = pd.DataFrame({"status": ["done", "failed", "done", "done"], "folder": folders})
    part = Outcome.collect(grid, results, collection=found.collection)
    assert list(part.stored) == [key for index, key in enumerate(grid) if index != 1]


def test_other_pieces_are_refused(found, tmp_path):
    other = outcome(tmp_path, systems=("dwts",), n_seeds=1, songs=collection(pieces=(1, 2, 3)))
    mixed = Outcome(found.stored | other.stored, found.collection)
    with pytest.raises(ValueError, match=r"dwts-regular.* was scored on other pieces of female1"):
        _ = mixed.pieces


def test_every_metric_of_a_claim_exists_but_ratings(found, draws):
    wanted = {claim.metric for claim in REPORTED.claims if hasattr(claim, "metric")}
    assert wanted - set(draws.metrics) == {"mos"}
    frame = evaluate(REPORTED, draws, evidence="synthetic", profile="smoke").set_index("claim")
    assert frame.loc["limited_listeners", "verdict"] == "not run"
    assert frame.loc["buzz_more_than_ddsp_add", "verdict"] == "reproduced"
    assert frame.loc["early_by_half_a_block", "verdict"] == "reproduced"
    assert frame.loc["debuzz_costs_msstft", "verdict"] == "reproduced"
    assert frame.loc["smoother_than_the_recording", "verdict"] == "reproduced"
    assert frame.loc["real_time", "verdict"] == "reproduced"
    assert frame.loc["no_glitch", "test"] == "no value of phase_deviation for hifigan"


def test_ratings_are_taken_over(found):
    rated = Draws({("sawsing", "mos"): Estimate(np.array([3.0]), np.full(200, 3.0), "8 raters", (0,))}, {}, 200)
    assert analysis.make_draws(found, SETTINGS, ratings=rated).value("sawsing", "mos") == 3.0


def test_nothing_run_gives_quantities_alone():
    draws = analysis.make_draws(Outcome({}, collection()), SETTINGS)
    assert draws.conditions == []
    assert (draws.exact["parameters/sawsing"], draws.exact["phase_snr/60s"]) == (536_034, 28)
    assert draws.exact.keys() >= quantities.setting_quantities(SETTINGS).keys()
    assert Outcome({}, collection()).pieces.empty


def test_the_spread_over_seeds_is_that_of_their_means(found):
    frame = analysis.seed_spread(found, metrics=("msstft",)).set_index("condition")
    means = found.values("pwg>limited", "msstft").mean(axis=1)
    row = frame.loc["pwg>limited"]
    assert (row["n"], row["mean"]) == (2, pytest.approx(means.mean()))
    assert row["deviation"] == pytest.approx(means.std(ddof=1))
    assert (row["lowest"], row["highest"]) == pytest.approx((means.min(), means.max()))
    assert not frame.index.str.contains("/").any()


def test_curves_are_one_frame_per_seed_and_singer(found):
    assert len(found.curves("pwg")) == 4
    assert len(found.curves("pwg/male")) == 2
    assert all(isinstance(trial, StoredTrial) for trial in found.trials("pwg", 0))
