"""1-D CNN on raw samples by Wilkins et al., the baseline of the singing technique paper."""

import torch
from torch import Tensor, nn

__all__ = ["WilkinsCNN"]

KERNELS = (128, 64, 256)
CHANNELS = (16, 8, 32)
WINDOW, STRIDE = 64, 8


class _Block(nn.Module):
    """Convolution, batch norm, ReLU, max-pooling over 64 with stride 8."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        # two axes, one of them of length 1: channels-last convolution is the faster one on the CPU
        self.conv = nn.Conv2d(in_channels, out_channels, (1, kernel))
        self.norm = nn.BatchNorm2d(out_channels)
        # the maximum of 64 is the maximum of 8 neighbouring maxima of 8, which takes a quarter of the comparisons
        self.pool = nn.Sequential(
            nn.MaxPool2d((1, STRIDE), stride=(1, STRIDE)), nn.MaxPool2d((1, WINDOW // STRIDE), stride=(1, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        # ReLU keeps the order, so it may follow the pool, where it has an eighth of the work
        return torch.relu(self.pool(self.norm(self.conv(x))))


def _lengths(n_samples: int) -> list[int]:
    """Length after each block; 0 or less where nothing is left."""
    lengths = []
    for kernel in KERNELS:
        n_samples = (n_samples - kernel + 1 - WINDOW) // STRIDE + 1
        lengths.append(n_samples)
    return lengths


def _smallest() -> int:
    n_samples = 1
    for kernel in reversed(KERNELS):
        n_samples = (n_samples - 1) * STRIDE + WINDOW + kernel - 1
    return n_samples


class WilkinsCNN(nn.Module):
    """Three convolution blocks on samples, a hidden layer of 32 units, a linear classifier.

    Parameters
    ----------
    n_classes : int
    n_samples : int
        Length of every clip; it sizes the hidden layer.

    Raises
    ------
    ValueError
        If clips are too short; the message has the shortest length that works.

    Notes
    -----
    298,514 trainable parameters with 10 classes and 3 s at 44.1 kHz, where maps are 16,514, 2,049 and 217 long. The
    published re-implementation makes its dropout layer anew in every forward pass, so it stays on in tests; ours obeys
    ``eval()``.

    Paper: Wilkins et al. 2018, as in Yamamoto et al. 2022, section 4.3. Notebook: 01_singing_technique.ipynb.
    """

    def __init__(self, *, n_classes: int = 10, n_samples: int = 132_300) -> None:
        super().__init__()
        if n_samples < _smallest():
            raise ValueError(
                f"clips of {n_samples} samples are too short for WilkinsCNN, which needs {_smallest()} or more: "
                "raise clip_seconds or sample_rate"
            )
        self.n_samples = n_samples
        self.blocks = nn.Sequential(
            *(_Block(n_in, n_out, k) for n_in, n_out, k in zip((1, *CHANNELS), CHANNELS, KERNELS, strict=False))
        )
        self.hidden = nn.Linear(CHANNELS[-1] * _lengths(n_samples)[-1], 32)
        self.dropout = nn.Dropout(0.4)
        self.classifier = nn.Linear(32, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores before softmax.

        Parameters
        ----------
        x : Tensor [shape=(batch, n_samples)] in [−1, 1]

        Returns
        -------
        Tensor [shape=(batch, n_classes)]

        Raises
        ------
        ValueError
            If clips have another length than the model was made for.
        """
        if x.dim() != 2 or x.shape[1] != self.n_samples:
            raise ValueError(f"the input has shape {tuple(x.shape)}; this model needs (batch, {self.n_samples})")
        x = self.blocks(x[:, None, None].contiguous(memory_format=torch.channels_last))
        return self.classifier(self.dropout(torch.relu(self.hidden(x.flatten(1)))))
