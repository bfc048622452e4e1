"""The eleven instruments of IRMAS and the label columns of tables about them."""

from collections.abc import Iterable

import pandas as pd

__all__ = ["INSTRUMENTS", "label_columns", "ordered"]

INSTRUMENTS = {
    "cel": "cello",
    "cla": "clarinet",
    "flu": "flute",
    "gac": "acoustic guitar",
    "gel": "electric guitar",
    "org": "organ",
    "pia": "piano",
    "sax": "saxophone",
    "tru": "trumpet",
    "vio": "violin",
    "voi": "voice",
}


def ordered(codes: Iterable[str]) -> tuple[str, ...]:
    """Those of the codes that name an instrument, each once, in the order of ``INSTRUMENTS``."""
    present = set(codes)
    return tuple(code for code in INSTRUMENTS if code in present)


def label_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Add one boolean column per instrument to a table with the column ``labels`` (tuples of codes)."""
    members = [set(labels) for labels in frame["labels"]]
    columns = {code: pd.Series([code in one for one in members], frame.index, bool) for code in INSTRUMENTS}
    return frame.assign(**columns)
