"""Input of the vocoders against librosa, and its number of frames."""

import librosa
import numpy as np
import pytest
import torch

from reprise.audio.vocoder_input import log_mel


def expected(y, *, center):
    mel = librosa.feature.melspectrogram(
        y=y, sr=24000, n_fft=1024, hop_length=240, n_mels=80, power=1.0, center=center, pad_mode="reflect"
    )
    return np.log10(np.maximum(mel, 1e-5)).T


@pytest.mark.parametrize("center", [False, True])
def test_equal_to_librosa(center):
    y = 0.1 * torch.randn(2, 6000, dtype=torch.float64)
    ours = log_mel(y, center=center).numpy()
    for clip, wave in zip(ours, y.numpy(), strict=True):
        np.testing.assert_allclose(clip, expected(wave, center=center)[: len(clip)], atol=1e-5)


def test_frames_and_floor():
    silence = torch.zeros(1, 24_000)
    assert log_mel(silence).shape == (1, (24_000 - 1024) // 240 + 1, 80)
    assert log_mel(silence, center=True).shape == (1, 100, 80)
    assert torch.equal(log_mel(silence), torch.full((1, 96, 80), -5.0))


def test_too_short_clips_are_named():
    with pytest.raises(ValueError, match="too short for n_fft=1024"):
        log_mel(torch.zeros(1, 1000))
