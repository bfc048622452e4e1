"""Tiny folders of IRMAS, AudioSet and notes, made of tones and noise, enough to run every system in seconds."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from reprise.data import datasets
from reprise.data.datasets._instruments import INSTRUMENTS
from reprise.data.datasets.audioset import MIDS
from reprise.papers.irmas.corpus import open_collection
from reprise.papers.irmas.settings import Settings

RATE = 16_000
CODES = tuple(INSTRUMENTS)
MID_OF = {code: mid for mid, code in reversed(MIDS.items())}


def _sound(path, codes, *, seconds, rng):
    """A tone of its own for each instrument, and noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * (200 + 150 * CODES.index(code)) * time) for code in codes)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.2 * tones + 0.02 * rng.standard_normal(len(time)), RATE, subtype="PCM_16")


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory) -> Path:
    """Folder with IRMAS (22 training clips, 10 testing clips of 5 songs) and AudioSet (15 clips)."""
    base = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(0)
    training = base / "IRMAS" / "IRMAS-TrainingData"
    for number, code in enumerate(CODES * 2):
        _sound(training / code / f"[{code}][pop_roc]{number:04d}__1.wav", [code], seconds=3.0, rng=rng)
    testing = base / "IRMAS" / "IRMAS-TestingData-Part1" / "Part1"
    for number in range(10):
        codes = [CODES[number], CODES[(number + 1) % 11]][: 1 + number % 2]
        path = testing / f"song {number // 2}-{number % 2 + 1}.wav"
        _sound(path, codes, seconds=[5.0, 6.3][number % 2], rng=rng)
        path.with_suffix(".txt").write_text("".join(f"{code}\t\n" for code in codes))
    lines = ["# made\n", "# num_ytids=15\n", "# YTID, start_seconds, end_seconds, positive_labels\n"]
    for number in range(15):
        codes = [CODES[number % 11], CODES[(number + 3) % 11]]
        name = f"abcdefghi{number:02d}"
        lines.append(f'{name}, 30.000, 40.000, "{",".join(MID_OF[code] for code in codes)}"\n')
        _sound(base / "AudioSet" / "audio" / f"{name}.wav", codes, seconds=10.0, rng=rng)
    (base / "AudioSet" / "balanced_train_segments.csv").write_text("".join(lines))
    return base


@pytest.fixture(scope="session")
def notes_folder(tmp_path_factory) -> Path:
    """Folder with a part of IRMAS, and notes of a cello, a flute and an oboe."""
    base = tmp_path_factory.mktemp("notes")
    rng = np.random.default_rng(1)
    _sound(base / "IRMAS" / "IRMAS-TrainingData" / "cel" / "[cel][cla]0001__1.wav", ["cel"], seconds=3.0, rng=rng)
    for folder, code in (("cello", "cel"), ("flute", "flu"), ("oboe", "vio")):
        for pitch in ("A3", "B3", "C4", "D4", "E4", "F4", "G4", "A4"):
            path = base / "Philharmonia" / folder / f"{folder}_{pitch}_1_mezzo-forte_normal.wav"
            _sound(path, [code], seconds=0.7 if pitch < "C" else 1.6, rng=rng)
    return base


@pytest.fixture
def small_settings() -> Settings:
    """The paper's pipeline with networks and inputs that are just large enough."""
    return Settings(
        sample_rate=RATE,
        sample_rate_ast=RATE,
        standardise="corpus",
        n_fft=512,
        hop_length=256,
        n_mels=32,
        image_size=(32, 32),
        mfcc_frames=145,
        ast_normalisation="library",
        max_ast_frames=40,
        resnet_blocks=(1, 1, 1, 1),
        resnet_width=8,
        ast_layers=1,
        ast_width=24,
        ast_heads=2,
        batch_size=8,
        epochs=1,
        rates_resnet=(1e-3, 1e-4),
        rates_ast_base=(1e-3, 1e-4),
        rates_ast_head=(1e-2, 1e-3),
        accumulate_ast=2,
        train_drop_last=False,
        batch_norm_statistics="recalculated",
        unsampled=0.5,
        n_seeds=1,
        n_draws=100,
    )


@pytest.fixture
def open_small(small_folder):
    """Function from settings (and another folder) to the collection of a session with them."""

    def open_it(settings, folder=small_folder):
        def root(name):
            found = datasets.find_root(name, folder)
            if found is None:
                raise FileNotFoundError(f"{folder} has no folder for {name}")
            return found

        return open_collection(SimpleNamespace(settings=settings, data=str(folder), folder=root))

    return open_it
