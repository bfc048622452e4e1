"""Everything that a reader may change about this replication, with its place in the paper."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Settings"]

Strategy = Literal["joint", "crt_wfc", "crt_wc"]


class Settings(BaseModel):
    """Parameters of the singing-technique replication; the defaults are the paper's.

    Notes
    -----
    Paper: Yamamoto et al. 2022, sections 3 and 4. Where the paper is silent, ``reported.yaml`` has a decision entry
    of the same name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(44100, gt=0, description="Hz; audio at other rates is resampled (§4.1)")
    clip_seconds: float = Field(3.0, gt=0, description="length of a clip in s (§4.1)")
    short_takes: Literal["drop", "pad"] = Field("drop", description="takes shorter than a clip")
    remainder: Literal["drop", "pad"] = Field("drop", description="what is left at the end of a take")
    peak_normalise: bool = Field(False, description="scale each clip to a peak of 1")
    split: Literal["official", "held_out_singers"] = Field(
        "official", description="official test singers, or the same with three training singers held out for choices"
    )
    split_seed: int = Field(0, ge=0, description="seed of the held-out singers and of the split of a partial copy")

    n_fft: int = Field(2048, ge=16, description="points of the Fourier transform (§4.2)")
    win_lengths: tuple[int, int, int] = Field((2048, 1024, 512), description="windows in samples (§4.2)")
    hop_length: int = Field(512, ge=1, description="samples between frames (§4.2)")
    compression: Literal["db_authors", "db", "log1p", "none"] = Field(
        "db_authors", description="compression of the magnitudes"
    )

    modulated: bool = Field(True, description="learn a mask beside the offsets")
    pool_deformable: bool = Field(True, description="keep max-pooling in deformable layers (Table 1)")
    head: Literal["code", "table"] = Field(
        "code", description="layers after pooling: the published code's or Table 1's"
    )

    batch_size: int = Field(64, ge=2, description="clips per step (§4.2)")
    learning_rate: float = Field(1e-4, gt=0, description="Adam's rate in the first phase (§4.2)")
    learning_rate_classifier: float = Field(1e-4, gt=0, description="Adam's rate in the classifier phase")
    learning_rate_1dcnn: float = Field(1e-4, gt=0, description="RMSprop's rate for the 1-D CNN (published code)")
    weight_decay_1dcnn: float = Field(1e-3, ge=0, description="weight decay for the 1-D CNN (published code)")
    epochs_features: int = Field(100, ge=1, description="epochs of the first phase (§4.4)")
    epochs_classifier: int = Field(100, ge=1, description="epochs of re-training, or more epochs of joint training")
    epochs_1dcnn: int = Field(200, ge=1, description="epochs of the 1-D CNN; the whole training time of the others")
    batch_norm_statistics: Literal["running", "recalculated"] = Field(
        "running", description="running averages of training, or those of the training clips under the final weights"
    )
    frozen_mode: Literal["eval", "train"] = Field(
        "eval", description="mode of batch norm and dropout in the frozen part during re-training"
    )
    reinitialise_classifier: bool = Field(False, description="draw the classifier anew before re-training")
    forest_trees: int = Field(100, ge=1, description="trees of the random forest (published code)")

    alpha: float = Field(0.2, ge=0, description="smoothing factor of experiment 1")
    alphas: tuple[float, ...] = Field((0.0, 0.2, 0.5, 1.0), min_length=1, description="factors of experiment 2 (§4.4)")
    table_2_strategy: Strategy = Field("crt_wfc", description="how the weighted rows of Table 2 are trained")

    n_seeds: int = Field(5, ge=1, description="independent repetitions; the paper ran one")
    n_draws: int = Field(2000, ge=100, description="bootstrap draws for intervals")
    synthetic: Literal["smoke", "demo"] = Field("demo", description="size of the synthetic VocalSet, where it is used")

    @model_validator(mode="after")
    def _windows_fit(self) -> "Settings":
        if max(self.win_lengths) > self.n_fft:
            raise ValueError(f"win_lengths {self.win_lengths} must not be longer than n_fft = {self.n_fft}")
        if self.alpha not in self.alphas:
            raise ValueError(f"alpha = {self.alpha} must be one of alphas = {self.alphas}, or Table 3 has no rows")
        return self

    @property
    def n_samples(self) -> int:
        """Samples per clip."""
        return round(self.clip_seconds * self.sample_rate)
