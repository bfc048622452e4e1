"""A value with its interval, kept within the range of its metric."""

from reprise.report.draws import Draws

__all__ = ["with_interval"]

_SCORES = ("auc", "ap", "gtzan", "key", "arousal", "valence")


def with_interval(draws: Draws, condition: str, *, metric: str, prefix: str = "value") -> dict[str, float]:
    """A value with its interval as columns ``<prefix>, <prefix>_low, <prefix>_high``; NaN where there is none.

    Parameters
    ----------
    draws : Draws
    condition, metric : str
    prefix : str

    Returns
    -------
    dict of str to float
    """
    names = (prefix, f"{prefix}_low", f"{prefix}_high")
    if not draws.has(condition, metric):
        return dict.fromkeys(names, float("nan"))
    low, high = draws.interval(condition, metric)
    if metric.startswith(_SCORES):
        # weights of seeds may lead beyond the range of a score; R² has no lower end
        low = low if metric.endswith("_r2") else max(low, 0.0)
        high = min(high, 100.0)
    return dict(zip(names, (draws.value(condition, metric), low, high), strict=True))
