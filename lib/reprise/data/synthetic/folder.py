"""A generated folder: written once per set of parameters, whole or not at all, by one process at a time."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import soundfile

from reprise.files import read_json, write_json
from reprise.folders import replace_folder, stage_folder
from reprise.progress import track

__all__ = ["MARKER", "generate", "write_clips"]

MARKER = "SYNTHETIC.json"
STATEMENT = "procedural audio, no recording"


class HasPath(Protocol):
    """Something planned that has a file name."""

    @property
    def path(self) -> str:
        """Below the data set's folder."""


Planned = TypeVar("Planned", bound=HasPath)


def write_clips(
    clips: Sequence[Planned],
    make: Callable[[Planned], np.ndarray],
    *,
    folder: Path,
    sample_rate: int,
    workers: int | None,
    name: str,
) -> None:
    """Write clips as 16-bit files.

    Parameters
    ----------
    clips : sequence
        Each with a ``path`` relative to ``folder``.
    make : callable
        Gives the audio of a clip [shape=(time,) or (time, channels)]; called in several threads.
    folder : Path
    sample_rate : int, Hz
    workers : int, >= 1, optional
        Threads; default one per processor.
    name : str
        Of the data set, for the progress.
    """

    def one(clip: Planned) -> None:
        path = folder / clip.path
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, make(clip), sample_rate, subtype="PCM_16")

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for _ in track(pool.map(one, clips), total=len(clips), description=f"synthetic {name}"):
            pass


def _content(folder: Path) -> dict[str, int]:
    """Number and size of the audio files."""
    sizes = [path.stat().st_size for path in folder.rglob("*.wav")]
    return {"files": len(sizes), "bytes": sum(sizes)}


def _whole(folder: Path, parameters: dict[str, Any]) -> bool:
    marker = folder / MARKER
    if not marker.is_file():
        return False
    try:
        known = read_json(marker)
    except ValueError:
        return False
    if not isinstance(known, dict) or known.get("parameters") != parameters:
        return False
    return known.get("content") == _content(folder)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process writes this folder; the system frees the lock of a dead one."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        # some network file systems have no locks: two writers then do the work twice and the later rename wins
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def generate(target: Path, *, parameters: dict[str, Any], fill: Callable[[Path], None]) -> Path:
    """Make a folder by a function, unless it is there, whole, and made with the same parameters.

    Parameters
    ----------
    target : Path
        Final name.
    parameters : dict
        All that decides the content, JSON-ready; kept in ``SYNTHETIC.json``.
    fill : callable
        Called with an empty folder beside the target, which then takes the target's place.

    Returns
    -------
    Path
        ``target``.

    Raises
    ------
    FileExistsError
        If a folder of that name has no ``SYNTHETIC.json``: it may be the real data set and is left alone.
    """
    if _whole(target, parameters):
        return target
    with _alone(target.parent / f".{target.name}.lock"):
        if _whole(target, parameters):
            return target
        if target.exists() and not (target / MARKER).is_file():
            raise FileExistsError(
                f"{target} exists and is not synthetic (no {MARKER} in it); it is left as it is: choose another folder"
            )
        staged = stage_folder(target)
        try:
            fill(staged)
            marker = {"statement": STATEMENT, "parameters": parameters, "content": _content(staged)}
            write_json(staged / MARKER, marker)
            replace_folder(staged, target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    return target
