"""One style for all figures, and files that are the same each time: PNG, SVG and the numbers drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reprise.files import atomic_path, write_text
from reprise.report.draws import Draws
from reprise.report.schema import Figure as ReportedFigure

__all__ = ["STYLE", "figure_frame", "plot_series", "save_figure", "style"]

STYLE = Path(__file__).with_name("style.mplstyle")
PNG_DPI = 150
PAPER: dict[str, Any] = {
    "linestyle": "none",
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style inside the block; what was set before comes back after it."""
    with plt.style.context(STYLE):
        yield


def save_figure(figure: Figure, folder: Path, name: str, *, data: pd.DataFrame, caption: str = "") -> dict[str, Path]:
    """Write a figure and the numbers it shows.

    Parameters
    ----------
    figure : Figure
    folder : Path
    name : str
        File name without suffix, for example ``figure_3``.
    data : DataFrame
        What was drawn.
    caption : str
        Description stored in both pictures.

    Returns
    -------
    dict of str to Path
        ``png`` (150 dpi), ``svg``, ``csv``; the same bytes each time for the same figure.
    """
    paths = {suffix: Path(folder) / f"{name}.{suffix}" for suffix in ("png", "svg", "csv")}
    canvas, dpi = figure.canvas, figure.dpi
    with mpl.rc_context({"svg.hashsalt": "reprise", "svg.fonttype": "path"}):
        # once for both formats: a layout costs as much as drawing, and so does the second pass of Figure.savefig
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        try:
            figure.set_dpi(PNG_DPI)
            with atomic_path(paths["png"]) as temporary:
                # this level is a tenth larger, and written in a third of the time
                FigureCanvasAgg(figure).print_png(
                    temporary, metadata={"Description": caption, "Software": None}, pil_kwargs={"compress_level": 2}
                )
            with atomic_path(paths["svg"]) as temporary:
                FigureCanvasSVG(figure).print_svg(temporary, metadata={"Description": caption, "Date": None})
        finally:
            figure.set_dpi(dpi)
            figure.set_canvas(canvas)
    write_text(paths["csv"], data.to_csv(index=not isinstance(data.index, pd.RangeIndex), lineterminator="\n"))
    return paths


def figure_frame(figure: ReportedFigure, draws: Draws) -> pd.DataFrame:
    """Our points beside the published ones.

    Parameters
    ----------
    figure : Figure of ``reported.yaml``
    draws : Draws
        Conditions named ``series@x``.

    Returns
    -------
    DataFrame
        ``series, label, x, condition, ours, low, high, n, paper, difference``; NaN for points that were not run.
    """
    if figure.x is None or figure.y is None:
        raise ValueError(f"figure {figure.id!r} has no published points")
    metric, rows = figure.y.metric, []
    for point in figure.points():
        ran = draws.has(point.condition, metric)
        low, high = draws.interval(point.condition, metric) if ran else (float("nan"), float("nan"))
        rows.append(
            {
                "series": point.series,
                "label": figure.series[point.series].label,
                "x": point.x,
                "condition": point.condition,
                "ours": draws.value(point.condition, metric) if ran else float("nan"),
                "low": low,
                "high": high,
                "n": draws.n(point.condition, metric) if ran else None,
                "paper": point.value,
            }
        )
    frame = pd.DataFrame(rows).astype({"n": "Int64", "paper": float})
    return frame.assign(difference=frame["ours"] - frame["paper"])


def plot_series(figure: ReportedFigure, frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw ours with 95 % intervals as filled points on lines, the paper's as open diamonds on dashed lines.

    Parameters
    ----------
    figure : Figure of ``reported.yaml``
    frame : DataFrame
        From :func:`figure_frame`.
    ax : Axes or None
        A new figure's by default.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the paper's figure holds no numbers.
    """
    if figure.x is None or figure.y is None:
        raise ValueError(f"figure {figure.id!r} has no published points")
    ax = ax or plt.subplots()[1]
    numeric = all(isinstance(x, float | int) for x in figure.x.values)
    places = {x: float(x) if numeric else float(index) for index, x in enumerate(figure.x.values)}
    step = min((abs(a - b) for a in places.values() for b in places.values() if a != b), default=1.0)
    n_series = len(figure.series)
    handles: list[Any] = []
    for index, (name, rows) in enumerate(frame.groupby("series", sort=False)):
        colour = f"C{index}"
        # neighbours are moved apart a little, or their intervals would cover each other
        x = rows["x"].map(places) + step * 0.06 * (index - (n_series - 1) / 2)
        ours = rows["ours"].to_numpy()
        errors = [(ours - rows["low"]).clip(lower=0).fillna(0), (rows["high"] - ours).clip(lower=0).fillna(0)]
        joined = "-" if numeric else "none"
        label = figure.series[str(name)].label
        handles.append(ax.errorbar(x, ours, yerr=errors, color=colour, marker="o", linestyle=joined, label=label))
        dashes = "--" if numeric else "none"
        ax.plot(x, rows["paper"], **{**PAPER, "color": colour, "linestyle": dashes, "linewidth": 1.0, "alpha": 0.75})
    handles.append(ax.plot([], [], **PAPER, color="0.35", label="paper")[0])
    ax.set_xticks(list(places.values()), [f"{x:g}" if numeric else str(x) for x in places])
    ax.set_xlabel(figure.x.label)
    ax.set_ylabel(figure.y.label)
    ax.legend(handles=handles, ncols=2)
    return ax
