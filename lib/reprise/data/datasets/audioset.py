"""AudioSet: the clips of eleven instruments, from the official lists and a folder of downloaded audio."""

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from reprise.data.datasets._files import EXTENSIONS, cut, folders, is_synthetic, keep_first, measure, problem, walk
from reprise.data.datasets._instruments import INSTRUMENTS, label_columns, ordered
from reprise.data.table import validate_table
from reprise.seeds import numpy_generator

__all__ = [
    "CITATION",
    "EXCLUDED",
    "FOLDER_NAMES",
    "HOMEPAGE",
    "INSTRUMENTS",
    "LICENSE",
    "LISTS",
    "MIDS",
    "NAME",
    "N_PAPER",
    "TITLE",
    "load",
    "recognise",
]

NAME = "audioset"
TITLE = "AudioSet: an ontology and human-labeled dataset for audio events"
LICENSE = "CC BY 4.0 (lists), CC BY-SA 4.0 (ontology); the audio belongs to its uploaders"
HOMEPAGE = "https://research.google.com/audioset/download.html"
CITATION = """\
@inproceedings{gemmeke2017audioset,
  author    = {Jort F. Gemmeke and Daniel P. W. Ellis and Dylan Freedman and Aren Jansen and Wade Lawrence and
               R. Channing Moore and Manoj Plakal and Marvin Ritter},
  title     = {Audio Set: An ontology and human-labeled dataset for audio events},
  booktitle = {Proceedings of the IEEE International Conference on Acoustics, Speech and Signal Processing (ICASSP)},
  pages     = {776--780},
  year      = {2017}
}
"""
FOLDER_NAMES = ("AudioSet", "audio_set", "AudioSet11")

LISTS = ("balanced_train_segments", "unbalanced_train_segments", "eval_segments")
MIDS = {
    "/m/01xqw": "cel",
    "/m/01wy6": "cla",
    "/m/0l14j_": "flu",
    "/m/042v_gx": "gac",
    "/m/02sgy": "gel",
    "/m/013y1f": "org",
    "/m/05r5c": "pia",
    "/m/06ncr": "sax",
    "/m/07gql": "tru",
    "/m/07y_7": "vio",
    "/m/02qldy": "voi",
    "/m/01h8n0": "voi",
    "/m/02zsn": "voi",
    "/m/05zppz": "voi",
    "/t/dd00005": "voi",
    "/t/dd00004": "voi",
    "/t/dd00003": "voi",
    "/m/0l14jd": "voi",
}
EXCLUDED = {"/m/0d8_n": "pizzicato", "/m/01s0ps": "electric piano"}
# what the authors could download; nobody can have the same clips again
N_PAPER = 20885
SECONDS = 10.0

_NARRATION = "Table 3.2 prints /m/02qlsy for narration; the ontology's /m/02qldy is used."
_CLIP = re.compile(r"(?P<ytid>[\w-]{11})(?:_(?P<start>\d+(?:\.\d+)?)(?:_\d+(?:\.\d+)?)?)?", re.ASCII)


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and path.stem in LISTS


def recognise(root: Path) -> bool:
    """Whether one of the official lists is in a folder or directly below."""
    places = [root, *folders(root)] if root.is_dir() else []
    return any((place / f"{name}.csv").is_file() for place in places for name in LISTS)


def _read_list(path: Path, *, exclude: bool) -> tuple[pd.DataFrame, int]:
    """Wanted segments of one list, and how many the exclusions took away."""
    try:
        rows = pd.read_csv(
            path,
            comment="#",
            header=None,
            names=["ytid", "begin", "end", "mids"],
            dtype={"ytid": str, "begin": float, "end": float, "mids": str},
            skipinitialspace=True,
            keep_default_na=False,
        )
    except ValueError as error:
        raise ValueError(f"{path} is no list of AudioSet segments ({error}); get it again from {HOMEPAGE}") from error
    # a search by text first: the unbalanced list has two million rows
    rows = rows[rows["mids"].str.contains("|".join(map(re.escape, MIDS)), regex=True)]
    mids = rows["mids"].str.split(",").map(tuple)
    labels = mids.map(lambda names: ordered(MIDS[mid] for mid in names if mid in MIDS))
    unwanted = mids.map(lambda names: exclude and not EXCLUDED.keys().isdisjoint(names)).astype(bool)
    wanted = labels.map(bool) & ~unwanted
    rows = rows.assign(mids=mids, labels=labels, source=path.stem.removesuffix("_segments"))
    return rows[wanted], int((labels.map(bool) & unwanted).sum())


def _segments(lists: list[Path], *, exclude: bool, notes: list[str]) -> pd.DataFrame:
    read = [_read_list(path, exclude=exclude) for path in lists]
    n_excluded = sum(count for _, count in read)
    if exclude:
        notes.append(f"{n_excluded} listed segments with {' or '.join(EXCLUDED.values())} are left out.")
    segments = pd.concat([rows for rows, _ in read], ignore_index=True)
    return segments.drop_duplicates("ytid").set_index("ytid")


def _same_start(text: str | None, begin: float) -> bool:
    """Whether the start in a file's name, in seconds or milliseconds, is the listed one."""
    return text is None or any(abs(float(text) / unit - begin) < 0.5 for unit in (1, 1000))


def _clip_files(
    paths: list[Path], segments: pd.DataFrame, notes: list[str], problems: list[dict[str, str]]
) -> pd.DataFrame:
    """Files that hold a wanted segment, with what the list says about it."""
    begins = segments["begin"].to_dict()
    rows = []
    n_shifted = 0
    for path in paths:
        # one tagger's scripts put a Y before the identifier
        names = [path.stem, path.stem.removeprefix("Y")]
        matches = [match for match in map(_CLIP.fullmatch, names) if match and match["ytid"] in begins]
        if not matches:
            continue
        ytid = matches[0]["ytid"]
        if _same_start(matches[0]["start"], begins[ytid]):
            rows.append({"clip_id": ytid, "path": path})
        else:
            n_shifted += 1
            problems.append(
                problem(path, reason=f"not the listed segment, which starts at {begins[ytid]:g} s", action="excluded")
            )
    if not rows:
        raise FileNotFoundError(
            f"none of {len(paths)} audio files is one of {len(segments)} listed segments of the eleven instruments; "
            "name them <YTID>.wav or <YTID>_<start>.wav"
        )
    others = len(paths) - len(rows) - n_shifted
    if others:
        notes.append(f"{others} audio files hold no listed segment of the eleven instruments and are not used.")
    files = keep_first(pd.DataFrame(rows), problems)
    return files.join(segments, on="clip_id")


def _right_length(
    files: pd.DataFrame, *, tolerance: float, notes: list[str], problems: list[dict[str, str]]
) -> pd.DataFrame:
    wrong = (files["duration"] - SECONDS).abs() > tolerance
    for path, seconds in zip(files["path"][wrong], files["duration"][wrong], strict=True):
        problems.append(problem(path, reason=f"lasts {seconds:.2f} s instead of {SECONDS:g}", action="excluded"))
    if wrong.any():
        notes.append(f"{wrong.sum()} files differ from {SECONDS:g} s by more than {tolerance:g} s and are left out.")
    files = files[~wrong].reset_index(drop=True)
    return files.assign(duration=files["duration"].clip(upper=SECONDS))


def _divide(n: int, *, seed: int) -> list[str]:
    """Sides of ``n`` clips, 70:10:20: a fifth for testing, then an eighth of the rest, both rounded up."""
    n_test = -(-n // 5)
    n_valid = -(-(n - n_test) // 8)
    sides = ["test"] * n_test + ["valid"] * n_valid + ["train"] * (n - n_test - n_valid)
    order = numpy_generator(seed, "audioset split").permutation(n)
    return [sides[place] for place in order]


def load(
    root: str | Path,
    *,
    seconds: float | None = None,
    short: Literal["drop", "pad"] = "pad",
    remainder: Literal["drop", "pad"] = "pad",
    exclude: bool = True,
    tolerance: float = 0.5,
    seed: int = 42,
) -> pd.DataFrame:
    """Clip table of AudioSet's segments with the eleven instruments, as far as their audio is there.

    Parameters
    ----------
    root : str or Path
        A folder with at least one of the official lists (``balanced_train_segments.csv``, …) and, at any depth, audio
        files named ``<YTID>`` or ``<YTID>_<start>`` (seconds or milliseconds; an end behind it and a ``Y`` before it
        do no harm): ``.wav``, ``.flac``, ``.ogg`` or ``.mp3``.
    seconds : float or None, s, > 0
        Windows of this length that follow one another; whole segments by default.
    short, remainder : "drop" or "pad"
        For windows: see :func:`reprise.data.table.split_clips`.
    exclude : bool
        Leave out segments with pizzicato or an electric piano, as the paper says; its code never did.
    tolerance : float, s, ≥ 0
        Files that differ more from 10 s are left out; longer ones are cut to 10 s.
    seed : int
        Of the division 70:10:20 into ``train``, ``valid`` and ``test``.

    Returns
    -------
    DataFrame
        Clip table with one boolean column per code of ``INSTRUMENTS``, ``labels`` (tuple of codes), ``mids`` (tuple of
        all listed identifiers), ``source`` (list) and ``file``; ``group`` is the YouTube identifier. ``attrs``:
        ``notes``, ``problems``.

    Raises
    ------
    FileNotFoundError
        If there is no list, or no audio that a list names.
    ValueError
        If a list is damaged; the message names it.

    Notes
    -----
    Paper: section 3.2, Table 3.2 and section 3.6.2. A segment with several kinds of voice is labelled ``voi`` once.
    ``evidence`` is ``full`` from the paper's number of clips on (20,885), although they cannot be the same ones.
    """
    root = Path(root).expanduser().absolute()
    found = list(walk(root, (".csv", *EXTENSIONS))) if root.is_dir() else []
    lists = sorted((path for path in found if _is_list(path)), key=lambda path: LISTS.index(path.stem))
    if not lists:
        names = ", ".join(f"{name}.csv" for name in LISTS)
        raise FileNotFoundError(f"{root} holds none of AudioSet's lists ({names}); get them from {HOMEPAGE}")
    notes = [_NARRATION]
    problems: list[dict[str, str]] = []
    segments = _segments(lists, exclude=exclude, notes=notes)
    files = _clip_files([path for path in found if path.suffix.lower() != ".csv"], segments, notes, problems)
    files = _right_length(measure(files, problems), tolerance=tolerance, notes=notes, problems=problems)
    if files.empty:
        first = problems[0]
        raise FileNotFoundError(f"{root} has no usable audio; the first problem: {first['path']}: {first['reason']}")
    notes.append(f"Audio of {len(files)} of {len(segments)} listed segments is there; the paper had {N_PAPER}.")
    evidence = "synthetic" if is_synthetic(root) else "full" if len(files) >= N_PAPER else "excerpt"
    files = files.assign(evidence=evidence, group=files["clip_id"], split=_divide(len(files), seed=seed))
    clips = label_columns(cut(files, seconds=seconds, short=short, remainder=remainder))
    columns = ["clip_id", "path", "start", "duration", "group", "split", "evidence", "labels", *INSTRUMENTS]
    table = clips[[*columns, "file", "mids", "source"]]
    table.attrs.update(notes=notes, problems=problems)
    return validate_table(table)
