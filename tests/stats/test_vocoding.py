"""Pitch errors by hand, held notes by brute force, Fréchet distances by closed forms and SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from reprise.stats.vocoding import frechet_distance, gaussian_of, held_frames, pitch_errors


def test_pitch_errors_by_hand():
    # a semitone up, an octave down, a voicing error each way, both unvoiced
    target = [220.0, 440.0, 160.0, 0.0, np.nan]
    predicted = [220.0 * 2 ** (1 / 12), 220.0, 0.0, 320.0, 0.0]
    errors = pitch_errors(predicted, target)
    assert errors.n_voiced == 2
    assert errors.mae_f0 == pytest.approx((100 + 1200) / 2)
    # floored at 80 Hz: an octave from 160 and two octaves from 320
    assert errors.mae_f0_floored == pytest.approx((100 + 1200 + 1200 + 2400 + 0) / 5)
    assert errors.vuv_error == pytest.approx(40)


def test_an_octave_slip_below_the_floor_costs_only_the_way_to_the_floor():
    assert pitch_errors([60.0], [160.0]).mae_f0_floored == pytest.approx(1200)
    assert pitch_errors([60.0], [160.0]).mae_f0 == pytest.approx(1200 * math.log2(160 / 60))
    assert pitch_errors([60.0], [160.0], floor=40.0).mae_f0_floored == pytest.approx(1200 * math.log2(160 / 60))


def test_no_frame_voiced_in_both_has_no_distance():
    errors = pitch_errors([0.0, 100.0], [100.0, 0.0])
    assert math.isnan(errors.mae_f0)
    assert errors.vuv_error == 100


@given(st.lists(st.one_of(st.just(0.0), st.floats(50, 1000)), min_size=1, max_size=20), st.floats(0.5, 2))
@settings(max_examples=30, deadline=None)
def test_errors_are_symmetric_and_transposition_costs_its_interval(contour, ratio):
    moved = [ratio * value for value in contour]
    there, back = pitch_errors(moved, contour), pitch_errors(contour, moved)
    assert there == pytest.approx(back, nan_ok=True)
    assert there.vuv_error == 0
    if any(contour):
        assert there.mae_f0 == pytest.approx(1200 * abs(math.log2(ratio)), abs=1e-9)


@pytest.mark.parametrize(
    ("predicted", "target", "word"),
    [([1.0], [1.0, 2.0], "same length"), ([], [], "one frame"), ([-1.0], [1.0], "frame 0"), ([1.0], [np.inf], "inf")],
)
def test_contours_that_do_not_fit_are_refused(predicted, target, word):
    with pytest.raises(ValueError, match=word):
        pitch_errors(predicted, target)


def step_by_loops(f0, place, n_step):
    """Mean pitch from a frame on minus that before it, in cents, looking back and ahead until a gap."""
    before, after = [], []
    for k in range(place - 1, max(place - n_step, 0) - 1, -1):
        if f0[k] == 0:
            break
        before.append(1200 * math.log2(f0[k]))
    for k in range(place, min(place + n_step, len(f0))):
        if f0[k] == 0:
            break
        after.append(1200 * math.log2(f0[k]))
    return abs(np.mean(after) - np.mean(before)) if before and after else 0.0


def held_by_loops(f0, *, n_frames, cents, step, n_step):
    held = np.zeros(len(f0), dtype=bool)
    for start in range(len(f0) - n_frames + 1):
        part = f0[start : start + n_frames]
        steps = [step_by_loops(f0, place, n_step) for place in range(start, start + n_frames)]
        if min(part) > 0 and 1200 * math.log2(max(part) / min(part)) <= cents and max(steps) <= step:
            held[start : start + n_frames] = True
    return held


@given(
    st.lists(st.sampled_from([0.0, 200.0, 205.0, 210.0, 250.0]), min_size=1, max_size=25),
    st.fixed_dictionaries(
        {
            "n_frames": st.integers(1, 6),
            "cents": st.sampled_from([10.5, 50.5, 90.5, 150.5]),
            "step": st.sampled_from([5.1, 20.1, 50.1, 90.1, 400.1]),
            "n_step": st.integers(1, 5),
        }
    ),
)
@settings(max_examples=100, deadline=None)
def test_held_frames_are_those_of_a_loop(f0, options):
    np.testing.assert_array_equal(held_frames(f0, **options), held_by_loops(f0, **options))


def test_vibrato_is_held_and_a_glide_is_not():
    time = np.arange(200) / 100
    assert held_frames(440 * 2 ** (70 * np.sin(2 * np.pi * 6 * time) / 1200)).all()
    assert not held_frames(220 * 2**time).any()


@pytest.mark.parametrize("interval", [100, 200])
def test_notes_a_step_apart_are_two_notes(interval):
    pitch = np.repeat([0.0, interval], 80) + 60 * np.sin(2 * np.pi * 5.5 * np.arange(160) / 100)
    held = held_frames(440 * 2 ** (pitch / 1200))
    assert held[:65].all()
    assert not held[78:82].any()
    assert held[95:].all()
    assert held_frames(440 * 2 ** (pitch / 1200), cents=400, step=400).all()


def test_numbers_out_of_range_are_refused():
    for wrong in ({"n_frames": 0}, {"n_step": 0}, {"cents": -1}, {"step": -1}, {"step": np.nan}):
        with pytest.raises(ValueError, match="at least"):
            held_frames([220.0], **wrong)


def test_frechet_distance_of_known_gaussians():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 3))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    # moved: the squared distance; stretched: (1 − 3)² per unit of variance
    assert frechet_distance(rows + np.array([1, 2, 2]), rows) == pytest.approx(9)
    centred = rows - rows.mean(axis=0)
    assert frechet_distance(3 * centred, centred) == pytest.approx(4 * np.trace(gaussian_of(centred)[1]))


def test_frechet_distance_in_one_dimension_is_the_closed_form():
    a, b = np.array([[0.0], [2.0], [7.0]]), np.array([[1.0], [1.5]])
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)


def by_scipy(a, b):
    (mean_a, cov_a), (mean_b, cov_b) = gaussian_of(a), gaussian_of(b)
    root = linalg.sqrtm(cov_a @ cov_b)
    return np.square(mean_a - mean_b).sum() + np.trace(cov_a + cov_b - 2 * np.real(root))


def test_frechet_distance_is_scipys():
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((6, 6))
    a, b = rng.standard_normal((50, 6)) @ mixing + 1, rng.standard_normal((70, 6))
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_fewer_rows_than_features():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((4, 12)), rng.standard_normal((5, 12))
    # on the few axes that they span, nothing is singular any more
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(a @ rotation, b @ rotation))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "word"),
    [
        (np.ones((1, 2)), np.ones((3, 2)), "n ≥ 2"),
        (np.ones((3, 2)), np.ones((3, 4)), "one embedding"),
        (np.array([[1.0], [np.nan]]), np.ones((3, 1)), "embedding 1"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(a, b, word):
    with pytest.raises(ValueError, match=word):
        frechet_distance(a, b)
