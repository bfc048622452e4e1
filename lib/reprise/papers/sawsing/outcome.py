"""Stored trials of all vocoders, and what they give for each piece of the test songs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.sawsing.scoring import PIECE_METRICS
from reprise.papers.sawsing.systems import SYSTEMS, Condition, Voice, split_condition
from reprise.papers.sawsing.trials import TrialKey, VocoderTrial
from reprise.runs import StoredTrial

if TYPE_CHECKING:
    from reprise.papers.sawsing.corpus import Collection

__all__ = ["FEWEST_SONGS", "GROUND_TRUTH", "Outcome", "condition_names", "label_of"]

GROUND_TRUTH = "ground_truth"
COLUMNS = ("system", "scenario", "singer", "voice", "seed", "song", "recording", "piece", "start", "seconds")
# with fewer songs a bootstrap over songs has hardly anything to draw from
FEWEST_SONGS = 5


def condition_names(keys: Iterable[TrialKey], voices: Mapping[str, Voice | None]) -> list[str]:
    """Conditions that trials make up: those of all singers first, then those of one voice.

    Parameters
    ----------
    keys : iterable of TrialKey
        Of a grid, or of what was stored.
    voices : mapping of str to str or None
        Singer → ``female``, ``male``, or None where it is not known.

    Returns
    -------
    list of str
    """
    keys = list(keys)
    runs = list(dict.fromkeys((key.system, key.scenario) for key in keys))
    runs.sort(key=lambda run: run[1] != "regular")
    present = {voices[key.singer] for key in keys}
    chosen: tuple[Voice | None, ...] = (None, "female", "male")
    return [
        Condition(system, scenario, voice).name
        for voice in chosen
        if voice is None or voice in present
        for system, scenario in runs
        if voice is None
        or any(voices[key.singer] == voice for key in keys if (key.system, key.scenario) == (system, scenario))
    ]


def label_of(condition: str) -> str:
    """How a reader calls a condition.

    Parameters
    ----------
    condition : str
        ``pwg>limited/male``, or ``ground_truth``.

    Returns
    -------
    str
        ``PWG, limited, male``.
    """
    if condition == GROUND_TRUTH:
        return "recording"
    system, scenario, voice = split_condition(condition)
    parts = [SYSTEMS[system].label, "limited" if scenario == "limited" else None, voice]
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Outcome:
    """Stored trials of all systems, and the songs that they were tested on.

    Attributes
    ----------
    stored : dict of TrialKey to StoredTrial
        Failed trials are absent.
    collection : Collection
    """

    stored: dict[TrialKey, StoredTrial]
    collection: "Collection"

    @classmethod
    def collect(
        cls, grid: Mapping[TrialKey, VocoderTrial], results: pd.DataFrame, *, collection: "Collection"
    ) -> "Outcome":
        """Read what ``run_grid`` stored.

        Parameters
        ----------
        grid : mapping of TrialKey to VocoderTrial
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
    def voices(self) -> dict[str, Voice | None]:
        """Voice of each singer with at least one trial."""
        singers = dict.fromkeys(key.singer for key in self.stored)
        return {name: self.collection.singers[name].voice for name in singers}

    @cached_property
    def conditions(self) -> list[str]:
        """Conditions with at least one seed, and the recordings themselves, ``ground_truth``."""
        names = [name for name in condition_names(self.stored, self.voices) if self.seeds(name)]
        return [*names, GROUND_TRUTH] if names else []

    def singers(self, voice: Voice | None = None) -> list[str]:
        """Singers of a voice.

        Parameters
        ----------
        voice : "female", "male" or None
            None: all of them.

        Returns
        -------
        list of str
        """
        return [name for name, own in self.voices.items() if voice in (None, own)]

    def seeds(self, condition: str) -> list[int]:
        """Seeds that a condition has of each of its singers.

        Parameters
        ----------
        condition : str

        Returns
        -------
        list of int
            A seed of which one singer's trial failed would be a mean over other songs, and is left out.
        """
        system, scenario, voice = split_condition(condition)
        own = [
            {key.seed for key in self.stored if (key.system, key.scenario, key.singer) == (system, scenario, singer)}
            for singer in self.singers(voice)
        ]
        return sorted(set.intersection(*own)) if own else []

    def trials(self, condition: str, seed: int) -> list[StoredTrial]:
        """Trials of one seed, one per singer.

        Parameters
        ----------
        condition : str
        seed : int
            Of `seeds`.

        Returns
        -------
        list of StoredTrial
        """
        system, scenario, voice = split_condition(condition)
        return [self.stored[TrialKey(system, scenario, singer, seed)] for singer in self.singers(voice)]

    def curves(self, condition: str) -> list[pd.DataFrame]:
        """Curves of the trials of a condition, one frame per seed and singer."""
        return [trial.curves for seed in self.seeds(condition) for trial in self.trials(condition, seed)]

    @cached_property
    def pieces(self) -> pd.DataFrame:
        """Every number that a piece of a test song has.

        One row per trial and piece: ``system, scenario, singer, voice, seed, song`` (several recordings may be of one),
        ``recording, piece`` (number within the singer), ``start, seconds``, and ``PIECE_METRICS``; NaN where a piece
        has no such number.

        Raises
        ------
        ValueError
            If trials of one singer were scored on other pieces than the rest.
        """
        frames = [self._pieces(key, trial) for key, trial in self.stored.items()]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*COLUMNS, *PIECE_METRICS])

    def _pieces(self, key: TrialKey, trial: StoredTrial) -> pd.DataFrame:
        arrays, songs = trial.arrays, self._songs[key.singer]
        if not np.array_equal(self._names(key.singer, arrays["piece_song"]), songs):
            first = next(other.folder for own, other in self.stored.items() if own.singer == key.singer)
            raise ValueError(
                f"{trial.folder} was scored on other pieces of {key.singer}'s songs than {first}; run both with one "
                "set of settings"
            )
        of = self.collection.singers[key.singer]
        frame = pd.DataFrame({"song": songs, "piece": np.arange(len(songs))})
        frame["recording"] = [of.name(row) for row in arrays["piece_song"].tolist()]
        frame = frame.assign(**key._asdict(), voice=self.voices[key.singer])
        frame = frame.assign(start=arrays["piece_start"], seconds=arrays["piece_seconds"])
        frame = frame.assign(**self._numbers[key])
        return frame[[*COLUMNS, *PIECE_METRICS]]

    @cached_property
    def _numbers(self) -> dict[TrialKey, dict[str, np.ndarray]]:
        """Numbers of the pieces of every trial, read once."""
        return {
            key: {name: np.asarray(trial.arrays[name], dtype=np.float64) for name in PIECE_METRICS}
            for key, trial in self.stored.items()
        }

    @cached_property
    def _songs(self) -> dict[str, np.ndarray]:
        """Song of each piece of a singer, from the first trial."""
        first = {key.singer: trial for key, trial in reversed(self.stored.items())}
        return {singer: self._names(singer, trial.arrays["piece_song"]) for singer, trial in first.items()}

    def _names(self, singer: str, rows: np.ndarray) -> np.ndarray:
        return self.collection.singers[singer].table["group"].to_numpy()[rows].astype(str)

    def songs_of(self, singer: str) -> np.ndarray:
        """Song of each piece of a singer [shape=(n_pieces,)]."""
        return self._songs[singer]

    def songs(self, voice: Voice | None = None) -> np.ndarray:
        """Song of each piece of a voice [shape=(n_pieces,)], in the order of `values`."""
        parts = [self._songs[singer] for singer in self.singers(voice)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=str)

    def groups(self, voice: Voice | None = None) -> np.ndarray | None:
        """Songs of the pieces, to be resampled as a whole [shape=(n_pieces,)]; None where they are too few."""
        songs = self.songs(voice)
        return songs if len(np.unique(songs)) >= FEWEST_SONGS else None

    def values(self, condition: str, metric: str) -> np.ndarray:
        """A number of every piece.

        Parameters
        ----------
        condition : str
        metric : str
            Of ``PIECE_METRICS``.

        Returns
        -------
        ndarray [shape=(n_seeds, n_pieces)]
            NaN where a piece has no such number. Pieces of all conditions of one voice are paired.
        """
        system, scenario, voice = split_condition(condition)
        keys = [
            [TrialKey(system, scenario, singer, seed) for singer in self.singers(voice)]
            for seed in self.seeds(condition)
        ]
        return np.stack([np.concatenate([self._numbers[key][metric] for key in each]) for each in keys])
