"""Dynamic sampling: training examples of several labels, mixed anew in every epoch from clips of one label."""

from dataclasses import dataclass
from math import floor, log
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reprise.data.wavebank import WaveBank
from reprise.seeds import numpy_generator

__all__ = ["Mixtures", "base_persistent", "epoch_length", "mix", "true_dynamic", "unsampled_share"]


@dataclass(frozen=True)
class Mixtures:
    """What is mixed in one epoch.

    Parameters
    ----------
    rows : ndarray of int64 [shape=(n, max_sampled)]
        Clips of each mixture, as positions in the labels they were drawn by; −1 where there is none, always behind
        those there are.
    targets : ndarray of bool [shape=(n, n_classes)]
        Classes of each mixture.
    """

    rows: np.ndarray
    targets: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Clips in each mixture, int [shape=(n,)]."""
        return (self.rows >= 0).sum(axis=1)

    def __len__(self) -> int:
        return len(self.rows)


def _check_numbers(min_sampled: int, max_sampled: int) -> None:
    if not 1 <= min_sampled <= max_sampled:
        raise ValueError(f"1 ≤ min_sampled ≤ max_sampled does not hold for {min_sampled!r} and {max_sampled!r}")


def epoch_length(n: int, *, min_sampled: int = 1, max_sampled: int = 5, unsampled: float = 0.001) -> int:
    """Mixtures per epoch that leave a given share of the clips unused.

    Parameters
    ----------
    n : int, ≥ 2
        Clips.
    min_sampled, max_sampled : int, ≥ 1
        Clips in a mixture.
    unsampled : float, in (0, 1)
        Share of clips that are in no mixture, on average, if all clips are drawn alike.

    Returns
    -------
    int

    Notes
    -----
    Paper: equation 3.1, where 1/n and n cancel: ``2 / (min + max) · ln P / ln(1 − 1/n)``, cut to a whole number as in
    Table 3.3. The two-step draw of :func:`true_dynamic` does not draw all clips alike: see :func:`unsampled_share`.
    """
    _check_numbers(min_sampled, max_sampled)
    if n < 2 or not 0 < unsampled < 1:
        raise ValueError(f"n must be at least 2 and unsampled between 0 and 1, not {n!r} and {unsampled!r}")
    return floor(2 / (min_sampled + max_sampled) * log(unsampled) / log(1 - 1 / n))


def unsampled_share(class_sizes: Any, *, n_mixtures: int, min_sampled: int = 1, max_sampled: int = 5) -> np.ndarray:
    """Expected share of clips of each class that :func:`true_dynamic` puts in no mixture.

    Parameters
    ----------
    class_sizes : int array [shape=(n_classes,)], ≥ 1
        Clips per class.
    n_mixtures : int, ≥ 0
    min_sampled, max_sampled : int, ≥ 1

    Returns
    -------
    ndarray [shape=(n_classes,)]
        In [0, 1].

    Notes
    -----
    A mixture holds a given clip with probability ``(min + max) / 2 / (n_classes · class size)``.
    """
    _check_numbers(min_sampled, max_sampled)
    sizes = np.asarray(class_sizes, dtype=float)
    if max_sampled > len(sizes) or (sizes < 1).any():
        raise ValueError(f"max_sampled={max_sampled} needs that many classes with clips; sizes: {sizes.tolist()}")
    return (1 - (min_sampled + max_sampled) / 2 / (len(sizes) * sizes)) ** n_mixtures


class _Pool:
    """Clips sorted by class, so that a clip of a class is drawn by one whole number."""

    def __init__(self, labels: Any, n_classes: int | None):
        self.labels = np.asarray(labels)
        if self.labels.ndim != 1 or self.labels.dtype.kind not in "iu" or not (self.labels >= 0).any():
            raise ValueError(
                f"labels must be whole numbers, one per clip and some not negative, not {self.labels.dtype} "
                f"of shape {self.labels.shape}"
            )
        highest = int(self.labels.max())
        self.n_classes = highest + 1 if n_classes is None else n_classes
        if highest >= self.n_classes:
            raise ValueError(f"label {highest} is not in 0 … {self.n_classes - 1}")
        usable = np.flatnonzero(self.labels >= 0)
        self.order = usable[np.argsort(self.labels[usable], kind="stable")]
        self.sizes = np.bincount(self.labels[usable], minlength=self.n_classes)
        self.firsts = np.cumsum(self.sizes) - self.sizes
        self.present = np.flatnonzero(self.sizes)

    def check(self, max_sampled: int) -> None:
        if max_sampled > len(self.present):
            raise ValueError(
                f"max_sampled={max_sampled} asks for that many classes in a mixture, and {len(self.present)} have "
                f"clips; use max_sampled={len(self.present)} or less"
            )

    def ranked(self, n: int, rng: np.random.Generator, *, without: np.ndarray | None = None) -> np.ndarray:
        """Classes that have clips in random order, int [shape=(n, n_present)]; ``without`` comes last in its row."""
        keys = rng.random((n, len(self.present)))
        if without is not None:
            keys[self.present == without[:, None]] = np.inf
        return self.present[keys.argsort(axis=1)]

    def draw(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One clip of each class, all clips of a class alike."""
        return self.order[self.firsts[classes] + rng.integers(0, self.sizes[classes])]

    def mixtures(self, rows: np.ndarray, counts: np.ndarray) -> Mixtures:
        """Keep the first ``counts`` clips of each row, with the classes they have."""
        kept = np.arange(rows.shape[1]) < counts[:, None]
        targets = np.zeros((len(rows), self.n_classes), dtype=bool)
        targets[np.nonzero(kept)[0], self.labels[rows[kept]]] = True
        return Mixtures(np.where(kept, rows, -1).astype(np.int64), targets)


def true_dynamic(
    labels: Any,
    *,
    n: int,
    seed: int,
    epoch: int,
    min_sampled: int = 1,
    max_sampled: int = 5,
    n_classes: int | None = None,
) -> Mixtures:
    """Mixtures of an epoch in which everything is drawn anew.

    Parameters
    ----------
    labels : int array [shape=(n_clips,)]
        Class of each clip; a clip with a negative one is never drawn.
    n : int, ≥ 0
        Mixtures: see :func:`epoch_length`.
    seed, epoch : int
        Decide on every draw; equal ones give equal bits.
    min_sampled, max_sampled : int, ≥ 1
        Clips in a mixture, all numbers between them alike.
    n_classes : int or None
        Columns of the targets; by default one more than the highest label.

    Returns
    -------
    Mixtures
        Of different classes each.

    Raises
    ------
    ValueError
        If fewer than ``max_sampled`` classes have clips.

    Notes
    -----
    Paper: section 3.5.1, algorithm 1: draw the number, that many classes, then one clip of each. So classes are drawn
    alike, however many clips they have. The algorithm's text draws a clip *without* the label, which would make the
    labels wrong; the authors' code draws one with it, and so does this function.
    """
    _check_numbers(min_sampled, max_sampled)
    pool = _Pool(labels, n_classes)
    pool.check(max_sampled)
    rng = numpy_generator(seed, "true dynamic sampling", epoch)
    counts = rng.integers(min_sampled, max_sampled, n, endpoint=True)
    classes = pool.ranked(n, rng)[:, :max_sampled]
    return pool.mixtures(pool.draw(classes, rng), counts)


def base_persistent(
    labels: Any,
    *,
    seed: int,
    epoch: int,
    min_sampled: int = 1,
    max_sampled: int = 5,
    n_classes: int | None = None,
) -> Mixtures:
    """Mixtures of an epoch in which every clip is once the base that others are added to.

    Parameters
    ----------
    labels : int array [shape=(n_clips,)]
        Class of each clip; a clip with a negative one is neither base nor drawn.
    seed, epoch : int
        Decide on every draw; equal ones give equal bits.
    min_sampled, max_sampled : int, ≥ 1
        Clips in a mixture, the base included; all numbers between them alike.
    n_classes : int or None
        Columns of the targets; by default one more than the highest label.

    Returns
    -------
    Mixtures
        One per clip with a label, in the clips' order; the base comes first and the classes differ.

    Raises
    ------
    ValueError
        If fewer than ``max_sampled`` classes have clips.

    Notes
    -----
    Paper: section 3.5.2, algorithm 2; "a maximum of 5 samples … maximum of 4 additional" (section 5.4). The algorithm's
    text never adds the clips it draws and returns the labels without the base's; the authors' code, which does the
    sensible thing, is followed.
    """
    _check_numbers(min_sampled, max_sampled)
    pool = _Pool(labels, n_classes)
    pool.check(max_sampled)
    rng = numpy_generator(seed, "base-sample-persistent dynamic sampling", epoch)
    base = np.flatnonzero(pool.labels >= 0)
    counts = rng.integers(min_sampled, max_sampled, len(base), endpoint=True)
    classes = pool.ranked(len(base), rng, without=pool.labels[base])[:, : max_sampled - 1]
    return pool.mixtures(np.column_stack([base, pool.draw(classes, rng)]), counts)


def mix(bank: WaveBank, rows: Any, *, length: int, device: str | torch.device | None = None) -> Tensor:
    """Audio of mixtures: the sum of their clips divided by how many they are.

    Parameters
    ----------
    bank : WaveBank
    rows : int array [shape=(batch, max_sampled)]
        Positions in ``bank.table``, padded behind with −1: some rows of ``Mixtures.rows``.
    length : int, samples, > 0
        Shorter clips are followed by zeros.
    device : str, torch.device or None
        Where the result goes and the sum is made; by default where the bank's samples are.

    Returns
    -------
    Tensor [shape=(batch, length)], float32 in [−1, 1)

    Raises
    ------
    ValueError
        If a mixture is empty or a position is unknown.

    Notes
    -----
    Clips are added one after another in their order, and no two writes meet, so equal rows give equal bits.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "iu":
        raise ValueError(f"rows must be whole numbers of shape (batch, max_sampled), not {rows.dtype} of {rows.shape}")
    real = rows >= 0
    if not real[:, 0].all() or (real[:, 1:] & ~real[:, :-1]).any():
        raise ValueError("each mixture needs at least one clip, and −1 only behind its last one")
    audio = bank.batch(rows[:, 0], length=length, device=device)
    for place in range(1, rows.shape[1]):
        items = np.flatnonzero(real[:, place])
        if not items.size:
            break
        index = torch.from_numpy(items).to(audio.device)
        audio.index_add_(0, index, bank.batch(rows[items, place], length=length, device=audio.device))
    counts = torch.from_numpy(real.sum(axis=1)).to(audio.device, torch.float32)
    return audio.div_(counts[:, None])
