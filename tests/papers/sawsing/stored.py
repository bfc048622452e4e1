"""Stored trials with known scores on invented songs, in the layout of real ones."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from reprise.papers.sawsing.outcome import Outcome
from reprise.papers.sawsing.scoring import PIECE_METRICS
from reprise.papers.sawsing.systems import SYSTEMS
from reprise.papers.sawsing.trials import TrialKey
from reprise.runs import StoredTrial, TrialConfig, TrialResult
from reprise.runs.artefacts import write_artefacts

RATE = 24000
# MSSTFT that each system tends to, with all recordings and with few
LEVEL = {
    "sawsing": (6.0, 7.2), "ddsp_add": (6.8, 7.9), "dwts": (6.9, 9.0), "nsf": (6.5, 10.5), "pwg": (6.4, 12.4),
    "hifigan": (6.1, 15.0), "fastdiff": (8.5, 11.2), "sawsing_debuzz": (6.9, 0.0), "sawsing_aligned": (5.9, 0.0),
    "sawsing_gate": (6.1, 0.0),
}  # fmt: skip
LIMITED = tuple(name for name, (_, limited) in LEVEL.items() if limited)


@dataclass(frozen=True)
class Songs:
    """As much of a singer as results need: per side some songs, of 20 s each in training, else of whole pieces."""

    singer: str
    voice: str | None
    n_test: int = 3
    pieces: tuple[int, ...] = (2, 3, 4)

    @property
    def config(self):
        return SimpleNamespace(singer=self.singer, hop_length=240)

    @property
    def table(self):
        sides = ["train"] * 4 + ["valid"] + ["test"] * self.n_test
        names = [f"song{number:02d}" for number in range(len(sides))]
        paths = [f"{name}.wav" for name in names]
        groups = [f"{self.singer}/{name}" for name in names]
        return pd.DataFrame({"split": sides, "group": groups, "clip_id": names, "path": paths})

    @property
    def bank(self):
        seconds = [20.0] * 5 + [5.0 * self.pieces[index % len(self.pieces)] for index in range(self.n_test)]
        return SimpleNamespace(lengths=np.array(seconds) * RATE, sample_rate=RATE)

    @property
    def labels(self):
        return SimpleNamespace(files=pd.DataFrame({"path": self.table["path"], "estimator": "known"}).set_index("path"))

    def rows(self, side):
        return np.flatnonzero(self.table["split"] == side)

    def limited_rows(self, seed, n):
        return np.sort(((self.rows("train") + seed) % 4)[:n])

    def name(self, row):
        return self.table["clip_id"].iloc[row]

    def f0(self, row):
        import torch

        n_frames = int(self.bank.lengths[row]) // 240
        return torch.where(torch.arange(n_frames) % 4 == 0, 0.0, 220.0)


def collection(*, voices=("female", "male"), n_test=3, pieces=(2, 3, 4)):
    """Singers of these voices; None for one of whom it is not known."""
    singers = [f"{voice or 'singer'}{number}" for number, voice in enumerate(voices, start=1)]
    made = {name: Songs(name, voice, n_test, pieces) for name, voice in zip(singers, voices, strict=True)}
    return SimpleNamespace(singers=made, evidence="synthetic", notes=[])


def _arrays(key, songs, rng):
    rows = np.repeat(songs.rows("test"), [songs.pieces[index % len(songs.pieces)] for index in range(songs.n_test)])
    starts = np.concatenate([np.arange((rows == row).sum()) * 5.0 for row in songs.rows("test")])
    n = len(rows)
    # recordings are the same for all systems
    of_song = np.random.default_rng([len(songs.singer), songs.n_test])
    difficulty, phases = 0.3 * of_song.standard_normal(n), 0.5 + 0.1 * of_song.random(n)
    level = LEVEL[key.system][key.scenario == "limited"] + difficulty + 0.1 * rng.standard_normal(n)
    branches = SYSTEMS[key.system].has_branches
    buzz = {"ddsp_add": -4.0, "sawsing_gate": -20.0, "sawsing_debuzz": -30.0}.get(key.system, 6.0)
    lag = 0.0 if key.system in ("sawsing_aligned", *("pwg", "hifigan", "fastdiff", "nsf")) else -120.0
    values = {
        "msstft": level,
        "msstft_amplitude": level / 2,
        "msstft_inner": level,
        "msstft_delayed": level - 0.1,
        "lag": lag + 8 * rng.integers(-2, 3, n),
        "mae_f0": np.full(n, 12.0 if key.system == "fastdiff" else 20.0) + rng.random(n),
        "mae_f0_floored": 60 + 5 * rng.random(n),
        "vuv_error": 4 + rng.random(n),
        "n_voiced": rng.integers(100, 400, n),
        "phase_deviation": phases * (2.0 if key.system in ("pwg", "hifigan") else 0.5),
        "reference_phase_deviation": phases,
        "buzz_voiced": 25 + rng.standard_normal(n) if branches else np.full(n, np.nan),
        "buzz_unvoiced": buzz + rng.standard_normal(n) if branches else np.full(n, np.nan),
        "median_buzz_unvoiced": buzz - 2 + rng.standard_normal(n) if branches else np.full(n, np.nan),
    }
    values = {name: np.asarray(values[name], dtype=np.float64) for name in PIECE_METRICS}
    # the first piece has no held note, in any system
    values["phase_deviation"][0] = values["reference_phase_deviation"][0] = np.nan
    piece = np.repeat(np.arange(n), 3)
    reference = of_song.standard_normal((len(piece), 6))
    spread = 0.1 * LEVEL[key.system][key.scenario == "limited"]
    return values | {
        "piece_song": rows,
        "piece_start": starts,
        "piece_seconds": np.full(n, 5.0),
        "embedding_piece": piece,
        "reference_embeddings": reference,
        "embeddings": reference + spread * (1 + 0.3 * rng.standard_normal(reference.shape)),
    }


def write_trial(folder: Path, key: TrialKey, songs: Songs) -> StoredTrial:
    rng = np.random.default_rng([key.seed, list(SYSTEMS).index(key.system), len(key.singer), len(key.scenario)])
    steps = np.array([100, 200, 300, 400])
    level = LEVEL[key.system][key.scenario == "limited"]
    trained = SYSTEMS[key.system].weights_from is None
    curves = pd.DataFrame(
        {
            "epoch": range(4), "step": steps, "loss": level + 200 / steps, "lr": 1e-3, "seconds": 2.0,
            "valid_msstft": level + 100 / steps + 0.01 * rng.random(4), "valid_f0_loss": 0.1 + 1 / steps,
        }
    )  # fmt: skip
    metrics = {"n_parameters": 1000.0, "fad": 1.0}
    if trained:
        metrics |= {"msstft_early": float(curves["valid_msstft"][0]), "steps": 400.0, "seconds_per_step": 0.02}
        metrics["valid_msstft"] = float(curves["valid_msstft"].iloc[-1])
    name = f"{key.system}-{key.scenario}/{key.singer}"
    config = TrialConfig(paper="sawsing", condition=name, seed=key.seed, dataset="invented")
    folder.mkdir(parents=True)
    result = TrialResult(metrics=metrics, arrays=_arrays(key, songs, rng), curves=curves if trained else None)
    write_artefacts(folder, config, result=result, provenance={"device": "cpu"})
    return StoredTrial(folder)


def outcome(root: Path, *, systems=tuple(LEVEL), n_seeds=2, songs=None) -> Outcome:
    """An outcome of some systems, those with a level for it in the limited scenario, too."""
    songs = songs or collection()
    stored = {}
    for scenario in ("regular", "limited"):
        for singer in songs.singers:
            for seed in range(n_seeds):
                for system in systems:
                    if scenario == "regular" or system in LIMITED:
                        key = TrialKey(system, scenario, singer, seed)
                        stored[key] = write_trial(root / "-".join(map(str, key)), key, songs.singers[singer])
    return Outcome(stored, songs)
