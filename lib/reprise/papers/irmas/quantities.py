"""Every quantity of this paper that needs no sampling, under the names that its tables and claims use."""

from typing import TYPE_CHECKING

import numpy as np

from reprise.models.ast import n_positions
from reprise.papers.irmas.tables_data import data_quantities, mixture_quantities
from reprise.papers.irmas.tables_models import layer_quantities, setting_quantities

if TYPE_CHECKING:
    from reprise.papers.irmas.corpus import Collection
    from reprise.papers.irmas.settings import Settings

__all__ = ["architecture_quantities", "exact_quantities"]

SMALL_CNNS = ("cnn_raw", "cnn_mfcc", "cnn_features")
N_PAPER = 6705
POSITION_WIDTH = 768
# frames of the filter banks of 10 s and 1 s
FRAMES = {"10s": 1024, "1s": 98}


def architecture_quantities() -> dict[str, float]:
    """What follows from the networks and equation 3.1 alone.

    Returns
    -------
    dict of str to float
        ``parameters/…`` (thousands) and shapes of the live modules, ``parameter_ratio/…`` (ResNet-50 to a small CNN),
        ``position_parameters/10s``, ``position_parameters/1s``, ``position_parameters/over_largest_small_cnn`` (how
        many more the discarded positions have than the largest small CNN), ``epoch_length/…`` and
        ``epoch_length_ratio/…`` (to the number of clips).
    """
    found = layer_quantities() | mixture_quantities()
    for name in SMALL_CNNS:
        found[f"parameter_ratio/{name}"] = found["parameters/resnet"] / found[f"parameters/{name}"]
    found |= {f"position_parameters/{name}": n_positions(n) * POSITION_WIDTH for name, n in FRAMES.items()}
    largest = 1000 * max(found[f"parameters/{name}"] for name in SMALL_CNNS)
    found["position_parameters/over_largest_small_cnn"] = found["position_parameters/10s"] - largest
    lengths = {name: value for name, value in found.items() if name.startswith("epoch_length/")}
    return found | {name.replace("/", "_ratio/"): value / N_PAPER for name, value in lengths.items()}


def _imbalance(counts: np.ndarray) -> float:
    """Ratio of the largest to the smallest class that has anything."""
    present = counts[counts > 0]
    return float(present.max() / present.min()) if len(present) > 1 else float("nan")


def exact_quantities(settings: "Settings", collection: "Collection") -> dict[str, float]:
    """All quantities for :class:`~reprise.report.draws.Draws`.

    Parameters
    ----------
    settings : Settings
    collection : Collection

    Returns
    -------
    dict of str to float
        Those of :func:`architecture_quantities`; hyper-parameters of this run; counts of its data; and
        ``imbalance/train``, ``imbalance/test`` (largest to smallest class that occurs).
    """
    found = architecture_quantities() | setting_quantities(settings) | data_quantities(collection)
    train, test = (collection.irmas.counts(side) for side in ("train", "test"))
    ratios = {"imbalance/train": _imbalance(train), "imbalance/test": _imbalance(test)}
    return found | {name: value for name, value in ratios.items() if np.isfinite(value)}
