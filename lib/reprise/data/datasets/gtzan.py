"""GTZAN: ten genres of a hundred 30 s clips each, with the division that leaves the known faults out."""

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import cut, folders, is_synthetic, keep_first, measure, problem, unwritable, walk
from reprise.data.datasets._tracks import BASE, check_choices, evidence_of, find_file, first_problem, search
from reprise.data.table import validate_table
from reprise.seeds import numpy_generator

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "GENRES",
    "HOMEPAGE",
    "LICENSE",
    "LISTS",
    "NAME",
    "N_FILTERED",
    "TITLE",
    "load",
    "recognise",
]

NAME = "gtzan"
TITLE = "GTZAN genre collection"
LICENSE = "none known (excerpts of commercial recordings)"
# the page of the collection is gone; this is the division's own repository
HOMEPAGE = "https://github.com/coreyker/dnn-mgr"
CITATION = """\
@article{tzanetakis2002musical,
  author  = {George Tzanetakis and Perry Cook},
  title   = {Musical genre classification of audio signals},
  journal = {IEEE Transactions on Speech and Audio Processing},
  volume  = {10},
  number  = {5},
  pages   = {293--302},
  year    = {2002}
}
"""
FOLDER_NAMES = ("GTZAN", "genres", "genres_original", "gtzan_genre")

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
LISTS = {"train": "train_filtered.txt", "valid": "valid_filtered.txt", "test": "test_filtered.txt"}
N_FILTERED = {"train": 443, "valid": 197, "test": 290}

_NAME = re.compile(rf"(?P<genre>{'|'.join(GENRES)})\.(?P<number>\d{{5}})")


def _layout(root: Path) -> Path | None:
    """Folder that holds the genres' folders: ``root``, or at most two levels below."""

    def holds_genres(folder: Path) -> bool:
        genres = [child for child in folders(folder) if child.name.lower() in GENRES]
        return any(_NAME.fullmatch(path.stem.lower()) for child in genres for path in walk(child))

    return search(root, holds_genres)


def recognise(root: Path) -> bool:
    """Whether a folder holds ``<genre>/<genre>.NNNNN`` files, or a part of them."""
    return _layout(root) is not None


def _inventory(layout: Path, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    rows = []
    elsewhere = 0
    for path in walk(layout):
        folder, match = path.parent.name.lower(), _NAME.fullmatch(path.stem.lower())
        if folder not in GENRES or path.parent.parent != layout:
            elsewhere += 1
        elif unwritable(path) or match is None:
            problems.append(problem(path, reason="its name has not the form <genre>.NNNNN", action="excluded"))
        else:
            if match["genre"] != folder:
                reason = f"named after {match['genre']} in the folder of {folder}"
                problems.append(problem(path, reason=reason, action="folder's genre kept"))
            rows.append({"clip_id": path.stem.lower(), "path": path, "genre": folder})
    if elsewhere:
        notes.append(f"{elsewhere} audio files lie in no genre's folder and are not used.")
    return keep_first(pd.DataFrame(rows), problems)


def _published() -> dict[str, list[str]]:
    """Fault-filtered lists as torchaudio ships them."""
    from torchaudio.datasets import gtzan

    return {"train": gtzan.filtered_train, "valid": gtzan.filtered_valid, "test": gtzan.filtered_test}


def _lists(root: Path, notes: list[str]) -> dict[str, str]:
    """Side of each clip that the fault-filtered division keeps: from files beside the audio, else from torchaudio."""
    paths = {side: find_file(root, name) for side, name in LISTS.items()}
    found = {side: path for side, path in paths.items() if path is not None}
    if not found:
        lists = _published()
    elif len(found) < len(LISTS):
        missing = ", ".join(name for side, name in LISTS.items() if side not in found)
        raise FileNotFoundError(f"{root} has some lists of the division but lacks {missing}; add it or remove them all")
    else:
        lists = {side: path.read_text(encoding="utf-8-sig").split() for side, path in found.items()}
    notes.append(f"Fault-filtered division from {'files beside the audio' if found else 'the lists in torchaudio'}.")
    stems = {side: [Path(entry).name.lower() for entry in entries] for side, entries in lists.items()}
    sides = {match[0]: side for side, names in stems.items() for name in names if (match := _NAME.match(name))}
    if len(sides) != sum(map(len, stems.values())):
        raise ValueError(f"{', '.join(LISTS.values())} in {root} name a clip twice, or what is no clip of GTZAN")
    return sides


def _filtered(files: pd.DataFrame, root: Path, notes: list[str]) -> pd.DataFrame:
    sides = _lists(root, notes)
    kept = files["clip_id"].isin(sides)
    if not kept.any():
        raise FileNotFoundError(
            f"none of {len(files)} clips in {root} is in the fault-filtered lists; use another split"
        )
    if not kept.all():
        notes.append(f"{(~kept).sum()} clips are left out as faulty: repetitions, distortions or wrong labels.")
    files = files[kept].reset_index(drop=True)
    counts = {side: f"{(files['clip_id'].map(sides) == side).sum()} of {n}" for side, n in _sizes(sides).items()}
    notes.append("Clips that are there: " + ", ".join(f"{side} {text}" for side, text in counts.items()) + ".")
    return files.assign(split=files["clip_id"].map(sides))


def _sizes(sides: dict[str, str]) -> dict[str, int]:
    return {side: sum(value == side for value in sides.values()) for side in LISTS}


def _stratified(files: pd.DataFrame, *, seed: int, notes: list[str]) -> pd.DataFrame:
    """Draw each genre's clips in the proportions of the fault-filtered division."""
    total = sum(N_FILTERED.values())
    sides = pd.Series("train", index=files.index)
    for genre, members in files.groupby("genre", sort=True):
        order = numpy_generator(seed, "gtzan split", str(genre)).permutation(members.index.to_numpy())
        n_test, n_valid = (round(len(order) * N_FILTERED[side] / total) for side in ("test", "valid"))
        sides[order[:n_test]] = "test"
        sides[order[n_test : n_test + n_valid]] = "valid"
    notes.append(f"Clips drawn with seed {seed}, genre by genre: artists may be on several sides.")
    return files.assign(split=sides)


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    split: Literal["fault_filtered", "stratified"] = "fault_filtered",
    seed: int = 0,
) -> pd.DataFrame:
    """Clip table of GTZAN, or of a part of it.

    Parameters
    ----------
    root : str or Path
        Folder with the genres' folders, these perhaps one or two levels below (``genres/blues/blues.00000.wav``).
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole clips by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.
    split : "fault_filtered" or "stratified"
        The published division, which keeps artists apart and leaves 70 faulty clips out, from ``train_filtered.txt``,
        ``valid_filtered.txt`` and ``test_filtered.txt`` if they lie with the audio and else from torchaudio's copy of
        them; or all clips in the same proportions, drawn genre by genre.
    seed : int
        Of the stratified division.

    Returns
    -------
    DataFrame
        Clip table with ``genre`` (one of ``GENRES``), ``label`` (the same) and ``file``; ``group`` is the clip: who
        plays is not known. ``attrs``: ``notes``, ``problems``, ``missing_genres``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the data set, or only some of the lists.
    ValueError
        If a list names a clip twice or an option is none of the allowed ones.

    Notes
    -----
    The lists hold 443, 197 and 290 clips (Kereliuk, Sturm and Larsen 2015). The repetitions, distortions and wrong
    labels behind the 70 that are missing go back to Sturm's analysis of 2013. ``jazz.00054``, a training clip, is
    damaged in some copies: it is then among the problems. Paper: Vélez Vásquez and Burgoyne 2022, section 4.3.
    Notebook: 03_tune.ipynb.
    """
    check_choices(split=(split, ("fault_filtered", "stratified")))
    root = Path(root).expanduser().absolute()
    layout = _layout(root)
    if layout is None:
        raise FileNotFoundError(
            f"{root} holds no GTZAN: no file <genre>/<genre>.NNNNN.wav with a genre of {', '.join(GENRES)} is in it"
        )
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files = _inventory(layout, notes, problems)
    files = _filtered(files, root, notes) if split == "fault_filtered" else files
    files = measure(files, problems)
    if files.empty:
        raise FileNotFoundError(f"{layout} has no readable audio{first_problem(problems)}")
    files = _stratified(files, seed=seed, notes=notes) if split == "stratified" else files
    missing = [genre for genre in GENRES if genre not in set(files["genre"])]
    if missing:
        notes.append(f"Genres without a clip: {', '.join(missing)}.")
    whole = len(files) >= (sum(N_FILTERED.values()) if split == "fault_filtered" else 100 * len(GENRES)) - 1
    evidence = evidence_of(synthetic=is_synthetic(root, layout), whole=whole)
    files = files.assign(evidence=evidence, group=files["clip_id"], label=files["genre"])
    clips = cut(files, seconds=seconds, short=short, remainder=remainder)
    table = clips[[*BASE, "label", "genre", "file"]]
    table.attrs.update(notes=notes, problems=problems, missing_genres=missing)
    return validate_table(table)
