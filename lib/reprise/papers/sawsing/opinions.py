"""Opinion scores from the files of ratings that the listening page saves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reprise.papers.sawsing.outcome import GROUND_TRUTH
from reprise.papers.sawsing.systems import Scenario, Voice, split_condition
from reprise.report.draws import Draws, Estimate
from reprise.report.listening_page import ANCHOR
from reprise.seeds import numpy_generator
from reprise.stats.ratings import (
    REFERENCE,
    friedman,
    mean_ratings,
    mos_of,
    pairwise_wilcoxon,
    rating_draws,
    read_ratings,
    screen_raters,
)

__all__ = ["SCENARIOS", "Listening", "item_of", "listening_results", "mos_draws"]

SCENARIOS: tuple[Scenario, ...] = ("regular", "limited")
SEPARATOR = " · "


def item_of(singer: str, seed: int, *, where: str) -> str:
    """Name of a phrase in the files of ratings.

    Parameters
    ----------
    singer : str
    seed : int
        Of the vocoders that sing it.
    where : str
        Song and place.

    Returns
    -------
    str
    """
    return SEPARATOR.join([singer, f"seed {seed}", where])


def _split_item(item: str) -> tuple[str, int]:
    """Singer and seed of an item."""
    singer, _, rest = str(item).partition(SEPARATOR)
    word, _, seed = rest.partition(SEPARATOR)[0].partition(" ")
    if word != "seed" or not seed.isdigit():
        raise ValueError(f"{item!r} is no phrase of this paper's listening test; read ratings from its own page")
    return singer, int(seed)


@dataclass(frozen=True)
class Listening:
    """What listeners said.

    Attributes
    ----------
    raters : DataFrame
        See `reprise.stats.ratings.screen_raters`: who was left out and why.
    means : DataFrame
        See `reprise.stats.ratings.mean_ratings`: one row per condition, the recordings as ``ground_truth``, ``anchor``.
    pairs : DataFrame
        See `reprise.stats.ratings.pairwise_wilcoxon`: systems of one scenario, which is the first column.
    friedman : DataFrame
        One row per scenario: `reprise.stats.ratings.friedman` of its systems.
    draws : Draws
        From `mos_draws`.
    """

    raters: pd.DataFrame
    means: pd.DataFrame
    pairs: pd.DataFrame
    friedman: pd.DataFrame
    draws: Draws


def listening_results(
    paths: str | Path | Iterable[str | Path],
    *,
    voices: Mapping[str, Voice | None] | None = None,
    n_draws: int = 2000,
    seed: int = 0,
) -> Listening | None:
    """Evaluate files of ratings.

    Parameters
    ----------
    paths : path or iterable of paths
        CSV files from the page, or a folder of them.
    voices : mapping of str to str or None
        Singer → voice, as ``Outcome.voices``, for opinion scores of each.
    n_draws : int
    seed : int
        Of the resampling.

    Returns
    -------
    Listening or None
        None where there are no files, or nobody heard the hidden reference.

    Raises
    ------
    ValueError
        If a file is no table of ratings of this paper's test.
    """
    try:
        every = read_ratings(paths)
    except FileNotFoundError:
        return None
    kept, raters = screen_raters(every)
    if kept.empty:
        return None
    shown = kept.assign(stimulus=kept["stimulus"].replace(REFERENCE, GROUND_TRUTH))
    means = mean_ratings(shown, rng=numpy_generator("sawsing", "listening", "means", seed), n_draws=n_draws)
    systems = kept[~kept["stimulus"].isin((REFERENCE, ANCHOR))]
    scenario = systems["stimulus"].map(lambda name: split_condition(name).scenario)
    parts = {name: systems[scenario == name] for name in SCENARIOS if (scenario == name).any()}
    pairs = [pairwise_wilcoxon(part).assign(scenario=name) for name, part in parts.items()]
    frame = pd.concat(pairs, ignore_index=True)
    return Listening(
        raters=raters,
        means=means.rename(columns={"stimulus": "condition"}),
        pairs=frame[["scenario", *(column for column in frame if column != "scenario")]],
        friedman=pd.DataFrame([{"scenario": name, **friedman(part)} for name, part in parts.items()]),
        draws=mos_draws(kept, voices=voices, n_draws=n_draws, seed=seed),
    )


def mos_draws(
    ratings: pd.DataFrame,
    *,
    voices: Mapping[str, Voice | None] | None = None,
    n_draws: int = 2000,
    seed: int = 0,
) -> Draws:
    """Opinion scores of all conditions under resampling.

    Parameters
    ----------
    ratings : DataFrame
        Of raters who were kept, from `reprise.stats.ratings.screen_raters`.
    voices : mapping of str to str or None
        Singer → voice; adds conditions of one voice, such as ``sawsing/female``.
    n_draws : int
        As for the draws that these are merged with.
    seed : int
        Of the resampling.

    Returns
    -------
    Draws
        Metric ``mos``, 1 to 5, of every condition and of ``ground_truth``, the hidden reference; per seed of the
        vocoders that were heard. Raters and phrases are resampled, the same for all conditions.

    Raises
    ------
    ValueError
        If a stimulus is no condition of this paper, or an item no phrase of its test.
    """
    parts = [_split_item(item) for item in ratings["item"]]
    rated = ratings.assign(singer=[singer for singer, _ in parts], seed=[number for _, number in parts])
    rated = rated[rated["stimulus"] != ANCHOR]
    for name in dict.fromkeys(rated["stimulus"]):
        if name != REFERENCE:
            split_condition(name)
    found = _mos(rated, voice=None, n_draws=n_draws, seed=seed)
    known = dict(voices or {})
    for voice in ("female", "male"):
        own = rated[rated["singer"].map(known).eq(voice) & (rated["stimulus"] != REFERENCE)]
        if len(own):
            found |= _mos(own, voice=voice, n_draws=n_draws, seed=seed)
    return Draws(found, {}, n_draws)


def _mos(rated: pd.DataFrame, *, voice: Voice | None, n_draws: int, seed: int) -> dict[tuple[str, str], Estimate]:
    rng = numpy_generator("sawsing", "listening", voice or "all", seed)
    n_raters, n_items = rated["rater"].nunique(), rated["item"].nunique()
    sample = f"bootstrap over {n_raters} raters and {n_items} phrases"
    found = {}
    for stimulus, draws in rating_draws(rated, rng=rng, n_draws=n_draws).items():
        rows = rated[rated["stimulus"] == stimulus]
        cells = rows.groupby(["seed", "rater", "item"])["rating"].mean()
        per_seed = cells.groupby(level="seed").mean()
        # seeds count alike, however many phrases each has sung
        moved = draws + (per_seed.mean() - cells.mean())
        name = GROUND_TRUTH if stimulus == REFERENCE else str(stimulus)
        name = f"{name}/{voice}" if voice else name
        seeds = tuple(int(number) for number in per_seed.index)
        nan = n_raters < 2 and n_items < 2
        found[name, "mos"] = Estimate(
            mos_of(per_seed.to_numpy()), np.full(n_draws, np.nan) if nan else mos_of(moved), sample, seeds
        )
    return found
