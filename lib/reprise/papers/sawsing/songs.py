"""Recordings of one singer: audio at one level, pitch, spectrograms, sides, and the few of the limited scenario."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.audio.vocoder_input import log_mel
from reprise.data.datasets._singing_split import choose_recordings
from reprise.data.f0 import F0Labels
from reprise.data.table import fingerprint
from reprise.data.wavebank import WaveBank
from reprise.files import sha256_json
from reprise.papers.sawsing.systems import Voice
from reprise.papers.sawsing.trials import MelConfig, SongsConfig

__all__ = ["SHORTEST_SECONDS", "Songs", "voice_of"]

# parts of singers' names, and data sets of one woman
FEMALE = re.compile(r"(?i)(?:^|[^a-z])(?:female|f(?=\d)|alto|soprano|csd|opencpop)")
MALE = re.compile(r"(?i)(?:^|[^a-z])(?:male|m(?=\d)|tenor|bass)")
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
