"""Our numbers beside the published ones, every mean with its interval."""

import hashlib
import html
import math
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from reprise.report.claims import check_evidence, evidence_sentence
from reprise.report.draws import Draws
from reprise.report.schema import Measure, Table

__all__ = ["NOT_AVAILABLE", "NOT_RUN", "long_table", "markdown", "show_table", "side_by_side"]

NOT_RUN = "not run"
NOT_AVAILABLE = "not available"
MINUS = "−"
LONG = ["condition", "label", "metric", "unit", "ours", "low", "high", "n", "paper", "difference"]


def long_table(table: Table, draws: Draws) -> pd.DataFrame:
    """One row per condition and column of a table: what is saved as CSV.

    Parameters
    ----------
    table : Table
    draws : Draws
        Conditions named as the table's rows. Exact quantities ``<column>/<row>`` fill columns without sampling.

    Returns
    -------
    DataFrame
        ``condition, label, metric, unit, ours, low, high, n, paper, difference``; ``low`` and ``high`` are NaN for
        exact quantities and for a single run, ``ours`` where the condition was not run.
    """
    rows = []
    for condition, row in table.rows.items():
        for metric, measure in table.columns.items():
            ours, low, high, n = _ours(draws, condition, metric, measure)
            printed = row.values[metric]
            paper = math.nan if printed is None else printed
            rows.append(
                {
                    "condition": condition,
                    "label": row.label,
                    "metric": metric,
                    "unit": measure.unit,
                    "ours": ours,
                    "low": low,
                    "high": high,
                    "n": n,
                    "paper": paper,
                    "difference": ours - paper,
                }
            )
    frame = pd.DataFrame(rows, columns=LONG)
    frame["n"] = frame["n"].astype("Int64")
    return frame


def _ours(draws: Draws, condition: str, metric: str, measure: Measure) -> tuple[float, float, float, int | None]:
    if draws.has(condition, metric):
        low, high = draws.interval(condition, metric)
        # a t interval knows nothing of the range of a metric
        lowest, highest = measure.range
        if not math.isnan(low):
            low, high = max(low, lowest), min(high, highest)
        return draws.value(condition, metric), low, high, draws.n(condition, metric)
    return draws.exact.get(f"{metric}/{condition}", math.nan), math.nan, math.nan, None


def _number(value: float, digits: int, *, signed: bool = False) -> str:
    rounded = round(value, digits) + 0.0  # no "−0.000"
    text = f"{rounded:+.{digits}f}" if signed and rounded else f"{rounded:.{digits}f}"
    return text.replace("-", MINUS)


def _cell(row: Any, digits: int) -> tuple[str, str, str]:
    """Texts of ours, paper and difference."""
    paper = NOT_AVAILABLE if math.isnan(row.paper) else _number(row.paper, digits)
    if math.isnan(row.ours):
        return NOT_RUN, paper, ""
    ours = _number(row.ours, digits)
    if not math.isnan(row.low):
        ours = f"{ours} [{_number(row.low, digits)}, {_number(row.high, digits)}]"
    elif row.n is not pd.NA:
        ours = f"{ours} [n=1]"
    return ours, paper, "" if math.isnan(row.difference) else _number(row.difference, digits, signed=True)


def _refuse_bare_means(table: Table, frame: pd.DataFrame) -> None:
    bare = frame[frame["ours"].notna() & frame["n"].notna() & frame["low"].isna()]
    if len(bare):
        first = bare.iloc[0]
        raise ValueError(
            f"{table.id}: {first['metric']} of {first['condition']} is a single run without an interval; run more "
            "seeds, resample its predictions, or pass single_run=True to print it as [n=1]"
        )


def _texts(table: Table, frame: pd.DataFrame) -> dict[tuple[str, str], tuple[str, str, str]]:
    names = zip(frame["condition"], frame["metric"], strict=True)
    rows = zip(names, frame.itertuples(index=False), strict=True)
    return {(name, metric): _cell(row, table.columns[metric].digits) for (name, metric), row in rows}


def _seeds(frame: pd.DataFrame, condition: str) -> str:
    counts = frame.loc[frame["condition"] == condition, "n"].dropna()
    return f"{counts.min()}" if len(counts) else ""


def side_by_side(table: Table, draws: Draws, *, evidence: str, single_run: bool = False) -> pd.DataFrame:
    """A published table with our numbers in it.

    Parameters
    ----------
    table : Table
    draws : Draws
    evidence : str
        ``synthetic``, ``excerpt`` or ``full``; kept in the frame's ``attrs``.
    single_run : bool
        Allow numbers without an interval; they are marked ``[n=1]``.

    Returns
    -------
    DataFrame
        Text. One row per row of the paper; first ``n`` (seeds) and the columns of words, then for each column
        ``ours`` as ``"0.582 [0.541, 0.620]"`` (mean and 95 % interval), ``paper``, ``difference``. ``"not run"`` and
        ``"not available"`` (not printed in the paper) fill the gaps.

    Raises
    ------
    ValueError
        If a number has no interval and ``single_run`` is False.
    """
    check_evidence(evidence)
    frame = long_table(table, draws)
    if not single_run:
        _refuse_bare_means(table, frame)
    texts = _texts(table, frame)
    data: dict[tuple[str, str], list[str]] = {("", "n"): [_seeds(frame, name) for name in table.rows]}
    data |= {(label, ""): [row.texts[key] for row in table.rows.values()] for key, label in table.texts.items()}
    for metric, measure in table.columns.items():
        for index, part in enumerate(("ours", "paper", "difference")):
            data[measure.label, part] = [texts[name, metric][index] for name in table.rows]
    result = pd.DataFrame(data, index=pd.Index([row.label for row in table.rows.values()]))
    result.attrs["evidence"] = evidence
    return result


def caption_of(table: Table, draws: Draws, *, evidence: str) -> str:
    """Caption of a table: title, how to read a cell, and what the evidence is worth.

    Parameters
    ----------
    table : Table
    draws : Draws
        A table of which nothing was sampled is said to be exact.
    evidence : str
        ``synthetic``, ``excerpt`` or ``full``.

    Returns
    -------
    str
        Sentences, without markup.
    """
    source = f" ({table.source})" if table.source else ""
    if any(draws.has(condition, metric) for condition in table.rows for metric in table.columns):
        return f"{table.title}{source}. Ours: mean over n seeds [95 % interval]. {evidence_sentence(evidence)}"
    if not table.columns:
        return f"{table.title}{source}. The paper's words."
    counted = f" {evidence_sentence(evidence)}" if table.from_data else ""
    return f"{table.title}{source}. Ours: exact, nothing is sampled.{counted}"


def show_table(table: Table, draws: Draws, *, evidence: str, caption: str = "", single_run: bool = False) -> Styler:
    """The same as one compact cell per number: ours with its interval, below it the paper's and the difference.

    Parameters
    ----------
    table : Table
    draws : Draws
    evidence : str
        ``synthetic``, ``excerpt`` or ``full``.
    caption : str
        Stands before title, reading help and evidence.
    single_run : bool
        Allow numbers without an interval.

    Returns
    -------
    Styler
        Displays in Jupyter; ``to_html()`` elsewhere.
    """
    wide = side_by_side(table, draws, evidence=evidence, single_run=single_run)
    labels = [measure.label for measure in table.columns.values()]
    compact = pd.DataFrame(index=[html.escape(str(label)) for label in wide.index])
    if any(wide["", "n"]):
        compact["n"] = wide["", "n"].to_numpy()
    for label in table.texts.values():
        compact[html.escape(label)] = [html.escape(text) for text in wide[label, ""]]
    for label in labels:
        rows = zip(wide[label, "ours"], wide[label, "paper"], wide[label, "difference"], strict=True)
        compact[html.escape(label)] = [_compact(*row) for row in rows]
    text = " ".join(part for part in (caption, caption_of(table, draws, evidence=evidence)) if part)
    return style_frame(compact, html.escape(text))


def _compact(ours: str, paper: str, difference: str) -> str:
    below = f"paper {paper}" + (f" ({difference})" if difference else "")
    head, _, bracket = ours.partition(" [")
    strong = f"<b>{head}</b>" + (f" [{bracket}" if bracket else "") if ours != NOT_RUN else f"<i>{NOT_RUN}</i>"
    return f"{strong}<br><small>{below}</small>"


def style_frame(frame: pd.DataFrame, caption: str) -> Styler:
    """Left-aligned, roomy, with the caption above; takes the colours of the page around it."""
    rules: list[Any] = [
        {"selector": "caption", "props": "caption-side: top; text-align: left; padding: 0 0 .6em; max-width: 60em;"},
        {"selector": "th", "props": "text-align: left; vertical-align: top; padding: .3em .9em .3em 0;"},
        {"selector": "td", "props": "text-align: left; vertical-align: top; padding: .3em .9em .3em 0;"},
        {"selector": "td small", "props": "opacity: .7; white-space: nowrap;"},
        {"selector": "", "props": "border-collapse: collapse; min-width: 40em; font-variant-numeric: tabular-nums;"},
    ]
    # the rules above are tied to an identifier: the same for the same table, different for two tables of one page
    identifier = hashlib.sha256(f"{caption}{frame.to_csv()}".encode()).hexdigest()[:12]
    return Styler(frame, uuid=identifier, cell_ids=False).set_caption(caption).set_table_styles(rules)


def markdown(frame: pd.DataFrame, *, caption: str = "") -> str:
    """A frame as a Markdown table, with its index as first column where it is named or text.

    Parameters
    ----------
    frame : DataFrame
        Columns in two levels are joined; numbers are printed with six significant digits.
    caption : str

    Returns
    -------
    str
    """
    columns = [" ".join(part for part in key if part) if isinstance(key, tuple) else str(key) for key in frame.columns]
    counted = isinstance(frame.index, pd.RangeIndex)
    header = columns if counted else [str(frame.index.name or ""), *columns]
    lines = [_line(header), _line(["---"] * len(header))]
    for label, row in zip(frame.index, frame.itertuples(index=False, name=None), strict=True):
        cells = [_plain(value) for value in row]
        lines.append(_line(cells if counted else [_plain(label), *cells]))
    return "\n".join([*([caption, ""] if caption else []), *lines]) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _plain(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
