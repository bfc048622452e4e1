"""Random numbers by counting: the published values of SplitMix64, their distribution, and what they depend on."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reprise.audio.counters import normal, stream, uniform

# the first outputs of Vigna's splitmix64.c for the state 0
SPLITMIX = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC)


def test_the_numbers_are_those_of_splitmix64():
    drawn = uniform(torch.zeros(1, dtype=torch.int64), 4)[0]
    assert drawn.tolist() == [(value >> 11) / 2**53 for value in SPLITMIX]


@given(state=st.integers(0, 2**64 - 1), n=st.integers(1, 5))
def test_arithmetic_wraps_as_that_of_64_bits_without_a_sign(state, n):
    mask = 2**64 - 1
    z = (state + n * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    signed = torch.tensor([state - 2**64 if state >= 2**63 else state])
    assert uniform(signed, n)[0, -1].item() == (z >> 11) / 2**53


@pytest.mark.parametrize("along", ["keys", "counts"])
def test_uniform_numbers_are_uniform_along(along):
    n_keys, n = (20_000, 1) if along == "keys" else (1, 20_000)
    drawn = uniform(stream(torch.arange(n_keys), seed=3, name="x"), n).flatten().numpy()
    assert stats.kstest(drawn, stats.uniform().cdf).pvalue > 0.01
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02
    # the low bits count as well
    assert stats.kstest(drawn * 2**20 % 1, stats.uniform().cdf).pvalue > 0.01


def test_normal_numbers_are_normal():
    drawn = normal(stream(torch.arange(4), seed=0, name="noise"), 50_000)
    assert drawn.dtype == torch.float32
    assert drawn.abs().max() < 6.8
    for row in drawn.numpy():
        assert stats.kstest(row, stats.norm().cdf).pvalue > 0.01
        assert row.std() == pytest.approx(1, abs=0.01)
    assert np.abs(np.corrcoef(drawn.numpy()) - np.eye(4)).max() < 0.02
    spectrum = np.abs(np.fft.rfft(drawn[0].numpy())) ** 2
    assert stats.kstest(spectrum[1:-1] / 50_000, stats.expon().cdf).pvalue > 0.01


@given(keys=st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=6, unique=True), seed=st.integers(0, 2**62))
def test_a_key_has_its_numbers_whatever_stands_beside_it(keys, seed):
    together = uniform(stream(torch.tensor(keys), seed=seed, name="x"), 3)
    for row, key in zip(together, keys, strict=True):
        assert torch.equal(uniform(stream(torch.tensor([key]), seed=seed, name="x"), 2)[0], row[:2])
    assert len(set(together[:, 0].tolist())) == len(keys)


def test_seeds_and_names_give_other_numbers():
    keys = torch.arange(5_000)
    columns = [uniform(stream(keys, seed=seed, name=name), 1)[:, 0].numpy() for seed in (0, 1) for name in ("a", "b")]
    assert np.abs(np.corrcoef(columns) - np.eye(4)).max() < 0.06
