"""What the loaders of music collections share: finding folders and lists, groups on two sides, what is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import folders

__all__ = [
    "BASE",
    "check_choices",
    "evidence_of",
    "find_file",
    "first_problem",
    "levels",
    "read_table",
    "search",
    "shared_groups",
]

BASE = ("clip_id", "path", "start", "duration", "group", "split", "evidence")
_MAX_DEPTH = 2


def levels(root: Path) -> list[Path]:
    """Visible folders in ``root``: itself first, then those one and two levels below."""
    found = level = [root] if root.is_dir() else []
    for _ in range(_MAX_DEPTH):
        level = [child for folder in level for child in folders(folder)]
        found = found + level
    return found


def search(root: Path, wanted: Callable[[Path], bool]) -> Path | None:
    """First folder of :func:`levels` for which ``wanted`` is true."""
    return next((folder for folder in levels(root) if wanted(folder)), None)


def find_file(root: Path, *names: str) -> Path | None:
    """First file of one of the names in :func:`levels`; an earlier name is preferred."""
    places = levels(root)
    return next((folder / name for name in names for folder in places if (folder / name).is_file()), None)


def read_table(
    path: Path, *, separator: str, needed: tuple[str, ...], homepage: str, text: tuple[str, ...] | None = None
) -> pd.DataFrame:
    """Read a list of a data set.

    Parameters
    ----------
    path : Path
    separator : str
        One character.
    needed : tuple of str
        Columns it must have.
    homepage : str
        Where to get it again.
    text : tuple of str, optional
        Columns that stay text; all by default, without blanks around them.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If it is no such list; the message names the file and the missing columns.
    """
    again = f"get it again from {homepage}"
    try:
        frame = pd.read_csv(
            path,
            sep=separator,
            dtype=str if text is None else dict.fromkeys(text, str),
            keep_default_na=text is not None,
            encoding="utf-8-sig",
            encoding_errors="replace",
        )
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as a table ({error}); {again}") from error
    frame.columns = frame.columns.str.strip()
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; {again}")
    return frame.apply(lambda column: column.str.strip()) if text is None else frame


def shared_groups(files: pd.DataFrame, *, what: str, notes: list[str]) -> bool:
    """Whether a group is on two sides; says how many if so.

    Parameters
    ----------
    files : DataFrame
        With ``group`` and ``split``.
    what : str
        What a group is, in the plural.
    notes : list of str
        Gets a sentence if there are such groups.

    Returns
    -------
    bool
    """
    sides = files.groupby("group", sort=False)["split"].nunique()
    n_shared = int((sides > 1).sum())
    if n_shared:
        notes.append(f"{n_shared} of {len(sides)} {what} are on more than one side of the split.")
    return n_shared > 0


def check_choices(**choices: tuple[str, tuple[str, ...]]) -> None:
    """Refuse a value that is none of the allowed ones, by the option's name."""
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def evidence_of(*, synthetic: bool, whole: bool) -> Literal["synthetic", "full", "excerpt"]:
    """What results on these files are worth."""
    return "synthetic" if synthetic else "full" if whole else "excerpt"


def first_problem(problems: list[dict[str, str]]) -> str:
    """End of a message about files of which none is usable."""
    if not problems:
        return ""
    return f" ({len(problems)} problems, the first {problems[0]['path']}: {problems[0]['reason']})"
