"""Augmentations against librosa, measured pitches and the distributions that the paper states."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reprise.audio.augment import add_noise, mask_spectrogram, pitch_shift, random_pitch_shift, random_time_shift

SAMPLE_RATE = 44_100
INSIDE = slice(3_000, -3_000)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tones(frequencies, *, n_samples=SAMPLE_RATE, partials=1, sample_rate=SAMPLE_RATE, dtype=torch.float32):
    time = torch.arange(n_samples, dtype=torch.float64) / sample_rate
    frequencies = torch.as_tensor(frequencies, dtype=torch.float64)[:, None]
    waves = [torch.sin(2 * np.pi * k * frequencies * time + 0.3 * k) / k for k in range(1, partials + 1)]
    return (0.2 * torch.stack(waves).sum(dim=0)).to(dtype)


def pitch_of(y, *, sample_rate=SAMPLE_RATE):
    """Frequency of the highest peak, interpolated in a windowed spectrum."""
    y = np.asarray(y, dtype=np.float64)
    spectrum = np.log(np.abs(np.fft.rfft(y * np.blackman(len(y)), 4 * len(y))) + 1e-12)
    peak = int(spectrum.argmax())
    low, middle, high = spectrum[peak - 1 : peak + 2]
    return (peak + 0.5 * (low - high) / (low - 2 * middle + high)) * sample_rate / (4 * len(y))


def decibels(difference, reference):
    return 10 * np.log10(np.mean(np.square(difference)) / np.mean(np.square(reference)))


def test_pitch_and_level_of_tones():
    semitones = torch.linspace(-6, 6, 9)
    frequencies = torch.linspace(180, 2_000, 9)
    y = tones(frequencies)
    shifted = pitch_shift(y, semitones)
    assert shifted.shape == y.shape
    for row, frequency, steps in zip(shifted.numpy(), frequencies.tolist(), semitones.tolist(), strict=True):
        cents = 1200 * np.log2(pitch_of(row[INSIDE]) / (frequency * 2 ** (steps / 12)))
        assert abs(cents) < 0.5


def test_level_is_that_of_librosa():
    y = tones([180.0, 407.5, 1_100.0, 2_000.0])
    semitones = [-6.0, -3.0, 3.0, 6.0]
    for row, clip, steps in zip(pitch_shift(y, torch.tensor(semitones)).numpy(), y.numpy(), semitones, strict=True):
        reference = librosa.effects.pitch_shift(clip, sr=SAMPLE_RATE, n_steps=steps)
        assert abs(decibels(row[INSIDE], reference[INSIDE])) < 0.02
        # a phase vocoder loses up to a decibel where neighbouring bins drift apart
        assert -1.5 < decibels(row[INSIDE], clip[INSIDE]) < 0.1


@pytest.mark.parametrize("steps", [-6.0, -1.3, 0.4, 3.0, 6.0])
def test_equals_librosa_in_double_precision(steps):
    tone = tones([233.0], n_samples=30_000, partials=12, dtype=torch.float64)
    # noise below 13 kHz: near half of the sample rate the resampling filters differ
    noise = np.fft.rfft(np.random.default_rng(0).standard_normal(30_000))
    noise[int(13_000 / SAMPLE_RATE * 30_000) :] = 0
    y = torch.cat([tone, torch.from_numpy(0.1 * np.fft.irfft(noise))[None]])
    for clip, row in zip(y.numpy(), pitch_shift(y, steps).numpy(), strict=True):
        reference = librosa.effects.pitch_shift(clip, sr=SAMPLE_RATE, n_steps=steps, res_type="soxr_vhq")
        assert decibels((row - reference)[INSIDE], reference[INSIDE]) < -80
        assert abs(decibels(row, reference)) < 0.1


def test_is_no_worse_than_librosa_in_single_precision():
    y = tones([440.0, 331.7], n_samples=40_000, partials=14)
    for clip, row in zip(y, pitch_shift(y, 5.3).numpy(), strict=True):
        exact = pitch_shift(clip[None].double(), 5.3)[0].numpy()
        librosas = librosa.effects.pitch_shift(clip.numpy(), sr=SAMPLE_RATE, n_steps=5.3)
        ours = decibels((row - exact)[INSIDE], exact[INSIDE])
        assert ours < -80
        assert ours < decibels((librosas - exact)[INSIDE], exact[INSIDE])


@pytest.mark.parametrize("steps", [0.0, -1e-9])
def test_no_shift_is_no_change(steps):
    y = tones([97.0, 5_000.0], n_samples=20_001, partials=4)
    shifted = pitch_shift(y, steps)
    assert torch.equal(shifted, y) == (steps == 0)
    torch.testing.assert_close(shifted[:, 300:-300], y[:, 300:-300], rtol=0, atol=1e-5)
    # the ends ring a little: they are steps
    torch.testing.assert_close(shifted, y, rtol=0, atol=1e-2)


def test_clips_do_not_depend_on_each_other():
    y = torch.randn(3, 20_000, generator=generator())
    semitones = torch.tensor([-6.0, 1.5, 6.0])
    alone = torch.cat([pitch_shift(y[i : i + 1], semitones[i]) for i in range(3)])
    torch.testing.assert_close(pitch_shift(y, semitones), alone, rtol=0, atol=1e-4)


def test_what_would_alias_is_left_out():
    shifted = pitch_shift(tones([18_000.0]), 6.0).numpy()[0]
    assert decibels(shifted[INSIDE], tones([18_000.0]).numpy()[0]) < -60


def test_silence_stays_silent():
    assert not pitch_shift(torch.zeros(1, 5_000), 3.0).any()
    assert pitch_shift(torch.zeros(0, 5_000), torch.zeros(0)).shape == (0, 5_000)


def test_random_pitch_is_uniform():
    y = tones([500.0] * 96, n_samples=4_000, sample_rate=8_000)
    shifted = random_pitch_shift(y, generator=generator(), n_fft=512).numpy()
    steps = [12 * np.log2(pitch_of(row[500:-500], sample_rate=8_000) / 500) for row in shifted]
    assert max(map(abs, steps)) < 6.01
    assert stats.kstest(steps, stats.uniform(-6, 12).cdf).pvalue > 0.01
    small = random_pitch_shift(y[:8], generator=generator(), limit=0.5, n_fft=512).numpy()
    assert max(abs(12 * np.log2(pitch_of(row[500:-500], sample_rate=8_000) / 500)) for row in small) < 0.51


def test_noise_has_the_papers_moments():
    y = torch.randn(4, 50_000, generator=generator(1), dtype=torch.float64)
    noise = (add_noise(y, generator=generator(), mean=-0.02, std=0.108, amount=0.005) - y) / 0.005
    assert noise.mean().item() == pytest.approx(-0.02, abs=0.002)
    assert noise.std().item() == pytest.approx(0.108, rel=0.01)
    assert stats.kstest(noise.flatten()[:5000], stats.norm(-0.02, 0.108).cdf).pvalue > 0.01
    assert abs(np.corrcoef(noise.numpy())[0, 1]) < 0.02


def test_time_shift_is_circular_and_uniform():
    y = torch.zeros(400, 1_000)
    y[:, 7] = 1
    places = random_time_shift(y, generator=generator()).argmax(dim=1).numpy()
    shifts = (places - 7 + 500) % 1_000 - 500
    assert np.abs(shifts).max() <= 400
    assert stats.kstest(shifts, stats.uniform(-400, 800).cdf).pvalue > 0.01


@given(seed=st.integers(0, 50), n_samples=st.integers(1, 40), limit=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_time_shift_equals_a_roll(seed, n_samples, limit):
    y = torch.arange(3 * n_samples).reshape(3, n_samples)
    shifted = random_time_shift(y, generator=generator(seed), limit=limit)
    for row, before in zip(shifted, y, strict=True):
        shift = int((row == before[0]).nonzero())
        assert torch.equal(row, before.roll(shift))
        assert min(shift, n_samples - shift) <= limit * n_samples


@given(seed=st.integers(0, 99), freq=st.integers(1, 60), time=st.integers(1, 60), limit=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_one_mask_is_one_block_of_the_clips_mean(seed, freq, time, limit):
    x = torch.rand(2, freq, time, generator=generator(seed), dtype=torch.float64) + 1
    before = x.clone()
    masked = mask_spectrogram(x, generator=generator(seed), n_freq=1, n_time=0, limit=limit)
    assert torch.equal(x, before)
    for row, clip in zip(masked, x, strict=True):
        changed = (row != clip).any(dim=1) if time > 1 or freq > 1 else torch.zeros(1, dtype=torch.bool)
        bands = changed.nonzero().flatten()
        assert len(bands) <= limit * freq + 1e-6
        assert torch.equal(bands, torch.arange(len(bands)) + (bands[0] if len(bands) else 0))
        assert torch.equal(row[bands], clip.mean().expand(len(bands), time))


def test_masks_have_the_papers_sizes():
    x = torch.rand(600, 1, 256, 87, generator=generator()) + 1
    masked = mask_spectrogram(x, generator=generator(1)) != x
    bands, frames = masked.all(dim=3)[:, 0], masked.all(dim=2)[:, 0]
    assert bands.sum(dim=1).max() <= 50
    assert frames.sum(dim=1).max() <= 16
    # two masks of 4.9 % (of 4.6 %: whole frames) on average, less their overlap
    assert bands.float().mean().item() == pytest.approx(0.095, abs=0.005)
    assert frames.float().mean().item() == pytest.approx(0.090, abs=0.005)
    assert torch.equal(masked[:, 0], bands[:, :, None] | frames[:, None, :])
    # a place in the middle is masked more often than the edge, and both halves alike
    halves = bands.float().mean(dim=0).reshape(2, -1).mean(dim=1)
    assert halves[0].item() == pytest.approx(halves[1].item(), abs=0.01)


def test_mask_widths_and_places_are_uniform():
    x = torch.rand(3_000, 20, 2, generator=generator())
    masked = (mask_spectrogram(x, generator=generator(1), n_freq=1, n_time=0, limit=0.2) != x).all(dim=2)
    widths = masked.sum(dim=1)
    assert stats.chisquare(torch.bincount(widths, minlength=5)).pvalue > 0.01
    places = masked[widths == 4].float().argmax(dim=1)
    assert stats.chisquare(torch.bincount(places, minlength=17)).pvalue > 0.01


EVERY = {
    "noise": lambda y, g: add_noise(y, generator=g, mean=0.0, std=0.1),
    "time": lambda y, g: random_time_shift(y, generator=g),
    "pitch": lambda y, g: random_pitch_shift(y, generator=g),
    "masks": lambda y, g: mask_spectrogram(y.unflatten(1, (50, -1)), generator=g),
}


@pytest.mark.parametrize("name", EVERY)
def test_only_the_given_generator_counts(name):
    y = torch.randn(3, 6_000, generator=generator())
    kept = y.clone()
    state = torch.random.get_rng_state()
    one = EVERY[name](y, generator(4))
    torch.rand(3)
    torch.random.set_rng_state(state)
    assert torch.equal(EVERY[name](y, generator(4)), one)
    assert not torch.equal(EVERY[name](y, generator(5)), one)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(y, kept)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", EVERY)
def test_a_device_gives_the_same(name):
    y = torch.randn(3, 6_000, generator=generator())
    torch.testing.assert_close(
        EVERY[name](y.cuda(), generator(4)).cpu(), EVERY[name](y, generator(4)), atol=1e-4, rtol=0
    )


Y = torch.zeros(2, 3_000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: add_noise(Y, generator=generator(), mean=0.0, std=-1.0), "std must not"),
        (lambda: random_time_shift(Y, generator=generator(), limit=1.1), "limit must lie"),
        (lambda: random_pitch_shift(Y, generator=generator(), limit=-1.0), "limit must not"),
        (lambda: pitch_shift(Y, float("nan")), "finite, got nan"),
        (lambda: pitch_shift(Y, torch.zeros(3)), "one per clip, 2, got shape"),
        (lambda: pitch_shift(Y[0], 1.0), r"shape \(batch, time\)"),
        (lambda: pitch_shift(Y.long(), 1.0), "torch.int64"),
        (lambda: pitch_shift(Y, 1.0, n_fft=1022), "multiple of 4"),
        (lambda: mask_spectrogram(Y, generator=generator(), limit=2.0), "limit must lie"),
        (lambda: mask_spectrogram(Y, generator=generator(), n_freq=-1), "n_freq=-1"),
    ],
)
def test_faults_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
