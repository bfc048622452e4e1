"""Fixtures shared by all tests: a private cache, the real excerpts, two threads."""

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# the same examples every time: a failure that nobody can repeat helps nobody
settings.register_profile("reprise", deadline=None, derandomize=True)
settings.load_profile("reprise")
# a shell that starts the tests in the background has Ctrl-C ignored, and what the tests start would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def private_folders(tmp_path_factory, monkeypatch):
    """Keep caches, runs and figures of a test out of the project."""
    base = tmp_path_factory.mktemp("reprise")
    monkeypatch.setenv("REPRISE_CACHE", str(base / "cache"))
    monkeypatch.setenv("REPRISE_RUNS", str(base / "runs"))
    monkeypatch.setenv("REPRISE_OUT", str(base / "figures"))


@pytest.fixture(autouse=True)
def same_initial_weights():
    """Start every test from the same global generator: networks draw their first weights from it."""
    torch.manual_seed(0)


@pytest.fixture
def real_data() -> Path:
    """Folder with real excerpts in the data sets' own layouts; skips where there is none."""
    folder = os.environ.get("REPRISE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("REPRISE_DATA does not point to a folder of real excerpts")
    return Path(folder).resolve()
