"""Clips of the instrument paper: targets, sides, statistics, and notes that stand in for a partial IRMAS."""

import numpy as np
import pytest
import soundfile

from reprise.data.datasets._instruments import INSTRUMENTS
from reprise.papers.irmas.conditions import clip_config
from reprise.papers.irmas.corpus import open_corpus


def test_both_sets_have_the_eleven_instruments_in_one_order(open_small, small_settings):
    collection = open_small(small_settings)
    for corpus in (collection.irmas, collection.audioset):
        assert corpus.classes == tuple(INSTRUMENTS)
        for row, labels in enumerate(corpus.table["labels"]):
            assert {corpus.classes[i] for i in np.flatnonzero(corpus.targets[row].numpy())} == set(labels)
    assert collection.irmas.counts().tolist() == [2] * 11
    assert [len(collection.irmas.rows(side)) for side in ("train", "valid", "test")] == [22, 3, 7]
    assert [len(collection.audioset.rows(side)) for side in ("train", "valid", "test")] == [10, 2, 3]
    assert collection.sets.irmas == collection.irmas.fingerprint
    assert collection.sets.audioset == collection.audioset.fingerprint


def test_labels_for_sampling_are_those_of_training_clips_of_one_instrument(open_small, small_settings):
    collection = open_small(small_settings)
    labels = collection.irmas.labels()
    training = collection.irmas.rows("train")
    assert (labels[training] == collection.irmas.targets[training].argmax(dim=1).numpy()).all()
    assert (np.delete(labels, training) == -1).all()
    assert (collection.audioset.labels() == -1).all()


def test_statistics_are_means_of_the_files_own(open_small, small_settings):
    corpus = open_small(small_settings).irmas
    files = [soundfile.read(path)[0] for path in corpus.table["path"].iloc[corpus.rows("train")]]
    expected = np.mean([one.mean() for one in files]), np.mean([one.std() for one in files])
    assert corpus.statistics == pytest.approx(expected, abs=1e-7)


def test_statistics_of_clips_of_different_lengths(notes_folder, open_small, small_settings):
    corpus = open_small(small_settings, notes_folder).irmas
    files = [soundfile.read(path)[0] for path in corpus.table["path"].iloc[corpus.rows("train")]]
    assert len({len(one) for one in files}) > 1
    expected = np.mean([one.mean() for one in files]), np.mean([one.std() for one in files])
    assert corpus.statistics == pytest.approx(expected, abs=1e-7)


def test_songs_apart(open_small, small_settings):
    corpus = open_small(small_settings.model_copy(update={"split": "songs"})).irmas
    assert not set(corpus.songs[corpus.rows("valid")]) & set(corpus.songs[corpus.rows("test")])
    assert len(corpus.rows("valid"))


def test_notes_take_over_where_irmas_is_a_part(notes_folder, open_small, small_settings):
    collection = open_small(small_settings, notes_folder)
    corpus = collection.irmas
    assert collection.sets.collection == "philharmonia"
    assert collection.audioset is None
    assert "no training clip of cla, flu" in collection.notes[0]
    # codes of IRMAS first
    assert corpus.classes == ("cel", "flu", "oboe")
    assert (corpus.targets.sum(dim=1) == 1).all()
    sides = [set(corpus.songs[corpus.rows(side)]) for side in ("train", "valid", "test")]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[1] & sides[2]
    assert corpus.evidence == "excerpt"


def test_a_whole_irmas_is_kept_and_notes_can_be_asked_for(small_folder, notes_folder, open_small, small_settings):
    assert open_small(small_settings).sets.collection == "irmas"
    asked = small_settings.model_copy(update={"instruments_data": "philharmonia"})
    assert open_small(asked, notes_folder).sets.collection == "philharmonia"
    with pytest.raises(FileNotFoundError, match="philharmonia"):
        open_small(asked, small_folder)
    forced = small_settings.model_copy(update={"instruments_data": "irmas"})
    with pytest.raises(ValueError, match="no test clip of irmas"):
        open_small(forced, notes_folder)


def test_audioset_is_used_where_it_is(small_folder, open_small, small_settings, tmp_path):
    without = open_small(small_settings.model_copy(update={"with_audioset": False}))
    assert without.audioset is None
    assert without.sets.audioset is None
    with pytest.raises(LookupError, match="no AudioSet"):
        without.corpus("audioset")
    (tmp_path / "IRMAS").symlink_to(small_folder / "IRMAS")
    alone = open_small(small_settings, tmp_path)
    assert alone.audioset is None
    assert "no AudioSet" in alone.notes[0]
    with pytest.raises(FileNotFoundError, match="audioset"):
        open_small(small_settings.model_copy(update={"with_audioset": True}), tmp_path)


def test_a_broken_file_is_named_and_left_out(small_folder, small_settings, tmp_path):
    root = tmp_path / "IRMAS"
    for part in ("IRMAS-TrainingData", "IRMAS-TestingData-Part1"):
        for path in (small_folder / "IRMAS" / part).rglob("*.*"):
            copy = root / path.relative_to(small_folder / "IRMAS")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    victim = next((root / "IRMAS-TrainingData" / "cel").glob("*.wav"))
    victim.write_bytes(b"no sound")
    silent = next((root / "IRMAS-TrainingData" / "cla").glob("*.wav"))
    soundfile.write(silent, np.zeros(48_000), 16_000, subtype="PCM_16")
    corpus = open_corpus("irmas", root, config=clip_config(small_settings))
    assert len(corpus.rows("train")) == 20
    assert any(victim.name in note for note in corpus.notes)
    assert any("silent" in note for note in corpus.notes)


def test_examples_and_real_excerpts(real_data, open_small, small_settings):
    corpus = open_small(small_settings.model_copy(update={"systems": ()}), real_data).irmas
    assert set(corpus.examples("train")) == set(corpus.classes)
