"""Stored trials of all encoders and probes, and the clips that they were tested on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.tune.systems import split_condition
from reprise.papers.tune.trials import Stage, TrialKey
from reprise.runs import StoredTrial

if TYPE_CHECKING:
    from reprise.papers.tune.corpus import Clips, Collection
    from reprise.runs import TrialConfig

__all__ = ["FEWEST_GROUPS", "MTT", "PRETRAIN", "Outcome", "label_of"]

MTT: Stage = "mtt"
PRETRAIN: Stage = "pretrain"
# with fewer artists or songs a bootstrap over them has hardly anything to draw from
FEWEST_GROUPS = 5


def label_of(condition: str) -> str:
    """How a reader calls a condition: ``tune_plus@gtzan`` is TUNe+ on GTZAN."""
    return split_condition(condition).label


def _plain(value: object) -> str | None:
    """A name, or None for what stands for none."""
    return str(value) if isinstance(value, str) and value else None


@dataclass(frozen=True)
class Outcome:
    """Stored trials of all conditions, and the clips that they were tested on.

    Attributes
    ----------
    stored : dict of TrialKey to StoredTrial
        Pre-trainings and probes; failed trials are absent.
    collection : Collection
    """

    stored: dict[TrialKey, StoredTrial]
    collection: "Collection"

    @classmethod
    def collect(
        cls, grid: "Mapping[TrialKey, TrialConfig]", results: pd.DataFrame, *, collection: "Collection"
    ) -> "Outcome":
        """Read what ``run_grid`` stored.

        Parameters
        ----------
        grid : mapping of TrialKey to trial
            In the order in which the trials were given to ``run_grid``.
        results : DataFrame
            What ``run_grid`` returned for them.
        collection : Collection

        Returns
        -------
        Outcome
        """
        rows = zip(grid, results["status"], results["folder"], strict=True)
        return cls({key: StoredTrial(folder) for key, status, folder in rows if status == "done"}, collection)

    @cached_property
    def conditions(self) -> list[str]:
        """Conditions that were probed on at least one task."""
        return list(dict.fromkeys(key.condition for key in self.stored if key.stage != PRETRAIN))

    @cached_property
    def tasks(self) -> list[Stage]:
        """Tasks with at least one probe."""
        return list(dict.fromkeys(key.stage for key in self.stored if key.stage != PRETRAIN))

    def probed(self, task: Stage = MTT) -> list[str]:
        """Conditions with a probe on a task."""
        return [name for name in self.conditions if self.seeds(name, task)]

    def seeds(self, condition: str, stage: Stage = MTT) -> list[int]:
        """Seeds of a condition.

        Parameters
        ----------
        condition : str
        stage : str
            A task, or ``pretrain``.

        Returns
        -------
        list of int
        """
        return sorted(key.seed for key in self.stored if (key.condition, key.stage) == (condition, stage))

    def trials(self, condition: str, stage: Stage = MTT) -> list[StoredTrial]:
        """Trials of a condition, one per seed, in the order of `seeds`."""
        return [self.stored[TrialKey(condition, stage, seed)] for seed in self.seeds(condition, stage)]

    def pretraining(self, condition: str) -> list[StoredTrial]:
        """Pre-trainings of a condition, one per seed; empty for an encoder that learned nothing."""
        return self.trials(condition, PRETRAIN)

    def clips(self, task: Stage = MTT) -> "Clips":
        """Clips of a task."""
        return self.collection.tasks[task]

    @cached_property
    def _shared(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows and answers of the test clips of each task."""
        found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        first: dict[str, StoredTrial] = {}
        for key, trial in self.stored.items():
            if key.stage == PRETRAIN:
                continue
            rows = np.asarray(trial.arrays["rows"])
            if key.stage not in found:
                found[key.stage] = rows, np.asarray(trial.arrays["targets"])
                first[key.stage] = trial
            elif not np.array_equal(rows, found[key.stage][0]):
                raise ValueError(
                    f"{trial.folder} was tested on other clips of {key.stage} than {first[key.stage].folder}; run both "
                    "with one set of settings"
                )
        return found

    def rows(self, task: Stage = MTT) -> np.ndarray:
        """Rows of the test clips in the task's clip table [shape=(n_clips,)].

        Raises
        ------
        ValueError
            If trials were tested on different clips; the message names two of them.
        """
        return self._shared[task][0]

    def targets(self, task: Stage = MTT) -> np.ndarray:
        """Answers of the test clips.

        Parameters
        ----------
        task : str

        Returns
        -------
        ndarray
            Tags [shape=(n_clips, n_tags)], bool; genres [shape=(n_clips,)] and keys [shape=(n_songs,)], int; emotions
            [shape=(n_clips, 2)].
        """
        return self._shared[task][1]

    def table(self, task: Stage = MTT) -> pd.DataFrame:
        """Rows of the clip table of the test clips, index 0, 1, …."""
        return self.clips(task).table.iloc[self.rows(task)].reset_index(drop=True)

    def groups(self, task: Stage = MTT) -> np.ndarray | None:
        """Artist of each test clip where it is known, else its song.

        Parameters
        ----------
        task : str

        Returns
        -------
        ndarray of str [shape=(n_clips,)] or None
            To be resampled as a whole; None where there are fewer than five.
        """
        table = self.table(task)
        artists = table["artist"] if "artist" in table else [None] * len(table)
        known = [
            f"artist {name}" if (name := _plain(artist)) else f"song {song}"
            for artist, song in zip(artists, table["group"], strict=True)
        ]
        return np.array(known) if len(set(known)) >= FEWEST_GROUPS else None

    def scores(self, condition: str, *, array: str = "scores_linear", task: Stage = MTT) -> list[np.ndarray | None]:
        """Scores that probes gave the test clips.

        Parameters
        ----------
        condition : str
        array : str
            ``scores_linear``, ``scores_mlp`` or ``label_scores_<percent>``; ``scores`` of the probe that was chosen.
        task : str

        Returns
        -------
        list of ndarray [shape=(n_clips, n_outputs)] or None
            One per seed; None where a trial has none of this name.
        """
        each = [trial.arrays for trial in self.trials(condition, task)]
        return [np.asarray(arrays[array], dtype=np.float64) if array in arrays else None for arrays in each]

    def embeddings(self, condition: str, *, task: Stage = MTT, seed: int | None = None) -> np.ndarray:
        """Representations of the test clips, means over their windows.

        Parameters
        ----------
        condition : str
        task : str
        seed : int or None
            None: the first one.

        Returns
        -------
        ndarray of float32 [shape=(n_clips, n_features)]

        Raises
        ------
        KeyError
            If the condition was not probed on the task; the message names those that were.
        """
        seeds = self.seeds(condition, task)
        if not seeds:
            raise KeyError(f"{condition!r} was not probed on {task!r}; there are {', '.join(self.probed(task))}")
        key = TrialKey(condition, task, seeds[0] if seed is None else seed)
        return np.asarray(self.stored[key].arrays["embeddings"], dtype=np.float32)

    def curves(self, condition: str) -> list[pd.DataFrame]:
        """Losses of the pre-trainings of a condition, one frame per seed."""
        return [trial.curves for trial in self.pretraining(condition)]
