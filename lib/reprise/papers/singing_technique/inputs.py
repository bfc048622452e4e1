"""The networks' inputs: three stacked spectrograms, or the samples themselves."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reprise.audio.features import multi_resolution_spectrogram
from reprise.papers.singing_technique.conditions import ClipConfig, SingingTrial, SpectrogramConfig
from reprise.papers.singing_technique.corpus import Corpus, open_corpus

__all__ = ["make_inputs", "spectrograms"]

Inputs = Callable[[np.ndarray], Tensor]

# a CPU needs as long for the spectrograms of a small input as for a fifth of a training step, so they are kept where
# they fit; an accelerator makes them faster than it could read them
KEEP_BYTES = 2_000_000_000
CHUNK = 64


def spectrograms(waves: Tensor, config: SpectrogramConfig) -> Tensor:
    """Three magnitude spectrograms of different windows, stacked as channels.

    Parameters
    ----------
    waves : Tensor [shape=(batch, n_samples)]
    config : SpectrogramConfig

    Returns
    -------
    Tensor [shape=(batch, 3, n_fft / 2 + 1, n_frames)]
        One channel per window length.

    Notes
    -----
    Paper: Yamamoto et al. 2022, section 4.2. Notebook: 01_singing_technique.ipynb.
    """
    return multi_resolution_spectrogram(
        waves,
        win_lengths=config.win_lengths,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        compression=config.compression,
    )


@lru_cache(maxsize=1)
def _kept_spectrograms(clips: ClipConfig, data_root: Path, config: SpectrogramConfig) -> Tensor:
    """Spectrograms of all clips, on the CPU."""
    corpus = open_corpus(clips, data_root)
    rows = np.arange(len(corpus.table))
    chunks = [spectrograms(corpus.waves(rows[i : i + CHUNK]), config) for i in range(0, len(rows), CHUNK)]
    return torch.cat(chunks).contiguous(memory_format=torch.channels_last)


def make_inputs(trial: SingingTrial, corpus: Corpus, *, device: str) -> Inputs:
    """Function from clip positions to what the trial's network reads.

    Parameters
    ----------
    trial : SingingTrial
    corpus : Corpus
    device : str

    Returns
    -------
    callable
        rows [shape=(batch,)] → Tensor on the device: waveforms [shape=(batch, n_samples)] for the 1-D CNN, else
        spectrograms [shape=(batch, 3, freq, n_frames)].
    """
    waves = partial(corpus.waves, device=device)
    config = trial.spectrogram
    if config is None:
        return waves
    n_frames = 1 + corpus.clips.n_samples // config.hop_length
    n_bytes = 4 * 3 * (config.n_fft // 2 + 1) * n_frames * len(corpus.table)
    if device == "cpu" and trial.data_root is not None and n_bytes <= KEEP_BYTES:
        kept = _kept_spectrograms(trial.clips, trial.data_root, config)
        return lambda rows: kept[torch.from_numpy(np.asarray(rows))]
    return lambda rows: spectrograms(waves(rows), config)
