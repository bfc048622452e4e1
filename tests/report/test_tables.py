"""Cells, gaps and the refusal of bare means."""

import numpy as np
import pandas as pd
import pytest

from reprise.report.draws import Draws, Estimate
from reprise.report.publication import Publication
from reprise.report.tables import long_table, markdown, show_table, side_by_side


def one(value, low=None, high=None, *, seeds=2, metric="macro_f1", condition="good"):
    draws = np.full(101, np.nan) if low is None else np.linspace(low, high, 101)
    return Draws({(condition, metric): Estimate(np.full(seeds, value), draws, "", tuple(range(seeds)))}, {}, 101)


def test_a_cell_shows_mean_interval_paper_and_difference(reported):
    frame = side_by_side(reported.tables["table_2"], one(0.582, 0.5, 0.62, seeds=5), evidence="full")
    assert list(frame.index) == ["Good <1>", "Bad"]
    good = frame.loc["Good <1>"]
    assert good["", "n"] == "5"
    assert good["F1", "ours"] == "0.582 [0.503, 0.617]"
    assert (good["F1", "paper"], good["F1", "difference"]) == ("0.800", "−0.218")
    assert (good["Acc.", "ours"], good["Acc.", "paper"]) == ("not run", "0.82")
    bad = frame.loc["Bad"]
    assert (bad["F1", "ours"], bad["F1", "difference"]) == ("not run", "")
    assert bad["Acc.", "paper"] == "not available"
    assert frame.attrs["evidence"] == "full"


def test_the_long_frame_is_the_machine_readable_form(reported):
    draws = one(0.6, 0.5, 0.7)
    frame = long_table(reported.tables["table_2"], draws)
    assert list(frame.columns) == [
        *("condition", "label", "metric", "unit", "ours", "low", "high", "n", "paper", "difference")
    ]
    assert len(frame) == 4
    first = frame.iloc[0]
    assert (first["condition"], first["metric"], first["n"]) == ("good", "macro_f1", 2)
    assert (first["low"], first["high"]) == pytest.approx(draws.interval("good", "macro_f1"))
    assert first["difference"] == pytest.approx(-0.2)
    assert frame["ours"].isna().sum() == 3
    assert frame["n"].isna().sum() == 3


def test_a_bare_mean_is_refused_unless_it_is_called_a_single_run(reported):
    table, draws = reported.tables["table_2"], one(0.5, seeds=1)
    with pytest.raises(ValueError, match=r"macro_f1 of good .* single_run=True"):
        side_by_side(table, draws, evidence="full")
    with pytest.raises(ValueError, match="single run"):
        show_table(table, draws, evidence="full")
    frame = side_by_side(table, draws, evidence="full", single_run=True)
    assert frame.loc["Good <1>", ("F1", "ours")] == "0.500 [n=1]"


def test_exact_quantities_need_no_interval(reported):
    draws = Draws(exact={"mae/good": 10.04, "mae/bad": 30.0})
    frame = side_by_side(reported.tables["table_3"], draws, evidence="synthetic")
    assert list(frame["MAE", "ours"]) == ["10.0", "30.0"]
    # a difference that rounds to nothing has no sign
    assert list(frame["MAE", "difference"]) == ["0.0", "0.0"]
    assert "Ours: exact" in show_table(reported.tables["table_3"], draws, evidence="synthetic").to_html()


def test_intervals_do_not_leave_the_range_of_the_unit(reported):
    frame = long_table(reported.tables["table_2"], one(0.98, 0.9, 1.1))
    assert frame.iloc[0]["high"] == 1.0
    assert long_table(reported.tables["table_3"], one(10, 5, 15, metric="mae")).iloc[0]["high"] > 10


def test_the_shown_table_says_what_the_evidence_is_worth_and_escapes_labels(reported, draws):
    page = show_table(reported.tables["table_2"], draws, evidence="synthetic", caption="Look:").to_html()
    assert "not evidence about the paper" in page
    assert "Look: Systems (Table 2)" in page
    assert "Good &lt;1&gt;" in page
    assert "paper 0.800" in page
    assert page == show_table(reported.tables["table_2"], draws, evidence="synthetic", caption="Look:").to_html()


def test_two_tables_on_one_page_do_not_share_their_rules(reported, draws):
    pages = [show_table(reported.tables[name], draws, evidence="full").to_html() for name in ("table_2", "table_3")]
    identifiers = [page.split('<table id="')[1].split('"')[0] for page in pages]
    assert identifiers[0] != identifiers[1]


WORDS = {
    "title": "Layers",
    "columns": {"width": {"label": "Width", "unit": "channel", "digits": 0}},
    "texts": {"kind": "Kind <b>"},
    "rows": {"first": {"label": "First", "width": 32, "texts": {"kind": "conv & pool"}}},
}


def test_columns_of_words_are_shown_as_printed(content, load):
    content["tables"]["table_4"] = WORDS
    table, draws = load(content).tables["table_4"], Draws(exact={"width/first": 32.0})
    frame = side_by_side(table, draws, evidence="synthetic")
    assert frame.loc["First", ("Kind <b>", "")] == "conv & pool"
    assert frame.loc["First", ("Width", "ours")] == "32"
    assert list(long_table(table, draws)["metric"]) == ["width"]
    page = show_table(table, draws, evidence="synthetic").to_html()
    assert "conv &amp; pool" in page
    assert "Kind &lt;b&gt;" in page


def test_a_table_of_words_alone_has_no_numbers_to_miss(content, load, tmp_path):
    content["tables"]["table_4"] = {key: value for key, value in WORDS.items() if key != "columns"} | {
        "rows": {"first": {"label": "First", "texts": {"kind": "conv"}}}
    }
    reported = load(content)
    publication = Publication(tmp_path / "out", reported, profile="smoke", evidence="synthetic")
    page = publication.table("table_4", Draws()).to_html()
    assert "The paper's words" in page.replace("&#x27;", "'")
    assert publication.empty == {}


def test_what_is_counted_in_the_data_says_which_data(content, load):
    draws = Draws(exact={"mae/good": 10.0})
    exact = show_table(load(content).tables["table_3"], draws, evidence="synthetic").to_html()
    assert "not evidence about the paper" not in exact
    content["tables"]["table_3"]["from_data"] = True
    counted = show_table(load(content).tables["table_3"], draws, evidence="synthetic").to_html()
    assert "nothing is sampled" in counted
    assert "not evidence about the paper" in counted


def test_unknown_evidence_is_refused(reported, draws):
    with pytest.raises(ValueError, match="evidence must be"):
        side_by_side(reported.tables["table_2"], draws, evidence="")


def test_markdown():
    frame = pd.DataFrame({("F1", "ours"): ["a|b", None], ("", "n"): [1.5, float("nan")]}, index=["x", "y"])
    assert markdown(frame, caption="Words.") == (
        "Words.\n\n|  | F1 ours | n |\n| --- | --- | --- |\n| x | a\\|b | 1.5 |\n| y |  |  |\n"
    )
    assert markdown(pd.DataFrame({"p": [0.12345678]})) == "| p |\n| --- |\n| 0.123457 |\n"
