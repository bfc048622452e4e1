"""Pitch of whole recordings, once per file: estimated in parallel and remembered, or read where it is known."""

import multiprocessing
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.data.decode import FULL_SCALE, Mono, decode
from reprise.data.pitch import Estimator, estimate, known_path, on_grid, read_known, version_of
from reprise.data.table import content_hashes
from reprise.files import atomic_path, sha256_json
from reprise.paths import cache_root
from reprise.progress import track

if TYPE_CHECKING:
    # the processes that estimate do without torch
    from reprise.data.wavebank import WaveBank

__all__ = ["F0Labels", "label"]

FORMAT_VERSION = 1
# processes take seconds to start
_FEW_SECONDS = 30.0
# what a damaged archive leads NumPy to
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class F0Labels:
    """Pitch of every file of a bank on the hop grid.

    Made by :func:`label`.

    Attributes
    ----------
    files : DataFrame
        One row per path: ``estimator`` (``known`` where it was read), ``version`` (of what estimated it), ``offset``
        and ``n_points`` in ``values``, ``length`` (samples of the file), ``voiced`` (share of the points).
    values : ndarray of float32 [shape=(n,)], Hz
        All files one after another; point *t* of a file lies at its sample ``t * hop_length``; 0 is unvoiced.
    sample_rate : int, Hz
    hop_length : int, samples
    problems : DataFrame
        ``path``, ``reason``, ``action``.
    """

    files: pd.DataFrame
    values: np.ndarray
    sample_rate: int
    hop_length: int
    problems: pd.DataFrame

    def track(self, path: str | Path) -> np.ndarray:
        """Pitch of one file, float32 [shape=(1 + length // hop_length,)]; KeyError if the file has no label."""
        row = self.files.loc[str(path)]
        return self.values[row["offset"] : row["offset"] + row["n_points"]]


@dataclass(frozen=True)
class _Settings:
    """All that decides an estimate, apart from the samples."""

    estimator: str
    version: str
    sample_rate: int
    hop_length: int
    fmin: float
    fmax: float
    mono: Mono


def _load_estimate(target: Path, n_points: int) -> np.ndarray | None:
    """A remembered estimate, or None where it is missing or damaged: the archive holds check sums."""
    try:
        with np.load(target, allow_pickle=False) as archive:
            f0 = archive["f0"]
    except _DAMAGE:
        return None
    return f0 if f0.shape == (n_points,) and f0.dtype == np.float32 else None


def _estimate_file(path: str, target: Path, *, settings: _Settings) -> None:
    """Estimate one file and remember the result: runs in a process of its own."""
    decoded = decode(path, sample_rate=settings.sample_rate, mono=settings.mono)
    f0 = estimate(
        decoded.samples.astype(np.float32) / np.float32(FULL_SCALE),
        sample_rate=settings.sample_rate,
        hop_length=settings.hop_length,
        estimator=settings.estimator,  # type: ignore[arg-type]
        fmin=settings.fmin,
        fmax=settings.fmax,
    )
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        np.savez(stream, f0=f0)


def _estimate_all(missing: Mapping[str, Path], *, settings: _Settings, workers: int | None) -> None:
    workers = min(workers or os.cpu_count() or 1, len(missing))
    # what runs in a process pool already, such as a Dask worker, may not start processes
    if multiprocessing.current_process().daemon:
        workers = 1
    if workers <= 1:
        for path, target in track(missing.items(), total=len(missing), description="pitch"):
            _estimate_file(path, target, settings=settings)
        return
    # not concurrent.futures: its fresh processes would run the caller's script once more
    from joblib import Parallel, delayed

    jobs = (delayed(_estimate_file)(path, target, settings=settings) for path, target in missing.items())
    pool = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", batch_size=1)
    for _ in track(pool(jobs), total=len(missing), description="pitch"):
        pass


def _read_all_known(
    lengths: pd.Series, *, sample_rate: int, hop_length: int, problems: list[dict[str, str]]
) -> dict[str, np.ndarray]:
    found = {}
    for path, length in lengths.items():
        beside = known_path(str(path))
        if not beside.is_file():
            continue
        try:
            times, f0 = read_known(beside)
        except ValueError as error:
            problems.append({"path": str(beside), "reason": str(error), "action": "estimated instead"})
            continue
        at = np.arange(1 + length // hop_length) * (hop_length / sample_rate)
        found[str(path)] = on_grid(times, f0, at=at)
    return found


def label(
    bank: "WaveBank",
    *,
    hop_length: int,
    estimator: Estimator = "pyin",
    fmin: float = 65.0,
    fmax: float = 1047.0,
    lowest: float = 80.0,
    known: bool = True,
    mono: Mono = "mean",
    cache: Path | None = None,
    workers: int | None = None,
) -> F0Labels:
    """Pitch of every usable file of a bank, estimated once in the life of the cache.

    Parameters
    ----------
    bank : WaveBank
        Says which files, at which rate.
    hop_length : int, samples, > 0
        Of the grid.
    estimator : "pyin", "dio" or "harvest"
        For files without a known pitch: see :func:`reprise.data.pitch.estimate`.
    fmin, fmax : float, Hz
        Range that is searched.
    lowest : float, Hz
        What lies below counts as unvoiced, known or estimated.
    known : bool
        Whether tracks beside the files are read (:func:`reprise.data.pitch.read_known`) instead of estimating. Always
        estimating asks what an estimator costs.
    mono : "mean", "left" or "right"
        As for the bank.
    cache : Path or None
        Folder of the estimates; ``cache_root()/f0`` by default.
    workers : int or None
        Processes; by default one per core, but a single one for less than half a minute of audio, and within a process
        that may not start others.

    Returns
    -------
    F0Labels

    Raises
    ------
    ValueError
        If the estimator is unknown or its package missing, or a number is out of range.

    Notes
    -----
    An estimate is known by the file's content, the rate, hop, range and channel policy, and the estimator with its
    version. Each is written when it is ready, so that an interrupted run goes on where it stopped; a damaged one is
    made again. Labels are of whole files: estimates of 2 s crops are unreliable at the edges. Paper: Wu et al. 2022 set
    DIO's values below 80 Hz to 0.
    """
    if isinstance(hop_length, bool) or int(hop_length) != hop_length or hop_length <= 0:
        raise ValueError(f"hop_length must be a whole number of samples above zero, not {hop_length!r}")
    if not 0 < fmin < fmax < bank.sample_rate / 2:
        raise ValueError(f"0 < fmin < fmax < {bank.sample_rate / 2:g} Hz does not hold for {fmin!r} and {fmax!r}")
    settings = _Settings(
        estimator, version_of(estimator), bank.sample_rate, int(hop_length), float(fmin), float(fmax), mono
    )
    used = bank.files.loc[sorted(bank.table["path"].astype(str).unique())]
    lengths = used["length"].astype(int)
    problems: list[dict[str, str]] = []
    tracks: dict[str, np.ndarray] = {}
    if known:
        tracks = _read_all_known(lengths, sample_rate=bank.sample_rate, hop_length=hop_length, problems=problems)
    read = set(tracks)
    tracks |= _remembered(lengths.drop(list(read)), settings=settings, cache=cache, workers=workers)
    for path, f0 in tracks.items():
        tracks[path] = np.where(f0 < lowest, np.float32(0), f0)
        if not tracks[path].any():
            problems.append({"path": path, "reason": "no voiced frame", "action": "kept, all unvoiced"})
    return _gathered(tracks, lengths, read=read, settings=settings, problems=problems)


def _remembered(
    lengths: pd.Series, *, settings: _Settings, cache: Path | None, workers: int | None
) -> dict[str, np.ndarray]:
    """Estimates from the cache; what is not there, or damaged, is made first."""
    folder = Path(cache) if cache is not None else cache_root() / "f0"
    hashes = content_hashes(lengths.index)
    targets = {
        str(path): folder
        / f"{sha256_json({'content': hashes[str(path)], 'v': FORMAT_VERSION, **asdict(settings)})[:32]}.npz"
        for path in lengths.index
    }
    n_points = {str(path): 1 + length // settings.hop_length for path, length in lengths.items()}
    found = {path: _load_estimate(target, n_points[path]) for path, target in targets.items()}
    # files of the same content share one estimate
    missing = {targets[path]: path for path, f0 in found.items() if f0 is None}
    seconds = sum(n_points[path] for path in missing.values()) * settings.hop_length / settings.sample_rate
    if missing:
        if workers is None and seconds < _FEW_SECONDS:
            workers = 1
        _estimate_all({path: target for target, path in missing.items()}, settings=settings, workers=workers)
    tracks = {}
    for path, f0 in found.items():
        f0 = _load_estimate(targets[path], n_points[path]) if f0 is None else f0
        if f0 is None:
            raise OSError(
                f"{targets[path]} was written and cannot be read; is the disk sound? Set REPRISE_CACHE elsewhere"
            )
        tracks[path] = f0
    return tracks


def _gathered(
    tracks: dict[str, np.ndarray],
    lengths: pd.Series,
    *,
    read: set[str],
    settings: _Settings,
    problems: list[dict[str, str]],
) -> F0Labels:
    paths = [str(path) for path in lengths.index]
    sizes = np.array([len(tracks[path]) for path in paths])
    files = pd.DataFrame(
        {
            "estimator": ["known" if path in read else settings.estimator for path in paths],
            "version": ["" if path in read else settings.version for path in paths],
            "offset": np.cumsum(sizes) - sizes,
            "n_points": sizes,
            "length": lengths.to_numpy(),
            "voiced": [float((tracks[path] > 0).mean()) for path in paths],
        },
        index=pd.Index(paths, name="path"),
    )
    return F0Labels(
        files=files,
        values=np.concatenate([tracks[path] for path in paths]),
        sample_rate=settings.sample_rate,
        hop_length=settings.hop_length,
        problems=pd.DataFrame(problems, columns=["path", "reason", "action"]),
    )
