"""Files of IRMAS as they lie on disk: training folders by instrument, testing parts with label files."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from reprise.data.datasets._files import folders, keep_first, plain_name, problem, unwritable, walk
from reprise.data.datasets._instruments import INSTRUMENTS, ordered

__all__ = ["COLUMNS", "GENRES", "layout", "parse_name", "testing_files", "training_files"]

GENRES = ("cla", "cou_fol", "jaz_blu", "lat_sou", "pop_roc")
DRUMS = {"dru": True, "nod": False}
COLUMNS = ("clip_id", "path", "group", "labels", "label", "recording", "excerpt", "drums", "genre", "song", "part")

_TRAINING = re.compile(r"(?:irmas)?[-_ ]?training[-_ ]?data", re.IGNORECASE)
_TESTING = re.compile(
    r"(?:ir(?:mas)?[-_ ]?)?(?:testing[-_ ]?data(?:[-_ ]?part[-_ ]?(\d))?|part[-_ ]?(\d))", re.IGNORECASE
)
_NAME = re.compile(r"(?:\d+__)?(?P<tags>(?:\[[^\[\]]*\])+)(?P<recording>\d+)__(?P<excerpt>\d+)")
_MAX_DEPTH = 2


def _code(folder: Path) -> str | None:
    name = folder.name.lower().strip("[]")
    return name if name in INSTRUMENTS else None


def _part(folder: Path) -> int | None:
    match = _TESTING.fullmatch(folder.name)
    number = (match[1] or match[2]) if match else None
    return int(number) if number else None


def _has_training(folder: Path) -> bool:
    """Whether the folders of instruments are in here, with at least one file named as in IRMAS."""
    codes = [child for child in folders(folder) if _code(child)]
    return any(_NAME.fullmatch(path.stem) for child in codes for path in walk(child))


def _has_testing(folder: Path) -> bool:
    """Whether a label file beside an audio file in here names an instrument."""
    labels = (path.with_suffix(".txt") for path in walk(folder))
    return any(_read_labels(path)[0] for path in labels if path.is_file())


def layout(root: Path) -> tuple[list[Path], list[Path]]:
    """Training folders and testing folders in ``root``: itself, or at most two levels below."""
    training: list[Path] = []
    testing: list[Path] = []
    level = [root] if root.is_dir() else []
    for depth in range(_MAX_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            name = folder.name
            if (_TRAINING.fullmatch(name) and any(walk(folder))) or _has_training(folder):
                training.append(folder)
            elif _TESTING.fullmatch(name) and _has_testing(folder):
                testing.append(folder)
            elif depth < _MAX_DEPTH:
                below += folders(folder)
        level = below
    return training, testing


def parse_name(stem: str) -> dict[str, Any] | None:
    """Tags and numbers in a training file's name.

    Parameters
    ----------
    stem : str
        ``[cla][cla]0189__2`` or ``031__[cel][nod][cla]0020__1``.

    Returns
    -------
    dict or None
        ``instrument``, ``drums`` (True, False or None: not given), ``genre`` (None: not given), ``recording`` and
        ``excerpt``; None if the name follows another pattern.

    Notes
    -----
    The first tag is the instrument and never the genre: ``[cla]`` is clarinet there and classical music behind it.
    """
    match = _NAME.fullmatch(stem)
    if match is None:
        return None
    instrument, *others = re.findall(r"\[([^\[\]]*)\]", match["tags"])
    drums = next((DRUMS[tag] for tag in others if tag in DRUMS), None)
    genre = next((tag for tag in others if tag not in DRUMS), None)
    return {
        "instrument": instrument,
        "drums": drums,
        "genre": genre,
        "recording": match["recording"],
        "excerpt": int(match["excerpt"]),
    }


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    # object columns: pandas would make what is not given a NaN, and whole numbers beside it floats
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in COLUMNS})


def _training_row(path: Path, code: str, problems: list[dict[str, str]]) -> dict[str, Any]:
    stem = plain_name(path.stem)
    row = {"clip_id": f"{code}/{stem}", "path": path, "labels": (code,), "label": code}
    tags = parse_name(stem)
    if tags is None:
        problems.append(
            problem(path, reason="its name has not the form [instrument]…[genre]NNNN__k", action="folder's label kept")
        )
        return row | {"group": f"train/{code}/{stem}"}
    if tags["instrument"] != code:
        reason = f"named after {tags['instrument']} in the folder of {code}"
        problems.append(problem(path, reason=reason, action="folder's label kept"))
    if tags["genre"] is not None and tags["genre"] not in GENRES:
        problems.append(problem(path, reason=f"unknown genre {tags['genre']!r}", action="kept"))
    return row | {"group": f"train/{tags['recording']}"} | {name: tags[name] for name in tags if name != "instrument"}


def training_files(places: list[Path], *, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    """Training clips, one row per file: the folder decides on the instrument.

    Parameters
    ----------
    places : list of Path
        Training folders.
    notes, problems : list
        What is to be told is added to them.

    Returns
    -------
    DataFrame
        With the columns of ``COLUMNS``.
    """
    rows = []
    elsewhere = 0
    for path in (path for place in places for path in walk(place)):
        code = _code(path.parent)
        if code is None:
            elsewhere += 1
        elif unwritable(path):
            problems.append(problem(path, reason="its name is not valid UTF-8", action="excluded; rename it"))
        else:
            rows.append(_training_row(path, code, problems))
    if elsewhere:
        notes.append(f"{elsewhere} training files lie in no instrument's folder and are not used.")
    return keep_first(_table(rows), problems)


def _read_labels(path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Known codes of a label file in the usual order, and what else is in it."""
    words = path.read_text(encoding="utf-8-sig", errors="replace").lower().split()
    return ordered(words), [word for word in words if word not in INSTRUMENTS]


def testing_files(places: list[Path], problems: list[dict[str, str]]) -> pd.DataFrame:
    """Testing clips with at least one known label, one row per file."""
    rows = []
    for place in places:
        texts = {(path.parent, plain_name(path.stem)): path for path in walk(place, (".txt",))}
        for path in walk(place):
            stem = plain_name(path.stem)
            text = texts.get((path.parent, stem))
            if unwritable(path):
                problems.append(problem(path, reason="its name is not valid UTF-8", action="excluded; rename it"))
                continue
            if text is None:
                problems.append(problem(path, reason="there is no label file of its name beside it", action="excluded"))
                continue
            labels, unknown = _read_labels(text)
            if unknown:
                problems.append(
                    problem(text, reason=f"unknown codes: {', '.join(unknown)}", action="the other codes kept")
                )
            if not labels:
                problems.append(problem(path, reason="its label file names no instrument", action="excluded"))
                continue
            within = [path.parent, *path.parent.parents]
            parts = [_part(folder) for folder in within[: within.index(place) + 1]]
            part = next((number for number in parts if number is not None), None)
            song = re.sub(r"-\d+$", "", stem)
            where = "test" if part is None else f"part{part}"
            rows.append({"clip_id": f"{where}/{stem}", "path": path, "labels": labels, "song": song, "part": part})
            rows[-1]["group"] = f"test/{song}"
    return keep_first(_table(rows), problems)
