"""What notebook cells show of pictures, verdicts and decisions."""

import base64
import html
import re
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from reprise.report.claims import NO_DATA, evidence_sentence
from reprise.report.reported import Reported
from reprise.report.tables import style_frame

__all__ = [
    "Page",
    "claims_view",
    "decisions_markdown",
    "decisions_view",
    "figure_view",
    "folded",
    "verdict_badge",
]

COLOURS = {"reproduced": "#1a7f52", "contradicted": "#b3261e", "inconclusive": "#7a5c00", "not run": "#5f6670"}
SIGNS = {"reproduced": "✓", "contradicted": "✗", "inconclusive": "≈", "not run": "–"}


class Page:
    """A piece of HTML that Jupyter displays, with a plain text for other places."""

    def __init__(self, content: str, text: str) -> None:
        self.content, self.text = content, text

    def _repr_html_(self) -> str:
        return self.content

    def __repr__(self) -> str:
        return self.text


def figure_view(png: Path, caption: str) -> Page:
    """A picture with its caption below, inside the page so that the page can be moved.

    Parameters
    ----------
    png : Path
    caption : str

    Returns
    -------
    Page
    """
    data = base64.b64encode(png.read_bytes()).decode()
    content = (
        f'<figure style="margin: 0; max-width: 60em;"><img alt="{html.escape(caption)}" '
        f'style="max-width: 100%; background: white;" src="data:image/png;base64,{data}"/>'
        f'<figcaption style="padding-top: .4em;">{html.escape(caption)}</figcaption></figure>'
    )
    return Page(content, f"{png.name}: {caption}")


def folded(view: Page | Styler, title: str) -> Page:
    """A long table that is one line until a reader opens it.

    Parameters
    ----------
    view : Page or Styler
        As the methods of :class:`~reprise.report.publication.Publication` return them.
    title : str
        The line.

    Returns
    -------
    Page
    """
    content = view.content if isinstance(view, Page) else view.to_html()
    return Page(f"<details><summary>{html.escape(title)}</summary>{content}</details>", title)


def verdict_badge(verdict: str, evidence: str) -> str:
    """A verdict as a coloured word with a sign, so that colour is not needed to read it.

    Parameters
    ----------
    verdict : str
    evidence : str
        On synthetic data the word is only outlined: it must not look like a finding about the paper.

    Returns
    -------
    str
        HTML.
    """
    colour = COLOURS[verdict]
    drawn = (
        "border: 1px dashed currentColor; font-weight: 400;"
        if evidence == "synthetic"
        else f"background: {colour}; color: white; border: 1px solid {colour};"
    )
    style = f"{drawn} border-radius: .7em; padding: .05em .6em; white-space: nowrap; font-size: .9em;"
    return f'<span class="verdict" style="{style}">{SIGNS[verdict]} {html.escape(verdict)}</span>'


def claim_text(row: pd.Series) -> str:
    """Statement, and below it its source and the test that was made, as HTML."""
    below = f"{html.escape(row['source'])}. {html.escape(row['test'])}"
    return f"{html.escape(row['statement'])}<br><small>{below}</small>"


def paper_text(row: pd.Series) -> str:
    """Published value or effect with a real minus sign, as HTML."""
    return html.escape(re.sub(r"^-(?=[0-9.])", "−", str(row["paper_value"])))


def effect_text(row: pd.Series) -> str:
    """Effect with its interval, or nothing."""
    if pd.isna(row["ours"]):
        return ""
    # a count of 337.51 thousand has its digits; an effect on a metric needs three
    ours = f"{row['ours']:.6g}" if pd.isna(row["low"]) else f"{row['ours']:+.3f}"
    interval = "" if pd.isna(row["low"]) else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"{ours}{interval}".replace("-", "−")


def claims_view(frame: pd.DataFrame, *, evidence: str) -> Styler:
    """Verdicts with statement, effect and test.

    Parameters
    ----------
    frame : DataFrame
        From :func:`reprise.report.claims.evaluate`.
    evidence : str

    Returns
    -------
    Styler
    """
    rows = [row for _, row in frame.iterrows()]
    shown = pd.DataFrame(
        {
            "Verdict": [verdict_badge(row["verdict"], row["evidence"]) for row in rows],
            "Claim, source and test": [claim_text(row) for row in rows],
            "Paper": [paper_text(row) for row in rows],
            "Ours [95 % interval]": [f'<span style="white-space: nowrap">{effect_text(row)}</span>' for row in rows],
        }
    )
    counts = frame["verdict"].value_counts()
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in COLOURS if verdict in counts)
    text = f"{len(frame)} claims: {summary}. {evidence_sentence(evidence)}"
    if (frame["evidence"] == NO_DATA).any():
        text += " Claims about the model alone need no data and hold as they stand."
    view = style_frame(shown, html.escape(text)).hide(axis="index")
    return view.set_table_styles([{"selector": "td small", "props": "white-space: normal;"}], overwrite=False)


def decisions_markdown(reported: Reported) -> str:
    """All decisions as a numbered Markdown list.

    Parameters
    ----------
    reported : Reported

    Returns
    -------
    str
    """
    lines = [f"# Decisions: {reported.paper.title}", ""]
    if not reported.decisions:
        lines.append("None known.")
    for number, decision in enumerate(reported.decisions, start=1):
        lines.append(f"{number}. **{decision.id.replace('_', ' ')}**")
        lines.append(f"   - The paper: {decision.paper}")
        lines += [f"   - Its code: {decision.code}"] if decision.code else []
        lines.append(f"   - Ours: {decision.ours}")
        lines += [f"   - Why: {decision.why}"] if decision.why else []
        lines += [f"   - Parameter: {_parameter(reported, number - 1)}"] if decision.parameter else []
    return "\n".join(lines) + "\n"


def _parameter(reported: Reported, index: int) -> str:
    decision = reported.decisions[index]
    values = ", ".join(str(value) for value in decision.values)
    return f"`{decision.parameter}`" + (f" ({values})" if values else "")


def decisions_view(reported: Reported) -> Page:
    """All decisions as a table to read in a notebook.

    Parameters
    ----------
    reported : Reported

    Returns
    -------
    Page
    """
    rows = [
        {
            "Decision": decision.id.replace("_", " "),
            "The paper": decision.paper,
            "Its code": decision.code,
            "Ours": decision.ours,
            "Why": decision.why,
            "Parameter": _parameter(reported, index).replace("`", "") if decision.parameter else "",
        }
        for index, decision in enumerate(reported.decisions)
    ]
    caption = f"{len(rows)} decisions where the paper leaves room, errs, or differs from its code."
    table = style_frame(pd.DataFrame(rows, index=range(1, len(rows) + 1)), caption).format(escape="html")
    return Page(table.to_html(), decisions_markdown(reported))
