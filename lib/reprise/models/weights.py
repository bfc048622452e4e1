"""Pretrained weights from local files: no code in them, and the content checked."""

import pickle
from pathlib import Path

import torch
from torch import Tensor

from reprise.files import sha256_file

__all__ = ["load_weights"]


def load_weights(path: Path, *, sha256: str | None) -> dict[str, Tensor]:
    """Read a file of weights.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or a file of ``torch.save`` that holds tensors only.
    sha256 : str or None
        Expected SHA-256 of the file, 64 hexadecimal digits; None where the caller trusts the file.

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the hash differs, or the file is damaged or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there are no weights at {path}; give the path of a file on this machine")
    if sha256 is not None:
        found = sha256_file(path)
        if found != sha256.strip().lower():
            raise ValueError(
                f"{path} has the SHA-256 {found}, not {sha256}; fetch it again, or check which file the hash belongs to"
            )
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} is damaged or holds more than tensors, and code in it is not run; save a plain state_dict or "
            "use a .safetensors file"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} is not a state_dict of tensors; save model.state_dict()")
    return dict(state)


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole .safetensors file ({error}); fetch it again") from error
