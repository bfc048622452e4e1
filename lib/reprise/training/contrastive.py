"""Contrastive learning of pairs: NT-Xent, as one device or several would have computed it, and a step for the loop."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ContrastiveModel", "chance_loss", "contrastive_step", "nt_xent", "pair_accuracy"]


def _similarities(z_a: Tensor, z_b: Tensor, groups: int) -> Tensor:
    """Cosines of all pairs in each group, −∞ of an item with itself [shape=(groups, 2 n, 2 n)]."""
    if z_a.ndim != 2 or z_a.shape != z_b.shape:
        raise ValueError(
            f"both views need the same shape (batch, features), got {tuple(z_a.shape)} and {tuple(z_b.shape)}"
        )
    n = len(z_a)
    if groups < 1 or n % groups or n // groups < 2:
        raise ValueError(
            f"a batch of {n} clips cannot be split into {groups} equal groups of at least 2 clips; change batch_size "
            "or groups"
        )
    # half precision would round the cosines to three digits, and the loss is cheap
    vectors = torch.cat((z_a.float().view(groups, n // groups, -1), z_b.float().view(groups, n // groups, -1)), dim=1)
    unit = F.normalize(vectors, dim=2)
    itself = torch.eye(2 * n // groups, dtype=torch.bool, device=z_a.device)
    return (unit @ unit.transpose(1, 2)).masked_fill(itself, -torch.inf)


def _partners(n: int, device: torch.device) -> Tensor:
    """Position of each item's other view in its group."""
    return torch.arange(2 * n, device=device).roll(n)


def nt_xent(z_a: Tensor, z_b: Tensor, *, temperature: float = 0.5, groups: int = 1) -> Tensor:
    r"""Normalised, temperature-scaled cross entropy of two views of each clip.

    Parameters
    ----------
    z_a, z_b : Tensor [shape=(batch, features)]
        Projections of the views: row i of both belongs to clip i.
    temperature : float, > 0
    groups : int ≥ 1
        Parts of the batch that do not see each other: 1 for the whole batch; 2 as when two GPUs each compute the loss
        of their half, which leaves 94 negatives of the 190 that 96 clips have.

    Returns
    -------
    Tensor [shape=()]
        Mean over both views of all clips, ≥ 0, float32.

    Raises
    ------
    ValueError
        If shapes do not match, the temperature is not positive or the batch does not split evenly.

    Notes
    -----
    :math:`\ell_i = -\log\frac{\exp(s_{i,i^+} / \tau)}{\sum_{k \ne i} \exp(s_{i,k} / \tau)}` with the cosine
    :math:`s`, over all views of all clips of the group. About :math:`\ln(2 n - 1)` for unrelated vectors.
    Paper: Chen et al. 2020; Spijkervet and Burgoyne 2021; Vélez Vásquez and Burgoyne 2022, section 4.1, which does
    not say what two GPUs do with a batch of 96. Notebook: 03_tune.ipynb.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    with torch.autocast(z_a.device.type, enabled=False):
        scores = _similarities(z_a, z_b, groups) / temperature
        partner = _partners(scores.shape[1] // 2, z_a.device).expand(groups, -1)
        return F.cross_entropy(scores.flatten(0, 1), partner.flatten())


def pair_accuracy(z_a: Tensor, z_b: Tensor, *, groups: int = 1) -> Tensor:
    """Share of views whose nearest neighbour is the other view of their clip.

    Parameters
    ----------
    z_a, z_b : Tensor [shape=(batch, features)]
    groups : int ≥ 1
        See :func:`nt_xent`.

    Returns
    -------
    Tensor [shape=()], 0 to 1
        By chance 1 / (2 n − 1) with n clips in a group.

    Raises
    ------
    ValueError
        As :func:`nt_xent`.

    Notes
    -----
    Notebook: 03_tune.ipynb.
    """
    with torch.no_grad(), torch.autocast(z_a.device.type, enabled=False):
        nearest = _similarities(z_a, z_b, groups).argmax(dim=2)
        return (nearest == _partners(nearest.shape[1] // 2, z_a.device)).float().mean()


def chance_loss(n: int) -> float:
    """Loss of vectors that have nothing to do with each other.

    Parameters
    ----------
    n : int ≥ 1
        Clips that see each other: batch / groups.

    Returns
    -------
    float
        ln(2 n − 1), which is 5.252 for 96 clips; random vectors of few features lie a little above.
    """
    return math.log(2 * n - 1)


class ContrastiveModel(nn.Module):
    """Encoder and projector, which learn together.

    Parameters
    ----------
    encoder : Module
        Waveforms [shape=(batch, time)] → vectors [shape=(batch, representation)].
    projector : Module
        Used for the loss alone.

    Notes
    -----
    ``forward`` gives projections, Tensor [shape=(batch, features)]. The representation to keep is ``encoder``'s.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.encoder, self.projector = encoder, projector

    def forward(self, audio: Tensor) -> Tensor:
        """Projections of waveforms."""
        return self.projector(self.encoder(audio))


def contrastive_step(
    *, temperature: float = 0.5, groups: int = 1, split_norms: bool = True
) -> Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor]:
    """Loss of a batch of pairs, for ``reprise.training.loop.fit(loss_fn=...)``.

    Parameters
    ----------
    temperature : float, > 0
    groups : int ≥ 1
        See :func:`nt_xent`.
    split_norms : bool
        Let each group go through the network by itself, so that batch norm also sees one group only, as on several
        GPUs without synchronisation; False: synchronised norms.

    Returns
    -------
    callable
        (model, (view_a, view_b)) → loss. The views, Tensor [shape=(batch, time)], go through the network one after
        the other, as in the published code: batch norm sees one view at a time.

    Raises
    ------
    ValueError
        By the callable: as :func:`nt_xent`.

    Notes
    -----
    The running statistics see the groups one after another, where DataParallel keeps those of the first GPU only.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """

    def project(model: nn.Module, view: Tensor) -> Tensor:
        parts = view.chunk(groups) if split_norms else (view,)
        return torch.cat([model(part) for part in parts])

    def loss(model: nn.Module, views: tuple[Tensor, Tensor]) -> Tensor:
        first, second = views
        if len(first) % groups:
            raise ValueError(f"a batch of {len(first)} clips cannot be split into {groups} equal groups")
        z_a, z_b = project(model, first), project(model, second)
        return nt_xent(z_a, z_b, temperature=temperature, groups=groups)

    return loss
