"""The synthetic VocalSet: its plan, its files, and what happens when writing goes wrong."""

import hashlib
import json
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.data import datasets, synthetic
from reprise.data.datasets.vocalset import OFFICIAL_TEST_SINGERS, SINGERS, TECHNIQUES
from reprise.data.synthetic import folder, vocalset
from reprise.data.synthetic import singers as synthetic_singers
from reprise.data.synthetic.plan import MINUTES, plan

TINY = {"minutes": 1.2, "take_seconds": (1.05, 2.0), "sample_rate": 8000}


def hashes(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def hidden(root):
    return [path.name for path in root.iterdir() if path.name.startswith(".") and path.suffix != ".lock"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return synthetic.write("vocalset", tmp_path_factory.mktemp("tiny"), workers=1, **TINY)


def test_names_are_known():
    assert {"audioset", "irmas", "singing", "vocalset"} <= set(synthetic.available())
    assert set(synthetic.presets("vocalset")) == {"smoke", "demo"}
    assert tuple(synthetic_singers.SINGERS) == SINGERS
    assert set(MINUTES) == set(TECHNIQUES)


def test_bytes_do_not_depend_on_workers_but_on_the_seed(tiny, tmp_path):
    again = synthetic.write("vocalset", tmp_path / "again", workers=2, **TINY)
    assert hashes(again) == hashes(tiny)
    other = synthetic.write("vocalset", tmp_path / "other", seed=1, workers=2, **TINY)
    assert not set(hashes(tiny).values()) & {value for name, value in hashes(other).items() if name.endswith(".wav")}


def test_no_two_takes_are_alike(tiny):
    audio = [value for name, value in hashes(tiny).items() if name.endswith(".wav")]
    assert len(set(audio)) == len(audio)


def test_audio_is_sound(tiny):
    for path in tiny.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
        audio, _ = soundfile.read(path)
        # shortest and longest take, to the sample
        assert 1.05 * 8000 - 1 <= len(audio) <= 2.0 * 8000 + 1
        assert 0.01 < np.abs(audio).max() <= 0.98
        assert abs(audio.mean()) < 1e-3
        # digital silence nowhere, sound nearly everywhere
        blocks = audio[: len(audio) // 800 * 800].reshape(-1, 800).std(axis=1)
        assert blocks.min() > 1e-5
        assert (blocks > 0.1 * np.median(blocks)).mean() > 0.5


def test_the_loader_reads_it_with_the_official_split(tiny):
    table = datasets.load("vocalset", tiny, seconds=1.0)
    assert set(table["evidence"]) == {"synthetic"}
    assert table.attrs["notes"] == []
    assert table.attrs["problems"] == []
    assert set(table["technique"]) == set(TECHNIQUES)
    assert set(table["singer"]) == set(SINGERS)
    assert set(table["singer"][table["split"] == "test"]) == set(OFFICIAL_TEST_SINGERS)
    clips = table.groupby(["technique", "split"]).size().unstack()
    assert clips["train"].min() >= 4
    assert clips["test"].min() >= 2
    sung = table[table["context"] != "excerpts"]
    assert sung["vowel"].isin(list("aeiou")).all()
    assert set(table["context"]) == {"scales", "arpeggios", "long_tones", "excerpts"}


def test_names_of_files_are_the_originals(tiny):
    pattern = re.compile(
        r"FULL/(female|male)\d+/(scales|arpeggios|long_tones|excerpts)/(\w+)/"
        r"[fm]\d+_((scales|arpeggios|long)_\3_[cf]_[aeiou]|(row|dona|caro)_\3)(\(\d+\))?\.wav"
    )
    for path in tiny.rglob("*.wav"):
        assert pattern.fullmatch(path.relative_to(tiny).as_posix()), path
    listed = {side: set((tiny / f"{side}_singers_technique.txt").read_text().split()) for side in ("train", "test")}
    assert listed["test"] == set(OFFICIAL_TEST_SINGERS)
    assert listed["train"] == set(SINGERS) - listed["test"]


def test_smoke_and_demo_give_enough_clips_of_every_class():
    for preset, clip in (("smoke", 1.0), ("demo", 3.0)):
        sizes = synthetic.presets("vocalset")[preset]
        takes = plan(seed=0, minutes=sizes["minutes"], take_seconds=sizes["take_seconds"])
        for technique in TECHNIQUES:
            for test, fewest in ((False, 4), (True, 2)):
                side = [t for t in takes if t.technique == technique and (t.singer in OFFICIAL_TEST_SINGERS) == test]
                assert sum(int(t.seconds / clip) for t in side) >= fewest
        assert sum(t.seconds for t in takes) / 60 == pytest.approx(sizes["minutes"], rel=0.02)


def test_classes_are_as_unequal_as_in_the_paper():
    takes = plan(seed=0, minutes=60.0, take_seconds=(3.0, 9.0))
    seconds = {name: sum(t.seconds for t in takes if t.technique == name) for name in TECHNIQUES}
    assert sorted(seconds, key=seconds.get) == sorted(MINUTES, key=MINUTES.get)
    for name, value in seconds.items():
        assert value / 3600 == pytest.approx(MINUTES[name] / sum(MINUTES.values()), rel=0.05)


@settings(max_examples=15, deadline=None)
@given(minutes=st.floats(0.1, 120), low=st.floats(0.5, 5), extra=st.floats(0, 8), seed=st.integers(0, 1000))
def test_any_plan_has_all_classes_on_both_sides(minutes, low, extra, seed):
    takes = plan(seed=seed, minutes=minutes, take_seconds=(low, low + extra))
    assert len({take.path for take in takes}) == len(takes)
    assert len({take.path.lower() for take in takes}) == len(takes)
    assert [take.index for take in takes] == list(range(len(takes)))
    assert all(low - 1e-9 <= take.seconds <= low + extra + 1e-9 for take in takes)
    sides = {(take.technique, take.singer in OFFICIAL_TEST_SINGERS) for take in takes}
    assert len(sides) == 2 * len(TECHNIQUES)
    assert {take.singer for take in takes} == set(SINGERS)


def test_the_marker_says_what_it_is(tiny):
    marker = json.loads((tiny / "SYNTHETIC.json").read_text())
    assert marker["statement"] == "procedural audio, no recording"
    assert marker["parameters"] == {
        "dataset": "vocalset",
        "format_version": vocalset.FORMAT_VERSION,
        "seed": 0,
        "minutes": 1.2,
        "take_seconds": [1.05, 2.0],
        "sample_rate": 8000,
        "difficulty": 0.5,
    }


@pytest.fixture
def counted(monkeypatch):
    """Replace the audio by a little noise and count the takes."""
    calls = []

    def quick(take, *, seed, sample_rate, **_):
        calls.append(take.index)
        return np.random.default_rng(take.index + seed).uniform(-0.1, 0.1, 2000).astype(np.float32)

    monkeypatch.setattr(vocalset, "render", quick)
    return calls


def test_asking_again_costs_nothing_and_other_sizes_rewrite(tmp_path, counted):
    first = synthetic.write("vocalset", tmp_path, **TINY)
    n = len(counted)
    assert n == len(list(first.rglob("*.wav"))) >= 60
    assert synthetic.write("vocalset", tmp_path, **TINY) == first
    assert len(counted) == n
    synthetic.write("vocalset", tmp_path, seed=3, **TINY)
    assert len(counted) == 2 * n
    assert json.loads((first / "SYNTHETIC.json").read_text())["parameters"]["seed"] == 3
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("damage", ["lost file", "cut file", "broken marker"])
def test_a_damaged_copy_is_written_anew(tmp_path, counted, damage):
    root = synthetic.write("vocalset", tmp_path, **TINY)
    before = hashes(root)
    wav = next(root.rglob("*.wav"))
    if damage == "lost file":
        wav.unlink()
    elif damage == "cut file":
        wav.write_bytes(wav.read_bytes()[:100])
    else:
        (root / "SYNTHETIC.json").write_text("{")
    synthetic.write("vocalset", tmp_path, **TINY)
    assert hashes(root) == before


def test_a_failure_leaves_the_old_copy(tmp_path, counted, monkeypatch):
    root = synthetic.write("vocalset", tmp_path, **TINY)
    before = hashes(root)

    def full(take, **_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vocalset, "render", full)
    with pytest.raises(OSError, match="No space"):
        synthetic.write("vocalset", tmp_path, seed=9, **TINY)
    assert hashes(root) == before
    assert hidden(tmp_path) == []


def test_a_real_folder_is_left_alone(tmp_path):
    real = tmp_path / "VocalSet" / "FULL" / "female1"
    real.mkdir(parents=True)
    with pytest.raises(FileExistsError, match="not synthetic"):
        synthetic.write("vocalset", tmp_path, **TINY)
    assert real.is_dir()


def test_two_threads_write_once(tmp_path, counted):
    threads = [threading.Thread(target=synthetic.write, args=("vocalset", tmp_path), kwargs=TINY) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == list(range(len(counted)))
    assert hidden(tmp_path) == []


def test_two_processes_writing_different_sets_end_well(tmp_path):
    code = (
        "import sys; from reprise.data import synthetic; "
        "synthetic.write('vocalset', sys.argv[1], seed=int(sys.argv[2]), workers=1, minutes=0.6,"
        " take_seconds=(0.5, 0.6), sample_rate=8000)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), seed]) for seed in "01"]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    root = tmp_path / "VocalSet"
    marker = json.loads((root / folder.MARKER).read_text())
    assert marker["parameters"]["seed"] in (0, 1)
    assert marker["content"]["files"] == len(list(root.rglob("*.wav")))
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "musdb"}, "no synthetic data set 'musdb'; known: audioset, billboard, emomusic, fma"),
        ({"preset": "huge"}, "no preset 'huge' of vocalset; known: smoke, demo"),
        ({"hours": 3}, "unknown size hours of vocalset; known: minutes"),
        ({"minutes": 0}, "minutes must lie in"),
        ({"take_seconds": (3.0, 1.0)}, "take_seconds must be"),
        ({"sample_rate": 4000}, "sample_rate must lie in"),
        ({"workers": 0}, "workers must be at least 1"),
    ],
)
def test_wrong_requests_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic.write(**({"name": "vocalset", "root": tmp_path} | arguments))
    assert list(tmp_path.iterdir()) == []
