"""Songs of singers: level, pitch, sides, the few of the limited scenario, and which singers are taken."""

import shutil

import numpy as np
import pytest
import soundfile
import torch

from reprise.audio.vocoder_input import log_mel
from reprise.data.pitch import known_path, read_known
from reprise.papers.sawsing.conditions import mel_config, songs_config
from reprise.papers.sawsing.corpus import open_songs, voice_of


def plain_folder(sung_folder, tmp_path, *, n_songs, singer="ada"):
    """Songs of one singer in a folder that says no sides."""
    found = sorted(sung_folder.rglob("*.wav"))[:n_songs]
    folder = tmp_path / "plain"
    for number, path in enumerate(found):
        target = folder / singer / f"song{number}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        shutil.copy(known_path(path), known_path(target))
    return folder


def test_every_song_has_the_level_that_is_asked_for(open_sung, tiny_settings):
    songs = open_sung(tiny_settings).singers["female1"]
    for row in range(len(songs.table)):
        wave, rate = soundfile.read(songs.table["path"].iloc[row])
        assert rate == 24000
        assert float(songs.song(row).square().mean().sqrt()) == pytest.approx(0.02, rel=1e-5)
        correlation = np.corrcoef(wave, songs.song(row).numpy())[0, 1]
        assert correlation > 0.9999


def test_songs_keep_their_own_level_where_none_is_asked_for(open_sung, tiny_settings):
    songs = open_sung(tiny_settings.model_copy(update={"target_rms": None})).singers["female1"]
    wave, _ = soundfile.read(songs.table["path"].iloc[0])
    np.testing.assert_allclose(songs.song(0).numpy(), wave, atol=1e-4)


def test_pitch_is_the_known_track_on_the_grid_of_frames(open_sung, tiny_settings):
    songs = open_sung(tiny_settings).singers["female1"]
    times, true = read_known(known_path(songs.table["path"].iloc[0]))
    f0 = songs.f0(0)
    assert len(f0) == len(songs.song(0)) // 240
    frames = np.arange(len(f0)) * 0.01
    nearest = true[np.abs(times[:, None] - frames).argmin(axis=0)]
    both = (nearest > 0) & (f0.numpy() > 0)
    assert both.sum() > 50
    np.testing.assert_allclose(f0.numpy()[both], nearest[both], rtol=0.03)


def test_spectrograms_are_of_the_scaled_song_and_made_once(open_sung, tiny_settings):
    songs = open_sung(tiny_settings).singers["female1"]
    config = mel_config(tiny_settings)
    torch.testing.assert_close(songs.mel(1, config), log_mel(songs.song(1)[None])[0])
    assert songs.mel(1, config) is songs.mel(1, config)


def test_sides_are_those_of_the_folders_and_the_test_side_no_larger_than_asked_for(open_sung, tiny_settings):
    songs = open_sung(tiny_settings).singers["female1"]
    assert [len(songs.rows(side)) for side in ("train", "valid", "test")] == [3, 0, 1]
    more = open_sung(tiny_settings.model_copy(update={"n_test_songs": 2})).singers["female1"]
    assert len(more.rows("test")) == 2


def test_songs_of_a_plain_folder_are_divided_and_a_lack_of_them_is_told(sung_folder, tmp_path, tiny_settings):
    folder = plain_folder(sung_folder, tmp_path, n_songs=4)
    settings = tiny_settings.model_copy(update={"n_test_songs": 3, "n_valid_songs": 24})
    songs = open_songs(songs_config(settings, singer="ada"), folder)
    assert [len(songs.rows(side)) for side in ("train", "valid", "test")] == [2, 1, 1]
    assert len({songs.name(row) for side in ("train", "valid", "test") for row in songs.rows(side)}) == 4
    assert any("too few for 3 test and 24" in note for note in songs.notes)


def test_a_single_song_is_refused_with_advice(sung_folder, tmp_path, tiny_settings):
    folder = plain_folder(sung_folder, tmp_path, n_songs=1)
    with pytest.raises(ValueError, match=r"ada has 1 song.*two songs"):
        open_songs(songs_config(tiny_settings, singer="ada"), folder)


def test_few_recordings_are_others_for_every_seed_and_all_where_there_are_no_more(open_sung, tiny_settings):
    songs = open_sung(tiny_settings).singers["female1"]
    chosen = [tuple(songs.limited_rows(seed, 1)) for seed in range(3)]
    assert len(set(chosen)) == 3
    assert set(np.concatenate(chosen)) == set(songs.rows("train"))
    np.testing.assert_array_equal(songs.limited_rows(0, 9), songs.rows("train"))
    np.testing.assert_array_equal(songs.limited_rows(4, 2), songs.limited_rows(4, 2))


def test_a_song_of_several_files_stays_on_one_side(sung_folder, tmp_path, tiny_settings):
    found = sorted(sung_folder.rglob("*.wav"))[:8]
    for number, path in enumerate(found):
        style = "Control" if number % 2 else "Vibrato"
        target = tmp_path / "GTSinger" / "English" / "EN-Alto-1" / "Vibrato" / f"title {number // 2}"
        target = target / f"{style}_Group" / "0000.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    songs = open_songs(songs_config(tiny_settings, singer="EN-Alto-1"), tmp_path / "GTSinger")
    assert songs.table.groupby("group")["split"].nunique().max() == 1
    assert len(songs.rows("test")) == 2
    limited = songs.limited_rows(0, 1)
    assert songs.table["group"].iloc[limited].nunique() == 1
    assert len(limited) == 2


def test_a_changed_label_is_other_data(sung_folder, tmp_path, tiny_settings):
    folder = plain_folder(sung_folder, tmp_path, n_songs=3)
    config = songs_config(tiny_settings, singer="ada")
    before = open_songs(config, folder).fingerprint
    track = next(folder.rglob("*.f0.csv"))
    times, f0 = read_known(track)
    np.savetxt(track, np.stack([times, f0 * 1.1], axis=1), delimiter=",")
    open_songs.cache_clear()
    assert open_songs(config, folder).fingerprint != before


def test_a_second_opening_costs_nothing(open_sung, tiny_settings):
    assert open_sung(tiny_settings).singers["female1"] is open_sung(tiny_settings).singers["female1"]


def test_women_and_men_take_turns(open_sung, tiny_settings):
    both = open_sung(tiny_settings.model_copy(update={"max_singers": 2}))
    assert list(both.singers) == ["female1", "male1"]
    assert both.evidence == "synthetic"
    one = open_sung(tiny_settings)
    assert list(one.singers) == ["female1"]
    assert one.notes == ["female1 of 2 singers, those with the most songs."]
    assert one.fingerprint != both.fingerprint


@pytest.mark.parametrize(
    ("singer", "voice"),
    [
        ("female1", "female"), ("male1", "male"), ("f1", "female"), ("m2", "male"), ("EN-Alto-1", "female"),
        ("ZH-Tenor-1", "male"), ("Bass-2", "male"), ("Soprano-1", "female"), ("CSD", "female"), ("fred", None),
        ("singer1", None), ("tom1", None),
    ],
)  # fmt: skip
def test_the_voice_is_what_the_name_tells(singer, voice):
    assert voice_of(singer) == voice
