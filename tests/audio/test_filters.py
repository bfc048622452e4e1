"""Time-variant filters against SciPy's filters and loops, whole and in chunks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from reprise.audio.filters import TimeVariantFilter, delay_of, filter_frames, impulse_responses, uniform_noise

HOP = 24


def signals(n_frames=9, *, n_bins=20, batch=2, hop=HOP, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(batch, n_frames * hop, generator=generator, dtype=dtype) * 2 - 1
    return x, torch.rand(batch, n_frames, n_bins, generator=generator, dtype=dtype)


def design(magnitudes):
    """A filter as a sum of cosines about its middle tap, under a Hann window."""
    n_bins = len(magnitudes)
    taps = 2 * n_bins - 2
    n = np.arange(taps) - (n_bins - 1)
    both = np.r_[1.0, np.full(n_bins - 2, 2.0), 1.0] * magnitudes
    response = np.cos(2 * np.pi * np.outer(n, np.arange(n_bins)) / taps) @ both / taps
    return response * signal.get_window("hann", taps, fftbins=True)


def loop(x, magnitudes, *, hop=HOP, crossfade=False):
    """Every sample times the response of its frame (or of two, in proportion), added up sample by sample."""
    n_frames, n_bins = magnitudes.shape
    filters = [design(row) for row in magnitudes]
    out = np.zeros(len(x) + 2 * n_bins - 2)
    for n, value in enumerate(x):
        weights = {n // hop: 1.0}
        if crossfade:
            place = (n - hop // 2) / hop
            low = int(np.floor(place))
            share = 0.5 - 0.5 * np.cos(np.pi * (place - low))
            weights = {}
            for frame, weight in ((low, 1 - share), (low + 1, share)):
                frame = min(max(frame, 0), n_frames - 1)
                weights[frame] = weights.get(frame, 0.0) + weight
        for frame, weight in weights.items():
            out[n : n + 2 * n_bins - 2] += value * weight * filters[frame]
    return out


def test_responses_are_windowed_cosine_sums():
    magnitudes = torch.rand(3, 17, dtype=torch.float64)
    expected = np.stack([design(row.numpy()) for row in magnitudes])
    np.testing.assert_allclose(impulse_responses(magnitudes).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("n_bins", "delay"), [(256, 255), (80, 79)])
def test_delay_of_the_paper(n_bins, delay):
    response = impulse_responses(torch.ones(n_bins, dtype=torch.float64))
    assert delay_of(n_bins) == delay == int(response.argmax())
    torch.testing.assert_close(response[1:], response[1:].flip(0))
    assert response[0] == 0


@pytest.mark.parametrize(("n_bins", "width"), [(256, 68), (80, 219)])
def test_window_blurs_a_single_bin_as_measured(n_bins, width):
    magnitudes = torch.zeros(n_bins, dtype=torch.float64)
    magnitudes[n_bins // 2] = 1
    frequencies, response = signal.freqz(impulse_responses(magnitudes).numpy(), worN=2**16, fs=24000)
    height = np.abs(response)
    assert height.max() == pytest.approx(0.5, abs=1e-3)
    assert np.ptp(frequencies[height > height.max() / np.sqrt(2)]) == pytest.approx(width, abs=1.5)


@pytest.mark.parametrize("crossfade", [False, True])
def test_filtering_is_the_sum_of_shifted_responses(crossfade):
    x, magnitudes = signals()
    whole = filter_frames(x, magnitudes, hop_length=HOP, crossfade=crossfade)
    compensated = filter_frames(x, magnitudes, hop_length=HOP, crossfade=crossfade, compensate=True)
    for clip in range(len(x)):
        expected = loop(x[clip].numpy(), magnitudes[clip].numpy(), crossfade=crossfade)
        n = x.shape[1]
        np.testing.assert_allclose(whole[clip].numpy(), expected[:n], atol=1e-10)
        np.testing.assert_allclose(compensated[clip].numpy(), expected[19 : n + 19], atol=1e-10)


@pytest.mark.parametrize("crossfade", [False, True])
def test_one_filter_for_all_frames_is_lfilter(crossfade):
    x, magnitudes = signals(7, n_bins=256, hop=240, dtype=torch.float32)
    magnitudes = magnitudes[:, :1].expand(-1, 7, -1)
    expected = np.stack(
        [signal.lfilter(design(m[0].numpy()), [1.0], clip.numpy()) for m, clip in zip(magnitudes, x, strict=True)]
    )
    ours = filter_frames(x, magnitudes, hop_length=240, crossfade=crossfade)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)


def test_flat_magnitudes_pass_the_signal_delayed_or_not():
    x, _ = signals()
    ones = torch.ones(2, 9, 20, dtype=torch.float64)
    torch.testing.assert_close(filter_frames(x, ones, hop_length=HOP)[:, 19:], x[:, :-19])
    torch.testing.assert_close(filter_frames(x, ones, hop_length=HOP, compensate=True), x)


@given(
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    n_bins=st.integers(2, 40),
    hop=st.sampled_from([1, 7, 24]),
    compensate=st.booleans(),
    crossfade=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_chunks_are_the_whole(cuts, n_bins, hop, compensate, crossfade):
    x, magnitudes = signals(sum(cuts), n_bins=n_bins, hop=hop)
    options = {"hop_length": hop, "compensate": compensate, "crossfade": crossfade}
    stream, parts, frame = TimeVariantFilter(**options), [], 0
    for cut in cuts:
        parts.append(stream.process(x[:, frame * hop : (frame + cut) * hop], magnitudes[:, frame : frame + cut]))
        frame += cut
    parts.append(stream.flush())
    together = torch.cat(parts, dim=1)
    torch.testing.assert_close(together[:, : x.shape[1]], filter_frames(x, magnitudes, **options))
    assert stream.flush().shape[-1] == 0


def test_flush_returns_the_ringing():
    x, magnitudes = signals()
    stream = TimeVariantFilter(hop_length=HOP)
    together = torch.cat([stream.process(x, magnitudes), stream.flush()], dim=1)
    expected = loop(x[0].numpy(), magnitudes[0].numpy())
    np.testing.assert_allclose(together[0].numpy(), expected[: together.shape[1]], atol=1e-10)
    assert np.abs(expected[together.shape[1] :]).max() < 1e-10


@pytest.mark.parametrize(("compensate", "crossfade"), [(False, False), (True, True)])
def test_gradients(compensate, crossfade):
    x, magnitudes = signals(3, n_bins=4, hop=4, batch=1)
    assert torch.autograd.gradcheck(
        lambda a, b: filter_frames(a, b, hop_length=4, compensate=compensate, crossfade=crossfade),
        (x.requires_grad_(), magnitudes.requires_grad_()),
    )


def test_pieces_without_gradient_are_the_whole_with():
    x, magnitudes = signals(600, n_bins=5, hop=4, dtype=torch.float32)
    torch.testing.assert_close(
        filter_frames(x, magnitudes, hop_length=4), filter_frames(x, magnitudes.requires_grad_(), hop_length=4).detach()
    )


def test_faults_are_named():
    x, magnitudes = signals()
    with pytest.raises(ValueError, match="do not match 9 frames of 25"):
        filter_frames(x, magnitudes, hop_length=25)
    with pytest.raises(ValueError, match="do not fit"):
        filter_frames(x[:1], magnitudes, hop_length=HOP)
    with pytest.raises(ValueError, match="2 frequencies or more, got 1"):
        filter_frames(x, magnitudes[..., :1], hop_length=HOP)
    with pytest.raises(ValueError, match="at least 1"):
        TimeVariantFilter(hop_length=0)
    stream = TimeVariantFilter(hop_length=HOP)
    stream.process(x, magnitudes)
    with pytest.raises(ValueError, match="another number than the chunks before"):
        stream.process(x, magnitudes[..., :10])


def test_noise_is_uniform_white_and_the_same_in_chunks():
    like = torch.zeros(1)
    whole = uniform_noise(50_000, batch=2, like=like, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    parts = [uniform_noise(n, batch=2, like=like, generator=generator) for n in (20_000, 30_000)]
    assert torch.equal(torch.cat(parts, dim=1), whole)
    assert whole.abs().max() <= 1
    assert whole.var() == pytest.approx(1 / 3, rel=0.02)
    spectrum = signal.welch(whole[0].numpy(), nperseg=256)[1][1:-1]
    assert spectrum.max() / spectrum.min() < 2
    assert abs(np.corrcoef(whole.numpy())[0, 1]) < 0.02
