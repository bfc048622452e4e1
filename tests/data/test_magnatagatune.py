"""MagnaTagATune: lists and files meet, tags in the usual order, sides by folder, faults named."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MultiLabelBinarizer

from reprise.data import datasets
from reprise.data.datasets import _files, magnatagatune
from reprise.data.datasets.magnatagatune import TOP_TAGS, tag_matrix
from reprise.data.table import ClipTableError, fingerprint, validate_table
from reprise.paths import cache_root

from .waves import RATE, write_noise

# identifier, file without extension, tags
CLIPS = [
    ("2", "f/american_bach_soloists-cantatas-01-aria-30-59", ["violin", "classical", "opera"]),
    ("6", "f/american_bach_soloists-cantatas-01-aria-146-175", []),
    ("10", "c/some_band-loud-03-song-0-29", ["rock"]),
    ("11", "0/another-one-07-a-b-c-88-117", ["no voice", "rock", "bongos"]),
    ("12", "B/other-set-02-x-59-88", ["bongos"]),
]


def write_lists(root, clips=CLIPS, *, tags=(*TOP_TAGS, "bongos"), info=True):
    root.mkdir(parents=True, exist_ok=True)
    rows = [{"clip_id": number} | {tag: int(tag in own) for tag in tags} for number, _, own in clips]
    frame = pd.DataFrame(rows).assign(mp3_path=[f"{path}.mp3" for _, path, _ in clips])
    frame.to_csv(root / "annotations_final.csv", sep="\t", index=False, quoting=1)
    if info:
        facts = [
            {"clip_id": number, "track_number": number, "title": f"T {number}", "artist": "A", "album": "B", "url": "u"}
            for number, *_ in clips
        ]
        frame = pd.DataFrame(facts).assign(mp3_path=[f"{path}.mp3" for _, path, _ in clips])
        frame.loc[len(frame)] = ["99", "1", "gone", "A", "B", "u", ""]
        frame.to_csv(root / "clip_info_final.csv", sep="\t", index=False, quoting=1)


@pytest.fixture
def small(tmp_path):
    """Five clips as WAV files beside lists that name MP3 files."""
    root = tmp_path / "MagnaTagATune"
    write_lists(root)
    for seed, (_, path, _) in enumerate(CLIPS):
        write_noise(root / f"{path}.wav", seed=seed, seconds=1 + seed / 4)
    return root


def test_lists_and_files_meet(small, tmp_path):
    table = magnatagatune.load(small).set_index("clip_id")
    assert table["split"].to_dict() == {"2": "test", "6": "test", "10": "valid", "11": "train", "12": "train"}
    assert table["tags"].to_dict() == {
        "2": ("classical", "violin", "opera"),
        "6": (),
        "10": ("rock",),
        "11": ("rock", "no voice"),
        "12": (),
    }
    assert table["offset"].to_dict() == {"2": 30, "6": 146, "10": 0, "11": 88, "12": 59}
    assert table["duration"].to_dict() == {"2": 1.0, "6": 1.25, "10": 1.5, "11": 1.75, "12": 2.0}
    assert table["title"].to_dict() == {number: f"T {number}" for number, *_ in CLIPS}
    assert table.at["11", "path"] == str(small / "0" / "another-one-07-a-b-c-88-117.wav")
    assert set(table["evidence"]) == {"excerpt"}
    assert table.attrs["tags"] == TOP_TAGS
    assert "Audio of 5 of 5 annotated clips is there." in table.attrs["notes"]
    assert "2 clips have none of the 50 tags and are kept." in table.attrs["notes"]
    assert table.attrs["problems"] == []
    assert datasets.find_root("magnatagatune", tmp_path) == small


def test_the_fifty_tags_are_fifty():
    assert len(set(TOP_TAGS)) == len(TOP_TAGS) == 50
    assert (TOP_TAGS[0], TOP_TAGS[-1]) == ("guitar", "choral")


def test_folders_are_divided_twelve_to_one_to_three():
    sides = list(magnatagatune.SIDES.values())
    assert "".join(magnatagatune.SIDES) == "0123456789abcdef"
    assert [sides.count(side) for side in ("train", "valid", "test")] == [12, 1, 3]


def test_untagged_clips_can_be_dropped(small):
    table = magnatagatune.load(small, untagged="drop")
    assert set(table["clip_id"]) == {"2", "10", "11"}
    assert "2 clips are left out: they have none of the 50 tags." in table.attrs["notes"]


def test_the_three_clips_of_every_split_are_left_out(tmp_path):
    clips = [
        (number, f"0/a-b-01-c-{k}-{k + 29}", ["rock"]) for k, number in enumerate(["35644", "55753", "57881", "1"])
    ]
    write_lists(tmp_path, clips)
    for _, path, _ in clips:
        write_noise(tmp_path / f"{path}.wav")
    table = magnatagatune.load(tmp_path)
    assert table["clip_id"].tolist() == ["1"]
    assert "3 clips are left out: missing or corrupt in the data set." in table.attrs["notes"]
    # numbers of generated clips mean nothing
    (tmp_path / "SYNTHETIC.json").write_text("{}")
    assert len(magnatagatune.load(tmp_path)) == 4


def test_other_numbers_of_tags_go_by_frequency(small):
    table = magnatagatune.load(small, n_tags=2)
    assert table.attrs["tags"] == ("rock", "bongos")
    assert dict(zip(table["clip_id"], table["tags"], strict=True))["11"] == ("rock", "bongos")
    # never more than occur at all
    assert len(magnatagatune.load(small, n_tags=60).attrs["tags"]) == 6


def test_a_list_of_other_tags_makes_its_own_vocabulary(tmp_path):
    clips = [(str(k), f"{k}/a-b-01-c-{k}-29", ["x y"] if k else ["x y", "z"]) for k in range(3)]
    write_lists(tmp_path, clips, tags=("never", "z", "x y"))
    for _, path, _ in clips:
        write_noise(tmp_path / "mp3" / f"{path}.wav")
    assert magnatagatune.load(tmp_path).attrs["tags"] == ("x y", "z")


def test_matrix_equals_scikit_learn(small):
    table = magnatagatune.load(small)
    expected = MultiLabelBinarizer(classes=list(TOP_TAGS)).fit_transform(table["tags"])
    np.testing.assert_array_equal(tag_matrix(table), expected)
    train = table["split"] == "train"
    np.testing.assert_array_equal(tag_matrix(table[train], TOP_TAGS), expected[train.to_numpy()])


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=8))
def test_matrix_and_tags_say_the_same(rows):
    table = pd.DataFrame({"tags": pd.Series([tuple(sorted(row)) for row in rows], dtype=object)})
    matrix = tag_matrix(table, ("d", "a", "c", "b"))
    assert [{name for name, flag in zip("dacb", row, strict=True) if flag} for row in matrix] == rows


def test_matrix_needs_to_know_the_tags(small):
    table = magnatagatune.load(small)
    with pytest.raises(ClipTableError, match="row 0 has the tag 'rock', which is not among the 1 tags"):
        tag_matrix(table, ("guitar",))
    table.attrs = {}
    with pytest.raises(ClipTableError, match="pass tags="):
        tag_matrix(table)


def test_without_lists_clips_have_names_only(small):
    (small / "annotations_final.csv").unlink()
    (small / "clip_info_final.csv").unlink()
    table = magnatagatune.load(small).set_index("clip_id")
    assert (
        table.loc["f/american_bach_soloists-cantatas-01-aria-30-59", "group"]
        == "american_bach_soloists-cantatas-01-aria"
    )
    assert table["tags"].map(len).sum() == 0
    assert table.attrs["tags"] == ()
    assert table["artist"].isna().all()
    assert len(fingerprint(magnatagatune.load(small))) == 64
    with pytest.raises(FileNotFoundError, match=r"lacks annotations_final\.csv"):
        magnatagatune.load(small, untagged="drop")


def test_a_track_on_two_sides_is_told(small):
    write_lists(small, info=False)
    write_noise(small / "0" / "american_bach_soloists-cantatas-01-aria-1-30.wav")
    write_lists(small, [*CLIPS, ("77", "0/american_bach_soloists-cantatas-01-aria-1-30", ["rock"])], info=False)
    (small / "clip_info_final.csv").unlink()
    table = validate_table(magnatagatune.load(small))
    assert "1 of 4 tracks are on more than one side of the split." in table.attrs["notes"]


def test_missing_unlisted_broken_and_doubled_files_are_told(small):
    (small / "c" / "some_band-loud-03-song-0-29.wav").write_bytes(b"")
    (small / "0" / "another-one-07-a-b-c-88-117.wav").unlink()
    write_noise(small / "1" / "un-listed-01-x-0-29.wav")
    write_noise(small / "f" / "american_bach_soloists-cantatas-01-aria-30-59.flac")
    table = magnatagatune.load(small)
    assert set(table["clip_id"]) == {"2", "6", "12"}
    assert "Audio of 4 of 5 annotated clips is there." in table.attrs["notes"]
    assert "1 audio files are not in annotations_final.csv and are not used." in table.attrs["notes"]
    reasons = {problem["path"].rpartition(".")[2]: problem["reason"] for problem in table.attrs["problems"]}
    assert reasons["wav"].startswith("not readable as audio")
    assert reasons["flac"] == "a second copy or encoding of a clip"


def test_windows_of_clips_keep_the_clip(small):
    table = magnatagatune.load(small, seconds=0.5, remainder="drop")
    assert table.groupby("file").size().to_dict() == {"2": 2, "6": 2, "10": 3, "11": 3, "12": 4}
    assert table.groupby("file")["tags"].nunique().eq(1).all()


def test_evidence_is_full_with_all_clips(small, monkeypatch):
    monkeypatch.setattr(magnatagatune, "N_CLIPS", 5)
    assert set(magnatagatune.load(small)["evidence"]) == {"full"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("clip_id\tguitar\n2\t1\n", r"annotations_final\.csv lacks the columns mp3_path"),
        ("clip_id\tguitar\tmp3_path\n2\tyes\tf/x.mp3\n", "neither 0 nor 1"),
        ("", "cannot be read as a table"),
    ],
)
def test_a_damaged_list_is_named(small, content, message):
    (small / "annotations_final.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        magnatagatune.load(small)


def test_refusals(tmp_path, small):
    with pytest.raises(ValueError, match="untagged must be one of 'keep', 'drop', not 'hide'"):
        magnatagatune.load(small, untagged="hide")
    with pytest.raises(ValueError, match="n_tags must be at least 1"):
        magnatagatune.load(small, n_tags=0)
    write_lists(small, [("3", "0/other-clip-01-x-0-29", ["rock"])])
    with pytest.raises(FileNotFoundError, match="none of 5 audio files is one of 1 clips"):
        magnatagatune.load(small)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="no folders 0 to f"):
        magnatagatune.load(empty)
    (empty / "mp3.zip.001").write_bytes(b"PK")
    with pytest.raises(FileNotFoundError, match=r"cat mp3\.zip\.\* > mp3\.zip"):
        magnatagatune.load(empty)


def test_the_real_clip_is_known(real_data):
    table = magnatagatune.load(datasets.find_root("magnatagatune", real_data))
    assert table["group"].tolist() == ["joram-moments_of_clarity-08-solipsism"]
    assert table["split"].tolist() == ["test"]
    assert table["duration"].tolist() == pytest.approx([29.1], abs=0.1)


def test_lengths_that_need_decoding_are_remembered_by_content(tmp_path, monkeypatch):
    paths = [tmp_path / "0" / f"a-b-01-c-{k}-{k + 29}.mp3" for k in range(2)]
    for seed, path in enumerate(paths):
        write_noise(path, seconds=2.0, seed=seed)
        # without its first frame, which tells the length, an MP3 file has to be decoded
        content = path.read_bytes()
        path.write_bytes(content[content.index(content[:2], 150) :])
    decoded = []
    real = _files._decoded_frames
    monkeypatch.setattr(_files, "_decoded_frames", lambda path: decoded.append(path) or real(path))
    first = magnatagatune.load(tmp_path)["duration"].tolist()
    assert sorted(decoded) == paths
    assert first == [len(soundfile.read(path)[0]) / RATE for path in paths]
    assert magnatagatune.load(tmp_path)["duration"].tolist() == first
    assert sorted(decoded) == paths
    paths[1].write_bytes(paths[1].read_bytes() + paths[0].read_bytes())
    longer = magnatagatune.load(tmp_path)["duration"].tolist()
    assert len(decoded) == 3
    assert longer[1] > first[1] + 1
    next((cache_root() / "lengths").glob("*.json")).write_text("{")
    assert magnatagatune.load(tmp_path)["duration"].tolist() == longer
