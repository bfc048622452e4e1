"""Where a run keeps its caches, its trials and its figures."""

import os
from pathlib import Path

__all__ = ["cache_root", "data_manifests", "figures_root", "notebooks_root", "project_root", "runs_root"]


def _is_project(folder: Path) -> bool:
    return (folder / "run_all.sh").is_file() and (folder / "lib" / "reprise").is_dir()


def project_root() -> Path:
    """Folder of the checkout: the one above the working directory, else the package's own, else the working directory.

    Returns
    -------
    Path
        Absolute. Notebooks run in ``notebooks/`` and scripts anywhere: both must find the same stores.
    """
    here = Path.cwd().resolve()
    package = Path(__file__).resolve()
    return next((folder for folder in (here, *here.parents, *package.parents) if _is_project(folder)), here)


def _root(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else project_root() / default


def cache_root() -> Path:
    """Folder for what can be made again: decoded audio, synthetic data, content hashes (``REPRISE_CACHE``)."""
    return _root("REPRISE_CACHE", ".cache")


def runs_root() -> Path:
    """Folder of the result store (``REPRISE_RUNS``)."""
    return _root("REPRISE_RUNS", "runs")


def figures_root() -> Path:
    """Folder of tables, figures and pages, one subfolder per profile (``REPRISE_OUT``)."""
    return _root("REPRISE_OUT", "figures")


def notebooks_root() -> Path:
    """Folder of the notebooks as they stand in git."""
    return project_root() / "notebooks"


def data_manifests() -> Path:
    """Folder of the data sets' manifests."""
    return project_root() / "data_manifests"
