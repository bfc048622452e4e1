"""Kinds of music: who plays, how fast, how loud, in which scales and with which drums."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reprise.data.synthetic.instruments.drums import Pattern

__all__ = ["KINDS", "PATTERNS", "SCALES", "Kind"]

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "bhairav": (0, 1, 4, 5, 7, 8, 11),
    "strange": (0, 1, 3, 4, 6, 8, 10),
}
"""Semitones above the tonic; the last two belong to Indian and to weird music."""

_EVERY = tuple(float(k) for k in range(8))
_OFF = (1.0, 3.0, 5.0, 7.0)

PATTERNS: dict[str, Pattern] = {
    "backbeat": ((0, 4), (2, 6), _EVERY),
    "train": ((0, 4), (2, 6), _OFF),
    "swing": ((0,), (2, 6), (0, 2, 3, 4, 6, 7)),
    "four": ((0, 2, 4, 6), (2, 6), _OFF),
    "disco": ((0, 2, 4, 6), (2, 6), _EVERY),
    "break": ((0, 1.5, 5), (2, 6), tuple(0.5 * k for k in range(16))),
    "one drop": ((4,), (4,), _OFF),
    "double": (_EVERY, (2, 6), (0, 2, 4, 6)),
    "tabla": ((0, 3, 4, 7), (1, 3, 6), ()),
}
"""Eighths of a bar at which bass drum, snare drum and cymbals are struck."""


@dataclass(frozen=True)
class Kind:
    """How music of a kind is made; all of it is invented, in the manner of each.

    Attributes
    ----------
    manner : str
        One of ``instruments.GENRES``, whose rooms, note lengths and habits it shares.
    tempo : (float, float), beats per minute
    leads, company : mapping of str to float
        Player to weight; see ``players.PLAYERS``.
    scales : mapping of str to float
        Name in ``SCALES`` to weight.
    n_company : (int, int)
        Fewest and most who accompany.
    second : float, in [0, 1]
        Probability of a second lead.
    drums : float, in [0, 1]
        Probability that there are any.
    pattern : str
        One of ``PATTERNS``.
    level : (float, float), dB
        Peak re full scale.
    """

    manner: str
    tempo: tuple[float, float]
    leads: Mapping[str, float]
    company: Mapping[str, float]
    scales: Mapping[str, float] = field(default_factory=lambda: {"major": 1.0, "minor": 1.0})
    n_company: tuple[int, int] = (1, 2)
    second: float = 0.2
    drums: float = 0.0
    pattern: str = "backbeat"
    level: tuple[float, float] = (-4.0, 0.0)


_MINOR = {"minor": 3.0, "major": 1.0}
_MAJOR = {"major": 3.0, "minor": 1.0}
_JAZZ = {"major": 1.0, "dorian": 1.0, "minor": 1.0}

KINDS: dict[str, Kind] = {
    "classical": Kind(
        "cla",
        (48.0, 150.0),
        {"pia": 4, "vio": 4, "cel": 2, "flu": 2, "gac": 2, "cla": 1},
        {"pia": 3, "vio": 3, "cel": 3, "flu": 1, "cla": 1},
        n_company=(0, 2),
        second=0.35,
        level=(-20.0, -3.0),
    ),
    "baroque": Kind(
        "cla",
        (60.0, 150.0),
        {"harpsichord": 7, "flu": 1, "vio": 1, "org": 1},
        {"cel": 3, "vio": 2, "harpsichord": 2},
        n_company=(0, 1),
        level=(-16.0, -4.0),
    ),
    "opera": Kind(
        "cla",
        (50.0, 110.0),
        {"female": 5, "male": 3},
        {"vio": 3, "pia": 3, "cel": 2, "flu": 1},
        second=0.1,
        level=(-12.0, -1.0),
    ),
    "choral": Kind(
        "cla", (48.0, 90.0), {"choir": 1}, {"org": 3, "pia": 1, "cel": 1}, n_company=(0, 1), level=(-16.0, -4.0)
    ),
    "rock": Kind(
        "pop_roc",
        (90.0, 170.0),
        {"distorted": 4, "male": 3, "gel": 2, "female": 1},
        {"bas": 5, "gel": 3, "distorted": 3, "org": 1},
        n_company=(2, 2),
        drums=0.95,
        level=(-2.0, 0.0),
    ),
    "metal": Kind(
        "pop_roc",
        (130.0, 190.0),
        {"distorted": 1},
        {"bas": 4, "male": 2},
        scales=_MINOR,
        n_company=(1, 2),
        second=0.0,
        drums=1.0,
        pattern="double",
        level=(-0.8, 0.0),
    ),
    "pop": Kind(
        "pop_roc",
        (84.0, 132.0),
        {"female": 4, "male": 3, "pia": 1, "gac": 1},
        {"bas": 4, "pia": 3, "gac": 3, "pad": 2, "gel": 2},
        scales=_MAJOR,
        n_company=(2, 2),
        drums=0.85,
        level=(-3.0, 0.0),
    ),
    "country": Kind(
        "cou_fol",
        (84.0, 140.0),
        {"gac": 4, "male": 3, "female": 1, "vio": 2},
        {"gac": 4, "bas": 3, "gel": 1, "vio": 1},
        scales={"major": 1.0},
        n_company=(1, 2),
        second=0.5,
        drums=0.5,
        pattern="train",
        level=(-6.0, -1.0),
    ),
    "jazz": Kind(
        "jaz_blu",
        (80.0, 180.0),
        {"sax": 4, "tru": 3, "pia": 3, "gel": 1, "female": 1, "cla": 1},
        {"pia": 3, "bas": 5, "gel": 1},
        scales=_JAZZ,
        n_company=(1, 2),
        drums=0.8,
        pattern="swing",
        level=(-8.0, -1.0),
    ),
    "blues": Kind(
        "jaz_blu",
        (60.0, 110.0),
        {"gel": 4, "male": 3, "org": 1},
        {"gel": 3, "bas": 4, "pia": 2, "gac": 1},
        scales={"dorian": 1.0},
        n_company=(1, 2),
        drums=0.7,
        pattern="swing",
        level=(-6.0, -1.0),
    ),
    "techno": Kind(
        "pop_roc",
        (122.0, 150.0),
        {"lead": 3, "arpeggiator": 4},
        {"synth bass": 4, "pad": 3, "arpeggiator": 1},
        scales=_MINOR,
        drums=1.0,
        pattern="four",
        level=(-1.5, 0.0),
    ),
    "dance": Kind(
        "pop_roc",
        (118.0, 134.0),
        {"lead": 3, "female": 3, "arpeggiator": 2},
        {"synth bass": 4, "pad": 3},
        n_company=(2, 2),
        drums=1.0,
        pattern="disco",
        level=(-1.5, 0.0),
    ),
    "disco": Kind(
        "pop_roc",
        (112.0, 130.0),
        {"female": 3, "male": 2, "lead": 1, "gel": 2},
        {"bas": 4, "gel": 3, "pad": 2, "vio": 1},
        n_company=(2, 2),
        drums=1.0,
        pattern="disco",
        level=(-3.0, 0.0),
    ),
    "hiphop": Kind(
        "pop_roc",
        (80.0, 104.0),
        {"rapper": 1},
        {"synth bass": 4, "pia": 1, "bells": 2, "pad": 1},
        scales=_MINOR,
        n_company=(1, 2),
        drums=1.0,
        pattern="break",
        level=(-2.0, 0.0),
    ),
    "reggae": Kind(
        "lat_sou",
        (66.0, 92.0),
        {"male": 3, "female": 1, "org": 1},
        {"bas": 5, "gel": 3, "org": 3},
        n_company=(2, 2),
        drums=1.0,
        pattern="one drop",
        level=(-5.0, -1.0),
    ),
    "ambient": Kind(
        "cla",
        (48.0, 80.0),
        {"pad": 1},
        {"bells": 3, "pad": 2, "harp": 1},
        n_company=(0, 1),
        second=0.0,
        level=(-24.0, -6.0),
    ),
    "new age": Kind(
        "cla",
        (52.0, 90.0),
        {"flu": 3, "harp": 4, "pia": 2, "female": 1},
        {"pad": 4, "harp": 1},
        scales=_MAJOR,
        n_company=(1, 1),
        level=(-20.0, -6.0),
    ),
    "indian": Kind(
        "lat_sou",
        (60.0, 140.0),
        {"sitar": 6, "flu": 1, "male": 1},
        {"sitar": 1},
        scales={"bhairav": 1.0},
        n_company=(0, 1),
        second=0.1,
        drums=0.6,
        pattern="tabla",
        level=(-12.0, -2.0),
    ),
    "weird": Kind(
        "jaz_blu",
        (60.0, 160.0),
        {"sweep": 3, "bells": 2},
        {"sweep": 1, "bells": 1, "lead": 1, "pad": 1},
        scales={"strange": 1.0},
        n_company=(0, 1),
        second=0.3,
        drums=0.25,
        pattern="break",
        level=(-14.0, -1.0),
    ),
}
"""Kinds by name: those of GTZAN, and what MagnaTagATune's tags name beside."""
