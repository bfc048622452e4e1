"""The clips of VocalSet as the trials see them: waveforms, labels, sides of the split."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.data import datasets
from reprise.data.datasets.vocalset import TECHNIQUES, takes
from reprise.data.wavebank import WaveBank
from reprise.papers.corpus import ClipCorpus
from reprise.papers.singing_technique.conditions import ClipConfig
from reprise.report.schema import Figure

__all__ = ["Corpus", "minutes_per_technique", "open_corpus"]

DATASET = "vocalset"


@dataclass(frozen=True, kw_only=True)
class Corpus(ClipCorpus):
    """Clip table, decoded audio and targets; the classes are the ten techniques.

    Attributes
    ----------
    clips : ClipConfig
        How the clips were cut.
    """

    clips: ClipConfig

    @cached_property
    def targets(self) -> Tensor:
        """Class index of each clip [shape=(n_clips,)]."""
        order = {name: index for index, name in enumerate(self.classes)}
        return torch.tensor([order[name] for name in self.table["technique"]], dtype=torch.long)

    @cached_property
    def membership(self) -> np.ndarray:
        """Which technique each clip shows, bool [shape=(n_clips, n_classes)]."""
        return self.targets.numpy()[:, None] == np.arange(len(self.classes))

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
