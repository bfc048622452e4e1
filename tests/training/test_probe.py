"""Probes against torch's own layers and Adam, alone and in company, and when they stop."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from reprise.seeds import torch_generator
from reprise.stats.songs import best_strategy, song_key_score
from reprise.stats.tagging import key_points, tag_scores
from reprise.training.loop import batch_order
from reprise.training.probe import (
    SCORES,
    STOPPING,
    Examples,
    ProbeConfig,
    Stopping,
    best_probe,
    supplement_grid,
    train_probes,
)
from reprise.training.probe_stack import ProbeStack

N, R, C = 60, 7, 3
LAST = Stopping(max_epochs=4, patience=100)


def features(n=N, *, seed=0):
    return torch.randn(n, R, generator=torch.Generator().manual_seed(seed)).abs()


def targets_of(kind, n=N, *, seed=0):
    mixing = torch.eye(R, C) + 0.3 * torch.randn(R, C, generator=torch.Generator().manual_seed(99))
    hidden = features(n, seed=seed) @ mixing
    return {"tags": (hidden > hidden.median(dim=0).values).int(), "classes": hidden.argmax(dim=1), "values": hidden}[
        kind
    ]


def examples(kind, *, n=N, seed=0):
    return Examples(features(n, seed=seed), targets_of(kind, n, seed=seed))


def always_better():
    """Scores that rise from call to call, so that the last weights are kept."""
    count = iter(range(10_000))
    return lambda _predictions, _targets: next(count)


def torch_probe(config, kind, data, *, epochs):
    """The same probe by torch.nn and torch.optim."""
    sizes = [R, *([] if config.hidden is None else [config.hidden]), C]
    generator, layers = torch_generator(config.seed, "probe", "weights"), []
    for before, after in pairwise(sizes):
        layer = nn.Linear(before, after)
        for value, rows in ((layer.weight, before), (layer.bias, 1)):
            first = (2 * torch.rand(rows, after, generator=generator) - 1) / before**0.5
            value.data.copy_(first.T.reshape(value.shape))
        layers += [layer, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    x, y = data.features, data.targets
    if config.standardise:
        x = (x - x.mean(dim=0)) / x.std(dim=0, unbiased=False)
    loss_fn = {"tags": nn.BCEWithLogitsLoss(), "classes": nn.CrossEntropyLoss(), "values": nn.MSELoss()}[kind]
    y = y if kind == "classes" else y.float()
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    for epoch in range(epochs):
        for rows in batch_order(len(x), batch_size=config.batch_size, seed=config.seed, epoch=epoch):
            optimizer.zero_grad()
            loss_fn(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model(x).detach()


@pytest.mark.parametrize("kind", ["tags", "classes", "values"])
@pytest.mark.parametrize("hidden", [None, 5])
@pytest.mark.parametrize("standardise", [False, True])
def test_each_probe_is_what_torchs_layers_and_adam_make(kind, hidden, standardise):
    data = examples(kind)
    configs = [
        ProbeConfig(hidden=hidden, lr=lr, weight_decay=decay, batch_size=16, standardise=standardise, seed=seed)
        for lr, decay, seed in ((1e-2, 0.0, 0), (3e-3, 0.1, 0), (1e-2, 1e-3, 5))
    ]
    probes = train_probes(data, data, configs=configs, kind=kind, score=always_better(), stopping=LAST)
    for config, probe in zip(configs, probes, strict=True):
        expected = torch_probe(config, kind, data, epochs=4)
        torch.testing.assert_close(probe.outputs(data.features), expected, rtol=1e-4, atol=1e-5)


def test_company_changes_no_probe():
    data, valid = examples("tags"), examples("tags", seed=1)
    configs = [
        ProbeConfig(hidden=hidden, lr=lr, dropout=dropout, batch_size=size, seed=seed, standardise=size == 8)
        for hidden, lr, dropout, size, seed in (
            (None, 1e-1, 0.0, 8, 0),
            (None, 1e-2, 0.5, 8, 1),
            (4, 1e-2, 0.25, 16, 0),
            (None, 1e-3, 0.5, 8, 0),
            (4, 3e-2, 0.5, 16, 1),
        )
    ]
    stopping = Stopping(patience=3, max_epochs=25)
    together = train_probes(data, valid, configs=configs, kind="tags", stopping=stopping)
    stops = {len(probe.curve) for probe in together}
    assert len(stops) > 1
    for config, probe in zip(configs, together, strict=True):
        alone = train_probes(data, valid, configs=[config], kind="tags", stopping=stopping)[0]
        assert len(probe.curve) == len(alone.curve)
        torch.testing.assert_close(probe.outputs(data.features), alone.outputs(data.features), rtol=1e-3, atol=1e-4)


def test_the_same_call_gives_the_same_bits_and_leaves_torchs_generator_alone():
    data = examples("classes")
    configs = [ProbeConfig(hidden=4, dropout=0.5, lr=1e-2, seed=seed) for seed in (0, 1)]
    state = torch.get_rng_state()
    one, other = (train_probes(data, data, configs=configs, kind="classes", stopping=LAST) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(one, other, strict=True):
        assert a.curve.equals(b.curve)
        assert torch.equal(a.outputs(data.features), b.outputs(data.features))
    assert not torch.allclose(one[0].outputs(data.features), one[1].outputs(data.features))


def test_a_linear_probe_finds_the_logistic_regression():
    data = examples("tags", n=200)
    config = ProbeConfig(lr=0.05, weight_decay=0.0, batch_size=200)
    stopping = Stopping(patience=600, max_epochs=600)
    noisy = data.targets.clone()
    noisy[::5] = 1 - noisy[::5]
    flipped = Examples(data.features, noisy)
    probe = train_probes(flipped, flipped, configs=[config], kind="tags", stopping=stopping)[0]
    for tag in range(C):
        model = LogisticRegression(C=1e6, tol=1e-8).fit(data.features.numpy(), noisy[:, tag].numpy())
        theirs = model.predict_proba(data.features.numpy())[:, 1]
        np.testing.assert_allclose(probe.predict(data.features)[:, tag].numpy(), theirs, atol=0.01)


def test_dropout_hides_features_and_scales_the_rest():
    stack = ProbeStack(
        [ProbeConfig(hidden=50, dropout=p) for p in (0.25, 0.75)],
        n_features=40,
        n_outputs=2,
        device=torch.device("cpu"),
    )
    masks = stack._masks(100, (0, 0))
    assert [mask.shape for mask in masks] == [(2, 100, 40), (2, 100, 50)]
    for mask in masks:
        for probe, p in enumerate((0.25, 0.75)):
            values = mask[probe].unique()
            torch.testing.assert_close(values, torch.tensor([0.0, 1 / (1 - p)]))
            assert mask[probe].mean().item() == pytest.approx(1, abs=0.1)
    assert not torch.equal(masks[0], stack._masks(100, (0, 1))[0])


def scripted(scores):
    """A validation score that follows a script."""
    script = iter(scores)
    return lambda _predictions, _targets: next(script)


def test_training_stops_after_so_many_evaluations_without_gain_and_keeps_the_best():
    data = examples("values")
    stopping = Stopping(patience=3, max_epochs=50)
    scores = [1.0, 3.0, 2.0, 3.0, 2.9, 9.0]
    options = {"configs": [ProbeConfig()], "kind": "values"}
    probe = train_probes(data, data, score=scripted(scores), stopping=stopping, **options)[0]
    # equal is no gain, so three evaluations after the second
    assert list(probe.curve["score"]) == scores[:5]
    assert probe.score == 3.0
    twice = train_probes(data, data, score=always_better(), stopping=Stopping(max_epochs=2), **options)[0]
    assert torch.equal(probe.outputs(data.features), twice.outputs(data.features))


def test_evaluations_come_every_so_many_updates():
    data = examples("values")
    config, stopping = ProbeConfig(batch_size=16), Stopping(patience=50, every=3, max_epochs=3)
    curve = train_probes(data, data, configs=[config], kind="values", stopping=stopping)[0].curve
    # four batches per epoch
    assert list(curve["update"]) == [3, 6, 9, 12]
    per_epoch = train_probes(data, data, configs=[config], kind="values", stopping=Stopping(max_epochs=3))[0].curve
    assert list(per_epoch["update"]) == [4, 8, 12]


def test_on_a_plateau_the_steps_become_ten_times_smaller():
    data = examples("values")
    config, options = ProbeConfig(lr=0.01, batch_size=N), {"kind": "values"}
    falling = [0.0, -1, -2, 5.0]

    def last(stopping, scores):
        return train_probes(data, data, configs=[config], score=scripted(scores), stopping=stopping, **options)[0]

    # two evaluations in a row without gain are more than a plateau of one
    slow = last(Stopping(patience=9, plateau=1, max_epochs=4), falling).layers[0][0]
    fast = last(Stopping(patience=9, max_epochs=4), falling).layers[0][0]
    before = last(Stopping(patience=9, max_epochs=3), [0.0, 1, 2]).layers[0][0]
    torch.testing.assert_close(slow - before, (fast - before) / 10, rtol=1e-2, atol=1e-6)


def test_scores_of_clips_are_those_of_the_mean_over_their_windows():
    clips = torch.arange(20).repeat_interleave(3)
    truth = targets_of("tags")[::3]
    windows = Examples(features(), truth, clips)
    seen = []

    def watch(predictions, targets):
        seen.append((predictions, targets))
        return 1.0

    probe = train_probes(windows, windows, configs=[ProbeConfig()], kind="tags", score=watch, stopping=LAST)[0]
    predictions, targets = seen[0]
    assert predictions.shape == targets.shape == (20, C)
    np.testing.assert_array_equal(targets, truth.numpy())
    each = torch.sigmoid(probe.outputs(windows.features)).view(20, 3, C).mean(dim=1)
    torch.testing.assert_close(probe.predict(windows.features, clips), each)
    torch.testing.assert_close(windows.row_targets(), truth.repeat_interleave(3, dim=0))


def test_large_sets_are_evaluated_in_parts(monkeypatch):
    configs = [ProbeConfig(hidden=4), ProbeConfig(hidden=4)]
    stack = ProbeStack(configs, n_features=R, n_outputs=C, device=torch.device("cpu"))
    whole = stack.evaluate(features())
    assert whole.shape == (2, N, C)
    monkeypatch.setattr("reprise.training.probe_stack.BLOCK_ELEMENTS", 100)
    torch.testing.assert_close(stack.evaluate(features()), whole)


def test_songs_can_decide_when_a_key_probe_stops():
    songs, keys = np.arange(N) // 4, np.arange(N // 4) % 24
    data = Examples(features(), torch.from_numpy(keys[songs]))
    probe = train_probes(
        data,
        data,
        configs=[ProbeConfig()],
        kind="classes",
        n_classes=24,
        score=song_key_score(songs, keys),
        stopping=LAST,
    )[0]
    found = best_strategy(probe.predict(data.features).double().numpy(), songs, keys=keys)[1]
    assert found == pytest.approx(probe.score)


def test_named_scores_are_those_of_the_statistics():
    rng = np.random.default_rng(0)
    scores, tags = rng.random((40, 3)), rng.integers(0, 2, (40, 3))
    tags[:, 2] = 0
    auc, precision = tag_scores(scores, tags)
    assert SCORES["auc"](scores, tags) == pytest.approx(auc[:2].mean())
    assert SCORES["average_precision"](scores, tags) == pytest.approx(precision[:2].mean())
    keys, answers = rng.integers(0, 24, 40), rng.random((40, 24))
    assert SCORES["accuracy"](answers, keys) == (answers.argmax(axis=1) == keys).mean()
    assert SCORES["key_score"](answers, keys) == key_points(answers.argmax(axis=1), keys).mean()
    assert SCORES["r2"](tags[:, :2] * 1.0, tags[:, :2] * 1.0) == 1


@pytest.mark.parametrize(
    ("kind", "score", "least"), [("tags", "auc", 0.95), ("classes", "accuracy", 0.85), ("values", "r2", 0.95)]
)
def test_probes_learn_what_is_there(kind, score, least):
    data, valid, test = (examples(kind, n=300, seed=seed) for seed in range(3))
    configs = [ProbeConfig(hidden=hidden, lr=lr) for hidden in (None, 16) for lr in (1e-4, 3e-2)]
    chosen = best_probe(
        train_probes(data, valid, configs=configs, kind=kind, score=score, stopping=Stopping(max_epochs=40))
    )
    assert chosen.config.lr == 3e-2
    found = SCORES[score](chosen.predict(test.features).double().numpy(), test.targets.numpy())
    assert found > least


def test_a_constant_feature_survives_standardisation():
    x = features()
    x[:, 0] = 2.0
    data = Examples(x, targets_of("values"))
    probe = train_probes(data, data, configs=[ProbeConfig(standardise=True)], kind="values", stopping=LAST)[0]
    assert torch.isfinite(probe.predict(x)).all()


def test_a_probe_that_breaks_down_does_not_take_the_others_with_it():
    data = Examples(1e10 * features(), targets_of("values"))
    configs = [ProbeConfig(lr=1e30), ProbeConfig(lr=1e-3)]
    broken, whole = train_probes(data, data, configs=configs, kind="values", score="r2", stopping=LAST)
    assert np.isneginf(broken.score) or np.isnan(broken.curve["score"]).any()
    assert np.isfinite(whole.score)
    assert best_probe([broken, whole]) is whole


def test_the_supplements_patience_is_not_cut_short_by_a_number_of_epochs():
    # GTZAN's 443 training clips in batches of 64 are seven updates per epoch
    for stopping in STOPPING.values():
        per_evaluation = stopping.every or 7
        assert stopping.max_epochs * 7 > 2 * stopping.patience * per_evaluation


def test_the_supplements_grid_has_216_different_probes():
    grid = supplement_grid(seed=3)
    assert len(grid) == len(set(grid)) == 216
    assert {config.seed for config in grid} == {3}
    assert sum(config.hidden == 512 for config in grid) == 108
    assert sum(config.lr == 1e-4 and config.dropout == 0.5 for config in grid) == 24


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: train_probes(examples("tags"), examples("tags"), configs=[], kind="labels"), "'labels'"),
        (lambda: train_probes(examples("tags"), examples("tags"), configs=[], kind="tags", score="f1"), "'f1'"),
        (lambda: train_probes(examples("values"), examples("values"), configs=[], kind="classes"), "integers"),
        (
            lambda: train_probes(examples("classes"), examples("classes"), configs=[], kind="classes", n_classes=2),
            r"\[0, 2\), found 0 to 2",
        ),
        (
            lambda: train_probes(
                examples("tags"),
                Examples(features(), torch.zeros(N, C)),
                configs=[ProbeConfig()],
                kind="tags",
                score="auc",
            ),
            "no probe has a score",
        ),
        (lambda: train_probes(examples("tags"), examples("classes"), configs=[], kind="tags"), "both sets"),
        (lambda: Examples(features(), torch.zeros(5)), "5 targets do not go with 60 clips"),
        (lambda: Examples(torch.full((2, 3), torch.nan), torch.zeros(2)), "row 0"),
        (lambda: Examples(torch.zeros(0, 3), torch.zeros(0)), "n ≥ 1"),
        (lambda: Stopping(patience=0), "patience"),
        (lambda: ProbeConfig(hidden=0), "hidden"),
        (lambda: ProbeConfig(dropout=1.0), "dropout"),
        (lambda: best_probe([]), "no probes"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
