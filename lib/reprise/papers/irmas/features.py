"""The 174 time means of the analysis of variance, one row per clip, computed in batches from the wave bank."""

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.audio.descriptors import describe
from reprise.progress import track

if TYPE_CHECKING:
    from reprise.papers.irmas.corpus import Corpus

__all__ = ["COLUMNS", "FEATURES", "feature_frame", "feature_of", "time_means"]

# feature → name in reprise.audio.descriptors and number of dimensions, in the order of the columns
_SOURCES = {
    "zcr": ("zero_crossing_rate", 1),
    "mfcc": ("mfcc", 13),
    "chroma": ("chroma_stft", 12),
    "tonnetz": ("tonnetz", 6),
    "rms": ("rms", 1),
    "centroid": ("spectral_centroid", 1),
    "contrast": ("spectral_contrast", 7),
    "bandwidth": ("spectral_bandwidth", 1),
    "rolloff": ("spectral_rolloff", 1),
    "flatness": ("spectral_flatness", 1),
    "poly": ("poly_features", 2),
    "mel": ("melspectrogram", 128),
}
FEATURES = MappingProxyType(
    {name: tuple(f"{name}_{k}" for k in range(n)) if n > 1 else (name,) for name, (_, n) in _SOURCES.items()}
)
COLUMNS = tuple(column for columns in FEATURES.values() for column in columns)
_BLOCK_SAMPLES = 1 << 23


def feature_of(column: str) -> str:
    """Feature that a column belongs to, for example ``mfcc`` for ``mfcc_3``."""
    return column.partition("_")[0]


def time_means(y: Tensor, *, sample_rate: float) -> np.ndarray:
    """Mean over time of every dimension of every feature.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], in [−1, 1]
        On any device.
    sample_rate : float, Hz, > 12800

    Returns
    -------
    ndarray [shape=(batch, 174)], float64
        In the order of ``COLUMNS``.

    Notes
    -----
    Equal to the means of librosa's features with default parameters, 13 MFCCs and 128 mel bands in power.
    Paper: Ferković and Smoljan 2023, section 2.5. Notebook: 05_irmas.ipynb.
    """
    described = describe(y, sample_rate=sample_rate)
    means = [described[source].double().mean(dim=-1) for source, _ in _SOURCES.values()]
    return torch.cat(means, dim=1).cpu().numpy()


def feature_frame(
    corpus: "Corpus", *, sample_rate: float | None = None, device: str = "cpu", side: str = "train"
) -> pd.DataFrame:
    """Time means of the clips that have exactly one label.

    Parameters
    ----------
    corpus : Corpus
    sample_rate : float or None, Hz
        Must be the bank's; a reminder of what the numbers depend on.
    device : str
        Where the features are computed.
    side : str
        ``train``, ``valid`` or ``test``.

    Returns
    -------
    DataFrame [one row per clip, in the order of the corpus]
        The 174 columns of ``COLUMNS``, then ``instrument`` (code), ``group`` (recording) and ``clip_id``. The index is
        the position in the corpus. ``attrs["n_left_out"]``: clips with none or several labels.

    Raises
    ------
    ValueError
        If the bank has another sample rate, or no clip of this side has exactly one label.

    Notes
    -----
    Clips of equal length are computed together, each over its own length: nothing is padded, so a short clip's mean
    is not drawn towards silence.
    """
    bank = corpus.bank
    if sample_rate is not None and sample_rate != bank.sample_rate:
        raise ValueError(
            f"the bank was decoded at {bank.sample_rate} Hz, not at {sample_rate:g}; open the corpus at that rate"
        )
    every = np.asarray(corpus.rows(side))
    targets = corpus.targets.numpy()[every] > 0
    single = targets.sum(axis=1) == 1
    rows = every[single]
    if not len(rows):
        raise ValueError(f"no clip of side {side!r} has exactly one label; choose another side")
    lengths = bank.lengths[rows]
    values = np.empty((len(rows), len(COLUMNS)))
    for place in track(_blocks(lengths), description="features"):
        waves = bank.batch(rows[place], length=int(lengths[place[0]]), device=device)
        values[place] = time_means(waves, sample_rate=bank.sample_rate)
    table = bank.table
    frame = pd.DataFrame(values, columns=list(COLUMNS), index=rows)
    frame["instrument"] = np.array(corpus.classes)[targets[single].argmax(axis=1)]
    frame["group"] = table["group"].to_numpy()[rows]
    frame["clip_id"] = table["clip_id"].to_numpy()[rows]
    frame.attrs["n_left_out"] = int((~single).sum())
    return frame


def _blocks(lengths: np.ndarray) -> list[np.ndarray]:
    """Positions of clips of one length each, together not more than fits into memory."""
    blocks = []
    for length in np.unique(lengths):
        place = np.flatnonzero(lengths == length)
        step = max(1, _BLOCK_SAMPLES // int(length))
        blocks += [place[first : first + step] for first in range(0, len(place), step)]
    return blocks
