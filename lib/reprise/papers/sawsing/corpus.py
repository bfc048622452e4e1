"""The singers of a run and their songs: found, divided, decoded and labelled."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reprise.data import datasets
from reprise.data.f0 import label
from reprise.data.wavebank import WaveBank
from reprise.files import sha256_json
from reprise.papers.sawsing.conditions import songs_config
from reprise.papers.sawsing.songs import SHORTEST_SECONDS, Songs, voice_of
from reprise.papers.sawsing.trials import SongsConfig

if TYPE_CHECKING:
    from reprise.papers.session import Session

__all__ = ["Collection", "Songs", "SongsConfig", "open_collection", "open_songs", "voice_of"]

# one song in so many is on the test side at most, where sides are drawn
LARGEST_TEST = 5


@dataclass(frozen=True, kw_only=True)
class Collection:
    """All singers of a run.

    Attributes
    ----------
    singers : dict of str to Songs
        In the order in which they are trained on.
    folder : Path
        Of the data set.
    notes : list of str
        Of the choice of singers; each singer has notes beside.
    """

    singers: dict[str, Songs]
    folder: Path
    notes: list[str] = field(default_factory=list)

    @property
    def evidence(self) -> str:
        """``synthetic``, ``excerpt`` or ``full``."""
        return next(iter(self.singers.values())).evidence

    @cached_property
    def fingerprint(self) -> str:
        """Identity of all singers' recordings."""
        return sha256_json({name: songs.fingerprint for name, songs in self.singers.items()})


def _divided(config: SongsConfig, folder: Path, notes: list[str]) -> pd.DataFrame:
    """Recordings with sides: given ones, else drawn with as many test and validation songs as the others allow."""
    given = datasets.load("singing", folder, singer=config.singer, seed=config.split_seed, n_test=0, n_valid=0)
    if (given["split"] == "test").any():
        return given
    n_songs = given["group"].nunique()
    if n_songs < 2:
        raise ValueError(
            f"{config.singer} has {n_songs} song, which cannot be trained and tested on; give a folder with two songs "
            "or more of a singer, for example one recording cut in two"
        )
    n_test = min(config.n_test_songs, max(1, n_songs // LARGEST_TEST))
    n_valid = min(config.n_valid_songs, (n_songs - n_test) // 2)
    if (n_test, n_valid) != (config.n_test_songs, config.n_valid_songs):
        notes.append(
            f"{config.singer} has {n_songs} songs, too few for {config.n_test_songs} test and {config.n_valid_songs} "
            f"validation songs: {n_test} and {n_valid}."
        )
    return datasets.load(
        "singing", folder, singer=config.singer, seed=config.split_seed, n_test=n_test, n_valid=n_valid
    )


@lru_cache(maxsize=16)
def open_songs(config: SongsConfig, folder: Path) -> Songs:
    """Read, divide, decode and label the recordings of one singer; a second call in one process costs nothing.

    Parameters
    ----------
    config : SongsConfig
    folder : Path
        Of the data set.

    Returns
    -------
    Songs

    Raises
    ------
    ValueError
        If there is no such singer, or there are too few usable songs to train and test.
    """
    notes: list[str] = []
    table = _divided(config, folder, notes)
    notes += table.attrs["notes"]
    for problem in table.attrs["problems"][:5]:
        notes.append(f"{Path(problem['path']).name}: {problem['reason']} ({problem['action']}).")
    bank = WaveBank.build(table, sample_rate=config.sample_rate)
    if len(bank.problems):
        reasons = bank.problems["reason"].value_counts()
        notes.append("Excluded audio: " + ", ".join(f"{count} × {reason}" for reason, count in reasons.items()) + ".")
    low, high = config.pitch.search
    labels = label(
        bank,
        hop_length=config.hop_length,
        estimator=config.pitch.estimator,
        fmin=low,
        fmax=high,
        lowest=config.pitch.lowest,
    )
    for problem in labels.problems.head(5).to_dict("records"):
        notes.append(f"{Path(str(problem['path'])).name}: {problem['reason']} ({problem['action']}).")
    songs = Songs(config=config, bank=bank, labels=labels, notes=notes)
    for side in ("train", "test"):
        if len(songs.rows(side)) == 0:
            raise ValueError(
                f"no {side} recording of {config.singer} of {SHORTEST_SECONDS} s or more is left in {folder}; give a "
                "folder that has some"
            )
    return songs


def _chosen(table: pd.DataFrame, n: int) -> list[str]:
    """Singers with the most songs and, of as many, the most audio; voices take turns as long as they last."""
    singers = table.groupby("singer").agg(songs=("group", "nunique"), seconds=("duration", "sum"))
    if table["evidence"].iloc[0] == "synthetic":
        # singers of one size: by number, and women first
        singers["seconds"] = 0.0
    singers["name"] = singers.index.astype(str)
    ranked = singers.sort_values(["songs", "seconds", "name"], ascending=[False, False, True])["name"].tolist()
    chosen: list[str] = []
    while ranked and len(chosen) < n:
        seen = [voice_of(name) for name in chosen]
        fewest = min(seen.count(voice_of(name)) for name in ranked)
        chosen.append(next(name for name in ranked if seen.count(voice_of(name)) == fewest))
        ranked.remove(chosen[-1])
    return chosen


def open_collection(session: "Session") -> Collection:
    """Open the singers that a run trains vocoders of.

    Parameters
    ----------
    session : Session
        From `reprise.papers.session.open_paper`.

    Returns
    -------
    Collection
        As many singers as ``max_singers`` says, those with the most songs, women and men in turn.

    Raises
    ------
    FileNotFoundError
        If there is no singing in the data folder.
    ValueError
        If a singer has too few usable songs.
    """
    settings, folder = session.settings, session.folder("singing")
    table = datasets.load("singing", folder)
    names = _chosen(table, settings.max_singers)
    known = table["singer"].nunique()
    notes = [f"{', '.join(names)} of {known} singers, those with the most songs." if known > len(names) else ""]
    singers = {name: open_songs(songs_config(settings, singer=name), folder) for name in names}
    return Collection(singers=singers, folder=folder, notes=[note for note in notes if note])
