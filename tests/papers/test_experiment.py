"""Stages of the singing-technique paper on a tiny data set: sharing, freezing, continuing, determinism."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from reprise.papers.singing_technique import analysis
from reprise.papers.singing_technique.conditions import clip_config, conditions
from reprise.papers.singing_technique.corpus import open_corpus
from reprise.papers.singing_technique.experiment import class_weights, load_network
from reprise.runs import Store, run_grid


def grid_of(settings, root, seed=0):
    corpus = open_corpus(clip_config(settings), root)
    return corpus, conditions(settings, seed=seed, dataset=corpus.fingerprint, data_root=root, device="cpu")


def weights_of(trial, prefix="model."):
    state = Store().find(trial).weights()
    return {name: value for name, value in state.items() if name.startswith(prefix)}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


class TestClassWeights:
    def test_inverse_frequency_is_scikit_learns_balanced_weight(self):
        targets = np.repeat([0, 1, 2], [50, 5, 20])
        ours = class_weights(np.bincount(targets), 1.0).numpy()
        theirs = compute_class_weight("balanced", classes=np.arange(3), y=targets)
        np.testing.assert_allclose(ours / ours.sum(), theirs / theirs.sum(), rtol=1e-6)

    def test_alpha_zero_weighs_all_classes_alike(self):
        np.testing.assert_array_equal(class_weights(np.array([3, 900]), 0.0).numpy(), [1.0, 1.0])

    def test_ratio_of_weights_is_the_power_of_the_ratio_of_counts(self):
        weights = class_weights(np.array([100, 10]), 0.2)
        assert float(weights[1] / weights[0]) == pytest.approx(10**0.2)

    def test_class_without_clips_weighs_nothing(self):
        assert class_weights(np.array([4, 0]), 1.0)[1] == 0


def test_joint_training_is_one_long_run_to_the_bit(tiny_vocalset, tiny_settings):
    _, short = grid_of(tiny_settings, tiny_vocalset)
    _, long = grid_of(tiny_settings.model_copy(update={"epochs_features": 2}), tiny_vocalset)
    run_grid([short["joint@0.2"], long["crt_wfc@0.2"].parent], progress=False)
    assert_same(weights_of(short["joint@0.2"]), weights_of(long["crt_wfc@0.2"].parent))
    curves = [Store().find(trial).curves["loss"] for trial in (short["joint@0.2"], long["crt_wfc@0.2"].parent)]
    np.testing.assert_array_equal(*curves)


def test_retraining_moves_the_last_layer_only(tiny_vocalset, tiny_settings):
    _, trials = grid_of(tiny_settings, tiny_vocalset)
    run_grid([trials["crt_wc@1"]], progress=False)
    before, after = weights_of(trials["crt_wc@1"].parent), weights_of(trials["crt_wc@1"])
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"model.classifier.weight", "model.classifier.bias"}


def test_live_batch_norm_moves_statistics_but_no_frozen_weight(tiny_vocalset, tiny_settings):
    _, trials = grid_of(tiny_settings.model_copy(update={"frozen_mode": "train"}), tiny_vocalset)
    run_grid([trials["crt_wc@1"]], progress=False)
    before, after = weights_of(trials["crt_wc@1"].parent), weights_of(trials["crt_wc@1"])
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {name for name in changed if "running" in name or "num_batches" in name}
    assert changed - statistics == {"model.classifier.weight", "model.classifier.bias"}
    assert statistics


def test_frozen_features_give_what_the_whole_network_gives(tiny_vocalset, tiny_settings):
    corpus, trials = grid_of(tiny_settings, tiny_vocalset)
    run_grid([trials["late"]], progress=False)
    stored = Store().find(trials["late"])
    from reprise.papers.singing_technique.inputs import make_inputs

    inputs = make_inputs(trials["late"], corpus, device="cpu")(corpus.rows("test"))
    with torch.inference_mode():
        whole = torch.softmax(load_network(stored)(inputs), dim=1).numpy()
    np.testing.assert_allclose(stored.arrays["test_probabilities"], whole, atol=1e-5)


@pytest.mark.parametrize("condition", ["late", "cnn1d_weighted", "oblong_rf_plain"])
def test_same_seed_same_bits_and_another_seed_others(tiny_vocalset, tiny_settings, condition, tmp_path):
    found = []
    for index, seed in enumerate((0, 0, 1)):
        _, trials = grid_of(tiny_settings, tiny_vocalset, seed=seed)
        store = Store(tmp_path / str(index))
        run_grid([trials[condition]], store=store, progress=False)
        found.append(store.find(trials[condition]).arrays["test_probabilities"])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_every_condition_runs_and_a_second_call_runs_nothing(tiny_vocalset, tiny_settings):
    corpus, trials = grid_of(tiny_settings, tiny_vocalset)
    first = run_grid(list(trials.values()), progress=False)
    assert list(first["status"]) == ["done"] * len(trials)
    second = run_grid(list(trials.values()), progress=False)
    assert second["cached"].all()
    outcome = analysis.Outcome.collect({(name, 0): one for name, one in trials.items()}, first, corpus=corpus)
    for name in trials:
        (values,) = outcome.probabilities(name)
        assert values.shape == (len(corpus.rows("test")), 10)
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-5)


def test_held_out_singers_get_scores_of_their_own(tiny_vocalset, tiny_settings):
    corpus, trials = grid_of(tiny_settings.model_copy(update={"split": "held_out_singers"}), tiny_vocalset)
    results = run_grid([trials["crt_wc@0"]], progress=False)
    assert len(corpus.rows("valid")) > 0
    assert np.isfinite(results["valid_macro_f1"]).all()
    singers = corpus.table.groupby("split")["group"].unique()
    assert not set(singers["valid"]) & (set(singers["train"]) | set(singers["test"]))


def test_changed_data_is_refused_with_the_next_step(tiny_vocalset, tiny_settings):
    _, trials = grid_of(tiny_settings, tiny_vocalset)
    stale = trials["late"].parent.model_copy(update={"dataset": "another"})
    results = run_grid([stale], progress=False)
    assert results["status"].item() == "failed"
    assert "plan the trials again" in results["error"].item()
