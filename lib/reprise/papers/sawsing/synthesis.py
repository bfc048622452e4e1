"""Whole songs from their spectrograms, and the authors' remedy for the buzz."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reprise.data.pitch import estimate
from reprise.models.hifigan import HiFiGAN
from reprise.models.nsf import NSF
from reprise.models.synthesiser import Vocoder, VocoderOutput
from reprise.papers.sawsing.trials import PitchConfig

__all__ = ["debuzzed", "estimated_pitch", "resynthesise"]

# of the authors' script: fades in samples, silence of the harmonic branch at both ends in s
FADE = 100
EDGE_SECONDS = 0.25


@torch.no_grad()
def resynthesise(
    network: nn.Module,
    mel: Tensor,
    *,
    generator: torch.Generator | None = None,
    f0: Tensor | None = None,
    debuzz: PitchConfig | None = None,
) -> VocoderOutput:
    """Sound of a spectrogram, at once.

    Parameters
    ----------
    network : Module
        From `reprise.papers.sawsing.networks.build`; evaluated without gradients, its mode is left alone.
    mel : Tensor [shape=(batch, n_frames, n_mels)]
        See `reprise.audio.vocoder_input.log_mel`.
    generator : torch.Generator or None
        Draws the noise, on the network's device; default: torch's own. HiFi-GAN draws none.
    f0 : Tensor [shape=(batch, n_frames)] or None, Hz
        Sounds instead of the predicted one; 0 for unvoiced.
    debuzz : PitchConfig or None
        Estimator that tells where the output is unvoiced: there its harmonic branch is silenced.

    Returns
    -------
    VocoderOutput
        ``n_frames * hop_length`` samples: without centring some 40 ms less than the recording.

    Raises
    ------
    ValueError
        If a pitch is given, or the buzz is to be taken away, and the network has no harmonic branch.
    """
    if not isinstance(network, Vocoder | NSF) and (f0 is not None or debuzz is not None):
        raise ValueError(f"{type(network).__name__} has no harmonic branch: give neither f0 nor debuzz")
    if isinstance(network, HiFiGAN):
        return network(mel)
    if not isinstance(network, Vocoder | NSF):
        return network(mel, generator=generator)
    output = network(mel, f0=f0, generator=generator)
    if debuzz is None:
        return output
    return debuzzed(output, pitch=debuzz, sample_rate=network.sample_rate, hop_length=network.hop_length)


def estimated_pitch(y: Tensor, *, pitch: PitchConfig, sample_rate: int, hop_length: int) -> np.ndarray:
    """Pitch of a sound on the grid of its frames.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
    pitch : PitchConfig
    sample_rate : int, Hz
    hop_length : int, samples

    Returns
    -------
    ndarray of float32 [shape=(time // hop_length,)], Hz
        0 where unvoiced or below the lowest pitch that counts.
    """
    low, high = pitch.search
    samples = y.detach().cpu().numpy()
    track = estimate(
        samples, sample_rate=sample_rate, hop_length=hop_length, estimator=pitch.estimator, fmin=low, fmax=high
    )[: len(samples) // hop_length]
    return np.where(track < pitch.lowest, np.float32(0), track)


def debuzzed(output: VocoderOutput, *, pitch: PitchConfig, sample_rate: int, hop_length: int) -> VocoderOutput:
    """Output whose harmonic branch is silent where the output as a whole is unvoiced, and at both ends.

    Parameters
    ----------
    output : VocoderOutput
        With branches.
    pitch : PitchConfig
    sample_rate : int, Hz
    hop_length : int, samples

    Returns
    -------
    VocoderOutput

    Raises
    ------
    ValueError
        If the output has no branches.

    Notes
    -----
    Faded within 100 samples and silent for 0.25 s at the ends, as in the authors' script, whose voicing is that of
    Praat's autocorrelation. Notebook: 04_sawsing.ipynb.
    """
    if output.harmonic is None or output.noise is None:
        raise ValueError("this vocoder does not tell harmonic and noise branch apart, so its buzz cannot be silenced")
    gates = []
    for audio in output.audio:
        track = estimated_pitch(audio, pitch=pitch, sample_rate=sample_rate, hop_length=hop_length)
        # a point of the track lies at the first sample of its frame, so its half of each neighbour is its own
        voiced = torch.from_numpy(track > 0).float().repeat_interleave(hop_length).roll(-(hop_length // 2))
        voiced = functional.pad(voiced, (0, len(audio) - len(voiced)))
        edge = round(EDGE_SECONDS * sample_rate)
        voiced[:edge], voiced[max(0, len(voiced) - edge) :] = 0, 0
        ramps = functional.avg_pool1d(voiced[None, None], FADE + 1, stride=1, padding=FADE // 2)
        gates.append(ramps[0, 0])
    gate = torch.stack(gates).to(output.audio)
    harmonic = output.harmonic * gate
    return VocoderOutput(harmonic + output.noise, harmonic, output.noise, output.f0, output.voicing)
