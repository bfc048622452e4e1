"""Network that reads a synthesiser's controls off a mel spectrogram."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reprise.models.conformer import ConformerBlock

__all__ = ["Mel2Control"]


class Mel2Control(nn.Module):
    """Convolutions, three conformer blocks, a weight-normalised linear layer for all controls together.

    Parameters
    ----------
    controls : mapping of str to int
        Name and number of outputs of each control, in order.
    n_mels : int
    width : int
    n_blocks : int

    Notes
    -----
    ``forward`` takes Tensor [shape=(batch, n_frames, n_mels)] and returns a dict of Tensor
    [shape=(batch, n_frames, n)], each without bounds. 513,792 trainable parameters and 66 for every output: 64 for its
    direction, its gain and its bias.
    Paper: Wu et al. 2022, section 3 and the authors' code. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, controls: Mapping[str, int], *, n_mels: int = 80, width: int = 64, n_blocks: int = 3) -> None:
        super().__init__()
        self.sizes = dict(controls)
        self.n_mels = n_mels
        self.stack = nn.Sequential(
            nn.Conv1d(n_mels, width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.LeakyReLU(0.01),
            nn.Conv1d(width, width, 3, padding=1),
        )
        self.blocks = nn.Sequential(*(ConformerBlock(width) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(width)
        self.out = nn.utils.parametrizations.weight_norm(nn.Linear(width, sum(self.sizes.values())))

    def forward(self, mel: Tensor) -> dict[str, Tensor]:
        """Outputs of each control."""
        if mel.dim() != 3 or mel.shape[2] != self.n_mels or mel.shape[1] == 0:
            hint = "; transpose the last two axes" if mel.dim() == 3 and mel.shape[1] == self.n_mels else ""
            raise ValueError(
                f"the mel spectrogram has shape {tuple(mel.shape)}; needed is (batch, n_frames, {self.n_mels}){hint}"
            )
        x = self.stack(mel.transpose(1, 2)).transpose(1, 2)
        outputs = self.out(self.norm(self.blocks(x)))
        return dict(zip(self.sizes, torch.split(outputs, list(self.sizes.values()), dim=-1), strict=True))
