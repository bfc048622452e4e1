"""Solo singing for vocoders: MPop600 and its substitutes, or any folder of recordings, split by song."""

from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import cut, folders, is_synthetic, measure, walk
from reprise.data.datasets._singing_files import LAYOUTS, SIDES, detect, inventory
from reprise.data.datasets._singing_split import PAPER_TEST, PAPER_VALID, choose_recordings, divide
from reprise.data.table import ClipTableError, validate_table

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "LICENSE",
    "NAME",
    "PAPER_TEST",
    "PAPER_VALID",
    "TITLE",
    "load",
    "recognise",
]

NAME = "singing"
TITLE = "Solo singing: MPop600, CSD, Opencpop, M4Singer, GTSinger, vocadito, or a folder of your own"
LICENSE = "as the data set's own; MPop600 is given on request, CSD, M4Singer and GTSinger are CC BY-NC-SA 4.0"
HOMEPAGE = "https://zenodo.org/records/4785016"
CITATION = """\
@inproceedings{chu2020mpop600,
  author    = {Chao-Chin Chu and others},
  title     = {{MPop600}: A Mandarin Popular Song Database with Aligned Audio, Lyrics, and Musical Scores for Singing
               Voice Synthesis},
  booktitle = {Asia-Pacific Signal and Information Processing Association Annual Summit and Conference (APSIPA ASC)},
  year      = {2020}
}
"""
FOLDER_NAMES = ("singing", "MPop600", "CSD", "Opencpop", "GTSinger", "M4Singer", "vocadito")

N_FULL_SONGS = 150
_MAX_PROBED = 2000


def recognise(root: Path) -> bool:
    """Whether a folder is named and filled like one of singing, or has recordings in it as a plain folder has."""
    if not root.is_dir():
        return False
    named = root.name.lower() in {name.lower() for name in FOLDER_NAMES}
    paths = [path for path, _ in zip(walk(root), range(_MAX_PROBED), strict=False)]
    if named or not paths:
        return bool(paths)
    if detect(root, paths) != "plain":
        return True
    sides = [child for child in folders(root) if child.name.lower() in SIDES]
    return any(path.parent == root for path in paths) or any(True for side in sides for _ in walk(side))


def _singers(files: pd.DataFrame, *, layout: str, root: Path, notes: list[str]) -> pd.DataFrame:
    """Put in the singers that vocadito lists in a table."""
    if layout != "vocadito":
        return files
    listed = next((path for base in (root, *root.parents[:1]) for path in base.glob("vocadito_metadata.csv")), None)
    if listed is None:
        notes.append("vocadito_metadata.csv is not there: every recording counts as a singer of its own.")
        return files
    table = pd.read_csv(listed, dtype=str, encoding_errors="replace")
    if not {"track_id", "singer_id"} <= set(table.columns):
        notes.append("vocadito_metadata.csv does not tell the singers: every recording counts as one of its own.")
        return files
    singers = dict(zip("vocadito_" + table["track_id"], table["singer_id"], strict=True))
    return files.assign(singer=[singers.get(song, song) for song in files["song"]])


def _of_singer(files: pd.DataFrame, singer: str | None) -> pd.DataFrame:
    if singer is None:
        return files
    mine = files[files["singer"] == singer]
    if mine.empty:
        raise ValueError(f"there is no singer {singer!r}; known: {', '.join(sorted(files['singer'].unique()))}")
    return mine.reset_index(drop=True)


def _evidence(files: pd.DataFrame, *, root: Path, layout: str) -> str:
    if is_synthetic(root):
        return "synthetic"
    songs = files.groupby("singer")["group"].nunique()
    return "full" if layout == "mpop600" and songs.min() >= N_FULL_SONGS else "excerpt"


def _check(scenario: str, split: str, layout: str, **counts: int | None) -> None:
    for name, value, allowed in (
        ("scenario", scenario, ("regular", "limited")),
        ("split", split, ("given", "seeded")),
        ("layout", layout, ("auto", *LAYOUTS)),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    for name, count in counts.items():
        least = 1 if name == "n_recordings" else 0
        if count is not None and count < least:
            raise ValueError(f"{name} must be at least {least}, not {count!r}")


def _files(root: Path, *, layout: str, notes: list[str], problems: list[dict[str, str]]) -> tuple[pd.DataFrame, str]:
    """Readable recordings of a folder and their layout."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is no folder; give one of solo singing, for example CSD from {HOMEPAGE}")
    files, layout = inventory(root, layout=layout, notes=notes, problems=problems)
    files = measure(files, problems)
    if files.empty:
        first = f", the first {problems[0]['path']}: {problems[0]['reason']}" if problems else ""
        raise FileNotFoundError(
            f"{root} has no readable .wav, .flac, .ogg or .mp3 of singing ({len(problems)} problems{first}); "
            f"CSD can be had from {HOMEPAGE}"
        )
    return _singers(files, layout=layout, root=root, notes=notes), layout


def load(
    root: str | Path,
    *,
    layout: str = "auto",
    singer: str | None = None,
    scenario: Literal["regular", "limited"] = "regular",
    n_recordings: int = 3,
    choice: int = 0,
    split: Literal["given", "seeded"] = "given",
    n_test: int | None = None,
    n_valid: int | None = None,
    seed: int = 0,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
) -> pd.DataFrame:
    """Clip table of a folder of solo singing, or of a part of it.

    Parameters
    ----------
    root : str or Path
        A data set's folder or a folder within it; ``.wav``, ``.flac``, ``.ogg`` or ``.mp3``.
    layout : str
        ``mpop600``, ``csd``, ``opencpop``, ``m4singer``, ``gtsinger``, ``vocadito``, ``plain``, or ``auto``: what the
        names look like.
    singer : str or None
        One singer only, as the paper's models have; by default all of them.
    scenario : "regular" or "limited"
        All training songs, or ``n_recordings`` of each singer; the other sides stay.
    n_recordings : int, > 0
        Songs of each singer in the limited scenario.
    choice : int, ≥ 0
        Which of the choices of these songs; no two have a song in common as long as the songs last.
    split : "given" or "seeded"
        The sides that folders (``train``, ``test``, …) or the published lists of MPop600 and Opencpop say, where there
        are such; or a draw in any case.
    n_test, n_valid : int or None, ≥ 0
        Songs on these sides where they are drawn. By default a fifth, at most 3 per singer, and 16 %, but none where
        fewer than 3 training songs per singer would be left: for 150 songs the paper's 3, 24 and 123.
    seed : int
        Of the draw and of the choices.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole files by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.

    Returns
    -------
    DataFrame
        Clip table with ``singer``, ``song``, ``style`` (of GTSinger, such as ``vibrato``; else None) and ``file``;
        ``group`` is the song: in CSD both keys, where titles are known the title whoever sings it. ``attrs``: ``notes``
        (sentences), ``problems`` (path, reason, action), ``layout``, ``recordings`` (groups of the training side).

    Raises
    ------
    FileNotFoundError
        If the folder has no readable singing.
    ValueError
        If the singer or an option is unknown; the message lists the known ones.
    ClipTableError
        If no clip is left.

    Notes
    -----
    Paper: two singers of MPop600, 3 h each, and three recordings in the limited scenario; which three is not known,
    hence several choices. The test songs are those of the demo page, the validation songs those of the authors' first
    commit. How MPop600 is unpacked is not published: ``f1_037.wav`` and ``f1/test/audio/037.wav`` are understood. Plain
    folders: ``[<side>/][<singer>/]<song>.wav``. GTSinger's folders named ``song01`` and the like tell no title: there a
    song is one of its singer and technique. Paired speech is left out.
    """
    _check(scenario, split, layout, n_recordings=n_recordings, choice=choice, n_test=n_test, n_valid=n_valid)
    root = Path(root).expanduser().absolute()
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files, layout = _files(root, layout=layout, notes=notes, problems=problems)
    evidence = _evidence(files, root=root, layout=layout)
    files = _of_singer(files, singer)
    sides = divide(files, layout=layout, split=split, n_test=n_test, n_valid=n_valid, seed=seed, notes=notes)
    files = files.assign(split=sides, evidence=evidence)
    training = files["split"] == "train"
    recordings = sorted(files["group"][training].unique())
    if scenario == "limited":
        recordings = choose_recordings(
            files[training], n_recordings=n_recordings, choice=choice, seed=seed, notes=notes
        )
        files = files[~training | files["group"].isin(recordings)].reset_index(drop=True)
    if files.empty:
        raise ClipTableError(f"{root}: no recording is left")
    clips = cut(files, seconds=seconds, short=short, remainder=remainder)
    columns = ["clip_id", "path", "start", "duration", "group", "split", "evidence", "singer", "song", "style", "file"]
    table = clips[columns]
    table.attrs.update(notes=notes, problems=problems, layout=layout, recordings=recordings)
    return validate_table(table)
