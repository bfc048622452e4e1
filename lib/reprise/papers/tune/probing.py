"""Probes of one task on the representations of one fixed encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from reprise.papers.tune.corpus import Clips
from reprise.papers.tune.embedding import (
    EMBEDDING,
    Windows,
    all_windows,
    embed_windows,
    mean_of_clips,
    random_windows,
)
from reprise.papers.tune.trials import ProbeTrial, ProtocolConfig
from reprise.seeds import torch_generator
from reprise.stats.songs import song_key_score
from reprise.stats.tagging import tag_scores
from reprise.training.probe import (
    STOPPING,
    Examples,
    Probe,
    ProbeConfig,
    Stopping,
    best_probe,
    supplement_grid,
    train_probes,
)
from reprise.training.probe_types import Kind, Score

__all__ = ["Task", "label_subset", "open_task", "probe_configs", "stopping_of", "train_kinds"]

RATES = {"paper": 3e-4, "code": 1e-3}


@dataclass(frozen=True)
class Task:
    """Representations and answers of one task.

    Attributes
    ----------
    config : ProbeTrial
    clips : Clips
    rows : dict of str to ndarray of int
        Of each side, positions in the table of ``clips``.
    windows : dict of str to Windows
        Of each side.
    features : dict of str to dict of str to Tensor [shape=(n_windows, features)]
        Of each side, by block; ``embedding`` is the encoder's own output.
    averaged : bool
        Whether probes see the mean over a clip's windows.
    device : str
    """

    config: ProbeTrial
    clips: Clips
    rows: dict[str, np.ndarray]
    windows: dict[str, Windows]
    features: dict[str, dict[str, Tensor]]
    averaged: bool
    device: str

    @property
    def kind(self) -> Kind:
        """What the probes answer."""
        if self.clips.kind is None:
            raise ValueError(f"clips of {self.clips.name} were opened for pre-training, not as a task")
        return self.clips.kind

    def targets(self, side: str) -> np.ndarray:
        """Answers of the clips of a side, as ``Clips.targets`` has them."""
        return self.clips.targets[self.rows[side]]

    def scaling(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the values of clips that are not tested on; 0 and 1 for other answers."""
        if self.kind != "values":
            return np.zeros(1), np.ones(1)
        known = np.concatenate([self.targets("train"), self.targets("valid")])
        deviation = known.std(axis=0)
        return known.mean(axis=0), np.where(deviation > 0, deviation, 1.0)

    def inputs(self, side: str, block: str = EMBEDDING) -> tuple[Tensor, Tensor | None]:
        """Features of a side as the probes see them, and the clip of each row where clips have several."""
        values, windows = self.features[side][block], self.windows[side]
        if self.averaged:
            return mean_of_clips(values, windows).to(self.device), None
        several = len(windows) > len(self.rows[side])
        return values.to(self.device), torch.from_numpy(windows.clips).to(self.device) if several else None

    def examples(self, side: str, block: str = EMBEDDING) -> Examples:
        """Features and answers of a side."""
        features, clips = self.inputs(side, block)
        targets = self.targets(side)
        if self.kind == "values":
            mean, deviation = self.scaling()
            targets = ((targets - mean) / deviation).astype(np.float32)
        return Examples(features, torch.from_numpy(targets).to(self.device), clips)

    def predict(self, probe: Probe, side: str, block: str = EMBEDDING) -> np.ndarray:
        """Probabilities, or values on the scale of the answers, of the clips of a side [shape=(n_clips, n_outputs)]."""
        features, clips = self.inputs(side, block)
        answers = probe.predict(features, clips).double().cpu().numpy()
        if self.kind != "values":
            return answers
        mean, deviation = self.scaling()
        return answers * deviation + mean

    def score(self) -> tuple[str | Score, bool]:
        """What stops probes, and whether it is another one than asked for, as the validation clips have no such."""
        name = self.config.protocol.score
        truth = self.targets("valid")
        if self.config.task == "key":
            songs, first = self.clips.songs("valid")
            return (song_key_score(songs, self.clips.targets[first]), False) if name == "key_score" else (name, False)
        known = {
            "tags": lambda: bool((truth.any(axis=0) & ~truth.all(axis=0)).any()),
            "values": lambda: bool((np.ptp(truth, axis=0) > 0).any()),
        }.get(self.kind, lambda: True)()
        return (name, False) if known or name == "loss" else ("loss", True)


def open_task(encoder: nn.Module, clips: Clips, *, config: ProbeTrial, device: str) -> Task:
    """Embed the clips of a task.

    Parameters
    ----------
    encoder : Module
        In evaluation mode, on the device.
    clips : Clips
        Opened for the task.
    config : ProbeTrial
    device : str

    Returns
    -------
    Task
    """
    bank = clips.bank.to(device)
    averaged = config.task != "mtt" or config.protocol.name == "supplement"
    rows = {side: clips.rows(side) for side in ("train", "valid", "test")}
    windows = {}
    for side, chosen in rows.items():
        if side == "test" or averaged or config.protocol.windows == "all":
            windows[side] = all_windows(bank, chosen, n_samples=config.n_samples)
        else:
            windows[side] = random_windows(bank, chosen, n_samples=config.n_samples, seed=config.seed, side=side)
    features = {
        side: embed_windows(encoder, bank, here, n_samples=config.n_samples, device=device, layers=config.layers)
        for side, here in windows.items()
    }
    return Task(config, clips, rows, windows, features, averaged, device)


def probe_configs(protocol: ProtocolConfig, kind: str, *, n_features: int, seed: int) -> list[ProbeConfig]:
    """Probes of one kind.

    Parameters
    ----------
    protocol : ProtocolConfig
    kind : "linear" or "mlp"
    n_features : int
        Hidden units of the second, as many as there are features; the supplement's has 512.
    seed : int

    Returns
    -------
    list of ProbeConfig
        One, or those of the supplement's grid, of which the best on the validation clips counts.
    """
    if protocol.name == "supplement":
        return [config for config in supplement_grid(seed=seed) if (config.hidden is None) == (kind == "linear")]
    hidden = None if kind == "linear" else n_features
    return [ProbeConfig(hidden=hidden, lr=RATES[protocol.name], batch_size=protocol.batch_size, seed=seed)]


def stopping_of(protocol: ProtocolConfig) -> Stopping:
    """When probes of a protocol stop."""
    stopping = STOPPING[protocol.name]
    return stopping if protocol.name == "supplement" else replace(stopping, max_epochs=protocol.max_epochs)


def _train(task: Task, train: Examples, *, kinds: Sequence[str], block: str = EMBEDDING) -> dict[str, Probe]:
    """Best probe of each kind, all of them trained side by side."""
    protocol, n_features = task.config.protocol, train.features.shape[1]
    configs = {kind: probe_configs(protocol, kind, n_features=n_features, seed=task.config.seed) for kind in kinds}
    probes = train_probes(
        train,
        task.examples("valid", block),
        configs=[config for group in configs.values() for config in group],
        kind=task.kind,
        n_classes=len(task.clips.classes) if task.kind == "classes" else None,
        score=task.score()[0],
        stopping=stopping_of(protocol),
    )
    best, first = {}, 0
    for kind, group in configs.items():
        best[kind] = best_probe(probes[first : first + len(group)])
        first += len(group)
    return best


def train_kinds(task: Task) -> dict[str, Probe]:
    """Train the probes of all kinds on the encoder's output.

    Parameters
    ----------
    task : Task

    Returns
    -------
    dict of str to Probe
        Kind → the probe that counts, in the order of the protocol's kinds.
    """
    return _train(task, task.examples("train"), kinds=task.config.protocol.kinds)


def label_subset(n_clips: int, *, fraction: float, seed: int) -> np.ndarray:
    """Training clips whose labels are used.

    Parameters
    ----------
    n_clips : int ≥ 1
    fraction : float, 0 < fraction ≤ 1
        Smaller parts lie within larger ones of the same seed.
    seed : int

    Returns
    -------
    ndarray of int [shape=(n,)], ascending
        One at least.
    """
    order = torch.randperm(n_clips, generator=torch_generator(seed, "labels")).numpy()
    # 0.3 of 10 is 3, whatever 0.3 times 10 is in binary
    return np.sort(order[: max(1, int(np.ceil(fraction * n_clips - 1e-9)))])


def subset_scores(task: Task, fraction: float) -> np.ndarray:
    """Test probabilities of a linear probe that learns from a part of the training clips [shape=(n, n_outputs)]."""
    chosen = label_subset(len(task.rows["train"]), fraction=fraction, seed=task.config.seed)
    whole = task.examples("train")
    if whole.clips is None:
        part = Examples(whole.features[chosen], whole.targets[chosen])
    else:
        place = torch.full((len(whole.targets),), -1, dtype=torch.long, device=whole.clips.device)
        place[chosen] = torch.arange(len(chosen), device=place.device)
        kept = place[whole.clips] >= 0
        part = Examples(whole.features[kept], whole.targets[chosen], place[whole.clips][kept])
    return task.predict(_train(task, part, kinds=("linear",))["linear"], "test")


def block_scores(task: Task) -> dict[str, np.ndarray]:
    """Test probabilities of a linear probe on each block's mean over time, by the block's name."""
    found = {}
    for block in task.features["train"]:
        if block != EMBEDDING:
            probe = _train(task, task.examples("train", block), kinds=("linear",), block=block)["linear"]
            found[block] = task.predict(probe, "test", block)
    return found


def macro(scores: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """ROC-AUC and average precision, means over the tags that have them; NaN without such tags."""
    return tuple(_known_mean(values) for values in tag_scores(scores, targets))  # type: ignore[return-value]


def _known_mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
