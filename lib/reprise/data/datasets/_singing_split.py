"""Which songs train, validate and test a singing vocoder, and which few are left where data are scarce."""

import pandas as pd

from reprise.data.table import disjoint_split
from reprise.seeds import numpy_generator

__all__ = ["PAPER_TEST", "PAPER_VALID", "choose_recordings", "divide"]

# songs on the authors' demo page, and their validation side of the female singer
PAPER_TEST = {"f1": ("037", "142", "143"), "m1": ("028", "073", "104")}
# fmt: off
PAPER_VALID = {
    "f1": (
        "002", "004", "005", "011", "020", "024", "025", "027", "031", "033", "036", "038",
        "051", "053", "074", "086", "092", "106", "107", "108", "109", "124", "133", "147",
    ),
}
# fmt: on
OPENCPOP_TEST = ("2044", "2086", "2092", "2093", "2100")
N_TEST = 3
SHARE_TEST = 0.2
SHARE_VALID = 24 / 150
FEWEST_TRAINING = 3


def _published(files: pd.DataFrame, layout: str) -> pd.Series:
    """Sides that the data set or the paper fixes, None elsewhere."""
    if layout == "opencpop":
        return files["song"].isin(OPENCPOP_TEST).map({True: "test", False: None}).astype(object)
    sides = pd.Series(None, index=files.index, dtype=object)
    if layout == "mpop600":
        for name, table in (("valid", PAPER_VALID), ("test", PAPER_TEST)):
            listed = [
                song in table.get(singer, ()) for singer, song in zip(files["singer"], files["song"], strict=True)
            ]
            sides[listed] = name
    return sides


def _draw(files: pd.DataFrame, n_songs: int, *, seed: int) -> pd.Series:
    """Whether a song is drawn: about so many, from every singer who has others left."""
    total = files["group"].nunique()
    if not 0 < n_songs < total:
        return pd.Series(False, index=files.index)
    return disjoint_split(files, fraction_test=n_songs / total, seed=seed, label="singer") == "test"


def _seeded(files: pd.DataFrame, *, n_test: int | None, n_valid: int | None, seed: int, notes: list[str]) -> pd.Series:
    n_songs, n_singers = files["group"].nunique(), files["singer"].nunique()
    sides = pd.Series("train", index=files.index, dtype=object)
    if n_songs < 2:
        notes.append("There is one song only: it is for training, and there is no test side.")
        return sides
    n_test = max(1, min(N_TEST * n_singers, round(SHARE_TEST * n_songs))) if n_test is None else n_test
    sides[_draw(files, n_test, seed=seed)] = "test"
    rest = files[sides == "train"]
    left = rest["group"].nunique()
    if n_valid is None:
        n_valid = min(round(SHARE_VALID * n_songs), max(0, left - FEWEST_TRAINING * n_singers))
    sides[rest.index[_draw(rest, n_valid, seed=seed + 1)]] = "valid"
    counts = files["group"].groupby(sides).nunique()
    told = ", ".join(f"{counts.get(side, 0)} {side}" for side in ("train", "valid", "test"))
    notes.append(f"Songs were divided with seed {seed}: {told}.")
    return sides


def divide(
    files: pd.DataFrame,
    *,
    layout: str,
    split: str,
    n_test: int | None,
    n_valid: int | None,
    seed: int,
    notes: list[str],
) -> pd.Series:
    """Side of every file, no song on two.

    Parameters
    ----------
    files : DataFrame
        ``group``, ``singer``, ``song`` and ``side`` (what its folder says).
    layout : str
    split : str
        ``given`` or ``seeded``.
    n_test, n_valid : int or None
        Songs.
    seed : int
    notes : list of str
        Is added to.

    Returns
    -------
    Series of "train", "valid" or "test"
    """
    if split == "given":
        for sides, whose in ((files["side"], "folders"), (_published(files, layout), "published list")):
            if not (sides == "test").any():
                continue
            unsaid = sides.isna()
            if whose == "folders" and unsaid.any():
                notes.append(f"{unsaid.sum()} files lie in no side's folder: they are for training.")
            sides = sides.fillna("train")
            if (sides == "train").any():
                notes.append(f"The sides are those of the {whose}.")
                return sides
    return _seeded(files, n_test=n_test, n_valid=n_valid, seed=seed, notes=notes)


def choose_recordings(files: pd.DataFrame, *, n_recordings: int, choice: int, seed: int, notes: list[str]) -> list[str]:
    """Training songs of the scenario with few recordings.

    Parameters
    ----------
    files : DataFrame
        Training files: ``group`` and ``singer``.
    n_recordings : int, > 0
        Songs of each singer.
    choice : int, >= 0
        Which choice.
    seed : int
    notes : list of str
        Is added to.

    Returns
    -------
    list of str
        Groups, sorted.

    Notes
    -----
    The songs of a singer are shuffled and dealt out: choices have no song in common as long as the songs last, then
    they are shuffled anew.
    """
    chosen: set[str] = set()
    for singer, part in files.groupby("singer", sort=True):
        songs = sorted(part["group"].unique())
        n = min(n_recordings, len(songs))
        if n < n_recordings:
            notes.append(f"{singer} has {n} training songs, fewer than {n_recordings}: all of them are taken.")
        hands = len(songs) // n
        deal, hand = divmod(choice, hands)
        if deal:
            notes.append(f"{singer} has {hands} choices without common songs; number {choice} is drawn anew.")
        order = numpy_generator(seed, "few recordings", str(singer), deal).permutation(len(songs))
        chosen |= {songs[k] for k in order[hand * n : (hand + 1) * n]}
    return sorted(chosen)
