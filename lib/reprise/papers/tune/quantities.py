"""Every quantity of this paper that needs no sampling, under the names that its tables and claims use."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
import torch

from reprise.audio.view_settings import TRANSFORMS
from reprise.models.clmr import Projector
from reprise.models.shapes import count_parameters
from reprise.models.tune import TUNe, shape_trace
from reprise.papers.tune.settings import CLMR_SIZED, LENGTH, Settings
from reprise.papers.tune.systems import PAPER_SYSTEMS, SYSTEMS
from reprise.training.contrastive import chance_loss

if TYPE_CHECKING:
    from reprise.papers.tune.corpus import Collection

__all__ = [
    "architecture_quantities",
    "exact_quantities",
    "network_quantities",
    "setting_quantities",
    "split_quantities",
]

N_TAGS = 50
BATCH = 96
MIB = 2**20
# CLMR itself, and the network that is larger on purpose: all others are said to stay below CLMR
FREE = ("clmr", "tune_plus_large")
RATIOS = (
    ("tune_plus_small", "clmr_tail"), ("tune_plus_small", "clmr"), ("tune_plus_small", "tune_plus"),
    ("clmr_tail", "clmr"), ("tune_plus", "clmr"), ("tail_5", "clmr"), ("tune_plus_large", "clmr"),
)  # fmt: skip
SIDES = ("train", "valid", "test")
# columns of Table 1, whose longer runs are rows of their own
REPEATED = ("contractive", "expansive", "tail", "filters", "millions")
LONGEST = ("tail_5", "tune_plus", "clmr")
_CLMRS_BLOCK = r"(tail\.)?(first|last|blocks\.\d+)"


@cache
def network_quantities(system: str) -> Mapping[str, float]:
    """What one network is made of, at the paper's length of input.

    Parameters
    ----------
    system : str
        One of the paper's.

    Returns
    -------
    mapping of str to float
        ``parameters`` (with the head for 50 tags, as Table 1 counts), ``parameters_encoder``, ``parameters_projector``
        (encoder and projector), ``millions`` (as ``parameters``), ``representation``, ``contractive``, ``expansive``,
        ``tail`` (blocks; the U's bottom not counted) and ``filters`` (of TUNe's), ``macs`` (multiplications of one
        clip's convolutions), ``mmacs`` (millions), ``pass_mb``, ``weights_mb`` and ``batch_gb`` (as Table S3 counts),
        ``pooled`` (points that the mean is taken over), and ``length/<block>`` and ``channels/<block>``.

    Raises
    ------
    KeyError
        If there is no such network.
    """
    name = SYSTEMS[system].network
    if name is None:
        raise KeyError(system)
    # sizes alone matter, so no weights are drawn
    with torch.device("meta"):
        encoder = TUNe.from_name(name).eval()
        projector = Projector(encoder.representation)
        blocks = {block: value.shape for block, value in encoder.maps(torch.empty(1, LENGTH))}
    trace = shape_trace(encoder, length=LENGTH)
    size, head = count_parameters(encoder), (encoder.representation + 1) * N_TAGS
    found = {
        "parameters": size + head,
        "parameters_encoder": size,
        "parameters_projector": size + count_parameters(projector),
        "millions": (size + head) / 1e6,
        "representation": encoder.representation,
        "macs": trace["macs"].sum(),
        "mmacs": trace["macs"].sum() / 1e6,
        "weights_mb": 4 * (size + head) / MIB,
        "pass_mb": _pass_mb(trace, system=system, representation=encoder.representation),
        "pooled": list(blocks.values())[-1][2],
    }
    found["batch_gb"] = BATCH * (found["pass_mb"] + found["weights_mb"]) / 1024
    found |= _paths(trace)
    if system != "clmr":
        found["filters"] = trace["channels"].iloc[0]
    found |= {f"length/{block}": shape[2] for block, shape in blocks.items()}
    found |= {f"channels/{block}": shape[1] for block, shape in blocks.items()}
    return {key: float(value) for key, value in found.items()}


def _paths(trace: pd.DataFrame) -> dict[str, int]:
    """Convolution blocks on each path."""
    convolutions = trace[trace["kind"] == "conv"]
    return {path: int((convolutions["path"] == path).sum()) for path in ("contractive", "expansive", "tail")}


def _pass_mb(trace: pd.DataFrame, *, system: str, representation: int) -> float:
    """Memory that the tool behind Table S3 adds up for one clip, in MiB: outputs of all modules as float32, twice.

    A block counts as convolution, batch norm and ReLU and, where it is a module of its own, once more as a whole;
    CLMR's blocks are none.
    """
    sizes = trace["channels"] * trace["length"]
    clmrs = trace["block"].str.fullmatch(_CLMRS_BLOCK) & (system in CLMR_SIZED)
    outputs = sizes.mul((trace["kind"] == "conv").map({True: 4, False: 1}) - clmrs).sum()
    ours, theirs = trace[~clmrs], trace[clmrs]
    contractive = ours[ours["path"] == "contractive"]
    pools = (contractive["channels"] * (contractive["length"] // 3)).sum()
    tail = ours[ours["path"] == "tail"]
    if len(tail):
        before = [ours[ours["path"] != "tail"]["channels"].iloc[-1], *tail["channels"].iloc[:-1]]
        pools += (tail["length"] * before).sum()
    # no pool follows CLMR's first and last block
    pools += (theirs["channels"] * (theirs["length"] // 3)).iloc[1:-1].sum()
    # the mean over time of TUNe's; in the CLMR tail the empty place of CLMR's own head, and the new one's input
    vectors = {"clmr": 0, "clmr_tail": 2}.get(system, 1)
    return 8 * float(outputs + pools + vectors * representation + N_TAGS) / MIB


def architecture_quantities() -> dict[str, float]:
    """What follows from the networks and from the loss alone.

    Returns
    -------
    dict of str to float
        ``<name>/<system>`` and ``length/<system>/<block>`` for all of :func:`network_quantities`, columns of Table 1
        also for ``<system>+long``;
        ``parameter_ratio/<a>/<b>`` and ``parameter_ratio/largest/clmr`` (largest of the networks that are meant to be
        no larger than CLMR), ``macs_ratio/largest/smallest`` and ``macs_ratio/<system>/clmr``; ``chance_loss/96``,
        ``/48`` and ``/32``; ``negatives/96`` and so on.
    """
    every = {system: network_quantities(system) for system in PAPER_SYSTEMS}
    found: dict[str, float] = {}
    for system, values in every.items():
        for key, value in values.items():
            kind, _, block = key.partition("/")
            found[f"{kind}/{system}/{block}" if block else f"{kind}/{system}"] = value
    found |= {f"{kind}/{system}+long": found[f"{kind}/{system}"] for kind in REPEATED for system in LONGEST
              if f"{kind}/{system}" in found}  # fmt: skip
    sizes = {system: values["parameters"] for system, values in every.items()}
    found |= {f"parameter_ratio/{a}/{b}": sizes[a] / sizes[b] for a, b in RATIOS}
    largest = max(size for system, size in sizes.items() if system not in FREE)
    found["parameter_ratio/largest/clmr"] = largest / sizes["clmr"]
    costs = {system: values["macs"] for system, values in every.items()}
    found["macs_ratio/largest/smallest"] = max(costs.values()) / min(costs.values())
    found |= {f"macs_ratio/{system}/clmr": cost / costs["clmr"] for system, cost in costs.items()}
    for n in (BATCH, BATCH // 2, BATCH // 3):
        found |= {f"chance_loss/{n}": chance_loss(n), f"negatives/{n}": float(2 * n - 2)}
    return found


def setting_quantities(settings: Settings) -> dict[str, float]:
    """Numbers that the paper or its code fix, as they are here.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to float
        ``constant/<name>`` for the rows of the table of constants.
    """
    names = (
        "sample_rate", "n_samples", "n_tags", "batch_size", "temperature", "projection", "learning_rate",
        "weight_decay", "epochs", "epochs_middle", "epochs_long",
    )  # fmt: skip
    views = settings.view_settings
    found = {name: float(getattr(settings, name)) for name in names} | {"n_visible": float(settings.n_visible)}
    found |= {f"p_{name}": float(getattr(views, name)) for name in TRANSFORMS}
    found |= {"cents": float(views.cents), "gain_low": views.gains[0], "gain_high": views.gains[1]}
    found |= {"high_pass_low": views.high_pass[0], "high_pass_high": views.high_pass[1]}
    found |= {"low_pass_low": views.low_pass[0], "low_pass_high": views.low_pass[1]}
    found |= {"delay_low": min(views.delays), "delay_high": max(views.delays), "echo_factor": views.echo_factor}
    return {f"constant/{name}": value for name, value in found.items()}


def split_quantities(name: str, table: pd.DataFrame) -> dict[str, float]:
    """Counts of a data set's clips.

    Parameters
    ----------
    name : str
        Of the set: "mtt", "fma", "gtzan", "billboard", "key" or "emotion".
    table : DataFrame
        Clip table, one row per clip.

    Returns
    -------
    dict of str to float
        ``data/split/<name>/train``, ``valid``, ``test`` and ``all``; where the table has ``tags`` also
        ``untagged_train`` and so on.
    """
    sides = table["split"]
    found = {f"data/split/{name}/{side}": float((sides == side).sum()) for side in SIDES}
    found[f"data/split/{name}/all"] = float(len(table))
    if "tags" in table:
        empty = table["tags"].map(len) == 0
        found |= {f"data/split/{name}/untagged_{side}": float((empty & (sides == side)).sum()) for side in SIDES}
    return found


def exact_quantities(settings: Settings, collection: "Collection") -> dict[str, float]:
    """All quantities for :class:`~reprise.report.draws.Draws`.

    Parameters
    ----------
    settings : Settings
    collection : Collection

    Returns
    -------
    dict of str to float
        Those of :func:`architecture_quantities`, :func:`setting_quantities` and, for every set that is there,
        :func:`split_quantities`; a set that is a task counts as that, with its sides.
    """
    sets = {**collection.pretraining, **collection.tasks}
    found = architecture_quantities() | setting_quantities(settings)
    for name, clips in sets.items():
        found |= split_quantities(name, clips.table)
    return found
