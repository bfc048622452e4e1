"""Instrument classifiers: three small CNNs, ResNet-50 on spectrograms and the spectrogram transformer."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from reprise.models.ast import InstrumentAST
from reprise.models.shapes import shape_walk
from reprise.models.weights import load_weights

__all__ = ["MFCCCNN", "FeatureCNN", "InstrumentAST", "RawAudioCNN", "SpectrogramResNet"]

# of torchvision's ResNet-50: below it, the last stage sees little but padding
SMALLEST_IMAGE = 32
RESNET_50 = (3, 4, 6, 3)
STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc.0", "fc.1")


class _SmallCNN(nn.Module):
    """Blocks of convolution, ReLU, normalisation and pooling, a mean over the map, and two linear layers."""

    name: str
    axes: tuple[str, ...]
    example: tuple[int, ...]

    def __init__(self, blocks: nn.Sequential, *, channels: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        flat = len(self.axes) == 1
        self.blocks = blocks
        self.pool = nn.AdaptiveAvgPool1d(1) if flat else nn.AdaptiveAvgPool2d(1)
        # dropout before the ReLU, as in the authors' code
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, 64), nn.Dropout(dropout), nn.ReLU(), nn.Linear(64, n_classes)
        )

    @property
    def smallest_input(self) -> tuple[int, ...]:
        """Smallest size of each map axis that leaves one point after the last pooling."""
        layers: list[Any] = [layer for layer in self.blocks.modules() if hasattr(layer, "kernel_size")]
        sizes = [1] * len(self.axes)
        for layer in reversed(layers):
            kernel, stride = _per_axis(layer.kernel_size, len(sizes)), _per_axis(layer.stride, len(sizes))
            sizes = [(size - 1) * step + width for size, step, width in zip(sizes, stride, kernel, strict=True)]
        return tuple(sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        channels = self.example[0]
        if channels == 1 and x.ndim == len(self.axes) + 1:
            x = x.unsqueeze(1)
        expected = f"(batch, {channels}, {', '.join(self.axes)})"
        if x.ndim != len(self.axes) + 2 or x.shape[1] != channels:
            raise ValueError(f"{self.name} needs an input of shape {expected}, got {tuple(x.shape)}")
        smallest = self.smallest_input
        if any(size < least for size, least in zip(x.shape[2:], smallest, strict=True)):
            limits = ", ".join(f"{axis} ≥ {least}" for axis, least in zip(self.axes, smallest, strict=True))
            raise ValueError(f"{self.name} needs {limits} in {expected}, got {tuple(x.shape)}; pad the clips")
        return self.head(self.pool(self.blocks(x)))

    def shape_walk(self) -> pd.DataFrame:
        """Layers, kernels, map sizes and parameters for an input of the paper's size; see `shapes.shape_walk`."""
        return shape_walk(self, torch.zeros(1, *self.example))


class RawAudioCNN(_SmallCNN):
    """1-D CNN on the waveform: 180,427 parameters.

    Parameters
    ----------
    n_classes : int ≥ 1
    dropout : float, 0 to 1
        In the head, before its ReLU.

    Notes
    -----
    ``forward`` takes waveforms, float32 Tensor [shape=(batch, time) or (batch, 1, time)], time ≥ 14,110 (the paper:
    44,100, standardised), and returns logits, Tensor [shape=(batch, n_classes)]. Six blocks of unpadded convolution,
    ReLU, batch normalisation and max-pooling by 4; the first kernel spans 10 ms.
    Paper: Ferković and Smoljan 2023, section 4.1, Table 4.2. Notebook: 05_irmas.ipynb.
    """

    name, axes, example = "RawAudioCNN", ("time",), (1, 44_100)

    def __init__(self, *, n_classes: int = 11, dropout: float = 0.2) -> None:
        widths, kernels = (1, 32, 32, 64, 64, 128, 256), (440, 6, 3, 3, 3, 3)
        blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv1d(before, after, kernel, stride=2 if before == 1 else 1),
                    nn.ReLU(),
                    nn.BatchNorm1d(after),
                    nn.MaxPool1d(4),
                )
                for (before, after), kernel in zip(pairwise(widths), kernels, strict=True)
            )
        )
        super().__init__(blocks, channels=widths[-1], n_classes=n_classes, dropout=dropout)


class MFCCCNN(_SmallCNN):
    """2-D CNN on 40 MFCCs: 879,275 parameters.

    Parameters
    ----------
    n_classes : int ≥ 1
    dropout : float, 0 to 1
        In the head, before its ReLU.
    norm_first : bool
        Normalise before the ReLU, as the authors' code does; False: after it, as their text says.

    Notes
    -----
    ``forward`` takes MFCCs, float32 Tensor [shape=(batch, 1, freq, time) or (batch, freq, time)], freq ≥ 33,
    time ≥ 145 (the paper: 40 × 256), and returns logits, Tensor [shape=(batch, n_classes)]. Four blocks of unpadded
    convolution (4 × 4, then 2 × 10), batch normalisation, ReLU and max-pooling by 2 × 2.
    Paper: Ferković and Smoljan 2023, section 4.2, Figure 4.2. Notebook: 05_irmas.ipynb.
    """

    name, axes, example = "MFCCCNN", ("freq", "time"), (1, 40, 256)

    def __init__(self, *, n_classes: int = 11, dropout: float = 0.2, norm_first: bool = True) -> None:
        widths, kernels = (1, 32, 64, 128, 256), ((4, 4), (2, 10), (2, 10), (2, 10))

        def block(before: int, after: int, kernel: tuple[int, int]) -> nn.Sequential:
            middle = [nn.BatchNorm2d(after), nn.ReLU()] if norm_first else [nn.ReLU(), nn.BatchNorm2d(after)]
            return nn.Sequential(nn.Conv2d(before, after, kernel), *middle, nn.MaxPool2d(2))

        pairs = zip(pairwise(widths), kernels, strict=True)
        blocks = nn.Sequential(*(block(before, after, kernel) for (before, after), kernel in pairs))
        super().__init__(blocks, channels=widths[-1], n_classes=n_classes, dropout=dropout)


class FeatureCNN(_SmallCNN):
    """1-D CNN on 40 descriptors as channels: 114,859 parameters.

    Parameters
    ----------
    n_classes : int ≥ 1
    dropout : float, 0 to 1
        In the head, before its ReLU.

    Notes
    -----
    ``forward`` takes descriptors, float32 Tensor [shape=(batch, 40, time)], time ≥ 37 (the paper: 87), and returns
    logits, Tensor [shape=(batch, n_classes)]. Four blocks of unpadded convolution, ReLU, batch normalisation and
    max-pooling by 2. The first convolution mixes all descriptors, although the paper says that channels keep them
    apart.
    Paper: Ferković and Smoljan 2023, section 4.3, Figure 4.3. Notebook: 05_irmas.ipynb.
    """

    name, axes, example = "FeatureCNN", ("time",), (40, 87)

    def __init__(self, *, n_classes: int = 11, dropout: float = 0.2) -> None:
        widths, kernels = (40, 32, 64, 128, 256), (8, 2, 2, 2)
        blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv1d(before, after, kernel), nn.ReLU(), nn.BatchNorm1d(after), nn.MaxPool1d(2))
                for (before, after), kernel in zip(pairwise(widths), kernels, strict=True)
            )
        )
        super().__init__(blocks, channels=widths[-1], n_classes=n_classes, dropout=dropout)


class SpectrogramResNet(nn.Module):
    """ResNet-50 on mel spectrograms as images: 23,530,571 parameters.

    Parameters
    ----------
    n_classes : int ≥ 1
    dropout : float, 0 to 1
        Before the last layer.
    weights : Path or None
        Local file with torchvision's ResNet-50 of ImageNet, ``.safetensors`` or ``.pth``; None: random weights.
    sha256 : str or None
        SHA-256 that the file must have; required with ``weights``.
    blocks : tuple of four int ≥ 1
        Bottleneck blocks per stage.
    width : int ≥ 1
        Channels of the first convolution; the last stage puts out 32 times as many.

    Attributes
    ----------
    initialisation : str
        "imagenet" or "random": tables print it.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, is another one than promised, or holds another network.

    Notes
    -----
    ``forward`` takes spectrograms in dB, float32 Tensor [shape=(batch, 3, freq, time), or one channel, which is
    copied, or none], freq and time ≥ 32 (the paper: 256 × 256), and returns logits, Tensor [shape=(batch, n_classes)].
    Paper: Ferković and Smoljan 2023, section 4.4. Notebook: 05_irmas.ipynb.
    """

    def __init__(
        self,
        *,
        n_classes: int = 11,
        dropout: float = 0.2,
        weights: Path | None = None,
        sha256: str | None = None,
        blocks: tuple[int, int, int, int] = RESNET_50,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.resnet = _resnet(blocks, width)
        if weights is not None:
            if not sha256:
                raise ValueError(f"pass the SHA-256 that {weights} must have, as sha256=...")
            self._load(Path(weights), sha256)
        self.initialisation = "random" if weights is None else "imagenet"
        self.resnet.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(32 * width, n_classes))

    def _load(self, path: Path, sha256: str) -> None:
        own, stored = self.resnet.state_dict(), load_weights(path, sha256=sha256)
        # the last layer is replaced; older files lack the counters of the normalisations, which nothing reads
        needless = {"fc.weight", "fc.bias", *(name for name in own if name.endswith(".num_batches_tracked"))}
        for name in sorted((own.keys() | stored.keys()) - needless):
            shapes = [tuple(state[name].shape) if name in state else None for state in (stored, own)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"{path} is not torchvision's ResNet-50: {name} has shape {shapes[0]}, not {shapes[1]}"
                )
        body = {name: value for name, value in stored.items() if name in own and not name.startswith("fc.")}
        self.resnet.load_state_dict(body, strict=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        if x.ndim == 3:
            x = x.unsqueeze(1)
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(f"SpectrogramResNet needs an input of shape (batch, 3, freq, time), got {tuple(x.shape)}")
        if min(x.shape[2:]) < SMALLEST_IMAGE:
            raise ValueError(
                f"SpectrogramResNet needs freq ≥ {SMALLEST_IMAGE}, time ≥ {SMALLEST_IMAGE} in (batch, 3, freq, time), "
                f"got {tuple(x.shape)}; resize the spectrograms"
            )
        return self.resnet(x.expand(-1, 3, -1, -1))

    def shape_walk(self) -> pd.DataFrame:
        """Stages, map sizes and parameters for an input of the paper's size; see `shapes.shape_walk`."""
        return shape_walk(self.resnet, torch.zeros(1, 3, 256, 256), names=STAGES)


def _resnet(blocks: tuple[int, int, int, int], width: int) -> Any:
    """Torchvision's ResNet of bottleneck blocks, with all its channels scaled by ``width`` / 64."""
    from torchvision.models import resnet

    class Scaled(resnet.ResNet):
        def _make_layer(self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False) -> Any:
            if planes == 64:
                self.inplanes = width
            return super()._make_layer(block, planes * width // 64, blocks, stride, dilate)

    network = Scaled(resnet.Bottleneck, list(blocks))
    if width != 64:
        network.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        network.bn1 = nn.BatchNorm2d(width)
    return network


def _per_axis(value: int | Sequence[int], n_axes: int) -> Sequence[int]:
    return [value] * n_axes if isinstance(value, int) else value
