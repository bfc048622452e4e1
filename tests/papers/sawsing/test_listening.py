"""The listening test of the vocoder paper: its phrases, its page, and opinion scores from files of ratings."""

import base64
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from reprise.papers.sawsing import listening, opinions
from reprise.papers.sawsing.experiment import resynthesis
from reprise.papers.sawsing.listening import choose_phrases, listening_results, listening_test, mos_draws
from reprise.papers.sawsing.outcome import GROUND_TRUTH, label_of
from reprise.papers.sawsing.trials import TrialKey
from reprise.report.draws import Draws
from reprise.stats.ratings import COLUMNS, mos_of

from .sung import RATE, outcome


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("store"))


class TestPhrases:
    def test_they_are_what_is_sung_of_the_songs_in_turn_by_the_seeds_in_turn(self, found):
        # both songs are sung from 0.5 to 1.5 s: two stretches of 0.4 s fit without overlap
        chosen = choose_phrases(found, n_phrases=4, seconds=0.4)
        assert [phrase.row for phrase in chosen] == [0, 1, 0, 1]
        assert [phrase.seed for phrase in chosen] == [0, 1, 0, 1]
        for phrase in chosen:
            assert phrase.seconds == 0.4
            assert 0.5 <= phrase.start <= 1.1
        for first, second in (chosen[::2], chosen[1::2]):
            assert abs(first.start - second.start) >= 0.4 - 1e-9
        assert chosen[0].item == "female1 · seed 0 · song_0 at 0.50 s"

    def test_songs_without_more_singing_give_fewer(self, found):
        assert len(choose_phrases(found, n_phrases=9, seconds=0.45)) == 4
        assert len(choose_phrases(found, n_phrases=9, seconds=0.8)) == 2
        whole = choose_phrases(found, n_phrases=9, seconds=60.0)
        assert [(phrase.start, phrase.seconds) for phrase in whole] == [(0, 2.5), (0, 2.0)]

    def test_only_seeds_that_all_systems_have_are_heard(self, found):
        fewer = {
            key: trial for key, trial in found.stored.items() if key != TrialKey("hifigan", "regular", "female1", 0)
        }
        found = SimpleNamespace(stored=fewer, collection=found.collection, singers=lambda: ["female1"])
        assert {phrase.seed for phrase in choose_phrases(found, n_phrases=3)} == {1}
        assert {phrase.seed for phrase in choose_phrases(found, systems=("sawsing",), n_phrases=3, seconds=0.4)} == {
            0,
            1,
        }
        assert choose_phrases(found, systems=("nsf",)) == []


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def data(found, tmp_path_factory):
    return data_of(listening_test(found, tmp_path_factory.mktemp("page"), n_phrases=2, seconds=0.8))


class TestPage:
    def sounds(self, screen):
        read = [soundfile.read(io.BytesIO(base64.b64decode(sound)))[0] for sound in screen["sounds"]]
        return {stimulus["name"]: read[stimulus["sound"]] for stimulus in screen["stimuli"]}

    def test_each_phrase_is_there_in_both_scenarios(self, data):
        names = [(screen["item"], [stimulus["name"] for stimulus in screen["stimuli"]]) for screen in data["screens"]]
        assert len(names) == 4
        assert names[0][0] == names[1][0] != names[2][0] == names[3][0]
        assert names[0][1] == ["reference", "anchor", "sawsing", "hifigan"]
        assert names[1][1] == ["reference", "anchor", "sawsing>limited", "hifigan>limited"]

    def test_the_sounds_are_the_stored_vocoders_at_one_level(self, found, data):
        phrase = choose_phrases(found, n_phrases=2, seconds=0.8)[1]
        sounds = self.sounds(data["screens"][3])
        songs = found.collection.singers["female1"]
        key = TrialKey("sawsing", "limited", "female1", phrase.seed)
        sung = resynthesis(found.stored[key], songs, row=phrase.row).audio[0].numpy()
        start = round(phrase.start * RATE)
        inner = slice(start + 240, start + 19200 - 240)
        for name, expected in (("sawsing>limited", sung), ("reference", songs.song(phrase.row).numpy())):
            ours = sounds[name][240:-240]
            assert np.corrcoef(ours, expected[inner])[0, 1] > 0.999
        levels = {name: np.sqrt(np.square(sound).mean()) for name, sound in sounds.items() if name != "anchor"}
        assert max(levels.values()) / min(levels.values()) < 1.02
        assert all(abs(sound[0]) < 1e-3 and abs(sound[-1]) < 1e-3 for sound in sounds.values())

    def test_a_phrase_at_the_very_end_is_filled_with_silence(self, found, tmp_path):
        path = listening_test(found, tmp_path, systems=("sawsing",), n_phrases=1, seconds=60.0)
        sounds = self.sounds(data_of(path)["screens"][0])
        assert {len(sound) for sound in sounds.values()} == {round(2.5 * RATE)}
        assert not sounds["sawsing"][-400:].any()

    def test_songs_that_are_at_hand_are_not_sung_again(self, found, tmp_path, monkeypatch):
        known = {(key, 0): SimpleNamespace(audio=torch.full((1, 60000), 0.5)) for key in found.stored}
        monkeypatch.setattr(listening, "resynthesis", None)
        sounds = self.sounds(
            data_of(listening_test(found, tmp_path, n_phrases=1, seconds=0.8, sung=known))["screens"][0]
        )
        np.testing.assert_allclose(sounds["hifigan"][240:-240], 0.05, atol=1e-3)

    def test_nothing_to_hear_is_said(self, found, tmp_path):
        with pytest.raises(ValueError, match="nothing to hear"):
            listening_test(found, tmp_path, systems=("nsf",))


def test_silence_and_peaks_are_no_trouble():
    spike = np.zeros(1000)
    spike[500] = 1.0
    levelled = listening._at_one_level({"reference": spike, "silent": np.zeros(1000)}, fade=10)
    assert not levelled["silent"].any()
    assert np.abs(levelled["reference"]).max() == 1.0


def test_ratings_lie_beside_the_data_or_the_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_RUNS", str(tmp_path / "runs"))
    assert listening.ratings_folder(SimpleNamespace(data="synthetic")) == tmp_path / "runs" / "sawsing_ratings"
    assert listening.ratings_folder(SimpleNamespace(data="/d")).parts[-2:] == ("d", "sawsing_ratings")


MEANS = {"sawsing": 60.0, "ddsp_add": 75.0, "sawsing>limited": 40.0, "ddsp_add>limited": 30.0}


def ratings(*, n_raters=10, seeds=(0, 1), singers=("female1", "male1"), noise=5.0):
    rng = np.random.default_rng(0)
    rows = []
    for rater in range(n_raters):
        for singer in singers:
            for seed in seeds:
                item = opinions.item_of(singer, seed, where="song · x, y")
                for scenario in ("regular", "limited"):
                    own = {name: mean for name, mean in MEANS.items() if (">" in name) == (scenario == "limited")}
                    for name, mean in {"reference": 97.0, "anchor": 15.0, **own}.items():
                        shift = (10 if singer == "male1" and name == "sawsing" else 0) + 4 * seed * (name == "sawsing")
                        value = np.clip(mean + shift + noise * rng.standard_normal(), 0, 100).round()
                        rows.append(("t", f"s{rater}", f"r{rater}", f"{item}, {scenario}", item, name, value))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    hidden = frame["stimulus"] == "reference"
    return frame.assign(rating=frame["rating"].where(~hidden, frame["rating"].clip(lower=91)))


class TestScores:
    def test_means_are_on_the_scale_of_opinions_per_seed(self):
        rows = ratings()
        draws = mos_draws(rows, n_draws=500)
        assert set(draws.conditions) == {*MEANS, GROUND_TRUTH}
        for name in MEANS:
            own = rows[rows["stimulus"] == name]
            seeds = own["item"].str.extract(r"seed (\d)", expand=False)
            expected = mos_of(own.groupby(seeds)["rating"].mean())
            np.testing.assert_allclose(draws.per_seed(name, "mos"), expected)
            low, high = draws.interval(name, "mos")
            assert low < draws.value(name, "mos") < high
        assert draws.unit("sawsing", "mos") == "bootstrap over 10 raters and 4 phrases"
        assert draws.n("sawsing", "mos") == 2

    def test_differences_are_paired(self):
        rows = ratings(noise=0.0)
        spread = {f"r{index}": 3.0 * index for index in range(10)}
        rows = rows.assign(rating=rows["rating"] - rows["rater"].map(spread).where(rows["stimulus"] != "reference", 0))
        draws = mos_draws(rows, n_draws=300)
        _, low, high = draws.difference("sawsing>limited", "ddsp_add>limited", "mos")
        assert high - low < 0.01, "a strict rater is strict with both"
        low, high = draws.interval("sawsing>limited", "mos")
        assert high - low > 0.1

    def test_voices_are_those_of_the_singers(self):
        draws = mos_draws(ratings(), voices={"female1": "female", "male1": "male"}, n_draws=200)
        assert draws.value("sawsing/male", "mos") > draws.value("sawsing/female", "mos") + 0.2
        assert not draws.has(f"{GROUND_TRUTH}/male", "mos")
        assert all(label_of(name) for name in draws.conditions)
        assert not any("/" in name for name in mos_draws(ratings(), voices={"female1": None}).conditions)

    def test_seeds_count_alike_however_often_they_were_heard(self):
        rows = ratings(noise=0.0)
        rows = rows[~(rows["item"].str.contains("seed 1") & rows["item"].str.contains("male1 "))]
        draws = mos_draws(rows, n_draws=400)
        estimate = draws.estimate("sawsing", "mos")
        assert estimate.value == pytest.approx(np.mean(estimate.per_seed))
        assert estimate.draws.mean() == pytest.approx(estimate.value, abs=0.03)

    def test_one_rater_and_phrase_have_no_interval(self):
        draws = mos_draws(ratings(n_raters=1, seeds=(0,), singers=("female1",)), n_draws=100)
        assert np.isnan(draws.interval("sawsing", "mos")).all()

    def test_they_merge_with_draws_of_the_same_number(self):
        other = Draws({}, {"x": 1.0}, 300)
        assert mos_draws(ratings(), n_draws=300).merge(other).exact == {"x": 1.0}

    def test_ratings_of_something_else_are_refused(self):
        with pytest.raises(ValueError, match="no phrase of this paper"):
            mos_draws(ratings().assign(item="song 1"))
        with pytest.raises(ValueError, match="unknown system 'golf'"):
            mos_draws(ratings().replace({"stimulus": {"sawsing": "golf"}}))


class TestResults:
    def test_files_become_tables_tests_and_draws(self, tmp_path):
        rows = ratings()
        for rater, own in rows.groupby("rater"):
            own.to_csv(tmp_path / f"{rater}.csv", index=False)
        deaf = rows[rows["rater"] == "r0"].assign(rater="deaf", session="d", rating=50)
        deaf.to_csv(tmp_path / "deaf.csv", index=False)
        result = listening_results(tmp_path, n_draws=200)
        assert result.raters.set_index("rater").loc["deaf", "kept"] == np.False_
        assert result.raters["kept"].sum() == 10
        assert list(result.means["condition"])[:2] == [GROUND_TRUTH, "ddsp_add"]
        assert list(result.means["condition"])[-1] == "anchor"
        assert result.pairs[["scenario", "a", "b"]].to_numpy().tolist() == [
            ["regular", "sawsing", "ddsp_add"],
            ["limited", "sawsing>limited", "ddsp_add>limited"],
        ]
        assert (result.pairs["p_holm"] < 0.01).all()
        assert result.friedman["scenario"].tolist() == ["regular", "limited"]
        assert result.draws.value("ddsp_add", "mos") > result.draws.value("sawsing", "mos")

    def test_no_files_or_nobody_left_is_no_result(self, tmp_path):
        assert listening_results(tmp_path) is None
        assert listening_results(tmp_path / "none") is None
        ratings(n_raters=1).assign(rating=50).to_csv(tmp_path / "deaf.csv", index=False)
        assert listening_results(tmp_path) is None
