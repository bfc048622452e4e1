"""The house rules, checked over the whole package, every notebook and every paper."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import pytest

from reprise.notebook_parameters import PARAMETERS, check_parameters
from reprise.pages import equation
from reprise.papers.catalogue import PAPERS, load_settings
from reprise.papers.choices import PROFILES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib" / "reprise"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted(PACKAGE.rglob("*.py"))
REAL_PAPERS = [paper for paper in PAPERS if paper.kind == "paper"]

FLOORS = (
    {"models", "audio", "stats", "files", "folders", "archives", "archive_members", "paths", "progress", "seeds"},
    {"training", "runs", "data", "report"},
    {"papers", "notebooks", "notebook_parameters", "kernels", "pages"},
    {"plan"},
    {"cli", "cli_run", "cli_data", "cli_vocode", "cli_embed", "__main__"},
)
SIX = {"edm_separation", "irmas", "sawsing", "singing_technique", "tagging_preprocessing", "tune"}

LONGEST_FILE, MEDIAN_FILE, LONGEST_FUNCTION = 500, 200, 60

# three by position where the order is fixed from outside or goes without saying
POSITIONAL = {
    "data.wavebank.WaveBank.batch": "rows, starts, length: a slice",
    "models.deformable.deform_conv2d": "torchvision's order",
    "papers.catalogue.load_settings": "paper, profile, overrides: as on the command line",
    "papers.catalogue.resolve_data": "data, profile, datasets: as above",
    "report.draws.Draws.difference": "a, b, metric: b from a",
    "report.figures.save_figure": "figure, folder, name",
    "report.publication.Publication.table": "as Publication.figure",
    "report.reported.Reported.published_difference": "as Draws.difference",
    "stats.metrics.weighted_metrics": "weights before predictions and targets, which come in this order everywhere",
    "stats.multilabel.weighted_multilabel": "as weighted_metrics",
    "stats.tagging.weighted_key_score": "as weighted_metrics",
    "stats.tagging.weighted_r_squared": "as weighted_metrics",
    "stats.tagging.weighted_tags": "as weighted_metrics",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


ids = {"ids": [name_of(path) for path in MODULES]}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def floor(room: str) -> int:
    found = [number for number, rooms in enumerate(FLOORS, start=1) if room in rooms]
    assert found, f"reprise.{room} is on no floor; add it to FLOORS"
    return found[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Modules of the package that are imported, without the leading ``reprise.``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("reprise.") for name in names if name.startswith("reprise."))


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef, ast.ClassDef | None]]:
    """Public functions and methods of public classes, with the class where there is one."""
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{name_of(path)}.{node.name}", node, None
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                    yield f"{name_of(path)}.{node.name}.{item.name}", item, node


def parameters(function: ast.FunctionDef) -> list[ast.arg]:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument for argument in every if argument.arg not in ("self", "cls")]


def is_array(annotation: ast.expr | None) -> bool:
    return annotation is not None and bool(
        re.fullmatch(r"(np\.|torch\.)?(Tensor|ndarray)( \| .*)?", ast.unparse(annotation))
    )


@pytest.mark.parametrize("path", MODULES, **ids)
def test_imports_go_down(path):
    if path == PACKAGE / "__init__.py":
        return
    room = name_of(path).split(".")[0]
    for target in imports(tree_of(path)):
        other = target.split(".")[0]
        if other == room or other.startswith("__version__"):
            continue
        assert floor(other) <= floor(room), f"{room} imports {target}, which is on a higher floor"
        if floor(room) == 2:
            assert floor(other) == 1, f"{room} imports {target}: rooms of floor 2 do not know each other"


@pytest.mark.parametrize("paper", REAL_PAPERS, ids=lambda paper: paper.slug)
def test_papers_do_not_import_each_other(paper):
    for path in (PACKAGE / "papers" / paper.slug).glob("*.py"):
        others = {target.split(".")[1] for target in imports(tree_of(path)) if target.startswith("papers.")}
        assert not (others & SIX) - {paper.slug}


def test_imports_make_no_circle():
    graph = {name_of(path): set() for path in MODULES}
    for path in MODULES:
        top = ast.Module([node for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        for target in imports(top):
            known = target if target in graph else target.rpartition(".")[0]
            if known in graph and known != name_of(path):
                graph[name_of(path)].add(known)
    while True:
        free = {name for name, needs in graph.items() if not needs & graph.keys()}
        if not free:
            break
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert not graph, f"these import each other in a circle: {sorted(graph)}"


@pytest.mark.parametrize("path", MODULES, **ids)
def test_a_module_opens_with_a_sentence_and_says_what_it_offers(path):
    tree = tree_of(path)
    docstring = ast.get_docstring(tree)
    assert docstring, "no docstring"
    assert docstring.splitlines()[0].endswith("."), "the first line is not a sentence"
    assert len(docstring.splitlines()) == 1, "one sentence; more belongs to the functions"
    names = [
        target.id for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) for target in targets(node)
    ]
    assert len(tree.body) == 1 or "__all__" in names


def targets(node: ast.Assign | ast.AnnAssign) -> list[ast.Name]:
    every = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target for target in every if isinstance(target, ast.Name)]


@pytest.mark.parametrize("path", MODULES, **ids)
def test_files_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef) and node.body and node.end_lineno:
            has_docstring = ast.get_docstring(node) is not None
            documentation = (node.body[0].end_lineno or 0) - node.body[0].lineno + 1 if has_docstring else 0
            lines = node.end_lineno - node.lineno + 1 - documentation
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


def test_the_median_file_is_short():
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES]
    assert statistics.median(lengths) <= MEDIAN_FILE


@pytest.mark.parametrize("path", MODULES, **ids)
def test_public_functions_are_documented(path):
    for name, function, owner in functions(path):
        docstring = ast.get_docstring(function)
        if docstring is None and function.name == "forward" and owner is not None:
            continue
        assert docstring, f"{name} has no docstring"
        if name.startswith("cli"):
            continue
        arrays = any(is_array(argument.annotation) for argument in parameters(function))
        if len(parameters(function)) > 2 or (arrays and function.name != "forward"):
            assert "Parameters\n---" in docstring, f"{name} documents no parameters"
        returns = ast.unparse(function.returns) if function.returns else "None"
        if "Parameters\n---" in docstring and returns not in ("None", "NoReturn"):
            assert re.search(r"(Returns|Yields)\n---", docstring), f"{name} documents no result"


@pytest.mark.parametrize("path", MODULES, **ids)
def test_every_array_has_a_shape(path):
    for name, function, owner in functions(path):
        docstring = ast.get_docstring(function) or ""
        if function.name == "forward" and owner is not None:
            docstring += ast.get_docstring(owner) or ""
            assert "shape=" in docstring or not is_array(function.returns), f"{name}: no shape"
            continue
        for argument in parameters(function):
            if is_array(argument.annotation):
                line = re.search(rf"^\s*(\w+, )*\*?{argument.arg}(, \w+)* :.*$", docstring, re.MULTILINE)
                assert line, f"{name} does not document {argument.arg}"
                assert "shape=" in line[0], f"{name} does not say the shape of {argument.arg}"
        if is_array(function.returns) and parameters(function):
            assert "shape=" in (docstring.partition("Returns\n")[2] or docstring), (
                f"{name} does not say the shape of its result"
            )


@pytest.mark.parametrize("path", MODULES, **ids)
def test_arguments_beyond_two_are_named(path):
    for name, function, _ in functions(path):
        if name in POSITIONAL or name.startswith("cli"):
            continue
        positional = [*function.args.posonlyargs, *function.args.args]
        count = sum(argument.arg not in ("self", "cls") for argument in positional)
        assert count <= 2, f"{name} takes {count} arguments by position"


@pytest.mark.parametrize("path", MODULES, **ids)
def test_nothing_is_printed_or_written_in_place(path):
    """Files appear through files.py and folders.py; a writer may only be given a temporary path."""
    if name_of(path) in ("files", "archives", "progress") or name_of(path).startswith("data.synthetic"):
        return
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        words = " ".join(ast.unparse(argument) for argument in [*node.args, *node.keywords])
        assert called != "print", f"line {node.lineno}: the library prints"
        temporary = re.search(r"temporary|staging|part|lock|log|stream|buffer|archive", f"{called} {words}")
        writes = called in ("torch.save", "np.save", "np.savez", "np.savez_compressed", "save_file", "pickle.dump")
        writes |= called.endswith((".write_text", ".write_bytes", ".to_csv", ".to_parquet", ".savefig"))
        writes |= (called == "open" or called.endswith(".open")) and bool(re.search(r"'[rb]*[wax][b+]*'", words))
        if called.endswith(".to_csv") and not node.args:
            writes = False
        assert not writes or temporary, f"line {node.lineno}: {called}({words}) writes in place"


def test_the_package_is_light():
    rooms = ["reprise", *(f"reprise.{room}" for room in sorted(FLOORS[0] | FLOORS[1] | {"papers"}))]
    rooms = [room for room in rooms if (PACKAGE / Path(*room.split(".")[1:])).is_dir()]
    script = f"import time, sys; start = time.perf_counter(); import {', '.join(rooms)}\n"
    script += "print(time.perf_counter() - start, *{'torch', 'distributed', 'pandas'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert out[1:] == [], "importing a room imports heavy packages; load them on first use"
    assert float(out[0]) < 1.0, "0.05 s on a quiet machine"


def test_no_machine_is_named():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    slash = "/"
    words = [
        slash + "root" + slash,
        slash + "work" + slash,
        slash + "home" + slash,
        "py" + "pi.org",
        "python" + "hosted",
    ]
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".png", ".flac", ".wav", ".ogg", ".mp3", ".npz") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        found = [word for word in words if word in text]
        assert not found, f"{name} names {found}"


def test_the_catalogue_lists_the_notebooks():
    assert [path.name for path in NOTEBOOKS] == sorted(paper.notebook for paper in PAPERS)
    for paper in PAPERS:
        assert paper.notebook == f"{paper.name}.ipynb"


def test_docstrings_name_notebooks_of_the_design():
    names = {"start_here", *SIX}
    for path in MODULES:
        for found in re.findall(r"Notebook: (\S+?)\.ipynb", path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"0[0-6]_(\w+)", found), found
            assert found[3:] in names, f"{path.name} names {found}"


notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@notebooks
def test_a_notebook_has_the_parameters_of_the_contract(path):
    notebook = nbformat.read(path, 4)
    check_parameters(notebook, path)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    values: dict = {}
    exec(cell.source, values)
    assert {name: values[name] for name in ("profile", "data", "overrides", "seed", "scheduler", "out")} == {
        "profile": "smoke", "data": None, "overrides": {}, "seed": 0, "scheduler": None, "out": None,
    }  # fmt: skip
    assert [name for name in values if name in PARAMETERS] == list(PARAMETERS)


@notebooks
def test_a_notebook_is_clean_and_thin(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    cells = code_cells(path)
    # one thing to look at per cell, and the instrument paper has 47 tables and figures
    assert len(cells) <= 65
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    for number, cell in enumerate(cells, start=1):
        where = f"code cell {number}"
        assert not cell.outputs, f"{where} has outputs: clear them before the commit"
        assert cell.execution_count is None, f"{where} has an execution count: clear it before the commit"
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), f"{where} uses a magic"
        assert not re.search(r"""["'](/|~|[A-Z]:\\)\w""", cell.source), f"{where} has an absolute path"
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert (node.end_lineno or 0) - node.lineno < 10, f"{where}: {node.name} belongs in the library"


@notebooks
def test_equations_of_a_notebook_can_be_drawn(path):
    texts = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    for tex in re.findall(r"(?s)\$\$.+?\$\$|(?<!\$)\$[^$\n]+\$", "\n".join(texts)):
        assert "<code>" not in equation(tex.strip("$")), f"{tex} is shown as text in the page"


@pytest.mark.parametrize("paper", REAL_PAPERS, ids=lambda paper: paper.slug)
class TestPaper:
    def test_published_numbers_claims_and_decisions(self, paper):
        from reprise.report.reported import Reported

        reported = Reported.load(PACKAGE / "papers" / paper.slug / "reported.yaml")
        assert reported.paper.slug == paper.slug
        assert len(reported.claims) >= 12
        assert len(reported.decisions) >= 12

    def test_decisions_name_parameters_that_exist(self, paper):
        from reprise.report.reported import Reported

        reported = Reported.load(PACKAGE / "papers" / paper.slug / "reported.yaml")
        names = set(type(load_settings(paper, "paper")).model_fields)
        for decision in reported.decisions:
            chosen = decision.parameter
            for name in [chosen] if isinstance(chosen, str) else chosen or []:
                assert name in names, f"decision {decision.id} names {name}, which is no parameter"

    def test_settings_are_strict_described_and_complete(self, paper):
        every = {profile: load_settings(paper, profile) for profile in PROFILES}
        kind = type(every["paper"])
        assert kind.model_config.get("frozen")
        assert kind.model_config.get("extra") == "forbid"
        assert all(field.description for field in kind.model_fields.values())
        assert every["paper"] == kind(), "the defaults are the paper's"

    def test_the_notebook_can_be_heard_and_seen_and_ends_with_its_record(self, paper):
        source = "\n".join(cell.source for cell in code_cells(ROOT / "notebooks" / paper.notebook))
        assert "Audio(" in source
        assert "publication.figure(" in source
        assert source.rstrip().splitlines()[-1].startswith("publication.finish(")
