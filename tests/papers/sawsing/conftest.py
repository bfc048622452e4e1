"""A small folder of synthetic songs of two singers, and settings that are just large enough for it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from reprise.data.synthetic import singing
from reprise.papers.sawsing.corpus import open_collection
from reprise.papers.sawsing.settings import Settings


@pytest.fixture(scope="session")
def sung_folder(tmp_path_factory) -> Path:
    """Folder ``singing``: two singers with three training songs and two test songs of some two seconds each."""
    root = tmp_path_factory.mktemp("sung")
    return singing.write(root, singers=2, training=3, validation=0, testing=2, song_seconds=(2.0, 2.6), workers=1)


@pytest.fixture
def tiny_settings() -> Settings:
    """The paper's pipeline with short crops, few steps and narrow rivals."""
    return Settings(
        target_rms=0.02,
        f0_estimator="autocorrelation",
        f0_evaluator="autocorrelation",
        max_singers=1,
        n_test_songs=1,
        n_valid_songs=1,
        n_limited_songs=1,
        batch_size=2,
        crop_seconds=0.2,
        fill_batch=True,
        switch_step=1,
        steps_regular=3,
        steps_limited=2,
        early_steps=2,
        valid_every=2,
        hifigan_size="V2",
        pwg_layers=3,
        pwg_channels=4,
        nsf_blocks=1,
        nsf_layers=2,
        nsf_channels=4,
        fastdiff_channels=4,
        discriminator_divisor=16,
        piece_seconds=1.1,
        max_lag=16,
        n_noise=2,
        held_seconds=0.2,
        n_partials=3,
        n_seeds=1,
        n_draws=100,
    )


@pytest.fixture
def open_sung(sung_folder):
    """Function from settings (and another folder) to the collection of a session with them."""

    def open_it(settings, folder=sung_folder):
        return open_collection(SimpleNamespace(settings=settings, data=str(folder), folder=lambda name: folder))

    return open_it
