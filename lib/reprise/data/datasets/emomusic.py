"""EmoMusic: 45 s excerpts of 744 songs with the arousal and valence that listeners heard."""

from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import cut, is_synthetic, keep_first, measure, walk
from reprise.data.datasets._keys import letters_only, side_of
from reprise.data.datasets._tracks import BASE, evidence_of, find_file, first_problem, read_table, shared_groups
from reprise.data.table import validate_table

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "LICENSE",
    "NAME",
    "N_SONGS",
    "TARGETS",
    "TITLE",
    "load",
    "recognise",
]

NAME = "emomusic"
TITLE = "Emotion in Music Database (1000 songs), as used in MediaEval 2013"
LICENSE = "for research; see dataset_manual.pdf on the homepage"
HOMEPAGE = "https://cvml.unige.ch/databases/emoMusic/"
CITATION = """\
@inproceedings{soleymani2013thousand,
  author    = {Mohammad Soleymani and Micheal N. Caro and Erik M. Schmidt and Cheng-Ya Sha and Yi-Hsuan Yang},
  title     = {1000 Songs for Emotional Analysis of Music},
  booktitle = {Proceedings of the 2nd ACM International Workshop on Crowdsourcing for Multimedia},
  pages     = {1--6},
  year      = {2013}
}
"""
FOLDER_NAMES = ("EmoMusic", "emo_music", "emotion_in_music", "EMO")

TARGETS = ("arousal", "valence")
N_SONGS = {"train": 504, "valid": 115, "test": 125}

_STATIC = "static_annotations.csv"
_SONGS = "songs_info.csv"
_SET = "Mediaeval 2013 set"
_MEANS = ("mean_arousal", "mean_valence")


def recognise(root: Path) -> bool:
    """Whether a folder, or one at most two levels below, holds ``static_annotations.csv``."""
    return find_file(root, _STATIC) is not None


def _numbers(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    try:
        return frame.assign(song_id=[str(int(text)) for text in frame["song_id"]]).drop_duplicates("song_id")
    except ValueError as error:
        raise ValueError(f"{path} has a song_id that is no number ({error}); get it again from {HOMEPAGE}") from error


def _songs(root: Path) -> pd.DataFrame:
    """Annotations, artist, genre and side of each song, by its number."""
    static = find_file(root, _STATIC)
    if static is None:
        raise FileNotFoundError(f"{root} holds no {_STATIC} of EmoMusic; get it from {HOMEPAGE}")
    frame = _numbers(read_table(static, separator=",", needed=("song_id", *_MEANS), homepage=HOMEPAGE), static)
    try:
        values = {target: frame[f"mean_{target}"].astype(float) for target in TARGETS}
    except ValueError as error:
        raise ValueError(f"{static} has an annotation that is no number ({error}); get it again") from error
    frame = pd.DataFrame({"song_id": frame["song_id"], **values}).set_index("song_id")
    info = find_file(root, _SONGS)
    if info is None:
        raise FileNotFoundError(f"{root} lacks {_SONGS}, which says what is for testing; get it from {HOMEPAGE}")
    needed = ("song_id", "Artist", "Song title", "Genre", _SET)
    songs = _numbers(read_table(info, separator=",", needed=needed, homepage=HOMEPAGE), info).set_index("song_id")
    frame = frame.join(songs.rename(columns={"Artist": "artist", "Song title": "title", "Genre": "genre"}), how="inner")
    tests = frame[_SET] == "evaluation"
    names = frame["artist"].map(letters_only)
    frame["split"] = [_side(name, is_test=test) for name, test in zip(names, tests, strict=True)]
    return frame.assign(group=names.where(names != "", "song " + frame.index.to_series()))


def _side(name: str, *, is_test: bool) -> str:
    return "test" if is_test else side_of(name, n_train=8, n_valid=2)


def _audio(root: Path, songs: pd.DataFrame, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    """Files by the song's number, which is all of their name."""
    found = list(walk(root))
    rows = [{"clip_id": str(int(path.stem)), "path": path} for path in found if path.stem.isdecimal()]
    rows = [row for row in rows if row["clip_id"] in songs.index]
    notes.append(f"Audio of {len({row['clip_id'] for row in rows})} of {len(songs)} annotated songs is there.")
    if not rows:
        raise FileNotFoundError(
            f"none of {len(found)} audio files in {root} is named after one of {len(songs)} songs (2.mp3, 3.mp3, …); "
            f"get clips_45sec.tar.gz from {HOMEPAGE}"
        )
    return keep_first(pd.DataFrame(rows), problems).join(songs, on="clip_id")


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
) -> pd.DataFrame:
    """Clip table of EmoMusic, or of a part of it.

    Parameters
    ----------
    root : str or Path
        Folder with ``static_annotations.csv`` and ``songs_info.csv``, at most two levels below, and audio named after
        the song's number at any depth (``clips_45seconds/2.mp3``).
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole clips by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.

    Returns
    -------
    DataFrame
        Clip table with ``arousal`` and ``valence`` (means over listeners on the scale of the list, 1 to 9), ``artist``,
        ``title``, ``genre`` and ``file``; ``clip_id`` is the song's number, ``group``
        the artist. ``attrs``: ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If there are no annotations or no audio of an annotated song.
    ValueError
        If a list is damaged; the message names it.

    Notes
    -----
    Test songs are the evaluation set of MediaEval 2013; of the others, two in ten are validation songs by the hash of
    the artist's name. The whole set has 504, 115 and 125 songs. Probes standardise the targets on the songs that are
    not tested; R² does not depend on it. Paper: Vélez Vásquez and Burgoyne 2022, Table S2. Notebook: 03_tune.ipynb.
    """
    root = Path(root).expanduser().absolute()
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files = measure(_audio(root, _songs(root), notes, problems), problems)
    if files.empty:
        raise FileNotFoundError(f"{root} has no readable audio{first_problem(problems)}")
    whole = len(files) >= sum(N_SONGS.values())
    files = files.assign(evidence=evidence_of(synthetic=is_synthetic(root), whole=whole))
    overlap = shared_groups(files, what="artists", notes=notes)
    clips = cut(files, seconds=seconds, short=short, remainder=remainder)
    table = clips[[*BASE, *TARGETS, "artist", "title", "genre", "file"]]
    table.attrs.update(notes=notes, problems=problems, group_overlap_allowed=overlap)
    return validate_table(table)
