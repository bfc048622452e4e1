"""The page over all papers of a profile, and the scorecard of their claims."""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reprise.files import read_json, write_text
from reprise.paths import figures_root
from reprise.report.claims import EVIDENCE, NO_DATA, SCORECARD_COLUMNS, VERDICTS
from reprise.report.display import claim_text, effect_text, paper_text, verdict_badge
from reprise.report.publication import COMPLETE

__all__ = ["build_site", "scorecard"]

CSS = Path(__file__).with_name("site.css")
NUMBERS = ("ours", "low", "high")


@dataclass(frozen=True)
class _Entry:
    """One paper on the page."""

    folder: str
    record: dict[str, Any] | None
    claims: pd.DataFrame

    @property
    def title(self) -> str:
        return self.record["title"] if self.record else self.folder.replace("_", " ")


def _claims(path: Path | None) -> pd.DataFrame:
    if path is None or not path.is_file():
        return pd.DataFrame(columns=list(SCORECARD_COLUMNS))
    texts = [name for name in SCORECARD_COLUMNS if name not in (*NUMBERS, "n")]
    types: dict[str, Any] = {**dict.fromkeys(texts, str), **dict.fromkeys(NUMBERS, float), "n": "Int64"}
    frame = pd.read_csv(path, dtype=types)
    missing = [name for name in SCORECARD_COLUMNS if name not in frame]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; delete it and run its notebook again")
    return frame[list(SCORECARD_COLUMNS)].fillna(dict.fromkeys(texts, ""))


def _finished(folder: Path) -> list[str]:
    """Names of folders that may hold results: neither hidden, as one that is being written, nor of a failed run."""
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [name for name in found if not name.startswith(".") and not name.endswith(".failed")]


def _entries(folder: Path, papers: list[str]) -> list[_Entry]:
    names = list(dict.fromkeys([*papers, *_finished(folder)]))
    entries = []
    for name in names:
        # without a completion record nothing of a folder counts: its run was cut short
        record = _record(folder / name)
        if record is None or record.get("kind") != "tour":
            entries.append(_Entry(name, record, _claims(None if record is None else folder / name / "claims.csv")))
    return entries


def _record(folder: Path) -> dict[str, Any] | None:
    return read_json(folder / COMPLETE) if (folder / COMPLETE).is_file() else None


def _tours(folder: Path) -> str:
    """Links to notebooks that belong to no paper."""
    links = []
    for name in _finished(folder):
        record = _record(folder / name)
        if record is not None and record.get("kind") == "tour":
            title, name = html.escape(record.get("title", name)), html.escape(name)
            links.append(f'<a href="{name}/notebook.html">{title}</a>')
    return " · ".join(["", *links])


def scorecard(profile: str, root: Path | None = None) -> pd.DataFrame:
    """Verdicts on the claims of all papers that ran under a profile.

    Parameters
    ----------
    profile : str
        ``smoke``, ``demo`` or ``paper``.
    root : Path or None
        Folder of all profiles; ``figures_root()`` by default.

    Returns
    -------
    DataFrame
        ``paper, claim, source, kind, statement, test, paper_value, ours, low, high, n, evidence, verdict``; the same
        columns and no rows when nothing ran. Papers without a completion record are left out.
    """
    return _scorecard(_entries((figures_root() if root is None else Path(root)) / profile, []))


def _scorecard(entries: list[_Entry]) -> pd.DataFrame:
    frames = [entry.claims for entry in entries if len(entry.claims)]
    if frames:
        return pd.concat(frames, ignore_index=True)
    empty = pd.DataFrame(columns=list(SCORECARD_COLUMNS))
    return empty.astype({**dict.fromkeys(NUMBERS, float), "n": "Int64"})


def build_site(folder: Path | str, *, papers: dict[str, str] | None = None) -> Path:
    """Write ``index.html`` and ``scorecard.csv`` over the papers of one profile.

    Parameters
    ----------
    folder : Path or str
        ``figures/<profile>``.
    papers : dict of str to str or None
        Folder of each paper that should be there → its title, in order; those without results are shown as not run.

    Returns
    -------
    Path
        The page. It needs no network and follows the reader's light or dark setting.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    titles = dict(papers or {})
    entries = _entries(folder, list(titles))
    write_text(folder / "scorecard.csv", _scorecard(entries).to_csv(index=False, lineterminator="\n"))
    sections = "\n".join(_section(folder, entry, titles.get(entry.folder, entry.title)) for entry in entries)
    page = _PAGE.format(
        css=CSS.read_text(encoding="utf-8"),
        profile=html.escape(folder.name),
        tours=_tours(folder),
        evidence=_evidence_box(entries),
        overview=_overview(entries, titles),
        sections=sections,
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Reprise: {profile}</title>
<style>
{css}
</style>
</head>
<body>
<header>
<h1>Reprise</h1>
<p>Six music-audio papers, played again: profile <b>{profile}</b>. <a href="scorecard.csv">scorecard.csv</a>{tours}</p>
{evidence}
</header>
<main>
{overview}
{sections}
</main>
</body>
</html>
"""


def _evidence_box(entries: list[_Entry]) -> str:
    seen = dict.fromkeys(entry.record["evidence"] for entry in entries if entry.record)
    if not seen:
        return '<p class="evidence">No paper has been run to the end under this profile yet.</p>'
    lines = "".join(f"<li>{_evidence_badge(name)} {html.escape(EVIDENCE.get(name, name))}</li>" for name in seen)
    note = f"<li>{_evidence_badge(NO_DATA)} follows from the model alone, so it holds as it stands</li>"
    return f'<ul class="evidence">{lines}{note}</ul>'


def _evidence_badge(evidence: str) -> str:
    return f'<span class="badge {html.escape(evidence.replace(" ", "-"))}">{html.escape(evidence)}</span>'


def _counts(claims: pd.DataFrame) -> list[int]:
    return [int((claims["verdict"] == verdict).sum()) for verdict in VERDICTS]


def _overview(entries: list[_Entry], titles: dict[str, str]) -> str:
    """Every paper in a line: evidence and number of claims by verdict."""
    head = "".join(f"<th>{verdict}</th>" for verdict in VERDICTS)
    rows = []
    for entry in entries:
        title = html.escape(titles.get(entry.folder, entry.title))
        if entry.record is None:
            rows.append(f'<tr><td>{title}</td><td colspan="{len(VERDICTS) + 2}"><i>not run</i></td></tr>')
            continue
        cells = "".join(f'<td class="number">{count or "·"}</td>' for count in _counts(entry.claims))
        rows.append(
            f'<tr><td><a href="#{html.escape(entry.folder)}">{title}</a></td>'
            f"<td>{_evidence_badge(entry.record['evidence'])}</td>{cells}"
            f"<td class='number'>{len(entry.claims)}</td></tr>"
        )
    return (
        "<section><h2>Scorecard</h2><div class='scroll'><table class='overview'><thead><tr><th>Paper</th>"
        f"<th>Evidence</th>{head}<th>claims</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _section(folder: Path, entry: _Entry, title: str) -> str:
    anchor = html.escape(entry.folder)
    if entry.record is None:
        return (
            f'<section id="{anchor}"><h2>{html.escape(title)}</h2><p><i>Not run to the end under this profile.</i> '
            f"<code>./run_all.sh --profile {html.escape(folder.name)} {anchor}</code></p></section>"
        )
    record = entry.record
    authors = ", ".join(record.get("authors", []))
    links = [
        _link(folder, entry.folder, name) for name in ("notebook.html", "notebook.ipynb", "decisions.md", "claims.csv")
    ]
    return (
        f'<section id="{anchor}"><h2>{html.escape(title)}</h2>'
        f"<p class='meta'>{html.escape(authors)} ({record.get('year', '')}). {_evidence_badge(record['evidence'])} "
        f"{record.get('trials', 0)} trials, {_duration(record.get('seconds', 0.0))}. "
        f"{' · '.join(link for link in links if link)}</p>"
        f"{_notes(record)}{_claims_table(entry.claims)}{_outputs(folder, entry)}</section>"
    )


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _link(folder: Path, paper: str, name: str) -> str:
    if not (folder / paper / name).is_file():
        return ""
    return f'<a href="{html.escape(paper)}/{html.escape(name)}">{html.escape(name)}</a>'


def _notes(record: dict[str, Any]) -> str:
    skipped = [f"{name} is left out: {reason}" for name, reason in record.get("skipped", {}).items()]
    lines = "".join(f"<li>{html.escape(str(note))}</li>" for note in [*record.get("notes", []), *skipped])
    return f"<ul class='notes'>{lines}</ul>" if lines else ""


def _claims_table(claims: pd.DataFrame) -> str:
    rows = []
    for _, row in claims.iterrows():
        rows.append(
            f"<tr><td>{verdict_badge(row['verdict'], row['evidence'])}</td><td>{claim_text(row)}</td>"
            f"<td class='effect'>{paper_text(row)}</td><td class='effect'>{effect_text(row)}</td>"
            f"<td>{_evidence_badge(row['evidence'])}</td></tr>"
        )
    return (
        "<div class='scroll'><table class='claims'><thead><tr><th>Verdict</th><th>Claim, source and test</th>"
        f"<th>Paper</th><th>Ours [95 % interval]</th><th>Evidence</th></tr></thead><tbody>{''.join(rows)}</tbody>"
        "</table></div>"
    )


def _readable(name: str) -> str:
    """``table_3_3`` → ``Table 3.3``."""
    return re.sub(r"(?<=\d)_(?=\d)", ".", name).replace("_", " ").capitalize()


def _outputs(folder: Path, entry: _Entry) -> str:
    """Thumbnails of the figures, links to the tables."""
    record = entry.record or {}
    pictures, tables = [], []
    target = "notebook.html" if (folder / entry.folder / "notebook.html").is_file() else None
    for output in record.get("outputs", []):
        name, files = output["id"], output["files"]
        readable = _readable(name)
        caption = html.escape(output["caption"])
        links = " ".join(f'<a href="{entry.folder}/{file}">{Path(file).suffix[1:]}</a>' for file in files)
        if f"{name}.png" in files:
            picture = f"{entry.folder}/{name}.png"
            pictures.append(
                f'<figure><a href="{entry.folder}/{target or name + ".png"}"><img loading="lazy" src="{picture}" '
                f'alt="{caption}"></a><figcaption><b>{readable}</b> {links}<br>{caption}</figcaption></figure>'
            )
        elif f"{name}.md" in files and name != "decisions":
            tables.append(f"<li><b>{readable}</b> {links} <small>{caption}</small></li>")
    gallery = f"<div class='gallery'>{''.join(pictures)}</div>" if pictures else ""
    listing = f"<h3>Tables</h3><ul class='tables'>{''.join(tables)}</ul>" if tables else ""
    return f"{listing}{'<h3>Figures</h3>' if pictures else ''}{gallery}"
