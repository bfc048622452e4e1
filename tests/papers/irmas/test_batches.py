"""Training batches of the instrument systems: all clips, all windows, mixtures, and the length of the schedule."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from reprise.papers.irmas.batches import examples, n_updates, training_batches
from reprise.papers.irmas.conditions import conditions
from reprise.papers.irmas.inputs import Inputs
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.trials import DataSets
from reprise.training.schedules import polynomial_decay


def make(open_small, settings, system, folder=None):
    collection = open_small(settings) if folder is None else open_small(settings, folder)
    trial = conditions(settings, seed=0, sets=collection.sets, device="cpu", everything=True)[system]
    return trial, Inputs(collection.corpus(trial.trained_on), trial.inputs, trial.augment, "cpu")


@pytest.mark.parametrize(("system", "per_clip"), [("resnet_1s", 3), ("resnet_2s", 2), ("resnet_3s", 1)])
def test_windows_per_step_grow_as_windows_shrink(open_small, small_settings, system, per_clip):
    trial, inputs = make(open_small, small_settings, system)
    batches = list(training_batches(trial, inputs, epoch=0))
    assert [len(windows) for windows, _ in batches] == [8 * per_clip, 8 * per_clip, 6 * per_clip]
    together = torch.cat([targets for _, targets in batches])
    assert torch.equal(together.sum(dim=0), 2.0 * per_clip * torch.ones(11))


def test_targets_belong_to_their_windows(open_small, small_settings):
    trial, inputs = make(open_small, small_settings.model_copy(update={"augment": False}), "cnn_raw")
    windows, targets = next(training_batches(trial, inputs, epoch=3))
    corpus = inputs.training
    files = {
        code: [soundfile.read(path)[0] for path in corpus.table["path"][(corpus.table["label"] == code)]]
        for code in corpus.classes
    }
    mean, deviation = corpus.statistics
    for index in range(len(windows)):
        code = corpus.classes[int(targets[index].argmax())]
        start = index % 3 * 16_000
        pieces = [(one[start : start + 16_000] - mean) / deviation for one in files[code]]
        assert min(np.abs(piece - windows[index].numpy()).max() for piece in pieces) < 1e-3


def test_mixtures_are_sums_over_counts_before_they_are_standardised(open_small, small_settings):
    trial, inputs = make(open_small, small_settings.model_copy(update={"augment": False}), "bspds5_3s")
    raw = trial.model_copy(update={"inputs": trial.inputs.model_copy(update={"feature": "raw", "size": None})})
    inputs = Inputs(inputs.training, raw.inputs, None, "cpu")
    corpus = inputs.training
    rows, targets = examples(raw, corpus, epoch=2)
    mean, deviation = corpus.statistics
    expected = []
    for row in rows:
        clips = [soundfile.read(corpus.table["path"][clip])[0] for clip in row if clip >= 0]
        expected.append((sum(clips) / len(clips) - mean) / deviation)
    found = list(training_batches(raw, inputs, epoch=2))
    waves, labels = torch.cat([one for one, _ in found]), torch.cat([one for _, one in found])
    assert len(waves) == len(expected) == 22
    for wave, label in zip(expected, targets, strict=True):
        nearest = int((waves - torch.from_numpy(wave).float()).abs().amax(dim=1).argmin())
        np.testing.assert_allclose(waves[nearest], wave, atol=1e-3)
        assert torch.equal(labels[nearest], label)


def test_bases_persist_and_companions_change(open_small, small_settings):
    trial, inputs = make(open_small, small_settings, "bspds5_1s")
    first, second = (examples(trial, inputs.training, epoch=epoch)[0] for epoch in (0, 1))
    assert np.array_equal(first[:, 0], second[:, 0])
    assert np.array_equal(np.sort(first[:, 0]), inputs.training.rows("train"))
    assert not np.array_equal(first, second)
    assert first.shape[1] == 5


@pytest.mark.parametrize(("system", "most"), [("tds5_1s", 5), ("tds4_1s", 4)])
def test_true_sampling_draws_up_to_its_number_of_instruments(open_small, small_settings, system, most):
    trial, inputs = make(open_small, small_settings, system)
    rows, targets = examples(trial, inputs.training, epoch=0)
    counts = (rows >= 0).sum(axis=1)
    # equation 3.1 with n = 22 and P = 0.5
    assert len(rows) == int(2 / (1 + most) * np.log(0.5) / np.log(1 - 1 / 22))
    assert counts.max() <= most
    assert np.array_equal(targets.sum(dim=1).numpy(), counts)


def test_no_more_instruments_are_mixed_than_there_are(notes_folder, open_small, small_settings):
    trial, inputs = make(open_small, small_settings, "tds5_1s", notes_folder)
    rows, targets = examples(trial, inputs.training, epoch=0)
    assert rows.shape[1] == 3
    assert targets.shape[1] == 3


def test_short_notes_end_in_zeros(notes_folder, open_small, small_settings):
    trial, inputs = make(open_small, small_settings.model_copy(update={"augment": False}), "cnn_raw", notes_folder)
    windows = torch.cat([windows for windows, _ in training_batches(trial, inputs, epoch=0)])
    silent = (windows[:, 11_200:] == 0).all(dim=1)
    lengths = inputs.training.bank.lengths[inputs.training.rows("train")]
    assert int(silent.sum()) == int((lengths == 11_200).sum()) > 0


def test_the_full_set_has_14665_updates_and_733_of_warm_up():
    trial = conditions(Settings(), seed=0, sets=DataSets(irmas="i"))["resnet_1s"]
    corpus = SimpleNamespace(rows=lambda side: np.arange(6705))
    updates = n_updates(trial, corpus)
    assert updates == 14_665
    factor = polynomial_decay(updates=updates, start=2e-4, end=1e-6, power=0.7, warmup=0.05)
    assert max(range(updates), key=factor) == 733


def test_parts_of_a_batch_do_not_change_the_schedule():
    trials = conditions(Settings(), seed=0, sets=DataSets(irmas="i"))
    corpus = SimpleNamespace(rows=lambda side: np.arange(6705))
    assert n_updates(trials["ast_low_l2"], corpus) == 14_665
    few = SimpleNamespace(rows=lambda side: np.arange(10))
    assert n_updates(trials["resnet_1s"], few) == 35


def test_parts_are_the_batch_cut_up(open_small, small_settings):
    still = small_settings.model_copy(update={"augment": False, "accumulate_ast": 1})
    whole = list(training_batches(*make(open_small, still, "ast_audioset"), epoch=0))
    cut = still.model_copy(update={"accumulate_ast": still.batch_size})
    parts = list(training_batches(*make(open_small, cut, "ast_audioset"), epoch=0))
    # one window of 10 s per clip
    assert {len(windows) for windows, _ in parts} == {1}
    for index in (0, 1):
        torch.testing.assert_close(torch.cat([one[index] for one in parts]), torch.cat([one[index] for one in whole]))


@pytest.mark.parametrize("drop", [True, False])
def test_a_last_batch_that_is_not_full(open_small, small_settings, drop):
    trial, inputs = make(open_small, small_settings.model_copy(update={"train_drop_last": drop}), "resnet_3s")
    assert [len(windows) for windows, _ in training_batches(trial, inputs, epoch=0)] == [8, 8] + [6] * (not drop)
