"""The wave bank: the same samples as the files, window by window, on any device."""

import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from reprise.data.wavebank import WaveBank

from .waves import RATE, clip_table, one_clip, pcm


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
