"""Filter banks against torchaudio's Kaldi functions and the transformers library's extractor."""

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi
from transformers import ASTFeatureExtractor

from reprise.audio.kaldi import AUDIOSET_MEAN, AUDIOSET_STD, ast_input, fbank


def clips(n_samples, *, sample_rate=16_000, dtype=torch.float32):
    """Noise, a tone, a quiet clip with an offset, an impulse, silence."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n_samples, generator=generator, dtype=torch.float64)
    time = torch.arange(n_samples, dtype=torch.float64) / sample_rate
    impulse = torch.zeros(n_samples, dtype=torch.float64)
    impulse[n_samples // 2] = 1
    tone = 0.5 * torch.sin(2 * np.pi * 440 * time)
    return torch.stack([0.1 * noise, tone, 0.2 + 1e-4 * noise, impulse, 0 * noise]).to(dtype)


@pytest.mark.parametrize("window", ["hann", "hamming"])
@pytest.mark.parametrize(
    ("sample_rate", "n_samples", "n_mels"),
    [(16_000, 16_000, 128), (16_000, 400, 128), (16_000, 1_119, 23), (44_100, 9_000, 128), (22_050, 5_000, 64)],
)
def test_equals_torchaudio(window, sample_rate, n_samples, n_mels):
    y = clips(n_samples, sample_rate=sample_rate)
    banks = fbank(y, sample_rate=sample_rate, n_mels=n_mels, window=window)
    kind = {"hann": "hanning"}.get(window, window)
    for clip, row in zip(y, banks, strict=True):
        reference = kaldi.fbank(clip[None], sample_frequency=sample_rate, num_mel_bins=n_mels, window_type=kind)
        torch.testing.assert_close(row.T, reference, rtol=0, atol=1e-4)


def test_one_second_has_98_frames():
    assert fbank(torch.zeros(2, 16_000)).shape == (2, 128, 98)


def test_double_precision_equals_torchaudio():
    y = clips(8_000, dtype=torch.float64)
    for clip, row in zip(y, fbank(y), strict=True):
        reference = kaldi.fbank(clip[None], num_mel_bins=128, window_type="hanning")
        torch.testing.assert_close(row.T, reference, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_frames", [40, 98, 130])
@pytest.mark.parametrize("statistics", [(AUDIOSET_MEAN, AUDIOSET_STD), (0.4658, 0.3385)])
def test_input_equals_the_library(n_frames, statistics):
    mean, std = statistics
    y = clips(16_000)
    extractor = ASTFeatureExtractor(max_length=n_frames, mean=mean, std=std)
    reference = extractor(list(y.numpy()), sampling_rate=16_000, return_tensors="pt")["input_values"]
    ours = ast_input(y, n_frames=n_frames, mean=mean, std=std)
    torch.testing.assert_close(ours, reference.transpose(1, 2), rtol=0, atol=1e-4)


def test_statistics_are_those_of_the_library():
    extractor = ASTFeatureExtractor()
    assert (extractor.mean, extractor.std) == (AUDIOSET_MEAN, AUDIOSET_STD)


def test_without_normalisation_it_is_the_filter_bank():
    y = clips(4_000)
    banks = fbank(y)
    padded = ast_input(y, n_frames=30, mean=None)
    assert torch.equal(padded[..., : banks.shape[-1]], banks)
    assert not padded[..., banks.shape[-1] :].any()


def test_mixed_precision_around_it_changes_nothing():
    y = clips(4_000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        banks = fbank(y)
    assert torch.equal(banks, fbank(y))


def test_filters_made_for_inference_serve_training():
    with torch.inference_mode():
        fbank(torch.rand(1, 3_000), sample_rate=15_000)
    y = torch.rand(1, 3_000, requires_grad=True)
    fbank(y, sample_rate=15_000).sum().backward()
    assert torch.isfinite(y.grad).all()


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (torch.zeros(1, 399), {}, "at least 400 samples"),
        (torch.zeros(400), {}, r"shape \(batch, time\)"),
        (torch.zeros(1, 400, dtype=torch.int16), {}, "torch.int16"),
        (torch.zeros(1, 400), {"n_mels": 3}, "n_mels must be"),
        (torch.zeros(1, 400), {"window": "povey"}, "'hann' or 'hamming'"),
    ],
)
def test_faults_are_named(y, options, message):
    with pytest.raises(ValueError, match=message):
        fbank(y, **options)


@pytest.mark.parametrize(("options", "message"), [({"n_frames": 0}, "n_frames"), ({"std": 0.0}, "std")])
def test_faults_of_the_input_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ast_input(torch.zeros(1, 400), **options)
