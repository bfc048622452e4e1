"""IRMAS: predominant instruments, 3 s training clips of one label and testing excerpts of several."""

from math import ceil
from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import cut, is_synthetic, measure
from reprise.data.datasets._instruments import INSTRUMENTS, label_columns
from reprise.data.datasets._irmas_files import GENRES, layout, testing_files, training_files
from reprise.data.table import content_hashes, disjoint_split, validate_table
from reprise.seeds import numpy_generator

__all__ = [
    "CITATION",
    "FOLDER_NAMES",
    "GENRES",
    "HOMEPAGE",
    "INSTRUMENTS",
    "LICENSE",
    "NAME",
    "N_TESTING",
    "N_TRAINING",
    "TITLE",
    "duplicates",
    "load",
    "recognise",
]

NAME = "irmas"
TITLE = "IRMAS: a dataset for instrument recognition in musical audio signals"
LICENSE = "CC BY-NC-SA 3.0 (its readme adds: no redistribution, no modification)"
HOMEPAGE = "https://www.upf.edu/web/mtg/irmas"
CITATION = """\
@inproceedings{bosch2012comparison,
  author    = {Juan J. Bosch and Jordi Janer and Ferdinand Fuhrmann and Perfecto Herrera},
  title     = {A Comparison of Sound Segregation Techniques for Predominant Instrument Recognition in Musical Audio
               Signals},
  booktitle = {Proceedings of the 13th International Society for Music Information Retrieval Conference (ISMIR)},
  pages     = {559--564},
  year      = {2012}
}
"""
FOLDER_NAMES = ("IRMAS", "irmas_dataset", "IRMAS-Sample")

N_TRAINING = 6705
N_TESTING = 2874
# the paper prints "70-30 validation/test" and counts of 30:70
FRACTION_VALID = 0.3


def recognise(root: Path) -> bool:
    """Whether a folder holds training folders or testing parts of IRMAS, or a part of them."""
    return any(layout(root))


def duplicates(table: pd.DataFrame) -> pd.DataFrame:
    """Files of a table that are equal byte for byte.

    Parameters
    ----------
    table : DataFrame
        Made by :func:`load`.

    Returns
    -------
    DataFrame
        One row per file in a set of equal ones: ``set`` (0, 1, …), ``file``, ``path``, ``labels``, ``group``,
        ``split`` and ``contradictory``: whether the labels differ within the set.

    Raises
    ------
    FileNotFoundError
        If a file is missing.

    Notes
    -----
    The full training set is known to have 56 pairs, 9 of them contradictory (acoustic against electric guitar); the
    testing set 10 pairs in one song. Equal sound in different encodings is not seen.
    """
    files = table.drop_duplicates("path").sort_values("file")
    hashes = content_hashes(files["path"])
    digests = files["path"].map(hashes)
    files = files.assign(digest=digests)[digests.duplicated(keep=False)]
    numbers = {digest: number for number, digest in enumerate(files["digest"].unique())}
    n_labels = files.groupby("digest")["labels"].transform("nunique").astype(int)
    result = files.assign(set=files["digest"].map(numbers).astype(int), contradictory=n_labels > 1)
    columns = ["set", "file", "path", "labels", "group", "split", "contradictory"]
    result.attrs = {}
    return result.sort_values(["set", "file"])[columns].reset_index(drop=True)


def _random_valid(files: pd.DataFrame, *, seed: int, notes: list[str]) -> pd.Series:
    """Draw the validation side file by file, as the paper did: songs are on both sides."""
    n_valid = min(ceil(FRACTION_VALID * len(files)), len(files) - 1)
    drawn = numpy_generator(seed, "irmas validation clips").permutation(len(files))[:n_valid]
    sides = pd.Series("test", index=files.index)
    sides.iloc[drawn] = "valid"
    valid_songs = set(files["group"][sides == "valid"])
    shared = files["group"][sides == "test"].isin(valid_songs).mean()
    notes.append(
        f"{n_valid} of {len(files)} testing clips, drawn with seed {seed}, are the validation side; {shared:.1%} of "
        "the test clips are from songs that it holds too (split='song_disjoint' keeps songs apart)."
    )
    return sides


def _songs_apart(files: pd.DataFrame, *, seed: int, notes: list[str]) -> pd.Series:
    """Draw the validation side song by song."""
    if files["group"].nunique() < 2:
        notes.append("There is one testing song only: no validation side.")
        return pd.Series("test", index=files.index)
    each = files[["group", "labels"]].explode("labels").reset_index(drop=True)
    drawn = disjoint_split(each, fraction_test=FRACTION_VALID, seed=seed, label="labels")
    songs = set(each["group"][drawn == "test"])
    sides = files["group"].isin(songs).map({True: "valid", False: "test"})
    notes.append(
        f"{len(songs)} of {files['group'].nunique()} testing songs ({(sides == 'valid').sum()} of {len(files)} clips), "
        f"drawn with seed {seed}, are the validation side."
    )
    return sides


def _collect(
    root: Path, *, side: str, notes: list[str], problems: list[dict[str, str]]
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Readable training and testing files, and the evidence they amount to."""
    training, testing = layout(root)
    wanted = {"train": [training], "test": [testing], "all": [training, testing]}[side]
    if not any(wanted):
        what = {
            "train": "IRMAS-TrainingData/<instrument>/",
            "test": "IRMAS-TestingData-Part1/Part1/ or the like with .wav and .txt",
            "all": "neither IRMAS-TrainingData/<instrument>/ nor IRMAS-TestingData-Part1/Part1/ or the like",
        }[side]
        raise FileNotFoundError(f"{root} holds no IRMAS for side={side!r}: looked for {what}; get it from {HOMEPAGE}")
    train = measure(training_files(training if side != "test" else [], notes=notes, problems=problems), problems)
    test = measure(testing_files(testing if side != "train" else [], problems), problems)
    if not len(train) + len(test):
        first = f", the first {problems[0]['path']}: {problems[0]['reason']}" if problems else ""
        raise FileNotFoundError(f"{root} has no usable audio of IRMAS ({len(problems)} problems{first})")
    whole = (side == "test" or len(train) >= N_TRAINING) and (side == "train" or len(test) >= N_TESTING)
    synthetic = any(is_synthetic(root, place) for place in [root, *training, *testing])
    return train, test, "synthetic" if synthetic else "full" if whole else "excerpt"


def _remark(train: pd.DataFrame, test: pd.DataFrame, *, side: str, notes: list[str]) -> list[str]:
    """Say what is missing; returns the instruments without a training clip."""
    for name, files, total in (("training", train, N_TRAINING), ("testing", test, N_TESTING)):
        if side in ("all", name[:-3]) and len(files) != total:
            notes.append(f"{len(files)} {name} clips, {total} in the full set.")
    missing = [code for code in INSTRUMENTS if code not in set(train["label"])] if side != "test" else []
    if missing:
        notes.append(f"Instruments without a training clip: {', '.join(missing)}.")
    return missing


def _same_audio(files: pd.DataFrame, *, drop: bool, notes: list[str]) -> tuple[pd.DataFrame, list[dict]]:
    """Find equal files, tell, and take contradictory ones out if wanted."""
    found = duplicates(files.assign(file=files["clip_id"], path=files["path"].map(str)))
    if found.empty:
        return files, []
    n_sets, against = found["set"].nunique(), found[found["contradictory"]]
    notes.append(
        f"{n_sets} sets of equal files ({len(found)} files); {against['set'].nunique()} of them with different labels"
        f"{', which are left out' if drop and len(against) else ''}."
    )
    if drop:
        files = files[~files["clip_id"].isin(against["file"])].reset_index(drop=True)
    return files, found.drop(columns="split").to_dict("records")


def _check_choices(**choices: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    side: Literal["train", "test", "all"] = "all",
    split: Literal["paper", "song_disjoint"] = "paper",
    seed: int = 0,
    same_audio: Literal["list", "drop_contradictory", "skip"] = "list",
) -> pd.DataFrame:
    """Clip table of IRMAS, or of a part of it.

    Parameters
    ----------
    root : str or Path
        The folder that holds ``IRMAS-TrainingData`` and the testing parts (``IRMAS-TestingData-Part1/Part1``,
        ``Part1``, ``IRTestingData-Part2``, …), or one of these; ``.wav``, ``.flac``, ``.ogg`` or ``.mp3``.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole files by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`. The paper pads with zeros.
    side : "train", "test" or "all"
        The training folders, the testing parts, or both.
    split : "paper" or "song_disjoint"
        How the testing clips are divided 30:70 into ``valid`` and ``test``: file by file, or so that no song is in
        both.
    seed : int
        Of that division. The paper's own one was not seeded and cannot be had.
    same_audio : "list", "drop_contradictory" or "skip"
        Whether equal files are looked for (reads every file once; the hashes are remembered), and whether those with
        different labels are left out.

    Returns
    -------
    DataFrame
        Clip table with one boolean column per code of ``INSTRUMENTS``, ``labels`` (tuple of codes), ``label`` (the code
        of a training clip), ``file`` (clip_id of the whole file), ``genre``, ``drums``, ``recording``, ``excerpt`` (of
        training clips) and ``song``, ``part`` (of testing clips), None where not given; ``group`` is the recording or
        the song. ``attrs``: ``notes`` (sentences), ``problems`` (path, reason, action), ``missing_instruments``,
        ``duplicates`` (rows of :func:`duplicates`, without the split), ``group_overlap_allowed``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold what ``side`` asks for.
    ClipTableError
        If no file is long enough.

    Notes
    -----
    Paper: section 3.6.1; there 863 of 2874 clips, 30 %, rounded up. The folder decides on the instrument. Files are
    known by folder and name: names without the folder occur twice. A song is a testing file's name without its last
    number. Training files may be a sample shorter than 3 s: with ``seconds`` of 1, 2 or 3, ``remainder="drop"`` or
    ``short="drop"`` would lose their last window.
    """
    _check_choices(
        side=(side, ("train", "test", "all")),
        split=(split, ("paper", "song_disjoint")),
        same_audio=(same_audio, ("list", "drop_contradictory", "skip")),
    )
    root = Path(root).expanduser().absolute()
    notes: list[str] = []
    problems: list[dict[str, str]] = []
    train, test, evidence = _collect(root, side=side, notes=notes, problems=problems)
    missing = _remark(train, test, side=side, notes=notes)
    files = pd.concat([part for part in (train, test) if len(part)], ignore_index=True).assign(split="train")
    found: list[dict] = []
    if same_audio != "skip":
        files, found = _same_audio(files, drop=same_audio == "drop_contradictory", notes=notes)
    testing = files[files["label"].isna()]
    if len(testing):
        divide = _random_valid if split == "paper" else _songs_apart
        files.loc[testing.index, "split"] = divide(testing, seed=seed, notes=notes)
    clips = label_columns(cut(files.assign(evidence=evidence), seconds=seconds, short=short, remainder=remainder))
    columns = ["clip_id", "path", "start", "duration", "group", "split", "evidence", "label", "labels", *INSTRUMENTS]
    table = clips[[*columns, "file", "genre", "drums", "recording", "excerpt", "song", "part"]]
    table.attrs.update(notes=notes, problems=problems, missing_instruments=missing, duplicates=found)
    table.attrs["group_overlap_allowed"] = split == "paper" and len(testing) > 0
    return validate_table(table)
