"""A synthetic IRMAS: read by the loader without a problem, shaped like the original, equal bits however it is made."""

import collections
import hashlib
import json
import re

import numpy as np
import pytest
import soundfile

from reprise.data import synthetic
from reprise.data.datasets import irmas as loader
from reprise.data.datasets._irmas_files import parse_name
from reprise.data.synthetic import ensembles, irmas
from reprise.data.synthetic.ensembles import Clip, deal, quotas, render
from reprise.data.synthetic.irmas_plan import TEST_LABELS, TRAINING_CLIPS, plan_testing, plan_training

TINY = {"preset": "smoke", "sample_rate": 8000, "test_seconds": (5.0, 5.2)}


def hashes(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.*")
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return synthetic.write("irmas", tmp_path_factory.mktemp("irmas"), workers=2, **TINY)


@pytest.fixture(scope="module")
def table(small):
    return loader.load(small)


def test_the_loader_finds_nothing_wrong(table):
    assert table.attrs["problems"] == []
    assert table.attrs["missing_instruments"] == []
    assert table.attrs["duplicates"] == []
    assert set(table["evidence"]) == {"synthetic"}


def test_clips_are_as_long_and_as_wide_as_the_originals(table):
    train = table["split"] == "train"
    assert set(table["duration"][train]) == {3.0}
    assert table["duration"][~train].between(5.0, 5.2).all()
    for path in table["path"].iloc[[0, -1]]:
        header = soundfile.info(path)
        assert (header.channels, header.subtype) == (2, "PCM_16")


def test_nothing_is_silent_or_clips(table):
    for path in table["path"].iloc[::5]:
        audio, _ = soundfile.read(path)
        assert 0.3 < np.abs(audio).max() < 0.99
        assert np.sqrt(np.square(audio).mean()) > 0.01


def test_sizes_of_the_small_set(table):
    train, test = table[table["split"] == "train"], table[table["split"] != "train"]
    assert len(train) == 44
    assert len(test) == 24
    assert test["song"].nunique() >= 8
    assert train["label"].value_counts().min() >= 3
    assert (train.groupby("label")["recording"].nunique() >= 2).all()
    assert all(test[code].sum() >= 2 for code in loader.INSTRUMENTS)
    assert set(test["part"]) == {1, 2, 3}
    assert (test.groupby("song")["part"].nunique() == 1).all()


def test_the_labels_on_disk_are_those_of_the_plan(small, table):
    train, test = irmas.plan(seed=0, training=44, testing=24, songs=9, test_seconds=TINY["test_seconds"])
    planned = {clip.path: clip.labels for clip in [*train, *test]}
    found = {
        str(path)[len(str(small)) + 1 :]: labels for path, labels in zip(table["path"], table["labels"], strict=True)
    }
    assert found == planned
    for clip in test:
        assert (small / clip.path).with_suffix(".txt").read_bytes() == b"".join(
            b"%s\t\n" % c.encode() for c in clip.labels
        )


def test_bits_do_not_depend_on_threads_but_on_the_seed(small, tmp_path):
    again = synthetic.write("irmas", tmp_path / "one", workers=1, **TINY)
    assert hashes(again) == hashes(small)
    parameters = json.loads((small / "SYNTHETIC.json").read_text())["parameters"]
    assert parameters["dataset"] == "irmas"
    clip = plan_training(seed=0, clips=44)[0]
    other = render(clip, seed=1, sample_rate=8000, balance=irmas.TRAINING)
    audio, _ = soundfile.read(small / clip.path)
    assert not np.allclose(audio, other, atol=1e-3)


def test_names_follow_the_originals_rules():
    names = [clip.path for clip in plan_training(seed=0, clips=330)]
    assert len(set(names)) == 330
    rows = [parse_name(name.rpartition("/")[2].removesuffix(".wav")) for name in names]
    assert all(row and row["genre"] in loader.GENRES for row in rows)
    assert {row["drums"] for row in rows} == {None, True, False}
    assert all(name.split("/")[1] == row["instrument"] for name, row in zip(names, rows, strict=True))
    # an excerpt's number beside a drum tag comes with a number in front, and only then
    tagged = [bool(re.search(r"\[(dru|nod)\]", name)) for name in names]
    assert [bool(re.search(r"/\d{3}__\[", name)) for name in names] == tagged
    per_recording = collections.Counter(row["recording"] for row in rows)
    assert 2.5 < np.mean(list(per_recording.values())) < 3.3


def test_training_classes_are_shaped_like_the_originals():
    counts = collections.Counter(clip.labels[0] for clip in plan_training(seed=0, clips=330))
    total = sum(TRAINING_CLIPS.values())
    for code, number in TRAINING_CLIPS.items():
        assert counts[code] == pytest.approx(330 * number / total, abs=1.0)
    genres = collections.Counter((clip.labels[0], clip.genre) for clip in plan_training(seed=0, clips=3000))
    assert genres["voi", "cla"] == 0
    assert genres["vio", "cla"] / counts["vio"] > 0.3


def test_testing_labels_are_shaped_like_the_originals():
    clips = plan_testing(seed=0, clips=1000, songs=80, seconds=(5.0, 20.0))
    sizes = collections.Counter(len(clip.labels) for clip in clips)
    assert [sizes[n] for n in range(1, 6)] == pytest.approx([430, 445, 111, 14, 1], abs=3)
    counts = collections.Counter(code for clip in clips for code in clip.labels)
    total = sum(TEST_LABELS.values())
    for code, number in TEST_LABELS.items():
        assert counts[code] == pytest.approx(sum(counts.values()) * number / total, abs=3)
    songs = collections.defaultdict(set)
    for clip in clips:
        for code in clip.labels:
            songs[code].add(clip.piece)
    assert min(map(len, songs.values())) >= 2
    lengths = np.array([clip.seconds for clip in clips])
    assert lengths.min() >= 5.0
    assert lengths.max() <= 20.0


def test_company_is_never_a_label():
    train, test = irmas.plan(seed=3, training=400, testing=200, songs=30, test_seconds=(5.0, 6.0))
    assert all(not set(clip.labels) & set(clip.company) for clip in [*train, *test])
    assert sum(len(clip.company) for clip in train) > 200


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_dealt_out_completely(seed):
    rng = np.random.default_rng(seed)
    sizes = [list(rng.integers(1, 4, rng.integers(1, 6))) for _ in range(12)]
    counts = quotas(sum(map(sum, sizes)), TEST_LABELS, fewest=2)
    dealt = deal(sizes, counts, rng=rng)
    assert [[len(labels) for labels in piece] for piece in dealt] == [[int(n) for n in piece] for piece in sizes]
    assert all(len(set(labels)) == len(labels) for piece in dealt for labels in piece)
    given = collections.Counter(code for piece in dealt for labels in piece for code in labels)
    assert given == counts


def test_quotas():
    assert (
        quotas(10, {"a": 1, "b": 1, "c": 2}) == {"a": 3, "b": 2, "c": 5}
        or sum(quotas(10, {"a": 1, "b": 1, "c": 2}).values()) == 10
    )
    assert quotas(10, {"a": 1, "b": 99}, fewest=3) == {"a": 3, "b": 7}
    assert quotas(5, {"a": 1, "b": 99}, fewest=3) == {"a": 3, "b": 3}


def test_the_labelled_instrument_is_the_loudest(monkeypatch):
    gains = {}

    def listen(parts, studio, **_):
        gains["all"] = [part.gain for part in parts]
        return np.zeros((10, 2), dtype=np.float32)

    monkeypatch.setattr(ensembles, "mix", listen)
    clip = Clip(0, "x.wav", "train 1", "pop_roc", ("sax",), ("gel", "bas"), True, 0.5)
    render(clip, seed=0, sample_rate=8000, balance=irmas.TRAINING)
    assert gains["all"][0] == 0.0
    assert max(gains["all"][1:]) <= -6.0
    assert len(gains["all"]) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"training": 20}, "training must lie in"),
        ({"testing": 10}, "testing must lie in"),
        ({"songs": 0}, "songs in"),
        ({"test_seconds": (9.0, 5.0)}, "test_seconds must be"),
        ({"sample_rate": 100}, "sample_rate must lie in"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"minutes": 3}, "unknown size minutes of irmas; known: training"),
    ],
)
def test_wrong_requests_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic.write("irmas", tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
