"""Data sets by name: from a folder in its original layout to a clip table."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["available", "find_root", "load"]


def available() -> list[str]:
    """Names of the data sets that can be loaded: one module of this folder each."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def _module(name: str) -> ModuleType:
    key = name.lower().replace("-", "_")
    if key not in available():
        raise ValueError(f"there is no data set {name!r}; known: {', '.join(available())}")
    return import_module(f"{__name__}.{key}")


def load(name: str, root: str | Path, **options: Any) -> "pd.DataFrame":
    """Clip table of a data set.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    root : str or Path
        Folder in the data set's original layout; see :func:`find_root`.
    **options
        What the data set's own ``load`` takes: clip length, policies, split, seed.

    Returns
    -------
    DataFrame
        See :func:`reprise.data.table.validate_table`; remarks are in ``attrs["notes"]`` and ``attrs["problems"]``.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    FileNotFoundError
        If the folder does not hold the data set.
    """
    return _module(name).load(Path(root), **options)


def find_root(name: str, data_dir: str | Path) -> Path | None:
    """Folder of a data set inside a folder of data sets.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    data_dir : str or Path
        Searched for the data set's usual folder names (any case), itself and one level down; it may also be the data
        set's folder.

    Returns
    -------
    Path or None
        None if there is no such folder.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    module = _module(name)
    base = Path(data_dir).expanduser()
    if not base.is_dir():
        return None
    wanted = {folder.lower(): rank for rank, folder in enumerate(module.FOLDER_NAMES)}
    recognise = getattr(module, "recognise", None)

    def named(folders: list[Path]) -> list[Path]:
        found = [folder for folder in folders if folder.name.lower() in wanted]
        return sorted(found, key=lambda folder: (wanted[folder.name.lower()], folder.name))

    children = _folders(base)
    candidates = named([base.resolve()]) + named(children)
    for child in children:
        candidates += named(_folders(child))
    if recognise is None:
        return candidates[0] if candidates else None
    # a folder may bear the name and be empty, or hold the data set under a name of the user's
    return next((folder for folder in [*candidates, base] if recognise(folder)), None)


def _folders(base: Path) -> list[Path]:
    try:
        return sorted(path for path in base.iterdir() if path.is_dir())
    except PermissionError:
        return []
