"""What one paper's run publishes: tables, figures, verdicts and decisions in one folder, with a completion record."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from pydantic import BaseModel

from reprise.files import sha256_file, write_json, write_text
from reprise.report.claims import check_evidence, evaluate, evidence_sentence
from reprise.report.display import claims_view, decisions_markdown, decisions_view, figure_view
from reprise.report.draws import Draws
from reprise.report.figures import save_figure
from reprise.report.reported import Reported
from reprise.report.tables import caption_of, long_table, markdown, show_table, side_by_side, style_frame

__all__ = ["COMPLETE", "Publication", "PublicationIncomplete"]

COMPLETE = "complete.json"


class PublicationIncomplete(RuntimeError):
    """A publication that must not be called complete; the message lists every reason."""


class Publication:
    """Writes what a notebook shows, and says at the end whether all of it is there.

    Parameters
    ----------
    folder : Path
        ``figures/<profile>/<paper>``. An old completion record in it is removed at once.
    reported : Reported
    profile : str
    evidence : str
        ``synthetic``, ``excerpt`` or ``full``.
    skip : mapping of str to str
        Tables and figures of the paper that this run leaves out, and why; the reasons are kept in the record.

    Notes
    -----
    Each method returns what a notebook cell should show. Files: ``table_2.{csv,md}``, ``figure_3.{png,svg,csv}``,
    ``claims.csv``, ``decisions.md`` and, last, ``complete.json``.
    """

    def __init__(
        self,
        folder: Path | str,
        reported: Reported,
        *,
        profile: str,
        evidence: str,
        skip: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.reported = reported
        self.profile = profile
        self.evidence = check_evidence(evidence)
        self.skip = dict(skip or {})
        unknown = sorted(set(self.skip) - {*reported.tables, *reported.figures})
        if unknown:
            raise ValueError(f"cannot skip {unknown[0]!r}: the paper has {[*reported.tables, *reported.figures]}")
        self.written: dict[str, list[Path]] = {}
        self.captions: dict[str, str] = {}
        self.empty: dict[str, str] = {}
        self.started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / COMPLETE).unlink(missing_ok=True)

    def wants(self, name: str) -> bool:
        """Whether a table or figure of the paper belongs to this run.

        Parameters
        ----------
        name : str
            As in ``reported.yaml``.

        Returns
        -------
        bool
            False for what the run leaves out; ``skip`` says why.
        """
        return name not in self.skip

    def table(
        self, table_id: str, content: Draws | pd.DataFrame, caption: str = "", *, single_run: bool = False
    ) -> Styler:
        """Write a table.

        Parameters
        ----------
        table_id : str
            As in ``reported.yaml``, or a name of one's own.
        content : Draws or DataFrame
            Draws fill the published table of that name; a frame is written as it is.
        caption : str
            Stands first; title, reading help and evidence follow.
        single_run : bool
            Allow numbers without an interval.

        Returns
        -------
        Styler
        """
        if isinstance(content, Draws):
            if table_id not in self.reported.tables:
                raise ValueError(f"{table_id!r} is no published table; give a DataFrame, or one of {self._tables()}")
            table = self.reported.tables[table_id]
            data = long_table(table, content)
            text = side_by_side(table, content, evidence=self.evidence, single_run=single_run)
            view = show_table(table, content, evidence=self.evidence, caption=caption, single_run=single_run)
            full = f"{caption} {caption_of(table, content, evidence=self.evidence)}".strip()
            empty = bool(len(data) and data["ours"].isna().all())
        else:
            data = text = content
            full = f"{caption} {evidence_sentence(self.evidence)}".strip()
            view = style_frame(content, full).format(precision=4, na_rep="", escape="html")
            numbers = content.select_dtypes("number")
            empty = content.empty or bool(numbers.shape[1] and numbers.isna().all(axis=None))
        self._note(table_id, full, empty=empty)
        csv, words = self.folder / f"{table_id}.csv", self.folder / f"{table_id}.md"
        write_text(csv, data.to_csv(index=not isinstance(data.index, pd.RangeIndex), lineterminator="\n"))
        write_text(words, markdown(text, caption=full))
        self.written[table_id] = [csv, words]
        return view

    def figure(self, figure_id: str, figure: Figure, *, data: pd.DataFrame, caption: str, n: int | None = None) -> Any:
        """Write a figure as PNG, SVG and CSV.

        Parameters
        ----------
        figure_id : str
            As in ``reported.yaml``, or a name of one's own.
        figure : Figure
            Closed afterwards, or a notebook would show it twice.
        data : DataFrame
            What was drawn.
        caption : str
            Evidence and number of seeds are added.
        n : int or None
            Seeds per point; read from a column ``n`` of the data where there is one.

        Returns
        -------
        object
            The picture with its caption, for the notebook.
        """
        if n is None and "n" in data and data["n"].notna().any():
            n = int(data["n"].min())
        seeds = "" if n is None else f"n = {n} {'seed' if n == 1 else 'seeds'}. "
        full = f"{caption.rstrip()} {seeds}{evidence_sentence(self.evidence)}"
        self._note(figure_id, full, empty=data.empty)
        paths = save_figure(figure, self.folder, figure_id, data=data, caption=full)
        self.written[figure_id] = list(paths.values())
        plt.close(figure)
        return figure_view(paths["png"], full)

    def claims(self, draws: Draws) -> Styler:
        """Test the paper's claims and write ``claims.csv``; returns the verdicts to show."""
        frame = evaluate(self.reported, draws, evidence=self.evidence, profile=self.profile)
        path = self.folder / "claims.csv"
        write_text(path, frame.to_csv(index=False, lineterminator="\n"))
        self.written["claims"] = [path]
        return claims_view(frame, evidence=self.evidence)

    def decisions(self) -> Any:
        """Write ``decisions.md``; returns the list to show."""
        path = self.folder / "decisions.md"
        write_text(path, decisions_markdown(self.reported))
        self.written["decisions"] = [path]
        return decisions_view(self.reported)

    def finish(
        self,
        results: pd.DataFrame | None = None,
        *,
        settings: Mapping[str, Any] | BaseModel | None = None,
        notes: tuple[str, ...] | list[str] = (),
    ) -> Path:
        """Check that everything is there, then write ``complete.json``.

        Parameters
        ----------
        results : DataFrame or None
            What ``run_grid`` returned (``status``, and ``condition``, ``seed``, ``error`` for the message).
        settings : mapping, pydantic model or None
            All parameters of the run.
        notes : sequence of str
            What a reader of the results should know.

        Returns
        -------
        Path
            The record.

        Raises
        ------
        PublicationIncomplete
            If a trial failed, a table or figure of the paper or the list of claims or decisions is missing, or a table
            holds no number. No record is written then.
        """
        problems = [*_failures(results), *self._missing(), *self.empty.values()]
        if problems:
            raise PublicationIncomplete("\n  ".join([f"{self.reported.paper.slug} is not complete:", *problems]))
        record = self._record(n_trials=0 if results is None else len(results))
        plain = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else dict(settings or {})
        write_json(self.folder / COMPLETE, record | {"settings": plain, "notes": list(notes)})
        return self.folder / COMPLETE

    def _record(self, *, n_trials: int) -> dict[str, Any]:
        paper = self.reported.paper
        files = sorted(path for paths in self.written.values() for path in paths)
        return {
            "schema_version": 1,
            "kind": "paper",
            "paper": paper.slug,
            "title": paper.title,
            "authors": list(paper.authors),
            "year": paper.year,
            "profile": self.profile,
            "evidence": self.evidence,
            "seconds": round(time.monotonic() - self.started, 3),
            "skipped": self.skip,
            "trials": n_trials,
            "outputs": [
                {"id": name, "caption": self.captions.get(name, ""), "files": [path.name for path in paths]}
                for name, paths in self._in_order().items()
            ],
            "files": {path.name: sha256_file(path) for path in files},
        }

    def _tables(self) -> list[str]:
        return list(self.reported.tables)

    def _note(self, name: str, caption: str, *, empty: bool) -> None:
        self.captions[name] = caption
        self.empty.pop(name, None)
        if empty:
            self.empty[name] = f"{name} holds no number; look at the trials that should fill it"

    def _in_order(self) -> dict[str, list[Path]]:
        """What was written, in the paper's order; outputs that only we have come after it."""
        published = [name for name in (*self.reported.tables, *self.reported.figures) if name in self.written]
        return {name: self.written[name] for name in dict.fromkeys([*published, *self.written])}

    def _missing(self) -> list[str]:
        tables = [name for name in self.reported.tables if name not in self.written and name not in self.skip]
        figures = [name for name in self.reported.figures if name not in self.written and name not in self.skip]
        lists = [name for name in ("claims", "decisions") if name not in self.written]
        return [
            *(f"table {name!r} was not written; call publication.table({name!r}, draws)" for name in tables),
            *(f"figure {name!r} was not written; call publication.figure({name!r}, …)" for name in figures),
            *(f"{name} were not written; call publication.{name}(…)" for name in lists),
        ]


def _failures(results: pd.DataFrame | None) -> list[str]:
    if results is None or "status" not in results:
        return []
    failed = results[results["status"] != "done"]
    return [
        f"trial {row.get('condition', index)}, seed {row.get('seed', '?')} is {row['status']!r}: "
        f"{row.get('error') or 'no message'}"
        for index, row in failed.iterrows()
    ]
