"""The contract of a notebook's parameters cell: exactly these names, plain values, nothing changed on the way."""

import ast
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprise.papers.choices import UsageError

__all__ = ["PARAMETERS", "ParametersError", "check_parameters", "check_type", "plain"]

# name -> (allowed types, in words); every notebook's parameters cell defines exactly these
PARAMETERS: dict[str, tuple[tuple[type, ...], str]] = {
    "profile": ((str,), "a profile's name"),
    "data": ((str, type(None)), '"synthetic", a folder or None'),
    "overrides": ((dict,), "a dictionary of parameter names and values"),
    "seed": ((int,), "a whole number, 0 or more"),
    "workers": ((int, type(None)), "a whole number, 1 or more, or None"),
    "scheduler": ((str, type(None)), "an address as tcp://host:port or None"),
    "out": ((str, type(None)), "a folder or None"),
}


class ParametersError(UsageError):
    """A notebook's parameters cell, or a value for it, breaks the contract."""


def check_parameters(notebook: Any, path: Path) -> None:
    """Check that a notebook's parameters cell defines exactly the names of the contract, with plain values.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : Path
        Named in the message.

    Raises
    ------
    ParametersError
        If the cell is missing, doubled, not a list of plain assignments, or has other names or types.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ParametersError(f'{path}: {len(cells)} cells are tagged "parameters"; there must be one')
    found: dict[str, Any] = {}
    try:
        statements = ast.parse(cells[0].source).body
        for statement in statements:
            found.update(_assignment(statement))
    except (SyntaxError, ValueError) as error:
        raise ParametersError(f"{path}: the parameters cell must be plain assignments of plain values") from error
    missing, unknown = PARAMETERS.keys() - found.keys(), found.keys() - PARAMETERS.keys()
    if missing or unknown:
        facts = [
            f"{word} {', '.join(sorted(names))}" for word, names in (("lacks", missing), ("adds", unknown)) if names
        ]
        raise ParametersError(
            f"{path}: the parameters cell {' and '.join(facts)}; it must define {', '.join(PARAMETERS)}"
        )
    for name, value in found.items():
        check_type(name, value, where=f"{path}: parameters cell")


def _assignment(statement: ast.stmt) -> dict[str, Any]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        raise ValueError("not an assignment")
    if not isinstance(target, ast.Name):
        raise ValueError("not a plain name")
    return {target.id: ast.literal_eval(value)}


def check_type(name: str, value: Any, *, where: str) -> None:
    """Check one parameter's value against the contract.

    Parameters
    ----------
    name : str
        One of :data:`PARAMETERS`.
    value : object
    where : str
        Opens the message.

    Raises
    ------
    ParametersError
        If the type or range is wrong.
    """
    types, words = PARAMETERS[name]
    wrong = not isinstance(value, types) or isinstance(value, bool)
    low = {"seed": 0, "workers": 1}.get(name)
    if wrong or (low is not None and value is not None and value < low):
        raise ParametersError(f"{where}: {name} = {value!r} is not valid; it must be {words}")


def plain(value: Any, *, name: str) -> Any:
    """Turn a value into one that survives the way into a notebook, or refuse it: papermill would change it silently.

    Parameters
    ----------
    value : object
        NumPy scalars, paths and tuples become plain numbers, strings and lists.
    name : str
        Named in the message.

    Returns
    -------
    None, bool, int, float, str, list or dict

    Raises
    ------
    ParametersError
        If it is none of these, not finite, or a dictionary whose keys are no strings.
    """
    if hasattr(value, "item") and not isinstance(value, str) and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, list | tuple):
        return [plain(item, name=name) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ParametersError(f"{name}: the keys of a dictionary must be words, not {list(value)!r}")
        return {key: plain(item, name=f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ParametersError(f"{name} = {value!r} is not valid: it must be finite")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ParametersError(f"{name} = {value!r} is not valid: a {type(value).__name__} cannot be given to a notebook")
