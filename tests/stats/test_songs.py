"""Songs from clips: the four strategies song by song, ties, and the choice between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reprise.stats.songs import STRATEGIES, best_strategy, song_classes, song_key_score
from reprise.stats.tagging import key_points


def random_clips(seed, n_songs):
    rng = np.random.default_rng(seed)
    songs = rng.permutation(np.repeat(np.arange(n_songs), rng.integers(1, 6, n_songs)))
    return rng.dirichlet(np.full(24, 0.3), size=len(songs)), songs, rng.integers(0, 24, n_songs)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_each_song_is_what_its_own_clips_say(seed, n_songs):
    probabilities, songs, _ = random_clips(seed, n_songs)
    found = {strategy: song_classes(probabilities, songs, strategy=strategy) for strategy in STRATEGIES}
    for song in range(n_songs):
        own = probabilities[songs == song]
        assert found["vote"][song] == stats.mode(own.argmax(axis=1)).mode
        assert found["max"][song] == own.max(axis=0).argmax()
        assert found["mean"][song] == own.mean(axis=0).argmax()
        assert found["gmean"][song] == stats.gmean(np.maximum(own, 1e-46), axis=0).argmax()


def test_the_strategies_can_all_differ():
    clips = np.array(
        [[0.50, 0.40, 0.06, 0.04], [0.50, 0.40, 0.06, 0.04], [0.0, 0.01, 0.95, 0.04], [0, 0.6, 0.01, 0.39]]
    )
    answers = {strategy: song_classes(clips, np.zeros(4, int), strategy=strategy)[0] for strategy in STRATEGIES}
    assert answers == {"vote": 0, "max": 2, "gmean": 1, "mean": 1}


def test_the_best_strategy_is_the_one_with_most_points():
    probabilities, songs, keys = random_clips(0, 40)
    points = {s: key_points(song_classes(probabilities, songs, strategy=s), keys).mean() for s in STRATEGIES}
    name, score = best_strategy(probabilities, songs, keys=keys)
    assert score == points[name] == max(points.values())
    assert song_key_score(songs, keys)(probabilities, np.zeros(0)) == score
    # equal ones: the first
    assert best_strategy(np.eye(24)[:3], np.arange(3), keys=np.arange(3)) == ("vote", 1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: song_classes(np.ones((2, 3)), np.array([0, 2]), strategy="mean"), "song 1 has no clip"),
        (lambda: song_classes(np.ones((2, 3)), np.array([0, -1]), strategy="mean"), "from 0"),
        (lambda: song_classes(np.ones((2, 3)), np.array([0]), strategy="mean"), "n_clips"),
        (lambda: song_classes(np.ones((1, 3)), np.array([0]), strategy="median"), "'median'"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
