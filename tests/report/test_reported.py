"""What ``reported.yaml`` may say, and that a wrong number does not get in."""

import pytest
import yaml

from reprise.report.reported import Reported, ReportedError


def test_numbers_labels_and_differences_are_found(reported):
    assert reported.published_value("good", "macro_f1") == 0.8
    assert reported.published_value("bad", "accuracy") is None
    assert reported.published_value("good@0.2", "macro_f1") == 0.7
    assert reported.published_difference("good", "bad", "macro_f1") == pytest.approx(0.3)
    # 0.8 is in a table and 0.5 in a figure: numbers from two places are not subtracted
    assert reported.published_difference("good", "bad@0", "macro_f1") is None
    assert reported.labels()["good"] == "Good"
    assert reported.labels()["bad@1"] == "Bad, 1"
    assert reported.measure("mae").direction == "lower"
    assert reported.measure("unknown") is None
    assert reported.tables["table_2"].rows["bad"].note == "not printed"


def test_a_column_has_the_printed_cells_alone(content, load):
    row = next(iter(content["tables"]["table_2"]["rows"].values()))
    name = next(iter(content["tables"]["table_2"]["columns"]))
    full = load(content).tables["table_2"].column(name)
    row[name] = None
    cells = load(content).tables["table_2"].column(name)
    assert full.items() > cells.items()
    assert len(full) == len(cells) + 1


def test_it_is_frozen(reported):
    with pytest.raises(Exception, match="frozen"):
        reported.paper.title = "other"


def change(content, path, value):
    *parents, last = path
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("tables", "table_2", "rows", "good", "macro_f1"), 8.0, ["table_2", "'good'", "macro_f1", "8", "[0, 1]"]),
        (("tables", "table_2", "rows", "good", "macro_f1"), True, ["number is expected"]),
        (("tables", "table_2", "rows", "good", "macro_f1"), float("nan"), ["finite"]),
        (("tables", "table_2", "rows", "good", "f1"), 0.5, ["table_2", "'good'", "'f1'", "macro_f1"]),
        (("tables", "table_2", "rows", "good"), {"label": "x", "macro_f1": 0.1}, ["accuracy: null"]),
        (("tables", "table_2", "columns", "accuracy"), "F1", ["two columns of one label"]),
        (("tables", "table_2", "colums"), {}, ["colums"]),
        (("tables", "table_2", "texts"), {"kind": "Kind"}, ["table_2", "'good'", "'kind'"]),
        (("tables", "table_2", "texts"), {"kind": "F1"}, ["two columns of one label"]),
        (("tables", "table_2", "rows", "good", "texts"), {"kind": "x"}, ["table_2", "'good'", "'kind'"]),
        (("tables", "table_3", "columns", "mae", "high"), 20, ["table_3", "'bad'", "30"]),
        (("tables", "../x"), {"title": "t", "columns": {}, "rows": {}}, ["../x"]),
        (("figures", "figure_3", "series", "good", "values"), [0.1], ["figure_3", "1 values for 3"]),
        (("figures", "figure_3", "series", "good", "values"), [0.1, 0.2, 1.3], ["good@1", "1.3"]),
        (("figures", "figure_3", "y"), None, ["needs x and y"]),
        (("figures", "table_2"), {"title": "t"}, ["table_2", "twice"]),
        (("claims", 0, "better"), "godo", ["good_wins", "'godo'", "known:", "good@0.2"]),
        (("claims", 0, "worse"), ["bad", "bad@5"], ["'bad@5'"]),
        (("claims", 0, "kind"), "trend", ["trend"]),
        (("claims", 0, "margin"), 0.1, ["margin"]),
        (("claims", 0, "pairs"), "maybe", ["pairs"]),
        (("paper", "year"), "twenty", ["year"]),
        (("decisions", 0, "reason"), "x", ["reason"]),
    ],
)
def test_one_wrong_entry_fails_loading_and_is_named(content, load, path, value, words):
    load(content)
    change(content, path, value)
    with pytest.raises(ReportedError) as caught:
        load(content)
    assert all(word in str(caught.value) for word in ["reported.yaml", *words]), str(caught.value)


@pytest.mark.parametrize("what", ["claims", "decisions"])
def test_identifiers_are_unique(content, load, what):
    content[what] *= 2
    with pytest.raises(ReportedError, match="twice"):
        load(content)


def test_a_key_that_is_there_twice_is_an_error(tmp_path):
    path = tmp_path / "reported.yaml"
    path.write_text("paper: {slug: a, title: b, authors: [c], year: 2000}\ntables: {}\ntables: {}\n")
    with pytest.raises(ReportedError, match="'tables' is there twice"):
        Reported.load(path)


def test_broken_yaml_names_the_file(tmp_path):
    path = tmp_path / "reported.yaml"
    path.write_text("paper: [")
    with pytest.raises(ReportedError, match=r"reported\.yaml is not valid YAML"):
        Reported.load(path)


def claim(**fields):
    return {"id": "c", "source": "§2", "statement": "s", **fields}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"kind": "ordering", "metric": "m", "better": ["good", "bad"], "worse": ["bad"], "pairs": True},
            "pairs 2 with 1",
        ),
        ({"kind": "equivalence", "metric": "m", "a": "good", "b": "bad", "margin": 0}, "greater than 0"),
        ({"kind": "magnitude", "metric": "unseen", "a": "good", "b": "bad", "tolerance": 0.1}, "no paper_difference"),
        ({"kind": "exact", "quantity": "q"}, "needs either"),
        ({"kind": "exact", "quantity": "q", "value": 1, "at_least": 0}, "needs either"),
        ({"kind": "ordering", "metric": "m", "better": [], "worse": "bad"}, "better"),
    ],
)
def test_a_claim_that_cannot_be_tested_fails_loading(content, load, fields, words):
    content["claims"] = [claim(**fields)]
    with pytest.raises(ReportedError, match=words):
        load(content)


def test_conditions_outside_tables_can_be_declared(content, load):
    content["claims"] = [claim(kind="ordering", metric="m", better="extra", worse="good")]
    content["conditions"] = ["extra"]
    assert load(content).labels()["extra"] == "extra"
    content["conditions"] = {"extra": "An extra system"}
    assert load(content).labels()["extra"] == "An extra system"


def test_tolerances_are_absolute_or_relative(content, load):
    for written, half in ((0.03, 0.03), ("10%", 0.02), ("5 %", 0.01)):
        content["claims"] = [claim(kind="magnitude", metric="macro_f1", a="good", b="bad", tolerance=written)]
        assert load(content).claims[0].tolerance.around(-0.2) == pytest.approx(half)


def test_numeric_keys_become_the_same_text_as_in_conditions(tmp_path, content):
    content["tables"]["table_2"]["rows"] = {1: {"label": "one", "macro_f1": 0.5, "accuracy": 0.5}}
    content["claims"] = []
    path = tmp_path / "reported.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert "1" in Reported.load(path).tables["table_2"].rows
