"""Trials of the instrument paper on tiny data sets: results, best weights, resuming, determinism, optimisers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from reprise.models.instrument import InstrumentAST
from reprise.papers.irmas import experiment
from reprise.papers.irmas.batches import training_batches
from reprise.papers.irmas.conditions import SYSTEMS, conditions
from reprise.papers.irmas.inputs import Inputs
from reprise.papers.irmas.networks import build_network, build_optimiser, load_network
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.trials import DataSets, OptimiserConfig
from reprise.runs import Store, TrialContext, run_grid
from reprise.stats.multilabel import multilabel_metrics, strongest_is_one


def trials_of(open_small, settings, *, seed=0, folder=None, everything=False):
    collection = open_small(settings) if folder is None else open_small(settings, folder)
    made = conditions(settings, seed=seed, sets=collection.sets, device="cpu", everything=everything)
    return collection, made


def run(trial, folder):
    folder.mkdir(parents=True, exist_ok=True)
    return experiment.run_trial(trial, TrialContext(folder=folder, device="cpu", store=Store(folder / "store")))


def assert_same(a, b):
    assert a.weights.keys() == b.weights.keys()
    for name in a.weights:
        assert torch.equal(a.weights[name], b.weights[name]), name
    for name in a.arrays:
        np.testing.assert_array_equal(a.arrays[name], b.arrays[name])
    columns = ["epoch", "loss", "lr", "valid_loss"]
    np.testing.assert_array_equal(a.curves[columns], b.curves[columns])


def test_every_system_runs_and_gives_what_is_promised(open_small, small_settings):
    collection, trials = trials_of(open_small, small_settings)
    assert set(trials) == set(SYSTEMS)
    results = run_grid(list(trials.values()), progress=False)
    assert list(results["status"]) == ["done"] * len(SYSTEMS), results["error"].dropna().tolist()
    for (name, trial), (_, row) in zip(trials.items(), results.iterrows(), strict=True):
        stored = Store().find(trial)
        for set_name, side in (("irmas", "valid"), ("irmas", "test"), ("audioset", "valid"), ("audioset", "test")):
            scores = stored.arrays[f"{set_name}_{side}_scores"]
            assert scores.shape == (len(collection.corpus(set_name).rows(side)), 11)
            assert scores.dtype == np.float32
            assert ((scores >= 0) & (scores <= 1)).all()
        other = "irmas" if trial.trained_on == "audioset" else "audioset"
        metrics = {"hamming", "exact_match", "macro_f1", "macro_precision", "macro_recall", "micro_f1", "macro_auc"}
        needed = metrics | {f"valid_{one}" for one in metrics} | {f"{other}_{one}" for one in metrics}
        assert needed | {"seconds_per_epoch", "n_parameters"} <= set(stored.metrics), name
        own = collection.corpus(trial.trained_on)
        expected = multilabel_metrics(
            strongest_is_one(stored.arrays[f"{trial.trained_on}_test_scores"]), own.targets[own.rows("test")].numpy()
        )
        assert row["macro_f1"] == pytest.approx(expected["macro_f1"])
        assert list(stored.curves.columns) == ["epoch", "loss", "lr", "valid_loss", "seconds"]
    again = run_grid(list(trials.values()), progress=False)
    assert again["cached"].all()
    _stored_network_gives_the_stored_scores(collection, trials["cnn_mfcc"])


def _stored_network_gives_the_stored_scores(collection, trial):
    stored = Store().find(trial)
    inputs = Inputs(collection.irmas, trial.inputs, trial.augment, "cpu")
    with torch.no_grad():
        scores = experiment.clip_scores(load_network(stored), inputs, corpus=collection.irmas, side="test")
    np.testing.assert_allclose(scores.numpy(), stored.arrays["irmas_test_scores"], atol=1e-5)


@pytest.mark.parametrize("system", ["ast_high_l2", "cnn_features", "tds4_1s"])
def test_a_resumed_trial_ends_with_the_same_bits(open_small, small_settings, system, tmp_path, monkeypatch):
    settings = small_settings.model_copy(update={"epochs": 3, "batch_size": 4})
    _, trials = trials_of(open_small, settings)
    whole = run(trials[system], tmp_path / "whole")
    interrupted = []

    def stop_once(config, inputs, *, epoch, augmented=True):
        for number, batch in enumerate(training_batches(config, inputs, epoch=epoch, augmented=augmented)):
            if epoch == 2 and number == 1 and augmented and not interrupted:
                interrupted.append(epoch)
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(experiment, "training_batches", stop_once)
    with pytest.raises(KeyboardInterrupt):
        run(trials[system], tmp_path / "parts")
    resumed = run(trials[system], tmp_path / "parts")
    assert interrupted == [2]
    assert_same(whole, resumed)


@pytest.mark.parametrize(("selection", "expected"), [("best", 1), ("last", 2)])
def test_the_weights_of_the_lowest_validation_loss_are_kept(
    open_small, small_settings, tmp_path, monkeypatch, selection, expected
):
    settings = small_settings.model_copy(update={"epochs": 3, "selection": selection, "systems": ("cnn_features",)})
    _, trials = trials_of(open_small, settings)
    seen, losses = [], iter([2.0, 1.0, 3.0])
    offer = experiment._Best.offer

    def remember(self, model, *, epoch, loss):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        offer(self, model, epoch=epoch, loss=loss)

    monkeypatch.setattr(experiment, "s2_loss", lambda scores, targets: next(losses))
    monkeypatch.setattr(experiment._Best, "offer", remember)
    result = run(trials["cnn_features"], tmp_path)
    assert result.curves["valid_loss"].tolist() == [2.0, 1.0, 3.0]
    assert all(torch.equal(result.weights[name], value) for name, value in seen[expected].items())
    assert not all(torch.equal(seen[1][name], seen[2][name]) for name in seen[1])


def test_validation_loss_is_that_of_the_stored_scores(open_small, small_settings, tmp_path):
    settings = small_settings.model_copy(update={"epochs": 2})
    collection, trials = trials_of(open_small, settings)
    result = run(trials["resnet_3s"], tmp_path)
    corpus = collection.irmas
    scores = torch.from_numpy(result.arrays["irmas_valid_scores"])
    loss = experiment.s2_loss(scores, corpus.targets[corpus.rows("valid")])
    assert loss == pytest.approx(result.curves["valid_loss"].min(), abs=1e-5)


@pytest.mark.parametrize("system", ["bspds5_1s", "ast_low_l2"])
def test_same_seed_same_bits_and_another_seed_others(open_small, small_settings, system, tmp_path):
    results = []
    for index, seed in enumerate((0, 0, 1)):
        _, trials = trials_of(open_small, small_settings, seed=seed)
        results.append(run(trials[system], tmp_path / str(index)))
    assert_same(results[0], results[1])
    assert not np.array_equal(results[0].arrays["irmas_test_scores"], results[2].arrays["irmas_test_scores"])


def test_s2_loss_is_cross_entropy_with_a_floor():
    scores = torch.tensor([[0.2, 0.4, 0.1], [0.3, 0.06, 0.15]])
    targets = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    relative = np.array([[0.5, 1.0, 0.25], [1.0, 0.2, 0.5]])
    # the logarithm of zero counts as −100
    terms = [-np.log(0.5), 0.0, -np.log(0.75), 100.0, -np.log(0.2), -np.log(0.5)]
    assert experiment.s2_loss(scores, targets) == pytest.approx(np.mean(terms), rel=1e-5)
    assert relative.max(axis=1).tolist() == [1.0, 1.0]
    wrong_top = experiment.s2_loss(torch.eye(11)[:1], torch.eye(11)[1:2])
    assert wrong_top == pytest.approx(200 / 11)


class TestOptimiser:
    def test_l2_is_added_to_the_gradient_before_the_moments(self):
        weight = torch.tensor([0.5, -2.0, 3.0])
        layer = nn.Linear(3, 1, bias=False)
        layer.weight.data[:] = weight
        config = OptimiserConfig(rates=((0.1, 0.01),), weight_decays=(0.3,), decay_power=1.0, warmup=0.0)
        optimiser, schedule = build_optimiser(layer, config, updates=5)
        theta, m, v = weight.double().numpy(), np.zeros(3), np.zeros(3)
        for step in range(1, 6):
            x = torch.tensor([[1.0, -1.0, 0.5]]) * step
            optimiser.zero_grad()
            layer(x).square().sum().backward()
            optimiser.step()
            rate = 0.01 + 0.09 * (1 - (step - 1) / 5)
            schedule.step()
            gradient = 2 * (theta @ x[0].double().numpy()) * x[0].double().numpy() + 0.3 * theta
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            theta = theta - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
            np.testing.assert_allclose(layer.weight.detach()[0], theta, rtol=2e-4)

    def test_one_optimiser_with_two_groups_is_two_optimisers(self):
        settings = Settings(ast_layers=1, ast_width=24, ast_heads=2, max_ast_frames=40)
        trial = conditions(settings, seed=0, sets=DataSets(irmas="i"))["ast_high_l2"]
        ours, theirs = (build_network(trial.network, seed=3) for _ in range(2))
        optimiser, schedule = build_optimiser(ours, trial.optimiser, updates=6)
        assert isinstance(theirs, InstrumentAST)
        base = torch.optim.Adam(theirs.base_parameters(), lr=2e-5, weight_decay=1e-4)
        head = torch.optim.Adam(theirs.head_parameters(), lr=1e-3, weight_decay=1e-3)
        x = torch.randn(2, 128, 40, generator=torch.Generator().manual_seed(0))
        for update in range(6):
            for model in (ours, theirs):
                model.eval()
                model.zero_grad()
                model(x).square().mean().backward()
            for group, first, last in ((base, 2e-5, 2e-6), (head, 1e-3, 1e-4)):
                group.param_groups[0]["lr"] = last + (first - last) * (1 - update / 6) ** 0.7
                group.step()
            optimiser.step()
            schedule.step()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)

    def test_rates_follow_the_papers_formula(self):
        config = OptimiserConfig(rates=((2e-4, 1e-6),), weight_decays=(0.0,), decay_power=0.7, warmup=0.05)
        optimiser, schedule = build_optimiser(nn.Linear(1, 1), config, updates=100)
        rates = []
        for _ in range(100):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        t = np.arange(100)
        decay = 1e-6 + (2e-4 - 1e-6) * (1 - np.maximum(t - 5, 0) / 95) ** 0.7
        np.testing.assert_allclose(rates, np.where(t < 5, 2e-4 * t / 5, decay), rtol=1e-9)


def test_batch_norm_statistics_are_the_plain_average_over_training_batches(open_small, small_settings):
    collection, trials = trials_of(open_small, small_settings)
    trial = trials["cnn_raw"]
    inputs = Inputs(collection.irmas, trial.inputs, trial.augment, "cpu")
    model = build_network(trial.network, seed=0)
    first = model.blocks[0]
    experiment._recalculate(model, config=trial, inputs=inputs)
    assert not model.training
    means = []
    for windows, _ in training_batches(trial, inputs, epoch=0, augmented=False):
        with torch.no_grad():
            means.append(torch.relu(first[0](windows[:, None])).mean(dim=(0, 2)))
    torch.testing.assert_close(first[2].running_mean, torch.stack(means).mean(dim=0), rtol=1e-3, atol=1e-4)
    assert first[2].momentum == 0.1


def test_running_averages_are_left_alone(open_small, small_settings):
    settings = small_settings.model_copy(update={"batch_norm_statistics": "running"})
    collection, trials = trials_of(open_small, settings)
    trial = trials["cnn_features"]
    model = build_network(trial.network, seed=0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = Inputs(collection.irmas, trial.inputs, trial.augment, "cpu")
    experiment._recalculate(model, config=trial, inputs=inputs)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_last_batch_of_test_clips_can_be_left_out(open_small, small_settings, tmp_path):
    settings = small_settings.model_copy(update={"drop_last": True, "batch_size": 4, "systems": ("cnn_features",)})
    collection, trials = trials_of(open_small, settings)
    result = run(trials["cnn_features"], tmp_path)
    corpus, scores = collection.irmas, result.arrays["irmas_test_scores"]
    assert len(scores) == 7
    targets = corpus.targets[corpus.rows("test")].numpy()
    expected = multilabel_metrics(strongest_is_one(scores)[:4], targets[:4])
    assert result.metrics["hamming"] == pytest.approx(expected["hamming"])


def test_notes_are_trained_and_tested_on(notes_folder, open_small, small_settings, tmp_path):
    collection, trials = trials_of(open_small, small_settings, folder=notes_folder)
    result = run(trials["resnet_1s"], tmp_path)
    assert result.arrays["irmas_test_scores"].shape == (len(collection.irmas.rows("test")), 3)
    assert "audioset_test_scores" not in result.arrays


def test_changed_data_and_missing_folders_are_refused(open_small, small_settings):
    _, trials = trials_of(open_small, small_settings)
    trial = trials["cnn_features"]
    stale = trial.model_copy(update={"sets": trial.sets.model_copy(update={"irmas": "another"})})
    nowhere = trial.model_copy(update={"seed": 9, "sets": trial.sets.model_copy(update={"irmas_root": None})})
    results = run_grid([stale, nowhere], progress=False)
    assert results["status"].tolist() == ["failed", "failed"]
    assert "plan the trials again" in results["error"][0]
    assert "Collection.sets" in results["error"][1]


def test_lost_best_weights_are_named(tmp_path):
    with pytest.raises(RuntimeError, match="no best weights"):
        experiment._Best(tmp_path).restore(nn.Linear(1, 1))


def test_full_size_networks_have_the_papers_numbers_of_parameters():
    trials = conditions(Settings(), seed=0, sets=DataSets(irmas="i", audioset="a"))
    expected = {
        "cnn_raw": 180_427,
        "cnn_mfcc": 879_275,
        "cnn_features": 114_859,
        "resnet_1s": 23_530_571,
    }
    for name, count in expected.items():
        model = build_network(trials[name].network, seed=0)
        assert sum(value.numel() for value in model.parameters()) == count
    assert SimpleNamespace(**trials["ast_high_l2"].network.model_dump()).layers == 12
