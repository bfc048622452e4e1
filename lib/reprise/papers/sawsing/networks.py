"""Networks of the systems, built from the settings."""

from typing import Any

from torch import nn

from reprise.models import fastdiff, hifigan, nsf, vocoders, wavegan
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import SYSTEMS

__all__ = ["build"]

DDSP: dict[str, type[vocoders.Vocoder]] = {
    "sawsing": vocoders.SawSing,
    "ddsp_add": vocoders.DDSPAdd,
    "dwts": vocoders.DWTS,
    "full": vocoders.Full,
    "sawsub": vocoders.SawSub,
}
PWG_CYCLES = 3


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
    ours = settings.of(system)
    family = SYSTEMS[system].family
    if family in DDSP:
        return DDSP[family](
            **_audio(ours),
            interpolation=ours.interpolation,
            crossfade=ours.crossfade,
            compensate=ours.compensate,
            voicing_gate=ours.voicing_gate,
        )
    if family == "nsf":
        return nsf.NSF(**_audio(ours), channels=ours.nsf_channels, n_blocks=ours.nsf_blocks, n_layers=ours.nsf_layers)
    if family == "pwg":
        return wavegan.ParallelWaveGAN(
            n_layers=ours.pwg_layers, n_cycles=PWG_CYCLES, channels=ours.pwg_channels, n_mels=ours.n_mels
        )
    if family == "hifigan":
        return hifigan.HiFiGAN(size=ours.hifigan_size, n_mels=ours.n_mels)
    return fastdiff.FastDiff(channels=ours.fastdiff_channels, n_mels=ours.n_mels)


def _audio(settings: Settings) -> dict[str, Any]:
    return {"sample_rate": settings.sample_rate, "hop_length": settings.hop_length, "n_mels": settings.n_mels}
