"""Beyond single numbers: pairs of systems, convergence, little against much data, and variants."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from reprise.papers.sawsing.intervals import bounded_interval, with_interval
from reprise.papers.sawsing.outcome import GROUND_TRUTH, Outcome, label_of
from reprise.papers.sawsing.systems import ABLATIONS, PAPER_SYSTEMS, split_condition
from reprise.report.draws import Draws
from reprise.report.reported import Reported
from reprise.seeds import numpy_generator
from reprise.stats.compare import holm, mean_interval, permutation_test

__all__ = ["PAIRS", "ablation_table", "convergence", "gap_table", "pair_tests", "time_to_reach"]

_RIVALS = tuple(name for name in PAPER_SYSTEMS if name != "sawsing")
PAIRS = (
    *(("sawsing", name) for name in _RIVALS),
    *(("sawsing>limited", f"{name}>limited") for name in _RIVALS),
    *((name, "sawsing") for name in ABLATIONS),
    ("full", "sawsing"),
    ("sawsub", "sawsing"),
)
# by which variants are judged
VARIANT_METRICS = (
    "msstft",
    "msstft_inner",
    "msstft_delayed",
    "lag",
    "mae_f0",
    "vuv_error",
    "phase_deviation",
    "buzz_unvoiced",
    "fad",
    "seconds_per_step",
)
PAIR_METRICS = ("msstft", "msstft_delayed", "mae_f0", "fad")


def pair_tests(
    outcome: Outcome, draws: Draws, *, pairs: Iterable[tuple[str, str]] = PAIRS, seed: int = 0
) -> pd.DataFrame:
    """Tests of whether two systems resynthesise equally well.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws
        From :func:`reprise.papers.sawsing.analysis.make_draws`, for the intervals.
    pairs : iterable of (str, str)
        Conditions to compare; pairs with a missing condition are left out.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        One row per pair: ``a, b``; ``msstft, msstft_low, msstft_high`` and the same of ``msstft_delayed, mae_f0, fad``
        (differences a − b with 95 % intervals; NaN where one has no such number); ``p_pieces`` and ``p_songs`` (sign
        flips of the differences of MSSTFT of pieces and of songs, means over seeds), corrected for the number of pairs
        as ``p_pieces_holm`` and ``p_songs_holm``; ``n_pieces, n_songs, n_seeds``.

    Notes
    -----
    Pieces of one song are not independent, which flips of whole songs respect; three songs cannot give a p below 0.25.
    """
    rows = []
    for index, (a, b) in enumerate(pairs):
        if a not in outcome.conditions or b not in outcome.conditions:
            continue
        voice = split_condition(a).voice
        if split_condition(b).voice != voice:
            continue
        row: dict[str, object] = {"a": a, "b": b}
        for metric in PAIR_METRICS:
            known = draws.has(a, metric) and draws.has(b, metric)
            found = draws.difference(a, b, metric) if known else (np.nan,) * 3
            row |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), found, strict=True))
        pieces = [outcome.values(name, "msstft").mean(axis=0) for name in (a, b)]
        songs = np.unique(outcome.songs(voice), return_inverse=True)[1]
        sums = [np.bincount(songs, weights=values) for values in pieces]
        rng = numpy_generator("sawsing", "pairs", seed, index)
        row |= {"p_pieces": permutation_test(*pieces, rng=rng), "p_songs": permutation_test(*sums, rng=rng)}
        row |= {"n_pieces": len(songs), "n_songs": len(sums[0])}
        rows.append(row | {"n_seeds": min(len(outcome.seeds(name)) for name in (a, b))})
    frame = pd.DataFrame(rows)
    if len(frame):
        for name in ("p_pieces", "p_songs"):
            frame.insert(list(frame.columns).index(name) + 1, f"{name}_holm", holm(frame[name].to_numpy()))
    return frame


def convergence(outcome: Outcome, *, conditions: Iterable[str] | None = None) -> pd.DataFrame:
    """Validation during training, over steps and over time.

    Parameters
    ----------
    outcome : Outcome
    conditions : iterable of str or None
        Default: the systems of the regular scenario that were trained, without variants, all singers.

    Returns
    -------
    DataFrame
        Long: ``condition, label, step, seconds`` (of training alone, on the machine of the run),
        ``msstft, low, high`` (mean over seeds of the mean over singers, Student's t interval), ``lowest, highest``
        (of the seeds), ``f0_loss, n`` (seeds).
    """
    if conditions is None:
        names = [name for name in outcome.conditions if name != GROUND_TRUTH]
        conditions = [
            name for name in names if split_condition(name)[1:] == ("regular", None) and name not in ABLATIONS
        ]
    rows = []
    for name in conditions:
        each = [_curve(trial.curves, seed) for seed in outcome.seeds(name) for trial in outcome.trials(name, seed)]
        known = [frame for frame in each if len(frame)]
        if not known:
            continue
        per_seed = pd.concat(known).groupby(["step", "seed"], as_index=False).mean(numeric_only=True)
        for step in sorted(set(per_seed["step"].astype(int))):
            part = per_seed[per_seed["step"] == step]
            mean, low, high = mean_interval(part["msstft"].to_numpy())
            extremes = (part["msstft"].min(), part["msstft"].max())
            loss = (mean, np.maximum(low, 0.0), high, *extremes, part["f0_loss"].mean())
            rows.append((name, label_of(name), step, part["seconds"].mean(), *loss, len(part)))
    columns = ["condition", "label", "step", "seconds", "msstft", "low", "high", "lowest", "highest", "f0_loss", "n"]
    return pd.DataFrame(rows, columns=columns)


def _curve(curves: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Validated steps of a trial; empty where nothing was trained."""
    if "valid_msstft" not in curves:
        return pd.DataFrame(columns=["step", "seed", "seconds", "msstft", "f0_loss"])
    f0_loss = curves.get("valid_f0_loss", np.nan)
    frame = pd.DataFrame({"step": curves["step"], "seed": seed, "seconds": curves["seconds"].cumsum()})
    return frame.assign(msstft=curves["valid_msstft"], f0_loss=f0_loss).dropna(subset=["msstft"])


def time_to_reach(curves: pd.DataFrame, *, reference: str = "sawsing") -> pd.DataFrame:
    """When each system is as good as the reference gets, and when the reference was as good as each system gets.

    Parameters
    ----------
    curves : DataFrame
        From `convergence`.
    reference : str
        Condition.

    Returns
    -------
    DataFrame
        One row per other system: ``condition, label, lowest`` (its lowest mean MSSTFT), ``steps, seconds`` (when it
        was first reached), ``reference_steps, reference_seconds`` (when the reference first was as low; NaN: never),
        ``fewer_steps, less_time`` (ratios: how many times sooner the reference was). Empty without the reference.

    Notes
    -----
    Both are read at the validations, so that the ratios are coarse where these are few.
    """
    ours = curves[curves["condition"] == reference]
    rows = []
    for name, part in curves[curves["condition"] != reference].groupby("condition", sort=False) if len(ours) else []:
        lowest = part.iloc[int(part["msstft"].argmin())]
        sooner = ours[ours["msstft"] <= lowest["msstft"]]
        steps, seconds = (sooner["step"].min(), sooner["seconds"].min()) if len(sooner) else (np.nan, np.nan)
        times = (lowest["step"], lowest["seconds"], steps, seconds)
        # at step 0 nothing has been learnt and no ratio exists
        ratios = [theirs / own if own and own > 0 else np.nan for theirs, own in zip(times[:2], times[2:], strict=True)]
        rows.append((name, label_of(str(name)), lowest["msstft"], *times, *ratios))
    columns = ["condition", "label", "lowest", "steps", "seconds", "reference_steps", "reference_seconds"]
    return pd.DataFrame(rows, columns=[*columns, "fewer_steps", "less_time"])


def gap_table(draws: Draws, reported: Reported, *, systems: Iterable[str] = PAPER_SYSTEMS) -> pd.DataFrame:
    """What little data and time cost each system, ours and on the authors' demo page.

    Parameters
    ----------
    draws : Draws
    reported : Reported
        With ``demo_audio``.
    systems : iterable of str
        Those without both scenarios are left out.

    Returns
    -------
    DataFrame
        ``system, label``; ``regular, limited, gap``, each with ``_low`` and ``_high``; ``ratio`` (limited to regular);
        ``demo_regular, demo_limited, demo_gap`` (means of both voices); in the order of the gaps.
    """
    rows = []
    demo = reported.tables["demo_audio"].column("msstft")
    for name in systems:
        if not draws.has(name, "msstft_gap"):
            continue
        row: dict[str, object] = {"system": name, "label": label_of(name)}
        parts = {"regular": (name, "msstft"), "limited": (f"{name}>limited", "msstft"), "gap": (name, "msstft_gap")}
        for part, key in parts.items():
            row |= with_interval(draws, key[0], metric=key[1], prefix=part)
        row["ratio"] = draws.value(f"{name}>limited", "msstft") / draws.value(name, "msstft")
        for part, condition in (("regular", name), ("limited", f"{name}>limited")):
            row[f"demo_{part}"] = np.mean([demo.get(f"{condition}/{voice}", np.nan) for voice in ("female", "male")])
        rows.append(row)
    frame = pd.DataFrame(rows)
    if len(frame):
        frame["demo_gap"] = frame["demo_limited"] - frame["demo_regular"]
        frame = frame.sort_values("gap", ignore_index=True)
    return frame


def ablation_table(
    draws: Draws, *, variants: Iterable[str] = ABLATIONS, metrics: Iterable[str] = VARIANT_METRICS
) -> pd.DataFrame:
    """Variants of SawSing beside SawSing.

    Parameters
    ----------
    draws : Draws
    variants : iterable of str
        Those that were not run are left out.
    metrics : iterable of str
        Those that one of the two does not have are left out.

    Returns
    -------
    DataFrame
        Long: ``variant, label, metric, value, low, high``; ``difference, difference_low, difference_high`` (variant
        minus SawSing, paired); ``n``. The first rows are SawSing's own, without a difference.
    """
    rows = []
    for name in ("sawsing", *variants):
        for metric in metrics:
            if not (draws.has(name, metric) and draws.has("sawsing", metric)):
                continue
            found = (np.nan,) * 3 if name == "sawsing" else draws.difference(name, "sawsing", metric)
            values = (draws.value(name, metric), *bounded_interval(draws, name, metric=metric))
            rows.append((name, label_of(name), metric, *values, *found, draws.n(name, metric)))
    columns = ["variant", "label", "metric", "value", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "difference", "difference_low", "difference_high", "n"])
