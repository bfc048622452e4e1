"""Random numbers that depend on a seed, a name and a clip's key, never on what was drawn before."""

import math

import torch
from torch import Tensor

from reprise.seeds import derive_seed

__all__ = ["normal", "stream", "uniform"]

# SplitMix64: the step of the counter and the two multipliers of the finaliser, as signed integers
STEP = 0x9E3779B97F4A7C15 - 2**64
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def stream(keys: Tensor, *, seed: int, name: str) -> Tensor:
    """Start one sequence of random numbers per key.

    Parameters
    ----------
    keys : Tensor [shape=(n,)], int64
        For example the clips' numbers in their table.
    seed : int
    name : str
        Of what the numbers are for: two names give independent sequences.

    Returns
    -------
    Tensor [shape=(n,)], int64
        For `uniform` and `normal`; entry ``i`` depends on ``keys[i]``, ``seed`` and ``name`` alone.
    """
    start = _mix(torch.full_like(keys, derive_seed(seed, name)))
    return _mix(start + STEP * keys)


def uniform(streams: Tensor, n: int) -> Tensor:
    """Draw the first numbers of each sequence.

    Parameters
    ----------
    streams : Tensor [shape=(batch,)], int64
    n : int
        Numbers per sequence; the first of ``n`` are those of fewer.

    Returns
    -------
    Tensor [shape=(batch, n)], float64, in [0, 1)
    """
    return _shift(_counted(streams, n), 11).double() * 2.0**-53


def normal(streams: Tensor, n: int) -> Tensor:
    r"""Draw the first numbers of each sequence from the normal distribution.

    Parameters
    ----------
    streams : Tensor [shape=(batch,)], int64
    n : int
        Numbers per sequence; the first of ``n`` are those of fewer.

    Returns
    -------
    Tensor [shape=(batch, n)], float32
        Mean 0, variance 1, none beyond 6.7.

    Notes
    -----
    Box and Muller: :math:`\sqrt{-2 \ln u} \cos 2 \pi v`, with the halves of one 64-bit number as :math:`u` and
    :math:`v`.
    """
    bits = _counted(streams, n)
    radius = ((_shift(bits, 32).double() + 0.5) * 2.0**-32).log_().mul_(-2.0).sqrt_()
    angle = (bits & 0xFFFFFFFF).double() * (2 * math.pi * 2.0**-32)
    return (radius * angle.cos_()).float()


def _counted(streams: Tensor, n: int) -> Tensor:
    counts = torch.arange(1, n + 1, device=streams.device)
    return _mix(streams[:, None] + STEP * counts)


def _mix(x: Tensor) -> Tensor:
    """Finaliser of SplitMix64; products of int64 wrap, as it wants."""
    x = (x ^ _shift(x, 30)) * FIRST
    x = (x ^ _shift(x, 27)) * SECOND
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros: torch's own shift copies the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
