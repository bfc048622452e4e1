"""FastDiff: a denoiser whose convolutions a mel spectrogram predicts frame by frame, and its diffusion."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from reprise.models.synthesiser import VocoderOutput

__all__ = ["FastDiff", "location_variable_convolution"]

SLOPE = 0.2
N_LAYERS, KERNEL, HIDDEN = 4, 3, 64
STEP_WIDTH, STEP_HIDDEN = 128, 512
N_STEPS, FIRST_BETA, LAST_BETA = 1000, 1e-6, 0.01
# the schedule of four steps that the published code samples with
BETAS = (3.2176e-4, 2.5743e-3, 2.5376e-2, 7.0414e-1)


def location_variable_convolution(x: Tensor, kernels: Tensor, *, bias: Tensor, dilation: int = 1) -> Tensor:
    """Convolution with another kernel for every frame.

    Parameters
    ----------
    x : Tensor [shape=(batch, in_channels, n_frames * hop)]
    kernels : Tensor [shape=(batch, n_frames, out_channels, in_channels, kernel_size)]
        Odd size.
    bias : Tensor [shape=(batch, n_frames, out_channels)]
    dilation : int

    Returns
    -------
    Tensor [shape=(batch, out_channels, n_frames * hop)]

    Notes
    -----
    Paper: Zeng et al. 2021; Huang et al. 2022, section 3.2. Notebook: 04_sawsing.ipynb.
    """
    n_frames, size = kernels.shape[1], kernels.shape[-1]
    hop = x.shape[2] // n_frames
    reach = dilation * (size - 1) // 2
    windows = functional.pad(x, (reach, reach)).unfold(2, hop + 2 * reach, hop)
    taps = torch.stack([windows[..., tap * dilation : tap * dilation + hop] for tap in range(size)], dim=2)
    columns = taps.permute(0, 3, 1, 2, 4).flatten(2, 3)
    mixed = kernels.flatten(3) @ columns + bias[..., None]
    return mixed.transpose(1, 2).flatten(2)


class _Predictor(nn.Module):
    """Kernels and biases of the layers of a block, from the condition and the step."""

    def __init__(self, channels: int, n_mels: int) -> None:
        super().__init__()
        self.channels = channels
        self.step = nn.Linear(STEP_HIDDEN, n_mels)
        self.before = nn.Conv1d(n_mels, HIDDEN, 5, padding=2)
        self.residuals = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1),
                nn.LeakyReLU(SLOPE),
                nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1),
                nn.LeakyReLU(SLOPE),
            )
            for _ in range(3)
        )
        self.kernels = nn.Conv1d(HIDDEN, N_LAYERS * 2 * channels * channels * KERNEL, 3, padding=1)
        self.biases = nn.Conv1d(HIDDEN, N_LAYERS * 2 * channels, 3, padding=1)

    def forward(self, mel: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.leaky_relu(self.before(mel + self.step(step)[..., None]), SLOPE)
        for residual in self.residuals:
            x = x + residual(x)
        shape = (N_LAYERS, 2 * self.channels, self.channels, KERNEL)
        kernels = self.kernels(x).transpose(1, 2).unflatten(2, shape)
        return kernels, self.biases(x).transpose(1, 2).unflatten(2, shape[:2])


class _Down(nn.Module):
    """Fewer samples: three dilated convolutions beside a straight way."""

    def __init__(self, channels: int, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self.straight = nn.Conv1d(channels, channels, 1)
        self.layers = nn.ModuleList(nn.Conv1d(channels, channels, 3, padding=d, dilation=d) for d in (1, 2, 4))

    def forward(self, x: Tensor) -> Tensor:
        # every rate-th sample
        shortcut, x = self.straight(x)[..., :: self.rate], x[..., :: self.rate]
        for layer in self.layers:
            x = layer(functional.leaky_relu(x, SLOPE))
        return x + shortcut


class _Up(nn.Module):
    """More samples, then gated convolutions with predicted kernels."""

    def __init__(self, channels: int, rate: int, *, n_mels: int) -> None:
        super().__init__()
        self.rise = nn.ConvTranspose1d(
            channels, channels, 2 * rate, stride=rate, padding=rate // 2 + rate % 2, output_padding=rate % 2
        )
        self.predictor = _Predictor(channels, n_mels)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, KERNEL, padding=3**n, dilation=3**n) for n in range(N_LAYERS)
        )

    def forward(self, x: Tensor, beside: Tensor, *, mel: Tensor, step: Tensor) -> Tensor:
        kernels, biases = self.predictor(mel, step)
        x = self.rise(functional.leaky_relu(x, SLOPE))
        for number, layer in enumerate(self.layers):
            x = x + beside
            y = functional.leaky_relu(layer(functional.leaky_relu(x, SLOPE)), SLOPE)
            y = location_variable_convolution(y, kernels[:, :, number], bias=biases[:, :, number])
            gate, wave = y.chunk(2, dim=1)
            x = x + torch.sigmoid(gate) * torch.tanh(wave)
        return x


class FastDiff(nn.Module):
    """Diffusion vocoder.

    Parameters
    ----------
    rates : sequence of int
        Of upsampling; their product is the hop length.
    channels : int
    n_mels : int

    Notes
    -----
    ``forward`` takes a mel spectrogram, Tensor [shape=(batch, n_frames, n_mels)], and by name a ``generator`` for the
    noise; it samples in four steps and returns a `VocoderOutput` with ``audio`` [shape=(batch, n_frames * hop_length)]
    alone. Training calls `loss`. About 15 million weights, nearly all of them in the layers that predict kernels. The
    configuration in Wu et al. 2022 is not known.
    Paper: Huang et al. 2022; compared by Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """

    levels: Tensor

    def __init__(self, *, rates: Sequence[int] = (8, 6, 5), channels: int = 32, n_mels: int = 80) -> None:
        super().__init__()
        self.hop_length, self.n_mels = math.prod(rates), n_mels
        self.before = nn.Conv1d(1, channels, 7, padding=3)
        self.step = nn.Sequential(
            nn.Linear(STEP_WIDTH, STEP_HIDDEN), nn.SiLU(), nn.Linear(STEP_HIDDEN, STEP_HIDDEN), nn.SiLU()
        )
        self.downs = nn.ModuleList(_Down(channels, rate) for rate in reversed(rates))
        self.ups = nn.ModuleList(_Up(channels, rate, n_mels=n_mels) for rate in rates)
        self.after = nn.Conv1d(channels, 1, 7, padding=3)
        betas = torch.linspace(FIRST_BETA, LAST_BETA, N_STEPS, dtype=torch.float64)
        self.register_buffer("levels", torch.cumprod(1 - betas, dim=0).sqrt().float(), persistent=False)

    def forward(self, mel: Tensor, *, generator: torch.Generator | None = None) -> VocoderOutput:
        """Sample audio of mel spectrograms."""
        audio = self._normal(mel, generator)
        betas = torch.tensor(BETAS, dtype=torch.float64)
        levels = torch.cumprod(1 - betas, dim=0).sqrt().tolist()
        for beta, level, quieter in reversed(list(zip(BETAS, levels, [1.0, *levels[:-1]], strict=True))):
            step = self._step_of(level).expand(len(mel))
            noise = self.denoise(audio, mel, step=step)
            audio = (audio - beta / math.sqrt(1 - level**2) * noise) / math.sqrt(1 - beta)
            if quieter < 1:
                spread = math.sqrt(beta * (1 - quieter**2) / (1 - level**2))
                audio = audio + spread * self._normal(mel, generator)
        return VocoderOutput(audio)

    def loss(self, audio: Tensor, mel: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        r"""Mean squared error of the predicted noise at random steps.

        Parameters
        ----------
        audio : Tensor [shape=(batch, n_frames * hop_length)]
        mel : Tensor [shape=(batch, n_frames, n_mels)]
        generator : torch.Generator or None
            Draws steps and noise; default: torch's own.

        Returns
        -------
        Tensor [shape=()]
            :math:`\overline{(\epsilon - \epsilon_\theta(\alpha_t x + \sqrt{1 - \alpha_t^2} \epsilon, c, t))^2}`.
        """
        step = torch.randint(N_STEPS, (len(audio),), generator=generator, device=audio.device)
        level = self.levels[step][:, None]
        noise = self._normal(mel, generator)
        noisy = level * audio + (1 - level.square()).sqrt() * noise
        return functional.mse_loss(self.denoise(noisy, mel, step=step.to(audio.dtype)), noise)

    def denoise(self, audio: Tensor, mel: Tensor, *, step: Tensor) -> Tensor:
        """Noise in noisy audio.

        Parameters
        ----------
        audio : Tensor [shape=(batch, n_frames * hop_length)]
        mel : Tensor [shape=(batch, n_frames, n_mels)]
        step : Tensor [shape=(batch,)]
            Step of the diffusion; fractions are allowed.

        Returns
        -------
        Tensor [shape=(batch, n_frames * hop_length)]

        Raises
        ------
        ValueError
            If the lengths do not fit.
        """
        if mel.dim() != 3 or mel.shape[2] != self.n_mels:
            raise ValueError(f"the mel spectrogram has shape {tuple(mel.shape)}, not (batch, n_frames, {self.n_mels})")
        if audio.shape != (len(mel), mel.shape[1] * self.hop_length):
            raise ValueError(
                f"audio of shape {tuple(audio.shape)} does not match {mel.shape[1]} frames of {self.hop_length} samples"
            )
        embedding, condition = self.step(_embedding(step)), mel.transpose(1, 2)
        x, beside = self.before(audio[:, None]), []
        for down in self.downs:
            beside.append(x)
            x = down(x)
        for up in self.ups:
            x = up(x, beside.pop(), mel=condition, step=embedding)
        return self.after(functional.leaky_relu(x, SLOPE)).squeeze(1)

    def _step_of(self, level: float) -> Tensor:
        """Step, with a fraction, at which the signal has a level."""
        above = int((self.levels > level).sum())
        if above in (0, N_STEPS):
            return self.levels.new_tensor(float(min(above, N_STEPS - 1)))
        high, low = self.levels[above - 1], self.levels[above]
        return above - 1 + (high - level) / (high - low)

    def _normal(self, mel: Tensor, generator: torch.Generator | None) -> Tensor:
        shape = (len(mel), mel.shape[1] * self.hop_length)
        return torch.randn(shape, generator=generator, device=mel.device, dtype=mel.dtype)


def _embedding(step: Tensor) -> Tensor:
    """Sines and cosines of a step [shape=(batch, STEP_WIDTH)]."""
    half = STEP_WIDTH // 2
    rates = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half, device=step.device, dtype=step.dtype))
    angles = step[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
