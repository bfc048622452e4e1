"""Folders that are either whole or absent: built under a hidden name, renamed into place."""

import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

__all__ = ["replace_folder", "stage_folder"]


def stage_folder(final: Path) -> Path:
    """Make a fresh hidden folder beside the final one, and clear what dead runs left there.

    Parameters
    ----------
    final : Path
        The folder's name when it is whole. Folders above it are made.

    Returns
    -------
    Path
        Empty, on the same file system, for :func:`replace_folder` or for removal.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname().split(".")[0]
    replaced = final.parent / f".{final.name}.replaced"
    if replaced.is_dir():
        # a run was killed between its two renames: the old output is still the good one
        if final.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            replaced.rename(final)
    for left in final.parent.glob(f".{final.name}-{host}-*-*"):
        owner = left.name.split("-")[-2]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{final.name}-{host}-{os.getpid()}-", dir=final.parent))
    # mkdtemp makes a private folder; results are meant to be read by others
    folder.chmod(0o755)
    return folder


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def replace_folder(source: Path, target: Path) -> None:
    """Put a folder in another's place; a reader sees the old one, the new one, or for an instant none.

    Parameters
    ----------
    source : Path
        From :func:`stage_folder`; gone afterwards.
    target : Path
        Its old content is removed after the new one is in place. :func:`stage_folder` brings it back where a kill came
        between the two.
    """
    replaced = target.parent / f".{target.name}.replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        target.rename(replaced)
    source.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)
