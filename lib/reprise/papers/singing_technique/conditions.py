"""The paper's conditions as trials, in the order of its tables, with everything that they share made once."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from reprise.papers.singing_technique.settings import Settings
from reprise.runs import TrialConfig

__all__ = [
    "ClipConfig",
    "Deformable",
    "NetworkConfig",
    "SingingTrial",
    "SpectrogramConfig",
    "clip_config",
    "conditions",
    "system_name",
]

Deformable = Literal["all", "early", "late", "last"] | None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClipConfig(_Frozen):
    """How takes become clips (§4.1)."""

    sample_rate: int
    seconds: float
    short_takes: Literal["drop", "pad"]
    remainder: Literal["drop", "pad"]
    peak_normalise: bool
    split: Literal["official", "held_out_singers"]
    split_seed: int

    @property
    def n_samples(self) -> int:
        """Samples per clip."""
        return round(self.seconds * self.sample_rate)


def clip_config(settings: Settings) -> ClipConfig:
    """Part of the settings that decides how takes become clips."""
    return ClipConfig(
        sample_rate=settings.sample_rate,
        seconds=settings.clip_seconds,
        short_takes=settings.short_takes,
        remainder=settings.remainder,
        peak_normalise=settings.peak_normalise,
        split=settings.split,
        split_seed=settings.split_seed,
    )


class SpectrogramConfig(_Frozen):
    """The three stacked spectrograms (§4.2)."""

    n_fft: int
    win_lengths: tuple[int, int, int]
    hop_length: int
    compression: Literal["db_authors", "db", "log1p", "none"]


class NetworkConfig(_Frozen):
    """Which oblong CNN (Table 1)."""

    deformable: Deformable
    modulated: bool
    pool_deformable: bool
    head: Literal["code", "table"]


class SingingTrial(TrialConfig):
    """One stage of one system on one seed.

    Notes
    -----
    ``features`` is the first phase of every oblong CNN; ``joint`` goes on training all of it, ``classifier``
    re-trains its last layer on frozen features, ``forest`` fits a random forest on the features of a joint model,
    ``raw`` is the 1-D CNN on samples. ``parent`` is the trial whose weights a stage starts from.
    """

    runner: ClassVar[str] = "reprise.papers.singing_technique.experiment:run_trial"

    stage: Literal["features", "joint", "classifier", "forest", "raw"]
    clips: ClipConfig
    spectrogram: SpectrogramConfig | None = None
    network: NetworkConfig | None = None
    alpha: float = 0.0
    epochs: int = 0
    batch_size: int = 64
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    batch_norm_statistics: Literal["running", "recalculated"] = "running"
    frozen_mode: Literal["eval", "train"] = "eval"
    reinitialise: bool = False
    forest_trees: int = 0
    parent: "SingingTrial | None" = None

    def requires(self) -> list[TrialConfig]:
        """Trials that must be in the store before this one runs."""
        return [] if self.parent is None else [self.parent]


def system_name(deformable: Deformable) -> str:
    """Name of a placement as it stands in result folders."""
    return deformable or "without_dc"


class _Builder:
    """Makes the trials of one seed from the settings."""

    def __init__(self, settings: Settings, *, seed: int, dataset: str, data_root: Path | None, device: str) -> None:
        self.settings = settings
        self.common = {
            "paper": "singing_technique",
            "seed": seed,
            "dataset": dataset,
            "data_root": data_root,
            "device": device,
            "clips": clip_config(settings),
            "batch_size": settings.batch_size,
            "batch_norm_statistics": settings.batch_norm_statistics,
        }
        self.spectrogram = SpectrogramConfig(
            n_fft=settings.n_fft,
            win_lengths=settings.win_lengths,
            hop_length=settings.hop_length,
            compression=settings.compression,
        )

    def _network(self, deformable: Deformable) -> NetworkConfig:
        # without deformable layers the two switches change nothing, so they must not change the identity either
        plain = deformable is None
        return NetworkConfig(
            deformable=deformable,
            modulated=plain or self.settings.modulated,
            pool_deformable=plain or self.settings.pool_deformable,
            head=self.settings.head,
        )

    def features(self, deformable: Deformable, alpha: float) -> SingingTrial:
        return SingingTrial(
            **self.common,
            condition=f"{system_name(deformable)}/features@{alpha:g}",
            stage="features",
            spectrogram=self.spectrogram,
            network=self._network(deformable),
            alpha=alpha,
            epochs=self.settings.epochs_features,
            learning_rate=self.settings.learning_rate,
        )

    def joint(self, deformable: Deformable, alpha: float) -> SingingTrial:
        parent = self.features(deformable, alpha)
        return parent.model_copy(
            update={
                "condition": f"{system_name(deformable)}/joint@{alpha:g}",
                "stage": "joint",
                "epochs": self.settings.epochs_features + self.settings.epochs_classifier,
                "parent": parent,
            }
        )

    def classifier(self, deformable: Deformable, alpha: float, *, weighted_features: bool) -> SingingTrial:
        parent = self.features(deformable, alpha if weighted_features else 0.0)
        # at α = 0 the two variants are one procedure: one name, one trial
        name = "crt_wfc" if weighted_features and alpha > 0 else "crt_wc"
        return parent.model_copy(
            update={
                "condition": f"{system_name(deformable)}/{name}@{alpha:g}",
                "stage": "classifier",
                "alpha": alpha,
                "epochs": self.settings.epochs_classifier,
                "learning_rate": self.settings.learning_rate_classifier,
                "frozen_mode": self.settings.frozen_mode,
                "reinitialise": self.settings.reinitialise_classifier,
                "parent": parent,
            }
        )

    def forest(self, alpha: float) -> SingingTrial:
        parent = self.joint(None, alpha)
        return parent.model_copy(
            update={
                "condition": f"oblong_rf@{alpha:g}",
                "stage": "forest",
                "epochs": 0,
                "forest_trees": self.settings.forest_trees,
                "parent": parent,
            }
        )

    def raw(self, alpha: float) -> SingingTrial:
        return SingingTrial(
            **self.common,
            condition=f"cnn1d@{alpha:g}",
            stage="raw",
            alpha=alpha,
            epochs=self.settings.epochs_1dcnn,
            learning_rate=self.settings.learning_rate_1dcnn,
            weight_decay=self.settings.weight_decay_1dcnn,
        )

    def strategy(self, name: str, deformable: Deformable, alpha: float) -> SingingTrial:
        makers: dict[str, Callable[[], SingingTrial]] = {
            "joint": lambda: self.joint(deformable, alpha),
            "crt_wfc": lambda: self.classifier(deformable, alpha, weighted_features=True),
            "crt_wc": lambda: self.classifier(deformable, alpha, weighted_features=False),
        }
        return makers[name]()


def conditions(
    settings: Settings,
    *,
    seed: int,
    dataset: str,
    data_root: Path | None = None,
    device: str = "auto",
) -> dict[str, SingingTrial]:
    """All conditions of one seed: rows of Table 2, then the points of Figure 3 (which hold Table 3).

    Parameters
    ----------
    settings : Settings
    seed : int ≥ 0
    dataset : str
        Fingerprint of the clip table.
    data_root : Path or None
        Folder of the data set; not part of a trial's identity.
    device : str
        ``auto``, ``cpu`` or ``cuda:N``; not part of a trial's identity.

    Returns
    -------
    dict
        Condition as named in ``reported.yaml`` → trial. Two names can hold the same trial: Late of Table 2 is
        cRT-WFC at α = 0.2, and at α = 0 the two cRT strategies do not differ.
    """
    make = _Builder(settings, seed=seed, dataset=dataset, data_root=data_root, device=device)
    alpha, strategy = settings.alpha, settings.table_2_strategy
    rows = {
        "cnn1d_plain": make.raw(0.0),
        "cnn1d_weighted": make.raw(alpha),
        "oblong_rf_plain": make.forest(0.0),
        "oblong_rf_weighted": make.forest(alpha),
        "without_dc_plain": make.joint(None, 0.0),
        "without_dc_weighted": make.strategy(strategy, None, alpha),
        "all": make.strategy(strategy, "all", alpha),
        "early": make.strategy(strategy, "early", alpha),
        "late": make.strategy(strategy, "late", alpha),
        "last": make.strategy(strategy, "last", alpha),
    }
    for name in ("joint", "crt_wfc", "crt_wc"):
        rows.update({f"{name}@{value:g}": make.strategy(name, "late", value) for value in settings.alphas})
    return rows
