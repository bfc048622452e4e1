"""Paired resampling draws: how every condition would have come out on other clips and other seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reprise.report.resampling import (
    CLASSIFICATION,
    SeedFactors,
    Statistic,
    check_predictions,
    classification,
    resample,
    stack,
    student_factors,
)
from reprise.stats.compare import bootstrap_weights, interval

__all__ = ["Draws", "Estimate"]


@dataclass(frozen=True)
class Estimate:
    """One metric of one condition.

    Attributes
    ----------
    per_seed : ndarray [shape=(n_seeds,)]
        Value of each seed on all clips.
    draws : ndarray [shape=(n_draws,)]
        The mean over seeds under resampling; NaN where nothing could be resampled.
    sample : str
        What was resampled, for example ``"paired bootstrap over 1140 clips and 5 seeds"``.
    seeds : tuple
        Names of the seeds, which pair one condition with another.
    """

    per_seed: np.ndarray
    draws: np.ndarray
    sample: str
    seeds: tuple[int, ...]

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.per_seed.mean())


@dataclass
class Draws:
    """Resampling draws of all conditions and metrics, paired wherever clips or seeds are shared.

    Attributes
    ----------
    estimates : dict
        (condition, metric) → :class:`Estimate`.
    exact : dict of str to float
        Quantities without sampling, such as ``parameters/late``.
    n_draws : int
    """

    estimates: dict[tuple[str, str], Estimate] = field(default_factory=dict)
    exact: dict[str, float] = field(default_factory=dict)
    n_draws: int = 2000

    @property
    def conditions(self) -> list[str]:
        """Conditions with at least one metric, in the order in which they came."""
        return list(dict.fromkeys(condition for condition, _ in self.estimates))

    @property
    def metrics(self) -> list[str]:
        """Metrics of at least one condition, in the order in which they came."""
        return list(dict.fromkeys(metric for _, metric in self.estimates))

    def has(self, condition: str, metric: str) -> bool:
        """Whether a condition was run and has this metric, and its value is a number."""
        return (condition, metric) in self.estimates and bool(np.isfinite(self.estimates[condition, metric].value))

    def estimate(self, condition: str, metric: str) -> Estimate:
        """All that is known of one metric of one condition.

        Raises
        ------
        KeyError
            If there is no such result; the message lists what there is.
        """
        if (condition, metric) not in self.estimates:
            known = [name for other, name in self.estimates if other == condition]
            hint = f"it has {known}" if known else f"conditions are {self.conditions}"
            raise KeyError(f"no result for metric {metric!r} of condition {condition!r}; {hint}")
        return self.estimates[condition, metric]

    def value(self, condition: str, metric: str) -> float:
        """Mean over seeds, on all clips."""
        return self.estimate(condition, metric).value

    def per_seed(self, condition: str, metric: str) -> np.ndarray:
        """Value of each seed [shape=(n_seeds,)]."""
        return self.estimate(condition, metric).per_seed

    def draws(self, condition: str, metric: str) -> np.ndarray:
        """Resampling draws [shape=(n_draws,)], paired across conditions; NaN where nothing could be resampled."""
        return self.estimate(condition, metric).draws

    def interval(self, condition: str, metric: str, *, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval of a value.

        Parameters
        ----------
        condition, metric : str
        level : float in (0, 1)

        Returns
        -------
        low, high : float
            In the metric's unit; NaN where nothing could be resampled.

        Raises
        ------
        KeyError
            If there is no such result.
        """
        return interval(self.draws(condition, metric), level=level)

    def difference(self, a: str, b: str, metric: str, *, level: float = 0.95) -> tuple[float, float, float]:
        """Paired difference ``a − b`` with its percentile interval.

        Parameters
        ----------
        a, b : str
            Conditions.
        metric : str
        level : float in (0, 1)

        Returns
        -------
        value, low, high : float
            In the metric's unit; low and high are NaN where nothing could be resampled.

        Raises
        ------
        KeyError
            If there is no such result.
        """
        low, high = interval(self.draws(a, metric) - self.draws(b, metric), level=level)
        return self.value(a, metric) - self.value(b, metric), low, high

    def n(self, condition: str, metric: str | None = None) -> int:
        """Number of seeds of a condition (the smallest over its metrics unless one is named)."""
        counts = [
            len(estimate.per_seed)
            for (name, other), estimate in self.estimates.items()
            if name == condition and metric in (None, other)
        ]
        return min(counts, default=0)

    def unit(self, condition: str, metric: str) -> str:
        """What was resampled for this number, in words."""
        return self.estimate(condition, metric).sample

    def merge(self, other: "Draws") -> "Draws":
        """Results of both, for example from two test sets; their draws are independent of each other.

        Raises
        ------
        ValueError
            If both have the same metric of the same condition or the same exact quantity, or different numbers of
            draws.
        """
        twice = [*(self.estimates.keys() & other.estimates.keys()), *(self.exact.keys() & other.exact.keys())]
        if twice:
            raise ValueError(f"both sets of draws have {twice[0]!r}; give the conditions different names")
        if self.estimates and other.estimates and self.n_draws != other.n_draws:
            raise ValueError(f"cannot merge {self.n_draws} with {other.n_draws} draws; use one n_draws for both")
        n_draws = self.n_draws if self.estimates else other.n_draws
        return Draws(self.estimates | other.estimates, self.exact | other.exact, n_draws)

    @classmethod
    def from_seeds(
        cls, results: pd.DataFrame, metrics: Iterable[str], *, rng: np.random.Generator, n_draws: int = 2000
    ) -> "Draws":
        """Draws from one number per trial, where seeds are the only repetition.

        Parameters
        ----------
        results : DataFrame
            One row per trial with ``condition``, ``seed`` and the metrics, as ``run_grid`` returns it; rows whose
            ``status`` is not ``done`` are left out.
        metrics : iterable of str
        rng : Generator
        n_draws : int

        Returns
        -------
        Draws
            With one seed the draws are NaN.

        Notes
        -----
        With a handful of seeds a percentile bootstrap is far too narrow (two seeds: half of the time it misses). The
        draws here have Student's t distribution with ``n_seeds − 1`` degrees of freedom, for each mean and for each
        difference of means over the same seeds, so their intervals are the (paired) t intervals.
        """
        frame = results[results["status"] == "done"] if "status" in results else results
        factors = SeedFactors(student_factors, n_draws=n_draws, rng=rng)
        found: dict[tuple[str, str], Estimate] = {}
        for condition, rows in frame.groupby("condition", sort=False):
            for metric in metrics:
                known = rows.dropna(subset=[metric]).drop_duplicates("seed").sort_values("seed")
                if known.empty:
                    continue
                seeds = tuple(int(seed) for seed in known["seed"])
                values = known[metric].to_numpy(dtype=float)
                draws = np.full(n_draws, np.nan) if len(seeds) < 2 else factors[seeds] @ values
                sample = f"t distribution over {len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
                found[str(condition), metric] = Estimate(values, draws, sample, seeds)
        return cls(found, {}, n_draws)

    @classmethod
    def from_predictions(
        cls,
        predictions: Mapping[str, Sequence[ArrayLike]],
        targets: ArrayLike,
        *,
        rng: np.random.Generator,
        groups: ArrayLike | None = None,
        metrics: Iterable[str] = CLASSIFICATION,
        class_names: Sequence[str] | None = None,
        statistic: Statistic | None = None,
        n_draws: int = 2000,
    ) -> "Draws":
        """Paired bootstrap over clips and seeds.

        Parameters
        ----------
        predictions : mapping of str to sequence of arrays [shape=(n_clips, n_classes)]
            Condition → one array of probabilities per seed.
        targets : array [shape=(n_clips,)], or what ``statistic`` takes
        rng : Generator
        groups : array [shape=(n_clips,)] or None
            Draw whole groups (singers, songs) instead of clips.
        metrics : iterable of str
            Which of the five classification metrics to keep.
        class_names : sequence of str or None
            Adds ``f1/<class>`` and ``recall/<class>`` for each class.
        statistic : callable or None
            For other tasks: ``(weights [shape=(n_draws, n_clips)], prediction, targets)`` →
            ``{metric: values [shape=(n_draws,)]}``, for example :func:`reprise.report.resampling.multilabel`. The five
            classification metrics by default.
        n_draws : int

        Returns
        -------
        Draws

        Notes
        -----
        In a draw all conditions see the same clips, and those with equally many seeds the same seeds, with weights
        rescaled by ``sqrt(n / (n − 1))`` (Rao and Wu 1988) to the variance of a mean of n. One seed is not resampled.
        """
        truth, statistic = np.asarray(targets), statistic or classification(tuple(metrics), class_names)
        arrays = {name: [np.asarray(item) for item in seeds] for name, seeds in predictions.items()}
        check_predictions(arrays, len(truth))
        weigh = partial(bootstrap_weights, len(truth), rng=rng, groups=groups)
        resampled = resample(statistic, arrays, targets=truth, weigh=weigh, rng=rng, n_draws=n_draws)
        found, once = {}, np.ones((1, len(truth)))
        for name, seeds in arrays.items():
            sample = _bootstrap_in_words(len(truth), groups, n_seeds=len(seeds))
            for metric, values in stack(statistic, seeds, weights=once, targets=truth).items():
                found[name, metric] = Estimate(values[:, 0], resampled[name, metric], sample, tuple(range(len(seeds))))
        return cls(found, {}, n_draws)

    @classmethod
    def from_scores(
        cls,
        scores: Mapping[str, ArrayLike],
        metric: str,
        *,
        rng: np.random.Generator,
        groups: ArrayLike | None = None,
        n_draws: int = 2000,
    ) -> "Draws":
        """Paired bootstrap of the mean of a number that each clip has, such as SDR in dB.

        Parameters
        ----------
        scores : mapping of str to array [shape=(n_seeds, n_clips)]
            Condition → score of each clip, for each seed.
        metric : str
        rng : Generator
        groups : array [shape=(n_clips,)] or None
            Draw whole groups (songs) instead of clips.
        n_draws : int

        Returns
        -------
        Draws
        """
        arrays = {name: np.atleast_2d(np.asarray(values, dtype=float)) for name, values in scores.items()}
        n_clips = next((values.shape[1] for values in arrays.values()), 0)

        def mean(weights: np.ndarray, values: np.ndarray, _: np.ndarray) -> dict[str, np.ndarray]:
            return {metric: weights @ values / weights.sum(axis=1)}

        predictions = {name: list(values) for name, values in arrays.items()}
        return cls.from_predictions(
            predictions, np.zeros(n_clips), rng=rng, groups=groups, statistic=mean, n_draws=n_draws
        )


def _bootstrap_in_words(n_clips: int, groups: ArrayLike | None, *, n_seeds: int) -> str:
    sampled = f"{n_clips} clips" if groups is None else f"{len(np.unique(np.asarray(groups)))} groups of clips"
    seeds = f"{n_seeds} seeds" if n_seeds > 1 else "1 seed, not resampled"
    return f"paired bootstrap over {sampled} and {seeds}"
