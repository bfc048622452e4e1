"""From stored trials to the paper's numbers: intervals over pieces of songs and seeds."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from reprise.papers.sawsing.frechet import frechet_estimates
from reprise.papers.sawsing.outcome import FEWEST_SONGS, GROUND_TRUTH, Outcome, label_of
from reprise.papers.sawsing.quantities import architecture_quantities, setting_quantities, source_quantities
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import Voice, split_condition
from reprise.report.draws import Draws, Estimate
from reprise.runs import StoredTrial
from reprise.seeds import numpy_generator

__all__ = ["METRICS", "Outcome", "label_of", "make_draws", "piece_means", "seed_spread", "training_results"]

# numbers of a piece that are averaged over pieces
METRICS = (
    "msstft",
    "msstft_amplitude",
    "msstft_inner",
    "msstft_delayed",
    "mae_f0",
    "mae_f0_floored",
    "vuv_error",
    "phase_deviation",
    "buzz_voiced",
    "buzz_unvoiced",
    "median_buzz_unvoiced",
    "lag",
    "lag_size",
)
# one number per trial
PER_TRIAL = ("msstft_early", "valid_msstft", "seconds_per_step")


def piece_means(weights: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Means over pieces that count more or less often.

    Parameters
    ----------
    weights : ndarray [shape=(n_draws, n_pieces)], ≥ 0
    values : ndarray [shape=(n_pieces, n_metrics + 1)]
        ``METRICS``, and last the number of frames that are voiced in both signals; NaN where a piece has no number.

    Returns
    -------
    dict of str to ndarray [shape=(n_draws,)]
        NaN where no piece that counts has a number. The distance of pitch is a mean over frames: a piece counts as
        often as it has frames that are voiced in both.
    """
    found = {}
    for index, name in enumerate(METRICS):
        column = values[:, index]
        share = np.where(np.isfinite(column), values[:, -1] if name == "mae_f0" else 1.0, 0.0)
        total = weights @ share
        sums = weights @ (share * np.nan_to_num(column))
        found[name] = sums / np.where(total > 0, total, np.nan)
    return found


def _columns(outcome: Outcome, condition: str) -> list[np.ndarray]:
    """What `piece_means` takes, for each seed."""
    known = {name: outcome.values(condition, name) for name in METRICS if name != "lag_size"}
    known["lag_size"] = np.abs(known["lag"])
    stacked = np.stack([*(known[name] for name in METRICS), outcome.values(condition, "n_voiced")], axis=-1)
    return list(stacked)


def _recordings(outcome: Outcome, conditions: list[str], *, n_seeds: int) -> list[np.ndarray]:
    """The same for the recordings, of which only the phase is compared; equal seeds, so that differences are paired."""
    phases = np.stack([outcome.values(name, "reference_phase_deviation")[0] for name in conditions])
    # where one system has no number, such as one that broke down, another one may
    known = np.isfinite(phases)
    own = np.where(known.any(axis=0), phases[known.argmax(axis=0), np.arange(phases.shape[1])], np.nan)
    values = np.full((len(own), len(METRICS) + 1), np.nan)
    values[:, METRICS.index("phase_deviation")] = own
    return [values] * n_seeds


def _in_words(sample: str) -> str:
    """What was resampled, in this paper's words: songs with all their pieces, or pieces where there are few songs."""
    whole = sample.replace("groups of clips", "songs")
    if whole != sample:
        return whole
    # a single piece is not resampled
    sample = sample.replace("paired bootstrap over 1 clips and", "1 piece,")
    return sample.replace("clips", f"pieces (fewer than {FEWEST_SONGS} songs)")


def _voice_draws(outcome: Outcome, settings: Settings, *, voice: Voice | None, seed: int) -> Draws:
    """Draws of all conditions of a voice."""
    names = [name for name in outcome.conditions if name != GROUND_TRUTH and split_condition(name).voice == voice]
    predictions = {name: _columns(outcome, name) for name in names}
    if voice is None and names:
        n_seeds = max(len(seeds) for seeds in predictions.values())
        predictions[GROUND_TRUTH] = _recordings(outcome, names, n_seeds=n_seeds)
    n_pieces = len(outcome.songs(voice))
    draws = Draws.from_predictions(
        predictions,
        np.zeros(n_pieces),
        groups=outcome.groups(voice),
        statistic=lambda weights, values, _: piece_means(weights, values),
        rng=numpy_generator("sawsing", "draws", str(voice), seed),
        n_draws=settings.n_draws,
    )
    samples = {name: _in_words(draws.unit(name, METRICS[0])) for name in predictions}
    rng = numpy_generator("sawsing", "frechet", str(voice), seed)
    found = dict(draws.estimates)
    found |= frechet_estimates(outcome, names, voice=voice, rng=rng, n_draws=settings.n_draws)
    kept = {}
    for (name, metric), estimate in found.items():
        if np.isfinite(estimate.value):
            # a single piece cannot be resampled, and its draws would claim that nothing can change
            known = estimate.draws if n_pieces > 1 else np.full(settings.n_draws, np.nan)
            seeds = estimate.seeds if name == GROUND_TRUTH else tuple(outcome.seeds(name))
            kept[name, metric] = replace(estimate, sample=samples[name], draws=known, seeds=seeds)
    return Draws(kept, {}, settings.n_draws)


def _with_gap(draws: Draws) -> Draws:
    """Adds what the limited scenario costs each system, under the name of its regular condition."""
    gaps: dict[tuple[str, str], Estimate] = {}
    for name in draws.conditions:
        if name == GROUND_TRUTH or split_condition(name).scenario == "limited":
            continue
        limited = split_condition(name)._replace(scenario="limited").name
        if not all(draws.has(other, "msstft") for other in (name, limited)):
            continue
        few, all_ = (draws.estimate(other, "msstft") for other in (limited, name))
        if few.seeds == all_.seeds:
            gaps[name, "msstft_gap"] = replace(
                all_, per_seed=few.per_seed - all_.per_seed, draws=few.draws - all_.draws
            )
    return replace(draws, estimates=draws.estimates | gaps)


def make_draws(
    outcome: Outcome,
    settings: Settings,
    *,
    seed: int = 0,
    speeds: Mapping[str, float] | None = None,
    ratings: Draws | None = None,
) -> Draws:
    """Paired bootstrap over pieces of the test songs and over seeds, for every condition.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    seed : int
        Of the resampling.
    speeds : mapping of str to float or None
        From :func:`reprise.papers.sawsing.costs.real_time_factors`.
    ratings : Draws or None
        ``mos`` of conditions, where there was a listening test.

    Returns
    -------
    Draws
        Every system, scenario and voice, with ``METRICS``, ``fad``, ``msstft_gap`` (limited minus regular) and the
        numbers of :func:`training_results`; ``ground_truth`` with ``phase_deviation``; all quantities without sampling.
        Metrics that a condition does not have, such as the buzz of a network without branches, are absent.

    Notes
    -----
    Songs are resampled with all their pieces; with fewer than five songs single pieces in their place, which makes
    intervals too narrow where pieces of one song are alike.
    """
    draws = Draws(n_draws=settings.n_draws)
    if outcome.conditions:
        draws = _with_gap(_voice_draws(outcome, settings, voice=None, seed=seed))
        for voice in sorted({own for own in outcome.voices.values() if own is not None}):
            # a single voice is the whole collection, and has its draws
            alone = len(outcome.singers(voice)) == len(outcome.voices)
            part = (
                _renamed(draws, voice) if alone else _with_gap(_voice_draws(outcome, settings, voice=voice, seed=seed))
            )
            draws = Draws(draws.estimates | part.estimates, {}, settings.n_draws)
        results, rng = training_results(outcome), numpy_generator("sawsing", "training", seed)
        draws = draws.merge(Draws.from_seeds(results, PER_TRIAL, rng=rng, n_draws=settings.n_draws))
    if ratings is not None:
        draws = draws.merge(ratings)
    draws.exact.update(setting_quantities(settings) | architecture_quantities() | source_quantities())
    draws.exact.update(speeds or {})
    return draws


def _renamed(draws: Draws, voice: Voice) -> Draws:
    own = {
        (split_condition(name)._replace(voice=voice).name, metric): estimate
        for (name, metric), estimate in draws.estimates.items()
        if name != GROUND_TRUTH and split_condition(name).voice is None
    }
    return replace(draws, estimates=own)


def training_results(outcome: Outcome) -> pd.DataFrame:
    """Cost and speed of convergence of every seed.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    DataFrame
        One row per condition and seed, means over singers: ``condition, seed, msstft_early, valid_msstft,
        valid_f0_loss, loss`` (the last ones), ``steps, seconds_per_step, training_hours, n_parameters``; NaN where a
        trial has no such number, as one that took over weights.
    """
    names = [name for name in outcome.conditions if name != GROUND_TRUTH]
    rows = []
    for name in names:
        for seed in outcome.seeds(name):
            each = pd.DataFrame([_training_row(trial) for trial in outcome.trials(name, seed)])
            rows.append({"condition": name, "seed": seed} | each.mean().to_dict())
    return pd.DataFrame(rows)


def _training_row(trial: StoredTrial) -> dict[str, float]:
    curves, metrics, nan = trial.curves, trial.metrics, float("nan")
    last = {
        name: float(curves[name].dropna().iloc[-1]) if name in curves and curves[name].notna().any() else nan
        for name in ("valid_msstft", "valid_f0_loss", "loss")
    }
    steps, speed = metrics.get("steps", nan), metrics.get("seconds_per_step", nan)
    return {
        "msstft_early": metrics.get("msstft_early", nan),
        **last,
        "steps": steps,
        "seconds_per_step": speed,
        "training_hours": steps * speed / 3600,
        "n_parameters": metrics.get("n_parameters", nan),
    }


def seed_spread(outcome: Outcome, *, metrics: Iterable[str] = ("msstft", "mae_f0")) -> pd.DataFrame:
    """How much a result depends on the repetition: initial weights and, where recordings are few, which ones.

    Parameters
    ----------
    outcome : Outcome
    metrics : iterable of str
        Of ``METRICS``.

    Returns
    -------
    DataFrame
        Long: ``condition, metric, n, mean, deviation`` (over seeds), ``lowest, highest``; conditions of all singers.
    """
    rows = []
    for name in (name for name in outcome.conditions if name != GROUND_TRUTH and split_condition(name).voice is None):
        once = np.ones((1, len(outcome.songs())))
        each = [piece_means(once, values) for values in _columns(outcome, name)]
        for metric in metrics:
            values = np.array([found[metric][0] for found in each])
            deviation = values.std(ddof=1) if len(values) > 1 else np.nan
            rows.append((name, metric, len(values), values.mean(), deviation, values.min(), values.max()))
    return pd.DataFrame(rows, columns=["condition", "metric", "n", "mean", "deviation", "lowest", "highest"])
