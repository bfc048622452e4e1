"""Networks of the systems, built from the settings or from a trial's own numbers."""

from typing import Any

import torch
from torch import nn

from reprise.models import fastdiff, hifigan, nsf, vocoders, wavegan
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import SYSTEMS
from reprise.papers.sawsing.trials import NetworkConfig

__all__ = ["build", "build_network", "network_config"]

DDSP: dict[str, type[vocoders.Vocoder]] = {
    "sawsing": vocoders.SawSing,
    "ddsp_add": vocoders.DDSPAdd,
    "dwts": vocoders.DWTS,
    "full": vocoders.Full,
    "sawsub": vocoders.SawSub,
}
PWG_CYCLES = 3
LEVELS = ("harmonic", "noise", "amplitude")


def network_config(system: str, settings: Settings) -> NetworkConfig:
    """Part of the settings that a system's network depends on.

    Parameters
    ----------
    system : str
        A name of `reprise.papers.sawsing.systems.SYSTEMS`; what it changes in the settings is changed here.
    settings : Settings

    Returns
    -------
    NetworkConfig

    Raises
    ------
    KeyError
        If there is no such system.
    """
    ours = settings.of(system)
    family = SYSTEMS[system].family
    chosen: dict[str, Any] = {}
    if family in DDSP:
        names: tuple[str, ...] = ("interpolation", "crossfade", "compensate", "voicing_gate", "phase_precision")
        names += ("mel_mean", "mel_deviation", "start_level")
        chosen = {name: getattr(ours, name) for name in names}
    elif family == "nsf":
        chosen = {"mel_mean": ours.mel_mean, "mel_deviation": ours.mel_deviation}
        chosen |= {"channels": ours.nsf_channels, "n_blocks": ours.nsf_blocks, "n_layers": ours.nsf_layers}
    elif family == "pwg":
        chosen = {"channels": ours.pwg_channels, "n_layers": ours.pwg_layers}
    elif family == "hifigan":
        chosen = {"size": ours.hifigan_size}
    else:
        chosen = {"channels": ours.fastdiff_channels}
    return NetworkConfig(
        family=family, sample_rate=ours.sample_rate, hop_length=ours.hop_length, n_mels=ours.n_mels, **chosen
    )


def build(system: str, settings: Settings) -> nn.Module:
    """Vocoder with random weights, from torch's generator.

    Parameters
    ----------
    system : str
        A name of `reprise.papers.sawsing.systems.SYSTEMS`; what it changes in the settings is changed here.
    settings : Settings

    Returns
    -------
    Module
        Takes mel spectrograms, gives a `VocoderOutput`.

    Raises
    ------
    KeyError
        If there is no such system.
    """
    return build_network(network_config(system, settings))


def build_network(config: NetworkConfig) -> nn.Module:
    """Vocoder with random weights, from torch's generator.

    Parameters
    ----------
    config : NetworkConfig

    Returns
    -------
    Module
        Takes mel spectrograms, gives a `VocoderOutput`.

    Notes
    -----
    Spectrograms lie about −3.5 and output levels about −34 dB, far from what networks start with: the first updates of
    the code's training go into a common offset, after which thousands of steps pass before frames are told apart.
    ``mel_mean``, ``mel_deviation`` and ``start_level`` spare short trainings this; none of them is in the code.
    """
    fixed = {"family", "sample_rate", "hop_length", "n_mels", "mel_mean", "mel_deviation", "start_level"}
    chosen = {name: value for name, value in config.model_dump(exclude=fixed).items() if value is not None}
    audio: dict[str, Any] = {
        "sample_rate": config.sample_rate,
        "hop_length": config.hop_length,
        "n_mels": config.n_mels,
    }
    if config.family in DDSP:
        vocoder = DDSP[config.family](**audio, **chosen)
        _soften(vocoder, config.start_level or 0.0)
        return _standardising(vocoder, vocoder.network, config)
    if config.family == "nsf":
        network = nsf.NSF(**audio, **chosen)
        return _standardising(network, network.recurrent, config)
    if config.family == "pwg":
        return wavegan.ParallelWaveGAN(n_cycles=PWG_CYCLES, n_mels=config.n_mels, **chosen)
    if config.family == "hifigan":
        return hifigan.HiFiGAN(n_mels=config.n_mels, **chosen)
    return fastdiff.FastDiff(n_mels=config.n_mels, **chosen)


def _soften(vocoder: vocoders.Vocoder, start_level: float) -> None:
    """Add to the first biases of levels and filters."""
    sizes = vocoder.network.sizes
    added = [torch.full((n,), start_level if name in LEVELS else 0.0) for name, n in sizes.items()]
    with torch.no_grad():
        vocoder.network.out.bias += torch.cat(added).to(vocoder.network.out.bias)


def _standardising(vocoder: nn.Module, reader: nn.Module, config: NetworkConfig) -> nn.Module:
    """The vocoder, whose first part sees standardised spectrograms."""
    mean, deviation = config.mel_mean or 0.0, config.mel_deviation or 1.0
    if (mean, deviation) != (0.0, 1.0):
        reader.register_forward_pre_hook(lambda _, inputs: ((inputs[0] - mean) / deviation,))
    return vocoder
