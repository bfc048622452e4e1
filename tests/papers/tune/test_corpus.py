"""Clips of the tagging paper: what is chosen, what is known of it, and what happens when sets are missing."""

import numpy as np
import pytest

from reprise.data.datasets import magnatagatune
from reprise.papers.tune.corpus import ClipsConfig, open_clips


def config(dataset="magnatagatune", purpose="task", **changes):
    given = {"dataset": dataset, "sample_rate": 11025, "purpose": purpose}
    if dataset == "magnatagatune":
        given |= {"untagged": "keep", "n_tags": 50}
    return ClipsConfig(**(given | changes))


def test_all_sets_of_the_settings_are_opened(open_music, tiny_settings):
    collection = open_music(tiny_settings)
    assert list(collection.tasks) == ["mtt", "gtzan", "key", "emotion"]
    assert list(collection.pretraining) == ["mtt", "gtzan"]
    assert collection.mtt is collection.tasks["mtt"]
    assert collection.evidence == "synthetic"
    for clips in collection.tasks.values():
        assert all(0 < len(clips.rows(side)) <= 10 for side in ("train", "valid", "test"))


def test_answers_are_those_of_the_tables(open_music, tiny_settings):
    tasks = open_music(tiny_settings).tasks
    mtt, gtzan, key, emotion = tasks.values()
    assert mtt.tags == magnatagatune.TOP_TAGS
    np.testing.assert_array_equal(mtt.targets.sum(axis=1), mtt.table["tags"].map(len))
    assert [gtzan.classes[index] for index in gtzan.targets] == list(gtzan.table["genre"])
    np.testing.assert_array_equal(key.targets, key.table["key"])
    np.testing.assert_array_equal(emotion.targets, emotion.table[["arousal", "valence"]])
    assert gtzan.membership.sum() == len(gtzan.table)
    assert emotion.membership.shape == (len(emotion.table), 0)


def test_clips_that_are_pre_trained_on_are_training_clips_alone(music):
    whole = open_clips(config(), music / "MagnaTagATune")
    chosen = config(purpose="pretrain", pool="train", max_clips=8, n_watched=2, shortest=2187)
    clips = open_clips(chosen, music / "MagnaTagATune")
    assert (len(clips.rows("train")), len(clips.rows("valid")), len(clips.rows("test"))) == (8, 2, 0)
    sides = whole.table.set_index("clip_id")["split"]
    assert (sides[clips.table["clip_id"]].to_numpy() == clips.table["split"]).all()
    with pytest.raises(ValueError, match="have no targets"):
        _ = clips.targets


def test_the_pool_may_be_the_whole_set_and_short_clips_stay_out(music):
    clips = open_clips(config("gtzan", "pretrain", pool="all", shortest=2187), music / "GTZAN")
    whole = open_clips(config("gtzan"), music / "GTZAN")
    assert len(clips.rows("train")) == len(clips.table) == len(whole.table)
    with pytest.raises(ValueError, match=r"gtzan has 0 clips of 2\.00 s or more"):
        open_clips(config("gtzan", "pretrain", pool="all", shortest=22050), music / "GTZAN")


def test_a_limit_takes_clips_at_even_distances(music):
    whole, few = (open_clips(config("gtzan", max_clips=n), music / "GTZAN") for n in (None, 4))
    ids = list(whole.table["clip_id"].iloc[whole.rows("train")])
    places = [ids.index(name) for name in few.table["clip_id"].iloc[few.rows("train")]]
    assert places[0] == 0
    assert places[-1] == len(ids) - 1
    assert np.ptp(np.diff(places)) <= 1


def test_songs_are_counted_in_the_order_of_their_clips(music):
    clips = open_clips(config("giantsteps_key"), music / "GiantSteps")
    songs, first = clips.songs("test")
    rows = clips.rows("test")
    assert list(songs) == list(range(len(rows)))
    np.testing.assert_array_equal(first, rows)


def test_what_is_missing_is_said_and_left_out(open_music, tiny_settings):
    collection = open_music(tiny_settings, without=("magnatagatune", "emomusic"))
    assert list(collection.tasks) == ["gtzan", "key"]
    assert collection.mtt is None
    assert collection.evidence == "synthetic"
    assert any(note.startswith("The task emotion is left out") for note in collection.notes)
    # test clips of the set that is probed are not pre-trained on
    assert collection.pretraining["gtzan"].config.pool == "train"
    assert open_music(tiny_settings).pretraining["gtzan"].config.pool == "all"


def test_nothing_at_all_is_an_error(open_music, tiny_settings):
    with pytest.raises(FileNotFoundError, match="nothing to probe is in"):
        open_music(tiny_settings, without=("magnatagatune", "emomusic", "gtzan", "giantsteps_key"))


def test_a_task_without_tags_or_sides_is_refused(music, tmp_path):
    import shutil

    shutil.copytree(music / "MagnaTagATune" / "c", tmp_path / "MagnaTagATune" / "c")
    with pytest.raises(ValueError, match="no clip for train, test"):
        open_clips(config(), tmp_path / "MagnaTagATune")
    shutil.copytree(music / "MagnaTagATune", tmp_path / "MTT", ignore=shutil.ignore_patterns("annotations*"))
    with pytest.raises(ValueError, match="no tags"):
        open_clips(config(), tmp_path / "MTT")


def test_other_audio_has_another_fingerprint(open_music, tiny_settings):
    collection = open_music(tiny_settings)
    prints = [clips.fingerprint for clips in (*collection.tasks.values(), *collection.pretraining.values())]
    assert len(set(prints)) == len(prints)
    assert open_music(tiny_settings).fingerprint == collection.fingerprint
