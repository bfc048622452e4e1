"""Encoders of the systems: the paper's networks, and mean and deviation of log-mel bands beside them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from reprise.audio.features import mel_spectrogram, power_to_db
from reprise.models.clmr import Projector, SampleCNN
from reprise.models.tune import CLMRTail, TUNe
from reprise.papers.tune.trials import EncoderConfig, PretrainTrial
from reprise.seeds import derive_seed
from reprise.training.contrastive import ContrastiveModel

__all__ = ["MelStatistics", "build_encoder", "build_model"]


class MelStatistics(nn.Module):
    """Mean and deviation over time of each log-mel band: features that nothing was trained for.

    Parameters
    ----------
    sample_rate : int, Hz
    n_mels : int ≥ 1

    Notes
    -----
    ``forward``: Tensor [shape=(batch, time)] → [shape=(batch, 2 n_mels)], means in 40 dB around −40 dB and deviations
    in 10 dB, so that all are about 1.
    Ours; see Choi et al. 2017 and others on such baselines. Notebook: 03_tune.ipynb.
    """

    def __init__(self, *, sample_rate: int, n_mels: int = 128) -> None:
        super().__init__()
        self.sample_rate, self.n_mels, self.representation = sample_rate, n_mels, 2 * n_mels

    def forward(self, audio: Tensor) -> Tensor:
        """Statistics of waveforms."""
        levels = power_to_db(
            mel_spectrogram(audio, sample_rate=self.sample_rate, n_mels=self.n_mels), amin=1e-8, top_db=None
        )
        return torch.cat([(levels.mean(dim=2) + 40) / 40, levels.std(dim=2) / 10], dim=1)


def build_encoder(config: EncoderConfig, *, seed: int, tail: Mapping[str, Tensor] | None = None) -> nn.Module:
    """Encoder with its first weights.

    Parameters
    ----------
    config : EncoderConfig
    seed : int
        Of the weights, with nothing else.
    tail : mapping of str to Tensor or None
        Weights of a CLMR encoder for a CLMR tail.

    Returns
    -------
    Module
        Waveforms [shape=(batch, time)] → vectors [shape=(batch, representation)].

    Raises
    ------
    RuntimeError
        If the weights of the tail are not those of a CLMR encoder.
    """
    if config.network is None:
        return MelStatistics(sample_rate=config.sample_rate)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "weights"))
        if config.tail is None:
            return TUNe.from_name(config.network, init=config.initialisation)
        clmr = SampleCNN(init=config.tail_initialisation or "default")
        if tail is not None:
            clmr.load_state_dict(tail)
        return CLMRTail(tail=clmr, freeze=config.tail != "trained", init=config.initialisation or "he")


def build_model(config: PretrainTrial, *, tail: Mapping[str, Tensor] | None = None) -> ContrastiveModel:
    """Encoder and projector of a pre-training, with their first weights.

    Parameters
    ----------
    config : PretrainTrial
    tail : mapping of str to Tensor or None
        See :func:`build_encoder`.

    Returns
    -------
    ContrastiveModel
    """
    encoder = build_encoder(config.encoder, seed=config.seed, tail=tail)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(config.seed, "projector"))
        projector = Projector(int(getattr(encoder, "representation", 0)), output=config.projection)
    return ContrastiveModel(encoder, projector)
