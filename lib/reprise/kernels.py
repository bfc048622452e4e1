"""A Jupyter kernel of the running interpreter, with a deadline, ended together with its children."""

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Kernel", "KernelStartError", "kernel_environment", "running_kernel"]

START_TRIES = 3
START_SECONDS = 120.0
GRACE_SECONDS = 10.0

# With glibc's defaults every large tensor is mapped and unmapped on each step, and most of a training step on the
# CPU is spent on page faults: keeping the memory halves the time per clip (measured: 49 -> 24 ms).
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "8000000000", "MALLOC_TRIM_THRESHOLD_": "16000000000"}

FOLDER_VARIABLES = ("REPRISE_DATA", "REPRISE_CACHE", "REPRISE_RUNS", "REPRISE_OUT")


class KernelStartError(RuntimeError):
    """The kernel did not come up; the message has the last line that it printed."""


class Kernel:
    """A running kernel.

    Parameters
    ----------
    manager : jupyter_client.AsyncKernelManager
        Already started and answering.
    timeout : float or None, s
        The kernel is interrupted after this time, and killed with its children if that does not end the work.
    """

    def __init__(self, manager: Any, *, timeout: float | None = None) -> None:
        self.manager = manager
        self.pid: int = manager.provisioner.pid
        self.timed_out = False
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._enforce, args=(timeout,), daemon=True)
        if timeout is not None:
            self._watch.start()

    def _enforce(self, timeout: float) -> None:
        if self._done.wait(timeout):
            return
        self.timed_out = True
        self.interrupt()
        if not self._done.wait(GRACE_SECONDS):
            self.kill()

    def interrupt(self) -> None:
        """Interrupt the running cell, as the stop button does; workers are told by the kernel, not by us."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill the kernel and every process that it started."""
        import psutil

        processes = []
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = psutil.Process(self.pid).children(recursive=True)
        # the kernel leads a process group, which outlives it: this finds orphans of a kernel that died first
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def close(self) -> None:
        """Ask the kernel to end, and kill what is left of it."""
        from jupyter_core.utils import run_sync

        self._done.set()
        try:
            if not self.timed_out:
                run_sync(self.manager.shutdown_kernel)()
        finally:
            self.kill()
            run_sync(self.manager.cleanup_resources)()


def kernel_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables of a kernel.

    Parameters
    ----------
    extra : mapping or None
        Win over what is inherited.

    Returns
    -------
    dict
        This process's variables; ``REPRISE_*`` folders made absolute, because the kernel works in ``notebooks/``; the
        allocator's settings and the hash seed where not set.
    """
    environment = {**ALLOCATOR, "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1", **os.environ}
    environment.update(extra or {})
    for name in FOLDER_VARIABLES:
        value = environment.get(name)
        if value and value != "synthetic":
            environment[name] = str(Path(value).expanduser().resolve())
    return environment


def _manager(connection_file: Path) -> Any:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisInterpreter(KernelSpecManager):
        """Knows one kernel: an installed kernelspec of the same name may belong to another environment."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

    return AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=ThisInterpreter(),
        connection_file=str(connection_file),
        shutdown_wait_time=GRACE_SECONDS,
    )


def _start(connection_file: Path, *, cwd: Path, environment: dict[str, str], log: Path) -> Any:
    """Start a kernel and wait for its answer; None where it died, for instance because another took its port."""
    from jupyter_core.utils import run_sync

    manager = _manager(connection_file)
    with log.open("ab") as stream:
        run_sync(manager.start_kernel)(cwd=str(cwd), env=environment, stdout=stream, stderr=stream)
    client = manager.client()
    client.start_channels()
    try:
        run_sync(client.wait_for_ready)(timeout=START_SECONDS)
    except RuntimeError:
        Kernel(manager).kill()
        run_sync(manager.cleanup_resources)()
        return None
    finally:
        client.stop_channels()
    return manager


@contextmanager
def running_kernel(
    *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None, timeout: float | None = None
) -> Iterator[Kernel]:
    """Start a kernel for the length of a block.

    Parameters
    ----------
    cwd : Path
        Working directory of the kernel.
    log : Path
        File for what the kernel process itself prints, beside the cells' outputs.
    environment : mapping or None
        Variables beside the inherited ones.
    timeout : float or None, s
        See :class:`Kernel`.

    Yields
    ------
    Kernel

    Raises
    ------
    KernelStartError
        If it does not come up in a few tries.
    """
    with tempfile.TemporaryDirectory(prefix="reprise-", ignore_cleanup_errors=True) as scratch:
        # a private IPython folder keeps the user's start-up files, which may change results, out of the run
        variables = kernel_environment({"IPYTHONDIR": scratch, **(environment or {})})
        for attempt in range(START_TRIES):
            manager = _start(Path(scratch) / f"kernel-{attempt}.json", cwd=cwd, environment=variables, log=log)
            if manager is not None:
                break
        else:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise KernelStartError(f"the kernel did not start: {lines[-1] if lines else 'no output'}")
        kernel = Kernel(manager, timeout=timeout)
        try:
            yield kernel
        except (KeyboardInterrupt, SystemExit):
            kernel.interrupt()
            raise
        finally:
            kernel.close()
