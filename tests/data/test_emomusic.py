"""EmoMusic: annotations, sides by MediaEval's set and the artist's name, audio by number."""

import hashlib

import pandas as pd
import pytest

from reprise.data import datasets
from reprise.data.datasets import emomusic
from reprise.data.datasets._keys import letters_only
from reprise.data.table import fingerprint

from .waves import write_noise

# number, artist, set; the development songs' sides are those of a published division
SONGS = [
    (2, "The New Mystikal Troubadours", "development"),
    (3, "Kevin MacLeod", "development"),
    (4, "My Bubba & Mi", "development"),
    (5, "Phoephus", "development"),
    (1000, "Someone", "evaluation"),
]


def write_lists(root, songs=SONGS):
    root.mkdir(parents=True, exist_ok=True)
    rows = [(number, 3.1 + k, 0.99, 3.0 - k / 4, 0.67) for k, (number, *_) in enumerate(songs)]
    names = ["song_id", "mean_arousal", "std_arousal", "mean_valence", "std_valence"]
    pd.DataFrame(rows, columns=names).to_csv(root / "static_annotations.csv", index=False)
    rows = [
        (number, f"{number}.mp3", f"{artist}\t", f"\tT{number}", 0.48, 1.33, "Blues", side)
        for number, artist, side in songs
    ]
    names = ["song_id", "file_name", "Artist", "Song title", "start of the segment (min.sec)"]
    names += ["end of the segment (min.sec)", "Genre", "Mediaeval 2013 set"]
    pd.DataFrame(rows, columns=names).to_csv(root / "songs_info.csv", index=False)


@pytest.fixture
def small(tmp_path):
    """Five songs."""
    root = tmp_path / "emomusic"
    write_lists(root / "annotations")
    for number, *_ in SONGS:
        write_noise(root / "clips_45seconds" / f"{number}.wav", seed=number)
    return root


def test_lists_and_files_meet(small, tmp_path):
    table = emomusic.load(small).set_index("clip_id")
    assert table["split"].to_dict() == {"2": "valid", "3": "valid", "4": "train", "5": "train", "1000": "test"}
    assert table.loc["4", ["arousal", "valence"]].tolist() == [5.1, 2.5]
    assert table.loc["4", ["artist", "title", "genre", "group"]].tolist() == [
        "My Bubba & Mi",
        "T4",
        "Blues",
        "my bubba mi",
    ]
    assert "Audio of 5 of 5 annotated songs is there." in table.attrs["notes"]
    assert set(table["evidence"]) == {"excerpt"}
    assert datasets.find_root("emomusic", tmp_path) == small
    assert len(fingerprint(emomusic.load(small))) == 64


@pytest.mark.parametrize(
    ("name", "plain"),
    [("My Bubba & Mi", "my bubba mi"), ("  Björk  2 ", "bjrk"), ("A\tB", "a b"), ("123", ""), ("ÅSA", "sa")],
)
def test_letters_of_names(name, plain):
    assert letters_only(name) == plain


def test_development_songs_go_by_the_hash_of_the_artist(small):
    artists = [f"Artist {letter}{other}" for letter in "abcdefgh" for other in "xyz"]
    write_lists(small / "annotations", [(k, artist, "development") for k, artist in enumerate(artists)])
    for k in range(len(artists)):
        write_noise(small / "clips_45seconds" / f"{k}.wav", seconds=0.05, seed=k)
    table = emomusic.load(small).set_index("clip_id")
    for k, artist in enumerate(artists):
        remainder = int(hashlib.sha1(artist.lower().encode()).hexdigest(), 16) % 10
        assert table.at[str(k), "split"] == ("train" if remainder < 8 else "valid")


def test_an_artist_that_is_tested_too_is_told(small):
    write_lists(small / "annotations", [*SONGS[:4], (1000, "Phoephus", "evaluation")])
    assert "1 of 4 artists are on more than one side of the split." in emomusic.load(small).attrs["notes"]


def test_missing_broken_and_other_files(small):
    (small / "clips_45seconds" / "2.wav").unlink()
    (small / "clips_45seconds" / "3.wav").write_bytes(b"RIFF")
    write_noise(small / "clips_45seconds" / "77.wav")
    write_noise(small / "clips_45seconds" / "intro.wav")
    table = emomusic.load(small)
    assert set(table["clip_id"]) == {"4", "5", "1000"}
    assert "Audio of 4 of 5 annotated songs is there." in table.attrs["notes"]
    assert [problem["path"].rpartition("/")[2] for problem in table.attrs["problems"]] == ["3.wav"]


def test_windows_and_evidence(small, monkeypatch):
    windows = emomusic.load(small, seconds=0.5)
    assert windows.groupby("file")["arousal"].agg(["size", "nunique"]).values.tolist() == [[2, 1]] * 5
    monkeypatch.setattr(emomusic, "N_SONGS", {"train": 5})
    assert set(emomusic.load(small)["evidence"]) == {"full"}
    (small / "SYNTHETIC.json").write_text("{}")
    assert set(emomusic.load(small)["evidence"]) == {"synthetic"}


def test_published_sizes():
    assert emomusic.N_SONGS == {"train": 504, "valid": 115, "test": 125}
    assert sum(emomusic.N_SONGS.values()) == 744


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("static_annotations.csv", "song_id,mean_arousal\n2,3\n", "lacks the columns mean_valence"),
        ("static_annotations.csv", "song_id,mean_arousal,mean_valence\nx,3,3\n", "song_id that is no number"),
        ("static_annotations.csv", "song_id,mean_arousal,mean_valence\n2,high,3\n", "annotation that is no number"),
        ("songs_info.csv", "song_id,Artist\n2,A\n", "lacks the columns Song title, Genre, Mediaeval 2013 set"),
    ],
)
def test_a_damaged_list_is_named(small, name, content, message):
    (small / "annotations" / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name}.*{message}"):
        emomusic.load(small)


def test_refusals(tmp_path, small):
    with pytest.raises(FileNotFoundError, match=r"holds no static_annotations\.csv"):
        emomusic.load(tmp_path / "nowhere")
    for path in small.rglob("*.wav"):
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(FileNotFoundError, match=r"none of 5 audio files .* is named after one of 5 songs"):
        emomusic.load(small)
    (small / "annotations" / "songs_info.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks songs_info\.csv"):
        emomusic.load(small)
