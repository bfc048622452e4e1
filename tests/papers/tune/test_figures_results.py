"""Figures of results show our numbers beside the paper's, and stay readable where something was not run."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import reprise.papers.tune as room
from reprise.papers.tune import (
    analysis,
    blocks,
    comparisons,
    figures_beyond,
    figures_clips,
    figures_results,
    figures_training,
    neighbours,
)
from reprise.papers.tune.settings import Settings
from reprise.report.draws import Draws
from reprise.report.reported import Reported
from reprise.training.contrastive import chance_loss, pair_accuracy

from .stored import TAGS, outcome

TABLES = Reported.load(Path(room.__file__).with_name("reported.yaml")).tables
CONDITIONS = ("vanilla", "tail_5", "tune_plus", "clmr", "clmr+long", "clmr@gtzan", "untrained", "mel_statistics")


@pytest.fixture(scope="module", autouse=True)
def _quick():
    plt.switch_backend("agg")
    patch = pytest.MonkeyPatch()
    patch.setattr(analysis, "architecture_quantities", dict)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), conditions=CONDITIONS)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, Settings(n_draws=100))


def words(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def drawn(ax, marker):
    """Points with a marker: x and y of each."""
    lines = [line for line in ax.lines if line.get_marker() == marker]
    pairs = [(x, y) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]
    return [(float(x), float(y)) for x, y in pairs if np.isfinite(x) and np.isfinite(y)]


def test_points_are_ours_and_diamonds_the_papers(draws):
    frame = figures_results.score_frame(TABLES["table_1"], draws, metrics=("auc", "ap"))
    figure = figures_results.plot_scores(frame)
    ax = figure.axes[0]
    own = frame[frame["metric"] == "auc"]
    assert sorted(x for x, _ in drawn(ax, "o")) == pytest.approx(sorted(own["ours"].dropna()))
    assert sorted(x for x, _ in drawn(ax, "D")) == pytest.approx(sorted(own["paper"].dropna()))
    assert "TUNe+" in [label.get_text() for label in ax.get_yticklabels()]


def test_rows_that_are_no_conditions_are_left_out_and_baselines_come_last(draws):
    frame = figures_results.score_frame(TABLES["table_1"], draws, metrics=("auc",), also=("clmr", "tail_1"))
    assert "musicnn" not in set(frame["condition"])
    assert frame["condition"].tolist()[-3:] == ["clmr", "untrained", "mel_statistics"]
    assert frame["difference"].equals(frame["ours"] - frame["paper"])


def test_without_any_result_the_papers_numbers_are_shown_alone():
    frame = figures_results.score_frame(TABLES["table_2"], Draws({}, {}, 10), metrics=("auc",))
    assert frame["ours"].isna().all()
    figure = figures_results.plot_scores(frame)
    assert not drawn(figure.axes[0], "o")
    assert len(drawn(figure.axes[0], "D")) == 9


def test_the_tail_has_a_point_per_network_that_was_run(draws):
    figure = figures_results.plot_tail(blocks.tail_series(draws, TABLES["table_1"]))
    assert [x for x, _ in drawn(figure.axes[0], "o")] == [4, 9]
    assert len(drawn(figure.axes[0], "D")) == 6


def test_epochs_are_ours_on_the_left_and_the_papers_on_the_right(draws):
    frame = figures_results.epoch_frame(TABLES["table_s1"], draws, epochs={"regular": 5, "middle": 15, "long": 50})
    figure = figures_results.plot_epochs(frame)
    assert {round(x / 5) * 5 for x, _ in drawn(figure.axes[0], "o")} == {5, 50}
    assert {x for x, _ in drawn(figure.axes[1], "D")} == {1000, 3000, 10000}
    assert draws.value("clmr+long", "auc") in [y for _, y in drawn(figure.axes[0], "o")]


def test_sets_of_the_pre_training_stand_side_by_side(draws):
    frame = figures_beyond.transfer_frame(TABLES["table_s1"], TABLES["table_2"], draws=draws)
    assert set(frame["pretraining"]) == {"mtt", "fma", "gtzan", "billboard"}
    assert "clmr+long" not in set(frame["condition"])
    figure = figures_beyond.plot_transfer(frame)
    heights = [y for _, y in drawn(figure.axes[0], "o")]
    expected = [draws.value(name, "auc") for name in ("tune_plus", "tail_5", "clmr", "clmr@gtzan")]
    # the legend's own mark has no place in the axes
    assert sorted(heights) == pytest.approx(sorted(expected))


def test_every_block_has_its_channels_below_it(draws):
    frame = blocks.layer_frame(draws, conditions=("tune_plus",), readings=TABLES["figure_s3_readings"])
    figure = figures_beyond.plot_layers({"TUNe+": frame})
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels[4] == "Bot-U\n176"
    assert len(drawn(figure.axes[0], "o")) == len(drawn(figure.axes[0], "D")) == 18


def test_label_efficiency_has_a_line_per_condition(found, draws):
    frame = comparisons.label_efficiency(found, draws, conditions=["clmr", "untrained"])
    figure = figures_beyond.plot_label_efficiency(frame)
    assert len(drawn(figure.axes[0], "o")) == 6
    assert "15\n100 %" in words(figure)


def test_prevalence_counts_clips_of_each_side(found):
    frame = figures_clips.prevalence_frame(found.clips())
    targets = found.clips().targets
    assert frame["tag"].iloc[-1] == "without any tag"
    assert frame["train"].iloc[:-1].is_monotonic_decreasing
    row = frame.set_index("tag").loc["harp"]
    assert row["test_clips"] == targets[found.clips().rows("test"), TAGS.index("harp")].sum()
    bare = ~targets[found.clips().rows("valid")].any(axis=1)
    assert frame["valid_clips"].iloc[-1] == bare.sum()
    assert "harp" in words(figures_clips.plot_prevalence(frame))


@pytest.mark.parametrize("metric", ["auc", "ap"])
def test_tags_stand_in_the_order_of_the_first_condition(found, draws, metric):
    frame = comparisons.tag_frame(found, draws, conditions=["mel_statistics", "clmr"])
    figure = figures_clips.plot_tags(frame, metric=metric, most=4)
    shown = [label.get_text().rpartition(" (")[0] for label in figure.axes[0].get_xticklabels()]
    values = [draws.value("mel_statistics", f"{metric}/{tag}") for tag in shown]
    assert len(shown) == 4
    assert values == sorted(values, reverse=True)


def test_maps_show_every_clip(found):
    frame = neighbours.embedding_map(found, "clmr")
    figure = figures_clips.plot_map({"CLMR": frame})
    assert len(drawn(figure.axes[0], "o")) == len(found.rows())


def test_losses_stand_against_chance(found):
    curves = comparisons.learning_curves(found, conditions=["clmr", "tune_plus"])
    figure = figures_training.plot_curves(curves, n_visible=48)
    assert f"chance, ln 95 = {chance_loss(48):.2f}" in words(figure)
    heights = [line.get_ydata()[0] for line in figure.axes[0].lines if len(set(line.get_ydata())) == 1]
    assert chance_loss(48) in heights


def test_each_change_is_shown_alone_and_happens():
    generator = torch.Generator().manual_seed(0)
    crop = 0.1 * torch.randn(19_683, generator=generator)
    changed = figures_training.single_changes(crop)
    names = ["original", "polarity", "noise", "gain", "filter", "delay", "pitch", "reverb", "view 1", "view 2"]
    assert list(changed) == names
    assert torch.equal(changed["polarity"], -crop)
    assert all(not torch.equal(changed[name], crop) for name in names[1:])
    again = figures_training.single_changes(crop)
    assert all(torch.equal(changed[name], again[name]) for name in names)
    figure = figures_training.plot_views(changed)
    assert sum(len(ax.images) for ax in figure.axes) == len(names)
    assert any(text.startswith("upside down  (+0.0 dB)") for text in words(figure))


def test_partners_lie_on_the_diagonal():
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(6, 8, generator=generator)
    frame = figures_training.similarity_frame(first, 2 * first)
    np.testing.assert_allclose(np.diag(frame), 1, atol=1e-4)
    assert float(pair_accuracy(first, 2 * first)) == 1
    other = figures_training.similarity_frame(first, first.roll(1, dims=0))
    figure = figures_training.plot_similarity({"right": frame, "wrong": other})
    assert "right: 6 of 6 found" in words(figure)
    assert "wrong: 0 of 6 found" in words(figure)


def test_colours_are_those_of_the_system():
    assert figures_results.colour_of("clmr@gtzan") == figures_results.colour_of("clmr+long")
    assert figures_results.colour_of("clmr") != figures_results.colour_of("tune_plus")
    assert figures_results.colour_of("untrained") == figures_results.colour_of("mel_statistics")
