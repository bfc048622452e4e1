"""Members of zip and tar archives, one after another, with every fault of their headers brought to light."""

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["DAMAGE", "Member", "read_members"]

# what the standard library raises while it reads a damaged or hostile archive
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RecursionError,
)
MAX_EXTENDED_HEADER = 1 << 20
# headers and padding come on top of the members' sizes
HEADERS = 1 << 20

_OPENERS: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
)


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Parameters
    ----------
    name : str
        As the archive has it: not to be trusted.
    size : int, bytes
        As announced; 0 for a folder.
    is_folder : bool
    fault : str
        Why an entry of this type is refused whatever its name; empty for plain files and folders.
    """

    name: str
    size: int
    is_folder: bool
    fault: str = ""


def read_members(archive: Path, *, expanded_limit: int) -> Iterator[tuple[Member, Callable[[], Any]]]:
    """Read an archive from its start.

    Parameters
    ----------
    archive : Path
        Zip, or tar: plain, gz, bz2 or xz. The content decides, not the name.
    expanded_limit : int, bytes
        A compressed tar archive that becomes larger counts as damaged.

    Yields
    ------
    tuple of (Member, callable)
        The callable opens the member's content; it is valid until the next member is asked for.

    Raises
    ------
    Exception
        One of :data:`DAMAGE`, also where an archive just breaks off.
    """
    with archive.open("rb") as stream:
        is_zip = stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    if is_zip:
        yield from _zip_members(archive)
    else:
        yield from _tar_members(archive, limit=expanded_limit + HEADERS)


def _zip_members(archive: Path) -> Iterator[tuple[Member, Callable[[], Any]]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            fault = ""
            if kind == stat.S_IFLNK:
                fault = "a symbolic link"
            elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                fault = "a device or other special file"
            elif info.flag_bits & 0x1:
                fault = "an encrypted file"
            elif "\x00" in info.orig_filename:
                fault = "a control character in a name"
            is_folder = info.filename.endswith("/") or kind == stat.S_IFDIR
            yield Member(info.filename, info.file_size, is_folder, fault), partial(opened.open, info)


class _TarHeader(tarfile.TarInfo):
    """A header whose faults stop the reading: tarfile takes most of them for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_TarHeader":
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise EOFError(f"it breaks off or is damaged at byte {tarfile_.offset}: {error}") from error

    def _proc_member(self, tarfile_: tarfile.TarFile) -> "_TarHeader":
        # long names and attributes are read into memory before anyone can look at them
        extended = not (self.isreg() or self.isdir() or self.issym() or self.islnk() or self.isdev())
        if self.size < 0 or (extended and self.size > MAX_EXTENDED_HEADER):
            raise EOFError(f"a header announces {self.size} bytes")
        return super()._proc_member(tarfile_)  # type: ignore[misc]


class _Bounded:
    """A stream that refuses to give more than its limit."""

    def __init__(self, stream: Any, *, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise EOFError("it becomes far larger than its members' sizes allow")
        return block


def _tar_members(archive: Path, *, limit: int) -> Iterator[tuple[Member, Callable[[], Any]]]:
    with archive.open("rb") as stream:
        start = stream.read(8)
    decompress = next((opener for magic, opener in _OPENERS if start.startswith(magic)), None)
    with decompress(archive) if decompress else archive.open("rb") as stream:
        bounded: Any = _Bounded(stream, limit=limit)
        with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_TarHeader) as opened:
            for info in opened:
                yield _tar_member(info), partial(opened.extractfile, info)
        # the checksum of a compressed stream stands at its end
        while bounded.read(HEADERS):
            pass


def _tar_member(info: tarfile.TarInfo) -> Member:
    fault = ""
    if info.issym():
        fault = "a symbolic link"
    elif info.islnk():
        fault = "a hard link"
    elif info.issparse():
        fault = "a sparse file"
    elif not (info.isreg() or info.isdir()):
        fault = "a device or other special file"
    return Member(info.name, info.size if info.isreg() else 0, info.isdir(), fault)
