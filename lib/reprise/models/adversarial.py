"""Losses between a generator of audio and its discriminators: least squares, and distance of feature maps."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["discriminator_loss", "feature_matching_loss", "generator_loss"]


def discriminator_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    r"""Least-squares loss of discriminators.

    Parameters
    ----------
    real, fake : sequence of sequence of Tensor [shape=(batch, ...)]
        Feature maps of each discriminator for recordings and for generated audio; the last are the scores.

    Returns
    -------
    Tensor [shape=()]
        :math:`\sum_d \overline{(D_d(x) - 1)^2} + \overline{D_d(\hat x)^2}`.

    Notes
    -----
    Paper: Kong et al. 2020, equation 1; Yamamoto et al. 2020, equation 2. Notebook: 04_sawsing.ipynb.
    """
    pairs = zip(real, fake, strict=True)
    return torch.stack([(r[-1] - 1).square().mean() + f[-1].square().mean() for r, f in pairs]).sum()


def generator_loss(fake: Sequence[Sequence[Tensor]]) -> Tensor:
    r"""Least-squares loss of the generator.

    Parameters
    ----------
    fake : sequence of sequence of Tensor [shape=(batch, ...)]
        Feature maps of each discriminator for generated audio; the last are the scores.

    Returns
    -------
    Tensor [shape=()]
        :math:`\sum_d \overline{(D_d(\hat x) - 1)^2}`.

    Notes
    -----
    Paper: Kong et al. 2020, equation 2. Notebook: 04_sawsing.ipynb.
    """
    return torch.stack([(features[-1] - 1).square().mean() for features in fake]).sum()


def feature_matching_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    r"""Mean absolute difference of feature maps, added up over maps and discriminators.

    Parameters
    ----------
    real, fake : sequence of sequence of Tensor [shape=(batch, ...)]
        No gradient goes to those of ``real``. Scores, the last of each, do not count.

    Returns
    -------
    Tensor [shape=()]

    Notes
    -----
    Paper: Kong et al. 2020, equation 4 (weight 2, and 45 for the mel spectrogram). Notebook: 04_sawsing.ipynb.
    """
    distances = [
        functional.l1_loss(f, r.detach())
        for maps_real, maps_fake in zip(real, fake, strict=True)
        for r, f in zip(maps_real[:-1], maps_fake[:-1], strict=True)
    ]
    return torch.stack(distances).sum()
