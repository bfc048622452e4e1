"""Scores of pieces: exact copies, delays, missing branches, noise draws, and how songs are cut."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from reprise.audio.losses import multi_scale_stft_loss
from reprise.models.hifigan import HiFiGAN
from reprise.models.synthesiser import VocoderOutput
from reprise.models.wavegan import ParallelWaveGAN
from reprise.papers.sawsing import scoring
from reprise.papers.sawsing.conditions import conditions
from reprise.papers.sawsing.scoring import PIECE_METRICS, pieces_of, score, summary
from reprise.stats.vocoding import frechet_distance, pitch_errors


@given(st.integers(1, 5000), st.integers(1, 900))
def test_pieces_cover_a_song_and_none_is_short(n_frames, piece_frames):
    pieces = pieces_of(n_frames, piece_frames=piece_frames)
    assert [frame for piece in pieces for frame in range(piece.start, piece.stop)] == list(range(n_frames))
    lengths = [piece.stop - piece.start for piece in pieces]
    if n_frames >= piece_frames:
        assert all(length == piece_frames for length in lengths[:-1])
        assert piece_frames <= lengths[-1] < 2 * piece_frames
    else:
        assert lengths == [n_frames]


@pytest.fixture
def sung(open_sung, tiny_settings):
    """Songs, and the trial of a system with other settings."""

    def make(system="sawsing", **changes):
        settings = type(tiny_settings).model_validate(tiny_settings.model_dump() | changes)
        collection = open_sung(settings)
        made = conditions(settings, collection, seeds=[0])
        trial = next(trial for key, trial in made.items() if key.system == system)
        return collection.singers["female1"], trial

    return make


@pytest.fixture
def answer(monkeypatch):
    """Make the resynthesis of any network what a function of the row's target says."""

    def with_(make):
        calls = []

        def resynthesise(network, mel, *, generator, debuzz):
            calls.append((mel.shape, debuzz))
            return make(mel.shape[1] * 240, generator)

        monkeypatch.setattr(scoring, "resynthesise", resynthesise)
        return calls

    return with_


def branches(audio, *, harmonic=0.8):
    return VocoderOutput(audio[None], harmonic * audio[None], (1 - harmonic) * audio[None])


def test_a_copy_of_the_recording_is_perfect(sung, answer):
    songs, trial = sung()
    row = int(songs.rows("test")[0])
    answer(lambda length, _: branches(songs.song(row)[:length]))
    scores = score(nn.Linear(1, 1), songs, config=trial)
    for name in ("msstft", "msstft_amplitude", "msstft_inner", "msstft_delayed", "lag"):
        np.testing.assert_allclose(scores[name], 0, atol=1e-6)
    np.testing.assert_allclose(scores["phase_deviation"], scores["reference_phase_deviation"])
    np.testing.assert_allclose(scores["buzz_voiced"], 20 * math.log10(4), rtol=1e-5)
    assert np.nanmax(scores["mae_f0"]) < 25
    assert summary(scores)["fad"] == pytest.approx(0, abs=1e-6)


def test_a_late_output_has_its_lag_and_is_as_good_when_it_is_moved(sung, answer):
    songs, trial = sung()
    row = int(songs.rows("test")[0])
    answer(lambda length, _: branches(torch.cat([torch.zeros(8), songs.song(row)])[:length]))
    scores = score(nn.Linear(1, 1), songs, config=trial)
    np.testing.assert_array_equal(scores["lag"], 8)
    assert (scores["msstft"] > 0.05).all()
    np.testing.assert_allclose(scores["msstft_delayed"][1:], 0, atol=1e-5)


def test_scores_are_those_of_the_library_on_each_piece(sung, answer):
    songs, trial = sung(n_noise=1, piece_seconds=1.01)
    row = int(songs.rows("test")[0])
    song, f0 = songs.song(row), songs.f0(row)
    answer(lambda length, _: branches(song[:length].flip(0)))
    scores = score(nn.Linear(1, 1), songs, config=trial)
    n_frames = songs.mel(row, trial.mel).shape[0]
    pieces = pieces_of(n_frames, piece_frames=101)
    assert len(scores["msstft"]) == len(pieces) == 2
    made = song[: n_frames * 240].flip(0)
    track = scoring.estimated_pitch(made, pitch=trial.scoring.pitch, sample_rate=24000, hop_length=240)
    for index, piece in enumerate(pieces):
        at = slice(piece.start * 240, piece.stop * 240)
        expected = float(multi_scale_stft_loss(made[None, at], song[None, at]))
        assert scores["msstft"][index] == pytest.approx(expected, rel=1e-5)
        errors = pitch_errors(track[piece], f0.numpy()[piece])
        np.testing.assert_allclose(scores["mae_f0_floored"][index], errors.mae_f0_floored)
        assert scores["n_voiced"][index] == errors.n_voiced
    np.testing.assert_allclose(scores["piece_start"], [0, 1.01])
    assert scores["piece_seconds"].sum() == pytest.approx(n_frames / 100)
    assert (scores["piece_song"] == row).all()


def test_networks_without_branches_have_no_buzz(sung):
    torch.manual_seed(0)
    songs, trial = sung("pwg")
    scores = score(ParallelWaveGAN(n_layers=3, channels=4).eval(), songs, config=trial)
    for name in ("buzz_voiced", "buzz_unvoiced", "median_buzz_unvoiced"):
        assert np.isnan(scores[name]).all()
    found = summary(scores)
    assert math.isnan(found["buzz_unvoiced"])
    assert math.isfinite(found["msstft"])
    assert set(found) == {*PIECE_METRICS, "fad"}


def test_scores_are_means_over_draws_of_the_noise(sung, answer):
    songs, trial = sung(n_noise=3)
    row, made = int(songs.rows("test")[0]), []

    def noisy(length, generator):
        made.append(songs.song(row)[:length] + 0.01 * torch.randn(length, generator=generator))
        return branches(made[-1])

    answer(noisy)
    scores = score(nn.Linear(1, 1), songs, config=trial)
    assert len(made) == 3
    assert not torch.equal(made[0], made[1])
    each = []
    for sound in made:
        answer(lambda length, _, sound=sound: branches(sound))
        each.append(score(nn.Linear(1, 1), songs, config=trial)["msstft"])
    np.testing.assert_allclose(scores["msstft"], np.mean(each, axis=0), rtol=1e-5)


def test_a_network_without_noise_is_heard_once(sung, answer):
    songs, trial = sung("hifigan", n_noise=3)
    row = int(songs.rows("test")[0])
    calls = answer(lambda length, _: VocoderOutput(songs.song(row)[None, :length]))
    score(HiFiGAN(size="V2"), songs, config=trial)
    assert len(calls) == 1


def test_only_the_debuzzed_system_is_debuzzed(sung, answer):
    for system, expected in (("sawsing", False), ("sawsing_debuzz", True)):
        songs, trial = sung(system)
        row = int(songs.rows("test")[0])
        calls = answer(lambda length, _, songs=songs, row=row: branches(songs.song(row)[:length]))
        score(nn.Linear(1, 1), songs, config=trial)
        assert all((debuzz is not None) == expected for _, debuzz in calls)


def test_embeddings_belong_to_pieces_of_all_songs(sung, answer):
    songs, trial = sung(n_test_songs=2)
    answer(lambda length, generator: branches(0.02 * torch.randn(length, generator=generator)))
    scores = score(nn.Linear(1, 1), songs, config=trial)
    assert set(scores["piece_song"]) == set(songs.rows("test"))
    assert set(scores["embedding_piece"]) == set(range(len(scores["msstft"])))
    assert len(scores["embedding_piece"]) == len(scores["embeddings"]) == len(scores["reference_embeddings"])
    distance = frechet_distance(scores["embeddings"], scores["reference_embeddings"])
    assert summary(scores)["fad"] == pytest.approx(distance)


def test_a_silent_branch_is_a_hundred_decibels_below(sung, answer):
    songs, trial = sung()
    row = int(songs.rows("test")[0])
    answer(lambda length, _: branches(songs.song(row)[:length], harmonic=0.0))
    assert (score(nn.Linear(1, 1), songs, config=trial)["buzz_voiced"] == -100).all()


def test_means_leave_out_pieces_without_a_value():
    scores = {name: np.array([1.0, np.nan, 3.0]) for name in PIECE_METRICS}
    scores["mae_f0"] = np.full(3, np.nan)
    scores |= {"embeddings": np.zeros((1, 2)), "reference_embeddings": np.zeros((1, 2))}
    found = summary(scores)
    assert found["msstft"] == 2
    assert math.isnan(found["mae_f0"])
    assert math.isnan(found["fad"])
