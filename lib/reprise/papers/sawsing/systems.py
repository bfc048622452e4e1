"""The paper's systems and our ablations of its proposal, and the names of conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from reprise.papers.choices import UnknownName, closest

__all__ = [
    "ABLATIONS",
    "PAPER_SYSTEMS",
    "SYSTEMS",
    "Condition",
    "Family",
    "Scenario",
    "System",
    "Voice",
    "split_condition",
]

Family = Literal["sawsing", "ddsp_add", "dwts", "full", "sawsub", "nsf", "pwg", "hifigan", "fastdiff"]
Scenario = Literal["regular", "limited"]
Voice = Literal["female", "male"]


@dataclass(frozen=True)
class System:
    """A vocoder, or one with some of the settings changed.

    Attributes
    ----------
    family : str
        Kind of network.
    label : str
    changes : mapping of str to value
        Settings that differ for this system alone.
    weights_from : str or None
        System whose weights it takes over: it is another way of using them, and is not trained.
    debuzz : bool
        Silence the harmonic branch where the output is unvoiced.
    """

    family: Family
    label: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    weights_from: str | None = None
    debuzz: bool = False

    @property
    def has_branches(self) -> bool:
        """Whether its output is the sum of a harmonic and a noise branch."""
        return self.family not in ("pwg", "hifigan", "fastdiff")


SYSTEMS: dict[str, System] = {
    "sawsing": System("sawsing", "SawSing"),
    "ddsp_add": System("ddsp_add", "DDSP-Add"),
    "dwts": System("dwts", "DWTS"),
    "nsf": System("nsf", "NSF"),
    "pwg": System("pwg", "PWG"),
    "hifigan": System("hifigan", "HiFi-GAN"),
    "fastdiff": System("fastdiff", "FastDiff"),
    # in the authors' code only
    "full": System("full", "Full (additive, filtered)"),
    "sawsub": System("sawsub", "SawSub (sawtooth with aliases)"),
    "sawsing_debuzz": System("sawsing", "SawSing, de-buzzed", weights_from="sawsing", debuzz=True),
    # ours
    "sawsing_linear_f0": System("sawsing", "SawSing, f0 in lines", {"interpolation": "linear"}),
    "sawsing_crossfade": System("sawsing", "SawSing, cross-faded filters", {"crossfade": True}),
    "sawsing_compensated": System("sawsing", "SawSing, filters without delay", {"compensate": True}),
    "sawsing_aligned": System("sawsing", "SawSing, crops on the grid", {"align_crops": True}),
    "sawsing_single": System(
        "sawsing", "SawSing, phase in single precision", {"phase_precision": "single"}, weights_from="sawsing"
    ),
    "sawsing_gate": System("sawsing", "SawSing with a voicing gate", {"voicing_gate": True}),
    "sawsing_voiced_f0": System("sawsing", "SawSing, f0 loss on voiced frames only", {"switch_step": 0}),
}
PAPER_SYSTEMS = ("sawsing", "ddsp_add", "dwts", "nsf", "pwg", "hifigan", "fastdiff")
ABLATIONS = tuple(name for name in SYSTEMS if name.startswith("sawsing_"))


class Condition(NamedTuple):
    """What a condition's name says.

    Attributes
    ----------
    system : str
    scenario : "regular" or "limited"
    voice : "female", "male" or None
        None: all singers together.
    """

    system: str
    scenario: Scenario = "regular"
    voice: Voice | None = None

    @property
    def name(self) -> str:
        """The condition's name: ``sawsing``, ``sawsing>limited``, ``sawsing>limited/female``."""
        scenario = "" if self.scenario == "regular" else f">{self.scenario}"
        return f"{self.system}{scenario}" + (f"/{self.voice}" if self.voice else "")


def split_condition(condition: str) -> Condition:
    """System, scenario and voice of a condition.

    Parameters
    ----------
    condition : str
        ``sawsing`` is the regular scenario and all singers, ``sawsing>limited`` three recordings and little time,
        ``sawsing/female`` and ``sawsing>limited/female`` the female voices alone.

    Returns
    -------
    Condition

    Raises
    ------
    UnknownName
        For a system, scenario or voice that there is not.
    """
    rest, slash, voice = condition.partition("/")
    system, arrow, scenario = rest.partition(">")
    if system not in SYSTEMS:
        raise UnknownName(
            f"{condition!r} is no condition: unknown system {system!r}{closest(system, SYSTEMS)} the systems are "
            f"{', '.join(SYSTEMS)}"
        )
    if arrow and scenario != "limited":
        raise UnknownName(
            f"{condition!r}: the scenarios are regular (nothing behind the system) and '>limited', not {scenario!r}"
        )
    voices: dict[str, Voice] = {"female": "female", "male": "male"}
    if slash and voice not in voices:
        raise UnknownName(f"{condition!r}: the voices are '/female' and '/male', not {voice!r}")
    return Condition(system, "limited" if arrow else "regular", None if not slash else voices[voice])
