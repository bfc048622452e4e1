"""Losses of the singing vocoders: spectra at several resolutions, pitch in two regimes, voicing."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.spectrogram import stft_magnitude

__all__ = ["f0_loss", "multi_scale_stft_loss", "voicing_loss"]

MIN_VOICED = 10
FLOOR_HZ = 1e-3


class _Formula(NamedTuple):
    sizes: tuple[int, ...]
    power: float
    epsilon: float


FORMULAS = {
    "power": _Formula((1024, 512, 256, 128), 2.0, 1e-7),
    "amplitude": _Formula((512, 1024, 2048), 1.0, 1e-8),
}


def multi_scale_stft_loss(
    prediction: Tensor,
    target: Tensor,
    *,
    formula: Literal["power", "amplitude"] = "power",
    sizes: Sequence[int] | None = None,
) -> Tensor:
    r"""Distance of two signals' spectra and of their logarithms, added up over window sizes.

    Parameters
    ----------
    prediction, target : Tensor [shape=(batch, time)]
        As long as half of the longest window, at least.
    formula : "power" or "amplitude"
        "power": the authors' code, power spectra, sizes 1024 to 128, :math:`\epsilon = 10^{-7}`. "amplitude": the
        follow-up's (GOLF), magnitudes, sizes 512 to 2048, :math:`\epsilon = 10^{-8}`. Same name, other scale.
    sizes : sequence of int or None, samples
        Instead of the formula's.

    Returns
    -------
    Tensor [shape=()]

    Raises
    ------
    ValueError
        If the shapes differ, the signals are too short or the formula is unknown.

    Notes
    -----
    :math:`\sum_n \overline{|S_n - \hat S_n|} + \overline{|\log_2 (S_n + \epsilon) - \log_2 (\hat S_n + \epsilon)|}`
    with periodic Hann windows of *n* samples every *n* / 4, centred, not normalised. Both terms depend on the level.
    Paper: Wu et al. 2022 and the authors' code; Yu and Fazekas 2023. Notebook: 04_sawsing.ipynb.
    """
    if formula not in FORMULAS:
        raise ValueError(f"formula={formula!r}; choose one of {', '.join(map(repr, FORMULAS))}")
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape; cut both to the "
            "same length"
        )
    chosen = FORMULAS[formula]
    total = prediction.new_zeros(())
    for size in chosen.sizes if sizes is None else sizes:
        ours, theirs = (
            stft_magnitude(y, n_fft=size, hop_length=size // 4, power=chosen.power, pad_mode="reflect")
            for y in (prediction, target)
        )
        log_ours, log_theirs = ((spectrum + chosen.epsilon).log2() for spectrum in (ours, theirs))
        total = total + functional.l1_loss(ours, theirs) + functional.l1_loss(log_ours, log_theirs)
    return total


def f0_loss(predicted: Tensor, target: Tensor, *, step: int, switch_step: int = 5000) -> Tensor:
    r"""Distance of logarithmic frequencies, over all frames before a step and over voiced frames from it on.

    Parameters
    ----------
    predicted : Tensor [shape=(batch, n_frames)], Hz, > 0
    target : Tensor [shape=(batch, n_frames)], Hz
        0 where unvoiced.
    step : int, ≥ 0
        Number of optimiser steps done.
    switch_step : int, ≥ 0
        0: voiced frames only, from the start.

    Returns
    -------
    Tensor [shape=()]
        0 if fewer than 10 frames are voiced, as in the authors' code.

    Raises
    ------
    ValueError
        If the shapes differ or a step is negative.

    Notes
    -----
    :math:`\overline{|\ln(f + 10^{-3}) - \ln(\hat f + 10^{-3})|}`. Before the switch every unvoiced frame adds at least
    :math:`\ln(80 / 10^{-3}) = 11.3`, so that the value says little about the pitch. The authors' code counts calls,
    validation included, and so switches after another number of steps on another machine.
    Paper: the code of Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """
    if predicted.shape != target.shape:
        raise ValueError(f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} frequencies do not fit")
    if step < 0 or switch_step < 0:
        raise ValueError(f"steps must not be negative, got step={step} and switch_step={switch_step}")
    voiced = target > 0
    enough = (voiced.sum() >= MIN_VOICED).to(predicted.dtype)
    distance = ((predicted + FLOOR_HZ).log() - (target.clamp(min=0) + FLOOR_HZ).log()).abs()
    if step < switch_step:
        return enough * distance.mean()
    return enough * (distance * voiced).sum() / voiced.sum().clamp(min=1)


def voicing_loss(voicing: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of a learned voicing gate.

    Parameters
    ----------
    voicing : Tensor [shape=(batch, n_frames)], in (0, 1)
    target : Tensor [shape=(batch, n_frames)], Hz
        Frequency labels, 0 where unvoiced.

    Returns
    -------
    Tensor [shape=()]

    Notes
    -----
    The follow-up's gate (Yu and Fazekas 2023); the paper has none. Notebook: 04_sawsing.ipynb.
    """
    with torch.autocast(device_type=voicing.device.type, enabled=False):
        return functional.binary_cross_entropy(voicing.clamp(1e-6, 1 - 1e-6), (target > 0).to(voicing.dtype))
