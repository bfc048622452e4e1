"""Parallel WaveGAN: noise through dilated convolutions that a mel spectrogram conditions, and its discriminator."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from reprise.models.synthesiser import VocoderOutput

__all__ = ["ParallelWaveGAN", "WaveDiscriminator", "spectral_convergence_loss"]

RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))


class _Layer(nn.Module):
    """Gated dilated convolution with a residual and a skip path, as in WaveNet but seeing both sides."""

    def __init__(self, channels: int, n_mels: int, dilation: int) -> None:
        super().__init__()
        self.dilated = weight_norm(nn.Conv1d(channels, 2 * channels, 3, padding=dilation, dilation=dilation))
        self.condition = weight_norm(nn.Conv1d(n_mels, 2 * channels, 1, bias=False))
        self.residual = weight_norm(nn.Conv1d(channels, channels, 1))
        self.skip = weight_norm(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        wave, gate = (self.dilated(x) + self.condition(condition)).chunk(2, dim=1)
        y = torch.tanh(wave) * torch.sigmoid(gate)
        return (x + self.residual(y)) * math.sqrt(0.5), self.skip(y)


class _Stretch(nn.Conv2d):
    """Every frame repeated, then smoothed over time by one filter for all bands, a moving average at first.

    What repetition and filter make of three neighbouring frames is a product with a small matrix, which is ten times
    as fast on a CPU as a convolution with a single channel.
    """

    reads: Tensor

    def __init__(self, rate: int) -> None:
        super().__init__(1, 1, (1, 2 * rate + 1), padding=(0, rate), bias=False)
        nn.init.constant_(self.weight, 1 / (2 * rate + 1))
        # which of the frames before, at and after it each tap of each new frame reads
        place = (torch.arange(rate)[:, None] + torch.arange(-rate, rate + 1)).div(rate, rounding_mode="floor")
        reads = torch.stack([place == neighbour for neighbour in (-1, 0, 1)])
        self.register_buffer("reads", reads.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Stretch over the last axis."""
        before, after = functional.pad(x, (1, 0))[..., :-1], functional.pad(x, (0, 1))[..., 1:]
        return (torch.stack([before, x, after], dim=-1) @ (self.reads @ self.weight.flatten())).flatten(-2)


class ParallelWaveGAN(nn.Module):
    """Generator of Parallel WaveGAN.

    Parameters
    ----------
    rates : sequence of int
        Of upsampling; their product is the hop length.
    n_layers, n_cycles : int
        Dilations double within each of the cycles.
    channels : int
    n_mels : int

    Raises
    ------
    ValueError
        If the layers do not divide into the cycles.

    Notes
    -----
    ``forward`` takes a mel spectrogram, Tensor [shape=(batch, n_frames, n_mels)], and by name a ``generator`` for the
    noise, and returns a `VocoderOutput` with ``audio`` [shape=(batch, n_frames * hop_length)] alone. 30 layers in 3
    cycles of 64 channels, as published, have 1.33 million weights here (gains of the weight normalisation apart); the
    paper says 1.44 million, and does not say what else there is. The configuration in Wu et al. 2022 is not known.
    Paper: Yamamoto et al. 2020; compared by Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """

    def __init__(
        self,
        *,
        rates: Sequence[int] = (5, 4, 4, 3),
        n_layers: int = 30,
        n_cycles: int = 3,
        channels: int = 64,
        n_mels: int = 80,
    ) -> None:
        super().__init__()
        if n_layers % n_cycles:
            raise ValueError(f"{n_layers} layers do not divide into {n_cycles} cycles")
        self.rates, self.n_mels = tuple(rates), n_mels
        self.hop_length = math.prod(rates)
        self.context = weight_norm(nn.Conv1d(n_mels, n_mels, 5, padding=2, bias=False))
        self.stretch = nn.ModuleList(weight_norm(_Stretch(rate)) for rate in self.rates)
        self.before = weight_norm(nn.Conv1d(1, channels, 1))
        per_cycle = n_layers // n_cycles
        self.layers = nn.ModuleList(_Layer(channels, n_mels, 2 ** (n % per_cycle)) for n in range(n_layers))
        self.after = nn.Sequential(
            nn.ReLU(),
            weight_norm(nn.Conv1d(channels, channels, 1)),
            nn.ReLU(),
            weight_norm(nn.Conv1d(channels, 1, 1)),
        )

    def forward(self, mel: Tensor, *, generator: torch.Generator | None = None) -> VocoderOutput:
        """Audio of mel spectrograms."""
        if mel.dim() != 3 or mel.shape[2] != self.n_mels:
            raise ValueError(f"the mel spectrogram has shape {tuple(mel.shape)}, not (batch, n_frames, {self.n_mels})")
        condition = self._upsampled(mel.transpose(1, 2))
        noise = torch.randn(len(mel), 1, condition.shape[2], generator=generator, device=mel.device, dtype=mel.dtype)
        x, total = self.before(noise), torch.zeros((), device=mel.device, dtype=mel.dtype)
        for layer in self.layers:
            x, skip = layer(x, condition)
            total = total + skip
        return VocoderOutput(self.after(total * math.sqrt(1 / len(self.layers))).squeeze(1))

    def _upsampled(self, mel: Tensor) -> Tensor:
        x = self.context(mel)[:, None]
        for stretch in self.stretch:
            x = stretch(x)
        return x[:, 0]


class WaveDiscriminator(nn.Module):
    """Discriminator of Parallel WaveGAN: ten convolutions over time with growing dilation, a score per sample.

    Parameters
    ----------
    n_layers : int
    channels : int

    Notes
    -----
    ``forward`` takes audio, Tensor [shape=(batch, time)], and returns a list with one list, whose last member are the
    scores [shape=(batch, time)]: the form that the losses of `reprise.models.adversarial` take.
    Paper: Yamamoto et al. 2020, section 3. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, *, n_layers: int = 10, channels: int = 64) -> None:
        super().__init__()
        widths = [1, *[channels] * (n_layers - 1), 1]
        dilations = [1, *range(1, n_layers - 1), 1]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv1d(a, b, 3, padding=dilation, dilation=dilation))
            for a, b, dilation in zip(widths[:-1], widths[1:], dilations, strict=True)
        )

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """Score of each sample."""
        x = audio[:, None]
        *layers, last = self.layers
        for layer in layers:
            x = functional.leaky_relu(layer(x), 0.2)
        return [[last(x).squeeze(1)]]


def spectral_convergence_loss(prediction: Tensor, target: Tensor) -> Tensor:
    r"""Auxiliary loss of Parallel WaveGAN at three resolutions.

    Parameters
    ----------
    prediction, target : Tensor [shape=(batch, time)]

    Returns
    -------
    Tensor [shape=()]
        Mean over resolutions of
        :math:`\| S - \hat S \|_F / \| S \|_F + \overline{|\ln S - \ln \hat S|}` of magnitudes above 1e-3.5.

    Notes
    -----
    Transforms of 1024, 2048 and 512 samples, hops of 120, 240 and 50, Hann windows of 600, 1200 and 240.
    Paper: Yamamoto et al. 2020, equations 3 to 6. Notebook: 04_sawsing.ipynb.
    """
    losses = []
    for n_fft, hop_length, win_length in RESOLUTIONS:
        window = torch.hann_window(win_length, device=target.device, dtype=target.dtype)
        ours, theirs = (
            torch.view_as_real(torch.stft(y, n_fft, hop_length, win_length, window=window, return_complex=True))
            .square()
            .sum(dim=-1)
            .clamp(min=1e-7)
            .sqrt()
            for y in (prediction, target)
        )
        losses.append((theirs - ours).norm() / theirs.norm() + functional.l1_loss(ours.log(), theirs.log()))
    return torch.stack(losses).mean()
