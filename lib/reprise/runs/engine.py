"""Running many trials: in this process, on a local Dask cluster, or on any Dask scheduler."""

import os
import signal
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd

from reprise.progress import track
from reprise.runs.artefacts import trial_row
from reprise.runs.execute import Outcome, execute, failure, resolve_device, title, unmet
from reprise.runs.store import Store
from reprise.runs.trial import TrialConfig

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["pending_trials", "resolve_device", "run_grid"]

POLL_SECONDS = 0.5


def run_grid(
    trials: Iterable[TrialConfig],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    store: Store | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Run trials that have no result yet, and return the results of all.

    Parameters
    ----------
    trials : iterable of TrialConfig
        Trials that they require run first, and are not rows of the answer. Equal trials run once.
    scheduler : str or None
        Address of a Dask scheduler whose workers see the store's and the data's folders.
    workers : int ≥ 1 or None
        Worker processes on this machine; None and 1 run the trials in this process.
    store : Store or None
        ``Store()`` by default.
    progress : bool
        Show how many trials are done.

    Returns
    -------
    DataFrame
        One row per given trial in the given order: fields of the config, metrics, ``status`` (``done`` or ``failed``),
        ``error`` (last line of the traceback), ``seconds``, ``folder``, ``cached`` (whether it was there before).

    Notes
    -----
    A trial that fails is reported by a warning, leaves its traceback in ``<folder>.part/error.txt``, and fails the
    trials that require it; the rest go on. Ctrl-C and SIGTERM give up the claims and keep the checkpoints, so the same
    call resumes. Trials that another process is running are waited for and used.
    """
    given = list(trials)
    store = Store() if store is None else store
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    outcomes: dict[str, Outcome] = {}
    plan = _plan(given, store, outcomes)
    with _terminable():
        if scheduler is None and workers in (None, 1):
            finished = _run_here(plan, store)
        else:
            finished = _run_on_dask(plan, store, scheduler=scheduler, workers=workers)
        with _closing(finished):
            for fingerprint, outcome in (
                track(finished, total=len(plan), description="trials") if progress else finished
            ):
                outcomes[fingerprint] = outcome
                if outcome.status == "failed":
                    warnings.warn(f"{title(plan[fingerprint])} failed: {outcome.error}", stacklevel=2)
    return _table(given, outcomes)


def pending_trials(trials: Iterable[TrialConfig], *, store: Store | None = None) -> list[TrialConfig]:
    """Trials that :func:`run_grid` would run, required ones included, in the order in which it would.

    Parameters
    ----------
    trials : iterable of TrialConfig
    store : Store or None
        ``Store()`` by default.

    Returns
    -------
    list of TrialConfig
    """
    return list(_plan(list(trials), Store() if store is None else store, {}).values())


def _plan(trials: list[TrialConfig], store: Store, outcomes: dict[str, Outcome]) -> dict[str, TrialConfig]:
    """Trials to run by fingerprint, requirements first; results that exist go to ``outcomes``."""
    plan: dict[str, TrialConfig] = {}
    above: list[str] = []

    def visit(config: TrialConfig) -> None:
        fingerprint = config.fingerprint()
        if fingerprint in above:
            raise ValueError(f"{title(config)} requires itself through {len(above)} others; check requires()")
        if fingerprint in plan or fingerprint in outcomes:
            return
        stored = store.find(config)
        if stored is not None:
            # what a finished trial required is not needed any more
            outcomes[fingerprint] = Outcome.done(stored, cached=True)
            return
        above.append(fingerprint)
        for required in config.requires():
            visit(required)
        above.pop()
        plan[fingerprint] = config

    for config in trials:
        visit(config)
    return plan


def _run_here(plan: Mapping[str, TrialConfig], store: Store) -> Iterator[tuple[str, Outcome]]:
    """Run trials in this process, passing over those that other processes are running until nothing else is left."""
    waiting = dict(plan)
    outcomes: dict[str, Outcome] = {}
    while waiting:
        progressed = False
        for fingerprint, config in list(waiting.items()):
            if any(required.fingerprint() in waiting for required in config.requires()):
                continue
            outcome = unmet(config, outcomes) or execute(config, store)
            if outcome is not None:
                progressed = True
                outcomes[fingerprint] = outcome
                del waiting[fingerprint]
                yield fingerprint, outcome
        if not progressed:
            time.sleep(POLL_SECONDS)


def _run_on_worker(config: TrialConfig, store: Store, required: Mapping[str, Outcome], threads: int | None) -> Outcome:
    """Run one trial in a Dask worker; waits where another process is running it."""
    import torch
    from distributed import get_worker

    outcome = unmet(config, required)
    if threads is not None:
        torch.set_num_threads(threads)
    name = str(get_worker().name)
    while outcome is None:
        outcome = execute(config, store, index=int(name) if name.isdigit() else 0)
        if outcome is None:
            time.sleep(POLL_SECONDS)
    return outcome


def _run_on_dask(
    plan: Mapping[str, TrialConfig], store: Store, *, scheduler: str | None, workers: int | None
) -> Iterator[tuple[str, Outcome]]:
    if not plan:
        return
    from distributed import as_completed

    with _client(scheduler, workers, n_trials=len(plan)) as (client, threads):
        # a name of its own per call: a scheduler that outlives it would hand out an earlier failure again
        call = uuid.uuid4().hex[:8]
        futures: dict[str, Future] = {}
        for fingerprint, config in plan.items():
            names = [required.fingerprint() for required in config.requires()]
            required = {name: futures[name] for name in names if name in futures}
            key = f"{config.paper}-{fingerprint[:16]}-{call}"
            futures[fingerprint] = client.submit(_run_on_worker, config, store, required, threads, key=key, pure=False)
        fingerprints = {future.key: fingerprint for fingerprint, future in futures.items()}
        try:
            for future in as_completed(list(futures.values())):
                # what a trial raises is in its outcome; this is a worker that died again and again
                fault = future.exception()
                yield fingerprints[future.key], future.result() if fault is None else failure(fault)
        finally:
            client.cancel([future for future in futures.values() if not future.done()])


@contextmanager
def _client(scheduler: str | None, workers: int | None, *, n_trials: int) -> Iterator[tuple["Client", int | None]]:
    """Connect to a scheduler, or start a cluster on this machine; with the number of torch threads per worker."""
    import logging

    import dask
    from distributed import Client, LocalCluster

    if scheduler is not None:
        with Client(scheduler) as client:
            yield client, None
        return
    count = min(workers or 1, n_trials)
    threads = max(1, (os.cpu_count() or 1) // count)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    # by default Dask makes its workers, and through os.environ this process, give memory back at once, which costs a
    # page fault per page of every large tensor; what this process was started with is to hold there too
    allocator = {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")}
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": allocator}),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            # memory-mapped audio counts as memory in use, and a limit would kill workers for it
            memory_limit=0,
            env=dict.fromkeys(names, str(threads)),
            # a training step holds the interpreter for longer than the event loop likes
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client, threads


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that claims are given up."""

    def stop(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Callable | int | None = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _closing(iterator: Iterator) -> Iterator[None]:
    """Close a generator at once, not when it is collected: it holds claims and a cluster."""
    try:
        yield
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _table(trials: Iterable[TrialConfig], outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    rows = []
    for config in trials:
        outcome = outcomes[config.fingerprint()]
        rows.append(
            trial_row(config.row(), outcome.metrics)
            | {
                "status": outcome.status,
                "error": outcome.error,
                "seconds": outcome.seconds,
                "folder": outcome.folder,
                "cached": outcome.cached,
            }
        )
    return pd.DataFrame(rows)
