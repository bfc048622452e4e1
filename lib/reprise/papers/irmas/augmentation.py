"""Random changes of training clips, all from the seed and the epoch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reprise.audio import augment
from reprise.papers.irmas.frontends import Mask
from reprise.papers.irmas.trials import AugmentConfig
from reprise.seeds import torch_generator

__all__ = ["Randomness"]


@dataclass(frozen=True)
class Randomness:
    """Random numbers of one epoch's changes.

    Attributes
    ----------
    choice : torch.Generator
        On the CPU: shifts and masks, which the device then need not be waited for.
    noise : torch.Generator
        On the device.
    """

    choice: torch.Generator
    noise: torch.Generator

    @classmethod
    def of(cls, seed: int, epoch: int, *, device: str) -> "Randomness":
        """Generators that the seed and the epoch decide.

        Parameters
        ----------
        seed, epoch : int
        device : str
            Of the noise.

        Returns
        -------
        Randomness
        """
        return cls(
            choice=torch_generator(seed, "augmentation", epoch),
            noise=torch_generator(seed, "noise", epoch, device=device),
        )

    def change(self, waves: Tensor, config: AugmentConfig, *, statistics: tuple[float, float]) -> Tensor:
        """Noise, shift of the pitch, roll in time (§3.4.1).

        Parameters
        ----------
        waves : Tensor [shape=(batch, time)]
            Standardised.
        config : AugmentConfig
        statistics : tuple of float
            Mean and deviation of the noise: those of the training set's samples.

        Returns
        -------
        Tensor [shape=(batch, time)]
        """
        mean, deviation = statistics
        if config.noise_amount:
            waves = augment.add_noise(waves, generator=self.noise, mean=mean, std=deviation, amount=config.noise_amount)
        if config.pitch_semitones:
            waves = augment.random_pitch_shift(waves, generator=self.choice, limit=config.pitch_semitones)
        if config.time_shift:
            waves = augment.random_time_shift(waves, generator=self.choice, limit=config.time_shift)
        return waves

    def masks(self, config: AugmentConfig) -> Mask:
        """Masks over bands and frames (§3.4.2)."""
        n_freq, n_time = config.n_masks

        def mask(spectrogram: Tensor) -> Tensor:
            return augment.mask_spectrogram(
                spectrogram, generator=self.choice, n_freq=n_freq, n_time=n_time, limit=config.mask_limit
            )

        return mask
