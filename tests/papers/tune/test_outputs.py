"""What a run cannot show is said, tables of data and speed add up, and forecasts multiply what is measured."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import reprise.papers.tune as room
from reprise.papers.tune import costs, outputs, tables
from reprise.papers.tune.quantities import network_quantities
from reprise.papers.tune.settings import Settings
from reprise.plan import COLUMNS
from reprise.report.reported import Reported

from .stored import collection, outcome

ROOM = Path(room.__file__).parent
REPORTED = Reported.load(ROOM / "reported.yaml")
SMOKE = Settings(**yaml.safe_load((ROOM / "profiles.yaml").read_text())["smoke"])
TASKS = ("mtt", "gtzan", "key", "emotion")


def left_out(conditions, *, settings=SMOKE, tasks=TASKS):
    return outputs.left_out(REPORTED, conditions, settings=settings, tasks=tasks)


def test_a_run_of_everything_leaves_nothing_out():
    settings = Settings()
    assert left_out(settings.conditions(), settings=settings) == {}


def test_every_reason_is_for_a_known_table_or_figure():
    skip = left_out(("clmr",))
    assert set(skip) <= {*REPORTED.tables, *REPORTED.figures}
    assert {"table_2", "figure_s3", "figure_s4"} <= set(skip)
    assert "table_s1" not in skip
    assert "parameters" not in skip


def test_blocks_are_shown_where_they_were_probed():
    skip = left_out(("tune_plus", "tune_plus@gtzan"))
    assert not {"figure_s3", "figure_s4", "figure_s3_readings", "figure_s4_readings", "table_2"} & set(skip)


def test_without_tags_only_other_tasks_are_left():
    skip = left_out(("tune_plus", "tune_plus+long", "tune_plus@gtzan"), tasks=("gtzan",))
    assert {"table_1", "table_2", "table_s1", "figure_s3", "figure_s4"} <= set(skip)
    assert "table_s2" not in skip


def test_sets_are_counted():
    songs = collection(tasks=("mtt",))
    clips = songs.tasks["mtt"]
    view = SimpleNamespace(name="magnatagatune", evidence="synthetic", rows=clips.rows, table=clips.table,
                           bank=SimpleNamespace(lengths=np.full(clips.n, 44_100), sample_rate=22_050))  # fmt: skip
    frame = tables.set_table(SimpleNamespace(pretraining={"mtt": view}, tasks={"mtt": view}))
    assert frame["use"].tolist() == ["pre-training", "task mtt"]
    assert frame[["train", "valid", "test"]].sum(axis=1).tolist() == [60, 60]
    assert frame["minutes"].tolist() == [2.0, 2.0]
    assert frame["longest"].tolist() == [2.0, 2.0]


def test_speed_stands_beside_what_is_computed(tmp_path):
    frame = tables.speed_table(outcome(tmp_path, conditions=("clmr", "untrained")), batch_size=96)
    assert frame["condition"].tolist() == ["clmr"]
    assert frame["clips_per_second"][0] == pytest.approx(960)
    expected = 6 * 960 * network_quantities("clmr")["macs"] / 1e9
    assert frame["gmacs_per_second"][0] == pytest.approx(expected)


def test_neighbours_of_the_literature_keep_their_words():
    frame = tables.context_table(REPORTED.tables["context"])
    assert len(frame) == len(REPORTED.tables["context"].rows)
    assert frame["AUC"].dtype == float
    assert set(REPORTED.tables["context"].texts.values()) <= set(frame.columns)


@pytest.fixture
def _no_measuring(monkeypatch):
    monkeypatch.setattr(costs, "_measure", lambda trial, device: costs._Cost(1.0, 0.5, 2e9, 1000))
    monkeypatch.setattr(costs, "_pass_cost", lambda encoder, audio, device: 0.25)
    monkeypatch.setattr(costs, "_view_cost", lambda trial, device: 0.5)
    monkeypatch.setattr(costs.torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("_no_measuring")
def test_a_forecast_multiplies_what_was_measured():
    settings = Settings(systems=("clmr",), longer_systems=(), transfer_systems=(), baselines=("mel_statistics",),
                        tasks=("mtt",), n_seeds=2)  # fmt: skip
    frame = costs.plan(settings).set_index("stage")
    assert set(frame.columns) < set(COLUMNS)
    row = frame.loc["CLMR"]
    assert row["trials"] == 4
    # 194 steps of 96 clips
    assert row["clip_passes"] == 2 * 1000 * 194 * 96
    windows = 18_706 + 1_825 + 10 * 5_329
    assert row["cpu_hours"] == pytest.approx((row["clip_passes"] * 1.5 + 2 * windows * 0.5) / 3600)
    assert row["memory_gb"] == pytest.approx(2 * 96)
    assert frame.loc["Log-mel mean and deviation", "cpu_hours"] == pytest.approx(2 * windows * 0.25 / 3600)
    assert frame.loc["decoded audio", "disk_gb"] > 33


@pytest.mark.usefixtures("_no_measuring")
@pytest.mark.parametrize("profile", ["smoke", "demo", "paper"])
def test_every_profile_has_a_forecast(profile):
    settings = Settings(**(yaml.safe_load((ROOM / "profiles.yaml").read_text())[profile]))
    frame = costs.plan(settings)
    assert len(frame) == len(settings.conditions(("mtt", *settings.pretraining))) + 1
    assert frame["cpu_hours"].iloc[:-1].gt(0).all()


def test_a_step_and_a_pass_are_measured():
    settings = Settings(systems=("vanilla_small",), baselines=(), longer_systems=(), transfer_systems=(),
                        tasks=("mtt",), epochs=1, epochs_middle=1, epochs_long=1, n_samples=19683, batch_size=4,
                        synthetic="smoke", n_seeds=1)  # fmt: skip
    frame = costs.plan(settings)
    hours = [name for name in frame if name.endswith("_hours")]
    assert frame[hours[0]].iloc[0] > 0
    assert frame["memory_gb"].iloc[0] > 0
