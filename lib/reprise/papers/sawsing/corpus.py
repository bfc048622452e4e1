"""The songs of the singers as the trials see them: audio at one level, pitch, spectrograms, sides of the split."""

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.audio.vocoder_input import log_mel
from reprise.data import datasets
from reprise.data.datasets._singing_split import choose_recordings
from reprise.data.f0 import F0Labels, label
from reprise.data.table import fingerprint
from reprise.data.wavebank import WaveBank
from reprise.files import sha256_json
from reprise.papers.sawsing.conditions import songs_config
from reprise.papers.sawsing.systems import Voice
from reprise.papers.sawsing.trials import MelConfig, SongsConfig

if TYPE_CHECKING:
    from reprise.papers.session import Session

__all__ = ["Collection", "Songs", "SongsConfig", "open_collection", "open_songs", "voice_of"]

# parts of singers' names, and data sets of one woman
FEMALE = re.compile(r"(?i)(?:^|[^a-z])(?:female|f(?=\d)|alto|soprano|csd|opencpop)")
MALE = re.compile(r"(?i)(?:^|[^a-z])(?:male|m(?=\d)|tenor|bass)")
# one song in so many is on the test side at most, where sides are drawn
LARGEST_TEST = 5
# a test recording must give an embedding and have room for lags
SHORTEST_SECONDS = 1.5


def voice_of(singer: str) -> Voice | None:
    """Voice that a singer's name tells.

    Parameters
    ----------
    singer : str
        As in ``female1``, ``m1``, ``EN-Alto-1``; CSD and Opencpop have one woman each.

    Returns
    -------
    "female", "male" or None
    """
    if FEMALE.search(singer):
        return "female"
    return "male" if MALE.search(singer) else None


@dataclass(frozen=True, kw_only=True)
class Songs:
    """Recordings of one singer.

    Attributes
    ----------
    config : SongsConfig
    bank : WaveBank
        Whole recordings at their own level; ``bank.table`` lists them.
    labels : F0Labels
    notes : list of str
        What a reader must know of this copy.
    spectrograms : dict
        Filled by `mel`.
    """

    config: SongsConfig
    bank: WaveBank
    labels: F0Labels
    notes: list[str] = field(default_factory=list)
    spectrograms: dict[tuple[MelConfig, int], Tensor] = field(default_factory=dict, repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """Usable recordings, one row each; several may be of one song (``group``)."""
        return self.bank.table

    @property
    def evidence(self) -> str:
        """``synthetic``, ``excerpt`` or ``full``."""
        return str(self.table["evidence"].iloc[0])

    @property
    def voice(self) -> Voice | None:
        """Voice of the singer, None where the name does not tell."""
        return voice_of(self.config.singer)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the recordings and of the labels that were read beside them, with their sides."""
        known = self.labels.files["estimator"] == "known"
        tracks = {Path(path).name: self.labels.track(path).tobytes().hex() for path in sorted(known.index[known])}
        return sha256_json({"table": fingerprint(self.table), "known": sha256_json(tracks)})

    @cached_property
    def gains(self) -> Tensor:
        """Factor that brings each recording to the level that is trained on, float32 [shape=(n,)]."""
        target = self.config.target_rms
        if target is None:
            return torch.ones(len(self.table))
        levels = [float(self._raw(row).double().square().mean().sqrt()) for row in range(len(self.table))]
        return target / torch.tensor(levels)

    def rows(self, side: str) -> np.ndarray:
        """Positions in the table of one side.

        Parameters
        ----------
        side : str
            ``train``, ``valid`` or ``test``.

        Returns
        -------
        ndarray of int [shape=(n,)]
            Of validation and test no more songs than the settings ask for.
        """
        rows = np.flatnonzero((self.table["split"] == side).to_numpy())
        if side == "test":
            rows = rows[self.bank.lengths[rows] >= SHORTEST_SECONDS * self.bank.sample_rate]
        most = {"valid": self.config.n_valid_songs, "test": self.config.n_test_songs}.get(side)
        groups = self.table["group"].iloc[rows]
        return rows if most is None else rows[groups.isin(pd.unique(groups)[:most]).to_numpy()]

    def limited_rows(self, seed: int, n: int) -> np.ndarray:
        """Training recordings of the limited scenario.

        Parameters
        ----------
        seed : int ≥ 0
            Of the trial: no two have a song in common as long as the songs last.
        n : int ≥ 1
            Songs; all where there are fewer.

        Returns
        -------
        ndarray of int [shape=(n_rows,)]
        """
        rows = self.rows("train")
        chosen = choose_recordings(
            self.table.iloc[rows], n_recordings=n, choice=seed, seed=self.config.split_seed, notes=[]
        )
        return rows[self.table["group"].iloc[rows].isin(chosen).to_numpy()]

    def _raw(self, row: int) -> Tensor:
        return self.bank.batch([row], length=int(self.bank.lengths[row]), device="cpu")[0]

    def song(self, row: int) -> Tensor:
        """Audio of a recording at the level that is trained on, Tensor [shape=(time,)], on the CPU."""
        return self._raw(row) * self.gains[row]

    def f0(self, row: int) -> Tensor:
        """Pitch of a recording's frames in Hz, 0 where unvoiced, float32 [shape=(time // hop_length,)]."""
        track = self.labels.track(self.table["path"].iloc[row])
        return torch.from_numpy(track[: int(self.bank.lengths[row]) // self.config.hop_length].copy())

    def name(self, row: int) -> str:
        """Name of a recording, unique for its singer."""
        return str(self.table["clip_id"].iloc[row])

    def mel(self, row: int, config: MelConfig) -> Tensor:
        """Spectrogram of a whole recording.

        Parameters
        ----------
        row : int
        config : MelConfig

        Returns
        -------
        Tensor [shape=(n_frames, n_mels)]
            Remembered, for crops to be cut from it. Do not change it.
        """
        key = (config, row)
        if key not in self.spectrograms:
            self.spectrograms[key] = log_mel(self.song(row)[None], **config.model_dump())[0]
        return self.spectrograms[key]


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
