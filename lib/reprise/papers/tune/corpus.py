"""Clips as the trials see them: what is pre-trained on and what the probes are asked, from whatever sets there are."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from reprise.data.datasets import magnatagatune
from reprise.data.wavebank import WaveBank
from reprise.files import sha256_json
from reprise.papers.corpus import ClipCorpus
from reprise.papers.tune.clip_tables import SIDES, chosen_clips, class_names, load_table
from reprise.papers.tune.systems import PRETRAINING_SETS, TASKS
from reprise.papers.tune.trials import ClipsConfig

if TYPE_CHECKING:
    from reprise.papers.session import Session

__all__ = ["Clips", "ClipsConfig", "Collection", "open_clips", "open_collection"]


@dataclass(frozen=True, kw_only=True)
class Clips(ClipCorpus):
    """Clips of a data set.

    Attributes
    ----------
    config : ClipsConfig
    kind : "tags", "classes", "values" or None
        What is known of a clip; None where only its sound is used.
    """

    config: ClipsConfig
    kind: Literal["tags", "classes", "values"] | None = None

    @property
    def name(self) -> str:
        """Data set."""
        return self.config.dataset

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the outputs: tags, genres, keys, or arousal and valence."""
        return self.classes

    @cached_property
    def targets(self) -> np.ndarray:
        """Answer of each clip: tags, bool [shape=(n, n_tags)]; class, int [shape=(n,)]; values [shape=(n, 2)].

        Raises
        ------
        ValueError
            If only the sound of these clips is used.
        """
        if self.kind == "tags":
            return magnatagatune.tag_matrix(self.table, self.classes)
        if self.kind == "classes":
            place = {name: number for number, name in enumerate(self.classes)}
            return self.table["label"].map(place).to_numpy(np.int64)
        if self.kind == "values":
            return self.table[list(self.classes)].to_numpy(np.float64)
        raise ValueError(f"clips of {self.name} that are pre-trained on have no targets; open them for a task")

    @property
    def membership(self) -> np.ndarray:
        """Which tags or classes each clip has, bool [shape=(n, n_classes)]; without either, no columns."""
        if self.kind == "tags":
            return self.targets
        if self.kind == "classes":
            return self.targets[:, None] == np.arange(len(self.classes))
        return np.zeros((len(self.table), 0), dtype=bool)

    def songs(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Song of each clip of a side, and a clip of each song.

        Parameters
        ----------
        side : str

        Returns
        -------
        songs : ndarray of int [shape=(n_clips,)]
            From 0 in the order in which they appear.
        rows : ndarray of int [shape=(n_songs,)]
            Position in the table of each song's first clip.
        """
        rows = self.rows(side)
        songs, _ = pd.factorize(self.table["path"].iloc[rows].astype(str))
        return songs.astype(np.int64), rows[np.unique(songs, return_index=True)[1]]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """All clips of a run.

    Attributes
    ----------
    pretraining : dict of str to Clips
        ``mtt``, ``fma``, ``gtzan``, ``billboard``: what is there and wanted.
    tasks : dict of str to Clips
        ``mtt``, ``gtzan``, ``key``, ``emotion``: what is there and wanted.
    folders : dict of str to Path
        Of the data sets.
    notes : list of str
        What is missing, and what a reader must know of each set.
    """

    pretraining: dict[str, Clips]
    tasks: dict[str, Clips]
    folders: dict[str, Path]
    notes: list[str] = field(default_factory=list)

    @property
    def mtt(self) -> Clips | None:
        """MagnaTagATune as a task; None where it is not usable as one."""
        return self.tasks.get("mtt")

    @property
    def evidence(self) -> str:
        """``synthetic``, ``excerpt`` or ``full``: of the tagged clips, else the least of all sets."""
        if self.mtt is not None:
            return self.mtt.evidence
        found = {clips.evidence for clips in (*self.tasks.values(), *self.pretraining.values())}
        return next(kind for kind in ("synthetic", "excerpt", "full") if kind in found)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of all clips."""
        parts = {"pretraining": self.pretraining, "tasks": self.tasks}
        return sha256_json({part: {name: c.fingerprint for name, c in sets.items()} for part, sets in parts.items()})


@lru_cache(maxsize=16)
def open_clips(config: ClipsConfig, folder: Path) -> Clips:
    """Read, choose and decode clips; a second call in one process costs nothing.

    Parameters
    ----------
    config : ClipsConfig
    folder : Path
        Of the data set.

    Returns
    -------
    Clips

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the data set.
    ValueError
        If there are too few clips to pre-train on, or a side or the answers of a task are missing.
    """
    table = load_table(config, folder)
    notes = [f"{config.dataset}: {note}" for note in table.attrs.get("notes", [])]
    for problem in table.attrs.get("problems", [])[:5]:
        notes.append(f"{Path(problem['path']).name}: {problem['reason']} ({problem['action']}).")
    kind: Literal["tags", "classes", "values"] | None = None
    classes: tuple[str, ...] = ()
    if config.purpose == "task":
        kind = next(task.kind for task in TASKS.values() if task.dataset == config.dataset)
        classes = class_names(table, config.dataset)
    chosen = chosen_clips(table, config)
    if config.purpose == "task":
        _require_sides(chosen, classes, config=config, folder=folder)
    if len(chosen) < len(table):
        notes.append(f"{config.dataset}: {len(chosen)} of {len(table)} clips are used.")
    bank = WaveBank.build(chosen, sample_rate=config.sample_rate)
    if len(bank.problems):
        reasons = bank.problems["reason"].value_counts()
        notes.append("Excluded audio: " + ", ".join(f"{count} × {reason}" for reason, count in reasons.items()) + ".")
        if config.purpose == "task":
            _require_sides(bank.table, classes, config=config, folder=folder)
    return Clips(config=config, kind=kind, classes=classes, bank=bank, notes=notes)


def _require_sides(table: pd.DataFrame, classes: tuple[str, ...], *, config: ClipsConfig, folder: Path) -> None:
    missing = [side for side in SIDES if side not in set(table["split"])]
    if missing or not classes:
        lack = f"no clip for {', '.join(missing)}" if missing else "no tags"
        raise ValueError(f"{folder} has {lack}: the task cannot be probed; give more of {config.dataset}")


def open_collection(session: "Session") -> Collection:
    """Open everything that a run pre-trains on and probes, as far as it is there.

    Parameters
    ----------
    session : Session
        From `reprise.papers.session.open_paper`.

    Returns
    -------
    Collection
        What the settings ask for; notes say what is missing or too small.

    Raises
    ------
    FileNotFoundError
        If nothing can be probed, or nothing can be pre-trained on.
    """
    settings = session.settings
    notes: list[str] = []
    folders: dict[str, Path] = {}

    def opened(dataset: str, use: str, **options: Any) -> Clips | None:
        tagged = dataset == "magnatagatune"
        labels = {"untagged": settings.untagged, "n_tags": settings.n_tags} if tagged else {}
        try:
            folders[dataset] = session.folder(dataset)
            config = ClipsConfig(dataset=dataset, sample_rate=settings.sample_rate, **options, **labels)
            return open_clips(config, folders[dataset])
        except (FileNotFoundError, ValueError) as error:
            notes.append(f"{use} is left out: {error}")
            return None

    tasks = {
        name: opened(TASKS[name].dataset, f"The task {name}", purpose="task", max_clips=settings.max_probe_clips)
        for name in settings.tasks
    }
    probed = {name: clips for name, clips in tasks.items() if clips is not None}
    trained = {}
    for name in ("mtt", *settings.pretraining):
        # whoever is probed on the set of the pre-training is not to have heard its test clips
        pool = (
            settings.pretrain_split if name == "mtt" else "train" if "mtt" not in probed and name in probed else "all"
        )
        trained[name] = opened(
            PRETRAINING_SETS[name],
            f"Pre-training on {name}",
            purpose="pretrain",
            pool=pool,
            max_clips=settings.max_pretrain_clips,
            n_watched=settings.n_visible,
            shortest=settings.n_samples,
        )
    learnt = {name: clips for name, clips in trained.items() if clips is not None}
    if not probed or not learnt:
        raise FileNotFoundError(
            f"nothing to {'probe' if not probed else 'pre-train on'} is in {session.data}: {' '.join(notes)}"
        )
    for clips in (*probed.values(), *learnt.values()):
        notes += [note for note in clips.notes if note not in notes]
    return Collection(pretraining=learnt, tasks=probed, folders=folders, notes=notes)
