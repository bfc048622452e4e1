"""McGill Billboard: songs of the American charts, whose audio everybody has to bring."""

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import cut, is_synthetic, keep_first, measure, plain_name, walk
from reprise.data.datasets._tracks import BASE, check_choices, evidence_of, find_file, first_problem, read_table, search
from reprise.data.table import validate_table

__all__ = ["CITATION", "FOLDER_NAMES", "HOMEPAGE", "INDEX", "LICENSE", "NAME", "N_SONGS", "TITLE", "load", "recognise"]

NAME = "billboard"
TITLE = "McGill Billboard: annotations of songs from the Billboard Hot 100"
LICENSE = "CC BY 4.0 (annotations); the audio is commercial and not distributed"
HOMEPAGE = "https://ddmal.music.mcgill.ca/research/The_McGill_Billboard_Project_(Chord_Analysis_Dataset)"
CITATION = """\
@inproceedings{burgoyne2011expert,
  author    = {John Ashley Burgoyne and Jonathan Wild and Ichiro Fujinaga},
  title     = {An Expert Ground Truth Set for Audio Chord Recognition and Music Analysis},
  booktitle = {Proceedings of the 12th International Society for Music Information Retrieval Conference (ISMIR)},
  pages     = {633--638},
  year      = {2011}
}
"""
FOLDER_NAMES = ("Billboard", "McGill-Billboard", "McGill_Billboard", "mcgill-billboard")

INDEX = "billboard-2.0-index.csv"
# what the paper had; which songs is not published
N_SONGS = 712

_NUMBER = re.compile(r"(\d{1,4})(?=$|[ _.-])")
_COLUMNS = ("id", "title", "artist")


def _number(path: Path) -> str | None:
    """Number of a chart slot that a file, or else its folder, is named after."""
    matches = (_NUMBER.match(plain_name(name)) for name in (path.stem, path.parent.name))
    return next((f"{int(match[1]):04d}" for match in matches if match), None)


def _in_numbered_folder(folder: Path) -> bool:
    return folder.name.isdigit() and len(folder.name) == 4 and (folder / "salami_chords.txt").is_file()


def recognise(root: Path) -> bool:
    """Whether the index of the chart slots or a folder of annotations such as ``0003`` is in a folder."""
    return find_file(root, INDEX) is not None or search(root, _in_numbered_folder) is not None


def _described(files: pd.DataFrame, root: Path, *, songs: str, notes: list[str]) -> pd.DataFrame:
    """Add title and artist from the index; a song may have been in several slots."""
    path = find_file(root, INDEX)
    if path is None:
        notes.append(f"There is no {INDEX}: titles and artists are not known, every number counts as a song.")
        return files.assign(title=None, artist=None, group="slot " + files["clip_id"])
    index = read_table(path, separator=",", needed=_COLUMNS, homepage=HOMEPAGE)
    index = index.assign(id=[f"{int(text):04d}" if text.isdecimal() else text for text in index["id"]])
    index = index.drop_duplicates("id").set_index("id")[["title", "artist"]]
    listed = files["clip_id"].isin(index.index[index["title"] != ""])
    if not listed.all():
        notes.append(f"{(~listed).sum()} files have the number of no song in {INDEX} and are not used.")
    files = files[listed].join(index, on="clip_id")
    files = files.assign(group=files["artist"].str.casefold() + " / " + files["title"].str.casefold())
    again = files["group"].duplicated()
    if songs == "distinct" and again.any():
        notes.append(f"{again.sum()} files of a song that has an earlier number too are left out.")
        files = files[~again]
    return files.reset_index(drop=True)


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    songs: Literal["distinct", "all"] = "distinct",
) -> pd.DataFrame:
    """Clip table of one's own audio of the McGill Billboard songs.

    Parameters
    ----------
    root : str or Path
        Folder with ``billboard-2.0-index.csv`` or the folders of annotations (``0003/salami_chords.txt``) and, at any
        depth, audio whose file or folder is named after the slot: ``0003.mp3``, ``3 - I Don't Mind.flac``,
        ``0003/audio.wav``.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole songs by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.
    songs : "distinct" or "all"
        Whether a song that was drawn for several slots counts once; the index tells.

    Returns
    -------
    DataFrame
        Clip table with ``artist`` and ``title`` (None without the index) and ``file``; ``clip_id`` is the slot's
        number, ``group`` the song. All rows are ``train``: the set is for self-supervised training. ``attrs``:
        ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If the folder is not recognised or holds no audio named after a slot.
    ValueError
        If the index is damaged or an option is none of the allowed ones.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.3 (712 songs; their list is not published). Notebook:
    03_tune.ipynb.
    """
    check_choices(songs=(songs, ("distinct", "all")))
    root = Path(root).expanduser().absolute()
    if not recognise(root):
        raise FileNotFoundError(f"{root} holds neither {INDEX} nor folders of annotations; get them from {HOMEPAGE}")
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    rows = [{"clip_id": number, "path": path} for path in walk(root) if (number := _number(path))]
    if not rows:
        raise FileNotFoundError(
            f"{root} has no audio named after a slot; the audio is not distributed: put your own there as 0003.mp3 …"
        )
    files = _described(keep_first(pd.DataFrame(rows), problems), root, songs=songs, notes=notes)
    files = measure(files, problems)
    if files.empty:
        raise FileNotFoundError(f"{root} has no usable audio of a song in the index{first_problem(problems)}")
    n_songs = files["group"].nunique()
    notes.append(f"Audio of {n_songs} songs is there; the paper had {N_SONGS}.")
    evidence = evidence_of(synthetic=is_synthetic(root), whole=n_songs >= N_SONGS)
    files = files.assign(split="train", evidence=evidence)
    clips = cut(files, seconds=seconds, short=short, remainder=remainder)
    table = clips[[*BASE, "artist", "title", "file"]]
    table.attrs.update(notes=notes, problems=problems)
    return validate_table(table)
