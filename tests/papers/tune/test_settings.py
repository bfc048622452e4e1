"""Settings and systems: the paper's constants, what cannot work, names of conditions and of networks."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import reprise.data.datasets as datasets
import reprise.papers.tune as room
from reprise.audio.view_settings import TRANSFORMS, ViewSettings
from reprise.models.tune import VARIANTS, TUNe
from reprise.papers.catalogue import Paper, load_settings
from reprise.papers.choices import UnknownName
from reprise.papers.tune.settings import CLMR_SIZED, LENGTH, VIEWS, Settings
from reprise.papers.tune.systems import (
    BASELINES,
    LENGTHS,
    PAPER_SYSTEMS,
    PRETRAINING_SETS,
    SYSTEMS,
    TAIL_SERIES,
    TASKS,
    Condition,
    split_condition,
)
from reprise.stats.songs import STRATEGIES

PAPER = Paper(slug="tune", number="03", notebook="03_tune.ipynb", title="", module=room.__name__)


def test_the_papers_constants_are_the_defaults():
    settings = Settings()
    assert (settings.sample_rate, settings.n_samples, settings.n_tags) == (22050, 59049, 50)
    assert (settings.batch_size, settings.n_visible, settings.temperature, settings.projection) == (96, 48, 0.5, 64)
    assert (settings.learning_rate, settings.weight_decay) == (3e-4, 0)
    assert [settings.epochs_of(length) for length in LENGTHS] == [1000, 3000, 10000]
    assert (settings.probe_protocol, settings.task_protocol) == ("paper", "supplement")
    assert settings.view_settings == ViewSettings()
    assert (settings.same_crop, settings.autocast) == (False, False)


@pytest.mark.parametrize("profile", ["smoke", "demo", "paper"])
def test_profiles_are_valid_and_the_papers_changes_nothing(profile):
    settings = load_settings(PAPER, profile)
    assert (settings == Settings()) == (profile == "paper")
    assert {"tail_5", "tune_plus", "clmr"} <= set(settings.systems)
    assert set(settings.tasks) == set(TASKS)


def test_every_field_is_described_and_nothing_can_be_changed():
    assert all(field.description for field in Settings.model_fields.values())
    with pytest.raises(ValidationError):
        Settings().batch_size = 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"batchsize": 3}, "batchsize"),
        ({"n_samples": 60000}, "multiple of 2187"),
        ({"n_samples": 19683}, "clmr, clmr_tail need 59049"),
        ({"batch_size": 97}, "equal parts"),
        ({"batch_size": 4, "nt_xent_groups": 4}, "at least 2 clips"),
        ({"epochs": 5000}, "must not fall"),
        ({"systems": ("tune_pluss",)}, "did you mean 'tune_plus'"),
        ({"systems": ("untrained",)}, "baselines are not; move untrained"),
        ({"baselines": ("clmr",)}, "move clmr"),
        ({"task_systems": ("mel",)}, "the systems are"),
        ({"views_without": ("echo",)}, "no change is called 'echo'"),
        ({"label_fractions": (0.0, 1.0)}, "label_fractions"),
        ({"tasks": ("gtzan",)}, "must contain 'mtt'"),
        ({"probe_kinds": ("mlp",)}, "must contain 'linear'"),
        ({"pretraining": ("mtt",)}, "pretraining"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, word):
    with pytest.raises(ValidationError, match=word):
        Settings(**change)


def test_without_clmr_shorter_crops_will_do():
    others = tuple(name for name in PAPER_SYSTEMS if name not in CLMR_SIZED)
    settings = Settings(n_samples=19683, systems=others)
    for name in others:
        encoder = TUNe.from_name(SYSTEMS[name].network)
        assert settings.n_samples % encoder.unit == 0
        assert encoder.smallest_input <= settings.n_samples
    for name in CLMR_SIZED:
        assert TUNe.from_name(SYSTEMS[name].network).smallest_input == LENGTH


def test_views_are_those_of_the_three_sources():
    assert VIEWS["clmr_v1"].filter_kind == "first_order"
    assert VIEWS["clmr_v1"].noise == 0
    assert VIEWS["clmr_printed"].cents < VIEWS["code"].cents
    changed = Settings(views="clmr_printed", views_without=("pitch",), pitch_n_fft=512).view_settings
    assert changed.pitch == 0
    assert changed.pitch_n_fft == 512
    assert changed.gains == (-6.0, 0.0)
    assert all(getattr(changed, name) == getattr(VIEWS["code"], name) for name in TRANSFORMS if name != "pitch")


def test_systems_are_the_rows_of_table_1_and_two_baselines():
    assert {SYSTEMS[name].network for name in PAPER_SYSTEMS} == set(VARIANTS)
    assert len(PAPER_SYSTEMS) == len(VARIANTS)
    assert set(BASELINES) | set(PAPER_SYSTEMS) == set(SYSTEMS)
    assert SYSTEMS["untrained"].network == SYSTEMS["tune_plus"].network
    depths = [TUNe.from_name(SYSTEMS[name].network).depth for name in TAIL_SERIES]
    assert depths == [4, 5, 6, 7, 8, 9]


def test_sets_and_tasks_are_known_data_sets():
    for name in [*PRETRAINING_SETS.values(), *(task.dataset for task in TASKS.values())]:
        assert name in datasets.available()


def test_ways_from_pieces_to_songs_are_the_known_ones():
    for strategy in ("chosen", *STRATEGIES):
        assert Settings(key_strategy=strategy).key_strategy == strategy
    with pytest.raises(ValidationError):
        Settings(key_strategy="median")


def test_conditions_of_the_paper_are_its_tables():
    conditions = Settings().conditions()
    assert len(conditions) == len(set(conditions)) == 18 + 6 + 9 + 2
    assert conditions[-2:] == BASELINES
    assert {"tune_plus+long", "clmr+middle", "tail_5@billboard"} <= set(conditions)
    assert [split_condition(name).name for name in conditions] == list(conditions)


def test_conditions_need_their_set_and_their_system():
    settings = Settings(systems=("tune_plus", "vanilla"))
    assert settings.conditions(("mtt", "gtzan")) == (
        "tune_plus", "vanilla", "tune_plus+middle", "tune_plus+long", "tune_plus@gtzan", *BASELINES,
    )  # fmt: skip
    assert settings.conditions(("fma",)) == ("tune_plus@fma", *BASELINES)


@given(st.sampled_from(PAPER_SYSTEMS), st.sampled_from(LENGTHS), st.sampled_from(list(PRETRAINING_SETS)))
def test_a_name_says_all_of_a_condition(system, length, pretraining):
    condition = Condition(system, length, pretraining)
    assert split_condition(condition.name) == condition


def test_labels_of_conditions_differ():
    labels = [split_condition(name).label for name in Settings().conditions()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("tune", "unknown system"),
        ("tail5", "'tail_5'"),
        ("tune_plus+longer", "longer"),
        ("tune_plus@msd", "msd"),
        ("tune_plus@mtt", "nothing behind"),
        ("untrained@fma", "stands alone"),
        ("mel_statistics+long", "stands alone"),
        ("clmr+", "''"),
    ],
)
def test_names_that_are_no_conditions(name, word):
    with pytest.raises(UnknownName, match=word):
        split_condition(name)


def test_settings_are_light():
    script = "import sys, reprise.papers.tune.settings; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
