"""A synthetic AudioSet: read by the loader without a problem, labels of the plan, another domain than IRMAS."""

import collections
import hashlib

import numpy as np
import pandas as pd
import pytest
import soundfile

from reprise.data import synthetic
from reprise.data.datasets import audioset as loader
from reprise.data.synthetic import audioset, irmas
from reprise.data.synthetic.ensembles import Clip, render

TINY = {"preset": "smoke", "clips": 22, "sample_rate": 8000}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return synthetic.write("audioset", tmp_path_factory.mktemp("audioset"), workers=2, **TINY)


@pytest.fixture(scope="module")
def table(small):
    return loader.load(small)


def test_the_loader_finds_nothing_wrong(table):
    assert table.attrs["problems"] == []
    assert len(table) == 22
    assert set(table["evidence"]) == {"synthetic"}
    assert set(table["duration"]) == {10.0}
    assert set(table["source"]) == {"balanced_train", "eval"}
    # what the loader has to leave out is there to be left out
    assert any(note.startswith("2 listed segments with pizzicato") for note in table.attrs["notes"])
    assert any("22 of 23 listed segments" in note for note in table.attrs["notes"])


def test_the_labels_are_those_of_the_plan(table):
    planned = {clip.path.split("/")[1].split("_")[0]: clip.labels for clip in audioset.plan(seed=0, clips=22)}
    assert dict(zip(table["clip_id"], table["labels"], strict=True)) == planned
    assert all(table[code].sum() >= 2 for code in loader.INSTRUMENTS)


def test_labels_are_shaped_like_the_papers():
    clips = audioset.plan(seed=0, clips=1460)
    sizes = collections.Counter(len(clip.labels) for clip in clips)
    assert [sizes[n] for n in (1, 2, 3)] == pytest.approx([1245, 200, 15], abs=3)
    counts = collections.Counter(code for clip in clips for code in clip.labels)
    assert counts.most_common(1)[0][0] == "vio"
    assert counts.most_common()[-1][0] == "cla"


def test_identifiers_of_classes_are_the_lists(small):
    classes = pd.read_csv(small / "class_labels_indices.csv")
    assert list(classes.columns) == ["index", "mid", "display_name"]
    assert set(classes["mid"]) == set(loader.MIDS) | set(loader.EXCLUDED)
    assert classes["index"].is_monotonic_increasing
    assert classes.set_index("mid")["index"]["/m/06ncr"] == 197


def test_bits_do_not_depend_on_threads(small, tmp_path):
    again = synthetic.write("audioset", tmp_path, workers=1, **TINY)
    files = sorted(path.relative_to(small) for path in small.rglob("*.*"))
    assert len(files) == 22 + 4
    for file in files:
        assert (
            hashlib.sha256((small / file).read_bytes()).digest() == hashlib.sha256((again / file).read_bytes()).digest()
        )


def test_it_is_another_domain():
    """Noise between the notes and missing treble, beside the same instruments in a studio."""

    def treble_and_floor(balance, seed):
        clip = Clip(0, "x.wav", f"x {seed}", "cla", ("pia",), (), False, 3.0)
        audio = render(clip, seed=seed, sample_rate=44100, balance=balance).mean(axis=1)
        power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
        return np.median(power[45000:]) / power.max(), np.median(power) / power.max()

    rough = np.array([treble_and_floor(audioset.BALANCE, seed) for seed in range(6)])
    clean = np.array([treble_and_floor(irmas.TRAINING, seed) for seed in range(6)])
    assert np.median(rough[:, 1]) > 10 * np.median(clean[:, 1])


def test_files_are_mono(table):
    header = soundfile.info(table["path"].iloc[0])
    assert (header.channels, header.subtype, header.samplerate) == (1, "PCM_16", 8000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clips": 5}, "clips must lie in"),
        ({"sample_rate": 100}, "sample_rate must lie in"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"songs": 3}, "unknown size songs of audioset; known: clips"),
    ],
)
def test_wrong_requests_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic.write("audioset", tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
