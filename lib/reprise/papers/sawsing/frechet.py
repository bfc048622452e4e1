"""Fréchet distance of resynthesised songs under resampling of their pieces."""

from collections.abc import Iterator

import numpy as np

from reprise.papers.sawsing.outcome import Outcome
from reprise.papers.sawsing.systems import Voice, split_condition
from reprise.report.draws import Estimate
from reprise.report.resampling import SeedFactors, bootstrap_factors
from reprise.stats.compare import bootstrap_weights

__all__ = ["frechet_estimates", "weighted_frechet"]

# a draw costs an eigenvalue problem per condition and seed, and 400 draws give an interval to a tenth of its width
MOST_DRAWS = 400
# numbers in one block of draws: 4 million are 32 MB
BLOCK_ELEMENTS = 4_000_000


def weighted_frechet(embeddings: np.ndarray, reference: np.ndarray, *, weights: np.ndarray) -> np.ndarray:
    r"""Fréchet distances of two sets of embeddings whose rows count more or less often.

    Parameters
    ----------
    embeddings, reference : ndarray [shape=(n, n_features)]
    weights : ndarray [shape=(n_draws, n)], ≥ 0
        How often each row counts, the same in both sets.

    Returns
    -------
    ndarray [shape=(n_draws,)], ≥ 0
        Equal to :func:`reprise.stats.vocoding.frechet_distance` of the repeated rows; NaN where fewer than two count.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    With centred and weighted rows :math:`X, Y`, whose products are the covariances, the trace of the root of the
    covariances' product is the sum of the singular values of :math:`X Y^T`.
    """
    if embeddings.shape != reference.shape or embeddings.ndim != 2 or weights.shape[1] != len(embeddings):
        raise ValueError(
            f"weights {weights.shape} do not fit embeddings {embeddings.shape} and reference {reference.shape}"
        )
    found = np.full(len(weights), np.nan)
    block = max(1, BLOCK_ELEMENTS // max(1, embeddings.size))
    for start in range(0, len(weights), block):
        part = weights[start : start + block]
        enough = part.sum(axis=1) >= 2
        found[start : start + block][enough] = _distances(part[enough], embeddings, reference)
    return found


def _distances(weights: np.ndarray, embeddings: np.ndarray, reference: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    means = [weights @ rows / total for rows in (embeddings, reference)]
    scale = np.sqrt(weights / (total - 1))[:, :, None]
    ours, theirs = (scale * (rows - mean[:, None]) for rows, mean in zip((embeddings, reference), means, strict=True))
    traces = np.square(ours).sum(axis=(1, 2)) + np.square(theirs).sum(axis=(1, 2))
    # any factor of the covariance will do; the smaller one is quicker
    factor = theirs if theirs.shape[1] <= theirs.shape[2] else _root(theirs)
    product = factor @ ours.swapaxes(1, 2)
    roots = np.sqrt(np.clip(np.linalg.eigvalsh(product @ product.swapaxes(1, 2)), 0, None)).sum(axis=1)
    return np.maximum(np.square(means[0] - means[1]).sum(axis=1) + traces - 2 * roots, 0)


def _root(rows: np.ndarray) -> np.ndarray:
    """Symmetric roots of the covariances of centred rows."""
    values, vectors = np.linalg.eigh(rows.swapaxes(1, 2) @ rows)
    return (vectors * np.sqrt(np.clip(values, 0, None))[:, None]) @ vectors.swapaxes(1, 2)


def frechet_estimates(
    outcome: Outcome, conditions: list[str], *, voice: Voice | None, rng: np.random.Generator, n_draws: int
) -> dict[tuple[str, str], Estimate]:
    """Fréchet distance of each condition, and its draws over pieces and seeds.

    Parameters
    ----------
    outcome : Outcome
    conditions : list of str
        All of this voice.
    voice : "female", "male" or None
    rng : Generator
    n_draws : int
        Of these at most 400 are made, and the rest are NaN.

    Returns
    -------
    dict
        (condition, ``fad``) → estimate. Conditions without two rows of embeddings are left out.

    Notes
    -----
    Rows of embeddings count as often as their piece is drawn, in outputs and recordings alike. Repeated rows make a
    sample poorer than it is, so that draws lie to one side of the distance; they are moved to have their mean there.
    """
    n_pieces, groups = len(outcome.songs(voice)), outcome.groups(voice)
    n_made = min(n_draws, MOST_DRAWS)
    factors = SeedFactors(bootstrap_factors, n_draws=n_made, rng=rng)
    weights = bootstrap_weights(n_pieces, n_draws=n_made, rng=rng, groups=groups)
    found = {}
    for name in conditions:
        seeds = tuple(range(len(outcome.seeds(name))))
        each = list(_embeddings(outcome, name))
        once = [weighted_frechet(ours, theirs, weights=np.ones((1, len(piece))))[0] for ours, theirs, piece in each]
        per_seed, made = np.array(once), np.full(n_draws, np.nan)
        if not np.isfinite(per_seed).all():
            continue
        if n_pieces > 1:
            draws = np.stack(
                [weighted_frechet(ours, theirs, weights=weights[:, piece]) for ours, theirs, piece in each]
            )
            mean = (factors[seeds].T * draws).sum(axis=0)
            if np.isfinite(mean).any():
                made[:n_made] = mean + per_seed.mean() - np.nanmean(mean)
        found[name, "fad"] = Estimate(per_seed, made, "", seeds)
    return found


def _embeddings(outcome: Outcome, condition: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Embeddings of outputs and recordings, and the piece of each row, for every seed."""
    singers = outcome.singers(split_condition(condition).voice)
    for seed in outcome.seeds(condition):
        parts: list[list[np.ndarray]] = [[], [], []]
        before = 0
        for singer, trial in zip(singers, outcome.trials(condition, seed), strict=True):
            arrays = trial.arrays
            parts[0].append(arrays["embeddings"])
            parts[1].append(arrays["reference_embeddings"])
            parts[2].append(arrays["embedding_piece"] + before)
            before += len(outcome.songs_of(singer))
        yield np.concatenate(parts[0]), np.concatenate(parts[1]), np.concatenate(parts[2]).astype(int)
