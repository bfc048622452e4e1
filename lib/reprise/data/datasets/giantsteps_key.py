"""GiantSteps key: two-minute excerpts of electronic dance music with their keys; the MTG set for training."""

import json
import re
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from reprise.data.datasets._files import cut, is_synthetic, keep_first, measure, plain_name, problem, walk
from reprise.data.datasets._keys import KEYS, artist_sides, parse_key
from reprise.data.datasets._tracks import BASE, evidence_of, first_problem, levels, read_table, search, shared_groups
from reprise.data.table import validate_table

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "KEYS",
    "LICENSE",
    "NAME",
    "N_SONGS",
    "TITLE",
    "load",
    "parse_key",
    "recognise",
]

NAME = "giantsteps_key"
TITLE = "GiantSteps key and GiantSteps MTG key: electronic dance music with keys"
LICENSE = "CC BY-SA 4.0 (annotations); the audio belongs to its labels"
HOMEPAGE = "https://github.com/GiantSteps/giantsteps-key-dataset"
CITATION = """\
@inproceedings{knees2015two,
  author    = {Peter Knees and Ángel Faraldo and Perfecto Herrera and Richard Vogl and Sebastian Böck and
               Florian Hörschläger and Mickael Le Goff},
  title     = {Two Data Sets for Tempo Estimation and Key Detection in Electronic Dance Music Annotated from User
               Corrections},
  booktitle = {Proceedings of the 16th International Society for Music Information Retrieval Conference (ISMIR)},
  pages     = {364--370},
  year      = {2015}
}
"""
FOLDER_NAMES = ("GiantSteps_key", "GiantStepsKey", "giantsteps-key", "GiantSteps", "giantsteps-key-dataset")

# songs with a single key that the annotator was sure of (MTG), and the whole test set
N_SONGS = {"train": 923, "valid": 236, "test": 604}

_NUMBER = re.compile(r"(\d+)(?!\d)")
_MTG_LIST = Path("annotations") / "annotations.txt"
_MTG_ARTISTS = Path("annotations") / "beatport_metadata.txt"
_KEY_FILES = Path("annotations") / "key"
_REVISED_FILES = Path("keys_gs+")
_SURE = "2"


def _is_part(folder: Path) -> bool:
    """Whether annotations of one of the sets are in a folder."""
    return any((folder / name).exists() for name in (_MTG_LIST, _KEY_FILES, _REVISED_FILES))


def recognise(root: Path) -> bool:
    """Whether a folder holds annotations of the GiantSteps key or the GiantSteps MTG key set."""
    return search(root, _is_part) is not None


def _number(name: str) -> str | None:
    match = _NUMBER.match(name)
    return str(int(match[1])) if match else None


def _key_file_songs(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """Test songs of a folder with one file per key."""
    rows = []
    for path in sorted(folder.glob(pattern)):
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        rows.append({"number": _number(path.name), "key": lines[0] if lines else "", "split": "test", "source": path})
        rows[-1]["artist"] = _revised_artist(folder.parent / "meta" / f"{path.stem}.json")
    return [row for row in rows if row["number"]]


def _revised_artist(path: Path) -> str | None:
    try:
        return ", ".join(artist["name"] for artist in json.loads(path.read_text(encoding="utf-8"))["artists"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the artist is a remark: songs are known without it


def _mtg_songs(folder: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Training and validation songs: one sure key each; the artists decide on the side."""
    path, artists = folder / _MTG_LIST, folder / _MTG_ARTISTS
    frame = read_table(path, separator="\t", needed=("ID", "MANUAL KEY", "C"), homepage=HOMEPAGE)
    known = pd.Series(dtype=object)
    if artists.is_file():
        people = read_table(artists, separator="\t", needed=("ID", "ARTIST"), homepage=HOMEPAGE)
        known = people.drop_duplicates("ID").set_index("ID")["ARTIST"]
    else:
        notes.append(f"There is no {artists.name}: artists are not known and may be on both sides of training.")
    # songs without an artist stand for themselves; the sides come from all songs, whatever audio is there
    sides = artist_sides(
        pd.concat([known, pd.Series({number: number for number in frame["ID"] if number not in known})])
    )
    usable = (frame["C"] == _SURE) & ~frame["MANUAL KEY"].str.contains("/")
    notes.append(f"{(~usable).sum()} of {len(frame)} MTG songs have an uncertain key or several and are left out.")
    return [
        {"number": str(int(number)), "key": key, "split": sides[number], "source": path, "artist": known.get(number)}
        for number, key in frame.loc[usable, ["ID", "MANUAL KEY"]].itertuples(index=False)
    ]


def _songs(root: Path, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    """All annotated songs with a single key."""
    rows: list[dict[str, Any]] = []
    parts = [folder for folder in levels(root) if _is_part(folder)]
    for folder in parts:
        if (folder / _MTG_LIST).is_file():
            rows += _mtg_songs(folder, notes)
        elif (folder / _KEY_FILES).is_dir():
            rows += _key_file_songs(folder / _KEY_FILES, "*.key")
    for folder in parts:
        # a revision of the test songs: the first annotation is the one that papers use
        revised = _key_file_songs(folder / _REVISED_FILES, "*.txt")
        rows += [row for row in revised if row["number"] not in {other["number"] for other in rows}]
    single = []
    for row in rows:
        label = parse_key(row["key"])
        if label is None:
            reason = f"song {row['number']}: {row['key']!r} is not one major or minor key"
            problems.append(problem(row["source"], reason=reason, action="song left out"))
        else:
            single.append(row | {"label": label})
    if not single:
        raise FileNotFoundError(
            f"{root} holds no key annotations: neither {_KEY_FILES}/*.key nor {_MTG_LIST} with a usable key is in it; "
            f"get them from {HOMEPAGE}"
        )
    return pd.DataFrame(single).drop_duplicates("number").drop(columns=["key", "source"]).set_index("number")


def _audio(root: Path, songs: pd.DataFrame, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    """Files by the number that their names begin with."""
    found = list(walk(root))
    rows = [{"clip_id": _number(plain_name(path.name)), "path": path} for path in found]
    rows = [row for row in rows if row["clip_id"] in songs.index]
    notes.append(f"Audio of {len({row['clip_id'] for row in rows})} of {len(songs)} songs with a single key is there.")
    if not rows:
        raise FileNotFoundError(
            f"none of {len(found)} audio files in {root} begins with the number of one of {len(songs)} songs; "
            "get the audio with audio_dl.sh of the data set"
        )
    files = keep_first(pd.DataFrame(rows), problems)
    return files.join(songs, on="clip_id")


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
) -> pd.DataFrame:
    """Clip table of GiantSteps key (testing) and GiantSteps MTG key (training, validation), or of a part of them.

    Parameters
    ----------
    root : str or Path
        Folder that holds ``giantsteps-key-dataset`` and ``giantsteps-mtg-key-dataset`` (any names), each with its
        ``annotations`` and perhaps ``audio``, or one of them; audio at any depth, its names beginning with the
        song's number: ``1234749.LOFI.mp3``. ``keys_gs+`` of the revised test set is read too.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole excerpts by default. The usual probes take 30 s.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`. The usual probes drop both.

    Returns
    -------
    DataFrame
        Clip table with ``label`` (one of ``KEYS``: ``C major`` … ``B minor``, black keys with flats), ``key`` (its
        place in ``KEYS``), ``artist`` (None where not given) and ``file``; ``clip_id`` is the song's number, ``group``
        its artists or else the song. ``attrs``: ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If there are no annotations or no audio of an annotated song.
    ValueError
        If a list is damaged; the message names it.

    Notes
    -----
    MTG songs count if the annotator was sure (``C`` is 2) of a single key; the hash of an artist's name decides on the
    side, with collaborators following. In 30 s windows without remainders the whole sets have 3,687, 942 and 2,406.
    Paper: Vélez Vásquez and Burgoyne 2022, Table S2. Notebook: 03_tune.ipynb.
    """
    root = Path(root).expanduser().absolute()
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files = measure(_audio(root, _songs(root, notes, problems), notes, problems), problems)
    if files.empty:
        raise FileNotFoundError(f"{root} has no readable audio{first_problem(problems)}")
    counts = files["split"].value_counts()
    whole = all(counts.get(side, 0) >= n for side, n in N_SONGS.items())
    groups = files["artist"].where(files["artist"].notna(), "song " + files["clip_id"])
    # the two sets were collected apart: an artist of both is no leak between training and validation
    groups = groups.where(files["split"] != "test", "test " + groups)
    files = files.assign(
        group=groups,
        key=files["label"].map(KEYS.index),
        evidence=evidence_of(synthetic=is_synthetic(root), whole=whole),
    )
    overlap = shared_groups(files, what="artists", notes=notes)
    clips = cut(files, seconds=seconds, short=short, remainder=remainder)
    table = clips[[*BASE, "label", "key", "artist", "file"]]
    table.attrs.update(notes=notes, problems=problems, group_overlap_allowed=overlap)
    return validate_table(table)
