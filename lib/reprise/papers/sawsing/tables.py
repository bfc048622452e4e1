"""Tables of the data and the training: songs, the few recordings, the authors' log; and others' numbers as they are."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reprise.papers.sawsing.comparisons import convergence
from reprise.papers.sawsing.outcome import Outcome
from reprise.report.reported import Reported
from reprise.report.schema import Table

if TYPE_CHECKING:
    from reprise.papers.sawsing.corpus import Collection

__all__ = [
    "limited_choices",
    "log_table",
    "published_table",
    "song_table",
    "test_song_table",
]

SIDES = ("train", "valid", "test")
# of the steps in the log, by which a validation of ours may be away from it
STEP_TOLERANCE = 0.1


def published_table(table: Table) -> pd.DataFrame:
    """A table of others' numbers as they are, for results that this suite does not make.

    Parameters
    ----------
    table : Table

    Returns
    -------
    DataFrame [indexed by the rows' labels]
        One column per column of the table, NaN where nothing is published; ``note`` where there is one.
    """
    names = {key: measure.label for key, measure in table.columns.items()}
    rows = [{names[key]: value for key, value in row.values.items()} for row in table.rows.values()]
    frame = pd.DataFrame(rows, index=pd.Index([row.label for row in table.rows.values()], name=table.title)).astype(
        float
    )
    notes = [row.note for row in table.rows.values()]
    return frame.assign(note=notes) if any(notes) else frame


def song_table(collection: "Collection") -> pd.DataFrame:
    """What there is to train and to test on.

    Parameters
    ----------
    collection : Collection

    Returns
    -------
    DataFrame
        One row per singer and side: ``singer, voice, side, songs, recordings, minutes, shortest, longest`` (s),
        ``voiced`` (share of the frames), ``labels`` (estimator, or "known").
    """
    rows = []
    for singer, songs in collection.singers.items():
        for side in SIDES:
            own = songs.rows(side)
            seconds = songs.bank.lengths[own] / songs.bank.sample_rate
            tracks = [songs.f0(row).numpy() > 0 for row in own.tolist()]
            estimators = sorted(set(songs.labels.files["estimator"].reindex(songs.table["path"].iloc[own]).dropna()))
            rows.append(
                {
                    "singer": singer,
                    "voice": songs.voice or "not known",
                    "side": side,
                    "songs": songs.table["group"].iloc[own].nunique(),
                    "recordings": len(own),
                    "minutes": seconds.sum() / 60,
                    "shortest": seconds.min() if len(own) else np.nan,
                    "longest": seconds.max() if len(own) else np.nan,
                    "voiced": np.concatenate(tracks).mean() if tracks else np.nan,
                    "labels": ", ".join(estimators),
                }
            )
    return pd.DataFrame(rows)


def test_song_table(reported: Reported, collection: "Collection") -> pd.DataFrame:
    """Test songs of this run, and the paper's.

    Parameters
    ----------
    reported : Reported
    collection : Collection

    Returns
    -------
    DataFrame
        ``source`` ("this run" or "demo page"), ``singer, song, seconds``.
    """
    rows = []
    for singer, songs in collection.singers.items():
        for row in songs.rows("test").tolist():
            rows.append(("this run", singer, songs.name(row), songs.bank.lengths[row] / songs.bank.sample_rate))
    for name, seconds in reported.tables["test_songs"].column("seconds").items():
        singer, _, song = name.partition("_")
        rows.append(("demo page", singer, song, seconds))
    return pd.DataFrame(rows, columns=["source", "singer", "song", "seconds"])


def limited_choices(collection: "Collection", *, seeds: Iterable[int], n_songs: int) -> pd.DataFrame:
    """Which recordings are all that the limited scenario has.

    Parameters
    ----------
    collection : Collection
    seeds : iterable of int
    n_songs : int

    Returns
    -------
    DataFrame
        ``seed, singer, recordings`` (names), ``minutes``.
    """
    rows = []
    for seed in seeds:
        for singer, songs in collection.singers.items():
            own = songs.limited_rows(seed, n_songs)
            names = ", ".join(songs.name(row) for row in own.tolist())
            rows.append((seed, singer, names, songs.bank.lengths[own].sum() / songs.bank.sample_rate / 60))
    return pd.DataFrame(rows, columns=["seed", "singer", "recordings", "minutes"])


def log_table(reported: Reported, outcome: Outcome) -> pd.DataFrame:
    """The authors' validations, and ours after as many steps and after as many hours.

    Parameters
    ----------
    reported : Reported
    outcome : Outcome

    Returns
    -------
    DataFrame
        One row per row of the log: ``run, hours, steps, msstft, f0_loss`` (theirs); ``our_step, our_msstft, our_low,
        our_high, our_f0_loss, our_hours`` of the validation with nearly as many steps; ``step_in_time,
        msstft_in_time`` of the last one within as many hours, while our training went on. NaN where there is none;
        other data have other levels of loss.
    """
    curves = convergence(outcome)
    rows = []
    for name, row in reported.tables["validation_log"].rows.items():
        theirs = row.values
        system = name.partition("@")[0].removesuffix("_a")
        found: dict[str, object] = {
            "run": row.label,
            "hours": theirs["hours"],
            "steps": theirs["steps"],
            "msstft": theirs["valid_msstft"],
            "f0_loss": theirs["valid_f0_loss"],
        }
        ours = curves[curves["condition"] == system]
        found |= _at_steps(ours, float(theirs["steps"] or 0))
        rows.append(found | _at_hours(ours, float(theirs["hours"] or 0)))
    return pd.DataFrame(rows)


def _at_steps(curve: pd.DataFrame, steps: float) -> dict[str, float]:
    away = (curve["step"] - steps).abs()
    if not len(curve) or away.min() > STEP_TOLERANCE * steps:
        return dict.fromkeys(("our_step", "our_msstft", "our_low", "our_high", "our_f0_loss", "our_hours"), np.nan)
    row = curve.iloc[int(away.argmin())]
    names = {"our_step": "step", "our_msstft": "msstft", "our_low": "low", "our_high": "high", "our_f0_loss": "f0_loss"}
    return {name: float(row[key]) for name, key in names.items()} | {"our_hours": float(row["seconds"]) / 3600}


def _at_hours(curve: pd.DataFrame, hours: float) -> dict[str, float]:
    done = curve[curve["seconds"] <= 3600 * hours]
    if not len(done) or curve["seconds"].max() < 3600 * hours:
        return {"step_in_time": np.nan, "msstft_in_time": np.nan}
    return {"step_in_time": float(done["step"].iloc[-1]), "msstft_in_time": float(done["msstft"].iloc[-1])}
