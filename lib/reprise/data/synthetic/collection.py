"""Collections of pieces: which kinds, on which side of a split, checked and written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from reprise.data.synthetic.ensembles import quotas
from reprise.data.synthetic.folder import generate, write_clips
from reprise.data.synthetic.tracks import Passage, render_passage

__all__ = ["SAMPLE_RATES", "SECONDS", "artist_name", "check_range", "deal_kinds", "shares", "write_collection"]

SAMPLE_RATES = (8000, 192000)
"""Lowest and highest sample rate that is written, Hz."""
SECONDS = (1.0, 60.0)
"""Shortest and longest clip, s."""
WORKERS = (1, 4096)

_CONSONANTS, _VOWELS = "bdfgklmnprst", "aeiou"


def check_range(**values: tuple[float, tuple[float, float]]) -> None:
    """Refuse a number that is out of its range.

    Parameters
    ----------
    **values
        Name to number and (lowest, highest).

    Raises
    ------
    ValueError
        If one is; the message has its name, the range and the number.
    """
    for name, (value, (low, high)) in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} must lie in [{low:g}, {high:g}], not {value}")


def artist_name(number: int) -> str:
    """Invented name, another one for each number, of letters alone: some loaders divide artists by their letters.

    Parameters
    ----------
    number : int, >= 0

    Returns
    -------
    str
        ``Procedural`` and a word of syllables.
    """
    word = ""
    while number or len(word) < 6:
        number, syllable = divmod(number, len(_CONSONANTS) * len(_VOWELS))
        word += _CONSONANTS[syllable // len(_VOWELS)] + _VOWELS[syllable % len(_VOWELS)]
    return f"Procedural {word.capitalize()}"


def shares(total: int, weights: Mapping[str, float], *, rng: np.random.Generator) -> dict[str, int]:
    """Divide a number after weights; who gets what is left over by rounding down is drawn.

    Parameters
    ----------
    total : int, >= 0
    weights : mapping
        Name to a positive number.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Same names; the values sum to ``total`` and are on average nearly in proportion to the weights.
    """
    exact = np.array(list(weights.values()), dtype=float)
    exact *= total / exact.sum()
    whole = np.floor(exact + 1e-9).astype(int)
    spare = total - int(whole.sum())
    if spare:
        # without replacement: nobody gets two of the left-overs, or small sets would lose their variety
        part = np.maximum(exact - whole, 1e-9)
        whole[rng.choice(len(whole), size=spare, replace=False, p=part / part.sum())] += 1
    return dict(zip(weights, whole.tolist(), strict=True))


def deal_kinds(
    n_tracks: int, kinds: Mapping[str, float], *, sides: Mapping[str, float], rng: np.random.Generator
) -> list[tuple[str, str]]:
    """Side and kind of each piece, so that every side has the same mixture of kinds.

    Parameters
    ----------
    n_tracks : int
    kinds, sides : mapping
        Name to weight.
    rng : numpy.random.Generator
        Draws the order within a side, and which of the rare kinds a small side gets.

    Returns
    -------
    list of (str, str)
        Side and kind; side after side. Each side has at least one piece where there are enough.
    """
    dealt = []
    for side, count in quotas(n_tracks, sides, fewest=1).items():
        whole = shares(count, kinds, rng=rng)
        names = np.repeat(list(whole), list(whole.values()))
        dealt += [(side, str(name)) for name in rng.permutation(names)]
    return dealt


def write_collection(
    target: Path,
    fill: Callable[[Path], Sequence[Passage]],
    *,
    dataset: str,
    format_version: int,
    seed: int,
    sizes: Mapping[str, float],
    ranges: Mapping[str, tuple[float, float]],
    sample_rate: int,
    workers: int | None,
) -> Path:
    """Write a data set of passages, unless the same one is there.

    Parameters
    ----------
    target : Path
        Final folder of the data set.
    fill : callable
        Called with an empty folder, writes lists and labels into it and returns what is to be rendered beside them.
    dataset : str
        Name of the loader.
    format_version : int
        Raised when the same sizes give other content.
    seed : int
    sizes : mapping
        Name to value of all that decides the content, among them ``seconds``.
    ranges : mapping
        Name to (lowest, highest) of each size but ``seconds``, which lies in `SECONDS`.
    sample_rate : int, Hz, in `SAMPLE_RATES`
    workers : int, >= 1, optional
        Threads; default one per processor. The bytes do not depend on it.

    Returns
    -------
    Path
        ``target``, with 16-bit files.

    Raises
    ------
    ValueError
        If a number is out of its range.
    FileExistsError
        If there is a folder of that name that was not written here.
    """
    limits = {**ranges, "seconds": SECONDS}
    check_range(
        **{name: (value, limits[name]) for name, value in sizes.items()},
        sample_rate=(sample_rate, SAMPLE_RATES),
        workers=(1 if workers is None else workers, WORKERS),
    )

    def write(folder: Path) -> None:
        write_clips(
            fill(folder),
            lambda passage: render_passage(passage, seed=seed, sample_rate=sample_rate),
            folder=folder,
            sample_rate=sample_rate,
            workers=workers,
            name=target.name,
        )

    parameters = {
        "dataset": dataset,
        "format_version": format_version,
        "seed": seed,
        **sizes,
        "sample_rate": sample_rate,
    }
    return generate(target, parameters=parameters, fill=write)
