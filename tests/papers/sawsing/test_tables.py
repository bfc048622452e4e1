"""Tables of songs, logs, sizes and the buzz, and what a run leaves out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import reprise.papers.sawsing as room
from reprise.papers.sawsing import analysis, tables, tables_results
from reprise.papers.sawsing.outcome import GROUND_TRUTH, Outcome
from reprise.papers.sawsing.outputs import left_out
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import PAPER_SYSTEMS
from reprise.report.publication import Publication
from reprise.report.reported import Reported
from reprise.runs import StoredTrial

from .stored import collection, outcome

REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))
SETTINGS = Settings(n_draws=100)
FEW = ("sawsing", "ddsp_add", "pwg", "sawsing_debuzz")


@pytest.fixture(scope="module", autouse=True)
def _without_sources():
    # a minute of a source takes a second and is tested where it is made
    patch = pytest.MonkeyPatch()
    known = {"phase_snr/60s": 28.0, "alias/227hz": -19.0}
    patch.setattr(analysis, "source_quantities", lambda: known)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), systems=FEW)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, SETTINGS, speeds={"rtf/sawsing": 0.05})


def test_published_numbers_are_shown_as_they_are():
    frame = tables.published_table(REPORTED.tables["checkpoints"])
    assert frame.loc["SawSing, best (71 h)", "MSSTFT (power)"] == 6.68
    assert np.isnan(frame.loc["demo audio of SawSing, same songs and gain", "Real-time factor"])
    assert "note" not in frame
    assert tables.published_table(REPORTED.tables["debuzzed_audio"])["note"].iloc[0].startswith("The de-buzzed")


def test_songs_are_counted_per_singer_and_side():
    frame = tables.song_table(collection(voices=("female", None))).set_index(["singer", "side"])
    row = frame.loc[("female1", "test")]
    assert (row["songs"], row["recordings"], row["minutes"]) == (3, 3, pytest.approx(45 / 60))
    assert (row["shortest"], row["longest"], row["voiced"], row["labels"]) == (10, 20, 0.75, "known")
    assert frame.loc[("singer2", "train"), "voice"] == "not known"


def test_test_songs_stand_beside_those_of_the_demo_page():
    frame = tables.test_song_table(REPORTED, collection())
    assert frame["source"].value_counts().to_dict() == {"this run": 6, "demo page": 6}
    assert frame[frame["song"] == "037"]["seconds"].item() == 49.1


def test_each_seed_has_other_recordings():
    frame = tables.limited_choices(collection(voices=(None,)), seeds=(0, 1), n_songs=3)
    assert frame["recordings"].tolist() == ["song00, song01, song02", "song01, song02, song03"]
    assert frame["minutes"].tolist() == [1.0, 1.0]


def test_the_log_has_ours_where_there_were_as_many_steps(found, monkeypatch):
    frame = tables.log_table(REPORTED, found).set_index("run")
    assert len(frame) == len(REPORTED.tables["validation_log"].rows)
    # validated after 400 steps, which is nearer to 404 and 432 than a tenth, and was over in 8 s
    first = frame.loc["DDSP-Add, first run, 1 h"]
    curve = np.mean([one["valid_msstft"].iloc[-1] for one in found.curves("ddsp_add")])
    assert (first["our_step"], first["our_msstft"]) == (400, pytest.approx(curve))
    assert first["our_low"] < first["our_msstft"] < first["our_high"]
    assert np.isnan(first["msstft_in_time"])
    assert np.isnan(frame.loc["SawSing, 2 h", "our_step"])
    assert frame.loc["SawSing, 2 h", "msstft"] == 9.81


def test_equal_hours_are_read_while_the_training_went_on(found, monkeypatch):
    slow = [curve.assign(seconds=1500.0) for curve in found.curves("sawsing/female")]
    monkeypatch.setattr(StoredTrial, "curves", property(lambda self: slow[0]))
    frame = tables.log_table(REPORTED, found).set_index("run")
    # validations after 25, 50, 75 and 100 minutes
    assert frame.loc["SawSing, 1 h", "step_in_time"] == 200
    assert frame.loc["SawSing, 1 h", "msstft_in_time"] == pytest.approx(slow[0]["valid_msstft"][1])
    assert np.isnan(frame.loc["SawSing, 2 h", "step_in_time"])
    assert np.isnan(frame.loc["SawSing, 0 h", "step_in_time"])


def test_sizes_are_those_of_the_paper_and_of_this_run(draws):
    small = Settings(pwg_layers=6, pwg_channels=8, systems=FEW[:3])
    frame = tables_results.size_table(REPORTED, small, draws=draws).set_index("system")
    assert frame.loc["sawsing", ["published", "parameters", "this_run"]].tolist() == [536_034] * 3
    assert frame.loc["sawsing", "rtf"] == 0.05
    assert frame.loc["pwg", "this_run"] < frame.loc["pwg", "parameters"] / 10
    assert frame.loc["pwg", "seconds_per_step"] == pytest.approx(0.02)
    assert np.isnan(frame.loc["pwg", "rtf"])


def test_ours_stands_beside_the_follow_up_by_the_same_formulas(draws):
    frame = tables_results.follow_up_table(REPORTED, draws).set_index(["system", "voice", "metric"]).sort_index()
    assert frame.loc[("SawSing", "female", "mae_f0_floored"), "follow_up"] == 78.91
    ours = frame.loc[("DDSP", "male", "msstft_amplitude")]
    assert ours["ours"] == draws.value("ddsp_add/male", "msstft_amplitude")
    assert ours["ours_low"] < ours["ours"] < ours["ours_high"]
    assert frame.xs("GOLF")["ours"].isna().all()
    assert frame.xs("fad_vggish", level="metric")["ours"].isna().all()


def test_the_demo_page_stands_beside_all_singers_together(draws):
    frame = tables_results.demo_table(REPORTED, draws).set_index(["condition", "metric"]).sort_index()
    row = frame.loc[("pwg>limited", "msstft")]
    assert (row["demo_female"], row["demo_male"]) == (12.45, 12.45)
    assert row["ours"] == draws.value("pwg>limited", "msstft")
    assert row["ours_low"] < row["ours"] < row["ours_high"]
    assert np.isnan(frame.loc[("dwts", "mae_f0"), "ours"])
    assert len(frame) == 14 * 4


def test_costs_of_removing_the_buzz_are_differences(draws):
    frame = tables_results.debuzz_table(REPORTED, draws).set_index("condition")
    assert frame.loc["sawsing/female", "demo_cost"] == pytest.approx(1.55)
    row = frame.loc["sawsing/male"]
    assert row["cost"] == pytest.approx(row["after"] - row["before"])
    assert 0 < row["cost_low"] < row["cost"] < row["cost_high"]
    assert np.isnan(frame.loc["sawsing>limited/male", "cost"])


def test_the_buzz_stands_beside_that_of_the_checkpoints(draws):
    frame = tables_results.buzz_table(REPORTED, draws).set_index("system")
    assert list(frame.index) == ["sawsing", "ddsp_add", "sawsing_debuzz"]
    assert frame.loc["sawsing", "released_unvoiced"] == pytest.approx((7.0 + 5.4 + 5.1) / 3)
    assert frame.loc["ddsp_add", "unvoiced"] == draws.value("ddsp_add", "buzz_unvoiced")
    assert np.isnan(frame.loc["sawsing_debuzz", "released_voiced"])


def test_a_whole_run_leaves_out_what_nobody_has(found):
    conditions = [
        f"{name}{few}{voice}" for name in PAPER_SYSTEMS for few in ("", ">limited") for voice in ("", "/male")
    ]
    skip = left_out(REPORTED, conditions)
    assert set(skip) == {"figure_2", "figure_3", "paper_listening"}
    assert "not available" in skip["figure_2"]
    assert "listening test" in skip["paper_listening"]
    assert "paper_listening" not in left_out(REPORTED, conditions, rated=True)


def test_without_voices_and_rivals_their_tables_go():
    skip = left_out(REPORTED, ["sawsing", GROUND_TRUTH])
    assert {"paper_objective", "demo_audio", "delayed_audio", "figure_4"} <= set(skip)
    assert not {"paper_sizes", "parameters", "follow_up", "buzz", "validation_log", "debuzzed_audio", "figure_1"} & set(
        skip
    )
    assert "figure_1" in left_out(REPORTED, ["pwg"])


def test_every_table_of_a_run_can_be_published(found, draws, tmp_path):
    skip = left_out(REPORTED, found.conditions)
    publication = Publication(tmp_path, REPORTED, profile="smoke", evidence="synthetic", skip=skip)
    own = {
        "validation_log": tables.log_table(REPORTED, found),
        "test_songs": tables.test_song_table(REPORTED, found.collection),
        "debuzzed_audio": tables_results.debuzz_table(REPORTED, draws),
        "follow_up": tables_results.follow_up_table(REPORTED, draws),
        "follow_up_listening": tables.published_table(REPORTED.tables["follow_up_listening"]),
        "checkpoints": tables.published_table(REPORTED.tables["checkpoints"]),
        "buzz": tables_results.buzz_table(REPORTED, draws),
    }
    for name in filter(publication.wants, REPORTED.tables):
        publication.table(name, own.get(name, draws), single_run=True)
    assert publication.empty == {}
    assert set(REPORTED.tables) - set(publication.written) == {"paper_listening"}


def test_an_outcome_without_trials_gives_published_numbers_alone():
    empty = Outcome({}, collection())
    draws = analysis.make_draws(empty, SETTINGS)
    assert tables.log_table(REPORTED, empty)["our_step"].isna().all()
    assert tables_results.buzz_table(REPORTED, draws)["unvoiced"].isna().all()
    assert isinstance(tables_results.debuzz_table(REPORTED, draws), pd.DataFrame)
