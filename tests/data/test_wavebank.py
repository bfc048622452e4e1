"""The wave bank: same samples as the files, bad files found, one decode, constant memory."""

import errno
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from reprise.data import decode as decoding
from reprise.data.decode import BadAudio, decode
from reprise.data.table import split_clips
from reprise.data.wavebank import BadAudioError, WaveBank
from reprise.paths import cache_root

RATE = 8000


def pcm(seconds, *, seed=0, channels=1):
    shape = (int(seconds * RATE), channels) if channels > 1 else int(seconds * RATE)
    return np.random.default_rng(seed).integers(-32768, 32768, shape).astype(np.int16)


def clip_table(paths, *, seconds=1.0, remainder="pad"):
    durations = [soundfile.info(path).duration for path in paths]
    files = pd.DataFrame({"clip_id": [Path(p).stem for p in paths], "path": paths, "duration": durations})
    files = files.assign(group=files["clip_id"], split="train", evidence="synthetic")
    return split_clips(files, seconds=seconds, short="pad", remainder=remainder)


def one_clip(path, *, duration=1.0):
    row = {"clip_id": "x", "path": path, "start": 0.0, "duration": duration}
    return pd.DataFrame([row | {"group": "g", "split": "train", "evidence": "synthetic"}])


@pytest.fixture
def waves(tmp_path):
    """Three files of different length, the second in stereo."""
    folder = tmp_path / "Töne und Klänge"
    folder.mkdir()
    data = [pcm(2.5, seed=1), pcm(1.0, seed=2, channels=2), pcm(3.0, seed=3)]
    paths = [folder / f"{name}.wav" for name in "abc"]
    for path, samples in zip(paths, data, strict=True):
        soundfile.write(path, samples, RATE, subtype="PCM_16")
    return paths, data


def reference(data, starts_in_file, clip_ends, length):
    """Window by window, straight from the arrays."""
    out = np.zeros((len(data), length), np.float32)
    for i, (samples, start, end) in enumerate(zip(data, starts_in_file, clip_ends, strict=True)):
        piece = samples[start : min(end, start + length)] if start < end else samples[:0]
        out[i, : len(piece)] = piece / 32768.0
    return out


def test_sixteen_bit_files_come_back_exactly(waves):
    paths, data = waves
    bank = WaveBank.build(clip_table(paths), sample_rate=RATE, mono="left")
    assert bank.table["clip_id"].tolist() == ["a_000", "a_001", "a_002", "b_000", "c_000", "c_001", "c_002"]
    assert bank.lengths.tolist() == [8000, 8000, 4000, 8000, 8000, 8000, 8000]
    batch = bank.batch([1, 3, 6])
    assert batch.dtype == torch.float32
    expected = np.stack([data[0][8000:16000], data[1][:8000, 0], data[2][16000:24000]])
    np.testing.assert_array_equal(batch.numpy() * 32768, expected)
    assert bank.problems.empty
    assert list(bank.problems.columns) == ["path", "reason", "action"]


@pytest.fixture(scope="module")
def small_bank(tmp_path_factory):
    """A bank of eight clips and the arrays its files were written from."""
    folder = tmp_path_factory.mktemp("windows")
    arrays = {str(folder / f"{i}.wav"): pcm(seconds, seed=i) for i, seconds in enumerate([0.25, 0.11, 0.3])}
    for path, samples in arrays.items():
        soundfile.write(path, samples, RATE)
    return WaveBank.build(clip_table(list(arrays), seconds=0.1), sample_rate=RATE, cache=folder / "cache"), arrays


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_window_equals_slicing(data, small_bank):
    bank, arrays = small_bank
    rows = data.draw(st.lists(st.integers(0, len(bank) - 1), min_size=1, max_size=5))
    starts = data.draw(st.lists(st.integers(0, 6000), min_size=len(rows), max_size=len(rows)))
    length = data.draw(st.one_of(st.integers(1, 900), st.integers(1, 12000)))
    clips = bank.table.iloc[rows]
    begin = (clips["start"].to_numpy() * RATE).round().astype(int)
    ends = begin + (clips["duration"].to_numpy() * RATE).round().astype(int)
    expected = reference([arrays[str(path)] for path in clips["path"]], begin + starts, ends, length)
    np.testing.assert_array_equal(bank.batch(rows, starts, length).numpy(), expected)
    bank.to("cpu", limit_bytes=1 << 30)
    np.testing.assert_array_equal(bank.batch(torch.tensor(rows), np.array(starts), length).numpy(), expected)
    out = torch.full((len(rows), length), 9.0)
    assert bank.to("cpu").batch(rows, starts, length, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected)


def test_large_batches_are_gathered_in_blocks(waves, monkeypatch):
    paths, _ = waves
    bank = WaveBank.build(clip_table(paths), sample_rate=RATE)
    rows = np.random.default_rng(0).integers(0, 7, 50)
    whole = bank.batch(rows, 17, 5000)
    monkeypatch.setattr("reprise.data.wavebank._BLOCK_SAMPLES", 12_000)
    assert torch.equal(bank.batch(rows, 17, 5000), whole)


@pytest.mark.parametrize(("mono", "mix"), [("left", [1, 0]), ("right", [0, 1]), ("mean", [0.5, 0.5])])
def test_channels_are_mixed_as_told(waves, mono, mix):
    paths, data = waves
    bank = WaveBank.build(clip_table(paths[1:2]), sample_rate=RATE, mono=mono)
    expected = np.clip(np.rint(data[1] @ np.array(mix)), -32768, 32767)
    np.testing.assert_array_equal(bank.batch([0])[0].numpy() * 32768, expected)


def test_other_rates_are_resampled(tmp_path):
    t = np.arange(3 * 44100) / 44100
    tone = 0.4 * np.sin(2 * np.pi * 440 * t) + 0.3 * np.sin(2 * np.pi * 3000 * t + 1)
    soundfile.write(tmp_path / "tone.wav", tone, 44100, subtype="FLOAT")
    bank = WaveBank.build(one_clip(tmp_path / "tone.wav", duration=3.0), sample_rate=22050)
    ours = bank.batch([0])[0].numpy()
    assert len(ours) == 66150
    np.testing.assert_allclose(ours, soxr.resample(tone, 44100, 22050, quality="HQ"), atol=1.01 / 32768)
    middle = slice(2000, -2000)
    np.testing.assert_allclose(ours[middle], resample_poly(tone, 1, 2)[middle], atol=2e-3)
    analytic = 0.4 * np.sin(2 * np.pi * 440 * t[::2]) + 0.3 * np.sin(2 * np.pi * 3000 * t[::2] + 1)
    np.testing.assert_allclose(ours[middle], analytic[middle], atol=1e-4)


def test_overload_is_clipped_and_counted(tmp_path):
    samples = np.array([0.5, 1.5, -1.2, 1.0, -1.0] * 200, np.float32)
    soundfile.write(tmp_path / "loud.wav", samples, RATE, subtype="FLOAT")
    bank = WaveBank.build(one_clip(tmp_path / "loud.wav", duration=0.125), sample_rate=RATE)
    assert bank.files["n_clipped"].tolist() == [400]
    assert (bank.batch([0])[0, :5] * 32768).tolist() == [16384, 32767, -32768, 32767, -32768]


def test_real_excerpts_equal_soundfile(real_data):
    paths = sorted((real_data / "VocalSet").rglob("*.flac"))[:12]
    bank = WaveBank.build(clip_table(paths), sample_rate=44100)
    for row, clip in bank.table.iterrows():
        expected, _ = soundfile.read(clip["path"], start=round(clip["start"] * 44100), frames=int(bank.lengths[row]))
        np.testing.assert_allclose(bank.batch([row])[0].numpy(), expected, atol=1 / 32768)


def float_file(path, samples):
    soundfile.write(path, samples.astype(np.float32), RATE, subtype="FLOAT")


def cut(path, part, **options):
    soundfile.write(path, pcm(4.0, seed=9) / 40000, RATE, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


def cut_with_odd_chunk(path):
    soundfile.write(path, pcm(1.0), RATE)
    content = path.read_bytes()
    place = content.index(b"data")
    path.write_bytes(content[:place] + b"note\x03\x00\x00\x00abc\x00" + content[place:-200])


def with_nan(path):
    samples = pcm(1.0) / 40000
    samples[[5, 70]] = np.nan
    float_file(path, samples)


FAULTS = {
    "page.wav": (lambda path: path.write_text("  <!DOCTYPE html><html><body>Sign in</body></html>"), "HTML page"),
    "noise.flac": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not audio"),
    "zero.wav": (lambda path: path.write_bytes(b""), "zero bytes"),
    "half.wav": (lambda path: cut(path, 0.5), "truncated: the header promises"),
    "nearly.wav": (lambda path: cut(path, 0.9999), "truncated: the header promises"),
    "odd.wav": (cut_with_odd_chunk, "truncated: the header promises 200 bytes"),
    "long.wav": (lambda path: cut(path, 0.5, format="RF64"), "truncated: the header promises"),
    "half.mp3": (lambda path: cut(path, 0.5), "truncated: .* samples decoded"),
    "half.flac": (lambda path: cut(path, 0.5), "damaged|not audio"),
    "half.ogg": (lambda path: cut(path, 0.5), "truncated: the last page"),
    "mute.wav": (lambda path: float_file(path, np.zeros(RATE)), "silent"),
    "direct.wav": (lambda path: float_file(path, np.full(RATE, 0.25)), "constant: every sample is 0.25"),
    "nan.wav": (with_nan, "2 samples are not finite"),
    "blip.wav": (lambda path: float_file(path, np.ones(79)), "too short: 79 samples"),
    "gone.wav": (lambda path: None, "missing"),
}


@pytest.fixture
def damaged(tmp_path, waves):
    tables = [clip_table(waves[0][:1])]
    for name, (make, _) in FAULTS.items():
        make(tmp_path / name)
        tables.append(one_clip(tmp_path / name, duration=0.1).assign(clip_id=name))
    return pd.concat(tables, ignore_index=True)


def test_every_fault_is_named_and_left_out(damaged):
    for _ in range(2):
        bank = WaveBank.build(damaged, sample_rate=RATE)
        assert bank.table["clip_id"].tolist() == ["a_000", "a_001", "a_002"]
        found = {Path(row.path).name: row for row in bank.problems.itertuples()}
        assert set(found) == set(FAULTS)
        for name, (_, reason) in FAULTS.items():
            assert pd.Series([found[name].reason]).str.contains(reason, regex=True).all(), (name, found[name].reason)
            assert found[name].action == "excluded, with 1 clip"


def test_faults_stop_the_work_when_told(damaged):
    with pytest.raises(BadAudioError, match=r"15 problems .*: .*: .*; .*: .*; and 12 more.*on_bad='exclude'"):
        WaveBank.build(damaged, sample_rate=RATE, on_bad="fail")


def test_nothing_usable_is_an_error_under_any_policy(damaged):
    with pytest.raises(BadAudioError, match="no clip is usable"):
        WaveBank.build(damaged.iloc[3:], sample_rate=RATE)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_whole_files_are_not_suspected(tmp_path, suffix):
    path = tmp_path / f"whole.{suffix}"
    soundfile.write(path, pcm(2.0) / 40000, RATE)
    assert len(decode(path, sample_rate=RATE).samples) == 2 * RATE


def test_wav_written_as_a_stream_is_not_suspected(tmp_path):
    path = tmp_path / "stream.wav"
    soundfile.write(path, pcm(1.0), RATE)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(decode(path, sample_rate=RATE).samples) == RATE


def test_clip_beyond_the_end_betrays_a_cut_file(waves):
    table = clip_table(waves[0], seconds=1.0, remainder="drop")
    table.loc[table["clip_id"] == "a_001", "duration"] = 1.6
    bank = WaveBank.build(table, sample_rate=RATE)
    assert bank.problems["reason"].tolist() == ["truncated: 2.500 s decoded, but a clip ends at 2.600 s"]
    assert bank.problems["action"].tolist() == ["excluded, with 2 clips"]
    assert bank.table["clip_id"].str[0].tolist() == ["b", "c", "c", "c"]


def test_clip_a_little_longer_than_its_file_ends_in_zeros(waves):
    paths, data = waves
    table = clip_table(paths, seconds=4.0)
    table.loc[0, "duration"] += 0.008
    bank = WaveBank.build(table, sample_rate=RATE)
    assert bank.problems.empty
    assert bank.lengths[0] == 20000
    audio = bank.batch([0])[0]
    assert len(audio) == 20064
    np.testing.assert_array_equal(audio[:20000].numpy() * 32768, data[0])
    assert audio[20000:].abs().max() == 0


def test_silent_and_constant_clips_are_found(tmp_path):
    samples = pcm(4.0)
    samples[8000:16000] = 0
    samples[16000:24000] = -7
    samples[27000:29000] = 0
    soundfile.write(tmp_path / "gap.wav", samples, RATE)
    bank = WaveBank.build(clip_table([tmp_path / "gap.wav"]), sample_rate=RATE)
    assert bank.table["clip_id"].tolist() == ["gap_000", "gap_003"]
    assert bank.problems["reason"].tolist() == [
        "clip gap_001 from 1.000 s is silent",
        "clip gap_002 from 2.000 s is constant",
    ]
    np.testing.assert_array_equal(bank.batch([1])[0].numpy() * 32768, samples[24000:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([7],), r"row 7 is not in 0 … 6"),
        (([0, -1],), "row -1 is not"),
        (([],), "at least one position"),
        (([0.5],), "rows must be whole numbers, not float64"),
        (([True],), "rows must be whole numbers, not bool"),
        (([0, 1], [5]), r"starts has shape \(1,\), rows \(2,\)"),
        (([0, 1], [5, -3]), "start -3 is negative"),
        (([0], 0, 0), "length must be .* not 0"),
        (([0], 0, 2.5), r"length must be .* not 2\.5"),
        (([0, 2],), "clips of 8000 and 4000 samples in one batch"),
    ],
)
def test_wrong_requests_are_named(waves, arguments, message):
    bank = WaveBank.build(clip_table(waves[0]), sample_rate=RATE)
    with pytest.raises(ValueError, match=message):
        bank.batch(*arguments)


def test_out_of_the_wrong_shape_is_refused(waves):
    bank = WaveBank.build(clip_table(waves[0]), sample_rate=RATE)
    with pytest.raises(ValueError, match="out must be float32 of shape"):
        bank.batch([0], out=torch.zeros(1, 7999))


@pytest.mark.parametrize("option", [{"sample_rate": 0}, {"sample_rate": 8000.5}, {"mono": "sum"}, {"on_bad": "skip"}])
def test_wrong_options_are_named(waves, option):
    with pytest.raises(ValueError, match=rf"{next(iter(option))} must be"):
        WaveBank.build(clip_table(waves[0]), **({"sample_rate": RATE} | option))


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


def test_samples_stay_on_the_map_unless_they_fit(waves):
    bank = WaveBank.build(clip_table(waves[0]), sample_rate=RATE)
    assert bank.to("cpu", limit_bytes=103_999)._resident is None
    assert bank.to("cpu", limit_bytes=104_000)._resident.dtype == torch.int16
    assert bank.to("cpu")._resident is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device_batches_equal_those_of_the_host(waves):
    bank = WaveBank.build(clip_table(waves[0]), sample_rate=RATE)
    expected = bank.batch([0, 6, 2], [0, 7000, 3], 3000)
    travelled = bank.batch([0, 6, 2], [0, 7000, 3], 3000, device="cuda")
    gathered = bank.to("cuda").batch([0, 6, 2], [0, 7000, 3], 3000)
    assert gathered.device.type == travelled.device.type == "cuda"
    assert torch.equal(travelled.cpu(), expected)
    assert torch.equal(gathered.cpu(), expected)


def test_bad_audio_reason_does_not_repeat_the_path(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(BadAudio) as caught:
        decode(tmp_path / "empty.wav", sample_rate=RATE)
    assert str(tmp_path) not in str(caught.value)
