"""The procedural voice, measured by estimators that know nothing of how it is made."""

import dataclasses

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.data.datasets.vocalset import TECHNIQUES
from reprise.data.synthetic.melodies import POINT_RATE, Line, point_hop
from reprise.data.synthetic.singers import SINGERS, draw_singer
from reprise.data.synthetic.techniques import perform
from reprise.data.synthetic.voice import sing, vowel_formants

RATE = 22050
SEEDS = range(3)


def voice(seed=0, sample_rate=RATE, seconds=1.5, **curves):
    hop = point_hop(sample_rate)
    n_points = round(seconds * sample_rate / hop)
    curves = {"formants": vowel_formants("a"), "f0": 220.0} | curves
    curves["f0"] = np.broadcast_to(curves["f0"], n_points)
    return sing(sample_rate=sample_rate, hop_length=hop, rng=np.random.default_rng(seed), **curves).astype(float)


def held_note(midi, seconds=3.0, vowel="a"):
    n = round(seconds * POINT_RATE)
    vowels = np.tile(np.eye(5)["aeiou".index(vowel)], (n, 1))
    return Line(pitch=np.full(n, float(midi)), level=np.zeros(n), vowels=vowels, since=np.arange(n) / POINT_RATE)


def take(technique, singer="male1", seed=0, midi=None, seconds=3.0, difficulty=0.0):
    """A held note by one singer at full strength."""
    person = draw_singer(singer, seed=seed)
    line = held_note(person.low + 8 if midi is None else midi, seconds=seconds)
    rng = np.random.default_rng(seed)
    audio = perform(line, technique=technique, singer=person, sample_rate=RATE, rng=rng, difficulty=difficulty)
    return audio.astype(float)


def correlogram(audio, low, high, window=0.05, hop=0.005):
    """Pitch in Hz and normalised autocorrelation at its lag, per frame."""
    size, step = round(window * RATE), round(hop * RATE)
    frames = np.lib.stride_tricks.sliding_window_view(audio, size)[::step]
    frames = frames - frames.mean(axis=1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(frames, 4 * size, axis=1)))
    lags = np.fft.irfft(power, axis=1)[:, :size]
    taper = 1.0 - np.arange(size) / size
    lags = lags / (lags[:, :1] + 1e-12) / np.maximum(taper, 0.1)
    first, last = int(RATE / high), int(RATE / low)
    best = lags[:, first:last].argmax(axis=1) + first
    rows = np.arange(len(lags))
    left, mid, right = lags[rows, best - 1], lags[rows, best], lags[rows, best + 1]
    return RATE / (best + 0.5 * (left - right) / (left - 2 * mid + right - 1e-12)), mid


def semitones(audio, around, span=7.0):
    f0, clarity = correlogram(audio, around * 2 ** (-span / 12), around * 2 ** (span / 12))
    return 12 * np.log2(f0 / around), clarity


def envelope(audio, corner=16.0):
    sos = scipy.signal.butter(2, corner, fs=RATE, output="sos")
    level = np.sqrt(np.maximum(scipy.signal.sosfiltfilt(sos, np.square(audio)), 1e-10))
    return level[:: RATE // POINT_RATE]


def swing_rate(curve, low=2.0, high=15.0):
    """Frequency and strength (peak to either side) of the strongest oscillation of a curve at 200 points a second."""
    curve = scipy.signal.detrend(curve)
    spectrum = np.abs(np.fft.rfft(curve * np.hanning(len(curve)), 8192)) * 4 / len(curve)
    frequencies = np.fft.rfftfreq(8192, 1 / POINT_RATE)
    inside = (frequencies > low) & (frequencies < high)
    k = np.flatnonzero(inside)[spectrum[inside].argmax()]
    return frequencies[k], spectrum[k]


def bright(audio):
    """Level above 2 kHz re the whole, in dB."""
    frequencies, power = scipy.signal.welch(audio, RATE, nperseg=2048)
    return 10 * np.log10(power[frequencies > 2000].sum() / power.sum())


def middle(audio):
    return audio[len(audio) // 6 : -len(audio) // 6]


@pytest.mark.parametrize("f0", [82.4, 220.0, 466.2, 987.8])
def test_pitch_is_what_was_asked(f0):
    measured, _ = semitones(voice(f0=f0), f0)
    assert abs(np.median(measured[20:-20])) < 0.05


def test_pitch_follows_a_curve():
    n = round(1.5 * RATE / point_hop(RATE))
    f0 = np.geomspace(150.0, 300.0, n)
    measured, _ = correlogram(voice(f0=f0, seconds=1.5), 120, 350)
    at = (np.arange(len(measured)) * 0.005 + 0.025) * RATE / point_hop(RATE)
    wanted = np.interp(at, np.arange(n), f0)
    cents = 1200 * np.log2(measured / wanted)
    assert np.percentile(np.abs(cents[10:-10]), 95) < 20


def test_a_straight_note_of_a_singer_is_in_tune_and_steady():
    for singer in ("female5", "male8"):
        midi = draw_singer(singer, seed=0).low + 7
        measured, _ = semitones(middle(take("straight", singer, midi=midi)), 440 * 2 ** ((midi - 69) / 12))
        assert abs(np.median(measured)) < 0.2
        assert swing_rate(measured)[1] < 0.08


@pytest.mark.parametrize("vowel", "aei")
@pytest.mark.parametrize("tract", [1.0, 1.18])
def test_formants_lie_where_asked(vowel, tract):
    formants = vowel_formants(vowel, tract=tract)
    whisper = voice(voicing=0.0, aspiration=1.0, formants=formants, seconds=8.0)
    frequencies, power = scipy.signal.welch(whisper, RATE, nperseg=1024)
    # the slopes of the other resonances move a peak a little, hence 10 %
    for formant in formants[[0, 1, 2]]:
        near = np.abs(frequencies / formant - 1) < 0.2
        peak = frequencies[near][power[near].argmax()]
        assert abs(peak / formant - 1) < 0.1
        assert power[near].argmax() not in (0, near.sum() - 1)


def test_formants_move():
    a, i = vowel_formants("a"), vowel_formants("i")
    n = round(2.0 * RATE / point_hop(RATE))
    formants = np.where(np.arange(n)[:, None] < n // 2, a, i)
    audio = voice(f0=110.0, formants=formants, seconds=2.0)

    def share(part):
        frequencies, power = scipy.signal.welch(part, RATE, nperseg=2048)
        return power[(frequencies > 550) & (frequencies < 1250)].sum() / power.sum()

    assert share(audio[: int(0.9 * RATE)]) > 0.6
    assert share(audio[int(1.1 * RATE) :]) < 0.1


def test_harmonics_do_not_depend_on_the_sample_rate():
    def harmonics(sample_rate):
        audio = voice(sample_rate=sample_rate, seconds=2.0, jitter=0, shimmer=0, aspiration=0)[sample_rate // 2 :]
        n = sample_rate
        spectrum = np.abs(np.fft.rfft(audio[:n] * np.blackman(n))) / n
        return 20 * np.log10([spectrum[220 * k - 3 : 220 * k + 4].max() for k in range(1, 22)])

    difference = harmonics(44100) - harmonics(RATE)
    assert np.abs(difference).max() < 2.5


@pytest.mark.parametrize("f0", [146.0, 1180.0])
def test_nothing_sounds_between_harmonics(f0):
    """Aliases, frame boundaries and truncated responses would."""
    audio = voice(f0=f0, seconds=2.0, jitter=0, shimmer=0, aspiration=0)[RATE // 2 : -RATE // 4]
    n = len(audio)
    spectrum = np.abs(np.fft.rfft(audio * scipy.signal.windows.blackmanharris(n)))
    frequencies = np.fft.rfftfreq(n, 1 / RATE)
    between = np.abs(frequencies / f0 - np.round(frequencies / f0)) * f0 > 20
    assert 20 * np.log10(spectrum[between].max() / spectrum.max()) < -65


def pulses(**curves):
    """Places and heights of pulses, from the envelope above 2 kHz of a voice with almost no resonance."""
    audio = voice(f0=100.0, formants=[3000.0], bandwidths=[6000.0], aspiration=0, tilt=0.3, seconds=8.0, **curves)
    sos = scipy.signal.butter(4, 2000, "high", fs=RATE, output="sos")
    level = np.abs(scipy.signal.hilbert(scipy.signal.sosfiltfilt(sos, audio)))
    places, _ = scipy.signal.find_peaks(level, distance=RATE // 150, height=0.1 * level.max())
    return places, level[places]


def test_jitter_and_shimmer_are_what_was_asked():
    places, heights = pulses(jitter=0.02, shimmer=0.0)
    assert len(places) == pytest.approx(800, abs=2)
    assert np.diff(places).std() / np.diff(places).mean() == pytest.approx(0.02, rel=0.15)
    assert heights.std() / heights.mean() < 0.03
    places, heights = pulses(jitter=0.0, shimmer=0.2)
    assert heights.std() / heights.mean() == pytest.approx(0.2, rel=0.15)
    _, heights = pulses(jitter=0.0, shimmer=0.0, subharmonic=0.5)
    assert np.sort(heights[20:-20][:2])[0] / heights.max() == pytest.approx(0.5, abs=0.05)


def test_no_voice_where_f0_is_zero():
    n = round(1.5 * RATE / point_hop(RATE))
    f0 = np.where(np.abs(np.arange(n) - n / 2) < n / 6, 0.0, 200.0)
    audio = voice(f0=f0, aspiration=0)
    third = len(audio) // 3
    gap = audio[third + 1500 : 2 * third - 1500]
    assert np.abs(gap).max() < 1e-3 * np.abs(audio).max()
    assert np.abs(voice(f0=0.0, aspiration=0)).max() == 0


def test_level_is_in_decibels_and_near_its_reference():
    quiet, loud = voice(f0=200.0, level=-12.0), voice(f0=200.0)
    assert np.allclose(quiet * 10 ** (12 / 20), loud, atol=1e-5)
    assert -26 < 20 * np.log10(middle(loud).std()) < -12


@settings(max_examples=15, deadline=None)
@given(
    f0=st.floats(18, 1500),
    sample_rate=st.sampled_from([8000, 16000, 24000, 44100, 48000]),
    open_quotient=st.floats(0.1, 1.0),
    tilt=st.floats(0, 40),
    aspiration=st.floats(0, 1),
    jitter=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
def test_any_voice_is_finite_reproducible_and_of_the_right_length(f0, sample_rate, seed, **curves):
    audio = voice(seed=seed, f0=f0, sample_rate=sample_rate, seconds=0.3, **curves)
    hop = point_hop(sample_rate)
    assert len(audio) == round(0.3 * sample_rate / hop) * hop
    assert np.isfinite(audio).all()
    assert abs(audio.mean()) < 0.02 * np.abs(audio).max() + 1e-4
    assert np.array_equal(audio, voice(seed=seed, f0=f0, sample_rate=sample_rate, seconds=0.3, **curves))


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({"f0": -1.0}, "f0 must lie in"),
        ({"f0": np.nan}, "f0 must lie in"),
        ({"f0": RATE}, "quarter of the sample rate"),
        ({"tilt": [1.0, 2.0]}, "tilt must be a number or have"),
        ({"level": np.inf}, "level must be finite"),
        ({"open_quotient": 0.0}, "open_quotient must be finite and lie in"),
        ({"subharmonic": 1.5}, "subharmonic must be finite"),
        ({"formants": [[500.0]]}, "formants must have shape"),
        ({"formants": [500.0, -1.0]}, "formants must be finite"),
        ({"bandwidths": [50.0]}, "10 formants do not go with 1"),
    ],
)
def test_wrong_curves_are_named(curves, message):
    with pytest.raises(ValueError, match=message):
        voice(**curves)
    with pytest.raises(ValueError, match="no vowel"):
        vowel_formants("y")


@pytest.mark.parametrize("seed", SEEDS)
def test_vibrato_has_the_rate_of_vibrato(seed):
    person = draw_singer("male1", seed=seed)
    measured, _ = semitones(middle(take("vibrato", seed=seed)), 440 * 2 ** ((person.low + 8 - 69) / 12))
    rate, extent = swing_rate(measured)
    assert 4.6 < rate < 7.4
    assert abs(rate / person.vibrato_rate - 1) < 0.15
    assert 0.15 < extent < 1.1


@pytest.mark.parametrize("seed", SEEDS)
def test_trill_alternates_pitch_and_trillo_pulses(seed):
    around = 440 * 2 ** ((draw_singer("male1", seed=seed).low + 9 - 69) / 12)
    trill, trillo = middle(take("trill", seed=seed)), middle(take("trillo", seed=seed))
    measured, _ = semitones(trill, around)
    low, high = np.percentile(measured, [10, 90])
    rate, _ = swing_rate(measured)
    assert 0.75 < high - low < 2.4
    assert 4.5 < rate < 8.6
    pulses, clarity = semitones(trillo, around)
    low, high = np.percentile(pulses[clarity > 0.9], [10, 90])
    assert high - low < 0.5
    depth = {name: np.ptp(20 * np.log10(np.percentile(envelope(a), [8, 92]))) for name, a in
             {"trill": trill, "trillo": trillo}.items()}  # fmt: skip
    assert depth["trillo"] > 6
    assert depth["trillo"] > depth["trill"] + 3
    assert 2.5 < swing_rate(envelope(trillo))[0] < 10


@pytest.mark.parametrize("singer", ["male1", "female3"])
def test_breath_and_creak_lower_the_clarity(singer):
    around = 440 * 2 ** ((draw_singer(singer, seed=0).low + 8 - 69) / 12)

    def harmonics_to_noise(technique):
        _, clarity = semitones(middle(take(technique, singer)), around)
        clarity = np.clip(np.median(clarity), 0.01, 0.9999)
        return 10 * np.log10(clarity / (1 - clarity))

    straight, breathy, inhaled = (harmonics_to_noise(name) for name in ("straight", "breathy", "inhaled"))
    assert breathy < straight - 5
    assert inhaled < breathy


@pytest.mark.parametrize("singer", ["male1", "female3", "male9"])
def test_fry_pulses_are_slow_and_irregular(singer):
    audio = take("vocal_fry", singer, seconds=5.0)
    sos = scipy.signal.butter(2, 120, fs=RATE, output="sos")
    level = scipy.signal.sosfiltfilt(sos, np.square(audio))
    peaks, _ = scipy.signal.find_peaks(level, distance=RATE // 120, prominence=0.03 * np.percentile(level, 99.5))
    rate = len(peaks) / 5.0
    intervals = np.diff(peaks)
    assert 17 < rate < 65
    assert intervals.std() / intervals.mean() > 0.05


@pytest.mark.parametrize("singer", ["male1", "female3", "male8"])
def test_belt_is_brighter_and_louder_breathy_softer(singer):
    straight, belt, breathy = (middle(take(name, singer)) for name in ("straight", "belt", "breathy"))
    assert bright(belt) > bright(straight) + 2
    assert belt.std() > 1.2 * straight.std()
    assert breathy.std() < straight.std()


def test_lip_trill_flutters_at_the_rate_of_lips():
    for seed in SEEDS:
        level = envelope(middle(take("lip_trill", seed=seed)), corner=60.0)
        rate, strength = swing_rate(level, low=12, high=45)
        assert 18 < rate < 32
        steady = envelope(middle(take("straight", seed=seed)), corner=60.0)
        assert strength / level.mean() > 4 * swing_rate(steady, low=12, high=45)[1] / steady.mean()


def test_speech_glides_and_has_gaps():
    spoken, straight = take("spoken", seconds=4.0), take("straight", seconds=4.0)
    around = 440 * 2 ** ((draw_singer("male1", seed=0).low + 3 - 69) / 12)
    measured, clarity = semitones(middle(spoken), around, span=10)
    assert np.ptp(np.percentile(measured[clarity > 0.85], [5, 95])) > 2
    quietest = [np.percentile(envelope(middle(a)), 5) / np.median(envelope(middle(a))) for a in (spoken, straight)]
    assert quietest[0] < 0.5 * quietest[1]


def test_difficulty_weakens_techniques():
    person = dataclasses.replace(draw_singer("male1", seed=0), skill=dict.fromkeys(TECHNIQUES, 0.0))
    line = held_note(person.low + 8)

    def brightness(difficulty):
        rng = np.random.default_rng(3)
        audio = perform(line, technique="belt", singer=person, sample_rate=RATE, rng=rng, difficulty=difficulty)
        return bright(middle(audio.astype(float)))

    assert brightness(0.0) > brightness(0.5) > brightness(1.0)


def test_singers_differ_and_depend_on_the_seed():
    people = [draw_singer(name, seed=0) for name in SINGERS]
    assert len({person.tract for person in people}) == 20
    women = np.mean([p.tract for p in people if p.name.startswith("f")])
    assert women > 1.08 * np.mean([p.tract for p in people if p.name.startswith("m")])
    assert draw_singer("male1", seed=0) == draw_singer("male1", seed=0) != draw_singer("male1", seed=1)
