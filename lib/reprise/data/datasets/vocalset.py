"""VocalSet: twenty singers, seventeen singing techniques, scales, arpeggios, long tones and songs."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import soundfile

from reprise.data.table import ClipTableError, disjoint_split, split_clips, validate_table
from reprise.seeds import numpy_generator

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "LICENSE",
    "NAME",
    "OFFICIAL_TEST_SINGERS",
    "SINGERS",
    "TECHNIQUES",
    "TITLE",
    "load",
    "recognise",
    "takes",
]

NAME = "vocalset"
TITLE = "VocalSet: A Singing Voice Dataset"
LICENSE = "CC BY 4.0"
HOMEPAGE = "https://zenodo.org/records/1193957"
CITATION = """\
@inproceedings{wilkins2018vocalset,
  author    = {Julia Wilkins and Prem Seetharaman and Alison Wahl and Bryan Pardo},
  title     = {{VocalSet}: A Singing Voice Dataset},
  booktitle = {Proceedings of the 19th International Society for Music Information Retrieval Conference (ISMIR)},
  pages     = {468--474},
  year      = {2018}
}
"""
FOLDER_NAMES = ("VocalSet", "VocalSet11", "VocalSet1-1", "VocalSet1-2", "VocalSet12", "vocal_set")

TECHNIQUES = (
    "belt",
    "breathy",
    "inhaled",
    "lip_trill",
    "spoken",
    "straight",
    "trill",
    "trillo",
    "vibrato",
    "vocal_fry",
)
SINGERS = tuple([f"female{k}" for k in range(1, 10)] + [f"male{k}" for k in range(1, 12)])
OFFICIAL_TEST_SINGERS = ("female2", "female8", "male3", "male5", "male10")

N_VALID_SINGERS = 3
FRACTION_TEST_SINGERS = 0.25
MIN_FULL_FILES = 1500
# a stream without a length is announced as one of millions of years
MAX_SECONDS = 86400.0

# the same takes by technique and by vowel, which version 1.2 repeats
_COPIES = {"data_by_technique", "data_by_vowel"}
# best first: of two encodings of one take the better one stays
_EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3")
_REMOVED = {"f2_scales_vibrato_a(1)", "caro_vibrato", "dona_vibrato", "row_vibrato", "slow_vibrato_arps"}
_MISPLACED = {("fast_forte", "arps_fast_piano_c"): "fast_piano"}
_PREFIX = re.compile(r"^([fm])(\d{1,2})(?=_)", re.IGNORECASE)
_VOWEL = re.compile(r"[aeiou]")


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "__MACOSX"


def _folders(base: Path) -> list[Path]:
    return sorted(path for path in base.iterdir() if path.is_dir() and not _hidden(path))


def _layout(root: Path) -> Path | None:
    """Folder that holds the singers' folders: ``root``, or at most two levels below."""
    level = [root] if root.is_dir() else []
    for _ in range(3):
        below: list[Path] = []
        for folder in level:
            children = _folders(folder)
            if any(child.name.lower() in SINGERS for child in children):
                return folder
            below += [child for child in children if child.name.lower() not in _COPIES]
        level = below
    return None


def recognise(root: Path) -> bool:
    """Whether a folder holds VocalSet in the layout of version 1.1 or 1.2, or a part of it."""
    return _layout(root) is not None


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if _hidden(path):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix.lower() in _EXTENSIONS:
            yield path


def _vowel(stem: str) -> str | None:
    found = [token for token in re.sub(r"\(\d+\)$", "", stem).split("_") if _VOWEL.fullmatch(token)]
    return found[-1] if found else None


def _prefix_singer(stem: str) -> str | None:
    match = _PREFIX.match(stem)
    return f"{'female' if match[1].lower() == 'f' else 'male'}{int(match[2])}" if match else None


def _problem(path: Path, reason: str, action: str) -> dict[str, str]:
    return {"path": str(path), "reason": reason, "action": action}


def _inventory(layout: Path, notes: list[str]) -> pd.DataFrame:
    """All audio files four levels below the layout folder, whatever their technique."""
    rows: list[dict[str, Any]] = []
    elsewhere = 0
    for path in _walk(layout):
        parts = path.relative_to(layout).parts
        if len(parts) != 4 or parts[0].lower() not in SINGERS:
            elsewhere += 1
            continue
        singer, context, technique = (part.lower().replace(" ", "_") for part in parts[:3])
        rows.append(
            {
                "path": path,
                "take": path.relative_to(layout).with_suffix("").as_posix(),
                "singer": singer,
                "context": context,
                "technique": _MISPLACED.get((technique, path.stem), technique),
                "vowel": _vowel(path.stem),
                "named": _prefix_singer(path.stem),
                "moved": (technique, path.stem) in _MISPLACED,
                "rank": _EXTENSIONS.index(path.suffix.lower()),
            }
        )
    if elsewhere:
        notes.append(f"{elsewhere} audio files lie outside <singer>/<context>/<technique>/ and are not used.")
    if not rows:
        raise FileNotFoundError(f"{layout} has no audio in <singer>/<context>/<technique>/; unpack VocalSet there")
    # pandas would make a missing vowel a NaN
    return pd.DataFrame(rows).assign(vowel=pd.Series([row["vowel"] for row in rows], dtype=object))


def _repair(files: pd.DataFrame, notes: list[str], problems: list[dict[str, str]]) -> pd.DataFrame:
    """Apply what is known to be wrong with the published files; the folder decides on singer and technique."""
    for path in files["path"][files["moved"]]:
        problems.append(_problem(path, "a fast_piano take in the folder fast_forte", "counted as fast_piano"))
    removed = (files["technique"] == "vibrato") & files["path"].map(lambda path: path.stem in _REMOVED)
    for path in files["path"][removed]:
        problems.append(_problem(path, "a duplicate or unlisted take, known from earlier users", "excluded"))
    files = files[~removed].sort_values(["take", "rank"], kind="stable")
    twice = files["take"].duplicated()
    for path in files["path"][twice]:
        problems.append(_problem(path, "a second encoding of a take", "excluded"))
    files = files[~twice]
    nameless = files["named"].isna().sum()
    if nameless:
        notes.append(f"{nameless} files have no singer in their name; the folder says who sings.")
    strangers = files[files["named"].notna() & (files["named"] != files["singer"])]
    for path, named, singer in zip(strangers["path"], strangers["named"], strangers["singer"], strict=True):
        problems.append(_problem(path, f"named after {named} in the folder of {singer}", "folder kept"))
    others = files[~files["technique"].isin(TECHNIQUES)]
    if len(others):
        kinds = ", ".join(f"{name} {count}" for name, count in others["technique"].value_counts().sort_index().items())
        notes.append(f"{len(others)} files are in folders of no technique class and are not used: {kinds}.")
    return files[files["technique"].isin(TECHNIQUES)].reset_index(drop=True)


def _seconds(path: Path) -> float | str:
    try:
        header = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        return str(getattr(error, "error_string", error))
    seconds = header.frames / header.samplerate
    return seconds if seconds < MAX_SECONDS else "its header does not tell its length"


def _durations(files: pd.DataFrame, problems: list[dict[str, str]]) -> pd.DataFrame:
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool:
        lengths = list(pool.map(_seconds, files["path"]))
    for path, length in zip(files["path"], lengths, strict=True):
        if isinstance(length, str):
            problems.append(_problem(path, f"not readable as audio: {length}", "excluded"))
    readable = pd.Series([isinstance(length, float) for length in lengths], index=files.index, dtype=bool)
    return files[readable].assign(duration=[length for length in lengths if isinstance(length, float)])


def _evidence(layout: Path, root: Path, files: pd.DataFrame) -> str:
    folders = [layout, *layout.parents]
    # two folders above what the user points to: the marker lies beside data_by_singer's parent
    above = folders[: folders.index(root) + 3]
    if any((folder / "SYNTHETIC.json").is_file() for folder in above):
        return "synthetic"
    whole = files["singer"].nunique() == len(SINGERS) and files["technique"].nunique() == len(TECHNIQUES)
    return "full" if whole and len(files) >= MIN_FULL_FILES else "excerpt"


def _sides(clips: pd.DataFrame, split: pd.Series) -> pd.Series:
    """On how many of the two sides each technique has clips."""
    return split.groupby(clips["technique"]).nunique()


def _both_sides(clips: pd.DataFrame, split: pd.Series) -> int:
    return int((_sides(clips, split) == 2).sum())


def _train_test(clips: pd.DataFrame, *, seed: int, notes: list[str]) -> pd.Series:
    """Official test singers, or a seeded choice where a part of the data set leaves them without sense."""
    official = clips["singer"].isin(OFFICIAL_TEST_SINGERS).map({True: "test", False: "train"}).rename("split")
    present = set(clips["singer"])
    if len(present) == len(SINGERS):
        return official
    if len(present) == 1:
        notes.append(f"Only {present.pop()} is there: all clips are training clips and there is no test side.")
        return official.map(lambda _: "train")
    ours = disjoint_split(clips, fraction_test=FRACTION_TEST_SINGERS, seed=seed, label="technique", group="singer")
    if official.nunique() == 2 and _both_sides(clips, official) >= _both_sides(clips, ours):
        return official
    absent = sorted(set(OFFICIAL_TEST_SINGERS) - present, key=SINGERS.index)
    lost = [name for name in TECHNIQUES if (clips["technique"] == name).any() and _sides(clips, official)[name] < 2]
    notes.append(
        "The official split is not usable on this part of VocalSet "
        f"(test singers missing: {', '.join(absent) or 'none'}; "
        f"techniques on one side only: {', '.join(lost) or 'none'}): "
        f"a singer-disjoint split with seed {seed} takes its place, test singers: "
        f"{', '.join(sorted(set(clips['singer'][ours == 'test']), key=SINGERS.index))}."
    )
    return ours


def _hold_out(clips: pd.DataFrame, split: pd.Series, *, seed: int, notes: list[str]) -> pd.Series:
    """Turn a seeded choice of training singers into the validation side."""
    singers = sorted(set(clips["singer"][split == "train"]), key=SINGERS.index)
    if len(singers) < 2:
        notes.append(f"No singer can be held out for validation: training has {len(singers)}.")
        return split
    n_valid = max(1, min(N_VALID_SINGERS, len(singers) // 4))
    if n_valid < N_VALID_SINGERS:
        notes.append(
            f"Only {n_valid} of {len(singers)} training singers held out for validation, not {N_VALID_SINGERS}."
        )
    valid = numpy_generator(seed, "vocalset valid singers").choice(singers, n_valid, replace=False)
    return split.mask(clips["singer"].isin(valid), "valid")


def _remarks(
    files: pd.DataFrame, clips: pd.DataFrame, *, seconds: float, short: str, notes: list[str]
) -> dict[str, Any]:
    n_short = int((files["duration"] < seconds - 1e-6).sum())
    if n_short:
        what = "dropped" if short == "drop" else "kept, to be padded"
        notes.append(f"{n_short} of {len(files)} takes are shorter than {seconds:g} s: {what}.")
    missing_techniques = [name for name in TECHNIQUES if name not in set(clips["technique"])]
    missing_singers = [name for name in SINGERS if name not in set(clips["singer"])]
    if missing_techniques:
        notes.append(f"Techniques without a clip: {', '.join(missing_techniques)}.")
    if missing_singers:
        notes.append(f"Singers without a clip: {', '.join(missing_singers)}.")
    return {"missing_techniques": missing_techniques, "missing_singers": missing_singers}


def takes(root: str | Path) -> pd.DataFrame:
    """Every readable take of the ten techniques, however short, as the recordings lie on disk.

    Parameters
    ----------
    root : str or Path
        As for :func:`load`.

    Returns
    -------
    DataFrame
        ``take, path, singer, context, technique, vowel, duration`` (s); ``attrs`` has ``notes`` and ``problems``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no VocalSet.
    """
    root = Path(root).expanduser().absolute()
    layout = _layout(root)
    if layout is None:
        raise FileNotFoundError(
            f"{root} holds no VocalSet: neither FULL/<singer>/ nor data_by_singer/<singer>/ is in it; "
            f"get it from {HOMEPAGE}"
        )
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    files = _durations(_repair(_inventory(layout, notes), notes, problems), problems)
    files = files.assign(evidence=_evidence(layout, root, files))
    files.attrs.update(notes=notes, problems=problems)
    return files.drop(columns=["named", "moved", "rank"])


def load(
    root: str | Path,
    *,
    seconds: float = 3.0,
    short: Literal["drop", "pad"] = "drop",
    remainder: Literal["drop", "pad"] = "drop",
    split: Literal["official", "held_out_singers"] = "official",
    seed: int = 0,
) -> pd.DataFrame:
    """Clip table of VocalSet, or of a part of it.

    Parameters
    ----------
    root : str or Path
        The data set's folder: version 1.1 (``FULL/female1/…``), 1.2 (``VocalSet1-2/data_by_singer/female1/…``), or the
        folder of the singers itself; ``.wav``, ``.flac``, ``.ogg`` or ``.mp3``.
    seconds : float, s, > 0
        Clip length; clips do not overlap.
    short, remainder : "drop" or "pad"
        What becomes of takes shorter than a clip, and of the end of longer ones: see
        :func:`reprise.data.table.split_clips`.
    split : "official" or "held_out_singers"
        15 training and 5 test singers; or the same with 3 of the training singers as ``valid``, so that a choice
        between models need not look at the test singers.
    seed : int
        Of the choice of singers, where there is one.

    Returns
    -------
    DataFrame
        Clip table with the columns ``technique``, ``singer``, ``context``, ``vowel`` (None where there is none) and
        ``take``; ``group`` is the singer. ``attrs``: ``notes`` (sentences), ``problems`` (path, reason, action),
        ``missing_techniques``, ``missing_singers``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no VocalSet.
    ClipTableError
        If no take is long enough.

    Notes
    -----
    Technique and singer are read from the folders, never from file names. Where a partial copy lacks the test or the
    training singers, or techniques on one of the sides, a seeded split without common singers takes over and
    ``notes`` says so. With all 20 singers the official split always stays.
    """
    if split not in ("official", "held_out_singers"):
        raise ValueError(f"split must be 'official' or 'held_out_singers', not {split!r}")
    files = takes(root)
    notes, problems = files.attrs["notes"], files.attrs["problems"]
    clips = split_clips(files.assign(clip_id=files["take"]), seconds=seconds, short=short, remainder=remainder)
    if clips.empty:
        raise ClipTableError(
            f"no clip of {seconds:g} s in {root}: {len(files)} readable takes of the ten techniques, the longest "
            f"{files['duration'].max() if len(files) else 0:.2f} s; use short='pad' or fewer seconds"
        )
    remarks = _remarks(files, clips, seconds=seconds, short=short, notes=notes)
    sides = _train_test(clips, seed=seed, notes=notes)
    if split == "held_out_singers":
        sides = _hold_out(clips, sides, seed=seed, notes=notes)
    columns = ["clip_id", "path", "start", "duration", "group", "split", "evidence"]
    columns += ["technique", "singer", "context", "vowel", "take"]
    table = clips.assign(path=clips["path"].map(str), group=clips["singer"], split=sides)[columns]
    table.attrs.update(notes=notes, problems=problems, **remarks)
    return validate_table(table)
