"""How often and how strongly a view of a recording is changed."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TRANSFORMS", "ViewSettings"]

TRANSFORMS = ("polarity", "noise", "gain", "filter", "delay", "pitch", "reverb")
"""In the order in which they are applied; random crops come before them, where the audio is read."""


@dataclass(frozen=True)
class ViewSettings:
    """How often each change is made, and between which limits; the defaults are those of the code behind the paper.

    Attributes
    ----------
    polarity, noise, gain, filter, delay, pitch, reverb : float, 0 to 1
        Probability of each change; 0 leaves it out.
    noise_levels : tuple of float, ≥ 0
        Standard deviation of the noise per standard deviation of the clip, uniform between both.
    gains : tuple of float, dB
        Uniform between both.
    high_pass, low_pass : tuple of float, Hz
        Cut-off frequency, uniform between both; either filter with probability 1/2.
    filter_kind : str
        ``"sinc"`` is steep, as in the code behind the paper; ``"first_order"`` is CLMR's first code.
    delays : tuple of float, ms
        One of them is chosen.
    echo_factor : float
        Of the delayed copy.
    cents : int ≥ 0
        Pitch shifts are whole numbers of cents, uniform in [-cents, cents].
    pitch_n_fft : int, samples, a multiple of 4
        Window of the phase vocoder.
    room : tuple of int, 0 to 100
        Reverberance, damping and room scale: three whole numbers, each uniform between both, limits included.
    clip : bool
        Clip to [-1, 1] after the pitch shift and after the reverb, as sox does with both.

    Raises
    ------
    ValueError
        If a probability or a range makes no sense; the message names it.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1: "following their setup with data augmentations". Probabilities
    and ranges: the configuration of CLMR's and of the authors' code. Notebook: 03_tune.ipynb.
    """

    polarity: float = 0.8
    noise: float = 0.01
    gain: float = 0.3
    filter: float = 0.8
    delay: float = 0.3
    pitch: float = 0.6
    reverb: float = 0.6
    noise_levels: tuple[float, float] = (1e-4, 1e-2)
    gains: tuple[float, float] = (-20.0, -1.0)
    high_pass: tuple[float, float] = (200.0, 1200.0)
    low_pass: tuple[float, float] = (2200.0, 4000.0)
    filter_kind: Literal["sinc", "first_order"] = "sinc"
    delays: tuple[float, ...] = (200.0, 250.0, 300.0, 350.0, 400.0, 450.0)
    echo_factor: float = 0.5
    cents: int = 700
    pitch_n_fft: int = 2048
    room: tuple[int, int] = (0, 99)
    clip: bool = True

    def __post_init__(self) -> None:
        for name in TRANSFORMS:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability and must lie in [0, 1], got {getattr(self, name)}")
        for name in ("noise_levels", "gains", "high_pass", "low_pass", "room"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"{name} must go from low to high, got {getattr(self, name)}")
        if self.noise_levels[0] < 0 or self.cents < 0:
            raise ValueError(f"noise_levels and cents must not be negative, got {self.noise_levels} and {self.cents}")
        if not 0 <= self.room[0] <= self.room[1] <= 100:
            raise ValueError(f"room must lie in [0, 100], got {self.room}")
        if not self.delays or min(self.delays) < 0:
            raise ValueError(f"delays must be one or more numbers that are not negative, got {self.delays}")
        if self.filter_kind not in ("sinc", "first_order"):
            raise ValueError(f"filter_kind must be 'sinc' or 'first_order', got {self.filter_kind!r}")

    def only(self, *names: str) -> "ViewSettings":
        """Settings with these changes as they are, and no others.

        Raises
        ------
        ValueError
            If a name is none of `TRANSFORMS`.
        """
        _check_names(names)
        return self.without(*(name for name in TRANSFORMS if name not in names))

    def without(self, *names: str) -> "ViewSettings":
        """Settings without these changes.

        Raises
        ------
        ValueError
            If a name is none of `TRANSFORMS`.
        """
        _check_names(names)
        never: dict[str, Any] = dict.fromkeys(names, 0.0)
        return dataclasses.replace(self, **never)


def _check_names(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in TRANSFORMS]
    if unknown:
        raise ValueError(f"no change is called {unknown[0]!r}; there are {', '.join(TRANSFORMS)}")
