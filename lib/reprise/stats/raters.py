"""Listeners of a listening test: their files of ratings, and who of them hears the hidden reference."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["COLUMNS", "HIGHEST", "REFERENCE", "read_ratings", "screen_raters"]

COLUMNS = ("test", "session", "rater", "screen", "item", "stimulus", "rating")
REFERENCE = "reference"
LOWEST, HIGHEST = 0.0, 100.0


def read_ratings(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Read the files that listeners have sent.

    Parameters
    ----------
    paths : path or iterable of paths
        CSV files as the listening page writes them; of a folder all ``*.csv`` in it.

    Returns
    -------
    DataFrame
        One row per rating, with at least ``COLUMNS``: ``rating`` in [0, 100]; ``rater`` is the name that was typed, or
        the session where none was. A file that is there twice counts once.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If a file is no such table, a rating is out of range, or files belong to different tests.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [file for path in map(Path, given) for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
    if not files:
        where = ", ".join(map(str, given)) or "no path"
        raise FileNotFoundError(f"no ratings in {where}; put there the CSV files that listeners saved from the page")
    frames = {file: _read(file) for file in files}
    tests = {frame["test"].iloc[0]: file for file, frame in frames.items()}
    if len(tests) > 1:
        named = ", ".join(f"{file.name} ({test})" for test, file in tests.items())
        raise ValueError(f"ratings of different listening tests: {named}; read those of one test at a time")
    return pd.concat(frames.values(), ignore_index=True).drop_duplicates(ignore_index=True)


def _read(file: Path) -> pd.DataFrame:
    texts = {name: str for name in COLUMNS if name != "rating"}
    try:
        frame = pd.read_csv(file, dtype=texts, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no table of ratings ({error}); leave it out or save it again") from error
    missing = [name for name in COLUMNS if name not in frame]
    if missing or frame.empty:
        problem = f"has no column {missing[0]!r}" if missing else "has no row"
        raise ValueError(f"{file} {problem}; a file of ratings is what the listening page saves")
    values = pd.to_numeric(frame["rating"], errors="coerce").astype(float)
    wrong = np.flatnonzero(~values.between(LOWEST, HIGHEST))
    if len(wrong):
        found = frame["rating"].iloc[wrong[0]]
        raise ValueError(f"{file}, row {wrong[0] + 1}: rating {str(found)!r} is no number from 0 to 100")
    if frame["test"].nunique() > 1:
        raise ValueError(f"{file} mixes ratings of {frame['test'].nunique()} tests; keep one file per listener")
    frame["rating"] = values
    frame["rater"] = frame["rater"].str.strip().where(frame["rater"].str.strip() != "", frame["session"])
    return frame


def screen_raters(
    ratings: pd.DataFrame, *, reference: str = REFERENCE, least: float = 90.0, share: float = 0.15
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out raters who do not hear the hidden reference.

    Parameters
    ----------
    ratings : DataFrame
        From `read_ratings`.
    reference : str
        Stimulus that is the recording itself.
    least : float in [0, 100]
        Ratings of it below this are too low.
    share : float in [0, 1]
        More than this share of too low ones excludes.

    Returns
    -------
    kept : DataFrame
        Rows of the raters who stay.
    raters : DataFrame
        One row per rater: ``rater, n_references, n_low, share_low, kept``. Without any rating of the reference a rater
        cannot be judged, and is excluded.

    Notes
    -----
    ITU-R BS.1534-3, section 4.1.2, first rule: below 90 in more than 15 % of the items.
    """
    hidden = ratings[ratings["stimulus"] == reference]
    rows = []
    for rater in dict.fromkeys(ratings["rater"]):
        values = hidden.loc[hidden["rater"] == rater, "rating"]
        n_low = int((values < least).sum())
        share_low = n_low / len(values) if len(values) else float("nan")
        rows.append((rater, len(values), n_low, share_low, bool(share_low <= share)))
    raters = pd.DataFrame(rows, columns=["rater", "n_references", "n_low", "share_low", "kept"])
    kept = set(raters.loc[raters["kept"], "rater"])
    return ratings[ratings["rater"].isin(kept)].reset_index(drop=True), raters
