"""The files of one finished trial: written, verified, read."""

import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reprise.files import atomic_path, canonical_json, read_json, sha256_file, sha256_json, write_json, write_text
from reprise.runs.trial import TrialConfig, TrialResult

if TYPE_CHECKING:
    import torch

__all__ = ["RECORD", "StoredTrial", "find_damage", "trial_row", "write_artefacts", "write_record"]

STORE_SCHEMA = 1
RECORD = "complete.json"
BOOKKEEPING = frozenset({"status", "error", "seconds", "folder", "cached"})


def _numbers(values: Mapping[str, Any]) -> dict[str, float | str]:
    """Metrics as JSON; non-finite ones as text, which ``float`` reads back."""
    numbers = {name: float(value) for name, value in values.items()}
    return {name: value if np.isfinite(value) else str(value) for name, value in numbers.items()}


class _Arrays(Mapping[str, np.ndarray]):
    """Arrays of a trial, read from disk when asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _names(self) -> list[str]:
        if not self._path.is_file():
            return []
        with zipfile.ZipFile(self._path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(f"{self._path} has no array {name!r}; it has {', '.join(self._names) or 'none'}")
        with np.load(self._path, allow_pickle=False) as archive:
            return archive[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class StoredTrial:
    """A finished trial on disk; every part is read when it is asked for.

    Parameters
    ----------
    folder : str or Path
        As in the ``folder`` column of :func:`reprise.runs.run_grid`. Its content is not verified again:
        :meth:`Store.find` does that.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"StoredTrial({str(self.folder)!r})"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The trial's identity."""
        return read_json(self.folder / "config.json")

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Scalars of the result."""
        return {name: float(value) for name, value in read_json(self.folder / "metrics.json").items()}

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What the result was made with, and ``notes``."""
        return read_json(self.folder / "provenance.json")

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Arrays by name; empty if the trial stored none."""
        return _Arrays(self.folder / "arrays.npz")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Values per epoch; empty if the trial stored none."""
        path = self.folder / "curves.csv"
        return pd.read_csv(path) if path.is_file() else pd.DataFrame()

    def weights(self) -> "dict[str, torch.Tensor]":
        """Weights on the CPU.

        Raises
        ------
        FileNotFoundError
            If the trial stored none.
        """
        from safetensors.torch import load_file

        path = self.folder / "weights.safetensors"
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist: this trial's runner returned no weights")
        return load_file(path)


def write_artefacts(
    folder: Path, config: TrialConfig, *, result: TrialResult, provenance: Mapping[str, Any]
) -> list[Path]:
    """Write everything but the completion record.

    Parameters
    ----------
    folder : Path
        Exists; files of an earlier attempt in it are replaced.
    config : TrialConfig
        Only its identity is stored.
    result : TrialResult
    provenance : mapping
        What the result was made with, ready for JSON.

    Returns
    -------
    list of Path
        What was written: ``config.json``, ``metrics.json``, ``provenance.json``, and those of ``curves.csv``,
        ``arrays.npz`` and ``weights.safetensors`` that the result has.

    Raises
    ------
    TypeError
        If an array holds Python objects.
    OSError
        If writing fails, for example on a full disk.
    """
    names = ["config.json", "metrics.json", "provenance.json"]
    write_json(folder / "config.json", config.identity())
    write_json(folder / "metrics.json", _numbers(result.metrics))
    write_json(folder / "provenance.json", dict(provenance))
    if result.curves is not None:
        names.append("curves.csv")
        with atomic_path(folder / "curves.csv") as temporary:
            result.curves.to_csv(temporary, index=False)
    if result.arrays:
        names.append("arrays.npz")
        with atomic_path(folder / "arrays.npz") as temporary:
            _write_arrays(temporary, result.arrays)
    if result.weights is not None:
        from safetensors.torch import save_file

        names.append("weights.safetensors")
        # copies, because safetensors refuses tensors that share memory, as tied weights do
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in result.weights.items()}
        with atomic_path(folder / "weights.safetensors") as temporary:
            save_file(tensors, temporary)
    return [folder / name for name in names]


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Like ``np.savez``, but refusing objects, and without reserved names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            values = np.asarray(array)
            if values.dtype.hasobject:
                raise TypeError(f"array {name!r} holds Python objects; store numbers, or text as a fixed-width dtype")
            # a fixed date, so that the same values are the same file
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, values, allow_pickle=False)


def write_record(
    folder: Path, config: TrialConfig, *, result: TrialResult, seconds: float, artefacts: list[Path]
) -> None:
    """Write the completion record: what the trial was, its metrics, and the SHA-256 of its files and of itself.

    Parameters
    ----------
    folder : Path
    config : TrialConfig
    result : TrialResult
    seconds : float
        How long the trial took.
    artefacts : list of Path
        From :func:`write_artefacts`.
    """
    record = {
        "schema": STORE_SCHEMA,
        "fingerprint": config.fingerprint(),
        "row": config.row(),
        "metrics": _numbers(result.metrics),
        "seconds": round(float(seconds), 3),
        "artefacts": {path.name: sha256_file(path) for path in artefacts},
    }
    write_text(folder / RECORD, canonical_json({**record, "sha256": sha256_json(record)}))


def find_damage(folder: Path, fingerprint: str) -> str | None:
    """What is wrong with a folder that has its final name, in words; None if nothing is."""
    try:
        record = read_json(folder / RECORD)
        schema, artefacts = record["schema"], record["artefacts"]
        if schema != STORE_SCHEMA:
            raise RuntimeError(
                f"{folder} was stored with schema {schema}, this version reads {STORE_SCHEMA}; "
                "move the folder away, or set REPRISE_RUNS to a new one"
            )
        content = {name: value for name, value in record.items() if name != "sha256"}
        if record["sha256"] != sha256_json(content):
            return f"{folder / RECORD} was altered after it was written"
        if record["fingerprint"] != fingerprint:
            return f"{folder} holds the result of another trial ({record['fingerprint'][:16]})"
        for name, digest in artefacts.items():
            if sha256_file(folder / name) != digest:
                return f"{folder / name} was altered after it was written (its SHA-256 is not the recorded one)"
    except FileNotFoundError as error:
        return f"{error.filename or folder} is missing"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder / RECORD} is no completion record ({error})"
    return None


def trial_row(row: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """One row of a table of trials: fields of the config, then metrics.

    Parameters
    ----------
    row : mapping
        From :meth:`TrialConfig.row`.
    metrics : mapping
        A metric with the name of another column becomes ``metrics.<name>``.

    Returns
    -------
    dict
        Column → cell; lists have become tuples, metrics numbers.
    """
    cells = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    taken = BOOKKEEPING | row.keys()
    return cells | {(f"metrics.{name}" if name in taken else name): float(value) for name, value in metrics.items()}
