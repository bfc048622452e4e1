"""A publication is complete, or says what is missing."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from reprise.files import sha256_file
from reprise.report.display import folded
from reprise.report.draws import Draws
from reprise.report.publication import Publication, PublicationIncomplete


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "figures" / "smoke" / "toy"


@pytest.fixture
def publish(folder, reported, draws):
    """Make a publication with everything but what is named in ``without``."""
    plt.switch_backend("agg")

    def make(without=(), **options):
        publication = Publication(folder, reported, profile="smoke", evidence="synthetic", **options)
        draws.exact.update({"mae/good": 9.0, "mae/bad": 31.0})
        for name in ("table_2", "table_3"):
            if name not in without:
                publication.table(name, draws)
        for name in ("figure_1", "figure_3"):
            if name not in without:
                data = pd.DataFrame({"x": [1], "n": [3]})
                publication.figure(name, plt.figure(), data=data, caption="A line.")
        if "claims" not in without:
            publication.claims(draws)
        if "decisions" not in without:
            publication.decisions()
        return publication

    return make


def results(**changes):
    return pd.DataFrame(
        [{"condition": "good", "seed": 0, "status": "done", "error": None}, {"condition": "bad", "seed": 1} | changes]
    )


DONE = {"status": "done", "error": None}


def test_everything_is_written_and_hashed(publish, folder):
    record = json.loads(publish().finish(results(**DONE), settings={"epochs": 2}, notes=["n."]).read_text())
    names = {path.name for path in folder.iterdir()}
    tables = {f"{name}.{suffix}" for name in ("table_2", "table_3") for suffix in ("csv", "md")}
    figures = {f"{name}.{suffix}" for name in ("figure_1", "figure_3") for suffix in ("png", "svg", "csv")}
    assert names == {*tables, *figures, "claims.csv", "decisions.md", "complete.json"}
    assert record["files"] == {name: sha256_file(folder / name) for name in names - {"complete.json"}}
    assert (record["paper"], record["profile"], record["evidence"]) == ("toy", "smoke", "synthetic")
    assert (record["settings"], record["notes"], record["trials"]) == ({"epochs": 2}, ["n."], 2)
    assert record["seconds"] >= 0
    assert [output["id"] for output in record["outputs"]][:4] == ["table_2", "table_3", "figure_1", "figure_3"]


def test_settings_may_be_a_model(publish):
    class Settings(BaseModel):
        root: Path = Path("data")
        alphas: tuple[float, ...] = (0.0, 1.0)

    record = json.loads(publish().finish(results(**DONE), settings=Settings()).read_text())
    assert record["settings"] == {"root": "data", "alphas": [0.0, 1.0]}


def test_the_same_run_writes_the_same_files(publish, folder):
    first = json.loads(publish().finish(results(**DONE)).read_text())["files"]
    assert json.loads(publish().finish(results(**DONE)).read_text())["files"] == first


def test_captions_carry_evidence_and_n(publish, folder):
    publish()
    text = (folder / "figure_3.svg").read_text(encoding="utf-8")
    assert "A line. n = 3 seeds. Evidence: synthetic data: a check of the machinery" in text
    assert "not evidence about the paper" in (folder / "table_2.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("missing", ["table_2", "table_3", "figure_1", "figure_3", "claims", "decisions"])
def test_a_missing_part_is_named_and_no_record_is_written(publish, folder, missing):
    with pytest.raises(PublicationIncomplete, match=rf"(?s)toy is not complete.*{missing}"):
        publish(without=[missing]).finish(results(**DONE))
    assert not (folder / "complete.json").exists()


def test_a_failed_trial_is_named(publish, folder):
    with pytest.raises(PublicationIncomplete, match=r"bad, seed 1 is 'failed': boom"):
        publish().finish(results(status="failed", error="boom"))
    assert not (folder / "complete.json").exists()


def test_a_new_start_takes_the_old_record_away(publish, folder):
    publish().finish(results(**DONE))
    publish(without=["claims"])
    assert not (folder / "complete.json").exists()


def test_an_output_can_be_left_out_for_a_reason(publish):
    record = json.loads(publish(without=["figure_1"], skip={"figure_1": "needs ears"}).finish().read_text())
    assert record["skipped"] == {"figure_1": "needs ears"}
    with pytest.raises(ValueError, match="figure_9"):
        publish(skip={"figure_9": "typo"})


def test_a_notebook_can_ask_what_is_left_out(publish):
    publication = publish(without=["figure_1"], skip={"figure_1": "needs ears"})
    assert not publication.wants("figure_1")
    assert publication.wants("table_2")


def test_a_long_table_can_be_folded(publish):
    view = publish().table("long", pd.DataFrame({"value": range(40)}), "Forty rows.")
    page = folded(view, "40 rows & more")
    assert page.content.startswith("<details><summary>40 rows &amp; more</summary><style")
    assert page.content.count("<tr>") >= 40
    assert page.content.endswith("</details>")
    assert folded(page, "again").content.count("<details>") == 2


def test_a_table_full_of_nan_is_no_table(publish, draws):
    publication = publish()
    publication.table("table_3", Draws())
    with pytest.raises(PublicationIncomplete, match="table_3 holds no number"):
        publication.finish(results(**DONE))
    publication.table("table_3", draws)
    publication.table("extra", pd.DataFrame({"a": ["x"], "p": [np.nan]}), "Tests.")
    with pytest.raises(PublicationIncomplete, match="extra holds no number"):
        publication.finish(results(**DONE))
    publication.table("extra", pd.DataFrame({"a": ["x"], "p": [0.5]}), "Tests.")
    publication.finish(results(**DONE))


def test_an_unknown_table_cannot_be_filled_from_draws(publish, draws):
    with pytest.raises(ValueError, match=r"'table_9'.*table_2"):
        publish().table("table_9", draws)


def test_a_drawn_figure_is_closed_and_shown_once(publish):
    publish()
    assert plt.get_fignums() == []


def test_cells_show_something_that_jupyter_can_draw(publish, draws):
    publication = publish()
    shown = publication.claims(draws).to_html()
    assert "1 claims: 1 reproduced" in shown or "1 claim: 1 reproduced" in shown
    assert "+0.300" in shown
    decisions = publication.decisions()
    assert "mask on" in decisions._repr_html_()
    assert "1. **mask on**" in repr(decisions)
    picture = publication.figure("own", plt.figure(), data=pd.DataFrame({"x": [1]}), caption="<c>")
    assert "data:image/png;base64," in picture._repr_html_()
    assert "&lt;c&gt;" in picture._repr_html_()


def test_bad_evidence_is_refused(folder, reported):
    with pytest.raises(ValueError, match="evidence"):
        Publication(folder, reported, profile="smoke", evidence="none")
