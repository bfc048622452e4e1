"""Twenty singers who differ in tract, range, voice, habits, skill in each technique, and recording."""

from dataclasses import dataclass

import numpy as np

from reprise.data.datasets.vocalset import TECHNIQUES
from reprise.seeds import numpy_generator

__all__ = ["SINGERS", "Singer", "draw_singer"]

# kinds of voice as VocalSet's own description gives them
SINGERS = {
    "female1": "soprano",
    "female2": "soprano",
    "female3": "soprano",
    "female4": "soprano",
    "female5": "mezzo",
    "female6": "soprano",
    "female7": "soprano",
    "female8": "mezzo",
    "female9": "soprano",
    "male1": "baritone",
    "male2": "tenor",
    "male3": "tenor",
    "male4": "bass",
    "male5": "baritone",
    "male6": "baritone",
    "male7": "tenor",
    "male8": "bass",
    "male9": "countertenor",
    "male10": "baritone",
    "male11": "tenor",
}

# factor of the formants, lowest comfortable note (MIDI)
_KINDS = {
    "soprano": (1.19, 60.0),
    "mezzo": (1.14, 57.0),
    "countertenor": (1.03, 55.0),
    "tenor": (1.04, 48.0),
    "baritone": (1.0, 45.0),
    "bass": (0.95, 41.0),
}


@dataclass(frozen=True)
class Singer:
    """A voice and its microphone.

    Attributes
    ----------
    name : str
        Folder name, for example ``female1``.
    tract : float
        Factor of the formants of a 17.5 cm vocal tract.
    low : float
        Lowest comfortable note, MIDI number.
    quality : dict
        Modal voice: ``open_quotient``, ``tilt`` (dB), ``breath`` (dB), ``jitter``, ``shimmer``, ``ring``, ``damping``.
    vibrato_rate, vibrato_extent : float, Hz and semitones
        Habit, of the vibrato technique and of what slips into other takes.
    pulse_rate, lip_rate, fry_rate : float, Hz
        Habitual speed of trills, of lips, of creaking.
    glide : float, s
        Time from note to note.
    skill : dict
        Per technique in [0, 1]: how fully this singer does it.
    gain, noise, reverberation, wetness, brightness : float
        Recording level (dB), room noise (dB re full scale), decay time (s), level of the room (dB), tilt of the
        microphone (dB per octave).
    """

    name: str
    tract: float
    low: float
    quality: dict[str, float]
    vibrato_rate: float
    vibrato_extent: float
    pulse_rate: float
    lip_rate: float
    fry_rate: float
    glide: float
    skill: dict[str, float]
    gain: float
    noise: float
    reverberation: float
    wetness: float
    brightness: float


def draw_singer(name: str, *, seed: int) -> Singer:
    """The singer of that name in the data set of that seed.

    Parameters
    ----------
    name : str
        One of ``SINGERS``.
    seed : int

    Returns
    -------
    Singer
    """
    rng = numpy_generator(seed, "synthetic singer", name)
    tract, low = _KINDS[SINGERS[name]]
    quality = {
        "open_quotient": rng.uniform(0.5, 0.7),
        "tilt": rng.uniform(0.5, 4.5),
        "breath": rng.uniform(-46.0, -32.0),
        "jitter": np.exp(rng.uniform(np.log(0.002), np.log(0.008))),
        "shimmer": rng.uniform(0.02, 0.07),
        "ring": rng.uniform(0.1, 0.9),
        "damping": rng.uniform(0.9, 1.4),
    }
    return Singer(
        name=name,
        tract=tract * rng.normal(1.0, 0.03),
        low=low + rng.uniform(-1.0, 2.0),
        quality={key: float(value) for key, value in quality.items()},
        vibrato_rate=rng.uniform(5.0, 6.8),
        vibrato_extent=rng.uniform(0.35, 0.95),
        pulse_rate=rng.uniform(5.0, 7.6),
        lip_rate=rng.uniform(20.0, 30.0),
        fry_rate=rng.uniform(24.0, 55.0),
        glide=rng.uniform(0.05, 0.14),
        skill={technique: float(rng.uniform()) for technique in TECHNIQUES},
        gain=rng.normal(0.0, 4.0),
        noise=rng.uniform(-68.0, -52.0),
        reverberation=rng.uniform(0.15, 0.6),
        wetness=rng.uniform(-24.0, -10.0),
        brightness=rng.uniform(-1.0, 1.0),
    )
