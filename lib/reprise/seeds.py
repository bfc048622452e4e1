"""Seeds and generators derived from names and counters, never from global state."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["derive_seed", "numpy_generator", "torch_generator"]


def derive_seed(*parts: int | str) -> int:
    """Seed that depends on the given parts and on nothing else.

    Parameters
    ----------
    *parts : int or str
        For example ``(seed, "dropout", epoch)``. Order matters; ``1`` and ``"1"`` differ.

    Returns
    -------
    int
        In [0, 2**63). Equal on every machine and Python version.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """NumPy generator seeded by :func:`derive_seed` of the parts."""
    return np.random.default_rng(derive_seed(*parts))


def torch_generator(*parts: int | str, device: str = "cpu") -> "torch.Generator":
    """Torch generator on ``device`` seeded by :func:`derive_seed` of the parts."""
    import torch

    return torch.Generator(device=device).manual_seed(derive_seed(*parts))
