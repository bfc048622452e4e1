"""The chain of views: what is drawn, that it is done, and what it may depend on."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from reprise.audio.reverb import reverb
from reprise.audio.view_settings import TRANSFORMS, ViewSettings
from reprise.audio.views import ViewAugment

RATE = 22_050
MANY = 20_000
N_SAMPLES = 6_000
ALWAYS = ViewSettings(**dict.fromkeys(TRANSFORMS, 1.0))
VALUES = {
    "noise": "noise_level",
    "gain": "gain",
    "filter": "cutoff",
    "delay": "delay",
    "pitch": "cents",
    "reverb": "reverberance",
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clips(n=6, n_samples=N_SAMPLES, *, seed=1):
    return 0.1 * torch.randn(n, n_samples, generator=generator(seed))


@pytest.fixture(scope="module")
def drawn():
    return ViewAugment().draw(MANY, generator=generator())


def test_each_change_is_made_as_often_as_it_should(drawn):
    made = {name: ~getattr(drawn, VALUES[name]).isnan() for name in VALUES} | {"polarity": drawn.polarity}
    papers = {"polarity": 0.8, "noise": 0.01, "gain": 0.3, "filter": 0.8, "delay": 0.3, "pitch": 0.6, "reverb": 0.6}
    for name, probability in papers.items():
        assert stats.binomtest(int(made[name].sum()), MANY, probability).pvalue > 0.001, name
    table = np.corrcoef([made[name].double().numpy() for name in TRANSFORMS])
    assert np.abs(table - np.eye(len(TRANSFORMS))).max() < 0.03


@pytest.mark.parametrize(("name", "low", "high"), [("noise_level", 1e-4, 1e-2), ("gain", -20, -1)])
def test_continuous_strengths_are_uniform(drawn, name, low, high):
    values = getattr(drawn, name)
    assert stats.kstest(values[~values.isnan()], stats.uniform(low, high - low).cdf).pvalue > 0.01


def test_filters_are_a_fair_choice_of_two(drawn):
    filtered = ~drawn.cutoff.isnan()
    assert stats.binomtest(int(drawn.high_pass[filtered].sum()), int(filtered.sum()), 0.5).pvalue > 0.01
    for high, low, top in ((True, 200, 1200), (False, 2200, 4000)):
        values = drawn.cutoff[filtered & (drawn.high_pass == high)]
        assert stats.kstest(values, stats.uniform(low, top - low).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("delay", range(200, 500, 50)),
        ("cents", range(-700, 701)),
        ("reverberance", range(100)),
        ("damping", range(100)),
        ("room_scale", range(100)),
    ],
)
def test_whole_numbers_are_uniform_with_their_limits(drawn, name, values):
    column = getattr(drawn, name)
    counts = dict(zip(*np.unique(column[~column.isnan()], return_counts=True), strict=True))
    assert set(counts) <= set(map(float, values))
    assert stats.chisquare([counts.get(float(value), 0) for value in values]).pvalue > 0.01


def test_the_three_numbers_of_a_room_are_independent(drawn):
    room = torch.stack([drawn.reverberance, drawn.damping, drawn.room_scale])
    room = room[:, ~room[0].isnan()].numpy()
    assert np.abs(np.corrcoef(room) - np.eye(3)).max() < 0.03


def test_the_chain_is_its_changes_one_after_another():
    """Each clip alone, by scipy and closed forms; the reverb has its reference elsewhere, the pitch below."""
    y = clips(8)
    chain = ViewAugment(ALWAYS.without("noise", "pitch"), sample_rate=RATE)
    changes = chain.draw(8, generator=generator())
    for i, (row, clip) in enumerate(zip(chain.apply(y, changes).numpy(), y.double().numpy(), strict=True)):
        expected = -clip * 10 ** (changes.gain[i].item() / 20)
        cutoff = changes.cutoff[i].item()
        half = int(4 / (cutoff / RATE))
        low = signal.firwin(2 * half + 1, cutoff, window="hann", fs=RATE)
        low = np.convolve(np.pad(expected, half, mode="edge"), low, mode="valid")
        expected = expected - low if changes.high_pass[i] else low
        late = np.concatenate([np.zeros(int(changes.delay[i] * RATE / 1000)), expected])[:N_SAMPLES]
        expected = (expected + 0.5 * late) / 2
        room = {name: getattr(changes, name)[i : i + 1] for name in ("reverberance", "damping", "room_scale")}
        expected = reverb(torch.from_numpy(expected[None]).float(), **room, sample_rate=RATE)[0]
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_the_pitch_is_the_one_drawn():
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    y = (0.3 * torch.sin(2 * np.pi * 600 * time)).float().expand(12, -1)
    chain = ViewAugment(ALWAYS.only("pitch"), sample_rate=RATE)
    changes = chain.draw(12, generator=generator())
    shifted = chain.apply(y, changes)
    assert shifted.shape == y.shape
    for row, cents in zip(shifted.numpy(), changes.cents.tolist(), strict=True):
        middle = row[3_000:-3_000].astype(float) * np.blackman(RATE - 6_000)
        spectrum = np.log(np.abs(np.fft.rfft(middle, 2**17)) + 1e-9)
        peak = int(spectrum.argmax())
        low, top, high = spectrum[peak - 1 : peak + 2]
        frequency = (peak + 0.5 * (low - high) / (low - 2 * top + high)) * RATE / 2**17
        assert abs(1200 * np.log2(frequency / 600) - cents) < 0.5


def test_noise_has_the_level_drawn_and_is_another_in_each_clip():
    y = clips(4, 40_000)
    chain = ViewAugment(ALWAYS.only("noise"))
    changes = chain.draw(4, generator=generator())
    noise = (chain.apply(y, changes) - y).double()
    np.testing.assert_allclose((noise.std(dim=1) / y.std(dim=1)).numpy(), changes.noise_level.numpy(), rtol=0.02)
    assert np.abs(np.corrcoef(noise.numpy()) - np.eye(4)).max() < 0.03


@given(name=st.sampled_from(TRANSFORMS), seed=st.integers(0, 100))
@settings(max_examples=20)
def test_a_switch_leaves_the_other_changes_as_they_are(name, seed):
    every = ViewAugment(ALWAYS).draw(5, generator=generator(seed))
    alone = ViewAugment(ALWAYS.only(name)).draw(5, generator=generator(seed))
    rest = ViewAugment(ALWAYS.without(name)).draw(5, generator=generator(seed))
    column = VALUES.get(name)
    if column is None:
        assert torch.equal(alone.polarity, every.polarity)
        assert not rest.polarity.any()
    for other in VALUES.values():
        kept, dropped = (alone, rest) if other == column else (rest, alone)
        assert torch.equal(getattr(kept, other), getattr(every, other))
        assert getattr(dropped, other).isnan().all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_change_that_is_off_does_nothing(name):
    y = clips()
    assert torch.equal(ViewAugment(ViewSettings().only())(y, generator=generator()), y)
    assert not torch.equal(ViewAugment(ALWAYS.only(name))(y, generator=generator()), y)


def test_a_clip_is_changed_in_the_same_way_whatever_else_is_in_the_batch():
    y, keys = clips(9), torch.tensor([5, 99, 0, 7, 2**40, 12, 13, 14, 1])
    chain = ViewAugment(dataclasses.replace(ALWAYS, clip=False))
    whole, choices = chain(y, generator=generator(), keys=keys), chain.draw(9, generator=generator(), keys=keys)
    for rows in ([0, 8], [4, 2, 3], list(range(8, -1, -1))):
        again = chain.draw(len(rows), generator=generator(), keys=keys[rows])
        for field in dataclasses.fields(choices):
            assert torch.equal(getattr(again, field.name), getattr(choices, field.name)[rows])
        part = chain(y[rows], generator=generator(), keys=keys[rows])
        assert torch.equal(part, whole[rows])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_do_not_matter(n_threads):
    before = torch.get_num_threads()
    y = clips(4)
    expected = ViewAugment(ALWAYS)(y, generator=generator())
    try:
        torch.set_num_threads(n_threads)
        assert torch.equal(ViewAugment(ALWAYS)(y, generator=generator()), expected)
    finally:
        torch.set_num_threads(before)


def test_the_same_bits_again_from_the_generator_alone():
    y = clips()
    kept, state = y.clone(), torch.random.get_rng_state()
    chain = ViewAugment(ALWAYS)
    once = chain(y, generator=generator(3))
    assert torch.equal(chain(y, generator=generator(3)), once)
    assert not torch.equal(chain(y, generator=generator(4)), once)
    used = generator(3)
    chain(y, generator=used)
    assert not torch.equal(chain(y, generator=used), once)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(y, kept)


def test_two_views_are_independent():
    chain = ViewAugment()
    y = clips(3)
    first, second = chain.pair(y, y.flip(1), generator=generator())
    assert first.shape == second.shape == y.shape
    keys = torch.arange(3)
    assert torch.equal(first, chain(y, generator=generator(), keys=2 * keys))
    assert torch.equal(second, chain(y.flip(1), generator=generator(), keys=2 * keys + 1))
    drawn = ViewAugment(ALWAYS).draw(8_000, generator=generator())
    for name in ("gain", "cents", "reverberance"):
        one, other = getattr(drawn, name).view(-1, 2).unbind(dim=1)
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.04


def test_what_exceeds_full_scale_is_clipped_where_sox_clips():
    y = 40 * clips()
    for name in ("pitch", "reverb"):
        clipped = ViewAugment(ALWAYS.only(name))(y, generator=generator())
        free = ViewAugment(dataclasses.replace(ALWAYS, clip=False).only(name))(y, generator=generator())
        assert free.abs().max() > 1
        torch.testing.assert_close(clipped, free.clamp(-1, 1))
    assert ViewAugment(ALWAYS.only("gain", "filter", "polarity"))(y, generator=generator()).abs().max() > 1


def test_no_gradient_is_kept_and_autocast_changes_nothing():
    y = clips(2).requires_grad_()
    plain = ViewAugment(ALWAYS)(y, generator=generator())
    assert not plain.requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ViewAugment(ALWAYS)(y, generator=generator()), plain)


def test_the_paths_that_settings_switch_differ():
    y = clips()
    for change in ({"filter_kind": "first_order"}, {"echo_factor": 0.2}, {"pitch_n_fft": 512}, {"room": (1, 100)}):
        other = ViewAugment(dataclasses.replace(ALWAYS, **change))(y, generator=generator())
        assert not torch.equal(other, ViewAugment(ALWAYS)(y, generator=generator())), change


def test_degenerate_batches():
    chain = ViewAugment(ALWAYS)
    assert chain(torch.zeros(0, 100), generator=generator()).shape == (0, 100)
    silent = chain(torch.zeros(3, 500), generator=generator())
    assert torch.equal(silent.abs(), torch.zeros(3, 500))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_device_gives_the_same():
    y = clips()
    on_device = ViewAugment(ALWAYS)(y.cuda(), generator=generator())
    torch.testing.assert_close(on_device.cpu(), ViewAugment(ALWAYS)(y, generator=generator()), atol=5e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": 1.5}, r"gain is a probability and must lie in \[0, 1\], got 1.5"),
        ({"reverb": float("nan")}, "reverb is a probability"),
        ({"gains": (0.0, -6.0)}, "gains must go from low to high"),
        ({"noise_levels": (-1.0, 1.0)}, "must not be negative"),
        ({"cents": -1}, "must not be negative"),
        ({"room": (0, 101)}, r"room must lie in \[0, 100\]"),
        ({"delays": ()}, "delays must be one or more"),
        ({"filter_kind": "brick"}, "'sinc' or 'first_order', got 'brick'"),
    ],
)
def test_impossible_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        ViewSettings(**change)


def test_impossible_calls_are_named():
    chain = ViewAugment()
    with pytest.raises(ValueError, match="no change is called 'tempo'; there are polarity, noise"):
        ViewSettings().only("gain", "tempo")
    with pytest.raises(ValueError, match=r"below half of the sample rate, 4000.0 Hz"):
        ViewAugment(sample_rate=8_000)
    with pytest.raises(ValueError, match="keys must be 2 of type int64"):
        chain(clips(2), generator=generator(), keys=torch.zeros(2))
    with pytest.raises(ValueError, match=r"float32 of shape \(2, time\), got torch.float64"):
        chain(clips(2).double(), generator=generator())
    with pytest.raises(ValueError, match=r"float32 of shape \(3, time\)"):
        chain.apply(clips(2), chain.draw(3, generator=generator()))
