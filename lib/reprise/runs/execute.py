"""Running one trial: its claim, its device, its outcome."""

import errno
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from reprise.files import write_text
from reprise.runs.artefacts import StoredTrial
from reprise.runs.provenance import Recorder
from reprise.runs.store import ClaimLost, Store, TrialClaimed
from reprise.runs.trial import TrialConfig, TrialContext

__all__ = ["Outcome", "deterministic", "execute", "failure", "resolve_device", "title", "unmet"]


@dataclass(frozen=True)
class Outcome:
    """What became of one trial."""

    status: str
    error: str = ""
    seconds: float = float("nan")
    folder: str = ""
    cached: bool = False
    metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def done(cls, stored: StoredTrial, *, cached: bool) -> "Outcome":
        """Outcome of a trial that is in the store."""
        seconds = float(stored.provenance.get("seconds") or "nan")
        return cls("done", seconds=seconds, folder=str(stored.folder), cached=cached, metrics=stored.metrics)


def title(config: TrialConfig) -> str:
    """Name of a trial in messages."""
    return f"{config.paper}/{config.condition} seed {config.seed}"


def resolve_device(name: str, *, index: int = 0) -> str:
    """Device that a config's ``device`` means on this machine.

    Parameters
    ----------
    name : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    index : int ≥ 0
        Number of the worker, which spreads ``auto`` and ``cuda`` over the GPUs.

    Returns
    -------
    str
        ``cpu`` or ``cuda:N``.

    Raises
    ------
    ValueError
        If the name is none of these, or there is no such GPU.
    """
    import torch

    if name == "cpu":
        return "cpu"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto" and not count:
        return "cpu"
    if name in ("auto", "cuda") and count:
        return f"cuda:{index % count}"
    kind, _, number = name.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}")
    if int(number or 0) >= count:
        raise ValueError(f"device {name!r} does not exist: torch sees {count} CUDA devices; use 'auto' or 'cpu'")
    return name


def execute(config: TrialConfig, store: Store, *, index: int = 0) -> Outcome | None:
    """Run one trial whose requirements are met, unless it is stored already.

    Parameters
    ----------
    config : TrialConfig
    store : Store
    index : int ≥ 0
        Number of the worker, as for :func:`resolve_device`.

    Returns
    -------
    Outcome or None
        ``failed`` where the runner raised or the result could not be stored, with the traceback in ``error.txt`` where
        the disk allows; None if another process is running the trial or has taken it over.

    Raises
    ------
    RuntimeError
        If the trial is stored with a schema that this version does not read.
    """
    try:
        with store.claim(config) as part:
            stored = store.find(config)
            if stored is not None:
                return Outcome.done(stored, cached=True)
            try:
                return Outcome.done(_run(config, store, index=index), cached=False)
            except ClaimLost:
                return None
            except Exception as error:  # noqa: BLE001 - whatever a runner raises must not stop the other trials
                return failure(error, folder=part)
    except TrialClaimed:
        return None
    except OSError as error:
        return failure(error)


def _run(config: TrialConfig, store: Store, *, index: int) -> StoredTrial:
    device = resolve_device(config.device, index=index)
    recorder = Recorder(device)
    context = TrialContext(folder=store.part(config), device=device, store=store)
    with deterministic():
        result = config.run(context)
    provenance = recorder.finish()
    return store.commit(config, result, seconds=provenance["seconds"], provenance=provenance)


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask torch for kernels that give the same bits twice; it warns where it has none."""
    # read by cuBLAS when CUDA starts
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    before = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic
    cudnn, filling = torch.backends.cudnn, memory.fill_uninitialized_memory
    flags = cudnn.deterministic, cudnn.benchmark
    # the same switch as use_deterministic_algorithms(True, warn_only=True), which imports the compiler for seconds
    torch.set_deterministic_debug_mode("warn")
    memory.fill_uninitialized_memory = False
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        memory.fill_uninitialized_memory = filling
        cudnn.deterministic, cudnn.benchmark = flags


def failure(error: BaseException, *, folder: Any = None) -> Outcome:
    """Outcome of a trial that raised; the traceback goes to ``error.txt`` where there is a folder for it."""
    line = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = folder or os.path.dirname(error.filename or "") or "."  # noqa: PTH120 - filename may be any text
        free = shutil.disk_usage(place).free
        line += f" ({free / 1e6:.0f} MB free; make room and run again, finished epochs are kept)"
    if folder is None:
        return Outcome("failed", error=line)
    # the disk may be full; the error's last line is in the table all the same
    with suppress(OSError):
        write_text(folder / "error.txt", "".join(traceback.format_exception(error)))
    return Outcome("failed", error=line, folder=str(folder))


def unmet(config: TrialConfig, outcomes: Mapping[str, Outcome]) -> Outcome | None:
    """Outcome of a trial that cannot run because one that it requires failed."""
    for required in config.requires():
        outcome = outcomes.get(required.fingerprint())
        if outcome is not None and outcome.status == "failed":
            return Outcome("failed", error=f"not run, because {title(required)} failed: {outcome.error}")
    return None
