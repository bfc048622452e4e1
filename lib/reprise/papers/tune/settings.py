"""Everything that a reader may change about this replication, with its place in the paper or its code."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reprise.audio.view_settings import TRANSFORMS, ViewSettings
from reprise.papers.choices import closest
from reprise.papers.tune.systems import PAPER_SYSTEMS, SYSTEMS, Condition, Length, PretrainingSet, TaskName

__all__ = ["CLMR_SIZED", "LENGTH", "VIEWS", "Protocol", "Settings"]

Protocol = Literal["paper", "code", "supplement"]
# samples of the paper's inputs, and the networks that take none shorter
LENGTH = 59_049
CLMR_SIZED = ("clmr", "clmr_tail")
# what the changes of a view are in three sources; the code's are the defaults of ViewSettings
VIEWS: dict[str, ViewSettings] = {
    "code": ViewSettings(),
    "clmr_v1": ViewSettings(noise=0.0, filter_kind="first_order", echo_factor=0.2, room=(1, 100)),
    "clmr_printed": ViewSettings(
        noise_levels=(1e-4, 1e-4),
        gains=(-6.0, 0.0),
        delays=(200.0, 250.0, 300.0, 350.0, 400.0, 450.0, 500.0),
        cents=500,
        room=(0, 100),
    ),
}


class Settings(BaseModel):
    """Parameters of the TUNe replication; the defaults are the paper's, or those of its authors' code.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, sections 3 and 4 and its supplement ("S"). "Code" stands for the authors'
    published code and, for what it takes over, CLMR's. Where paper and code differ, ``reported.yaml`` has a decision
    entry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(22050, gt=8000, description="Hz, mono; audio at other rates is resampled (§4.1)")
    n_samples: int = Field(
        59049, ge=19683, multiple_of=2187, description="samples of a crop and of a window, 3 to the power of 10 (§4.1)"
    )
    pretrain_split: Literal["train", "all"] = Field(
        "train", description="clips of MagnaTagATune that are pre-trained on: the training side (code), or all (text)"
    )
    untagged: Literal["keep", "drop"] = Field(
        "keep", description="clips without any of the tags: kept, as the split in use has them, or dropped ('clean')"
    )
    n_tags: int = Field(50, ge=2, description="most frequent tags (§4.2)")
    max_pretrain_clips: int | None = Field(None, ge=8, description="of each set, drawn evenly; None: all")
    max_probe_clips: int | None = Field(None, ge=8, description="of each side of a task, drawn evenly; None: all")

    initialisation: Literal["he", "code", "default"] = Field(
        "he", description="He's for all convolutions (§4.1), for those of blocks only (code), or torch's own"
    )
    clmr_initialisation: Literal["he", "code", "default"] = Field(
        "default", description="of the CLMR baseline and of a CLMR tail, which the code leaves as torch makes them"
    )
    clmr_tail: Literal["from_clmr", "frozen", "trained"] = Field(
        "from_clmr", description="tail of TUNe CLMR-tail: this run's CLMR, fixed; random, fixed; or trained with the U"
    )

    views: Literal["code", "clmr_v1", "clmr_printed"] = Field(
        "code", description="ranges of the random changes: the code's, CLMR's first code, or CLMR's text (§4.1)"
    )
    views_without: tuple[str, ...] = Field((), description="changes that are left out, for ablations")
    same_crop: bool = Field(False, description="both views from one crop; the code crops twice")
    pitch_n_fft: int = Field(2048, ge=64, multiple_of=4, description="window of the pitch shift in samples (ours)")

    batch_size: int = Field(96, ge=2, description="clips per step (§4.1)")
    nt_xent_groups: int = Field(
        2, ge=1, description="parts of a batch that do not see each other, as on two GPUs (§4.1, code); 1: all see all"
    )
    split_norms: bool = Field(True, description="batch norm within these parts, as on GPUs without synchronisation")
    temperature: float = Field(0.5, gt=0, description="of the contrastive loss (code)")
    projection: int = Field(64, ge=2, description="features of the projector's output (code)")
    learning_rate: float = Field(3e-4, gt=0, description="of Adam, constant (code)")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty inside of Adam while pre-training (code)")
    epochs: int = Field(1000, ge=1, description="of the pre-training (§4.2)")
    epochs_middle: int = Field(3000, ge=1, description="of conditions with '+middle' (Table S1)")
    epochs_long: int = Field(10000, ge=1, description="of conditions with '+long' (§4.2.6)")
    epochs_transfer: int | None = Field(
        1000, ge=1, description="on other sets, of which Table 2 says nothing; None: as many steps as on MagnaTagATune"
    )
    autocast: bool = Field(False, description="half precision in the network while pre-training, on a GPU")

    systems: tuple[str, ...] = Field(PAPER_SYSTEMS, description="networks to pre-train (Table 1)")
    baselines: tuple[str, ...] = Field(
        ("untrained", "mel_statistics"), description="features without pre-training (ours)"
    )
    longer_systems: tuple[str, ...] = Field(
        ("tail_5", "tune_plus", "clmr"), description="networks that are also pre-trained for longer (§4.2.6)"
    )
    lengths: tuple[Literal["middle", "long"], ...] = Field(("middle", "long"), description="how much longer (Table S1)")
    transfer_systems: tuple[str, ...] = Field(
        ("tune_plus", "tail_5", "clmr"), description="networks that are also pre-trained on other sets (Table 2)"
    )
    pretraining: tuple[Literal["fma", "gtzan", "billboard"], ...] = Field(
        ("fma", "gtzan", "billboard"), description="these sets, as far as the data folder has them (Table 2)"
    )

    probe_protocol: Protocol = Field(
        "paper", description="how probes for tags are trained: §4.3, the code, or the supplement's 216 probes"
    )
    probe_kinds: tuple[Literal["linear", "mlp"], ...] = Field(
        ("linear", "mlp"), description="probes for tags: one layer, and two (§4.2.6)"
    )
    probe_windows: Literal["one", "all"] = Field(
        "one", description="windows of a clip that a probe for tags learns from: one crop (code), or all"
    )
    probe_score: Literal["auc", "average_precision", "loss"] = Field(
        "auc",
        description="validation score that stops a probe for tags and picks its weights (§4.3 has no name for it)",
    )
    probe_batch: int = Field(48, ge=2, description="rows per step of the probes of the paper and the code (code)")
    probe_epochs: int = Field(200, ge=1, description="largest number of epochs of these probes (code)")
    label_fractions: tuple[float, ...] = Field(
        (0.01, 0.03, 0.1, 0.3, 1.0), description="parts of the training labels of further linear probes (ours)"
    )
    layer_systems: tuple[str, ...] = Field(
        ("tail_5", "tune_plus"), description="networks every block of which is probed (Figures S3, S4)"
    )
    tasks: tuple[TaskName, ...] = Field(
        ("mtt", "gtzan", "key", "emotion"), description="what is probed, as far as the data folder has it (Table S2)"
    )
    task_systems: tuple[str, ...] = Field(
        ("tail_5", "tune_plus", "clmr", "untrained", "mel_statistics"),
        description="networks that are probed for more than tags (Table S2)",
    )
    task_protocol: Protocol = Field("supplement", description="how probes of the other tasks are trained (Table S2)")
    key_strategy: Literal["chosen", "vote", "max", "gmean", "mean"] = Field(
        "chosen", description="from the keys of clips to that of a song; chosen: the best on the validation songs"
    )

    n_seeds: int = Field(3, ge=1, description="independent repetitions; the paper ran one")
    n_draws: int = Field(2000, ge=100, description="bootstrap draws for intervals")
    synthetic: Literal["smoke", "demo"] = Field("demo", description="size of the synthetic sets, where they are used")

    @field_validator("systems", "longer_systems", "transfer_systems", "layer_systems", "task_systems", "baselines")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in SYSTEMS:
                raise ValueError(
                    f"there is no system {name!r}{closest(name, SYSTEMS)} the systems are {', '.join(SYSTEMS)}"
                )
        return names

    @field_validator("views_without")
    @classmethod
    def _is_change(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in TRANSFORMS:
                raise ValueError(f"no change is called {name!r}{closest(name, TRANSFORMS)} choose {TRANSFORMS}")
        return names

    @model_validator(mode="after")
    def _goes_together(self) -> "Settings":
        untrained = [name for name in self.systems if not SYSTEMS[name].trained]
        trained = [name for name in self.baselines if SYSTEMS[name].trained]
        if untrained or trained:
            raise ValueError(f"systems are trained and baselines are not; move {', '.join(untrained + trained)}")
        short = [name for name in CLMR_SIZED if name in self.systems and self.n_samples < LENGTH]
        if short:
            raise ValueError(f"n_samples = {self.n_samples}, and {', '.join(short)} need {LENGTH}; name other systems")
        if self.batch_size % self.nt_xent_groups or self.batch_size // self.nt_xent_groups < 2:
            raise ValueError(
                f"batch_size = {self.batch_size} cannot be split into nt_xent_groups = {self.nt_xent_groups} equal "
                "parts of at least 2 clips"
            )
        if not self.epochs <= self.epochs_middle <= self.epochs_long:
            raise ValueError(
                f"epochs = {self.epochs}, epochs_middle = {self.epochs_middle} and epochs_long = {self.epochs_long} "
                "must not fall"
            )
        if not all(0 < fraction <= 1 for fraction in self.label_fractions):
            raise ValueError(f"label_fractions = {self.label_fractions} must lie above 0 and at most at 1")
        if "mtt" not in self.tasks:
            raise ValueError("tasks must contain 'mtt', which every table but one is about")
        if "linear" not in self.probe_kinds:
            raise ValueError("probe_kinds must contain 'linear', which every condition is compared by")
        return self

    @property
    def view_settings(self) -> ViewSettings:
        """Random changes of a view, as ``views``, ``views_without`` and ``pitch_n_fft`` say."""
        chosen = VIEWS[self.views].without(*self.views_without)
        return type(chosen)(**(vars(chosen) | {"pitch_n_fft": self.pitch_n_fft}))

    @property
    def n_visible(self) -> int:
        """Clips of a step that see each other in the loss."""
        return self.batch_size // self.nt_xent_groups

    def epochs_of(self, length: Length) -> int:
        """Epochs of pre-training on MagnaTagATune."""
        return {"regular": self.epochs, "middle": self.epochs_middle, "long": self.epochs_long}[length]

    def conditions(self, sets: tuple[PretrainingSet, ...] = ("mtt", "fma", "gtzan", "billboard")) -> tuple[str, ...]:
        """All conditions of these settings.

        Parameters
        ----------
        sets : tuple of str
            Sets that are at hand; of ``pretraining`` the others are left out.

        Returns
        -------
        tuple of str
            Baselines last; only systems that are among ``systems`` are trained for longer or elsewhere.
        """
        longer = [name for name in self.longer_systems if name in self.systems]
        elsewhere = [name for name in self.transfer_systems if name in self.systems]
        found = [Condition(name) for name in self.systems] if "mtt" in sets else []
        found += [Condition(name, length) for length in self.lengths for name in longer] if "mtt" in sets else []
        found += [
            Condition(name, pretraining=there) for there in self.pretraining if there in sets for name in elsewhere
        ]
        return tuple(condition.name for condition in found) + self.baselines
