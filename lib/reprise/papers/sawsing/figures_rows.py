"""How result figures look: colours of systems, names of axes, rows of points, and numbers far beyond all others."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reprise.papers.sawsing.systems import PAPER_SYSTEMS, split_condition

__all__ = [
    "AXES",
    "VOICES",
    "beyond",
    "colour_of",
    "in_short",
    "inside",
    "lie_down",
    "reach",
    "spans",
    "with_plain_numbers",
]

# metric → what an axis calls it
AXES = {
    "msstft": "MSSTFT",
    "msstft_amplitude": "MSSTFT (amplitude)",
    "msstft_delayed": "MSSTFT at the best lag",
    "msstft_gap": "MSSTFT, limited − regular",
    "mae_f0": "MAE-f0 (cents)",
    "mae_f0_floored": "MAE-f0, all frames (cents)",
    "vuv_error": "V/UV error (%)",
    "fad": "Fréchet distance",
    "fad_vggish": "FAD (VGGish)",
    "lag": "Lag (samples; below 0: early)",
    "phase_deviation": "Phase deviation (rad)",
    "buzz_voiced": "Harmonic over noise,\nvoiced (dB)",
    "buzz_unvoiced": "Harmonic over noise,\nunvoiced (dB)",
    "seconds_per_step": "Seconds per step",
    "mos": "Rating (1 to 5)",
}
VOICES = {"female": ("D", "f1"), "male": ("s", "m1")}
# so many times as far from 0 as most: a system that broke down must not squeeze all others
WIDEST = 4.0
MARGIN = 1.2


def colour_of(condition: str) -> str:
    """Colour of a condition, the same in every figure.

    Parameters
    ----------
    condition : str

    Returns
    -------
    str
        That of its system; grey for systems that the paper does not have.
    """
    system = split_condition(condition).system
    return f"C{PAPER_SYSTEMS.index(system)}" if system in PAPER_SYSTEMS else "0.55"


def with_plain_numbers(axis: Axis, *, steps: Iterable[float] = (1.0,)) -> None:
    """Numbers such as 0.01 and 20000 on a logarithmic axis: powers of ten are set like formulas, which takes long.

    Parameters
    ----------
    axis : Axis
        Already logarithmic.
    steps : iterable of float
        Multiples of the powers of ten that get a mark.
    """
    axis.set_major_locator(LogLocator(subs=tuple(steps)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1 else f"{value:,.0f}"))
    axis.set_minor_locator(NullLocator())


def in_short(value: float) -> str:
    """A number with three digits and a true minus.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    words = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return words.replace("-", "−")


def spans(frame: pd.DataFrame, value: str, *, low: str, high: str) -> np.ndarray:
    """Lengths of error bars below and above a column's values.

    Parameters
    ----------
    frame : DataFrame
    value, low, high : str
        Columns.

    Returns
    -------
    ndarray [shape=(2, n)]
        0 where an end is not known.
    """
    values = frame[[value, low, high]].to_numpy(dtype=float).T
    return np.nan_to_num(np.maximum([values[0] - values[1], values[2] - values[0]], 0))


def lie_down(ax: Axes) -> None:
    """Give the axes the grid of points that stand in rows.

    Parameters
    ----------
    ax : Axes
    """
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")


def reach(*columns: np.ndarray | pd.Series) -> tuple[float, float]:
    """Ends of an axis on which a few numbers are far away from all others.

    Parameters
    ----------
    *columns : array [shape=(n,)]
        All that is to be drawn on it; NaN where there is nothing.

    Returns
    -------
    low, high : float
        Infinite where nothing lies beyond.
    """
    values = np.concatenate([np.asarray(column, dtype=float) for column in columns])
    values = values[np.isfinite(values)]
    if not len(values):
        return -np.inf, np.inf
    limit = WIDEST * np.quantile(np.abs(values), 0.75)
    near = np.abs(values[np.abs(values) <= limit]).max(initial=0.0)
    if not near:
        return -np.inf, np.inf
    return (
        -MARGIN * near if values.min() < -limit else -np.inf,
        MARGIN * near if values.max() > limit else np.inf,
    )


def inside(values: np.ndarray | pd.Series, limits: tuple[float, float]) -> np.ndarray:
    """Values of a column within the limits.

    Parameters
    ----------
    values : array [shape=(n,)]
    limits : (float, float)
        From :func:`reach`.

    Returns
    -------
    ndarray [shape=(n,)]
        NaN where they lie beyond.
    """
    found = np.asarray(values, dtype=float)
    return np.where((found >= limits[0]) & (found <= limits[1]), found, np.nan)


def beyond(
    ax: Axes,
    columns: Iterable[np.ndarray | pd.Series],
    *,
    places: np.ndarray,
    limits: tuple[float, float],
    colour: str,
) -> None:
    """Mark what lies beyond the limits by a triangle at the edge with its number, and end the axis there.

    Parameters
    ----------
    ax : Axes
    columns : iterable of array [shape=(n,)]
        Numbers of each row.
    places : ndarray [shape=(n,)]
        Of the rows.
    limits : (float, float)
        From :func:`reach`.
    colour : str
    """
    table = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    for limit, sign, marker in ((limits[0], -1, "<"), (limits[1], 1, ">")):
        if not np.isfinite(limit):
            continue
        for place, values in zip(places, table, strict=True):
            words = [in_short(value) for value in values if sign * value > sign * limit]
            if words:
                ax.plot(limit, place, color=colour, marker=marker, linestyle="none", markersize=6, clip_on=False)
                ax.annotate(", ".join(words), (limit, place), xytext=(-6 * sign, 0), textcoords="offset points",
                            fontsize=8, color=colour, ha="right" if sign > 0 else "left", va="center")  # fmt: skip
        if sign > 0:
            ax.set_xlim(right=limit)
        else:
            ax.set_xlim(left=limit)
