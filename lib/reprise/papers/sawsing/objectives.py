"""What each family of vocoders minimises: spectra and pitch, adversaries by turns, or the noise of a diffusion."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from reprise.audio.losses import f0_loss, multi_scale_stft_loss, voicing_loss
from reprise.audio.vocoder_input import log_mel
from reprise.models import adversarial
from reprise.models.fastdiff import FastDiff
from reprise.models.hifigan import PeriodDiscriminators, ScaleDiscriminators
from reprise.models.wavegan import WaveDiscriminator, spectral_convergence_loss
from reprise.papers.sawsing.crops import Crop
from reprise.papers.sawsing.trials import LossConfig, MelConfig, VocoderTrial

__all__ = ["Adversaries", "Turn", "learner", "loss_of", "optimiser", "turns"]

# Adam's averages in the published training of HiFi-GAN
HIFIGAN_BETAS = (0.8, 0.99)
BETAS = (0.9, 0.999)
# of Parallel WaveGAN's discriminator
WAVE_CHANNELS = 64


class Turn(NamedTuple):
    """One update: whose turn it is, and the crops of its step."""

    who: Literal["vocoder", "generator", "discriminator"]
    crop: Crop


class Adversaries(nn.Module):
    """A generator and its discriminators, which learn by turns from the same crops.

    Parameters
    ----------
    generator : Module
    discriminators : list of Module
        Each takes audio and gives lists of feature maps.

    Attributes
    ----------
    fake : Tensor or None
        What the generator has made of the crops of this step, with its gradient: made once, used by both.
    """

    def __init__(self, generator: nn.Module, discriminators: list[nn.Module]) -> None:
        super().__init__()
        self.generator = generator
        self.discriminators = nn.ModuleList(discriminators)
        self.fake: Tensor | None = None

    def judge(self, audio: Tensor) -> list[list[Tensor]]:
        """Let all discriminators listen.

        Parameters
        ----------
        audio : Tensor [shape=(batch, time)]

        Returns
        -------
        list of list of Tensor
            Feature maps of each discriminator, its scores last.
        """
        return [maps for discriminator in self.discriminators for maps in discriminator(audio)]

    @contextmanager
    def frozen_discriminators(self) -> Iterator[None]:
        """What is computed meanwhile gives the discriminators no gradient."""
        self.discriminators.requires_grad_(False)
        try:
            yield
        finally:
            self.discriminators.requires_grad_(True)


def learner(network: nn.Module, config: VocoderTrial) -> nn.Module:
    """Everything that learns.

    Parameters
    ----------
    network : Module
        The vocoder.
    config : VocoderTrial

    Returns
    -------
    Module
        The vocoder itself, or with its discriminators, whose weights are drawn from torch's generator.
    """
    divisor = _losses(config).discriminator_divisor or 1
    if config.network.family == "pwg":
        return Adversaries(network, [WaveDiscriminator(channels=WAVE_CHANNELS // divisor)])
    if config.network.family == "hifigan":
        return Adversaries(network, [PeriodDiscriminators(divisor=divisor), ScaleDiscriminators(divisor=divisor)])
    return network


def optimiser(model: nn.Module, config: VocoderTrial) -> torch.optim.Adam:
    """Adam over all that learns; a parameter without a gradient, as the others' in a turn, is left as it is.

    Parameters
    ----------
    model : Module
        From `learner`.
    config : VocoderTrial

    Returns
    -------
    Adam
    """
    if config.training is None:
        raise ValueError(f"{config.condition} takes its weights from another trial and is not trained")
    betas = HIFIGAN_BETAS if config.network.family == "hifigan" else BETAS
    parts = [model.generator, model.discriminators] if isinstance(model, Adversaries) else [model]
    groups = [{"params": list(part.parameters())} for part in parts]
    return torch.optim.Adam(groups, lr=config.training.learning_rate, betas=betas, fused=True)


def turns(crop: Crop, config: VocoderTrial) -> list[Turn]:
    """Updates that a step consists of.

    Parameters
    ----------
    crop : Crop
    config : VocoderTrial

    Returns
    -------
    list of Turn
        HiFi-GAN: first its discriminators, then the generator. Parallel WaveGAN: the other way round, and the
        discriminator only after its start.
    """
    family = config.network.family
    if family == "hifigan":
        return [Turn("discriminator", crop), Turn("generator", crop)]
    if family == "pwg":
        started = crop.step >= (_losses(config).discriminator_start or 0)
        return [Turn("generator", crop), Turn("discriminator", crop)][: 2 if started else 1]
    return [Turn("vocoder", crop)]


def loss_of(model: nn.Module, turn: Turn, *, config: VocoderTrial) -> Tensor:
    """Loss of one update.

    Parameters
    ----------
    model : Module
        From `learner`.
    turn : Turn
    config : VocoderTrial

    Returns
    -------
    Tensor [shape=()]

    Notes
    -----
    Paper: the code of Wu et al. 2022; Yamamoto et al. 2020; Kong et al. 2020; Huang et al. 2022. Notebook:
    04_sawsing.ipynb.
    """
    weights, crop = _losses(config), turn.crop
    if isinstance(model, Adversaries):
        if turn.who == "discriminator":
            return _discriminator(model, crop)
        return (_hifigan if config.network.family == "hifigan" else _pwg)(model, crop, weights, config.mel)
    if isinstance(model, FastDiff):
        return model.loss(crop.audio, crop.mel)
    return _synthesiser(model, crop, weights)


def _losses(config: VocoderTrial) -> LossConfig:
    if config.training is None:
        raise ValueError(f"{config.condition} takes its weights from another trial and is not trained")
    return config.training.loss


def _synthesiser(model: nn.Module, crop: Crop, weights: LossConfig) -> Tensor:
    output = model(crop.mel)
    loss = (weights.stft or 0.0) * multi_scale_stft_loss(output.audio, crop.audio, formula=weights.formula)
    pitch = f0_loss(output.f0, crop.f0, step=crop.step, switch_step=weights.switch_step or 0)
    loss = loss + (weights.f0 or 0.0) * pitch
    if output.voicing is not None:
        loss = loss + (weights.voicing or 0.0) * voicing_loss(output.voicing, crop.f0)
    return loss


def _made(model: Adversaries, crop: Crop) -> Tensor:
    """What the generator makes of the crops, made in the step's first turn and handed over in its second."""
    if model.fake is None:
        model.fake = model.generator(crop.mel).audio
        return model.fake
    made, model.fake = model.fake, None
    return made


def _discriminator(model: Adversaries, crop: Crop) -> Tensor:
    fake = _made(model, crop).detach()
    return adversarial.discriminator_loss(model.judge(crop.audio), model.judge(fake))


def _pwg(model: Adversaries, crop: Crop, weights: LossConfig, mel: MelConfig) -> Tensor:
    fake = _made(model, crop)
    loss = spectral_convergence_loss(fake, crop.audio)
    if crop.step < (weights.discriminator_start or 0):
        # no turn follows that would take it
        model.fake = None
        return loss
    with model.frozen_discriminators():
        return loss + (weights.adversarial or 0.0) * adversarial.generator_loss(model.judge(fake))


def _hifigan(model: Adversaries, crop: Crop, weights: LossConfig, mel: MelConfig) -> Tensor:
    fake = _made(model, crop)
    # the published weight is for natural logarithms
    ours, theirs = (math.log(10) * log_mel(audio, **mel.model_dump()) for audio in (fake, crop.audio))
    loss = (weights.mel or 0.0) * functional.l1_loss(ours, theirs)
    with model.frozen_discriminators():
        heard, known = model.judge(fake), model.judge(crop.audio)
    loss = loss + (weights.features or 0.0) * adversarial.feature_matching_loss(known, heard)
    return loss + (weights.adversarial or 0.0) * adversarial.generator_loss(heard)
