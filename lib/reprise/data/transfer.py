"""One file's way over HTTP from one address: resumed where that is safe, retried politely, cut where it stalls."""

import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn

from reprise import __version__
from reprise.data.manifest import RemoteFile
from reprise.files import write_json

__all__ = ["GiveUp", "Patience", "Progress", "Transfer"]

USER_AGENT = f"reprise/{__version__} (replication suite for music-audio papers; Python-urllib)"
BLOCK = 1 << 16
MEBIBYTE = 1 << 20

OK, PARTIAL_CONTENT, RANGE_REFUSED = 200, 206, 416
# the same request may succeed later
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[..., Iterator[Any]]


class GiveUp(Exception):
    """An address is of no use now."""


class _Interrupted(Exception):
    """The transfer stopped early; what came so far is kept."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long to put up with a server.

    Parameters
    ----------
    attempts : int, >= 1
        Failures in a row at one address; one after which more of the file was there than ever before starts anew.
    timeout : float, s
        To connect, and between two pieces of an answer.
    back_off, longest_wait : float, s
        Pause after the first failure, doubled after each further one, and its cap. A server that asks for more than
        the cap is not asked again.
    minimum_rate : float, bytes per second
        Over each ``window``; a slower transfer is cut and resumed.
    window : float, s
    sleep : callable
        Takes the pause in seconds.
    """

    attempts: int = 6
    timeout: float = 30.0
    back_off: float = 1.0
    longest_wait: float = 120.0
    minimum_rate: float = 1024.0
    window: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class Transfer:
    """The state of one file's way from one address into its partial file.

    Parameters
    ----------
    url : str
    file : RemoteFile
    path : Path
        Final name; the content goes into :attr:`partial` beside it.
    patience : Patience
    on_progress : callable
    """

    def __init__(self, url: str, *, file: RemoteFile, path: Path, patience: Patience, on_progress: Progress) -> None:
        self.url, self.file, self.patience, self.on_progress = url, file, patience, on_progress
        self.partial = path.with_name(f"{path.name}.partial")
        self._note = path.with_name(f"{path.name}.partial.json")
        self.resumed = False

    def complete(self) -> None:
        """Ask until the server has said all it has to say; :attr:`resumed` tells whether older content was kept.

        Raises
        ------
        GiveUp
            If the server refuses, or fails too often; what came is kept for the next time.
        """
        self.resumed = False
        failures, best = 0, self._size()
        if self._is_whole(best):
            # an earlier run was stopped between the last byte and the check
            self.resumed = True
            return
        while True:
            try:
                self._ask()
                return
            except _Interrupted as error:
                gained = self._size() >= best + MEBIBYTE
                best = max(best, self._size())
                failures = 1 if gained else failures + 1
                if failures >= self.patience.attempts:
                    raise GiveUp(f"{error} ({failures} times in a row; run the same command to go on)") from error
                self._pause(error, failures)

    def _is_whole(self, size: int) -> bool:
        if self.file.bytes is not None:
            return size >= self.file.bytes
        return size > 0 and self.file.digest_of(self.partial) == self.file.digest

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _pause(self, error: _Interrupted, failures: int) -> None:
        wait = min(self.patience.back_off * 2 ** (failures - 1), self.patience.longest_wait)
        if error.wait is not None:
            if error.wait > self.patience.longest_wait:
                raise GiveUp(f"{error}; the server asks to come back in {error.wait:.0f} s") from error
            wait = max(wait, error.wait)
        self.patience.sleep(wait)

    def _validators(self) -> dict[str, str]:
        """What identifies the entity that the partial file is a part of, if that is known for this address."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note["validators"] if isinstance(note, dict) and note.get("url") == self.url else {}

    def _ask(self) -> None:
        start, validators = self._size(), self._validators()
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if start and validators:
            headers |= {"Range": f"bytes={start}-", "If-Range": next(iter(validators.values()))}
        else:
            start = 0
        with self._open(urllib.request.Request(self.url, headers=headers), resuming=start > 0) as response:
            if response.status == PARTIAL_CONTENT:
                self._check_part(response.headers, start=start, validators=validators)
            elif response.status != OK:
                raise GiveUp(f"status {response.status}")
            else:
                # also what a server says that ignores the range, or has another file by now
                start = 0
            self._receive(response, start=start)

    def _open(self, request: urllib.request.Request, *, resuming: bool) -> Any:
        try:
            return urllib.request.urlopen(request, timeout=self.patience.timeout)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error, resuming=resuming)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise _Interrupted(f"no answer: {reason}") from error

    def _refused(self, error: urllib.error.HTTPError, *, resuming: bool) -> NoReturn:
        if error.code == RANGE_REFUSED and resuming:
            self.forget()
            raise _Interrupted("the server has no such range; the file is fetched from its start")
        if error.code in PASSING:
            raise _Interrupted(f"status {error.code} {error.reason}", wait=_retry_after(error.headers))
        raise GiveUp(f"status {error.code} {error.reason}")

    def _check_part(self, headers: Message, *, start: int, validators: dict[str, str]) -> None:
        """Refuse a part that is not the rest of what is on disk."""
        name, value = next(iter(validators.items()), ("", ""))
        span = headers.get("Content-Range", "")
        if not start or headers.get(name) != value or not span.startswith(f"bytes {start}-"):
            self.forget()
            raise _Interrupted("the server sent a part of another file; it is fetched from its start")
        self.resumed = True

    def forget(self) -> None:
        """Remove the partial file and what is known of it."""
        self._note.unlink(missing_ok=True)
        self.partial.unlink(missing_ok=True)

    def _receive(self, response: Any, *, start: int) -> None:
        if not start:
            self.resumed = False
            self.partial.unlink(missing_ok=True)
            write_json(self._note, {"url": self.url, "validators": _strong_validators(response.headers)})
        announced = response.length
        rest = announced if self.file.bytes is None else self.file.bytes - start
        if rest is None:
            raise GiveUp("the server does not say how long the file is, and the manifest does not know")
        with self.partial.open("ab") as out:
            blocks = self._blocks(response, room=rest + 1)
            total = math.ceil(rest / MEBIBYTE)
            for _ in self.on_progress(_write(blocks, out), total=total, description=f"{self.file.name} (MiB)"):
                pass
        received = self._size() - start
        if announced is not None and received < min(announced, rest + 1):
            raise _Interrupted(f"the transfer broke off after {start + received} of {start + announced} bytes")

    def _blocks(self, response: Any, *, room: int) -> Iterator[bytes]:
        """Pieces as they arrive, one byte more than expected at most: an endless body shows itself by that byte."""
        since, received = time.monotonic(), 0
        while room > 0:
            try:
                block = response.read1(min(BLOCK, room))
            except (OSError, HTTPException) as error:
                raise _Interrupted(f"the transfer stopped: {error or type(error).__name__}") from error
            if not block:
                return
            yield block
            room, received = room - len(block), received + len(block)
            elapsed = time.monotonic() - since
            if elapsed >= self.patience.window:
                if received < self.patience.minimum_rate * elapsed:
                    raise _Interrupted(f"only {received / elapsed:.0f} bytes per second came")
                since, received = time.monotonic(), 0


def _write(blocks: Iterator[bytes], out: Any) -> Iterator[int]:
    """Write pieces, and tell once per MiB."""
    written = told = 0
    for block in blocks:
        out.write(block)
        written += len(block)
        while told < written // MEBIBYTE:
            told += 1
            yield told
    if written % MEBIBYTE:
        yield told + 1


def _strong_validators(headers: Message) -> dict[str, str]:
    etag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
    # a weak tag promises equal meaning, not equal bytes
    if etag and not etag.startswith("W/"):
        return {"ETag": etag}
    return {"Last-Modified": modified} if modified else {}


def _retry_after(headers: Message) -> float | None:
    """Pause that the server asks for, in seconds from now."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
