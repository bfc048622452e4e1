"""Results over the parts of an encoder: the number of tail blocks, and every block along the depth."""

from collections.abc import Iterable

import pandas as pd
import torch

from reprise.models.tune import TUNe, shape_trace
from reprise.papers.tune.analysis import LAYER
from reprise.papers.tune.intervals import with_interval
from reprise.papers.tune.outcome import label_of
from reprise.papers.tune.systems import SYSTEMS, TAIL_SERIES, split_condition
from reprise.report.draws import Draws
from reprise.report.schema import Table

__all__ = ["block_names", "layer_frame", "tail_series"]

_SHORT = {"contractive": "Contr", "bottom": "Bot-U", "expansive": "Expa", "tail": "Tail"}


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
            row |= with_interval(draws, name, metric=metric, prefix=metric)
            row[f"{metric}_paper"] = _printed(published, name, metric)
        rows.append(row | {"n": draws.n(name, "auc") or None})
    return pd.DataFrame(rows).astype({"n": "Int64"})


def _trace(system: str) -> pd.DataFrame:
    network = SYSTEMS[system].network
    if network is None:
        raise ValueError(f"{system} has no network")
    with torch.device("meta"):
        encoder = TUNe.from_name(network)
    return shape_trace(encoder)


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
            row |= with_interval(draws, condition, metric=metric, prefix="auc") | {
                "n": draws.n(condition, metric) or None
            }
            rows.append(row | {"paper": _printed(readings, condition, metric)})
    columns = ["condition", "label", "block", "path", "channels", "length", "auc", "auc_low", "auc_high", "n", "paper"]
    frame = pd.DataFrame(rows, columns=columns).astype({"n": "Int64"})
    known = frame.groupby("condition")[["auc", "paper"]].transform("count").sum(axis=1) > 0
    return frame[known].reset_index(drop=True)
