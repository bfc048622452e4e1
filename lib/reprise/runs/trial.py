"""What a trial is: a frozen config whose canonical JSON is its identity, and the result that it is a function of."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.fields import FieldInfo

from reprise.files import canonical_json, sha256_json

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

    from reprise.runs.store import Store, StoredTrial

__all__ = ["TrialConfig", "TrialContext", "TrialResult", "not_identity", "safe_name"]

# names that the store gives a meaning: a trial's folder, its unfinished twin, a damaged one
_RESERVED = re.compile(r"\d+-[0-9a-f]{16}|.*\.part|.*\.damaged-\d+|\..*", re.DOTALL)
_UNSAFE = re.compile(r"[^\w .,+=@()\-]")


def not_identity(default: Any = ..., *, description: str = "", **constraints: Any) -> Any:
    """Field that cannot change a trial's result, and so is left out of its fingerprint.

    Parameters
    ----------
    default : Any
        Default value; required if left out.
    description : str
        Why it cannot change the result.
    **constraints
        Passed on to :func:`pydantic.Field`.

    Returns
    -------
    FieldInfo
        For the right-hand side of a field of a :class:`TrialConfig` or of a model inside one.
    """
    return Field(default, description=description, json_schema_extra={"identity": False}, **constraints)


def _in_identity(info: FieldInfo) -> bool:
    extra = info.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("identity") is False)


def _plain(value: Any, where: str) -> Any:
    """Turn a field's value into JSON types, leaving out what is not identity at every depth."""
    if value is None or isinstance(value, str | bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, BaseModel):
        model = type(value)
        kept = [name for name, info in model.model_fields.items() if _in_identity(info)]
        return {"class": model.__name__} | {name: _plain(getattr(value, name), f"{where}.{name}") for name in kept}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{where} has keys that are not text; JSON would confuse 1 and '1', so name them with text")
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, where) for item in value), key=canonical_json)
    if isinstance(value, Enum):
        return _plain(value.value, where)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(
        f"{where} is a {type(value).__name__}, which has no JSON form; "
        "use numbers, text, lists, dicts or pydantic models"
    )


def _without_classes(value: Any) -> Any:
    """What `_plain` was made from, as far as validation needs it."""
    if isinstance(value, Mapping):
        return {name: _without_classes(item) for name, item in value.items() if name != "class"}
    return [_without_classes(item) for item in value] if isinstance(value, list) else value


def safe_name(part: str) -> str:
    """Part of a condition's name as the name of a folder: unusual characters percent-encoded, letters kept."""
    return _UNSAFE.sub(lambda match: quote(match.group(), safe=""), part)


class TrialConfig(BaseModel):
    """Everything that a trial's result depends on.

    A paper derives its own class, adds its hyper-parameters and sets ``runner``.

    Attributes
    ----------
    runner : str
        Class variable, ``"package.module:function"``; the function takes ``(config, context)``.
    paper : str
        Slug of the paper; first folder of the result's path.
    condition : str
        Name as in the paper's tables; ``/`` makes subfolders.
    seed : int ≥ 0
    dataset : str
        Fingerprint of the clip table.
    schema_version : int
        Raised by a paper when its code changes what a result means.
    data_root : Path or None
        Not identity: the fingerprint covers the content.
    device : str
        Not identity: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Notes
    -----
    The fingerprint covers the class's name and all fields of the resolved config, never a difference from defaults.
    ``model_copy(update=...)`` validates, so ``update={"alpha": 1}`` and ``alpha=1.0`` are one trial.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    runner: ClassVar[str] = ""

    paper: str
    condition: str
    seed: int = Field(ge=0)
    dataset: str
    schema_version: int = 1
    data_root: Path | None = not_identity(None, description="The fingerprint covers the data's content.")
    device: str = not_identity("auto", description="The same numbers come out, to the device's rounding.")

    @field_validator("paper", "condition")
    @classmethod
    def _usable_as_folder(cls, value: str) -> str:
        for part in value.split("/"):
            if not part.strip() or _RESERVED.fullmatch(part) or len(safe_name(part).encode()) > 200:
                raise ValueError(
                    f"{value!r} cannot name a folder because of its part {part!r}: parts between '/' must not be "
                    "empty, start with a dot, exceed 200 bytes or look like a result's own folder"
                )
        return value

    @model_validator(mode="after")
    def _has_identity(self) -> Self:
        # a value without canonical JSON (NaN inside a dict, an array) must fail here, not when its result is stored
        try:
            canonical_json(self.identity())
        except TypeError as error:
            raise ValueError(str(error)) from error
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with some fields changed; the new values are validated and coerced.

        Parameters
        ----------
        update : mapping or None
            Field → new value.
        deep : bool
            Accepted for pydantic's sake; frozen models need no deep copies.

        Returns
        -------
        TrialConfig
            Of the same class.

        Raises
        ------
        ValidationError
            For unknown fields and for values out of range.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})

    def identity(self) -> dict[str, Any]:
        """All fields that the result depends on, ready for JSON, with the class's name under ``class``."""
        return _plain(self, type(self).__name__)

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of the identity, as 64 hexadecimal digits."""
        return sha256_json(self.identity())

    @classmethod
    def restore(cls, identity: Mapping[str, Any]) -> Self:
        """Trial of a stored identity.

        Parameters
        ----------
        identity : mapping
            Content of a trial's ``config.json``.

        Returns
        -------
        TrialConfig
            Of this class, with the default of everything that is no identity, as the data folder.

        Raises
        ------
        ValueError
            If it is the identity of another class, or of another version of this one.
        """
        if identity.get("class") != cls.__name__:
            raise ValueError(f"this is the identity of a {identity.get('class')}, not of a {cls.__name__}")
        return cls.model_validate(_without_classes(identity))

    @property
    def folder_name(self) -> str:
        """Name of the result's folder: seed and first 16 digits of the fingerprint."""
        return f"{self.seed}-{self.fingerprint()[:16]}"

    def requires(self) -> "list[TrialConfig]":
        """Trials whose results this one reads; they run first."""
        return []

    def row(self) -> dict[str, Any]:
        """Identity as columns of a table.

        Returns
        -------
        dict
            Fields of nested models under dotted names, lists as tuples, nested trials as ``condition/folder``.
        """
        row: dict[str, Any] = {}
        for name, info in type(self).model_fields.items():
            if _in_identity(info):
                _flatten(name, getattr(self, name), row)
        return row

    def run(self, context: "TrialContext") -> "TrialResult":
        """Call the class's runner.

        Raises
        ------
        ValueError
            If the class has no runner, or the runner does not exist.
        """
        module, _, function = self.runner.partition(":")
        if not function:
            raise ValueError(f"{type(self).__name__} has runner {self.runner!r}; set it to 'package.module:function'")
        runner: Callable[[TrialConfig, TrialContext], TrialResult] | None
        runner = getattr(import_module(module), function, None)
        if runner is None:
            raise ValueError(f"{module} has no function {function}, which {type(self).__name__}.runner names")
        return runner(self, context)


def _flatten(name: str, value: Any, row: dict[str, Any]) -> None:
    if isinstance(value, TrialConfig):
        row[name] = f"{value.condition}/{value.folder_name}"
    elif isinstance(value, BaseModel):
        for inner, info in type(value).model_fields.items():
            if _in_identity(info):
                _flatten(f"{name}.{inner}", getattr(value, inner), row)
    else:
        row[name] = _hashable(_plain(value, name))


def _hashable(value: Any) -> Any:
    """Lists as tuples and dicts as text, because a table is grouped by its cells."""
    if isinstance(value, list):
        return tuple(_hashable(item) for item in value)
    return canonical_json(value) if isinstance(value, dict) else value


@dataclass
class TrialResult:
    """What a runner returns.

    Attributes
    ----------
    metrics : dict of str to float
        Scalars for tables; NaN where a metric has no value.
    arrays : dict of str to ndarray
        For example predictions; no object arrays.
    curves : DataFrame or None
        One row per epoch.
    weights : dict of str to Tensor or None
    notes : list of str
        Facts that a reader of the result should see, for example a missing class.
    """

    metrics: dict[str, float]
    arrays: "dict[str, np.ndarray]" = field(default_factory=dict)
    curves: "pd.DataFrame | None" = None
    weights: "dict[str, torch.Tensor] | None" = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TrialContext:
    """Where a trial runs.

    Attributes
    ----------
    folder : Path
        Survives a kill, so checkpoints go here. Whatever the runner leaves in it is removed when the trial is done.
    device : str
        ``cpu`` or ``cuda:N``.
    store : Store
    """

    folder: Path
    device: str
    store: "Store"

    def load(self, config: TrialConfig) -> "StoredTrial":
        """Result of a required trial.

        Raises
        ------
        LookupError
            If it is not in the store; only trials named by ``requires()`` are sure to be.
        """
        stored = self.store.find(config)
        if stored is None:
            raise LookupError(
                f"no result for {config.paper}/{config.condition} seed {config.seed} in {self.store.root}; "
                "return that trial from requires() so that it runs first"
            )
        return stored
