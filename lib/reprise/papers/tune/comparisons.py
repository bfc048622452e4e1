"""Beyond single numbers: pairs of encoders, the length of the tail, few labels, maps along the depth, single tags."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from reprise.models.tune import TUNe, shape_trace
from reprise.papers.tune.analysis import LAYER, label_percents
from reprise.papers.tune.outcome import Outcome, label_of
from reprise.papers.tune.systems import SYSTEMS, TAIL_SERIES, split_condition
from reprise.report.draws import Draws
from reprise.report.schema import Table
from reprise.seeds import numpy_generator
from reprise.stats.compare import holm, permutation_test

_SCORES = ("auc", "ap", "gtzan", "key", "arousal", "valence")

__all__ = [
    "PAIRS",
    "block_names",
    "pair_tests",
    "label_efficiency",
    "layer_frame",
    "learning_curves",
    "tag_frame",
    "tail_series",
    "with_interval",
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


def with_interval(draws: Draws, condition: str, metric: str, *, prefix: str = "value") -> dict[str, float]:
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


def _printed(table: Table | None, condition: str, metric: str) -> float:
    row = None if table is None else table.rows.get(condition)
    value = None if row is None else row.values.get(metric)
    return float("nan") if value is None else float(value)


def tail_series(draws: Draws, published: Table | None = None) -> pd.DataFrame:
    """From the shortest to the longest tail.

    Parameters
    ----------
    draws : Draws
    published : Table or None
        ``table_1`` of ``reported.yaml``.

    Returns
    -------
    DataFrame
        ``condition, label, tail`` (blocks), ``length`` (points left for the mean), ``filters``, ``auc, auc_low,
        auc_high, auc_paper, ap, ap_low, ap_high, ap_paper, n``; NaN where a network was not run.
    """
    rows = []
    for name in TAIL_SERIES:
        trace = _trace(name)
        tail = trace[trace["path"] == "tail"]
        row: dict[str, object] = {"condition": name, "label": SYSTEMS[name].label, "tail": len(tail)}
        row |= {"length": int(tail["length"].iloc[-1]), "filters": int(trace["channels"].iloc[0])}
        for metric in ("auc", "ap"):
            row |= with_interval(draws, name, metric, prefix=metric)
            row[f"{metric}_paper"] = _printed(published, name, metric)
        rows.append(row | {"n": draws.n(name, "auc") or None})
    return pd.DataFrame(rows).astype({"n": "Int64"})


def _trace(system: str) -> pd.DataFrame:
    import torch

    network = SYSTEMS[system].network
    if network is None:
        raise ValueError(f"{system} has no network")
    with torch.device("meta"):
        encoder = TUNe.from_name(network)
    return shape_trace(encoder)


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
                    found = with_interval(draws, name, key)
                    n_clips = max(1, round(total * percent / 100))
                    rows.append({"condition": name, "label": label_of(name), "percent": percent, "n_clips": n_clips,
                                 "metric": metric} | found | {"n": draws.n(name, key)})  # fmt: skip
    columns = ["condition", "label", "percent", "n_clips", "metric", "value", "value_low", "value_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def block_names(trace: pd.DataFrame) -> list[str]:
    """Names of the convolution blocks of :func:`reprise.models.unet.shape_trace`, as the encoder's ``maps`` has them.

    Parameters
    ----------
    trace : DataFrame

    Returns
    -------
    list of str
        ``Contr-1`` …, ``Bot-U``, ``Expa-1`` …, ``Tail-1`` …; ``Conv-1`` … of CLMR.
    """
    counts: dict[str, int] = {}
    names = []
    for block, path in trace.loc[trace["kind"] == "conv", ["block", "path"]].itertuples(index=False):
        start = _SHORT[path] if block.startswith(("unet.", "tail.")) else "Conv"
        counts[start] = counts.get(start, 0) + 1
        names.append(start if path == "bottom" else f"{start}-{counts[start]}")
    return names


_SHORT = {"contractive": "Contr", "bottom": "Bot-U", "expansive": "Expa", "tail": "Tail"}


def layer_frame(draws: Draws, *, conditions: Iterable[str], readings: Table | None = None) -> pd.DataFrame:
    """How much a linear probe gets out of each block of an encoder (Figures S3 and S4).

    Parameters
    ----------
    draws : Draws
    conditions : iterable of str
        Those without any such number, neither ours nor the paper's, are left out.
    readings : Table or None
        Rows named as conditions, columns ``auc_layer/<block>``, read off the paper's figure, percent.

    Returns
    -------
    DataFrame
        One row per condition and block in the order in which they run: ``condition, label, block, path, channels,
        length, auc, auc_low, auc_high, n, paper``; NaN where there is no number.
    """
    rows = []
    for condition in conditions:
        trace = _trace(split_condition(condition).system)
        blocks = trace[trace["kind"] == "conv"]
        for name, block in zip(block_names(trace), blocks.itertuples(), strict=True):
            metric = f"auc{LAYER}{name}"
            row: dict[str, object] = {"condition": condition, "label": label_of(condition), "block": name}
            row |= {"path": block.path, "channels": block.channels, "length": block.length}
            row |= with_interval(draws, condition, metric, prefix="auc") | {"n": draws.n(condition, metric) or None}
            rows.append(row | {"paper": _printed(readings, condition, metric)})
    columns = ["condition", "label", "block", "path", "channels", "length", "auc", "auc_low", "auc_high", "n", "paper"]
    frame = pd.DataFrame(rows, columns=columns).astype({"n": "Int64"})
    known = frame.groupby("condition")[["auc", "paper"]].transform("count").sum(axis=1) > 0
    return frame[known].reset_index(drop=True)


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
                row |= with_interval(draws, name, f"{metric}/{tag}", prefix=metric)
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
