"""The style, and files that are the same each time."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from reprise.report.figures import STYLE, figure_frame, plot_series, save_figure, style


@pytest.fixture(autouse=True)
def _headless():
    with mpl.rc_context():
        plt.switch_backend("agg")
        yield
    plt.close("all")


def drawing():
    with style():
        figure, ax = plt.subplots()
        ax.plot([0, 1], [0.2, 0.4], marker="o", label="ours")
        ax.legend()
    return figure


def test_style_comes_and_goes():
    before = mpl.rcParams["font.size"]
    with style():
        assert mpl.rcParams["svg.hashsalt"] == "reprise"
        assert mpl.rcParams["figure.constrained_layout.use"]
    assert mpl.rcParams["font.size"] == before
    assert mpl.rcParams["svg.hashsalt"] != "reprise"


def test_all_text_is_at_least_nine_points():
    sizes = mpl.rc_params_from_file(STYLE, use_default_template=False)
    assert all(value >= 9 for name, value in sizes.items() if name.endswith(("size", "fontsize")) and "font" in name)
    assert all(sizes[f"{axis}tick.labelsize"] >= 9 for axis in "xy")


def test_neighbouring_colours_differ_in_lightness_too():
    colours = mpl.rc_params_from_file(STYLE, use_default_template=False)["axes.prop_cycle"].by_key()["color"]
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in colours])
    # the red-green blind see little more than lightness and blueness
    seen = np.stack([rgb @ [0.2126, 0.7152, 0.0722], rgb[:, 2]], axis=1)
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    assert distance[np.triu_indices(len(colours), 1)].min() > 0.08


def test_files_hold_picture_numbers_and_caption(tmp_path):
    data = pd.DataFrame({"x": [0, 1], "y": [0.1 + 0.2, 0.4]})
    paths = save_figure(drawing(), tmp_path, "figure_3", data=data, caption="Evidence & n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure_3.csv", "figure_3.png", "figure_3.svg"]
    assert imread(paths["png"]).shape[:2] == (630, 1050)
    assert "Evidence &amp; n" in paths["svg"].read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(pd.read_csv(paths["csv"]), data)


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    data = pd.DataFrame({"x": [0]})
    first, second = (save_figure(drawing(), tmp_path / name, "f", data=data, caption="c") for name in "ab")
    for suffix, path in first.items():
        assert path.read_bytes() == second[suffix].read_bytes(), suffix


def test_frame_joins_ours_and_the_papers_points(reported, draws):
    frame = figure_frame(reported.figures["figure_3"], draws)
    assert list(frame["condition"]) == ["good@0", "good@0.2", "good@1", "bad@0", "bad@0.2", "bad@1"]
    assert frame["ours"].isna().tolist() == [False, False, True, False, False, False]
    assert frame["paper"].isna().sum() == 1
    assert (frame["low"] < frame["ours"]).sum() == 5
    assert frame["n"].iloc[0] == 3
    with pytest.raises(ValueError, match="figure_1"):
        figure_frame(reported.figures["figure_1"], draws)


def test_plot_shows_every_series_with_intervals_and_the_paper(reported, draws):
    figure = reported.figures["figure_3"]
    ax = plot_series(figure, figure_frame(figure, draws))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Good", "Bad", "paper"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "0.2", "1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("α", "F1")
    assert len(ax.containers) == 2
