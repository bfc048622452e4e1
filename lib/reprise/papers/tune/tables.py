"""Tables of the data, of speed, and of others' numbers as they are."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.tune.analysis import training_results
from reprise.papers.tune.outcome import Outcome, label_of
from reprise.papers.tune.quantities import network_quantities
from reprise.papers.tune.systems import split_condition
from reprise.report.schema import Table

if TYPE_CHECKING:
    from reprise.papers.tune.corpus import Collection

__all__ = ["context_table", "set_table", "speed_table"]

SIDES = ("train", "valid", "test")


def set_table(collection: "Collection") -> pd.DataFrame:
    """What there is to pre-train on and to probe with.

    Parameters
    ----------
    collection : Collection

    Returns
    -------
    DataFrame
        One row per set and use: ``set, use, evidence, train, valid, test`` (clips), ``songs`` (or groups, as the set
        knows them), ``minutes``, ``shortest, longest`` (s).
    """
    rows = []
    uses = [("pre-training", name, clips) for name, clips in collection.pretraining.items()]
    uses += [(f"task {name}", name, clips) for name, clips in collection.tasks.items()]
    for use, _, clips in uses:
        seconds = np.asarray(clips.bank.lengths) / clips.bank.sample_rate
        rows.append(
            {
                "set": clips.name,
                "use": use,
                "evidence": clips.evidence,
                **{side: len(clips.rows(side)) for side in SIDES},
                "songs": clips.table["group"].nunique(),
                "minutes": seconds.sum() / 60,
                "shortest": seconds.min(),
                "longest": seconds.max(),
            }
        )
    return pd.DataFrame(rows)


def speed_table(outcome: Outcome, *, batch_size: int) -> pd.DataFrame:
    """What a step of pre-training costs on the machine of the run, beside what it computes.

    Parameters
    ----------
    outcome : Outcome
    batch_size : int
        Clips per step.

    Returns
    -------
    DataFrame
        One row per condition: ``condition, label, mmacs`` (millions of multiplications of one clip's convolutions),
        ``seconds_per_step`` (mean over seeds), ``clips_per_second``, ``gmacs_per_second`` (billions of multiplications,
        three passes of two views each) and ``n``.

    Notes
    -----
    In the published times all networks are equally fast, so their training waited for something else than the network.
    Paper: Vélez Vásquez and Burgoyne 2022, Table S3. Notebook: 03_tune.ipynb.
    """
    results = training_results(outcome)
    rows = []
    for name, part in results.groupby("condition", sort=False) if len(results) else []:
        seconds = float(part["seconds_per_step"].mean())
        millions = network_quantities(split_condition(str(name)).system)["mmacs"]
        rows.append(
            {
                "condition": name,
                "label": label_of(str(name)),
                "mmacs": millions,
                "seconds_per_step": seconds,
                "clips_per_second": batch_size / seconds,
                "gmacs_per_second": 6 * batch_size * millions / seconds / 1000,
                "n": len(part),
            }
        )
    columns = ["condition", "label", "mmacs", "seconds_per_step", "clips_per_second", "gmacs_per_second", "n"]
    return pd.DataFrame(rows, columns=columns)


def context_table(table: Table) -> pd.DataFrame:
    """Others' numbers as they are, for results that this suite does not make.

    Parameters
    ----------
    table : Table
        Such as ``context`` of ``reported.yaml``.

    Returns
    -------
    DataFrame [indexed by the rows' labels]
        One column per column of the table, numbers first, NaN where nothing is published; ``note`` where there is one.
    """
    rows = []
    for row in table.rows.values():
        found: dict[str, object] = {
            measure.label: np.nan if row.values.get(key) is None else row.values[key]
            for key, measure in table.columns.items()
        }
        rows.append(found | {label: row.texts.get(key, "") for key, label in table.texts.items()})
    frame = pd.DataFrame(rows, index=pd.Index([row.label for row in table.rows.values()], name=table.title))
    notes = [row.note for row in table.rows.values()]
    return frame.assign(note=notes) if any(notes) else frame
