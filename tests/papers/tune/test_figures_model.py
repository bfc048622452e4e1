"""Figure 1 is drawn from the live network: blocks, channels, lengths and links."""

import matplotlib.pyplot as plt
import pytest
import torch

from reprise.models.shapes import count_parameters
from reprise.models.tune import TUNe
from reprise.papers.tune import figures_model


@pytest.fixture(autouse=True)
def _closed():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def encoder(name):
    with torch.device("meta"):
        return TUNe.from_name(name)


def words(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def test_links_of_the_plus_end_at_the_bottom_of_the_u():
    frame = figures_model.architecture(encoder("TUNe+")).set_index("name")
    assert frame["link"].to_dict() | {"Expa-1": "Contr-4", "Expa-4": "Contr-1"} == frame["link"].to_dict()
    tail = frame[frame["path"] == "tail"]["link"].tolist()
    assert tail == ["Expa-3", "Expa-2", "Expa-1", "Bot-U", "", "", "", "", ""]
    assert frame["depth"].tolist() == [0, 1, 2, 3, 4, 3, 2, 1, 0, *range(1, 10)]


@pytest.mark.parametrize("name", ["Vanilla TUNe", "TUNe Tail+5", "TUNe Expansive-1", "TUNe CLMR-tail", "CLMR"])
def test_without_the_plus_no_tail_block_is_linked_and_weights_add_up(name):
    network = encoder(name)
    frame = figures_model.architecture(network)
    assert (frame.loc[frame["path"] == "tail", "link"] == "").all()
    assert frame["parameters"].sum() == count_parameters(network)


def test_every_block_is_drawn_with_its_channels_and_every_length_once():
    frame = figures_model.architecture(encoder("TUNe+"))
    figure = figures_model.plot_architecture(frame)
    found = words(figure)
    assert "TUNe+: 2,220,390 weights in the encoder" in found
    assert found.count("352") == 4
    for length in (59_049, 729, 3):
        assert found.count(f"{length:,}") == 1
    assert "link that makes the plus" in found
    assert "link that makes the plus" not in words(
        figures_model.plot_architecture(figures_model.architecture(encoder("TUNe Tail+5")))
    )


def test_lengths_of_several_networks_share_axes():
    frames = {name: figures_model.architecture(encoder(name)) for name in ("TUNe+", "CLMR")}
    figure = figures_model.plot_lengths(frames)
    line = figure.axes[0].lines[0]
    assert line.get_ydata().tolist() == frames["TUNe+"]["length"].tolist()


def test_steps_of_blocks_are_read_off_the_modules():
    steps = figures_model.block_steps(encoder("TUNe+"))
    assert steps["contractive block"][0] == "convolution\n1 → 11\nkernel 3, stride 1"
    assert steps["contractive block"][-1] == "maximum\nof 3"
    assert steps["expansive block"][0] == "transposed\nconvolution\n176 → 88\nkernel 3, stride 3"
    assert len(steps["tail block"]) == 5
    assert len(figures_model.block_steps(encoder("Vanilla TUNe"))["tail block"]) == 4
    assert "batch norm" in words(figures_model.plot_blocks(steps))
