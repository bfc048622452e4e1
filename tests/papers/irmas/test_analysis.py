"""Numbers of the instrument notebook: baselines, ensemble, pairs, classes, ways of deciding, missing conditions."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar

from reprise.papers.irmas import analysis, comparisons, quantities
from reprise.papers.irmas.outcome import ENSEMBLE, Outcome, baseline_scores
from reprise.papers.irmas.settings import Settings
from reprise.stats.multilabel import multilabel_metrics

from .stored import Collection, clips, outcome

SETTINGS = Settings(n_draws=200)
FEW = ("resnet_1s", "cnn_raw", "cnn_features", "bspds5_3s", "resnet_audioset")


@pytest.fixture(scope="module", autouse=True)
def _without_networks():
    # parameter counts of the paper's networks take seconds and are tested where they are made
    patch = pytest.MonkeyPatch()
    patch.setattr(quantities, "architecture_quantities", dict)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), systems=FEW)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, SETTINGS)


def test_conditions_are_systems_on_both_sets_and_the_ensemble(found, draws):
    expected = [*FEW, "ensemble", *(f"{name}>audioset" for name in FEW)]
    assert found.conditions == expected
    assert set(draws.conditions) >= {*expected, "all_negative", "all_negative>audioset"}
    assert draws.n("resnet_1s") == 2


def test_values_are_those_of_s2_scores(found, draws):
    targets = found.targets()
    for name in ("resnet_1s", "ensemble"):
        scores = found.scores(name)
        assert all((values.max(axis=1) == 1).all() for values in scores)
        each = [multilabel_metrics(values, targets) for values in scores]
        for metric in (
            "hamming",
            "exact_match",
            "macro_f1",
            "macro_precision",
            "macro_recall",
            "micro_f1",
            "macro_auc",
        ):
            assert draws.value(name, metric) == pytest.approx(np.mean([one[metric] for one in each]))
    assert draws.unit("resnet_1s", "hamming") == "paired bootstrap over 20 groups of clips and 2 seeds"


def test_the_ensemble_is_the_mean_of_two_systems_seed_by_seed(found):
    first, second = (found.scores(name, aggregation="s1") for name in ENSEMBLE["ensemble"])
    for index, values in enumerate(found.scores("ensemble", aggregation="s1")):
        np.testing.assert_allclose(values, (first[index] + second[index]) / 2)


def test_answers_without_listening_have_closed_forms(found, draws):
    targets = found.targets()
    cardinality, n_classes = targets.sum(axis=1).mean(), targets.shape[1]
    assert draws.value("all_negative", "hamming") == pytest.approx(1 - cardinality / n_classes)
    assert draws.value("all_negative", "exact_match") == draws.value("all_negative", "macro_f1") == 0
    assert draws.value("one_label", "hamming") == pytest.approx(1 - (cardinality - 1) / n_classes)
    assert draws.value("one_label", "exact_match") == pytest.approx((targets.sum(axis=1) == 1).mean())
    assert not draws.has("one_label", "macro_f1")
    prevalence = targets.mean(axis=0)
    assert draws.value("all_positive", "macro_f1") == pytest.approx(np.mean(2 * prevalence / (1 + prevalence)))
    alone = (targets.sum(axis=1) == 1) & (targets[:, -1] == 1)
    assert draws.value("always_voi", "exact_match") == pytest.approx(alone.mean())
    # a system is compared with them on the same songs and seeds
    _, low, high = draws.difference("resnet_1s", "all_negative", "hamming")
    assert 0 < low < high


def test_a_clip_without_labels_gets_none_of_them():
    scores = baseline_scores(np.array([[0, 0], [1, 1]]), classes=["cel", "pia"])
    assert scores["one_label"].tolist() == [[0, 0], [1, 0]]
    assert "always_voi" not in scores


def test_pairs_agree_with_statsmodels(found, draws):
    pairs = [("resnet_1s", "cnn_raw"), ("cnn_raw", "cnn_features"), ("resnet_1s", "never run"),
             ("resnet_1s", "resnet_1s>audioset")]  # fmt: skip
    frame = analysis.pair_tests(found, draws, pairs=pairs)
    assert frame[["a", "b"]].to_numpy().tolist() == [["resnet_1s", "cnn_raw"], ["cnn_raw", "cnn_features"]]
    for row in frame.itertuples():
        a, b = found.correct(row.a)[0], found.correct(row.b)[0]
        reference = mcnemar(pd.crosstab(a, b).to_numpy(), exact=True)
        assert row.mcnemar_p == pytest.approx(reference.pvalue)
        assert row.exact_match == pytest.approx(found.correct(row.a).mean() - found.correct(row.b).mean())
        assert row.exact_match_low <= row.exact_match <= row.exact_match_high
        assert row.n_songs == 20
    assert (frame["mcnemar_holm"] >= frame["mcnemar_p"]).all()
    assert (frame["p_songs_holm"] >= frame["p_songs"]).all()
    swapped = analysis.pair_tests(found, draws, pairs=[("cnn_raw", "resnet_1s")])
    assert swapped["macro_f1"].item() == pytest.approx(-frame["macro_f1"][0])
    assert analysis.pair_tests(found, draws, pairs=[("never", "run")]).empty


def test_class_results_are_scikit_learns(found, draws):
    classes = found.corpus().classes
    frame = analysis.class_results(draws, classes=classes, conditions=["cnn_raw", "never run"])
    f1 = np.mean(
        [sk.f1_score(found.targets(), one > 0.5, average=None, zero_division=0) for one in found.scores("cnn_raw")],
        axis=0,
    )
    assert list(frame["instrument"]) == list(classes)
    np.testing.assert_allclose(frame["f1"], f1)
    assert frame[["low", "high"]].to_numpy().min() >= 0
    assert frame[["low", "high"]].to_numpy().max() <= 1


def test_results_per_number_of_labels_add_up_to_those_of_all_clips(found, draws):
    frame = comparisons.label_results(found, SETTINGS, conditions=["cnn_raw", "never run"])
    assert set(frame["condition"]) == {"cnn_raw"}
    for metric in ("exact_match", "hamming"):
        rows = frame[frame["metric"] == metric]
        assert rows["n_clips"].sum() == len(found.targets())
        mean = np.average(rows["value"], weights=rows["n_clips"])
        assert mean == pytest.approx(draws.value("cnn_raw", metric))
    named = frame[frame["metric"] == "named"]
    assert (named["value"] >= 1).all(), "S2 names at least one"
    assert (frame.loc[frame["metric"] != "named", "high"] <= 1).all()


def test_s2_always_names_an_instrument_and_s1_need_not(found):
    frame = comparisons.aggregation_results(found, SETTINGS, conditions=["resnet_1s"]).set_index("metric")
    assert frame.loc["unnamed", "s2"] == 0
    assert frame.loc["unnamed", "s1"] > 0
    s1 = [multilabel_metrics(values, found.targets()) for values in found.scores("resnet_1s", aggregation="s1")]
    assert frame.loc["macro_f1", "s1"] == pytest.approx(np.mean([one["macro_f1"] for one in s1]))
    assert frame.loc["macro_f1", "difference"] == pytest.approx(
        frame.loc["macro_f1", "s2"] - frame.loc["macro_f1", "s1"]
    )


def test_thresholds_are_chosen_on_the_validation_side_alone(found, draws):
    frame = comparisons.calibrated_thresholds(found, SETTINGS, conditions=["cnn_raw"])
    assert len(frame) == 2 * 11
    targets = found.targets(side="valid")
    for seed, values in enumerate(found.scores("cnn_raw", side="valid")):
        chosen = frame.loc[frame["seed"] == seed, "threshold"].to_numpy()
        own = sk.f1_score(targets, values > chosen, average="macro", zero_division=0)
        assert own >= sk.f1_score(targets, values > 0.5, average="macro", zero_division=0)
    table = comparisons.calibration(found, SETTINGS, conditions=["cnn_raw"]).set_index("metric")
    assert table.loc["macro_f1", "fixed"] == pytest.approx(draws.value("cnn_raw", "macro_f1"))
    first = frame.loc[frame["seed"] == 0, "threshold"].to_numpy()
    second = frame.loc[frame["seed"] == 1, "threshold"].to_numpy()
    by_hand = np.mean(
        [
            sk.accuracy_score(found.targets(), values > chosen)
            for values, chosen in zip(found.scores("cnn_raw"), (first, second), strict=True)
        ]
    )
    assert table.loc["exact_match", "calibrated"] == pytest.approx(by_hand)


def test_leaving_out_the_last_clips_is_what_the_published_code_does(found):
    frame = comparisons.evaluated_clips(found, SETTINGS, conditions=["cnn_raw"]).set_index("metric")
    assert (frame["n_all"].iloc[0], frame["n_first"].iloc[0]) == (163, 160)
    cut = Outcome(found.stored, found.collection, drop_last=16)
    assert len(cut.targets()) == 160
    part = [multilabel_metrics(values, cut.targets()) for values in cut.scores("cnn_raw")]
    for metric in ("hamming", "exact_match", "macro_f1"):
        assert frame.loc[metric, "first_clips"] == pytest.approx(np.mean([one[metric] for one in part]))
    # three of 163 clips cannot move a rate by more than 3/160
    assert frame.loc["exact_match", "low"] >= -3 / 160
    assert frame.loc["exact_match", "high"] <= 3 / 160
    assert len(cut.targets(side="valid")) == 70


def test_losses_and_hours_are_those_of_the_trials(found, draws):
    frame = analysis.training_results(found)
    assert len(frame) == 2 * len(FEW)
    trial = found.stored["cnn_raw"][0]
    row = frame[(frame["condition"] == "cnn_raw") & (frame["seed"] == 0)].iloc[0]
    assert row["training_hours"] == pytest.approx(trial.metrics["seconds_per_epoch"] * 6 / 3600)
    assert row["lowest_valid_loss"] == pytest.approx(trial.curves["valid_loss"].min())
    assert row["final_training_loss"] == pytest.approx(trial.curves["loss"].iloc[-1])
    assert np.isnan(row["memory_gb"])
    assert draws.unit("cnn_raw", "training_hours") == "t distribution over 2 seeds"
    assert not draws.has("cnn_raw", "memory_gb")


def test_collect_leaves_out_failed_trials(found):
    grid = {(name, seed): None for name in ("resnet_1s", "cnn_raw") for seed in (0, 1)}
    folders = [str(found.stored[name][seed].folder) for name, seed in grid]
    results = pd.DataFrame({"status": ["done", "failed", "done", "done"], "folder": folders})
    outcome = Outcome.collect(grid, results, collection=found.collection, settings=Settings(drop_last=True))
    assert {name: len(trials) for name, trials in outcome.stored.items()} == {"resnet_1s": 1, "cnn_raw": 2}
    assert outcome.drop_last == 16
    assert Outcome.collect(grid, results, collection=found.collection, settings=Settings()).drop_last == 0


def test_single_notes_without_audioset_and_voice_go_through_everything(tmp_path):
    classes = ("cel", "cla", "flu", "banjo")
    notes = clips("philharmonia", n_valid=0, n_test=12, n_songs=3, classes=classes)
    part = outcome(
        tmp_path, systems=("resnet_1s", "cnn_raw", "resnet_audioset"), n_seeds=1, collection=Collection(notes)
    )
    assert part.conditions == ["resnet_1s", "cnn_raw"]
    draws = analysis.make_draws(part, SETTINGS)
    # three songs are too few to be resampled as a whole
    assert draws.unit("cnn_raw", "hamming") == "paired bootstrap over 12 clips and 1 seed, not resampled"
    assert draws.has("cnn_raw", "f1/banjo")
    assert "always_voi" not in draws.conditions
    assert not draws.has("ensemble", "hamming")
    names = ["resnet_1s", "ensemble", "resnet_audioset"]
    assert len(analysis.pair_tests(part, draws)) == 1
    assert len(comparisons.label_results(part, SETTINGS, conditions=names))
    assert set(comparisons.aggregation_results(part, SETTINGS, conditions=names)["condition"]) == {"resnet_1s"}
    assert comparisons.calibration(part, SETTINGS, conditions=names).empty
    assert comparisons.calibrated_thresholds(part, SETTINGS, conditions=names).empty
    assert comparisons.evaluated_clips(part, SETTINGS, conditions=names)["n_first"].iloc[0] == 12


def test_nothing_run_gives_quantities_alone(found):
    empty = Outcome({}, found.collection)
    draws = analysis.make_draws(empty, SETTINGS)
    assert draws.conditions == []
    assert draws.exact["imbalance/test"] >= 1
