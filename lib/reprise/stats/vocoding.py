"""Pitch contours and embeddings of resynthesised voices compared with those of the recordings."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

__all__ = ["PitchErrors", "frechet_distance", "gaussian_of", "held_frames", "pitch_errors"]

CENTS = 1200.0


class PitchErrors(NamedTuple):
    """How far a pitch contour is from that of the recording.

    Attributes
    ----------
    mae_f0 : float, cents
        Mean distance over the frames that are voiced in both; NaN where there are none.
    mae_f0_floored : float, cents
        Mean distance over all frames, with both contours raised to the floor; a voicing error costs octaves.
    vuv_error : float, percent
        Frames that are voiced in one and unvoiced in the other.
    n_voiced : int
        Frames that are voiced in both.
    """

    mae_f0: float
    mae_f0_floored: float
    vuv_error: float
    n_voiced: int


def pitch_errors(predicted: ArrayLike, target: ArrayLike, *, floor: float = 80.0) -> PitchErrors:
    r"""Distances of two pitch contours.

    Parameters
    ----------
    predicted, target : array [shape=(n_frames,)], Hz
        0 or NaN where unvoiced.
    floor : float, Hz, > 0
        For ``mae_f0_floored``.

    Returns
    -------
    PitchErrors

    Raises
    ------
    ValueError
        If the shapes differ, there are no frames, or a frequency is negative or infinite.

    Notes
    -----
    :math:`1200\,|\log_2 (\hat f / f)|`. Unit and voicing rule of the paper's MAE-f0 are not known; ``mae_f0_floored``
    is the follow-up's.
    Paper: Wu et al. 2022; Yu and Fazekas 2023. Notebook: 04_sawsing.ipynb.
    """
    if not floor > 0:
        raise ValueError(f"floor must be above 0 Hz, got {floor}")
    ours, theirs = _contour(predicted, "predicted"), _contour(target, "target")
    if ours.shape != theirs.shape:
        raise ValueError(f"contours have {len(ours)} and {len(theirs)} frames; cut both to the same length")
    both = (ours > 0) & (theirs > 0)
    floored = CENTS * np.abs(np.log2(np.maximum(ours, floor) / np.maximum(theirs, floor)))
    voiced = CENTS * np.abs(np.log2(ours[both] / theirs[both]))
    return PitchErrors(
        mae_f0=float(voiced.mean()) if len(voiced) else math.nan,
        mae_f0_floored=float(floored.mean()),
        vuv_error=float(100 * ((ours > 0) != (theirs > 0)).mean()),
        n_voiced=int(both.sum()),
    )


def held_frames(
    f0: ArrayLike, *, n_frames: int = 50, cents: float = 200.0, step: float = 70.0, n_step: int = 20
) -> np.ndarray:
    """Frames of notes that are held, with vibrato or without.

    Parameters
    ----------
    f0 : array [shape=(n,)], Hz
        0 or NaN where unvoiced.
    n_frames : int, ≥ 1
        Shortest note.
    cents : float, ≥ 0
        Widest range of the frequency within as many frames; vibrato spans up to 200 cents.
    step : float, ≥ 0, cents
        From here on the next note is sung: largest difference between the mean pitch of the frames before a frame and
        that of the frames from it on, as far as they are voiced without a gap.
    n_step : int, ≥ 1
        Frames of these means; about a cycle of vibrato.

    Returns
    -------
    ndarray of bool [shape=(n,)]
        True in every window of ``n_frames`` frames that is voiced throughout, without a step, and stays within the
        range.

    Raises
    ------
    ValueError
        If a number of frames or of cents is out of range, or a frequency is negative or infinite.
    """
    if n_frames < 1 or n_step < 1 or not cents >= 0 or not step >= 0:
        raise ValueError(
            f"n_frames and n_step must be at least 1, cents and step at least 0, got {n_frames}, {n_step}, {cents} "
            f"and {step}"
        )
    contour = _contour(f0, "f0")
    if len(contour) < n_frames:
        return np.zeros(len(contour), dtype=bool)
    voiced = contour > 0
    pitch = CENTS * np.log2(np.where(voiced, contour, 1.0))
    held = voiced & (_steps(pitch, voiced, n_step) <= step)
    # a frame that is not held is out of every range
    top, bottom = np.where(held, pitch, np.inf), np.where(held, pitch, -np.inf)
    starts = slice(n_frames // 2, n_frames // 2 + len(contour) - n_frames + 1)
    highest = ndimage.maximum_filter1d(top, n_frames, mode="nearest")[starts]
    lowest = ndimage.minimum_filter1d(bottom, n_frames, mode="nearest")[starts]
    steady = np.less_equal(highest - lowest, cents)
    edges = np.zeros(len(contour) + 1, dtype=int)
    edges[: len(steady)] += steady
    edges[n_frames:] -= steady
    return np.cumsum(edges)[:-1] > 0


def _steps(pitch: np.ndarray, voiced: np.ndarray, n_step: int) -> np.ndarray:
    """Distance of the mean pitch before each frame from that after, within its voiced stretch; 0 where it begins."""
    places = np.arange(len(pitch))
    starts = np.maximum.accumulate(np.where(voiced, 0, places + 1))
    ends = np.minimum.accumulate(np.where(voiced, len(pitch), places)[::-1])[::-1]
    first, last = np.maximum(starts, places - n_step), np.minimum(ends, places + n_step)
    sums = np.concatenate([[0.0], np.cumsum(np.where(voiced, pitch, 0.0))])
    before = (sums[places] - sums[np.minimum(first, places)]) / np.maximum(places - first, 1)
    after = (sums[np.maximum(last, places)] - sums[places]) / np.maximum(last - places, 1)
    return np.where(voiced & (first < places), np.abs(after - before), 0.0)


def gaussian_of(embeddings: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of embeddings.

    Parameters
    ----------
    embeddings : array [shape=(n, n_features)], n ≥ 2

    Returns
    -------
    mean : ndarray [shape=(n_features,)]
    covariance : ndarray [shape=(n_features, n_features)]
        Divided by ``n − 1``.

    Raises
    ------
    ValueError
        If there are fewer than two rows or a number is not finite.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"embeddings must have shape (n, n_features) with n ≥ 2, got {rows.shape}")
    if not np.isfinite(rows).all():
        row = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise ValueError(f"embedding {row} is not finite; look at that piece of audio")
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))


def frechet_distance(embeddings: ArrayLike, reference: ArrayLike) -> float:
    r"""Fréchet distance of the normal distributions that two sets of embeddings have.

    Parameters
    ----------
    embeddings, reference : array [shape=(n, n_features)], each n ≥ 2
        Of any embedding, the same for both: the distance has no meaning without the embedding's name.

    Returns
    -------
    float, ≥ 0

    Raises
    ------
    ValueError
        If the numbers of features differ, there are fewer than two rows, or a number is not finite.

    Notes
    -----
    :math:`|\mu_1 - \mu_2|^2 + \mathrm{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2})^{1/2})`,
    which is also right for the singular covariances of fewer rows than features. The distance of two samples of one
    distribution is above zero, and falls with their size: compare sets of the same size.
    Paper: Kilgour et al. 2019, with another embedding; reported by Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """
    (mean_a, covariance_a), (mean_b, covariance_b) = gaussian_of(embeddings), gaussian_of(reference)
    if mean_a.shape != mean_b.shape:
        raise ValueError(f"embeddings have {len(mean_a)} and {len(mean_b)} features; use one embedding for both")
    root = _root(covariance_a)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ covariance_b @ root), 0, None)).sum()
    distance = np.square(mean_a - mean_b).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return max(float(distance), 0.0)


def _root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def _contour(f0: ArrayLike, name: str) -> np.ndarray:
    """Frequencies with 0 where unvoiced."""
    values = np.nan_to_num(np.asarray(f0, dtype=np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} must have shape (n_frames,) with at least one frame, got {values.shape}")
    if not ((values >= 0) & (values < np.inf)).all():
        frame = int(np.argmin((values >= 0) & (values < np.inf)))
        raise ValueError(f"{name} is {values[frame]} Hz in frame {frame}; frequencies are finite and not negative")
    return values
