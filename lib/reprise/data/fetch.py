"""Data sets from the network to a folder in their original layout, and the check of what is there."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from reprise.archives import ArchiveRefused, safe_extract
from reprise.data.download import DownloadError, Patience, Progress, download, reject
from reprise.data.manifest import Manifest, RemoteFile, load_manifest
from reprise.files import read_json, sha256_file, write_json
from reprise.folders import stage_folder
from reprise.progress import track

__all__ = ["FetchError", "fetch", "verify"]

# hidden from loaders, which look for audio and labels
RECORD = ".reprise-installed.json"
COLUMNS = ("file", "expected", "found", "status")


class FetchError(RuntimeError):
    """A data set could not be brought in; the message says what to do next."""


def fetch(
    name: str | Manifest,
    root: str | Path,
    *,
    patience: Patience | None = None,
    on_progress: Progress = track,
) -> Path:
    """Download, check and unpack a data set; goes on where an earlier call stopped.

    Parameters
    ----------
    name : str or Manifest
        One of :func:`reprise.data.manifest.available`.
    root : str or Path
        Folder of data-set folders. The downloads are kept beside the data set, in ``<folder>.downloads``; files put
        there or in ``root`` by hand are used like downloaded ones.
    patience : Patience, optional
        How long to put up with slow or failing servers.
    on_progress : callable
        As :func:`reprise.progress.track`.

    Returns
    -------
    Path
        The data set's folder. It appears under this name only when it is complete.

    Raises
    ------
    ManifestError
        If there is no such data set.
    FetchError
        If the disk is too small or not writable, no address gives the right file, an archive is refused, or a folder
        of that name is in the way; the message ends with the next step.
    """
    manifest = load_manifest(name) if isinstance(name, str) else name
    root = Path(root).expanduser().resolve()
    folder = root / manifest.folder
    if _occupied(folder):
        return _accept(manifest, folder)
    try:
        with _alone(_downloads(manifest, root)):
            if _occupied(folder):
                # another process was faster
                return _accept(manifest, folder)
            _check_space(manifest, root)
            for file in manifest.files:
                _bring(manifest, file, root, patience=patience, on_progress=on_progress)
            _install(manifest, root, on_progress=on_progress)
    except OSError as error:
        raise _explained(error, manifest, root) from error
    return folder


def verify(name: str | Manifest, root: str | Path) -> pd.DataFrame:
    """Compare a data set on disk with its manifest.

    Parameters
    ----------
    name : str or Manifest
    root : str or Path
        As for :func:`fetch`.

    Returns
    -------
    DataFrame
        Columns ``file, expected, found, status``: one row per file of the manifest, one for the data set's folder, and
        one per unpacked file that is missing or altered. Status is ``ok``, ``missing``, ``altered``, ``not unpacked``,
        or ``unknown`` for a folder that :func:`fetch` has not made.
    """
    manifest = load_manifest(name) if isinstance(name, str) else name
    root = Path(root).expanduser().resolve()
    folder = _folder_rows(manifest, root / manifest.folder)
    unpacked = all(row["status"] == "ok" for row in folder)
    rows = [_file_row(manifest, file, root, unpacked=unpacked) for file in manifest.files]
    return pd.DataFrame(rows + folder, columns=list(COLUMNS))


def _row(file: str, expected: str, found: str, status: str) -> dict[str, str]:
    return dict(zip(COLUMNS, (file, expected, found, status), strict=True))


def _file_row(manifest: Manifest, file: RemoteFile, root: Path, *, unpacked: bool) -> dict[str, str]:
    path = _place(manifest, file, root)
    if not path.is_file():
        # downloads may be deleted once their content is in the folder
        found, status = ("deleted after unpacking", "ok") if unpacked else ("", "missing")
        return _row(file.name, file.digest, found, status)
    found = file.digest_of(path)
    return _row(file.name, file.digest, found, "ok" if found == file.digest else "altered")


def _folder_rows(manifest: Manifest, folder: Path) -> list[dict[str, str]]:
    label = f"{manifest.folder}/"
    sources = ", ".join(file.name for file in manifest.files)
    if not _occupied(folder):
        return [_row(label, f"unpacked from {sources}", "", "not unpacked")]
    record = _record(folder)
    if record is None:
        return [_row(label, f"unpacked from {sources}", "a folder of other origin", "unknown")]
    if record["sources"] != _sources(manifest):
        return [_row(label, f"version {manifest.version}", f"version {record['version']}", "altered")]
    faults = []
    for relative, (size, digest) in record["files"].items():
        path = folder / relative
        if not path.is_file():
            faults.append(_row(label + relative, f"sha256:{digest}", "", "missing"))
        elif path.stat().st_size != size:
            faults.append(_row(label + relative, f"{size} bytes", f"{path.stat().st_size} bytes", "altered"))
        elif (found := sha256_file(path)) != digest:
            faults.append(_row(label + relative, f"sha256:{digest}", f"sha256:{found}", "altered"))
    n_files = len(record["files"])
    return [_row(label, f"{n_files} files", f"{n_files - len(faults)} files", "altered" if faults else "ok"), *faults]


def _downloads(manifest: Manifest, root: Path) -> Path:
    return root / f"{manifest.folder}.downloads"


def _place(manifest: Manifest, file: RemoteFile, root: Path) -> Path:
    """Where a downloaded file is: among the downloads, or where people put it by hand."""
    usual, by_hand = _downloads(manifest, root) / file.name, root / file.name
    return by_hand if by_hand.is_file() and not usual.is_file() else usual


def _sources(manifest: Manifest) -> dict[str, str]:
    return {file.name: file.digest for file in manifest.files}


def _record(folder: Path) -> dict[str, Any] | None:
    path = folder / RECORD
    try:
        record = read_json(path)
        return record if {"sources", "version", "files"} <= set(record) else None
    except (OSError, ValueError, TypeError):
        return None


def _occupied(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _accept(manifest: Manifest, folder: Path) -> Path:
    """Say whether what is there already is the data set; nothing of it is ever overwritten."""
    aside = f"move {folder} away and run the same command again"
    record = _record(folder)
    if record is None:
        raise FetchError(
            f"{folder} exists and was not made by fetch; use it as it is (the loader says what it finds), or {aside}"
        )
    if record["sources"] != _sources(manifest):
        raise FetchError(f"{folder} holds version {record['version']}, not {manifest.version}; {aside}")
    for relative, (size, _) in record["files"].items():
        path = folder / relative
        if not path.is_file() or path.stat().st_size != size:
            raise FetchError(f"{path} is missing or altered; {aside} (what was downloaded is not downloaded again)")
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep two processes from downloading the same files; the lock dies with its process."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"another process is downloading into {folder}; wait for it, then run again") from error
        yield


def _check_space(manifest: Manifest, root: Path) -> None:
    missing = 0
    # archives are hardly larger than what is in them: so much for those of unknown size together
    unknown = manifest.extracted_bytes if manifest.download_bytes is None else 0
    for file in manifest.files:
        path = _place(manifest, file, root)
        partial = path.with_name(f"{path.name}.partial")
        present = next((p.stat().st_size for p in (path, partial) if p.is_file()), 0)
        if file.bytes is None:
            unknown -= present
        else:
            missing += max(0, file.bytes - present)
    missing += max(0, unknown)
    # parts are joined before they are unpacked, and archives are hardly larger than what is in them
    joined = manifest.extracted_bytes if any(file.part_of for file in manifest.files) else 0
    needed, free = missing + joined + manifest.extracted_bytes, shutil.disk_usage(root).free
    if needed > free:
        raise FetchError(
            f"{manifest.name} needs {needed / 1e9:.3g} GB in {root} ({missing / 1e9:.3g} GB to download), "
            f"but {free / 1e9:.3g} GB are free; make room, or choose another folder with --data DIR"
        )


def _bring(
    manifest: Manifest, file: RemoteFile, root: Path, *, patience: Patience | None, on_progress: Progress
) -> None:
    usual = _downloads(manifest, root) / file.name
    path, wrong = _place(manifest, file, root), ""
    if path.is_file():
        if file.digest_of(path) == file.digest:
            return
        # only what is among the downloads is ours to rename
        fault = reject(file, path, path=usual) if path == usual else "its hash is not the expected one"
        wrong = f"\nNor could {path} be used, which was there before: {fault}"
    try:
        download(file, usual, patience=patience, on_progress=on_progress)
    except DownloadError as error:
        raise FetchError(
            f"{error}{wrong}\nBy hand: get {file.name} from {manifest.homepage} with a browser (licence: "
            f"{manifest.licence}), put it at {usual}, and type ./run_all.sh data fetch {manifest.name} --data {root}"
        ) from error


def _install(manifest: Manifest, root: Path, *, on_progress: Progress) -> None:
    """Put the data set together under a hidden name, and rename it when it is whole."""
    folder = root / manifest.folder
    staging = stage_folder(folder)
    content = staging / manifest.folder
    try:
        content.mkdir()
        for path, extract in _pieces(manifest, root, staging=staging):
            if extract:
                part = staging / "part"
                _merge(_extract(path, part, manifest), part, content)
                shutil.rmtree(part)
            else:
                _merge([path], path.parent, content)
        write_json(content / RECORD, _describe(manifest, content, on_progress=on_progress))
        content.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _pieces(manifest: Manifest, root: Path, *, staging: Path) -> Iterator[tuple[Path, bool]]:
    """Downloaded files, and whether each is to be unpacked; the parts of an archive as one file."""
    for whole, files in groupby(manifest.files, key=lambda file: file.part_of):
        paths = [(_place(manifest, file, root), file.extract) for file in files]
        if whole is None:
            yield from paths
            continue
        archive = staging / whole
        with archive.open("wb") as out:
            for path, _ in paths:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
        yield archive, True
        archive.unlink()


def _extract(path: Path, part: Path, manifest: Manifest) -> list[Path]:
    try:
        return safe_extract(path, part, max_bytes=2 * manifest.extracted_bytes)
    except ArchiveRefused as error:
        raise FetchError(
            f"{error}. Its hash is the manifest's, so fetching it again changes nothing: tell the project, "
            f"or unpack it yourself into a folder {manifest.folder}"
        ) from error


def _merge(files: list[Path], base: Path, content: Path) -> None:
    """Move extracted files, link or copy downloaded ones."""
    for path in files:
        target = content / path.relative_to(base)
        if target.exists():
            raise FetchError(f"two downloads hold the file {target.relative_to(content)}; correct the manifest")
        target.parent.mkdir(parents=True, exist_ok=True)
        if base.parent == content.parent:
            path.rename(target)
            continue
        try:
            os.link(path, target)
        except OSError:
            # file systems without links, and systems that forbid them
            shutil.copyfile(path, target)


def _describe(manifest: Manifest, content: Path, *, on_progress: Progress) -> dict[str, Any]:
    files = {}
    paths = sorted(path for path in content.rglob("*") if path.is_file())
    for path in on_progress(paths, description=f"{manifest.folder}: noting hashes"):
        files[path.relative_to(content).as_posix()] = [path.stat().st_size, sha256_file(path)]
    return {"name": manifest.name, "version": manifest.version, "sources": _sources(manifest), "files": files}


def _explained(error: OSError, manifest: Manifest, root: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(root).free / 1e9
        return FetchError(f"the disk of {root} is full ({free:.3g} GB free); make room and run again: it goes on there")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FetchError(f"cannot write in {root} ({error.strerror}); choose another folder with --data DIR")
    return FetchError(f"{manifest.name} could not be fetched into {root}: {error}")
