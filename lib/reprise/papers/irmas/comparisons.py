"""Beyond single numbers: results per number of labels, S1 against S2, calibrated thresholds, clips left out."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from reprise.papers.irmas.outcome import Outcome
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.systems import SetName, split_condition
from reprise.report.draws import Draws
from reprise.report.resampling import Statistic, multilabel
from reprise.seeds import numpy_generator
from reprise.stats.compare import interval
from reprise.stats.multilabel import DECISIONS, best_thresholds, decide, weighted_multilabel

__all__ = ["aggregation_results", "calibrated_thresholds", "calibration", "evaluated_clips", "label_results"]

# numbers of a clip, and the highest that each can be
PER_CLIP = {"exact_match": 1.0, "hamming": 1.0, "found": 1.0, "named": np.inf}
# random choices of the clips that are left out
N_ORDERS = 500


def _known(outcome: Outcome, conditions: Iterable[str], dataset: SetName = "irmas") -> list[str]:
    known = [name for name in outcome.conditions if split_condition(name)[1] == dataset]
    return [name for name in conditions if name in known]


def _resample(
    outcome: Outcome,
    settings: Settings,
    predictions: Mapping[str, list[np.ndarray]],
    *,
    statistic: Statistic,
    purpose: str,
    seed: int,
) -> Draws:
    return Draws.from_predictions(
        predictions,
        outcome.targets(),
        groups=outcome.groups(),
        statistic=statistic,
        rng=numpy_generator("irmas", purpose, seed),
        n_draws=settings.n_draws,
    )


def _per_clip(scores: np.ndarray, targets: np.ndarray, *, threshold: float) -> np.ndarray:
    """The four numbers of ``PER_CLIP`` for each clip [shape=(n_clips, 4)]."""
    predicted, truth = decide(scores, threshold), targets.astype(bool)
    right = predicted == truth
    found = (predicted & truth).sum(axis=1) / np.maximum(truth.sum(axis=1), 1)
    return np.stack([right.all(axis=1), right.mean(axis=1), found, predicted.sum(axis=1)], axis=1)


def label_results(outcome: Outcome, settings: Settings, *, conditions: Iterable[str], seed: int = 0) -> pd.DataFrame:
    """How well clips with one label, two labels, … are answered.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    conditions : iterable of str
        On IRMAS; those that were not run are left out.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        Long: ``condition, labels, n_clips, metric, value, low, high``, the metrics being ``exact_match``, ``hamming``,
        ``found`` (share of a clip's labels that are named) and ``named`` (how many labels are named).
    """
    targets = outcome.targets()
    numbers = targets.sum(axis=1)
    present = [int(number) for number in np.unique(numbers) if number]

    def statistic(weights: np.ndarray, values: np.ndarray, _: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for number in present:
            rows = numbers == number
            total = weights[:, rows].sum(axis=1)
            means = weights[:, rows] @ values[rows] / np.where(total > 0, total, np.nan)[:, None]
            found |= {f"{name}/{number}": means[:, index] for index, name in enumerate(PER_CLIP)}
        return found

    predictions = {
        name: [_per_clip(scores, targets, threshold=settings.threshold) for scores in outcome.scores(name)]
        for name in _known(outcome, conditions)
    }
    draws = _resample(outcome, settings, predictions, statistic=statistic, purpose="labels", seed=seed)
    rows = []
    for name in predictions:
        for number in present:
            for metric, highest in PER_CLIP.items():
                key = f"{metric}/{number}"
                # weights of seeds may lead beyond the range of a number
                low, high = np.clip(draws.interval(name, key), 0, highest)
                rows.append((name, number, int((numbers == number).sum()), metric, draws.value(name, key), low, high))
    return pd.DataFrame(rows, columns=["condition", "labels", "n_clips", "metric", "value", "low", "high"])


def _against(draws: Draws, *, conditions: Iterable[str], first: str, second: str) -> pd.DataFrame:
    """Two ways of deciding beside each other, with the interval of their difference."""
    rows = []
    for name in conditions:
        for metric in draws.metrics:
            a, b = f"{name}|{first}", f"{name}|{second}"
            row: dict[str, object] = {"condition": name, "metric": metric}
            for way, key in ((first, a), (second, b)):
                low, high = draws.interval(key, metric)
                row |= {way: draws.value(key, metric), f"{way}_low": low, f"{way}_high": high}
            difference = draws.difference(b, a, metric)
            rows.append(row | dict(zip(("difference", "difference_low", "difference_high"), difference, strict=True)))
    return pd.DataFrame(rows)


def aggregation_results(
    outcome: Outcome, settings: Settings, *, conditions: Iterable[str], seed: int = 0
) -> pd.DataFrame:
    """Mean probabilities (S1) against those relative to the strongest class (S2), at one threshold.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    conditions : iterable of str
        On IRMAS; those that were not run are left out.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        Long: ``condition, metric, s1, s1_low, s1_high, s2, s2_low, s2_high, difference, difference_low,
        difference_high`` (S2 − S1). Beside the metrics of :mod:`reprise.stats.multilabel` there are ``unnamed`` (share
        of clips without any named instrument, always 0 under S2) and ``named`` (labels per clip).
    """
    names = _known(outcome, conditions)
    metrics = multilabel(threshold=settings.threshold)

    def statistic(weights: np.ndarray, scores: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
        named = decide(scores, settings.threshold).sum(axis=1)
        both = weights @ np.stack([named == 0, named], axis=1).astype(float) / weights.sum(axis=1, keepdims=True)
        return dict(metrics(weights, scores, targets)) | {"unnamed": both[:, 0], "named": both[:, 1]}

    predictions = {f"{name}|{way}": outcome.scores(name, aggregation=way) for name in names for way in ("s1", "s2")}
    draws = _resample(outcome, settings, predictions, statistic=statistic, purpose="aggregation", seed=seed)
    return _against(draws, conditions=names, first="s1", second="s2")


def calibrated_thresholds(outcome: Outcome, settings: Settings, *, conditions: Iterable[str]) -> pd.DataFrame:
    """Threshold of each instrument that has the highest F1 on the validation side.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
        Its ``threshold`` stands where an instrument has no validation clip.
    conditions : iterable of str
        On IRMAS; those that were not run are left out.

    Returns
    -------
    DataFrame
        Long: ``condition, seed, instrument, threshold, positives`` (validation clips with the instrument); empty
        without validation clips.
    """
    targets = outcome.targets(side="valid")
    columns = ["condition", "seed", "instrument", "threshold", "positives"]
    rows: list[tuple[object, ...]] = []
    for name in _known(outcome, conditions) if len(targets) else []:
        for seed, scores in enumerate(outcome.scores(name, side="valid")):
            found = best_thresholds(scores, targets, default=settings.threshold)
            counts = targets.sum(axis=0)
            rows += [(name, seed, *row) for row in zip(outcome.corpus().classes, found, counts, strict=True)]
    return pd.DataFrame(rows, columns=columns)


def calibration(outcome: Outcome, settings: Settings, *, conditions: Iterable[str], seed: int = 0) -> pd.DataFrame:
    """One threshold for all against thresholds that were chosen on the validation side.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    conditions : iterable of str
        On IRMAS; those that were not run are left out.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        Long: ``condition, metric, fixed, fixed_low, fixed_high, calibrated, calibrated_low, calibrated_high,
        difference, difference_low, difference_high`` (calibrated − fixed) on the test side; empty without validation
        clips.

    Notes
    -----
    Each seed has its own thresholds, as if it had been the only run. Under a random division validation and test side
    share songs, which flatters the choice.
    """
    names = _known(outcome, conditions) if len(outcome.targets(side="valid")) else []
    if not names:
        return pd.DataFrame(columns=["condition", "metric", "fixed", "calibrated", "difference"])
    thresholds = calibrated_thresholds(outcome, settings, conditions=names).set_index(["condition", "seed"])[
        "threshold"
    ]
    predictions: dict[str, list[np.ndarray]] = {}
    for name in names:
        scores = outcome.scores(name)
        chosen = [thresholds.loc[(name, index)].to_numpy() for index in range(len(scores))]
        predictions[f"{name}|fixed"] = [decide(values, settings.threshold).astype(float) for values in scores]
        predictions[f"{name}|calibrated"] = [
            decide(values, own).astype(float) for values, own in zip(scores, chosen, strict=True)
        ]
    draws = _resample(outcome, settings, predictions, statistic=multilabel(DECISIONS), purpose="calibration", seed=seed)
    return _against(draws, conditions=names, first="fixed", second="calibrated")


def evaluated_clips(
    outcome: Outcome, settings: Settings, *, conditions: Iterable[str], batch_size: int = 16, seed: int = 0
) -> pd.DataFrame:
    """What it changes to leave out a last batch of test clips that is not full, as the published code does.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    conditions : iterable of str
        On IRMAS; those that were not run are left out.
    batch_size : int ≥ 1
    seed : int
        Of the random orders.

    Returns
    -------
    DataFrame
        Long: ``condition, metric, all_clips, first_clips, difference``, ``low, high`` (95 % of the differences when
        the clips come in random order), ``n_all, n_first``; means over seeds.
    """
    targets = outcome.targets()
    n_all = len(targets)
    n_first = n_all // batch_size * batch_size or n_all
    rng = numpy_generator("irmas", "orders", seed)
    left_out = rng.permuted(np.tile(np.arange(n_all) >= n_first, (N_ORDERS, 1)), axis=1)
    weights = np.vstack([np.ones(n_all), np.arange(n_all) < n_first, ~left_out]).astype(float)
    rows = []
    for name in _known(outcome, conditions):
        each = [
            weighted_multilabel(weights, scores, targets, threshold=settings.threshold, metrics=DECISIONS)
            for scores in outcome.scores(name)
        ]
        for metric in DECISIONS:
            every, first, *random = np.mean([found[metric] for found in each], axis=0)
            low, high = interval(np.asarray(random) - every)
            rows.append((name, metric, every, first, first - every, low, high, n_all, n_first))
    columns = ["condition", "metric", "all_clips", "first_clips", "difference", "low", "high", "n_all", "n_first"]
    return pd.DataFrame(rows, columns=columns)
