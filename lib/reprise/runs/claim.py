"""Exclusive ownership of an unfinished trial, kept alive by a heartbeat and taken over from the dead."""

import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["CLAIM_PATTERN", "Claim", "ClaimLost", "TrialClaimed", "Watch"]

CLAIM_PATTERN = "claim-*"
_DIGITS = 20


class TrialClaimed(RuntimeError):
    """Another live process owns the trial."""


class ClaimLost(RuntimeError):
    """Another process has taken the trial over, so this one must not write any more."""


def _start_time(pid: int) -> str | None:
    """When a process began, in the kernel's ticks, so that a recycled pid is not taken for the old process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the command's name stands in parentheses and may hold spaces
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None


def _host() -> str:
    """Name of the space in which pids mean something: host, boot and pid namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def _dead(owner: dict) -> bool:
    """Whether the owner is known to be dead; False where its host is another one."""
    if owner.get("host") != _host():
        return False
    pid = int(owner.get("pid", -1))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return owner.get("process_start") not in (None, _start_time(pid))


def _owner(content: bytes) -> dict:
    """Who wrote a claim file; nobody if it was killed before it had written that."""
    try:
        owner = json.loads(content.split(b"\n", 1)[0])
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _in_words(owner: dict) -> str:
    host = str(owner.get("host", "an unknown host")).split("/")[0]
    return f"process {owner.get('pid', '?')} on {host} since {owner.get('started', '?')}"


def _generations(folder: Path) -> list[int]:
    with suppress(FileNotFoundError):
        return sorted(int(path.name.split("-")[1]) for path in folder.glob(CLAIM_PATTERN))
    return []


def _path(folder: Path, generation: int) -> Path:
    return folder / f"claim-{generation:06d}"


@dataclass
class Watch:
    """What has been seen of others' heartbeats, to tell a dead owner from a live one without comparing clocks.

    Attributes
    ----------
    grace : float, s
        An owner whose heartbeat does not change for so long is taken for dead.
    """

    grace: float = 60.0
    _seen: dict[Path, tuple[bytes, float]] = field(default_factory=dict)

    def stale(self, path: Path) -> bool:
        """Whether the owner named in a claim file is dead.

        Parameters
        ----------
        path : Path
            Claim file. Its content, read now and at earlier calls, is all that counts.

        Returns
        -------
        bool
            True at once where the owner's process is known to be gone, else after ``grace`` seconds of silence.
        """
        content, now = path.read_bytes(), time.monotonic()
        if _dead(_owner(content)):
            return True
        before, since = self._seen.get(path, (b"", now))
        if before != content:
            since = now
        self._seen[path] = (content, since)
        return now - since >= self.grace and before == content


class Claim:
    """Ownership of a folder while a trial runs in it.

    Parameters
    ----------
    folder : Path
        Made if missing. The claim is a file in it, so that both get their final place in one rename.
    interval : float, s
        Time between heartbeats.
    watch : Watch
        Memory of earlier attempts, which a takeover from another host needs.

    Raises
    ------
    TrialClaimed
        If another live process owns the folder.

    Notes
    -----
    A claim is created exclusively, as generation 1. Taking over generation g is the exclusive creation of g + 1: one
    process wins, and the old owner sees the newer file. The heartbeat goes to the open file and so can never touch a
    successor's claim.
    """

    def __init__(self, folder: Path, *, interval: float = 5.0, watch: Watch) -> None:
        self.folder = folder
        self.generation = 0
        self.token = secrets.token_hex(8)
        self._lost = threading.Event()
        self._stop = threading.Event()
        self._interval = interval
        self._beat_at, self._descriptor = self._create(watch)
        self._thread = threading.Thread(target=self._keep_alive, name=f"claim {folder.name}", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The claim file."""
        return _path(self.folder, self.generation)

    def _create(self, watch: Watch) -> tuple[int, int]:
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            newest = max(_generations(self.folder), default=0)
            try:
                if newest and not watch.stale(_path(self.folder, newest)):
                    owner = _owner(_path(self.folder, newest).read_bytes())
                    raise TrialClaimed(f"{self.folder} is being worked on by {_in_words(owner)}")
                created = self._try(newest)
            except FileNotFoundError:
                # the owner finished or released it in this very moment
                continue
            if created is not None:
                return created

    def _try(self, newest: int) -> tuple[int, int] | None:
        self.generation = newest + 1
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        except FileExistsError:
            return None
        owner = {
            "host": _host(),
            "pid": os.getpid(),
            "process_start": _start_time(os.getpid()),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "token": self.token,
        }
        head = json.dumps(owner).encode() + b"\n"
        try:
            os.write(descriptor, head + b"0" * _DIGITS)
            found = _generations(self.folder)
            # anything else than "the dead one's and mine" means that others came and went since the folder was read
            if found and found[-1] == self.generation and (newest == 0 or newest in found):
                return len(head), descriptor
        except OSError:
            self._abandon(descriptor)
            raise
        self._abandon(descriptor)
        return None

    def _abandon(self, descriptor: int) -> None:
        os.close(descriptor)
        self.path.unlink(missing_ok=True)

    def _keep_alive(self) -> None:
        beat = 0
        while not self._stop.wait(self._interval):
            beat += 1
            try:
                os.pwrite(self._descriptor, b"%0*d" % (_DIGITS, beat), self._beat_at)
                os.fsync(self._descriptor)
            except OSError:
                # a full disk or a lost network disk: if it lasts, others will see the silence, and so do we
                continue
            if not self.held():
                self._lost.set()
                return

    def held(self) -> bool:
        """Whether this process still owns the folder."""
        if self._lost.is_set():
            return False
        try:
            mine = self.path.stat().st_ino == os.fstat(self._descriptor).st_ino
        except OSError:
            return False
        return mine and max(_generations(self.folder), default=0) == self.generation

    def check(self) -> None:
        """Make sure that this process may write.

        Raises
        ------
        ClaimLost
            If another process has taken over.
        """
        if not self.held():
            raise ClaimLost(
                f"{self.folder} was taken over by another process, because this one was silent for too long; "
                "nothing was written, and the other's result counts"
            )

    def release(self, folder: Path | None = None) -> None:
        """Stop the heartbeat and remove the claim files of this and earlier owners.

        Parameters
        ----------
        folder : Path or None
            Where the files are now, if the folder was renamed.
        """
        if self._stop.is_set():
            return
        held = folder is not None or self.held()
        self._stop.set()
        self._thread.join()
        os.close(self._descriptor)
        if held:
            place = folder or self.folder
            # oldest first: a folder that shows only a dead owner's claim is free, one that shows none is free as well
            for generation in _generations(place):
                _path(place, generation).unlink(missing_ok=True)
