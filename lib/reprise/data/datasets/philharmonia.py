"""Philharmonia: single notes by members of the Philharmonia Orchestra, one folder per instrument."""

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from reprise.data.datasets._files import (
    cut,
    folders,
    is_synthetic,
    keep_first,
    measure,
    plain_name,
    problem,
    unwritable,
    walk,
)
from reprise.data.datasets._instruments import INSTRUMENTS, label_columns
from reprise.data.table import disjoint_split, validate_table

__all__ = [
    "CITATION",
    "CODES",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "LICENSE",
    "NAME",
    "TITLE",
    "load",
    "recognise",
]

NAME = "philharmonia"
TITLE = "Philharmonia Orchestra sound samples"
LICENSE = "free to use, but not to be sold or made available as samples"
HOMEPAGE = "https://philharmonia.co.uk/resources/sound-samples/"
CITATION = """\
@misc{philharmonia,
  author = {{Philharmonia Orchestra}},
  title  = {Sound samples},
  howpublished = {\\url{https://philharmonia.co.uk/resources/sound-samples/}}
}
"""
FOLDER_NAMES = ("Philharmonia", "philharmonia-samples", "philharmonia_samples")

# folders whose instrument is a class of IRMAS; the other ones keep their own name
CODES = {
    "cello": "cel",
    "clarinet": "cla",
    "flute": "flu",
    "guitar": "gac",
    "saxophone": "sax",
    "trumpet": "tru",
    "violin": "vio",
}

_NAME = re.compile(
    r"(?P<sound>[^_]+)_(?P<pitch>(?:[A-G]s?\d)?)_(?P<length>[^_]+)_(?P<dynamic>[^_]+)_(?P<technique>[^_]+)"
)
_FIELDS = ("sound", "pitch", "length", "dynamic", "technique")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MAX_DEPTH = 2


def _layout(root: Path) -> Path | None:
    """Folder that holds the instruments' folders: ``root``, or at most two levels below."""
    level = [root] if root.is_dir() else []
    for _ in range(_MAX_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            children = folders(folder)
            if any(_NAME.fullmatch(path.stem) for child in children for path in child.glob("*.*")):
                return folder
            below += children
        level = below
    return None


def recognise(root: Path) -> bool:
    """Whether a folder holds ``<instrument>/<instrument>_<pitch>_<length>_<dynamic>_<technique>`` files."""
    return _layout(root) is not None


def _midi(pitch: str | None) -> float:
    """MIDI number of a pitch such as ``As4``, an A sharp; NaN without one."""
    return _SEMITONES[pitch[0]] + pitch.count("s") + 12.0 * (int(pitch[-1]) + 1) if pitch else np.nan


def _row(path: Path, layout: Path) -> dict[str, Any]:
    instrument = path.relative_to(layout).parts[0].lower().replace(" ", "_").replace("-", "_")
    stem = plain_name(path.stem)
    match = _NAME.fullmatch(stem)
    fields = {name: match[name] or None if match else None for name in _FIELDS}
    note = "/".join(value for value in (fields["sound"], fields["pitch"]) if value) or stem
    label = CODES.get(instrument, instrument)
    return {
        "clip_id": f"{instrument}/{stem}",
        "path": path,
        "group": f"{instrument}/{note}",
        "instrument": instrument,
        "label": label,
        "labels": (label,),
        "midi": _midi(fields["pitch"]),
        **fields,
    }


def _inventory(layout: Path, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    rows = []
    elsewhere = 0
    for path in walk(layout):
        if len(path.relative_to(layout).parts) != 2:
            elsewhere += 1
        elif unwritable(path):
            problems.append(problem(path, reason="its name is not valid UTF-8", action="excluded; rename it"))
        else:
            rows.append(_row(path, layout))
    if elsewhere:
        notes.append(f"{elsewhere} audio files lie outside <instrument>/ and are not used.")
    nameless = sum(row["sound"] is None for row in rows)
    if nameless:
        notes.append(f"{nameless} files are not named <instrument>_<pitch>_<length>_<dynamic>_<technique>.")
    # object columns: pandas would make a missing pitch a NaN
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})


def _sides(files: pd.DataFrame, *, fraction_test: float, seed: int, notes: list[str]) -> pd.Series:
    if files["group"].nunique() < 2:
        notes.append("There is one note only: no test side.")
        return pd.Series("train", index=files.index)
    return disjoint_split(files, fraction_test=fraction_test, seed=seed, label="label")


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    fraction_test: float = 0.25,
    seed: int = 0,
) -> pd.DataFrame:
    """Clip table of the Philharmonia's notes, or of a part of them.

    Parameters
    ----------
    root : str or Path
        The folder of the instruments' folders, or one above it; ``.mp3``, ``.wav``, ``.flac`` or ``.ogg``.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole files by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.
    fraction_test : float, in (0, 1)
        Share of the notes in the test side.
    seed : int
        Of that choice.

    Returns
    -------
    DataFrame
        Clip table with ``label`` (a code of IRMAS where there is one, else the instrument's own name), ``labels``
        (tuple of it), one boolean column per code, ``instrument`` (folder), ``sound``, ``pitch`` (``As4`` is an A
        sharp), ``midi`` (NaN without a pitch), ``length``, ``dynamic``, ``technique`` and ``file``; ``group`` is the
        note: instrument, sound and pitch, whatever its length and dynamic. ``attrs``: ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such notes.

    Notes
    -----
    The guitar counts as acoustic guitar, a bass clarinet not as clarinet. Who plays is not known, so players may be on
    both sides. ``evidence`` is never ``full``: no paper of the suite uses the whole set.
    """
    root = Path(root).expanduser().absolute()
    layout = _layout(root)
    if layout is None:
        raise FileNotFoundError(
            f"{root} holds no Philharmonia samples: no file <instrument>/<instrument>_<pitch>_<length>_<dynamic>_"
            f"<technique> is in it; get them from {HOMEPAGE}"
        )
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files = measure(keep_first(_inventory(layout, notes, problems), problems), problems)
    if files.empty:
        raise FileNotFoundError(f"{layout} has no readable audio ({len(problems)} problems); get it from {HOMEPAGE}")
    missing = [code for code in CODES.values() if code not in set(files["label"])]
    if missing:
        notes.append(f"Instruments of IRMAS that the Philharmonia has and this copy lacks: {', '.join(missing)}.")
    sides = _sides(files, fraction_test=fraction_test, seed=seed, notes=notes)
    files = files.assign(split=sides, evidence="synthetic" if is_synthetic(root, layout) else "excerpt")
    clips = label_columns(cut(files, seconds=seconds, short=short, remainder=remainder)).astype({"midi": float})
    columns = ["clip_id", "path", "start", "duration", "group", "split", "evidence", "label", "labels", *INSTRUMENTS]
    table = clips[[*columns, "file", "instrument", "sound", "pitch", "midi", "length", "dynamic", "technique"]]
    table.attrs.update(notes=notes, problems=problems)
    return validate_table(table)
