"""Makes the toy paper importable, here and in worker processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from reprise.runs import Store  # noqa: E402


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs", heartbeat=0.05, grace=0.4)


@pytest.fixture
def start():
    """Start Python code in another process that can import the toy paper; killed at the end."""
    processes = []

    def begin(code: str) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()
