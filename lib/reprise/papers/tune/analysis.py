"""From stored trials to the paper's numbers: intervals over artists or songs and over seeds."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.tune.outcome import MTT, PRETRAIN, Outcome, label_of
from reprise.papers.tune.quantities import architecture_quantities, setting_quantities, split_quantities
from reprise.report.draws import Draws, Estimate
from reprise.runs import StoredTrial
from reprise.seeds import numpy_generator
from reprise.stats.tagging import key_points, weighted_r_squared, weighted_tags

if TYPE_CHECKING:
    from reprise.papers.tune.settings import Settings
    from reprise.papers.tune.trials import Stage

__all__ = ["LAYER", "PER_TRIAL", "WITHIN", "Outcome", "label_of", "label_percents", "make_draws", "training_results"]

# what follows auc or ap where the probe saw one map of the encoder
LAYER = "_layer/"
LABELS = "label_scores_"
PROBES = {"scores_linear": "", "scores_mlp": "_mlp"}
# one number per pre-training
PER_TRIAL = ("pretrain_loss", "pair_accuracy", "seconds_per_step", "epochs_per_hour", "hours")
# differences within a condition that the paper speaks of: name → (minuend, subtrahend)
WITHIN = {
    "auc_mlp_gain": ("auc_mlp", "auc"),
    "ap_mlp_gain": ("ap_mlp", "ap"),
    "auc_layer_difference/Expa-4_Contr-2": ("auc_layer/Expa-4", "auc_layer/Contr-2"),
    "auc_layer_difference/Tail-9_Expa-4": ("auc_layer/Tail-9", "auc_layer/Expa-4"),
}
# steps of an epoch of MagnaTagATune with batches of 96, and epochs that Table S3 takes the time of
STEPS, PUBLISHED_BATCH, PUBLISHED_EPOCHS = 194, 96, 1000
# stored as fractions, drawn in percent as the paper prints them
PERCENT = 100.0

# what is put behind the metric's name → scores [shape=(n_clips, n_tags)]
Planes = dict[str, np.ndarray]


def label_percents(outcome: Outcome) -> list[float]:
    """Shares of the labelled clips with which probes were trained, percent, ascending; empty without such probes."""
    names = {name for condition in outcome.probed() for trial in outcome.trials(condition) for name in trial.arrays}
    return sorted(float(name.removeprefix(LABELS)) for name in names if name.startswith(LABELS))


def _planes(trial: StoredTrial) -> Planes:
    """Scores of every kind of probe of a trial."""
    arrays = trial.arrays
    found = {ending: arrays[name] for name, ending in PROBES.items() if name in arrays}
    found |= {f"_label_{name.removeprefix(LABELS)}": arrays[name] for name in arrays if name.startswith(LABELS)}
    if "layer_scores" in arrays:
        found |= {
            f"{LAYER}{name}": own for name, own in zip(arrays["layer_names"], arrays["layer_scores"], strict=True)
        }
    return found


def _tag_statistic(
    weights: np.ndarray, scores: np.ndarray, targets: np.ndarray, *, endings: list[str], tags: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """AUC and AP of every kind of probe, and of single tags for the linear one."""
    found: dict[str, np.ndarray] = {}
    for index, ending in enumerate(endings):
        values = scores[:, index]
        if np.isnan(values).all():
            continue
        part = weighted_tags(weights, values, targets, tags=None if ending else tags)
        for name, result in part.items():
            metric, slash, tag = name.partition("/")
            short = {"auc": "auc", "average_precision": "ap"}[metric]
            found[f"{short}{ending}{slash}{tag}"] = PERCENT * result
    return found


def _stacked(trials: list[StoredTrial], *, layers: bool) -> tuple[list[str], list[np.ndarray]]:
    """Kinds of probes that all seeds have, and their scores [shape=(n_clips, n_kinds, n_tags)]."""
    each = [_planes(trial) for trial in trials]
    shared = [ending for ending in each[0] if ending.startswith(LAYER) == layers and all(ending in own for own in each)]
    return shared, [np.stack([planes[ending] for ending in shared], axis=1) for planes in each] if shared else []


def _in_words(sample: str, *, task: "Stage") -> str:
    """What was resampled, in this paper's words."""
    grouped = sample.replace("groups of clips", "artists or songs with all their clips")
    return sample.replace(" clips ", " songs ") if task == "key" else grouped


def _task_draws(
    settings: "Settings",
    predictions: dict[str, list[np.ndarray]],
    *,
    task: "Stage",
    statistic: Callable[..., dict[str, np.ndarray]],
    targets: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> Draws:
    """Draws of one task without what is not a number."""
    draws = Draws.from_predictions(
        predictions,
        targets,
        groups=groups,
        statistic=statistic,
        rng=numpy_generator("tune", "draws", task, seed),
        n_draws=settings.n_draws,
    )
    kept: dict[tuple[str, str], Estimate] = {}
    for key, estimate in draws.estimates.items():
        if np.isfinite(estimate.value):
            kept[key] = replace(estimate, sample=_in_words(estimate.sample, task=task))
    return replace(draws, estimates=kept)


def _tag_draws(outcome: Outcome, settings: "Settings", *, layers: bool, seed: int) -> Draws:
    """Draws of tags: all kinds of probes of all conditions under the same weights of clips and seeds."""
    found = {name: _stacked(outcome.trials(name), layers=layers) for name in outcome.probed()}
    endings = list(dict.fromkeys(ending for own, _ in found.values() for ending in own))
    predictions = {
        name: [_widened(scores, own, endings) for scores in seeds] for name, (own, seeds) in found.items() if own
    }
    statistic = partial(_tag_statistic, endings=endings, tags=outcome.clips().tags)
    draws = _task_draws(settings, predictions, task=MTT, statistic=statistic, targets=outcome.targets(),
                        groups=outcome.groups(), seed=seed)  # fmt: skip
    return replace(draws, estimates={key: _centred(estimate) for key, estimate in draws.estimates.items()})


def _centred(estimate: Estimate) -> Estimate:
    """Draws moved to the value: in a sample rare tags drop out and positives come twice, which makes ranks better."""
    known = estimate.draws[np.isfinite(estimate.draws)]
    return replace(estimate, draws=estimate.draws + (estimate.value - known.mean())) if len(known) else estimate


def _widened(scores: np.ndarray, own: list[str], endings: list[str]) -> np.ndarray:
    """NaN for kinds of probes that a condition does not have."""
    # in the precision in which they were stored: of all conditions together they take a lot of memory
    wide = np.full((len(scores), len(endings), scores.shape[2]), np.nan, dtype=scores.dtype)
    wide[:, [endings.index(ending) for ending in own]] = scores
    return wide


def _genre_statistic(weights: np.ndarray, answers: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    right = (answers == targets).astype(np.float64)
    return {"gtzan_accuracy": PERCENT * (weights @ right) / weights.sum(axis=1)}


def _key_statistic(weights: np.ndarray, answers: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    return {"key_score": PERCENT * (weights @ key_points(answers, targets)) / weights.sum(axis=1)}


def _emotion_statistic(weights: np.ndarray, values: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    found = weighted_r_squared(weights, values, targets, names=("arousal", "valence"))
    return {f"{name}_r2": PERCENT * found[f"r2/{name}"] for name in ("arousal", "valence")}


STATISTICS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "gtzan": _genre_statistic,
    "key": _key_statistic,
    "emotion": _emotion_statistic,
}


def _answers(trial: StoredTrial, task: str) -> np.ndarray:
    """What the probe that validation chose says of each clip, or of each song where keys are asked."""
    if task == "key":
        return np.asarray(trial.arrays["answers"])
    scores = np.asarray(trial.arrays["scores"])
    return scores.argmax(axis=1) if task == "gtzan" else scores.astype(np.float64)


def _other_draws(outcome: Outcome, settings: "Settings", *, task: "Stage", seed: int) -> Draws:
    """Draws of a task of the supplement's Table S2."""
    predictions = {
        name: [_answers(trial, task) for trial in outcome.trials(name, task)] for name in outcome.probed(task)
    }
    # keys are answered per song, and songs are what is resampled
    groups = None if task == "key" else outcome.groups(task)
    return _task_draws(settings, predictions, task=task, statistic=STATISTICS[task],
                       targets=outcome.targets(task), groups=groups, seed=seed)  # fmt: skip


def _exact(outcome: Outcome, settings: "Settings") -> dict[str, float]:
    """All quantities without sampling; counts of the sets as far as they are read here."""
    collection = outcome.collection
    found = architecture_quantities() | setting_quantities(settings)
    for name, clips in (collection.pretraining | collection.tasks).items():
        found |= split_quantities(name, clips.table)
    return found


def _derived(draws: Draws, settings: "Settings") -> dict[tuple[str, str], Estimate]:
    """What follows from other numbers of the same condition, paired draw by draw."""
    found: dict[tuple[str, str], Estimate] = {}
    for name in draws.conditions:
        for metric, (first, second) in WITHIN.items():
            if draws.has(name, first) and draws.has(name, second):
                a, b = draws.estimate(name, first), draws.estimate(name, second)
                found[name, metric] = replace(a, per_seed=a.per_seed - b.per_seed, draws=a.draws - b.draws)
        if settings.probe_protocol == "supplement":
            own = {f"{metric}_tuned": metric for metric in ("auc", "ap") if draws.has(name, metric)}
            found |= {(name, metric): draws.estimate(name, source) for metric, source in own.items()}
    return found


def _with_published_pace(results: pd.DataFrame, settings: "Settings") -> pd.DataFrame:
    """Adds how long epochs of the whole MagnaTagATune take; NaN where batches are not the paper's."""
    if not len(results):
        return results
    pace = results["seconds_per_step"] * STEPS / 3600
    if settings.batch_size != PUBLISHED_BATCH or settings.n_samples != type(settings)().n_samples:
        pace = pace * float("nan")
    return results.assign(epochs_per_hour=1 / pace, hours=PUBLISHED_EPOCHS * pace)


def make_draws(outcome: Outcome, settings: "Settings", *, seed: int = 0) -> Draws:
    """Paired bootstrap over artists or songs and over seeds, for every condition.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    seed : int
        Of the resampling.

    Returns
    -------
    Draws
        In percent, as the paper prints them: ``auc, ap`` of the linear probe on MagnaTagATune and the same with
        ``_mlp`` (two layers), ``_label_<percent>`` (with fewer labels) and ``_layer/<map>``, ``auc/<tag>, ap/<tag>``,
        ``gtzan_accuracy, key_score, arousal_r2, valence_r2``, the differences ``WITHIN``, and ``auc_tuned, ap_tuned``
        where probes for tags are the supplement's; as they are: ``PER_TRIAL``, with t intervals over seeds; all
        quantities without sampling. What a condition does not have, or not in all seeds, is absent.

    Notes
    -----
    Test clips are resampled by artist, or by song where the artist is not known, and singly where there are fewer than
    five of these; answers about keys by song. Draws of AUC and AP are moved so that their mean is the value on all
    clips: in a sample clips come twice and rare tags are missing, by which AP rises.
    Paper: Vélez Vásquez and Burgoyne 2022, Tables 1, 2, S1 and S2, Figures S3 and S4. Notebook: 03_tune.ipynb.
    """
    draws = Draws(n_draws=settings.n_draws)
    for task in outcome.tasks:
        if task == MTT:
            parts = [_tag_draws(outcome, settings, layers=layers, seed=seed) for layers in (False, True)]
        else:
            parts = [_other_draws(outcome, settings, task=task, seed=seed)]
        for part in parts:
            draws = draws.merge(part)
    draws = replace(draws, estimates=draws.estimates | _derived(draws, settings))
    results = _with_published_pace(training_results(outcome), settings)
    if len(results):
        rng = numpy_generator("tune", "training", seed)
        draws = draws.merge(Draws.from_seeds(results, PER_TRIAL, rng=rng, n_draws=settings.n_draws))
    draws.exact.update(_exact(outcome, settings))
    return draws


def training_results(outcome: Outcome) -> pd.DataFrame:
    """Losses and cost of every pre-training.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    DataFrame
        One row per pre-training: ``condition, seed, pretrain_loss, valid_loss, pair_accuracy`` (the last ones),
        ``steps, seconds_per_step, training_hours, n_parameters``; NaN where a trial has no such number.
    """
    rows = []
    for name in dict.fromkeys(key.condition for key in outcome.stored):
        for seed, trial in zip(outcome.seeds(name, PRETRAIN), outcome.pretraining(name), strict=True):
            rows.append({"condition": name, "seed": seed} | _training_row(trial))
    return pd.DataFrame(rows)


def _training_row(trial: StoredTrial) -> dict[str, float]:
    curves, metrics, nan = trial.curves, trial.metrics, float("nan")
    last = {
        name: float(curves[name].dropna().iloc[-1]) if name in curves and curves[name].notna().any() else nan
        for name in ("loss", "valid_loss", "pair_accuracy", "step")
    }
    speed = metrics.get("seconds_per_step", nan)
    return {
        "pretrain_loss": metrics.get("pretrain_loss", last["loss"]),
        "valid_loss": last["valid_loss"],
        "pair_accuracy": metrics.get("pair_accuracy", last["pair_accuracy"]),
        "steps": last["step"],
        "seconds_per_step": speed,
        "training_hours": last["step"] * speed / 3600,
        "n_parameters": metrics.get("n_parameters", nan),
    }
