"""Test songs resynthesised whole and scored in pieces: spectra, pitch, phases, buzz, embeddings."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from reprise.audio.harmonicity import branch_ratio, phase_deviation
from reprise.audio.losses import multi_scale_stft_loss
from reprise.audio.vocoder_metrics import EMBEDDINGS, spectral_distance
from reprise.models.hifigan import HiFiGAN
from reprise.models.synthesiser import VocoderOutput
from reprise.papers.sawsing.corpus import Songs
from reprise.papers.sawsing.synthesis import estimated_pitch, resynthesise
from reprise.papers.sawsing.trials import ScoreConfig, VocoderTrial
from reprise.seeds import torch_generator
from reprise.stats.vocoding import frechet_distance, held_frames, pitch_errors

__all__ = ["PIECE_METRICS", "pieces_of", "score", "summary"]

PIECE_METRICS = (
    "msstft", "msstft_amplitude", "msstft_inner", "msstft_delayed", "lag", "mae_f0", "mae_f0_floored", "vuv_error",
    "n_voiced", "phase_deviation", "reference_phase_deviation", "buzz_voiced", "buzz_unvoiced", "median_buzz_unvoiced",
)  # fmt: skip
# that a branch is taken to be above the other
MOST_DECIBELS = 100.0


def pieces_of(n_frames: int, *, piece_frames: int) -> list[slice]:
    """Frames of the pieces of a song.

    Parameters
    ----------
    n_frames : int
    piece_frames : int

    Returns
    -------
    list of slice
        Equally long, but for the last one, which has the rest too; one where there is no room for two.
    """
    n = max(1, n_frames // piece_frames)
    borders = [*range(0, n * piece_frames, piece_frames), n_frames]
    return [slice(first, last) for first, last in itertools.pairwise(borders)]


@dataclass(frozen=True)
class _Song:
    """A recording cut to what a vocoder makes of it, and the frames in which its notes are held."""

    target: Tensor
    f0: Tensor
    held: Tensor
    reference: Tensor
    hop_length: int

    @classmethod
    def of(cls, target: Tensor, f0: Tensor, *, n_frames: int, sample_rate: int, config: ScoreConfig, hop_length: int):
        """Cut a recording to its first frames and follow the phases of its partials."""
        target, f0 = target[: n_frames * hop_length], f0[:n_frames]
        held = torch.from_numpy(
            held_frames(
                f0.numpy(), n_frames=config.n_held, cents=config.held_cents, step=config.held_step, n_step=config.n_step
            )
        )
        phases = phase_deviation(
            target, f0, sample_rate=sample_rate, hop_length=hop_length, n_partials=config.n_partials, held=held
        )
        return cls(target, f0, held, phases.frames, hop_length)

    def samples(self, frames: slice) -> slice:
        return slice(frames.start * self.hop_length, frames.stop * self.hop_length)


@torch.no_grad()
def score(
    network: nn.Module, songs: Songs, *, config: VocoderTrial, rows: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Resynthesise recordings whole and score their pieces.

    Parameters
    ----------
    network : Module
        In evaluation mode, on any device.
    songs : Songs
    config : VocoderTrial
    rows : ndarray of int [shape=(n,)] or None
        Default: the test side.

    Returns
    -------
    dict of str to ndarray
        `PIECE_METRICS` [shape=(n_pieces,)], means over draws of the noise, NaN where a system has no branches or a
        piece no held note or voiced frame; levels within ± 100 dB; ``piece_song`` (row); ``piece_start`` and
        ``piece_seconds`` in s; ``embeddings`` and ``reference_embeddings`` [shape=(n, n_features)] with
        ``embedding_piece`` (index).

    Notes
    -----
    Labels are taken for the truth. Pitch is estimated in the first draw of a whole song; phases are followed by the
    label, a constant error of which cancels. Notebook: 04_sawsing.ipynb.
    """
    found: dict[str, list[np.ndarray]] = {}
    n_pieces = 0
    for row in songs.rows("test") if rows is None else rows:
        part = _score_song(network, songs, int(row), config=config)
        part["embedding_piece"] = part["embedding_piece"] + n_pieces
        n_pieces += len(part["msstft"])
        for name, values in part.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def _score_song(network: nn.Module, songs: Songs, row: int, *, config: VocoderTrial) -> dict[str, np.ndarray]:
    device = next(network.parameters()).device
    scoring, hop, rate = config.scoring, config.mel.hop_length, config.mel.sample_rate
    mel = songs.mel(row, config.mel).to(device)[None]
    n_frames = min(mel.shape[1], len(songs.f0(row)))
    song = _Song.of(songs.song(row), songs.f0(row), n_frames=n_frames, sample_rate=rate, config=scoring, hop_length=hop)
    pieces = pieces_of(n_frames, piece_frames=scoring.piece_frames)
    draws: list[dict[str, np.ndarray]] = []
    for draw in range(1 if isinstance(network, HiFiGAN) else scoring.n_noise):
        generator = torch_generator(config.seed, "noise", row, draw, device=str(device))
        debuzz = scoring.pitch if config.debuzz else None
        output = resynthesise(network, mel, generator=generator, debuzz=debuzz)
        scores = _spectra_and_phases(output, song, pieces, scoring=scoring, sample_rate=rate)
        if draw == 0:
            first = _pitch_and_embeddings(output.audio[0], song, pieces, scoring=scoring, sample_rate=rate)
        draws.append(scores)
    starts = np.array([piece.start for piece in pieces])
    ends = np.array([piece.stop for piece in pieces])
    return {
        **{name: np.mean([draw[name] for draw in draws], axis=0) for name in draws[0]},
        **first,
        "piece_song": np.full(len(pieces), row),
        "piece_start": starts * hop / rate,
        "piece_seconds": (ends - starts) * hop / rate,
    }


def _spectra_and_phases(
    output: VocoderOutput, song: _Song, pieces: list[slice], *, scoring: ScoreConfig, sample_rate: int
) -> dict[str, np.ndarray]:
    """Scores of one draw of the noise."""
    audio = output.audio[0].cpu()[: len(song.target)]
    phases = phase_deviation(
        audio,
        song.f0,
        sample_rate=sample_rate,
        hop_length=song.hop_length,
        n_partials=scoring.n_partials,
        held=song.held,
    )
    rows = []
    for piece in pieces:
        at = song.samples(piece)
        distance = spectral_distance(audio[at], song.target[at], max_lag=scoring.max_lag)
        amplitude = multi_scale_stft_loss(audio[None, at], song.target[None, at], formula="amplitude")
        row = {
            "msstft": distance.whole,
            "msstft_amplitude": float(amplitude),
            "msstft_inner": distance.at_zero,
            "msstft_delayed": distance.at_best,
            "lag": float(distance.lag),
            "phase_deviation": _root_mean_square(phases.frames[piece]),
            "reference_phase_deviation": _root_mean_square(song.reference[piece]),
        }
        rows.append(row | _buzz(output, song, piece))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _buzz(output: VocoderOutput, song: _Song, piece: slice) -> dict[str, float]:
    if output.harmonic is None or output.noise is None:
        return dict.fromkeys(("buzz_voiced", "buzz_unvoiced", "median_buzz_unvoiced"), math.nan)
    at = song.samples(piece)
    ratio = branch_ratio(
        output.harmonic[0].cpu()[at],
        output.noise[0].cpu()[at],
        f0=song.f0[piece],
        target=song.target[at],
        hop_length=song.hop_length,
    )
    found = {
        "buzz_voiced": ratio.voiced, "buzz_unvoiced": ratio.unvoiced, "median_buzz_unvoiced": ratio.median_unvoiced,
    }  # fmt: skip
    # a branch that is silent has no level in dB
    return {name: float(np.clip(level, -MOST_DECIBELS, MOST_DECIBELS)) for name, level in found.items()}


def _root_mean_square(frames: Tensor) -> float:
    values = frames[~frames.isnan()]
    return float(values.square().mean().sqrt()) if len(values) else math.nan


def _pitch_and_embeddings(
    audio: Tensor, song: _Song, pieces: list[slice], *, scoring: ScoreConfig, sample_rate: int
) -> dict[str, np.ndarray]:
    audio = audio.cpu()[: len(song.target)]
    track = estimated_pitch(audio, pitch=scoring.pitch, sample_rate=sample_rate, hop_length=song.hop_length)
    truth = song.f0.numpy()
    errors = [pitch_errors(track[piece], truth[piece], floor=scoring.pitch.lowest)._asdict() for piece in pieces]
    embed = EMBEDDINGS[scoring.embedding]
    ours, theirs = (
        [embed(sound[song.samples(piece)], sample_rate=sample_rate) for piece in pieces]
        for sound in (audio, song.target)
    )
    return {
        **{name: np.array([float(error[name]) for error in errors]) for name in errors[0]},
        "embeddings": np.concatenate(ours),
        "reference_embeddings": np.concatenate(theirs),
        "embedding_piece": np.repeat(np.arange(len(pieces)), [len(one) for one in ours]),
    }


def summary(scores: dict[str, np.ndarray]) -> dict[str, float]:
    """Means over pieces and the Fréchet distance of all of them.

    Parameters
    ----------
    scores : dict of str to ndarray
        From `score`.

    Returns
    -------
    dict of str to float
        `PIECE_METRICS`, without the pieces that have none, and ``fad``; NaN where no piece has one.
    """
    found = {}
    for name in PIECE_METRICS:
        values = scores[name][np.isfinite(scores[name])]
        found[name] = float(values.mean()) if len(values) else math.nan
    enough = len(scores["embeddings"]) >= 2
    found["fad"] = frechet_distance(scores["embeddings"], scores["reference_embeddings"]) if enough else math.nan
    return found
