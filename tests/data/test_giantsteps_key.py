"""GiantSteps key: keys in any spelling, sure songs only, artists on one side, audio by number."""

import hashlib
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.data import datasets
from reprise.data.datasets import giantsteps_key
from reprise.data.datasets._keys import KEYS, artist_sides, parse_key, side_of
from reprise.data.table import validate_table
from reprise.stats import tagging

from .waves import write_noise

# identifier, key, confidence, artists; the first four artists' sides are those of a published division
SONGS = [
    (5061, "D# minor", 2, "Philippe Van Mullem"),
    (5881, "A major", 2, "Brainbashers, Lance Madden"),
    (7217, "F minor", 2, "Pole Folder"),
    (10359, "D minor", 2, "Solid Slide, Philippe Van Mullem Band"),
    (11194, "C minor / F# minor", 2, "Nobody"),
    (16484, "A minor", 1, "Nobody"),
    (10981, "-", 2, "Nobody"),
]
TEST_KEYS = {1234749: "Db major", 3687442: "E minor\n"}


@pytest.fixture
def small(tmp_path):
    """Both sets, the audio of the test set beside them."""
    root = tmp_path / "GiantSteps"
    mtg, test = root / "giantsteps-mtg-key-dataset-1", root / "giantsteps-key-dataset-2"
    (mtg / "annotations").mkdir(parents=True)
    (test / "annotations" / "key").mkdir(parents=True)
    table = pd.DataFrame(SONGS, columns=["ID", "MANUAL KEY", "C", "ARTIST"])
    table[["ID", "MANUAL KEY", "C"]].to_csv(mtg / "annotations" / "annotations.txt", sep="\t", index=False)
    table[["ID", "ARTIST"]].to_csv(mtg / "annotations" / "beatport_metadata.txt", sep="\t", index=False)
    for number, key in TEST_KEYS.items():
        (test / "annotations" / "key" / f"{number}.LOFI.key").write_text(key)
        write_noise(root / "audio" / f"{number}.LOFI.wav", seed=number)
    for number, *_ in SONGS:
        write_noise(mtg / "audio" / f"{number}.LOFI.wav", seed=number, seconds=2.5)
    return root


def test_the_two_sets_make_three_sides(small, tmp_path):
    table = giantsteps_key.load(small).set_index("clip_id")
    assert table["label"].to_dict() == {
        "5061": "Eb minor",
        "5881": "A major",
        "7217": "F minor",
        "10359": "D minor",
        "1234749": "Db major",
        "3687442": "E minor",
    }
    assert table["split"].to_dict() == {
        "5061": "train",
        "5881": "train",
        "7217": "valid",
        "10359": "valid",
        "1234749": "test",
        "3687442": "test",
    }
    assert [KEYS[key] for key in table["key"]] == table["label"].tolist()
    assert table.at["5881", "group"] == "Brainbashers, Lance Madden"
    assert table.at["3687442", "group"] == "test song 3687442"
    assert "2 of 7 MTG songs have an uncertain key or several and are left out." in table.attrs["notes"]
    assert "Audio of 6 of 6 songs with a single key is there." in table.attrs["notes"]
    (problem,) = table.attrs["problems"]
    assert problem["reason"] == "song 10981: '-' is not one major or minor key"
    assert set(table["evidence"]) == {"excerpt"}
    assert datasets.find_root("giantsteps_key", tmp_path) == small


def test_keys_are_those_of_the_key_score():
    assert KEYS is tagging.KEYS
    assert (KEYS[0], KEYS[9], KEYS[21]) == ("C major", "A major", "A minor")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("D# minor", "Eb minor"),
        ("d# minor", "Eb minor"),
        (" Cb major\n", "B major"),
        ("E# minor", "F minor"),
        ("B:min", "B minor"),
        ("F\u266f maj", "Gb major"),
        ("-", None),
        ("A-A# minor", None),
        ("C minor / F# minor", None),
        ("G minor/major", None),
        ("H minor", None),
        ("C lydian", None),
        ("", None),
    ],
)
def test_spellings_of_keys(text, key):
    assert parse_key(text) == key


@given(
    st.sampled_from(KEYS), st.sampled_from([str.lower, str.upper, str.title, str]), st.sampled_from(["", " ", "\t\n"])
)
def test_a_key_is_its_own_spelling(key, spelling, blank):
    assert parse_key(blank + spelling(key) + blank) == key


@given(st.text("abz é/&", max_size=12), st.integers(1, 50), st.integers(1, 50))
def test_the_side_of_a_name_is_the_remainder_of_its_hash(name, n_train, n_valid):
    remainder = int.from_bytes(hashlib.sha1(name.encode()).digest()) % (n_train + n_valid)
    assert side_of(name, n_train=n_train, n_valid=n_valid) == ("train" if remainder < n_train else "valid")


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=3).map(", ".join), max_size=12))
def test_whoever_works_with_a_validation_artist_is_one(casts):
    sides = artist_sides(pd.Series(casts, dtype=object))
    own = {name: int(hashlib.sha1(name.encode()).hexdigest(), 16) % 116 >= 100 for name in "abcdefghij"}
    for cast, side in zip(casts, sides, strict=True):
        if any(own[name] for name in cast.split(", ")):
            assert side == "valid"
    valid = {name for cast, side in zip(casts, sides, strict=True) if side == "valid" for name in cast.split(", ")}
    if not valid & {name for name, flag in own.items() if flag}:
        assert "valid" not in set(sides)


def test_collaborators_follow_twice():
    # "Pole Folder" is a validation artist by name, the others are not
    casts = pd.Series(["Philippe Van Mullem, Nina", "Pole Folder, Philippe Van Mullem", "Brainbashers", "Nina, Otto"])
    assert side_of("nina", n_train=100, n_valid=16) == side_of("otto", n_train=100, n_valid=16) == "train"
    assert artist_sides(casts).tolist() == ["valid", "valid", "train", "valid"]


def test_without_artists_songs_stand_for_themselves(small):
    (small / "giantsteps-mtg-key-dataset-1" / "annotations" / "beatport_metadata.txt").unlink()
    table = giantsteps_key.load(small).set_index("clip_id")
    assert table.at["5061", "split"] == side_of("5061", n_train=100, n_valid=16)
    assert table.at["5061", "group"] == "song 5061"
    assert "artists are not known" in table.attrs["notes"][0]


def test_sides_do_not_depend_on_which_audio_is_there(small):
    sides = giantsteps_key.load(small).set_index("clip_id")["split"]
    (small / "giantsteps-mtg-key-dataset-1" / "audio" / "5061.LOFI.wav").unlink()
    (small / "audio" / "3687442.LOFI.wav").write_text("<html>")
    table = giantsteps_key.load(small).set_index("clip_id")
    assert table["split"].to_dict() == sides.drop(["5061", "3687442"]).to_dict()
    assert "Audio of 5 of 6 songs with a single key is there." in table.attrs["notes"]
    assert table.attrs["problems"][-1]["reason"].startswith("not readable as audio")


def test_the_revised_test_set_adds_what_is_missing(small):
    for number, name in ((1234749, "Someone - Title"), (42, "Else - Other")):
        path = small / "revised" / "keys_gs+" / f"{number} {name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("C minor")
        meta = small / "revised" / "meta" / f"{number} {name}.json"
        meta.parent.mkdir(exist_ok=True)
        meta.write_text(json.dumps({"artists": [{"name": "Else"}, {"name": "Other"}]}))
    write_noise(small / "revised" / "audio" / "42 Else - Other.wav")
    table = giantsteps_key.load(small).set_index("clip_id")
    assert table.at["1234749", "label"] == "Db major"
    assert (table.at["42", "label"], table.at["42", "split"]) == ("C minor", "test")
    assert table.at["42", "group"] == "test Else, Other"


def test_windows_and_evidence(small, monkeypatch):
    windows = validate_table(giantsteps_key.load(small, seconds=1.0, short="drop", remainder="drop"))
    assert windows["split"].value_counts().to_dict() == {"train": 4, "valid": 4, "test": 2}
    monkeypatch.setattr(giantsteps_key, "N_SONGS", {"train": 2, "valid": 2, "test": 2})
    assert set(giantsteps_key.load(small)["evidence"]) == {"full"}


def test_refusals(tmp_path, small):
    with pytest.raises(FileNotFoundError, match="holds no key annotations"):
        giantsteps_key.load(tmp_path / "nowhere")
    for path in small.rglob("*.wav"):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(FileNotFoundError, match=r"none of 9 audio files .* begins with the number of one of 6 songs"):
        giantsteps_key.load(small)
    (small / "giantsteps-mtg-key-dataset-1" / "annotations" / "annotations.txt").write_text("ID\tKEY\n1\tA\n")
    with pytest.raises(ValueError, match=r"annotations\.txt lacks the columns MANUAL KEY, C"):
        giantsteps_key.load(small)


def test_the_real_excerpt_is_known(real_data):
    root = real_data / "restricted" / "mirdata_samples" / "giantsteps_key"
    if not root.is_dir():
        pytest.skip("no excerpt of GiantSteps")
    table = giantsteps_key.load(root)
    assert table[["clip_id", "label", "artist", "split"]].values.tolist() == [
        ["10089", "D major", "Jason Sparks", "test"]
    ]
