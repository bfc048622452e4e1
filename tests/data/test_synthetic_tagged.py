"""Synthetic tagged music as folders: read by the loaders without a problem, with labels that can be heard."""

import csv
import hashlib
import json
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from reprise.data import datasets, synthetic
from reprise.data.datasets._keys import parse_key
from reprise.data.datasets.magnatagatune import tag_matrix
from reprise.data.synthetic import billboard, emomusic, fma, giantsteps_key, gtzan, magnatagatune
from reprise.data.synthetic.collection import artist_name, deal_kinds, shares
from reprise.data.synthetic.tags import given_tags
from reprise.data.synthetic.tracks import draw_track

NAMES = ("billboard", "emomusic", "fma", "giantsteps_key", "gtzan", "magnatagatune")
TINY = {
    "billboard": {"songs": 8},
    "emomusic": {"clips": 40},
    "fma": {"clips": 14},
    "giantsteps_key": {"training": 24, "testing": 5},
    "gtzan": {"per_genre": 4},
    "magnatagatune": {"clips": 19, "per_track": 2},
}
SMALL = {"preset": "smoke", "seconds": 1.0, "sample_rate": 8000, "workers": 2}
# a hop of the contrastive models: a window of 59,049 samples
WINDOW = 59049


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every data set in small, by name."""
    root = tmp_path_factory.mktemp("tagged")
    return {name: synthetic.write(name, root, **SMALL, **TINY[name]) for name in NAMES}


@pytest.fixture(scope="module")
def tables(folders):
    return {name: datasets.load(name, folder, **_options(name)) for name, folder in folders.items()}


def _options(name):
    # the loader leaves out what is shorter than three seconds, which the small clips are
    return {"min_seconds": 0.0} if name == "fma" else {}


def hashes(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*.*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_loader_finds_nothing_wrong(folders, tables, name):
    table = tables[name]
    assert table.attrs["problems"] == []
    assert set(table["evidence"]) == {"synthetic"}
    assert set(table["duration"]) == {1.0}
    assert datasets.find_root(name, folders[name].parent) == folders[name]
    header = soundfile.info(table["path"].iloc[-1])
    assert (header.channels, header.subtype, header.samplerate) == (1, "PCM_16", 8000)


@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_threads(folders, tmp_path, name):
    again = synthetic.write(name, tmp_path / "one", **(SMALL | {"workers": 1}), **TINY[name])
    assert hashes(again) == hashes(folders[name])
    parameters = json.loads((again / "SYNTHETIC.json").read_text())["parameters"]
    assert parameters.items() >= (TINY[name] | {"dataset": name, "seed": 0, "seconds": 1.0}).items()


def test_another_seed_gives_other_music(folders, tmp_path):
    other = synthetic.write("billboard", tmp_path, seed=1, **SMALL, **TINY["billboard"])
    assert {path.name for path in other.rglob("*.wav")} == {path.name for path in folders["billboard"].rglob("*.wav")}
    assert not set(hashes(other / "audio").values()) & set(hashes(folders["billboard"] / "audio").values())


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_long_enough_for_a_window(name):
    presets = synthetic.presets(name)
    assert set(presets) == {"smoke", "demo"}
    assert all(sizes["seconds"] * sizes["sample_rate"] > WINDOW for sizes in presets.values())
    assert presets["demo"]["seconds"] * 22050 > 3 * WINDOW


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.5}, r"seconds must lie in \[1, 60\], not 0.5"),
        ({"sample_rate": 100}, "sample_rate must lie in"),
        ({"workers": 0}, "workers must lie in"),
        ({"minutes": 3}, "unknown size minutes"),
    ],
)
def test_wrong_requests_are_named(tmp_path, name, change, message):
    with pytest.raises(ValueError, match=message):
        synthetic.write(name, tmp_path, **(SMALL | TINY[name] | change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("magnatagatune", {"clips": 3}, "clips must lie in"),
        ("magnatagatune", {"per_track": 0}, "per_track must lie in"),
        ("gtzan", {"per_genre": 101}, "per_genre must lie in"),
        ("giantsteps_key", {"testing": 1}, "testing must lie in"),
        ("emomusic", {"clips": 1}, "clips must lie in"),
        ("fma", {"clips": 1}, "clips must lie in"),
        ("billboard", {"songs": 1}, "songs must lie in"),
    ],
)
def test_sizes_have_limits(tmp_path, name, change, message):
    with pytest.raises(ValueError, match=message):
        synthetic.write(name, tmp_path, **change)


def test_a_real_data_set_is_left_alone(tmp_path):
    (tmp_path / "MagnaTagATune").mkdir()
    with pytest.raises(FileExistsError, match="is not synthetic"):
        synthetic.write("magnatagatune", tmp_path, **SMALL, **TINY["magnatagatune"])


class TestMagnaTagATune:
    def test_the_tags_on_disk_are_those_of_the_plan(self, folders, tables):
        planned = magnatagatune.plan(seed=0, clips=19, per_track=2, seconds=1.0)
        table = tables["magnatagatune"].set_index("clip_id")
        top = set(table.attrs["tags"])
        for passage in planned:
            given = given_tags(passage.track, number=passage.number, seed=0)
            row = table.loc[str(passage.index + 1)]
            assert set(row["tags"]) == set(given) & top
            assert row["path"] == str(folders["magnatagatune"] / passage.path)
        with (folders["magnatagatune"] / "annotations_final.csv").open(newline="") as stream:
            header = next(csv.reader(stream, delimiter="\t"))
        assert header[0] == "clip_id"
        assert header[-1] == "mp3_path"

    def test_a_piece_is_on_one_side(self, tables):
        table = tables["magnatagatune"]
        assert (table.groupby("group")["split"].nunique() == 1).all()
        assert sorted(table["group"].value_counts()) == [1] + [2] * 9
        assert set(table["split"]) == {"train", "valid", "test"}
        assert set(table["offset"]) == {0.0, 30.0}

    def test_sides_and_kinds_have_their_shares(self):
        planned = magnatagatune.plan(seed=3, clips=1700, per_track=1, seconds=1.0)
        folders = Counter(passage.path[0] for passage in planned)
        assert folders["c"] == 200
        assert sum(folders[name] for name in "def") == 400
        assert len(folders) == 16
        kinds = Counter(passage.track.kind for passage in planned)
        total = sum(magnatagatune.KIND_WEIGHTS.values())
        for kind, weight in magnatagatune.KIND_WEIGHTS.items():
            assert kinds[kind] == pytest.approx(1700 * weight / total, abs=3.0)


class TestGTZAN:
    def test_the_split_has_the_originals_shares(self):
        sides = gtzan.lists(seed=0, per_genre=100)
        assert [len(sides[side]) for side in ("train", "valid", "test")] == pytest.approx([443, 197, 290], abs=10)
        listed = [line for lines in sides.values() for line in lines]
        assert len(set(listed)) == len(listed) < 1000
        assert gtzan.lists(seed=1, per_genre=100) != sides

    def test_what_is_on_no_list_is_left_out(self, folders, tables):
        files = list(folders["gtzan"].rglob("*.wav"))
        table = tables["gtzan"]
        assert len(files) == 40
        assert set(table["genre"]) == set(gtzan.GENRES)
        assert table["split"].value_counts().min() >= 3
        whole = datasets.load("gtzan", folders["gtzan"], split="stratified")
        assert len(whole) == 40

    def test_the_genre_is_the_kind(self):
        for passage in gtzan.plan(seed=0, per_genre=4, seconds=1.0):
            assert passage.path.startswith(f"genres/{passage.track.kind}/{passage.track.kind}.")


class TestGiantSteps:
    def test_the_keys_on_disk_are_those_of_the_plan(self, tables):
        planned = giantsteps_key.plan(seed=0, training=24, testing=5, seconds=1.0)
        names = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
        keys = {
            passage.path.rpartition("/")[2].split(".")[0]: f"{names[passage.track.tonic]} {passage.track.scale}"
            for passage in planned
            if passage.track.scale in ("major", "minor")
        }
        table = tables["giantsteps_key"]
        assert dict(zip(table["clip_id"], table["label"], strict=True)) == keys
        # one training piece in twelve has no key
        assert len(keys) == 24 - 2 + 5

    def test_sides_are_by_folder_and_artist(self, tables):
        table = tables["giantsteps_key"]
        assert Counter(table["split"])["test"] == 5
        assert set(table["split"]) == {"train", "valid", "test"}
        train, valid = (set(table["artist"][table["split"] == side]) for side in ("train", "valid"))
        assert not train & valid

    def test_both_parts_spell_keys_in_their_own_way(self, folders):
        listed = pd.read_csv(
            folders["giantsteps_key"] / giantsteps_key.MTG / "annotations" / "annotations.txt", sep="\t"
        )
        assert list(listed.columns) == ["ID", "MANUAL KEY", "C"]
        assert set(listed["C"][listed["MANUAL KEY"] == "-"]) == {0}
        for number, key in zip(listed["ID"], listed["MANUAL KEY"], strict=True):
            path = folders["giantsteps_key"] / giantsteps_key.MTG / "annotations" / "key" / f"{number}.LOFI.key"
            assert path.read_text() == key.lower()
        for path in (folders["giantsteps_key"] / giantsteps_key.TEST / "annotations" / "key").iterdir():
            assert parse_key(path.read_text()) == path.read_text()

    def test_all_keys_are_drawn(self):
        planned = giantsteps_key.plan(seed=0, training=12, testing=400, seconds=1.0)
        keys = Counter((passage.track.tonic, passage.track.scale) for passage in planned[12:])
        assert len(keys) == 24


class TestEmoMusic:
    def test_arousal_rises_with_tempo_level_and_strokes_and_valence_with_major(self):
        track = draw_track("rock", piece="a", seed=0)
        calm = type(track)("a", "rock", 80.0, 0, "minor", ("gel",), (), False, -10.0)
        arousal, valence = emomusic.emotion(calm)
        assert (arousal, valence) == pytest.approx(
            (4.6 + 1.5 * np.log2(80 / 95) - 1.0, 5.0 - 0.7 + 1.4 * np.log2(80 / 95))
        )
        for change in ({"tempo": 120.0}, {"level": -1.0}, {"drums": True}):
            assert emomusic.emotion(type(track)(**(vars(calm) | change)))[0] > arousal
        assert emomusic.emotion(type(track)(**(vars(calm) | {"scale": "major"})))[1] == pytest.approx(valence + 1.4)

    def test_the_list_has_the_formula_and_some_noise(self, tables):
        planned = emomusic.plan(seed=0, clips=40, seconds=1.0)
        table = tables["emomusic"].set_index("clip_id")
        wanted = {str(passage.index + 1): emomusic.emotion(passage.track) for _, passage in planned}
        error = np.array([table.loc[key, ["arousal", "valence"]] - np.array(value) for key, value in wanted.items()])
        assert 0.15 < error.astype(float).std() < 0.6
        assert table[["arousal", "valence"]].to_numpy().min() >= 1.0
        assert table[["arousal", "valence"]].to_numpy().max() <= 9.0
        assert Counter(table["split"])["test"] == sum(side == "evaluation" for side, _ in planned) == 7
        assert set(table["split"]) == {"train", "valid", "test"}


class TestOutOfDomain:
    def test_the_archive_has_genres_and_sides(self, tables):
        table = tables["fma"]
        assert set(table["genre"]) <= set(fma.KIND_GENRES.values())
        assert set(table["split"]) == {"train", "valid", "test"}
        assert table["artist"].nunique() == len(table)
        assert table["clip_id"].iloc[0] == "000002"

    def test_the_charts_have_artists_with_two_songs(self, tables):
        table = tables["billboard"]
        assert len(table) == 8
        assert table["artist"].nunique() == 4
        kinds = {passage.track.kind for passage in billboard.plan(seed=0, songs=100, seconds=1.0)}
        assert kinds == set(billboard.KIND_WEIGHTS)


def test_sides_have_the_same_mixture():
    rng = np.random.default_rng(0)
    dealt = deal_kinds(1000, {"a": 3.0, "b": 1.0}, sides={"x": 4.0, "y": 1.0}, rng=rng)
    assert Counter(side for side, _ in dealt) == {"x": 800, "y": 200}
    for side in ("x", "y"):
        share = np.mean([kind == "a" for where, kind in dealt if where == side])
        assert share == 0.75


def test_what_is_left_over_is_drawn_fairly():
    rng = np.random.default_rng(0)
    weights = {"a": 3.0, "b": 1.0, "c": 0.4}
    dealt = [shares(3, weights, rng=rng) for _ in range(3000)]
    assert {sum(counts.values()) for counts in dealt} == {3}
    means = [np.mean([counts[name] for counts in dealt]) for name in weights]
    np.testing.assert_allclose(means, 3 * np.array([3.0, 1.0, 0.4]) / 4.4, atol=0.03)
    assert shares(0, weights, rng=rng) == {"a": 0, "b": 0, "c": 0}


def test_artists_differ_by_their_letters():
    names = [artist_name(number) for number in range(5000)]
    assert len(set(names)) == 5000
    assert all(name.replace(" ", "").isalpha() for name in names)


def bands(path):
    """Mean and spread of 24 bands' levels, an octave in four."""
    audio, _ = soundfile.read(path, dtype="float32")
    frames = np.lib.stride_tricks.sliding_window_view(audio, 512)[::256] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.unique(np.round(np.geomspace(2, 256, 25)).astype(int))
    level = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    return np.concatenate([level.mean(axis=0), level.std(axis=0), np.abs(np.diff(level, axis=0)).mean(axis=0)])


@pytest.mark.slow
def test_a_line_through_band_levels_predicts_tags(tmp_path):
    folder = synthetic.write("magnatagatune", tmp_path, clips=255, per_track=1, **(SMALL | {"seconds": 2.0}))
    table = datasets.load("magnatagatune", folder)
    truth = tag_matrix(table)
    seen = (table["split"] == "train").to_numpy()
    features = np.array([bands(path) for path in table["path"]])
    features = StandardScaler().fit(features[seen]).transform(features)
    wrong = np.random.default_rng(0).permutation(np.flatnonzero(seen))
    scores = {"true": [], "shuffled": []}
    for tag in np.flatnonzero((truth[~seen].sum(axis=0) >= 4) & (truth[seen].sum(axis=0) >= 4)):
        for name, rows in (("true", np.flatnonzero(seen)), ("shuffled", wrong)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                line = LogisticRegression(C=0.01, max_iter=200).fit(features[seen], truth[rows, tag])
            scores[name].append(roc_auc_score(truth[~seen, tag], line.decision_function(features[~seen])))
    assert len(scores["true"]) >= 15
    assert np.mean(scores["true"]) > 0.7
    assert np.mean(scores["true"]) > np.mean(scores["shuffled"]) + 0.12
