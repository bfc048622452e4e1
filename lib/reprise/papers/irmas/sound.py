"""What single clips sound like, in numbers: waveforms, spectra, spectrograms and descriptors behind the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.audio.descriptors import describe
from reprise.audio.features import mel_spectrogram, mfcc, power_to_db
from reprise.audio.spectrogram import stft_magnitude

if TYPE_CHECKING:
    from reprise.papers.irmas.corpus import Corpus

__all__ = ["Clip", "example_clips", "frame_spectrum", "level_summary", "mel_picture", "mfcc_steps", "polynomial_fits"]

N_FFT, HOP_LENGTH = 2048, 512


@dataclass(frozen=True)
class Clip:
    """One clip to look at.

    Attributes
    ----------
    name : str
        Its label.
    clip_id : str
    y : Tensor [shape=(time,)], in [−1, 1]
        On the CPU.
    sample_rate : int, Hz
    """

    name: str
    clip_id: str
    y: Tensor
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length, s."""
        return len(self.y) / self.sample_rate

    @cached_property
    def described(self) -> dict[str, np.ndarray]:
        """Descriptors by librosa's names, each [shape=(rows, n_frames)]; computed once, as many figures show them."""
        return {name: rows[0].numpy() for name, rows in describe(self.y[None], sample_rate=self.sample_rate).items()}

    def power(self) -> np.ndarray:
        """Power spectrogram [shape=(1025, n_frames)]."""
        return stft_magnitude(self.y[None], n_fft=N_FFT, hop_length=HOP_LENGTH, power=2.0)[0].numpy()


def example_clips(corpus: "Corpus", wanted: Sequence[str] = ("vio", "gel"), *, side: str = "train") -> list[Clip]:
    """One clip of each wanted instrument, the paper's violin and electric guitar by default.

    Parameters
    ----------
    corpus : Corpus
    wanted : sequence of str
        Codes; one that has no clip is replaced by another instrument.
    side : str
        Looked at first; then the others.

    Returns
    -------
    list of Clip
        In the order of ``wanted``: the clip of median level among those that have this label only.

    Raises
    ------
    ValueError
        If the corpus has fewer instruments than are wanted.
    """
    targets = corpus.targets.numpy() > 0
    single = targets.sum(axis=1) == 1
    sides = (corpus.table["split"] == side).to_numpy()
    found: dict[str, np.ndarray] = {}
    for index, code in enumerate(corpus.classes):
        rows = np.flatnonzero(targets[:, index] & single)
        found[code] = rows[sides[rows]] if sides[rows].any() else rows
    present = [code for code, rows in found.items() if len(rows)]
    if len(present) < len(wanted):
        raise ValueError(f"{len(wanted)} instruments are wanted, and only {', '.join(present)} have clips of their own")
    others = [code for code in present if code not in wanted]
    chosen = [code if code in present else others.pop(0) for code in wanted]
    return [_median_clip(corpus, code, found[code]) for code in chosen]


def _median_clip(corpus: "Corpus", code: str, rows: np.ndarray) -> Clip:
    bank = corpus.bank
    some = rows[:64]
    levels = bank.batch(some, length=int(bank.lengths[some].max()), device="cpu").square().mean(dim=1)
    row = int(some[int(levels.argsort()[len(some) // 2])])
    y = bank.batch([row], length=int(bank.lengths[row]), device="cpu")[0]
    return Clip(name=code, clip_id=str(bank.table["clip_id"][row]), y=y, sample_rate=bank.sample_rate)


def frame_spectrum(clip: Clip, *, at: float | None = None, n_fft: int = N_FFT) -> pd.DataFrame:
    """One frame and its discrete Fourier transform (Equation 2.1, Figure 2.2).

    Parameters
    ----------
    clip : Clip
    at : float or None, s
        Centre of the frame; by default where the clip is loudest.
    n_fft : int, samples

    Returns
    -------
    DataFrame [n_fft rows]
        ``time`` (s, from the clip's start), ``sample``, ``windowed`` (by a Hann window); ``frequency`` (Hz, below zero
        in the second half), ``magnitude`` and ``phase`` (rad) of the windowed frame.

    Raises
    ------
    ValueError
        If the clip is shorter than a frame.
    """
    if len(clip.y) < n_fft:
        raise ValueError(f"{clip.clip_id} has {len(clip.y)} samples; a frame needs {n_fft}")
    if at is None:
        level = clip.y.square().unfold(0, n_fft, HOP_LENGTH).sum(dim=1)
        first = int(level.argmax()) * HOP_LENGTH
    else:
        first = int(np.clip(round(at * clip.sample_rate) - n_fft // 2, 0, len(clip.y) - n_fft))
    frame = clip.y[first : first + n_fft].double()
    windowed = frame * torch.hann_window(n_fft, dtype=torch.float64)
    spectrum = torch.fft.fft(windowed)
    return pd.DataFrame(
        {
            "time": (first + np.arange(n_fft)) / clip.sample_rate,
            "sample": frame.numpy(),
            "windowed": windowed.numpy(),
            "frequency": np.fft.fftfreq(n_fft, 1 / clip.sample_rate),
            "magnitude": spectrum.abs().numpy(),
            "phase": spectrum.angle().numpy(),
        }
    )


def polynomial_fits(clip: Clip) -> pd.DataFrame:
    """Coefficients of polynomials of order 0, 1 and 2 fitted to each column of the spectrogram (Figure 2.3).

    Parameters
    ----------
    clip : Clip

    Returns
    -------
    DataFrame [one row per frame]
        ``time`` (s) and ``order_0_0``, ``order_1_0, order_1_1``, ``order_2_0 … order_2_2``: per order, the coefficient
        of each power of the frequency in Hz, by the power.
    """
    described = clip.described
    columns: dict[str, np.ndarray] = {}
    for order, name in enumerate(("poly_features_0", "poly_features", "poly_features_2")):
        highest_first = described[name]
        columns |= {f"order_{order}_{power}": highest_first[order - power] for power in range(order + 1)}
    time = np.arange(len(columns["order_0_0"])) * HOP_LENGTH / clip.sample_rate
    return pd.DataFrame({"time": time} | columns)


def mel_picture(y: Tensor, *, sample_rate: float, n_mels: int = 128) -> np.ndarray:
    """Mel spectrogram in dB below its maximum.

    Parameters
    ----------
    y : Tensor [shape=(time,)]
    sample_rate : float, Hz
    n_mels : int

    Returns
    -------
    ndarray [shape=(n_mels, n_frames)], −80 to 0 dB
    """
    mel = mel_spectrogram(y[None], sample_rate=sample_rate, n_mels=n_mels, n_fft=N_FFT, hop_length=HOP_LENGTH)
    return power_to_db(mel, ref="max")[0].numpy()


def mfcc_steps(clip: Clip, *, n_mfcc: int = 13) -> dict[str, np.ndarray]:
    """The way from the waveform to its MFCCs (Figure 2.5).

    Parameters
    ----------
    clip : Clip
    n_mfcc : int

    Returns
    -------
    dict of str to ndarray
        ``waveform`` [shape=(time,)], ``stft`` (dB) [shape=(1025, n_frames)], ``mel`` (power) and ``log_mel`` (dB)
        [shape=(128, n_frames)], ``mfcc`` [shape=(n_mfcc, n_frames)].
    """
    power = torch.from_numpy(clip.power())
    mel = mel_spectrogram(clip.y[None], sample_rate=clip.sample_rate)
    return {
        "waveform": clip.y.numpy(),
        "stft": power_to_db(power, ref="max").numpy(),
        "mel": mel[0].numpy(),
        "log_mel": power_to_db(mel)[0].numpy(),
        "mfcc": mfcc(clip.y[None], sample_rate=clip.sample_rate, n_mfcc=n_mfcc)[0].numpy(),
    }


def level_summary(pictures: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean and standard deviation over time of every row of some pictures: the numbers kept with a figure.

    Parameters
    ----------
    pictures : mapping of str to ndarray [shape=(rows, n_frames)]

    Returns
    -------
    DataFrame
        ``picture, row, mean, sd``.
    """
    parts = [
        pd.DataFrame({"picture": name, "row": range(len(one)), "mean": one.mean(axis=1), "sd": one.std(axis=1)})
        for name, one in pictures.items()
    ]
    return pd.concat(parts, ignore_index=True)
