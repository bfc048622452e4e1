"""Pitch of one recording: estimators behind one signature, and tracks that are known and read."""

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reprise.data.autocorrelation import autocorrelation_pitch

__all__ = ["Estimator", "estimate", "known_path", "on_grid", "read_known", "version_of"]

Estimator = Literal["pyin", "dio", "harvest", "autocorrelation"]

_ESTIMATORS = ("pyin", "dio", "harvest", "autocorrelation")
_FRAME_SECONDS = 2048 / 22050
_KNOWN_SUFFIX = ".f0.csv"


def version_of(estimator: str) -> str:
    """Library and version of an estimator, by which its labels are known; ValueError where it is missing."""
    if estimator not in _ESTIMATORS:
        raise ValueError(f"there is no estimator {estimator!r}; known: {', '.join(_ESTIMATORS)}")
    if estimator == "autocorrelation":
        return "1"
    if estimator == "pyin":
        from librosa.version import version

        return f"librosa {version}"
    try:
        import pyworld
    except ImportError as error:
        # pyworld asks for pkg_resources, which newer releases of setuptools have not
        raise ValueError(
            f"estimator={estimator!r} needs the package pyworld, which cannot be imported ({error}): "
            "`pip install pyworld 'setuptools<81'`, or use estimator='pyin'"
        ) from error
    return f"pyworld {getattr(pyworld, '__version__', 'unknown')}"


def _pyin(y: np.ndarray, *, sample_rate: int, hop_length: int, fmin: float, fmax: float) -> np.ndarray:
    import librosa

    f0, _, _ = librosa.pyin(
        y,
        sr=sample_rate,
        hop_length=hop_length,
        fmin=fmin,
        fmax=fmax,
        frame_length=2 ** round(math.log2(_FRAME_SECONDS * sample_rate)),
        fill_na=0.0,
    )
    return f0


def _world(y: np.ndarray, *, estimator: str, sample_rate: int, hop_length: int, fmin: float, fmax: float) -> np.ndarray:
    import pyworld

    options: dict[str, Any] = {"f0_floor": fmin, "f0_ceil": fmax, "frame_period": 1000.0 * hop_length / sample_rate}
    if estimator == "dio":
        options["channels_in_octave"] = 2
    f0, _ = getattr(pyworld, estimator)(np.ascontiguousarray(y, dtype=np.float64), sample_rate, **options)
    return f0


def estimate(
    y: np.ndarray,
    *,
    sample_rate: int,
    hop_length: int,
    estimator: Estimator = "pyin",
    fmin: float = 65.0,
    fmax: float = 1047.0,
) -> np.ndarray:
    """Estimate the pitch of a recording with one voice.

    Parameters
    ----------
    y : ndarray [shape=(n_samples,)]
    sample_rate : int, Hz
    hop_length : int, samples
    estimator : "pyin", "dio", "harvest" or "autocorrelation"
        librosa's probabilistic YIN, one of WORLD's where pyworld is installed, or Boersma's autocorrelation, which is
        a dozen times faster than pYIN: see `reprise.data.autocorrelation`.
    fmin, fmax : float, Hz
        Range that is searched.

    Returns
    -------
    ndarray of float32 [shape=(1 + n_samples // hop_length,)], Hz
        Point *t* is centred on sample ``t * hop_length``; 0 is unvoiced.

    Raises
    ------
    ValueError
        If the estimator is unknown or its package is missing; the message says what to do.

    Notes
    -----
    The authors of SawSing label with DIO at two channels per octave between 65 and 1047 Hz, without StoneMask.
    pYIN: Mauch and Dixon 2014, in steps of a tenth of a semitone, frames of some 90 ms.
    """
    version_of(estimator)
    common: dict[str, Any] = {"sample_rate": sample_rate, "hop_length": hop_length, "fmin": fmin, "fmax": fmax}
    if estimator == "autocorrelation":
        f0 = autocorrelation_pitch(y, **common)
    else:
        f0 = _pyin(y, **common) if estimator == "pyin" else _world(y, estimator=estimator, **common)
    n_points = 1 + len(y) // hop_length
    # WORLD counts its frames in milliseconds and may be one off
    return np.pad(f0, (0, max(0, n_points - len(f0))))[:n_points].astype(np.float32)


def known_path(path: str | Path) -> Path:
    """Where the known pitch of a recording would lie: ``song.f0.csv`` beside ``song.wav``."""
    return Path(path).with_suffix(_KNOWN_SUFFIX)


def read_known(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a pitch track.

    Parameters
    ----------
    path : str or Path
        Lines of time in s and pitch in Hz with a comma between, 0 where there is no voice: what comes with synthetic
        songs, and the F0 annotations of vocadito.

    Returns
    -------
    (ndarray [shape=(n,)], ndarray [shape=(n,)])
        Times in s, increasing, and pitch in Hz.

    Raises
    ------
    ValueError
        If the file is something else; the message names it.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split()
        if not lines:
            raise ValueError("it is empty")
        times, f0 = np.loadtxt(lines, delimiter=",", ndmin=2).T
    except ValueError as error:
        raise ValueError(
            f"{path} is no pitch track of lines `seconds,hertz` ({error}); delete it or repair it"
        ) from error
    if not np.isfinite([times, f0]).all() or (np.diff(times) <= 0).any() or (f0 < 0).any():
        raise ValueError(f"{path}: times must increase and f0 be finite and not negative; delete it or repair it")
    return times, f0


def on_grid(times: np.ndarray, f0: np.ndarray, *, at: np.ndarray) -> np.ndarray:
    """Pitch at other times, never blended with silence.

    Parameters
    ----------
    times : ndarray [shape=(n,)], s, increasing
    f0 : ndarray [shape=(n,)], Hz
        0 where unvoiced.
    at : ndarray [shape=(m,)], s

    Returns
    -------
    ndarray of float32 [shape=(m,)], Hz
        Linear between two voiced points, else the nearer point's; 0 outside the track.
    """
    right = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    if len(times) == 1:
        return np.where(np.isclose(at, times[0]), f0[0], 0.0).astype(np.float32)
    left = right - 1
    weight = (at - times[left]) / (times[right] - times[left])
    blend = f0[left] * (1.0 - weight) + f0[right] * weight
    nearer = np.where(weight < 0.5, f0[left], f0[right])
    value = np.where((f0[left] > 0) & (f0[right] > 0), blend, nearer)
    # a track ends where its last point is, to within rounding of printed times
    return np.where((at >= times[0] - 1e-5) & (at <= times[-1] + 1e-5), value, 0.0).astype(np.float32)
