"""What a trial of this paper is made of: clips, encoder, views, training, probes, all of it identity but the folder."""

from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from reprise.audio.view_settings import ViewSettings
from reprise.papers.tune.systems import TaskName
from reprise.runs import TrialConfig

__all__ = [
    "ClipsConfig",
    "EncoderConfig",
    "PretrainTrial",
    "ProbeTrial",
    "ProtocolConfig",
    "Stage",
    "TrialKey",
    "ViewsConfig",
]

Stage = Literal["pretrain", "mtt", "gtzan", "key", "emotion"]


class TrialKey(NamedTuple):
    """Which trial of a grid.

    Attributes
    ----------
    condition : str
        As `reprise.papers.tune.systems.split_condition` reads it.
    stage : str
        ``pretrain``, or the task of a probe.
    seed : int
    """

    condition: str
    stage: Stage
    seed: int


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClipsConfig(_Frozen):
    """How a data set is read, for pre-training or for a task.

    Attributes
    ----------
    dataset : str
        Name in ``reprise.data.datasets``.
    sample_rate : int, Hz
    purpose : "pretrain" or "task"
    pool : "train", "all" or None
        Clips that are pre-trained on: those of the training side, or all of them; None for a task.
    max_clips : int or None
        Of the pool, or of each side of a task, at even distances; None: all.
    n_watched : int
        Validation clips that a pre-training is watched on.
    shortest : int, samples
        Shorter clips are not pre-trained on; those of a task are filled up with silence.
    untagged, n_tags : "keep" or "drop", and int; None where there are no tags
    """

    dataset: str
    sample_rate: int
    purpose: Literal["pretrain", "task"]
    pool: Literal["train", "all"] | None = None
    max_clips: int | None = None
    n_watched: int = 0
    shortest: int = 0
    untagged: Literal["keep", "drop"] | None = None
    n_tags: int | None = None


class EncoderConfig(_Frozen):
    """Which encoder.

    Attributes
    ----------
    network : str or None
        Row of the paper's Table 1; None for mean and deviation of log-mel bands.
    initialisation : "he", "code", "default" or None
        None where nothing is learnt.
    tail : "from_clmr", "frozen", "trained" or None
        Of the CLMR tail; None for other networks.
    tail_initialisation : "he", "code", "default" or None
        Of a CLMR tail that is not another trial's.
    sample_rate : int, Hz
    """

    network: str | None
    initialisation: Literal["he", "code", "default"] | None
    tail: Literal["from_clmr", "frozen", "trained"] | None
    tail_initialisation: Literal["he", "code", "default"] | None
    sample_rate: int


class ViewsConfig(_Frozen):
    """Random changes of a view; see `reprise.audio.view_settings.ViewSettings`."""

    polarity: float
    noise: float
    gain: float
    filter: float
    delay: float
    pitch: float
    reverb: float
    noise_levels: tuple[float, float]
    gains: tuple[float, float]
    high_pass: tuple[float, float]
    low_pass: tuple[float, float]
    filter_kind: Literal["sinc", "first_order"]
    delays: tuple[float, ...]
    echo_factor: float
    cents: int
    pitch_n_fft: int
    room: tuple[int, int]
    clip: bool

    @property
    def settings(self) -> ViewSettings:
        """The same for `reprise.audio.views.ViewAugment`."""
        return ViewSettings(**self.model_dump())


class ProtocolConfig(_Frozen):
    """How probes are trained.

    Attributes
    ----------
    name : "paper", "code" or "supplement"
        The supplement's are 216 probes, of which the best on the validation clips counts.
    kinds : tuple of "linear" and "mlp"
        Of the other two; with the supplement's, probes of each kind are chosen among those with as many layers.
    windows : "one" or "all"
        Windows of a training clip: a random crop, or all. Tasks other than tags take the mean over all.
    score : str
        Validation score that stops a probe and picks its weights.
    batch_size, max_epochs : int
        Not of the supplement's, which have their own.
    """

    name: Literal["paper", "code", "supplement"]
    kinds: tuple[Literal["linear", "mlp"], ...]
    windows: Literal["one", "all"]
    score: Literal["auc", "average_precision", "accuracy", "key_score", "r2", "loss"]
    batch_size: int
    max_epochs: int


class PretrainTrial(TrialConfig):
    """An encoder that learns to recognise two changed crops of one clip.

    Attributes
    ----------
    parent : PretrainTrial or None
        CLMR whose encoder is the tail of this one.

    Notes
    -----
    ``dataset`` is the fingerprint of the clips and their sides.
    """

    runner: ClassVar[str] = "reprise.papers.tune.experiment:run_pretraining"

    system: str
    encoder: EncoderConfig
    clips: ClipsConfig
    views: ViewsConfig
    n_samples: int
    same_crop: bool
    batch_size: int
    groups: int
    split_norms: bool
    temperature: float
    projection: int
    learning_rate: float
    weight_decay: float
    epochs: int
    autocast: bool
    parent: "PretrainTrial | None" = None

    def requires(self) -> list[TrialConfig]:
        """The parent, whose weights this one reads."""
        return [] if self.parent is None else [self.parent]


class ProbeTrial(TrialConfig):
    """Probes of one task on the fixed representations of one encoder.

    Attributes
    ----------
    parent : PretrainTrial or None
        Encoder's training; None for an encoder without one.
    """

    runner: ClassVar[str] = "reprise.papers.tune.experiment:run_probes"

    system: str
    task: TaskName
    encoder: EncoderConfig
    clips: ClipsConfig
    n_samples: int
    protocol: ProtocolConfig
    label_fractions: tuple[float, ...] = ()
    layers: bool = False
    key_strategy: Literal["chosen", "vote", "max", "gmean", "mean"] | None = None
    parent: PretrainTrial | None = None

    def requires(self) -> list[TrialConfig]:
        """The parent, whose weights this one reads."""
        return [] if self.parent is None else [self.parent]
