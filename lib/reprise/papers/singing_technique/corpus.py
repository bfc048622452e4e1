"""The clips of VocalSet as the trials see them: waveforms, labels, sides of the split."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.data import datasets
from reprise.data.datasets.vocalset import TECHNIQUES, takes
from reprise.data.table import fingerprint
from reprise.data.wavebank import WaveBank
from reprise.papers.singing_technique.conditions import ClipConfig
from reprise.report.schema import Figure

__all__ = ["Corpus", "minutes_per_technique", "open_corpus"]

DATASET = "vocalset"


@dataclass(frozen=True)
class Corpus:
    """Clip table, decoded audio and targets.

    Attributes
    ----------
    bank : WaveBank
        Audio of the usable clips; ``bank.table`` lists them.
    clips : ClipConfig
        How the clips were cut.
    classes : tuple of str
        The ten techniques in the order of the network's outputs.
    notes : list of str
        What a reader must know of this copy: missing techniques, a split that had to be made, excluded files.
    """

    bank: WaveBank
    clips: ClipConfig
    classes: tuple[str, ...]
    notes: list[str] = field(default_factory=list)

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

    @cached_property
    def targets(self) -> Tensor:
        """Class index of each clip [shape=(n_clips,)]."""
        order = {name: index for index, name in enumerate(self.classes)}
        return torch.tensor([order[name] for name in self.table["technique"]], dtype=torch.long)

    def rows(self, side: str) -> np.ndarray:
        """Positions in the table of one side of the split.

        Parameters
        ----------
        side : str
            ``train``, ``valid`` or ``test``.

        Returns
        -------
        ndarray [shape=(n_clips_of_side,)]
        """
        return np.flatnonzero((self.table["split"] == side).to_numpy())

    def counts(self, side: str = "train") -> np.ndarray:
        """Clips per class on one side [shape=(n_classes,)]."""
        return np.bincount(self.targets.numpy()[self.rows(side)], minlength=len(self.classes))

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
        labels = self.table["technique"].to_numpy()
        found = {name: preferred[labels[preferred] == name] for name in self.classes}
        return {name: int(rows[0]) for name, rows in found.items() if len(rows)}

    def waves(self, rows: np.ndarray | Tensor, *, device: str = "cpu") -> Tensor:
        """Waveforms of some clips.

        Parameters
        ----------
        rows : array of int [shape=(batch,)]
        device : str

        Returns
        -------
        Tensor [shape=(batch, n_samples)], in [−1, 1]
        """
        waves = self.bank.batch(np.asarray(rows), length=self.clips.n_samples, device=device)
        if self.clips.peak_normalise:
            waves = waves / waves.abs().amax(dim=1, keepdim=True).clamp_min(1e-8)
        return waves


@lru_cache(maxsize=4)
def open_corpus(clips: ClipConfig, data_root: Path) -> Corpus:
    """Read the clip table and decode its audio once; a second call in one process costs nothing.

    Parameters
    ----------
    clips : ClipConfig
    data_root : Path
        Folder of VocalSet.

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        If no clip is left, or all are on one side; the message says which setting to change.
    """
    table = datasets.load(
        DATASET,
        data_root,
        seconds=clips.seconds,
        short=clips.short_takes,
        remainder=clips.remainder,
        split=clips.split,
        seed=clips.split_seed,
    )
    notes = list(table.attrs.get("notes", []))
    if table.empty:
        raise ValueError(
            f"no take in {data_root} is {clips.seconds:g} s long; "
            "set short_takes=pad to zero-pad short takes, or choose a smaller clip_seconds"
        )
    bank = WaveBank.build(table, sample_rate=clips.sample_rate)
    if len(bank.problems):
        reasons = bank.problems["reason"].value_counts()
        notes.append("Excluded files: " + ", ".join(f"{count} × {reason}" for reason, count in reasons.items()) + ".")
    corpus = Corpus(bank=bank, clips=clips, classes=tuple(TECHNIQUES), notes=notes)
    for side in ("train", "test"):
        if len(corpus.rows(side)) == 0:
            raise ValueError(f"no {side} clip is left of {data_root}; at least two singers with audio are needed")
    return corpus


def minutes_per_technique(data_root: Path, published: Figure) -> pd.DataFrame:
    """Minutes of audio of each technique, short takes and remainders included (Figure 2).

    Parameters
    ----------
    data_root : Path
        Folder of VocalSet.
    published : Figure
        Figure 2 of ``reported.yaml``: the paper's minutes, in its order.

    Returns
    -------
    DataFrame
        ``technique, minutes, paper``.
    """
    seconds = takes(data_root).groupby("technique")["duration"].sum()
    rows = [(point.x, seconds.get(point.x, 0.0) / 60, point.value) for point in published.points()]
    return pd.DataFrame(rows, columns=["technique", "minutes", "paper"])
