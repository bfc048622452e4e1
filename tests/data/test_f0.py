"""Pitch labels: equal to librosa's, made once, made again when damaged, read where known."""

import sys
from types import SimpleNamespace

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile

from reprise.data import datasets, f0, pitch, synthetic
from reprise.data.wavebank import WaveBank
from reprise.paths import cache_root

RATE, HOP = 8000, 80


def tone(seconds=0.5, pitch=220.0, rate=RATE):
    phase = 2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate
    return 0.3 * sum(np.sin(k * phase) / k for k in range(1, 5))


def bank_of(folder, sounds, rate=RATE):
    rows = []
    for name, y in sounds.items():
        soundfile.write(folder / f"{name}.wav", y, rate, subtype="PCM_16")
        rows.append({"clip_id": name, "path": str(folder / f"{name}.wav"), "start": 0.0, "duration": len(y) / rate})
    table = pd.DataFrame(rows).assign(group=lambda frame: frame["clip_id"], split="train", evidence="excerpt")
    return WaveBank.build(table, sample_rate=rate, workers=1)


def quick(bank, **options):
    return f0.label(bank, hop_length=HOP, workers=1, **{"fmin": 100.0, "fmax": 500.0} | options)


@pytest.fixture
def counted(monkeypatch):
    """Stand in for pYIN, and count."""
    calls = []

    def pretend(y, *, sample_rate, hop_length, fmin, fmax):
        calls.append(len(y))
        return np.full(1 + len(y) // hop_length, 100.0 + len(calls))

    monkeypatch.setattr(pitch, "_pyin", pretend)
    return calls


def test_equal_to_librosa(tmp_path):
    rng = np.random.default_rng(0)
    sound = np.concatenate([0.01 * rng.standard_normal(2000), tone(), tone(0.3, 300.0), np.zeros(1030)])
    bank = bank_of(tmp_path, {"a": sound})
    made = quick(bank, lowest=0.0)
    expected, voiced, _ = librosa.pyin(
        bank.batch([0], length=len(sound))[0].numpy(),
        fmin=100.0,
        fmax=500.0,
        sr=RATE,
        hop_length=HOP,
        frame_length=1024,
    )
    track = made.track(bank.table["path"][0])
    assert len(track) == 1 + len(sound) // HOP
    assert track.dtype == np.float32
    assert np.array_equal(track > 0, voiced)
    assert np.array_equal(track[voiced], expected[voiced].astype(np.float32))
    row = made.files.iloc[0]
    assert (row["estimator"], row["version"]) == ("pyin", f"librosa {librosa.__version__}")
    assert row["voiced"] == pytest.approx(voiced.mean())


def test_points_are_centred_on_the_grid():
    # pitch changes at sample 4000: half a frame of doubt around it, none elsewhere
    y = np.concatenate([tone(0.5, 200.0), tone(0.5, 300.0)])
    track = pitch.estimate(y, sample_rate=RATE, hop_length=HOP, fmin=100.0, fmax=500.0)
    at = np.arange(len(track)) * HOP
    assert np.allclose(track[(at > 600) & (at < 4000 - 512)], 200, rtol=0.006)
    assert np.allclose(track[(at > 4000 + 512) & (at < 7400)], 300, rtol=0.006)


def test_estimated_once(tmp_path, counted):
    bank = bank_of(tmp_path, {"a": tone(), "b": tone(0.7)})
    first = quick(bank)
    assert counted == [4000, 5600]
    again = quick(bank)
    assert len(counted) == 2
    assert np.array_equal(again.values, first.values)
    assert again.files.equals(first.files)
    # the same content under another name shares the estimate
    (tmp_path / "copy").mkdir()
    copy = bank_of(tmp_path / "copy", {"other": tone()})
    assert np.array_equal(quick(copy).values, first.track(bank.table["path"][0]))
    assert len(counted) == 2


def test_two_names_of_one_content_are_estimated_once(tmp_path, counted):
    made = quick(bank_of(tmp_path, {"a": tone(), "b": tone()}))
    assert len(counted) == 1
    assert np.array_equal(*(made.track(path) for path in made.files.index))


@pytest.mark.parametrize("change", [{"hop_length": 40}, {"fmin": 90.0}, {"fmax": 400.0}, {"mono": "left"}])
def test_every_parameter_is_part_of_the_key(tmp_path, counted, change):
    bank = bank_of(tmp_path, {"a": tone()})
    quick(bank)
    f0.label(bank, **{"hop_length": HOP, "fmin": 100.0, "fmax": 500.0, "workers": 1} | change)
    assert len(counted) == 2


def test_the_version_is_part_of_the_key_and_the_floor_is_not(tmp_path, counted, monkeypatch):
    bank = bank_of(tmp_path, {"a": tone()})
    assert quick(bank, lowest=0.0).values.any()
    assert not quick(bank, lowest=150.0).values.any()
    assert len(counted) == 1
    monkeypatch.setattr(librosa.version, "version", "99")
    assert quick(bank).files["version"].tolist() == ["librosa 99"]
    assert len(counted) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other", "shape"])
def test_a_damaged_estimate_is_made_again(tmp_path, counted, damage):
    bank = bank_of(tmp_path, {"a": tone()})
    quick(bank)
    (path,) = (cache_root() / "f0").glob("*.npz")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-100])
    elif damage == "flip":
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        path.write_text("something else")
    else:
        np.savez(path, f0=np.zeros(3, np.float32))
    made = quick(bank)
    assert len(counted) == 2
    assert set(made.values) == {np.float32(102.0)}
    quick(bank)
    assert len(counted) == 2
    assert [entry.name for entry in (cache_root() / "f0").iterdir()] == [path.name], "nothing is left behind"


def test_an_interrupted_run_goes_on(tmp_path, counted, monkeypatch):
    bank = bank_of(tmp_path, {"a": tone(), "b": tone(0.7)})
    real = f0._estimate_file

    def stop(path, target, *, settings):
        if path.endswith("b.wav"):
            raise KeyboardInterrupt
        real(path, target, settings=settings)

    monkeypatch.setattr(f0, "_estimate_file", stop)
    with pytest.raises(KeyboardInterrupt):
        quick(bank)
    monkeypatch.setattr(f0, "_estimate_file", real)
    quick(bank)
    assert counted == [4000, 5600]


def test_processes_give_the_same(tmp_path):
    bank = bank_of(tmp_path, {"a": tone(), "b": tone(0.4, 330.0)})
    alone = quick(bank, cache=tmp_path / "alone")
    together = f0.label(bank, hop_length=HOP, fmin=100.0, fmax=500.0, workers=2, cache=tmp_path / "together")
    assert np.array_equal(alone.values, together.values)


def test_known_pitch_is_read(tmp_path, counted):
    bank = bank_of(tmp_path, {"a": tone(), "b": tone(0.7)})
    known = pitch.known_path(bank.table["path"][0])
    assert known.name == "a.f0.csv"
    # every 5 ms; the grid is every 10 ms
    known.write_text("".join(f"{k * 0.005:.6f},{0 if k < 20 else 200 + k:.4f}\n" for k in range(101)))
    made = quick(bank)
    track = made.track(bank.table["path"][0])
    assert made.files["estimator"].tolist() == ["known", "pyin"]
    assert np.allclose(track, [0 if k < 20 else 200 + k for k in range(0, 101, 2)])
    assert counted == [5600]
    assert quick(bank, known=False).files["estimator"].tolist() == ["pyin", "pyin"]


def test_known_pitch_between_lines_is_never_blended_with_silence():
    times, values = np.array([0.0, 0.1, 0.2, 0.3]), np.array([0.0, 100.0, 200.0, 0.0])
    at = np.array([-0.01, 0.04, 0.06, 0.1, 0.15, 0.24, 0.26, 0.3, 0.31])
    assert np.allclose(pitch.on_grid(times, values, at=at), [0, 0, 100, 100, 150, 200, 0, 0, 0])
    # nothing is made up before and after
    assert pitch.on_grid(times[1:3], values[1:3], at=np.array([0.09, 0.1, 0.2, 0.21])).tolist() == [0, 100, 200, 0]
    assert pitch.on_grid(times[:1], values[1:2], at=np.array([0.0, 1.0])).tolist() == [100.0, 0.0]


@pytest.mark.parametrize("text", ["", "time,f0\n", "0,1\n0,1\n", "0,-5\n1,2\n", "0,nan\n", "1;2\n", "\xff\xfe"])
def test_a_bad_track_is_told_and_estimated(tmp_path, counted, text):
    bank = bank_of(tmp_path, {"a": tone()})
    known = pitch.known_path(bank.table["path"][0])
    known.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.f0\.csv"):
        pitch.read_known(known)
    made = quick(bank)
    assert made.files["estimator"].tolist() == ["pyin"]
    assert made.problems["path"].tolist() == [str(known)]
    assert made.problems["action"].tolist() == ["estimated instead"]


def test_known_pitch_of_synthetic_songs_against_pyin(tmp_path):
    folder = synthetic.write(
        "singing", tmp_path, singers=2, training=1, validation=0, testing=0, song_seconds=(4.0, 4.0), workers=1
    )
    bank = WaveBank.build(datasets.load("singing", folder), sample_rate=24000, workers=1)
    known = f0.label(bank, hop_length=240, workers=1)
    estimated = f0.label(bank, hop_length=240, known=False, workers=1)
    assert set(known.files["estimator"]) == {"known"}
    for path in known.files.index:
        true, found = known.track(path), estimated.track(path)
        both = (true > 0) & (found > 0)
        assert both.mean() > 0.4
        assert np.median(np.abs(1200 * np.log2(found[both] / true[both]))) < 20


def test_silence_noise_and_short_files(tmp_path):
    rng = np.random.default_rng(0)
    bank = bank_of(
        tmp_path,
        {
            "silent": np.zeros(RATE),
            "noise": 0.1 * rng.standard_normal(3000),
            "short": tone(0.02),
            "good": tone(),
        },
    )
    assert bank.problems["path"].str.contains("silent").tolist() == [True]
    made = quick(bank)
    assert len(made.files) == 3
    assert all(row["n_points"] == 1 + row["length"] // HOP for _, row in made.files.iterrows())
    assert made.track(bank.table["path"][2]).any()
    unvoiced = [path for path in made.files.index if not made.track(path).any()]
    assert made.problems["path"].tolist() == unvoiced
    with pytest.raises(KeyError):
        made.track(tmp_path / "silent.wav")


def test_world_where_it_is_installed(tmp_path, monkeypatch):
    asked = {}

    def dio(y, rate, **options):
        asked.update(options, dtype=y.dtype)
        return np.full(len(y) // HOP, 70.0), None

    fake = SimpleNamespace(__version__="0.3", dio=dio, harvest=lambda y, rate, **_: (np.full(999, 120.0), None))
    monkeypatch.setitem(sys.modules, "pyworld", fake)
    bank = bank_of(tmp_path, {"a": tone()})
    made = quick(bank, estimator="dio", lowest=60.0)
    assert made.files[["estimator", "version"]].iloc[0].tolist() == ["dio", "pyworld 0.3"]
    assert asked["frame_period"] == pytest.approx(10.0)
    assert (asked["f0_floor"], asked["f0_ceil"], asked["channels_in_octave"]) == (100.0, 500.0, 2)
    assert asked["dtype"] == np.float64
    # one point too few is filled with silence, what is too much is cut
    assert made.values.tolist() == [70.0] * 50 + [0.0]
    assert quick(bank, estimator="harvest").values.tolist() == [120.0] * 51


def test_world_where_it_is_not(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    bank = bank_of(tmp_path, {"a": tone()})
    with pytest.raises(ValueError, match="pip install pyworld"):
        quick(bank, estimator="dio")


def test_wrong_arguments(tmp_path):
    bank = bank_of(tmp_path, {"a": tone()})
    with pytest.raises(ValueError, match="known: pyin, dio, harvest"):
        quick(bank, estimator="crepe")
    for options in ({"hop_length": 0}, {"hop_length": 2.5}):
        with pytest.raises(ValueError, match="hop_length"):
            f0.label(bank, **options)
    for options in ({"fmin": 600.0}, {"fmax": 4001.0}, {"fmin": 0.0}):
        with pytest.raises(ValueError, match="fmin < fmax"):
            quick(bank, **options)


def test_against_the_annotations_of_vocadito(real_data):
    folder = real_data / "vocadito"
    y, rate = soundfile.read(folder / "Audio" / "vocadito_1.flac", stop=8 * 44100)
    found = pitch.estimate(y, sample_rate=rate, hop_length=441)
    times, values = pitch.read_known(folder / "Annotations" / "F0" / "vocadito_1_f0.csv")
    true = pitch.on_grid(times, values, at=np.arange(len(found)) * 0.01)
    both = (true > 0) & (found > 0)
    assert both.mean() > 0.3
    assert np.median(np.abs(1200 * np.log2(found[both] / true[both]))) < 20
