"""Tables about data: AudioSet's lists and identifiers, dynamic sampling, counts (Tables 3.1 to 3.3, section 3.6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.data.datasets.audioset import EXCLUDED, LISTS, MIDS
from reprise.data.datasets.irmas import N_TRAINING
from reprise.data.sampling import epoch_length, unsampled_share
from reprise.report.schema import Table

if TYPE_CHECKING:
    from reprise.papers.irmas.corpus import Collection

__all__ = ["data_quantities", "identifiers", "mixture_quantities", "segment_sample", "unsampled_by_class"]

# what Table 3.2 prints → what the ontology and the authors' code have
CORRECTED = {"/m/02qlsy": "/m/02qldy"}
LARGEST = (2, 3, 4, 5)
SIDES = ("train", "valid", "test")


def segment_sample(folder: str | Path, *, n: int = 4) -> pd.DataFrame:
    """First rows of an AudioSet list (Table 3.1).

    Parameters
    ----------
    folder : str or Path
        Searched at any depth for one of the official lists, the balanced one first.
    n : int
        Rows.

    Returns
    -------
    DataFrame
        ``YTID, start_seconds, end_seconds, positive_labels``; ``attrs["list"]``: the file's name.

    Raises
    ------
    FileNotFoundError
        If there is no list.
    """
    for name in LISTS:
        for path in sorted(Path(folder).rglob(f"{name}.csv")):
            columns = ["YTID", "start_seconds", "end_seconds", "positive_labels"]
            rows = pd.read_csv(path, comment="#", header=None, names=columns, skipinitialspace=True, nrows=n)
            rows.attrs["list"] = path.name
            return rows
    raise FileNotFoundError(f"{folder} holds none of AudioSet's lists ({', '.join(f'{name}.csv' for name in LISTS)})")


def identifiers(published: Table) -> pd.DataFrame:
    """Identifiers of the instruments as printed and as the loader has them (Table 3.2).

    Parameters
    ----------
    published : Table
        ``table_3_2`` of ``reported.yaml``: rows named by the identifier, a label that may go on ``w/o`` another one,
        texts ``description`` and ``class``.

    Returns
    -------
    DataFrame
        ``printed, used, description, class, without, same``: whether the loader gives the printed identifier the
        printed class and leaves out what the table leaves out.
    """
    rows = []
    for printed, row in published.rows.items():
        used, code = CORRECTED.get(printed, printed), row.texts["class"]
        without = row.label.partition(" w/o ")[2]
        right = used == printed and MIDS.get(used) == code and (not without or without in EXCLUDED)
        rows.append(
            {
                "printed": printed,
                "used": used if used in MIDS else "",
                "description": row.texts["description"],
                "class": code,
                "without": f"{without} ({EXCLUDED.get(without, 'unknown')})" if without else "",
                "same": right,
            }
        )
    return pd.DataFrame(rows)


def mixture_quantities(*, n_clips: int = N_TRAINING, unsampled: float = 0.001) -> dict[str, float]:
    """Mixtures per epoch of true dynamic sampling (Equation 3.1, Table 3.3).

    Parameters
    ----------
    n_clips : int
        Training clips, the paper's by default.
    unsampled : float, in (0, 1)
        Share of clips that an epoch may miss.

    Returns
    -------
    dict of str to float
        ``epoch_length/max_2`` … ``epoch_length/max_5``, and ``min_sampled/…``, ``max_sampled/…`` beside them.
    """
    found: dict[str, float] = {}
    for largest in LARGEST:
        length = epoch_length(n_clips, min_sampled=1, max_sampled=largest, unsampled=unsampled)
        found |= {
            f"epoch_length/max_{largest}": length,
            f"min_sampled/max_{largest}": 1,
            f"max_sampled/max_{largest}": largest,
        }
    return found


def unsampled_by_class(counts: Mapping[str, int], *, max_sampled: int = 5, unsampled: float = 0.001) -> pd.DataFrame:
    """What share of each class an epoch of true dynamic sampling really misses.

    Parameters
    ----------
    counts : mapping of str to int
        Class → training clips; classes without any are left out.
    max_sampled : int
        Lowered to the number of classes where there are fewer.
    unsampled : float, in (0, 1)
        What Equation 3.1 promises.

    Returns
    -------
    DataFrame [one row per class, then ``all``]
        ``instrument, clips, missed`` (expected share).
    """
    present = {name: int(count) for name, count in counts.items() if count > 0}
    highest = min(max_sampled, len(present))
    total = sum(present.values())
    n_mixtures = epoch_length(total, max_sampled=highest, unsampled=unsampled)
    missed = unsampled_share(list(present.values()), n_mixtures=n_mixtures, max_sampled=highest)
    overall = float(np.average(missed, weights=list(present.values())))
    return pd.DataFrame(
        {"instrument": [*present, "all"], "clips": [*present.values(), total], "missed": [*missed, overall]}
    )


def data_quantities(collection: "Collection") -> dict[str, float]:
    """Counts for the tables ``section_3_6``, ``data_counts`` and ``label_counts``.

    Parameters
    ----------
    collection : Collection

    Returns
    -------
    dict of str to float
        ``clips/irmas_train`` …, ``train_clips/<code>``, ``test_labels/<code>`` (validation and test side together),
        ``test_side_labels/<code>``, ``audioset_labels/<code>``, ``test_clips/labels_<k>``,
        ``audioset_clips/labels_<k>``. What does not apply (no AudioSet; notes in IRMAS's place) is left out.
    """
    found: dict[str, float] = {}
    sets = {"irmas": collection.irmas, "audioset": collection.audioset}
    for name, corpus in sets.items():
        if corpus is None or corpus.name != name:
            continue
        found |= {f"clips/{name}_{side}": len(corpus.rows(side)) for side in SIDES}
        train, valid, test = (corpus.counts(side) for side in SIDES)
        kinds = {"audioset_labels": train}
        which = "audioset_clips"
        sides: tuple[str, ...] = SIDES[:1]
        if name == "irmas":
            kinds = {"train_clips": train, "test_labels": valid + test, "test_side_labels": test}
            which, sides = "test_clips", SIDES[1:]
            found["clips/irmas_testing"] = len(corpus.rows("valid")) + len(corpus.rows("test"))
        else:
            found["clips/audioset"] = len(corpus.table)
        for kind, counts in kinds.items():
            found |= {f"{kind}/{code}": count for code, count in zip(corpus.classes, counts, strict=True)}
        rows = np.concatenate([corpus.rows(side) for side in sides])
        n_labels = np.bincount(corpus.targets[rows].sum(dim=1).long().numpy(), minlength=6)
        found |= {f"{which}/labels_{k}": count for k, count in enumerate(n_labels) if k}
    return {name: float(value) for name, value in found.items()}
