"""MagnaTagATune: 29 s clips with the tags that players of a game agreed on, in sixteen folders."""

import re
from itertools import compress
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
from reprise.data.datasets._tracks import (
    BASE,
    check_choices,
    evidence_of,
    find_file,
    first_problem,
    levels,
    read_table,
    search,
    shared_groups,
)
from reprise.data.table import ClipTableError, validate_table

__all__ = [
    "CITATION",
    "EXCLUDED",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "LICENSE",
    "NAME",
    "N_CLIPS",
    "SIDES",
    "TITLE",
    "TOP_TAGS",
    "load",
    "recognise",
    "tag_matrix",
]

NAME = "magnatagatune"
TITLE = "MagnaTagATune: music clips with tags from a game"
LICENSE = "CC BY-NC-SA 1.0 (audio by Magnatune)"
HOMEPAGE = "https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset"
CITATION = """\
@inproceedings{law2009evaluation,
  author    = {Edith Law and Kris West and Michael I. Mandel and Mert Bay and J. Stephen Downie},
  title     = {Evaluation of Algorithms Using Games: The Case of Music Tagging},
  booktitle = {Proceedings of the 10th International Society for Music Information Retrieval Conference (ISMIR)},
  pages     = {387--392},
  year      = {2009}
}
"""
FOLDER_NAMES = ("MagnaTagATune", "magna_tag_a_tune", "MTT", "MTAT")

_TOP = (
    "guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano,ambient,beat,violin,vocal,synth,female,"
    "indian,opera,male,singing,vocals,no vocals,harpsichord,loud,quiet,flute,woman,male vocal,no vocal,pop,soft,sitar,"
    "solo,man,classic,choir,voice,new age,dance,male voice,female vocal,beats,harp,cello,no voice,weird,country,metal,"
    "female voice,choral"
)
# the fifty most frequent of the 188 tags by frequency; equally frequent ones as in the usual lists
TOP_TAGS = tuple(_TOP.split(","))
SIDES = dict.fromkeys("0123456789ab", "train") | {"c": "valid"} | dict.fromkeys("def", "test")
EXCLUDED = {"35644": "missing", "55753": "corrupt", "57881": "corrupt"}
# 25,863 annotated clips without the three that every user of the split leaves out
N_CLIPS = 25860

_NAME = re.compile(r"(?P<track>.+)-(?P<begin>\d+)-(?P<end>\d+)")
_ANNOTATIONS = "annotations_final.csv"
_INFO = "clip_info_final.csv"
_KEYS = ("clip_id", "mp3_path")
_INFO_COLUMNS = ("clip_id", "track_number", "title", "artist", "album", "url", "mp3_path")


def _layout(root: Path) -> Path | None:
    """Folder that holds the folders 0 to f: ``root``, or at most two levels below."""
    listed = find_file(root, _ANNOTATIONS) is not None

    def holds_clips(folder: Path) -> bool:
        sides = [child for child in folders(folder) if child.name.lower() in SIDES]
        return any(listed or _NAME.fullmatch(path.stem) for child in sides for path in walk(child))

    return search(root, holds_clips)


def recognise(root: Path) -> bool:
    """Whether a folder holds clips in folders called 0 to f, or a part of them."""
    return _layout(root) is not None


def _key(path: str) -> str:
    """Folder and name of a clip without its extension, which a conversion changes."""
    folder, _, name = path.strip().rpartition("/")
    return f"{folder.rpartition('/')[2].lower()}/{plain_name(name).rpartition('.')[0]}"


def _vocabulary(annotations: pd.DataFrame, *, n_tags: int, notes: list[str]) -> tuple[str, ...]:
    names = [name for name in annotations.columns if name not in _KEYS]
    if n_tags == len(TOP_TAGS) and set(TOP_TAGS) <= set(names):
        return TOP_TAGS
    counts = annotations[names].sum().sort_values(ascending=False, kind="stable")
    chosen = tuple(str(name) for name in counts.index[counts > 0][:n_tags])
    notes.append(f"The tags are the {len(chosen)} most frequent of {len(names)} in {_ANNOTATIONS}.")
    return chosen


def _annotations(root: Path, *, n_tags: int, notes: list[str]) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Identifiers and tags by :func:`_key`, and the tags in order; None without the list."""
    path = find_file(root, _ANNOTATIONS)
    if path is None:
        notes.append(f"There is no {_ANNOTATIONS}: no clip has tags, and clips are known by folder and name.")
        return None, ()
    frame = read_table(path, separator="\t", needed=_KEYS, homepage=HOMEPAGE, text=_KEYS)
    if not all(pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns if name not in _KEYS):
        raise ValueError(f"{path} has tags that are neither 0 nor 1; get it again from {HOMEPAGE}")
    vocabulary = _vocabulary(frame, n_tags=n_tags, notes=notes)
    flags = frame[list(vocabulary)].to_numpy() > 0
    known = pd.DataFrame({"key": [_key(path) for path in frame["mp3_path"]], "clip_id": frame["clip_id"].to_numpy()})
    known["tags"] = [tuple(compress(vocabulary, row)) for row in flags]
    return known.drop_duplicates("key").set_index("key"), vocabulary


def _tracks(root: Path) -> dict[Any, dict[Any, Any]]:
    """What ``clip_info_final.csv`` says about each clip, by :func:`_key`; nothing without it."""
    path = find_file(root, _INFO)
    if path is None:
        return {}
    frame = read_table(path, separator="\t", needed=_INFO_COLUMNS, homepage=HOMEPAGE)
    frame = frame[frame["mp3_path"] != ""]
    frame.index = pd.Index([_key(path) for path in frame["mp3_path"]])
    frame = frame[~frame.index.duplicated()]
    groups = frame["url"] + "#" + frame["track_number"]
    return frame.assign(group=groups)[["group", "artist", "title"]].to_dict("index")


def _row(path: Path, *, folder: str, tracks: dict[Any, dict[Any, Any]]) -> dict[str, Any]:
    stem = plain_name(path.stem)
    key = f"{folder}/{stem}"
    name = _NAME.fullmatch(stem)
    row: dict[str, Any] = {"clip_id": key, "key": key, "path": path, "split": SIDES[folder], "artist": None}
    row |= {"title": None, "group": name["track"] if name else stem, "offset": float(name["begin"]) if name else np.nan}
    return row | tracks.get(key, {})


def _inventory(layout: Path, tracks: dict[Any, dict[Any, Any]], problems: list[dict[str, str]]) -> pd.DataFrame:
    rows = []
    for side in folders(layout):
        if side.name.lower() not in SIDES:
            continue
        for path in walk(side):
            if unwritable(path):
                problems.append(problem(path, reason="its name is not valid UTF-8", action="excluded; rename it"))
            else:
                rows.append(_row(path, folder=side.name.lower(), tracks=tracks))
    if not rows:
        raise FileNotFoundError(f"{layout} has no usable audio in its folders{first_problem(problems)}")
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})


def _with_tags(files: pd.DataFrame, known: pd.DataFrame | None, *, notes: list[str]) -> pd.DataFrame:
    """Give clips their identifiers and tags; those that the list does not know go."""
    if known is None:
        return files.assign(tags=pd.Series([()] * len(files), files.index, dtype=object))
    listed = files["key"].isin(known.index)
    if not listed.any():
        raise FileNotFoundError(f"none of {len(files)} audio files is one of {len(known)} clips of {_ANNOTATIONS}")
    if not listed.all():
        notes.append(f"{(~listed).sum()} audio files are not in {_ANNOTATIONS} and are not used.")
    found = known.loc[files["key"][listed]]
    notes.append(f"Audio of {found['clip_id'].nunique()} of {len(known)} annotated clips is there.")
    return files[listed].assign(clip_id=found["clip_id"].to_numpy(), tags=found["tags"].to_numpy())


def _without(files: pd.DataFrame, unwanted: pd.Series, *, why: str, notes: list[str]) -> pd.DataFrame:
    if unwanted.any():
        notes.append(f"{unwanted.sum()} clips are left out: {why}.")
    return files[~unwanted].reset_index(drop=True)


def _collect(
    root: Path, *, n_tags: int, untagged: str, notes: list[str], problems: list[dict[str, str]]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    layout = _layout(root)
    if layout is None:
        parts = any(path.name.startswith("mp3.zip.0") for folder in levels(root) for path in folder.glob("mp3.zip.0*"))
        hint = "join the parts (cat mp3.zip.* > mp3.zip) and unpack them" if parts else f"get it from {HOMEPAGE}"
        raise FileNotFoundError(f"{root} holds no MagnaTagATune: no folders 0 to f with clips are in it; {hint}")
    known, vocabulary = _annotations(root, n_tags=n_tags, notes=notes)
    if known is None and untagged == "drop":
        raise FileNotFoundError(f"{root} lacks {_ANNOTATIONS}, without which nobody knows which clips have tags")
    files = _with_tags(_inventory(layout, _tracks(root), problems), known, notes=notes)
    synthetic = is_synthetic(root, layout)
    if not synthetic:
        files = _without(files, files["clip_id"].isin(EXCLUDED), why="missing or corrupt in the data set", notes=notes)
    files = measure(keep_first(files, problems), problems)
    files = files.assign(evidence=evidence_of(synthetic=synthetic, whole=len(files) >= N_CLIPS))
    bare = files["tags"].map(len) == 0
    if untagged == "drop":
        files = _without(files, bare, why=f"they have none of the {len(vocabulary)} tags", notes=notes)
    elif vocabulary and bare.any():
        notes.append(f"{bare.sum()} clips have none of the {len(vocabulary)} tags and are kept.")
    if files.empty:
        raise FileNotFoundError(f"{layout} has no usable clip{first_problem(problems)}")
    return files, vocabulary


def tag_matrix(table: pd.DataFrame, tags: tuple[str, ...] | None = None) -> np.ndarray:
    """Tags of each clip as truth values.

    Parameters
    ----------
    table : DataFrame
        Made by :func:`load`, or rows of it.
    tags : tuple of str, optional
        Columns of the result; the table's own ``attrs["tags"]`` by default.

    Returns
    -------
    ndarray of bool [shape=(n_clips, n_tags)]

    Raises
    ------
    ClipTableError
        If the tags are not given and the table does not tell them, or a clip has one that is not among them.
    """
    names = tuple(table.attrs.get("tags", ()) if tags is None else tags)
    if not names:
        raise ClipTableError("the table does not say which tags there are; pass tags=, or load it with annotations")
    place = {name: column for column, name in enumerate(names)}
    matrix = np.zeros((len(table), len(names)), dtype=bool)
    for row, present in enumerate(table["tags"]):
        unknown = [name for name in present if name not in place]
        if unknown:
            raise ClipTableError(f"row {row} has the tag {unknown[0]!r}, which is not among the {len(names)} tags")
        matrix[row, [place[name] for name in present]] = True
    return matrix


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    n_tags: int = 50,
    untagged: Literal["keep", "drop"] = "keep",
) -> pd.DataFrame:
    """Clip table of MagnaTagATune, or of a part of it.

    Parameters
    ----------
    root : str or Path
        Folder with ``annotations_final.csv``, ``clip_info_final.csv`` and the folders ``0`` to ``f``, these perhaps one
        or two levels below; ``.mp3`` or what it was converted to. The lists may be missing: clips are then known by
        name and have no tags, which is enough for self-supervised training.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole clips by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.
    n_tags : int, ≥ 1
        As many of the most frequent tags; ``TOP_TAGS`` in their usual order where the list has all of them.
    untagged : "keep" or "drop"
        What becomes of clips without any of these tags: the papers keep them, the "clean" split drops them.

    Returns
    -------
    DataFrame
        Clip table with ``tags`` (tuple of names, in the order of ``attrs["tags"]``; see :func:`tag_matrix`), ``artist``
        and ``title`` (None without ``clip_info_final.csv``), ``offset`` (s, of the clip in its track) and ``file``;
        ``clip_id`` is the data set's own number, ``group`` the track. ``attrs``: ``tags``, ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the data set; the message says what was looked for.
    ValueError
        If a list is damaged or an option is none of the allowed ones.

    Notes
    -----
    The split goes by folder: 0 to b for training, c for validation, d to f for testing (12:1:3). On the whole set this
    gives 18,706, 1,825 and 5,329 clips, of which 3,459, 296 and 997 have none of the fifty tags. Clips 35644, 55753 and
    57881 are left out. Paper: Vélez Vásquez and Burgoyne 2022, section 4.2. Notebook: 03_tune.ipynb.
    """
    check_choices(untagged=(untagged, ("keep", "drop")))
    if n_tags < 1:
        raise ValueError(f"n_tags must be at least 1, not {n_tags}")
    root = Path(root).expanduser().absolute()
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files, vocabulary = _collect(root, n_tags=n_tags, untagged=untagged, notes=notes, problems=problems)
    overlap = shared_groups(files, what="tracks", notes=notes)
    clips = cut(files, seconds=seconds, short=short, remainder=remainder).astype({"offset": float})
    table = clips[[*BASE, "tags", "artist", "title", "offset", "file"]]
    table.attrs.update(tags=vocabulary, notes=notes, problems=problems, group_overlap_allowed=overlap)
    return validate_table(table)
