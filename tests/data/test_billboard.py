"""McGill Billboard: one's own audio by slot number, songs of several slots once, nothing to download."""

import pytest

from reprise.data import datasets
from reprise.data.datasets import billboard

from .waves import write_noise

INDEX = """\
id,chart_date,target_rank,actual_rank,title,artist,peak_rank,weeks_on_chart
1,1987-07-11,82,,,,,
3,1961-07-03,56,57,I Don't Mind,James Brown,47,8
4,1971-08-07,32,31,You've Got A Friend,"Roberta Flack,Donny Hathaway",29,12
1000,1961-07-10,50,50,I don't mind,James Brown,47,8
"""


@pytest.fixture
def small(tmp_path):
    """The index and four files: one song in two slots, one slot without a song."""
    root = tmp_path / "Billboard"
    for seed, name in enumerate(["1.wav", "3 - I Don't Mind.wav", "0004/audio.wav", "more/1000.wav"]):
        write_noise(root / name, seed=seed)
    (root / billboard.INDEX).write_text(INDEX)
    return root


def test_files_meet_the_index_and_songs_count_once(small, tmp_path):
    table = billboard.load(small).set_index("clip_id")
    assert table["title"].to_dict() == {"0003": "I Don't Mind", "0004": "You've Got A Friend"}
    assert table.at["0004", "artist"] == "Roberta Flack,Donny Hathaway"
    assert set(table["split"]) == {"train"}
    assert set(table["evidence"]) == {"excerpt"}
    notes = table.attrs["notes"]
    assert "1 files have the number of no song in billboard-2.0-index.csv and are not used." in notes
    assert "1 files of a song that has an earlier number too are left out." in notes
    assert "Audio of 2 songs is there; the paper had 712." in notes
    assert datasets.find_root("billboard", tmp_path) == small


def test_all_slots_on_demand(small):
    table = billboard.load(small, songs="all")
    assert table["clip_id"].tolist() == ["0003", "0004", "1000"]
    assert table["group"].tolist()[0] == table["group"].tolist()[2]


def test_folders_of_annotations_are_enough(small):
    (small / billboard.INDEX).unlink()
    assert not billboard.recognise(small)
    (small / "0004" / "salami_chords.txt").write_text("# title: x\n")
    table = billboard.load(small)
    assert table["clip_id"].tolist() == ["0001", "0003", "0004", "1000"]
    assert table["title"].isna().all()
    assert "every number counts as a song" in table.attrs["notes"][0]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("0003.mp3", "0003"),
        ("3_x.wav", "0003"),
        ("3.live.wav", "0003"),
        ("12345.wav", None),
        ("a3.wav", None),
        ("3x.wav", None),
    ],
)
def test_numbers_in_names(tmp_path, name, number):
    assert billboard._number(tmp_path / "folder" / name) == number


def test_windows_problems_and_evidence(small, monkeypatch):
    (small / "3 - I Don't Mind.wav").write_text("<html>")
    write_noise(small / "4.flac")
    table = billboard.load(small, seconds=0.5)
    assert table["clip_id"].tolist() == ["0004_000", "0004_001"]
    assert [problem["reason"][:12] for problem in table.attrs["problems"]] == ["a second cop", "not readable"]
    monkeypatch.setattr(billboard, "N_SONGS", 1)
    assert set(billboard.load(small)["evidence"]) == {"full"}


def test_refusals(tmp_path, small):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="neither billboard"):
        billboard.load(empty)
    (empty / billboard.INDEX).write_text(INDEX)
    with pytest.raises(FileNotFoundError, match=r"put your own there as 0003\.mp3"):
        billboard.load(empty)
    with pytest.raises(ValueError, match="songs must be one of"):
        billboard.load(small, songs="some")
    (small / billboard.INDEX).write_text("number,name\n3,x\n")
    with pytest.raises(ValueError, match="lacks the columns id, title, artist"):
        billboard.load(small)
