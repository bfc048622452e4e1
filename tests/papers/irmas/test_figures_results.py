"""Result figures show our numbers beside the paper's, and stay readable where something was not run."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import reprise.papers.irmas as room
from reprise.papers.irmas import analysis, comparisons, figures_beyond, figures_results, figures_training, quantities
from reprise.papers.irmas.outcome import LABELS
from reprise.papers.irmas.settings import Settings
from reprise.report.reported import Reported

from .stored import Collection, clips, outcome

TABLES = Reported.load(Path(room.__file__).with_name("reported.yaml")).tables
SETTINGS = Settings(n_draws=100)


@pytest.fixture(scope="module", autouse=True)
def _agg():
    plt.switch_backend("agg")
    patch = pytest.MonkeyPatch()
    patch.setattr(quantities, "architecture_quantities", dict)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    names = ("resnet_1s", "cnn_raw", "cnn_features", "tds5_1s", "resnet_audioset", "ast_low_l2", "ast_high_l2")
    return outcome(tmp_path_factory.mktemp("store"), systems=names)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, SETTINGS)


def bar_lengths(ax, colour):
    return [
        round(bar.get_width(), 6) for bar in ax.patches if bar.get_facecolor() == plt.matplotlib.colors.to_rgba(colour)
    ]


def words(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def test_bars_are_ours_and_the_papers(draws):
    frame = figures_results.bar_frame(TABLES["figure_5_2a_bars"], draws)
    assert len(frame) == 9
    figure = figures_results.plot_bars(frame)
    axes = figure.subfigs[0].axes
    assert [ax.get_title() for ax in axes] == ["Hamming score", "Exact match", "Macro F1"]
    raw, mfcc = draws.value("cnn_raw", "hamming"), 0
    assert bar_lengths(axes[0], figures_results.OURS) == [
        round(draws.value("cnn_features", "hamming"), 6), mfcc, round(raw, 6),
    ]  # fmt: skip
    assert bar_lengths(axes[0], figures_results.PAPER) == [0.8297, 0.837, 0.8365]
    # the MFCC network was not run
    assert words(figure).count("not run") == 3


def test_the_line_is_the_best_answer_without_listening_on_the_same_set(draws):
    frame = figures_results.bar_frame(TABLES["figure_5_4_bars"], draws).set_index(["condition", "metric"])
    assert frame.loc[("resnet_1s", "hamming"), "baseline"] == draws.value("all_negative", "hamming")
    audioset = frame.loc[("resnet_1s>audioset", "hamming"), "baseline"]
    assert audioset == draws.value("all_negative>audioset", "hamming")
    assert frame.loc[("resnet_1s", "exact_match"), "baseline_label"] == "voice alone"


def test_figures_of_two_parts_have_their_own_metrics(draws):
    tables = [TABLES["figure_5_3a_bars"], TABLES["figure_5_3b_bars"]]
    figure = figures_results.plot_bars(figures_results.bar_frame(tables, draws))
    assert [len(part.axes) for part in figure.subfigs] == [3, 2]
    figure.canvas.draw()


@pytest.mark.parametrize("name", sorted(name for name in TABLES if name.endswith("_bars")))
def test_every_figure_of_bars_can_be_drawn_without_audioset(name, tmp_path):
    part = outcome(tmp_path, systems=("resnet_1s",), n_seeds=1, collection=Collection(clips("irmas")))
    draws = analysis.make_draws(part, SETTINGS)
    frame = figures_results.bar_frame(TABLES[name], draws)
    assert frame["paper"].notna().all()
    figures_results.plot_bars(frame).canvas.draw()


def test_losses_have_a_line_per_seed_and_the_papers_readings(found):
    curves = {name: found.curves(name) for name in ("ast_high_l2", "ast_low_l2", "never run")}
    frame = figures_training.curve_frame(curves)
    assert len(frame) == 2 * 2 * 6
    assert frame["epoch"].min() == 1
    figure = figures_training.plot_losses(frame, TABLES["figure_5_6_readings"])
    assert all(len(ax.lines) == 4 + 2 for ax in figure.axes)
    assert "paper, end: 0.018" in words(figure)
    empty = figures_training.curve_frame({})
    assert figures_training.plot_losses(empty, TABLES["figure_5_6_readings"])


def test_costs_are_seconds_here_and_hours_there(found):
    results = analysis.training_results(found)
    frame = figures_training.cost_frame(results, TABLES["figure_5_7_readings"], labels=LABELS)
    assert frame["seconds_per_epoch"].is_monotonic_decreasing
    row = frame.set_index("condition").loc["cnn_features"]
    assert row["paper_hours"] == 18.4
    assert row["seconds_per_epoch"] == pytest.approx(
        np.mean([trial.metrics["seconds_per_epoch"] for trial in found.stored["cnn_features"]])
    )
    assert np.isnan(frame.set_index("condition").loc["tds5_1s", "paper_hours"])
    # without a GPU there is no panel of its memory
    assert len(figures_training.plot_costs(frame, device="a CPU").axes) == 3
    measured = figures_training.plot_costs(frame.assign(memory_gb=1.5), device="a GPU")
    assert len(measured.axes) == 4
    measured.canvas.draw()


def test_the_heat_map_prints_every_f1(found, draws):
    classes = found.corpus().classes
    frame = analysis.class_results(draws, classes=classes, conditions=["cnn_raw", "resnet_1s"])
    frame.loc[0, "f1"] = np.nan
    support = dict(zip(classes, found.targets().sum(axis=0), strict=True))
    figure = figures_beyond.plot_class_heat_map(frame, labels=LABELS, support=support)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 2 * len(classes)
    assert texts[0] == "–"
    assert texts[-1] == f"{frame['f1'].iloc[-1]:.2f}"
    assert f"voi\n{support['voi']}" in words(figure)


def test_label_numbers_and_differences_can_be_drawn(found):
    names = {name: LABELS[name] for name in ("resnet_1s", "ensemble", "cnn_raw")}
    frame = comparisons.label_results(found, SETTINGS, conditions=names)
    figure = figures_beyond.plot_label_numbers(frame, labels=names)
    assert len(figure.axes) == 4
    figure.canvas.draw()
    for make in (comparisons.aggregation_results, comparisons.calibration):
        table = make(found, SETTINGS, conditions=names)
        metrics = {"hamming": "Hamming score", "macro_f1": "Macro F1"}
        figure = figures_beyond.plot_differences(table, labels=names, metrics=metrics, sides=("a", "b"))
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
            names["resnet_1s"],
            names["cnn_raw"],
        ]
        points = figure.axes[1].containers[0].lines[0].get_xdata()
        expected = table[table["metric"] == "macro_f1"].set_index("condition")["difference"]
        np.testing.assert_allclose(points, expected[["resnet_1s", "cnn_raw"]])


def test_labels_name_every_system_and_the_ensemble():
    from reprise.papers.irmas.systems import SYSTEMS

    assert set(LABELS) == {*SYSTEMS, "ensemble"}
    assert len(set(LABELS.values())) == len(LABELS)
