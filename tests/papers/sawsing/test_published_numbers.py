"""What is known of the paper stays as it was read, agrees with itself, and nothing stands where nothing is known."""

from itertools import pairwise
from pathlib import Path

import pytest

import reprise.papers.sawsing as room
from reprise.papers.sawsing.quantities import architecture_quantities, setting_quantities, source_quantities
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import PAPER_SYSTEMS, SYSTEMS, split_condition
from reprise.report.claims import evaluate
from reprise.report.draws import Draws
from reprise.report.reported import Reported

PATH = Path(room.__file__).with_name("reported.yaml")
REPORTED = Reported.load(PATH)
TABLES = REPORTED.tables
VOICES = ("female", "male")


def value(table, row, column):
    return TABLES[table].rows[row].values[column]


def test_the_papers_own_cells_stay_empty_and_say_so():
    for name in ("paper_objective", "paper_listening", "paper_sizes"):
        for row in TABLES[name].rows.values():
            assert set(row.values.values()) == {None}
            assert row.note == "not available"
    assert len(TABLES["paper_objective"].rows) == len(PAPER_SYSTEMS) * 2 * 2


def test_every_other_table_says_whose_numbers_it_has():
    words = ("log", "demo page", "demo_audio", "follow-up", "fact sheet", "repository")
    for name, table in TABLES.items():
        assert name.startswith("paper_") or any(word in table.source for word in words), name


def test_conditions_are_systems_scenarios_and_voices():
    for name in ("paper_objective", "paper_listening", "paper_sizes", "demo_audio", "delayed_audio", "debuzzed_audio"):
        for row in TABLES[name].rows:
            assert split_condition(row).system in PAPER_SYSTEMS
            assert split_condition(row).name == row
    assert list(TABLES["demo_audio"].rows) == list(TABLES["paper_objective"].rows)
    for claim in REPORTED.claims:
        for condition in claim.conditions():
            assert condition == "ground_truth" or split_condition(condition).voice is None
    assert REPORTED.conditions.keys() - {"ground_truth"} == SYSTEMS.keys() - set(PAPER_SYSTEMS)
    assert all(SYSTEMS[name].label == label for name, label in REPORTED.conditions.items() if name in SYSTEMS)


def test_the_same_audio_has_the_same_distance_in_two_tables():
    for row in TABLES["delayed_audio"].rows:
        assert value("delayed_audio", row, "msstft") == value("demo_audio", row, "msstft")


def test_the_log_is_a_training():
    for series in ("sawsing", "ddsp_add", "ddsp_add_a"):
        rows = [row.values for name, row in TABLES["validation_log"].rows.items() if name.split("@")[0] == series]
        for column in ("hours", "steps"):
            values = [row[column] for row in rows]
            assert values == sorted(set(values))
        # the f0 loss falls off a cliff when unvoiced frames leave it
        losses = [(row["steps"], row["valid_f0_loss"]) for row in rows]
        assert all((loss > 3) == (step < 4715) for step, loss in losses)
    last = TABLES["validation_log"].rows["sawsing@last"].values
    assert last["steps"] == value("constants", "steps_regular", "constant")
    assert value("validation_log", "sawsing@3h", "steps") == value("constants", "steps_limited", "constant")


def demo(condition, metric, voice):
    return REPORTED.published_value(f"{condition}/{voice}", metric)


def smallest_and_largest(claim, *, metric=None):
    """Range of what the demo audio gives for a claim, positive in the claim's favour."""
    found = []
    for better, worse in claim.comparisons():
        for voice in VOICES:
            found.append(demo(worse, metric or claim.metric, voice) - demo(better, metric or claim.metric, voice))
    return min(found), max(found)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("limited_beats_gans_and_diffusion", 3.85, 10.17),
        ("limited_beats_all", 0.54, 10.17),
        ("limited_ddsp_add_beats_gans_and_diffusion", 3.31, 9.63),
        ("regular_favourable", 0.08, 2.73),
        ("fastdiff_best_on_pitch", 8.6, 43.3),
        ("better_than_ddsp_add_in_the_end", 0.68, 0.77),
    ],
)
def test_orderings_hold_for_the_published_audio_by_as_much_as_is_said(name, low, high):
    (claim,) = [claim for claim in REPORTED.claims if claim.id == name]
    assert smallest_and_largest(claim) == pytest.approx((low, high))
    assert f"{low}" in claim.paper_value
    assert f"{high}" in claim.paper_value


def test_the_gap_between_scenarios_is_smaller_for_sawsing():
    def gap(system, voice):
        return demo(f"{system}>limited", "msstft", voice) - demo(system, "msstft", voice)

    differences = [
        gap(rival, voice) - gap("sawsing", voice) for rival in ("nsf", "pwg", "hifigan", "fastdiff") for voice in VOICES
    ]
    assert (min(differences), max(differences)) == pytest.approx((1.39, 9.74))


def test_the_lead_over_hifigan_is_one_per_cent_and_gone_by_amplitudes():
    ratio = demo("sawsing", "msstft", "female") / demo("hifigan", "msstft", "female")
    assert 0.98 < ratio < 0.99
    for rival in ("pwg", "hifigan"):
        assert demo(rival, "msstft_amplitude", "female") < demo("sawsing", "msstft_amplitude", "female")


def test_sizes_of_the_buzz_and_of_what_its_removal_costs():
    songs = ("037", "142", "143")
    levels = {name: row.values["buzz_unvoiced"] for name, row in TABLES["buzz"].rows.items()}
    sawsing, ddsp = ([levels[f"{name}@{song}"] for song in songs] for name in ("sawsing", "ddsp_add"))
    sizes = {claim.id: REPORTED.paper_effect(claim) for claim in REPORTED.claims if claim.kind == "magnitude"}
    assert sizes == pytest.approx({"buzz_level": sum(sawsing) / 3, "early_by_half_a_block": -120}, abs=5e-3)
    differences = [a - b for a, b in zip(sawsing, ddsp, strict=True)]
    assert (min(differences), max(differences)) == pytest.approx((9.5, 12.0))
    rows = TABLES["debuzzed_audio"].rows.values()
    costs = [row.values["msstft_page_debuzzed"] - row.values["msstft_page"] for row in rows]
    assert (min(costs), max(costs)) == pytest.approx((0.39, 1.55))


def test_the_follow_up_says_what_the_claims_take_from_it():
    for voice, fad, rating in (("female", 0.12, 1.44), ("male", 0.09, 1.27)):
        plain_ddsp, sawsing = f"followup_ddsp/{voice}", f"followup_sawsing/{voice}"
        frechet = [value("follow_up", name, "fad_vggish") for name in (plain_ddsp, sawsing)]
        assert frechet[0] - frechet[1] == pytest.approx(fad)
        ratings = [value("follow_up_listening", name, "mos") for name in (plain_ddsp, sawsing)]
        assert ratings[0] - ratings[1] == pytest.approx(rating)
        distances = [value("follow_up", name, "msstft_amplitude") for name in (plain_ddsp, sawsing)]
        assert abs(distances[0] - distances[1]) < 0.04


def test_speed_of_convergence_is_that_of_the_log():
    runs = ("sawsing", "ddsp_add_a", "ddsp_add")
    at_3h = {name: value("validation_log", f"{name}@3h", "valid_msstft") for name in runs}
    assert at_3h["ddsp_add_a"] - at_3h["sawsing"] == pytest.approx(0.27)
    assert at_3h["ddsp_add"] - at_3h["sawsing"] == pytest.approx(0.50)
    last = [value("validation_log", f"{name}@last", "valid_msstft") for name in ("ddsp_add_a", "sawsing")]
    assert last[0] - last[1] == pytest.approx(0.76)


def test_constants_are_the_defaults_and_the_models():
    ours = setting_quantities(Settings())
    for name, row in TABLES["constants"].rows.items():
        assert ours[f"constant/{name}"] == row.values["constant"], name
    assert len(ours) == len(TABLES["constants"].rows)


def test_parameters_and_delays_are_the_live_networks():
    ours = architecture_quantities()
    for name, row in TABLES["parameters"].rows.items():
        if name in ("sawsing", "ddsp_add", "dwts", "full", "sawsub", "body"):
            assert ours[f"parameters/{name}"] == row.values["parameters"], name
    for name, row in TABLES["delays"].rows.items():
        assert ours[f"delay/{name}"] == row.values["delay"]


def test_naive_sources_lose_what_the_fact_sheet_measured():
    ours = source_quantities()
    for name, row in TABLES["aliases"].rows.items():
        assert ours[f"alias/{name}"] == pytest.approx(row.values["alias"], abs=0.6)
    for name, row in TABLES["phase_precision"].rows.items():
        assert ours[f"phase_snr/{name}"] == pytest.approx(row.values["phase_snr"], abs=5)


def test_single_precision_loses_more_on_longer_and_on_higher_notes():
    # the fact sheet's numbers for lower notes are up to 6 dB below ours; over which part of a sound is not said there
    ours = source_quantities()
    columns, rows = list(TABLES["phase_precision"].columns), list(TABLES["phase_precision"].rows)
    levels = [[ours[f"{column}/{row}"] for column in columns] for row in rows]
    assert all(one > other for line in levels for one, other in pairwise(line))
    assert all(one > other for line in zip(*levels, strict=True) for one, other in pairwise(line))


def test_exact_statements_hold_but_for_the_one_that_needs_a_clock():
    exact = architecture_quantities() | source_quantities()
    frame = evaluate(REPORTED, Draws(exact=exact), evidence="full", profile="paper")
    verdicts = frame[frame["kind"] == "exact"].set_index("claim")["verdict"]
    assert verdicts.pop("real_time") == "not run"
    assert (verdicts == "reproduced").all(), verdicts
    free = frame.set_index("claim").loc[verdicts.index, "evidence"]
    assert (free == "no data").all()


def test_there_are_enough_claims_and_decisions_and_errors_are_known_as_such():
    assert len(REPORTED.claims) >= 12
    assert len(REPORTED.decisions) >= 12
    for claim in REPORTED.claims:
        if claim.kind == "ordering":
            assert REPORTED.lower_is_better(claim) == (claim.metric != "mos"), claim.id


def test_decisions_name_parameters_and_values_that_exist():
    switched = [decision for decision in REPORTED.decisions if decision.parameter]
    assert len(switched) >= 20
    for decision in switched:
        assert decision.parameter in Settings.model_fields, decision.id
        for chosen in decision.values:
            Settings.model_validate({decision.parameter: chosen})
        assert decision.values, decision.id


def test_every_pitfall_of_the_variants_has_a_decision():
    changed = {name for system in SYSTEMS.values() for name in system.changes}
    assert changed <= {decision.parameter for decision in REPORTED.decisions}
