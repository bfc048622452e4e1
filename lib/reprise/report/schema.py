"""Shape of the published numbers in ``reported.yaml``: tables and figures as strict, frozen models."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Figure",
    "Measure",
    "Name",
    "Names",
    "Number",
    "Paper",
    "Point",
    "Row",
    "Series",
    "Strict",
    "Table",
    "condition_of",
    "shortest",
]

# units whose numbers cannot leave a range; every other unit is unbounded unless the column says low and high
RANGES = {"fraction": (0.0, 1.0), "percent": (0.0, 100.0), "mos": (1.0, 5.0)}


class Strict(BaseModel):
    """Base of all parts: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _number(value: Any) -> Any:
    # YAML reads `yes` as true, and pydantic would read true as 1.0
    if isinstance(value, bool):
        raise ValueError(f"a number is expected, not {value}")
    return value


def _names(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def shortest(value: Any) -> Any:
    """A number in its shortest form, anything else as it is: YAML keys and places on an axis become text."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
# identifiers of tables and figures are file names too
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
Name = Annotated[str, BeforeValidator(shortest)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_names), Field(min_length=1)]


def condition_of(series: str, x: float | str) -> str:
    """Condition that belongs to a point of a figure.

    Parameters
    ----------
    series : str
    x : float or str
        Place on the horizontal axis; numbers in their shortest form.

    Returns
    -------
    str
        For example ``crt_wc@0.2``.
    """
    return f"{series}@{shortest(x)}"


class Paper(Strict):
    """Which paper this is."""

    slug: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str = ""
    doi: str = ""
    url: str = ""


class Measure(Strict):
    """What a column or an axis shows: label, unit, range, digits, and whether high or low is good."""

    label: str
    unit: str = "fraction"
    low: Number | None = None
    high: Number | None = None
    digits: int = Field(3, ge=0, le=10)
    direction: Literal["higher", "lower"] = "higher"

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest possible value."""
        low, high = RANGES.get(self.unit.lower(), (-math.inf, math.inf))
        return (low if self.low is None else self.low, high if self.high is None else self.high)

    def check(self, value: float | None, *, place: str) -> None:
        """Refuse a number outside the range; ``place`` says where it stands."""
        low, high = self.range
        if value is not None and not low <= value <= high:
            raise ValueError(f"{place} is {value:g}, outside [{low:g}, {high:g}] of its unit {self.unit!r}")


class Axis(Measure):
    """Vertical axis of a figure."""

    metric: str


class Row(Strict):
    """One printed row: a condition."""

    label: str
    values: dict[str, Number | None]
    texts: dict[str, str] = Field(default_factory=dict)
    note: str = ""


class Table(Strict):
    """One printed table.

    Attributes
    ----------
    columns : dict of str to Measure
        Columns of numbers.
    texts : dict of str to str
        Columns of words (identifier → label), which are shown as the paper prints them.
    from_data : bool
        The numbers that are not sampled are counted in the data, so that the caption must say what data these are.
    """

    id: FileName
    title: str
    source: str = ""
    columns: dict[str, Measure] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)
    from_data: bool = False
    rows: dict[str, Row]

    @field_validator("columns", mode="before")
    @classmethod
    def _short_columns(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: {"label": item} if isinstance(item, str) else item for key, item in value.items()}

    @field_validator("rows", mode="before")
    @classmethod
    def _flat_rows(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {shortest(key): _row(item) if isinstance(item, dict) else item for key, item in value.items()}

    @model_validator(mode="after")
    def _complete(self) -> "Table":
        labels = [*(measure.label for measure in self.columns.values()), *self.texts.values()]
        if len(set(labels)) < len(labels):
            raise ValueError(f"table {self.id!r} has two columns of one label: {labels}")
        for name, row in self.rows.items():
            place = f"table {self.id!r}, row {name!r}, column"
            unknown = sorted(set(row.values) - set(self.columns))
            if unknown:
                raise ValueError(f"{place} {unknown[0]!r} is not among the columns {list(self.columns)}")
            for key, measure in self.columns.items():
                if key not in row.values:
                    raise ValueError(f"{place} {key!r} is missing; write `{key}: null` where the paper prints nothing")
                measure.check(row.values[key], place=f"{place} {key!r}")
            if set(row.texts) != set(self.texts):
                raise ValueError(
                    f"table {self.id!r}, row {name!r} has the texts {sorted(row.texts)}, the table {sorted(self.texts)}"
                )
        return self

    def column(self, name: str) -> dict[str, float]:
        """Printed numbers of a column by row, without the empty cells."""
        cells = {row: content.values[name] for row, content in self.rows.items()}
        return {row: value for row, value in cells.items() if value is not None}


def _row(item: dict[Any, Any]) -> dict[str, Any]:
    known = {key: item[key] for key in ("label", "texts", "note") if key in item}
    return {**known, "values": {str(key): value for key, value in item.items() if key not in known}}


class Horizontal(Strict):
    """Horizontal axis of a figure."""

    label: str
    values: tuple[float | str, ...]
    unit: str = ""


class Series(Strict):
    """One line or group of bars of a figure."""

    label: str
    values: tuple[Number | None, ...]


@dataclass(frozen=True)
class Point:
    """One published point of a figure."""

    series: str
    x: float | str
    condition: str
    label: str
    value: float | None


class Figure(Strict):
    """One printed figure; without series, a picture that holds no numbers."""

    id: FileName
    title: str
    source: str = ""
    x: Horizontal | None = None
    y: Axis | None = None
    series: dict[str, Series] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> "Figure":
        if not self.series:
            return self
        if self.x is None or self.y is None:
            raise ValueError(f"figure {self.id!r} has series, so it needs x and y")
        for name, series in self.series.items():
            if len(series.values) != len(self.x.values):
                raise ValueError(
                    f"figure {self.id!r}, series {name!r} has {len(series.values)} values for "
                    f"{len(self.x.values)} places on its x axis"
                )
        for point in self.points():
            self.y.check(point.value, place=f"figure {self.id!r}, point {point.condition!r}")
        return self

    def points(self) -> Iterator[Point]:
        """All points, series by series, in the paper's order."""
        for name, series in self.series.items():
            for x, value in zip(self.x.values if self.x else (), series.values, strict=True):
                yield Point(name, x, condition_of(name, x), f"{series.label}, {shortest(x)}", value)
