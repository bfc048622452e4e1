"""Procedural data sets in the layouts of the real ones, so that every code path can run without a download."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["available", "presets", "write"]

_DATASETS = (
    "audioset",
    "billboard",
    "emomusic",
    "fma",
    "giantsteps_key",
    "gtzan",
    "irmas",
    "magnatagatune",
    "singing",
    "vocalset",
)


def available() -> list[str]:
    """Names of the data sets that can be written."""
    return sorted(_DATASETS)


def _module(name: str) -> ModuleType:
    key = name.lower().replace("-", "_")
    if key not in _DATASETS:
        raise ValueError(f"there is no synthetic data set {name!r}; known: {', '.join(available())}")
    return import_module(f"{__name__}.{key}")


def presets(name: str) -> dict[str, dict[str, Any]]:
    """Named sizes of a data set.

    Parameters
    ----------
    name : str
        One of :func:`available`.

    Returns
    -------
    dict
        ``smoke`` and ``demo``, each with the size parameters of the data set's ``write``.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return {preset: dict(sizes) for preset, sizes in _module(name).PRESETS.items()}


def write(
    name: str, root: str | Path, *, seed: int = 0, preset: str = "demo", workers: int | None = None, **sizes: Any
) -> Path:
    """Write a synthetic data set, unless the same one is already there.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    root : str or Path
        Folder of data sets; made if missing.
    seed : int
        Another seed gives other singers and other takes.
    preset : str
        A name from :func:`presets`.
    workers : int, >= 1, optional
        Threads; default one per processor. The bytes do not depend on it.
    **sizes
        Override single parameters of the preset, for VocalSet ``minutes``, ``take_seconds`` and ``sample_rate``.

    Returns
    -------
    Path
        The data set's folder in ``root``, with ``SYNTHETIC.json`` in it.

    Raises
    ------
    ValueError
        If a name is unknown or a size makes no sense; the message lists the known ones.
    """
    known = presets(name)
    if preset not in known:
        raise ValueError(f"there is no preset {preset!r} of {name}; known: {', '.join(known)}")
    sizes = known[preset] | sizes
    unknown = sorted(set(sizes) - set(known[preset]))
    if unknown:
        raise ValueError(f"unknown size {', '.join(unknown)} of {name}; known: {', '.join(known[preset])}")
    return _module(name).write(Path(root), seed=seed, workers=workers, **sizes)
