"""The command line: words, mistakes answered in one line, exit codes, and how it treats failed notebooks."""

import subprocess
import sys
import time

import pandas as pd
import pytest

from reprise import cli, cli_run
from reprise.data.download import DownloadError
from reprise.notebooks import NotebookRun
from reprise.papers.catalogue import PAPERS, get, load_settings, papers, resolve_data
from reprise.papers.choices import InvalidValue, MissingData, UnknownName, parse_overrides
from reprise.plan import COLUMNS, forecast, readable

PAPER = get("01")


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv("REPRISE_DATA", raising=False)


@pytest.fixture
def ran(monkeypatch):
    """Notebooks are not executed: their calls are kept, and they end as the test says."""
    calls: list[tuple] = []
    statuses: dict[str, str] = {}

    def run(paper, **options):
        calls.append((paper.name, options))
        status = statuses.get(paper.name, "done")
        folder = options["out"] / options["profile"] / paper.name
        return NotebookRun(paper, status, 1.0, folder, None if status == "done" else "code cell 4: ValueError: no")

    monkeypatch.setattr(cli_run, "run_notebook", run)
    monkeypatch.setattr("reprise.report.site.build_site", lambda folder, **_: folder / "index.html")
    run.calls, run.statuses = calls, statuses
    return run


def test_help_is_quick_and_needs_no_torch():
    script = "import sys, reprise.cli; print('torch' in sys.modules, 'pandas' in sys.modules)"
    start = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]
    assert time.perf_counter() - start < 2.0, "0.2 s on a quiet machine"


def test_the_module_is_the_command():
    out = subprocess.run([sys.executable, "-m", "reprise", "--help"], capture_output=True, text=True, check=True).stdout
    for verb in ("run", "plan", "scorecard", "clean", "test", "lab", "setup", "data", "vocode", "embed"):
        assert f"\n  {verb} " in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["02_nothing"], "the papers are 00_start_here, 01_singing_technique"),
        (["singing_techniqe"], "did you mean 'singing_technique'"),
        (["--profile", "dmo"], "did you mean 'demo'"),
        (["--profil", "demo"], "--profile"),
        (["scorcard"], "did you mean 'scorecard'"),
        (["01", "--set", "epochs_feature=3"], "did you mean 'epochs_features'"),
        (["01", "--set", "epochs_features=0"], "epochs of the first phase"),
        (["01", "--set", "split=oficial"], "'official' or 'held_out_singers'"),
        (["01", "--set", "n_fft"], "name=value"),
        (["01", "--set", "n_fft=[1"], "YAML"),
        (["01", "--set", "win_lengths=[4096, 1, 1]"], "do not go together"),
        (["--workers", "0"], "--workers"),
        (["--seed", "one"], "--seed"),
        (["--data", "/does/not/exist"], "/does/not/exist"),
        (["--profile", "paper", "01"], "data fetch vocalset"),
        (["scorecard", "--profile", "dmo"], "did you mean 'demo'"),
        (["scorecard"], "./run_all.sh --profile smoke"),
        (["plan", "--set", "epoch=1"], "unknown parameter 'epoch'"),
        (["data", "lst"], "list"),
        (["data", "fetch", "vocalst", "--data", "x"], "did you mean 'vocalset'"),
        (["data", "fetch", "vocalset"], "--data DIR"),
        (["data", "verify", "vocalst", "--data", "x"], "did you mean 'vocalset'"),
        (["data", "synth", "vocalst"], "did you mean 'vocalset'"),
        (["clean", "cache"], "caches, runs, figures, all"),
        (["clean", "runs"], "--yes"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(ran, capsys, monkeypatch, tmp_path, arguments, words):
    (tmp_path / "runs").mkdir()
    monkeypatch.setenv("REPRISE_RUNS", str(tmp_path / "runs"))
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert words in err
    assert not ran.calls


@pytest.fixture
def toy_set(monkeypatch, tmp_path):
    """Arguments that find a data set of one small file, which no server has."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "toy.yaml").write_text(
        """
        {name: toy, title: Toy, licence: CC0, citation: "@misc{toy}", homepage: "https://example.org", folder: Toy,
         version: "1", extracted_bytes: 3, files: [{name: a.zip, url: "https://example.org/a.zip", bytes: 3,
         extract: true, md5: 900150983cd24fb0d6963f7d28e17f72}]}
        """
    )

    def refuse(file, path, **_):
        raise DownloadError(f"{file.name} could not be downloaded:\n  {file.url}: status 404")

    monkeypatch.setattr("reprise.data.manifest.data_manifests", lambda: tmp_path / "manifests")
    monkeypatch.setattr("reprise.data.fetch.download", refuse)
    return ["toy", "--data", str(tmp_path)]


def test_a_failed_fetch_is_told_line_by_line_and_is_status_1(toy_set, capsys):
    assert cli.main(["data", "fetch", *toy_set]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[:2] == ["error: a.zip could not be downloaded:", "  https://example.org/a.zip: status 404"]
    assert lines[2].startswith("By hand: get a.zip from https://example.org")


@pytest.mark.parametrize("verb", ["fetch", "verify", "list"])
def test_a_broken_manifest_is_told_line_by_line_and_is_status_1(toy_set, capsys, tmp_path, verb):
    path = tmp_path / "manifests" / "toy.yaml"
    path.write_text(path.read_text().replace("title: Toy", "titel: Toy"))
    assert cli.main(["data", verb, *(toy_set if verb != "list" else [])]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, *faults = err.splitlines()
    assert first.startswith(f"error: {path} is no valid manifest")
    assert [fault.split(":")[0] for fault in faults] == ["  title", "  titel"]


def test_verify_of_what_is_not_there_is_a_table_and_status_1(toy_set, capsys):
    assert cli.main(["data", "verify", *toy_set]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.split()[0] for line in out.splitlines()] == ["file", "a.zip", "Toy/"]


def test_a_folder_that_cannot_be_made_is_told_and_is_status_1(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.main(["data", "synth", "vocalset", "--preset", "smoke", "--data", str(tmp_path / "file" / "x")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert str(tmp_path / "file") in err


def test_everything_runs_by_default_and_the_tour_comes_last(ran, capsys):
    assert cli.main([]) == 0
    assert [name for name, _ in ran.calls] == [*(p.name for p in PAPERS if p.kind == "paper"), "00_start_here"]
    assert all(options["profile"] == "smoke" and options["data"] == "synthetic" for _, options in ran.calls)
    assert "index.html" in capsys.readouterr().out


def test_options_reach_the_notebook(ran, tmp_path, monkeypatch):
    monkeypatch.setattr("reprise.data.datasets.find_root", lambda name, folder: folder)
    words = "--profile demo --data . --set n_seeds=2 --set alphas=[0,0.2] --seed 3 --workers 4 --timeout 60 01"
    monkeypatch.chdir(tmp_path)
    assert cli.main([*words.split(), "--out", "results", "--scheduler", "tcp://host:1"]) == 0
    ((name, options),) = ran.calls
    assert name == "01_singing_technique"
    del options["on_cell"]
    assert options == {
        "profile": "demo",
        "data": str(tmp_path.resolve()),
        "overrides": {"n_seeds": 2, "alphas": [0, 0.2]},
        "out": tmp_path.resolve() / "results",
        "seed": 3,
        "workers": 4,
        "scheduler": "tcp://host:1",
        "timeout": 60.0,
    }


def test_a_failed_notebook_is_named_and_the_others_go_on(ran, capsys):
    ran.statuses["01_singing_technique"] = "failed"
    assert cli.main(["--profile", "smoke"]) == 1
    assert ran.calls[-1][0] == "00_start_here"
    out, err = capsys.readouterr()
    assert "01_singing_technique: failed after 1 s, code cell 4: ValueError: no" in out
    assert f"1 of {len(ran.calls)} failed: 01_singing_technique" in err


def test_ctrl_c_is_130_and_sigterm_143(ran, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_run, "run_notebook", stop)
    assert cli.main(["01"]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli._terminate(15, None)
    assert stopped.value.code == 143


def test_clean_empties_what_it_names_and_nothing_else(monkeypatch, tmp_path, capsys):
    for name in ("cache", "runs", "figures"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / ".gitkeep").touch()
    outside = tmp_path / "kept"
    outside.mkdir()
    (tmp_path / "runs" / "link").symlink_to(outside)
    for variable, name in (("REPRISE_CACHE", "cache"), ("REPRISE_RUNS", "runs"), ("REPRISE_OUT", "figures")):
        monkeypatch.setenv(variable, str(tmp_path / name))
    assert cli.main(["clean", "runs", "--yes"]) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".gitkeep"]
    assert outside.is_dir()
    assert (tmp_path / "cache" / "deep").is_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path))
    assert cli.main(["clean", "caches", "--yes"]) == 2
    assert "is not emptied" in capsys.readouterr().err
    assert outside.is_dir()


def test_the_scorecard_is_printed(monkeypatch, capsys, tmp_path):
    row = {
        "paper": "singing_technique", "claim": "late_is_best", "source": "§5.1", "kind": "ordering", "statement": "s",
        "test": "t", "paper_value": "0.58", "ours": 0.5123, "low": 0.4, "high": 0.6, "n": 3, "evidence": "synthetic",
        "verdict": "reproduced",
    }  # fmt: skip
    monkeypatch.setattr("reprise.report.scorecard", lambda profile, root: pd.DataFrame([row]), raising=False)
    assert cli.main(["scorecard", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for word in ("late_is_best", "0.512", "reproduced", "synthetic", str(tmp_path / "smoke" / "scorecard.csv")):
        assert word in out


@pytest.mark.parametrize("name", ["singing_technique", "01_singing_technique", "01", "01_singing_technique.ipynb"])
def test_a_paper_has_several_names(name):
    assert get(name) is PAPER
    assert papers([name, "01", "00"]) == (PAPER, get("start_here"))


def test_values_on_the_command_line_are_yaml():
    items = ["a=1", "b=1e-4", "c=[0.1, 2e3]", "d=official", "e=true", "f=null", "a=2", "g=x=y", "h=-.5E+2"]
    assert parse_overrides(items) == {
        "a": 2, "b": 1e-4, "c": [0.1, 2000.0], "d": "official", "e": True, "f": None, "g": "x=y", "h": -50.0,
    }  # fmt: skip


def test_overrides_win_over_the_profile():
    assert load_settings(PAPER, "paper", {}).epochs_features == 100
    changed = load_settings(PAPER, "smoke", {"epochs_features": 7})
    assert changed.epochs_features == 7
    assert load_settings(PAPER, "smoke", {}).epochs_features < 7
    with pytest.raises(InvalidValue, match="epochs_features"):
        load_settings(PAPER, "smoke", {"epochs_features": "many"})


def test_data_is_resolved_from_option_environment_and_profile(monkeypatch, tmp_path):
    monkeypatch.setattr("reprise.data.datasets.find_root", lambda name, folder: folder if name == "there" else None)
    monkeypatch.chdir(tmp_path)
    assert resolve_data(None, "smoke", ["there"]) == "synthetic"
    assert resolve_data("synthetic", "paper", ["there"]) == "synthetic"
    assert resolve_data(".", "paper", ["there"]) == str(tmp_path)
    with pytest.raises(MissingData, match="--data synthetic"):
        resolve_data(None, "paper", ["there"])
    monkeypatch.setenv("REPRISE_DATA", ".")
    assert resolve_data(None, "paper", ["there"]) == str(tmp_path)
    assert resolve_data("synthetic", "smoke", ["there"]) == "synthetic"
    with pytest.raises(MissingData, match="no gone in it"):
        resolve_data(None, "smoke", ["there", "gone"])
    with pytest.raises(UnknownName, match="smoke, demo, paper"):
        resolve_data(None, "full", [])


def test_a_forecast_adds_up_what_adds_and_keeps_the_largest_of_the_rest(monkeypatch):
    rows = [
        {"stage": "table 2", "trials": 35, "epochs": 200, "gpu_hours": 2.0, "disk_gb": 0.5, "memory_gb": 4.0},
        {"stage": "table 3", "trials": 50, "epochs": 100, "gpu_hours": 0.01, "disk_gb": 0.25, "memory_gb": 3.0},
    ]
    monkeypatch.setattr("reprise.plan._plan_of", lambda paper: lambda settings: rows)
    frame = forecast(PAPER, None)
    assert list(frame.columns) == list(COLUMNS)
    total = frame.iloc[-1]
    assert (total.trials, total.gpu_hours, total.disk_gb, total.memory_gb) == (85, 2.01, 0.75, 4.0)
    assert pd.isna(total.cpu_hours)
    text = readable(frame)
    assert "cpu" not in text.lower()
    assert text.splitlines()[1].split() == ["table", "2", "35", "200", "2", "h", "500", "MB", "4", "GB"]
    assert "36 s" in text
    rows[0]["hours"] = 1
    with pytest.raises(ValueError, match="hours"):
        forecast(PAPER, None)
