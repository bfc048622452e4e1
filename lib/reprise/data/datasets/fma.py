"""FMA: tracks of the Free Music Archive, 30 s of each, by number; the medium subset has 25,000."""

from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import cut, folders, is_synthetic, keep_first, measure, problem, unwritable, walk
from reprise.data.datasets._tracks import (
    BASE,
    check_choices,
    evidence_of,
    find_file,
    first_problem,
    search,
    shared_groups,
)
from reprise.data.table import validate_table

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "LICENSE",
    "NAME",
    "N_TRACKS",
    "SUBSETS",
    "TITLE",
    "load",
    "recognise",
]

NAME = "fma"
TITLE = "FMA: A Dataset For Music Analysis"
LICENSE = "CC BY 4.0 (metadata); the audio under the Creative Commons licence that each artist chose"
HOMEPAGE = "https://github.com/mdeff/fma"
CITATION = """\
@inproceedings{defferrard2017fma,
  author    = {Michaël Defferrard and Kirell Benzi and Pierre Vandergheynst and Xavier Bresson},
  title     = {{FMA}: A Dataset For Music Analysis},
  booktitle = {Proceedings of the 18th International Society for Music Information Retrieval Conference (ISMIR)},
  year      = {2017}
}
"""
FOLDER_NAMES = ("FMA", "fma_dataset", "fma_medium", "fma_small")

# each subset holds the ones before it
SUBSETS = ("small", "medium", "large")
N_TRACKS = {"small": 8000, "medium": 25000, "large": 106574}

_SIDES = {"training": "train", "validation": "valid", "test": "test"}
_NUMBER_LENGTH = 6
_LIST = "tracks.csv"


def _numbered(path: Path) -> bool:
    name = path.stem
    return len(name) == _NUMBER_LENGTH and name.isdigit() and path.parent.name == name[:3]


def _holds_tracks(folder: Path) -> bool:
    numbers = [child for child in folders(folder) if len(child.name) == 3 and child.name.isdigit()]
    return any(_numbered(path) for child in numbers for path in walk(child))


def recognise(root: Path) -> bool:
    """Whether a folder holds ``NNN/NNNNNN.mp3`` files such as ``000/000002.mp3``, or a part of them."""
    return search(root, _holds_tracks) is not None


def _tracks(root: Path, subset: str, notes: list[str]) -> pd.DataFrame | None:
    """What ``tracks.csv`` says about the tracks of a subset, by number; None without it."""
    beside = root.parent / "fma_metadata" / _LIST
    path = find_file(root, _LIST) or (beside if beside.is_file() else None)
    if path is None:
        notes.append(f"There is no {_LIST}: all tracks are taken for training, without genre and artist.")
        return None
    columns = {"subset": ("set", "subset"), "split": ("set", "split"), "genre": ("track", "genre_top")}
    columns |= {"artist": ("artist", "name"), "artist_id": ("artist", "id"), "title": ("track", "title")}
    try:
        frame = pd.read_csv(path, index_col=0, header=[0, 1], low_memory=False)
        frame = pd.DataFrame({name: frame[column] for name, column in columns.items()})
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f"{path} is not FMA's list with its two rows of headings ({error}); get it again from {HOMEPAGE}"
        ) from error
    frame = frame[frame["subset"].isin(SUBSETS[: SUBSETS.index(subset) + 1])]
    unknown = sorted(set(frame["split"]) - set(_SIDES))
    if unknown:
        raise ValueError(f"{path} has the split {unknown[0]!r}; known are {', '.join(_SIDES)}")
    frame.index = pd.Index([f"{int(number):0{_NUMBER_LENGTH}d}" for number in frame.index], name="clip_id")
    groups = "artist " + frame["artist_id"].astype(int).astype(str)
    return frame.assign(split=frame["split"].map(_SIDES), group=groups).drop(columns=["subset", "artist_id"])


def _inventory(layout: Path, problems: list[dict[str, str]]) -> pd.DataFrame:
    rows = []
    for path in walk(layout):
        if _numbered(path):
            rows.append({"clip_id": path.stem, "path": path})
        elif unwritable(path):
            problems.append(problem(path, reason="its name is not valid UTF-8", action="excluded; rename it"))
    return keep_first(pd.DataFrame(rows), problems)


def _described(files: pd.DataFrame, tracks: pd.DataFrame | None, *, subset: str, notes: list[str]) -> pd.DataFrame:
    if tracks is None:
        nothing = dict.fromkeys(("genre", "artist", "title"))
        return files.assign(split="train", group="track " + files["clip_id"], **nothing)
    listed = files["clip_id"].isin(tracks.index)
    notes.append(f"Audio of {listed.sum()} of {len(tracks)} tracks of the subset {subset} is there.")
    if not listed.any():
        raise FileNotFoundError(f"none of {len(files)} tracks is in the subset {subset!r}; choose another subset")
    if not listed.all():
        notes.append(f"{(~listed).sum()} tracks are not in the subset and are not used.")
    files = files[listed].join(tracks, on="clip_id").reset_index(drop=True)
    return files.astype({"genre": object, "artist": object, "title": object}).where(files.notna(), None)


def _long_enough(
    files: pd.DataFrame, *, min_seconds: float, notes: list[str], problems: list[dict[str, str]]
) -> pd.DataFrame:
    short = files["duration"] < min_seconds
    for path, seconds in zip(files["path"][short], files["duration"][short], strict=True):
        problems.append(problem(path, reason=f"lasts {seconds:.2f} s only", action="excluded"))
    if short.any():
        notes.append(f"{short.sum()} tracks are shorter than {min_seconds:g} s and are left out.")
    return files[~short].reset_index(drop=True)


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    subset: Literal["small", "medium", "large"] = "medium",
    min_seconds: float = 3.0,
) -> pd.DataFrame:
    """Clip table of FMA, or of a part of it.

    Parameters
    ----------
    root : str or Path
        Folder with ``fma_metadata/tracks.csv`` and ``fma_medium/000/000002.mp3`` (or one of these two folders, or
        audio of another subset); at most two levels above the numbered folders. ``fma_metadata`` may lie beside it.
        Without the list all tracks are used.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole files by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.
    subset : "small", "medium" or "large"
        Which tracks of the list; each subset holds the ones before it.
    min_seconds : float, s, ≥ 0
        Shorter files are left out and listed: FMA has some of a second or less.

    Returns
    -------
    DataFrame
        Clip table with ``genre`` (top genre, None where not given), ``artist``, ``title`` and ``file``; ``clip_id`` is
        the track's number, ``group`` the artist. ``attrs``: ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold tracks of the subset.
    ValueError
        If the list is damaged or an option is none of the allowed ones.

    Notes
    -----
    Sides are those of ``tracks.csv``; for self-supervised training all rows are used. Paper: Vélez Vásquez and Burgoyne
    2022, section 4.3 (medium: 25,000 tracks). Notebook: 03_tune.ipynb.
    """
    check_choices(subset=(subset, SUBSETS))
    root = Path(root).expanduser().absolute()
    layout = search(root, _holds_tracks)
    if layout is None:
        raise FileNotFoundError(f"{root} holds no FMA: no file like 000/000002.mp3 is in it; get it from {HOMEPAGE}")
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files = _described(_inventory(layout, problems), _tracks(root, subset, notes), subset=subset, notes=notes)
    n_found = len(files)
    files = _long_enough(measure(files, problems), min_seconds=min_seconds, notes=notes, problems=problems)
    if files.empty:
        raise FileNotFoundError(f"{layout} has no usable audio{first_problem(problems)}")
    whole = n_found >= N_TRACKS[subset]
    files = files.assign(evidence=evidence_of(synthetic=is_synthetic(root, layout), whole=whole))
    overlap = shared_groups(files, what="artists", notes=notes)
    clips = cut(files, seconds=seconds, short=short, remainder=remainder)
    table = clips[[*BASE, "genre", "artist", "title", "file"]]
    table.attrs.update(notes=notes, problems=problems, group_overlap_allowed=overlap)
    return validate_table(table)
