"""The paper's systems: network, window, training set and mixing of each, and the names of conditions."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["SYSTEMS", "Family", "SetName", "System", "split_condition"]

Family = Literal["raw", "mfcc", "features", "features_2d", "resnet", "ast"]
SetName = Literal["irmas", "audioset"]


@dataclass(frozen=True)
class System:
    """One of the paper's systems.

    Attributes
    ----------
    family : str
        Kind of network.
    window : float or None, s
        None: the settings' ``window_seconds``.
    trained_on : "irmas" or "audioset"
    sampling : "static", "true" or "base"
        Training clips as they are, true dynamic or base-sample-persistent sampling.
    max_sampled : int
        Most clips in a mixture.
    l2 : "high" or "low"
        Of the transformer.
    """

    family: Family
    window: float | None = None
    trained_on: SetName = "irmas"
    sampling: Literal["static", "true", "base"] = "static"
    max_sampled: int = 1
    l2: Literal["high", "low"] = "high"


SYSTEMS: dict[str, System] = {
    "resnet_1s": System("resnet", 1.0),
    "resnet_2s": System("resnet", 2.0),
    "resnet_3s": System("resnet", 3.0),
    "cnn_raw": System("raw"),
    "cnn_mfcc": System("mfcc"),
    "cnn_features": System("features"),
    "tds5_1s": System("resnet", 1.0, sampling="true", max_sampled=5),
    "tds4_1s": System("resnet", 1.0, sampling="true", max_sampled=4),
    "bspds5_1s": System("resnet", 1.0, sampling="base", max_sampled=5),
    "bspds5_3s": System("resnet", 3.0, sampling="base", max_sampled=5),
    "resnet_audioset": System("resnet", 10.0, trained_on="audioset"),
    "ast_audioset": System("ast", 10.0, trained_on="audioset"),
    "ast_low_l2": System("ast", 1.0, l2="low"),
    "ast_high_l2": System("ast", 1.0),
    "cnn_features_2d": System("features_2d"),
}


def split_condition(condition: str) -> tuple[str, SetName]:
    """System and test set of a condition.

    Parameters
    ----------
    condition : str
        ``resnet_1s`` is scored on IRMAS, ``resnet_1s>audioset`` on AudioSet.

    Returns
    -------
    tuple of str
        System, and "irmas" or "audioset".

    Raises
    ------
    ValueError
        For another set.
    """
    system, _, name = condition.partition(">")
    if name not in ("", "audioset"):
        raise ValueError(f"{condition!r}: the sets are IRMAS (nothing behind the system) and '>audioset', not {name!r}")
    return system, "audioset" if name else "irmas"
