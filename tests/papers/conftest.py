"""A tiny VocalSet of noise and tones, enough to run every stage in seconds."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from reprise.papers.singing_technique.settings import Settings

SAMPLE_RATE = 22050
TECHNIQUES = ("belt", "breathy", "straight", "vibrato")


@pytest.fixture(scope="session")
def tiny_vocalset(tmp_path_factory) -> Path:
    """Folder with four singers, two of them official test singers, and four techniques of two one-second takes."""
    root = tmp_path_factory.mktemp("data") / "VocalSet"
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for prefix, singer in (("f1", "female1"), ("f2", "female2"), ("m1", "male1"), ("m3", "male3")):
        for index, technique in enumerate(TECHNIQUES):
            folder = root / "FULL" / singer / "scales" / technique
            folder.mkdir(parents=True)
            for vowel in "ae":
                tone = 0.3 * np.sin(2 * np.pi * 220 * (index + 1) * time) + 0.02 * rng.standard_normal(len(time))
                soundfile.write(
                    folder / f"{prefix}_scales_{technique}_{vowel}.wav", tone, SAMPLE_RATE, subtype="PCM_16"
                )
    return root


@pytest.fixture
def tiny_settings() -> Settings:
    """The paper's networks on inputs just large enough for their pools."""
    return Settings(
        sample_rate=SAMPLE_RATE,
        clip_seconds=1.0,
        n_fft=256,
        win_lengths=(256, 128, 64),
        batch_size=8,
        learning_rate=1e-3,
        learning_rate_classifier=1e-2,
        epochs_features=1,
        epochs_classifier=1,
        epochs_1dcnn=1,
        forest_trees=10,
        n_seeds=1,
        n_draws=100,
        synthetic="smoke",
    )
