"""Pictures of songs, of the glitch and of the buzz show where things are, on sounds whose answer is known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.patches import Rectangle

from reprise.audio.oscillators import sawtooth, upsample
from reprise.models.synthesiser import VocoderOutput
from reprise.papers.sawsing import figures_buzz, figures_glitch, figures_songs, figures_strip
from reprise.papers.sawsing.settings import Settings
from reprise.report.figures import style

SETTINGS = Settings(n_partials=6)
HOP = SETTINGS.hop_length
# half a second of noise, two seconds at 300 Hz, half a second of silence
F0 = torch.cat([torch.zeros(50), torch.full((200,), 300.0), torch.zeros(50)])


@pytest.fixture(autouse=True)
def _house_style():
    plt.switch_backend("agg")
    with style():
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def noise():
    return torch.rand(len(F0) * HOP, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.fixture(scope="module")
def tone():
    return sawtooth(upsample(F0[None].clamp(min=200.0), hop_length=HOP), sample_rate=24000).audio[0]


@pytest.fixture(scope="module")
def song(tone, noise):
    sounding = upsample((F0 > 0).float(), hop_length=HOP)
    heard = torch.zeros(len(noise))
    heard[: 50 * HOP] = 0.1
    return 0.2 * tone * sounding + heard * noise


def words(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def test_a_sine_stands_in_its_row_of_the_spectrogram():
    y = torch.sin(2 * np.pi * 1000 * torch.arange(24000) / 24000)
    picture = figures_strip.spectrogram(y, sample_rate=24000, top=2400)
    assert picture.shape[0] == 2400 * 1024 // 24000 + 1
    assert picture.shape[1] <= figures_strip.COLUMNS + 1
    assert picture[:, 100].argmax() == round(1000 * 1024 / 24000)
    # too many bins: the highest of neighbours is kept
    whole = figures_strip.spectrogram(y, sample_rate=24000, top=12000)
    assert len(whole) <= figures_strip.ROWS
    assert whole.max() == pytest.approx(picture.max())


@pytest.mark.parametrize(("f0", "n_fft"), [(465.0, 1024), (150.0, 1024), (110.0, 2048), (80.0, 2048)])
def test_the_window_is_long_enough_for_the_note(f0, n_fft):
    assert figures_strip.window_for(f0, sample_rate=24000) == n_fft


def test_pictures_lie_side_by_side_and_below_one_another():
    pictures = {f"p{k}": np.full((10, 40), -float(k)) for k in range(4)}
    figure, ax = plt.subplots()
    image = figures_strip.show_strip(ax, pictures, seconds=2.0, top=1000.0, columns=2)
    canvas = image.get_array()
    shown = np.asarray(canvas.filled(np.nan) if hasattr(canvas, "filled") else canvas, dtype=float)
    assert np.nansum(shown == -0.0) == np.nansum(shown == -3.0) == 400
    # the first one is at the upper left: rows are counted from below
    assert shown[-1, 0] == 0
    assert shown[0, -1] == -3
    assert [text for text in words(figure) if text in pictures] == list(pictures)
    _, right, _, top = image.get_extent()
    assert right == pytest.approx(4.0, abs=0.2)
    assert top == pytest.approx(2.0, abs=0.2)
    assert {label.get_text() for label in ax.get_xticklabels()} == {"0", "1"}
    figure.canvas.draw()


def test_pictures_of_other_shapes_are_refused():
    ax = plt.subplots()[1]
    for pictures in ({}, {"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}):
        with pytest.raises(ValueError, match="one shape"):
            figures_strip.show_strip(ax, pictures, seconds=1.0, top=1000.0)


@pytest.mark.parametrize(
    ("mask", "expected"), [([], []), ([1, 1], [(0, 2)]), ([0, 1, 0, 1, 1], [(1, 2), (3, 5)]), ([0, 0], [])]
)
def test_stretches_are_the_runs_of_a_mask(mask, expected):
    assert figures_strip.stretches(np.array(mask)) == expected


def test_a_song_s_frames_have_pitch_and_mel(song):
    frame = figures_songs.song_frame(song, F0, settings=SETTINGS, start=0.2, seconds=2.0)
    assert frame["time"].iloc[0] == pytest.approx(0.2)
    assert len(frame) == (2 * 24000 - 1024) // 240 + 1
    voiced = frame["time"] >= 0.5 - 1e-9
    assert (frame["voiced"] == voiced).all()
    assert (frame.loc[voiced, "f0"] == 300).all()
    assert frame.loc[~voiced, "f0"].isna().all()
    mel = frame.filter(like="mel_")
    assert mel.shape[1] == 80
    assert mel.to_numpy().min() >= -5
    figure = figures_songs.plot_song(frame, title="a song")
    assert any("15 %" in text or "16 %" in text for text in words(figure))
    figure.canvas.draw()


def test_a_song_without_voice_can_be_drawn(noise):
    frame = figures_songs.song_frame(noise, torch.zeros(len(F0)), settings=SETTINGS)
    figures_songs.plot_song(frame).canvas.draw()


def test_training_crops_are_off_the_grid_unless_they_are_aligned():
    frame = figures_songs.crop_frame(settings=SETTINGS, offset=0.7)
    first = frame[frame["frame"] == 0].set_index(["when", "part"])
    assert first.loc[("in training", "audio"), "start"] == pytest.approx(7.0)
    assert first.loc[("in use", "audio"), "start"] == 0
    mel = frame[frame["part"] == "mel"]
    np.testing.assert_allclose(mel["end"] - mel["start"], 1000 * 1024 / 24000)
    assert (mel.loc[mel["when"] == "in training", "start"].to_numpy() == [0, 10, 20]).all()
    aligned = figures_songs.crop_frame(settings=Settings(align_crops=True))
    assert (
        aligned.loc[aligned["when"] == "in training", "start"].tolist()
        == aligned.loc[aligned["when"] == "in use", "start"].tolist()
    )
    figure = figures_songs.plot_crops(frame)
    assert any("7.0 ms behind the grid" in text for text in words(figure))
    figure.canvas.draw()


def test_one_phrase_by_all_systems_is_one_image(song):
    sounds = {"recording": song, "one": 0.5 * song, "two": song[:-480]}
    frame = figures_songs.systems_frame(sounds, sample_rate=24000)
    assert frame.set_index("sound").loc["one", "rms"] == pytest.approx(frame["rms"][0] / 2)
    figure = figures_songs.plot_systems(sounds, sample_rate=24000)
    assert len(figure.axes[0].images) == 1
    assert {"recording", "one", "two"} <= set(words(figure))


def test_the_longest_held_note_is_found_and_cut(song):
    note = figures_glitch.held_note(F0, settings=SETTINGS)
    assert note == (50, 250, 300.0)
    short = figures_glitch.held_note(F0, settings=SETTINGS, longest=1.0)
    assert (short.start, short.end) == (50, 150)
    gliding = torch.cat([torch.zeros(10), torch.logspace(2, 2.9, 80)])
    assert figures_glitch.held_note(gliding, settings=SETTINGS)[:2] == (10, 90)
    assert figures_glitch.held_note(torch.zeros(100), settings=SETTINGS) is None


def test_a_glitch_is_seen_in_its_frames(song, tone):
    broken = tone.clone()
    # from the middle of the note on the phase is another one
    broken[150 * HOP :] = tone[150 * HOP - 40 : len(tone) - 40]
    note = figures_glitch.held_note(F0, settings=SETTINGS)
    sounds = {"recording": tone, "broken": broken}
    frame, parts = figures_glitch.deviation_frame(sounds, F0, note=note, settings=SETTINGS)
    assert {len(part) for part in parts.values()} == {(200 + 2 * figures_glitch.MARGIN) * HOP}
    wide = frame.pivot(index="time", columns="sound", values="deviation")
    assert wide["recording"].max() < 0.01
    # frame 150 of the song
    assert wide["broken"].idxmax() == pytest.approx((150 - 50 + figures_glitch.MARGIN) * 0.01, abs=0.021)
    assert frame.groupby("sound")["rms"].first()["broken"] > 0.1
    figure = figures_glitch.plot_held_note(parts, frame, note=note, settings=SETTINGS)
    assert len(figure.axes) == 2
    assert "Time (s) in a note of 300 Hz" in words(figure)
    assert sum("root mean square" in text for text in words(figure)) == 2
    figure.canvas.draw()


def test_a_note_in_which_no_frame_counts_can_be_drawn(song):
    note = figures_glitch.HeldNote(50, 53, 300.0)
    frame, parts = figures_glitch.deviation_frame({"recording": song}, F0, note=note, settings=SETTINGS)
    assert frame["rms"].isna().all()
    figure = figures_glitch.plot_held_note(parts, frame, note=note, settings=SETTINGS)
    assert "no frame counts" in words(figure)


@pytest.fixture(scope="module")
def outputs(tone, noise):
    harmonic = 0.1 * tone[None]
    return {
        "steady": VocoderOutput(harmonic + noise, harmonic, 0.01 * noise[None]),
        "gated": VocoderOutput(harmonic, harmonic * upsample((F0 > 0).float(), hop_length=HOP), 0.01 * noise[None]),
        "without": VocoderOutput(harmonic),
    }


def test_the_ratio_of_the_branches_is_told_frame_by_frame(outputs, song):
    frame, branches = figures_buzz.branch_frame(outputs, f0=F0, target=song, settings=SETTINGS, start=20, seconds=1.0)
    assert list(branches) == ["steady", "gated"]
    steady, gated = (frame[frame["sound"] == name].reset_index() for name in branches)
    assert list(steady["kind"]) == ["unvoiced"] * 30 + ["voiced"] * 70
    assert steady["ratio"].std() < 1
    assert (gated.loc[gated["kind"] == "unvoiced", "ratio"] < -60).all()
    pd.testing.assert_series_equal(steady["ratio"][30:], gated["ratio"][30:])
    energy = branches["steady"]["harmonic"].square().mean() / branches["steady"]["noise"].square().mean()
    assert steady["ratio"].mean() == pytest.approx(10 * np.log10(float(energy)), abs=0.5)


def test_unvoiced_stretches_are_framed_in_every_picture(outputs, song):
    frame, branches = figures_buzz.branch_frame(outputs, f0=F0, target=song, settings=SETTINGS, start=20, seconds=1.0)
    figure = figures_buzz.plot_branches(branches, frame, settings=SETTINGS)
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert len(boxes) == 4
    assert {round(box.get_width(), 6) for box in boxes} == {0.3}
    assert {"steady: harmonic", "gated: noise"} <= set(words(figure))
    figure.canvas.draw()


def test_silence_is_neither_voiced_nor_unvoiced(outputs, song):
    frame, _ = figures_buzz.branch_frame(outputs, f0=F0, target=song, settings=SETTINGS, start=240, seconds=1.0)
    assert set(frame["kind"]) == {"voiced", "silent"}


def test_the_part_with_most_of_both_kinds_is_found(song):
    start = figures_buzz.busiest_part(F0, song, settings=SETTINGS, seconds=1.0)
    kinds = F0[start : start + 100] > 0
    assert int(kinds.sum()) == 50


def test_outputs_without_branches_are_refused(outputs, song):
    with pytest.raises(ValueError, match="without has a harmonic"):
        figures_buzz.branch_frame({"without": outputs["without"]}, f0=F0, target=song, settings=SETTINGS)
