"""Grids of trials: here, in worker processes, interrupted, killed, shared and failing."""

import errno
import os
import signal
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy import ToyTrial

from reprise.runs import Store, StoredTrial, TrialConfig, run_grid
from reprise.runs.engine import _client, pending_trials, resolve_device
from reprise.runs.execute import deterministic


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "log"


def runs_in(log: Path) -> list[str]:
    return [" ".join(line.split()[:-1]) for line in log.read_text().splitlines()]


def weights_of(folder) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in StoredTrial(folder).weights().items()}


def without_times(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=["seconds", "folder", "cached"])


def family(log: Path, epochs: int = 3) -> list[ToyTrial]:
    """A child, another child, their parent, an equal child, and a stranger."""
    parent = ToyTrial(seed=0, log=log, epochs=epochs)
    child = parent.model_copy(update={"condition": "child/a", "parent": parent})
    other = parent.model_copy(update={"condition": "child/b", "parent": parent})
    return [child, other, parent, child.model_copy(), ToyTrial(seed=1, log=log, epochs=epochs)]


def test_rows_order_sharing_and_asking_again(store, log):
    trials = family(log)
    frame = run_grid(trials, store=store, progress=False)
    assert list(frame["condition"]) == [trial.condition for trial in trials]
    assert list(frame["seed"]) == [0, 0, 0, 0, 1]
    assert set(frame["status"]) == {"done"}
    assert not frame["cached"].any()
    assert runs_in(log) == ["line 0", "child/a 0", "child/b 0", "line 1"]
    assert frame["mse"][0] != frame["mse"][2]
    assert frame["mse"][0] == StoredTrial(frame["folder"][0]).metrics["mse"]
    assert {"epochs", "learning_rate", "widths", "seconds", "folder"} <= set(frame)
    again = run_grid(trials, store=store, progress=False)
    assert again["cached"].all()
    pd.testing.assert_frame_equal(without_times(again), without_times(frame))
    assert len(runs_in(log)) == 4


def test_a_finished_trial_does_not_need_its_requirements(store, log):
    child = family(log)[0]
    run_grid([child], store=store, progress=False)
    store.path(child.parent).rename(store.root / "gone")
    assert pending_trials([child], store=store) == []
    assert pending_trials(family(log), store=store)[0] == child.parent


def test_same_config_same_bits(tmp_path):
    first, second = (
        run_grid([ToyTrial(seed=5)], store=Store(tmp_path / name), progress=False)["folder"][0] for name in "ab"
    )
    assert weights_of(first) == weights_of(second)
    for name in ("weights.safetensors", "arrays.npz", "metrics.json", "config.json"):
        assert (Path(first) / name).read_bytes() == (Path(second) / name).read_bytes()


def test_a_failure_is_local_and_loud(store, log):
    bad = ToyTrial(seed=0, condition="bad", fail=True, log=log)
    orphan = ToyTrial(seed=0, condition="orphan", parent=bad, log=log)
    grandchild = ToyTrial(seed=0, condition="grandchild", parent=orphan, log=log)
    good = ToyTrial(seed=1, log=log)
    with pytest.warns(UserWarning, match="toy/bad seed 0 failed: ValueError: asked to fail"):
        frame = run_grid([grandchild, bad, good], store=store, progress=False)
    assert list(frame["status"]) == ["failed", "failed", "done"]
    assert frame["error"][1] == "ValueError: asked to fail"
    assert "not run, because toy/orphan seed 0 failed" in frame["error"][0]
    text = (Path(frame["folder"][1]) / "error.txt").read_text()
    assert "Traceback" in text
    assert "run_trial" in text
    assert runs_in(log) == ["bad 0", "line 1"]
    with pytest.warns(UserWarning, match="asked to fail"):
        run_grid([bad], store=store, progress=False)
    assert runs_in(log)[-1] == "bad 0"


def test_a_full_disk_is_a_sentence(store, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "commit", full)
    with pytest.warns(UserWarning, match=r"MB free; make room and run again"):
        frame = run_grid([ToyTrial(seed=0)], store=store, progress=False)
    assert frame["status"][0] == "failed"
    assert not store.path(ToyTrial(seed=0)).exists()


def test_damaged_results_run_again(store, log):
    config = ToyTrial(seed=0, log=log)
    folder = Path(run_grid([config], store=store, progress=False)["folder"][0])
    before = weights_of(folder)
    content = bytearray((folder / "arrays.npz").read_bytes())
    content[-1] ^= 4
    (folder / "arrays.npz").write_bytes(content)
    with pytest.warns(UserWarning, match="damaged-1"):
        frame = run_grid([config], store=store, progress=False)
    assert list(frame["cached"]) == [False]
    assert weights_of(folder) == before


def test_a_loop_of_requirements_is_refused(store):
    class Loop(ToyTrial):
        def requires(self) -> list[TrialConfig]:
            return [self]

    with pytest.raises(ValueError, match="requires itself"):
        run_grid([Loop(seed=0)], store=store)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["int", "term"]
)
def test_signals_give_up_the_claim_and_resume_to_the_same_bits(store, tmp_path, number, raised):
    config = ToyTrial(seed=2, epochs=4)
    interrupted = config.model_copy(update={"signal_in_epoch": 2, "signal_number": int(number)})
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(raised):
        run_grid([interrupted], store=store, progress=False)
    assert signal.getsignal(signal.SIGTERM) is before
    left = {path.name for path in store.part(config).iterdir()}
    assert "checkpoint-000002.pt" in left
    assert not any(name.startswith("claim") for name in left)
    resumed = run_grid([config], store=store, progress=False)
    straight = run_grid([config], store=Store(tmp_path / "straight"), progress=False)
    assert weights_of(resumed["folder"][0]) == weights_of(straight["folder"][0])
    assert resumed["mse"][0] == straight["mse"][0]
    one, other = (StoredTrial(frame["folder"][0]).curves.drop(columns="seconds") for frame in (resumed, straight))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


GRID = """
import os
from pathlib import Path
from toy import ToyTrial
from reprise.runs import Store, run_grid
store = Store({root!r}, heartbeat=0.05, grace=0.4)
"""


def test_kill_9_while_training_resumes_to_the_same_bits(store, tmp_path, start):
    code = GRID.format(root=str(store.root))
    killed = start(code + "run_grid([ToyTrial(seed=2, epochs=5, kill_in_epoch=3)], store=store)")
    assert killed.wait(60) == -signal.SIGKILL, killed.stderr.read()
    config = ToyTrial(seed=2, epochs=5)
    assert store.find(config) is None
    assert (store.part(config) / "checkpoint-000003.pt").is_file()
    resumed = run_grid([config], store=store, progress=False)
    straight = run_grid([config], store=Store(tmp_path / "straight"), progress=False)
    assert weights_of(resumed["folder"][0]) == weights_of(straight["folder"][0])
    assert {path.name for path in store.path(config).iterdir()} == {
        path.name for path in Path(straight["folder"][0]).iterdir()
    }


def test_two_processes_share_a_grid_and_run_each_trial_once(store, log, start):
    trials = f"[ToyTrial(seed=s, epochs=0, pause=0.1, log=Path({str(log)!r})) for s in range(6)]"
    code = GRID.format(root=str(store.root)) + f"frame = run_grid({trials}, store=store)\n"
    code += "assert list(frame['status']) == ['done'] * 6, frame.to_string()"
    processes = [start(code) for _ in range(2)]
    for process in processes:
        assert process.wait(90) == 0, process.stderr.read()
    assert sorted(runs_in(log)) == [f"line {seed}" for seed in range(6)]
    assert not list(store.root.rglob("*.part"))


@pytest.mark.parametrize("epochs", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_a_local_cluster_gives_what_this_process_gives(tmp_path, log, epochs):
    bad = ToyTrial(seed=0, condition="bad", fail=True)
    trials = [*family(log, epochs), bad, ToyTrial(seed=0, condition="orphan", parent=bad)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here = run_grid(trials, store=Store(tmp_path / "here"), progress=False)
        log.unlink()
        there = run_grid(trials, store=Store(tmp_path / "there"), workers=2, progress=False)
    pd.testing.assert_frame_equal(without_times(there), without_times(here))
    assert sorted(runs_in(log)) == ["child/a 0", "child/b 0", "line 0", "line 1"]
    assert {line.split()[-1] for line in log.read_text().splitlines()}.isdisjoint({str(os.getpid())})
    for one, other in zip(here["folder"][:5], there["folder"][:5], strict=True):
        assert weights_of(one) == weights_of(other)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_trial_goes_on(tmp_path, log):
    victim = ToyTrial(seed=2, epochs=5, kill_in_epoch=3, log=log)
    store = Store(tmp_path / "there", heartbeat=0.05, grace=0.4)
    frame = run_grid([victim, ToyTrial(seed=1, epochs=0, log=log)], store=store, workers=2, progress=False)
    assert list(frame["status"]) == ["done", "done"]
    assert sorted(runs_in(log)) == ["line 1", "line 2", "line 2"]
    straight = run_grid([victim.model_copy(update={"kill_in_epoch": None})], store=Store(tmp_path / "here"))
    assert weights_of(frame["folder"][0]) == weights_of(straight["folder"][0])


def test_provenance(store):
    folder = run_grid([ToyTrial(seed=0)], store=store, progress=False)["folder"][0]
    record = StoredTrial(folder).provenance
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["threads"] == torch.get_num_threads()
    assert record["device"] == "cpu"
    assert record["started"] <= record["ended"]
    assert record["peak_rss_bytes"] > 10**7
    assert record["notes"] == ["a toy"]
    assert os.uname().nodename not in (Path(folder) / "provenance.json").read_text()


def test_global_state_is_left_alone(store):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what must not change
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_deterministic_debug_mode()  # noqa: NPY002
    run_grid([ToyTrial(seed=0)], store=store, progress=False)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert torch.get_deterministic_debug_mode() == before[2]


def test_trials_ask_for_the_same_bits():
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not torch.are_deterministic_algorithms_enabled()


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    with pytest.raises(ValueError, match="torch sees 0 CUDA devices"):
        resolve_device("cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [resolve_device("auto", index=index) for index in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(ValueError, match="cuda:2"):
        resolve_device("cuda:2")
    with pytest.raises(ValueError, match="'gpu'"):
        resolve_device("gpu")


def test_nothing_to_do_and_wrong_workers(store):
    assert run_grid([], store=store).empty
    with pytest.raises(ValueError, match="workers"):
        run_grid([], store=store, workers=0)


def test_a_local_cluster_leaves_the_allocator_alone(monkeypatch):
    # Dask would set 65536 here, for its workers and for the process that starts them
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "16000000000")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    with _client(None, 1, n_trials=1) as (client, _):
        there = client.submit(os.environ.get, "MALLOC_TRIM_THRESHOLD_").result()
    assert there == os.environ["MALLOC_TRIM_THRESHOLD_"] == "16000000000"
