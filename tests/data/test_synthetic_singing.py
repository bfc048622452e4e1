"""Synthetic songs: what is sung is what the pitch track says, and the folder is one that the loader reads."""

import hashlib
import time

import librosa
import numpy as np
import pytest
import soundfile

from reprise.data import datasets, synthetic
from reprise.data.pitch import on_grid, read_known
from reprise.data.synthetic import singing, songs
from reprise.data.synthetic.singers import draw_singer

RATE = 24000
TINY = {"singers": 2, "training": 2, "validation": 0, "testing": 1, "song_seconds": (2.0, 3.0)}


def hashes(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def song(name, seconds=8.0, seed=0, rate=RATE):
    return songs.render_song(
        draw_singer(name, seed=seed), seconds=seconds, sample_rate=rate, rng=np.random.default_rng(seed)
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return synthetic.write("singing", tmp_path_factory.mktemp("tiny"), workers=1, **TINY)


def test_bytes_depend_on_the_seed_alone(tiny, tmp_path):
    again = synthetic.write("singing", tmp_path / "again", workers=2, **TINY)
    assert hashes(again) == hashes(tiny)
    other = synthetic.write("singing", tmp_path / "other", seed=1, workers=2, **TINY)
    assert not set(hashes(other).values()) & set(hashes(tiny).values())


def test_the_loader_reads_it(tiny):
    table = datasets.load("singing", tiny)
    assert table.attrs["layout"] == "plain"
    assert table.attrs["problems"] == []
    assert set(table["evidence"]) == {"synthetic"}
    assert table["split"].value_counts().to_dict() == {"train": 4, "test": 2}
    assert set(table["singer"]) == {"female1", "male1"}
    assert datasets.find_root("singing", tiny.parent) == tiny
    for path in table["path"]:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")


def test_presets():
    sizes = synthetic.presets("singing")
    for name, total, counts in (("smoke", 24.0, {"train": 3, "test": 2}), ("demo", 600.0, None)):
        plan = {key: value for key, value in sizes[name].items() if key != "sample_rate"}
        made = singing.plan(seed=0, **plan)
        assert sum(item.seconds for item in made) == pytest.approx(total, rel=0.05)
        sides = [item.path.split("/")[0] for item in made]
        if counts:
            assert {side: sides.count(side) for side in set(sides)} == counts
        assert len({item.path for item in made}) == len(made)
        assert len({item.singer for item in made}) == sizes[name]["singers"]


@pytest.mark.parametrize("name", ["female1", "male1", "male8"])
def test_an_independent_tracker_finds_the_true_pitch(name):
    made = song(name)
    f0, _, _ = librosa.pyin(made.audio, fmin=65, fmax=1047, sr=RATE, hop_length=240, fill_na=0.0)
    times = np.arange(len(made.f0)) * made.hop_length / RATE
    true = on_grid(times, made.f0, at=np.arange(len(f0)) * 0.01)
    both = (f0 > 0) & (true > 0)
    cents = 1200 * np.log2(f0[both] / true[both])
    assert both.mean() > 0.4
    # pYIN's own step is 10 cents
    assert np.median(np.abs(cents)) < 10
    assert abs(np.median(cents)) < 5
    assert np.mean(np.abs(cents) < 50) > 0.9


def test_songs_have_what_singing_has():
    made = song("female1", seconds=30.0)
    f0, audio = made.f0, made.audio
    voiced = f0 > 0
    assert 0.5 < voiced.mean() < 0.9
    assert f0[voiced].min() >= songs.LOWEST_F0 > 80
    assert 0.02 < audio.std() < 0.2
    assert np.abs(audio).max() <= 0.97
    kinds = {note.consonant for note in made.notes}
    assert {"", "h"} | set("sSf") & kinds
    assert len({note.vowel for note in made.notes}) == 5
    assert sum(note.opens for note in made.notes) >= 3
    assert all(a.end <= b.start + 1e-9 for a, b in zip(made.notes, made.notes[1:], strict=False))
    # rests: the voice is silent there and the room has died away half a second later
    level = np.sqrt(np.convolve(np.square(audio), np.full(1200, 1 / 1200), mode="same"))
    at = np.arange(len(f0)) * made.hop_length
    inside = at < len(audio)
    loud = np.median(level[at[inside & voiced]])
    assert np.median(level[at[inside & ~voiced]]) < 0.2 * loud
    # vibrato: long notes swing around their mean several times a second
    swings = 0
    for note in made.notes:
        part = f0[round(note.start * 200) + 80 : round(note.end * 200) - 10]
        if len(part) > 60 and (part > 0).all():
            cents = 1200 * np.log2(part / part.mean())
            swings += (
                10 < cents.std() < 100 and 3 < np.count_nonzero(np.diff(np.sign(cents)) > 0) / (len(part) / 200) < 9
            )
    assert swings >= 2


def test_fricatives_are_noise_above_the_voice():
    made = song("male1", seconds=40.0)
    spectrum = np.abs(librosa.stft(made.audio, n_fft=512, hop_length=120)) ** 2
    bins = np.fft.rfftfreq(512, 1 / RATE)
    high = spectrum[bins > 4000].sum(axis=0) / spectrum.sum(axis=0)
    hiss = [note for note in made.notes if note.consonant in "sS" and note.consonant]
    centres = [round((note.start + 0.04) * 200) for note in hiss]
    sung = [round((note.end - 0.06) * 200) for note in made.notes]
    assert len(hiss) >= 3
    assert np.median(high[centres]) > 0.5
    assert np.median(high[sung]) < 0.1


def test_the_track_beside_a_song(tiny):
    for path in tiny.rglob("*.wav"):
        times, f0 = read_known(path.with_suffix(".f0.csv"))
        assert times[0] == 0
        assert np.allclose(np.diff(times), 0.005, atol=2e-6)
        assert times[-1] >= soundfile.info(path).duration - 1e-6
        assert f0[0] == 0


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_other_rates(rate):
    made = song("male1", seconds=3.0, rate=rate)
    assert len(made.audio) == 3 * rate
    assert (len(made.f0) - 1) * made.hop_length >= len(made.audio)


def test_it_is_much_faster_than_real_time():
    song("female1", seconds=2.0)
    start = time.process_time()
    song("female1", seconds=20.0)
    # measured: about 100 times on one core
    assert 20.0 / (time.process_time() - start) > 30


@pytest.mark.parametrize(
    "sizes",
    [
        {"singers": 0},
        {"singers": 21},
        {"training": -1},
        {"training": 0, "testing": 0, "validation": 0},
        {"song_seconds": (1.0, 3.0)},
        {"song_seconds": (5.0, 3.0)},
        {"sample_rate": 8000},
    ],
)
def test_sizes_out_of_range(tmp_path, sizes):
    with pytest.raises(ValueError, match=r"must"):
        synthetic.write("singing", tmp_path, preset="smoke", **sizes)


def test_a_real_folder_is_left_alone(tmp_path):
    (tmp_path / "singing").mkdir()
    with pytest.raises(FileExistsError, match="not synthetic"):
        synthetic.write("singing", tmp_path, preset="smoke")
