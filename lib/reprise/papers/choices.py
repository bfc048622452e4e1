"""What a user may type, and how a mistake is answered: one line with the closest valid word."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

import yaml

__all__ = [
    "PROFILES",
    "InvalidValue",
    "MissingData",
    "UnknownName",
    "UnknownParameter",
    "UsageError",
    "check_profile",
    "closest",
    "parse_overrides",
]

PROFILES = ("smoke", "demo", "paper")

_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class UsageError(ValueError):
    """Something the user typed cannot be used; the message is one line and says what can."""


class UnknownName(UsageError):
    """A paper or profile that does not exist."""


class UnknownParameter(UsageError):
    """A parameter that the paper's settings do not have."""


class InvalidValue(UsageError):
    """A parameter's value of the wrong type or out of range."""


class MissingData(UsageError):
    """A folder, or a data set in it, that is not there."""


def closest(name: str, valid: Iterable[str]) -> str:
    """Middle of a message about an unknown name.

    Parameters
    ----------
    name : str
        What was typed.
    valid : iterable of str

    Returns
    -------
    str
        ``"; did you mean 'x'?"`` where one is close, else ``";"``: what may be typed follows.
    """
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ";"


def check_profile(profile: str) -> None:
    """Refuse a profile that does not exist.

    Parameters
    ----------
    profile : str

    Raises
    ------
    UnknownName
        The message lists the profiles and the closest one.
    """
    if profile not in PROFILES:
        raise UnknownName(
            f"unknown profile {profile!r}{closest(profile, PROFILES)} the profiles are {', '.join(PROFILES)}"
        )


def parse_overrides(items: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs from the command line.

    Parameters
    ----------
    items : iterable of str
        Values are YAML: ``epochs=5``, ``alphas=[0, 0.5]``, ``split=official``; ``1e-4`` is a number.

    Returns
    -------
    dict
        Later pairs win over earlier ones of the same name.

    Raises
    ------
    InvalidValue
        If a pair has no ``=`` or its value is no YAML.
    """
    overrides: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name.strip():
            raise InvalidValue(f"--set {item!r} is not of the form name=value, as in --set epochs=5")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InvalidValue(f"--set {name.strip()}: {text!r} cannot be read as a YAML value") from error
        overrides[name.strip()] = _numbers(value)
    return overrides


def _numbers(value: Any) -> Any:
    """Turn ``1e-4`` into a number, which YAML 1.1 takes for a word because it has no dot."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and _FLOAT.fullmatch(value):
        return float(value)
    return value
