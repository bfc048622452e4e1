"""Everything that a reader may change about this replication, with its place in the paper or its code."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reprise.audio.vocoder_metrics import EMBEDDINGS
from reprise.papers.choices import closest
from reprise.papers.sawsing.systems import ABLATIONS, SYSTEMS

__all__ = ["FIXED_HOP", "Estimator", "Settings"]

Estimator = Literal["auto", "pyin", "dio", "harvest", "autocorrelation"]
# product of the rates at which the GANs and the diffusion model go from frames to samples
FIXED_HOP = 240
VIBRATO_SECONDS = 0.2
UPSAMPLING = ("pwg", "hifigan", "fastdiff")


class Settings(BaseModel):
    """Parameters of the vocoder replication; the defaults are the paper's, or those of its authors' code.

    Notes
    -----
    Paper: Wu et al. 2022. Of its text the abstract and sections 1 and 2 are known here; "code" stands for the
    authors' published code and configuration files. ``reported.yaml`` has a decision entry for what is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(24000, gt=2000, description="Hz; audio at other rates is resampled (code)")
    hop_length: int = Field(240, ge=16, description="samples per frame of all controls (code)")
    n_fft: int = Field(1024, ge=64, description="window of the mel spectrogram in samples (code)")
    n_mels: int = Field(80, ge=8, description="mel bands (code)")
    center_mel: bool = Field(False, description="centre mel frames on their block; the code begins them with it")
    target_rms: float | None = Field(
        None, gt=0, lt=1, description="scale every song to this root mean square; the code leaves levels as they are"
    )

    f0_estimator: Estimator = Field(
        "auto", description="labels for training; auto: DIO, the code's, where installed, else pYIN"
    )
    f0_evaluator: Estimator = Field(
        "auto", description="pitch of the results; auto: autocorrelation, or pYIN where that has made the labels"
    )
    f0_search: tuple[float, float] = Field((65.0, 1047.0), description="Hz; range of the estimators (code)")
    f0_lowest: float = Field(80.0, gt=0, description="Hz; labels below it are unvoiced (code)")

    scenarios: tuple[Literal["regular", "limited"], ...] = Field(
        ("regular", "limited"), min_length=1, description="all recordings and time, or few of both (abstract, §1)"
    )
    max_singers: int = Field(2, ge=1, description="singers, each with vocoders of their own (§1)")
    n_test_songs: int = Field(3, ge=1, description="songs of a singer that are only scored (demo page)")
    n_valid_songs: int = Field(24, ge=1, description="songs of a singer that training is watched on (code)")
    n_limited_songs: int = Field(3, ge=1, description="recordings of the limited scenario (abstract)")
    split_seed: int = Field(0, ge=0, description="seed of the division and, with a trial's own, of the choice of few")

    mel_mean: float = Field(
        0.0, description="taken from spectrograms before DDSP vocoders and NSF read them; the code takes nothing"
    )
    mel_deviation: float = Field(1.0, gt=0, description="by which they are then divided; the code divides by nothing")
    start_level: float = Field(
        0.0, description="added to the first biases of levels and filters in DDSP vocoders; −2.5 starts 25 dB softer"
    )
    interpolation: Literal["nearest", "linear"] = Field(
        "nearest", description="f0 and amplitudes between frames: held (code), or in lines"
    )
    crossfade: bool = Field(False, description="cross-fade filters; the code switches them at the blocks' borders")
    compensate: bool = Field(False, description="remove the filters' delay, which the code keeps")
    voicing_gate: bool = Field(False, description="learn when the harmonic source sounds; the code's always does")
    phase_precision: Literal["double", "single"] = Field(
        "double", description="phase of the source: wrapped in double, or the code's running sum in single precision"
    )

    batch_size: int = Field(16, ge=1, description="crops per step (code)")
    crop_seconds: float = Field(2.0, gt=0, description="length of a training crop in s (code)")
    align_crops: bool = Field(False, description="begin crops on the frames' grid; the code's begin anywhere")
    shuffle: bool = Field(False, description="new order of the files in every epoch; the code keeps it")
    fill_batch: bool = Field(
        False, description="draw several crops per file until a batch is full; the code has one per file"
    )
    learning_rate: float = Field(2e-3, gt=0, description="Adam's rate, DDSP vocoders and NSF (code)")
    weight_stft: float = Field(1.0, gt=0, description="of the multi-scale spectral loss (code)")
    weight_f0: float = Field(1.0, ge=0, description="of the f0 loss (code)")
    weight_voicing: float = Field(1.0, ge=0, description="of the voicing loss, where there is a gate")
    loss_formula: Literal["power", "amplitude"] = Field(
        "power", description="spectra of the loss: power (code), or amplitude (follow-up)"
    )
    switch_step: int = Field(5000, ge=0, description="steps before unvoiced frames leave the f0 loss (code: calls)")
    steps_regular: int = Field(28140, ge=1, description="steps of the regular scenario; the log's last, 71 h")
    steps_limited: int = Field(1314, ge=1, description="steps of the limited scenario; the log's at 3 h")
    rival_steps: float = Field(
        1.0, gt=0, le=1, description="steps of GANs and FastDiff, relative to the others'; the paper gave hours"
    )
    early_steps: int = Field(1314, ge=1, description="steps after which speed of convergence is compared: 3 h")
    valid_every: int = Field(440, ge=1, description="steps between validations; the log's are an hour apart")
    selection: Literal["last", "best"] = Field("last", description="weights: last, as the code's best are, or best")

    hifigan_size: Literal["V1", "V2", "V3"] = Field("V1", description="HiFi-GAN's size; the paper's is not known")
    pwg_layers: int = Field(30, ge=3, description="layers of Parallel WaveGAN, in three cycles")
    pwg_channels: int = Field(64, ge=4, description="channels of Parallel WaveGAN")
    nsf_blocks: int = Field(5, ge=1, description="filter blocks of NSF's harmonic branch")
    nsf_layers: int = Field(10, ge=1, description="layers of an NSF block")
    nsf_channels: int = Field(64, ge=4, multiple_of=2, description="channels of NSF")
    fastdiff_channels: int = Field(32, ge=4, description="channels of FastDiff")
    discriminator_divisor: int = Field(1, ge=1, description="divides the channels of the GANs' discriminators")
    learning_rate_rivals: float = Field(2e-4, gt=0, description="Adam's rate, GANs and FastDiff; not known")
    weight_adversarial: float = Field(4.0, ge=0, description="of Parallel WaveGAN's adversarial loss (its paper)")
    weight_mel: float = Field(45.0, ge=0, description="of HiFi-GAN's mel loss (its paper)")
    weight_features: float = Field(2.0, ge=0, description="of HiFi-GAN's feature-matching loss (its paper)")
    discriminator_start: float = Field(
        0.25, ge=0, lt=1, description="share of the steps before Parallel WaveGAN has a discriminator (100 k of 400 k)"
    )

    piece_seconds: float = Field(
        5.0, gt=1, description="test songs are resynthesised whole and scored in pieces of about this length, in s"
    )
    max_lag: int = Field(240, ge=0, description="samples by which outputs may be early or late, for MSSTFT")
    n_noise: int = Field(3, ge=1, description="draws of the noise branch over which scores are averaged; code: 1")
    embedding: str = Field("log_mel_statistics", description="of the Fréchet distance; the paper's is not known")
    held_seconds: float = Field(0.5, gt=0, description="shortest held note for the phase deviation, in s")
    held_cents: float = Field(200.0, gt=0, description="widest range of f0 within it, in cents")
    held_step: float = Field(70.0, gt=0, description="change of its mean f0 that makes another note, in cents")
    n_partials: int = Field(20, ge=1, description="partials whose phase is followed")
    rtf_repeats: int = Field(5, ge=1, description="calls of which the median is the real-time factor")
    rtf_seconds: float = Field(10.0, gt=0, description="sound per call for the real-time factor, in s")

    systems: tuple[str, ...] = Field((), description="systems to train; none named: the paper's and the code's")
    ablations: tuple[str, ...] = Field(
        ABLATIONS, description="variants of SawSing that are trained too, in the regular scenario"
    )
    n_seeds: int = Field(3, ge=1, description="independent repetitions, each with other recordings where these are few")
    n_draws: int = Field(2000, ge=100, description="bootstrap draws for intervals")
    synthetic: Literal["smoke", "demo"] = Field("demo", description="size of the synthetic songs, where they are used")

    @field_validator("systems", "ablations")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in SYSTEMS:
                raise ValueError(
                    f"there is no system {name!r}{closest(name, SYSTEMS)} the systems are {', '.join(SYSTEMS)}"
                )
        return names

    @model_validator(mode="after")
    def _goes_together(self) -> "Settings":
        low, high = self.f0_search
        if not 0 < low < high < self.sample_rate / 2:
            raise ValueError(f"f0_search = {self.f0_search} must rise, above 0 and below half of the sample rate")
        if not low <= self.f0_lowest < high:
            raise ValueError(f"f0_lowest = {self.f0_lowest} must lie within f0_search = {self.f0_search}")
        if self.n_samples < self.n_fft + self.hop_length:
            raise ValueError(
                f"crop_seconds × sample_rate = {self.n_samples} samples must hold two frames, n_fft + hop_length = "
                f"{self.n_fft + self.hop_length}"
            )
        if self.hop_length != FIXED_HOP:
            fixed = [name for name in self.trained if SYSTEMS[name].family in UPSAMPLING]
            if fixed:
                raise ValueError(
                    f"hop_length = {self.hop_length}, but {', '.join(fixed)} make {FIXED_HOP} samples of a frame; "
                    f"name other systems"
                )
        if self.early_steps > self.steps_regular:
            raise ValueError(f"early_steps = {self.early_steps} exceeds steps_regular = {self.steps_regular}")
        if self.pwg_layers % 3:
            raise ValueError(f"pwg_layers = {self.pwg_layers} must be a multiple of its three cycles")
        if self.embedding not in EMBEDDINGS:
            raise ValueError(f"embedding = {self.embedding!r}; there are {', '.join(EMBEDDINGS)}")
        return self

    @property
    def n_samples(self) -> int:
        """Samples per training crop."""
        return round(self.crop_seconds * self.sample_rate)

    @property
    def trained(self) -> tuple[str, ...]:
        """Systems with weights of their own, without the ablations."""
        return self.systems or tuple(name for name in SYSTEMS if name not in ABLATIONS)

    @property
    def piece_frames(self) -> int:
        """Frames of a piece of a test song."""
        return round(self.piece_seconds * self.sample_rate / self.hop_length)

    @property
    def n_held(self) -> int:
        """Frames of the shortest held note."""
        return max(1, round(self.held_seconds * self.sample_rate / self.hop_length))

    @property
    def n_step(self) -> int:
        """Frames of a cycle of slow vibrato, over which f0 is averaged to tell it from another note."""
        return max(1, round(VIBRATO_SECONDS * self.sample_rate / self.hop_length))

    def of(self, system: str) -> "Settings":
        """Settings of one system: these, with what it changes.

        Parameters
        ----------
        system : str

        Returns
        -------
        Settings
            Equal to these where the system changes nothing, as an ablation does that these already have.

        Raises
        ------
        KeyError
            If there is no such system.
        """
        changes = dict(SYSTEMS[system].changes)
        return type(self).model_validate(self.model_dump() | changes) if changes else self
