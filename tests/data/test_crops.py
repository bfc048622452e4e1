"""Crops on the hop grid: audio and pitch of the same place, drawn by seed and epoch alone."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.data import f0, pitch
from reprise.data.crops import crop_batches, cut_crops, draw_crops, possible_starts
from reprise.data.wavebank import WaveBank

RATE, HOP = 8000, 100
LENGTHS = (4000, 4999, 1050, 9001)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Files whose samples and pitch both tell file and place: both rise steadily, from another value in each file."""
    folder = tmp_path_factory.mktemp("ramps")
    rows = []
    for number, n in enumerate(LENGTHS):
        path = folder / f"{number}.wav"
        ramp = np.arange(n, dtype=np.int16) + 10000 * (number % 3)
        ramp[0] += 1
        soundfile.write(path, ramp, RATE, subtype="PCM_16")
        at = np.arange(0, n + HOP, HOP // 2)
        np.savetxt(pitch.known_path(path), np.stack([at / RATE, 1000 * (number + 1) + at / 10], axis=1), "%.8f", ",")
        rows.append({"clip_id": str(number), "path": str(path), "start": 0.0, "duration": n / RATE})
    # clips within a file, on the grid
    rows += [{"clip_id": "part", "path": str(folder / "3.wav"), "start": 2000 / RATE, "duration": 3000 / RATE}]
    table = pd.DataFrame(rows).assign(group=lambda frame: frame["path"], split="train", evidence="excerpt")
    bank = WaveBank.build(table, sample_rate=RATE, workers=1, cache=folder / "bank")
    return bank, f0.label(bank, hop_length=HOP, workers=1, cache=folder / "f0")


def place(material, rows, frames):
    """Sample in the file at which each crop begins."""
    bank, _ = material
    return np.rint(bank.table["start"].to_numpy()[rows] * RATE).astype(int) + frames * HOP


@pytest.mark.parametrize("tail", [0, 37, 300])
@pytest.mark.parametrize("n_crops", [None, 200])
def test_audio_and_pitch_are_of_the_same_place(material, tail, n_crops):
    bank, labels = material
    plan = draw_crops(bank, labels, n_frames=7, seed=0, epoch=0, n_crops=n_crops, tail=tail)
    audio, pitch = cut_crops(bank, labels, rows=plan.rows, frames=plan.frames, n_frames=7, tail=tail)
    assert audio.shape == (len(plan), 7 * HOP + tail)
    assert pitch.shape == (len(plan), 7)
    assert (audio.dtype, pitch.dtype) == (torch.float32, torch.float32)
    begin = place(material, plan.rows, plan.frames)
    file = bank.table["path"].str[-5].astype(int).to_numpy()[plan.rows]
    samples = np.rint(audio.numpy() * 32768).astype(int)
    # the last sample: the first of a file is marked
    assert np.array_equal(samples[:, -1], begin + 7 * HOP + tail - 1 + 10000 * (file % 3))
    expected = 1000 * (file + 1)[:, None] + (begin[:, None] + HOP * np.arange(7)) / 10
    assert np.allclose(pitch.numpy(), expected, atol=0.01)
    # a crop's pitch is the slice of its file's
    for row, start, got in list(zip(plan.rows, begin, pitch, strict=True))[:5]:
        track = labels.track(bank.table["path"][row])
        assert np.array_equal(got.numpy(), track[start // HOP : start // HOP + 7])


@settings(max_examples=40)
@given(n_frames=st.integers(1, 40), tail=st.integers(0, 400), seed=st.integers(0, 10), n_crops=st.integers(1, 50))
def test_crops_stay_within_their_clips(material, n_frames, tail, seed, n_crops):
    bank, labels = material
    plan = draw_crops(bank, labels, n_frames=n_frames, seed=seed, epoch=0, n_crops=n_crops, tail=tail)
    assert len(plan) == n_crops
    ends = plan.frames * HOP + n_frames * HOP + tail
    assert (ends <= bank.lengths[plan.rows]).all()
    assert (plan.frames >= 0).all()


def test_every_start_can_come(material):
    bank, labels = material
    starts = possible_starts(bank, labels, n_frames=10, tail=50)
    assert starts.tolist() == [30, 40, 1, 80, 20]
    plan = draw_crops(bank, labels, n_frames=10, seed=0, epoch=0, n_crops=6000, tail=50)
    counts = np.zeros((5, 80), int)
    np.add.at(counts, (plan.rows, plan.frames), 1)
    drawn = np.arange(80) < starts[:, None]
    assert (counts[drawn] > 0).all()
    assert not counts[~drawn].any()
    # long clips give more: shares as the starts
    assert np.allclose(counts.sum(axis=1) / 6000, starts / starts.sum(), atol=0.02)


def test_one_crop_of_each_clip(material):
    bank, labels = material
    plans = [draw_crops(bank, labels, n_frames=10, seed=0, epoch=epoch) for epoch in range(3)]
    for plan in plans:
        assert sorted(plan.rows) == [0, 1, 2, 3, 4]
    assert len({tuple(plan.rows) + tuple(plan.frames) for plan in plans}) == 3
    frames = np.concatenate([draw_crops(bank, labels, n_frames=10, seed=0, epoch=k).frames for k in range(30)])
    assert len(set(frames)) > 40, "they begin anywhere"
    assert sorted(draw_crops(bank, labels, n_frames=20, seed=0, epoch=0).rows) == [0, 1, 3, 4], "one is too short"
    assert set(draw_crops(bank, labels, n_frames=5, seed=0, epoch=0, rows=[1, 2], n_crops=50).rows) == {1, 2}


def test_batches_are_the_plan_and_depend_on_seed_and_epoch(material):
    bank, labels = material
    options = {"n_frames": 6, "n_crops": 23, "tail": 20}
    batches = list(crop_batches(bank, labels, batch_size=8, seed=1, epoch=2, **options))
    assert [len(audio) for audio, _ in batches] == [8, 8, 7]
    plan = draw_crops(bank, labels, seed=1, epoch=2, **options)
    audio, pitch = cut_crops(bank, labels, rows=plan.rows, frames=plan.frames, n_frames=6, tail=20)
    assert torch.equal(torch.cat([part for part, _ in batches]), audio)
    assert torch.equal(torch.cat([part for _, part in batches]), pitch)
    again = list(crop_batches(bank, labels, batch_size=8, seed=1, epoch=2, **options))
    assert all(
        torch.equal(a, b) for one, two in zip(batches, again, strict=True) for a, b in zip(one, two, strict=True)
    )
    for other in ({"seed": 1, "epoch": 3}, {"seed": 2, "epoch": 2}):
        assert not torch.equal(next(crop_batches(bank, labels, batch_size=8, **other, **options))[0], batches[0][0])


def test_nothing_fits(material):
    bank, labels = material
    with pytest.raises(ValueError, match=r"none of 5 clips has room for a crop of 1\.250 s, the longest has 1\.125 s"):
        draw_crops(bank, labels, n_frames=100, seed=0, epoch=0)
    with pytest.raises(ValueError, match="none of 0 clips"):
        draw_crops(bank, labels, n_frames=1, seed=0, epoch=0, rows=[])


def test_wrong_arguments(material):
    bank, labels = material
    for options in ({"n_frames": 0}, {"n_frames": 5, "tail": -1}, {"n_frames": 5, "n_crops": 0}):
        with pytest.raises(ValueError, match="at least"):
            draw_crops(bank, labels, seed=0, epoch=0, **options)
    with pytest.raises(ValueError, match="batch_size"):
        next(crop_batches(bank, labels, batch_size=0, n_frames=5, seed=0, epoch=0))
    for frames in ([31], [-1]):
        with pytest.raises(ValueError, match="reaches beyond clip 0"):
            cut_crops(bank, labels, rows=np.array([0]), frames=np.array(frames), n_frames=10)


def test_labels_of_something_else_are_refused(material, tmp_path):
    bank, labels = material
    other = WaveBank.build(bank.table, sample_rate=4000, workers=1)
    with pytest.raises(ValueError, match="8000 Hz do not go with a bank at 4000 Hz"):
        draw_crops(other, labels, n_frames=5, seed=0, epoch=0)
    soundfile.write(tmp_path / "new.wav", np.linspace(-0.5, 0.5, 4000), RATE)
    table = bank.table.iloc[:1].assign(path=str(tmp_path / "new.wav"))
    with pytest.raises(ValueError, match="have no pitch"):
        draw_crops(WaveBank.build(table, sample_rate=RATE, workers=1), labels, n_frames=5, seed=0, epoch=0)
    off = bank.table.iloc[:1].assign(start=50 / RATE, duration=0.25)
    with pytest.raises(ValueError, match="sample 50, which is not on the grid"):
        next(
            crop_batches(
                WaveBank.build(off, sample_rate=RATE, workers=1), labels, batch_size=2, n_frames=5, seed=0, epoch=0
            )
        )
