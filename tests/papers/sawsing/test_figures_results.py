"""Result figures show our numbers beside the published ones, and stay readable where systems broke down."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import reprise.papers.sawsing as room
from reprise.papers.sawsing import (
    comparisons,
    figures_beyond,
    figures_buzz,
    figures_results,
    figures_rows,
    figures_training,
    tables_results,
)
from reprise.papers.sawsing.systems import ABLATIONS, PAPER_SYSTEMS, SYSTEMS
from reprise.report.draws import Draws, Estimate
from reprise.report.figures import style
from reprise.report.reported import Reported

REPORTED = Reported.load(Path(room.__file__).with_name("reported.yaml"))
DEMO = REPORTED.tables["demo_audio"]
LOG = REPORTED.tables["validation_log"]


@pytest.fixture(autouse=True)
def _house_style():
    plt.switch_backend("agg")
    with style():
        yield
    plt.close("all")


def words(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def estimate(value):
    rng = np.random.default_rng(0)
    return Estimate(np.array([value - 0.1, value + 0.1]), value + 0.2 * rng.standard_normal(200), "fake", (0, 1))


@pytest.fixture(scope="module")
def draws():
    """Made-up results of all systems but DWTS."""
    found = {}
    for number, name in enumerate(name for name in PAPER_SYSTEMS if name != "dwts"):
        for cost, condition in enumerate((name, f"{name}>limited")):
            for metric in ("msstft", "mae_f0", "vuv_error", "lag", "fad", "phase_deviation"):
                found[condition, metric] = estimate(6.0 + number + 2 * cost)
        found[name, "msstft_gap"] = estimate(2.0 + 0.1 * number)
        if SYSTEMS[name].has_branches:
            found |= {(name, f"buzz_{kind}"): estimate(value) for kind, value in (("voiced", 20), ("unvoiced", 5))}
    for number, name in enumerate(ABLATIONS):
        for metric in ("msstft", "lag", "buzz_unvoiced"):
            found[name, metric] = estimate(6.0 - number)
    found["sawsing_debuzz", "buzz_unvoiced"] = estimate(-300.0)
    return Draws(found, {f"rtf/{name}": 0.01 * 2**k for k, name in enumerate(PAPER_SYSTEMS)}, 200)


@pytest.fixture(scope="module")
def curves():
    rows = [
        (
            name,
            SYSTEMS[name].label,
            step,
            2.0 * step,
            *(share / (step + 1) for share in (100, 90, 110, 95, 105)),
            loss,
            2,
        )
        for name, loss in (("sawsing", 0.1), ("pwg", np.nan), ("full", 0.2))
        for step in (0, 50, 100)
    ]
    columns = ["condition", "label", "step", "seconds", "msstft", "low", "high", "lowest", "highest", "f0_loss", "n"]
    return pd.DataFrame(rows, columns=columns)


def test_scenarios_have_ours_and_the_demo_page_s(draws):
    frame = figures_results.scenario_frame(draws, DEMO)
    assert set(frame["system"]) == {*PAPER_SYSTEMS} - {"dwts"}
    row = frame.set_index(["system", "scenario", "metric"]).loc[("pwg", "limited", "msstft")]
    assert (row["demo_female"], row["demo_male"]) == (12.45, 12.45)
    assert row["ours"] == draws.value("pwg>limited", "msstft")
    assert row["low"] < row["ours"] < row["high"]
    figure = figures_results.plot_scenarios(frame)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        SYSTEMS[name].label for name in PAPER_SYSTEMS if name != "dwts"
    ]
    # ours as filled points: one container per scenario
    assert [len(ax.containers) for ax in figure.axes] == [2, 2, 2]
    np.testing.assert_allclose(
        figure.axes[0].containers[0].lines[0].get_xdata(),
        frame.loc[(frame["metric"] == "msstft") & (frame["scenario"] == "regular"), "ours"],
    )
    # HiFi-GAN's 51 % of wrong voicing on the demo page is a number at the edge
    assert any("51.2" in text for text in words(figure))
    figure.canvas.draw()


def test_a_voice_has_its_own_rows(draws):
    alone = Draws({("sawsing/male", "msstft"): estimate(5.0)}, {}, 200)
    frame = figures_results.scenario_frame(alone, DEMO, metrics=("msstft",), voice="male")
    assert frame["system"].unique().tolist() == ["sawsing"]
    assert frame["ours"].notna().tolist() == [True, False]
    figures_results.plot_scenarios(frame).canvas.draw()


def test_gaps_are_drawn_in_their_order(draws):
    table = comparisons.gap_table(draws, REPORTED)
    figure = figures_results.plot_gaps(table)
    left, right = figure.axes
    np.testing.assert_allclose(right.containers[0].lines[0].get_xdata(), table["gap"])
    assert list(table["gap"]) == sorted(table["gap"])
    assert [label.get_text() for label in left.get_yticklabels()] == list(table["label"])
    demo = [line for line in right.lines if line.get_marker() == "D" and len(line.get_xdata())]
    np.testing.assert_allclose(demo[0].get_xdata(), table["demo_gap"])
    figure.canvas.draw()


def test_a_system_that_broke_down_does_not_squeeze_the_others(draws):
    table = comparisons.gap_table(draws, REPORTED)
    table.loc[0, ["limited", "gap"]] = 1575.0
    figure = figures_results.plot_gaps(table)
    assert all(ax.get_xlim()[1] < 50 for ax in figure.axes)
    assert words(figure).count("1,575") == 2


def test_variants_are_differences_from_sawsing(draws):
    table = comparisons.ablation_table(draws)
    figure = figures_results.plot_variants(table)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["MSSTFT\nSawSing: 6", "Lag\nSawSing: 6", "Harmonic over noise, unvoiced\nSawSing: 5"]
    points = figure.axes[0].containers[0].lines[0].get_xdata()
    np.testing.assert_allclose(points, -np.arange(len(ABLATIONS), dtype=float), atol=1e-9)
    # a silenced branch has no level
    assert "−305" in words(figure)
    assert "de-buzzed" in words(figure)
    figure.canvas.draw()


def test_levels_have_a_line_for_what_is_published(draws):
    frame = figures_beyond.level_frame(draws, metrics=("lag", "fad"))
    assert ">" not in "".join(frame["condition"])
    figure = figures_beyond.plot_levels(frame, marks={"lag": {"published, about": -120}})
    assert "published, about −120" in words(figure)
    assert figure.axes[0].get_xlabel().startswith("Lag")
    chosen = figures_beyond.level_frame(draws, metrics=("lag",), conditions=("pwg>limited", "dwts"))
    assert chosen["label"].tolist() == ["PWG, limited"]


def test_sizes_are_those_of_this_run():
    table = pd.DataFrame(
        {
            "system": ["sawsing", "ddsp_add", "pwg", "nsf"],
            "label": ["SawSing", "DDSP-Add", "PWG", "NSF"],
            "this_run": [536_034.0, 529_104.0, 40_000.0, 10_000.0],
            "rtf": [0.01, 0.02, 0.3, np.nan],
        }
    )
    figure = figures_beyond.plot_sizes(table, device="a CPU")
    points = {(line.get_xdata()[0], line.get_ydata()[0]) for line in figure.axes[0].lines[1:]}
    # a system that was not timed has no point
    assert points == {(0.536034, 0.01), (0.529104, 0.02), (0.04, 0.3)}
    assert "Real-time factor\n(a CPU)" in words(figure)
    figure.canvas.draw()


def test_listeners_are_the_published_ones():
    frame = figures_beyond.listener_frame(REPORTED).set_index(["system", "voice"])
    assert frame.loc[("SawSing", "female"), ["mos", "half_width", "fad_vggish"]].tolist() == [2.61, 0.17, 0.38]
    assert len(frame) == 8
    figure = figures_beyond.plot_listeners(frame.reset_index())
    assert {"DDSP", "GOLF", "f1", "m1"} <= set(words(figure))
    figure.canvas.draw()


def test_the_buzz_has_the_released_checkpoints_beside_it(draws):
    table = tables_results.buzz_table(REPORTED, draws)
    figure = figures_buzz.plot_buzz(table)
    released = next(line for line in figure.axes[1].lines if line.get_marker() == "D").get_xdata()
    assert released[0] == pytest.approx((7.0 + 5.4 + 5.1) / 3)
    assert words(figure).count("silent") == 1
    assert figure.axes[1].get_xlim()[0] == -figures_buzz.SILENT_DB
    figure.canvas.draw()


def test_convergence_has_ours_and_the_log_in_steps_and_hours(curves):
    figure = figures_training.plot_convergence(curves, LOG)
    steps, hours = figure.axes
    lines = {line.get_label(): line for line in steps.lines}
    # a logarithmic axis has no step 0
    assert list(lines["SawSing"].get_xdata()) == [50, 100]
    assert list(lines["SawSing, authors"].get_xdata())[:3] == [432, 874, 1314]
    assert lines["SawSing, authors"].get_ydata()[-1] == 6.85
    assert lines["SawSing"].get_color() == lines["SawSing, authors"].get_color()
    band = steps.collections[0].get_paths()[0].vertices
    assert {95 / 51, 105 / 51} <= set(band[band[:, 0] == 50][:, 1])
    assert list({line.get_label(): line for line in hours.lines}["SawSing"].get_xdata()) == [100 / 3600, 200 / 3600]
    figure.canvas.draw()
    alone = figures_training.plot_convergence(curves)
    assert alone.axes[1].get_xlabel() == "Time of training (minutes)"
    figures_training.plot_convergence(curves[:0]).canvas.draw()


def test_an_unvoiced_frame_s_loss_says_nothing_of_the_pitch():
    frame = figures_training.loss_frame(voiced_at=200.0)
    assert frame["unvoiced"].min() == pytest.approx(np.log(80 / 1e-3), abs=1e-3)
    assert frame.loc[frame["voiced"].idxmin(), "f0"] == pytest.approx(200, rel=0.02)
    # the slope is the same everywhere: towards the lowest pitch
    np.testing.assert_allclose(np.diff(frame["unvoiced"]), np.log(12.5) / (len(frame) - 1), rtol=1e-3)


def test_the_plateau_and_the_switch_are_marked(curves):
    frame = figures_training.loss_frame()
    figure = figures_training.plot_f0_loss(frame, curves, switch_step=60, unvoiced=0.3, log=LOG)
    right = figure.axes[1]
    labels = [line.get_label() for line in right.lines]
    # the network without pitch has no line
    assert "PWG" not in labels
    plateau = right.lines[labels.index("30 % unvoiced × 11.29")]
    assert plateau.get_ydata()[0] == pytest.approx(0.3 * 11.29, abs=0.01)
    assert "our switch, step 60" in labels
    figure.canvas.draw()
    never = figures_training.plot_f0_loss(frame, curves, switch_step=0, unvoiced=0.3)
    assert not any("switch" in str(line.get_label()) for line in never.axes[1].lines)


def test_systems_of_the_paper_have_colours_of_their_own():
    colours = {figures_rows.colour_of(name) for name in PAPER_SYSTEMS}
    assert len(colours) == len(PAPER_SYSTEMS)
    assert figures_rows.colour_of("sawsing>limited/female") == figures_rows.colour_of("sawsing")
    assert figures_rows.colour_of("full") not in colours


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], (-np.inf, np.inf)),
        ([1.0, 2.0, 3.0, 100.0, 2.0], (-np.inf, 3.6)),
        ([1.0, -200.0, 3.0, 2.0, 2.0, np.nan], (-3.6, np.inf)),
        ([0.0, 0.0, 0.0], (-np.inf, np.inf)),
        ([np.nan], (-np.inf, np.inf)),
    ],
)
def test_only_what_is_far_beyond_most_is_cut(values, expected):
    limits = figures_rows.reach(np.array(values))
    assert limits == pytest.approx(expected)
    kept = figures_rows.inside(np.array(values), limits)
    assert np.nanmax(np.abs(np.append(kept, 0))) <= 4


@pytest.mark.parametrize(("value", "text"), [(-120.0, "−120"), (0.3149, "0.315"), (1575.2, "1,575"), (6.0, "6")])
def test_numbers_are_short(value, text):
    assert figures_rows.in_short(value) == text
