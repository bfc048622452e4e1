"""What a trial of this paper is made of: songs, input, network, training, scores, all of it identity but the folder."""

from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from reprise.data.pitch import Estimator
from reprise.papers.sawsing.systems import Family, Scenario
from reprise.runs import TrialConfig

__all__ = [
    "LossConfig",
    "MelConfig",
    "NetworkConfig",
    "PitchConfig",
    "ScoreConfig",
    "SongsConfig",
    "TrainingConfig",
    "TrialKey",
    "VocoderTrial",
]


class TrialKey(NamedTuple):
    """Which trial of a grid.

    Attributes
    ----------
    system : str
        A name of `reprise.papers.sawsing.systems.SYSTEMS`.
    scenario : "regular" or "limited"
    singer : str
        A name of `Collection.singers`.
    seed : int
    """

    system: str
    scenario: Scenario
    singer: str
    seed: int


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PitchConfig(_Frozen):
    """How pitch is estimated: which estimator, its range and the lowest pitch that counts as voiced, in Hz."""

    estimator: Estimator
    search: tuple[float, float]
    lowest: float


class SongsConfig(_Frozen):
    """How the songs of one singer are read and divided; see the settings of the same names."""

    singer: str
    sample_rate: int
    hop_length: int
    pitch: PitchConfig
    n_test_songs: int
    n_valid_songs: int
    split_seed: int
    target_rms: float | None


class MelConfig(_Frozen):
    """The spectrogram that is resynthesised; see `reprise.audio.vocoder_input.log_mel`."""

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    center: bool


class NetworkConfig(_Frozen):
    """Which vocoder; None where its family has no such number."""

    family: Family
    sample_rate: int
    hop_length: int
    n_mels: int
    interpolation: Literal["nearest", "linear"] | None = None
    crossfade: bool | None = None
    compensate: bool | None = None
    voicing_gate: bool | None = None
    phase_precision: Literal["double", "single"] | None = None
    mel_mean: float | None = None
    mel_deviation: float | None = None
    start_level: float | None = None
    size: str | None = None
    channels: int | None = None
    n_blocks: int | None = None
    n_layers: int | None = None


class LossConfig(_Frozen):
    """What is minimised; None where the family has no such part."""

    formula: Literal["power", "amplitude"]
    stft: float | None = None
    f0: float | None = None
    switch_step: int | None = None
    voicing: float | None = None
    adversarial: float | None = None
    mel: float | None = None
    features: float | None = None
    discriminator_start: int | None = None
    discriminator_divisor: int | None = None


class TrainingConfig(_Frozen):
    """Crops, steps and rates of a training.

    Attributes
    ----------
    n_samples : int
        Length of a crop.
    n_songs : int or None
        Songs that are trained on; None: all.
    early_step : int or None
        A validation after this step, too; None beyond the last.
    """

    n_songs: int | None
    batch_size: int
    n_samples: int
    align_crops: bool
    shuffle: bool
    fill_batch: bool
    learning_rate: float
    steps: int
    valid_every: int
    early_step: int | None
    selection: Literal["last", "best"]
    loss: LossConfig


class ScoreConfig(_Frozen):
    """How test songs are scored; pieces, notes and vibrato in frames, lags in samples, widths and steps in cents."""

    pitch: PitchConfig
    piece_frames: int
    max_lag: int
    n_noise: int
    embedding: str
    n_held: int
    held_cents: float
    held_step: float
    n_step: int
    n_partials: int


class VocoderTrial(TrialConfig):
    """One system, trained on the songs of one singer, or another way of using such a one.

    Attributes
    ----------
    training : TrainingConfig or None
        None where the weights are the parent's.
    debuzz : bool
        Silence the harmonic branch where the output is unvoiced.
    parent : VocoderTrial or None
        Trial whose weights are used.

    Notes
    -----
    ``dataset`` is the fingerprint of the singer's songs and their sides.
    """

    runner: ClassVar[str] = "reprise.papers.sawsing.experiment:run_trial"

    system: str
    scenario: Scenario
    songs: SongsConfig
    mel: MelConfig
    network: NetworkConfig
    training: TrainingConfig | None
    scoring: ScoreConfig
    debuzz: bool = False
    parent: "VocoderTrial | None" = None

    def requires(self) -> list[TrialConfig]:
        """The parent, whose weights this one reads."""
        return [] if self.parent is None else [self.parent]

    @property
    def key(self) -> TrialKey:
        """Place of this trial in a grid."""
        return TrialKey(self.system, self.scenario, self.songs.singer, self.seed)
