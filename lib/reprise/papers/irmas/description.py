"""What the data sets hold: classes, labels per clip, co-occurrence, lengths, equal files."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.data.datasets.irmas import duplicates

if TYPE_CHECKING:
    from reprise.papers.irmas.corpus import Corpus

__all__ = ["class_counts", "co_occurrence", "contradictory_clips", "duplicate_clips", "durations", "label_numbers"]


def _labels(corpus: "Corpus", side: str) -> np.ndarray:
    """Labels of the clips of one side, bool [shape=(n_clips, n_classes)]."""
    return corpus.targets.numpy()[np.asarray(corpus.rows(side))] > 0


def class_counts(corpus: "Corpus", published: Mapping[str, Mapping[str, float]] | None = None) -> pd.DataFrame:
    """Clips of each class, ours and the paper's (Figures 2.8 and 2.13).

    Parameters
    ----------
    corpus : Corpus
    published : mapping of str to mapping of str to float, or None
        Side (``train``, ``test``, …) → code → the paper's number; its sides are the rows' sides. By default ``train``
        and ``test`` without the paper's numbers.

    Returns
    -------
    DataFrame
        ``side, instrument, clips, share`` (of the side's clips) and ``paper, paper_share`` (of the paper's labels'
        sum, as ``label_share`` is of ours); NaN where the paper has none.
    """
    published = {"train": {}, "test": {}} if published is None else published
    rows = []
    for side, numbers in published.items():
        labels = _labels(corpus, side)
        counts = labels.sum(axis=0)
        paper = np.array([numbers.get(code, np.nan) for code in corpus.classes], dtype=float)
        for code, count, printed in zip(corpus.classes, counts, paper, strict=True):
            rows.append(
                {
                    "side": side,
                    "instrument": code,
                    "clips": int(count),
                    "share": count / max(1, len(labels)),
                    "label_share": count / max(1, counts.sum()),
                    "paper": printed,
                    "paper_share": printed / np.nansum(paper) if np.isfinite(printed) else np.nan,
                }
            )
    return pd.DataFrame(rows)


def label_numbers(
    corpus: "Corpus", side: str = "test", *, published: Mapping[int, float] | None = None
) -> pd.DataFrame:
    """How many clips have one label, two labels, … (Figures 2.9 and 2.14b).

    Parameters
    ----------
    corpus : Corpus
    side : str
    published : mapping of int to float, or None
        Number of labels → the paper's number of clips.

    Returns
    -------
    DataFrame
        ``labels, clips, share, paper, paper_share``; NaN where the paper has none.
    """
    published = published or {}
    counts = np.bincount(_labels(corpus, side).sum(axis=1))
    largest = max(len(counts) - 1, *published, 1)
    clips = np.zeros(largest + 1, dtype=int)
    clips[: len(counts)] = counts
    frame = pd.DataFrame({"labels": range(1, largest + 1), "clips": clips[1:]})
    frame["share"] = frame["clips"] / max(1, frame["clips"].sum())
    frame["paper"] = frame["labels"].map(published).astype(float)
    frame["paper_share"] = frame["paper"] / frame["paper"].sum() if published else np.nan
    return frame


def co_occurrence(corpus: "Corpus", side: str = "test") -> pd.DataFrame:
    """How often two instruments are named together (Figures 2.10 and 2.14a).

    Parameters
    ----------
    corpus : Corpus
    side : str

    Returns
    -------
    DataFrame [one row per pair of instruments]
        ``a, b, together`` (clips), ``expected`` (clips, if the two were independent) and ``ratio`` of the two, NaN
        where an instrument has no clip.
    """
    labels = _labels(corpus, side).astype(float)
    together, counts = labels.T @ labels, labels.sum(axis=0)
    first, second = np.triu_indices(len(counts), k=1)
    expected = counts[first] * counts[second] / max(1, len(labels))
    names = np.array(corpus.classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(expected > 0, together[first, second] / expected, np.nan)
    return pd.DataFrame(
        {
            "a": names[first],
            "b": names[second],
            "together": together[first, second].astype(int),
            "expected": expected,
            "ratio": ratio,
        }
    )


def durations(corpus: "Corpus", side: str = "test") -> pd.DataFrame:
    """Length of each clip, with its labels (Figures 2.11 and 2.12).

    Parameters
    ----------
    corpus : Corpus
    side : str

    Returns
    -------
    DataFrame [one row per clip and label]
        ``clip_id, seconds, labels`` (how many) and ``instrument``.
    """
    labels = _labels(corpus, side)
    clip, label = np.nonzero(labels)
    table = corpus.table.iloc[np.asarray(corpus.rows(side))[clip]]
    return pd.DataFrame(
        {
            "clip_id": table["clip_id"].to_numpy(),
            "seconds": table["duration"].to_numpy(dtype=float),
            "labels": labels.sum(axis=1)[clip],
            "instrument": np.array(corpus.classes)[label],
        }
    )


def duplicate_clips(corpus: "Corpus") -> pd.DataFrame:
    """Files of a corpus that are equal byte for byte.

    Returns
    -------
    DataFrame
        ``set, file, labels, group, split, contradictory``; empty where there are none. See
        :func:`reprise.data.datasets.irmas.duplicates`.
    """
    return duplicates(corpus.table).drop(columns="path")


def contradictory_clips(corpus: "Corpus") -> list[str]:
    """Clips of files that exist twice with different labels, as values of ``clip_id``."""
    found = duplicate_clips(corpus)
    files = set(found["file"][found["contradictory"].astype(bool)])
    return corpus.table["clip_id"][corpus.table["file"].isin(files)].tolist()
