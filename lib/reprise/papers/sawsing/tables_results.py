"""Tables of the results beside others' numbers: sizes and speeds, the follow-up, the buzz and its removal."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.sawsing.intervals import with_interval
from reprise.papers.sawsing.outcome import label_of
from reprise.report.draws import Draws
from reprise.report.reported import Reported

if TYPE_CHECKING:
    from reprise.papers.sawsing.settings import Settings

__all__ = ["buzz_table", "debuzz_table", "demo_table", "follow_up_table", "size_table"]


def size_table(reported: Reported, settings: "Settings", *, draws: Draws) -> pd.DataFrame:
    """Sizes and speeds of the systems.

    Parameters
    ----------
    reported : Reported
    settings : Settings
        Of this run, whose networks may be smaller than the published ones.
    draws : Draws
        With ``parameters/…`` at the published size, ``rtf/…`` where measured, and ``seconds_per_step`` where trained.

    Returns
    -------
    DataFrame
        ``system, label, published`` (parameters), ``parameters`` (ours at the published size), ``this_run, rtf``;
        ``seconds_per_step`` with ``_low`` and ``_high``.
    """
    from reprise.papers.sawsing.quantities import architecture_quantities

    here = architecture_quantities(settings)
    printed = reported.tables["parameters"].column("parameters")
    rows = []
    for name in settings.trained:
        rows.append(
            {
                "system": name,
                "label": label_of(name),
                "published": printed.get(name, np.nan),
                "parameters": draws.exact.get(f"parameters/{name}", np.nan),
                "this_run": here[f"parameters/{name}"],
                "rtf": draws.exact.get(f"rtf/{name}", np.nan),
                **with_interval(draws, name, metric="seconds_per_step", prefix="seconds_per_step"),
            }
        )
    return pd.DataFrame(rows)


def follow_up_table(reported: Reported, draws: Draws) -> pd.DataFrame:
    """Metrics of the follow-up's re-implementations, with ours by the same formulas.

    Parameters
    ----------
    reported : Reported
    draws : Draws

    Returns
    -------
    DataFrame
        Long: ``system, voice, metric, follow_up, follow_up_later, ours, ours_low, ours_high``. Ours is missing for
        systems that only the follow-up has, and for its Fréchet distance, whose embedding is another.
    """
    table = reported.tables["follow_up"]
    same = {"followup_ddsp": "ddsp_add", "followup_sawsing": "sawsing"}
    rows: list[dict[str, object]] = []
    for name, row in table.rows.items():
        system, _, voice = name.partition("/")
        for metric in ("msstft_amplitude", "mae_f0_floored", "fad_vggish"):
            found: dict[str, object] = {"system": row.label.partition(" of ")[0], "voice": voice, "metric": metric}
            found |= {"follow_up": row.values[metric], "follow_up_later": row.values[f"{metric}_later"]}
            rows.append(
                found | with_interval(draws, f"{same.get(system, system)}/{voice}", metric=metric, prefix="ours")
            )
    return pd.DataFrame(rows)


def demo_table(reported: Reported, draws: Draws) -> pd.DataFrame:
    """Metrics of the published test audio, with those of all our singers together.

    Parameters
    ----------
    reported : Reported
    draws : Draws

    Returns
    -------
    DataFrame
        Long, 14 conditions × 4 metrics: ``condition, label, metric, ours, ours_low, ours_high, demo_female,
        demo_male``. For singers whose voice is not known this is the only comparison.
    """
    table = reported.tables["demo_audio"]
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys(row.partition("/")[0] for row in table.rows):
        for metric in table.columns:
            found: dict[str, object] = {"condition": name, "label": label_of(name), "metric": metric}
            found |= with_interval(draws, name, metric=metric, prefix="ours")
            demo = {f"demo_{voice}": table.rows[f"{name}/{voice}"].values[metric] for voice in ("female", "male")}
            rows.append(found | demo)
    return pd.DataFrame(rows)


def debuzz_table(reported: Reported, draws: Draws) -> pd.DataFrame:
    """What silencing the buzz does to MSSTFT, on the demo page and here.

    Parameters
    ----------
    reported : Reported
    draws : Draws

    Returns
    -------
    DataFrame
        ``condition, label``; ``demo_before, demo_after, demo_cost``; ``before, after, cost, cost_low, cost_high``, NaN
        where it was not run. The page's audio is louder than ours, so that only the costs are to be compared.
    """
    rows = []
    for name, row in reported.tables["debuzzed_audio"].rows.items():
        before, after = (row.values[key] or np.nan for key in ("msstft_page", "msstft_page_debuzzed"))
        found: dict[str, object] = {"condition": name, "label": label_of(name)}
        found |= {"demo_before": before, "demo_after": after, "demo_cost": after - before}
        changed = name.replace("sawsing", "sawsing_debuzz", 1)
        known = draws.has(name, "msstft") and draws.has(changed, "msstft")
        values = [draws.value(one, "msstft") if known else np.nan for one in (name, changed)]
        cost = draws.difference(changed, name, "msstft") if known else (np.nan,) * 3
        rows.append(
            found | dict(zip(("before", "after", "cost", "cost_low", "cost_high"), (*values, *cost), strict=True))
        )
    return pd.DataFrame(rows)


def buzz_table(reported: Reported, draws: Draws) -> pd.DataFrame:
    """Energy of the harmonic branch over that of the noise branch (Figure 4), here and of the released checkpoints.

    Parameters
    ----------
    reported : Reported
    draws : Draws

    Returns
    -------
    DataFrame
        One row per system of the regular scenario with two branches: ``system, label``; ``voiced, unvoiced, median``
        (of unvoiced frames), each with ``_low`` and ``_high``, in dB; ``released_voiced, released_unvoiced`` (means of
        the three published songs).
    """
    published = reported.tables["buzz"]
    rows = []
    for name in dict.fromkeys(["sawsing", "ddsp_add", *(name for name in draws.conditions if "/" not in name)]):
        if ">" in name or not (draws.has(name, "buzz_unvoiced") or name in ("sawsing", "ddsp_add")):
            continue
        row: dict[str, object] = {"system": name, "label": label_of(name)}
        metrics = {"voiced": "buzz_voiced", "unvoiced": "buzz_unvoiced", "median": "median_buzz_unvoiced"}
        for prefix, metric in metrics.items():
            row |= with_interval(draws, name, metric=metric, prefix=prefix)
        for part in ("voiced", "unvoiced"):
            values = [value for key, value in published.column(f"buzz_{part}").items() if key.startswith(f"{name}@")]
            row[f"released_{part}"] = np.mean(values) if values else np.nan
        rows.append(row)
    return pd.DataFrame(rows)
