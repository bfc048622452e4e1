"""One task as the probes see it: representations and answers of its clips."""

from dataclasses import dataclass

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
from reprise.papers.tune.trials import ProbeTrial
from reprise.stats.songs import song_key_score
from reprise.training.probe_types import Examples, Kind, Probe, Score

__all__ = ["Task", "open_task"]


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
        """Answers of the clips of a side [shape=(n_clips, ...)], as ``Clips.targets`` has them."""
        return self.clips.targets[self.rows[side]]

    def scaling(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the values of clips that are not tested on, each [shape=(n_values,)]; else 0 and 1."""
        if self.kind != "values":
            return np.zeros(1), np.ones(1)
        known = np.concatenate([self.targets("train"), self.targets("valid")])
        deviation = known.std(axis=0)
        return known.mean(axis=0), np.where(deviation > 0, deviation, 1.0)

    def inputs(self, side: str, *, block: str = EMBEDDING) -> tuple[Tensor, Tensor | None]:
        """Features of a side as the probes see them.

        Parameters
        ----------
        side : str
        block : str
            Whose output; by default the encoder's.

        Returns
        -------
        features : Tensor [shape=(n_rows, features)]
        clips : Tensor of int64 [shape=(n_rows,)] or None
            Clip of each row, where clips have several.
        """
        values, windows = self.features[side][block], self.windows[side]
        if self.averaged:
            return mean_of_clips(values, windows).to(self.device), None
        several = len(windows) > len(self.rows[side])
        return values.to(self.device), torch.from_numpy(windows.clips).to(self.device) if several else None

    def examples(self, side: str, *, block: str = EMBEDDING) -> Examples:
        """Features and answers of a side, values scaled as ``scaling`` says.

        Parameters
        ----------
        side : str
        block : str

        Returns
        -------
        reprise.training.probe_types.Examples
        """
        features, clips = self.inputs(side, block=block)
        targets = self.targets(side)
        if self.kind == "values":
            mean, deviation = self.scaling()
            targets = ((targets - mean) / deviation).astype(np.float32)
        return Examples(features, torch.from_numpy(targets).to(self.device), clips)

    def predict(self, probe: Probe, side: str, *, block: str = EMBEDDING) -> np.ndarray:
        """What a probe answers for the clips of a side.

        Parameters
        ----------
        probe : Probe
        side : str
        block : str
            On whose output it was trained.

        Returns
        -------
        ndarray [shape=(n_clips, n_outputs)]
            Probabilities, or values on the scale of the answers; means over a clip's windows.
        """
        features, clips = self.inputs(side, block=block)
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
        side: embed_windows(
            encoder, bank, windows=here, n_samples=config.n_samples, device=device, layers=config.layers
        )
        for side, here in windows.items()
    }
    return Task(config, clips, rows, windows, features, averaged, device)
