"""What a run leaves out follows from its data and systems, and from nothing else."""

from pathlib import Path

import pytest

import reprise.papers.irmas
from reprise.papers.irmas.outputs import bar_tables, left_out
from reprise.papers.irmas.systems import SYSTEMS
from reprise.report.reported import Reported

from .stored import Collection, clips


@pytest.fixture(scope="module")
def reported():
    return Reported.load(Path(reprise.papers.irmas.__file__).parent / "reported.yaml")


def test_a_whole_run_leaves_nothing_out(reported):
    both = Collection(clips("irmas"), clips("audioset"))
    assert left_out(reported, both, systems=set(SYSTEMS)) == {}


def test_without_audioset_its_pictures_go_but_not_the_table_that_irmas_shares(reported):
    on_irmas = {name for name, system in SYSTEMS.items() if system.trained_on == "irmas"}
    skip = left_out(reported, Collection(clips("irmas")), systems=on_irmas)
    assert {"table_3_1", "figure_2_13", "figure_2_14", "figure_5_5a_bars"} == set(skip)
    assert "AudioSet" in skip["figure_2_13"]


def test_notes_leave_out_what_only_some_systems_show(reported):
    few = {"resnet_1s", "cnn_raw"}
    skip = left_out(reported, Collection(clips("philharmonia")), systems=few)
    assert {"data_counts", "figure_5_6", "figure_5_6_readings"} <= set(skip)
    assert "single notes" in skip["data_counts"]
    shown = {"figure_5_1", "figure_5_1_bars", "figure_5_2", "figure_5_3b_bars", "figure_5_7", "figure_2_8", "anova"}
    assert not shown & set(skip)


def test_a_figure_has_its_parts_in_order(reported):
    assert bar_tables(reported, "figure_5_2") == ["figure_5_2a_bars", "figure_5_2b_bars"]
    assert bar_tables(reported, "figure_2_1") == []
