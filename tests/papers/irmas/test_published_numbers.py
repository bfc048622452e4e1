"""The paper's numbers agree with one another, with the label counts and with the statements made of them."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import reprise.papers.irmas as room
from reprise.papers.irmas.quantities import architecture_quantities
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.systems import SYSTEMS, split_condition
from reprise.report.claims import evaluate
from reprise.report.draws import Draws
from reprise.report.reported import Reported
from reprise.stats.compare import holm
from reprise.stats.tails import log10_f_survival

REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))
TABLES = REPORTED.tables
N_TESTING, N_CLASSES = 2874, 11


def column(table, name):
    return np.array([row.values[name] for row in TABLES[table].rows.values()], dtype=float)


def anova():
    f = {name: row.values["anova/F"] for name, row in TABLES["anova"].rows.items()}
    tonnetz = np.array([name.startswith("tonnetz") for name in f])
    return log10_f_survival(np.array(list(f.values())), df_between=10, df_within=6694), tonnetz, list(f)


def test_conditions_are_the_systems():
    results = [table for name, table in TABLES.items() if name.startswith("figure_5")]
    for table in results:
        for condition in table.rows:
            assert split_condition(condition)[0] in SYSTEMS
    printed = {condition for table in results for condition in table.rows}
    assert {split_condition(condition)[0] for condition in printed} == set(SYSTEMS) - {"cnn_features_2d"}
    beyond = {"ensemble", "all_negative"}
    for claim in REPORTED.claims:
        assert all(split_condition(name)[0] in SYSTEMS or name in beyond for name in claim.conditions())


def test_a_number_that_is_printed_twice_is_the_same_but_for_one():
    different = set()
    for (_, a), (_, b) in combinations(TABLES.items(), 2):
        for condition in a.rows.keys() & b.rows.keys():
            for metric in a.columns.keys() & b.columns.keys():
                if a.rows[condition].values[metric] != b.rows[condition].values[metric]:
                    different.add((condition, metric))
    assert different == {("resnet_audioset", "hamming")}


def test_counts_add_up():
    assert column("data_counts", "train_clips").sum() == 6705
    numbers = column("label_counts", "test_clips")
    assert numbers.sum() == N_TESTING
    assert (numbers * np.arange(1, 6)).sum() == column("data_counts", "test_labels").sum() == 4917
    rows = TABLES["section_3_6"].rows
    counted = {name: row.values["clips"] for name, row in rows.items()}
    assert counted["irmas_valid"] + counted["irmas_test"] == counted["irmas_testing"] == N_TESTING
    assert sum(counted[f"audioset_{side}"] for side in ("train", "valid", "test")) == counted["audioset"]
    # each count of section 3.6 is one too small
    for row in rows.values():
        if row.values["clips_section_3_6"] is not None:
            assert row.values["clips"] - row.values["clips_section_3_6"] == 1


def test_answers_without_listening_follow_from_the_label_counts():
    labels, numbers = column("data_counts", "test_labels"), column("label_counts", "test_clips")
    voi = TABLES["data_counts"].rows["voi"].values["test_labels"]
    prevalence = labels / N_TESTING
    baselines = {name: row.values for name, row in TABLES["baselines"].rows.items()}
    cells = N_TESTING * N_CLASSES
    assert baselines["all_negative"]["hamming"] == pytest.approx(1 - labels.sum() / cells, abs=5e-5)
    wrong = (labels.sum() - voi) + (N_TESTING - voi)
    assert baselines["always_voi"]["hamming"] == pytest.approx(1 - wrong / cells, abs=5e-5)
    assert baselines["all_positive"]["macro_f1"] == pytest.approx(np.mean(2 * prevalence / (1 + prevalence)), abs=5e-4)
    assert baselines["one_label"]["hamming"] == pytest.approx(1 - (labels.sum() - N_TESTING) / cells, abs=5e-5)
    assert baselines["one_label"]["exact_match"] == pytest.approx(numbers[0] / N_TESTING, abs=5e-4)


def test_exact_matches_are_counts_of_2000_clips_but_for_three():
    # with 2000 of 2011 clips, a printed rate is a multiple of 1/2000; rates on AudioSet and of other batches are not
    rates = {
        (name, row.values["exact_match"])
        for table in TABLES.values()
        if table.id.startswith("figure_5") and "exact_match" in table.columns
        for name, row in table.rows.items()
        if not name.endswith(">audioset")
    }
    others = {name for name, rate in rates if abs(rate * 2000 - round(rate * 2000)) > 1e-6}
    assert len(rates) == 14
    assert others == {"resnet_3s", "ast_audioset", "ast_low_l2"}


def test_statistics_give_the_p_values_of_the_notebook():
    log10_p, tonnetz, names = anova()
    assert len(names) == 174
    # p-values that the notebook prints beside its F; F has three decimals here
    for name, p in (("zcr", 7.219058358624183e-191), ("flatness", 8.509910284345387e-21), ("tonnetz_2", 1.90253953e-4),
                    ("tonnetz_3", 4.14814497e-2), ("mfcc_10", 1.25701151e-39), ("mel_125", 7.80416774e-8)):  # fmt: skip
        assert log10_p[names.index(name)] == pytest.approx(np.log10(p), abs=3e-3)
    assert (log10_p[~tonnetz] < -3).all()
    assert (log10_p[tonnetz] < -3).sum() == 4
    # Holm's correction multiplies the last few by little, as nearly everything else is rejected before them
    p = 10.0**log10_p
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    assert (holm(p)[tonnetz] < 0.001).sum() == 4
    assert (p[tonnetz] * 174 < 0.001).sum() == 2


def exact_of_the_paper():
    """Quantities as the paper's own numbers, and the published architectures, give them."""
    log10_p, tonnetz, names = anova()
    train, test = column("data_counts", "train_clips"), column("data_counts", "test_labels")
    return architecture_quantities() | {
        "anova/others_passing": float((log10_p[~tonnetz] < -3).sum()),
        "anova/tonnetz_passing": float((log10_p[tonnetz] < -3).sum()),
        "anova/max_log10_p_others": float(log10_p[~tonnetz].max()),
        "anova/min_log10_p/mfcc": float(min(p for p, name in zip(log10_p, names, strict=True) if "mfcc" in name)),
        "imbalance/train": train.max() / train.min(),
        "imbalance/test": test.max() / test.min(),
    }


def test_which_exact_statements_the_papers_own_material_bears_out():
    frame = evaluate(REPORTED, Draws(exact=exact_of_the_paper()), evidence="full", profile="paper")
    exact = frame[frame["kind"] == "exact"].set_index("claim")["verdict"]
    contradicted = set(exact.index[exact == "contradicted"])
    assert contradicted == {
        "parameters_features", "ratio_raw", "ratio_features", "epoch_length_ratio", "anova_around_1e_150",
        "anova_tonnetz_thirds", "anova_tonnetz_none",
    }  # fmt: skip
    assert (exact.drop(list(contradicted)) == "reproduced").all()


def test_table_3_3_is_exact():
    quantities = architecture_quantities()
    for name, row in TABLES["table_3_3"].rows.items():
        assert quantities[f"epoch_length/{name}"] == row.values["epoch_length"]


def test_table_4_2_is_the_live_network():
    quantities = architecture_quantities()
    for name, row in TABLES["table_4_2"].rows.items():
        assert quantities[f"channels/{name}"] == row.values["channels"]
        assert quantities.get(f"length/{name}") == row.values["length"]


def test_statements_about_results_hold_for_the_printed_numbers():
    for claim in REPORTED.claims:
        if claim.kind not in ("ordering", "equivalence"):
            continue
        sign = -1 if REPORTED.lower_is_better(claim) else 1
        for a, b in claim.comparisons():
            first, second = (REPORTED.published_value(name, claim.metric) for name in (a, b))
            if first is None or second is None:
                assert claim.id == "ensemble_improves"
            elif claim.kind == "ordering":
                assert sign * (first - second) > 0, (claim.id, a, b)
            else:
                assert abs(first - second) < claim.margin, (claim.id, a, b)


def test_sizes_of_effects_are_the_printed_ones():
    sizes = {claim.id: REPORTED.paper_effect(claim) for claim in REPORTED.claims if claim.kind == "magnitude"}
    assert sizes == pytest.approx({"raw_recall_gain": 0.1392, "l2_gain": 0.0518})


def test_decisions_name_parameters_and_values_that_exist():
    fields = Settings.model_fields
    switched = [decision for decision in REPORTED.decisions if decision.parameter]
    assert len(switched) >= 15
    for decision in switched:
        assert decision.parameter in fields, decision.id
        for value in decision.values:
            Settings.model_validate({decision.parameter: value, "weights_dir": "."})


def test_hyper_parameters_are_the_defaults():
    from reprise.papers.irmas.tables_models import setting_quantities

    ours = setting_quantities(Settings())
    for name in ("table_4_3", "table_4_4", "table_4_5", "section_3_4"):
        for row, printed in TABLES[name].rows.items():
            for key, value in printed.values.items():
                assert ours[f"{key}/{row}"] == pytest.approx(value), (name, row, key)
