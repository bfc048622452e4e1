"""Instruments: what physics says about each, measured in the sound."""

import inspect

import numpy as np
import pytest
import scipy.signal

from reprise.data.synthetic import instruments
from reprise.data.synthetic.instruments import draw_make, draw_style, note, phrase
from reprise.data.synthetic.instruments.filters import partials
from reprise.data.synthetic.instruments.score import chords, melody
from reprise.data.synthetic.instruments.strings import inharmonicity
from reprise.data.synthetic.instruments.style import GENRES

RATE = 44100
CODES = ("cel", "cla", "flu", "gac", "gel", "org", "pia", "sax", "tru", "vio", "voi")


def hertz(pitch):
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def make_of(code, seed=0, **traits):
    """A make in tune, with some traits given."""
    make = draw_make(code, np.random.default_rng(seed))
    values = {field: getattr(make, field) for field in inspect.signature(type(make)).parameters}
    return type(make)(**(values | {"tuning": 0.0, "tilt": 0.0, "traits": make.traits | traits}))


def sound(code, pitch, *, seconds=1.5, velocity=0.65, seed=0, **traits):
    make = make_of(code, seed, **traits)
    return note(
        code,
        pitch=pitch,
        seconds=seconds,
        sample_rate=RATE,
        rng=np.random.default_rng(seed),
        velocity=velocity,
        make=make,
    )


def spectrum(audio):
    """Magnitudes with a Blackman window, 1 at a sine of amplitude 1, and their frequencies."""
    window = np.blackman(len(audio))
    return 2.0 * np.abs(np.fft.rfft(audio * window)) / window.sum(), np.fft.rfftfreq(len(audio), 1.0 / RATE)


def harmonics(audio, f0, n):
    """Levels in dB of the first ``n`` harmonics, from the middle of a note."""
    size, frequencies = spectrum(audio[int(0.25 * len(audio)) : int(0.75 * len(audio))])
    width = 0.3 * f0
    peaks = [size[np.abs(frequencies - k * f0) < width].max() for k in range(1, n + 1)]
    return 20.0 * np.log10(np.array(peaks) + 1e-12)


def centroid(audio):
    size, frequencies = spectrum(audio)
    return (size**2 * frequencies).sum() / (size**2).sum()


def levels(audio, step=0.05):
    """RMS in dB of pieces of ``step`` seconds."""
    n = int(step * RATE)
    return 10.0 * np.log10(np.square(audio[: len(audio) // n * n].reshape(-1, n)).mean(axis=1) + 1e-15)


def flatness(audio):
    size, frequencies = spectrum(audio)
    power = size[(frequencies > 100) & (frequencies < 5000)] ** 2 + 1e-14
    return np.exp(np.log(power).mean()) / power.mean()


def test_partials_are_damped_waves():
    rng = np.random.default_rng(1)
    f, a, d, p = rng.uniform(50, 9000, 70), rng.uniform(0, 1, 70), rng.uniform(0, 30, 70), rng.uniform(0, 1, 70)
    got = partials(f, a, decays=d, phases=p, n_samples=3001, sample_rate=RATE, first=137)
    time = (np.arange(3001) + 137)[:, None] / RATE
    wanted = (a * np.exp(-d * time) * np.cos(2 * np.pi * (f * time + p))).sum(axis=1)
    np.testing.assert_allclose(got, wanted, atol=3e-5)
    assert got.dtype == np.float32


def test_partials_beyond_half_the_rate_are_left_out():
    got = partials(
        np.array([23000.0]), np.ones(1), decays=np.zeros(1), phases=np.zeros(1), n_samples=100, sample_rate=RATE
    )
    assert not got.any()


@pytest.mark.parametrize("seed", range(3))
def test_odd_harmonics_lead_in_the_clarinets_low_register(seed):
    levels = harmonics(sound("cla", 52, seed=seed, velocity=0.6), hertz(52), 7)
    assert levels[[0, 2, 4]].min() > levels[[1, 3]].max() + 12.0
    # and not in a conical bore
    levels = harmonics(sound("sax", 52, seed=seed, growl=0.0, scoop=0.0), hertz(52), 7)
    assert abs(levels[[0, 2, 4]].mean() - levels[[1, 3, 5]].mean()) < 6.0


def test_even_harmonics_catch_up_above_the_clarinets_tone_holes():
    low = harmonics(sound("cla", 52, velocity=0.9), hertz(52), 22)
    gap = low[0::2] - low[1::2]
    assert gap[:2].mean() > gap[-3:].mean() + 10.0


@pytest.mark.parametrize("pitch", [33, 48, 60])
def test_a_pianos_partials_are_stretched(pitch):
    audio = sound("pia", pitch, seconds=3.0, beating=0.0, stiffness=5e-4)
    size, frequencies = spectrum(audio[2000:])
    b = float(inharmonicity(float(pitch), make=make_of("pia", stiffness=5e-4)))
    n = np.array([1, 2, 3, 5, 9, 10, 11])
    found = []
    for k in n:
        near = np.abs(frequencies / (k * hertz(pitch) * np.sqrt(1 + b * k**2)) - 1.0) < 0.02
        found.append(frequencies[near][size[near].argmax()])
    # (f_n / n)^2 is a straight line over n^2: its slope and intercept give B and f0, not seen by the search above
    slope, intercept = np.polyfit(n**2, np.square(np.array(found) / n), 1)
    assert slope / intercept == pytest.approx(b, rel=0.1)
    assert np.sqrt(intercept) == pytest.approx(hertz(pitch), rel=2e-3)


def test_high_strings_of_a_piano_are_stiffer():
    make = make_of("pia")
    assert inharmonicity(84.0, make=make) > 4.0 * inharmonicity(60.0, make=make)
    assert inharmonicity(21.0, make=make) > inharmonicity(33.0, make=make)


def test_a_flute_has_fewer_strong_harmonics_than_a_trumpet():
    for seed in range(3):
        counts = {
            code: (lambda h: (h > h.max() - 30.0).sum())(harmonics(sound(code, 72, seed=seed), hertz(72), 14))
            for code in ("flu", "tru")
        }
        assert counts["flu"] <= 5
        assert counts["tru"] >= counts["flu"] + 3


@pytest.mark.parametrize("code", ["tru", "sax", "vio", "pia"])
def test_louder_is_brighter(code):
    soft, loud = (centroid(sound(code, 64, velocity=velocity, mute=-1.0)) for velocity in (0.3, 0.95))
    assert loud > {"tru": 1.6, "sax": 1.3}.get(code, 1.08) * soft


@pytest.mark.parametrize("code", ["gac", "gel", "pia"])
def test_what_is_struck_dies_away(code):
    fall = levels(
        sound(code, 57, seconds=2.5, drive=0.0, chorus=-1.0) if code == "gel" else sound(code, 57, seconds=2.5)
    )
    assert fall[2] - fall[30] > 5.0
    assert fall[:4].max() >= fall.max() - 0.5


@pytest.mark.parametrize("code", ["org", "cel", "cla", "sax"])
def test_what_is_blown_or_bowed_does_not(code):
    held = levels(sound(code, 57, seconds=2.5, rotor=-1.0))
    assert abs(held[8] - held[35]) < 5.0


def test_damped_notes_end():
    for code in ("pia", "gac", "org", "vio"):
        ended = levels(sound(code, 60, seconds=2.0))
        assert ended[-2:].mean() < ended[10:30].mean() - 20.0


def test_distortion_fills_the_spectrum():
    clean, distorted = (sound("gel", 45, seconds=2.0, drive=drive, chorus=-1.0) for drive in (0.0, 0.9))
    assert flatness(distorted) > 3.0 * flatness(clean)
    strong = [harmonics(audio, hertz(45), 40) for audio in (clean, distorted)]
    assert (strong[1] > strong[1].max() - 35.0).sum() > (strong[0] > strong[0].max() - 35.0).sum() + 8
    # and it sustains
    assert np.ptp(levels(distorted)[4:28]) < np.ptp(levels(clean)[4:28])


def test_distortion_does_not_fold_back():
    audio = sound("gel", 76, seconds=2.0, drive=1.0, chorus=-1.0, stiffness=0.0, beating=0.0, cabinet=6000.0)
    size, frequencies = spectrum(audio[RATE // 4 : RATE])
    inside = (frequencies > 500) & (frequencies < 6000)
    # what is between harmonics (the note itself is off by up to some cents)
    off = np.abs((frequencies / hertz(76) + 0.5) % 1.0 - 0.5)
    assert 20 * np.log10(size[inside & (off > 0.25)].max() / size.max()) < -40.0


@pytest.mark.parametrize("code", ["vio", "cel"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vibrato_of_bowed_strings(code, seed):
    audio = sound(code, 62, seconds=3.0, seed=seed, vibrato_extent=0.3)
    band = scipy.signal.butter(4, [hertz(62) * 0.75, hertz(62) * 1.35], "bandpass", fs=RATE, output="sos")
    angle = np.unwrap(np.angle(scipy.signal.hilbert(scipy.signal.sosfiltfilt(band, audio))))
    pitch = 12.0 * np.log2(np.diff(angle)[RATE // 2 : 2 * RATE] * RATE / (2 * np.pi) / hertz(62))
    pitch = scipy.signal.decimate(pitch, 10, ftype="fir") - pitch.mean()
    size = np.abs(np.fft.rfft(pitch * np.hanning(len(pitch)), 2**16))
    rates = np.fft.rfftfreq(2**16, 10 / RATE)
    slow = (rates > 1.0) & (rates < 30.0)
    assert 4.0 < rates[slow][size[slow].argmax()] < 7.0
    assert 0.1 < pitch.std() * np.sqrt(2) < 0.6


def test_breath_is_louder_in_a_flute_than_in_a_trumpet():
    def between(code):
        size, frequencies = spectrum(sound(code, 72, seconds=2.0)[RATE // 2 : RATE])
        off = np.abs((frequencies / hertz(72) + 0.5) % 1.0 - 0.5)
        inside = (frequencies > 600) & (frequencies < 5000)
        return np.median(size[inside & (off > 0.2)]) / size.max()

    assert between("flu") > 3.0 * between("tru")


@pytest.mark.parametrize("code", CODES)
def test_a_phrase(code):
    audio, again, other = (
        phrase(code, seconds=1.5, sample_rate=RATE, rng=np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert audio.shape == (66150,)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() == pytest.approx(0.9, abs=1e-4)
    assert np.array_equal(audio, again)
    assert not np.array_equal(audio, other)
    # nobody is silent for most of the time
    assert (levels(audio, 0.1) > levels(audio, 0.1).max() - 40.0).mean() > 0.5


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("rate", [8000, 22050])
def test_any_sample_rate(code, rate):
    audio = phrase(code, seconds=1.01, sample_rate=rate, rng=np.random.default_rng(0), genre="jaz_blu")
    assert audio.shape == (round(1.01 * rate),)
    assert np.isfinite(audio).all()


def test_wrong_names_are_told():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no instrument 'tuba'; known: cel"):
        phrase("tuba", seconds=1, sample_rate=RATE, rng=rng)
    with pytest.raises(ValueError, match="no genre 'polka'; known: cla"):
        phrase("pia", seconds=1, sample_rate=RATE, rng=rng, genre="polka")
    with pytest.raises(ValueError, match="no kind 'cluster'"):
        chords(draw_style("cla", rng), kind="cluster", seconds=1, low=40, high=60, rng=rng)


def test_makes_differ_and_stay_in_range():
    makes = [draw_make("vio", np.random.default_rng(seed)) for seed in range(40)]
    assert len({make.seed for make in makes}) == 40
    low, high = instruments.RANGES["vio"]
    assert all(low <= make.low < make.high <= high for make in makes)
    assert np.std([make.tuning for make in makes]) > 0.03


@pytest.mark.parametrize("genre", GENRES)
def test_a_melody_is_in_key_in_range_and_of_one_voice(genre):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        style = draw_style(genre, rng).anywhere(rng)
        notes = melody(style, seconds=5.0, low=50, high=74, rng=rng)
        assert len(notes) >= 2
        assert (np.diff(notes.onset) > 0).all()
        assert ((notes.pitch >= 50) & (notes.pitch <= 74)).all()
        assert set((notes.pitch - style.tonic) % 12) <= set(style.scale)
        # rests are short
        silence = notes.onset[1:] - notes.onset[:-1] - notes.length[:-1]
        assert silence.max() < 1.0
        assert notes.onset[0] < 0.75


@pytest.mark.parametrize("kind", ["block", "strum", "arpeggio", "hymn", "power", "bass"])
def test_chords_are_those_of_the_progression(kind):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        style = draw_style(list(GENRES)[seed % 5], rng).anywhere(rng)
        notes = chords(style, kind=kind, seconds=6.0, low=40, high=72, rng=rng)
        assert len(notes) >= 2
        assert (np.diff(notes.onset) >= 0).all()
        assert (notes.pitch >= 40).all()
        if kind not in ("power", "bass"):
            assert set((notes.pitch - style.tonic) % 12) <= set(style.scale)
