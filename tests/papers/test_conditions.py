"""Conditions of the singing-technique paper: the tables' rows, and what they share."""

from pathlib import Path

import pytest
from pydantic import ValidationError

import reprise.papers.singing_technique as room
from reprise.papers.singing_technique.conditions import conditions
from reprise.papers.singing_technique.costs import unique_trials
from reprise.papers.singing_technique.settings import Settings
from reprise.report.reported import Reported

REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))


def make(settings: Settings | None = None, seed: int = 0):
    return conditions(settings or Settings(), seed=seed, dataset="d")


def test_every_published_row_and_point_has_a_trial_in_the_papers_order():
    names = list(make())
    assert names[:10] == list(REPORTED.tables["table_2"].rows)
    assert set(REPORTED.tables["table_3"].rows) <= set(names)
    assert names[10:] == [point.condition for point in REPORTED.figures["figure_3"].points()]


def test_late_of_table_2_is_crt_wfc_of_table_3():
    trials = make()
    assert trials["late"].fingerprint() == trials["crt_wfc@0.2"].fingerprint()


def test_the_two_retraining_strategies_are_one_trial_without_weights():
    trials = make()
    assert trials["crt_wc@0"].fingerprint() == trials["crt_wfc@0"].fingerprint()
    assert trials["crt_wc@0.5"].fingerprint() != trials["crt_wfc@0.5"].fingerprint()


def test_weighted_classifier_has_one_first_phase_for_all_factors():
    trials = make()
    parents = {trials[f"crt_wc@{alpha:g}"].parent.fingerprint() for alpha in Settings().alphas}
    assert len(parents) == 1


def test_joint_training_goes_on_from_the_first_phase_of_weighted_features():
    trials = make()
    assert trials["joint@0.5"].parent.fingerprint() == trials["crt_wfc@0.5"].parent.fingerprint()
    assert trials["joint@0.5"].epochs == 200


def test_a_seed_needs_thirty_trials_and_no_more():
    # 9 first phases, 6 joint runs, 11 classifiers, 2 forests, 2 one-dimensional CNNs
    stages = [trial.stage for trial in unique_trials(Settings(), seeds=[0])]
    counts = {stage: stages.count(stage) for stage in set(stages)}
    assert counts == {"features": 9, "joint": 6, "classifier": 11, "forest": 2, "raw": 2}


def test_settings_of_a_later_stage_leave_the_first_phase_alone():
    changed = Settings(learning_rate_classifier=0.5, epochs_classifier=7, frozen_mode="train", n_seeds=9, n_draws=100)
    assert make(changed)["late"].parent.fingerprint() == make()["late"].parent.fingerprint()
    assert make(changed)["late"].fingerprint() != make()["late"].fingerprint()


def test_switches_of_deformable_layers_leave_plain_networks_alone():
    changed = make(Settings(modulated=False, pool_deformable=False))
    assert changed["without_dc_plain"].fingerprint() == make()["without_dc_plain"].fingerprint()
    assert changed["late"].fingerprint() != make()["late"].fingerprint()


def test_seeds_and_data_are_identity_but_the_folder_is_not(tmp_path):
    here = conditions(Settings(), seed=0, dataset="d", data_root=tmp_path, device="cpu")
    assert here["late"].fingerprint() == make()["late"].fingerprint()
    assert make(seed=1)["late"].fingerprint() != make()["late"].fingerprint()


def test_the_papers_settings_are_the_defaults():
    settings = Settings()
    assert (settings.sample_rate, settings.clip_seconds, settings.n_fft, settings.hop_length) == (44100, 3.0, 2048, 512)
    assert settings.win_lengths == (2048, 1024, 512)
    assert (settings.batch_size, settings.learning_rate, settings.epochs_features, settings.epochs_classifier) == (
        64,
        1e-4,
        100,
        100,
    )
    assert settings.alphas == (0.0, 0.2, 0.5, 1.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"epochs": 3}, "epochs"), ({"n_fft": 1024}, "win_lengths"), ({"alpha": 0.3}, "alphas"), ({"batch_size": 1}, "2")],
)
def test_settings_that_cannot_work_are_refused(change, word):
    with pytest.raises(ValidationError, match=word):
        Settings(**change)
