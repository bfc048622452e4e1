"""Shape of claims and decisions in ``reported.yaml``."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from reprise.report.schema import Name, Names, Number, Strict, shortest

__all__ = ["Claim", "Decision", "Equivalence", "Exact", "Magnitude", "Ordering", "Tolerance"]


class _Claim(Strict):
    id: str
    source: str
    statement: str
    paper_value: Annotated[str, BeforeValidator(shortest)] | None = None
    note: str = ""

    def conditions(self) -> tuple[str, ...]:
        """Conditions that the claim is about."""
        return ()


def _pairs(first: tuple[str, ...], second: tuple[str, ...], *, zipped: bool) -> list[tuple[str, str]]:
    if zipped:
        return list(zip(first, second, strict=True))
    return [(a, b) for a in first for b in second]


class Ordering(_Claim):
    """Each of ``better`` beats each of ``worse``; with ``pairs`` the first the first, the second the second."""

    kind: Literal["ordering"]
    metric: str
    better: Names
    worse: Names
    pairs: bool = False
    lower_is_better: bool | None = None

    @model_validator(mode="after")
    def _same_length(self) -> "Ordering":
        if self.pairs and len(self.better) != len(self.worse):
            raise ValueError(f"claim {self.id!r} pairs {len(self.better)} with {len(self.worse)} conditions")
        return self

    def conditions(self) -> tuple[str, ...]:
        """Conditions that the claim is about."""
        return (*self.better, *self.worse)

    def comparisons(self) -> list[tuple[str, str]]:
        """(better, worse) for every comparison."""
        return _pairs(self.better, self.worse, zipped=self.pairs)


class Equivalence(_Claim):
    """``a`` and ``b`` differ by less than ``margin``; lists as in an ordering."""

    kind: Literal["equivalence"]
    metric: str
    a: Names
    b: Names
    margin: Annotated[Number, Field(gt=0)]
    pairs: bool = False

    @model_validator(mode="after")
    def _same_length(self) -> "Equivalence":
        if self.pairs and len(self.a) != len(self.b):
            raise ValueError(f"claim {self.id!r} pairs {len(self.a)} with {len(self.b)} conditions")
        return self

    def conditions(self) -> tuple[str, ...]:
        """Conditions that the claim is about."""
        return (*self.a, *self.b)

    def comparisons(self) -> list[tuple[str, str]]:
        """(a, b) for every comparison."""
        return _pairs(self.a, self.b, zipped=self.pairs)


class Tolerance(Strict):
    """How far two numbers may be apart, absolute or as a part of the published one."""

    amount: Annotated[Number, Field(ge=0)]
    relative: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().endswith("%"):
            return {"amount": float(value.strip()[:-1]) / 100, "relative": True}
        return {"amount": value} if isinstance(value, int | float | str) else value

    def around(self, value: float) -> float:
        """Half-width around a published value."""
        return self.amount * abs(value) if self.relative else self.amount


class Magnitude(_Claim):
    """``a − b`` (or ``a`` alone) is as large as the paper says, within ``tolerance``."""

    kind: Literal["magnitude"]
    metric: str
    a: Name
    b: Name | None = None
    paper_difference: Number | None = None
    tolerance: Tolerance

    def conditions(self) -> tuple[str, ...]:
        """Conditions that the claim is about."""
        return (self.a,) if self.b is None else (self.a, self.b)


class Exact(_Claim):
    """A quantity without sampling, such as a parameter count, equals a number or is on one side of it."""

    kind: Literal["exact"]
    quantity: str
    value: Number | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    tolerance: Tolerance = Tolerance(amount=0.0)
    data_free: bool | None = None

    @property
    def needs_no_data(self) -> bool:
        """Whether the quantity follows from the code alone; by default that of parameter counts does."""
        return self.quantity.startswith("parameters/") if self.data_free is None else self.data_free

    @model_validator(mode="after")
    def _one_target(self) -> "Exact":
        if (self.value is None) == (self.at_least is None and self.at_most is None):
            raise ValueError(f"claim {self.id!r} needs either `value`, or `at_least` and/or `at_most`")
        return self


Claim = Annotated[Ordering | Equivalence | Magnitude | Exact, Field(discriminator="kind")]


class Decision(Strict):
    """How one ambiguity, error or conflict between paper and code was settled."""

    id: str
    paper: str
    code: str = ""
    ours: str
    why: str = ""
    parameter: str | None = None
    values: tuple[Any, ...] = ()
