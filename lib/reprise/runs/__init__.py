"""Trials: what one is, where its result is kept, and how many of them run."""

from importlib import import_module
from typing import Any

__all__ = ["Store", "StoredTrial", "TrialConfig", "TrialContext", "TrialResult", "not_identity", "run_grid"]

_HOMES = {
    "Store": "store",
    "StoredTrial": "artefacts",
    "TrialConfig": "trial",
    "TrialContext": "trial",
    "TrialResult": "trial",
    "not_identity": "trial",
    "run_grid": "engine",
}


def __getattr__(name: str) -> Any:
    # loaded on first use, so that importing the room does not import torch, pandas or distributed
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
