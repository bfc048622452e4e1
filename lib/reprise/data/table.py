"""Clip tables: one row per stretch of audio, checked, fingerprinted and split."""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from reprise.files import read_json, sha256_file, sha256_json, write_json
from reprise.paths import cache_root
from reprise.seeds import numpy_generator

__all__ = [
    "EVIDENCE",
    "REQUIRED",
    "SPLITS",
    "ClipTableError",
    "content_hashes",
    "disjoint_split",
    "fingerprint",
    "split_clips",
    "validate_table",
]

REQUIRED = ("clip_id", "path", "start", "duration", "group", "split", "evidence")
SPLITS = ("train", "valid", "test")
EVIDENCE = ("synthetic", "excerpt", "full")

# far below one sample at any audio rate, far above the rounding of a division of seconds
_TOLERANCE_SECONDS = 1e-6
# a file changed again within the clock tick of its time stamp looks unchanged, so young stamps are not trusted
_YOUNG_SECONDS = 2.0
_MAX_EXHAUSTIVE_GROUPS = 12
_N_CANDIDATES = 4096


class ClipTableError(ValueError):
    """A clip table that breaks the rules; the message names the first bad row."""


def _refuse(frame: pd.DataFrame, bad: Any, message: str) -> None:
    positions = np.flatnonzero(np.asarray(bad, dtype=bool))
    if positions.size:
        row = frame.iloc[positions[0]]
        values = ", ".join(f"{name}={row[name]!r}" for name in REQUIRED)
        raise ClipTableError(f"row {positions[0]}: {message} ({positions.size} such rows); the row: {values}")


def _seconds(frame: pd.DataFrame, name: str) -> np.ndarray:
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
    _refuse(frame, ~np.isfinite(values), f"{name} is not a finite number of seconds")
    return values


def validate_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Check a clip table and give it back unchanged.

    Parameters
    ----------
    frame : DataFrame
        With the columns of ``REQUIRED``: unique ``clip_id``, ``path``, ``start`` (s, ≥ 0), ``duration`` (s, > 0),
        ``group`` (what must not be in two splits: singer, artist, track), ``split`` (train, valid or test) and
        ``evidence`` (synthetic, excerpt or full). Any further column is a label or a remark.

    Returns
    -------
    DataFrame
        The same object.

    Raises
    ------
    ClipTableError
        Names the missing columns, or the first bad row with its values. A group in two splits is refused unless
        ``frame.attrs["group_overlap_allowed"]`` is true.
    """
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise ClipTableError(f"columns missing: {', '.join(missing)}; there are: {', '.join(map(str, frame.columns))}")
    for name in REQUIRED:
        _refuse(frame, frame[name].isna(), f"{name} is empty")
    _refuse(frame, frame["clip_id"].duplicated(), "clip_id appears twice")
    _refuse(frame, _seconds(frame, "start") < 0, "start is negative")
    _refuse(frame, _seconds(frame, "duration") <= 0, "duration is not positive")
    _refuse(frame, ~frame["split"].isin(SPLITS), f"split is none of {', '.join(SPLITS)}")
    _refuse(frame, ~frame["evidence"].isin(EVIDENCE), f"evidence is none of {', '.join(EVIDENCE)}")
    if not frame.attrs.get("group_overlap_allowed", False):
        first_split = frame.groupby("group", sort=False)["split"].transform("first")
        _refuse(frame, frame["split"] != first_split, "its group is in another split too")
    return frame


def split_clips(
    files: pd.DataFrame,
    *,
    seconds: float,
    short: Literal["drop", "pad"] = "drop",
    remainder: Literal["drop", "pad"] = "drop",
) -> pd.DataFrame:
    """Cut files into clips that follow one another without overlap.

    Parameters
    ----------
    files : DataFrame
        One row per file: ``clip_id`` (the file's own name, unique), ``duration`` (s) and any other columns.
    seconds : float, s, > 0
        Length of a clip.
    short : "drop" or "pad"
        What becomes of a file shorter than a clip: nothing, or one clip of the file's own duration.
    remainder : "drop" or "pad"
        The same for what is left after the last full clip of a longer file.

    Returns
    -------
    DataFrame
        One row per clip, files in order: all columns of ``files``, ``start`` and ``duration`` (s), ``clip_id`` with the
        clip's number behind it. A clip to be padded keeps the duration of its real audio: the zeros come from asking
        ``WaveBank.batch`` for a fixed length.

    Raises
    ------
    ValueError
        If ``seconds`` is not positive or a policy is unknown.
    """
    if not (np.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds must be a positive number, not {seconds!r}")
    for name, policy in (("short", short), ("remainder", remainder)):
        if policy not in ("drop", "pad"):
            raise ValueError(f"{name} must be 'drop' or 'pad', not {policy!r}")
    durations = files["duration"].to_numpy(dtype=float)
    n_full = np.floor((durations + _TOLERANCE_SECONDS) / seconds).astype(int)
    rest = durations - n_full * seconds
    padded = np.where(n_full == 0, short == "pad", remainder == "pad") & (rest > _TOLERANCE_SECONDS)
    n_clips = n_full + padded
    row = np.repeat(np.arange(len(files)), n_clips)
    number = np.arange(len(row)) - np.repeat(np.cumsum(n_clips) - n_clips, n_clips)
    clips = files.iloc[row].reset_index(drop=True)
    clips["start"] = number * float(seconds)
    clips["duration"] = np.where(number < n_full[row], float(seconds), rest[row])
    clips["clip_id"] = [f"{name}_{k:03d}" for name, k in zip(clips["clip_id"], number, strict=True)]
    return clips


def _stamp(path: str) -> tuple[list[int], bool]:
    """Size and times of a file, and whether they are old enough to stand for its content."""
    status = Path(path).stat()
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns], newest < time.time_ns() - _YOUNG_SECONDS * 1e9


def content_hashes(paths: Iterable[str | Path], *, workers: int | None = None) -> dict[str, str]:
    """SHA-256 of each file's content, remembered between calls as long as size and times of the file stay.

    Parameters
    ----------
    paths : iterable of str or Path
        Repetitions are hashed once.
    workers : int or None
        Threads; one per core by default.

    Returns
    -------
    dict
        From ``str(path)`` to 64 hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message names it.
    """
    names = sorted({str(path) for path in paths})
    if not names:
        return {}
    absolute = {name: str(Path(name).absolute()) for name in names}
    record = cache_root() / "hashes" / f"{sha256_json(os.path.commonpath(absolute.values()))[:32]}.json"
    try:
        known = read_json(record) if record.is_file() else {}
    except ValueError:
        known = {}  # only a memory of what can be computed again
    stamps = {name: _stamp(name) for name in names}
    new = [name for name in names if known.get(absolute[name], [None])[:-1] != stamps[name][0]]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        fresh = dict(zip(new, pool.map(lambda name: sha256_file(Path(name)), new), strict=True))
    lasting = {absolute[name]: [*stamps[name][0], digest] for name, digest in fresh.items() if stamps[name][1]}
    if lasting:
        write_json(record, known | lasting)
    return {name: fresh[name] if name in fresh else known[absolute[name]][-1] for name in names}


def _plain(value: Any) -> Any:
    """Turn a cell into what JSON knows."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None if pd.isna(value) else repr(value)
    return str(value) if isinstance(value, Path) else value


def fingerprint(table: pd.DataFrame) -> str:
    """Identity of a data set as used: what the rows say and what the files contain.

    Parameters
    ----------
    table : DataFrame
        A valid clip table.

    Returns
    -------
    str
        64 hexadecimal digits. Independent of the order of rows and columns and of where the files lie; any other
        value in any column, or any other byte in any file, changes it.

    Raises
    ------
    ClipTableError
        If the table is not valid.
    FileNotFoundError
        If a file is missing.
    """
    validate_table(table)
    hashes = content_hashes(table["path"])
    rows = table.sort_values("clip_id")
    columns = {str(name): [_plain(value) for value in rows[name].tolist()] for name in rows.columns}
    columns["path"] = [hashes[str(path)] for path in rows["path"]]
    for name in ("start", "duration"):
        columns[name] = [float(value) for value in columns[name]]
    return sha256_json(columns)


def _candidates(n_groups: int, *, n_test: int, rng: np.random.Generator) -> np.ndarray:
    """Subsets to choose from, bool [shape=(n_candidates, n_groups)]: all of a few groups, else a random sample."""
    if n_groups <= _MAX_EXHAUSTIVE_GROUPS:
        numbers = rng.permutation(np.arange(1, 2**n_groups - 1))
        return (numbers[:, None] >> np.arange(n_groups)) % 2 == 1
    ranks = rng.random((_N_CANDIDATES, n_groups)).argsort(axis=1).argsort(axis=1)
    return ranks < n_test


def _best(candidates: np.ndarray, counts: np.ndarray, *, n_test: int, fraction: float) -> tuple[tuple, np.ndarray]:
    """Best subset: most labels on both sides, then the wanted number of groups, then the wanted share of clips."""
    chosen = candidates.astype(float)
    in_test, in_train = chosen @ counts, (1 - chosen) @ counts
    covered = ((in_test > 0) & (in_train > 0)).sum(axis=1)
    groups_off = np.abs(candidates.sum(axis=1) - n_test)
    share_off = np.abs(in_test.sum(axis=1) / counts.sum() - fraction).round(9)
    first = np.lexsort((share_off, groups_off, -covered))[0]
    return (-int(covered[first]), int(groups_off[first]), float(share_off[first])), candidates[first]


def disjoint_split(
    frame: pd.DataFrame, *, fraction_test: float, seed: int, label: str, group: str = "group"
) -> pd.Series:
    """Split clips so that no group is on both sides and, where possible, every label is.

    Parameters
    ----------
    frame : DataFrame
        With the columns ``label`` and ``group``.
    fraction_test : float, in (0, 1)
        Wanted share of groups, then of clips, in the test side; each side gets at least one group.
    seed : int
        Decides between splits that are equally good.
    label, group : str
        Names of columns.

    Returns
    -------
    Series of "train" or "test"
        On the frame's index.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or the fraction is out of range.

    Notes
    -----
    Up to 12 groups all subsets are compared. Beyond, the best of a random sample is improved one group at a time.
    """
    if not 0 < fraction_test < 1:
        raise ValueError(f"fraction_test must lie between 0 and 1, not {fraction_test!r}")
    counts = pd.crosstab(frame[group], frame[label]).sort_index()
    if len(counts) < 2:
        raise ValueError(f"a split needs two values of {group!r}, found {list(counts.index)}; add more of the data set")
    n_test = int(np.clip(round(fraction_test * len(counts)), 1, len(counts) - 1))
    matrix = counts.to_numpy(dtype=float)
    rng = numpy_generator(seed, "disjoint split")
    score, best = _best(_candidates(len(counts), n_test=n_test, rng=rng), matrix, n_test=n_test, fraction=fraction_test)
    while True:
        flipped = best ^ np.eye(len(counts), dtype=bool)
        flipped = flipped[flipped.any(axis=1) & ~flipped.all(axis=1)]
        if not len(flipped):
            break
        next_score, candidate = _best(flipped, matrix, n_test=n_test, fraction=fraction_test)
        if next_score >= score:
            break
        score, best = next_score, candidate
    test_groups = counts.index[best]
    return pd.Series(np.where(frame[group].isin(test_groups), "test", "train"), index=frame.index, name="split")
