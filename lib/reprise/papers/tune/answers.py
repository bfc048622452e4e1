"""Scores of the probes on the test clips: what a probe trial stores."""

import numpy as np

from reprise.papers.tune.embedding import EMBEDDING, mean_of_clips
from reprise.papers.tune.open_task import Task
from reprise.papers.tune.probing import block_scores, macro, subset_scores, train_kinds
from reprise.stats.songs import best_strategy, song_classes
from reprise.stats.tagging import key_points, r_squared, tag_scores
from reprise.training.probe import Probe, best_probe

__all__ = ["answer"]


def answer(task: Task) -> tuple[dict[str, float], dict[str, np.ndarray], list[str]]:
    """Train the probes of a task and test them.

    Parameters
    ----------
    task : Task

    Returns
    -------
    metrics : dict of str to float
        Of tags ``auc, ap`` (linear), ``auc_mlp, ap_mlp``, ``auc/<tag>``, ``ap/<tag>``, ``auc_label_<percent>``,
        ``ap_label_<percent>``, ``auc_layer/<block>``, ``ap_layer/<block>``; else ``gtzan_accuracy``, ``key_score``, or
        ``arousal_r2`` and ``valence_r2``, each of the probe that is best on the validation clips, and with ``_linear``
        and ``_mlp`` behind. All 0 to 1, R² at most 1. ``probe_score``: validation score of the chosen probe.
    arrays : dict of str to ndarray
        ``rows`` (of the test clips in the table), ``targets``, ``embeddings`` (mean over windows), ``scores_linear``,
        ``scores_mlp`` and, but for tags, ``scores`` [shape=(n_clips, n_outputs)]. Of keys ``targets`` are of songs,
        ``songs`` [shape=(n_clips,)] says whose clips they are and ``answers``, ``answers_linear``, ``answers_mlp`` are
        the songs' keys. Of tags ``label_scores_<percent>``, ``layer_names`` and ``layer_scores``
        [shape=(n_blocks, n_clips, n_tags)].
    notes : list of str
    """
    probes = train_kinds(task)
    arrays = {
        "rows": task.rows["test"].astype(np.int64),
        "targets": task.targets("test"),
        "embeddings": mean_of_clips(task.features["test"][EMBEDDING], task.windows["test"]).numpy(),
    }
    scores = {kind: task.predict(probe, "test") for kind, probe in probes.items()}
    arrays |= {f"scores_{kind}": values.astype(np.float32) for kind, values in scores.items()}
    chosen = best_probe(list(probes.values()))
    metrics = {"probe_score": chosen.score}
    if task.kind == "tags":
        metrics |= _tags(task, scores, arrays)
    else:
        best = next(kind for kind, probe in probes.items() if probe is chosen)
        metrics |= _others(task, probes, scores, arrays, best=best)
    notes = ["The validation clips decide nothing: probes stop by the loss."] if task.score()[1] else []
    return metrics, arrays, notes


def _tags(task: Task, scores: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> dict[str, float]:
    truth = arrays["targets"]
    metrics: dict[str, float] = {}

    def add(values: np.ndarray, suffix: str) -> None:
        metrics[f"auc{suffix}"], metrics[f"ap{suffix}"] = macro(values, truth)

    for kind, values in scores.items():
        add(values, "" if kind == "linear" else f"_{kind}")
    for tag, auc, precision in zip(task.clips.classes, *tag_scores(scores["linear"], truth), strict=True):
        metrics |= {f"auc/{tag}": float(auc), f"ap/{tag}": float(precision)}
    for fraction in task.config.label_fractions:
        # all labels: that probe is there already
        values = scores["linear"] if fraction == 1 else subset_scores(task, fraction)
        arrays[f"label_scores_{100 * fraction:g}"] = values.astype(np.float32)
        add(values, f"_label_{100 * fraction:g}")
    if task.config.layers:
        blocks = block_scores(task)
        arrays["layer_names"] = np.array(list(blocks))
        arrays["layer_scores"] = np.stack(list(blocks.values())).astype(np.float32)
        for block, values in blocks.items():
            add(values, f"_layer/{block}")
    return metrics


def _others(
    task: Task,
    probes: dict[str, Probe],
    scores: dict[str, np.ndarray],
    arrays: dict[str, np.ndarray],
    *,
    best: str,
) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if task.config.task == "key":
        arrays["songs"], first = task.clips.songs("test")
        arrays["targets"] = task.clips.targets[first]
    for kind, values in scores.items():
        found = _scored(task, probes[kind], values, arrays, kind=kind)
        metrics |= {f"{name}_{kind}": value for name, value in found.items()}
        if kind == best:
            metrics |= found
    arrays["scores"] = arrays[f"scores_{best}"]
    if task.config.task == "key":
        arrays["answers"] = arrays[f"answers_{best}"]
    return metrics


def _scored(
    task: Task, probe: Probe, values: np.ndarray, arrays: dict[str, np.ndarray], *, kind: str
) -> dict[str, float]:
    truth = arrays["targets"]
    if task.config.task == "gtzan":
        return {"gtzan_accuracy": float((values.argmax(axis=1) == truth).mean())}
    if task.config.task == "emotion":
        arousal, valence = r_squared(values, truth)
        return {"arousal_r2": float(arousal), "valence_r2": float(valence)}
    strategy = str(task.config.key_strategy or "chosen")
    if strategy == "chosen":
        songs, first = task.clips.songs("valid")
        strategy, _ = best_strategy(task.predict(probe, "valid"), songs, keys=task.clips.targets[first])
    keys = song_classes(values, arrays["songs"], strategy=strategy)
    arrays[f"answers_{kind}"] = keys.astype(np.int64)
    return {"key_score": float(key_points(keys, truth).mean())}
