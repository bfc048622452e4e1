"""Numbers of the singing-technique notebook: pairs of systems, the choice on held-out singers, classes and singers."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score

from reprise.papers.singing_technique import analysis
from reprise.papers.singing_technique.conditions import clip_config, conditions
from reprise.papers.singing_technique.corpus import minutes_per_technique, open_corpus
from reprise.papers.singing_technique.settings import Settings
from reprise.runs import run_grid


@pytest.fixture(scope="module")
def outcome_of(tiny_vocalset, tmp_path_factory):
    """Two seeds of two systems, one of them on held-out singers as well."""
    from reprise.runs import Store

    settings = Settings(
        sample_rate=22050, clip_seconds=1.0, n_fft=256, win_lengths=(256, 128, 64), batch_size=8, learning_rate=1e-3,
        epochs_features=1, epochs_classifier=1, n_seeds=2, n_draws=200, split="held_out_singers",
    )  # fmt: skip
    corpus = open_corpus(clip_config(settings), tiny_vocalset)
    grid = {
        (name, seed): conditions(settings, seed=seed, dataset=corpus.fingerprint, data_root=tiny_vocalset)[name]
        for seed in (0, 1)
        for name in ("late", "crt_wc@0.2", "crt_wc@1")
    }
    results = run_grid(list(grid.values()), store=Store(tmp_path_factory.mktemp("store")), progress=False)
    return analysis.Outcome.collect(grid, results, corpus=corpus), settings


def test_confusions_and_f1_are_scikit_learns(outcome_of):
    outcome, settings = outcome_of
    predicted = [values.argmax(axis=1) for values in outcome.probabilities("late")]
    expected = sum(confusion_matrix(outcome.targets, one, labels=range(10)) for one in predicted)
    ours = analysis.confusion_matrix(outcome, "late")
    np.testing.assert_array_equal(ours, expected[expected.sum(axis=1) > 0])
    draws = analysis.make_draws(outcome, settings)
    frame = analysis.class_f1(draws, classes=["vibrato"], conditions=["late", "never run"])
    index = outcome.corpus.classes.index("vibrato")
    f1 = [f1_score(outcome.targets, one, labels=[index], average=None, zero_division=0)[0] for one in predicted]
    assert frame["f1"].item() == pytest.approx(np.mean(f1))


def test_pairs_have_the_difference_of_accuracies_and_exact_mcnemar(outcome_of):
    outcome, settings = outcome_of
    draws = analysis.make_draws(outcome, settings)
    frame = analysis.pair_tests(outcome, draws, pairs=[("crt_wc@0.2", "crt_wc@1"), ("late", "never run")])
    a, b = outcome.correct("crt_wc@0.2"), outcome.correct("crt_wc@1")
    assert len(frame) == 1
    assert frame["difference"].item() == pytest.approx(a.mean() - b.mean())
    assert frame["low"].item() <= frame["difference"].item() <= frame["high"].item()
    only_a, only_b = int((a[0] & ~b[0]).sum()), int((b[0] & ~a[0]).sum())
    n = only_a + only_b
    assert frame["mcnemar_p"].item() == pytest.approx(stats.binomtest(only_a, n).pvalue if n else 1.0)


def test_the_choice_on_held_out_singers_comes_first(outcome_of):
    outcome, settings = outcome_of
    frame = analysis.selection(outcome, analysis.make_draws(outcome, settings))
    assert set(frame["condition"]) == {"crt_wc@0.2", "crt_wc@1"}
    assert frame["held_out"].is_monotonic_decreasing
    assert frame["held_out"].notna().all()


def test_singers_are_scored_on_their_own_clips(outcome_of):
    outcome, settings = outcome_of
    frame = analysis.singer_scores(outcome, settings, conditions=["late"])
    assert set(frame["singer"]) == {"female2", "male3"}
    mask = outcome.singers == "male3"
    f1 = [
        f1_score(outcome.targets[mask], values[mask].argmax(axis=1), average="macro", zero_division=0)
        for values in outcome.probabilities("late")
    ]
    row = frame[frame["singer"] == "male3"]
    assert row["macro_f1"].item() == pytest.approx(np.mean(f1))
    assert row["n_clips"].item() == mask.sum()


def test_noise_between_seeds_needs_two_of_them(outcome_of):
    outcome, settings = outcome_of
    draws = analysis.make_draws(outcome, settings)
    scores = [trial.metrics["macro_f1"] for trial in outcome.stored["late"]]
    assert draws.exact["seed_difference/late"] == pytest.approx(abs(scores[0] - scores[1]))
    alone = analysis.Outcome({name: trials[:1] for name, trials in outcome.stored.items()}, outcome.corpus)
    assert not any(name.startswith("seed_difference") for name in analysis.make_draws(alone, settings).exact)


def test_published_parameter_counts_come_from_the_live_modules():
    thousands = analysis.parameter_counts(Settings())
    assert thousands == {
        "parameters/without_dc": 337.51,
        "parameters/all": 463.374,
        "parameters/early": 362.194,
        "parameters/late": 438.69,
        "parameters/last": 435.734,
    }


def test_minutes_count_every_take(tiny_vocalset):
    from pathlib import Path

    import reprise.papers.singing_technique as room
    from reprise.report.reported import Reported

    figure = Reported.load(Path(room.__file__).with_name("reported.yaml")).figures["figure_2"]
    frame = minutes_per_technique(tiny_vocalset, figure).set_index("technique")
    assert frame.loc["vibrato", "minutes"] == pytest.approx(8 / 60)
    assert frame.loc["spoken", "minutes"] == 0
    assert frame["paper"].sum() == pytest.approx(288.7, abs=0.3)
