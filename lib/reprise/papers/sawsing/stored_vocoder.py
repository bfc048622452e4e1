"""Vocoders in folders: those of stored trials, and those that a user saves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from reprise.files import atomic_path, read_json, write_json
from reprise.models.weights import load_weights
from reprise.papers.choices import UsageError
from reprise.papers.sawsing.conditions import mel_config, songs_config
from reprise.papers.sawsing.networks import build_network, network_config
from reprise.papers.sawsing.systems import SYSTEMS
from reprise.papers.sawsing.trials import MelConfig, NetworkConfig, PitchConfig, restored
from reprise.runs.artefacts import RECORD, find_damage

if TYPE_CHECKING:
    from reprise.papers.sawsing.settings import Settings

__all__ = ["LoadedVocoder", "NoVocoder", "VocoderConfig", "load_vocoder", "save_vocoder"]

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
# what may hold code that runs when it is read
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".tar")


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
    place = Path(folder).expanduser()
    if place.name == WEIGHTS:
        place = place.parent
    _refuse_other_things(place)
    try:
        identity = read_json(place / CONFIG)
    except ValueError as error:
        raise NoVocoder(f"{place / CONFIG} is no JSON; it comes from another program, or is damaged") from error
    kind = identity.get("class") if isinstance(identity, dict) else None
    if kind == "VocoderTrial":
        return _load_trial(place, identity)
    if kind != "VocoderConfig":
        raise NoVocoder(
            f"{place} holds a {kind or 'config.json of something else'}, no vocoder; trials of 04_sawsing do"
        )
    try:
        config = VocoderConfig.model_validate({name: value for name, value in identity.items() if name != "class"})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NoVocoder(f"{place / CONFIG}: {where}: {first['msg'].lower()}; save the vocoder again") from error
    return _fill(config, _weights(place), place=place)


def _refuse_other_things(place: Path) -> None:
    if place.suffix in PICKLES and not place.is_dir():
        raise NoVocoder(
            f"{place} is a file of torch.save, which may hold code and is not read; give a folder with {CONFIG} and "
            f"{WEIGHTS}, as save_vocoder writes it"
        )
    if not place.is_dir():
        raise NoVocoder(
            f"--weights {place}: there is no such folder; a trial's is runs/sawsing/<condition>/<seed>-<hash>"
        )
    if place.suffix == ".part":
        raise NoVocoder(f"{place} is an unfinished trial; the command that began it goes on from there")
    if (place / CONFIG).is_file():
        return
    # not all the way down: somebody may name a home or a whole disk
    below = next((path.parent for depth in (1, 2, 3) for path in sorted(place.glob("*/" * depth + WEIGHTS))), None)
    pickle = next((path.name for path in sorted(place.iterdir()) if path.suffix in PICKLES), None)
    hint = f"no {CONFIG}"
    if below is not None:
        hint += f", but below it there is {below}"
    elif pickle is not None:
        hint = f"only {pickle}, which may hold code and is not read"
    raise NoVocoder(f"{place} holds {hint}; give a trial's folder, with {CONFIG} and {WEIGHTS}")


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


def _load_trial(place: Path, identity: dict[str, Any]) -> LoadedVocoder:
    try:
        trial = restored(identity)
    except ValidationError as error:
        raise NoVocoder(f"{place} was stored by another version of this library; run its trial again") from error
    if not (place / RECORD).is_file():
        raise NoVocoder(f"{place} has no {RECORD}, so its trial did not finish or was copied in part")
    try:
        damage = find_damage(place, trial.fingerprint())
    except RuntimeError as error:
        raise NoVocoder(str(error)) from error
    if damage is not None:
        raise NoVocoder(f"{damage}; run its trial again, or copy the folder anew")
    config = VocoderConfig(
        name=f"{trial.condition}, seed {trial.seed}",
        system=trial.system,
        mel=trial.mel,
        network=trial.network,
        target_rms=trial.songs.target_rms,
        debuzz=trial.scoring.pitch if trial.debuzz else None,
    )
    return _fill(config, _weights(place), place=place)


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
    write_json(place / CONFIG, {"class": "VocoderConfig", **config.model_dump(mode="json")})
    return place
