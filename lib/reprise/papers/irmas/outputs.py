"""Which of the paper's tables and figures the data at hand cannot give, and why."""

from collections.abc import Collection as Names
from typing import TYPE_CHECKING

from reprise.papers.irmas.systems import SYSTEMS, split_condition
from reprise.report.reported import Reported

if TYPE_CHECKING:
    from reprise.papers.irmas.corpus import Collection

__all__ = ["bar_tables", "left_out"]

NO_AUDIOSET = "there is no AudioSet in the data folder"
NO_IRMAS = "single notes stand in for IRMAS, so its clips cannot be counted"
OF_IRMAS = ("data_counts", "label_counts", "section_3_6")
OF_AUDIOSET = ("table_3_1", "figure_2_13", "figure_2_14")
READINGS = {"figure_5_6": "figure_5_6_readings", "figure_5_7": "figure_5_7_readings"}


def bar_tables(reported: Reported, figure: str) -> list[str]:
    """Tables that hold the bars of a figure, one per part.

    Parameters
    ----------
    reported : Reported
    figure : str
        Such as ``figure_5_2``.

    Returns
    -------
    list of str
    """
    return [name for name in reported.tables if name.startswith(figure) and name.endswith("_bars")]


def left_out(reported: Reported, collection: "Collection", *, systems: Names[str]) -> dict[str, str]:
    """Tables and figures that a run leaves out.

    Parameters
    ----------
    reported : Reported
    collection : Collection
    systems : collection of str
        Trained in this run.

    Returns
    -------
    dict of str to str
        Name of the table or figure → reason, for :class:`reprise.report.publication.Publication`.
    """
    skip = dict.fromkeys(OF_AUDIOSET, NO_AUDIOSET) if collection.audioset is None else {}
    if collection.irmas.name != "irmas":
        skip |= dict.fromkeys(OF_IRMAS, NO_IRMAS)
    for name, table in reported.tables.items():
        rows = [split_condition(row) for row in table.rows if row.partition(">")[0] in SYSTEMS]
        known = [system for system, dataset in rows if system in systems and _has(collection, dataset)]
        if rows and not known:
            skip[name] = "none of its systems is trained here"
    figures = {name: bar_tables(reported, name) for name in reported.figures} | {
        name: [table] for name, table in READINGS.items()
    }
    for name, tables in figures.items():
        if tables and set(tables) <= set(skip):
            skip[name] = skip[tables[0]]
    return skip


def _has(collection: "Collection", dataset: str) -> bool:
    return dataset == "irmas" or collection.audioset is not None
