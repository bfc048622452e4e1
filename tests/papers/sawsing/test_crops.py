"""Training crops: alignment as in the code and on the grid, order, full and short batches, reproducibility."""

import numpy as np
import pytest
import torch

from reprise.papers.sawsing.conditions import conditions
from reprise.papers.sawsing.crops import Crops
from reprise.papers.sawsing.training import stretches, training_rows, validation_rows


@pytest.fixture
def crops_of(open_sung, tiny_settings):
    def make(*, seed=0, **changes):
        settings = type(tiny_settings).model_validate(tiny_settings.model_dump() | changes)
        collection = open_sung(settings)
        trial = next(iter(conditions(settings, collection, seeds=[seed]).values()))
        songs = collection.singers["female1"]
        return Crops(songs, songs.rows("train"), training=trial.training, mel=trial.mel, seed=seed)

    return make


def place_of(crops, crop, index):
    """Song, frame and sample of a crop, found by what it holds."""
    for row in crops.rows:
        mel, song = crops.songs.mel(row, crops.mel), crops.songs.song(row)
        windows = mel.unfold(0, crops.n_frames, 1).transpose(1, 2)
        same = (windows - crop.mel[index]).abs().amax(dim=(1, 2)) == 0
        if same.any():
            frame = int(same.nonzero()[0])
            spans = song[frame * 240 :].unfold(0, crop.audio.shape[1], 1)[:240]
            late = (spans - crop.audio[index]).abs().amax(dim=1)
            assert float(late.min()) < 1e-7
            return row, frame, int(late.argmin())
    raise AssertionError("the spectrogram is of no training song")


def test_aligned_crops_begin_with_their_spectrogram_and_pitch(crops_of):
    crops = crops_of(align_crops=True, batch_size=3)
    crop = crops.batch(0)
    assert crop.audio.shape == (3, 4800)
    assert crop.mel.shape == (3, 20, 80)
    for index in range(3):
        row, frame, late = place_of(crops, crop, index)
        assert late == 0
        torch.testing.assert_close(crop.f0[index], crops.songs.f0(row)[frame : frame + 20])


def test_crops_as_in_the_code_are_later_than_their_spectrogram_by_up_to_a_frame(crops_of):
    crops = crops_of(batch_size=8)
    late = [place_of(crops, crop, index)[2] for crop in (crops.batch(0), crops.batch(1)) for index in range(8)]
    assert len(set(late)) > 8
    assert 60 < np.mean(late) < 180
    assert min(late) >= 0
    assert max(late) < 240


def test_centred_spectrograms_are_those_of_the_whole_song(crops_of):
    crops = crops_of(center_mel=True, align_crops=True)
    row, frame, late = place_of(crops, crops.batch(0), 0)
    assert (late, crops.mel.center) == (0, True)
    assert frame + crops.n_frames <= len(crops.songs.f0(row))


def test_a_step_depends_on_its_number_and_the_seed_alone(crops_of):
    first, second, other = crops_of(), crops_of(), crops_of(seed=1)
    second.batch(5)
    for name in ("audio", "mel", "f0"):
        assert torch.equal(getattr(first.batch(2), name), getattr(second.batch(2), name))
    assert not torch.equal(first.batch(2).audio, other.batch(2).audio)
    assert not torch.equal(first.batch(2).audio, first.batch(3).audio)


def test_one_crop_of_each_file_in_the_same_order_leaves_a_short_last_batch(crops_of):
    crops = crops_of(fill_batch=False)
    assert crops.steps_per_epoch == 2
    for epoch in range(3):
        batches = [crops.batch(2 * epoch), crops.batch(2 * epoch + 1)]
        assert [len(batch.audio) for batch in batches] == [2, 1]
        rows = [place_of(crops, batch, index)[0] for batch in batches for index in range(len(batch.audio))]
        assert rows == sorted(crops.rows)


def test_shuffled_files_come_in_another_order_each_once(crops_of):
    crops = crops_of(fill_batch=False, shuffle=True, batch_size=3)
    orders = {tuple(place_of(crops, crops.batch(step), index)[0] for index in range(3)) for step in range(6)}
    assert len(orders) > 1
    assert all(sorted(order) == sorted(crops.rows) for order in orders)


def test_full_batches_have_several_crops_of_a_file(crops_of):
    crops = crops_of(batch_size=7)
    assert [len(crops.batch(step).audio) for step in range(3)] == [7, 7, 7]


def test_recordings_without_room_for_a_crop_are_listed(crops_of):
    crops = crops_of(crop_seconds=2.2)
    lengths = crops.songs.bank.lengths
    need = 220 * 240 + 1024 - 240
    short = [crops.songs.name(row) for row in crops.songs.rows("train") if lengths[row] < need]
    assert short
    assert crops.left_out == short
    with pytest.raises(ValueError, match="room for a crop"):
        crops_of(crop_seconds=30.0)


def test_stretches_end_where_it_is_validated(open_sung, tiny_settings):
    settings = tiny_settings.model_copy(update={"steps_regular": 10, "valid_every": 4, "early_steps": 5})
    trial = next(iter(conditions(settings, open_sung(settings), seeds=[0]).values()))
    parts = stretches(trial.training)
    assert [part.stop for part in parts] == [4, 5, 8, 10]
    assert [step for part in parts for step in part] == list(range(10))


def test_without_validation_songs_training_is_watched_on_training_songs(open_sung, tiny_settings):
    collection = open_sung(tiny_settings)
    songs = collection.singers["female1"]
    for key, trial in conditions(tiny_settings, collection, seeds=[0, 1]).items():
        if trial.parent is None:
            rows, trained = validation_rows(songs, trial), training_rows(songs, trial)
            assert len(rows) == 1
            assert set(rows) <= set(trained)
            assert len(trained) == (3 if key.scenario == "regular" else 1)
