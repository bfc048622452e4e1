"""Stored trials become the paper's numbers, paired and with intervals, and what is missing stays missing."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from reprise.papers.tune import analysis
from reprise.papers.tune.outcome import Outcome, label_of
from reprise.papers.tune.settings import Settings
from reprise.papers.tune.trials import TrialKey
from reprise.stats.tagging import key_points

from .stored import MAPS, TAGS, Clips, collection, outcome

SETTINGS = Settings(n_draws=100)
CONDITIONS = ("vanilla", "tail_5", "tune_plus", "clmr", "tail_5+long", "clmr@gtzan", "untrained", "mel_statistics")


@pytest.fixture(scope="module", autouse=True)
def _without_networks():
    patch = pytest.MonkeyPatch()
    patch.setattr(analysis, "architecture_quantities", lambda: {"parameters/tune_plus": 1.0})
    yield
    patch.undo()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), conditions=CONDITIONS)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, SETTINGS)


def test_finished_trials_are_collected_and_failed_ones_are_not(found):
    grid = dict.fromkeys(found.stored)
    status = ["failed" if key.condition == "clmr" else "done" for key in grid]
    results = pd.DataFrame({"status": status, "folder": [str(trial.folder) for trial in found.stored.values()]})
    kept = Outcome.collect(grid, results, collection=found.collection)
    assert "clmr" not in kept.conditions
    assert kept.conditions == [name for name in found.conditions if name != "clmr"]


def test_seeds_and_tasks_are_those_that_were_stored(found):
    assert found.seeds("tune_plus") == [0, 1]
    assert found.seeds("tune_plus", "emotion") == [0, 1]
    assert found.seeds("vanilla", "gtzan") == []
    assert found.tasks == ["mtt", "gtzan", "key", "emotion"]
    assert found.pretraining("untrained") == []
    assert len(found.curves("clmr")) == 2


def test_clips_are_grouped_by_artist_and_by_song_where_there_is_none(found):
    table, groups = found.table(), found.groups()
    assert len(groups) == len(table)
    for artist, song, group in zip(table["artist"], table["group"], groups, strict=True):
        assert group == (f"artist {artist}" if isinstance(artist, str) else f"song {song}")


def test_few_groups_are_no_groups(tmp_path):
    songs = collection(n=16, tasks=("mtt",))
    few = outcome(tmp_path, conditions=("clmr",), n_seeds=1, songs=songs)
    few.collection.tasks["mtt"].table["artist"] = "the same"
    assert few.groups() is None


def test_trials_on_other_clips_are_refused(tmp_path):
    stored = outcome(tmp_path / "a", conditions=("clmr",), n_seeds=1).stored
    other = outcome(tmp_path / "b", conditions=("untrained",), n_seeds=1, songs=collection(n=40)).stored
    with pytest.raises(ValueError, match="tested on other clips of mtt"):
        Outcome(stored | other, collection()).rows()


def test_an_unknown_condition_has_no_embeddings_and_the_message_names_those_that_have(found):
    with pytest.raises(KeyError, match="tune_plus"):
        found.embeddings("tail_1")


def test_scores_are_those_of_scikit_learn(found, draws):
    truth = found.targets()
    for array, ending in (("scores_linear", ""), ("scores_mlp", "_mlp"), ("label_scores_10", "_label_10")):
        each = found.scores("clmr", array=array)
        auc = [100 * roc_auc_score(truth, values) for values in each]
        precision = [100 * average_precision_score(truth, values) for values in each]
        np.testing.assert_allclose(draws.per_seed("clmr", f"auc{ending}"), auc)
        np.testing.assert_allclose(draws.per_seed("clmr", f"ap{ending}"), precision)


def test_single_tags_have_their_own_numbers(found, draws):
    truth, values = found.targets(), found.scores("clmr")[1]
    for index, tag in enumerate(TAGS):
        expected = 100 * roc_auc_score(truth[:, index], values[:, index])
        assert draws.per_seed("clmr", f"auc/{tag}")[1] == pytest.approx(expected)


def test_blocks_have_numbers_where_they_were_probed(found, draws):
    arrays = found.trials("tune_plus")[0].arrays
    for index in (0, 4, 17):
        expected = 100 * roc_auc_score(found.targets(), arrays["layer_scores"][index].astype(float))
        assert draws.per_seed("tune_plus", f"auc_layer/{MAPS[index]}")[0] == pytest.approx(expected)
    assert not draws.has("clmr", "auc_layer/Bot-U")


def test_other_tasks_are_scored_by_the_chosen_probe(found, draws):
    trial = found.trials("clmr", "gtzan")[0].arrays
    assert draws.per_seed("clmr", "gtzan_accuracy")[0] == pytest.approx(
        100 * (trial["scores"].argmax(axis=1) == found.targets("gtzan")).mean()
    )
    trial = found.trials("clmr", "key")[1].arrays
    assert draws.per_seed("clmr", "key_score")[1] == pytest.approx(
        100 * key_points(trial["answers"], trial["targets"]).mean()
    )
    trial = found.trials("clmr", "emotion")[0].arrays
    for index, name in enumerate(("arousal", "valence")):
        expected = 100 * r2_score(trial["targets"][:, index], trial["scores"][:, index].astype(float))
        assert draws.per_seed("clmr", f"{name}_r2")[0] == pytest.approx(expected)
    assert not draws.has("vanilla", "gtzan_accuracy")


def test_intervals_lie_around_the_values(draws):
    for condition, metric in draws.estimates:
        low, high = draws.interval(condition, metric)
        if metric.split("/")[0] in ("auc", "ap", "auc_mlp", "ap_label_10", "auc_layer") and not np.isnan(low):
            assert low <= draws.value(condition, metric) <= high


def test_what_was_resampled_is_said(draws):
    assert "artists or songs with all their clips and 2 seeds" in draws.unit("clmr", "auc")
    assert "15 songs and 2 seeds" in draws.unit("clmr", "key_score")


def test_differences_within_a_condition_are_paired(draws):
    gain = draws.estimate("clmr", "auc_mlp_gain")
    np.testing.assert_allclose(gain.draws, draws.draws("clmr", "auc_mlp") - draws.draws("clmr", "auc"))
    difference = draws.value("tail_5", "auc_layer/Tail-9") - draws.value("tail_5", "auc_layer/Expa-4")
    assert draws.value("tail_5", "auc_layer_difference/Tail-9_Expa-4") == pytest.approx(difference)
    assert not draws.has("clmr", "auc_layer_difference/Tail-9_Expa-4")


def test_conditions_are_paired_clip_by_clip(found, draws):
    own = {key: trial for key, trial in found.stored.items() if key.condition == "clmr" and key.stage == "mtt"}
    twin = {TrialKey("untrained", "mtt", key.seed): trial for key, trial in own.items()} | own
    same = analysis.make_draws(Outcome(twin, found.collection), SETTINGS)
    assert same.difference("clmr", "untrained", "auc") == (0.0, 0.0, 0.0)


def test_draws_repeat_and_change_with_the_seed(found, draws):
    again = analysis.make_draws(found, SETTINGS)
    np.testing.assert_array_equal(again.draws("clmr", "ap"), draws.draws("clmr", "ap"))
    other = analysis.make_draws(found, SETTINGS, seed=1)
    assert not np.array_equal(other.draws("clmr", "ap"), draws.draws("clmr", "ap"))


def test_a_kind_of_probe_that_one_seed_lacks_is_absent(tmp_path, found):
    lacking = {key: trial for key, trial in found.stored.items() if key.condition in ("clmr", "tail_5")}
    key = TrialKey("clmr", "mtt", 1)
    arrays = {name: value for name, value in lacking[key].arrays.items() if name != "scores_mlp"}
    lacking[key] = SimpleNamespace(arrays=arrays, folder=tmp_path, metrics={}, curves=pd.DataFrame())
    part = analysis.make_draws(Outcome(lacking, found.collection), SETTINGS)
    assert part.has("clmr", "auc")
    assert not part.has("clmr", "auc_mlp")
    assert part.has("tail_5", "auc_mlp")


def test_tuned_scores_are_those_of_tuned_probes_only(found, draws):
    assert not draws.has("clmr", "auc_tuned")
    tuned = analysis.make_draws(found, SETTINGS.model_copy(update={"probe_protocol": "supplement"}))
    assert tuned.value("clmr", "auc_tuned") == tuned.value("clmr", "auc")


def test_times_of_epochs_are_given_for_the_papers_batches_only(found, draws):
    assert draws.value("clmr", "epochs_per_hour") == pytest.approx(3600 / (194 * 0.1))
    assert draws.value("clmr", "hours") == pytest.approx(194 * 0.1 * 1000 / 3600)
    small = analysis.make_draws(found, SETTINGS.model_copy(update={"batch_size": 16}))
    assert not small.has("clmr", "hours")


def test_training_results_have_a_row_per_pre_training(found):
    frame = analysis.training_results(found)
    assert len(frame) == 2 * len([name for name in CONDITIONS if name not in ("untrained", "mel_statistics")])
    row = frame[frame["condition"] == "clmr"].iloc[0]
    assert row["steps"] == 100
    assert row["training_hours"] == pytest.approx(100 * 0.1 / 3600)


def test_exact_quantities_count_the_clips_at_hand(draws):
    assert draws.exact["parameters/tune_plus"] == 1.0
    assert draws.exact["data/split/mtt/test"] == 30
    assert json.dumps(draws.exact)


def test_shares_of_labels_are_read_from_what_was_stored(found):
    assert analysis.label_percents(found) == [1.0, 10.0, 100.0]


def test_a_run_without_tags_has_its_other_tasks(tmp_path):
    songs = collection(tasks=("gtzan",))
    songs.mtt = Clips()
    part = outcome(tmp_path, conditions=("tune_plus", "clmr"), songs=songs)
    assert part.tasks == ["gtzan"]
    found = analysis.make_draws(part, SETTINGS)
    assert found.has("clmr", "gtzan_accuracy")
    assert not found.has("clmr", "auc")
    assert found.exact


def test_labels_name_system_length_and_set():
    assert label_of("tune_plus") == "TUNe+"
    assert label_of("tail_5@gtzan") != label_of("tail_5") != label_of("tail_5+long")
