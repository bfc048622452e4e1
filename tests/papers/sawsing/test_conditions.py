"""Trials of the settings: which there are, in which order, and what changes which of them."""

import json

import pytest

from reprise.papers.sawsing.conditions import conditions, songs_config
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import ABLATIONS, SYSTEMS
from reprise.papers.sawsing.trials import VocoderTrial

# what changes no trial, but what is reported of them
OF_THE_REPORT = {"n_draws", "rtf_repeats", "rtf_seconds", "n_seeds", "synthetic"}
# what decides which trials there are
OF_THE_GRID = {"systems", "ablations", "scenarios", "max_singers"}
OTHER = {
    "sample_rate": 22050, "n_fft": 2048, "n_mels": 64, "center_mel": True, "target_rms": 0.1, "f0_estimator": "pyin",
    "f0_evaluator": "pyin", "f0_search": (70.0, 900.0), "f0_lowest": 90.0, "n_test_songs": 2, "n_valid_songs": 2,
    "n_limited_songs": 2, "split_seed": 1, "mel_mean": -3.0, "mel_deviation": 0.5, "start_level": -1.0,
    "interpolation": "linear", "crossfade": True, "compensate": True,
    "voicing_gate": True, "phase_precision": "single", "batch_size": 3, "crop_seconds": 0.3, "align_crops": True,
    "shuffle": True, "fill_batch": False, "learning_rate": 0.1, "weight_stft": 0.5, "weight_f0": 0.5,
    "weight_voicing": 0.5, "loss_formula": "amplitude", "switch_step": 2, "steps_regular": 9, "steps_limited": 9,
    "early_steps": 1, "valid_every": 1, "selection": "best", "hifigan_size": "V1", "pwg_layers": 6, "pwg_channels": 8,
    "nsf_blocks": 2, "nsf_layers": 3, "nsf_channels": 8, "fastdiff_channels": 8, "discriminator_divisor": 8,
    "learning_rate_rivals": 0.1, "weight_adversarial": 1.0, "weight_mel": 1.0, "weight_features": 1.0,
    "discriminator_start": 0.5, "rival_steps": 0.5, "piece_seconds": 2.0, "max_lag": 8, "n_noise": 1,
    "held_seconds": 0.3, "held_cents": 50.0, "held_step": 30.0, "n_partials": 2,
}  # fmt: skip
# settings with one choice, or that no other choice goes with
FIXED = {"hop_length", "embedding"}


@pytest.fixture
def grid(open_sung):
    def make(settings, *, seeds=(0,)):
        return conditions(settings, open_sung(settings), seeds=seeds, device="cpu")

    return make


def test_there_is_every_system_in_both_scenarios_and_every_ablation_in_one(grid, tiny_settings):
    made = grid(tiny_settings, seeds=(0, 1))
    names = [name for name in SYSTEMS if name not in ABLATIONS]
    regular, limited = ({key.system for key in made if key.scenario == which} for which in ("regular", "limited"))
    assert regular == set(SYSTEMS)
    assert limited == set(names)
    assert len(made) == 2 * (len(SYSTEMS) + len(names))
    assert all(trial.key == key for key, trial in made.items())
    assert len({trial.fingerprint() for trial in made.values()}) == len(made)


def test_regular_comes_first_and_parents_before_children(grid, tiny_settings):
    made = grid(tiny_settings)
    scenarios = [key.scenario for key in made]
    assert scenarios == sorted(scenarios, reverse=True)
    seen = set()
    for trial in made.values():
        assert {parent.fingerprint() for parent in trial.requires()} <= seen
        seen.add(trial.fingerprint())
    children = [key.system for key, trial in made.items() if trial.parent is not None]
    assert children == ["sawsing_debuzz", "sawsing_single"]
    assert all(made[key].training is None for key in made if key.system in children)


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        ({"phase_precision": "single"}, "sawsing_single"),
        ({"voicing_gate": True}, "sawsing_gate"),
        ({"align_crops": True}, "sawsing_aligned"),
        ({"switch_step": 0}, "sawsing_voiced_f0"),
        ({"compensate": True}, "sawsing_compensated"),
    ],
)
def test_a_variant_that_changes_nothing_is_left_out(grid, tiny_settings, change, absent):
    systems = {key.system for key in grid(tiny_settings.model_copy(update=change))}
    assert set(SYSTEMS) - systems == {absent}


def test_without_sawsing_there_are_no_variants_of_it(grid, tiny_settings):
    made = grid(tiny_settings.model_copy(update={"systems": ("ddsp_add",), "scenarios": ("limited",)}))
    assert [(key.system, key.scenario) for key in made] == [("ddsp_add", "limited")]


def test_every_setting_is_covered():
    assert set(OTHER) | OF_THE_REPORT | OF_THE_GRID | FIXED == set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(OTHER))
def test_every_setting_takes_effect(grid, tiny_settings, name):
    before = {trial.fingerprint() for trial in grid(tiny_settings).values()}
    changed = type(tiny_settings).model_validate(tiny_settings.model_dump() | {name: OTHER[name]})
    after = {trial.fingerprint() for trial in grid(changed).values()}
    assert before != after


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"nsf_blocks": 2}, {"nsf"}),
        ({"weight_mel": 1.0}, {"hifigan"}),
        ({"learning_rate_rivals": 0.1}, {"pwg", "hifigan", "fastdiff"}),
        ({"discriminator_start": 0.9}, {"pwg"}),
        ({"rival_steps": 0.5}, {"pwg", "hifigan", "fastdiff"}),
        ({"weight_voicing": 0.5}, {"nsf", "sawsing_gate"}),
    ],
)
def test_a_setting_changes_the_systems_that_it_is_about_and_no_others(grid, tiny_settings, change, touched):
    before, after = grid(tiny_settings), grid(tiny_settings.model_copy(update=change))
    assert {key.system for key in before if before[key].fingerprint() != after[key].fingerprint()} == touched


def test_the_limited_scenario_has_its_own_songs_and_steps(grid, tiny_settings):
    made = {(key.system, key.scenario): trial.training for key, trial in grid(tiny_settings).items()}
    regular, limited = made["sawsing", "regular"], made["sawsing", "limited"]
    assert (regular.n_songs, regular.steps, regular.early_step) == (None, 3, 2)
    assert (limited.n_songs, limited.steps, limited.early_step) == (1, 2, 2)


def test_the_early_validation_is_left_out_where_training_ends_before(grid, tiny_settings):
    made = grid(tiny_settings.model_copy(update={"early_steps": 3}))
    training = next(trial.training for key, trial in made.items() if key.scenario == "limited")
    assert training.early_step is None


def test_a_trial_is_restored_from_what_is_stored_of_it(grid, tiny_settings):
    for trial in grid(tiny_settings).values():
        stored = json.loads(json.dumps(trial.identity()))
        assert VocoderTrial.restore(stored).fingerprint() == trial.fingerprint()


def test_labels_and_results_have_different_estimators_by_default(grid, tiny_settings):
    settings = tiny_settings.model_copy(update={"f0_estimator": "auto", "f0_evaluator": "auto"})
    for trial in grid(settings).values():
        assert trial.scoring.pitch.estimator == "autocorrelation"
        assert trial.songs.pitch.estimator in ("dio", "pyin")
    settings = tiny_settings.model_copy(update={"f0_evaluator": "auto"})
    assert next(iter(grid(settings).values())).scoring.pitch.estimator == "pyin"
    assert songs_config(settings, singer="ada").pitch.estimator == "autocorrelation"
