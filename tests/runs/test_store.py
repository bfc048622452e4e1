"""Results on disk: complete or absent, verified, claimed by one."""

import errno
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy import ToyTrial

import reprise.runs.claim as claim_module
from reprise.files import read_json
from reprise.runs import Store, StoredTrial, TrialResult
from reprise.runs.store import ClaimLost, TrialClaimed

CONFIG = ToyTrial(seed=3, condition="a b/c@0.2?")


def make_result(value: float = 0.25) -> TrialResult:
    return TrialResult(
        metrics={"error": value, "undefined": float("nan"), "endless": float("-inf"), "seed": 5.0},
        arrays={"file": np.arange(6).reshape(2, 3), "names": np.array(["ä", "b"])},
        curves=pd.DataFrame({"epoch": [0, 1], "loss": [0.1 + 0.2, 1 / 3]}),
        weights={"w": torch.arange(4.0).reshape(2, 2).t(), "tied": torch.ones(3), "n": torch.tensor(2)},
        notes=["one class is missing"],
    )


def put(store: Store, config: ToyTrial = CONFIG, value: float = 0.25) -> StoredTrial:
    with store.claim(config):
        return store.commit(config, make_result(value), seconds=1.5, provenance={"seconds": 1.5})


def test_what_goes_in_comes_out(store):
    put(store)
    stored, given = store.find(CONFIG), make_result()
    assert stored is not None
    assert stored.config == CONFIG.identity()
    assert stored.metrics == pytest.approx(given.metrics, nan_ok=True, abs=0)
    assert stored.provenance["notes"] == given.notes
    assert sorted(stored.arrays) == ["file", "names"]
    for name, array in given.arrays.items():
        np.testing.assert_array_equal(stored.arrays[name], array)
    pd.testing.assert_frame_equal(stored.curves, given.curves, check_exact=True)
    weights = stored.weights()
    assert all(torch.equal(weights[name], tensor) for name, tensor in given.weights.items())
    assert stored.folder.relative_to(store.root).parts[:3] == ("toy", "a b", "c@0.2%3F")
    files = {path.name for path in stored.folder.iterdir()}
    assert files == {
        "config.json",
        "metrics.json",
        "provenance.json",
        "curves.csv",
        "arrays.npz",
        "weights.safetensors",
        "complete.json",
    }
    with pytest.raises(KeyError, match="it has file, names"):
        stored.arrays["absent"]


def test_a_result_without_optional_parts(store):
    with store.claim(CONFIG):
        store.commit(CONFIG, TrialResult(metrics={}), seconds=0.0)
    stored = store.find(CONFIG)
    assert dict(stored.arrays) == {}
    assert stored.curves.empty
    with pytest.raises(FileNotFoundError, match="no weights"):
        stored.weights()


def test_objects_are_refused(store):
    result = TrialResult(metrics={}, arrays={"bad": np.array([object()])})
    with store.claim(CONFIG), pytest.raises(TypeError, match="'bad' holds Python objects"):
        store.commit(CONFIG, result, seconds=0.0)
    assert store.find(CONFIG) is None


@pytest.mark.parametrize(
    "name", ["metrics.json", "arrays.npz", "weights.safetensors", "curves.csv", "config.json", "complete.json"]
)
@pytest.mark.parametrize("fault", ["flip", "truncate", "remove"])
def test_damage_is_found_named_and_quarantined(store, name, fault):
    folder = put(store).folder
    path = folder / name
    content = bytearray(path.read_bytes())
    if fault == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif fault == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    with pytest.warns(UserWarning, match="damaged-1") as seen:
        assert store.find(CONFIG) is None
    assert name in str(seen[0].message)
    assert not folder.exists()
    assert folder.with_name(folder.name + ".damaged-1").is_dir()
    assert store.list().empty
    put(store)
    assert store.find(CONFIG) is not None


def test_a_copied_folder_is_not_taken_for_another_trial(store):
    other = CONFIG.model_copy(update={"epochs": 99})
    put(store).folder.rename(store.path(other))
    with pytest.warns(UserWarning, match="another trial"):
        assert store.find(other) is None


def test_another_schema_is_refused_and_left_alone(store):
    folder = put(store).folder
    record = read_json(folder / "complete.json")
    (folder / "complete.json").write_text(json.dumps(record | {"schema": 99}))
    with pytest.raises(RuntimeError, match="schema 99"):
        store.find(CONFIG)
    assert folder.is_dir()


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_full_disk_leaves_no_result(store, monkeypatch, fails_at):
    calls = 0
    real = os.fsync

    def full(descriptor):
        nonlocal calls
        # only files count: the heartbeat and folders are synced as well
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.startswith("."):
            calls += 1
            if calls == fails_at:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), store.claim(CONFIG):
        store.commit(CONFIG, make_result(), seconds=0.0)
    monkeypatch.undo()
    assert calls == fails_at
    assert not store.path(CONFIG).exists()
    assert store.find(CONFIG) is None
    put(store)
    assert store.find(CONFIG).metrics["error"] == 0.25


def test_what_the_runner_left_is_removed_and_nothing_happened_leaves_nothing(store):
    with store.claim(CONFIG) as part:
        (part / "checkpoint-000001.pt").write_bytes(b"x")
        (part / "folder").mkdir()
        (part / "folder" / "file").write_bytes(b"x")
        store.commit(CONFIG, TrialResult(metrics={}), seconds=0.0)
    assert not store.part(CONFIG).exists()
    assert {path.suffix for path in store.path(CONFIG).iterdir()} == {".json"}
    other = ToyTrial(seed=4)
    with store.claim(other) as part:
        assert part.is_dir()
    assert not part.exists()


def test_a_kill_between_the_record_and_the_rename_is_finished(store, monkeypatch):
    def killed(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with store.claim(CONFIG), pytest.raises(KeyboardInterrupt):
        store.commit(CONFIG, make_result(), seconds=0.0)
    monkeypatch.undo()
    assert store.find(CONFIG) is None
    with store.claim(CONFIG):
        assert store.find(CONFIG).metrics["error"] == 0.25


def test_commit_needs_a_claim(store):
    with pytest.raises(RuntimeError, match="not claimed"):
        store.commit(CONFIG, make_result(), seconds=0.0)


def test_one_owner_at_a_time(store):
    again = Store(store.root)
    with store.claim(CONFIG), pytest.raises(TrialClaimed, match=f"process {os.getpid()}"), again.claim(CONFIG):
        pass
    with again.claim(CONFIG):
        pass


def test_a_dead_process_is_found_out_at_once(store, start):
    code = f"""
import os
from toy import ToyTrial
from reprise.runs import Store
with Store({str(store.root)!r}).claim(ToyTrial(seed=3, condition="a b/c@0.2?")) as part:
    (part / "checkpoint").write_text("kept")
    os.kill(os.getpid(), 9)
"""
    process = start(code)
    process.wait(30)
    assert (store.part(CONFIG) / "claim-000001").is_file(), process.stderr.read()
    began = time.monotonic()
    with store.claim(CONFIG) as part:
        assert time.monotonic() - began < store._watch.grace
        assert (part / "checkpoint").read_text() == "kept"
        store.commit(CONFIG, make_result(), seconds=0.0)
    assert not list(store.path(CONFIG).glob("claim-*"))


def silent_owner(store, **changes):
    """A claim file of an owner on another host that does not beat."""
    part = store.part(CONFIG)
    part.mkdir(parents=True)
    owner = {"host": "elsewhere", "pid": 1, "started": "then", "token": "t"} | changes
    (part / "claim-000004").write_bytes(json.dumps(owner).encode() + b"\n" + b"0" * 20)
    return part / "claim-000004"


def poll(store, seconds, each=lambda: None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        each()
        try:
            with store.claim(CONFIG):
                return True
        except TrialClaimed:
            time.sleep(0.05)
    return False


def test_silence_on_another_host_is_waited_for(store):
    silent_owner(store)
    began = time.monotonic()
    assert poll(store, 5)
    assert time.monotonic() - began >= 0.4
    assert not store.part(CONFIG).exists()


def test_a_heartbeat_from_another_host_is_respected_whatever_its_clock_says(store):
    path = silent_owner(store, started="2001-01-01T00:00:00+00:00")
    os.utime(path, (0, 0))
    beats = iter(range(10**6))

    def beat():
        path.write_bytes(path.read_bytes()[:-20] + b"%020d" % next(beats))

    assert not poll(store, 1.0, beat)


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n"])
def test_an_unreadable_claim_is_taken_over_after_silence(store, content):
    silent_owner(store).write_bytes(content)
    assert poll(store, 5)


def test_a_recycled_pid_is_not_the_owner(store):
    silent_owner(store, host=claim_module._host(), pid=os.getpid(), process_start="1")
    with store.claim(CONFIG):
        pass


def test_the_old_owner_notices_and_writes_nothing(store):
    with store.claim(CONFIG) as part:
        (part / "claim-000002").write_bytes(b"{}")
        with pytest.raises(ClaimLost, match="taken over"):
            store.commit(CONFIG, make_result(), seconds=0.0)
        assert {path.name for path in part.iterdir()} == {"claim-000001", "claim-000002"}
    assert (part / "claim-000002").exists()
    assert not store.path(CONFIG).exists()


def test_the_heartbeat_beats_and_stops(store):
    with store.claim(CONFIG) as part:
        before = (part / "claim-000001").read_bytes()
        time.sleep(0.3)
        after = (part / "claim-000001").read_bytes()
        assert before != after
        assert before[:-20] == after[:-20]


def test_listing(store):
    assert store.list().empty
    for seed in range(5):
        put(store, ToyTrial(seed=seed, condition=f"deep/{seed % 2}"), value=seed / 3)
    put(store, ToyTrial(seed=0, paper="other"))
    with store.claim(ToyTrial(seed=77)) as part:
        (part / "error.txt").write_text("unfinished")
    frame = store.list("toy")
    assert list(frame["seed"]) == [0, 2, 4, 1, 3]
    assert list(frame["metrics.error"]) == [seed / 3 for seed in frame["seed"]]
    assert (frame["metrics.seed"] == 5.0).all()
    assert frame["undefined"].isna().all()
    assert set(frame["widths"]) == {(4,)}
    assert len(store.list()) == 6
    assert StoredTrial(frame["folder"][1]).metrics["error"] == 2 / 3
    (Path(frame["folder"][0]) / "complete.json").write_text("{")
    with pytest.warns(UserWarning, match=r"no readable complete\.json"):
        assert len(store.list()) == 5


def test_listing_many_is_fast(store):
    folder = put(store).folder
    text = (folder / "complete.json").read_text()
    for index in range(5000):
        copy = store.root / "toy" / f"many{index % 10}" / f"{index}-{index:016x}"
        copy.mkdir(parents=True)
        (copy / "complete.json").write_text(text)
    began = time.process_time()
    assert len(store.list()) == 5001
    # the goal is 50 µs of wall time each; processor time does not depend on what else runs here
    assert time.process_time() - began < 5000 * 100e-6


def test_a_store_travels_to_workers(store):
    import pickle

    with store.claim(CONFIG):
        again = pickle.loads(pickle.dumps(store))
    assert (again.root, again.heartbeat, again._watch.grace) == (store.root, store.heartbeat, store._watch.grace)


def test_no_warnings_in_normal_use(store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        put(store)
        store.find(CONFIG)
        store.list()
