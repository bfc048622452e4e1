"""Small folders of synthetic music at a low rate, and settings that are just large enough for them."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from reprise.data.synthetic import emomusic, giantsteps_key, gtzan, magnatagatune
from reprise.papers.tune.conditions import conditions
from reprise.papers.tune.corpus import open_collection
from reprise.papers.tune.settings import Settings

RATE = 11025
FOLDERS = {
    "magnatagatune": (magnatagatune, "MagnaTagATune", {"clips": 40, "per_track": 1}),
    "gtzan": (gtzan, "GTZAN", {"per_genre": 4}),
    "giantsteps_key": (giantsteps_key, "GiantSteps", {"training": 14, "testing": 6}),
    "emomusic": (emomusic, "emomusic", {"clips": 20}),
}


def shortened(**changes) -> Settings:
    """Settings with windows that only the vanilla networks can take, which is all that is trained here."""
    return Settings(**changes).model_copy(update={"n_samples": 2187})


@pytest.fixture(scope="session")
def music(tmp_path_factory) -> Path:
    """Folder of four data sets with some dozens of clips of 1.2 s each."""
    root = tmp_path_factory.mktemp("music")
    for module, _, sizes in FOLDERS.values():
        module.write(root, seconds=1.2, sample_rate=RATE, workers=1, **sizes)
    return root


@pytest.fixture
def tiny_settings() -> Settings:
    """The paper's pipeline on short windows, with one small network."""
    return shortened(
        sample_rate=RATE,
        pitch_n_fft=256,
        batch_size=4,
        max_pretrain_clips=8,
        max_probe_clips=10,
        epochs=2,
        epochs_middle=2,
        epochs_long=3,
        epochs_transfer=2,
        systems=("vanilla_small",),
        longer_systems=(),
        lengths=(),
        transfer_systems=("vanilla_small",),
        pretraining=("gtzan",),
        layer_systems=("vanilla_small",),
        task_systems=("vanilla_small", "mel_statistics"),
        baselines=("mel_statistics",),
        task_protocol="paper",
        probe_batch=8,
        probe_epochs=3,
        label_fractions=(0.3, 1.0),
        n_seeds=1,
        n_draws=100,
    )


@pytest.fixture
def open_music(music):
    """Function from settings, and perhaps data sets that are missing, to the collection of a session with them."""

    def open_it(settings, *, without=(), root=music):
        def folder(name):
            if name not in FOLDERS or name in without:
                raise FileNotFoundError(f"{root} has no folder for {name}")
            return root / FOLDERS[name][1]

        return open_collection(SimpleNamespace(settings=settings, data=str(root), folder=folder))

    return open_it


@pytest.fixture
def grid(open_music, tiny_settings):
    """Collection and trials of settings with some changes."""

    def make(*, seed=0, without=(), **changes):
        settings = shortened(**(tiny_settings.model_dump() | {"n_samples": 59049} | changes))
        collection = open_music(settings, without=without)
        return collection, conditions(settings, collection, seeds=[seed], device="cpu")

    return make
