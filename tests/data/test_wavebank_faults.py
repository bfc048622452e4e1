"""The wave bank and bad files: found, named, left out or refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from reprise.data.decode import BadAudio, decode
from reprise.data.wavebank import BadAudioError, WaveBank

from .waves import RATE, clip_table, one_clip, pcm


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


def test_bad_audio_reason_does_not_repeat_the_path(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(BadAudio) as caught:
        decode(tmp_path / "empty.wav", sample_rate=RATE)
    assert str(tmp_path) not in str(caught.value)
