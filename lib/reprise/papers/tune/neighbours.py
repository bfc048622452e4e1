"""What sounds alike to an encoder: nearest clips, how many tags they share, and a map of all clips."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.tune.outcome import MTT, Outcome
from reprise.seeds import derive_seed

if TYPE_CHECKING:
    from reprise.papers.tune.trials import Stage

__all__ = ["embedding_map", "main_tags", "neighbour_quality", "neighbours", "similarities"]


def similarities(outcome: Outcome, condition: str, *, task: "Stage" = MTT, seed: int | None = None) -> np.ndarray:
    """Cosines of the test clips' representations after their common mean is taken away.

    Parameters
    ----------
    outcome : Outcome
    condition : str
    task : str
    seed : int or None
        None: the first one.

    Returns
    -------
    ndarray of float32 [shape=(n_clips, n_clips)], −1 to 1

    Notes
    -----
    Representations follow a ReLU, so that without their mean taken away all of them would point the same way.
    """
    values = outcome.embeddings(condition, task=task, seed=seed)
    centred = values - values.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return unit @ unit.T


def _order(outcome: Outcome, scores: np.ndarray, place: int, *, task: "Stage") -> np.ndarray:
    """Other clips from the most to the least similar; those of the same recording are left out."""
    groups = outcome.table(task)["group"].to_numpy()
    order = np.argsort(-scores[place], kind="stable")
    return order[groups[order] != groups[place]]


def neighbours(
    outcome: Outcome, condition: str, *, row: int, k: int = 5, task: "Stage" = MTT, seed: int | None = None
) -> pd.DataFrame:
    """Test clips that are nearest to one of them.

    Parameters
    ----------
    outcome : Outcome
    condition : str
    row : int
        Row of the clip in the task's clip table; one of ``outcome.rows(task)``.
    k : int ≥ 1
    task : str
    seed : int or None
        None: the first one.

    Returns
    -------
    DataFrame
        ``rank`` (0: the clip itself), ``row, clip_id, similarity, tags, shared_tags`` (number); without clips of the
        same recording. Clips without tags, as of other tasks, have an empty string and 0.

    Raises
    ------
    ValueError
        If the row is no test clip.
    """
    rows = outcome.rows(task)
    places = np.flatnonzero(rows == row)
    if not len(places):
        raise ValueError(f"row {row} is no test clip of {task}; choose one of {rows[:5].tolist()} …")
    place, table = int(places[0]), outcome.table(task)
    scores = similarities(outcome, condition, task=task, seed=seed)
    chosen = [place, *_order(outcome, scores, place, task=task)[:k].tolist()]
    tags = [set(each) for each in table["tags"]] if "tags" in table else [set()] * len(table)
    return pd.DataFrame(
        {
            "rank": range(len(chosen)),
            "row": rows[chosen],
            "clip_id": table["clip_id"].iloc[chosen].to_numpy(),
            "similarity": scores[place, chosen].round(4),
            "tags": [", ".join(sorted(tags[other])) for other in chosen],
            "shared_tags": [len(tags[other] & tags[place]) for other in chosen],
        }
    )


def neighbour_quality(outcome: Outcome, conditions: list[str], *, k: int = 5) -> pd.DataFrame:
    """How much the nearest clips have in common with a clip, against clips taken at random.

    Parameters
    ----------
    outcome : Outcome
    conditions : list of str
    k : int ≥ 1

    Returns
    -------
    DataFrame
        One row per condition: ``condition, overlap`` (shared tags over all tags of both, mean over tagged test clips
        and their k nearest, 0 to 1), ``chance`` (the same over all other clips), ``n_clips``; the first seed.
    """
    targets, rows = outcome.targets().astype(np.float32), []
    groups = outcome.table()["group"].to_numpy()
    shared = targets @ targets.T
    counts = targets.sum(axis=1)
    either = counts[:, None] + counts[None] - shared
    overlap = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    other = groups[:, None] != groups[None]
    # a clip that has no tag, or no clip of another recording beside it, tells nothing
    asked = np.flatnonzero((counts > 0) & other.any(axis=1))
    for name in conditions:
        scores = np.where(other, similarities(outcome, name), -np.inf)
        nearest = np.argsort(-scores[asked], axis=1, kind="stable")[:, :k]
        usable = np.take_along_axis(other[asked], nearest, axis=1)
        found = np.take_along_axis(overlap[asked], nearest, axis=1)
        mean = (found * usable).sum(axis=1) / usable.sum(axis=1)
        chance = (overlap[asked] * other[asked]).sum(axis=1) / other[asked].sum(axis=1)
        rows.append((name, float(mean.mean()), float(chance.mean()), len(asked)))
    return pd.DataFrame(rows, columns=["condition", "overlap", "chance", "n_clips"])


def main_tags(outcome: Outcome, *, n: int = 6) -> list[str]:
    """For each test clip one tag to colour it by: the rarest of its tags among the ``n`` most frequent of all.

    Parameters
    ----------
    outcome : Outcome
    n : int ≥ 1

    Returns
    -------
    list of str
        ``other`` for clips with rarer tags only, ``no tag`` for those without any.
    """
    targets, names = outcome.targets().astype(bool), list(outcome.clips().tags)
    order = np.argsort(-targets.sum(axis=0), kind="stable")
    kept = [index for index in order[:n] if targets[:, index].any()]
    found = []
    for row in targets:
        own = [names[index] for index in kept if row[index]]
        found.append(own[-1] if own else "other" if row.any() else "no tag")
    return found


def embedding_map(outcome: Outcome, condition: str, *, seed: int = 0, most: int = 2000) -> pd.DataFrame:
    """Test clips in the plane, those that sound alike to the encoder beside each other.

    Parameters
    ----------
    outcome : Outcome
    condition : str
    seed : int
        Of the map, and of the choice of clips where there are more than `most`.
    most : int ≥ 2

    Returns
    -------
    DataFrame
        ``x, y`` (without unit), ``row, clip_id, tag`` (see :func:`main_tags`); of the first seed. Fewer than five clips
        give no map and an empty frame.

    Notes
    -----
    t-SNE with its start from principal components, perplexity 30 or a third of the clips. Distances between far points
    mean little. Notebook: 03_tune.ipynb.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    columns = ["x", "y", "row", "clip_id", "tag"]
    values, rng = outcome.embeddings(condition), np.random.default_rng(derive_seed("tune", "map", seed))
    if len(values) < 5:
        return pd.DataFrame(columns=columns)
    chosen = np.arange(len(values))
    if len(chosen) > most:
        chosen = np.sort(rng.choice(chosen, most, replace=False))
    used = values[chosen].astype(np.float64)
    used = (used - used.mean(axis=0)) / np.maximum(used.std(), 1e-12)
    state = derive_seed("tune", "map", seed) % 2**31
    n_parts = min(50, *used.shape)
    parts = PCA(n_parts, random_state=state, svd_solver="full").fit_transform(used)
    perplexity = min(30.0, (len(used) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=state, n_jobs=1).fit_transform(parts)
    table = outcome.table()
    tags = np.array(main_tags(outcome))
    frame = pd.DataFrame(places, columns=["x", "y"])
    return frame.assign(row=outcome.rows()[chosen], clip_id=table["clip_id"].to_numpy()[chosen], tag=tags[chosen])
