"""What loaders share: walking folders, names from any unpacking tool, lengths of files, clips of a table."""

import contextlib
import os
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pandas as pd
import soundfile

from reprise.data.decode import length_is_estimated
from reprise.data.table import ClipTableError, content_hashes, split_clips
from reprise.files import read_json, sha256_json, write_json
from reprise.paths import cache_root

__all__ = [
    "EXTENSIONS",
    "cut",
    "folders",
    "is_synthetic",
    "keep_first",
    "measure",
    "plain_name",
    "problem",
    "rank",
    "unwritable",
    "walk",
]

# best first: of two encodings of one recording the better one stays
EXTENSIONS = (".wav", ".flac", ".au", ".ogg", ".mp3")
MARKER = "SYNTHETIC.json"
# a stream without a length is announced as one of millions of years
MAX_SECONDS = 86400.0
_BLOCK_FRAMES = 2**18


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "__MACOSX"


def folders(base: Path) -> list[Path]:
    """Visible folders directly below ``base``, sorted."""
    return sorted(path for path in base.iterdir() if path.is_dir() and not _hidden(path))


def walk(folder: Path, extensions: tuple[str, ...] = EXTENSIONS) -> Iterator[Path]:
    """All visible files with one of the extensions, at any depth, sorted within each folder."""
    for path in sorted(folder.iterdir()):
        if _hidden(path):
            continue
        if path.is_dir():
            yield from walk(path, extensions)
        elif path.suffix.lower() in extensions:
            yield path


def plain_name(name: str) -> str:
    """Name in NFC, the same whatever tool unpacked it.

    Notes
    -----
    Archives without a Unicode flag hold UTF-8 names that some tools read as code page 437: ``três`` becomes ``tr├¬s``.
    A name that really is in that code page hardly ever happens to be valid UTF-8.
    """
    if not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name)


def unwritable(path: Path) -> bool:
    """Whether a path cannot be written as Unicode, hence into no table, index or hash."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def problem(path: Path, *, reason: str, action: str) -> dict[str, str]:
    """One entry of ``attrs["problems"]``.

    Parameters
    ----------
    path : Path
        What is at fault.
    reason : str
        What is wrong with it.
    action : str
        What is done about it.

    Returns
    -------
    dict
    """
    return {"path": str(path), "reason": reason, "action": action}


def rank(path: Path) -> int:
    """Place of a file's encoding in ``EXTENSIONS``: lower is better."""
    return EXTENSIONS.index(path.suffix.lower())


def keep_first(files: pd.DataFrame, problems: list[dict[str, str]]) -> pd.DataFrame:
    """Sort files by ``clip_id`` and keep one of each, in its best encoding; the others become problems."""
    order = files.assign(rank=files["path"].map(rank)).sort_values(["clip_id", "rank"], kind="stable")
    twice = order["clip_id"].duplicated()
    problems += [
        problem(path, reason="a second copy or encoding of a clip", action="excluded") for path in order["path"][twice]
    ]
    return order[~twice].drop(columns="rank").reset_index(drop=True)


def _decoded_frames(path: Path) -> int:
    with soundfile.SoundFile(path) as file:
        total = 0
        while n_frames := len(file.read(_BLOCK_FRAMES, dtype="int16")):
            total += n_frames
    return total


def _must_be_decoded(path: Path) -> bool:
    try:
        return length_is_estimated(path)
    except OSError:
        return False  # whoever opens it next says why


def _seconds(path: Path) -> float | str:
    try:
        header = soundfile.info(path)
        n_frames = _decoded_frames(path) if _must_be_decoded(path) else header.frames
    except (soundfile.LibsndfileError, OSError) as error:
        return str(getattr(error, "error_string", error))
    seconds = n_frames / header.samplerate
    if not seconds:
        return "no samples"
    return seconds if seconds < MAX_SECONDS else "its header does not tell its length"


def _lengths(paths: list[Path]) -> list[float | str]:
    """Seconds of each file, or what is wrong with it; decoded lengths are remembered by content."""
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool:
        slow = [path for path, decoded in zip(paths, pool.map(_must_be_decoded, paths), strict=True) if decoded]
        if not slow:
            return list(pool.map(_seconds, paths))
        hashes = {Path(name): digest for name, digest in content_hashes(slow).items()}
        record = cache_root() / "lengths" / f"{sha256_json(os.path.commonpath(slow))[:32]}.json"
        try:
            known = read_json(record) if record.is_file() else {}
        except ValueError:
            known = {}  # only a memory of what can be decoded again
        lengths = list(pool.map(lambda path: known.get(hashes.get(path)) or _seconds(path), paths))
    by_path = dict(zip(paths, lengths, strict=True))
    found = {hashes[path]: by_path[path] for path in slow if isinstance(by_path[path], float)}
    if not found.keys() <= known.keys():
        write_json(record, known | found)
    return lengths


def measure(files: pd.DataFrame, problems: list[dict[str, str]]) -> pd.DataFrame:
    """Add ``duration`` (s), from the header where it tells; files that are no audio become problems and go."""
    lengths = _lengths(files["path"].tolist())
    for path, length in zip(files["path"], lengths, strict=True):
        if isinstance(length, str):
            problems.append(problem(path, reason=f"not readable as audio: {length}", action="excluded"))
    readable = pd.Series([isinstance(length, float) for length in lengths], index=files.index, dtype=bool)
    durations = [length for length in lengths if isinstance(length, float)]
    return files[readable].assign(duration=durations).reset_index(drop=True)


def is_synthetic(root: Path, layout: Path | None = None) -> bool:
    """Whether the marker of generated audio lies anywhere from ``layout`` up to two folders above ``root``."""
    layout = root if layout is None else layout
    between = [layout, *layout.parents]
    return any((folder / MARKER).is_file() for folder in between[: between.index(root) + 3])


def cut(
    files: pd.DataFrame,
    *,
    seconds: float | None,
    short: Literal["drop", "pad"],
    remainder: Literal["drop", "pad"],
) -> pd.DataFrame:
    """Clips of files: each file as a whole, or windows that follow one another.

    Parameters
    ----------
    files : DataFrame
        ``clip_id``, ``path`` (Path), ``duration`` (s) and any other columns.
    seconds : float or None, s, > 0
        Length of a window; None leaves the files whole.
    short, remainder : "drop" or "pad"
        See :func:`reprise.data.table.split_clips`.

    Returns
    -------
    DataFrame
        With ``file`` (the file's own ``clip_id``), ``start`` (s) and ``path`` as str.

    Raises
    ------
    ClipTableError
        If no clip is left.
    """
    files = files.assign(file=files["clip_id"], path=files["path"].map(str))
    if seconds is None:
        return files.assign(start=0.0)
    clips = split_clips(files, seconds=seconds, short=short, remainder=remainder)
    if clips.empty:
        longest = files["duration"].max() if len(files) else 0.0
        raise ClipTableError(
            f"no window of {seconds:g} s in {len(files)} readable files, the longest {longest:.2f} s; "
            "use short='pad' or fewer seconds"
        )
    return clips
