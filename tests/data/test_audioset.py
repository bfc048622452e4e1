"""AudioSet: the official lists, files named by identifier, exclusions, lengths and the division 70:10:20."""

import numpy as np
import pytest
import soundfile
from sklearn.model_selection import train_test_split

from reprise.data import datasets
from reprise.data.datasets import audioset
from reprise.data.table import validate_table

RATE = 8000
HEADER = """\
# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=5
# YTID, start_seconds, end_seconds, positive_labels
"""


def write_list(root, rows, name="unbalanced_train_segments", newline="\n"):
    root.mkdir(parents=True, exist_ok=True)
    lines = [f'{ytid}, {begin:.3f}, {begin + 10:.3f}, "{",".join(mids)}"' for ytid, begin, mids in rows]
    (root / f"{name}.csv").write_bytes((HEADER + "\n".join(lines) + "\n").replace("\n", newline).encode())


def clip(root, name, seconds=10.0):
    path = root / "audio" / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * RATE)), RATE)
    return path


ROWS = [
    ("--PJHxphWEs", 30, ["/m/01xqw", "/m/04rlf"]),
    ("_-hevVpy1s_", 50, ["/m/02qldy", "/t/dd00003", "/m/05r5c"]),
    ("Y_aE2O5G5WE", 0, ["/m/07y_7", "/m/0d8_n"]),
    ("aO5cdqSAg12", 30, ["/m/09x0r"]),
    ("12345678901", 0, ["/m/013y1f", "/m/02sgy"]),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lists_and_files_meet(tmp_path, newline):
    root = tmp_path / "AudioSet"
    write_list(root, ROWS, newline=newline)
    names = ["--PJHxphWEs", "_-hevVpy1s__50.000_60.000", "Y_aE2O5G5WE", "aO5cdqSAg12", "12345678901_0"]
    paths = [clip(root, name) for name in names]
    table = validate_table(audioset.load(root, exclude=False)).set_index("clip_id")
    assert table["labels"].to_dict() == {
        "--PJHxphWEs": ("cel",),
        "_-hevVpy1s_": ("pia", "voi"),
        "Y_aE2O5G5WE": ("vio",),
        "12345678901": ("gel", "org"),
    }
    assert table.at["_-hevVpy1s_", "mids"] == ("/m/02qldy", "/t/dd00003", "/m/05r5c")
    assert table["path"].to_dict()["_-hevVpy1s_"] == str(paths[1])
    for name, labels in table["labels"].items():
        assert tuple(code for code in audioset.INSTRUMENTS if table.at[name, code]) == labels
    assert set(table["source"]) == {"unbalanced_train"}
    assert "/m/02qldy is used" in table.attrs["notes"][0]
    assert "1 audio files hold no listed segment" in table.attrs["notes"][1]
    assert table.attrs["problems"] == []
    assert datasets.find_root("audioset", tmp_path) == root


def test_table_3_2():
    assert len(audioset.MIDS) == 18
    assert set(audioset.MIDS.values()) == set(audioset.INSTRUMENTS)
    assert sum(code == "voi" for code in audioset.MIDS.values()) == 8
    assert "/m/02qlsy" not in audioset.MIDS
    assert set(audioset.EXCLUDED).isdisjoint(audioset.MIDS)


def test_exclusions_fire(tmp_path):
    write_list(tmp_path, [*ROWS, ("electric__1", 0, ["/m/05r5c", "/m/01s0ps", "/m/01wy6"])])
    for ytid, _, _ in ROWS:
        clip(tmp_path, ytid)
    clip(tmp_path, "electric__1")
    table = audioset.load(tmp_path)
    assert set(table["clip_id"]) == {"--PJHxphWEs", "_-hevVpy1s_", "12345678901"}
    assert "2 listed segments with pizzicato or electric piano are left out." in table.attrs["notes"]
    assert len(audioset.load(tmp_path, exclude=False)) == 5


@pytest.mark.parametrize("name", ["--PJHxphWEs_30", "--PJHxphWEs_30.000", "--PJHxphWEs_30000_40000", "Y--PJHxphWEs"])
def test_file_names(tmp_path, name):
    write_list(tmp_path, ROWS)
    clip(tmp_path, name)
    assert audioset.load(tmp_path)["clip_id"].tolist() == ["--PJHxphWEs"]


def test_wrong_segments_and_lengths_are_listed(tmp_path):
    write_list(tmp_path, [(f"length-{k:04d}", 0, ["/m/01wy6"]) for k in range(4)] + ROWS[:2])
    lengths = dict(zip([f"length-{k:04d}" for k in range(4)], (9.4, 9.6, 10.4, 10.6), strict=True))
    for ytid, seconds in lengths.items():
        clip(tmp_path, ytid, seconds)
    other = clip(tmp_path, "--PJHxphWEs_70")
    broken = tmp_path / "audio" / "_-hevVpy1s_.wav"
    broken.write_bytes(b"<html>")
    table = audioset.load(tmp_path)
    assert table.set_index("clip_id")["duration"].to_dict() == {"length-0001": 9.6, "length-0002": 10.0}
    reasons = {problem["path"]: problem["reason"] for problem in table.attrs["problems"]}
    assert reasons[str(other)] == "not the listed segment, which starts at 30 s"
    assert reasons[str(broken)].startswith("not readable as audio")
    assert reasons[str(tmp_path / "audio" / "length-0003.wav")] == "lasts 10.60 s instead of 10"
    assert len(reasons) == 4
    assert len(audioset.load(tmp_path, tolerance=0.7)) == 4


def test_division_has_the_sizes_of_scikit_learn():
    n = audioset.N_PAPER
    sides = audioset._divide(n, seed=42)
    rest, test = train_test_split(range(n), test_size=0.2)
    train, valid = train_test_split(rest, test_size=0.125)
    expected = {"train": len(train), "valid": len(valid), "test": len(test)}
    assert expected == {"train": 14_619, "valid": 2_089, "test": 4_177}
    assert {side: sides.count(side) for side in expected} == expected
    assert audioset._divide(n, seed=42) == sides
    assert audioset._divide(n, seed=43) != sides


def test_several_lists_windows_and_evidence(tmp_path, monkeypatch):
    ids = [f"clip-{k:06d}" for k in range(10)]
    write_list(tmp_path / "lists", [(ytid, 0, ["/m/07gql"]) for ytid in ids[:6]], "balanced_train_segments")
    write_list(tmp_path / "lists", [(ytid, 0, ["/m/06ncr"]) for ytid in ids[5:]], "unbalanced_train_segments")
    for ytid in ids:
        clip(tmp_path, ytid)
    table = audioset.load(tmp_path)
    assert table["source"].tolist() == ["balanced_train"] * 6 + ["unbalanced_train"] * 4
    assert table["split"].value_counts().to_dict() == {"train": 7, "valid": 1, "test": 2}
    assert set(table["evidence"]) == {"excerpt"}
    windows = audioset.load(tmp_path, seconds=3.0)
    assert windows.groupby("file").size().eq(4).all()
    assert windows.groupby("file")["split"].first().tolist() == table["split"].tolist()
    monkeypatch.setattr(audioset, "N_PAPER", 10)
    assert set(audioset.load(tmp_path)["evidence"]) == {"full"}
    (tmp_path / "SYNTHETIC.json").write_text("{}")
    assert set(audioset.load(tmp_path)["evidence"]) == {"synthetic"}


def test_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"balanced_train_segments\.csv"):
        audioset.load(tmp_path)
    write_list(tmp_path, ROWS)
    with pytest.raises(FileNotFoundError, match="none of 0 audio files is one of 3 listed segments"):
        audioset.load(tmp_path)
    clip(tmp_path, "--PJHxphWEs", seconds=1)
    with pytest.raises(FileNotFoundError, match=r"lasts 1\.00 s"):
        audioset.load(tmp_path)
    (tmp_path / "eval_segments.csv").write_text(HEADER + "--PJHxphWEs, soon, later, x\n")
    with pytest.raises(ValueError, match=r"eval_segments\.csv is no list of AudioSet segments"):
        audioset.load(tmp_path)
