"""Dynamic sampling: the paper's epoch lengths, the laws of both draws, mixing against plain sums."""

import math

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from reprise.data import datasets
from reprise.data.datasets.irmas import INSTRUMENTS
from reprise.data.sampling import Mixtures, base_persistent, epoch_length, mix, true_dynamic, unsampled_share
from reprise.data.wavebank import WaveBank

IRMAS_SIZES = (388, 505, 451, 637, 760, 682, 721, 626, 577, 580, 778)
IRMAS_LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(11), IRMAS_SIZES))


@pytest.mark.parametrize(("max_sampled", "expected"), [(2, 30875), (3, 23156), (4, 18525), (5, 15437)])
def test_epoch_length_is_table_3_3(max_sampled, expected):
    assert epoch_length(6705, max_sampled=max_sampled) == expected


def test_epoch_length_keeps_its_promise():
    n, share = 300, 0.05
    length = epoch_length(n, min_sampled=1, max_sampled=3, unsampled=share)
    draws = np.random.default_rng(1).integers(0, n, (200, 2 * length))
    left = np.mean([n - len(np.unique(epoch)) for epoch in draws]) / n
    assert left == pytest.approx(share, abs=0.004)


@pytest.mark.parametrize(
    ("n", "options"), [(1, {}), (10, {"unsampled": 0}), (10, {"min_sampled": 0}), (10, {"max_sampled": 0})]
)
def test_epoch_length_refuses(n, options):
    with pytest.raises(ValueError):
        epoch_length(n, **options)


def test_unsampled_share_of_irmas():
    share = unsampled_share(IRMAS_SIZES, n_mixtures=15437)
    assert (100 * share[-1], 100 * share[0]) == (pytest.approx(0.446, abs=0.001), pytest.approx(0.002, abs=0.0005))
    assert 100 * np.average(share, weights=IRMAS_SIZES) == pytest.approx(0.187, abs=0.001)


def test_unsampled_share_is_what_happens():
    sizes = [5, 20, 40]
    labels = np.repeat(np.arange(3), sizes)
    left = np.zeros(3)
    for epoch in range(300):
        drawn = np.unique(true_dynamic(labels, n=40, seed=0, epoch=epoch, max_sampled=3).rows)
        left += np.bincount(np.delete(labels, drawn[drawn >= 0]), minlength=3) / sizes
    assert left / 300 == pytest.approx(unsampled_share(sizes, n_mixtures=40, max_sampled=3), abs=0.02)


@st.composite
def draws(draw):
    sizes = draw(st.lists(st.integers(0, 6), min_size=2, max_size=8).filter(lambda sizes: np.count_nonzero(sizes) > 1))
    n_unlabelled = draw(st.integers(0, 3))
    labels = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(n_unlabelled, -1)])
    labels = np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)
    high = draw(st.integers(1, int(np.count_nonzero(sizes))))
    options = {"min_sampled": draw(st.integers(1, high)), "max_sampled": high, "n_classes": len(sizes)}
    options |= {"seed": draw(st.integers(0, 99)), "epoch": draw(st.integers(0, 99))}
    kind = draw(st.sampled_from([base_persistent, true_dynamic]))
    return kind, labels, options | ({"n": draw(st.integers(0, 30))} if kind is true_dynamic else {})


@settings(max_examples=150, deadline=None)
@given(draws())
def test_laws_of_both_draws(case):
    kind, labels, options = case
    mixtures = kind(labels, **options)
    low, high = options["min_sampled"], options["max_sampled"]
    assert mixtures.rows.shape == (len(mixtures), high)
    assert mixtures.targets.shape == (len(mixtures), options["n_classes"])
    for row, target, count in zip(mixtures.rows, mixtures.targets, mixtures.counts, strict=True):
        clips = row[row >= 0]
        assert low <= len(clips) == count <= high
        assert (row[count:] == -1).all()
        # classes differ, and the targets are theirs
        assert sorted(labels[clips]) == np.flatnonzero(target).tolist()
    if kind is base_persistent:
        assert mixtures.rows[:, 0].tolist() == np.flatnonzero(labels >= 0).tolist()
    again = kind(labels, **options)
    assert again.rows.tobytes() == mixtures.rows.tobytes()
    assert again.targets.tobytes() == mixtures.targets.tobytes()


def test_seed_and_epoch_both_matter():
    def drawn(seed, epoch):
        return [
            true_dynamic(IRMAS_LABELS, n=50, seed=seed, epoch=epoch).rows.tobytes(),
            base_persistent(IRMAS_LABELS, seed=seed, epoch=epoch).rows.tobytes(),
        ]

    results = [drawn(seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert len({one for pair in results for one in pair}) == 8


def alike(counts):
    return chisquare(counts).pvalue > 1e-4


def test_true_dynamic_draws_numbers_classes_and_clips_alike():
    mixtures = true_dynamic(IRMAS_LABELS, n=60_000, seed=3, epoch=0, min_sampled=2, max_sampled=5)
    counts = np.bincount(mixtures.counts)
    assert counts[:2].sum() == 0
    assert alike(counts[2:])
    # alike although cello has half the clips of voice: counts of distinct classes vary less than chi-square expects
    per_class = mixtures.targets.sum(axis=0)
    assert per_class / per_class.mean() == pytest.approx(1, abs=0.02)
    pairs = mixtures.targets[mixtures.counts == 2].astype(int)
    together = (pairs.T @ pairs)[np.triu_indices(11, 1)]
    assert len(together) == math.comb(11, 2)
    assert alike(together)
    for label in range(11):
        clips = np.bincount(mixtures.rows[mixtures.rows >= 0], minlength=6705)[label == IRMAS_LABELS]
        assert alike(clips)


def test_base_persistent_adds_other_classes_alike():
    labels = np.repeat(np.arange(4), (100, 200, 400, 50))
    mixtures = [base_persistent(labels, seed=1, epoch=epoch, max_sampled=3) for epoch in range(60)]
    assert alike(np.bincount(np.concatenate([one.counts for one in mixtures]))[1:])
    rows = np.concatenate([one.rows[one.counts == 2] for one in mixtures])
    for base in range(4):
        added = np.bincount(labels[rows[labels[rows[:, 0]] == base, 1]], minlength=4)
        assert added[base] == 0
        assert alike(np.delete(added, base))


def test_one_clip_each_is_static_training():
    mixtures = base_persistent(IRMAS_LABELS, seed=0, epoch=0, max_sampled=1)
    assert mixtures.rows[:, 0].tolist() == list(range(6705))
    assert (mixtures.targets.argmax(axis=1) == IRMAS_LABELS).all()


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1], {"max_sampled": 3}, "max_sampled=2 or less"),
        ([0, 1], {"min_sampled": 3, "max_sampled": 2}, "does not hold for 3 and 2"),
        ([0, 1], {"min_sampled": 0, "max_sampled": 2}, "does not hold for 0 and 2"),
        ([0.0, 1.0], {}, "whole numbers"),
        ([[0, 1]], {}, "one per clip"),
        ([-1, -1], {}, "some not negative"),
        ([0, 7], {"max_sampled": 2, "n_classes": 7}, "label 7 is not in 0 … 6"),
    ],
)
def test_impossible_draws_are_refused(labels, options, message):
    with pytest.raises(ValueError, match=message):
        base_persistent(labels, seed=0, epoch=0, **options)
    with pytest.raises(ValueError, match=message):
        true_dynamic(labels, n=1, seed=0, epoch=0, **options)


@pytest.fixture
def bank(tmp_path):
    rows = []
    for k, seconds in enumerate((0.5, 0.5, 0.5, 0.3)):
        path = tmp_path / f"{k}.wav"
        noise = np.random.default_rng(k).uniform(-0.9, 0.9, round(8000 * seconds))
        soundfile.write(path, noise, 8000)
        rows.append({"clip_id": str(k), "path": str(path), "start": 0.0, "duration": seconds, "group": str(k)})
    return WaveBank.build(pd.DataFrame(rows).assign(split="train", evidence="excerpt"), sample_rate=8000)


def plain_sum(bank, row, length):
    total = np.zeros(length)
    clips = [clip for clip in row if clip >= 0]
    for clip in clips:
        samples, _ = soundfile.read(bank.table["path"][clip])
        total[: min(length, len(samples))] += samples[:length]
    return total / len(clips)


ROWS = np.array([[0, -1, -1], [1, 2, 3], [3, 0, -1], [2, 1, -1]])


@pytest.mark.parametrize("length", [2400, 4000, 4500])
def test_mix_is_the_mean_of_the_clips(bank, length):
    audio = mix(bank, ROWS, length=length)
    assert audio.shape == (4, length)
    assert audio.dtype == torch.float32
    for row, one in zip(ROWS, audio.numpy(), strict=True):
        assert one == pytest.approx(plain_sum(bank, row, length), abs=1e-6)
    resident = mix(bank.to("cpu", limit_bytes=2**30), ROWS, length=length)
    assert torch.equal(resident, audio)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_mix_on_the_gpu_is_the_same(bank):
    expected = mix(bank, ROWS, length=4000)
    for source in (bank, bank.to("cuda")):
        audio = mix(source, ROWS, length=4000, device="cuda")
        assert audio.is_cuda
        assert torch.allclose(audio.cpu(), expected, atol=1e-6)
        assert torch.equal(audio, mix(source, ROWS, length=4000, device="cuda"))


@pytest.mark.parametrize("rows", [[[-1, 0]], [[0, -1, 1]], [0, 1], [[]], [[0.0]], [[9]]])
def test_mix_refuses_holes_and_strangers(bank, rows):
    with pytest.raises(ValueError):
        mix(bank, np.array(rows), length=100)


def test_mixtures_of_real_excerpts(real_data):
    table = datasets.load("irmas", datasets.find_root("irmas", real_data), side="train")
    bank = WaveBank.build(table, sample_rate=16000)
    codes = list(INSTRUMENTS)
    labels = np.array([codes.index(label) for label in bank.table["label"]])
    mixtures = true_dynamic(labels, n=32, seed=0, epoch=0, max_sampled=5, n_classes=11)
    assert isinstance(mixtures, Mixtures)
    audio = mix(bank, mixtures.rows, length=48000)
    assert audio.shape == (32, 48000)
    first = mixtures.rows[0][mixtures.rows[0] >= 0]
    assert torch.allclose(audio[0], bank.batch(first, length=48000).mean(dim=0), atol=1e-6)
    assert (mixtures.targets.sum(axis=0) > 0).sum() == 5
