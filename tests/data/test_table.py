"""Clip tables: rules, cutting, identity, disjoint splits."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.data import table as module
from reprise.data.table import (
    ClipTableError,
    content_hashes,
    disjoint_split,
    fingerprint,
    split_clips,
    validate_table,
)
from reprise.files import sha256_file


def clips(n=4, **columns):
    frame = pd.DataFrame(
        {
            "clip_id": [f"c{i}" for i in range(n)],
            "path": [f"/nowhere/{i}.wav" for i in range(n)],
            "start": 0.0,
            "duration": 3.0,
            "group": [f"g{i}" for i in range(n)],
            "split": ["train", "test"] * (n // 2),
            "evidence": "excerpt",
        }
    )
    return frame.assign(**columns)


def test_valid_table_comes_back_as_it_is():
    frame = clips()
    assert validate_table(frame) is frame


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"clip_id": ["a", "b", "b", "d"]}, "row 2: clip_id appears twice"),
        ({"start": [0, 0, 0, -1.5]}, "row 3: start is negative"),
        ({"start": [0, np.nan, 0, 0]}, "row 1: start is empty"),
        ({"duration": [3, 3, 0, 3]}, "row 2: duration is not positive"),
        ({"duration": [3, np.inf, 0, 3]}, "row 1: duration is not a finite"),
        ({"split": ["train", "validation", "test", "test"]}, "row 1: split is none of"),
        ({"group": ["g", "g", "h", "h"]}, "row 1: its group is in another split"),
        ({"evidence": "real"}, r"row 0: evidence is none of .*\(4 such rows\)"),
        ({"path": ["a", None, "b", "c"]}, "row 1: path is empty"),
    ],
)
def test_first_bad_row_is_named(columns, message):
    with pytest.raises(ClipTableError, match=message):
        validate_table(clips(**columns))


def test_missing_columns_are_named():
    with pytest.raises(ClipTableError, match="columns missing: group, evidence"):
        validate_table(clips().drop(columns=["group", "evidence"]))


def test_group_overlap_can_be_allowed():
    frame = clips(group="one")
    frame.attrs["group_overlap_allowed"] = True
    assert validate_table(frame) is frame


@settings(max_examples=40, deadline=None)
@given(
    durations=st.lists(st.floats(0.001, 40), min_size=1, max_size=6),
    seconds=st.floats(0.05, 7),
    short=st.sampled_from(["drop", "pad"]),
    remainder=st.sampled_from(["drop", "pad"]),
)
def test_cutting_equals_a_walk_along_each_file(durations, seconds, short, remainder):
    files = pd.DataFrame({"clip_id": [f"f{i}" for i in range(len(durations))], "duration": durations, "kind": 7})
    expected = []
    for i, duration in enumerate(durations):
        position, number = 0.0, 0
        while number * seconds + seconds <= duration + 1e-6:
            expected.append((f"f{i}_{number:03d}", number * seconds, seconds))
            number += 1
            position = number * seconds
        if duration - position > 1e-6 and (short if number == 0 else remainder) == "pad":
            expected.append((f"f{i}_{number:03d}", position, duration - position))
    result = split_clips(files, seconds=seconds, short=short, remainder=remainder)
    assert result["clip_id"].tolist() == [name for name, _, _ in expected]
    np.testing.assert_allclose(result["start"], [start for _, start, _ in expected], atol=1e-9)
    np.testing.assert_allclose(result["duration"], [length for _, _, length in expected], atol=1e-6)
    assert (result["kind"] == 7).all()


def test_one_sample_decides():
    files = pd.DataFrame({"clip_id": ["exact", "short"], "duration": [132300 / 44100, 132299 / 44100]})
    assert split_clips(files, seconds=3.0)["clip_id"].tolist() == ["exact_000"]


@pytest.mark.parametrize("bad", [{"seconds": 0}, {"seconds": np.nan}, {"seconds": 1, "short": "loop"}])
def test_cutting_refuses_nonsense(bad):
    with pytest.raises(ValueError, match=r"must be"):
        split_clips(pd.DataFrame({"clip_id": ["a"], "duration": [1.0]}), **bad)


def written_table(folder: Path, contents):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i}.bin" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return clips(len(contents), path=[str(path) for path in paths])


@settings(max_examples=15, deadline=None)
@given(
    contents=st.lists(st.binary(min_size=1, max_size=20), min_size=4, max_size=4),
    order=st.permutations(range(4)),
    which=st.integers(0, 3),
    bit=st.integers(0, 7),
)
def test_fingerprint_sees_content_only(tmp_path_factory, contents, order, which, bit):
    base = tmp_path_factory.mktemp("fingerprint")
    here = written_table(base / "here", contents)
    there = written_table(base / "elsewhere" / "deep", contents).iloc[list(order)]
    before = fingerprint(here)
    assert fingerprint(there) == before
    assert fingerprint(here[here.columns[::-1]]) == before
    path = Path(here["path"][which])
    changed = bytearray(contents[which])
    changed[-1] ^= 1 << bit
    # same size, within the same tick of the file system's clock
    path.write_bytes(changed)
    assert fingerprint(here) != before


@pytest.mark.parametrize("change", [{"start": 0.1}, {"technique": "belt"}, {"split": "train"}, {"evidence": "full"}])
def test_fingerprint_sees_every_column(tmp_path, change):
    frame = written_table(tmp_path, [b"a", b"b", b"c", b"d"])
    assert fingerprint(frame.assign(**change)) != fingerprint(frame)


def test_fingerprint_of_labels_of_all_kinds(tmp_path):
    frame = written_table(tmp_path, [b"a", b"b"]).assign(tags=[["x", "y"], []], pitch=[np.nan, 3.0], vowel=[None, "a"])
    assert fingerprint(frame) == fingerprint(frame.assign(tags=[np.array(["x", "y"]), np.array([])]))
    assert fingerprint(frame) == fingerprint(frame.assign(start=np.zeros(2, int)))


def test_hashes_are_remembered_and_renewed(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.bin" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i] * 10))
    read = []

    def counting(path):
        read.append(Path(path).name)
        return sha256_file(path)

    monkeypatch.setattr(module, "sha256_file", counting)
    monkeypatch.setattr(module, "_YOUNG_SECONDS", -1.0)
    first = content_hashes(paths)
    assert first == {str(path): sha256_file(path) for path in paths}
    assert sorted(read) == ["0.bin", "1.bin", "2.bin"]
    read.clear()
    assert content_hashes(paths) == first
    assert read == []
    stamp = paths[1].stat()
    time.sleep(0.02)
    paths[1].write_bytes(b"\xff" * 10)
    os.utime(paths[1], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert content_hashes(paths)[str(paths[1])] == sha256_file(paths[1])
    assert read == ["1.bin"]


def test_files_changed_just_now_are_not_remembered(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"a")
    content_hashes([tmp_path / "a.bin"])
    assert not (module.cache_root() / "hashes").exists()


def test_damaged_memory_of_hashes_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_YOUNG_SECONDS", -1.0)
    path = tmp_path / "a.bin"
    path.write_bytes(b"a")
    first = content_hashes([path])
    for record in (module.cache_root() / "hashes").iterdir():
        record.write_text("{half")
    assert content_hashes([path]) == first


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.wav"):
        content_hashes([tmp_path / "gone.wav"])


def split_frame(presence):
    rows = [(f"g{i}", label) for i, labels in enumerate(presence) for label in labels]
    return pd.DataFrame(rows, columns=["group", "label"])


@settings(max_examples=40, deadline=None)
@given(
    presence=st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=2, max_size=7),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 5),
)
def test_disjoint_split_covers_as_many_labels_as_any(presence, fraction, seed):
    frame = split_frame(presence)
    split = disjoint_split(frame, fraction_test=fraction, seed=seed, label="label")

    def covered(test_groups):
        inside = frame["group"].isin(test_groups)
        return len(set(frame["label"][inside]) & set(frame["label"][~inside]))

    groups = sorted(set(frame["group"]))
    chosen = set(frame["group"][split == "test"])
    assert chosen
    assert chosen != set(groups)
    assert not chosen & set(frame["group"][split == "train"])
    subsets = [{g for i, g in enumerate(groups) if k >> i & 1} for k in range(1, 2 ** len(groups) - 1)]
    assert covered(chosen) == max(covered(subset) for subset in subsets)


def test_disjoint_split_of_many_groups_finds_rare_labels():
    rng = np.random.default_rng(3)
    presence = [["common"] + (["rare"] if i in (4, 57) else []) for i in range(80)]
    frame = split_frame(presence).sample(frac=1, random_state=int(rng.integers(99)))
    split = disjoint_split(frame, fraction_test=0.25, seed=1, label="label")
    assert frame.groupby(split)["label"].nunique().tolist() == [2, 2]
    assert frame["group"][split == "test"].nunique() == 20
    assert split.equals(disjoint_split(frame, fraction_test=0.25, seed=1, label="label"))
    assert not split.equals(disjoint_split(frame, fraction_test=0.25, seed=2, label="label"))


def test_disjoint_split_of_many_groups_improves_on_chance():
    presence = [["common"] + ([f"pair {i // 2}"] if i < 32 else []) for i in range(48)]
    frame = split_frame(presence)
    split = disjoint_split(frame, fraction_test=0.25, seed=0, label="label")
    assert frame.groupby(split)["label"].nunique().tolist() == [17, 17]


def test_disjoint_split_needs_two_groups():
    with pytest.raises(ValueError, match=r"needs two values of 'group', found \['g0'\]"):
        disjoint_split(split_frame([["a", "b"]]), fraction_test=0.5, seed=0, label="label")
