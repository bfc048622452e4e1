"""Trials of the vocoder paper on tiny songs: results, resuming, determinism, children, stored networks."""

import math

import numpy as np
import pytest
import torch

from reprise.papers.sawsing import experiment, training
from reprise.papers.sawsing.conditions import conditions
from reprise.papers.sawsing.scoring import PIECE_METRICS, score
from reprise.papers.sawsing.trials import TrialKey
from reprise.runs import Store, TrialContext, run_grid

CURVES = ["epoch", "step", "loss", "lr", "valid_msstft", "valid_f0_loss"]


@pytest.fixture
def grid(open_sung, tiny_settings):
    """Collection and trials of settings with some changes."""

    def make(*, seed=0, **changes):
        settings = type(tiny_settings).model_validate(tiny_settings.model_dump() | changes)
        collection = open_sung(settings)
        return collection, conditions(settings, collection, seeds=[seed], device="cpu")

    return make


def key(system, scenario="regular", seed=0):
    return TrialKey(system, scenario, "female1", seed)


def run(trial, folder):
    folder.mkdir(parents=True, exist_ok=True)
    return experiment.run_trial(trial, TrialContext(folder=folder, device="cpu", store=Store(folder / "store")))


def assert_same(a, b):
    assert a.weights.keys() == b.weights.keys()
    for name in a.weights:
        assert torch.equal(a.weights[name], b.weights[name]), name
    for name in a.arrays:
        np.testing.assert_array_equal(a.arrays[name], b.arrays[name])
    np.testing.assert_array_equal(a.curves[CURVES], b.curves[CURVES])


@pytest.mark.slow
def test_every_system_runs_and_gives_what_is_promised(grid, tmp_path):
    collection, trials = grid()
    store = Store(tmp_path)
    results = run_grid(trials.values(), store=store, progress=False)
    assert set(results["status"]) == {"done"}, results["error"].tolist()
    songs = collection.singers["female1"]
    for which, trial in trials.items():
        stored = store.find(trial)
        assert {*PIECE_METRICS, "fad", "steps", "n_parameters", "seconds_per_step"} <= set(stored.metrics)
        assert math.isfinite(stored.metrics["msstft"])
        assert set(stored.arrays["piece_song"]) == set(songs.rows("test"))
        if trial.parent is None:
            assert list(stored.curves["step"]) == [*range(2, trial.training.steps, 2), trial.training.steps]
            assert math.isfinite(stored.metrics["msstft_early"])
        assert experiment.config_of(stored).fingerprint() == trial.fingerprint()
        assert not any("discriminator" in name for name in stored.weights()), which
    assert run_grid(trials.values(), store=store, progress=False)["cached"].all()


def test_a_vocoder_is_trained_scored_and_stored(grid, tmp_path):
    collection, trials = grid()
    trial, store = trials[key("sawsing")], Store(tmp_path)
    results = run_grid([trial], store=store, progress=False)
    assert list(results["status"]) == ["done"], results["error"].tolist()
    stored, songs = store.find(trial), collection.singers["female1"]
    assert stored.metrics["steps"] == 3
    assert stored.metrics["n_parameters"] == 536_034
    assert list(stored.curves.columns) == ["epoch", "step", "loss", "lr", "seconds", "valid_msstft", "valid_f0_loss"]
    assert list(stored.curves["step"]) == [2, 3]
    assert stored.metrics["msstft_early"] == pytest.approx(stored.curves["valid_msstft"].iloc[0])
    assert any("no validation song" in note for note in stored.provenance["notes"])
    again = score(experiment.load_network(stored), songs, config=trial)
    for name, values in again.items():
        np.testing.assert_allclose(values, stored.arrays[name], rtol=1e-4, atol=1e-6)
    row = int(songs.rows("test")[0])
    output = experiment.resynthesis(stored, songs, row=row)
    assert output.audio.shape == (1, songs.mel(row, trial.mel).shape[0] * 240)
    assert torch.equal(output.audio, experiment.resynthesis(stored, songs, row=row).audio)


@pytest.mark.parametrize("system", ["sawsing", pytest.param("pwg", marks=pytest.mark.slow)])
def test_equal_trials_give_equal_bits_and_other_seeds_others(grid, tmp_path, system):
    _, trials = grid()
    first, second = (run(trials[key(system)], tmp_path / name) for name in "ab")
    assert_same(first, second)
    other = run(grid(seed=1)[1][key(system, seed=1)], tmp_path / "c")
    assert any(not torch.equal(first.weights[name], other.weights[name]) for name in first.weights)


@pytest.mark.parametrize(
    ("system", "selection"),
    [
        ("sawsing", "best"),
        pytest.param("pwg", "last", marks=pytest.mark.slow),
        pytest.param("hifigan", "best", marks=pytest.mark.slow),
        pytest.param("fastdiff", "last", marks=pytest.mark.slow),
    ],
)
def test_a_killed_trial_goes_on_to_the_same_bits(grid, tmp_path, monkeypatch, system, selection):
    _, trials = grid(selection=selection, steps_regular=4, early_steps=1, valid_every=2)
    trial = trials[key(system)]
    whole = run(trial, tmp_path / "whole")
    real, calls = training.validate, []

    def dies(*args, **options):
        calls.append(options["step"])
        if options["step"] == 4:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(training, "validate", dies)
    with pytest.raises(KeyboardInterrupt):
        run(trial, tmp_path / "killed")
    assert calls == [1, 2, 4]
    monkeypatch.setattr(training, "validate", real)
    assert_same(run(trial, tmp_path / "killed"), whole)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(grid, tmp_path, monkeypatch):
    values = iter([3.0, 1.0, 2.0])
    seen = []

    def told(network, *_, **__):
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"valid_msstft": next(values), "valid_f0_loss": 0.0}

    monkeypatch.setattr(training, "validate", told)
    _, trials = grid(selection="best", early_steps=1)
    result = run(trials[key("sawsing")], tmp_path)
    assert list(result.curves["valid_msstft"]) == [3, 1, 2]
    for name, value in result.weights.items():
        assert torch.equal(value, seen[1][name])


def test_children_use_the_weights_of_their_parent(grid, tmp_path):
    _, trials = grid(n_noise=1)
    store = Store(tmp_path)
    chosen = [trials[key(name)] for name in ("sawsing_debuzz", "sawsing_single")]
    results = run_grid(chosen, store=store, progress=False)
    assert list(results["status"]) == ["done"] * 2, results["error"].tolist()
    parent = store.find(trials[key("sawsing")])
    for trial in chosen:
        stored = store.find(trial)
        for name, value in parent.weights().items():
            assert torch.equal(value, stored.weights()[name])
        assert stored.metrics["steps"] == 3
        assert math.isnan(stored.metrics["valid_msstft"])
        assert stored.curves.empty
    single = store.find(chosen[1])
    assert single.metrics["msstft"] == pytest.approx(parent.metrics["msstft"], rel=1e-2)
    assert experiment.load_network(single).phase_precision == "single"


def test_test_songs_are_never_trained_or_validated_on(grid, tmp_path, monkeypatch):
    collection, trials = grid()
    songs = collection.singers["female1"]
    test_rows, used = set(songs.rows("test")), []
    real = training.Crops.batch

    def spied(self, step):
        used.extend(self.rows)
        return real(self, step)

    monkeypatch.setattr(training.Crops, "batch", spied)
    real_validate = training.validate

    def watched(network, songs, rows, **options):
        used.extend(rows)
        return real_validate(network, songs, rows=rows, **options)

    monkeypatch.setattr(training, "validate", watched)
    run(trials[key("sawsing", "limited")], tmp_path)
    assert used
    assert not test_rows & set(used)


def test_changed_and_missing_data_are_refused(grid, tmp_path):
    trial = grid()[1][key("sawsing")]
    with pytest.raises(ValueError, match="has changed since this trial was planned"):
        run(trial.model_copy(update={"dataset": "0" * 64}), tmp_path)
    with pytest.raises(ValueError, match="no folder of songs"):
        run(trial.model_copy(update={"data_root": None}), tmp_path)
