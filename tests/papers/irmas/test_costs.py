"""Forecast of the instrument paper: one row per system, and sizes that come from the data sets."""

import pytest

from reprise.papers.catalogue import get
from reprise.papers.irmas import costs
from reprise.papers.irmas.conditions import SYSTEMS
from reprise.papers.irmas.settings import Settings
from reprise.plan import forecast


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    """A second per window, so that hours are countable."""
    monkeypatch.setattr(costs, "_measure", lambda trial, device: costs._Step(seconds=1.0, saved_bytes=1e6))


def test_the_papers_profile_counts_the_full_sets():
    frame = forecast(get("irmas"), Settings()).set_index("stage")
    assert len(frame) == len(SYSTEMS) + 2
    assert frame.at["resnet 1s", "clip_passes"] == 35 * 6705 * 3
    assert frame.at["tds5 1s", "clip_passes"] == 35 * 15_437 * 3
    assert frame.at["tds4 1s", "clip_passes"] == 35 * 18_525 * 3
    assert frame.at["resnet audioset", "clip_passes"] == 35 * 14_619 * 3
    hours = frame.filter(regex="pu_hours").bfill(axis=1).iloc[:, 0]
    # three windows per clip of 3 s and 17 per clip of 16.9 s, with a third of a step for each one that is only seen
    windows = 35 * (6705 * 3 + 863 * 17 / 3) + (2874 * 17 + 6266 * 10) / 3
    assert hours["resnet 1s"] == pytest.approx(3 * windows / 3600)
    assert frame.at["resnet 1s", "memory_gb"] == pytest.approx(0.048)


def test_small_profiles_count_the_synthetic_sets():
    frame = forecast(get("irmas"), Settings(epochs=2, synthetic="smoke", n_seeds=1)).set_index("stage")
    assert frame.at["cnn raw", "clip_passes"] == 2 * 44
    assert frame.at["audio and what is decoded of it", "disk_gb"] < 1


def test_without_audioset_its_systems_cost_nothing():
    frame = forecast(get("irmas"), Settings(with_audioset=False))
    assert not frame["stage"].str.contains("audioset").any()


def test_a_step_is_measured_on_the_smallest_network():
    trial = costs.conditions(
        Settings(n_mels=32, image_size=(32, 32), resnet_blocks=(1, 1, 1, 1), resnet_width=4),
        seed=0,
        sets=costs.DataSets(irmas="i"),
    )["resnet_3s"]
    step = _MEASURE(trial, "cpu")
    assert step.seconds > 0
    assert step.saved_bytes > 0


_MEASURE = costs._measure
