"""From stored trials to the paper's numbers: intervals, tests between systems, results per class and singer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from reprise.models.oblong import OblongCNN
from reprise.papers.singing_technique.conditions import Deformable, SingingTrial
from reprise.papers.singing_technique.corpus import Corpus
from reprise.papers.singing_technique.settings import Settings
from reprise.report.draws import Draws
from reprise.runs import StoredTrial
from reprise.seeds import numpy_generator
from reprise.stats.compare import holm, mcnemar, permutation_test
from reprise.stats.metrics import confusion

__all__ = ["Outcome", "class_f1", "confusion_matrix", "make_draws", "pair_tests", "parameter_counts", "singer_scores"]

Grid = Mapping[tuple[str, int], SingingTrial]
PLACEMENTS: dict[str, Deformable] = {
    "without_dc": None,
    "all": "all",
    "early": "early",
    "late": "late",
    "last": "last",
}


@dataclass(frozen=True)
class Outcome:
    """Stored trials of all conditions, and the test clips that they were tested on.

    Attributes
    ----------
    stored : dict
        Condition of ``reported.yaml`` → its stored trials, one per seed. Failed trials are absent.
    corpus : Corpus
    """

    stored: dict[str, list[StoredTrial]]
    corpus: Corpus

    @classmethod
    def collect(cls, grid: Grid, results: pd.DataFrame, *, corpus: Corpus) -> "Outcome":
        """Read what ``run_grid`` stored.

        Parameters
        ----------
        grid : mapping
            (condition, seed) → trial, in the order in which the trials were given to ``run_grid``.
        results : DataFrame
            What ``run_grid`` returned for them.
        corpus : Corpus

        Returns
        -------
        Outcome
        """
        stored: dict[str, list[StoredTrial]] = {}
        for (name, _), status, folder in zip(grid, results["status"], results["folder"], strict=True):
            if status == "done":
                stored.setdefault(name, []).append(StoredTrial(folder))
        return cls(stored=stored, corpus=corpus)

    @property
    def targets(self) -> np.ndarray:
        """True classes of the test clips [shape=(n_clips,)]."""
        return self.corpus.targets[self.corpus.rows("test")].numpy()

    @property
    def singers(self) -> np.ndarray:
        """Singer of each test clip [shape=(n_clips,)]."""
        return self.corpus.table["group"].to_numpy()[self.corpus.rows("test")]

    def curves(self, condition: str) -> list[pd.DataFrame]:
        """Loss curves of the seeds."""
        return [trial.curves for trial in self.stored.get(condition, [])]

    def probabilities(self, condition: str) -> list[np.ndarray]:
        """Test probabilities of a condition, one array [shape=(n_clips, n_classes)] per seed."""
        return [trial.arrays["test_probabilities"] for trial in self.stored[condition]]

    def correct(self, condition: str) -> np.ndarray:
        """Whether each seed classified each test clip correctly [shape=(n_seeds, n_clips)]."""
        return np.stack([values.argmax(axis=1) == self.targets for values in self.probabilities(condition)])


def parameter_counts(settings: Settings) -> dict[str, float]:
    """Trainable parameters of the five placements in thousands, counted on the live modules.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict
        ``parameters/<placement>`` → thousands, for :class:`~reprise.report.draws.Draws`.
    """
    return {
        f"parameters/{name}": sum(
            weight.numel()
            for weight in OblongCNN(
                deformable=placement,
                modulated=settings.modulated,
                pool_deformable=settings.pool_deformable,
                head=settings.head,
            ).parameters()
        )
        / 1000
        for name, placement in PLACEMENTS.items()
    }


def make_draws(outcome: Outcome, settings: Settings, *, seed: int = 0, rows: np.ndarray | None = None) -> Draws:
    """Paired bootstrap over test clips and seeds for every condition.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    seed : int
        Of the resampling.
    rows : ndarray of bool [shape=(n_clips,)] or None
        Test clips to look at; all by default.

    Returns
    -------
    Draws
        The five metrics, ``f1/<class>`` and ``recall/<class>`` for each condition; exact quantities
        ``parameters/<placement>`` (thousands) and ``seed_difference/<condition>``.
    """
    chosen = slice(None) if rows is None else rows
    draws = Draws.from_predictions(
        {name: [values[chosen] for values in outcome.probabilities(name)] for name in outcome.stored},
        outcome.targets[chosen],
        class_names=outcome.corpus.classes,
        rng=numpy_generator("singing_technique", "draws", seed),
        n_draws=settings.n_draws,
    )
    differences = {f"seed_difference/{name}": _seed_difference(trials) for name, trials in outcome.stored.items()}
    draws.exact.update(parameter_counts(settings))
    draws.exact.update({name: value for name, value in differences.items() if np.isfinite(value)})
    return draws


def _seed_difference(trials: Iterable[StoredTrial]) -> float:
    """Mean absolute difference of macro-F1 between any two seeds of one condition; NaN with one seed."""
    scores = [trial.metrics["macro_f1"] for trial in trials]
    pairs = [abs(a - b) for a, b in combinations(scores, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def pair_tests(outcome: Outcome, draws: Draws, *, pairs: Iterable[tuple[str, str]], seed: int = 0) -> pd.DataFrame:
    """Tests of whether two systems classify the test clips equally well.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws
        From :func:`make_draws`, for the intervals.
    pairs : iterable of (str, str)
        Conditions to compare; pairs with a missing condition are left out.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        One row per pair: ``a, b, difference`` (of accuracy, mean over seeds) with its 95 % interval ``low, high``,
        ``p_permutation`` (sign flips of the clips' mean differences), ``p_holm`` (of those), ``mcnemar_p`` (exact,
        first seed), ``n_clips``, ``n_seeds``.
    """
    rows = []
    for index, (a, b) in enumerate(pairs):
        if a not in outcome.stored or b not in outcome.stored:
            continue
        correct_a, correct_b = outcome.correct(a), outcome.correct(b)
        difference, low, high = draws.difference(a, b, "accuracy")
        rng = numpy_generator("singing_technique", "pairs", seed, index)
        rows.append(
            {
                "a": a,
                "b": b,
                "difference": difference,
                "low": low,
                "high": high,
                "p_permutation": permutation_test(correct_a.mean(axis=0), correct_b.mean(axis=0), rng=rng),
                "mcnemar_p": mcnemar(correct_a[0], correct_b[0])["p"],
                "n_clips": correct_a.shape[1],
                "n_seeds": len(correct_a),
            }
        )
    frame = pd.DataFrame(rows)
    if len(frame):
        frame.insert(6, "p_holm", holm(frame["p_permutation"].to_numpy()))
    return frame


def confusion_matrix(outcome: Outcome, condition: str) -> pd.DataFrame:
    """Confusions of a condition, summed over seeds.

    Parameters
    ----------
    outcome : Outcome
    condition : str

    Returns
    -------
    DataFrame
        True technique × predicted technique, counts. Techniques that have no test clip are left out of the rows.
    """
    names = outcome.corpus.classes
    total = sum(confusion(values, outcome.targets, n_classes=len(names)) for values in outcome.probabilities(condition))
    frame = pd.DataFrame(total, index=pd.Index(names, name="true"), columns=pd.Index(names, name="predicted"))
    return frame[frame.sum(axis=1) > 0]


def class_f1(draws: Draws, *, classes: Iterable[str], conditions: Iterable[str]) -> pd.DataFrame:
    """F1 of each class under some conditions, with intervals.

    Parameters
    ----------
    draws : Draws
    classes : iterable of str
    conditions : iterable of str
        Those that were not run are left out.

    Returns
    -------
    DataFrame
        Long: ``technique, condition, f1, low, high``; NaN where a class has no test clip.
    """
    rows = []
    for condition in (name for name in conditions if name in draws.conditions):
        for technique in classes:
            low, high = draws.interval(condition, f"f1/{technique}")
            rows.append((technique, condition, draws.value(condition, f"f1/{technique}"), low, high))
    return pd.DataFrame(rows, columns=["technique", "condition", "f1", "low", "high"])


def singer_scores(outcome: Outcome, settings: Settings, *, conditions: Iterable[str], seed: int = 0) -> pd.DataFrame:
    """Macro-F1 on each test singer, with intervals.

    Parameters
    ----------
    outcome : Outcome
    settings : Settings
    conditions : iterable of str
        Those that were not run are left out.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        Long: ``singer, condition, macro_f1, low, high, n_clips``.
    """
    wanted = [name for name in conditions if name in outcome.stored]
    part = Outcome(stored={name: outcome.stored[name] for name in wanted}, corpus=outcome.corpus)
    rows = []
    for singer in sorted(set(outcome.singers)):
        mask = outcome.singers == singer
        draws = make_draws(part, settings, seed=seed, rows=mask)
        for condition in wanted:
            low, high = draws.interval(condition, "macro_f1")
            rows.append((singer, condition, draws.value(condition, "macro_f1"), low, high, int(mask.sum())))
    return pd.DataFrame(rows, columns=["singer", "condition", "macro_f1", "low", "high", "n_clips"])


def selection(outcome: Outcome, draws: Draws) -> pd.DataFrame:
    """Which point of Figure 3 a choice on held-out singers takes, and what it scores on the test singers.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws
        From :func:`make_draws`, for the intervals.

    Returns
    -------
    DataFrame
        ``condition, held_out, test, low, high``: macro-F1, mean over seeds, with the 95 % interval of the test
        singers; best on held-out singers first. Without held-out singers that column is empty and the order is that
        of the test singers.
    """
    rows = []
    for name, trials in outcome.stored.items():
        if "@" in name:
            held_out = np.mean([trial.metrics.get("valid_macro_f1", np.nan) for trial in trials])
            rows.append((name, held_out, draws.value(name, "macro_f1"), *draws.interval(name, "macro_f1")))
    frame = pd.DataFrame(rows, columns=["condition", "held_out", "test", "low", "high"])
    order = ["held_out", "test"] if frame["held_out"].notna().any() else ["test"]
    return frame.sort_values(order, ascending=False, ignore_index=True)
