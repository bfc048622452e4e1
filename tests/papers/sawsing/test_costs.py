"""Forecast of the vocoder paper, and speeds: one row per system and scenario, steps counted, warm medians."""

import pytest
import torch

import reprise.papers.sawsing as room
from reprise.papers.catalogue import Paper, load_settings
from reprise.papers.sawsing import costs
from reprise.papers.sawsing.settings import Settings
from reprise.plan import forecast

PAPER = Paper(slug="sawsing", number="04", notebook="04_sawsing.ipynb", title="", module=room.__name__)
MEASURE, SCORING = costs._measure, costs._scoring_cost


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    """A second per second of audio in a step, half of it in a synthesis, so that hours are countable."""
    monkeypatch.setattr(costs, "_measure", lambda trial, device: costs._Cost(1.0, 0.5, 1e6, 1000))
    monkeypatch.setattr(costs, "_scoring_cost", lambda trial: (0.25, 0.5))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_the_papers_profile_counts_mpop600():
    frame = forecast(PAPER, Settings()).set_index("stage")
    # nine systems twice, eight variants once, the songs and the total
    assert len(frame) == 9 * 2 + 8 + 2
    assert frame.at["SawSing", "trials"] == 2 * 3
    # 123 files make eight steps, the last of them short
    assert frame.at["SawSing", "clip_passes"] == pytest.approx(6 * 28140 * 123 / 8)
    assert frame.at["SawSing, limited", "clip_passes"] == pytest.approx(6 * 1314 * 3)
    # validations at multiples of 440, at 1314 and at the end, on 24 songs; three draws of three test songs
    trained, watched = 28140 * 123 / 8 * 2, 65 * 24 * 62.8 * 0.5
    scored = 3 * 62.8 * (3 * (0.5 + 0.25) + 0.5)
    assert frame.at["SawSing", "cpu_hours"] == pytest.approx(6 * (trained + watched + scored) / 3600)
    assert frame.at["SawSing", "memory_gb"] == pytest.approx(0.032)
    assert frame.at["songs and their pitch", "disk_gb"] == pytest.approx(300 * 62.8 * 2 * 72e3 / 1e9)


def test_what_takes_over_weights_is_only_scored():
    frame = forecast(PAPER, Settings()).set_index("stage")
    scored = 3 * 62.8 * (3 * (0.5 + 0.25) + 0.5)
    row = frame.loc["SawSing, phase in single precision"]
    assert (row["clip_passes"], row["cpu_hours"]) == (0, pytest.approx(6 * scored / 3600))
    # its voicing needs the pitch once more
    longer = 6 * (scored + 3 * 62.8 * 0.5) / 3600
    assert frame.at["SawSing, de-buzzed", "cpu_hours"] == pytest.approx(longer)


def test_full_batches_hold_as_many_crops_whatever_the_files():
    frame = forecast(PAPER, Settings(fill_batch=True)).set_index("stage")
    assert frame.at["SawSing, limited", "clip_passes"] == 6 * 1314 * 16


def test_small_profiles_count_the_synthetic_songs():
    settings = load_settings(PAPER, "smoke")
    frame = forecast(PAPER, settings).set_index("stage")
    assert frame.at["SawSing", "clip_passes"] == settings.steps_regular * settings.batch_size
    assert frame.at["songs and their pitch", "disk_gb"] < 0.1


@pytest.mark.parametrize("system", ["sawsing", "fastdiff"])
def test_a_step_is_measured_on_little_audio(system):
    settings = load_settings(PAPER, "smoke", {"systems": [system], "ablations": []})
    (trial, _) = costs.conditions(settings, _singers(settings), seeds=[0]).values()
    cost = MEASURE(trial, "cpu")
    assert min(cost.step, cost.synthesis) > 0
    assert cost.saved_bytes > 1e4
    assert cost.parameters > 1e4


def test_measuring_leaves_the_generator_alone(monkeypatch):
    # pYIN is compiled on its first call
    monkeypatch.setattr(costs, "estimated_pitch", lambda *_, **__: None)
    settings = load_settings(PAPER, "smoke", {"systems": ["sawsing"], "ablations": []})
    trial = next(iter(costs.conditions(settings, _singers(settings), seeds=[0]).values()))
    before = torch.get_rng_state()
    MEASURE(trial, "cpu")
    costs.real_time_factors(settings)
    assert torch.equal(before, torch.get_rng_state())
    assert min(SCORING(trial)) > 0


def _singers(settings):
    from types import SimpleNamespace

    songs = SimpleNamespace(fingerprint="forecast", config=costs.songs_config(settings, singer="x"))
    return SimpleNamespace(singers={"x": songs}, folder=None)


def test_speeds_are_medians_of_warm_calls(monkeypatch):
    seen = []

    def factor(synthesise, *, seconds, device, n_repeats):
        seen.append((synthesise().audio.shape, seconds, device, n_repeats))
        return 0.5

    monkeypatch.setattr(costs, "real_time_factor", factor)
    settings = load_settings(PAPER, "smoke", {"systems": ["sawsing", "hifigan"], "rtf_seconds": 0.5, "rtf_repeats": 3})
    assert costs.real_time_factors(settings) == {"rtf/sawsing": 0.5, "rtf/hifigan": 0.5}
    assert seen == [((1, 12000), 0.5, "cpu", 3)] * 2
    assert list(costs.real_time_factors(settings, ["sawsing_crossfade"])) == ["rtf/sawsing_crossfade"]
    words = costs.speed_conditions(settings)
    assert words == f"CPU, {torch.get_num_threads()} threads; one sound of 0.5 s, median of 3 calls after a warm one"
