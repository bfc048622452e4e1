"""The wave bank on disk: one decode, processes at once, full disks, constant memory."""

import errno
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import soundfile
import torch

from reprise.data import decode as decoding
from reprise.data.wavebank import WaveBank
from reprise.paths import cache_root

from .waves import RATE, clip_table, pcm


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files decoded since."""
    names, real = [], decoding.decode

    def counting(path, **options):
        names.append(Path(path).name)
        return real(path, **options)

    monkeypatch.setattr(decoding, "decode", counting)
    return names


def test_decoded_once_per_content_rate_and_policy(waves, decoded):
    paths, _ = waves
    table = clip_table(paths)
    first = WaveBank.build(table, sample_rate=RATE)
    assert sorted(decoded) == ["a.wav", "b.wav", "c.wav"]
    again = WaveBank.build(table.sample(frac=1, random_state=1), sample_rate=RATE)
    assert len(decoded) == 3
    names = again.table["clip_id"].tolist()
    assert torch.equal(first.batch([0, 5]), again.batch([names.index("a_000"), names.index("c_001")]))
    for options in ({"sample_rate": 4000}, {"sample_rate": RATE, "mono": "right"}):
        decoded.clear()
        WaveBank.build(table, **options)
        assert len(decoded) == 3
    decoded.clear()
    soundfile.write(paths[0], pcm(2.5, seed=77), RATE)
    changed = WaveBank.build(table, sample_rate=RATE)
    assert len(decoded) == 3
    assert not torch.equal(changed.batch([0]), first.batch([0]))


def test_moved_data_and_equal_files_are_not_decoded_again(waves, decoded, tmp_path):
    paths, _ = waves
    twin = tmp_path / "twin.wav"
    twin.write_bytes(paths[0].read_bytes())
    bank = WaveBank.build(clip_table([*paths, twin]), sample_rate=RATE)
    assert len(decoded) == 3
    rows = [bank.table["clip_id"].tolist().index(name) for name in ("a_001", "twin_001")]
    assert torch.equal(bank.batch(rows[:1]), bank.batch(rows[1:]))
    moved = paths[0].parent.rename(tmp_path / "moved")
    WaveBank.build(clip_table([*(moved / path.name for path in paths), twin]), sample_rate=RATE)
    assert len(decoded) == 3


@pytest.mark.parametrize("damage", ["short data", "no data", "broken index", "old index"])
def test_damaged_cache_is_made_again(waves, decoded, damage):
    table = clip_table(waves[0])
    expected = WaveBank.build(table, sample_rate=RATE).batch([0])
    data, index = (next((cache_root() / "waves").glob(pattern)) for pattern in ("*.i16", "*.json"))
    if damage == "short data":
        data.write_bytes(data.read_bytes()[:-2])
    elif damage == "no data":
        data.unlink()
    elif damage == "broken index":
        index.write_text("{")
    else:
        index.write_text(json.dumps(json.loads(index.read_text()) | {"version": 0}))
    decoded.clear()
    assert torch.equal(WaveBank.build(table, sample_rate=RATE).batch([0]), expected)
    assert len(decoded) == 3


def test_threads_do_not_change_the_bytes(waves, tmp_path):
    for workers in (1, 5):
        WaveBank.build(clip_table(waves[0]), sample_rate=6000, cache=tmp_path / str(workers), workers=workers)
    one, five = (next((tmp_path / name).glob("*.i16")).read_bytes() for name in "15")
    assert one == five


BUILD = """
import sys, pandas as pd, torch
from reprise.data.wavebank import WaveBank
bank = WaveBank.build(pd.read_json(sys.argv[1]), sample_rate=8000)
print(float(bank.batch([0, 1]).double().abs().sum()))
"""


def test_two_processes_at_once(waves, tmp_path):
    table = clip_table(waves[0]).assign(path=lambda frame: frame["path"].astype(str))
    table.to_json(tmp_path / "table.json", double_precision=15)
    command = [sys.executable, "-c", BUILD, str(tmp_path / "table.json")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [float(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    expected = float(WaveBank.build(table, sample_rate=RATE).batch([0, 1]).double().abs().sum())
    assert printed == [expected, expected]
    assert sorted(path.suffix for path in (cache_root() / "waves").iterdir()) == [".i16", ".json"]


def test_threads_building_and_reading_at_once(waves):
    table, sums = clip_table(waves[0]), []

    def work():
        bank = WaveBank.build(table, sample_rate=RATE)
        sums.append(float(bank.batch([0, 1, 3, 4], 11, 4000).double().sum()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sums) == 6
    assert len(set(sums)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
def test_writing_that_fails_leaves_nothing(waves):
    import resource

    table = clip_table(waves[0])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        # 2.5 + 1 + 3 seconds of 8000 samples of two bytes
        with pytest.raises(OSError, match=r"104000 bytes needed, .*REPRISE_CACHE"):
            WaveBank.build(table, sample_rate=RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((cache_root() / "waves").iterdir()) == []
    assert len(WaveBank.build(table, sample_rate=RATE)) == 7


def test_full_disk_is_known_before_the_work(waves, monkeypatch, decoded):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(decoding.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match="104000 bytes needed, 1000 free") as caught:
        WaveBank.build(clip_table(waves[0]), sample_rate=RATE)
    assert caught.value.errno == errno.ENOSPC
    assert decoded == []


def test_error_while_decoding_leaves_nothing(waves, monkeypatch):
    def broken(path, **options):
        raise RuntimeError("the machine coughs")

    monkeypatch.setattr(decoding, "decode", broken)
    with pytest.raises(RuntimeError, match="coughs"):
        WaveBank.build(clip_table(waves[0]), sample_rate=RATE)
    assert list((cache_root() / "waves").iterdir()) == []


READ = """
import re, sys
from pathlib import Path
import numpy as np, torch
import reprise.data.wavebank as module
module._RELEASE_BYTES = 1 << 23

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

import pandas as pd
table = pd.read_json(sys.argv[1])
rng = np.random.default_rng(0)
torch.ones(4, 8000).mul_(2)
before = resident()
peak = 0
bank = module.WaveBank.build(table, sample_rate=8000)
for _ in range(200):
    bank.batch(rng.integers(0, len(bank), 4), rng.integers(0, 4000), 8000)
    peak = max(peak, resident())
print(bank._samples.nbytes, peak - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_memory_does_not_grow_with_the_bank(tmp_path):
    for i in range(4):
        soundfile.write(tmp_path / f"{i}.wav", pcm(1000.0, seed=i), RATE)
    table = clip_table([tmp_path / f"{i}.wav" for i in range(4)], seconds=2.0)
    table.assign(path=table["path"].astype(str)).to_json(tmp_path / "table.json", double_precision=15)
    WaveBank.build(table, sample_rate=RATE)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "table.json")], capture_output=True, text=True, check=True
    )
    size, growth = map(int, done.stdout.split())
    assert size == 64_000_000
    assert growth < size / 2
