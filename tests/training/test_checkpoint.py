"""Checkpoints under damage, full disks and foreign content."""

import errno
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from reprise.training.checkpoint import Checkpoint


def state(number: int) -> dict:
    return {
        "epoch": number,
        "weights": torch.full((1000,), float(number)),
        "nested": {"list": [1, (2.5, None)], "flag": True, 3: "x"},
        "random": random.getstate(),
        "generator": np.random.default_rng(number).bit_generator.state,
    }


def newest(folder: Path) -> Path:
    return max(folder.glob("*.pt"))


def test_round_trip_and_two_kept(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load() is None
    for number in range(12):
        checkpoint.save(state(number))
    loaded, given = Checkpoint(tmp_path).load(), state(11)
    assert torch.equal(loaded.pop("weights"), given.pop("weights"))
    assert loaded == given
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"checkpoint-{number:06d}{suffix}" for number in (11, 12) for suffix in (".json", ".pt")
    ]


@pytest.mark.parametrize("fault", ["flip", "truncate", "empty", "record"])
def test_damage_falls_back_and_says_so(tmp_path, fault):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(state(0))
    checkpoint.save(state(1))
    path = newest(tmp_path)
    content = bytearray(path.read_bytes())
    if fault == "flip":
        # inside the tensor, where torch itself notices nothing
        content[content.index(torch.full((8,), 1.0).numpy().tobytes()) + 20] ^= 1
        path.write_bytes(content)
        assert torch.load(path, weights_only=True)["epoch"] == 1
    elif fault == "record":
        path.with_suffix(".json").write_text("{")
    else:
        path.write_bytes(content[: len(content) // 2] if fault == "truncate" else b"")
    with pytest.warns(UserWarning, match=path.name):
        assert checkpoint.load()["epoch"] == 0
    checkpoint.save(state(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checkpoint.load()["epoch"] == 2


def test_a_state_without_its_hash_is_unfinished(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(state(0))
    checkpoint.save(state(1))
    newest(tmp_path).with_suffix(".json").unlink()
    assert checkpoint.load()["epoch"] == 0


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_full_disk_keeps_the_last_state(tmp_path, monkeypatch, fails_at):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(state(0))
    files, calls = set(tmp_path.iterdir()), []

    real = Path.replace

    def full(source, target):
        calls.append(target)
        if len(calls) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(state(1))
    monkeypatch.undo()
    assert checkpoint.load()["epoch"] == 0
    assert files <= set(tmp_path.iterdir())
    assert not list(tmp_path.glob(".*"))
    checkpoint.save(state(2))
    assert checkpoint.load()["epoch"] == 2


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (np.float64(1), r"checkpoint\['a'\]\[1\] is a float64"),
        (Path("x"), "PosixPath"),
        (object(), "object"),
        (np.zeros(2), "ndarray"),
    ],
)
def test_only_plain_values_are_saved(tmp_path, value, where):
    with pytest.raises(TypeError, match=where):
        Checkpoint(tmp_path).save({"a": [1.0, value]})
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_never_loaded(tmp_path):
    import pickle

    from reprise.files import sha256_file, write_json

    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    path = tmp_path / "checkpoint-000001.pt"
    torch.save({"weights": Trap()}, path, pickle_module=pickle)
    write_json(path.with_suffix(".json"), {"sha256": sha256_file(path)})
    with pytest.raises(ValueError, match=r"checkpoint-000001\.pt holds something else than tensors"):
        Checkpoint(tmp_path).load()
    assert not (tmp_path / "sprung").exists()


def test_names_keep_trainings_apart(tmp_path):
    Checkpoint(tmp_path, name="a").save(state(1))
    Checkpoint(tmp_path, name="a-b").save(state(2))
    assert Checkpoint(tmp_path, name="a").load()["epoch"] == 1
    assert Checkpoint(tmp_path, name="a-b").load()["epoch"] == 2
