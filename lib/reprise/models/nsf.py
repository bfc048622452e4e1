"""Harmonic-plus-noise neural source-filter model: sines and noise through dilated convolutions."""

import torch
from torch import Tensor, nn

from reprise.audio.oscillators import accumulate_phase, upsample
from reprise.audio.wavetables import harmonics_below_nyquist
from reprise.models.synthesiser import VocoderOutput, to_pitch

__all__ = ["NSF"]

SINE_LEVEL, NOISE_LEVEL = 0.1, 0.003


class _FilterBlock(nn.Module):
    """Widening, ten dilated convolutions that add the condition, and a change of the signal."""

    def __init__(self, channels: int, n_layers: int) -> None:
        super().__init__()
        self.widen = nn.Conv1d(1, channels, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, padding=2**n, dilation=2**n) for n in range(n_layers)
        )
        self.narrow = nn.Sequential(nn.Conv1d(channels, channels // 4, 1), nn.Tanh(), nn.Conv1d(channels // 4, 1, 1))

    def forward(self, signal: Tensor, condition: Tensor) -> Tensor:
        x = torch.tanh(self.widen(signal))
        for layer in self.layers:
            x = x + torch.tanh(layer(x)) + condition
        return signal + self.narrow(x * 0.01)


class NSF(nn.Module):
    """Neural source-filter model with a harmonic and a noise branch.

    Parameters
    ----------
    sample_rate : int, Hz
    hop_length : int, samples
    n_mels : int
    channels : int
    n_harmonics : int
        Sines of the source.
    n_blocks : int
        Filter blocks of the harmonic branch; the noise branch has one.
    n_layers : int
        Dilated convolutions of a block.

    Notes
    -----
    The published model is given the frequency, which a vocoder of mel spectrograms is not, so frequency and voicing are
    two more outputs of the condition module, to be trained by `reprise.audio.losses.f0_loss` and `voicing_loss`. The
    branches are added as they are; the published model separates them by filters that depend on the voicing. Variant
    and size in Wu et al. 2022 are not known.
    Paper: Wang, Takaki and Yamagishi 2020; compared by Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 24000,
        hop_length: int = 240,
        n_mels: int = 80,
        channels: int = 64,
        n_harmonics: int = 8,
        n_blocks: int = 5,
        n_layers: int = 10,
    ) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.n_harmonics = sample_rate, hop_length, n_harmonics
        self.n_mels = n_mels
        self.recurrent = nn.LSTM(n_mels, channels // 2, batch_first=True, bidirectional=True)
        self.condition = nn.Conv1d(channels, channels, 3, padding=1)
        self.pitch = nn.Linear(channels, 2)
        self.merge = nn.Linear(n_harmonics, 1)
        self.harmonic = nn.ModuleList(_FilterBlock(channels, n_layers) for _ in range(n_blocks))
        self.noise = _FilterBlock(channels, n_layers)

    def forward(
        self, mel: Tensor, *, f0: Tensor | None = None, generator: torch.Generator | None = None
    ) -> VocoderOutput:
        """Resynthesise mel spectrograms.

        Parameters
        ----------
        mel : Tensor [shape=(batch, n_frames, n_mels)]
        f0 : Tensor [shape=(batch, n_frames)] or None, Hz
            Sounds instead of the predicted one; 0 for unvoiced.
        generator : torch.Generator or None
            Draws the noise; default: torch's own.

        Returns
        -------
        VocoderOutput
        """
        if mel.dim() != 3 or mel.shape[2] != self.n_mels:
            raise ValueError(f"the mel spectrogram has shape {tuple(mel.shape)}, not (batch, n_frames, {self.n_mels})")
        hidden = self.recurrent(mel)[0]
        logit, gate = self.pitch(hidden).unbind(dim=-1)
        predicted, voicing = to_pitch(logit), torch.sigmoid(gate)
        sounding = predicted.detach() * (voicing.detach() > 0.5) if f0 is None else f0.expand_as(predicted)
        condition = self.condition(hidden.transpose(1, 2)).repeat_interleave(self.hop_length, dim=-1)
        harmonic, noise = self._sources(sounding, generator)
        for block in self.harmonic:
            harmonic = block(harmonic, condition)
        noise = self.noise(noise, condition)
        return VocoderOutput((harmonic + noise)[:, 0], harmonic[:, 0], noise[:, 0], predicted, voicing)

    def _sources(self, f0: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Merged sines, with a little noise, and noise [shape=(batch, 1, time) each]."""
        with torch.no_grad():
            frequencies = upsample(f0, hop_length=self.hop_length)
            phase = accumulate_phase(frequencies, sample_rate=self.sample_rate)
            below = harmonics_below_nyquist(frequencies, sample_rate=self.sample_rate, n_harmonics=self.n_harmonics)
            numbers = torch.arange(1, self.n_harmonics + 1, device=f0.device)
            turns = (phase[..., None] * numbers).frac().to(f0.dtype)
            sines = SINE_LEVEL * torch.sin(2 * torch.pi * turns) * below
            shape = (2, *frequencies.shape, 1)
            little, white = torch.randn(shape, generator=generator, device=f0.device, dtype=f0.dtype)
            voiced = frequencies[..., None] > 0
            # unvoiced stretches get noise at a third of the sines' level
            sines = sines + little * torch.where(voiced, NOISE_LEVEL, SINE_LEVEL / 3)
        return torch.tanh(self.merge(sines)).transpose(1, 2), (white * SINE_LEVEL / 3).transpose(1, 2)
