"""From stored trials to the paper's numbers: intervals over songs and seeds, tests between systems."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from reprise.papers.irmas.outcome import LABELS, Outcome, baseline_scores
from reprise.papers.irmas.quantities import exact_quantities
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.systems import SetName, split_condition
from reprise.report.draws import Draws
from reprise.report.resampling import multilabel
from reprise.seeds import numpy_generator
from reprise.stats.compare import holm, mcnemar, permutation_test
from reprise.stats.multilabel import DECISIONS

__all__ = ["LABELS", "PAIRS", "Outcome", "class_results", "make_draws", "pair_tests", "training_results"]

SETS: tuple[SetName, ...] = ("irmas", "audioset")
METRICS = (*DECISIONS, "macro_auc")
# of one of the true labels only these two do not depend on which
ONE_LABEL_METRICS = ("hamming", "exact_match")
PAIRS = (
    ("resnet_1s", "resnet_2s"),
    ("resnet_1s", "resnet_3s"),
    ("resnet_1s", "cnn_raw"),
    ("cnn_raw", "cnn_features"),
    ("cnn_raw", "cnn_mfcc"),
    ("cnn_features_2d", "cnn_features"),
    ("tds5_1s", "resnet_1s"),
    ("bspds5_3s", "resnet_1s"),
    ("bspds5_3s", "resnet_3s"),
    ("resnet_audioset", "resnet_1s"),
    ("resnet_audioset", "ast_audioset"),
    ("ast_high_l2", "ast_low_l2"),
    ("bspds5_3s", "ast_high_l2"),
    ("ensemble", "resnet_1s"),
    ("ensemble", "bspds5_3s"),
)


def _set_draws(outcome: Outcome, settings: Settings, *, dataset: SetName, metrics: Iterable[str], seed: int) -> Draws:
    """Draws of all conditions on one test set, and of the answers without listening."""
    names = [name for name in outcome.conditions if split_condition(name)[1] == dataset]
    targets, classes = outcome.targets(dataset), outcome.corpus(dataset).classes
    predictions = {name: outcome.scores(name) for name in names}
    n_seeds = max(len(seeds) for seeds in predictions.values())
    ending = "" if dataset == "irmas" else f">{dataset}"
    # the same answer in every seed, so that differences to a system are paired and know of its seeds
    for name, values in baseline_scores(targets, classes=classes).items():
        predictions[f"{name}{ending}"] = [values] * n_seeds
    draws = Draws.from_predictions(
        predictions,
        targets,
        groups=outcome.groups(dataset),
        statistic=multilabel(tuple(metrics), classes, threshold=settings.threshold),
        rng=numpy_generator("irmas", "draws", dataset, seed),
        n_draws=settings.n_draws,
    )
    one_label = f"one_label{ending}"
    draws.estimates = {
        key: value for key, value in draws.estimates.items() if key[0] != one_label or key[1] in ONE_LABEL_METRICS
    }
    return draws


def make_draws(outcome: Outcome, settings: Settings, *, metrics: Iterable[str] = METRICS, seed: int = 0) -> Draws:
    """Paired bootstrap over songs and seeds for every condition.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    metrics : iterable of str
        Of :func:`reprise.stats.multilabel.weighted_multilabel`.
    seed : int
        Of the resampling.

    Returns
    -------
    Draws
        Every system, the ensemble and the four answers without listening (``all_negative``, ``always_voi``,
        ``all_positive``, ``one_label``) on IRMAS; the same with ``>audioset`` where there is AudioSet; the metrics and
        ``f1/<code>``; losses and hours of :func:`training_results`; and all quantities without sampling. With fewer
        than five songs clips are resampled in their place.
    """
    draws = Draws(n_draws=settings.n_draws)
    for dataset in SETS:
        if any(split_condition(name)[1] == dataset for name in outcome.conditions):
            part = _set_draws(outcome, settings, dataset=dataset, metrics=metrics, seed=seed)
            draws = draws.merge(part)
    results = training_results(outcome)
    if len(results):
        columns = [name for name in results.columns if name not in ("condition", "seed")]
        rng = numpy_generator("irmas", "training", seed)
        draws = draws.merge(Draws.from_seeds(results, columns, rng=rng, n_draws=settings.n_draws))
    draws.exact.update(exact_quantities(settings, outcome.collection))
    return draws


def training_results(outcome: Outcome) -> pd.DataFrame:
    """Losses and cost of every trial (Figures 5.6 and 5.7).

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    DataFrame
        One row per trial: ``condition, seed, final_training_loss, lowest_valid_loss, final_valid_loss,
        seconds_per_epoch, training_hours, parameters_trained, memory_gb`` (highest on a GPU); NaN where a trial has no
        such number.
    """
    rows = []
    for name, trials in outcome.stored.items():
        for trial in trials:
            curves, nan = trial.curves, float("nan")
            valid = curves["valid_loss"].dropna() if "valid_loss" in curves else pd.Series(dtype=float)
            seconds = trial.metrics.get("seconds_per_epoch", nan)
            rows.append(
                {
                    "condition": name,
                    "seed": int(trial.config["seed"]),
                    "final_training_loss": float(curves["loss"].iloc[-1]) if len(curves) else nan,
                    "lowest_valid_loss": float(valid.min()) if len(valid) else nan,
                    "final_valid_loss": float(valid.iloc[-1]) if len(valid) else nan,
                    "seconds_per_epoch": seconds,
                    "training_hours": seconds * len(curves) / 3600,
                    "parameters_trained": trial.metrics.get("n_parameters", nan),
                    "memory_gb": trial.metrics.get("peak_memory_gb", nan),
                }
            )
    return pd.DataFrame(rows)


def class_results(draws: Draws, *, classes: Iterable[str], conditions: Iterable[str]) -> pd.DataFrame:
    """F1 of each instrument under some conditions, with intervals.

    Parameters
    ----------
    draws : Draws
        From :func:`make_draws`.
    classes : iterable of str
    conditions : iterable of str
        Those that were not run are left out.

    Returns
    -------
    DataFrame
        Long: ``condition, instrument, f1, low, high``; NaN where an instrument has neither label nor prediction.
    """
    rows = []
    for condition in (name for name in conditions if name in draws.conditions):
        for name in classes:
            # weights of seeds may lead beyond the range of F1
            low, high = np.clip(draws.interval(condition, f"f1/{name}"), 0, 1)
            rows.append((condition, name, draws.value(condition, f"f1/{name}"), low, high))
    return pd.DataFrame(rows, columns=["condition", "instrument", "f1", "low", "high"])


def pair_tests(
    outcome: Outcome, draws: Draws, *, pairs: Iterable[tuple[str, str]] = PAIRS, threshold: float = 0.5, seed: int = 0
) -> pd.DataFrame:
    """Tests of whether two systems answer equally well.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws
        From :func:`make_draws`, for the intervals.
    pairs : iterable of (str, str)
        Conditions to compare; pairs with a missing condition, or of two test sets, are left out.
    threshold : float
        Of S2 scores.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        One row per pair: ``a, b``; ``exact_match, exact_match_low, exact_match_high`` and the same of ``hamming`` and
        ``macro_f1`` (differences a − b with 95 % intervals); ``only_a, only_b`` (clips that the first seed of one of
        them alone has exactly right) and ``mcnemar_p`` of these; ``p_songs`` (sign flips of the songs' sums, mean over
        seeds); both corrected for the number of pairs as ``mcnemar_holm`` and ``p_songs_holm``; ``n_clips, n_songs,
        n_seeds``.

    Notes
    -----
    McNemar's test takes clips for independent, which those of one song are not; the flips of whole songs do not.
    """
    rows = []
    known = set(outcome.conditions) & set(draws.conditions)
    for index, (a, b) in enumerate(pairs):
        dataset = split_condition(a)[1]
        if a not in known or b not in known or split_condition(b)[1] != dataset:
            continue
        row: dict[str, object] = {"a": a, "b": b}
        for metric in ("exact_match", "hamming", "macro_f1"):
            names = (metric, f"{metric}_low", f"{metric}_high")
            row |= dict(zip(names, draws.difference(a, b, metric), strict=True))
        correct_a, correct_b = (outcome.correct(name, threshold=threshold) for name in (a, b))
        found = mcnemar(correct_a[0], correct_b[0])
        songs = np.unique(outcome.songs(dataset), return_inverse=True)[1]
        sums = [np.bincount(songs, weights=each.mean(axis=0)) for each in (correct_a, correct_b)]
        rng = numpy_generator("irmas", "pairs", seed, index)
        row |= {"only_a": found["n_10"], "only_b": found["n_01"], "mcnemar_p": found["p"]}
        row |= {"p_songs": permutation_test(*sums, rng=rng), "n_clips": correct_a.shape[1], "n_songs": len(sums[0])}
        rows.append(row | {"n_seeds": min(len(correct_a), len(correct_b))})
    frame = pd.DataFrame(rows)
    if len(frame):
        columns = list(frame.columns)
        frame["mcnemar_holm"] = holm(frame["mcnemar_p"].to_numpy())
        frame["p_songs_holm"] = holm(frame["p_songs"].to_numpy())
        corrected = {"mcnemar_p": ["mcnemar_p", "mcnemar_holm"], "p_songs": ["p_songs", "p_songs_holm"]}
        frame = frame[[name for column in columns for name in corrected.get(column, [column])]]
    return frame
