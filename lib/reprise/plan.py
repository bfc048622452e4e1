"""What a run will cost before it is started: trials, hours, disk, memory and downloads."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from reprise.papers.catalogue import Paper

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "forecast", "readable"]

COLUMNS = (
    "stage",
    "trials",
    "epochs",
    "clip_passes",
    "gpu_hours",
    "cpu_hours",
    "disk_gb",
    "memory_gb",
    "download_gb",
)
# peak memory and downloads are shared by the stages: adding them up would count them twice
LARGEST = ("memory_gb", "download_gb")


def forecast(paper: Paper, settings: Any) -> "pd.DataFrame":
    """Cost of a paper under given settings.

    Parameters
    ----------
    paper : Paper
        Its ``costs`` or ``experiment`` module has ``plan(settings)``, which returns a frame or a list of rows.
    settings : pydantic model
        From :func:`reprise.papers.catalogue.load_settings`.

    Returns
    -------
    DataFrame
        One row per stage and a last row ``total``; the columns are :data:`COLUMNS`, NaN where a paper says nothing.

    Raises
    ------
    ValueError
        If the paper's rows have other columns.
    """
    import pandas as pd

    rows = pd.DataFrame(_plan_of(paper)(settings))
    unknown = set(rows.columns) - set(COLUMNS)
    if unknown or "stage" not in rows:
        raise ValueError(f"{paper.module}: plan's columns are {', '.join(COLUMNS)}; got {', '.join(rows.columns)}")
    frame = rows.reindex(columns=list(COLUMNS))
    total: dict[str, Any] = {"stage": "total"}
    for name in ("trials", "clip_passes", "gpu_hours", "cpu_hours", "disk_gb", *LARGEST):
        values = frame[name].astype(float)
        total[name] = values.max() if name in LARGEST else values.sum(min_count=1)
    return pd.concat([frame, pd.DataFrame([total])], ignore_index=True).reindex(columns=list(COLUMNS))


def _plan_of(paper: Paper) -> Callable[[Any], Any]:
    for room in ("costs", "experiment"):
        if importlib.util.find_spec(f"{paper.module}.{room}") is not None:
            plan = getattr(importlib.import_module(f"{paper.module}.{room}"), "plan", None)
            if plan is not None:
                return plan
    raise LookupError(f"{paper.module}: neither costs nor experiment has plan(settings)")


def _hours(value: float) -> str:
    for unit, factor in (("s", 3600.0), ("min", 60.0), ("h", 1.0)):
        if value * factor < 90 or unit == "h":
            return f"{value * factor:.3g} {unit}"
    return ""


def _bytes(value: float) -> str:
    return f"{value * 1000:.3g} MB" if value < 1 else f"{value:.3g} GB"


def readable(frame: "pd.DataFrame") -> str:
    """Print a forecast as an aligned table in units that suit the numbers.

    Parameters
    ----------
    frame : DataFrame
        From :func:`forecast`.

    Returns
    -------
    str
        Columns in which no stage says anything are left out.
    """
    shown = frame.dropna(axis=1, how="all")
    lines: list[list[str]] = [[_heading(name) for name in shown.columns]]
    lines += [[_cell(name, value) for name, value in row.items()] for _, row in shown.iterrows()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(shown.columns))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _heading(name: Any) -> str:
    return (
        str(name)
        .removesuffix("_hours")
        .removesuffix("_gb")
        .replace("_", " ")
        .replace("gpu", "GPU")
        .replace("cpu", "CPU")
    )


def _cell(name: Any, value: Any) -> str:
    if name == "stage":
        return str(value)
    if value is None or value != value:
        return ""
    if name.endswith("_hours"):
        return _hours(float(value))
    if name.endswith("_gb"):
        return _bytes(float(value))
    return f"{value:,.0f}"


def _aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    pairs = [
        cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(pairs).rstrip()
