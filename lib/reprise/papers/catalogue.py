"""The list of papers, and what a user may choose about each: profile, parameters and data."""

import importlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from reprise.papers.choices import (
    PROFILES,
    InvalidValue,
    MissingData,
    UnknownName,
    UnknownParameter,
    check_profile,
    closest,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["PAPERS", "Paper", "get", "load_settings", "papers", "resolve_data"]


@dataclass(frozen=True)
class Paper:
    """One notebook and the room that it belongs to.

    Parameters
    ----------
    slug : str
        Name of the room under ``reprise.papers`` and of the folder in the result store.
    number : str
        Two digits; the order of the notebooks.
    notebook : str
        File name in ``notebooks/``.
    title : str
    module : str
        Package with ``settings``, ``experiment``, ``profiles.yaml`` and ``reported.yaml``.
    datasets : tuple of str
        Data sets that the paper needs, by their names in ``reprise.data.datasets``.
    kind : "paper" or "tour"
        The tour has no settings and no claims of its own. It runs last, because it shows the others' verdicts.
    """

    slug: str
    number: str
    notebook: str
    title: str
    module: str
    datasets: tuple[str, ...] = ()
    kind: Literal["paper", "tour"] = "paper"

    @property
    def name(self) -> str:
        """Numbered name, as typed on the command line and used for the output folder."""
        return f"{self.number}_{self.slug}"


PAPERS: tuple[Paper, ...] = (
    Paper(
        slug="start_here",
        number="00",
        notebook="00_start_here.ipynb",
        title="A tour, and the scorecard of all papers",
        module="reprise.papers",
        datasets=("vocalset",),
        kind="tour",
    ),
    Paper(
        slug="singing_technique",
        number="01",
        notebook="01_singing_technique.ipynb",
        title="Deformable CNN and Imbalance-Aware Feature Learning for Singing Technique Classification",
        module="reprise.papers.singing_technique",
        datasets=("vocalset",),
    ),
    Paper(
        slug="tune",
        number="03",
        notebook="03_tune.ipynb",
        title="Tailed U-Net: Multi-Scale Music Representation Learning",
        module="reprise.papers.tune",
        datasets=("magnatagatune",),
    ),
    Paper(
        slug="sawsing",
        number="04",
        notebook="04_sawsing.ipynb",
        title="DDSP-based Singing Vocoders",
        module="reprise.papers.sawsing",
        datasets=("singing",),
    ),
    Paper(
        slug="irmas",
        number="05",
        notebook="05_irmas.ipynb",
        title="Harmony Is All You Need",
        module="reprise.papers.irmas",
        datasets=("irmas",),
    ),
)


def papers(names: Iterable[str] = ()) -> tuple[Paper, ...]:
    """Papers in the order in which they are run.

    Parameters
    ----------
    names : iterable of str
        Any of the forms that :func:`get` accepts, each paper at most once; empty: all of them, the tour last.

    Returns
    -------
    tuple of Paper

    Raises
    ------
    UnknownName
        If a name is not in the catalogue.
    """
    chosen = list(dict.fromkeys(get(name) for name in names)) or list(PAPERS)
    return tuple(sorted(chosen, key=lambda paper: paper.kind == "tour"))


def get(name: str) -> Paper:
    """Find a paper by slug, numbered name, number or notebook.

    Parameters
    ----------
    name : str
        ``singing_technique``, ``01_singing_technique``, ``01`` and ``01_singing_technique.ipynb`` mean the same.

    Returns
    -------
    Paper

    Raises
    ------
    UnknownName
        The message lists the papers and the closest one.
    """
    for paper in PAPERS:
        if name in (paper.slug, paper.name, paper.number, paper.notebook):
            return paper
    names = [paper.name for paper in PAPERS]
    candidates = names + [paper.slug for paper in PAPERS]
    raise UnknownName(f"unknown paper {name!r}{closest(name, candidates)} the papers are {', '.join(names)}")


def _profiles(module: str) -> dict[str, dict[str, Any]]:
    path = resources.files(module) / "profiles.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or set(content) != set(PROFILES):
        raise ValueError(f"{path} must have exactly the entries {', '.join(PROFILES)}")
    return {profile: values or {} for profile, values in content.items()}


def load_settings(paper: Paper, profile: str, overrides: Mapping[str, Any] | None = None) -> "BaseModel":
    """Settings of a paper under a profile, with the user's changes.

    Parameters
    ----------
    paper : Paper
        Of kind ``"paper"``.
    profile : {"smoke", "demo", "paper"}
    overrides : mapping or None
        Parameter names and values; they win over the profile.

    Returns
    -------
    BaseModel
        The paper's frozen ``Settings``.

    Raises
    ------
    UnknownName, UnknownParameter, InvalidValue
        One line each, with the names or values that are valid.
    """
    from pydantic import ValidationError

    check_profile(profile)
    settings_class: type[BaseModel] = importlib.import_module(f"{paper.module}.settings").Settings
    valid = tuple(settings_class.model_fields)
    overrides = dict(overrides or {})
    for name in overrides:
        if name not in valid:
            raise UnknownParameter(
                f"unknown parameter {name!r} of {paper.name}{closest(name, valid)}"
                f" the parameters are {', '.join(valid)}"
            )
    try:
        return settings_class.model_validate({**_profiles(paper.module)[profile], **overrides})
    except ValidationError as error:
        raise InvalidValue(_explain(error, settings_class=settings_class, paper=paper)) from error


def _explain(error: Any, *, settings_class: "type[BaseModel]", paper: Paper) -> str:
    """One line for pydantic's first complaint: field, value, what is wrong, what the field is."""
    first = error.errors(include_url=False)[0]
    problem = first["msg"].removeprefix("Value error, ")
    if not first["loc"] or first["loc"][0] not in settings_class.model_fields:
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        return f"these parameters of {paper.name} do not go together: {where}{problem}"
    name = str(first["loc"][0])
    problem = problem[0].lower() + problem[1:]
    description = settings_class.model_fields[name].description
    return f"{name} = {first['input']!r} is not valid for {paper.name}: {problem} ({name}: {description})"


def resolve_data(data: str | os.PathLike[str] | None, profile: str, datasets: Iterable[str] = ()) -> str:
    """Decide which data a run uses.

    Parameters
    ----------
    data : str, path or None
        ``"synthetic"``, a folder that holds data-set folders, or None: ``REPRISE_DATA`` where set, else synthetic data
        for smoke and demo.
    profile : {"smoke", "demo", "paper"}
    datasets : iterable of str
        Names of the data sets that are needed.

    Returns
    -------
    str
        ``"synthetic"`` or an absolute folder in which every data set was found.

    Raises
    ------
    MissingData
        If the folder or a data set in it is missing, or if the paper profile was given no data.
    """
    check_profile(profile)
    datasets = tuple(datasets)
    chosen = os.fspath(data) if data is not None else os.environ.get("REPRISE_DATA") or None
    if chosen is None and profile == "paper" and datasets:
        raise MissingData(
            f"the paper profile needs the real data set ({', '.join(datasets)}): give its folder with --data DIR"
            f" (./run_all.sh data fetch {datasets[0]} --data DIR downloads it), or say --data synthetic"
        )
    if chosen is None or chosen == "synthetic":
        return "synthetic"
    folder = Path(chosen).expanduser().resolve()
    origin = "--data" if data is not None else "REPRISE_DATA"
    if not folder.is_dir():
        raise MissingData(f"{origin} {chosen}: there is no such folder; give one, or say --data synthetic")
    for name in datasets:
        _require(name, folder=folder, origin=origin)
    return str(folder)


def _require(name: str, *, folder: Path, origin: str) -> None:
    from reprise.data.datasets import find_root

    if find_root(name, folder) is None:
        raise MissingData(
            f"{origin} {folder}: no {name} in it; ./run_all.sh data fetch {name} --data {folder} downloads it,"
            " --data synthetic does without"
        )
