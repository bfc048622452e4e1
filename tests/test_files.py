"""The ground floor: whole files, hashes, seeds, folders and progress."""

import hashlib
import json
import multiprocessing
import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise import files, paths, progress, seeds

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_whole_and_readable(tmp_path):
    path = tmp_path / "deep" / "ä file.txt"
    files.write_text(path, "first")
    files.write_text(path, "zweiter, ä")
    assert path.read_text(encoding="utf-8") == "zweiter, ä"
    assert names(path.parent) == [path.name]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_failure_keeps_the_old_content(tmp_path):
    path = tmp_path / "file.txt"
    files.write_text(path, "old")

    def write_half():
        with files.atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == path.suffix
            temporary.write_text("half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_nothing_is_visible_before_it_is_synced(tmp_path, monkeypatch):
    path, synced = tmp_path / "file", []
    real = os.fsync

    def watch(descriptor):
        synced.append(path.exists())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    files.write_bytes(path, b"x")
    assert synced == [False, True]


def _write_many(path: Path, letter: str) -> None:
    for _ in range(20):
        files.write_text(path, letter * 100_000)


def test_writers_at_once_never_mix(tmp_path):
    path = tmp_path / "file"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen <= {"a" * 100_000, "b" * 100_000}
    assert names(tmp_path) == ["file"]


@settings(max_examples=50, deadline=None)
@given(values)
def test_canonical_json_is_one_text_per_value(value):
    text = files.canonical_json(value)
    assert json.loads(text) == value
    shuffled = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert files.canonical_json(shuffled) == text


def test_hashes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    assert files.sha256_file(tmp_path / "x") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert files.sha256_json({"b": [1, 2.5], "ä": None}) == (
        hashlib.sha256('{"b":[1,2.5],"ä":null}'.encode()).hexdigest()
    )
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            files.sha256_json({"a": [wrong]})


def test_json_files(tmp_path):
    path = tmp_path / "x.json"
    files.write_json(path, {"b": float("nan"), "a": (1, float("inf")), "c": {"ä": -0.5}})
    assert files.read_json(path) == {"a": [1, None], "b": None, "c": {"ä": -0.5}}
    assert path.read_text(encoding="utf-8").index('"a"') < path.read_text(encoding="utf-8").index('"b"')
    path.write_text("{half")
    with pytest.raises(ValueError, match=r"x\.json is not valid JSON .* delete it"):
        files.read_json(path)


def test_seeds_depend_on_all_parts_and_their_types():
    parts = [(0,), (1,), ("1",), (0, 1), (1, 0), ("0", 1), (0, 0, 1), ("01",), ("a", "b"), ("ab",)]
    found = [seeds.derive_seed(*part) for part in parts]
    assert len(set(found)) == len(parts)
    assert all(0 <= seed < 2**63 for seed in found)
    # fixed for ever: a change would silently change every result
    assert seeds.derive_seed(0, "order", 3) == (
        int.from_bytes(hashlib.sha256(b"int:0\x1fstr:order\x1fint:3").digest()[:8], "big") >> 1
    )


def test_generators_are_fresh_and_global_state_is_untouched():
    before = torch.get_rng_state()
    draws = [torch.rand(4, generator=seeds.torch_generator(7, "x")) for _ in range(2)]
    assert torch.equal(*draws)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(seeds.numpy_generator(7).random(4), seeds.numpy_generator(7).random(4))
    assert not np.array_equal(seeds.numpy_generator(7).random(4), seeds.numpy_generator(8).random(4))


def test_roots(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_RUNS", str(tmp_path / "x" / ".." / "runs"))
    assert paths.runs_root() == tmp_path / "runs"
    for variable in ("REPRISE_RUNS", "REPRISE_CACHE", "REPRISE_OUT"):
        monkeypatch.delenv(variable)
    project = tmp_path / "my project"
    (project / "lib" / "reprise").mkdir(parents=True)
    (project / "notebooks").mkdir()
    (project / "run_all.sh").touch()
    monkeypatch.chdir(project / "notebooks")
    assert paths.project_root() == project
    assert paths.runs_root() == project / "runs"
    assert paths.cache_root() == project / ".cache"
    assert paths.figures_root() == project / "figures"
    assert paths.notebooks_root() == project / "notebooks"
    assert paths.data_manifests() == project / "data_manifests"


def test_progress_in_a_log_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    assert list(progress.track(range(7), description="work")) == list(range(7))
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.splitlines() == ["work: 3/7 (12 s)", "work: 6/7 (24 s)"]


def test_short_work_is_silent(capsys):
    assert list(progress.track(iter("abc"))) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
