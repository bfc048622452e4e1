"""What a trial of this paper is made of: data, inputs, network, training, all of it identity but the folders."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from reprise.papers.irmas.systems import Family, SetName
from reprise.runs import TrialConfig, not_identity

__all__ = [
    "AugmentConfig",
    "ClipConfig",
    "DataSets",
    "InputConfig",
    "IrmasTrial",
    "MixingConfig",
    "NetworkConfig",
    "OptimiserConfig",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClipConfig(_Frozen):
    """How the data sets are read."""

    sample_rate: int
    split: Literal["random", "songs"]
    split_seed: int
    contradictory: Literal["keep", "drop"]


class DataSets(_Frozen):
    """What is trained and scored on.

    Attributes
    ----------
    irmas, audioset : str, None without AudioSet
        Fingerprints of the clip tables.
    collection : "irmas" or "philharmonia"
        What stands on the side of IRMAS.
    irmas_root, audioset_root : Path or None
        Folders; not identity.
    """

    irmas: str
    collection: Literal["irmas", "philharmonia"] = "irmas"
    audioset: str | None = None
    irmas_root: Path | None = not_identity(None, description="The fingerprint covers the data's content.")
    audioset_root: Path | None = not_identity(None, description="The fingerprint covers the data's content.")


class InputConfig(_Frozen):
    """What the network reads of a window; None where its feature has no such number."""

    feature: Literal["raw", "mfcc", "descriptors", "mel", "fbank"]
    window_seconds: float
    standardise: Literal["paper", "corpus"]
    n_fft: int | None = None
    hop_length: int | None = None
    n_mels: int | None = None
    n_mfcc: int | None = None
    size: tuple[int, int] | None = None
    row_statistics: bool = False
    n_frames: int | None = None
    fbank_window: Literal["hann", "hamming"] | None = None
    fbank_statistics: tuple[float, float] | None = None


class NetworkConfig(_Frozen):
    """Which network."""

    family: Family
    dropout: float | None = None
    norm_first: bool | None = None
    blocks: tuple[int, int, int, int] | None = None
    width: int | None = None
    layers: int | None = None
    heads: int | None = None
    n_frames: int | None = None
    weights_sha256: str | None = None
    weights: Path | None = not_identity(None, description="The hash covers the weights.")


class AugmentConfig(_Frozen):
    """Random changes of the training clips (§3.4)."""

    noise_amount: float
    pitch_semitones: float
    time_shift: float
    n_masks: tuple[int, int]
    mask_limit: float


class MixingConfig(_Frozen):
    """Dynamic sampling (§3.5)."""

    kind: Literal["true", "base"]
    min_sampled: int
    max_sampled: int
    unsampled: float | None = None


class OptimiserConfig(_Frozen):
    """Adam with coupled L2; one entry per optimiser of the paper: the transformer has one for its classifier."""

    rates: tuple[tuple[float, float], ...]
    weight_decays: tuple[float, ...]
    decay_power: float
    warmup: float
    clip_norm: float | None = None
    accumulate: int = 1


class IrmasTrial(TrialConfig):
    """One system on one seed.

    Notes
    -----
    ``dataset`` is the fingerprint of the set that is trained on; ``sets`` has those of all sets that are scored.
    """

    runner: ClassVar[str] = "reprise.papers.irmas.experiment:run_trial"

    trained_on: SetName
    sets: DataSets
    clips: ClipConfig
    inputs: InputConfig
    network: NetworkConfig
    optimiser: OptimiserConfig
    augment: AugmentConfig | None
    mixing: MixingConfig | None = None
    batch_size: int
    epochs: int
    train_drop_last: bool
    batch_norm_statistics: Literal["running", "recalculated"]
    selection: Literal["best", "last"]
    threshold: float
    drop_last: bool
