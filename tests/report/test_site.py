"""The page and the scorecard hold what was completed, and nothing else."""

import shutil
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from reprise.files import read_json, write_json
from reprise.report.claims import SCORECARD_COLUMNS
from reprise.report.publication import Publication
from reprise.report.site import build_site, scorecard


@pytest.fixture
def root(tmp_path, reported, draws):
    """Root of all profiles with one complete paper under smoke."""
    plt.switch_backend("agg")
    publication = Publication(tmp_path / "smoke" / "toy", reported, profile="smoke", evidence="synthetic")
    draws.exact.update({"mae/good": 9.0, "mae/bad": 31.0})
    for name in ("table_2", "table_3"):
        publication.table(name, draws)
    for name in ("figure_1", "figure_3"):
        publication.figure(name, plt.figure(), data=pd.DataFrame({"x": [1]}), caption='A "line" <here>.')
    publication.claims(draws)
    publication.decisions()
    publication.finish(notes=["Half of the <singers> is there."])
    return tmp_path


class Checker(HTMLParser):
    """Collects links and pictures and checks that tags nest."""

    VOID = frozenset({"meta", "img", "br", "link", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_scorecard_has_the_columns_and_the_rows(root):
    frame = scorecard("smoke", root=root)
    assert tuple(frame.columns) == SCORECARD_COLUMNS
    assert frame[["paper", "claim", "verdict", "evidence"]].values.tolist() == [
        ["toy", "good_wins", "reproduced", "synthetic"]
    ]
    assert frame["n"].dtype == "Int64"
    assert frame["paper_value"].tolist() == ["+0.300"]


def test_scorecard_of_nothing_is_empty_with_the_same_columns_and_types(root):
    empty = scorecard("paper", root=root)
    assert tuple(empty.columns) == SCORECARD_COLUMNS
    assert len(empty) == 0
    assert empty["ours"].dtype == float


def test_scorecard_takes_the_default_root(root, monkeypatch):
    monkeypatch.setenv("REPRISE_OUT", str(root))
    assert len(scorecard("smoke")) == 1


def test_an_unfinished_paper_does_not_count(root):
    (root / "smoke" / "toy" / "complete.json").unlink()
    assert len(scorecard("smoke", root=root)) == 0
    page = build_site(root / "smoke").read_text(encoding="utf-8")
    assert "good_wins" not in page
    assert "Not run to the end" in page


def test_a_claims_file_of_another_shape_is_named(root):
    (root / "smoke" / "toy" / "claims.csv").write_text("paper,claim\ntoy,x\n")
    with pytest.raises(ValueError, match=r"claims\.csv has no column 'source'"):
        scorecard("smoke", root=root)


def test_the_page_is_sound_and_self_contained(root):
    page = build_site(root / "smoke", papers={"toy": "A Toy", "03_tune": "TUNe <U>"})
    text = page.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    local = [link for link in checker.links if not link.startswith("#")]
    assert local
    assert all((page.parent / link).is_file() for link in local), local
    assert "http" not in text
    assert "prefers-color-scheme: dark" in text
    for words in (
        "TUNe &lt;U&gt;",
        "./run_all.sh --profile smoke 03_tune",
        "not evidence about the paper",
        "Half of the &lt;singers&gt;",
        "A &quot;line&quot; &lt;here&gt;.",
        "Good is better than bad.",
        "Table 2",
    ):
        assert words in text
    pd.testing.assert_frame_equal(
        pd.read_csv(root / "smoke" / "scorecard.csv")[["claim", "verdict"]],
        scorecard("smoke", root=root)[["claim", "verdict"]],
        check_dtype=False,
    )


def test_pictures_lead_to_the_notebook_where_there_is_one(root):
    (root / "smoke" / "toy" / "notebook.html").write_text("<p>")
    text = build_site(root / "smoke").read_text(encoding="utf-8")
    assert '<a href="toy/notebook.html"><img' in text


def test_a_verdict_on_synthetic_data_does_not_look_like_a_finding(root):
    text = build_site(root / "smoke").read_text(encoding="utf-8")
    badge = text.split('class="verdict" style="')[1].split('"')[0]
    assert "dashed" in badge
    assert "background" not in badge


def test_a_tour_is_linked_but_is_no_paper(root):
    (root / "smoke" / "00_tour").mkdir()
    (root / "smoke" / "00_tour" / "notebook.html").write_text("<p>")
    (root / "smoke" / "00_tour" / "complete.json").write_text('{"kind": "tour", "title": "A tour", "profile": "smoke"}')
    text = build_site(root / "smoke").read_text(encoding="utf-8")
    assert '<a href="00_tour/notebook.html">A tour</a>' in text
    assert 'id="00_tour"' not in text
    assert len(scorecard("smoke", root=root)) == 1


@pytest.mark.parametrize("name", ["toy.failed", ".toy-host-12-abc", ".toy.replaced"])
@pytest.mark.parametrize("kind", ["paper", "tour"])
def test_failed_and_hidden_folders_are_not_there(root, name, kind):
    before = build_site(root / "smoke").read_text(encoding="utf-8"), scorecard("smoke", root=root)
    shutil.copytree(root / "smoke" / "toy", root / "smoke" / name)
    record = read_json(root / "smoke" / name / "complete.json")
    write_json(root / "smoke" / name / "complete.json", record | {"kind": kind})
    assert build_site(root / "smoke").read_text(encoding="utf-8") == before[0]
    pd.testing.assert_frame_equal(scorecard("smoke", root=root), before[1])


def test_a_page_without_any_paper(tmp_path):
    text = build_site(tmp_path / "demo", papers={"toy": "Toy"}).read_text(encoding="utf-8")
    assert "No paper has been run" in text
    assert tuple(pd.read_csv(tmp_path / "demo" / "scorecard.csv").columns) == SCORECARD_COLUMNS


def test_importing_the_room_is_light():
    code = "import sys, reprise.report; print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sys; from reprise.report import scorecard, Publication, Draws; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )
