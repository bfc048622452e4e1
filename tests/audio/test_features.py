"""Spectrograms and cepstra against librosa, scipy and torchaudio."""

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.audio.bases import dct_matrix, mel_filters
from reprise.audio.features import (
    amplitude_to_db,
    mel_spectrogram,
    mfcc,
    multi_resolution_spectrogram,
    power_to_db,
    stft_magnitude,
)

SAMPLE_RATE = 22_050


def clips(n_samples: int = 9_000, *, seed: int = 0) -> torch.Tensor:
    """A loud tone in noise, a very quiet one, and noise that starts late."""
    rng = np.random.default_rng(seed)
    times = np.arange(n_samples) / SAMPLE_RATE
    noise = rng.standard_normal((3, n_samples))
    loud = 0.5 * np.sin(2 * np.pi * 440 * times) + 0.1 * noise[0]
    late = np.where(times > times[-1] / 2, 0.3 * noise[2], 0.0)
    return torch.from_numpy(np.stack([loud, 1e-4 * noise[1], late])).float()


def assert_close(ours: torch.Tensor, reference: np.ndarray, *, rtol: float = 1e-4) -> None:
    assert tuple(ours.shape) == reference.shape
    np.testing.assert_allclose(ours.numpy(), reference, rtol=rtol, atol=1e-6 * np.abs(reference).max())


@settings(max_examples=12, deadline=None)
@given(
    n_samples=st.integers(700, 3_000),
    n_fft=st.sampled_from([256, 400, 1024]),
    shrink=st.sampled_from([1, 2, 3]),
    hop_length=st.integers(50, 300),
    center=st.booleans(),
    pad_mode=st.sampled_from(["constant", "reflect", "edge"]),
    power=st.sampled_from([1.0, 2.0, 0.7]),
)
def test_stft_equals_librosa(n_samples, n_fft, shrink, hop_length, center, pad_mode, power):
    y = clips(max(n_samples, n_fft))
    shape = {"n_fft": n_fft, "win_length": n_fft // shrink, "hop_length": hop_length, "center": center}
    ours = stft_magnitude(y, power=power, pad_mode=pad_mode, **shape)
    for clip, spectrogram in zip(y.numpy(), ours, strict=True):
        assert_close(spectrogram, np.abs(librosa.stft(clip, pad_mode=pad_mode, **shape)) ** power)


def test_stft_equals_scipy():
    y = clips(8_192)
    window = scipy.signal.get_window("hann", 1024)
    transform = scipy.signal.ShortTimeFFT(window, hop=256, fs=1.0)
    reference = np.abs(transform.stft(y.numpy(), p0=2, p1=2 + 29))
    ours = stft_magnitude(y, n_fft=1024, hop_length=256, center=False)
    assert_close(ours, reference[..., : ours.shape[-1]])


@pytest.mark.parametrize("normalized", [True, False])
def test_multi_resolution_equals_torchaudio(normalized):
    y = clips(20_000)
    ours = multi_resolution_spectrogram(y, normalized=normalized, compression="none")
    reference = [
        torchaudio.transforms.Spectrogram(
            n_fft=2048, win_length=length, hop_length=512, power=1.0, normalized=normalized
        )(y)
        for length in (2048, 1024, 512)
    ]
    assert_close(ours, torch.stack(reference, dim=1).numpy())
    in_db = torchaudio.transforms.AmplitudeToDB()(ours)
    torch.testing.assert_close(multi_resolution_spectrogram(y, normalized=normalized), in_db)


def test_multi_resolution_has_the_papers_shape():
    assert multi_resolution_spectrogram(torch.zeros(2, 132_300)).shape == (2, 3, 1025, 259)


@pytest.mark.parametrize(
    ("compression", "of_magnitude"),
    [
        ("db_authors", lambda s: 10 * np.log10(np.maximum(s, 1e-10))),
        ("db", lambda s: 20 * np.log10(np.maximum(s, 1e-10))),
        ("log1p", np.log1p),
    ],
)
def test_compressions(compression, of_magnitude):
    y = clips(6_000)
    plain = multi_resolution_spectrogram(y, compression="none").double().numpy()
    assert_close(multi_resolution_spectrogram(y, compression=compression), of_magnitude(plain), rtol=1e-5)


def test_equal_loudness_in_every_channel_of_white_noise():
    y = torch.randn(4, 60_000, generator=torch.Generator().manual_seed(0))
    level = multi_resolution_spectrogram(y, compression="none").square().mean(dim=(0, 2, 3))
    assert level.max() / level.min() < 1.05


@pytest.mark.parametrize(
    "options",
    [{}, {"n_mels": 40, "fmin": 50.0, "fmax": 8_000.0}, {"htk": True, "norm": None, "power": 1.0}, {"hop_length": 300}],
)
def test_mel_equals_librosa(options):
    y = clips()
    for clip, ours in zip(y.numpy(), mel_spectrogram(y, sample_rate=SAMPLE_RATE, **options), strict=True):
        assert_close(ours, librosa.feature.melspectrogram(y=clip, sr=SAMPLE_RATE, **options))


@pytest.mark.parametrize("options", [{}, {"n_mfcc": 13, "lifter": 22.0}, {"n_mels": 64, "n_fft": 1024}])
def test_mfcc_equals_librosa_on_each_clip_alone(options):
    y = clips()
    for clip, ours in zip(y.numpy(), mfcc(y, sample_rate=SAMPLE_RATE, **options), strict=True):
        assert_close(ours, librosa.feature.mfcc(y=clip, sr=SAMPLE_RATE, **options))


@pytest.mark.parametrize("top_db", [80.0, 20.0, None])
@pytest.mark.parametrize("ref", [1.0, 0.3, "max"])
def test_decibels_equal_librosa_on_each_clip_alone(ref, top_db):
    spectrogram = stft_magnitude(clips())
    reference = np.max if ref == "max" else ref
    for ours, theirs in ((power_to_db, librosa.power_to_db), (amplitude_to_db, librosa.amplitude_to_db)):
        for clip, decibels in zip(spectrogram, ours(spectrogram, ref=ref, top_db=top_db), strict=True):
            assert_close(decibels, theirs(clip.numpy().copy(), ref=reference, top_db=top_db), rtol=1e-5)


def test_a_loud_neighbour_does_not_lift_a_quiet_clips_floor():
    y = clips()
    alone, together = mfcc(y[1:2], sample_rate=SAMPLE_RATE), mfcc(y, sample_rate=SAMPLE_RATE)[1:2]
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-3)
    leaking = librosa.feature.mfcc(y=y.numpy(), sr=SAMPLE_RATE)[1]
    assert np.abs(leaking - alone[0].numpy()).max() > 10


def test_path_with_gradients_equals_path_without():
    y = clips(5_000)
    for function in (stft_magnitude, multi_resolution_spectrogram):
        torch.testing.assert_close(function(y.clone().requires_grad_()).detach(), function(y), rtol=1e-4, atol=1e-4)


def test_gradients_are_right():
    y = 0.1 * torch.randn(1, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y.requires_grad_()
    size = {"n_fft": 64, "hop_length": 32}
    assert torch.autograd.gradcheck(lambda y: mfcc(y, sample_rate=8_000, n_mels=10, n_mfcc=5, **size), (y,))
    assert torch.autograd.gradcheck(
        lambda y: multi_resolution_spectrogram(y, win_lengths=(64, 32), compression="log1p", **size), (y,)
    )


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_gradient_in_silence_is_finite(power):
    y = torch.zeros(1, 4_096, requires_grad=True)
    stft_magnitude(y, power=power).sum().backward()
    assert torch.isfinite(y.grad).all()


def test_tables_made_in_inference_mode_serve_training():
    mel_filters.cache_clear()
    dct_matrix.cache_clear()
    y = clips(4_000)
    with torch.inference_mode():
        mfcc(y, sample_rate=16_000)
    y.requires_grad_()
    mfcc(y, sample_rate=16_000).sum().backward()
    assert y.grad is not None


def test_autocast_does_not_cost_digits():
    y = clips()
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        inside = mfcc(y, sample_rate=SAMPLE_RATE)
    torch.testing.assert_close(inside, mfcc(y, sample_rate=SAMPLE_RATE))


def test_result_does_not_depend_on_threads_and_leaves_them_alone():
    y = clips(30_000)
    before = torch.get_num_threads()
    try:
        results = []
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            results.append(multi_resolution_spectrogram(y))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*results)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stft_magnitude(torch.zeros(4_000)), "batch, time"),
        (lambda: stft_magnitude(torch.zeros(1, 4_000, dtype=torch.int16)), "float32 or float64"),
        (lambda: stft_magnitude(torch.zeros(1, 4_000), pad_mode="wrap"), "pad_mode"),
        (lambda: stft_magnitude(torch.zeros(1, 4_000), win_length=4_096), "win_length"),
        (lambda: stft_magnitude(torch.zeros(1, 100), center=False), "too short"),
        (lambda: multi_resolution_spectrogram(torch.zeros(1, 1_000)), "longer clips than 1000"),
        (lambda: multi_resolution_spectrogram(torch.zeros(1, 4_000), compression="dB"), "compression"),
        (lambda: mfcc(torch.zeros(1, 4_000), sample_rate=16_000, n_mfcc=200), "n_mfcc"),
        (lambda: mel_spectrogram(torch.zeros(1, 4_000), sample_rate=16_000, fmin=9_000.0), "fmin"),
        (lambda: power_to_db(torch.ones(1, 2, 2), amin=0.0), "amin"),
        (lambda: power_to_db(torch.ones(1, 2, 2), top_db=-1.0), "top_db"),
    ],
)
def test_refuses_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_equals_cpu():
    y = clips()
    for function in (mfcc, mel_spectrogram):
        on_cpu = function(y, sample_rate=SAMPLE_RATE)
        torch.testing.assert_close(function(y.cuda(), sample_rate=SAMPLE_RATE).cpu(), on_cpu, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(
        multi_resolution_spectrogram(y.cuda(), compression="none").cpu(),
        multi_resolution_spectrogram(y, compression="none"),
        rtol=1e-4,
        atol=1e-5,
    )
