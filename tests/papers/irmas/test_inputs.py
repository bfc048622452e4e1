"""Inputs of the instrument networks against librosa, NumPy and the files themselves."""

import librosa
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.audio.kaldi import fbank
from reprise.papers.irmas import inputs as room
from reprise.papers.irmas.augmentation import Randomness
from reprise.papers.irmas.conditions import conditions
from reprise.papers.irmas.frontends import descriptor_matrix, network_input
from reprise.papers.irmas.inputs import PAPER_STATISTICS, Inputs
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.trials import DataSets
from reprise.papers.irmas.windows import plan_windows, stack_windows, within

RATE = 16_000
PUBLISHED = conditions(Settings(), seed=0, sets=DataSets(irmas="i", audioset="a"))


def make(open_small, settings, system, *, augment=True, name="irmas"):
    collection = open_small(settings)
    trial = conditions(settings, seed=0, sets=collection.sets, device="cpu")[system]
    return Inputs(collection.corpus(name), trial.inputs, trial.augment if augment else None, "cpu"), trial


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(1, 12))
def test_windows_cover_every_clip_once(lengths, length):
    expected = [(clip, start) for clip, n in enumerate(lengths) for start in range(0, n, length)]
    plan = plan_windows(np.array(lengths), length=length)
    assert list(zip(plan.clips.tolist(), plan.starts.tolist(), strict=True)) == expected
    longest = max(lengths)
    waves = torch.arange(len(lengths) * longest, dtype=torch.float32).reshape(len(lengths), longest) + 1
    stacked = stack_windows(waves, length=length)
    for index, (clip, start) in enumerate((c, s) for c in range(len(lengths)) for s in range(0, longest, length)):
        piece = waves[clip, start : start + length]
        assert torch.equal(stacked[index, : len(piece)], piece)
        assert not stacked[index, len(piece) :].any()


@pytest.mark.parametrize(("seconds", "count", "zeros"), [(1, 3, 0), (2, 2, 44100), (3, 1, 0)])
def test_three_seconds_give_three_two_or_one_window(seconds, count, zeros):
    windows = stack_windows(torch.ones(16, 3 * 44100), length=seconds * 44100)
    assert len(windows) == 16 * count
    assert int((windows[count - 1] == 0).sum()) == zeros


def test_within_marks_a_clips_own_samples():
    assert within(np.array([2, 0, 9]), 3, device="cpu").tolist() == [[True, True, False], [False] * 3, [True] * 3]


def test_images_are_librosas_decibels_below_the_windows_maximum_resized():
    y = noise(2, 44100) * torch.tensor([[1.0], [0.01]])
    found = network_input(y, PUBLISHED["resnet_1s"].inputs, sample_rate=44100)
    assert found.shape == (2, 1, 256, 256)
    for index in range(2):
        mel = librosa.feature.melspectrogram(y=y[index].numpy(), sr=44100, n_mels=256)
        decibels = librosa.power_to_db(mel, ref=np.max)
        assert decibels.shape == (256, 87)
        np.testing.assert_allclose(found[index, 0], _stretched(decibels, 256), atol=2e-2)


def _stretched(rows, size):
    """Linear interpolation between the centres of pixels."""
    n = rows.shape[1]
    places = (np.arange(size) + 0.5) * n / size - 0.5
    return np.stack([np.interp(places, np.arange(n), row) for row in rows])


def test_cepstra_are_librosas_resized():
    y = noise(1, 44100)
    found = network_input(y, PUBLISHED["cnn_mfcc"].inputs, sample_rate=44100)
    expected = librosa.feature.mfcc(y=y[0].numpy(), sr=44100, n_mfcc=40)
    assert found.shape == (1, 1, 40, 256)
    np.testing.assert_allclose(found[0, 0], _stretched(expected, 256), atol=2e-2)


def test_descriptors_are_librosas_in_the_papers_order():
    y = noise(1, 44100)
    audio = y[0].numpy()
    feature = librosa.feature
    expected = [
        feature.mfcc(y=audio, sr=44100, n_mfcc=13),
        feature.chroma_stft(y=audio, sr=44100),
        feature.zero_crossing_rate(audio),
        feature.spectral_centroid(y=audio, sr=44100),
        feature.rms(y=audio),
        feature.spectral_contrast(y=audio, sr=44100),
        feature.spectral_bandwidth(y=audio, sr=44100),
        feature.spectral_rolloff(y=audio, sr=44100),
        feature.spectral_flatness(y=audio),
        feature.poly_features(y=audio, sr=44100),
    ]
    found = descriptor_matrix(y, sample_rate=44100, n_fft=2048, hop_length=512)[0]
    assert found.shape == (40, 87)
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=2e-3, atol=2e-3)
    assert torch.equal(network_input(y, PUBLISHED["cnn_features"].inputs, sample_rate=44100)[0], found)


def test_filter_banks_are_normalised_by_twice_the_deviation():
    y = noise(2, 16000)
    config = PUBLISHED["ast_high_l2"].inputs
    found = network_input(y, config, sample_rate=16000)
    assert found.shape == (2, 128, 98)
    torch.testing.assert_close(found, (fbank(y) - 0.4658) / (2 * 0.3385))
    long = network_input(noise(1, 160_000), PUBLISHED["ast_audioset"].inputs, sample_rate=16000)
    assert long.shape == (1, 128, 1024)


@pytest.mark.parametrize("system", ["resnet_1s", "cnn_mfcc"])
def test_masks_see_the_power_before_decibels_and_cepstra(system):
    seen = []

    def mask(spectrogram):
        seen.append(spectrogram)
        return spectrogram

    network_input(noise(1, 44100), PUBLISHED[system].inputs, sample_rate=44100, mask=mask)
    assert seen[0].shape == ((1, 256, 87) if system == "resnet_1s" else (1, 40, 87))
    assert bool((seen[0] >= 0).all()) == (system == "resnet_1s")


def test_the_papers_constants_or_the_corpus_own(open_small, small_settings):
    own, _ = make(open_small, small_settings, "cnn_raw")
    assert own.statistics == own.training.statistics
    published = small_settings.model_copy(update={"standardise": "paper"})
    for name, system in (("irmas", "cnn_raw"), ("audioset", "resnet_audioset")):
        inputs, _ = make(open_small, published, system, name=name)
        assert inputs.statistics == PAPER_STATISTICS[name]


def test_evaluation_reads_every_window_of_every_clip(open_small, small_settings):
    inputs, _ = make(open_small, small_settings, "cnn_raw")
    corpus, (mean, deviation) = inputs.training, inputs.training.statistics
    batches, clips = inputs.evaluation(corpus, "test")
    found = torch.cat(list(batches))
    place = 0
    for number, path in enumerate(corpus.table["path"].iloc[corpus.rows("test")]):
        audio = soundfile.read(path, dtype="float32")[0]
        for start in range(0, len(audio), RATE):
            piece = np.zeros(RATE, np.float32)
            own = audio[start : start + RATE]
            piece[: len(own)] = (own - mean) / deviation
            np.testing.assert_allclose(found[place], piece, atol=1e-4)
            assert clips[place] == number
            place += 1
    assert place == len(found) == len(clips)


def test_what_is_kept_is_what_was_made_and_belongs_to_its_inputs(open_small, small_settings, monkeypatch):
    first, _ = make(open_small, small_settings, "resnet_1s")
    made = torch.cat(list(first.evaluation(first.training, "test")[0]))
    calls = []
    monkeypatch.setattr(
        room, "network_input", lambda *args, **options: calls.append(1) or network_input(*args, **options)
    )
    again, _ = make(open_small, small_settings, "tds5_1s")
    assert torch.equal(torch.cat(list(again.evaluation(again.training, "test")[0])), made)
    assert not calls
    other, _ = make(open_small, small_settings.model_copy(update={"n_mels": 40}), "resnet_1s")
    assert not torch.equal(torch.cat(list(other.evaluation(other.training, "test")[0])), made)
    assert calls


def test_descriptors_are_scaled_by_the_training_clips(open_small, small_settings):
    plain, _ = make(open_small, small_settings, "cnn_features")
    assert plain.rows is None
    scaled, _ = make(open_small, small_settings.model_copy(update={"standardise_descriptors": True}), "cnn_features")
    rows = scaled.training.rows("train")
    waves = scaled.training.bank.batch(rows, length=scaled.clip)
    matrix = scaled.train(waves, scaled.training.bank.lengths[rows])
    assert matrix.shape[:2] == (66, 40)
    np.testing.assert_allclose(matrix.mean(dim=(0, 2)), np.zeros(40), atol=1e-3)
    np.testing.assert_allclose(matrix.std(dim=(0, 2)), np.ones(40), atol=1e-2)


def test_changes_depend_on_seed_and_epoch_only(open_small, small_settings):
    inputs, trial = make(open_small, small_settings, "resnet_1s")
    waves = inputs.training.bank.batch(np.arange(3), length=inputs.clip)
    lengths = inputs.training.bank.lengths[:3]

    def changed(seed, epoch):
        return inputs.train(waves, lengths, random=Randomness.of(seed, epoch, device="cpu"))

    assert torch.equal(changed(1, 2), changed(1, 2))
    assert not torch.equal(changed(1, 2), changed(1, 3))
    assert not torch.equal(changed(1, 2), changed(2, 2))
    plain = inputs.train(waves, lengths)
    assert torch.equal(plain, Inputs(inputs.training, trial.inputs, None, "cpu").train(waves, lengths, random=None))
    assert not torch.equal(plain, changed(1, 2))


def test_noise_has_the_training_sets_statistics():
    change = PUBLISHED["cnn_raw"].augment.model_copy(update={"pitch_semitones": 0.0, "time_shift": 0.0})
    y = torch.zeros(4, 50_000)
    noisy = Randomness.of(0, 0, device="cpu").change(y, change, statistics=(0.2, 0.3))
    assert float(noisy.mean()) == pytest.approx(0.005 * 0.2, rel=0.02)
    assert float(noisy.std()) == pytest.approx(0.005 * 0.3, rel=0.02)
