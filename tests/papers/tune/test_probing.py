"""Probes on known representations: protocols, parts of the labels, songs, values, and what is scored."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from reprise.papers.tune import probing
from reprise.papers.tune.answers import answer
from reprise.papers.tune.embedding import EMBEDDING, Windows
from reprise.papers.tune.open_task import Task
from reprise.papers.tune.probing import label_subset, probe_configs, stopping_of
from reprise.papers.tune.trials import ClipsConfig, EncoderConfig, ProbeTrial, ProtocolConfig

SIZES = {"train": 60, "valid": 30, "test": 40}
CLIPS = ClipsConfig(dataset="invented", sample_rate=8000, purpose="task")
MEL = EncoderConfig(network=None, initialisation=None, tail=None, tail_initialisation=None, sample_rate=8000)


def protocol(**changes):
    given = {
        "name": "code", "kinds": ("linear", "mlp"), "windows": "one", "score": "auc", "batch_size": 16,
        "max_epochs": 30,
    }  # fmt: skip
    return ProtocolConfig(**(given | changes))


def trial(task="mtt", **changes):
    given = {
        "paper": "tune", "condition": f"x/{task}", "seed": 0, "dataset": "d", "system": "x", "task": task,
        "encoder": MEL, "clips": CLIPS, "n_samples": 10, "protocol": protocol(), "key_strategy": "mean",
    }  # fmt: skip
    return ProbeTrial(**(given | changes))


def task_of(config, *, kind, targets, signal, n_windows=1, classes=None, songs=1, layers=()):
    """A task whose features are its answers and noise, with several windows of each test clip."""
    rng = np.random.default_rng(0)
    rows, windows, features, first = {}, {}, {}, 0
    for side, n in SIZES.items():
        rows[side] = np.arange(first, first + n)
        count = n_windows if side == "test" else 1
        clips = np.repeat(np.arange(n), count)
        windows[side] = Windows(rows[side][clips], np.tile(np.arange(count) * 10, n), clips)
        values = signal[rows[side]][clips] + 0.5 * rng.standard_normal((n * count, signal.shape[1]))
        features[side] = {EMBEDDING: torch.from_numpy(values).float()}
        for number, block in enumerate(layers):
            noise = rng.standard_normal(values.shape) * number
            features[side][block] = torch.from_numpy(values + 3 * noise).float()
        first += n

    def songs_of(side):
        songs_here = np.arange(SIZES[side]) // songs
        return songs_here, rows[side][::songs]

    held = SimpleNamespace(
        kind=kind, targets=targets, classes=classes, songs=songs_of, name="invented", config=CLIPS
    )  # fmt: skip
    return Task(config, held, rows, windows, features, config.task != "mtt", "cpu")


def tagged(**options):
    rng = np.random.default_rng(1)
    targets = rng.random((130, 4)) < [0.5, 0.3, 0.2, 0.1]
    signal = np.concatenate([targets[:, :4] * 4.0, rng.standard_normal((130, 4))], axis=1)
    config = trial(**options.pop("config", {}))
    return task_of(config, kind="tags", targets=targets, signal=signal, classes=tuple("abcd"), **options)


def test_tags_are_scored_by_the_mean_probability_of_their_windows():
    task = tagged(n_windows=3, config={"protocol": protocol(score="loss", max_epochs=300)})
    metrics, arrays, notes = answer(task)
    assert notes == []
    truth = task.targets("test")
    np.testing.assert_array_equal(arrays["targets"], truth)
    np.testing.assert_array_equal(arrays["rows"], np.arange(90, 130))
    assert arrays["scores_linear"].shape == arrays["scores_mlp"].shape == (40, 4)
    for suffix, scores in (("", arrays["scores_linear"]), ("_mlp", arrays["scores_mlp"])):
        assert metrics[f"auc{suffix}"] == pytest.approx(roc_auc_score(truth, scores, average="macro"), abs=1e-4)
        assert metrics[f"ap{suffix}"] == pytest.approx(
            average_precision_score(truth, scores, average="macro"), abs=1e-4
        )
    assert metrics["auc/a"] == pytest.approx(roc_auc_score(truth[:, 0], arrays["scores_linear"][:, 0]), abs=1e-4)
    assert np.mean([metrics[f"ap/{tag}"] for tag in "abcd"]) == pytest.approx(metrics["ap"])
    probe = probing.train_kinds(task)["linear"]
    windows = torch.sigmoid(probe.outputs(task.features["test"][EMBEDDING])).view(40, 3, 4).mean(dim=1)
    np.testing.assert_allclose(arrays["scores_linear"], windows.numpy(), atol=1e-5)
    means = task.features["test"][EMBEDDING].view(40, 3, -1).mean(dim=1)
    np.testing.assert_allclose(arrays["embeddings"], means.numpy(), atol=1e-5)
    assert metrics["auc"] > 0.7


def test_fewer_labels_are_parts_of_more_and_all_of_them_are_the_probe_itself():
    task = tagged(config={"label_fractions": (0.1, 0.3, 1.0)})
    metrics, arrays, _ = answer(task)
    np.testing.assert_allclose(arrays["label_scores_100"], arrays["scores_linear"], atol=1e-3)
    assert metrics["auc_label_100"] == metrics["auc"]
    assert arrays["label_scores_10"].dtype == np.float32
    assert {"auc_label_10", "ap_label_10", "auc_label_30"} <= set(metrics)
    parts = [set(label_subset(60, fraction=fraction, seed=0)) for fraction in (0.001, 0.1, 0.3, 1.0)]
    assert [len(part) for part in parts] == [1, 6, 18, 60]
    assert all(small < large for small, large in pairwise(parts))
    assert set(label_subset(60, fraction=0.1, seed=1)) != parts[1]


def test_a_probe_of_few_labels_sees_no_other_clip():
    task = tagged(config={"label_fractions": (0.3,)})
    before = answer(task)[1]["label_scores_30"]
    unused = np.setdiff1d(np.arange(60), label_subset(60, fraction=0.3, seed=0))
    task.features["train"][EMBEDDING][unused] = 100.0
    np.testing.assert_array_equal(answer(task)[1]["label_scores_30"], before)


def test_training_windows_of_chosen_clips_come_along():
    """Two windows per training clip, the labels of a third: equal to a training set that has no others."""
    task = tagged(config={"protocol": protocol(windows="all", kinds=("linear",))})
    twice = np.repeat(np.arange(60), 2)
    task.windows["train"] = Windows(twice, np.zeros(120, int), twice)
    task.features["train"][EMBEDDING] = task.features["train"][EMBEDDING][twice]
    chosen = label_subset(60, fraction=0.3, seed=0)
    few = probing.subset_scores(task, 0.3)
    kept = np.isin(twice, chosen)
    task.rows["train"] = chosen
    task.features["train"][EMBEDDING] = task.features["train"][EMBEDDING][kept]
    task.windows["train"] = Windows(twice[kept], np.zeros(kept.sum(), int), np.repeat(np.arange(len(chosen)), 2))
    np.testing.assert_allclose(few, task.predict(probing.train_kinds(task)["linear"], "test"), atol=1e-6)


def test_every_block_has_a_probe_and_noise_makes_it_worse():
    metrics, arrays, _ = answer(tagged(config={"layers": True}, layers=("Bot-U", "Tail-1", "Tail-2")))
    assert list(arrays["layer_names"]) == ["Bot-U", "Tail-1", "Tail-2"]
    assert arrays["layer_scores"].shape == (3, 40, 4)
    assert metrics["auc_layer/Bot-U"] > metrics["auc_layer/Tail-2"]
    # the first block has no noise of its own: its probe is that of the representation
    assert metrics["auc_layer/Bot-U"] == pytest.approx(metrics["auc"], abs=1e-6)


def test_genres_are_answered_by_the_probe_that_validation_chooses():
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 3, 130)
    config = trial("gtzan", protocol=protocol(score="loss", windows="all", max_epochs=300))
    task = task_of(
        config, kind="classes", targets=targets, signal=6.0 * np.eye(3)[targets], classes=("a", "b", "c"), n_windows=2
    )
    metrics, arrays, _ = answer(task)
    right = (arrays["scores"].argmax(axis=1) == task.targets("test")).mean()
    assert metrics["gtzan_accuracy"] == right > 0.8
    assert metrics["gtzan_accuracy"] in (metrics["gtzan_accuracy_linear"], metrics["gtzan_accuracy_mlp"])
    np.testing.assert_allclose(arrays["scores"].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("strategy", ["mean", "vote", "chosen"])
def test_keys_are_answered_per_song(strategy):
    rng = np.random.default_rng(3)
    targets = np.repeat(rng.integers(0, 24, 65), 2)
    config = trial("key", protocol=protocol(score="key_score", windows="all"), key_strategy=strategy)
    task = task_of(
        config, kind="classes", targets=targets, signal=3.0 * np.eye(24)[targets], classes=tuple(range(24)), songs=2
    )
    metrics, arrays, _ = answer(task)
    np.testing.assert_array_equal(arrays["songs"], np.arange(40) // 2)
    np.testing.assert_array_equal(arrays["targets"], targets[90::2])
    assert arrays["answers"].shape == (20,)
    assert (arrays["answers"] == arrays["targets"]).mean() <= metrics["key_score"] <= 1
    if strategy == "mean":
        means = arrays["scores_linear"].reshape(20, 2, 24).mean(axis=1)
        np.testing.assert_array_equal(arrays["answers_linear"], means.argmax(axis=1))


def test_emotions_come_back_on_their_own_scale():
    rng = np.random.default_rng(4)
    signal = 4 * rng.standard_normal((130, 4))
    targets = 5 + signal[:, :2] / 2
    config = trial("emotion", protocol=protocol(score="r2", windows="all", max_epochs=150))
    metrics, arrays, _ = answer(task_of(config, kind="values", targets=targets, signal=signal))
    truth = targets[90:]
    assert abs(arrays["scores"].mean() - 5) < 1
    for column, name in enumerate(("arousal", "valence")):
        assert metrics[f"{name}_r2"] == pytest.approx(r2_score(truth[:, column], arrays["scores"][:, column]), abs=1e-4)
        assert metrics[f"{name}_r2"] > 0.5


def test_validation_clips_without_positives_leave_the_loss_to_decide():
    task = tagged()
    task.clips.targets[60:90] = False
    _, _, notes = answer(task)
    assert notes == ["The validation clips decide nothing: probes stop by the loss."]


def test_protocols_are_those_of_paper_code_and_supplement():
    paper, code, grid = (protocol(name=name) for name in ("paper", "code", "supplement"))
    (linear,), (mlp,) = (probe_configs(paper, kind, n_features=512, seed=3) for kind in ("linear", "mlp"))
    assert (linear.hidden, linear.lr, linear.weight_decay, linear.seed) == (None, 3e-4, 1e-6, 3)
    assert mlp.hidden == 512
    assert probe_configs(code, "linear", n_features=512, seed=0)[0].lr == 1e-3
    assert [len(probe_configs(grid, kind, n_features=256, seed=0)) for kind in ("linear", "mlp")] == [108, 108]
    assert (stopping_of(paper).patience, stopping_of(paper).max_epochs) == (5, 30)
    assert (stopping_of(code).patience, stopping_of(code).plateau) == (10, 5)
    assert (stopping_of(grid).patience, stopping_of(grid).every) == (256, 8)


def test_macro_scores_leave_out_tags_that_have_none():
    rng = np.random.default_rng(5)
    scores, targets = rng.random((30, 3)), rng.random((30, 3)) < 0.4
    targets[:, 2] = False
    auc, _ = probing.macro(scores, targets)
    n = targets[:, :2].sum(axis=0)
    ranks = rankdata(scores[:, :2], axis=0)
    expected = [(ranks[targets[:, k], k].sum() - n[k] * (n[k] + 1) / 2) / (n[k] * (30 - n[k])) for k in range(2)]
    assert auc == pytest.approx(np.mean(expected))
    assert np.isnan(probing.macro(scores, np.zeros((30, 3), bool))[0])
