"""The listening test of this paper: the same phrases by all vocoders on one page."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reprise.models.synthesiser import VocoderOutput
from reprise.papers.sawsing.experiment import resynthesis
from reprise.papers.sawsing.opinions import SCENARIOS, Listening, item_of, listening_results, mos_draws
from reprise.papers.sawsing.outcome import Outcome
from reprise.papers.sawsing.systems import PAPER_SYSTEMS, Condition, Scenario
from reprise.papers.sawsing.trials import TrialKey
from reprise.paths import runs_root
from reprise.report.listening_page import Screen, write_listening_page
from reprise.stats.ratings import REFERENCE

if TYPE_CHECKING:
    from reprise.papers.sawsing.corpus import Songs
    from reprise.papers.session import Session

__all__ = [
    "Listening",
    "Phrase",
    "choose_phrases",
    "listening_results",
    "listening_test",
    "mos_draws",
    "ratings_folder",
]

# level of all sounds, about that of the authors' page
PLAYED_RMS = 0.05
SILENT = 1e-5
FADE_SECONDS = 0.01
TITLE = "How close is the singing to the recording?"


class Phrase(NamedTuple):
    """Part of a test song, and the run whose vocoders sing it.

    Attributes
    ----------
    singer : str
    seed : int
    row : int
        In the singer's table.
    song : str
    start, seconds : float, s
    """

    singer: str
    seed: int
    row: int
    song: str
    start: float
    seconds: float

    @property
    def item(self) -> str:
        """Name in the files of ratings."""
        return item_of(self.singer, self.seed, where=f"{self.song} at {self.start:.2f} s")


def ratings_folder(session: "Session") -> Path:
    """Where the files that listeners saved are looked for: a later run finds them there.

    Parameters
    ----------
    session : Session

    Returns
    -------
    Path
        ``sawsing_ratings`` in the data folder or, on synthetic songs, in that of the stored trials. It may be missing.
    """
    return (runs_root() if session.data == "synthetic" else Path(session.data)) / "sawsing_ratings"


def choose_phrases(
    outcome: Outcome, *, systems: Iterable[str] = PAPER_SYSTEMS, n_phrases: int = 3, seconds: float = 5.0
) -> list[Phrase]:
    """Phrases that listeners are to hear.

    Parameters
    ----------
    outcome : Outcome
    systems : iterable of str
    n_phrases : int, ≥ 1
        Of each singer, from the test songs in turn.
    seconds : float, s, > 0
        Shorter where a song is.

    Returns
    -------
    list of Phrase
        Of each song the stretch in which the most is sung, then the next that does not overlap it; fewer where songs
        have none with half as much left. Trained vocoders of different seeds take turns, so that ratings are of more
        than one run.
    """
    chosen: list[Phrase] = []
    for singer in outcome.singers():
        songs = outcome.collection.singers[singer]
        rows = [int(row) for row in songs.rows("test")]
        seeds = _common_seeds(outcome, singer=singer, systems=systems)
        own: list[Phrase] = []
        for index in range(n_phrases * len(rows)):
            if not seeds or len(own) == n_phrases:
                break
            row = rows[index % len(rows)]
            taken = [phrase.start for phrase in own if phrase.row == row]
            found = _most_sung(songs.f0(row).numpy() > 0, taken, rate=_frame_rate(songs), seconds=seconds)
            if found is not None:
                own.append(Phrase(singer, seeds[len(own) % len(seeds)], row, songs.name(row), *found))
        chosen += own
    return chosen


def _frame_rate(songs: "Songs") -> float:
    return songs.config.sample_rate / songs.config.hop_length


def _common_seeds(outcome: Outcome, *, singer: str, systems: Iterable[str]) -> list[int]:
    """Seeds that every system and scenario has that was run for a singer."""
    runs: dict[tuple[str, str], set[int]] = {}
    for key in outcome.stored:
        if key.singer == singer and key.system in tuple(systems):
            runs.setdefault((key.system, key.scenario), set()).add(key.seed)
    return sorted(set.intersection(*runs.values())) if runs else []


def _most_sung(
    voiced: np.ndarray, taken: Iterable[float], *, rate: float, seconds: float
) -> tuple[float, float] | None:
    """Start and length in s of the stretch with the most voiced frames that overlaps no other.

    None where that has less than half as many as the song's best, which is mostly silence.
    """
    n_frames = min(round(seconds * rate), len(voiced))
    counts = np.concatenate([[0], np.cumsum(voiced)])
    sung = counts[n_frames:] - counts[: len(counts) - n_frames]
    enough = max(1, sung.max() / 2)
    for start in taken:
        first = round(start * rate)
        sung[max(0, first - n_frames + 1) : first + n_frames] = 0
    best = int(sung.argmax())
    return (best / rate, n_frames / rate) if sung[best] >= enough else None


def listening_test(
    outcome: Outcome,
    folder: str | Path,
    *,
    systems: Iterable[str] = PAPER_SYSTEMS,
    n_phrases: int = 3,
    seconds: float = 5.0,
    sung: Mapping[tuple[TrialKey, int], VocoderOutput] | None = None,
) -> Path:
    """Write the page of a listening test.

    Parameters
    ----------
    outcome : Outcome
        Stored trials.
    folder : str or Path
    systems : iterable of str
        Those to compare, as far as they were run. The de-buzzed SawSing was not in the paper's test.
    n_phrases : int, ≥ 1
        Of each singer.
    seconds : float, s, > 0
        Length of a phrase.
    sung : mapping or None
        Trial and row → what `reprise.papers.sawsing.experiment.resynthesis` made of the song, where that is at hand:
        it is not made again.

    Returns
    -------
    Path
        The page; one screen per phrase and scenario, with the recording hidden among the vocoders, and a low anchor.

    Raises
    ------
    ValueError
        If no phrase was sung by all of these systems.

    Notes
    -----
    All sounds of a screen have the same level. Protocol, raters and scale of the paper's test are not known; this one
    is that of the follow-up (Yu and Fazekas 2023), MUSHRA. Notebook: 04_sawsing.ipynb.
    """
    names = tuple(systems)
    phrases = choose_phrases(outcome, systems=names, n_phrases=n_phrases, seconds=seconds)
    known = dict(sung or {})
    screens = [
        screen
        for phrase in phrases
        for scenario in SCENARIOS
        if (screen := _screen(outcome, phrase, scenario=scenario, systems=names, sung=known)) is not None
    ]
    if not screens:
        raise ValueError("there is nothing to hear: no test song was sung by all systems with one seed; run the trials")
    rate = next(iter(outcome.collection.singers.values())).config.sample_rate
    return write_listening_page(folder, screens=screens, sample_rate=rate, title=TITLE)


def _screen(
    outcome: Outcome,
    phrase: Phrase,
    *,
    scenario: Scenario,
    systems: tuple[str, ...],
    sung: dict[tuple[TrialKey, int], VocoderOutput],
) -> Screen | None:
    """One phrase by all systems of a scenario; None where there are none. ``sung`` keeps whole songs."""
    songs = outcome.collection.singers[phrase.singer]
    start, length = (round(value * songs.config.sample_rate) for value in (phrase.start, phrase.seconds))
    sounds = {REFERENCE: songs.song(phrase.row).numpy()}
    for system in systems:
        key = TrialKey(system, scenario, phrase.singer, phrase.seed)
        if key in outcome.stored:
            if (key, phrase.row) not in sung:
                sung[key, phrase.row] = resynthesis(outcome.stored[key], songs, row=phrase.row)
            sounds[Condition(system, scenario).name] = sung[key, phrase.row].audio[0].cpu().numpy()
    if len(sounds) == 1:
        return None
    # outputs end some 40 ms before the recording
    cut = {name: np.pad(sound, (0, start + length))[start : start + length] for name, sound in sounds.items()}
    levelled = _at_one_level(cut, fade=round(FADE_SECONDS * songs.config.sample_rate))
    return Screen(f"{phrase.item}, {scenario}", levelled.pop(REFERENCE), levelled, item=phrase.item)


def _at_one_level(sounds: Mapping[str, np.ndarray], *, fade: int) -> dict[str, np.ndarray]:
    """Sounds of one root mean square, softer where a peak would be cut; a silent one stays so."""
    ramp = np.minimum(
        1.0, np.minimum(np.arange(len(sounds[REFERENCE])), np.arange(len(sounds[REFERENCE]))[::-1]) / fade
    )
    levels = {name: float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) for name, sound in sounds.items()}
    scaled = {
        name: ramp * sound * (PLAYED_RMS / levels[name] if levels[name] > SILENT else 1.0)
        for name, sound in sounds.items()
    }
    peak = max(float(np.abs(sound).max()) for sound in scaled.values())
    return {name: sound / max(peak, 1.0) for name, sound in scaled.items()}
