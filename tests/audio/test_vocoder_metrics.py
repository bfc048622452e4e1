"""Spectral distance of delayed signals, the embedding by librosa, speed by a clock that is told."""

import itertools

import librosa
import numpy as np
import pytest
import torch

from reprise.audio.losses import multi_scale_stft_loss
from reprise.audio.vocoder_metrics import EMBEDDINGS, log_mel_statistics, real_time_factor, spectral_distance


def voice(n=12_000, *, seed=0):
    """Noise whose level and colour change from block to block."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, generator=generator)
    level = torch.rand(n // 500, generator=generator).repeat_interleave(500)
    return 0.1 * level * torch.cumsum(noise, 0).diff(prepend=torch.zeros(1)) + 1e-3 * noise


@pytest.mark.parametrize("delay", [-120, -88, 0, 40, 240])
@pytest.mark.parametrize("formula", ["power", "amplitude"])
def test_a_delay_is_found_and_costs_nothing_at_the_best_lag(delay, formula):
    target = voice()
    found = spectral_distance(torch.roll(target, delay), target, formula=formula)
    assert found.lag == delay
    assert found.at_best == pytest.approx(0, abs=1e-5)
    assert (found.at_zero > 0.1) == (delay != 0)


def test_the_whole_distance_is_the_loss_and_the_best_is_never_above_zero_lag():
    prediction, target = voice(seed=1), voice()
    for formula in ("power", "amplitude"):
        found = spectral_distance(prediction, target, formula=formula, max_lag=64)
        assert found.whole == pytest.approx(
            float(multi_scale_stft_loss(prediction[None], target[None], formula=formula))
        )
        inner = [x[None, 64:-64] for x in (prediction, target)]
        assert found.at_zero == pytest.approx(float(multi_scale_stft_loss(*inner, formula=formula)))
        assert found.at_best <= found.at_zero


def test_no_lag_is_the_loss_alone():
    found = spectral_distance(voice(seed=1), voice(), max_lag=0)
    assert found.whole == found.at_zero == found.at_best
    assert found.lag == 0


def test_the_search_finds_what_trying_every_lag_finds():
    target = voice()
    prediction = torch.roll(target, -56) + 0.01 * voice(seed=4)
    found = spectral_distance(prediction, target, max_lag=120)
    every = {
        lag: float(multi_scale_stft_loss(prediction[None, 120 + lag : 11_880 + lag], target[None, 120:11_880]))
        for lag in range(-120, 121, 8)
    }
    assert found.lag == min(every, key=every.get) == -56
    assert found.at_best == pytest.approx(min(every.values()))


def test_signals_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="same length"):
        spectral_distance(voice(), voice()[:-1])
    with pytest.raises(ValueError, match="max_lag"):
        spectral_distance(voice(), voice(), max_lag=-1)


def test_the_embedding_is_librosas_statistics():
    y = voice(24_000)
    ours = log_mel_statistics(y, sample_rate=8000)
    assert ours.shape == (5, 64)
    for piece, row in zip(range(0, 20_000, 4000), ours, strict=False):
        mel = librosa.feature.melspectrogram(
            y=y[piece : piece + 8000].numpy(), sr=8000, n_fft=1024, hop_length=256, n_mels=32, power=1.0,
            pad_mode="reflect",
        )  # fmt: skip
        level = 20 * np.log10(np.maximum(mel, 1e-5))
        expected = np.concatenate([level.mean(axis=1), level.std(axis=1, ddof=1)])
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-3)


def test_the_embedding_has_a_name_and_needs_a_whole_piece():
    assert EMBEDDINGS["log_mel_statistics"] is log_mel_statistics
    with pytest.raises(ValueError, match="8000 samples"):
        log_mel_statistics(voice(4000), sample_rate=8000)


def test_twice_the_level_moves_the_means_by_6_db_only():
    y = voice(16_000)
    quiet, loud = (log_mel_statistics(gain * y, sample_rate=8000, n_mels=8) for gain in (1, 2))
    np.testing.assert_allclose(loud[:, :8] - quiet[:, :8], 20 * np.log10(2), atol=1e-3)
    np.testing.assert_allclose(loud[:, 8:], quiet[:, 8:], atol=1e-3)


def test_real_time_factor_is_the_median_after_warming_up():
    calls = []
    # three calls of 1, 9 and 2 s by this clock
    times = itertools.chain([0, 1, 10, 19, 20, 22])
    factor = real_time_factor(
        lambda: calls.append(1), seconds=4.0, n_repeats=3, n_warm=2, clock=lambda: float(next(times))
    )
    assert factor == 0.5
    assert len(calls) == 5
    with pytest.raises(ValueError, match="seconds"):
        real_time_factor(list, seconds=0)
