"""Archives from strangers: refused as a whole before anything is written, or extracted as a whole."""

import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reprise.archive_members import DAMAGE, Member, read_members
from reprise.folders import stage_folder

__all__ = ["SKIPPED", "ArchiveRefused", "safe_extract"]

# what macOS adds to archives of its own accord
SKIPPED = frozenset({"__MACOSX", ".DS_Store"})

BLOCK = 1 << 20
MAX_NAME_BYTES = 255
# a few small files of zeros are no bomb, however well they compress
ALWAYS_ALLOWED = 1 << 20

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ArchiveRefused(ValueError):
    """The archive holds something that a data set never needs, or is damaged; nothing of it has been kept."""


@dataclass
class _Guard:
    """What one pass over the members has seen so far, and the limits it must stay in."""

    archive: Path
    max_members: int
    max_bytes: int
    max_ratio: float
    skip: frozenset[str]
    members: int = 0
    size: int = 0
    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    @cached_property
    def expanded_limit(self) -> int:
        """Bytes that an archive of this size may become."""
        return max(ALWAYS_ALLOWED, int(self.max_ratio * self.archive.stat().st_size))

    def refuse(self, reason: str, member: str = "") -> ArchiveRefused:
        where = f" (member {member!r})" if member else ""
        return ArchiveRefused(
            f"{self.archive} is not extracted: {reason}{where}; fetch it again or ask where it came from"
        )

    def admit(self, member: Member) -> tuple[str, ...] | None:
        """Parts of the member's path below the target, or None for one that is left out."""
        self.members += 1
        if self.members > self.max_members:
            raise self.refuse(f"more than {self.max_members} members")
        if member.fault:
            raise self.refuse(member.fault, member.name)
        parts = self._parts(member)
        self._count(member)
        if not parts or not self.skip.isdisjoint(parts):
            return None
        self._place(member, parts)
        return parts

    def _parts(self, member: Member) -> tuple[str, ...]:
        name = member.name
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        reason = ""
        if _CONTROL.search(name):
            reason = "a control character in a name"
        elif "\\" in name:
            reason = "a backslash in a name"
        elif name.startswith("/"):
            reason = "an absolute path"
        elif _DRIVE.match(name):
            reason = "a drive letter"
        elif ".." in parts:
            reason = "a path that climbs out with '..'"
        elif not parts and not member.is_folder:
            reason = "a file without a name"
        elif any(len(part.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES for part in parts):
            reason = f"a name longer than {MAX_NAME_BYTES} bytes"
        if reason:
            raise self.refuse(reason, name)
        return parts

    def _count(self, member: Member) -> None:
        self.size += member.size
        if member.size < 0:
            raise self.refuse("a negative size", member.name)
        if self.size > self.max_bytes:
            raise self.refuse(f"more than the {self.max_bytes} bytes expected of it", member.name)
        if self.size > self.expanded_limit:
            raise self.refuse(f"it becomes more than {self.max_ratio:g} times as large", member.name)

    def _place(self, member: Member, parts: tuple[str, ...]) -> None:
        # two names that a case-insensitive or normalising file system holds for one
        keys = [unicodedata.normalize("NFC", "/".join(parts[:n]).casefold()) for n in range(1, len(parts) + 1)]
        above, key = keys[:-1], keys[-1]
        if key in self.files:
            raise self.refuse(f"the same file twice, also as {self.files[key]!r}", member.name)
        if any(folder in self.files for folder in above) or (not member.is_folder and key in self.folders):
            raise self.refuse("one name for a file and a folder", member.name)
        self.folders.update(keys if member.is_folder else above)
        if not member.is_folder:
            self.files[key] = member.name


def _members(guard: _Guard) -> Iterator[tuple[Member, Callable[[], Any]]]:
    """Members in order, each with a way to open it before the next one is asked for."""
    limit = guard.expanded_limit
    try:
        yield from read_members(guard.archive, expanded_limit=limit)
    except DAMAGE as error:
        raise guard.refuse(f"neither a sound zip nor a sound tar archive: {error}") from error


def _write(guard: _Guard, member: Member, source: Callable[[], Any], path: Path) -> None:
    """Copy a member; it may not be longer or shorter than its header said."""
    written = 0
    with path.open("xb") as out:
        for block in _blocks(guard, member, source):
            written += len(block)
            if written > member.size:
                break
            out.write(block)
    if written != member.size:
        raise guard.refuse(f"a file of {member.size} bytes has {written} or more", member.name)


def _blocks(guard: _Guard, member: Member, source: Callable[[], Any]) -> Iterator[bytes]:
    try:
        with source() as stream:
            while block := stream.read(BLOCK):
                yield block
    except DAMAGE as error:
        raise guard.refuse(f"a damaged file: {error}", member.name) from error


def safe_extract(
    archive: str | Path,
    target: str | Path,
    *,
    max_members: int = 200_000,
    max_bytes: int = 200 << 30,
    max_ratio: float = 200.0,
    skip: frozenset[str] = SKIPPED,
) -> list[Path]:
    """Extract a zip or tar archive (plain, gz, bz2, xz) into a new folder, wholly or not at all.

    Parameters
    ----------
    archive : str or Path
    target : str or Path
        Must not exist, or be an empty folder. It appears under this name only when every file is in it.
    max_members : int
        Files and folders, those left out included.
    max_bytes : int
        Of all files together, extracted.
    max_ratio : float
        Extracted size over the archive's size; what stays below 1 MiB is always allowed.
    skip : frozenset of str
        Names of files and folders that are left out wherever they are.

    Returns
    -------
    list of Path
        The extracted files, in the archive's order.

    Raises
    ------
    ArchiveRefused
        If a member is a link, device or encrypted, has an absolute path, a drive letter, a backslash or ``..``, comes
        twice (also by case), or if a limit is passed: then nothing has been written. Also if the archive proves
        damaged, or not to be what its headers say, while it is extracted: then what was written is gone again.
    FileExistsError
        If ``target`` holds something already.
    """
    archive, target = Path(archive), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} exists already; move it away and extract {archive.name} again")

    def guard() -> _Guard:
        return _Guard(archive, max_members, max_bytes, max_ratio, skip)

    survey = guard()
    for member, _ in _members(survey):
        survey.admit(member)
    staging = stage_folder(target)
    try:
        # the file may have changed since the survey: what is written is judged again
        names = _extract_members(guard(), staging)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [target.joinpath(*parts) for parts in names]


def _extract_members(guard: _Guard, folder: Path) -> list[tuple[str, ...]]:
    names = []
    for member, source in _members(guard):
        parts = guard.admit(member)
        if parts is None:
            continue
        path = folder.joinpath(*parts)
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(guard, member, source, path)
        names.append(parts)
    return names
