"""Descriptors against the librosa function of the same name on each clip alone."""

import warnings

import librosa
import numpy as np
import pytest
import soundfile
import torch

from reprise.audio.constant_q import constant_q_chroma, decimate
from reprise.audio.descriptors import describe
from reprise.audio.tuning import TUNINGS, chroma_filters, estimate_tuning

ROWS = {
    "zero_crossing_rate": 1,
    "rms": 1,
    "spectral_centroid": 1,
    "spectral_bandwidth": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
    "spectral_flatness": 1,
    "poly_features": 2,
    "poly_features_0": 1,
    "poly_features_2": 3,
    "chroma_stft": 12,
    "tonnetz": 6,
    "mfcc": 13,
    "melspectrogram": 128,
}


def clips(sample_rate: int, *, seconds: float = 1.0) -> torch.Tensor:
    """A detuned chord, a decaying tone down to silence, a quiet sweep with an offset, noise."""
    rng = np.random.default_rng(1)
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    chord = sum(0.1 * np.sin(2 * np.pi * f * k * times) / k for f in (226.0, 285.0, 339.0) for k in range(1, 8))
    decay = 0.8 * np.sin(2 * np.pi * 1_500 * times) * np.exp(-20 * times) * (times < 0.7 * seconds)
    sweep = 1e-3 * np.sin(2 * np.pi * (200 + 1_500 * times) * times) + 1e-4
    noise = 0.2 * rng.standard_normal(len(times))
    return torch.from_numpy(np.stack([chord + 1e-3 * noise, decay, sweep, noise])).float()


def by_librosa(y: np.ndarray, *, sample_rate: int, n_fft: int, hop_length: int) -> dict[str, np.ndarray]:
    feature = librosa.feature
    frames = {"frame_length": n_fft, "hop_length": hop_length}
    shape = {"n_fft": n_fft, "hop_length": hop_length}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = {
            name: getattr(feature, name)(y=y, sr=sample_rate, **shape)
            for name in (
                "spectral_centroid",
                "spectral_bandwidth",
                "spectral_contrast",
                "spectral_rolloff",
                "poly_features",
                "chroma_stft",
                "melspectrogram",
            )
        }
        return both | {
            "zero_crossing_rate": feature.zero_crossing_rate(y, **frames),
            "rms": feature.rms(y=y, **frames),
            "spectral_flatness": feature.spectral_flatness(y=y, **shape),
            "poly_features_0": feature.poly_features(y=y, sr=sample_rate, order=0, **shape),
            "poly_features_2": feature.poly_features(y=y, sr=sample_rate, order=2, **shape),
            "mfcc": feature.mfcc(y=y, sr=sample_rate, n_mfcc=13, **shape),
            "tonnetz": feature.tonnetz(y=y, sr=sample_rate, hop_length=hop_length),
        }


def assert_equal_to_librosa(y: torch.Tensor, *, sample_rate: int, n_fft: int = 2048, hop_length: int = 512) -> None:
    ours = describe(y, sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length)
    assert set(ours) == set(ROWS)
    for index, clip in enumerate(y.numpy()):
        reference = by_librosa(clip, sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length)
        for name, expected in reference.items():
            mine = ours[name][index].numpy()
            assert mine.shape == expected.shape == (ROWS[name], expected.shape[-1]), name
            scale = np.abs(expected).max(axis=-1, keepdims=True)
            np.testing.assert_allclose(
                mine, expected, rtol=1e-4, atol=1e-4 * scale.max() + 1e-12, err_msg=f"{name}, clip {index}"
            )
            # rows of small scale are held to their own, except where signs cancel
            if name not in ("mfcc", "tonnetz", "chroma_stft"):
                assert (np.abs(mine - expected) <= 1e-4 * scale + 1e-12).all(), f"{name}, clip {index}"


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "hop_length"),
    [(44_100, 2048, 512), (22_050, 2048, 512), (16_000, 1024, 256), (48_000, 4096, 1024), (22_050, 2048, 300)],
)
def test_equals_librosa(sample_rate, n_fft, hop_length):
    assert_equal_to_librosa(clips(sample_rate), sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length)


@pytest.mark.parametrize("n_samples", [22_016, 22_015, 22_017, 3_000])
def test_equals_librosa_at_awkward_lengths(n_samples):
    assert_equal_to_librosa(clips(22_050)[:2, :n_samples], sample_rate=22_050)


def test_equals_librosa_on_real_recordings(real_data):
    paths = sorted(path for path in real_data.rglob("*") if path.suffix in (".wav", ".flac", ".ogg"))
    checked = 0
    for path in paths[:: max(1, len(paths) // 6)]:
        info = soundfile.info(path)
        if info.samplerate < 16_000 or info.frames < 2 * info.samplerate:
            continue
        samples = soundfile.read(path, dtype="float32", frames=2 * info.samplerate, always_2d=True)[0].mean(axis=1)
        if np.any(samples):
            assert_equal_to_librosa(torch.from_numpy(samples)[None], sample_rate=info.samplerate)
            checked += 1
    assert checked > 0


def test_high_sample_rate_differs_only_at_the_start():
    y = clips(96_000)[:1]
    ours = describe(y, sample_rate=96_000)["tonnetz"][0].numpy()
    reference = librosa.feature.tonnetz(y=y[0].numpy(), sr=96_000)
    np.testing.assert_allclose(ours[:, 2:], reference[:, 2:], atol=1e-5)
    np.testing.assert_allclose(ours[:, :2], reference[:, :2], atol=1e-3)


@pytest.mark.parametrize("detune", [-0.45, -0.2, 0.0, 0.13, 0.38])
@pytest.mark.parametrize("bins_per_octave", [12, 36])
def test_tuning_equals_librosa(detune, bins_per_octave):
    sample_rate = 22_050
    times = np.arange(sample_rate) / sample_rate
    frequencies = 440 * 2 ** ((np.array([-12, -5, 0, 4]) + detune) / 12)
    rng = np.random.default_rng(0)
    y = np.sin(2 * np.pi * np.outer(frequencies, times)).mean(axis=0) + 0.01 * rng.standard_normal(len(times))
    spectrogram = np.abs(librosa.stft(y.astype(np.float32)))
    ours = estimate_tuning(
        torch.from_numpy(spectrogram.T.copy())[None], sample_rate=sample_rate, bins_per_octave=bins_per_octave
    )
    expected = librosa.estimate_tuning(S=spectrogram, sr=sample_rate, bins_per_octave=bins_per_octave)
    assert TUNINGS[ours.item()] == pytest.approx(expected, abs=1e-9)
    if bins_per_octave == 12:
        assert expected == pytest.approx(detune, abs=0.05)


def test_tuning_of_one_clip_ignores_its_neighbours():
    spectrogram = torch.from_numpy(np.abs(librosa.stft(clips(22_050).numpy()))).transpose(1, 2).contiguous()
    spectrogram[1] = 0
    together = estimate_tuning(spectrogram, sample_rate=22_050)
    alone = [estimate_tuning(clip[None], sample_rate=22_050).item() for clip in spectrogram]
    assert together.tolist() == alone
    assert TUNINGS[alone[1]] == 0


@pytest.mark.parametrize("tuning", [0, 37, 50, 99])
def test_chroma_filters_equal_librosa(tuning):
    ours = chroma_filters(tuning, sample_rate=44_100, n_fft=2048, device=torch.device("cpu"), dtype=torch.float32)
    expected = librosa.filters.chroma(sr=44_100, n_fft=2048, tuning=TUNINGS[tuning])
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("n_samples", [1, 3, 1_000, 1_001, 30_011])
def test_decimation_equals_soxr(n_samples):
    y = np.random.default_rng(0).standard_normal((2, n_samples)).astype(np.float32)
    expected = librosa.resample(y, orig_sr=2, target_sr=1, res_type="soxr_hq", scale=True)
    np.testing.assert_allclose(decimate(torch.from_numpy(y), 2).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("hop_length", [512, 384, 100])
def test_constant_q_chroma_equals_librosa(hop_length):
    y = clips(22_050)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.feature.chroma_cqt(
            y=y.numpy(), sr=22_050, hop_length=hop_length, norm=None, tuning=TUNINGS[30]
        )
    ours = constant_q_chroma(y[None], 30, sample_rate=22_050, hop_length=hop_length)[0].numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_silence_is_described_by_finite_numbers():
    for name, values in describe(torch.zeros(2, 8_000), sample_rate=16_000).items():
        assert torch.isfinite(values).all(), name


def test_a_clip_is_described_alike_alone_and_in_any_batch():
    y = clips(22_050).repeat(3, 1)
    together = describe(y, sample_rate=22_050)
    alone = describe(y[2:3], sample_rate=22_050)
    for name, values in alone.items():
        torch.testing.assert_close(together[name][10:11], values, rtol=1e-4, atol=1e-6)


def test_autocast_and_gradients_do_not_enter():
    y = clips(16_000)[:1]
    plain = describe(y, sample_rate=16_000)
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        inside = describe(y.clone().requires_grad_(), sample_rate=16_000)
    for name, values in inside.items():
        assert not values.requires_grad
        torch.testing.assert_close(values, plain[name])


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (torch.zeros(100), {}, "batch, time"),
        (torch.zeros(1, 100, dtype=torch.int16), {}, "floating-point"),
        (torch.zeros(1, 9_000), {"sample_rate": 8_000}, "resample to 16000"),
        (torch.zeros(1, 9_000), {"n_fft": 2047}, "even"),
        (torch.zeros(1, 9_000), {"n_fft": 64, "sample_rate": 44_100}, "raise it"),
        (torch.zeros(1, 9_000), {"n_mfcc": 0}, "n_mfcc"),
        (torch.tensor([[0.0] * 5_000, [float("nan")] * 5_000]), {}, "clip 1"),
    ],
)
def test_refuses_with_the_reason(y, options, message):
    with pytest.raises(ValueError, match=message):
        describe(y, **({"sample_rate": 16_000} | options))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_equals_cpu():
    y = clips(22_050)
    on_cpu = describe(y, sample_rate=22_050)
    for name, values in describe(y.cuda(), sample_rate=22_050).items():
        torch.testing.assert_close(values.cpu(), on_cpu[name], rtol=1e-3, atol=1e-3 * float(on_cpu[name].abs().max()))


def test_tonnetz_can_be_left_out():
    y = torch.randn(2, 22050, generator=torch.Generator().manual_seed(0))
    everything, without = (describe(y, sample_rate=22050, tonnetz=choice) for choice in (True, False))
    assert set(everything) - set(without) == {"tonnetz"}
    assert all(torch.equal(without[name], everything[name]) for name in without)
