"""Labelled clips as a paper's trials see them: waveforms, classes, sides of the split."""

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from reprise.data.table import fingerprint
from reprise.data.wavebank import WaveBank

__all__ = ["ClipCorpus"]


@dataclass(frozen=True, kw_only=True)
class ClipCorpus:
    """Clip table, decoded audio and classes.

    Attributes
    ----------
    bank : WaveBank
        Audio of the usable clips; ``bank.table`` lists them.
    classes : tuple of str
        In the order of the network's outputs.
    notes : list of str
        What a reader must know of this copy: what is missing, a split that had to be made, excluded files.
    """

    bank: WaveBank
    classes: tuple[str, ...]
    notes: list[str] = field(default_factory=list)

    @property
    @abstractmethod
    def membership(self) -> np.ndarray:
        """Which classes each clip belongs to, bool [shape=(n_clips, n_classes)]."""

    @property
    def table(self) -> pd.DataFrame:
        """Usable clips, one row each."""
        return self.bank.table

    @property
    def evidence(self) -> str:
        """``synthetic``, ``excerpt`` or ``full``."""
        return str(self.table["evidence"].iloc[0])

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the clips: labels, positions, sides and audio content."""
        return fingerprint(self.table)

    def rows(self, side: str) -> np.ndarray:
        """Positions in the table of one side of the split.

        Parameters
        ----------
        side : str
            ``train``, ``valid`` or ``test``.

        Returns
        -------
        ndarray of int [shape=(n_clips_of_side,)]
        """
        return np.flatnonzero((self.table["split"] == side).to_numpy())

    def counts(self, side: str = "train") -> np.ndarray:
        """Clips of each class on one side, int [shape=(n_classes,)]."""
        return self.membership[self.rows(side)].sum(axis=0)

    def examples(self, side: str) -> dict[str, int]:
        """One clip per class, for players and pictures.

        Parameters
        ----------
        side : str
            Looked at first; a class without a clip there is taken from elsewhere.

        Returns
        -------
        dict
            Class → position in the table, in the order of the classes; classes without any clip are left out.
        """
        preferred = np.concatenate([self.rows(side), np.arange(len(self.table))])
        belongs = self.membership[preferred]
        found = {name: preferred[belongs[:, index]] for index, name in enumerate(self.classes)}
        return {name: int(rows[0]) for name, rows in found.items() if len(rows)}
