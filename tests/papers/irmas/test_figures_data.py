"""Numbers and pictures of the data sets on labels made up by hand."""

from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from reprise.papers.irmas import description, figures_data, tables_data
from reprise.report.figures import style
from reprise.report.schema import Table

mpl.use("Agg")

CLASSES = ("gel", "pia", "voi")
# side, seconds, labels
CLIPS = (
    *(("train", 3.0, ("gel",)), ("train", 3.0, ("voi",)), ("train", 3.0, ("voi",))),
    *(("test", 20.0, ("voi", "gel")), ("test", 12.5, ("voi", "gel")), ("test", 5.0, ("pia",))),
    *(("test", 20.0, ("gel", "pia", "voi")), ("valid", 7.0, ("pia",))),
)


@pytest.fixture
def corpus() -> SimpleNamespace:
    table = pd.DataFrame(CLIPS, columns=["split", "duration", "labels"])
    table["clip_id"] = [f"c{k}" for k in range(len(table))]
    targets = torch.tensor([[float(name in labels) for name in CLASSES] for labels in table["labels"]])
    rows = {side: np.flatnonzero(table["split"] == side) for side in ("train", "valid", "test")}
    return SimpleNamespace(
        name="irmas",
        table=table,
        classes=CLASSES,
        targets=targets,
        rows=rows.__getitem__,
        counts=lambda side: targets[rows[side]].sum(dim=0).long().numpy(),
    )


@pytest.fixture(autouse=True)
def drawn_in_the_house_style():
    with style():
        yield
    plt.close("all")


def test_class_counts_stand_beside_the_paper_s(corpus):
    published = {"train": {"gel": 760, "voi": 778}, "test": {"gel": 663, "pia": 688, "voi": 720}}
    frame = description.class_counts(corpus, published)
    assert list(frame["clips"]) == [1, 0, 2, 3, 2, 3]
    assert list(frame["paper"].fillna(0)) == [760, 0, 778, 663, 688, 720]
    for _, part in frame.groupby("side"):
        assert part["label_share"].sum() == pytest.approx(1)
        assert part["paper_share"].sum() == pytest.approx(1)
    assert frame["share"].max() == 3 / 4
    figure = figures_data.plot_class_counts(frame)
    heights = [bar.get_width() for bar in figure.axes[1].patches]
    np.testing.assert_allclose(heights, [100 * 3 / 8, 100 * 2 / 8, 100 * 3 / 8])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "0", "2"]


def test_class_counts_need_no_paper(corpus):
    frame = description.class_counts(corpus)
    assert frame["paper"].isna().all()
    assert not figures_data.plot_class_counts(frame).legends


def test_labels_per_clip_are_counted(corpus):
    frame = description.label_numbers(corpus, published={1: 1236, 2: 1278, 3: 318, 4: 39, 5: 3})
    assert list(frame["labels"]) == [1, 2, 3, 4, 5]
    assert list(frame["clips"]) == [1, 2, 1, 0, 0]
    assert frame["paper_share"].iloc[0] == pytest.approx(1236 / 2874)
    assert list(description.label_numbers(corpus, "train")["clips"]) == [3]
    ax = figures_data.plot_label_numbers(frame)
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], [25, 50, 25, 0, 0])


def test_co_occurrence_is_symmetric_and_compared_with_chance(corpus):
    frame = description.co_occurrence(corpus).set_index(["a", "b"])
    assert frame["together"].to_dict() == {("gel", "pia"): 1, ("gel", "voi"): 3, ("pia", "voi"): 1}
    assert frame.loc[("gel", "voi"), "expected"] == pytest.approx(4 * (3 / 4) * (3 / 4))
    assert frame.loc[("gel", "pia"), "ratio"] == pytest.approx(1 / (4 * (3 / 4) * (2 / 4)))
    figure = figures_data.plot_co_occurrence(frame.reset_index(), description.label_numbers(corpus))
    matrix = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.isnan(np.diag(matrix)).all()
    assert np.nansum(matrix) == 2 * 5
    # gel and voi 2.25 times by chance, pia with either 1.5 times
    octaves = np.ma.filled(figure.axes[1].images[0].get_array(), np.nan)
    np.testing.assert_allclose(octaves[0, 1:], np.log2([1 / 1.5, 3 / 2.25]))
    rare = frame.reset_index().assign(expected=[0.9, 1.5, 1.5])
    drawn = np.ma.filled(figures_data.plot_co_occurrence(rare).axes[1].images[0].get_array(), np.nan)
    assert np.isnan(drawn[0, 1])
    assert np.isfinite(drawn[0, 2])


def test_an_instrument_that_never_occurs_has_no_ratio(corpus):
    frame = description.co_occurrence(corpus, "train").set_index(["a", "b"])
    assert np.isnan(frame.loc[("gel", "pia"), "ratio"])
    assert frame.loc[("gel", "voi"), "ratio"] == 0
    figures_data.plot_co_occurrence(frame.reset_index())


def test_durations_are_listed_once_per_label_and_drawn_once_per_clip(corpus):
    frame = description.durations(corpus)
    assert len(frame) == 2 + 2 + 1 + 3
    assert frame[frame["clip_id"] == "c3"]["seconds"].tolist() == [20.0, 20.0]
    assert frame[frame["instrument"] == "pia"]["labels"].tolist() == [1, 3]
    ax = figures_data.plot_durations(frame)
    assert sum(bar.get_height() for bar in ax.patches) == 4
    figure = figures_data.plot_duration_groups(frame)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["gel\n3", "pia\n2", "voi\n3"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["1\n1", "2\n2", "3\n1"]


def test_clips_of_one_length_still_make_a_histogram(corpus):
    ax = figures_data.plot_durations(description.durations(corpus, "train"))
    assert sum(bar.get_height() for bar in ax.patches) == 3


def test_equal_files_with_different_labels_are_found(tmp_path):
    rows = []
    for name, labels, content in (
        ("a", ("gac",), b"1"),
        ("b", ("gel",), b"1"),
        ("c", ("pia",), b"2"),
        ("d", ("pia",), b"2"),
    ):
        path = tmp_path / f"{name}.wav"
        path.write_bytes(content)
        rows.append({"clip_id": f"{name}_0", "file": name, "path": str(path), "labels": labels})
    table = pd.DataFrame(rows).assign(group="r", split="train")
    corpus = SimpleNamespace(table=table)
    found = description.duplicate_clips(corpus).set_index("file")
    assert "path" not in found.columns
    assert found["contradictory"].to_dict() == {"a": True, "b": True, "c": False, "d": False}
    assert found.loc["a", "set"] == found.loc["b", "set"] != found.loc["c", "set"]
    assert description.contradictory_clips(corpus) == ["a_0", "b_0"]
    assert description.contradictory_clips(SimpleNamespace(table=table.iloc[[0, 2]])) == []


def test_counts_have_the_names_of_the_published_tables(corpus):
    collection = SimpleNamespace(irmas=corpus, audioset=None)
    found = tables_data.data_quantities(collection)
    assert found["clips/irmas_train"] == 3
    assert found["clips/irmas_testing"] == 5
    assert found["train_clips/voi"] == 2
    assert (found["test_labels/pia"], found["test_side_labels/pia"]) == (3, 2)
    assert [found[f"test_clips/labels_{k}"] for k in (1, 2, 3, 4, 5)] == [2, 2, 1, 0, 0]
    assert not any("audioset" in name for name in found)
    notes = SimpleNamespace(**(vars(corpus) | {"name": "philharmonia"}))
    both = tables_data.data_quantities(
        SimpleNamespace(irmas=notes, audioset=SimpleNamespace(**(vars(corpus) | {"name": "audioset"})))
    )
    assert both["clips/audioset"] == 8
    assert both["audioset_labels/voi"] == 2
    assert not any("irmas" in name for name in both)


def test_mixtures_are_those_of_the_paper():
    found = tables_data.mixture_quantities()
    assert [found[f"epoch_length/max_{k}"] for k in (2, 3, 4, 5)] == [30875, 23156, 18525, 15437]
    missed = tables_data.unsampled_by_class({"cel": 10, "voi": 20, "gap": 0})
    assert list(missed["instrument"]) == ["cel", "voi", "all"]


def test_the_two_step_draw_misses_more_of_a_large_class():
    counts = dict(
        zip(
            ("cel", "cla", "flu", "gac", "gel", "org", "pia", "sax", "tru", "vio", "voi"),
            (388, 505, 451, 637, 760, 682, 721, 626, 577, 580, 778),
            strict=True,
        )
    )
    missed = tables_data.unsampled_by_class(counts).set_index("instrument")["missed"]
    assert 100 * missed["all"] == pytest.approx(0.187, abs=5e-4)
    assert 100 * missed["voi"] == pytest.approx(0.446, abs=5e-4)
    assert 100 * missed["cel"] == pytest.approx(0.002, abs=5e-4)


def test_the_list_is_sampled_as_it_is(tmp_path):
    (tmp_path / "lists").mkdir()
    text = '# one\n# two\n# three\n--abc, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n--def, 0.000, 10.000, "/m/012xff"\n'
    (tmp_path / "lists" / "balanced_train_segments.csv").write_text(text)
    rows = tables_data.segment_sample(tmp_path, n=1)
    assert rows.to_dict("records") == [
        {"YTID": "--abc", "start_seconds": 30.0, "end_seconds": 40.0, "positive_labels": "/m/09x0r,/t/dd00088"}
    ]
    assert len(tables_data.segment_sample(tmp_path)) == 2
    with pytest.raises(FileNotFoundError, match="balanced_train_segments"):
        tables_data.segment_sample(tmp_path / "lists" / "none")


def test_the_misprinted_identifier_is_found():
    rows = {
        "/m/02qlsy": {"label": "/m/02qlsy", "texts": {"description": "narration", "class": "voi"}},
        "/m/07y_7": {"label": "/m/07y_7 w/o /m/0d8_n", "texts": {"description": "violin", "class": "vio"}},
        "/m/01wy6": {"label": "/m/01wy6", "texts": {"description": "clarinet", "class": "flu"}},
    }
    texts = {"description": "Description", "class": "Class"}
    frame = tables_data.identifiers(Table(id="table_3_2", title="identifiers", texts=texts, rows=rows))
    frame = frame.set_index("printed")
    assert frame["same"].to_dict() == {"/m/02qlsy": False, "/m/07y_7": True, "/m/01wy6": False}
    assert frame.loc["/m/02qlsy", "used"] == "/m/02qldy"
    assert frame.loc["/m/07y_7", "without"] == "/m/0d8_n (pizzicato)"
