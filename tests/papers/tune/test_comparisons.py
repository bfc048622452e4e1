"""Pairs, tails, labels, blocks, tags and neighbours as frames, against what the stored trials say."""

import numpy as np
import pandas as pd
import pytest
import torch

from reprise.models.tune import TUNe, shape_trace
from reprise.papers.tune import analysis, blocks, comparisons, neighbours
from reprise.papers.tune.intervals import with_interval
from reprise.papers.tune.settings import Settings
from reprise.report.draws import Draws, Estimate
from reprise.report.schema import Table

from .stored import MAPS, TAGS, collection, outcome

SETTINGS = Settings(n_draws=100)
CONDITIONS = ("vanilla", "tail_3", "tail_5", "tune_plus", "clmr", "untrained", "mel_statistics")


@pytest.fixture(scope="module", autouse=True)
def _without_networks():
    patch = pytest.MonkeyPatch()
    patch.setattr(analysis, "architecture_quantities", dict)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"), conditions=CONDITIONS)


@pytest.fixture(scope="module")
def draws(found):
    return analysis.make_draws(found, SETTINGS)


def table(rows, columns=("auc", "ap")):
    measures = {name: {"label": name, "unit": "percent"} for name in columns}
    named = {key: {"label": key} | dict(zip(columns, values, strict=True)) for key, values in rows.items()}
    return Table(id="some_table", title="some table", columns=measures, rows=named)


def test_pairs_are_tested_over_clips_and_over_tags(draws):
    frame = comparisons.pair_tests(draws)
    pairs = set(zip(frame["a"], frame["b"], strict=True))
    assert ("tune_plus", "clmr") in pairs
    assert ("clmr_tail", "clmr") not in pairs
    row = frame[(frame["a"] == "tune_plus") & (frame["b"] == "untrained")].iloc[0]
    assert row["auc"] == pytest.approx(draws.value("tune_plus", "auc") - draws.value("untrained", "auc"))
    assert row["auc_low"] <= row["auc"] <= row["auc_high"]
    assert row["p_clips"] <= row["p_clips_holm"] <= 1
    assert row["n_tags"] == len(TAGS)
    # with six tags there are 64 sign patterns
    assert row["p_tags"] >= 2 / 64


def test_two_equal_conditions_do_not_differ():
    estimate = Estimate(np.array([80.0]), np.linspace(70, 90, 50), "", (0,))
    keys = {(name, metric): estimate for name in ("clmr", "tail_5") for metric in ("auc", "ap", "auc/harp")}
    row = comparisons.pair_tests(Draws(keys, {}, 50), pairs=[("clmr", "tail_5")]).iloc[0]
    assert (row["p_clips"], row["p_tags"], row["auc"]) == (1.0, 1.0, 0.0)


def test_without_any_pair_there_is_an_empty_frame(draws):
    assert comparisons.pair_tests(draws, pairs=[("tail_1", "clmr")]).empty


def test_the_tail_series_reads_lengths_off_the_networks(draws):
    frame = blocks.tail_series(draws, table({"vanilla": (87.7, 33.0), "tail_5": (89.2, 36.5)})).set_index("condition")
    assert frame["tail"].tolist() == [4, 5, 6, 7, 8, 9]
    assert frame["length"].tolist() == [729, 243, 81, 27, 9, 3]
    assert frame["filters"].tolist() == [34, 28, 19, 15, 13, 11]
    assert frame.loc["vanilla", "auc_paper"] == 87.7
    assert np.isnan(frame.loc["tail_1", "auc"])
    assert frame.loc["tail_3", "ap"] == draws.value("tail_3", "ap")


@pytest.mark.parametrize("name", ["TUNe+", "CLMR", "TUNe CLMR-tail", "TUNe Contractive+1"])
def test_blocks_have_the_names_that_the_encoder_gives_them(name):
    with torch.device("meta"):
        encoder = TUNe.from_name(name).eval()
        expected = [block for block, _ in encoder.maps(torch.empty(1, 59_049))]
    assert blocks.block_names(shape_trace(encoder)) == expected


def test_blocks_come_in_order_with_the_papers_readings(draws):
    readings = table({"tune_plus": (69.0, 83.3)}, columns=("auc_layer/Contr-1", "auc_layer/Bot-U"))
    frame = blocks.layer_frame(draws, conditions=("tune_plus", "clmr"), readings=readings)
    assert frame["condition"].unique().tolist() == ["tune_plus"]
    assert frame["block"].tolist() == list(MAPS)
    by_block = frame.set_index("block")
    assert by_block.loc["Bot-U", "paper"] == 83.3
    assert by_block.loc["Tail-9", "auc"] == draws.value("tune_plus", "auc_layer/Tail-9")
    assert by_block.loc["Tail-9", "channels"] == 512


def test_label_efficiency_counts_clips(found, draws):
    frame = comparisons.label_efficiency(found, draws, conditions=["tune_plus", "tail_1"])
    assert frame["condition"].unique().tolist() == ["tune_plus"]
    part = frame[(frame["metric"] == "auc") & (frame["percent"] == 100)].iloc[0]
    assert part["n_clips"] == len(found.clips().rows("train")) == 15
    assert part["value"] == draws.value("tune_plus", "auc_label_100")


def test_tags_have_their_frequency(found, draws):
    frame = comparisons.tag_frame(found, draws, conditions=["clmr", "tail_1"])
    assert frame["tag"].tolist() == list(TAGS)
    targets = found.targets()
    np.testing.assert_allclose(frame["test_share"], targets.mean(axis=0))
    assert frame["positives"].tolist() == targets.sum(axis=0).tolist()


def test_learning_curves_are_means_over_seeds(found):
    frame = comparisons.learning_curves(found)
    assert "untrained" not in set(frame["condition"])
    part = frame[frame["condition"] == "clmr"]
    mean = np.mean([curves["loss"] for curves in found.curves("clmr")], axis=0)
    np.testing.assert_allclose(part["loss"], mean)
    assert part["seconds"].tolist() == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert (part["lowest"] <= part["highest"]).all()


def test_intervals_stay_within_the_range_of_a_score():
    wide = Estimate(np.array([99.0]), np.linspace(-20, 120, 100), "", (0,))
    draws = Draws({("clmr", "auc"): wide, ("clmr", "arousal_r2"): wide}, {}, 100)
    assert (
        with_interval(draws, "clmr", metric="auc")["value_low"],
        with_interval(draws, "clmr", metric="auc")["value_high"],
    ) == (
        0,
        100,
    )
    assert with_interval(draws, "clmr", metric="arousal_r2")["value_low"] < 0
    assert np.isnan(with_interval(draws, "clmr", metric="ap")["value"])


def test_neighbours_are_the_most_similar_clips_of_other_recordings(found):
    row = int(found.rows()[4])
    frame = neighbours.neighbours(found, "tune_plus", row=row, k=3)
    values = found.embeddings("tune_plus").astype(float)
    centred = values - values.mean(axis=0)
    cosines = centred @ centred[4] / np.linalg.norm(centred, axis=1) / np.linalg.norm(centred[4])
    groups = found.table()["group"]
    cosines[(groups == groups[4]).to_numpy()] = -2
    assert frame["row"].tolist() == [row, *found.rows()[np.argsort(-cosines)[:3]]]
    np.testing.assert_allclose(frame["similarity"][1:], np.sort(cosines)[::-1][:3], atol=1e-3)
    assert frame["shared_tags"].iloc[0] == found.targets()[4].sum()


def test_a_clip_that_is_not_tested_has_no_neighbours(found):
    with pytest.raises(ValueError, match="no test clip"):
        neighbours.neighbours(found, "clmr", row=int(found.clips().rows("train")[0]))


def test_neighbours_of_a_better_encoder_share_more_tags(found):
    frame = neighbours.neighbour_quality(found, ["tune_plus", "untrained"], k=3).set_index("condition")
    assert frame.loc["tune_plus", "overlap"] > frame.loc["untrained", "overlap"]
    assert frame["chance"].nunique() == 1
    assert frame.loc["tune_plus", "overlap"] > frame.loc["tune_plus", "chance"]


def test_clips_are_coloured_by_their_rarest_frequent_tag(found):
    names = neighbours.main_tags(found, n=2)
    order = [TAGS[index] for index in np.argsort(-found.targets().sum(axis=0), kind="stable")]
    for name, row in zip(names, found.targets(), strict=True):
        own = {tag for tag, has in zip(TAGS, row, strict=True) if has}
        expected = order[1] if order[1] in own else order[0] if order[0] in own else "other" if own else "no tag"
        assert name == expected


def test_the_map_repeats_and_keeps_clips_that_are_alike_together(found):
    first = neighbours.embedding_map(found, "tune_plus")
    pd.testing.assert_frame_equal(first, neighbours.embedding_map(found, "tune_plus"))
    assert first["row"].tolist() == found.rows().tolist()
    assert len(neighbours.embedding_map(found, "tune_plus", most=12)) == 12


def test_a_handful_of_clips_has_no_map(tmp_path):
    few = outcome(tmp_path, conditions=("clmr",), n_seeds=1, songs=collection(n=8, tasks=("mtt",)))
    assert neighbours.embedding_map(few, "clmr").empty
