"""Checkpoints that are verified before they are believed."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reprise.files import atomic_path, read_json, sha256_file, write_json

__all__ = ["Checkpoint"]

KEPT = 2


class Checkpoint:
    """The last two states of a training run in a folder.

    Parameters
    ----------
    folder : Path
        For example ``context.folder`` of a trial.
    name : str
        Tells the checkpoints of several trainings in one folder apart.

    Notes
    -----
    Each state is ``<name>-<number>.pt``, written whole, and then ``<name>-<number>.json`` with its SHA-256. A state
    without the second file is unfinished and never read. The older state goes only after the newer one is in place.
    """

    def __init__(self, folder: str | Path, *, name: str = "checkpoint") -> None:
        self.folder = Path(folder)
        self.name = name

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a state beside the previous one, and remove older ones.

        Parameters
        ----------
        state : mapping
            Tensors and plain Python (numbers, text, None, lists, tuples, dicts), so that reading it runs no code.

        Raises
        ------
        TypeError
            If something else is in it; the message says where.
        OSError
            If it cannot be written. Previous states are untouched.
        """
        _require_plain(state, self.name)
        number = max(self._numbers(), default=0) + 1
        path = self._path(number, ".pt")
        with atomic_path(path) as temporary:
            torch.save(dict(state), temporary)
        write_json(self._path(number, ".json"), {"sha256": sha256_file(path), "bytes": path.stat().st_size})
        for old in self._numbers():
            if old <= number - KEPT:
                self._path(old, ".json").unlink(missing_ok=True)
                self._path(old, ".pt").unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """Newest state that is intact.

        Returns
        -------
        dict or None
            Tensors on the CPU. None if nothing usable is there. A damaged state is passed over with a warning.

        Raises
        ------
        ValueError
            If an intact file holds something else than tensors and plain Python: it is not ours, and is never
            read in a way that could run code.
        """
        for number in sorted(self._numbers(), reverse=True):
            path, record = self._path(number, ".pt"), self._path(number, ".json")
            if not record.is_file():
                continue
            if not _intact(path, record):
                warnings.warn(
                    f"{path} is damaged (its SHA-256 is not the recorded one); going back to the state before it",
                    stacklevel=2,
                )
                continue
            try:
                return torch.load(path, weights_only=True, map_location="cpu")
            except pickle.UnpicklingError as error:
                raise ValueError(
                    f"{path} holds something else than tensors and plain Python, so it is not loaded; "
                    f"delete {self.folder} to start again ({error})"
                ) from error
        return None

    def _numbers(self) -> list[int]:
        found = (path.stem.removeprefix(f"{self.name}-") for path in self.folder.glob(f"{self.name}-*.pt"))
        return [int(text) for text in found if text.isdigit()]

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{self.name}-{number:06d}{suffix}"


def _intact(path: Path, record: Path) -> bool:
    try:
        expected = read_json(record)["sha256"]
    except (ValueError, KeyError, TypeError):
        return False
    return sha256_file(path) == expected


def _require_plain(value: Any, where: str) -> None:
    if isinstance(value, Tensor) or value is None or type(value) in (bool, int, float, str):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_plain(key, f"a key of {where}")
            _require_plain(item, f"{where}[{key!r}]")
        return
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _require_plain(item, f"{where}[{index}]")
        return
    raise TypeError(
        f"{where} is a {type(value).__name__}; a checkpoint takes tensors, numbers, text, lists, tuples and dicts only"
    )
