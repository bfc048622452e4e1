"""Whether metrics agree with listeners."""

import numpy as np
import pandas as pd
from scipy import stats

from reprise.papers.sawsing.outcome import GROUND_TRUTH, label_of
from reprise.report.draws import Draws
from reprise.report.reported import Reported

__all__ = ["metric_agreement"]

# metrics that a listener might agree with; low is good
JUDGED = (
    "msstft",
    "msstft_amplitude",
    "mae_f0",
    "mae_f0_floored",
    "vuv_error",
    "fad",
    "phase_deviation",
    "buzz_unvoiced",
)


def metric_agreement(draws: Draws, reported: Reported) -> pd.DataFrame:
    """Whether metrics put systems into the order that listeners put them into.

    Parameters
    ----------
    draws : Draws
        With ``mos`` where there was a listening test.
    reported : Reported
        With ``follow_up`` and ``follow_up_listening``.

    Returns
    -------
    DataFrame
        ``ratings`` (whose: "follow-up" or "here"), ``voice, metric, n`` (systems), ``rho`` (Spearman's, between the
        metric with its sign turned and the ratings: 1 where the metric orders as listeners do), ``best_by_metric,
        best_by_ears``.

    Notes
    -----
    Of four systems only the order 1 2 3 4 gives 1; by chance that is 1 of 24.
    """
    rows = []
    ratings = reported.tables["follow_up_listening"].column("mos")
    for metric in ("msstft_amplitude", "mae_f0_floored", "fad_vggish"):
        values = reported.tables["follow_up"].column(metric)
        for voice in ("female", "male"):
            names = [name for name in values if name in ratings and name.endswith(f"/{voice}")]
            labels = {name: reported.tables["follow_up"].rows[name].label.split(" of ")[0] for name in names}
            rows += _agreement(
                "follow-up", voice, metric, {labels[name]: (values[name], ratings[name]) for name in names}
            )
    rated = [name for name in draws.conditions if draws.has(name, "mos") and name != GROUND_TRUTH]
    for metric in JUDGED:
        known = {label_of(name): name for name in rated if draws.has(name, metric)}
        both = {label: (draws.value(name, metric), draws.value(name, "mos")) for label, name in known.items()}
        rows += _agreement("here", "all", metric, both)
    return pd.DataFrame(rows, columns=["ratings", "voice", "metric", "n", "rho", "best_by_metric", "best_by_ears"])


def _agreement(
    whose: str, voice: str, metric: str, systems: dict[str, tuple[float, float]]
) -> list[tuple[str, str, str, int, float, str, str]]:
    """One row, or none where fewer than three systems can be ordered."""
    if len(systems) < 3:
        return []
    values, ratings = np.array(list(systems.values())).T
    varied = np.ptp(values) > 0 and np.ptp(ratings) > 0
    rho = float(stats.spearmanr(-values, ratings).statistic) if varied else np.nan
    names = list(systems)
    best = names[int(values.argmin())], names[int(ratings.argmax())]
    return [(whose, voice, metric, len(names), rho, *best)]
