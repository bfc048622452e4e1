"""Tables and pictures of networks and training against the numbers printed in the paper."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from reprise.models.instrument import MFCCCNN, FeatureCNN
from reprise.papers.irmas import figures_models, tables_models
from reprise.papers.irmas import settings as settings_module
from reprise.papers.irmas.settings import Settings
from reprise.report.figures import style
from reprise.report.reported import Reported

mpl.use("Agg")

REPORTED = Path(settings_module.__file__).with_name("reported.yaml")


@pytest.fixture(scope="module")
def published():
    return Reported.load(REPORTED).tables


@pytest.fixture(autouse=True)
def drawn_in_the_house_style():
    with style():
        yield
    plt.close("all")


def test_parameters_are_counted_exactly(published):
    assert dict(tables_models.parameter_counts()) == {
        "cnn_raw": 180_427,
        "cnn_mfcc": 879_275,
        "cnn_features": 114_859,
        "resnet": 23_530_571,
        "ast": 86_197_259,
        "ast_1s": 85_349_387,
    }
    table = tables_models.parameter_table(published["table_4_1"], {"resnet": 1000}).set_index("parameters")
    assert table["rounded"].to_dict() == {180427: True, 879275: True, 114859: False, 23530571: True, 86197259: True}
    assert table.loc[114859, "cut"]
    assert table.loc[23530571, "this_run"] == 1000


def test_the_layers_on_samples_are_those_printed(published):
    layers = tables_models.raw_layers()
    found = tables_models.layer_quantities()
    assert list(layers.index) == list(published["table_4_2"].rows)
    for name, row in published["table_4_2"].rows.items():
        assert found[f"channels/{name}"] == row.values["channels"]
        assert found.get(f"length/{name}") == row.values["length"]
        if name.startswith("conv"):
            size, _, stride = row.texts["kernel"].removeprefix("(1, ").replace(")", "").partition(", stride = ")
            assert layers.loc[name, "kernel"] == (size if stride == "1" else f"{size}, stride {stride}")
    assert found["parameters/cnn_features"] == 114.859


@pytest.mark.parametrize(
    ("network", "published_maps"),
    [(MFCCCNN(), tables_models.FIGURE_4_2), (FeatureCNN(), tables_models.FIGURE_4_3)],
    ids=["figure_4_2", "figure_4_3"],
)
def test_the_maps_between_blocks_are_those_drawn(network, published_maps):
    maps = tables_models.feature_maps(network, published_maps)
    assert list(maps["ours"][:5]) == list(published_maps)
    assert maps["same"][:5].all()
    assert maps["same"][5:].isna().all()
    assert list(maps["stage"][5:]) == ["mean", "linear", "linear"]
    assert maps["parameters"].sum() == sum(one.numel() for one in network.parameters())
    figure = figures_models.plot_architecture(maps, title="network")
    texts = [text.get_text() for text in figure.axes[0].texts]
    first = published_maps[0].partition(" × ")
    assert f"{first[0]} @ {first[2]}" in texts
    assert len(figure.axes[0].patches) >= len(maps)


def test_another_map_is_told():
    maps = tables_models.feature_maps(FeatureCNN(), ("40 × 87", "32 × 41", *tables_models.FIGURE_4_3[2:]))
    assert list(maps["same"][:3]) == [True, False, True]


def test_the_paper_s_hyper_parameters_are_the_defaults(published):
    found = tables_models.setting_quantities(Settings())
    for table in ("table_4_3", "table_4_4", "table_4_5", "section_3_4"):
        for name, row in published[table].rows.items():
            for column, value in row.values.items():
                assert found[f"{column}/{name}"] == value, (table, name, column)
    other = tables_models.setting_quantities(Settings(epochs=3, learning_rates="code"))
    assert (other["epochs/resnet"], other["learning_rate_end/resnet"]) == (3, 2e-6)


def test_learning_rates_rise_for_733_updates_and_fall_to_the_last_one():
    frame = figures_models.learning_rates(Settings())
    updates = frame.attrs["updates"]
    assert updates == 14_665
    cnn = frame[frame["network"] == "small CNNs"].set_index("update")["rate"]
    assert cnn[0] == 0
    peak = 733
    assert cnn.idxmax() == peak
    assert cnn[peak] == pytest.approx(1e-3)
    late = cnn.index[300]
    rest = 1 - (late - peak) / (updates - peak)
    assert cnn[late] == pytest.approx(1e-5 + (1e-3 - 1e-5) * rest**0.7)
    assert frame["network"].nunique() == 4
    figure = figures_models.plot_learning_rates(frame)
    assert figure.axes[1].get_yscale() == "log"
    assert len(figure.axes[1].lines) == 4


def test_s1_keeps_silence_and_s2_always_names_one():
    probabilities = np.array([[0.2, 0.1, 0.0], [0.4, 0.0, 0.16]])
    frame = figures_models.aggregation(probabilities, ["gel", "pia", "voi"], targets=["voi"])
    np.testing.assert_allclose(frame["S1"], [0.3, 0.05, 0.08])
    np.testing.assert_allclose(frame["S2"], [1.0, 1 / 6, 0.16 / 0.6])
    assert not frame["named_S1"].any()
    assert list(frame["named_S2"]) == [True, False, False]
    assert list(frame["target"]) == [False, False, True]
    np.testing.assert_allclose(frame[["window_0", "window_1"]].to_numpy().T, probabilities)
    figure = figures_models.plot_aggregation(frame, window_seconds=1.0)
    assert figure.axes[1].get_title(loc="left").endswith("names nothing")
    assert figure.axes[2].get_title(loc="left").endswith("names gel")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "▶ voi"
