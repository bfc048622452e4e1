"""Files of solo singing as they lie on disk: six known layouts and plain folders, told apart by names."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from reprise.data.datasets._files import keep_first, plain_name, problem, unwritable, walk

__all__ = ["COLUMNS", "LAYOUTS", "SIDES", "detect", "inventory", "side_of"]

COLUMNS = ("clip_id", "path", "group", "singer", "song", "style", "side")
# what folders of a side are called; the authors of SawSing call their validation side train-val
SIDES = {
    "train": "train",
    "training": "train",
    "train-full": "train",
    "train-3min": "copy",
    "train-val": "valid",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
_STORES = {"audio", "wav", "wavs"}
_SPEECH = "speech"

# the last parts of a path without suffix
_MPOP600 = re.compile(
    r"(?:.*/)?(?:(?P<a>[fm]\d)_(?P<n>\d{3})|(?P<b>[fm]\d)/(?:(?:train-full|train-3min|train-val|test)/)?(?:audio/)?"
    r"(?:[fm]\d_)?(?P<k>\d{3}))",
    re.IGNORECASE,
)
_CSD = re.compile(r"(?:.*/)?(?P<song>(?:en|kr)\d{3})(?P<key>[ab])", re.IGNORECASE)
_OPENCPOP = re.compile(r"(?:.*/)?wavs/(?P<song>2\d{3})(?P<part>\d{6})?", re.IGNORECASE)
_VOICES = r"(?:Soprano|Alto|Tenor|Bass)"
_M4SINGER = re.compile(
    rf"(?:.*/)?(?:(?P<a>{_VOICES}-\d+)#(?P<song>[^/]+)/(?P<part>\d+)|(?P<b>{_VOICES}(?:-\d+)?)_(?P<number>\d+))",
    re.IGNORECASE,
)
_GTSINGER = re.compile(
    rf"(?:.*/)?(?P<singer>[A-Z]{{2}}-{_VOICES}-\d+)/(?P<technique>[^/]+)/(?P<song>[^/]+)/(?P<style>[^/]+)_Group/"
    r"(?P<part>[^/]+)",
    re.IGNORECASE,
)
_VOCADITO = re.compile(r"(?:.*/)?(?P<song>vocadito_\d+)", re.IGNORECASE)
_UNTITLED = re.compile(r"song[-_ ]?\d+", re.IGNORECASE)

Row = dict[str, Any]


def _mpop600(name: str, root: Path) -> Row | None:
    match = _MPOP600.fullmatch(name)
    if match is None:
        return None
    singer, song = (match["a"] or match["b"]).lower(), match["n"] or match["k"]
    return {"singer": singer, "song": song, "clip_id": f"{singer}/{song}", "group": f"{singer}/{song}"}


def _csd(name: str, root: Path) -> Row | None:
    match = _CSD.fullmatch(name)
    if match is None:
        return None
    song = match["song"].lower()
    # both keys are one song
    return {"singer": "CSD", "song": song, "clip_id": f"{song}{match['key'].lower()}", "group": song}


def _opencpop(name: str, root: Path) -> Row | None:
    match = _OPENCPOP.fullmatch(name)
    if match is None:
        return None
    song = match["song"]
    style = "song" if match["part"] is None else "utterance"
    return {
        "singer": "Opencpop",
        "song": song,
        "clip_id": song + (match["part"] or ""),
        "group": song,
        "style": style,
    }


def _m4singer(name: str, root: Path) -> Row | None:
    match = _M4SINGER.fullmatch(name)
    if match is None:
        return None
    if match["song"] is None:
        singer, number = match["b"], match["number"]
        return {"singer": singer, "song": number, "clip_id": f"{singer}/{number}", "group": f"{singer}/{number}"}
    song = plain_name(match["song"])
    # singers share songs: a title is one song whoever sings it
    return {"singer": match["a"], "song": song, "clip_id": f"{match['a']}#{song}/{match['part']}", "group": song}


def _gtsinger(name: str, root: Path) -> Row | None:
    match = _GTSINGER.fullmatch(name)
    if match is None:
        return None
    singer, title, style = match["singer"], plain_name(match["song"]), match["style"].lower()
    untitled = _UNTITLED.fullmatch(title)
    song = f"{match['technique']}/{title}" if untitled else title
    return {
        "singer": singer,
        "song": song,
        "clip_id": f"{singer}/{match['technique']}/{title}/{style}/{match['part']}",
        "group": f"{singer}/{song}" if untitled else song,
        "style": _SPEECH if "speech" in style else style,
    }


def _vocadito(name: str, root: Path) -> Row | None:
    match = _VOCADITO.fullmatch(name)
    return match and {"singer": match["song"], "song": match["song"], "clip_id": match["song"], "group": match["song"]}


def _plain(name: str, root: Path) -> Row | None:
    *parts, stem = (plain_name(part) for part in Path(name).relative_to(root.as_posix()).parts)
    kept = [part for part in parts if part.lower() not in SIDES and part.lower() not in _STORES]
    singer = kept[0] if kept else plain_name(root.name)
    song = "/".join([*kept[1:], stem])
    return {"singer": singer, "song": song, "clip_id": f"{singer}/{song}", "group": f"{singer}/{song}"}


LAYOUTS: dict[str, Callable[[str, Path], Row | None]] = {
    "gtsinger": _gtsinger,
    "m4singer": _m4singer,
    "csd": _csd,
    "opencpop": _opencpop,
    "vocadito": _vocadito,
    "mpop600": _mpop600,
    "plain": _plain,
}


def side_of(path: Path, root: Path) -> str | None:
    """Side that a folder below ``root`` says: ``train``, ``valid``, ``test``, ``copy`` (of some others), or None."""
    names = (part.lower() for part in path.relative_to(root).parts[:-1])
    return next((SIDES[name] for name in names if name in SIDES), None)


def _name(path: Path) -> str:
    return path.with_suffix("").as_posix()


def detect(root: Path, paths: list[Path]) -> str:
    """Layout that most of the files follow, ``plain`` if none has half of them."""
    counts = {
        layout: sum(parse(_name(path), root) is not None for path in paths)
        for layout, parse in LAYOUTS.items()
        if layout != "plain"
    }
    best = max(counts, key=lambda layout: counts[layout])
    return best if paths and 2 * counts[best] >= len(paths) else "plain"


def _style(row: Row) -> Any:
    return row.get("style")


def inventory(root: Path, *, layout: str, notes: list[str], problems: list[dict[str, str]]) -> tuple[pd.DataFrame, str]:
    """All recordings of singing in a folder, one row per file.

    Parameters
    ----------
    root : Path
    layout : str
        One of ``LAYOUTS``, or ``auto``: what the files' names look like.
    notes, problems : list
        What is to be told is added to them.

    Returns
    -------
    (DataFrame, str)
        With the columns of ``COLUMNS``, and the layout.
    """
    paths = list(walk(root))
    strange = [path for path in paths if unwritable(path)]
    problems += [problem(path, reason="its name is not valid UTF-8", action="excluded; rename it") for path in strange]
    paths = [path for path in paths if not unwritable(path)]
    layout = detect(root, paths) if layout == "auto" else layout
    rows = []
    for path in paths:
        row = LAYOUTS[layout](_name(path), root)
        if row is not None:
            rows.append(row | {"path": path, "side": side_of(path, root)})
    if len(rows) < len(paths):
        notes.append(f"{len(paths) - len(rows)} audio files have no name of the layout {layout} and are not used.")
    originals = {row["group"] for row in rows if row["side"] != "copy"}
    rows = _without(
        rows, lambda row: row["side"] == "copy" and row["group"] in originals, "in train-3min are copies", notes
    )
    rows = [row | {"side": "train"} if row["side"] == "copy" else row for row in rows]
    rows = _without(rows, lambda row: _style(row) == _SPEECH, "are speech", notes)
    if any(_style(row) == "utterance" for row in rows):
        rows = _without(rows, lambda row: _style(row) == "song", "are whole songs that are there in parts too", notes)
    # object columns: pandas would make a missing side a NaN
    files = pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in COLUMNS})
    # in every side's folder there may be a file of one name: the most held out one stays
    order = files["side"].map({"test": 0, "valid": 1}).fillna(2)
    files = files.assign(order=order).sort_values(["order", "clip_id"], kind="stable").drop(columns="order")
    return _one_of_each(files, problems), layout


def _without(rows: list[Row], unwanted: Callable[[Row], bool], what: str, notes: list[str]) -> list[Row]:
    kept = [row for row in rows if not unwanted(row)]
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} files {what} and are not used.")
    return kept


def _one_of_each(files: pd.DataFrame, problems: list[dict[str, str]]) -> pd.DataFrame:
    """Drop copies of a recording on less held-out sides, then worse encodings."""
    side = files["side"].fillna("train")
    first = side.groupby(files["group"], sort=False).transform("first")
    for path, here, there in zip(*(part[side != first] for part in (files["path"], side, first)), strict=True):
        problems.append(problem(path, reason=f"its song is in the {here} and the {there} folder", action="excluded"))
    return keep_first(files[side == first], problems)
