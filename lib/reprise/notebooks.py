"""Run a paper's notebook with parameters, and let only its own completion record say that it is done."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reprise.files import read_json, sha256_file, write_json, write_text
from reprise.folders import replace_folder, stage_folder
from reprise.notebook_parameters import check_parameters, check_type, plain
from reprise.papers.catalogue import Paper, load_settings, resolve_data
from reprise.papers.choices import UsageError
from reprise.paths import figures_root, notebooks_root

__all__ = ["NotebookRun", "run_notebook"]

RECORD = "complete.json"
MESSAGE_LENGTH = 400
SECONDS_BETWEEN_SAVES = 10.0


@dataclass(frozen=True)
class NotebookRun:
    """How a notebook ended.

    Parameters
    ----------
    paper : Paper
    status : "done", "failed" or "timeout"
    seconds : float
    folder : Path
        The paper's output when done; else the folder of what there was, with ``.failed`` in its name.
    error : str or None
        One line.
    """

    paper: Paper
    status: Literal["done", "failed", "timeout"]
    seconds: float
    folder: Path
    error: str | None = None


def _read(path: Path) -> Any:
    import nbformat

    if not path.is_file():
        raise UsageError(f"{path}: there is no such notebook; is this a complete checkout?")
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, nbformat.ValidationError) as error:
        raise UsageError(f"{path} is not a valid notebook: {error}") from error


def run_notebook(
    paper: Paper,
    *,
    profile: str = "smoke",
    data: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    timeout: float | None = None,
    on_cell: Callable[[int, int], None] | None = None,
) -> NotebookRun:
    """Execute a paper's notebook and put its output in place, all of it or nothing.

    Parameters
    ----------
    paper : Paper
    profile : {"smoke", "demo", "paper"}
    data : str, path or None
        See :func:`reprise.papers.catalogue.resolve_data`.
    overrides : mapping or None
        Parameters of the paper that differ from the profile's.
    out : path or None
        Folder that holds ``<profile>/<paper>/``; None: ``figures/``.
    seed, workers, scheduler
        Passed on; see ``run_all.sh run --help``.
    timeout : float or None, s
    on_cell : callable or None
        Called as ``on_cell(i, n)`` when code cell i of n starts.

    Returns
    -------
    NotebookRun

    Raises
    ------
    UsageError
        Before a kernel starts: a parameter, value, folder or notebook that cannot be used.

    Notes
    -----
    A notebook is done when its last cell has written ``complete.json`` and every cell ran. Papermill alone would also
    call one done that ended by ``sys.exit(0)``, and marks cells that never ran as completed after a kernel's death.
    """
    source = notebooks_root() / paper.notebook
    notebook = _read(source)
    check_parameters(notebook, source)
    chosen = plain(overrides or {}, name="overrides")
    if paper.kind == "paper":
        load_settings(paper, profile, chosen)
    root = Path(out).expanduser().resolve() if out is not None else figures_root()
    final = root / profile / paper.name
    parameters = {
        "profile": profile,
        "data": resolve_data(data, profile, paper.datasets),
        "overrides": chosen,
        "seed": plain(seed, name="seed"),
        "workers": plain(workers, name="workers"),
        "scheduler": scheduler,
    }
    for name, value in parameters.items():
        check_type(name, value, where=paper.name)
    staging = stage_folder(final)
    parameters["out"] = str(staging)
    start = time.monotonic()
    try:
        status, error = _execute(
            source,
            staging=staging,
            parameters=parameters,
            environment={"REPRISE_OUT": str(root)},
            timeout=timeout,
            on_cell=on_cell,
        )
        folder = _publish(staging, final, paper=paper, status=status, error=error)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return NotebookRun(paper, status, time.monotonic() - start, folder, error)


def _execute(
    source: Path,
    *,
    staging: Path,
    parameters: dict[str, Any],
    environment: dict[str, str],
    timeout: float | None,
    on_cell: Callable[[int, int], None] | None,
) -> tuple[Literal["done", "failed", "timeout"], str | None]:
    """Run the notebook in a kernel of its own and judge how it ended."""
    from nbclient.exceptions import CellControlSignal
    from papermill import execute_notebook
    from papermill.exceptions import PapermillException

    from reprise.kernels import running_kernel

    # what goes wrong is reported once, by us
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    timed_out, failure = False, None
    try:
        with running_kernel(
            cwd=source.parent, log=staging / "kernel.log", environment=environment, timeout=timeout
        ) as kernel:
            try:
                execute_notebook(
                    source,
                    staging / "notebook.ipynb",
                    parameters=parameters,
                    kernel_name="python3",
                    language="python",
                    progress_bar=False,
                    km=kernel.manager,
                    iopub_timeout=60,
                    engine_name=_seldom_saving_engine(),
                    **({"on_cell_start": _counter(source, on_cell)} if on_cell else {}),
                )
            finally:
                timed_out = kernel.timed_out
    except (PapermillException, CellControlSignal, RuntimeError, OSError) as error:
        failure = error
    if timed_out:
        return "timeout", f"code cell {_last_started(_code_cells(staging))}: the time limit of {timeout:g} s passed"
    problem = _problem(staging, failure)
    return ("failed", problem) if problem else ("done", None)


def _seldom_saving_engine() -> str:
    """Register papermill's engine with fewer saves, and return its name.

    Pictures and sounds add up: to write all of them anew before and after each cell takes a quarter of the time. The
    last save, after the last cell or a failure, is papermill's own.
    """
    from papermill.engines import NBClientEngine, papermill_engines

    class SeldomSaving(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            always = nb_man.save

            def save(**kwargs: Any) -> None:
                if (nb_man.now() - nb_man.last_save_time).total_seconds() >= SECONDS_BETWEEN_SAVES:
                    always(**kwargs)

            nb_man.save = save
            try:
                return super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.save = always

    papermill_engines.register("seldom-saving", SeldomSaving)
    return "seldom-saving"


def _counter(source: Path, on_cell: Callable[[int, int], None]) -> Callable[..., None]:
    total = sum(cell.cell_type == "code" for cell in _read(source).cells)
    done = 0

    def start(cell: Any, cell_index: int) -> None:
        nonlocal done
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            done += 1
            on_cell(done, total)

    return start


def _code_cells(staging: Path) -> list[Any]:
    """Code cells of the executed notebook, without the one that papermill injects; empty when nothing was written."""
    path = staging / "notebook.ipynb"
    if not path.is_file():
        return []
    cells = [cell for cell in _read(path).cells if cell.cell_type == "code" and cell.source.strip()]
    return [cell for cell in cells if "injected-parameters" not in cell.metadata.get("tags", [])]


def _last_started(cells: list[Any]) -> int:
    """Number of the last cell that started, by papermill's clock: the kernel may die before it gives it a count."""
    started = (n for n, cell in enumerate(cells, start=1) if cell.metadata.get("papermill", {}).get("start_time"))
    return max(started, default=1)


def _problem(staging: Path, failure: BaseException | None) -> str | None:
    """What went wrong, in one line; None when the notebook is done."""
    from nbclient.exceptions import DeadKernelError

    cells = _code_cells(staging)
    for number, cell in enumerate(cells, start=1):
        expected = "raises-exception" in cell.metadata.get("tags", [])
        for output in cell.outputs:
            if output.output_type == "error" and output.ename != "SystemExit" and not expected:
                words = " ".join(output.evalue.split())
                return f"code cell {number}: {output.ename}: {words[:MESSAGE_LENGTH]}"
    if isinstance(failure, DeadKernelError):
        return f"code cell {_last_started(cells)}: the kernel died (killed from outside, often for lack of memory)"
    if failure is not None:
        return " ".join(str(failure).split()) or type(failure).__name__
    never = sum(cell.execution_count is None for cell in cells)
    if never:
        return f"{never} of {len(cells)} code cells never ran: the notebook ended early"
    return _record_problem(staging)


def _record_problem(staging: Path) -> str | None:
    """What is wrong with the completion record, or with the files that it vouches for."""
    path = staging / RECORD
    if not path.is_file():
        return f"the notebook ended without {RECORD}, which its last cell must write (publication.finish)"
    try:
        files = read_json(path).get("files", {})
    except (ValueError, AttributeError):
        return f"{RECORD} is damaged"
    for name, digest in files.items():
        if not (staging / name).is_file() or sha256_file(staging / name) != digest:
            return f"{name} is missing or was changed after {RECORD} was written"
    return None


def _publish(staging: Path, final: Path, *, paper: Paper, status: str, error: str | None) -> Path:
    """Write the page and rename the folder into place: the paper's own when done, else ``.failed`` beside it."""
    failed = final.with_name(final.name + ".failed")
    target = final if status == "done" else failed
    log = staging / "kernel.log"
    if status == "done" or (log.is_file() and not log.stat().st_size):
        log.unlink(missing_ok=True)
    if status != "done":
        (staging / RECORD).unlink(missing_ok=True)
        write_json(staging / "failed.json", {"paper": paper.slug, "status": status, "error": error})
    _write_page(staging, target, paper=paper, error=error)
    replace_folder(staging, target)
    if status == "done":
        shutil.rmtree(failed, ignore_errors=True)
    return target


def _write_page(staging: Path, target: Path, *, paper: Paper, error: str | None) -> None:
    import nbformat

    from reprise.pages import notebook_page

    path = staging / "notebook.ipynb"
    if not path.is_file():
        return
    # the notebook knew its folder by a temporary name; readers should find the one that lasts
    write_text(path, path.read_text(encoding="utf-8").replace(str(staging), str(target)))
    notebook = _read(path)
    if error is not None:
        cells = [cell for cell in notebook.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
        for cell in cells:
            if cell.cell_type == "code" and cell.execution_count is None and "papermill" in cell.metadata:
                cell.metadata["papermill"]["status"] = "pending"
        banner = nbformat.v4.new_markdown_cell(f"> **This run is not complete.** `{error.replace('`', '')}`")
        notebook.cells = [banner, *cells]
        notebook.metadata.setdefault("papermill", {})["exception"] = True
        write_text(path, nbformat.writes(notebook))
    write_text(staging / "notebook.html", notebook_page(notebook, title=paper.title, images=notebooks_root()))
