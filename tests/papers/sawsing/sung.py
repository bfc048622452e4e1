"""Vocoders with random weights as stored trials, and a singer of tones: enough to resynthesise without training."""

from types import SimpleNamespace

import numpy as np
import torch

from reprise.audio.vocoder_input import log_mel
from reprise.papers.sawsing.conditions import conditions, songs_config
from reprise.papers.sawsing.networks import build
from reprise.papers.sawsing.outcome import Outcome
from reprise.papers.sawsing.settings import Settings
from reprise.runs import Store, TrialResult

RATE, HOP = 24000, 240
SETTINGS = Settings(
    hifigan_size="V2",
    pwg_layers=3,
    pwg_channels=4,
    nsf_blocks=1,
    nsf_layers=2,
    nsf_channels=4,
    fastdiff_channels=4,
    target_rms=0.02,
    f0_estimator="pyin",
    f0_evaluator="pyin",
    max_singers=1,
    ablations=(),
)


class Songs:
    """Test songs that are tones from 0.5 to 1.5 s, and silent, but for noise, before and after."""

    fingerprint = "tones"

    def __init__(self, singer="female1", *, lengths=(2.5, 2.0)):
        self.config = songs_config(SETTINGS, singer=singer)
        self.voice = "female" if singer.startswith("f") else "male"
        self.lengths = lengths

    def rows(self, side):
        return np.arange(len(self.lengths)) if side == "test" else np.arange(0)

    def f0(self, row):
        frames = torch.arange(round(self.lengths[row] * RATE) // HOP)
        return torch.where((frames >= 50) & (frames < 150), 220.0 * (row + 1), 0.0)

    def song(self, row):
        f0 = self.f0(row).repeat_interleave(HOP).double()
        wave = torch.sin(2 * torch.pi * (f0 / RATE).cumsum(0)) * (f0 > 0)
        noise = torch.randn(len(wave), generator=torch.Generator().manual_seed(row), dtype=torch.float64)
        return (0.03 * wave + 1e-3 * noise).float()

    def name(self, row):
        return f"song_{row}"

    def mel(self, row, config):
        return log_mel(self.song(row)[None], **config.model_dump())[0]


def outcome(folder, *, systems=("sawsing", "hifigan"), settings=SETTINGS, seeds=(0, 1), singers=("female1",)):
    """Stored trials of untrained vocoders below a folder, each seed with weights of its own."""
    settings = settings.model_copy(update={"systems": tuple(systems), "max_singers": len(singers)})
    collection = SimpleNamespace(singers={name: Songs(name) for name in singers}, folder=folder)
    grid = conditions(settings, collection, seeds=seeds)
    store, stored = Store(folder / "runs"), {}
    for key, trial in grid.items():
        torch.manual_seed(key.seed)
        result = TrialResult({}, weights=build(key.system, settings).state_dict())
        with store.claim(trial):
            stored[key] = store.commit(trial, result, seconds=1.0)
    return Outcome(stored, collection)
