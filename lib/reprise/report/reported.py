"""Published numbers, claims and decisions of a paper, read from ``reported.yaml`` and checked."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from reprise.report.claim_schema import Claim, Decision, Exact, Magnitude
from reprise.report.schema import Figure, Measure, Paper, Strict, Table

__all__ = ["Reported", "ReportedError"]


class ReportedError(ValueError):
    """A ``reported.yaml`` that breaks the schema; the message names the file and every place."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML without silent overwriting: a row that is there twice is an error."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is there twice", node.start_mark)
    return dict(loader.construct_pairs(node, deep=True))


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


class Reported(Strict):
    """Everything that the suite knows about a paper without running anything.

    Attributes
    ----------
    paper : Paper
    tables : dict of str to Table
        ``table_2`` → title, columns, rows.
    figures : dict of str to Figure
        ``figure_3`` → title, axes, series; each point is a condition named ``series@x``.
    claims : tuple
        Sentences of the paper that can be tested.
    decisions : tuple of Decision
        How each ambiguity was settled.
    conditions : dict of str to str
        Conditions (identifier → label) that claims use and no table or figure holds.
    """

    paper: Paper
    tables: dict[str, Table] = Field(default_factory=dict)
    figures: dict[str, Figure] = Field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    decisions: tuple[Decision, ...] = ()
    conditions: dict[str, str] = Field(default_factory=dict)

    @field_validator("tables", "figures", mode="before")
    @classmethod
    def _tell_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {str(key): {**item, "id": str(key)} if isinstance(item, dict) else item for key, item in value.items()}

    @field_validator("conditions", mode="before")
    @classmethod
    def _list_of_conditions(cls, value: Any) -> Any:
        return {str(name): str(name) for name in value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _consistent(self) -> "Reported":
        for what, names in (
            ("claim", [claim.id for claim in self.claims]),
            ("decision", [decision.id for decision in self.decisions]),
            ("table or figure", [*self.tables, *self.figures]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is there twice")
        known = set(self.labels())
        for claim in self.claims:
            for condition in claim.conditions():
                if condition not in known:
                    raise ValueError(
                        f"claim {claim.id!r} uses the condition {condition!r}, which is in no table row or figure "
                        f"series; correct it, or add it under `conditions:` (known: {', '.join(sorted(known))})"
                    )
            if isinstance(claim, Magnitude) and self.paper_effect(claim) is None:
                raise ValueError(
                    f"claim {claim.id!r} has no paper_difference, and no table or figure holds {claim.metric!r} "
                    f"of {' and '.join(claim.conditions())}"
                )
        return self

    @classmethod
    def load(cls, path: Path | str) -> "Reported":
        """Read and check a file.

        Parameters
        ----------
        path : Path or str

        Returns
        -------
        Reported

        Raises
        ------
        ReportedError
            If the file is no YAML or breaks the schema: unknown key, number out of its column's range, claim about an
            unknown condition. The message names the file and each place.
        """
        path = Path(path)
        try:
            # the loader is a SafeLoader: it makes plain data only
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
            return cls.model_validate(content)
        except yaml.YAMLError as error:
            raise ReportedError(f"{path} is not valid YAML: {error}") from error
        except ValidationError as error:
            lines = [_sentence(problem["loc"], problem["msg"]) for problem in error.errors()]
            raise ReportedError("\n  ".join([f"{path} breaks the schema of reported numbers:", *lines])) from error

    def labels(self) -> dict[str, str]:
        """Every condition and how a reader calls it; tables come before figures, figures before the rest."""
        labels = dict(self.conditions)
        for figure in self.figures.values():
            labels |= {point.condition: point.label for point in figure.points()}
        for table in self.tables.values():
            labels |= {name: row.label for name, row in table.rows.items()}
        return labels

    def measure(self, metric: str) -> Measure | None:
        """Column or axis that shows a metric (label, unit, digits, direction); None where no table or figure has it."""
        columns = (table.columns[metric] for table in self.tables.values() if metric in table.columns)
        axes = (figure.y for figure in self.figures.values() if figure.y is not None and figure.y.metric == metric)
        return next(chain(columns, axes), None)

    def _published(self, metric: str) -> Iterator[dict[str, float | None]]:
        for table in self.tables.values():
            if metric in table.columns:
                yield {name: row.values[metric] for name, row in table.rows.items()}
        for figure in self.figures.values():
            if figure.y is not None and figure.y.metric == metric:
                yield {point.condition: point.value for point in figure.points()}

    def published_value(self, condition: str, metric: str) -> float | None:
        """Number that the paper prints for a condition; None where it prints none."""
        found = (source[condition] for source in self._published(metric) if source.get(condition) is not None)
        return next(found, None)

    def published_difference(self, a: str, b: str, metric: str) -> float | None:
        """Printed difference ``a − b`` of two conditions.

        Parameters
        ----------
        a, b : str
            Conditions.
        metric : str

        Returns
        -------
        float or None
            In the unit of the metric's column or axis, from the first table or figure that prints both; None where
            there is none.
        """
        for source in self._published(metric):
            first, second = source.get(a), source.get(b)
            if first is not None and second is not None:
                return first - second
        return None

    def paper_effect(self, claim: Magnitude) -> float | None:
        """Size that a magnitude claim is tested against."""
        if claim.paper_difference is not None:
            return claim.paper_difference
        if claim.b is None:
            return self.published_value(claim.a, claim.metric)
        return self.published_difference(claim.a, claim.b, claim.metric)

    def lower_is_better(self, claim: Any) -> bool:
        """Whether a claim's metric is an error, as the claim says or else as its column or axis does."""
        if isinstance(claim, Exact):
            return False
        if getattr(claim, "lower_is_better", None) is not None:
            return claim.lower_is_better
        measure = self.measure(claim.metric)
        return measure is not None and measure.direction == "lower"


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    where = " → ".join(str(part) for part in place)
    text = message.removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
