"""Which of the published tables and figures a run cannot show beside its own results, and why."""

from collections.abc import Collection as Names
from typing import TYPE_CHECKING

from reprise.papers.tune.systems import SYSTEMS
from reprise.report.reported import Reported

if TYPE_CHECKING:
    from reprise.papers.tune.settings import Settings

__all__ = ["left_out"]

NO_TAGS = "there is no MagnaTagATune with tags in the data folder"
NOT_TRAINED = "none of its networks is trained here"
NO_BLOCKS = "no network of this run is probed block by block"
NOT_ELSEWHERE = "no network of this run that is probed block by block was pre-trained on another set"
# filled by networks that need no training, or by the data
ALWAYS = ("table_s3", "parameters", "lengths", "constants", "splits", "context")


def left_out(reported: Reported, conditions: Names[str], *, settings: "Settings", tasks: Names[str]) -> dict[str, str]:
    """Tables and figures that a run leaves out.

    Parameters
    ----------
    reported : Reported
    conditions : collection of str
        Those of an outcome, or of a grid that is still to be run.
    settings : Settings
        For what is probed block by block.
    tasks : collection of str
        Tasks that the data folder has clips for.

    Returns
    -------
    dict of str to str
        Name of the table or figure → reason, for :class:`reprise.report.publication.Publication`.
    """
    known = set(conditions)
    skip: dict[str, str] = {}
    for name, table in reported.tables.items():
        named = [row for row in table.rows if row.partition("@")[0].partition("+")[0] in SYSTEMS]
        if name not in ALWAYS and not known & set(named):
            skip[name] = NOT_TRAINED
        elif name not in ALWAYS and "mtt" not in tasks and name != "table_s2":
            skip[name] = NO_TAGS
    blocks = {name for name in known if name.partition("@")[0].partition("+")[0] in settings.layer_systems}
    for figure, needed, reason in (
        ("figure_s3", {name for name in blocks if "@" not in name}, NO_BLOCKS),
        ("figure_s4", {name for name in blocks if "@" in name}, NOT_ELSEWHERE),
    ):
        missing = NO_TAGS if "mtt" not in tasks else None if needed else reason
        for name in (figure, f"{figure}_readings"):
            if missing and name in {*reported.tables, *reported.figures}:
                skip[name] = missing
    return skip
