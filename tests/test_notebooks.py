"""The notebook runner against a toy paper: what is refused, what counts as done, what is kept."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest

from reprise import kernels, notebooks
from reprise.notebook_parameters import PARAMETERS, ParametersError, check_parameters, plain
from reprise.notebooks import run_notebook
from reprise.pages import equation, notebook_page
from reprise.papers.catalogue import Paper
from reprise.papers.choices import InvalidValue, MissingData, UnknownParameter, UsageError

PARAMETERS_CELL = """\
profile = "smoke"
data = None
overrides = {}
seed = 0
workers = None
scheduler = None
out = None
"""
FINISH = """\
import json
from pathlib import Path
facts = {"overrides": overrides, "data": data, "seed": seed, "title": "toy", "evidence": "synthetic"}
(Path(out) / "complete.json").write_text(json.dumps(facts))
"""
SETTINGS = """\
from typing import Literal
from pydantic import BaseModel, ConfigDict, Field

class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    epochs: int = Field(3, ge=1, description="passes over the clips")
    split: Literal["official", "random"] = Field("official", description="which split")
    rate: float = Field(0.1, gt=0, description="step size")
"""


RECORD_OF_A_MISSING_FILE = FINISH.replace('"title"', '"files": {"table_1.csv": "0" * 64}, "title"')


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A project with one paper whose notebook is made of the given cells."""
    monkeypatch.delenv("REPRISE_DATA", raising=False)
    root = tmp_path / "project é"
    room = tmp_path / "site" / "toy_paper"
    for folder in (root / "lib" / "reprise", root / "notebooks", room):
        folder.mkdir(parents=True)
    (root / "run_all.sh").touch()
    (room / "__init__.py").touch()
    (room / "settings.py").write_text(SETTINGS)
    (room / "profiles.yaml").write_text("smoke: {epochs: 1}\ndemo: {}\npaper: {}\n")
    monkeypatch.syspath_prepend(str(room.parent))
    monkeypatch.chdir(root)
    monkeypatch.setattr(kernels, "GRACE_SECONDS", 2.0)
    yield Toy(root)
    for name in [name for name in sys.modules if name.startswith("toy_paper")]:
        del sys.modules[name]


class Toy:
    paper = Paper(slug="toy", number="99", notebook="99_toy.ipynb", title="Toy", module="toy_paper")

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"

    def write(self, *cells: str, parameters: str | None = PARAMETERS_CELL) -> None:
        code = [nbformat.v4.new_code_cell(source) for source in cells]
        if parameters is not None:
            code.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        nbformat.write(nbformat.v4.new_notebook(cells=code), self.root / "notebooks" / "99_toy.ipynb")

    def run(self, *cells: str, **options):
        self.write(*cells)
        return run_notebook(self.paper, out=self.out, **options)

    @property
    def folder(self) -> Path:
        return self.out / "smoke" / "99_toy"


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_finished_notebook_is_put_in_place_with_its_page(toy):
    cells: list[tuple[int, int]] = []
    show = "import os, sys\nprint(os.getcwd(), sys.executable, os.environ['MALLOC_TRIM_THRESHOLD_'])"
    result = toy.run(
        show, FINISH, overrides={"epochs": np.int64(5), "rate": 0.5}, seed=7, on_cell=lambda i, n: cells.append((i, n))
    )
    assert (result.status, result.error, result.folder) == ("done", None, toy.folder)
    assert sorted(path.name for path in toy.folder.iterdir()) == ["complete.json", "notebook.html", "notebook.ipynb"]
    assert json.loads((toy.folder / "complete.json").read_text()) == {
        "overrides": {"epochs": 5, "rate": 0.5},
        "data": "synthetic",
        "seed": 7,
        "title": "toy",
        "evidence": "synthetic",
    }
    assert cells == [(1, 3), (2, 3), (3, 3)]
    printed = nbformat.read(toy.folder / "notebook.ipynb", 4).cells[2].outputs[0].text.split("\n")[0]
    assert printed == f"{toy.root / 'notebooks'} {sys.executable} {kernels.ALLOCATOR['MALLOC_TRIM_THRESHOLD_']}"
    assert not hidden(toy.out / "smoke")
    assert str(toy.out / "smoke" / ".99_toy") not in (toy.folder / "notebook.ipynb").read_text()


def test_a_failed_cell_keeps_the_old_output_and_what_there_was(toy):
    assert toy.run(FINISH).status == "done"
    old = (toy.folder / "notebook.html").read_bytes()
    result = toy.run("print('so far')", "int('four')", FINISH)
    assert result.status == "failed"
    assert result.error == "code cell 3: ValueError: invalid literal for int() with base 10: 'four'"
    assert result.folder == toy.out / "smoke" / "99_toy.failed"
    assert (toy.folder / "notebook.html").read_bytes() == old
    page = (result.folder / "notebook.html").read_text()
    assert "This run is not complete" in page
    assert "so far" in page
    assert not (result.folder / "complete.json").exists()
    assert json.loads((result.folder / "failed.json").read_text())["status"] == "failed"
    assert toy.run(FINISH).status == "done"
    assert not result.folder.exists(), "a success must remove the failure that it makes good"


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        (["import sys\nsys.exit(0)", FINISH], "never ran"),
        ([FINISH, "import sys\nsys.exit(0)", "1"], "never ran"),
        (["1"], "without complete.json"),
        ([RECORD_OF_A_MISSING_FILE], "table_1.csv is missing"),
    ],
    ids=["exit before the record", "exit after the record", "no record", "record of a missing file"],
)
def test_a_notebook_without_a_sound_record_has_failed(toy, cells, error):
    result = toy.run(*cells)
    assert result.status == "failed"
    assert error in result.error
    assert not toy.folder.exists()


@pytest.mark.slow
def test_a_dead_kernel_is_a_failure_and_cells_that_never_ran_say_so(toy):
    result = toy.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", FINISH)
    assert result.status == "failed"
    assert result.error.startswith("code cell 2: the kernel died")
    cells = [cell for cell in nbformat.read(result.folder / "notebook.ipynb", 4).cells if cell.cell_type == "code"]
    assert cells[-1].metadata["papermill"]["status"] == "pending"


@pytest.mark.slow
@pytest.mark.parametrize("stubborn", [False, True])
def test_the_time_limit_ends_the_kernel_and_its_children(toy, tmp_path, stubborn):
    wait = "while True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass"
    cell = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "300"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
{wait if stubborn else "time.sleep(60)"}
"""
    result = toy.run(cell, FINISH, timeout=3)
    assert (result.status, result.error) == ("timeout", "code cell 2: the time limit of 3 s passed")
    deadline = time.monotonic() + 5
    while _running(int((tmp_path / "pid").read_text())):
        assert time.monotonic() < deadline, "the kernel's child outlived it"
        time.sleep(0.1)


def _running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing_half_done(toy, number):
    toy.write("import time\nprint('waiting')\ntime.sleep(60)", FINISH)
    script = textwrap.dedent(f"""
        import signal, sys
        sys.path.insert(0, {str(toy.root.parent / "site")!r})
        from reprise.notebooks import run_notebook
        from reprise.papers.catalogue import Paper
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        paper = Paper(slug="toy", number="99", notebook="99_toy.ipynb", title="Toy", module="toy_paper")
        try:
            run_notebook(paper, out={str(toy.out)!r}, on_cell=lambda i, n: print(i, flush=True))
        except KeyboardInterrupt:
            sys.exit(130)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=toy.root)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "2":
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(timeout=30) == 128 + number
    assert list((toy.out / "smoke").iterdir()) == []


def test_leftovers_of_dead_runs_are_cleared_and_a_lost_output_is_brought_back(toy):
    from reprise.folders import stage_folder

    dead = subprocess.Popen(["true"])
    dead.wait()
    final = toy.folder
    first = stage_folder(final)
    stale = first.with_name(first.name.replace(str(os.getpid()), str(dead.pid)))
    stale.mkdir()
    (final.parent / ".99_toy.replaced").mkdir()
    (final.parent / ".99_toy.replaced" / "table.csv").write_text("1")
    stage_folder(final)
    assert first.is_dir(), "a living process keeps its folder"
    assert not stale.exists()
    assert (final / "table.csv").read_text() == "1"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"overrides": {"epoch": 1}}, UnknownParameter, "did you mean 'epochs'"),
        ({"overrides": {"epochs": 0}}, InvalidValue, "passes over the clips"),
        ({"overrides": {"split": "oficial"}}, InvalidValue, "'official' or 'random'"),
        ({"overrides": {"rate": float("nan")}}, ParametersError, "finite"),
        ({"overrides": {"rate": {1: 2}}}, ParametersError, "keys"),
        ({"overrides": {"rate": {1, 2}}}, ParametersError, "set"),
        ({"profile": "smok"}, UsageError, "did you mean 'smoke'"),
        ({"seed": -1}, ParametersError, "seed = -1"),
        ({"seed": "0"}, ParametersError, "seed = '0'"),
        ({"seed": True}, ParametersError, "seed = True"),
        ({"workers": 0}, ParametersError, "workers = 0"),
        ({"data": "/does/not/exist"}, MissingData, "/does/not/exist"),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_kernel_starts(toy, monkeypatch, options, error, words):
    monkeypatch.setattr(notebooks, "_execute", lambda *_, **__: pytest.fail("a kernel was started"))
    with pytest.raises(error, match=words):
        toy.run(FINISH, **options)
    assert not toy.out.exists()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "0 cells"),
        (PARAMETERS_CELL.replace("seed = 0\n", ""), "lacks seed"),
        (PARAMETERS_CELL + "leraning_rate = 1\n", "adds leraning_rate"),
        (PARAMETERS_CELL.replace("seed = 0", "seed = '0'"), "seed = '0'"),
        (PARAMETERS_CELL.replace("{}", "dict()"), "plain values"),
        (PARAMETERS_CELL + "import os\n", "plain"),
        (PARAMETERS_CELL + "x =\n", "plain"),
    ],
)
def test_a_broken_parameters_cell_is_refused(toy, cell, words):
    toy.write(FINISH, parameters=cell)
    with pytest.raises(ParametersError, match=words):
        run_notebook(toy.paper, out=toy.out)


def test_the_parameters_cell_of_the_contract_is_accepted(toy):
    toy.write(FINISH, parameters=PARAMETERS_CELL.replace("workers = None", "workers: int | None = 2  # two"))
    path = toy.root / "notebooks" / "99_toy.ipynb"
    check_parameters(nbformat.read(path, 4), path)
    assert list(PARAMETERS) == ["profile", "data", "overrides", "seed", "workers", "scheduler", "out"]


def test_plain_values_are_changed_without_loss():
    given = {"a": (np.float64(0.5), np.int32(2)), "b": Path("x"), "c": None, "d": [True]}
    assert plain(given, name="overrides") == {"a": [0.5, 2], "b": "x", "c": None, "d": [True]}


def test_pages_need_no_network_and_show_equations():
    rows = r"$$\begin{aligned} x &= 1 \\ y &= 2 \end{aligned}$$"
    text = r"Let $a_i \le \frac{1}{2}$." + f"\n\n{rows}\n\n" + r"Code `$x$`, $\nosuch{x}<1$."
    code = nbformat.v4.new_code_cell("answer = 42", execution_count=3)
    page = notebook_page(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), code]), title="A <b>", images=Path()
    )
    assert "<script" not in page
    assert "@import" not in page
    assert page.count('class="equation"') == page.count("<svg") + 2, "two lines inside one display, one failed inline"
    assert "<code>\\nosuch{x}&lt;1</code>" in page
    assert "<code>$x$</code>" in page
    assert "answer" in page
    assert "In&nbsp;[" not in page
    assert "A &lt;b&gt;" in page


def test_pages_fold_long_logs_and_show_short_ones():
    def page_of(count):
        lines = [nbformat.v4.new_output("stream", name="stderr", text=f"step {k}\n") for k in range(count)]
        cell = nbformat.v4.new_code_cell("run()", outputs=lines)
        page = notebook_page(nbformat.v4.new_notebook(cells=[cell]), title="log", images=Path())
        assert len(cell.outputs) == count, "the notebook itself stays as it is"
        return page.partition("<body")[2]

    short, long = page_of(8), page_of(9)
    assert "<details" not in short
    assert long.count("<details") == 1
    assert "<summary>9 lines of progress and warnings</summary>" in long
    for page, last in ((short, 7), (long, 8)):
        assert f"step {last}" in page


def test_an_equation_keeps_its_tex_for_those_who_cannot_see_it():
    drawn = equation(r"w_c < n_c^{-\alpha}")
    assert r'aria-label="w_c &lt; n_c^{-\alpha}"' in drawn
    assert drawn.startswith("<svg")
    assert "<path" in drawn
