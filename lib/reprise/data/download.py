"""One file from the first of its addresses that has it, accepted by its content hash alone."""

from pathlib import Path

from reprise.data.manifest import RemoteFile
from reprise.data.transfer import GiveUp, Patience, Progress, Transfer
from reprise.progress import track

__all__ = ["DownloadError", "Patience", "Progress", "download", "kind_of", "reject"]

_MAGIC = (
    (b"PK", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"%PDF", "a PDF document"),
    (b"RIFF", "a RIFF (WAV) file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
)


class DownloadError(RuntimeError):
    """No address gave the file; the message says why, address by address."""


def kind_of(path: Path) -> str:
    """What a file's first bytes say it is, in words."""
    with path.open("rb") as stream:
        start = stream.read(512)
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "empty"
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, perhaps a login or error page"
    if text.startswith((b"{", b"[", b"<?xml")):
        return "JSON or XML text"
    return "binary data" if b"\x00" in start or not text.isascii() else "text"


def download(
    file: RemoteFile,
    path: Path,
    *,
    patience: Patience | None = None,
    on_progress: Progress = track,
) -> Path:
    """Bring a file to a place, from the first of its addresses that has it.

    Parameters
    ----------
    file : RemoteFile
    path : Path
        Final name, taken only after the hash has passed. Until then the content is in ``<name>.partial``.
    patience : Patience, optional
    on_progress : callable
        As :func:`reprise.progress.track`; gets one item per MiB.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    DownloadError
        If no address gave a file with the right hash. The last wrong one is kept as ``<name>.rejected``.

    Notes
    -----
    Neither status nor size accepts a file. A partial file is continued only if the server confirms by ``ETag`` or
    ``Last-Modified`` that it is a part of what it has now.
    """
    failures = []
    for url in (file.url, *file.mirrors):
        transfer = Transfer(url, file=file, path=path, patience=patience or Patience(), on_progress=on_progress)
        try:
            fault = _attempt(transfer, path)
            if fault and transfer.resumed:
                # a bad seam, or rubbish left by an earlier run, says nothing about the server's file
                fault = _attempt(transfer, path)
        except GiveUp as error:
            fault = str(error)
        if not fault:
            transfer.partial.replace(path)
            transfer.forget()
            return path
        failures.append(f"  {url}: {fault}")
    raise DownloadError("\n".join([f"{file.name} could not be downloaded:", *failures]))


def _attempt(transfer: Transfer, path: Path) -> str:
    transfer.complete()
    fault = reject(transfer.file, transfer.partial, path=path)
    if fault:
        transfer.forget()
    return fault


def reject(file: RemoteFile, found: Path, *, path: Path) -> str:
    """Check a file's hash, and move it out of the way if it is wrong.

    Parameters
    ----------
    file : RemoteFile
    found : Path
        What is checked.
    path : Path
        Where the right file would be; a wrong one is kept as ``<name>.rejected`` beside it.

    Returns
    -------
    str
        Empty if the hash is right; else both hashes and what the content looks like.
    """
    digest = file.digest_of(found)
    if digest == file.digest:
        return ""
    size, kind = found.stat().st_size, kind_of(found)
    expected = file.digest if file.bytes is None else f"{file.digest} ({file.bytes} bytes)"
    rejected = path.with_name(f"{path.name}.rejected")
    found.replace(rejected)
    return (
        f"the content is not the expected one: expected {expected}, "
        f"found {digest} ({size} bytes, {kind}); kept as {rejected}"
    )
