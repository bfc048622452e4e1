"""Results as plain folders that are complete or absent, checked whenever they are read."""

import gc
import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from reprise.files import read_json
from reprise.paths import runs_root
from reprise.runs.artefacts import RECORD, StoredTrial, find_damage, trial_row, write_artefacts, write_record
from reprise.runs.claim import CLAIM_PATTERN, Claim, ClaimLost, TrialClaimed, Watch
from reprise.runs.trial import TrialConfig, TrialResult, safe_name

__all__ = ["ClaimLost", "Store", "StoredTrial", "TrialClaimed"]

_TRIAL = re.compile(r"\d+-[0-9a-f]{16}")
_SKIPPED = re.compile(r".*\.part|.*\.damaged-\d+|\..*")
# one task per chunk: handing single files to threads would cost more than reading them
_CHUNK = 512


class Store:
    """All results below one folder.

    Parameters
    ----------
    root : Path or None
        :func:`reprise.paths.runs_root` by default.
    heartbeat : float, s
        How often the owner of a running trial says that it is alive.
    grace : float, s
        After so long without a heartbeat an owner on another host is taken for dead; many heartbeats.

    Notes
    -----
    A trial is at ``<root>/<paper>/<condition>/<seed>-<hash>``. While it runs, the same name with ``.part`` holds its
    checkpoints. The last file written is ``complete.json`` with the SHA-256 of every other; only then is the folder
    renamed to its final name.
    """

    def __init__(self, root: str | Path | None = None, *, heartbeat: float = 5.0, grace: float = 60.0) -> None:
        self.root = runs_root() if root is None else Path(root).expanduser().resolve()
        self.heartbeat = heartbeat
        self._watch = Watch(grace)
        self._held: dict[Path, Claim] = {}

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # claims belong to a process; a copy in a worker makes its own
        return _open, (self.root, self.heartbeat, self._watch.grace)

    def path(self, config: TrialConfig) -> Path:
        """Folder of a trial's result, whether it exists or not."""
        parts = [safe_name(part) for part in (config.paper, *config.condition.split("/"))]
        return self.root.joinpath(*parts, config.folder_name)

    def part(self, config: TrialConfig) -> Path:
        """Folder of a trial while it is unfinished: checkpoints, and ``error.txt`` if it failed."""
        folder = self.path(config)
        return folder.with_name(folder.name + ".part")

    def find(self, config: TrialConfig) -> StoredTrial | None:
        """Result of a trial, verified.

        Parameters
        ----------
        config : TrialConfig

        Returns
        -------
        StoredTrial or None
            None if there is no result, or if it was damaged: the folder is then renamed to ``*.damaged-N``, and a
            warning names it.

        Raises
        ------
        RuntimeError
            If the result was written by a version of this library that stores results in another way.
        """
        folder = self.path(config)
        if not folder.is_dir():
            return None
        problem = find_damage(folder, config.fingerprint())
        if problem is None:
            return StoredTrial(folder)
        moved = _quarantine(folder)
        if moved is not None:
            warnings.warn(f"{problem}; moved the folder to {moved}, the trial will run again", stacklevel=2)
        return None

    @contextmanager
    def claim(self, config: TrialConfig) -> Iterator[Path]:
        """Own a trial while it runs.

        Parameters
        ----------
        config : TrialConfig

        Yields
        ------
        Path
            The ``.part`` folder, with whatever an interrupted run left in it. Look with :meth:`find` whether the trial
            has not been finished by somebody else before starting to work.

        Raises
        ------
        TrialClaimed
            At once, if another live process owns the trial. Ask again later: an owner that died is found out by its
            process id on this host, and elsewhere by its heartbeat not changing between two calls ``grace`` apart.
        """
        part, final = self.part(config), self.path(config)
        claim = Claim(part, interval=self.heartbeat, watch=self._watch)
        self._held[part] = claim
        try:
            if not final.exists() and (part / RECORD).is_file() and find_damage(part, config.fingerprint()) is None:
                # the last run was killed between its completion record and the rename
                _publish(part, final, claim)
            yield part
        finally:
            del self._held[part]
            claim.release()
            # leaves nothing where nothing happened, and keeps checkpoints and error messages
            with suppress(OSError):
                part.rmdir()

    def commit(
        self,
        config: TrialConfig,
        result: TrialResult,
        *,
        seconds: float,
        provenance: Mapping[str, Any] | None = None,
    ) -> StoredTrial:
        """Write a result and give its folder the final name.

        Parameters
        ----------
        config : TrialConfig
            Claimed by this process through :meth:`claim`.
        result : TrialResult
        seconds : float
            How long the trial took.
        provenance : mapping or None

        Returns
        -------
        StoredTrial

        Raises
        ------
        ClaimLost
            If another process has taken the trial over.
        OSError
            If writing fails, for example on a full disk. No folder has then appeared under the final name.
        """
        part, final = self.part(config), self.path(config)
        claim = self._held.get(part)
        if claim is None:
            raise RuntimeError(f"{part} is not claimed by this process; commit inside `with store.claim(config):`")
        claim.check()
        (part / RECORD).unlink(missing_ok=True)
        artefacts = write_artefacts(
            part, config, result=result, provenance={**(provenance or {}), "notes": list(result.notes)}
        )
        write_record(part, config, result=result, seconds=seconds, artefacts=artefacts)
        _publish(part, final, claim)
        return StoredTrial(final)

    def list(self, paper: str | None = None) -> pd.DataFrame:
        """All stored trials.

        Parameters
        ----------
        paper : str or None
            All papers by default.

        Returns
        -------
        DataFrame
            One row per trial, in the order of the folders: fields of the config, metrics, ``seconds``, ``folder``. Only
            the completion records are read; their artefacts are verified when :meth:`find` opens a trial.
        """
        root = self.root / safe_name(paper) if paper else self.root
        folders = sorted(_trial_folders(str(root)))
        chunks = [folders[start : start + _CHUNK] for start in range(0, len(folders), _CHUNK)]
        # threads, because on a network disk the time goes into waiting
        with _without_collection(), ThreadPoolExecutor(max_workers=8) as pool:
            frame = pd.DataFrame([row for rows in pool.map(_read_rows, chunks) for row in rows])
        first = [name for name in ("paper", "condition", "seed") if name in frame]
        return frame[[*first, *(name for name in frame if name not in first)]]


def _open(root: Path, heartbeat: float, grace: float) -> Store:
    return Store(root, heartbeat=heartbeat, grace=grace)


def _trial_folders(root: str) -> Iterator[str]:
    try:
        entries = os.scandir(root)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if _TRIAL.fullmatch(entry.name):
                yield entry.path
            elif not _SKIPPED.fullmatch(entry.name) and entry.is_dir():
                yield from _trial_folders(entry.path)


def _read_record(folder: str) -> bytes:
    # plain descriptors, because this is called a hundred thousand times
    descriptor = os.open(f"{folder}/{RECORD}", os.O_RDONLY)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _read_rows(folders: list[str]) -> list[dict[str, Any]]:
    texts: dict[str, bytes] = {}
    for folder in folders:
        with suppress(OSError):
            texts[folder] = _read_record(folder)
    try:
        # one call for all is twice as fast as one for each
        records = dict(zip(texts, json.loads(b"[" + b",".join(texts.values()) + b"]"), strict=True))
    except ValueError:
        records = {}
        for folder, text in texts.items():
            with suppress(ValueError):
                records[folder] = json.loads(text)
    rows = []
    for folder in folders:
        try:
            record = records[folder]
            row = trial_row(record["row"], record["metrics"])
            rows.append(row | {"seconds": record["seconds"], "folder": folder})
        except (ValueError, KeyError, TypeError, AttributeError):
            warnings.warn(f"{folder} has no readable {RECORD}; its trial will run again when asked for", stacklevel=2)
    return rows


@contextmanager
def _without_collection() -> Iterator[None]:
    """Spare the garbage collector from walking through ever more rows, none of which can be in a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _publish(part: Path, final: Path, claim: Claim) -> None:
    """Remove what is no artefact, and rename."""
    record = read_json(part / RECORD)
    kept = {RECORD, *record["artefacts"]}
    for path in part.iterdir():
        if path.name not in kept and not path.match(CLAIM_PATTERN):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    claim.check()
    if final.exists():
        if find_damage(final, record["fingerprint"]) is None:
            # an owner that was taken for dead has finished after all: its result is as good as this one
            claim.release()
            shutil.rmtree(part, ignore_errors=True)
            return
        _quarantine(final)
    part.rename(final)
    claim.release(final)


def _quarantine(folder: Path) -> Path | None:
    """Rename a damaged folder; None if another process has already done so."""
    number = 1
    while True:
        target = folder.with_name(f"{folder.name}.damaged-{number}")
        if not target.exists():
            try:
                folder.rename(target)
            except FileNotFoundError:
                return None
            except FileExistsError:
                time.sleep(0.01)
            else:
                return target
        number += 1
