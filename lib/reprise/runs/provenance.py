"""What a result was made with: versions, device, code, time and memory."""

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from reprise.paths import project_root

__all__ = ["Recorder", "code_version", "versions"]

PACKAGES = (
    "reprise",
    "torch",
    "torchaudio",
    "torchvision",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "statsmodels",
    "librosa",
    "soundfile",
    "soxr",
    "transformers",
    "safetensors",
    "distributed",
)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result can depend on; packages that are absent are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@lru_cache(maxsize=4)
def code_version(root: Path | None = None) -> dict[str, Any]:
    """Commit of the checkout.

    Parameters
    ----------
    root : Path or None
        Folder of the checkout; :func:`reprise.paths.project_root` by default.

    Returns
    -------
    dict
        ``commit`` (None without git) and ``dirty`` (whether files of the library differ from it).
    """
    root = project_root() if root is None else root
    top = _git(root, "rev-parse", "--show-toplevel")
    # a project unpacked inside somebody's own repository is not that repository's code
    if not top or Path(top).resolve() != root.resolve():
        return {"commit": None, "dirty": None}
    changes = _git(root, "status", "--porcelain", "--", "lib", "notebooks")
    return {"commit": _git(root, "rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _peak_rss() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, everything else kilobytes
    return int(peak if sys.platform == "darwin" else peak * 1024)


class Recorder:
    """Stopwatch and memory gauge of one trial.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda:N``.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        if device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(device)

    def finish(self) -> dict[str, Any]:
        """What happened since the recorder was made.

        Returns
        -------
        dict
            ``versions, platform, device, device_name, threads, cores, commit, dirty, started, ended`` (UTC),
            ``seconds`` (of the last stretch of a resumed trial), ``peak_rss_bytes`` (of the process, not of the trial
            alone) and, on a GPU, ``peak_device_bytes``. Names of hosts and users are left out.
        """
        import torch

        on_gpu = self.device.startswith("cuda")
        record: dict[str, Any] = {
            "versions": versions(),
            "platform": f"{platform.system()} {platform.machine()}",
            "device": self.device,
            "device_name": torch.cuda.get_device_name(self.device) if on_gpu else _processor(),
            "threads": torch.get_num_threads(),
            "cores": os.cpu_count(),
            **code_version(),
            "started": self._started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._clock, 3),
            "peak_rss_bytes": _peak_rss(),
        }
        if on_gpu:
            record["peak_device_bytes"] = int(torch.cuda.max_memory_allocated(self.device))
        return record


@lru_cache(maxsize=1)
def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
