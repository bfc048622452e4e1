"""What probes work with: examples, when to stop, scores to choose by, and the trained probe."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from reprise.models.aggregate import aggregate_s1
from reprise.stats.tagging import key_points, r_squared, tag_scores
from reprise.training.probe_stack import Layer, ProbeConfig, run_layers

__all__ = ["SCORES", "STOPPING", "Examples", "Kind", "Probe", "Score", "Stopping", "predictions", "stack_losses"]

Kind = Literal["tags", "classes", "values"]
Score = Callable[[np.ndarray, np.ndarray], float]


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


# (predictions, targets) → higher is better; predictions are probabilities, or for "values" the values
SCORES: dict[str, Score] = {
    "auc": lambda scores, targets: _mean(tag_scores(scores, targets)[0]),
    "average_precision": lambda scores, targets: _mean(tag_scores(scores, targets)[1]),
    "accuracy": lambda scores, targets: float((scores.argmax(axis=1) == targets).mean()),
    "key_score": lambda scores, targets: float(key_points(scores.argmax(axis=1), targets).mean()),
    "r2": lambda values, targets: _mean(r_squared(values, targets)),
}


@dataclass(frozen=True)
class Examples:
    """Representations with their answers.

    Attributes
    ----------
    features : Tensor [shape=(n, n_features)]
    targets : Tensor
        Of tags [shape=(m, n_tags)], 0 or 1; of classes int64 [shape=(m,)]; of values [shape=(m, n_dimensions)].
    clips : Tensor of int64 [shape=(n,)] or None
        Clip that each row belongs to, 0 to m − 1; None where each row is a clip of its own, m = n. The prediction
        of a clip is the mean of its rows' probabilities (or values).
    """

    features: Tensor
    targets: Tensor
    clips: Tensor | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or not len(self.features):
            raise ValueError(f"features need shape (n, n_features) with n ≥ 1, got {tuple(self.features.shape)}")
        if not bool(torch.isfinite(self.features).all()):
            row = int((~torch.isfinite(self.features).all(dim=1)).nonzero()[0])
            raise ValueError(f"features of row {row} are not finite; look at that clip and at the encoder's weights")
        n_clips = len(self.features) if self.clips is None else int(self.clips.max()) + 1
        if len(self.targets) != n_clips or (self.clips is not None and self.clips.shape != self.features.shape[:1]):
            raise ValueError(f"{len(self.targets)} targets do not go with {n_clips} clips")

    def row_targets(self) -> Tensor:
        """Answer of each row."""
        return self.targets if self.clips is None else self.targets[self.clips]


@dataclass(frozen=True)
class Stopping:
    """When a probe is looked at and when it has had enough.

    Attributes
    ----------
    patience : int ≥ 1
        Evaluations without gain after which it stops: 5 in the paper, 10 in its code, 256 in the supplement.
    every : int ≥ 1 or None
        Updates from one evaluation to the next, 8 in the supplement; None for one per epoch.
    max_epochs : int ≥ 1
    plateau : int ≥ 1 or None
        Evaluations without gain after which the learning rate falls to a tenth, 5 in the code; None for never.
    """

    patience: int = 5
    every: int | None = None
    max_epochs: int = 200
    plateau: int | None = None

    def __post_init__(self) -> None:
        for name in ("patience", "every", "max_epochs", "plateau"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")


# as printed, as in the published code, and of the supplement's suite, which has no limit of epochs
STOPPING = {
    "paper": Stopping(),
    "code": Stopping(patience=10, plateau=5),
    "supplement": Stopping(every=8, patience=256, max_epochs=100_000),
}


@dataclass(frozen=True)
class Probe:
    """A trained probe: its weights at the best evaluation.

    Attributes
    ----------
    config : ProbeConfig
    kind : "tags", "classes" or "values"
    layers : list of (weight [shape=(in, out)], bias [shape=(1, out)])
    mean, scale : Tensor [shape=(n_features,)]
        Features are used as (features − mean) / scale.
    score : float
        On the validation clips, higher is better; −∞ where it never was a number.
    curve : DataFrame
        ``update, score`` of every evaluation.
    """

    config: ProbeConfig
    kind: Kind
    layers: list[Layer]
    mean: Tensor
    scale: Tensor
    score: float
    curve: pd.DataFrame = field(repr=False)

    def outputs(self, features: Tensor) -> Tensor:
        """Logits of tags or classes, or values.

        Parameters
        ----------
        features : Tensor [shape=(n, n_features)]

        Returns
        -------
        Tensor [shape=(n, n_outputs)]
        """
        return run_layers((features - self.mean) / self.scale, self.layers)

    def predict(self, features: Tensor, clips: Tensor | None = None) -> Tensor:
        """Probabilities or values of clips.

        Parameters
        ----------
        features : Tensor [shape=(n, n_features)]
        clips : Tensor of int64 [shape=(n,)] or None
            Clip of each row, from 0 without gaps; their probabilities (not logits) are averaged.

        Returns
        -------
        Tensor [shape=(n or n_clips, n_outputs)]
        """
        return predictions(self.outputs(features), kind=self.kind, clips=clips)


def predictions(outputs: Tensor, *, kind: Kind, clips: Tensor | None = None) -> Tensor:
    """Probabilities or values of clips from a probe's outputs.

    Parameters
    ----------
    outputs : Tensor [shape=(n, n_outputs)]
    kind : "tags", "classes" or "values"
    clips : Tensor of int64 [shape=(n,)] or None
        See :class:`Examples`.

    Returns
    -------
    Tensor [shape=(n or n_clips, n_outputs)]
    """
    links = {"tags": torch.sigmoid, "classes": lambda logits: logits.softmax(dim=1), "values": lambda values: values}
    rows = links[kind](outputs)
    return rows if clips is None else aggregate_s1(rows, clips)


def stack_losses(kind: Kind) -> Callable[[Tensor, Tensor], Tensor]:
    """Loss of each probe of a stack: (outputs [shape=(probes, n, n_outputs)], targets) → [shape=(probes,)]."""

    def tags(outputs: Tensor, targets: Tensor) -> Tensor:
        each = F.binary_cross_entropy_with_logits(outputs, targets.expand_as(outputs), reduction="none")
        return each.mean(dim=(1, 2))

    def classes(outputs: Tensor, targets: Tensor) -> Tensor:
        every = targets.expand(outputs.shape[:2])
        return F.cross_entropy(outputs.transpose(1, 2), every, reduction="none").mean(dim=1)

    def values(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().mean(dim=(1, 2))

    return {"tags": tags, "classes": classes, "values": values}[kind]
