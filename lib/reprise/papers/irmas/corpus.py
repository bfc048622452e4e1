"""The clips of IRMAS, AudioSet and single notes as the trials see them: waveforms, labels, sides of the split."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.data import datasets
from reprise.data.datasets._instruments import INSTRUMENTS
from reprise.data.table import disjoint_split
from reprise.data.wavebank import WaveBank
from reprise.papers.corpus import ClipCorpus
from reprise.papers.irmas.conditions import clip_config
from reprise.papers.irmas.systems import SetName
from reprise.papers.irmas.trials import ClipConfig, DataSets

if TYPE_CHECKING:
    from reprise.papers.session import Session

__all__ = ["Collection", "Corpus", "open_collection", "open_corpus"]

SIDES = ("train", "valid", "test")
# of training clips; a note is seldom longer
CLIP_SECONDS = {"irmas": 3.0, "audioset": 10.0, "philharmonia": 1.0}
# part of the notes' training side that choices are made on
FRACTION_VALID = 0.2
# samples that are read at once for the statistics
BLOCK_SAMPLES = 1 << 23


@dataclass(frozen=True, kw_only=True)
class Corpus(ClipCorpus):
    """Clip table, decoded audio and targets.

    Attributes
    ----------
    name : str
        ``irmas``, ``audioset`` or ``philharmonia``.
    """

    name: str

    @property
    def clip_seconds(self) -> float:
        """Length of a training clip in s: longer ones are cut, shorter ones followed by zeros."""
        return CLIP_SECONDS[self.name]

    @cached_property
    def targets(self) -> Tensor:
        """1 where an instrument plays, else 0, float32 [shape=(n_clips, n_classes)]."""
        members = [set(labels) for labels in self.table["labels"]]
        rows = [[float(name in one) for name in self.classes] for one in members]
        return torch.tensor(rows, dtype=torch.float32).reshape(len(members), len(self.classes))

    @property
    def membership(self) -> np.ndarray:
        """Which instruments play in each clip, bool [shape=(n_clips, n_classes)]."""
        return self.targets.numpy() > 0

    @cached_property
    def songs(self) -> np.ndarray:
        """Song, recording, video or note that each clip is from: what is resampled as a whole [shape=(n_clips,)]."""
        return self.table["group"].astype(str).to_numpy()

    def labels(self, side: str = "train") -> np.ndarray:
        """Instrument of each clip for dynamic sampling.

        Parameters
        ----------
        side : str

        Returns
        -------
        ndarray of int [shape=(n_clips,)]
            Index in ``classes``; −1 for clips of other sides and clips of several instruments.
        """
        single = (self.targets.sum(dim=1) == 1).numpy()
        wanted = np.zeros(len(self.table), dtype=bool)
        wanted[self.rows(side)] = True
        return np.where(single & wanted, self.targets.argmax(dim=1).numpy(), -1)

    @cached_property
    def statistics(self) -> tuple[float, float]:
        """Mean and deviation of the training clips' samples, each the mean over clips of the clip's own."""
        rows = self.rows("train")
        lengths = self.bank.lengths[rows]
        length = int(lengths.max())
        means, deviations = [], []
        for part in np.array_split(np.arange(len(rows)), max(1, len(rows) * length // BLOCK_SAMPLES)):
            if not len(part):
                continue
            # zeros behind a short clip add nothing to either sum
            waves = self.bank.batch(rows[part], length=length, device="cpu").double()
            counts = torch.from_numpy(lengths[part])
            mean = waves.sum(dim=1) / counts
            means.append(mean)
            deviations.append((waves.square().sum(dim=1) / counts - mean.square()).clamp(min=0).sqrt())
        return float(torch.cat(means).mean()), float(torch.cat(deviations).mean())


@dataclass(frozen=True)
class Collection:
    """All that a run of this paper has to learn from and to be tested on.

    Attributes
    ----------
    irmas : Corpus
        IRMAS, or the notes that stand in for it.
    audioset : Corpus or None
    sets : DataSets
        Fingerprints and folders, for `conditions`.
    notes : list of str
        Of the choice of data; each corpus has its own beside.
    """

    irmas: Corpus
    audioset: Corpus | None
    sets: DataSets
    notes: list[str] = field(default_factory=list)

    @property
    def evidence(self) -> str:
        """``synthetic``, ``excerpt`` or ``full``, of the side of IRMAS."""
        return self.irmas.evidence

    def corpus(self, name: SetName) -> Corpus:
        """Corpus of a set's name.

        Parameters
        ----------
        name : "irmas" or "audioset"

        Returns
        -------
        Corpus

        Raises
        ------
        LookupError
            If the run has no AudioSet.
        """
        if name == "irmas":
            return self.irmas
        if self.audioset is None:
            raise LookupError("this run has no AudioSet; give a data folder that holds it, or with_audioset=True")
        return self.audioset


def _table(name: str, folder: Path, config: ClipConfig) -> pd.DataFrame:
    options: dict[str, Any] = {}
    if name == "irmas":
        options = {
            "split": "paper" if config.split == "random" else "song_disjoint",
            "seed": config.split_seed,
            "same_audio": "drop_contradictory" if config.contradictory == "drop" else "list",
        }
    table = datasets.load(name, folder, **options)
    if name != "philharmonia":
        return table
    training = table[table["split"] == "train"]
    drawn = disjoint_split(training, fraction_test=FRACTION_VALID, seed=config.split_seed, label="label")
    table.loc[training.index[drawn.to_numpy() == "test"], "split"] = "valid"
    table.attrs["notes"].append(
        f"Single notes, {CLIP_SECONDS[name]:g} s of each in training; {FRACTION_VALID:.0%} of the training notes are "
        "the validation side."
    )
    return table


def _classes(name: str, table: pd.DataFrame) -> tuple[str, ...]:
    """The eleven instruments; of notes, those that are there, IRMAS's first."""
    if name != "philharmonia":
        return tuple(INSTRUMENTS)
    present = set(table["label"])
    return (*(code for code in INSTRUMENTS if code in present), *sorted(present - set(INSTRUMENTS)))


@lru_cache(maxsize=8)
def open_corpus(name: str, folder: Path, *, config: ClipConfig) -> Corpus:
    """Read a clip table and decode its audio once; a second call in one process costs nothing.

    Parameters
    ----------
    name : str
        ``irmas``, ``audioset`` or ``philharmonia``.
    folder : Path
        Of the data set.
    config : ClipConfig

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        If a side of the split has no usable clip.
    """
    table = _table(name, folder, config)
    notes = list(table.attrs.get("notes", []))
    for problem in pd.DataFrame(table.attrs.get("problems", [])).to_dict("records")[:5]:
        notes.append(f"{Path(str(problem['path'])).name}: {problem['reason']} ({problem['action']}).")
    bank = WaveBank.build(table, sample_rate=config.sample_rate)
    if len(bank.problems):
        reasons = bank.problems["reason"].value_counts()
        notes.append("Excluded audio: " + ", ".join(f"{count} × {reason}" for reason, count in reasons.items()) + ".")
    corpus = Corpus(bank=bank, name=name, classes=_classes(name, table), notes=notes)
    for side in ("train", "test"):
        if len(corpus.rows(side)) == 0:
            raise ValueError(f"no {side} clip of {name} is left in {folder}; give a folder that has some")
    return corpus


def _partial(folder: Path, config: ClipConfig) -> str:
    """Why a copy of IRMAS cannot be trained on; empty if it can."""
    table = _table("irmas", folder, config)
    missing = table.attrs["missing_instruments"]
    if missing:
        return f"no training clip of {', '.join(missing)}"
    absent = [side for side in SIDES if side not in set(table["split"])]
    return f"no {' and no '.join(absent)} clip" if absent else ""


def _irmas_side(session: "Session", notes: list[str], config: ClipConfig) -> tuple[str, Path]:
    """Data set and folder of the side of IRMAS."""
    wanted = session.settings.instruments_data
    if wanted == "philharmonia":
        return "philharmonia", session.folder("philharmonia")
    folder = session.folder("irmas")
    if wanted == "irmas" or session.data == "synthetic":
        return "irmas", folder
    lack = _partial(folder, config)
    notes_folder = datasets.find_root("philharmonia", Path(session.data)) if lack else None
    if notes_folder is None:
        return "irmas", folder
    notes.append(
        f"This copy of IRMAS is a part ({lack}), so networks are trained and tested on single notes of the "
        "Philharmonia in its place: one instrument per clip, other classes, other tables than the paper's."
    )
    return "philharmonia", notes_folder


def _audioset_folder(session: "Session", collection: str) -> Path | None:
    wanted = session.settings.with_audioset
    if wanted is False or (wanted == "auto" and collection != "irmas"):
        return None
    if wanted is True or session.data == "synthetic":
        return session.folder("audioset")
    return datasets.find_root("audioset", Path(session.data))


def open_collection(session: "Session") -> Collection:
    """Open what a session has of IRMAS and AudioSet, or the notes that stand in for a partial IRMAS.

    Parameters
    ----------
    session : Session
        From `reprise.papers.session.open_paper`.

    Returns
    -------
    Collection

    Raises
    ------
    FileNotFoundError
        If a data set that the settings ask for is not there.
    ValueError
        If one has no usable clip on a side.
    """
    config = clip_config(session.settings)
    notes: list[str] = []
    name, folder = _irmas_side(session, notes, config)
    irmas = open_corpus(name, folder, config=config)
    audioset_folder = _audioset_folder(session, name)
    audioset = None if audioset_folder is None else open_corpus("audioset", audioset_folder, config=config)
    if audioset is None and name == "irmas":
        notes.append("There is no AudioSet here: the systems that are trained on it are left out.")
    sets = DataSets(
        irmas=irmas.fingerprint,
        collection="philharmonia" if name == "philharmonia" else "irmas",
        audioset=None if audioset is None else audioset.fingerprint,
        irmas_root=folder,
        audioset_root=audioset_folder,
    )
    return Collection(irmas=irmas, audioset=audioset, sets=sets, notes=notes)
