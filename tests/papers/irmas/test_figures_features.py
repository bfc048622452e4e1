"""Pictures of sound on tones whose spectra are known."""

from types import SimpleNamespace

import librosa
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from reprise.papers.irmas import figures_features, sound
from reprise.papers.irmas.sound import Clip
from reprise.report.figures import style

mpl.use("Agg")

SAMPLE_RATE = 22050


def tone(name: str = "vio", *, frequency: float = 440.0, seconds: float = 0.7) -> Clip:
    time = torch.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    y = 0.3 * torch.sin(2 * torch.pi * frequency * time) * (0.5 + time)
    y = y + 0.001 * torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    return Clip(name=name, clip_id=f"{name}/1", y=y, sample_rate=SAMPLE_RATE)


class Bank:
    """Clips of given levels and lengths; each holds its own position."""

    sample_rate = SAMPLE_RATE

    def __init__(self, levels: list[float]):
        self.levels = levels
        self.lengths = np.array([100 + k for k in range(len(levels))])
        self.table = pd.DataFrame({"clip_id": [f"c{k}" for k in range(len(levels))]})

    def batch(self, rows, *, length: int, device: str):
        assert device == "cpu"
        waves = torch.zeros(len(rows), length)
        for place, row in enumerate(rows):
            n = min(length, self.lengths[row])
            waves[place, :n] = self.levels[row]
        return waves


@pytest.fixture(autouse=True)
def drawn_in_the_house_style():
    with style():
        yield
    plt.close("all")


def corpus(labels: list[tuple[str, ...]], sides: list[str], levels: list[float]) -> SimpleNamespace:
    classes = ("gel", "pia", "vio")
    targets = torch.tensor([[float(name in one) for name in classes] for one in labels])
    return SimpleNamespace(bank=Bank(levels), classes=classes, targets=targets, table=pd.DataFrame({"split": sides}))


def test_examples_are_of_median_level_and_have_one_label():
    labels = [("vio",), ("vio",), ("vio",), ("vio", "gel"), ("gel",), ("gel",)]
    found = sound.example_clips(corpus(labels, ["train"] * 5 + ["test"], [0.1, 0.5, 0.2, 0.2, 0.3, 0.4]))
    assert [(clip.name, clip.clip_id) for clip in found] == [("vio", "c2"), ("gel", "c4")]
    assert len(found[0].y) == 102
    assert found[0].seconds == pytest.approx(102 / SAMPLE_RATE)


def test_an_instrument_that_is_not_there_is_replaced():
    found = sound.example_clips(corpus([("pia",), ("vio",)], ["test", "train"], [0.1, 0.2]))
    assert [clip.name for clip in found] == ["vio", "pia"]
    with pytest.raises(ValueError, match="only pia have clips"):
        sound.example_clips(corpus([("pia",), ("vio", "gel")], ["train"] * 2, [0.1, 0.2]))


def test_the_frame_s_spectrum_is_equation_2_1():
    clip = tone(seconds=0.2)
    frame = sound.frame_spectrum(clip, n_fft=64, at=0.1)
    m, k = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    direct = (frame["windowed"].to_numpy() * np.exp(-2j * np.pi * k * m / 64)).sum(axis=1)
    np.testing.assert_allclose(frame["magnitude"], np.abs(direct), atol=1e-9)
    np.testing.assert_allclose(frame["magnitude"] * np.exp(1j * frame["phase"]), direct, atol=1e-9)
    assert frame["time"].iloc[32] == pytest.approx(0.1, abs=1 / SAMPLE_RATE)
    np.testing.assert_allclose(frame["sample"], clip.y[round(0.1 * SAMPLE_RATE) - 32 :][:64], atol=1e-7)
    with pytest.raises(ValueError, match="a frame needs 2048"):
        sound.frame_spectrum(tone(seconds=0.05))


def test_the_loudest_frame_shows_the_tone():
    frame = sound.frame_spectrum(tone())
    assert frame["time"].iloc[-1] > 0.6  # the tone grows
    strongest = frame.loc[frame["magnitude"].idxmax(), "frequency"]
    assert abs(strongest) == pytest.approx(440, abs=SAMPLE_RATE / 2048)


def test_polynomials_are_least_squares_fits_of_the_columns():
    clip = tone()
    fits = sound.polynomial_fits(clip)
    magnitude = np.sqrt(clip.power().astype(float))
    frequencies = np.fft.rfftfreq(2048, 1 / SAMPLE_RATE)
    for order in range(3):
        expected = np.polynomial.polynomial.polyfit(frequencies, magnitude, order)
        for power in range(order + 1):
            ours = fits[f"order_{order}_{power}"]
            np.testing.assert_allclose(ours, expected[power], rtol=1e-3, atol=1e-4 * np.abs(expected[power]).max())


def test_the_steps_to_mfccs_are_librosa_s():
    clip = tone()
    steps = sound.mfcc_steps(clip)
    y = clip.y.numpy()
    np.testing.assert_allclose(steps["mel"], librosa.feature.melspectrogram(y=y, sr=SAMPLE_RATE), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(steps["log_mel"], librosa.power_to_db(steps["mel"]), atol=1e-3)
    np.testing.assert_allclose(steps["mfcc"], librosa.feature.mfcc(y=y, sr=SAMPLE_RATE, n_mfcc=13), atol=1e-2)
    picture = sound.mel_picture(clip.y, sample_rate=SAMPLE_RATE)
    np.testing.assert_allclose(picture, librosa.power_to_db(steps["mel"], ref=np.max), atol=1e-3)


def test_ticks_of_the_mel_axis_are_where_the_bands_are():
    centres = librosa.mel_frequencies(n_mels=130, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1]
    places, labels = figures_features._mel_ticks(128, SAMPLE_RATE)
    frequencies = [float(label) for label in labels]
    assert max(frequencies) == 8192
    np.testing.assert_allclose(np.interp(frequencies, centres, np.arange(128)), places, atol=0.02)


def test_the_summary_has_every_row_of_every_picture():
    rng = np.random.default_rng(0)
    pictures = {"a": rng.random((3, 5)), "b": rng.random((2, 4))}
    frame = sound.level_summary(pictures)
    assert list(frame["row"]) == [0, 1, 2, 0, 1]
    np.testing.assert_allclose(frame["mean"][3:], pictures["b"].mean(axis=1))


def titles(figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def test_every_picture_names_its_clips_and_units():
    clips = [tone("vio"), tone("gel", frequency=200)]
    waveform = figures_features.plot_waveform(clips[0])
    assert len(waveform.axes[0].lines[0].get_xdata()) == len(clips[0].y)
    assert waveform.axes[1].get_xlabel() == "Time (ms)"
    spectrum = figures_features.plot_frame_spectrum(sound.frame_spectrum(clips[0]))
    line = spectrum.axes[1].lines[0]
    assert line.get_ydata().max() == 0
    assert line.get_xdata()[line.get_ydata().argmax()] == pytest.approx(440, abs=11)
    tonal = figures_features.plot_chroma_tonnetz(clips)
    assert set(titles(tonal)) == {f"{name}: {what}" for name in ("vio", "gel") for what in ("chroma", "tonnetz")}
    assert titles(figures_features.plot_spectrograms(clips)) == ["vio", "gel"]
    process = figures_features.plot_mfcc_process(sound.mfcc_steps(clips[0]), seconds=0.7, sample_rate=SAMPLE_RATE)
    assert process.axes[1].images[0].get_extent()[3] == pytest.approx(SAMPLE_RATE / 2000)
    examples = figures_features.plot_mfcc_examples(clips)
    means = examples.axes[2].lines[1].get_ydata()
    np.testing.assert_allclose(means, clips[1].described["mfcc"].mean(axis=1))
    scales = figures_features.plot_scales(clips[0], sound.mel_picture(clips[0].y, sample_rate=SAMPLE_RATE))
    assert scales.axes[0].get_yscale() == "log"
    fits = figures_features.plot_polynomials(clips[0], sound.polynomial_fits(clips[0]))
    assert len(fits.axes[4].lines) == 4


def test_envelopes_are_those_of_librosa():
    clips = [tone("vio"), tone("gel", frequency=2000)]
    figure = figures_features.plot_envelopes(clips)
    rate = librosa.feature.zero_crossing_rate(clips[1].y.numpy())[0]
    drawn = figure.axes[0].lines[2]
    np.testing.assert_allclose(drawn.get_ydata(), rate, atol=1e-6)
    assert rate[10] == pytest.approx(2 * 2000 / SAMPLE_RATE, rel=0.02)
    assert f"mean {rate.mean():.3f}" in drawn.get_label()
    np.testing.assert_allclose(
        figure.axes[1].lines[0].get_ydata(), librosa.feature.rms(y=clips[0].y.numpy())[0], rtol=1e-4
    )
