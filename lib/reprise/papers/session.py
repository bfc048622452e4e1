"""What a notebook opens first: the settings, the published numbers, the data folder and the place for results."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reprise import paths
from reprise.data import datasets, synthetic
from reprise.files import write_json
from reprise.papers import catalogue
from reprise.report.publication import Publication
from reprise.report.reported import Reported

__all__ = ["Session", "finish_tour", "open_paper"]


@dataclass(frozen=True)
class Session:
    """One run of one paper.

    Attributes
    ----------
    paper : Paper
        Entry of the catalogue.
    profile : str
        ``smoke``, ``demo`` or ``paper``.
    settings : pydantic model
        Resolved parameters of the paper.
    reported : Reported
        Published numbers, claims and decisions.
    data : str or Path
        ``synthetic``, or the folder that holds data-set folders.
    seeds : list of int
        One per repetition.
    out : Path
        Folder of this run's tables and figures.
    """

    paper: catalogue.Paper
    profile: str
    settings: Any
    reported: Reported
    data: str | Path
    seeds: list[int]
    out: Path

    def folder(self, dataset: str) -> Path:
        """Folder of a data set: the real one, or a synthetic copy in the same layout, written on first use.

        Parameters
        ----------
        dataset : str
            Name as in ``data list``.

        Returns
        -------
        Path

        Raises
        ------
        FileNotFoundError
            If the data folder has no such data set; the message names the folder names that are looked for.
        """
        if self.data == "synthetic":
            return synthetic.write(
                dataset, paths.cache_root() / "synthetic" / self.settings.synthetic, preset=self.settings.synthetic
            )
        found = datasets.find_root(dataset, Path(self.data))
        if found is None:
            raise FileNotFoundError(
                f"{self.data} has no folder for {dataset}; see `./run_all.sh data list` for its usual names, "
                f"`./run_all.sh data fetch {dataset}` to get it, or use data='synthetic'"
            )
        return found

    def publish(self, *, evidence: str, skip: Mapping[str, str] | None = None) -> Publication:
        """Open the place for results.

        Parameters
        ----------
        evidence : str
            ``synthetic``, ``excerpt`` or ``full``: printed with every table, figure and verdict.
        skip : mapping of str to str
            Tables and figures of the paper that this run leaves out, and why.

        Returns
        -------
        Publication
        """
        return Publication(self.out, self.reported, profile=self.profile, evidence=evidence, skip=skip)

    def changes(self) -> pd.DataFrame:
        """Settings of this run that are not the paper's.

        Returns
        -------
        DataFrame
            ``parameter, here, paper, meaning``; empty when everything is as published.
        """
        fields = type(self.settings).model_fields
        rows = [
            (name, getattr(self.settings, name), field.default, field.description)
            for name, field in fields.items()
            if getattr(self.settings, name) != field.default
        ]
        return pd.DataFrame(rows, columns=["parameter", "here", "paper", "meaning"]).set_index("parameter")


def open_paper(
    name: str,
    *,
    profile: str = "smoke",
    data: str | None = None,
    overrides: dict[str, Any] | None = None,
    seed: int = 0,
    out: str | None = None,
) -> Session:
    """Open a paper for a notebook or a script.

    Parameters
    ----------
    name : str
        Slug or number of the paper.
    profile : str
        ``smoke``, ``demo`` or ``paper``.
    data : str or None
        ``synthetic``, a folder that holds data-set folders, or None: ``REPRISE_DATA`` where it is set, else synthetic.
    overrides : dict or None
        Parameters of the profile to change.
    seed : int
        First seed; repetitions count up from it.
    out : str or None
        Folder for results; ``figures/<profile>/<notebook>`` by default.

    Returns
    -------
    Session

    Raises
    ------
    ValueError
        For an unknown paper, profile, parameter or value; the message names the valid ones.
    """
    paper = catalogue.get(name)
    settings: Any = catalogue.load_settings(paper, profile, overrides or {})
    folder = Path(__file__).parent / paper.slug
    return Session(
        paper=paper,
        profile=profile,
        settings=settings,
        reported=Reported.load(folder / "reported.yaml"),
        data=catalogue.resolve_data(data, profile, paper.datasets),
        seeds=[seed + index for index in range(settings.n_seeds)],
        out=Path(out) if out else paths.figures_root() / profile / paper.name,
    )


def finish_tour(out: str | None, *, profile: str) -> Path:
    """Write the completion record of the tour, which has no claims of its own.

    Parameters
    ----------
    out : str or None
        Folder for the record; ``figures/<profile>/<notebook>`` by default.
    profile : str

    Returns
    -------
    Path
        The record.
    """
    tour = catalogue.get("start_here")
    folder = Path(out) if out else paths.figures_root() / profile / tour.name
    write_json(folder / "complete.json", {"kind": "tour", "title": tour.title, "profile": profile})
    return folder / "complete.json"
