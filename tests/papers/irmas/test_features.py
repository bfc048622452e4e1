"""The 174 time means against librosa's features of each clip alone, and the rows of the frame against the corpus."""

import functools
from types import SimpleNamespace

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from reprise.data.wavebank import WaveBank
from reprise.papers.irmas import features

SAMPLE_RATE = 22050
CLASSES = ("gel", "vio")
# seconds and labels of each clip, in the order of the table
CLIPS = (
    (1.0, ("vio",)),
    (0.6, ("gel",)),
    (1.0, ("vio", "gel")),
    (0.6, ("vio",)),
    (1.0, ("gel",)),
    (1.0, ()),
)


def sound(index: int, seconds: float) -> np.ndarray:
    """A tone with overtones, a slow tremolo and some noise."""
    rng = np.random.default_rng(index)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * (211.0 + 37 * index) * k * time) / k for k in range(1, 8))
    return 0.15 * (1 + 0.4 * np.sin(2 * np.pi * 5 * time)) * tone + 0.02 * rng.standard_normal(len(time))


@pytest.fixture
def corpus(tmp_path) -> SimpleNamespace:
    rows = []
    for index, (seconds, labels) in enumerate(CLIPS):
        path = tmp_path / f"{index}.wav"
        soundfile.write(path, sound(index, seconds), SAMPLE_RATE, subtype="PCM_16")
        rows.append({"clip_id": f"c{index}", "path": str(path), "start": 0.0, "duration": seconds, "labels": labels})
    table = pd.DataFrame(rows).assign(group=[f"r{index // 2}" for index in range(len(rows))], split="train")
    table.loc[len(rows) - 1, "group"] = "other"
    bank = WaveBank.build(table.assign(evidence="synthetic"), sample_rate=SAMPLE_RATE)
    targets = torch.tensor([[float(name in labels) for name in CLASSES] for _, labels in CLIPS])
    return SimpleNamespace(
        bank=bank, classes=CLASSES, targets=targets, rows=lambda side: np.arange(len(CLIPS) if side == "train" else 0)
    )


def librosa_means(y: np.ndarray) -> dict[str, float]:
    """Columns of one clip by librosa's defaults."""
    rate = {"y": y, "sr": SAMPLE_RATE}
    feature = librosa.feature
    found = {
        "zcr": feature.zero_crossing_rate(y),
        "mfcc": feature.mfcc(**rate, n_mfcc=13),
        "chroma": feature.chroma_stft(**rate),
        "tonnetz": feature.tonnetz(**rate),
        "rms": feature.rms(y=y),
        "centroid": feature.spectral_centroid(**rate),
        "contrast": feature.spectral_contrast(**rate),
        "bandwidth": feature.spectral_bandwidth(**rate),
        "rolloff": feature.spectral_rolloff(**rate),
        "flatness": feature.spectral_flatness(y=y),
        "poly": feature.poly_features(**rate),
        "mel": feature.melspectrogram(**rate),
    }
    columns = {}
    for name, rows in found.items():
        means = rows.mean(axis=1)
        columns |= {f"{name}_{k}" if len(means) > 1 else name: value for k, value in enumerate(means)}
    return columns


def test_the_columns_are_the_paper_s_174_tests():
    sizes = {name: len(columns) for name, columns in features.FEATURES.items()}
    assert sizes == {
        "zcr": 1, "mfcc": 13, "chroma": 12, "tonnetz": 6, "rms": 1, "centroid": 1,
        "contrast": 7, "bandwidth": 1, "rolloff": 1, "flatness": 1, "poly": 2, "mel": 128,
    }  # fmt: skip
    assert len(set(features.COLUMNS)) == 174
    assert features.COLUMNS[:3] == ("zcr", "mfcc_0", "mfcc_1")
    assert all(features.feature_of(column) in sizes for column in features.COLUMNS)


def test_every_clip_has_librosa_s_time_means_over_its_own_length(corpus):
    frame = features.feature_frame(corpus, sample_rate=SAMPLE_RATE)
    assert list(frame.columns) == [*features.COLUMNS, "instrument", "group", "clip_id"]
    for row in frame.index:
        y = corpus.bank.batch([row])[0].numpy()
        expected = librosa_means(y)
        assert list(expected) == list(features.COLUMNS)
        for name, columns in features.FEATURES.items():
            wanted = np.array([expected[column] for column in columns], dtype=float)
            ours = frame.loc[row, list(columns)].to_numpy(dtype=float)
            np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max(), err_msg=name)


def test_only_clips_of_one_label_count_and_rows_stay_in_order(corpus):
    frame = features.feature_frame(corpus)
    assert list(frame.index) == [0, 1, 3, 4]
    assert list(frame["instrument"]) == ["vio", "gel", "vio", "gel"]
    assert list(frame["group"]) == ["r0", "r0", "r1", "r2"]
    assert list(frame["clip_id"]) == ["c0", "c1", "c3", "c4"]
    assert frame.attrs["n_left_out"] == 2


def test_clips_of_one_length_are_computed_together(corpus, monkeypatch):
    sizes = []
    original = features.time_means

    @functools.wraps(original)
    def counted(y, **options):
        sizes.append(tuple(y.shape))
        return original(y, **options)

    monkeypatch.setattr(features, "time_means", counted)
    features.feature_frame(corpus)
    assert sorted(sizes) == [(2, 13230), (2, 22050)]


def test_blocks_cover_every_clip_once_and_hold_one_length():
    lengths = np.array([5, 7, 5, 5, 7, 9]) << 20
    blocks = features._blocks(lengths)
    assert sorted(np.concatenate(blocks)) == list(range(6))
    assert all(len(set(lengths[block])) == 1 for block in blocks)
    assert max(lengths[block].sum() for block in blocks) <= max(features._BLOCK_SAMPLES, lengths.max())


def test_a_wrong_rate_and_a_side_without_clips_are_named(corpus):
    with pytest.raises(ValueError, match="22050 Hz, not at 44100"):
        features.feature_frame(corpus, sample_rate=44100)
    with pytest.raises(ValueError, match="no clip of side 'test'"):
        features.feature_frame(corpus, side="test")
