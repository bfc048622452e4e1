"""Audio spectrogram transformer for instruments, built by transformers, loaded from local weights only."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from reprise.models.shapes import shape_walk
from reprise.models.weights import load_weights

__all__ = ["InstrumentAST", "n_positions"]

PATCH, STRIDE, N_MELS = 16, 10, 128
PRETRAINED_FRAMES = 1024
POSITIONS = "audio_spectrogram_transformer.embeddings.position_embeddings"
HEAD = ("classifier.dense.weight", "classifier.dense.bias")
# transformers renamed the layers; files of either naming, and both versions of the library, are understood
RENAMED: tuple[tuple[str, Any], ...] = (
    (r"\.encoder\.layer\.", ".layers."),
    (r"\.attention\.attention\.(query|key|value)\.", lambda found: f".attention.{found[1][0]}_proj."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(\.layers\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
)


def n_positions(n_frames: int) -> int:
    r"""Number of learned positions for spectrograms of a length.

    Parameters
    ----------
    n_frames : int ≥ 16

    Returns
    -------
    int
        1,214 for 1,024 frames (10 s); 110 for 96 to 105 frames (1 s).

    Raises
    ------
    ValueError
        If not even one patch fits.

    Notes
    -----
    :math:`2 + (\lfloor\frac{128-16}{10}\rfloor + 1)(\lfloor\frac{L-16}{10}\rfloor + 1)`: 16 × 16 patches every 10
    bands and frames, a class token and a distillation token.
    """
    if n_frames < PATCH:
        raise ValueError(f"a spectrogram needs at least {PATCH} frames, the length of a patch, got {n_frames}")
    return 2 + _patches(N_MELS) * _patches(n_frames)


class InstrumentAST(nn.Module):
    """Audio spectrogram transformer: 86,197,259 parameters for 10 s, 85,349,387 for 1 s.

    Parameters
    ----------
    n_frames : int ≥ 16
        Length of the spectrograms: 1,024 for 10 s; 98 for 1 s, which has 110 positions as the paper.
    n_classes : int ≥ 1
    weights : Path or None
        Local folder with ``model.safetensors`` of an AST trained on AudioSet; None: random weights. Nothing is
        downloaded.
    sha256 : str or None
        SHA-256 that the file must have, if given.
    layers, width, heads : int or None
        Size of the transformer; None: that of the published one, 12 layers 768 wide with 12 heads.

    Attributes
    ----------
    initialisation : str
        "audioset" or "random": tables print it.
    new_positions : bool
        Whether the positions are random, either because everything is or because ``n_frames`` needs others than the
        weights have.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, is another one than promised, or holds another network.

    Notes
    -----
    ``forward`` takes normalised filter banks (`reprise.audio.kaldi.ast_input`), float32 Tensor
    [shape=(batch, 128, n_frames) or (batch, 1, 128, n_frames)], and returns logits, Tensor [shape=(batch, n_classes)].
    The last layer is always new. New positions are drawn from a normal distribution, as the paper's were.
    Paper: Ferković and Smoljan 2023, section 4.5; Gong et al. 2021. Notebook: 05_irmas.ipynb.
    """

    def __init__(
        self,
        *,
        n_frames: int = PRETRAINED_FRAMES,
        n_classes: int = 11,
        weights: Path | None = None,
        sha256: str | None = None,
        layers: int | None = None,
        width: int | None = None,
        heads: int | None = None,
    ) -> None:
        from transformers import ASTConfig, ASTForAudioClassification

        super().__init__()
        expected = n_positions(n_frames)
        self.n_frames = n_frames
        options: dict[str, Any] = {"num_labels": n_classes, "max_length": n_frames, "num_mel_bins": N_MELS}
        sizes: dict[str, Any] = {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "intermediate_size": width and 4 * width,
            "num_attention_heads": heads,
        }
        config = ASTConfig(**options, **{name: size for name, size in sizes.items() if size is not None})
        self.transformer = ASTForAudioClassification(config)
        # the library starts at zero, where all patches of one content look alike
        nn.init.normal_(self._positions, std=config.initializer_range)
        self.initialisation, self.new_positions = "random", True
        if weights is not None:
            self.new_positions = self._load(Path(weights) / "model.safetensors", sha256=sha256) != expected
            self.initialisation = "audioset"

    @property
    def _positions(self) -> nn.Parameter:
        return self.transformer.audio_spectrogram_transformer.embeddings.position_embeddings

    def _load(self, path: Path, *, sha256: str | None) -> int:
        """Copy a file's weights except the last layer; the number of positions in the file."""
        stored = _current_names(load_weights(path, sha256=sha256))
        own = _current_names(self.transformer.state_dict())
        found = stored[POSITIONS].shape[1] if POSITIONS in stored else 0
        if found not in (n_positions(PRETRAINED_FRAMES), self._positions.shape[1]):
            raise ValueError(
                f"{path} has {found} positions, not the {n_positions(PRETRAINED_FRAMES)} of patches every {STRIDE} "
                "bands and frames; take ast-finetuned-audioset-10-10"
            )
        replaced = {*HEAD, POSITIONS} if found != self._positions.shape[1] else {*HEAD}
        for name in sorted((own.keys() | stored.keys()) - replaced):
            here, there = own.get(name), stored.get(name)
            if here is None or there is None or here.shape != there.shape:
                shapes = [None if one is None else tuple(one.shape) for one in (there, here)]
                raise ValueError(f"{path} is not an AST of this size: {name} has shape {shapes[0]}, not {shapes[1]}")
        with torch.no_grad():
            for name, value in own.items():
                if name not in replaced:
                    value.copy_(stored[name])
        return found

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the classifier (layer normalisation and linear layer), which the paper trains faster."""
        return self.transformer.classifier.parameters()

    def base_parameters(self) -> Iterator[nn.Parameter]:
        """All other parameters."""
        return self.transformer.audio_spectrogram_transformer.parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of filter banks."""
        if x.ndim == 4 and x.shape[1] == 1:
            x = x.squeeze(1)
        if x.ndim != 3 or x.shape[1] != N_MELS:
            hint = "; transpose the last two axes" if x.ndim == 3 and x.shape[2] == N_MELS else ""
            raise ValueError(
                f"InstrumentAST needs an input of shape (batch, {N_MELS}, n_frames), got {tuple(x.shape)}{hint}"
            )
        low = (_patches(self.n_frames) - 1) * STRIDE + PATCH
        if not low <= x.shape[2] < low + STRIDE:
            raise ValueError(
                f"InstrumentAST(n_frames={self.n_frames}) needs {low} to {low + STRIDE - 1} frames, got {x.shape[2]}; "
                "pad or cut the spectrograms, or build it with another n_frames"
            )
        return self.transformer(x.transpose(1, 2)).logits

    def shape_walk(self) -> pd.DataFrame:
        """Parts, shapes and parameters; see `shapes.shape_walk`."""
        base = "audio_spectrogram_transformer"
        layers = [f"{base}.layers.{index}" for index in range(self.transformer.config.num_hidden_layers)]
        names = [f"{base}.embeddings", *layers, f"{base}.layernorm", "classifier"]
        walk = shape_walk(self.transformer, torch.zeros(1, self.n_frames, N_MELS), names=names)
        return walk.assign(layer=walk["layer"].str.removeprefix(f"{base}."))


def _patches(length: int) -> int:
    return (length - PATCH) // STRIDE + 1


def _current_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(zip(_renamed(state), state.values(), strict=True))


def _renamed(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        yield name
