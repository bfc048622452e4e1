"""Instruments that differ from one another: tuning, brightness, range, and what else a player or a maker decides."""

from dataclasses import dataclass

import numpy as np

from reprise.data.synthetic.singers import SINGERS

__all__ = ["BASS", "RANGES", "Make", "draw_make"]

BASS = "bas"
"""Code of the bass guitar, which accompanies and is never a label."""

RANGES = {
    "cel": (36.0, 70.0),
    "cla": (50.0, 86.0),
    "flu": (60.0, 92.0),
    "gac": (40.0, 76.0),
    "gel": (40.0, 80.0),
    "org": (36.0, 84.0),
    "pia": (30.0, 92.0),
    "sax": (46.0, 80.0),
    "tru": (54.0, 84.0),
    "vio": (55.0, 91.0),
    "voi": (41.0, 81.0),
    BASS: (28.0, 48.0),
}
"""Lowest and highest note in use, MIDI numbers; a singer's own range is narrower."""

# what a bowed string, a reed, a flute and a brass instrument have: see sustained.py
_BOWED = {
    "attack": (0.03, 0.11),
    "release": (0.04, 0.12),
    "glide": (0.03, 0.07),
    "vibrato_rate": (4.6, 6.4),
    "vibrato_extent": (0.12, 0.35),
    "vibrato_level": (0.5, 2.0),
    "vibrato_delay": (0.05, 0.3),
    "noise": (-36.0, -25.0),
    "burst": (2.0, 10.0),
    "point": (0.07, 0.16),
}
_TRAITS: dict[str, dict[str, tuple[float, float]]] = {
    "cel": _BOWED | {"cutoff": (1400.0, 3600.0)},
    "vio": _BOWED | {"cutoff": (2600.0, 6500.0)},
    "cla": {
        "attack": (0.012, 0.04),
        "release": (0.02, 0.06),
        "glide": (0.012, 0.03),
        "vibrato_rate": (4.5, 6.0),
        "vibrato_extent": (0.0, 0.08),
        "vibrato_level": (0.0, 0.8),
        "vibrato_delay": (0.1, 0.4),
        "noise": (-44.0, -32.0),
        "burst": (0.0, 6.0),
        "cutoff": (1250.0, 1900.0),
        "even": (0.015, 0.06),
    },
    "sax": {
        "attack": (0.012, 0.05),
        "release": (0.02, 0.08),
        "glide": (0.015, 0.06),
        "vibrato_rate": (4.5, 6.2),
        "vibrato_extent": (0.05, 0.35),
        "vibrato_level": (0.5, 2.5),
        "vibrato_delay": (0.1, 0.4),
        "noise": (-36.0, -22.0),
        "burst": (2.0, 10.0),
        "cutoff": (750.0, 1300.0),
        "growl": (-0.3, 0.5),
        "scoop": (0.0, 0.8),
    },
    "flu": {
        "attack": (0.03, 0.09),
        "release": (0.03, 0.09),
        "glide": (0.012, 0.04),
        "vibrato_rate": (4.4, 6.0),
        "vibrato_extent": (0.02, 0.15),
        "vibrato_level": (1.5, 5.0),
        "vibrato_delay": (0.05, 0.3),
        "noise": (-29.0, -17.0),
        "burst": (4.0, 14.0),
        "slope": (8.0, 14.0),
    },
    "tru": {
        "attack": (0.008, 0.035),
        "release": (0.02, 0.07),
        "glide": (0.012, 0.03),
        "vibrato_rate": (4.5, 6.0),
        "vibrato_extent": (0.0, 0.2),
        "vibrato_level": (0.2, 1.5),
        "vibrato_delay": (0.15, 0.4),
        "noise": (-50.0, -38.0),
        "burst": (0.0, 8.0),
        "cutoff": (900.0, 1400.0),
        "mute": (-2.5, 1.0),
        "scoop": (0.0, 0.4),
    },
    "gac": {
        "stiffness": (2e-5, 9e-5),
        "decay": (0.5, 1.6),
        "loss": (0.8, 2.4),
        "point": (0.08, 0.3),
        "softness": (1500.0, 6000.0),
        "noise": (-40.0, -28.0),
        "beating": (0.1, 0.8),
    },
    "gel": {
        "stiffness": (2e-5, 9e-5),
        "decay": (0.25, 0.8),
        "loss": (0.5, 1.6),
        "point": (0.06, 0.25),
        "pickup": (0.06, 0.25),
        "softness": (2500.0, 8000.0),
        "noise": (-46.0, -36.0),
        "beating": (0.05, 0.4),
        "drive": (0.0, 1.0),
        "cabinet": (3500.0, 6000.0),
        "chorus": (-0.6, 0.5),
    },
    BASS: {
        "stiffness": (4e-5, 2e-4),
        "decay": (0.6, 2.0),
        "loss": (1.5, 4.0),
        "point": (0.1, 0.3),
        "pickup": (0.1, 0.25),
        "softness": (500.0, 1800.0),
        "noise": (-46.0, -36.0),
        "beating": (0.02, 0.1),
        "drive": (0.0, 0.0),
        "cabinet": (1500.0, 3500.0),
        "chorus": (-1.0, -0.5),
    },
    "pia": {
        "stiffness": (2e-4, 7e-4),
        "decay": (0.5, 1.4),
        "loss": (0.5, 1.4),
        "point": (0.1, 0.14),
        "softness": (900.0, 3200.0),
        "noise": (-36.0, -24.0),
        "beating": (0.08, 0.7),
        "aftersound": (-20.0, -9.0),
    },
    "org": {
        "pipes": (0.0, 1.0),
        "chiff": (-32.0, -14.0),
        "attack": (0.006, 0.05),
        "release": (0.02, 0.09),
        "rotor": (-0.5, 1.0),
        "registration": (0.0, 1.0),
        "wind": (-58.0, -42.0),
    },
    "voi": {"singer": (0.0, float(len(SINGERS)))},
}


@dataclass(frozen=True)
class Make:
    """One instrument in the hands of one player.

    Attributes
    ----------
    code : str
        One of ``RANGES``.
    seed : int
        Of what is too fine for a number here: body modes, a pipe's voicing, a singer.
    tuning : float, semitones
    tilt : float, dB per octave
        Of the whole spectrum.
    low, high : float, MIDI numbers
        Range that is used.
    dynamic : float, in [0, 1]
        How hard it is played on the whole.
    traits : dict
        What the instrument has beyond that, by name.
    """

    code: str
    seed: int
    tuning: float
    tilt: float
    low: float
    high: float
    dynamic: float
    traits: dict[str, float]


def draw_make(code: str, rng: np.random.Generator) -> Make:
    """An instrument of a kind.

    Parameters
    ----------
    code : str
        One of IRMAS's eleven codes, or ``BASS``.
    rng : numpy.random.Generator

    Returns
    -------
    Make

    Raises
    ------
    ValueError
        If there is no such instrument.
    """
    if code not in _TRAITS:
        raise ValueError(f"there is no instrument {code!r}; known: {', '.join(_TRAITS)}")
    low, high = RANGES[code]
    return Make(
        code=code,
        seed=int(rng.integers(2**31)),
        tuning=float(0.07 * rng.standard_normal()),
        tilt=float(rng.uniform(-1.6, 1.6)),
        low=low + float(rng.uniform(0.0, 4.0)),
        high=high - float(rng.uniform(0.0, 5.0)),
        dynamic=float(rng.uniform(0.35, 0.9)),
        traits={name: float(rng.uniform(*limits)) for name, limits in _TRAITS[code].items()},
    )
