"""Scores of a clip from the probabilities of its windows."""

import torch
from torch import Tensor

__all__ = ["aggregate_s1", "aggregate_s2"]


def aggregate_s1(probabilities: Tensor, clips: Tensor) -> Tensor:
    r"""Mean probability of each class over a clip's windows.

    Parameters
    ----------
    probabilities : Tensor [shape=(n_windows, n_classes)], 0 to 1
    clips : Tensor of int64 [shape=(n_windows,)], ≥ 0
        Clip that each window belongs to, from 0, in any order; none may be left out.

    Returns
    -------
    Tensor [shape=(n_clips, n_classes)], 0 to 1
        May lie below a threshold for every class.

    Raises
    ------
    ValueError
        If the shapes do not match or a clip has no window.

    Notes
    -----
    :math:`\bar p_c = \frac{1}{W}\sum_w p_{w,c}`.
    Paper: Ferković and Smoljan 2023, section 4.7; Han et al. 2017. Notebook: 05_irmas.ipynb.
    """
    sums, counts = _sums(probabilities, clips)
    return (sums / counts[:, None]).to(probabilities.dtype)


def aggregate_s2(probabilities: Tensor, clips: Tensor) -> Tensor:
    r"""Summed probability of each class relative to the clip's strongest class.

    Parameters
    ----------
    probabilities : Tensor [shape=(n_windows, n_classes)], 0 to 1
    clips : Tensor of int64 [shape=(n_windows,)], ≥ 0
        Clip that each window belongs to, from 0, in any order; none may be left out.

    Returns
    -------
    Tensor [shape=(n_clips, n_classes)], 0 to 1
        The strongest class has exactly 1, so that one class at least passes the paper's threshold of 0.5. A clip
        whose probabilities are all zero keeps zeros.

    Raises
    ------
    ValueError
        If the shapes do not match or a clip has no window.

    Notes
    -----
    :math:`s_c = \sum_w p_{w,c} \big/ \max_{c'} \sum_w p_{w,c'}`.
    Paper: Ferković and Smoljan 2023, section 4.7; Han et al. 2017. Notebook: 05_irmas.ipynb.
    """
    sums, _ = _sums(probabilities, clips)
    strongest = sums.amax(dim=1, keepdim=True)
    return (sums / torch.where(strongest > 0, strongest, 1.0)).to(probabilities.dtype)


def _sums(probabilities: Tensor, clips: Tensor) -> tuple[Tensor, Tensor]:
    """Sum per clip and number of windows per clip, in double precision."""
    if probabilities.ndim != 2 or clips.shape != probabilities.shape[:1]:
        raise ValueError(
            "probabilities need shape (n_windows, n_classes) and clips (n_windows,), "
            f"got {tuple(probabilities.shape)} and {tuple(clips.shape)}"
        )
    if not len(clips):
        return probabilities.double(), probabilities.new_zeros(0, dtype=torch.float64)
    if int(clips.min()) < 0:
        raise ValueError(f"clips are counted from 0, got {int(clips.min())}")
    counts = torch.bincount(clips)
    if not bool(counts.all()):
        raise ValueError(f"clip {int((counts == 0).nonzero()[0])} has no window; number the clips without gaps")
    # one row of a table per clip: atomic additions on a GPU would come in another order each time
    order = clips.argsort(stable=True)
    place = torch.arange(len(clips), device=clips.device) - (counts.cumsum(dim=0) - counts)[clips[order]]
    windows = probabilities.new_zeros(len(counts), int(counts.max()), probabilities.shape[1], dtype=torch.float64)
    windows[clips[order], place] = probabilities.double()[order]
    return windows.sum(dim=1), counts
