"""Intervals that stay within the range of their metric."""

import math

from reprise.report.draws import Draws

__all__ = ["bounded_interval", "with_interval"]

# everything else is a distance, a rate or a time, which is never below 0
SIGNED = frozenset({"lag", "buzz_voiced", "buzz_unvoiced", "median_buzz_unvoiced", "msstft_gap"})
HIGHEST = {"vuv_error": 100.0}


def bounded_interval(draws: Draws, condition: str, *, metric: str) -> tuple[float, float]:
    """95 % interval of a value, cut where the metric ends.

    Parameters
    ----------
    draws : Draws
    condition, metric : str

    Returns
    -------
    low, high : float
        NaN where nothing could be resampled.

    Raises
    ------
    KeyError
        If there is no such result.

    Notes
    -----
    Weights of seeds and Student's t distribution know nothing of the range of a metric and may lead beyond it.
    """
    low, high = draws.interval(condition, metric)
    if math.isnan(low):
        return low, high
    return low if metric in SIGNED else max(low, 0.0), min(high, HIGHEST.get(metric, math.inf))


def with_interval(draws: Draws, condition: str, *, metric: str, prefix: str) -> dict[str, float]:
    """A value with its interval, as cells of a table.

    Parameters
    ----------
    draws : Draws
    condition, metric : str
    prefix : str

    Returns
    -------
    dict of str to float
        ``<prefix>, <prefix>_low, <prefix>_high``; NaN where there is no such result.
    """
    names = (prefix, f"{prefix}_low", f"{prefix}_high")
    if not draws.has(condition, metric):
        return dict.fromkeys(names, math.nan)
    values = (draws.value(condition, metric), *bounded_interval(draws, condition, metric=metric))
    return dict(zip(names, values, strict=True))
