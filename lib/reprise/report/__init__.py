"""Results in, paper out: published numbers, intervals, tables, figures, verdicts and the page that shows them."""

from importlib import import_module
from typing import Any

__all__ = ["Draws", "Publication", "PublicationIncomplete", "Reported", "build_site", "scorecard", "show_table"]

_HOMES = {
    "Draws": "draws",
    "Publication": "publication",
    "PublicationIncomplete": "publication",
    "Reported": "reported",
    "build_site": "site",
    "scorecard": "site",
    "show_table": "tables",
}


def __getattr__(name: str) -> Any:
    # loaded on first use, so that importing the room does not import pandas and matplotlib
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
