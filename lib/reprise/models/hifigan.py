"""HiFi-GAN: a generator of transposed convolutions and residual blocks, and its two sets of discriminators."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from reprise.models.synthesiser import VocoderOutput

__all__ = ["HiFiGAN", "PeriodDiscriminators", "ScaleDiscriminators"]

SLOPE = 0.1
PERIODS = (2, 3, 5, 7, 11)
N_SCALES = 3


class _Size(NamedTuple):
    """Channels, rates of upsampling, then kernels and dilations of the residual blocks and whether they are paired."""

    channels: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]
    paired: bool


# as published for a hop of 256 samples
SIZES = {
    "V1": _Size(512, (8, 8, 2, 2), (3, 7, 11), ((1, 3, 5),) * 3, True),
    "V2": _Size(128, (8, 8, 2, 2), (3, 7, 11), ((1, 3, 5),) * 3, True),
    "V3": _Size(256, (8, 8, 4), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), False),
}


class _Residual(nn.Module):
    """Dilated convolutions one after another, each, or each pair, added to its input."""

    def __init__(self, channels: int, kernel: int, *, dilations: Sequence[int], paired: bool) -> None:
        super().__init__()

        def convolution(dilation: int) -> nn.Module:
            padding = dilation * (kernel - 1) // 2
            return _normed(nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding))

        self.first = nn.ModuleList(convolution(dilation) for dilation in dilations)
        self.second = nn.ModuleList(convolution(1) if paired else nn.Identity() for _ in dilations)
        self.paired = paired

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.first, self.second, strict=True):
            y = first(functional.leaky_relu(x, SLOPE))
            x = x + (second(functional.leaky_relu(y, SLOPE)) if self.paired else y)
        return x


class _Mix(nn.Module):
    """Mean of residual blocks with several kernels."""

    def __init__(self, channels: int, size: _Size) -> None:
        super().__init__()
        blocks = zip(size.kernels, size.dilations, strict=True)
        self.blocks = nn.ModuleList(_Residual(channels, k, dilations=d, paired=size.paired) for k, d in blocks)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([block(x) for block in self.blocks]).mean(dim=0)


class HiFiGAN(nn.Module):
    """Generator of HiFi-GAN.

    Parameters
    ----------
    size : "V1", "V2" or "V3"
        As published; 13.92, 0.92 and 1.46 million weights at the published rates, for a hop of 256 samples.
    rates : sequence of int or None
        Of upsampling; their product is the hop length. Default: 8, 5, 3, 2 for 240 samples.
    n_mels : int

    Raises
    ------
    ValueError
        If ``size`` is unknown.

    Notes
    -----
    ``forward`` takes a mel spectrogram, Tensor [shape=(batch, n_frames, n_mels)], and returns a `VocoderOutput` with
    ``audio`` [shape=(batch, n_frames * hop_length)] alone. Weight normalisation adds a gain per channel, which is
    gone when weights are merged, and not in the counts above. The configuration in Wu et al. 2022 is not known.
    Paper: Kong et al. 2020; compared by Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, *, size: str = "V1", rates: Sequence[int] | None = (8, 5, 3, 2), n_mels: int = 80) -> None:
        super().__init__()
        if size not in SIZES:
            raise ValueError(f"size={size!r}; choose one of {', '.join(map(repr, SIZES))}")
        chosen = SIZES[size]
        rates = chosen.rates if rates is None else tuple(rates)
        self.hop_length, self.n_mels = math.prod(rates), n_mels
        self.before = weight_norm(nn.Conv1d(n_mels, chosen.channels, 7, padding=3))
        self.rises, self.mixes = nn.ModuleList(), nn.ModuleList()
        channels = chosen.channels
        for rate in rates:
            padding, extra = rate // 2 + rate % 2, rate % 2
            rise = nn.ConvTranspose1d(
                channels, channels // 2, 2 * rate, stride=rate, padding=padding, output_padding=extra
            )
            channels //= 2
            self.rises.append(_normed(rise))
            self.mixes.append(_Mix(channels, chosen))
        self.after = _normed(nn.Conv1d(channels, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> VocoderOutput:
        """Audio of mel spectrograms."""
        if mel.dim() != 3 or mel.shape[2] != self.n_mels:
            raise ValueError(f"the mel spectrogram has shape {tuple(mel.shape)}, not (batch, n_frames, {self.n_mels})")
        x = self.before(mel.transpose(1, 2))
        for rise, mix in zip(self.rises, self.mixes, strict=True):
            x = mix(rise(functional.leaky_relu(x, SLOPE)))
        # the published code forgets the slope here, so that it is PyTorch's
        return VocoderOutput(torch.tanh(self.after(functional.leaky_relu(x))).squeeze(1))


class PeriodDiscriminators(nn.Module):
    """Five discriminators, each of which sees every p-th sample side by side.

    Parameters
    ----------
    divisor : int
        Of the published numbers of channels; 1 for the published size.

    Notes
    -----
    ``forward`` takes audio, Tensor [shape=(batch, time)], and returns for each discriminator the list of its feature
    maps, the scores last.
    Paper: Kong et al. 2020, section 2.3. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, *, divisor: int = 1) -> None:
        super().__init__()
        widths = [1, *(width // divisor for width in (32, 128, 512, 1024, 1024))]
        self.stacks = nn.ModuleList()
        for _ in PERIODS:
            layers = [
                weight_norm(nn.Conv2d(a, b, (5, 1), (3 if number < 4 else 1, 1), padding=(2, 0)))
                for number, (a, b) in enumerate(itertools.pairwise(widths))
            ]
            layers.append(weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))))
            self.stacks.append(nn.ModuleList(layers))

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """Feature maps of each discriminator."""
        out = []
        for period, stack in zip(PERIODS, self.stacks, strict=True):
            padded = functional.pad(audio[:, None], (0, -audio.shape[1] % period), mode="reflect")
            out.append(_features(padded.unflatten(2, (-1, period)), stack))
        return out


class ScaleDiscriminators(nn.Module):
    """Three discriminators, of the audio and of its averages over two and four samples.

    Parameters
    ----------
    divisor : int
        Of the published numbers of channels; 1 for the published size.

    Notes
    -----
    ``forward`` takes audio, Tensor [shape=(batch, time)], and returns for each discriminator the list of its feature
    maps, the scores last.
    Paper: Kong et al. 2020, section 2.3; Kumar et al. 2019. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, *, divisor: int = 1) -> None:
        super().__init__()
        widths = [1, *(width // divisor for width in (128, 128, 256, 512, 1024, 1024, 1024))]
        kernels, strides = (15, 41, 41, 41, 41, 41, 5), (1, 2, 2, 4, 4, 1, 1)
        groups = (1, *(max(1, g // divisor) for g in (4, 16, 16, 16, 16)), 1)
        self.stacks = nn.ModuleList()
        for scale in range(N_SCALES):
            norm = spectral_norm if scale == 0 else weight_norm
            shapes = zip(widths[:-1], widths[1:], kernels, strides, groups, strict=True)
            layers = [norm(nn.Conv1d(a, b, k, s, padding=k // 2, groups=g)) for a, b, k, s, g in shapes]
            layers.append(norm(nn.Conv1d(widths[-1], 1, 3, padding=1)))
            self.stacks.append(nn.ModuleList(layers))

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """Feature maps of each discriminator."""
        out, x = [], audio[:, None]
        for scale, stack in enumerate(self.stacks):
            x = functional.avg_pool1d(x, 4, 2, padding=2) if scale else x
            out.append(_features(x, stack))
        return out


def _features(x: Tensor, stack: nn.Module) -> list[Tensor]:
    maps = []
    *layers, last = stack.children()
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
        maps.append(x)
    return [*maps, last(x).flatten(1)]


def _normed(layer: nn.Conv1d | nn.ConvTranspose1d) -> nn.Module:
    """Weight normalisation of a layer that starts with weights near zero."""
    nn.init.normal_(layer.weight, std=0.01)
    return weight_norm(layer)
