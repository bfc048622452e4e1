"""Trials of the tagging paper on tiny clips: results, resuming, determinism, parents, stored encoders."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from reprise.papers.tune import experiment, pretraining
from reprise.papers.tune.encoders import build_model
from reprise.papers.tune.trials import TrialKey
from reprise.runs import Store, TrialContext, TrialResult, run_grid

CURVES = ["epoch", "step", "loss", "valid_loss", "pair_accuracy", "lr"]


def key(stage="pretrain", condition="vanilla_small", seed=0):
    return TrialKey(condition, stage, seed)


def run(trial, folder, store=None):
    folder.mkdir(parents=True, exist_ok=True)
    context = TrialContext(folder=folder, device="cpu", store=store or Store(folder / "store"))
    runner = experiment.run_pretraining if key().stage in trial.condition else experiment.run_probes
    return runner(trial, context)


def assert_same(a, b):
    assert (a.weights is None) == (b.weights is None)
    for name in a.weights or {}:
        assert torch.equal(a.weights[name], b.weights[name]), name
    assert a.arrays.keys() == b.arrays.keys()
    for name in a.arrays:
        np.testing.assert_array_equal(a.arrays[name], b.arrays[name])
    if a.curves is not None:
        np.testing.assert_array_equal(a.curves[CURVES], b.curves[CURVES])


@pytest.mark.slow
def test_the_whole_grid_runs_and_gives_what_is_promised(grid, tmp_path):
    collection, trials = grid()
    store = Store(tmp_path)
    results = run_grid(trials.values(), store=store, progress=False)
    assert set(results["status"]) == {"done"}, results["error"].tolist()
    metrics = {"gtzan": ["gtzan_accuracy"], "key": ["key_score"], "emotion": ["arousal_r2", "valence_r2"]}
    for which, trial in trials.items():
        stored = store.find(trial)
        assert experiment.config_of(stored).fingerprint() == trial.fingerprint()
        if which.stage == "pretrain":
            assert list(stored.curves["step"]) == [2, 4]
            assert math.isfinite(stored.metrics["pretrain_loss"])
            continue
        clips = collection.tasks[which.stage]
        np.testing.assert_array_equal(stored.arrays["rows"], clips.rows("test"))
        assert len(stored.arrays["embeddings"]) == len(clips.rows("test"))
        for name in metrics.get(which.stage, ["auc", "ap", "auc_mlp", "ap_mlp", "auc_label_30", "auc_label_100"]):
            assert math.isfinite(stored.metrics[name]), (which, name)
    assert "auc_layer/Tail-4" in store.find(trials[key("mtt")]).metrics
    assert run_grid(trials.values(), store=store, progress=False)["cached"].all()


def test_an_encoder_is_pre_trained_probed_and_stored(grid, tmp_path):
    collection, trials = grid(layer_systems=())
    store = Store(tmp_path)
    results = run_grid([trials[key("mtt")]], store=store, progress=False)
    assert list(results["status"]) == ["done"], results["error"].tolist()
    training, probe = store.find(trials[key()]), store.find(trials[key("mtt")])
    assert training.metrics["steps"] == 4
    assert training.metrics["n_parameters"] == probe.metrics["n_parameters"] == 339_258
    encoder, clips = experiment.load_encoder(training), collection.tasks["mtt"]
    assert not encoder.training
    for place, row in enumerate(clips.rows("test")[:3]):
        audio = clips.bank.batch([row], length=int(clips.bank.lengths[row]))
        found = experiment.embed(encoder, audio, n_samples=2187)
        np.testing.assert_allclose(found[0], probe.arrays["embeddings"][place], rtol=1e-4, atol=1e-5)
    model = experiment.load_contrastive(training)
    window = audio[:, :2187]
    assert model(window).shape == (1, 64)
    torch.testing.assert_close(model.encoder(window), encoder(window))
    with pytest.raises(ValueError, match="holds probes, which have no encoder of their own"):
        experiment.load_encoder(probe)


@pytest.mark.parametrize("changes", [{}, {"nt_xent_groups": 1, "views": "clmr_v1"}])
def test_equal_trials_give_equal_bits_and_other_seeds_others(grid, tmp_path, changes):
    trial = grid(**changes)[1][key()]
    first, second = (run(trial, tmp_path / name) for name in "ab")
    assert_same(first, second)
    other = run(grid(seed=1, **changes)[1][key(seed=1)], tmp_path / "c")
    assert not torch.equal(first.weights["encoder.tail.0.0.weight"], other.weights["encoder.tail.0.0.weight"])


def test_equal_probes_give_equal_bits(grid, tmp_path):
    trial = grid()[1][key("mtt", "mel_statistics")]
    assert_same(*(run(trial, tmp_path / name) for name in "ab"))


def test_a_killed_pre_training_goes_on_to_the_same_bits(grid, tmp_path, monkeypatch):
    trial = grid(epochs=3, epochs_middle=3)[1][key()]
    whole = run(trial, tmp_path / "whole")
    real, calls = pretraining.pair_accuracy, []

    def dies(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(pretraining, "pair_accuracy", dies)
    with pytest.raises(KeyboardInterrupt):
        run(trial, tmp_path / "killed")
    monkeypatch.setattr(pretraining, "pair_accuracy", real)
    assert_same(run(trial, tmp_path / "killed"), whole)


def test_a_longer_training_begins_like_a_shorter_one(grid, tmp_path):
    trial = grid()[1][key()]
    short = run(trial.model_copy(update={"epochs": 1}), tmp_path / "short")
    long = run(trial, tmp_path / "long")
    np.testing.assert_array_equal(short.curves[CURVES], long.curves[CURVES][:1])


def test_a_baseline_is_probed_without_training(grid, tmp_path):
    _, trials = grid(baselines=("untrained", "mel_statistics"))
    trial = trials[key("mtt", "mel_statistics")]
    assert trial.requires() == []
    result = run(trial, tmp_path)
    assert result.arrays["embeddings"].shape[1] == 256
    assert result.metrics["n_parameters"] == 0
    assert trials[key("mtt", "untrained")].encoder.network == "TUNe+"


def test_test_clips_are_never_trained_on(grid, monkeypatch, tmp_path):
    collection, trials = grid()
    used = []
    real = pretraining.Pairs.views

    def spied(self, rows, *place):
        used.extend(self.bank.table["clip_id"].iloc[rows])
        return real(self, rows, *place)

    monkeypatch.setattr(pretraining.Pairs, "views", spied)
    run(trials[key()], tmp_path)
    task = collection.mtt
    assert used
    assert not set(used) & set(task.table["clip_id"].iloc[task.rows("test")])


def test_a_clmr_tail_takes_the_encoder_of_its_parent(grid, tmp_path, monkeypatch):
    _, trials = grid(systems=("clmr", "clmr_tail"), transfer_systems=())
    trial, store = trials[key(condition="clmr_tail")], Store(tmp_path / "runs")
    given = {name: value + 1 for name, value in build_model(trial.parent).state_dict().items()}
    with store.claim(trial.parent):
        store.commit(trial.parent, TrialResult({}, weights=given), seconds=1.0)
    learnt = []

    def trained(model, *_, **__):
        learnt.extend(name for name, value in model.named_parameters() if value.requires_grad)
        row = dict.fromkeys(("loss", "valid_loss", "pair_accuracy", "seconds", "step"), 1.0)
        return pd.DataFrame([row]), []

    monkeypatch.setattr(experiment, "pretrain", trained)
    result = run(trial, tmp_path, store)
    for name, value in given.items():
        if name.startswith("encoder."):
            assert torch.equal(result.weights[name.replace("encoder.", "encoder.tail.", 1)], value)
    assert learnt
    assert not any(name.startswith("encoder.tail.") for name in learnt)


def test_changed_and_missing_data_are_refused(grid, tmp_path):
    trial = grid()[1][key()]
    with pytest.raises(ValueError, match="has changed since this trial was planned"):
        run(trial.model_copy(update={"dataset": "0" * 64}), tmp_path)
    with pytest.raises(ValueError, match="no folder of clips"):
        run(trial.model_copy(update={"data_root": None}), tmp_path)
