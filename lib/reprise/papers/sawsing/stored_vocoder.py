"""Vocoders in folders: those of stored trials, and those that a user saves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from reprise.files import atomic_path, write_json
from reprise.models.weights import load_weights
from reprise.papers.choices import UsageError
from reprise.papers.sawsing.conditions import mel_config, songs_config
from reprise.papers.sawsing.networks import build_network, network_config
from reprise.papers.sawsing.systems import SYSTEMS
from reprise.papers.sawsing.trials import MelConfig, NetworkConfig, PitchConfig, VocoderTrial
from reprise.papers.trial_folder import CONFIG, WEIGHTS, find_folder, read_identity, restore_finished

if TYPE_CHECKING:
    from reprise.papers.sawsing.settings import Settings

__all__ = ["LoadedVocoder", "NoVocoder", "VocoderConfig", "load_vocoder", "save_vocoder"]

USUAL = "the folder of save_vocoder or of a trial, runs/sawsing/<condition>/<seed>-<hash>"


class NoVocoder(UsageError):
    """A folder that holds no usable vocoder; the message is one line."""


class VocoderConfig(BaseModel):
    """All that must be known to use a vocoder's weights.

    Attributes
    ----------
    name : str
        For people.
    system : str
        A name of `reprise.papers.sawsing.systems.SYSTEMS`.
    mel : MelConfig
        The spectrogram that it reads.
    network : NetworkConfig
    target_rms : float or None
        Level of the songs that it was trained on; None where these were left as they are.
    debuzz : PitchConfig or None
        Estimator that tells where the output is unvoiced and the harmonic branch to be silenced; None: it never is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    system: str
    mel: MelConfig
    network: NetworkConfig
    target_rms: float | None
    debuzz: PitchConfig | None = None


@dataclass(frozen=True)
class LoadedVocoder:
    """A vocoder that is ready to sing.

    Made by `load_vocoder`.

    Attributes
    ----------
    config : VocoderConfig
    model : Module
        In evaluation mode, on the CPU.
    """

    config: VocoderConfig
    model: nn.Module = field(repr=False)

    @property
    def sample_rate(self) -> int:
        """Rate of input and output in Hz."""
        return self.config.mel.sample_rate

    @property
    def has_branches(self) -> bool:
        """Whether its output is the sum of a harmonic and a noise branch."""
        return SYSTEMS[self.config.system].has_branches


def load_vocoder(folder: str | Path) -> LoadedVocoder:
    """Open a vocoder.

    Parameters
    ----------
    folder : str or Path
        Of a stored trial of the vocoder paper (``runs/sawsing/<condition>/<seed>-<hash>``), or of `save_vocoder`.

    Returns
    -------
    LoadedVocoder

    Raises
    ------
    NoVocoder
        If there is none, the trial is unfinished, damaged or of another paper, or the weights are a pickle or do not
        fit; the message is one line.
    """
    place = find_folder(folder, usual=USUAL, error=NoVocoder)
    kind, identity = read_identity(place, error=NoVocoder)
    if kind == VocoderTrial.__name__:
        trial = restore_finished(place, identity, kind=VocoderTrial, error=NoVocoder)
        return _fill(_config_of(trial), _weights(place), place=place)
    if kind != VocoderConfig.__name__:
        raise NoVocoder(f"{place} holds a {kind}, no vocoder; trials of 04_sawsing do")
    try:
        config = VocoderConfig.model_validate({name: value for name, value in identity.items() if name != "class"})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NoVocoder(f"{place / CONFIG}: {where}: {first['msg'].lower()}; save the vocoder again") from error
    return _fill(config, _weights(place), place=place)


def _weights(place: Path) -> dict[str, Any]:
    if not (place / WEIGHTS).is_file():
        raise NoVocoder(f"{place} has no {WEIGHTS}; its trial stored none, or the file was left out of a copy")
    try:
        return load_weights(place / WEIGHTS, sha256=None)
    except ValueError as error:
        raise NoVocoder(f"{place / WEIGHTS} is no whole file of safetensors; copy or save it again") from error


def _fill(config: VocoderConfig, weights: dict[str, Any], *, place: Path) -> LoadedVocoder:
    if config.system not in SYSTEMS:
        raise NoVocoder(f"{place / CONFIG}: there is no system {config.system!r}; there are {', '.join(SYSTEMS)}")
    model = build_network(config.network)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        wrong = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise NoVocoder(f"{place / WEIGHTS} does not fit {config.system}: {wrong}") from error
    return LoadedVocoder(config, model.eval())


def _config_of(trial: VocoderTrial) -> VocoderConfig:
    return VocoderConfig(
        name=f"{trial.condition}, seed {trial.seed}",
        system=trial.system,
        mel=trial.mel,
        network=trial.network,
        target_rms=trial.songs.target_rms,
        debuzz=trial.scoring.pitch if trial.debuzz else None,
    )


def save_vocoder(
    model: nn.Module, *, system: str, settings: "Settings", folder: str | Path, name: str | None = None
) -> Path:
    """Write a vocoder to a folder, for `load_vocoder` and ``reprise vocode``.

    Parameters
    ----------
    model : Module
        As `reprise.papers.sawsing.networks.build` makes it from the same system and settings.
    system : str
        A name of `reprise.papers.sawsing.systems.SYSTEMS`.
    settings : Settings
    folder : str or Path
    name : str or None
        For people; default: the system's label.

    Returns
    -------
    Path
        The folder, with ``config.json`` and ``weights.safetensors``.

    Raises
    ------
    KeyError
        If there is no such system.
    ValueError
        If the model's weights are not those of the system under these settings.
    """
    from safetensors.torch import save_file

    ours = settings.of(system)
    config = VocoderConfig(
        name=name or SYSTEMS[system].label,
        system=system,
        mel=mel_config(ours),
        network=network_config(system, settings),
        target_rms=ours.target_rms,
        debuzz=songs_config(ours, singer="").pitch if SYSTEMS[system].debuzz else None,
    )
    state = {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}
    expected = {key: value.shape for key, value in build_network(config.network).state_dict().items()}
    found = {key: value.shape for key, value in state.items()}
    wrong = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    if wrong:
        shapes = tuple(found.get(wrong[0], ())), tuple(expected.get(wrong[0], ()))
        raise ValueError(f"{wrong[0]} of the model has shape {shapes[0]}, but {system} {shapes[1]}; check the settings")
    place = Path(folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    with atomic_path(place / WEIGHTS) as temporary:
        save_file(state, temporary)
    write_json(place / CONFIG, {"class": VocoderConfig.__name__, **config.model_dump(mode="json")})
    return place
