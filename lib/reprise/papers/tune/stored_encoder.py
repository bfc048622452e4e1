"""Pre-trained encoders in folders of stored trials, opened with all that can be wrong with them said in one line."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from torch import nn

from reprise.files import read_json
from reprise.papers.choices import UsageError
from reprise.papers.tune.experiment import load_encoder
from reprise.papers.tune.trials import PretrainTrial, restored
from reprise.runs import StoredTrial
from reprise.runs.artefacts import RECORD, find_damage

__all__ = ["LoadedEncoder", "NoEncoder", "open_encoder"]

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
USUAL = "runs/tune/<condition>/pretrain/<seed>-<hash>"


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
    place = Path(folder).expanduser()
    if place.name == WEIGHTS:
        place = place.parent
    _refuse_other_places(place)
    try:
        identity = read_json(place / CONFIG)
    except ValueError as error:
        raise NoEncoder(f"{place / CONFIG} is no JSON; it comes from another program, or is damaged") from error
    kind = identity.get("class") if isinstance(identity, dict) else None
    if kind == "ProbeTrial":
        raise NoEncoder(f"{place} holds probes; their encoder is beside them, in {USUAL}")
    if kind != "PretrainTrial":
        raise NoEncoder(f"{place} holds a {kind or 'config.json of something else'}, no encoder; give {USUAL}")
    try:
        config = restored(identity)
    except ValidationError as error:
        raise NoEncoder(f"{place} was stored by another version of this library; run its trial again") from error
    if not (place / RECORD).is_file():
        raise NoEncoder(f"{place} has no {RECORD}, so its trial did not finish or was copied in part")
    try:
        damage = find_damage(place, config.fingerprint())
    except RuntimeError as error:
        raise NoEncoder(str(error)) from error
    if damage is not None:
        raise NoEncoder(f"{damage}; run its trial again, or copy the folder anew")
    if not isinstance(config, PretrainTrial):  # pragma: no cover - the class above says so
        raise NoEncoder(f"{place} holds no pre-training; give {USUAL}")
    return LoadedEncoder(config, load_encoder(StoredTrial(place)))


def _refuse_other_places(place: Path) -> None:
    if not place.is_dir():
        raise NoEncoder(f"--weights {place}: there is no such folder; a pre-training's is {USUAL}")
    if place.suffix == ".part":
        raise NoEncoder(f"{place} is an unfinished trial; the command that began it goes on from there")
    if not (place / CONFIG).is_file():
        # not all the way down: somebody may name a home or a whole disk
        below = next((path.parent for depth in (1, 2, 3) for path in sorted(place.glob("*/" * depth + WEIGHTS))), None)
        hint = "" if below is None else f", but below it there is {below}"
        raise NoEncoder(f"{place} holds no {CONFIG}{hint}; give a pre-training's folder, {USUAL}")
