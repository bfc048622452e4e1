"""Musical keys as the data sets write them, and the sides of songs by their artists."""

import hashlib
import re

import pandas as pd

from reprise.stats.tagging import KEYS

__all__ = ["KEYS", "artist_sides", "letters_only", "parse_key", "side_of"]

_KEY = re.compile(r"([A-G])([#b♯♭]?)[\s:]*(major|minor|maj|min)", re.IGNORECASE)
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTERATIONS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}


def parse_key(text: str) -> str | None:
    """One of ``KEYS``, whatever the spelling (``D# minor`` is ``Eb minor``); None for anything but a single key."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        return None
    tonic = (_STEPS[match[1].upper()] + _ALTERATIONS[match[2].lower()]) % 12
    return KEYS[tonic + (0 if match[3].lower().startswith("maj") else 12)]


def letters_only(name: str) -> str:
    """Small ASCII letters and single blanks of a name."""
    kept = [letter for letter in name.lower() if letter.isascii() and (letter.isalpha() or letter.isspace())]
    return " ".join("".join(kept).split())


def side_of(name: str, *, n_train: int, n_valid: int) -> str:
    """Side that the SHA-1 of a name decides on.

    Parameters
    ----------
    name : str
    n_train, n_valid : int, ≥ 1
        The remainder of the hash by their sum is compared with ``n_train``.

    Returns
    -------
    "train" or "valid"

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, Table S2, whose probes use the divisions of Castellon et al. 2021.
    Notebook: 03_tune.ipynb.
    """
    number = int(hashlib.sha1(name.encode("utf-8"), usedforsecurity=False).hexdigest(), 16)
    return "train" if number % (n_train + n_valid) < n_train else "valid"


def artist_sides(artists: "pd.Series[str]") -> "pd.Series[str]":
    """Sides of songs, so that no artist is on both.

    Parameters
    ----------
    artists : Series of str
        Names with commas between them.

    Returns
    -------
    Series of "train" or "valid"
        On the same index; about one song in five is on the validation side.

    Notes
    -----
    Each artist's name decides (16 of 116); whoever worked with a validation artist follows, and whoever worked with
    one of these. A song with artists on both sides after that is a validation song.
    """
    casts = [[name.strip() for name in text.split(",")] for text in artists]
    sides = {name: side_of(name.lower(), n_train=100, n_valid=16) for cast in casts for name in cast}
    for _ in range(2):
        for cast in casts:
            if any(sides[name] == "valid" for name in cast):
                sides.update(dict.fromkeys(cast, "valid"))
    found = ["valid" if any(sides[name] == "valid" for name in cast) else "train" for cast in casts]
    return pd.Series(found, index=artists.index, dtype=object)
