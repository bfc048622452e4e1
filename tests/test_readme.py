"""The README's commands, options, links and names are those of the project."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from reprise import cli
from reprise.papers.catalogue import get, load_settings
from reprise.papers.choices import parse_overrides

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- (\w+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [(mark, language, text) for mark, language, text in BLOCK.findall(README)]
COMMANDS = [line for _, language, text in BLOCKS if language == "bash" for line in text.splitlines() if line]


@pytest.mark.parametrize(
    ("language", "text"), [(language, text) for mark, language, text in BLOCKS if mark == "runnable"]
)
def test_runnable_blocks_run(language, text):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-e", "-c", text]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("./run_all.sh")])
def test_commands_can_be_typed(line):
    verb, *rest = cli._with_verb(shlex.split(line)[1:])
    command = typer.main.get_command(cli.app).commands[verb]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    values = command.make_context(verb, rest).params
    for name in values.get("names") or []:
        paper = get(name)
        load_settings(paper, values["profile"], parse_overrides(values["settings"] or []))


def test_the_two_commands_are_those_of_ci():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first = next(text for mark, language, text in BLOCKS if language == "bash")
    assert first.split("\n")[:2] == ["./run_all.sh", "./run_all.sh test"]
    for command in first.strip().splitlines():
        assert re.search(rf"(^|' ){re.escape(command)}( &&|$)", ci, re.MULTILINE)


@pytest.mark.parametrize("verb", ["run", "plan", "scorecard", "vocode", "embed", "clean", "test", "lab", "setup"])
def test_every_verb_and_option_is_described(verb):
    assert re.search(rf"`[^`]*\b{verb}\b[^`]*`", README)
    if verb == "run":
        for parameter in typer.main.get_command(cli.app).commands[verb].params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert f"| `{option} " in README, f"{option} is missing from the table of options"


def test_relative_links_and_folders_exist():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), f"README links {target}, which does not exist"
    table = README.partition("## Where things are")[2].partition("\n## ")[0]
    for folder in re.findall(r"^\| `([a-z_]+/(?:reprise/)?(?:models/)?)", table, re.MULTILINE):
        if folder != "figures/":
            assert (ROOT / folder).is_dir(), folder


def test_variables_are_those_that_the_code_reads():
    named = set(re.findall(r"REPRISE_[A-Z]+", README))
    sources = [*(ROOT / "lib").rglob("*.py"), ROOT / "run_all.sh"]
    read = set(re.findall(r"REPRISE_[A-Z]+", "".join(path.read_text(encoding="utf-8") for path in sources)))
    assert named <= read
    assert {"REPRISE_DATA", "REPRISE_CACHE", "REPRISE_RUNS", "REPRISE_OUT", "REPRISE_PYTHON"} <= named


def test_conda_and_citation_agree_with_the_project():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["name"] == "reprise"
    assert conda["dependencies"][-1] == {"pip": ["-r requirements.lock"]}
    from reprise import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "MIT"
