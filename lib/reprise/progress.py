"""Progress that is a bar on a screen and a few plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")

LINE_EVERY_SECONDS = 10.0


def _interactive() -> bool:
    return sys.stderr.isatty()


def track(iterable: Iterable[T], *, total: int | None = None, description: str = "") -> Iterator[T]:
    """Iterate and show how far it is.

    Parameters
    ----------
    iterable : iterable
    total : int or None
        Number of items; ``len(iterable)`` where it has one.
    description : str
        What is being done, shown before the count.

    Yields
    ------
    T
        The items, unchanged.

    Notes
    -----
    On a terminal this is a tqdm bar. Elsewhere (logs, papermill) a line appears at most every ten seconds, and
    nothing at all for work that takes less.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if _interactive():
        from tqdm.auto import tqdm

        yield from tqdm(iterable, total=total, desc=description, leave=False, dynamic_ncols=True)
        return
    start = last = time.monotonic()
    for done, item in enumerate(iterable, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LINE_EVERY_SECONDS:
            last = now
            of = f"/{total}" if total else ""
            print(f"{description}: {done}{of} ({now - start:.0f} s)", file=sys.stderr, flush=True)
