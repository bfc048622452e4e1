"""``run_all.sh`` before Python: which interpreter it takes, and what it says when it cannot go on."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GIGABYTE_KB = 1000 * 1000
TOOLS = (
    "awk",
    "bash",
    "cat",
    "chmod",
    "cksum",
    "dirname",
    "env",
    "flock",
    "grep",
    "mkdir",
    "rm",
    "sed",
    "sh",
    "sleep",
    "tail",
)

# takes uv's place: makes an environment whose python is a script, and keeps a list of its calls
UV = """\
#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
"cache dir") echo "$CACHE" ;;
venv*)
    for last in "$@"; do :; done
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\n[ "$1" = -c ] || echo "ran $*"\\n' >"$last/bin/python"
    chmod +x "$last/bin/python" ;;
"pip sync"*) eval "${ON_SYNC:-:}" ;;
esac
"""
PYTHON = """\
#!/bin/sh
case "$2" in
*version_info*) exit 0 ;;
*executable*) echo "$0" ;;
esac
case "$1 $2" in
"-m venv"|"-m pip") exit 1 ;;
esac
"""
OLD_PYTHON = "#!/bin/sh\nexit 1\n"


class Checkout:
    """A copy of what run_all.sh reads, and a PATH with nothing but stand-ins and the shell's own tools."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out é"
        self.tools = folder / "tools"
        self.calls = folder / "calls"
        self.tools.mkdir(parents=True)
        self.root.mkdir()
        for name in ("run_all.sh", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.root)
        for name in TOOLS:
            found = shutil.which(name)
            if found:
                (self.tools / name).symlink_to(found)
        self.tool("df", f"#!/bin/sh\necho head\necho disk 0 0 {20 * GIGABYTE_KB} 0% /\n")
        self.tool("python3", PYTHON)
        self.tool("uv", UV)
        self.environment = {"PATH": str(self.tools), "CALLS": str(self.calls), "CACHE": str(folder / "cache")}

    def tool(self, name: str, text: str) -> None:
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["bash", str(self.root / "run_all.sh"), *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


def one_sentence(err: str) -> str:
    lines = [line for line in err.splitlines() if "making the environment" not in line]
    assert len(lines) == 1, f"one line, not {err!r}"
    assert lines[0].startswith("run_all.sh: ")
    return lines[0]


def test_the_environment_is_made_once_and_then_used_at_once(checkout):
    code, out, err = checkout.run("--profile", "demo")
    assert (code, out) == (0, "ran -m reprise --profile demo\n")
    assert [line.split(" (")[0] for line in err.splitlines()] == [
        "run_all.sh: making the environment in .venv",
        "run_all.sh: ready after 0 s",
    ]
    calls = checkout.called()
    assert any("--require-hashes" in call and "requirements.lock" in call for call in calls)
    assert any(call.startswith("pip install") and "--no-deps" in call and "-e" in call for call in calls)
    start = time.perf_counter()
    assert checkout.run("plan") == (0, "ran -m reprise plan\n", "")
    assert time.perf_counter() - start < 1.0
    assert checkout.called() == calls, "nothing is installed twice"


@pytest.mark.parametrize("change", ["lock", "move"])
def test_a_changed_lock_or_a_moved_checkout_is_noticed(checkout, change):
    checkout.run("setup")
    before = len(checkout.called())
    if change == "lock":
        with (checkout.root / "requirements.lock").open("a") as stream:
            stream.write("# changed\n")
    else:
        checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert checkout.run("setup")[0] == 0
    assert len(checkout.called()) > before


def test_an_interrupted_set_up_is_begun_anew(checkout):
    process = checkout.start("setup", ON_SYNC="sleep 30")
    deadline = time.monotonic() + 10
    while not any(call.startswith("pip sync") for call in checkout.called()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (checkout.root / ".venv" / "half-written").touch()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    code, out, _ = checkout.run("setup")
    assert (code, out) == (0, "ran -m reprise setup\n")
    assert not (checkout.root / ".venv" / "half-written").exists()


def test_ctrl_c_ends_with_130(checkout):
    process = checkout.start("setup", ON_SYNC="sleep 30")
    deadline = time.monotonic() + 10
    while not any(call.startswith("pip sync") for call in checkout.called()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_too_little_disk_is_said_before_anything_is_installed(checkout):
    checkout.tool("df", f"#!/bin/sh\necho head\necho disk 0 0 {2 * GIGABYTE_KB} 0% /\n")
    code, out, err = checkout.run()
    assert (code, out) == (3, "")
    assert "2 GB free" in one_sentence(err)
    assert not checkout.called()


def test_a_python_that_is_too_old_is_named_as_the_problem(checkout):
    checkout.tool("python3", OLD_PYTHON)
    code, _, err = checkout.run()
    assert code == 3
    assert "Python 3.11, 3.12 or 3.13 is needed" in one_sentence(err)


def test_a_newer_name_is_taken_where_python3_is_too_old(checkout):
    checkout.tool("python3", OLD_PYTHON)
    checkout.tool("python3.12", PYTHON)
    assert checkout.run("setup")[0] == 0
    assert any("python3.12" in call for call in checkout.called() if call.startswith("venv"))


def test_without_uv_venv_and_pip_it_says_what_to_install(checkout):
    (checkout.tools / "uv").unlink()
    code, _, err = checkout.run()
    assert code == 3
    assert "apt-get install python3-venv" in one_sentence(err)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("error: Failed to fetch: error sending request: dns error", "no connection to the package index"),
        ("error: No space left on device (os error 28)", "disk is full"),
        ("error: hash mismatch for torch", "hash mismatch for torch"),
    ],
)
def test_a_failed_installation_is_explained_in_one_sentence(checkout, output, words):
    code, out, err = checkout.run(ON_SYNC=f"echo '{output}' >&2; exit 2")
    assert (code, out) == (3, "")
    assert words in one_sentence(err)
    assert checkout.run()[0] == 0, "the next call starts anew"


def test_an_active_environment_with_the_package_is_used_as_it_is(checkout, tmp_path):
    active = tmp_path / "active"
    (active / "bin").mkdir(parents=True)
    python = active / "bin" / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "active $*"\n')
    python.chmod(0o755)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        assert checkout.run("run", "01", **{variable: str(active)}) == (0, "active -m reprise run 01\n", "")
    assert checkout.run("run", REPRISE_PYTHON=str(python)) == (0, "active -m reprise run\n", "")
    assert not checkout.called()
    assert not (checkout.root / ".venv").exists()


def test_an_active_environment_without_the_package_is_left_alone(checkout, tmp_path):
    active = tmp_path / "active"
    (active / "bin").mkdir(parents=True)
    python = active / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    assert checkout.run("setup", VIRTUAL_ENV=str(active))[1] == "ran -m reprise setup\n"
    code, _, err = checkout.run("setup", REPRISE_PYTHON=str(python))
    assert code == 3
    assert "cannot import reprise" in one_sentence(err)


def test_help_needs_no_environment(checkout):
    code, out, err = checkout.run("--help")
    assert (code, err) == (0, "")
    assert "./run_all.sh --profile demo 01" in out
    assert not (checkout.root / ".venv").exists()
