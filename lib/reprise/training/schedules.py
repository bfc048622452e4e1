"""Learning-rate schedules: functions from the update's number to a factor of the learning rate."""

from collections.abc import Callable

__all__ = ["polynomial_decay"]


def polynomial_decay(
    *, updates: int, start: float, end: float, power: float = 0.7, warmup: float = 0.05
) -> Callable[[int], float]:
    r"""Linear warm-up from zero, then polynomial decay.

    Parameters
    ----------
    updates : int ≥ 1
        Length of the training, :math:`T`; later updates keep ``end``.
    start : float, > 0
        Learning rate after the warm-up, :math:`\eta_0`: the one that the optimiser is given.
    end : float, 0 ≤ end ≤ start
        Last learning rate, :math:`\eta_{end}`.
    power : float, > 0
        1 is a straight line.
    warmup : float, 0 ≤ warmup < 1
        Part of the training, rounded down to whole updates :math:`t_w`.

    Returns
    -------
    callable
        Update from 0 → factor of ``start``, for ``fit(schedule=...)`` or ``LambdaLR``.

    Raises
    ------
    ValueError
        If an argument is out of range; the message names it.

    Notes
    -----
    :math:`\eta_t = \eta_0 t / t_w` for :math:`t < t_w`, then
    :math:`\eta_{end} + (\eta_0 - \eta_{end}) (1 - \frac{t - t_w}{T - t_w})^{power}`. The first update has a rate of
    zero, as in the transformers library.
    Paper: Ferković and Smoljan 2023, chapter 4, Figure 4.1. Notebook: 05_irmas.ipynb.
    """
    if updates < 1:
        raise ValueError(f"updates must be at least 1, got {updates}")
    if not 0 <= end <= start or start <= 0:
        raise ValueError(f"learning rates need 0 ≤ end ≤ start and start > 0, got start={start} and end={end}")
    if power <= 0:
        raise ValueError(f"power must be positive, got {power}")
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup must lie in [0, 1), got {warmup}")
    rising = int(warmup * updates)
    last = end / start

    def factor(update: int) -> float:
        if update < rising:
            return update / rising
        remaining = max(0.0, 1.0 - (update - rising) / (updates - rising))
        return last + (1.0 - last) * remaining**power

    return factor
