"""Stored trials of all systems with the clips they were tested on, and answers that need no listening."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from reprise.papers.irmas.corpus import Collection, Corpus
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.systems import SetName, split_condition
from reprise.papers.irmas.trials import IrmasTrial
from reprise.runs import StoredTrial
from reprise.stats.multilabel import decide, strongest_is_one

__all__ = ["ENSEMBLE", "FEWEST_SONGS", "LABELS", "Aggregation", "Outcome", "baseline_scores"]

Grid = Mapping[tuple[str, int], IrmasTrial]
Side = Literal["valid", "test"]
Aggregation = Literal["s1", "s2"]
# mean of a statically and a dynamically trained network, the paper's idea for later work (§5.8)
ENSEMBLE = {"ensemble": ("resnet_1s", "bspds5_3s")}
# how a reader calls the conditions where they do not stand in a table of the paper
LABELS = {
    "resnet_1s": "ResNet-50, 1 s",
    "resnet_2s": "ResNet-50, 2 s",
    "resnet_3s": "ResNet-50, 3 s",
    "cnn_raw": "raw audio 1-D CNN",
    "cnn_mfcc": "MFCC 2-D CNN",
    "cnn_features": "features 1-D CNN",
    "cnn_features_2d": "features 2-D CNN",
    "tds5_1s": "ResNet-50, TDS-5, 1 s",
    "tds4_1s": "ResNet-50, TDS-4, 1 s",
    "bspds5_1s": "ResNet-50, BSPDS-5, 1 s",
    "bspds5_3s": "ResNet-50, BSPDS-5, 3 s",
    "ensemble": "ensemble, static + dynamic",
    "resnet_audioset": "ResNet-50 of AudioSet, 10 s",
    "ast_audioset": "AST of AudioSet, 10 s",
    "ast_low_l2": "AST, 1 s, lower L2",
    "ast_high_l2": "AST, 1 s, higher L2",
}
# with fewer songs a bootstrap over songs has hardly anything to draw from
FEWEST_SONGS = 5


@dataclass(frozen=True)
class Outcome:
    """Stored trials of all systems, and the clips that they were tested on.

    Attributes
    ----------
    stored : dict
        System → its stored trials, one per seed. Failed trials are absent.
    collection : Collection
    drop_last : int
        Test clips are cut to a multiple of this number, as the published code does with its batches; 0: all are used.
    """

    stored: dict[str, list[StoredTrial]]
    collection: Collection
    drop_last: int = 0

    @classmethod
    def collect(
        cls, grid: Grid, results: pd.DataFrame, *, collection: Collection, settings: Settings | None = None
    ) -> "Outcome":
        """Read what ``run_grid`` stored.

        Parameters
        ----------
        grid : mapping
            (system, seed) → trial, in the order in which the trials were given to ``run_grid``.
        results : DataFrame
            What ``run_grid`` returned for them.
        collection : Collection
        settings : Settings or None
            For ``drop_last``; by default all test clips are used.

        Returns
        -------
        Outcome
        """
        stored: dict[str, list[StoredTrial]] = {}
        for (name, _), status, folder in zip(grid, results["status"], results["folder"], strict=True):
            if status == "done":
                stored.setdefault(name, []).append(StoredTrial(folder))
        cut = settings.batch_size if settings is not None and settings.drop_last else 0
        return cls(stored=stored, collection=collection, drop_last=cut)

    def corpus(self, dataset: SetName = "irmas") -> Corpus:
        """The clips of a set; ``irmas`` may be single notes that stand in for it."""
        return self.collection.corpus(dataset)

    @property
    def conditions(self) -> list[str]:
        """Systems on IRMAS, the ensemble, and systems on AudioSet, as far as they were run and scored."""
        on_irmas = [name for name in self.stored if self._scored(name, "irmas")]
        made = [name for name, parts in ENSEMBLE.items() if set(parts) <= set(on_irmas)]
        return [*on_irmas, *made, *(f"{name}>audioset" for name in self.stored if self._scored(name, "audioset"))]

    def _scored(self, system: str, dataset: SetName) -> bool:
        return all(f"{dataset}_test_scores" in trial.arrays for trial in self.stored[system])

    def _rows(self, dataset: SetName, side: Side) -> np.ndarray:
        rows = self.corpus(dataset).rows(side)
        cut = self.drop_last if side == "test" else 0
        return rows[: len(rows) // cut * cut] if cut and len(rows) >= cut else rows

    def targets(self, dataset: SetName = "irmas", *, side: Side = "test") -> np.ndarray:
        """Labels of the clips of a set.

        Parameters
        ----------
        dataset : "irmas" or "audioset"
        side : "test" or "valid"

        Returns
        -------
        ndarray of int [shape=(n_clips, n_classes)], 0 or 1
        """
        return self.corpus(dataset).targets.numpy()[self._rows(dataset, side)].astype(int)

    def songs(self, dataset: SetName = "irmas", *, side: Side = "test") -> np.ndarray:
        """Song of each clip of a set.

        Parameters
        ----------
        dataset : "irmas" or "audioset"
        side : "test" or "valid"

        Returns
        -------
        ndarray [shape=(n_clips,)]
        """
        return self.corpus(dataset).songs[self._rows(dataset, side)]

    def groups(self, dataset: SetName = "irmas") -> np.ndarray | None:
        """Songs of the test clips [shape=(n_clips,)], to be resampled as a whole; None where they are too few."""
        songs = self.songs(dataset)
        return songs if len(np.unique(songs)) >= FEWEST_SONGS else None

    def scores(self, condition: str, *, side: Side = "test", aggregation: Aggregation = "s2") -> list[np.ndarray]:
        """Scores of a condition.

        Parameters
        ----------
        condition : str
            System, ``ensemble``, or either with ``>audioset``.
        side : "test" or "valid"
        aggregation : "s1" or "s2"
            Mean probability of the windows, or the same relative to the clip's strongest class.

        Returns
        -------
        list of ndarray [shape=(n_clips, n_classes)]
            One per seed, in [0, 1].
        """
        system, dataset = split_condition(condition)
        n_clips = len(self._rows(dataset, side))
        parts = [
            [trial.arrays[f"{dataset}_{side}_scores"][:n_clips].astype(np.float64) for trial in self.stored[name]]
            for name in ENSEMBLE.get(system, (system,))
        ]
        # seeds are paired; where one of them failed, the others stand
        means = [np.mean(seeds, axis=0) for seeds in zip(*parts, strict=False)]
        return [strongest_is_one(values) for values in means] if aggregation == "s2" else means

    def correct(self, condition: str, *, threshold: float = 0.5) -> np.ndarray:
        """Whether each seed named exactly the labels of each test clip.

        Parameters
        ----------
        condition : str
        threshold : float
            Of S2 scores.

        Returns
        -------
        ndarray of bool [shape=(n_seeds, n_clips)]
        """
        targets = self.targets(split_condition(condition)[1]).astype(bool)
        each = [(decide(values, threshold) == targets).all(axis=1) for values in self.scores(condition)]
        return np.stack(each)

    def curves(self, condition: str) -> list[pd.DataFrame]:
        """Losses of the seeds, per epoch."""
        return [trial.curves for trial in self.stored.get(condition, [])]


def baseline_scores(targets: np.ndarray, *, classes: Iterable[str]) -> dict[str, np.ndarray]:
    """Answers that need no listening, as scores of 0 and 1.

    Parameters
    ----------
    targets : ndarray of int [shape=(n_clips, n_classes)], 0 or 1
    classes : iterable of str

    Returns
    -------
    dict of str to ndarray [shape=(n_clips, n_classes)]
        ``all_negative`` (no instrument ever), ``always_voi`` (voice alone; left out where there is no such class),
        ``all_positive``, ``one_label`` (one of the true labels of each clip: what a system that names a single
        instrument can reach).
    """
    names = list(classes)
    found = {"all_negative": np.zeros(targets.shape)}
    if "voi" in names:
        found["always_voi"] = np.zeros(targets.shape)
        found["always_voi"][:, names.index("voi")] = 1.0
    found["all_positive"] = np.ones(targets.shape)
    found["one_label"] = np.zeros(targets.shape)
    labelled = targets.any(axis=1)
    found["one_label"][labelled, targets.argmax(axis=1)[labelled]] = 1.0
    return found
