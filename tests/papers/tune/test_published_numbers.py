"""What was read from the paper and its supplement agrees with itself, and with the networks where it can."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import reprise.papers.tune as room
from reprise.papers.tune.quantities import (
    architecture_quantities,
    exact_quantities,
    network_quantities,
    setting_quantities,
    split_quantities,
)
from reprise.papers.tune.settings import Settings
from reprise.papers.tune.systems import BASELINES, PAPER_SYSTEMS, SYSTEMS, TASKS, split_condition
from reprise.report.claims import evaluate
from reprise.report.draws import Draws
from reprise.report.reported import Reported

REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))
TABLES = REPORTED.tables
QUANTITIES = architecture_quantities() | setting_quantities(Settings())
# conditions that nobody runs here
CONTEXT = ("musicnn", "jukebox", "best_of_2022", "best_pretrained", "best_from_scratch")
TAIL_COPIES = {"tail_1": 389.13, "tail_2": 267.63, "tail_3": 212.00, "tail_4": 183.88}
ON_OTHERS = tuple(TABLES["table_2"].rows)


def value(table, row, column):
    return TABLES[table].rows[row].values[column]


def claim(name):
    (found,) = [claim for claim in REPORTED.claims if claim.id == name]
    return found


def printed_differences(name):
    ours = claim(name)
    return [round(REPORTED.published_difference(a, b, ours.metric), 6) for a, b in ours.comparisons()]


def test_rows_are_conditions_or_are_not_run_here():
    for name in ("table_1", "table_2", "table_s1", "table_s2", "table_s3", "figure_s3_readings", "figure_s4_readings"):
        for row in TABLES[name].rows:
            assert row in CONTEXT or split_condition(row).name == row
    assert set(Settings().conditions()) <= set(REPORTED.labels())
    assert set(REPORTED.conditions) == set(BASELINES)
    assert all(SYSTEMS[name].label == label for name, label in REPORTED.conditions.items())


def test_the_first_rows_of_table_1_are_the_systems_in_their_order():
    rows = [name for name in TABLES["table_1"].rows if name not in CONTEXT and "+long" not in name]
    assert rows == [name for name in PAPER_SYSTEMS if name != "clmr"]
    for name in rows:
        assert TABLES["table_1"].rows[name].label == SYSTEMS[name].label


def test_one_condition_has_one_number_in_all_tables():
    for metric in ("auc", "ap", "auc_mlp", "ap_mlp"):
        seen = {}
        for name in ("table_1", "table_2", "table_s1"):
            for row, number in TABLES[name].column(metric).items():
                assert seen.setdefault(row, number) == number, (row, metric)


@pytest.mark.parametrize("system", PAPER_SYSTEMS)
def test_counted_parameters_are_those_of_the_networks(system):
    row = TABLES["parameters"].rows[system]
    for column, number in row.values.items():
        assert round(QUANTITIES[f"{column}/{system}"], 0) == number
    printed = f"{system}+long" if system == "clmr" else system
    assert round(row.values["parameters"] / 1e6, 1) == value("table_1", printed, "millions")


def test_the_paths_of_table_1_are_those_of_the_networks_but_for_clmrs_blocks():
    differ = set()
    for row, content in TABLES["table_1"].rows.items():
        for column in ("contractive", "expansive", "tail", "filters"):
            printed = content.values[column]
            if printed is not None and QUANTITIES[f"{column}/{row}"] != printed:
                differ.add((row, column, printed, QUANTITIES[f"{column}/{row}"]))
    assert differ == {("clmr_tail", "tail", 10, 11), ("clmr+long", "contractive", 10, 11)}


@pytest.mark.parametrize("system", PAPER_SYSTEMS)
def test_memory_of_table_s3_is_the_sum_that_it_says_but_for_four_copies(system):
    row = TABLES["table_s3"].rows[system].values
    assert QUANTITIES[f"pass_mb/{system}"] == pytest.approx(TAIL_COPIES.get(system, row["pass_mb"]), abs=0.006)
    assert QUANTITIES[f"weights_mb/{system}"] == pytest.approx(row["weights_mb"], abs=0.006)
    assert QUANTITIES[f"batch_gb/{system}"] == pytest.approx(row["batch_gb"], abs=0.006)
    assert (abs(row["pass_mb"] - QUANTITIES[f"pass_mb/{system}"]) > 1) == (system in TAIL_COPIES)


def test_hours_of_table_s3_follow_from_its_speed_but_for_one():
    apart = {name: row.values["hours"] - 1000 / row.values["epochs_per_hour"] for name, row in
             TABLES["table_s3"].rows.items()}  # fmt: skip
    assert [name for name, difference in apart.items() if abs(difference) > 0.5] == ["vanilla"]
    assert apart["vanilla"] == pytest.approx(1.0, abs=0.02)


def test_lengths_and_channels_are_those_of_the_blocks():
    for row, content in TABLES["lengths"].rows.items():
        assert QUANTITIES[f"length/{row}"] == content.values["length"], row
        assert QUANTITIES[f"channels/{row}"] == content.values["channels"], row


def test_points_that_are_left_for_the_mean():
    left = {system: QUANTITIES[f"pooled/{system}"] for system in ("vanilla", "tail_1", "tail_4", "tail_5", "clmr")}
    assert left == {"vanilla": 729, "tail_1": 243, "tail_4": 9, "tail_5": 3, "clmr": 1}


def test_constants_are_the_settings_defaults():
    rows = TABLES["constants"].rows
    assert {f"constant/{row}" for row in rows} == set(setting_quantities(Settings()))
    for row, content in rows.items():
        assert QUANTITIES[f"constant/{row}"] == content.values["constant"], row


def test_every_exact_claim_about_the_code_has_its_quantity():
    exact = [claim for claim in REPORTED.claims if claim.kind == "exact"]
    assert all(claim.quantity in QUANTITIES and claim.needs_no_data for claim in exact)
    frame = evaluate(REPORTED, Draws(exact=QUANTITIES), evidence="synthetic", profile="paper")
    verdicts = frame.set_index("claim")["verdict"]
    against = {claim.id for claim in exact if verdicts[claim.id] == "contradicted"}
    assert against == {
        "fewer_parameters_than_tune_plus", "fewer_parameters_than_clmr", "no_larger_than_clmr", "pass_memory_tail_1",
    }  # fmt: skip
    assert all(verdicts[claim.id] == "reproduced" for claim in exact if claim.id not in against)


def test_printed_numbers_support_every_ordering():
    for found in REPORTED.claims:
        if found.kind != "ordering":
            continue
        sign = -1 if REPORTED.lower_is_better(found) else 1
        for a, b in found.comparisons():
            difference = REPORTED.published_difference(a, b, found.metric)
            assert difference is not None, (found.id, a, b)
            assert sign * difference > 0, (found.id, a, b)


def test_printed_numbers_lie_within_every_margin():
    for found in REPORTED.claims:
        if found.kind == "equivalence":
            for a, b in found.comparisons():
                first, second = (REPORTED.published_value(name, found.metric) for name in (a, b))
                assert abs(first - second) <= found.margin + 1e-9, (found.id, a, b)


def test_sizes_of_magnitudes_follow_from_the_tables():
    sizes = {found.id: REPORTED.paper_effect(found) for found in REPORTED.claims if found.kind == "magnitude"}
    expected = {
        "tail_5_over_vanilla": 89.2 - 87.7,
        "half_the_representation_ap": 36.1 - 36.6,
        "two_layers_raise_auc": value("table_1", "tune_plus+long", "auc_mlp")
        - value("table_1", "tune_plus+long", "auc"),
        "two_layers_lower_ap": value("table_1", "tail_5+long", "ap_mlp") - value("table_1", "tail_5+long", "ap"),
        "billboard_costs_four_points": value("table_2", "tune_plus@billboard", "auc_mlp")
        - value("table_1", "tune_plus+long", "auc_mlp"),
        "full_rate_output_is_no_better_than_conv_2": value("figure_s3_readings", "tail_5", "auc_layer/Expa-4")
        - value("figure_s3_readings", "tail_5", "auc_layer/Contr-2"),
        "tail_makes_the_representation": value("figure_s3_readings", "tail_5", "auc_layer/Tail-9")
        - value("figure_s3_readings", "tail_5", "auc_layer/Expa-4"),
    }
    assert sizes == pytest.approx(expected)


def test_sentences_about_the_tables_are_true():
    assert max(printed_differences("better_than_clmr_out_of_domain")) == 5.3
    assert min(printed_differences("better_than_clmr_out_of_domain")) == 1.8
    raised = [row for row in ON_OTHERS if value("table_2", row, "ap_mlp") > value("table_2", row, "ap")]
    assert len(raised) == 8
    linear = [value("table_2", f"{name}@billboard", "auc") - value("table_1", f"{name}{long}", "auc")
              for name in ("tail_5", "tune_plus") for long in ("", "+long")]  # fmt: skip
    assert (round(max(linear), 1), round(min(linear), 1)) == (-4.5, -4.8)
    for name in ("tail_5", "tune_plus"):
        assert value("table_s2", f"{name}+long", "gtzan_accuracy") < value("table_s2", "clmr+long", "gtzan_accuracy")


def test_readings_end_where_the_tables_do():
    for name in ("tail_5", "tune_plus"):
        assert value("figure_s3_readings", name, "auc_layer/Tail-9") == value("table_1", name, "auc")
    for row in TABLES["figure_s4_readings"].rows:
        last = value("figure_s4_readings", row, "auc_layer/Tail-9")
        assert last == pytest.approx(value("table_2", row, "auc"), abs=0.3)


def test_blocks_that_were_read_off_are_those_of_the_networks():
    maps = [name.removeprefix("auc_layer/") for name in TABLES["figure_s3_readings"].columns]
    for name in ("tail_5", "tune_plus"):
        assert maps == [key.removeprefix("length/") for key in network_quantities(name) if key.startswith("length/")]


def test_neighbours_say_whether_they_were_checked():
    for row, content in TABLES["context"].rows.items():
        assert row.startswith("context_")
        assert content.texts["split"] in ("full", "clean")
        assert ("not verified" in content.note) == (content.texts["checked"] == "no")


def test_tasks_are_columns_of_table_s2():
    names = {metric for name, task in TASKS.items() if name != "mtt" for metric in task.metrics}
    assert names <= set(TABLES["table_s2"].columns)


def test_decisions_name_settings_and_values_that_work():
    for decision in REPORTED.decisions:
        if decision.parameter is not None:
            assert decision.parameter in Settings.model_fields, decision.id
        for choice in decision.values:
            assert getattr(Settings(**{decision.parameter: choice}), decision.parameter) == choice
        if decision.values:
            assert Settings.model_fields[decision.parameter].default == decision.values[0], decision.id


def test_there_is_enough_to_judge():
    assert len(REPORTED.claims) >= 14
    assert len(REPORTED.decisions) >= 14


def test_counts_of_a_data_set():
    table = pd.DataFrame({"split": ["train", "train", "valid", "test"], "tags": [("a",), (), ("a", "b"), ()]})
    found = split_quantities("mtt", table)
    assert found == {
        "data/split/mtt/train": 2, "data/split/mtt/valid": 1, "data/split/mtt/test": 1, "data/split/mtt/all": 4,
        "data/split/mtt/untagged_train": 1, "data/split/mtt/untagged_valid": 0, "data/split/mtt/untagged_test": 1,
    }  # fmt: skip
    assert "data/split/fma/untagged_train" not in split_quantities("fma", table.drop(columns="tags"))
    rows = TABLES["splits"].rows
    assert {f"data/split/{row}" for row in rows if row.startswith("mtt/")} == set(found)


def test_all_quantities_are_those_of_code_settings_and_data():
    one, two = (pd.DataFrame({"split": ["train"] * n}) for n in (3, 5))
    clips = [SimpleNamespace(table=table) for table in (one, two)]
    collection = SimpleNamespace(pretraining={"gtzan": clips[0], "fma": clips[0]}, tasks={"gtzan": clips[1]})
    found = exact_quantities(Settings(), collection)
    assert found.keys() > QUANTITIES.keys()
    assert {name: found[f"data/split/{name}/train"] for name in ("gtzan", "fma")} == {"gtzan": 5, "fma": 3}
    assert not any(name.startswith("data/split/mtt") for name in found)


def test_what_has_no_network_has_no_quantities():
    with pytest.raises(KeyError):
        network_quantities("mel_statistics")
