"""FMA: the list with two rows of headings, subsets, sides, artists; short and broken tracks are named."""

import pandas as pd
import pytest

from reprise.data import datasets
from reprise.data.datasets import fma
from reprise.data.table import fingerprint

from .waves import write_noise

# number, subset, split, genre, artist
TRACKS = [
    (2, "medium", "training", "Hip-Hop", 1),
    (5, "small", "validation", "Rock", 2),
    (139, "medium", "test", None, 3),
    (148, "large", "training", "Folk", 4),
    (98565, "small", "training", "Rock", 1),
]


def write_list(root, tracks=TRACKS):
    root.mkdir(parents=True, exist_ok=True)
    columns = pd.MultiIndex.from_tuples(
        [
            ("artist", "id"),
            ("artist", "name"),
            ("set", "split"),
            ("set", "subset"),
            ("track", "genre_top"),
            ("track", "title"),
        ]
    )
    rows = [
        (artist, f"Artist {artist}", split, subset, genre, f"T{number}")
        for number, subset, split, genre, artist in tracks
    ]
    index = pd.Index([number for number, *_ in tracks], name="track_id")
    pd.DataFrame(rows, index=index, columns=columns).to_csv(root / "tracks.csv")


@pytest.fixture
def small(tmp_path):
    """Five tracks and their list; the last one is too short."""
    root = tmp_path / "FMA"
    write_list(root / "fma_metadata")
    for number, *_ in TRACKS:
        name = f"{number:06d}"
        write_noise(
            root / "fma_medium" / name[:3] / f"{name}.wav", seed=number, seconds=4.0 if number < 90_000 else 1.5
        )
    return root


def test_lists_and_files_meet(small, tmp_path):
    table = fma.load(small).set_index("clip_id")
    assert table["split"].to_dict() == {"000002": "train", "000005": "valid", "000139": "test"}
    assert table["genre"].to_dict() == {"000002": "Hip-Hop", "000005": "Rock", "000139": None}
    assert table["group"].to_dict() == {"000002": "artist 1", "000005": "artist 2", "000139": "artist 3"}
    assert table.at["000002", "title"] == "T2"
    assert set(table["evidence"]) == {"excerpt"}
    notes = table.attrs["notes"]
    assert "Audio of 4 of 4 tracks of the subset medium is there." in notes
    assert "1 tracks are not in the subset and are not used." in notes
    assert "1 tracks are shorter than 3 s and are left out." in notes
    assert [problem["reason"] for problem in table.attrs["problems"]] == ["lasts 1.50 s only"]
    assert datasets.find_root("fma", tmp_path) == small
    assert len(fingerprint(fma.load(small))) == 64


@pytest.mark.parametrize(
    ("subset", "numbers"), [("small", {5, 98565}), ("medium", {2, 5, 139, 98565}), ("large", {2, 5, 139, 148, 98565})]
)
def test_each_subset_holds_the_ones_before_it(small, subset, numbers):
    table = fma.load(small, subset=subset, min_seconds=0)
    assert set(table["clip_id"].astype(int)) == numbers


def test_the_folder_of_audio_finds_its_list_beside_it(small):
    table = fma.load(small / "fma_medium")
    assert table["genre"].tolist() == ["Hip-Hop", "Rock", None]
    assert table["path"].tolist() == fma.load(small)["path"].tolist()


def test_without_the_list_all_tracks_train(small):
    (small / "fma_metadata" / "tracks.csv").unlink()
    table = fma.load(small)
    assert set(table["split"]) == {"train"}
    assert len(table) == 4
    assert table["genre"].isna().all()
    assert "all tracks are taken for training" in table.attrs["notes"][0]


def test_an_artist_on_two_sides_is_told(small):
    write_list(small / "fma_metadata", [*TRACKS[:2], (139, "medium", "test", None, 1)])
    assert "1 of 2 artists are on more than one side of the split." in fma.load(small).attrs["notes"]


def test_broken_files_are_listed_and_others_ignored(small):
    (small / "fma_medium" / "000" / "000139.wav").write_bytes(b"ID3")
    write_noise(small / "fma_medium" / "000" / "000777.flac")
    write_noise(small / "fma_medium" / "001" / "000005.wav", seconds=5.0)
    table = fma.load(small)
    assert set(table["clip_id"]) == {"000002", "000005"}
    assert table.set_index("clip_id").loc["000005", "duration"] == 4.0
    assert [problem["reason"][:12] for problem in table.attrs["problems"]] == ["not readable", "lasts 1.50 s"]


def test_windows_and_evidence(small, monkeypatch):
    windows = fma.load(small, seconds=1.0, remainder="drop")
    assert windows.groupby("file").size().eq(4).all()
    monkeypatch.setitem(fma.N_TRACKS, "medium", 4)
    assert set(fma.load(small)["evidence"]) == {"full"}
    (small / "SYNTHETIC.json").write_text("{}")
    assert set(fma.load(small)["evidence"]) == {"synthetic"}


def test_refusals(tmp_path, small):
    with pytest.raises(FileNotFoundError, match=r"no file like 000/000002\.mp3"):
        fma.load(tmp_path / "empty")
    with pytest.raises(ValueError, match="subset must be one of"):
        fma.load(small, subset="full")
    with pytest.raises(FileNotFoundError, match="no usable audio"):
        fma.load(small, min_seconds=60)
    write_list(small / "fma_metadata", [(7, "small", "training", None, 1)])
    with pytest.raises(FileNotFoundError, match="none of 5 tracks is in the subset 'medium'"):
        fma.load(small)
    write_list(small / "fma_metadata", [(2, "small", "holdout", None, 1)])
    with pytest.raises(ValueError, match="has the split 'holdout'"):
        fma.load(small)
    (small / "fma_metadata" / "tracks.csv").write_text("track_id,title\n2,x\n")
    with pytest.raises(ValueError, match=r"tracks\.csv is not FMA's list with its two rows of headings"):
        fma.load(small)
