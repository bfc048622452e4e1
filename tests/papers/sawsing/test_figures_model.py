"""Pictures of source, filters and network hold what the live code does, and what is known of it in closed form."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import reprise.papers.sawsing as room
from reprise.papers.sawsing import figures_model, figures_source
from reprise.papers.sawsing.networks import build
from reprise.papers.sawsing.settings import Settings
from reprise.report.draws import Draws
from reprise.report.figures import style
from reprise.report.reported import Reported
from reprise.report.tables import long_table

TABLES = Reported.load(Path(room.__file__).with_name("reported.yaml")).tables
SETTINGS = Settings()


@pytest.fixture(autouse=True)
def _house_style():
    plt.switch_backend("agg")
    with style():
        yield
    plt.close("all")


def words(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def test_the_band_limited_sawtooth_has_partials_and_nothing_between_them():
    frame = figures_source.source_frame(f0=811.0)
    spectra = frame[frame["what"] == "spectrum"].pivot(index="x", columns="source", values="y")
    partials = np.abs(spectra.index.to_numpy() / 811.0 - np.rint(spectra.index.to_numpy() / 811.0)) * 811.0 < 40
    between = spectra[~partials & (spectra.index > 100)]
    # what is left are the window's sides
    assert between["band-limited"].max() < -55
    assert between["naive"].max() > -35
    # the second partial has half of the first one's amplitude
    second = spectra.loc[1500:1750, "band-limited"].max()
    assert second == pytest.approx(20 * np.log10(0.5), abs=0.6)
    waves = frame[frame["what"] == "waveform"]
    assert waves["x"].max() == pytest.approx(2.5 / 811.0, abs=1 / 24000)
    assert waves.loc[waves["source"] == "naive", "y"].abs().max() <= 1


def test_the_source_is_drawn_with_and_without_the_aliases_over_pitch():
    frame = figures_source.source_frame()
    assert len(figures_source.plot_source(frame).axes) == 2
    exact = {f"alias/{name}": -20.0 for name in TABLES["aliases"].rows}
    aliases = long_table(TABLES["aliases"], Draws(exact=exact))
    figure = figures_source.plot_source(frame, aliases)
    ours, published = figure.axes[2].lines
    assert list(ours.get_xdata()) == [113, 227, 442, 811]
    assert set(ours.get_ydata()) == {-20.0}
    assert list(published.get_ydata()) == list(TABLES["aliases"].column("alias").values())
    figure.canvas.draw()


def test_the_precision_of_the_phase_is_that_of_the_whole_signal():
    frame = figures_source.phase_frame(pitches=(880.0,), longest=8.0)
    assert list(frame["seconds"]) == pytest.approx([0.5 * 2 ** (k / 2) for k in range(9)])
    step = 2 * np.pi * 880 / 24000
    moments, partials = np.arange(1, 48001), np.arange(1, 14)[:, None]
    rounded = (float(np.float32(step)) * moments).astype(np.float32)
    exact = (np.sin(partials * (step * moments)) / partials).sum(axis=0)
    single = (np.sin(partials.astype(np.float32) * rounded) / partials).sum(axis=0)
    whole = 10 * np.log10(np.square(exact).sum() / np.square(single - exact).sum())
    assert frame.set_index("seconds")["snr"][2.0] == pytest.approx(whole, abs=0.7)
    # four times as long: phases are four times as large, and so are their errors
    assert frame["snr"].iloc[4] - frame["snr"].iloc[8] == pytest.approx(20 * np.log10(4), abs=1.5)


def test_readings_of_the_precision_stand_at_their_durations():
    frame = figures_source.phase_frame(longest=4.0)
    figure = figures_source.plot_phase_precision(frame, TABLES["phase_precision"])
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in diamonds] == [[2, 10, 60]] * 4
    assert list(diamonds[-1].get_ydata()) == list(TABLES["phase_precision"].column("phase_snr").values())
    assert "880 Hz" in words(figure)
    assert "fact sheet" not in words(figures_source.plot_phase_precision(frame))


@pytest.mark.parametrize(
    ("system", "total"), [("sawsing", 536_034), ("ddsp_add", 529_104), ("dwts", 530_764), ("full", 546_000)]
)
def test_the_layers_add_up_to_the_network(system, total):
    frame = figures_model.architecture(build(system, SETTINGS), n_frames=20)
    controls = frame["stage"].str.startswith("control: ")
    tables = frame["layer"] == "tables"
    assert frame.loc[~controls, "parameters"].sum() == total
    assert tables.sum() == (system == "dwts")
    last = frame.loc[(frame["layer"] == "network.out") & ~controls].iloc[0]
    assert frame.loc[controls, "parameters"].sum() == last["parameters"]
    figure = figures_model.plot_architecture(frame, settings=SETTINGS)
    assert any(f"{total:,} weights" in text for text in words(figure))
    figure.canvas.draw()


def test_shapes_and_delays_of_the_picture_are_the_live_ones():
    frame = figures_model.architecture(build("sawsing", SETTINGS), n_frames=20)
    found = words(figures_model.plot_architecture(frame, settings=SETTINGS))
    assert {"80 × 20", "pitch\n20 × 1", "delay 255", "delay 79", "sawtooth"} <= set(found)
    frame = figures_model.architecture(build("sawsub", SETTINGS), n_frames=20)
    assert "delay 511" in words(figures_model.plot_architecture(frame, settings=SETTINGS))
    compensated = figures_model.architecture(build("sawsing_compensated", SETTINGS), n_frames=20)
    assert words(figures_model.plot_architecture(compensated, settings=SETTINGS)).count("delay 0") == 2
    gated = figures_model.architecture(build("sawsing_gate", SETTINGS), n_frames=20)
    assert "gate\n20 × 1" in words(figures_model.plot_architecture(gated, settings=SETTINGS))


def test_one_magnitude_becomes_a_lobe_of_half_its_height_and_a_symmetric_response():
    frame = figures_model.filter_frame()
    for branch, taps, width in (("harmonic", 510, 68), ("noise", 158, 219)):
        part = frame[frame["branch"] == branch]
        response = part.loc[part["what"] == "response", "y"].to_numpy()
        assert len(response) == taps
        np.testing.assert_allclose(response[1:], response[:0:-1], atol=1e-12)
        spectrum = part[part["what"] == "spectrum"]
        assert spectrum["y"].max() == pytest.approx(0.5, abs=1e-3)
        half = spectrum.loc[spectrum["y"] >= spectrum["y"].max() / np.sqrt(2), "x"]
        assert np.ptp(half) == pytest.approx(width, abs=3)
    figure = figures_model.plot_filters(frame)
    assert any("255 samples late = 10.6 ms" in text for text in words(figure))
    assert any("79 samples late = 3.3 ms" in text for text in words(figure))
    figure.canvas.draw()
