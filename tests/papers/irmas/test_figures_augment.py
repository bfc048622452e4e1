"""Augmentations of one clip: what is drawn is what the words say."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from reprise.papers.irmas import figures_augment
from reprise.papers.irmas.sound import Clip
from reprise.report.figures import style

mpl.use("Agg")

SAMPLE_RATE = 22050


@pytest.fixture
def clip() -> Clip:
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(1))
    return Clip("vio", "vio/1", 0.3 * torch.sin(2 * torch.pi * 440 * time) + 0.01 * noise, SAMPLE_RATE)


@pytest.fixture(autouse=True)
def drawn_in_the_house_style():
    with style():
        yield
    plt.close("all")


def test_noise_has_a_tenth_of_the_clip_s_spread(clip):
    noisy = figures_augment.change_sound(clip)["figure_3_1"] - clip.y
    assert float(noisy.std()) == pytest.approx(0.1 * float(clip.y.std()), rel=0.02)
    shifted = figures_augment.change_sound(clip, noise=0.5, mean=0.2, std=0.0)["figure_3_1"] - clip.y
    np.testing.assert_allclose(shifted, 0.1, atol=1e-6)
    again = figures_augment.change_sound(clip)["figure_3_1"] - clip.y
    assert torch.equal(noisy, again)


def test_the_pitch_rises_by_half_an_octave(clip):
    changed = figures_augment.change_sound(clip)["figure_3_2"]
    spectrum = np.abs(np.fft.rfft(changed.numpy() * np.hanning(len(changed))))
    assert spectrum.argmax() == pytest.approx(440 * 2**0.5, abs=2)
    assert len(changed) == len(clip.y)


def test_what_leaves_at_the_end_comes_in_at_the_beginning(clip):
    changed = figures_augment.change_sound(clip)["figure_3_3"]
    moved = int(0.4 * len(clip.y))
    assert torch.equal(changed[moved:], clip.y[: len(clip.y) - moved])
    assert torch.equal(changed[:moved], clip.y[len(clip.y) - moved :])


def test_masks_hide_whole_bands_and_whole_frames(clip):
    pictures = figures_augment.mask_examples(clip)
    assert list(pictures) == ["original", *figures_augment.MASKS]
    original = pictures["original"]
    masked = {name: picture != original for name, picture in pictures.items()}
    bands = masked["figure_3_4"].all(axis=1)
    np.testing.assert_array_equal(masked["figure_3_4"], np.broadcast_to(bands[:, None], original.shape))
    frames = masked["figure_3_5"].all(axis=0)
    np.testing.assert_array_equal(masked["figure_3_5"], np.broadcast_to(frames, original.shape))
    for share, least in ((bands.mean(), 0.075), (frames.mean(), 0.075), (masked["figure_3_6"].mean(), 0.15)):
        assert least <= share
    assert max(bands.mean(), frames.mean()) <= 0.2
    # every masked point has one value
    assert np.ptp(pictures["figure_3_6"][masked["figure_3_6"]]) == 0


def test_masks_of_no_width_change_nothing(clip):
    pictures = figures_augment.mask_examples(clip, limit=0.0)
    for picture in pictures.values():
        np.testing.assert_array_equal(picture, pictures["original"])


def test_two_masks_of_up_to_a_tenth_cover_a_little_less_than_a_tenth():
    one, two = (figures_augment.masked_share(number=number, limit=0.1) for number in (1, 2))
    assert one == pytest.approx(sum(range(26)) / 26 / 256, rel=0.02)
    assert 1.85 * one < two < 2 * one
    assert figures_augment.masked_share(number=0, limit=0.1, n=10) == 0


def test_pictures_stand_side_by_side(clip):
    changed = figures_augment.change_sound(clip)["figure_3_2"]
    figure = figures_augment.plot_changes(clip, changed, title="up")
    assert figure.axes[0].get_title(loc="left") == "vio: original"
    assert figure.axes[1].get_title(loc="left") == "up"
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), changed)
    pictures = figures_augment.mask_examples(clip)
    drawn = figures_augment.plot_masks(pictures, figure="figure_3_6", seconds=clip.seconds)
    assert drawn.axes[1].get_title(loc="left") == "2 frequency masks and 2 time masks"
    np.testing.assert_array_equal(drawn.axes[1].images[0].get_array(), pictures["figure_3_6"])
