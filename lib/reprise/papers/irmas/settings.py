"""Everything that a reader may change about this replication, with its place in the paper."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["CODE_FINAL_RATES", "Settings"]

Rates = tuple[float, float]
# final rates of learning in the authors' configuration files, where they differ from their tables
CODE_FINAL_RATES = {"resnet": 2e-6, "ast_base": 5e-8, "ast_head": 1e-5}
RATES = ("cnn", "resnet", "ast_base", "ast_head")


class Settings(BaseModel):
    """Parameters of the instrument-recognition replication; the defaults are the paper's.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, chapters 2 to 5. Where the paper is silent, or its text and its code differ,
    ``reported.yaml`` has a decision entry of the same name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(44100, gt=0, description="Hz; of all networks but the transformer (§2.1)")
    sample_rate_ast: int = Field(16000, gt=0, description="Hz; of the transformer (§4.5)")
    window_seconds: float = Field(1.0, gt=0, description="window of systems whose name has none, in s (§4.6)")
    split: Literal["random", "songs"] = Field(
        "random", description="how the testing parts are divided 30:70: clip by clip (§3.6.1), or song by song"
    )
    split_seed: int = Field(0, ge=0, description="seed of that division; the authors' was not seeded")
    contradictory: Literal["keep", "drop"] = Field(
        "keep", description="equal training files with different instruments: used, or left out"
    )
    with_audioset: Literal["auto"] | bool = Field(
        "auto", description="train and score on AudioSet too; auto: where the data folder has it (§5.5)"
    )
    instruments_data: Literal["auto", "irmas", "philharmonia"] = Field(
        "auto", description="auto: single notes take over where IRMAS lacks training clips of an instrument"
    )
    standardise: Literal["paper", "corpus"] = Field(
        "paper", description="mean and deviation of samples: the authors' constants, or those of the training clips"
    )

    n_fft: int = Field(2048, ge=16, description="points of the Fourier transform (§3.1)")
    hop_length: int = Field(512, ge=1, description="samples between frames (§3.1)")
    n_mels: int = Field(256, ge=8, description="mel bands of the images (§3.1.2)")
    image_size: tuple[int, int] = Field((256, 256), description="bands and frames of the images (§3.1.2)")
    n_mfcc: int = Field(40, ge=33, description="cepstral coefficients (§3.1.1)")
    mfcc_frames: int = Field(256, ge=145, description="frames that they are resized to (§3.1.1, Figure 4.2)")
    standardise_descriptors: bool = Field(
        False, description="scale each row of the descriptor matrix by its statistics on the training clips"
    )
    fbank_window: Literal["hann", "hamming"] = Field("hann", description="window of the filter banks: code, or text")
    ast_normalisation: Literal["code", "library", "both"] = Field(
        "code", description="constants of the filter banks: the authors', AudioSet's, or one after the other"
    )
    max_ast_frames: int = Field(1024, ge=16, description="frames of a 10 s filter bank, filled with zeros (§4.5)")

    dropout: float = Field(0.2, ge=0, lt=1, description="in the heads (§4.1 to §4.4)")
    mfcc_norm_first: bool = Field(True, description="batch norm before the ReLU in the MFCC network: code, or text")
    resnet_blocks: tuple[int, int, int, int] = Field((3, 4, 6, 3), description="blocks per stage: ResNet-50 (§4.4)")
    resnet_width: int = Field(64, ge=4, description="channels of the first stage of the ResNet (§4.4)")
    ast_layers: int = Field(12, ge=1, description="layers of the transformer (§4.5)")
    ast_width: int = Field(768, ge=8, description="width of the transformer (§4.5)")
    ast_heads: int = Field(12, ge=1, description="attention heads of the transformer (§4.5)")
    initial_weights: Literal["random", "published"] = Field(
        "random", description="published: ImageNet's for the ResNet, AudioSet's for the transformer, from weights_dir"
    )
    weights_dir: Path | None = Field(
        None, description="folder with resnet50*.safetensors or .pth and ast-finetuned-audioset*/model.safetensors"
    )

    batch_size: int = Field(16, ge=2, description="clips per step; windows per step grow with their number (§4.1)")
    epochs: int = Field(35, ge=1, description="epochs of every network (Tables 4.3 to 4.5)")
    learning_rates: Literal["paper", "code"] = Field("paper", description="final rates: the tables', or the code's")
    rates_cnn: Rates = Field((1e-3, 1e-5), description="first and last rate of the small networks (Table 4.3)")
    rates_resnet: Rates = Field((2e-4, 1e-6), description="first and last rate of the ResNet (Table 4.4)")
    rates_ast_base: Rates = Field((2e-5, 2e-6), description="first and last rate of the transformer (Table 4.5)")
    rates_ast_head: Rates = Field((1e-3, 1e-4), description="first and last rate of its classifier (Table 4.5)")
    l2_cnn: float = Field(5e-4, ge=0, description="L2 factor of the small networks (Table 4.3)")
    l2_resnet: float = Field(1e-5, ge=0, description="L2 factor of the ResNet (Table 4.4)")
    l2_ast_high: Rates = Field((1e-4, 1e-3), description="L2 factors of transformer and classifier (Table 4.5)")
    l2_ast_low: Rates = Field((1e-5, 1e-5), description="the weaker pair (§5.6, Figure 5.5b)")
    decay_power: float = Field(0.7, gt=0, description="exponent of the decay of the rates (chapter 4)")
    warmup: float = Field(0.05, ge=0, lt=1, description="part of the training in which they rise (chapter 4)")
    clip_norm_ast: float = Field(1.0, gt=0, description="largest norm of the transformer's gradient (published code)")
    accumulate_ast: int = Field(16, ge=1, description="parts that a batch of the transformer is cut into (§4.5)")
    train_drop_last: bool = Field(True, description="leave out a last training batch that is not full")
    batch_norm_statistics: Literal["running", "recalculated"] = Field(
        "running", description="running averages of training, or those of the training clips under the final weights"
    )
    selection: Literal["best", "last"] = Field("best", description="weights: lowest validation loss (§5.1), or last")

    augment: bool = Field(True, description="random changes of the training clips (§3.4)")
    noise_amount: float = Field(0.005, ge=0, description="scale of the noise (§3.4.1)")
    pitch_semitones: float = Field(6.0, ge=0, description="largest shift of the pitch (§3.4.1)")
    time_shift: float = Field(0.4, ge=0, le=1, description="largest roll in time, as part of the clip (§3.4.1)")
    n_masks: tuple[int, int] = Field((2, 2), description="masks over frequency and over time (§3.4.2)")
    mask_limit: float = Field(0.1, ge=0, le=1, description="largest mask, as part of its axis (§3.4.2)")

    min_sampled: int = Field(1, ge=1, description="fewest clips in a mixture (§3.5)")
    unsampled: float = Field(0.001, gt=0, lt=1, description="share of clips that an epoch of TDS may miss (§3.5.1)")

    threshold: float = Field(0.5, gt=0, lt=1, description="of S2 scores (§4.7)")
    drop_last: bool = Field(False, description="leave out a last batch of test clips, as the published code does")
    systems: tuple[str, ...] = Field((), description="systems to train; none named: all that the data allow")
    systems_on_notes: tuple[str, ...] = Field(
        ("resnet_1s", "cnn_raw", "cnn_mfcc", "cnn_features"), description="the same where single notes take over"
    )
    alpha_anova: float = Field(0.001, gt=0, lt=1, description="level of the analysis of variance (§2.5)")
    n_seeds: int = Field(3, ge=1, description="independent repetitions; the paper ran one")
    n_draws: int = Field(2000, ge=100, description="bootstrap draws for intervals")
    synthetic: Literal["smoke", "demo"] = Field("demo", description="size of the synthetic sets, where they are used")

    @model_validator(mode="after")
    def _goes_together(self) -> "Settings":
        for name in RATES:
            first, last = getattr(self, f"rates_{name}")
            if not 0 < last <= first:
                raise ValueError(
                    f"rates_{name} = ({first}, {last}) must be a first rate and a last one below it, above 0"
                )
            if self.learning_rates == "code" and (first, last) != type(self).model_fields[f"rates_{name}"].default:
                raise ValueError(f"learning_rates = 'code' and rates_{name} exclude each other; set one of them")
        if min(self.image_size) < 32:
            raise ValueError(f"image_size = {self.image_size} must be at least 32 × 32 for the ResNet")
        if self.ast_width % self.ast_heads:
            raise ValueError(f"ast_width = {self.ast_width} must be a multiple of ast_heads = {self.ast_heads}")
        if self.batch_size % self.accumulate_ast:
            raise ValueError(
                f"batch_size = {self.batch_size} must be a multiple of accumulate_ast = {self.accumulate_ast}"
            )
        if self.initial_weights == "published" and self.weights_dir is None:
            raise ValueError("initial_weights = 'published' needs weights_dir, the folder that they are in")
        return self._long_enough()

    def _long_enough(self) -> "Settings":
        """Check that a window gives the small networks enough samples and frames."""
        n_samples = round(self.window_seconds * self.sample_rate)
        if n_samples < 14_110:
            raise ValueError(
                f"window_seconds × sample_rate = {n_samples} samples, and the network on samples needs 14,110"
            )
        if 1 + n_samples // self.hop_length < 37:
            raise ValueError(
                f"hop_length = {self.hop_length} gives {1 + n_samples // self.hop_length} frames per window, and the "
                "network on descriptors needs 37"
            )
        if self.sample_rate <= 12_800:
            raise ValueError(f"sample_rate = {self.sample_rate} Hz must be above 12800 Hz for spectral contrast")
        return self

    def rates(self, part: Literal["cnn", "resnet", "ast_base", "ast_head"]) -> Rates:
        """First and last rate of learning of a network or a part of one."""
        first, last = getattr(self, f"rates_{part}")
        return (first, CODE_FINAL_RATES.get(part, last) if self.learning_rates == "code" else last)
