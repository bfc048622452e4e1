"""Which clips of a data set are used: its own table, the sides, and how many of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reprise.data import datasets
from reprise.data.datasets import gtzan, magnatagatune
from reprise.data.datasets.giantsteps_key import KEYS
from reprise.papers.tune.trials import ClipsConfig

__all__ = ["SIDES", "chosen_clips", "class_names", "load_table"]

SIDES = ("train", "valid", "test")
# probes for keys take pieces of this length, as the supplement's
KEY_SECONDS = 30.0
# fewer clips have no negatives worth the name
FEWEST = 4


def _options(config: ClipsConfig, folder: Path) -> dict[str, Any]:
    """What the data set's own loader is told."""
    if config.dataset == "magnatagatune":
        return {"n_tags": config.n_tags or len(magnatagatune.TOP_TAGS), "untagged": config.untagged or "keep"}
    if config.dataset == "giantsteps_key":
        lengths = datasets.load(config.dataset, folder)["duration"]
        if lengths.max() >= KEY_SECONDS:
            return {"seconds": KEY_SECONDS, "short": "drop", "remainder": "drop"}
    return {}


def load_table(config: ClipsConfig, folder: Path) -> pd.DataFrame:
    """Clip table of a data set.

    Parameters
    ----------
    config : ClipsConfig
    folder : Path

    Returns
    -------
    DataFrame
        Of GTZAN with clips drawn genre by genre where the published division leaves a side empty; of keys in pieces of
        30 s, or whole where all are shorter.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the data set.
    """
    table = datasets.load(config.dataset, folder, **_options(config, folder))
    if config.dataset == "gtzan" and config.pool != "all" and set(table["split"]) != set(SIDES):
        # a part of the set may have all its clips on one side
        drawn = datasets.load("gtzan", folder, split="stratified")
        drawn.attrs["notes"] = [*drawn.attrs["notes"], "The published division leaves a side empty here."]
        return drawn
    return table


def _spread(rows: np.ndarray, n: int | None) -> np.ndarray:
    """At most n of the rows, at even distances."""
    return rows if n is None or len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).round().astype(int)]


def chosen_clips(table: pd.DataFrame, config: ClipsConfig) -> pd.DataFrame:
    """Choose the clips that are decoded.

    Parameters
    ----------
    table : DataFrame
    config : ClipsConfig

    Returns
    -------
    DataFrame
        Of a task up to ``max_clips`` of each side; for pre-training the pool, all called training clips, and some
        validation clips.

    Raises
    ------
    ValueError
        If there are too few clips to pre-train on.
    """
    sides = table["split"].to_numpy()
    places = {side: np.flatnonzero(sides == side) for side in SIDES}
    if config.purpose == "task":
        kept = np.sort(np.concatenate([_spread(places[side], config.max_clips) for side in SIDES]))
        return table.iloc[kept].reset_index(drop=True)
    long_enough = np.flatnonzero((table["duration"] * config.sample_rate >= config.shortest - 0.5).to_numpy())
    inside = long_enough if config.pool == "all" else np.intersect1d(places["train"], long_enough)
    pool = _spread(inside, config.max_clips)
    beside = places["valid"][:0] if config.pool == "all" else np.intersect1d(places["valid"], long_enough)
    watched = _spread(beside, config.n_watched)
    found = table.iloc[np.concatenate([pool, watched])].reset_index(drop=True)
    found["split"] = ["train"] * len(pool) + ["valid"] * len(watched)
    if len(pool) < FEWEST:
        raise ValueError(
            f"{config.dataset} has {len(pool)} clips of {config.shortest / config.sample_rate:.2f} s or more to "
            f"pre-train on, and {FEWEST} are the fewest; give a folder with more, or another set"
        )
    return found


def class_names(table: pd.DataFrame, dataset: str) -> tuple[str, ...]:
    """Names of a task's outputs: tags, genres, keys, or arousal and valence; nothing where there are no tags."""
    names: dict[str, Callable[[], tuple[str, ...]]] = {
        "magnatagatune": lambda: tuple(table.attrs["tags"]),
        "gtzan": lambda: tuple(gtzan.GENRES),
        "giantsteps_key": lambda: tuple(KEYS),
        "emomusic": lambda: ("arousal", "valence"),
    }
    return names[dataset]()
