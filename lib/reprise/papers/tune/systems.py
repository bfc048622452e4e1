"""The paper's encoders, what stands beside them, the sets and tasks, and the names of conditions."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from reprise.papers.choices import UnknownName, closest

__all__ = [
    "BASELINES",
    "LENGTHS",
    "PAPER_SYSTEMS",
    "PRETRAINING_SETS",
    "SYSTEMS",
    "TAIL_SERIES",
    "TASKS",
    "Condition",
    "Length",
    "PretrainingSet",
    "System",
    "Task",
    "TaskName",
    "split_condition",
]

Length = Literal["regular", "middle", "long"]
PretrainingSet = Literal["mtt", "fma", "gtzan", "billboard"]
TaskName = Literal["mtt", "gtzan", "key", "emotion"]


@dataclass(frozen=True)
class System:
    """An encoder, or another way to features.

    Attributes
    ----------
    label : str
    network : str or None
        Row of the paper's Table 1, for ``TUNe.from_name``; None where there is no network.
    trained : bool
        Whether it is pre-trained.
    """

    label: str
    network: str | None
    trained: bool = True


SYSTEMS: dict[str, System] = {
    "vanilla": System("Vanilla TUNe", "Vanilla TUNe"),
    "contractive_1": System("TUNe Contractive+1", "TUNe Contractive+1"),
    "contractive_2": System("TUNe Contractive+2", "TUNe Contractive+2"),
    "contractive_3": System("TUNe Contractive+3", "TUNe Contractive+3"),
    "expansive_1": System("TUNe Expansive−1", "TUNe Expansive-1"),
    "expansive_2": System("TUNe Expansive−2", "TUNe Expansive-2"),
    "expansive_3": System("TUNe Expansive−3", "TUNe Expansive-3"),
    "tail_1": System("TUNe Tail+1", "TUNe Tail+1"),
    "tail_2": System("TUNe Tail+2", "TUNe Tail+2"),
    "tail_3": System("TUNe Tail+3", "TUNe Tail+3"),
    "tail_4": System("TUNe Tail+4", "TUNe Tail+4"),
    "tail_5": System("TUNe Tail+5", "TUNe Tail+5"),
    "clmr_tail": System("TUNe CLMR-tail", "TUNe CLMR-tail"),
    "tune_plus": System("TUNe+", "TUNe+"),
    "vanilla_small": System("Vanilla TUNe Small", "Vanilla TUNe Small"),
    "tune_plus_large": System("TUNe+ Large", "TUNe+ Large"),
    "tune_plus_small": System("TUNe+ Smaller Rep", "TUNe+ Smaller Rep"),
    "clmr": System("CLMR", "CLMR"),
    # ours
    "untrained": System("TUNe+, random weights", "TUNe+", trained=False),
    "mel_statistics": System("Log-mel mean and deviation", None, trained=False),
}
PAPER_SYSTEMS = tuple(name for name, system in SYSTEMS.items() if system.trained)
BASELINES = tuple(name for name, system in SYSTEMS.items() if not system.trained)
TAIL_SERIES = ("vanilla", "tail_1", "tail_2", "tail_3", "tail_4", "tail_5")
"""From the shortest tail to the longest, every one on the same U but for its filters."""

LENGTHS: tuple[Length, ...] = ("regular", "middle", "long")
"""1,000, 3,000 and 10,000 epochs in the paper and its supplement."""

PRETRAINING_SETS: dict[str, str] = {
    "mtt": "magnatagatune",
    "fma": "fma",
    "gtzan": "gtzan",
    "billboard": "billboard",
}
"""Data set of each, by its name in ``reprise.data.datasets``."""


@dataclass(frozen=True)
class Task:
    """What is asked of the representations.

    Attributes
    ----------
    dataset : str
        Name in ``reprise.data.datasets``.
    kind : "tags", "classes" or "values"
    metrics : tuple of str
        Of a condition, 0 to 1 (of values at most 1).
    label : str
    """

    dataset: str
    kind: Literal["tags", "classes", "values"]
    metrics: tuple[str, ...]
    label: str


TASKS: dict[str, Task] = {
    "mtt": Task("magnatagatune", "tags", ("auc", "ap"), "tags of MagnaTagATune"),
    "gtzan": Task("gtzan", "classes", ("gtzan_accuracy",), "genres of GTZAN"),
    "key": Task("giantsteps_key", "classes", ("key_score",), "keys of GiantSteps"),
    "emotion": Task("emomusic", "values", ("arousal_r2", "valence_r2"), "arousal and valence of EmoMusic"),
}


class Condition(NamedTuple):
    """What a condition's name says.

    Attributes
    ----------
    system : str
    length : "regular", "middle" or "long"
        Of the pre-training.
    pretraining : "mtt", "fma", "gtzan" or "billboard"
        Set of the pre-training.
    """

    system: str
    length: Length = "regular"
    pretraining: PretrainingSet = "mtt"

    @property
    def name(self) -> str:
        """The condition's name: ``tune_plus``, ``tune_plus+long``, ``tune_plus@gtzan``, ``tune_plus+long@gtzan``."""
        length = "" if self.length == "regular" else f"+{self.length}"
        return f"{self.system}{length}" + ("" if self.pretraining == "mtt" else f"@{self.pretraining}")

    @property
    def label(self) -> str:
        """As a reader calls it."""
        epochs = {"regular": "", "middle": ", longer", "long": ", longest"}[self.length]
        sets = {"mtt": "", "fma": " on FMA", "gtzan": " on GTZAN", "billboard": " on Billboard"}
        return f"{SYSTEMS[self.system].label}{epochs}{sets[self.pretraining]}"


def split_condition(condition: str) -> Condition:
    """System, length and set of the pre-training of a condition.

    Parameters
    ----------
    condition : str
        ``tune_plus`` is pre-trained on MagnaTagATune; ``tune_plus+middle`` and ``tune_plus+long`` for more epochs,
        ``tune_plus@gtzan`` on another set.

    Returns
    -------
    Condition

    Raises
    ------
    UnknownName
        For a system, length or set that there is not, and for a baseline that is said to be trained.
    """
    rest, at, pretraining = condition.partition("@")
    system, plus, length = rest.partition("+")
    if system not in SYSTEMS:
        raise UnknownName(
            f"{condition!r} is no condition: unknown system {system!r}{closest(system, SYSTEMS)} the systems are "
            f"{', '.join(SYSTEMS)}"
        )
    lengths: dict[str, Length] = {"middle": "middle", "long": "long"}
    if plus and length not in lengths:
        raise UnknownName(f"{condition!r}: the lengths are '+middle' and '+long', not {length!r}")
    sets: dict[str, PretrainingSet] = {"fma": "fma", "gtzan": "gtzan", "billboard": "billboard"}
    if at and pretraining not in sets:
        raise UnknownName(
            f"{condition!r}: the sets are MagnaTagATune (nothing behind the system), '@fma', '@gtzan' and "
            f"'@billboard', not {pretraining!r}"
        )
    if (plus or at) and not SYSTEMS[system].trained:
        raise UnknownName(f"{condition!r}: {system} is not pre-trained, so its name stands alone")
    return Condition(system, lengths[length] if plus else "regular", sets[pretraining] if at else "mtt")
