"""Pre-trained encoders in folders of stored trials, opened with all that can be wrong with them said in one line."""

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from reprise.papers.choices import UsageError
from reprise.papers.trial_folder import find_folder, read_identity, restore_finished
from reprise.papers.tune.experiment import load_encoder
from reprise.papers.tune.trials import PretrainTrial, ProbeTrial
from reprise.runs import StoredTrial

__all__ = ["LoadedEncoder", "NoEncoder", "open_encoder"]

USUAL = "a pre-training's folder, runs/tune/<condition>/pretrain/<seed>-<hash>"


class NoEncoder(UsageError):
    """A folder that holds no usable encoder; the message is one line."""


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder that is ready.

    Made by `open_encoder`.

    Attributes
    ----------
    config : PretrainTrial
    model : Module
        In evaluation mode, on the CPU.
    """

    config: PretrainTrial
    model: nn.Module = field(repr=False)

    @property
    def name(self) -> str:
        """For people: condition and seed."""
        return f"{self.config.condition.removesuffix('/pretrain')}, seed {self.config.seed}"

    @property
    def sample_rate(self) -> int:
        """Rate of its input in Hz."""
        return self.config.clips.sample_rate

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        return self.config.n_samples


def open_encoder(folder: str | Path) -> LoadedEncoder:
    """Open the encoder of a stored pre-training.

    Parameters
    ----------
    folder : str or Path
        ``runs/tune/<condition>/pretrain/<seed>-<hash>``.

    Returns
    -------
    LoadedEncoder

    Raises
    ------
    NoEncoder
        If there is none, or the trial is unfinished, damaged, or of another kind or paper; the message is one line.
    """
    place = find_folder(folder, usual=USUAL, error=NoEncoder)
    kind, identity = read_identity(place, error=NoEncoder)
    if kind == ProbeTrial.__name__:
        raise NoEncoder(f"{place} holds probes; give their encoder: {USUAL}")
    if kind != PretrainTrial.__name__:
        raise NoEncoder(f"{place} holds a {kind}, no encoder; give {USUAL}")
    config = restore_finished(place, identity, kind=PretrainTrial, error=NoEncoder)
    return LoadedEncoder(config, load_encoder(StoredTrial(place)))
