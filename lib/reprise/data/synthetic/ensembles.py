"""Who plays in a piece and how a clip of it sounds, for the data sets of instruments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reprise.data.datasets._instruments import INSTRUMENTS
from reprise.data.synthetic.instruments import BASS, Make, Style, draw_make, draw_style, play
from reprise.data.synthetic.instruments.drums import play_drums
from reprise.data.synthetic.instruments.filters import unit_level
from reprise.data.synthetic.studio import Part, Studio, draw_studio, mix
from reprise.seeds import numpy_generator

__all__ = ["Balance", "Clip", "company", "deal", "quotas", "render"]

Audio = NDArray[np.float32]

_COMPANY = {
    "cla": {"pia": 4, "vio": 2, "cel": 2, "flu": 1, "org": 1, "cla": 1},
    "cou_fol": {"gac": 4, BASS: 3, "vio": 1, "gel": 1, "pia": 1},
    "jaz_blu": {"pia": 4, BASS: 5, "gel": 1, "sax": 1, "tru": 1, "org": 1},
    "lat_sou": {"gac": 3, BASS: 3, "pia": 2, "tru": 1, "flu": 1},
    "pop_roc": {BASS: 5, "gel": 4, "gac": 2, "pia": 1, "org": 1, "voi": 1},
}


@dataclass(frozen=True)
class Clip:
    """One file to be written.

    Attributes
    ----------
    index : int
        Position in the plan; part of the seed.
    path : str
        Relative to the data set's folder.
    piece : str
        Recording or song; clips of one piece share key, tempo, players and studio.
    genre : str
    labels : tuple of str
        Predominant instruments.
    company : tuple of str
        Others that play quietly.
    drums : bool
    seconds : float, s
    """

    index: int
    path: str
    piece: str
    genre: str
    labels: tuple[str, ...]
    company: tuple[str, ...]
    drums: bool
    seconds: float


@dataclass(frozen=True)
class Balance:
    """How a data set is recorded.

    Attributes
    ----------
    labelled, company, drums : (float, float), dB
        Gains from which those of a clip are drawn; the loudest labelled instrument has 0 dB.
    n_channels : int
    rough : bool
        See :func:`reprise.data.synthetic.studio.draw_studio`; players are less in tune, too.
    spoken : float, in [0, 1]
        Probability that a voice speaks instead of singing.
    """

    labelled: tuple[float, float]
    company: tuple[float, float]
    drums: tuple[float, float]
    n_channels: int = 2
    rough: bool = False
    spoken: float = 0.0

    def plain(self) -> dict[str, Any]:
        """All values, as they come back from JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def quotas(total: int, weights: Mapping[str, float], *, fewest: int = 0) -> dict[str, int]:
    """Divide a number after weights.

    Parameters
    ----------
    total : int
    weights : mapping
        Name to a positive number.
    fewest : int
        No name gets less, at the expense of the others.

    Returns
    -------
    dict
        Same names; the values sum to ``total`` or, where that is more, to ``fewest`` for each.
    """
    rare: set[str] = set()
    while True:
        left = max(total - fewest * len(rare), 0)
        common = {name: weight for name, weight in weights.items() if name not in rare}
        share = {name: left * weight / sum(common.values()) for name, weight in common.items()}
        small = {name for name, value in share.items() if value < fewest}
        if not small:
            break
        rare |= small
    whole = {name: int(share.get(name, fewest)) for name in weights}
    # largest remainders first
    spare = max(total - sum(whole.values()), 0) if share else 0
    for name in sorted(share, key=lambda name: whole[name] - share[name])[:spare]:
        whole[name] += 1
    return whole


def deal(
    sizes: Sequence[Sequence[int]], counts: dict[str, int], *, rng: np.random.Generator
) -> list[list[tuple[str, ...]]]:
    """Give labels to clips so that each is given as often as wanted, and clips of a piece have much in common.

    Parameters
    ----------
    sizes : sequence of sequence of int
        Number of labels of each clip of each piece.
    counts : dict
        Code to how often it is given in all.
    rng : numpy.random.Generator

    Returns
    -------
    list of list of tuple of str
        Labels in the usual order. No label goes to one piece more than half of the times, while others are left.
    """
    codes = list(counts)
    left = np.array([counts[code] for code in codes])
    most = np.maximum(1, (left + 1) // 2)
    n_left = sum(map(len, sizes))
    dealt = []
    for piece in sizes:
        used = np.zeros_like(left)
        # Gumbel's trick: a draw without replacement, as likely as much is left
        order = np.argsort(-np.log(np.maximum(left, 1e-9)) - rng.gumbel(size=len(codes)))
        favoured = np.isin(np.arange(len(codes)), order[: max(piece) + 1])
        labels = []
        for size in piece:
            weight = np.where(favoured, 20.0, 1.0) * left
            weight[used >= most] *= 1e-6
            weight[left >= n_left] += 1e6
            keys = np.where(left > 0, np.log(np.maximum(weight, 1e-12)) + rng.gumbel(size=len(codes)), -np.inf)
            chosen = [int(k) for k in np.argsort(-keys, kind="stable")[:size] if left[k] > 0]
            left[chosen] -= 1
            used[chosen] += 1
            n_left -= 1
            labels.append(tuple(code for code in INSTRUMENTS if code in {codes[k] for k in chosen}))
        dealt.append(labels)
    return dealt


def company(genre: str, labels: Iterable[str], *, n: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Instruments that accompany others.

    Parameters
    ----------
    genre : str
    labels : iterable of str
        Those that are there already.
    n : int
        How many.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of str
        None of the labels.
    """
    weights = {code: weight for code, weight in _COMPANY[genre].items() if code not in set(labels)}
    p = np.array(list(weights.values()), dtype=float)
    return tuple(str(code) for code in rng.choice(list(weights), size=min(n, len(p)), replace=False, p=p / p.sum()))


def _player(clip: Clip, code: str, *, seed: int, balance: Balance) -> Make:
    """The same player in all clips of a piece."""
    rng = numpy_generator(seed, "player", clip.piece, code)
    make = draw_make(code, rng)
    if code == "gel":
        # distortion is a matter of genre
        drive = make.traits["drive"] if clip.genre == "pop_roc" else 0.4 * make.traits["drive"]
        make = replace(make, traits=make.traits | {"drive": drive})
    if code == "sax" and clip.genre == "cla":
        make = replace(make, traits=make.traits | {"growl": 0.0})
    if balance.rough:
        make = replace(make, tuning=make.tuning + float(0.25 * rng.standard_normal()))
    return make


def _piece(clip: Clip, *, seed: int, balance: Balance) -> tuple[Style, Studio]:
    rng = numpy_generator(seed, "piece", clip.piece)
    return draw_style(clip.genre, rng), draw_studio(clip.genre, rng, rough=balance.rough)


def render(clip: Clip, *, seed: int, sample_rate: int, balance: Balance) -> Audio:
    """Audio of a clip.

    Parameters
    ----------
    clip : Clip
    seed : int
        Of the data set.
    sample_rate : int, Hz
    balance : Balance

    Returns
    -------
    ndarray [shape=(n_samples, n_channels)], float32, in [-1, 1]
    """
    style, studio = _piece(clip, seed=seed, balance=balance)
    rng = numpy_generator(seed, "clip", clip.piece, clip.index)
    style = style.anywhere(rng)
    size = {"n_samples": round(clip.seconds * sample_rate), "sample_rate": sample_rate}
    gains = rng.uniform(*balance.labelled, len(clip.labels))
    gains -= gains.max()
    gains = np.concatenate([gains, rng.uniform(*balance.company, len(clip.company))])
    parts = []
    for code, gain in zip((*clip.labels, *clip.company), gains, strict=True):
        spoken = code == "voi" and bool(rng.uniform() < balance.spoken)
        audio = play(_player(clip, code, seed=seed, balance=balance), style, rng=rng, spoken=spoken, **size)
        parts.append(Part(audio, float(gain), 0.0 if code in ("voi", BASS) else float(rng.uniform(-0.6, 0.6))))
    if clip.drums:
        audio = unit_level(play_drums(style, rng=rng, n_samples=size["n_samples"], sample_rate=sample_rate))
        parts.append(Part(audio, float(rng.uniform(*balance.drums)), 0.0))
    return mix(parts, studio, n_channels=balance.n_channels, sample_rate=sample_rate, rng=rng)
