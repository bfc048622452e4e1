"""The folder of a finished trial as a user names it, with all that can be wrong with it said in one line."""

from pathlib import Path
from typing import Any, TypeVar

from reprise.files import read_json
from reprise.papers.choices import UsageError
from reprise.runs import TrialConfig
from reprise.runs.artefacts import RECORD, find_damage

__all__ = ["CONFIG", "WEIGHTS", "find_folder", "read_identity", "restore_finished"]

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
# what may hold code that runs when it is read
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".tar")

Kind = TypeVar("Kind", bound=TrialConfig)


def find_folder(folder: str | Path, *, usual: str, error: type[UsageError]) -> Path:
    """Folder with a config and weights that a user means.

    Parameters
    ----------
    folder : str or Path
        It, or the file of the weights in it.
    usual : str
        Which folder to give instead, for messages.
    error : type of UsageError

    Returns
    -------
    Path
        Has a ``config.json``.

    Raises
    ------
    UsageError
        Of the type ``error``: if there is no such folder, it has no config, its trial is unfinished, or it is a pickle.
    """
    place = Path(folder).expanduser()
    if place.name == WEIGHTS:
        place = place.parent
    if place.suffix in PICKLES and not place.is_dir():
        raise error(f"{place} is a file of torch.save, which may hold code and is not read; give {usual}")
    if not place.is_dir():
        raise error(f"--weights {place}: there is no such folder; give {usual}")
    if place.suffix == ".part":
        raise error(f"{place} is an unfinished trial; the command that began it goes on from there")
    if not (place / CONFIG).is_file():
        raise error(f"{place} holds {_instead(place)}; give {usual}")
    return place


def _instead(place: Path) -> str:
    """What there is in a folder without a config."""
    # not all the way down: somebody may name a home or a whole disk
    below = next((path.parent for depth in (1, 2, 3) for path in sorted(place.glob("*/" * depth + WEIGHTS))), None)
    if below is not None:
        return f"no {CONFIG}, but below it there is {below}"
    pickle = next((path.name for path in sorted(place.iterdir()) if path.suffix in PICKLES), None)
    return f"no {CONFIG}" if pickle is None else f"only {pickle}, which may hold code and is not read"


def read_identity(place: Path, *, error: type[UsageError]) -> tuple[str, dict[str, Any]]:
    """Content of a folder's config.

    Parameters
    ----------
    place : Path
        From `find_folder`.
    error : type of UsageError

    Returns
    -------
    kind : str
        Name of the class that wrote it; ``config.json of something else`` where none did.
    identity : dict

    Raises
    ------
    UsageError
        Of the type ``error``: if it is no JSON.
    """
    try:
        identity = read_json(place / CONFIG)
    except ValueError as wrong:
        raise error(f"{place / CONFIG} is no JSON; it comes from another program, or is damaged") from wrong
    if not isinstance(identity, dict) or not isinstance(identity.get("class"), str):
        return f"{CONFIG} of something else", {}
    return identity["class"], identity


def restore_finished(place: Path, identity: dict[str, Any], *, kind: type[Kind], error: type[UsageError]) -> Kind:
    """Trial of a folder, after a look at whether all of it is there.

    Parameters
    ----------
    place : Path
        From `find_folder`.
    identity : dict
        From `read_identity`.
    kind : type of TrialConfig
    error : type of UsageError

    Returns
    -------
    TrialConfig
        Of that kind, without the data folder, which is no identity.

    Raises
    ------
    UsageError
        Of the type ``error``: if another version stored it, its trial did not finish, or a file is damaged or missing.
    """
    try:
        trial = kind.restore(identity)
    except ValueError as wrong:
        raise error(f"{place} was stored by another version of this library; run its trial again") from wrong
    if not (place / RECORD).is_file():
        raise error(f"{place} has no {RECORD}, so its trial did not finish or was copied in part")
    try:
        damage = find_damage(place, trial.fingerprint())
    except RuntimeError as wrong:
        raise error(str(wrong)) from wrong
    if damage is not None:
        raise error(f"{damage}; run its trial again, or copy the folder anew")
    return trial
