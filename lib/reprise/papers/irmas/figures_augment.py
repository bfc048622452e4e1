"""What the augmentations do to one clip: noise, pitch, time, masks (Figures 3.1 to 3.6)."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from reprise.audio.augment import add_noise, mask_spectrogram, pitch_shift
from reprise.audio.features import mel_spectrogram, power_to_db
from reprise.papers.irmas.figures_features import show_picture
from reprise.papers.irmas.sound import HOP_LENGTH, N_FFT, Clip
from reprise.seeds import torch_generator

__all__ = ["MASKS", "change_sound", "mask_examples", "masked_share", "plot_changes", "plot_masks"]

# figure → masks over frequency and over time
MASKS = {"figure_3_4": (2, 0), "figure_3_5": (0, 2), "figure_3_6": (2, 2)}
_TRIES = 100


def change_sound(
    clip: Clip,
    *,
    seed: int = 0,
    noise: float = 0.1,
    semitones: float = 6.0,
    shift: float = 0.4,
    mean: float = 0.0,
    std: float | None = None,
) -> dict[str, Tensor]:
    """A clip after each of the three augmentations of sound, at the strengths of the paper's pictures.

    Parameters
    ----------
    clip : Clip
    seed : int
        Of the noise.
    noise : float
        Scale of the noise; 0.005 in training.
    semitones : float
    shift : float, −1 to 1
        Part of the length by which the sound moves to later times; what leaves at the end comes in at the beginning.
    mean, std : float
        Of the noise before it is scaled: those of the training clips' samples; ``std`` is the clip's by default.

    Returns
    -------
    dict of str to Tensor [shape=(time,)]
        ``figure_3_1`` (noise), ``figure_3_2`` (pitch), ``figure_3_3`` (time).

    Notes
    -----
    The paper's text moves the beginning to the left where it speaks of a shift forwards; as the range is symmetric, it
    does not matter in training.
    Paper: Ferković and Smoljan 2023, section 3.4.1, Figures 3.1 to 3.3. Notebook: 05_irmas.ipynb.
    """
    generator = torch_generator(seed, "noise of Figure 3.1")
    std = float(clip.y.std()) if std is None else std
    return {
        "figure_3_1": add_noise(clip.y[None], generator=generator, mean=mean, std=std, amount=noise)[0],
        "figure_3_2": pitch_shift(clip.y[None], semitones)[0],
        "figure_3_3": clip.y.roll(int(shift * len(clip.y))),
    }


def _decibels(power: Tensor) -> np.ndarray:
    return power_to_db(power, ref="max").numpy()


def _mel_power(y: Tensor, *, sample_rate: float, n_mels: int) -> Tensor:
    return mel_spectrogram(y[None], sample_rate=sample_rate, n_mels=n_mels, n_fft=N_FFT, hop_length=HOP_LENGTH)[0]


def plot_changes(clip: Clip, changed: Tensor, *, title: str, n_mels: int = 128) -> Figure:
    """Waveform and mel spectrogram of a clip before and after a change.

    Parameters
    ----------
    clip : Clip
    changed : Tensor [shape=(time,)]
    title : str
        What was done to it.
    n_mels : int

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(2, 2, figsize=(10.0, 5.2), sharex=True, sharey="row", height_ratios=[1.0, 1.4])
    for column, y, name in zip(axes.T, (clip.y, changed), (f"{clip.name}: original", title), strict=True):
        time = np.arange(len(y)) / clip.sample_rate
        column[0].plot(time, y, linewidth=0.4)
        column[0].set_title(name)
        picture = _decibels(_mel_power(y, sample_rate=clip.sample_rate, n_mels=n_mels))
        shown = show_picture(column[1], picture, seconds=clip.seconds, vmin=-80, vmax=0)
        column[1].set_xlabel("Time (s)")
    axes[0, 0].set_ylabel("Amplitude")
    axes[1, 0].set_ylabel("Mel band")
    figure.colorbar(shown, ax=axes[1], label="dB below the peak")
    return figure


def mask_examples(clip: Clip, *, seed: int = 0, n_mels: int = 256, limit: float = 0.1) -> dict[str, np.ndarray]:
    """A clip's mel spectrogram without masks and with those of Figures 3.4 to 3.6.

    Parameters
    ----------
    clip : Clip
    seed : int
        Masks of little width can be drawn; the first seed from this one on is taken that masks at least half of what
        is possible on average, so that there is something to see.
    n_mels : int
    limit : float, 0 to 1
        Largest mask, as part of its axis.

    Returns
    -------
    dict of str to ndarray [shape=(n_mels, n_frames)], dB
        ``original`` and the keys of ``MASKS``.

    Notes
    -----
    The power is masked by its mean, before the logarithm, as in training.
    Paper: Ferković and Smoljan 2023, section 3.4.2. Notebook: 05_irmas.ipynb.
    """
    power = _mel_power(clip.y, sample_rate=clip.sample_rate, n_mels=n_mels)
    pictures = {"original": _decibels(power)}
    for name, (n_freq, n_time) in MASKS.items():
        enough = 0.75 * limit * (n_freq + n_time) / 2 if limit else 0.0
        for attempt in range(seed, seed + _TRIES):
            generator = torch.Generator().manual_seed(attempt)
            masked = mask_spectrogram(power, generator=generator, n_freq=n_freq, n_time=n_time, limit=limit)
            if float((masked != power).float().mean()) >= enough:
                break
        pictures[name] = _decibels(masked)
    return pictures


def masked_share(*, number: int, limit: float, size: int = 256, n: int = 20_000, seed: int = 0) -> float:
    """Part of an axis that masks cover on average, by trying.

    Parameters
    ----------
    number : int
        Masks on the axis; they may overlap.
    limit : float, 0 to 1
        Largest mask, as part of the axis.
    size : int
        Length of the axis.
    n : int
        Trials.
    seed : int

    Returns
    -------
    float in [0, 1]

    Notes
    -----
    The paper says 10 % for two masks of up to 10 %; where they overlap, it is a little less.
    """
    generator = torch.Generator().manual_seed(seed)
    # no point equals the mean that masks put in its place
    ramp = torch.arange(size, dtype=torch.float64).square().expand(n, size)[..., None]
    masked = mask_spectrogram(ramp, generator=generator, n_freq=number, n_time=0, limit=limit)
    return float((masked != ramp).double().mean())


def plot_masks(pictures: Mapping[str, np.ndarray], *, figure: str, seconds: float) -> Figure:
    """A mel spectrogram without and with masks.

    Parameters
    ----------
    pictures : mapping of str to ndarray
        From :func:`mask_examples`.
    figure : str
        Key of ``MASKS``.
    seconds : float, s

    Returns
    -------
    Figure
    """
    n_freq, n_time = MASKS[figure]
    words = [f"{n} {name} masks" for n, name in ((n_freq, "frequency"), (n_time, "time")) if n]
    drawn, axes = plt.subplots(1, 2, figsize=(10.0, 3.6), sharey=True)
    pairs = (("original", "original"), (figure, " and ".join(words)))
    for ax, (name, title) in zip(axes, pairs, strict=True):
        shown = show_picture(ax, pictures[name], seconds=seconds, vmin=-80, vmax=0)
        ax.set_title(title)
        ax.set_xlabel("Time (s)")
    axes[0].set_ylabel("Mel band")
    drawn.colorbar(shown, ax=axes, label="dB below the peak")
    return drawn
