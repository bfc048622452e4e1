"""Pitch from autocorrelation: tones, noise, silence, glides, other rates, and songs of known pitch."""

import numpy as np
import pytest

from reprise.data.autocorrelation import autocorrelation_pitch
from reprise.data.pitch import estimate, version_of
from reprise.data.synthetic import singing
from reprise.data.synthetic.singing import SongPlan
from reprise.stats.vocoding import pitch_errors

RATE, HOP = 24000, 240


def voice(f0, *, rate=RATE, n_partials=8):
    """Partials of a fundamental that is given for every sample."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    return sum(np.sin(k * phase) / k for k in range(1, n_partials + 1)) * 0.2


def track_of(y, *, rate=RATE, hop_length=HOP, **options):
    return autocorrelation_pitch(y, sample_rate=rate, hop_length=hop_length, **options)


@pytest.mark.parametrize("f0", [82.0, 131.0, 220.0, 440.0, 987.0])
@pytest.mark.parametrize("n_partials", [1, 8])
def test_steady_tones_have_their_pitch_to_within_two_cents(f0, n_partials):
    track = track_of(voice(np.full(RATE, f0), n_partials=n_partials))
    assert track.shape == (101,)
    cents = 1200 * np.log2(track[5:-5] / f0)
    assert np.abs(cents).max() < 2


@pytest.mark.parametrize("rate", [16000, 44100])
def test_other_sample_rates_and_hops_give_the_same_pitch(rate):
    track = track_of(voice(np.full(rate, 300.0), rate=rate), rate=rate, hop_length=rate // 50)
    assert track.shape == (51,)
    np.testing.assert_allclose(track[4:-4], 300, rtol=1e-3)


def test_noise_and_silence_are_unvoiced():
    rng = np.random.default_rng(0)
    assert (track_of(0.1 * rng.standard_normal(RATE)) > 0).mean() < 0.05
    assert not track_of(np.zeros(RATE)).any()
    assert track_of(np.zeros(1)).shape == (1,)


def test_soft_passages_beside_loud_ones_are_unvoiced():
    y = voice(np.full(RATE, 220.0))
    y[: RATE // 2] *= 1e-3
    track = track_of(y)
    assert not track[:45].any()
    assert (track[55:95] > 0).all()


def test_glides_are_followed_to_within_a_few_cents():
    f0 = np.geomspace(150, 600, 2 * RATE)
    track = track_of(voice(f0))
    true = f0[np.minimum(np.arange(len(track)) * HOP, len(f0) - 1)]
    assert np.abs(1200 * np.log2(track[6:-6] / true[6:-6])).max() < 15


def test_the_range_is_kept_and_checked():
    track = track_of(voice(np.full(RATE, 150.0)), fmin=200.0, fmax=500.0)
    voiced = track[track > 0]
    assert ((voiced > 198) & (voiced < 505)).all()
    for fmin, fmax in ((0.0, 500.0), (500.0, 200.0), (100.0, 7000.0)):
        with pytest.raises(ValueError, match="does not hold"):
            track_of(np.zeros(RATE), fmin=fmin, fmax=fmax)


@pytest.mark.parametrize("singer", ["female1", "male1"])
def test_songs_of_known_pitch_are_labelled_well(singer):
    song = singing.render(SongPlan(singer, f"test/{singer}/song01.wav", 4.0), seed=3, sample_rate=RATE)
    track = estimate(song.audio, sample_rate=RATE, hop_length=HOP, estimator="autocorrelation")
    times = np.arange(len(track)) * HOP
    true = song.f0[np.minimum(np.rint(times / song.hop_length).astype(int), len(song.f0) - 1)]
    errors = pitch_errors(track, true)
    assert errors.mae_f0 < 15
    assert errors.vuv_error < 8


def test_estimates_do_not_depend_on_the_level():
    y = voice(np.full(RATE, 247.0)) + 0.01 * np.random.default_rng(1).standard_normal(RATE)
    np.testing.assert_allclose(track_of(y), track_of(0.01 * y), rtol=1e-5)
    assert version_of("autocorrelation") == "1"
