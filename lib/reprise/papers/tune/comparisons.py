"""Beyond single numbers: pairs of encoders, few labels, single tags, losses over steps."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from reprise.papers.tune.analysis import label_percents
from reprise.papers.tune.intervals import with_interval
from reprise.papers.tune.outcome import Outcome, label_of
from reprise.report.draws import Draws
from reprise.seeds import numpy_generator
from reprise.stats.compare import holm, permutation_test

__all__ = [
    "PAIRS",
    "label_efficiency",
    "learning_curves",
    "pair_tests",
    "tag_frame",
]

PAIRS = (
    ("tune_plus", "clmr"),
    ("tail_5", "clmr"),
    ("tail_5", "vanilla"),
    ("tune_plus", "tail_5"),
    ("tail_5", "tail_3"),
    ("clmr_tail", "clmr"),
    ("contractive_2", "vanilla"),
    ("contractive_3", "contractive_2"),
    ("expansive_3", "vanilla"),
    ("vanilla", "vanilla_small"),
    ("tune_plus_large", "tune_plus"),
    ("tune_plus_small", "tune_plus"),
    ("tail_5+long", "tail_5"),
    ("tune_plus+long", "tune_plus"),
    ("clmr+long", "clmr"),
    *(("tune_plus" + name, "clmr" + name) for name in ("@fma", "@gtzan", "@billboard")),
    ("clmr", "untrained"),
    ("tune_plus", "untrained"),
    ("tune_plus", "mel_statistics"),
)


def _p_of_draws(differences: np.ndarray) -> float:
    """Twice the share of draws on the smaller side of 0; never 0, NaN where nothing was resampled."""
    known = differences[np.isfinite(differences)]
    if not len(known):
        return float("nan")
    smaller = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2 * (1 + smaller) / (1 + len(known))))


def _tag_values(draws: Draws, condition: str, metric: str) -> dict[str, float]:
    start = f"{metric}/"
    return {
        name.removeprefix(start): draws.value(own, name)
        for own, name in draws.estimates
        if own == condition and name.startswith(start) and draws.has(own, name)
    }


def pair_tests(draws: Draws, *, pairs: Iterable[tuple[str, str]] = PAIRS, seed: int = 0) -> pd.DataFrame:
    """Tests of whether two conditions tell as much about tags.

    Parameters
    ----------
    draws : Draws
        From :func:`reprise.papers.tune.analysis.make_draws`.
    pairs : iterable of (str, str)
        Conditions to compare; pairs with a missing one are left out.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        One row per pair: ``a, b, label_a, label_b``; ``auc, auc_low, auc_high, ap, ap_low, ap_high`` (a − b, percent,
        paired 95 % intervals over clips and seeds); ``p_clips`` (from the same draws of AUC) and ``p_tags`` (sign flips
        of the tags' differences of AUC), each also corrected for the number of pairs, ``_holm``; ``n_tags, n_seeds``.

    Notes
    -----
    The paper has one run of each and no test.
    """
    rows = []
    for index, (a, b) in enumerate(pairs):
        if not (draws.has(a, "auc") and draws.has(b, "auc")):
            continue
        row: dict[str, object] = {"a": a, "b": b, "label_a": label_of(a), "label_b": label_of(b)}
        for metric in ("auc", "ap"):
            names = (metric, f"{metric}_low", f"{metric}_high")
            row |= dict(zip(names, draws.difference(a, b, metric), strict=True))
        row["p_clips"] = _p_of_draws(draws.draws(a, "auc") - draws.draws(b, "auc"))
        first, second = (_tag_values(draws, name, "auc") for name in (a, b))
        shared = [tag for tag in first if tag in second]
        values = [np.array([own[tag] for tag in shared]) for own in (first, second)]
        rng = numpy_generator("tune", "pairs", seed, index)
        row["p_tags"] = permutation_test(*values, rng=rng, n_permutations=2000) if shared else float("nan")
        rows.append(row | {"n_tags": len(shared), "n_seeds": min(draws.n(name, "auc") for name in (a, b))})
    frame = pd.DataFrame(rows)
    if len(frame):
        for name in ("p_clips", "p_tags"):
            frame.insert(list(frame.columns).index(name) + 1, f"{name}_holm", holm(frame[name].to_numpy()))
    return frame


def label_efficiency(outcome: Outcome, draws: Draws, *, conditions: Iterable[str] | None = None) -> pd.DataFrame:
    """How good linear probes are that saw a part of the labels.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws
    conditions : iterable of str or None
        Default: all that have such probes.

    Returns
    -------
    DataFrame
        Long: ``condition, label, percent`` (of the labelled training clips), ``n_clips`` (about), ``metric`` (auc or
        ap), ``value, value_low, value_high`` in percent, ``n`` (seeds).
    """
    clips = outcome.clips()
    total, rows = len(clips.rows("train")), []
    for name in outcome.probed() if conditions is None else conditions:
        for percent in label_percents(outcome):
            for metric in ("auc", "ap"):
                key = f"{metric}_label_{percent:g}"
                if draws.has(name, key):
                    found = with_interval(draws, name, metric=key)
                    n_clips = max(1, round(total * percent / 100))
                    rows.append({"condition": name, "label": label_of(name), "percent": percent, "n_clips": n_clips,
                                 "metric": metric} | found | {"n": draws.n(name, key)})  # fmt: skip
    columns = ["condition", "label", "percent", "n_clips", "metric", "value", "value_low", "value_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def tag_frame(outcome: Outcome, draws: Draws, *, conditions: Iterable[str]) -> pd.DataFrame:
    """Every tag: how often it occurs and how well probes find it.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws
    conditions : iterable of str
        Those that were not run are left out.

    Returns
    -------
    DataFrame
        Long: ``condition, label, tag, train_share, test_share`` (of the clips, 0 to 1), ``positives`` (test clips),
        ``auc, auc_low, auc_high, ap, ap_low, ap_high`` in percent, ``n``. Tags without a positive test clip have NaN.
    """
    clips, targets = outcome.clips(), outcome.targets()
    train = np.asarray(clips.targets)[clips.rows("train")].mean(axis=0)
    rows = []
    for name in (own for own in conditions if draws.has(own, "auc")):
        for index, tag in enumerate(clips.tags):
            row: dict[str, object] = {"condition": name, "label": label_of(name), "tag": tag}
            row |= {"train_share": float(train[index]), "test_share": float(targets[:, index].mean())}
            row["positives"] = int(targets[:, index].sum())
            for metric in ("auc", "ap"):
                row |= with_interval(draws, name, metric=f"{metric}/{tag}", prefix=metric)
            rows.append(row | {"n": draws.n(name, "auc")})
    return pd.DataFrame(rows)


def learning_curves(outcome: Outcome, *, conditions: Iterable[str] | None = None) -> pd.DataFrame:
    """Losses of the pre-trainings over steps, means over seeds.

    Parameters
    ----------
    outcome : Outcome
    conditions : iterable of str or None
        Default: all that were pre-trained.

    Returns
    -------
    DataFrame
        Long: ``condition, label, step, loss, lowest, highest`` (of the seeds), ``valid_loss, pair_accuracy, seconds``
        (of training up to there), ``n``.
    """
    chosen = dict.fromkeys(key.condition for key in outcome.stored) if conditions is None else conditions
    parts = []
    for name in chosen:
        frames = [_with_seconds(frame) for frame in outcome.curves(name) if len(frame)]
        if not frames:
            continue
        grouped = pd.concat(frames).groupby("step", sort=True)
        part = grouped[["loss", "valid_loss", "pair_accuracy", "seconds"]].mean()
        part = part.assign(lowest=grouped["loss"].min(), highest=grouped["loss"].max(), n=grouped.size())
        parts.append(part.reset_index().assign(condition=name, label=label_of(name)))
    columns = ["condition", "label", "step", "loss", "lowest", "highest", "valid_loss", "pair_accuracy", "seconds", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _with_seconds(curves: pd.DataFrame) -> pd.DataFrame:
    kept = curves.reindex(columns=["step", "loss", "valid_loss", "pair_accuracy", "seconds"])
    return kept.assign(seconds=kept["seconds"].cumsum())
