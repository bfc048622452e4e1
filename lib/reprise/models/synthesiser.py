"""What the DDSP vocoders share: a network for the controls, an oscillator, noise, filters, and state for chunks."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from reprise.audio.filters import TimeVariantFilter, filter_frames, uniform_noise
from reprise.audio.oscillators import Oscillation, upsample
from reprise.models.mel2control import Mel2Control

__all__ = ["SynthesisState", "Vocoder", "VocoderOutput", "positive", "to_pitch"]

LOWEST, HIGHEST = 80.0, 1000.0


@dataclass(frozen=True)
class VocoderOutput:
    """What a vocoder makes of a mel spectrogram.

    Attributes
    ----------
    audio : Tensor [shape=(batch, n_frames * hop_length)]
        Sum of the next two, where there are.
    harmonic, noise : Tensor [shape=(batch, n_frames * hop_length)] or None
        None where a model does not tell them apart, as the next.
    f0 : Tensor [shape=(batch, n_frames)] or None, Hz
        As predicted, with gradient; the synthesiser has used it without.
    voicing : Tensor [shape=(batch, n_frames)] or None, in (0, 1)
        Gain of the harmonic source, where a gate is learned.
    """

    audio: Tensor
    harmonic: Tensor | None = None
    noise: Tensor | None = None
    f0: Tensor | None = None
    voicing: Tensor | None = None


@dataclass
class SynthesisState:
    """What a synthesiser carries from chunk to chunk; a new one starts a new signal.

    Attributes
    ----------
    phase : Tensor [shape=(batch,)] or None, cycles
        Where the oscillator stands; None before the first chunk, which starts at 0.
    filters : dict of str to TimeVariantFilter
        Those of the branches ``harmonic`` and ``noise``, with what still rings.
    """

    phase: Tensor | None = None
    filters: dict[str, TimeVariantFilter] = field(default_factory=dict, repr=False)


def to_pitch(logit: Tensor) -> Tensor:
    r"""Frequency on a logarithmic scale, :math:`80 (1000 / 80)^{\sigma(u)}` Hz.

    Parameters
    ----------
    logit : Tensor [shape=(...)]

    Returns
    -------
    Tensor [shape=(...)], Hz, between 80 and 1000
        Never 0: without a gate no frame is unvoiced.
    """
    return LOWEST * torch.exp(math.log(HIGHEST / LOWEST) * torch.sigmoid(logit))


def positive(logit: Tensor) -> Tensor:
    r"""Amplitude without bounds to amplitude above zero, :math:`2 \sigma(x)^{\ln 10} + 10^{-7}`.

    Parameters
    ----------
    logit : Tensor [shape=(...)]

    Returns
    -------
    Tensor [shape=(...)], between 1e-7 and 2
    """
    return 2 * torch.exp(math.log(10) * nn.functional.logsigmoid(logit)) + 1e-7


class Vocoder(nn.Module, ABC):
    """Network, oscillator and noise, each filtered from frame to frame; subclasses say what the oscillator is.

    Parameters
    ----------
    sample_rate : int, Hz
    hop_length : int, samples
    n_mels : int
    interpolation : "nearest" or "linear"
        How frequencies, amplitudes and voicing of frames become samples; the authors' code holds them.
    crossfade : bool
        Cross-fade filters instead of switching them at the borders of the blocks, as the authors' code does.
    compensate : bool
        Remove the filters' delay, 10.6 ms and 3.3 ms in SawSing, which the authors' code keeps.
    voicing_gate : bool
        Learn when the harmonic source sounds, which the authors' models cannot; 66 parameters more.
    phase_precision : "double" or "single"
        See `reprise.audio.oscillators.accumulate_phase`; the authors' code has single precision.

    Notes
    -----
    The gradient of the audio does not reach the frequency: only the f0 loss trains it.
    Paper: Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """

    heads: ClassVar[dict[str, int]] = {}

    def __init__(
        self,
        *,
        sample_rate: int = 24000,
        hop_length: int = 240,
        n_mels: int = 80,
        interpolation: Literal["nearest", "linear"] = "nearest",
        crossfade: bool = False,
        compensate: bool = False,
        voicing_gate: bool = False,
        phase_precision: Literal["double", "single"] = "double",
    ) -> None:
        super().__init__()
        if interpolation not in ("nearest", "linear"):
            raise ValueError(f"interpolation={interpolation!r}; choose 'nearest' or 'linear'")
        self.sample_rate, self.hop_length = sample_rate, hop_length
        self.interpolation = interpolation
        self.crossfade, self.compensate = crossfade, compensate
        self.phase_precision: Literal["double", "single"] = phase_precision
        gate = {"voicing": 1} if voicing_gate else {}
        self.network = Mel2Control({"f0": 1, **self.heads, **gate}, n_mels=n_mels)

    def forward(
        self, mel: Tensor, *, f0: Tensor | None = None, generator: torch.Generator | None = None
    ) -> VocoderOutput:
        """Resynthesise mel spectrograms.

        Parameters
        ----------
        mel : Tensor [shape=(batch, n_frames, n_mels)]
            Base-10 logarithm of mel magnitudes.
        f0 : Tensor [shape=(batch, n_frames)] or None, Hz
            Sounds instead of the predicted one; 0 for unvoiced.
        generator : torch.Generator or None
            Draws the noise; default: torch's own.

        Returns
        -------
        VocoderOutput
        """
        controls = self.controls(mel)
        predicted = controls["f0"]
        if f0 is not None:
            controls["f0"] = f0.expand_as(predicted)
        output = self.synthesise(controls, generator=generator)
        return VocoderOutput(output.audio, output.harmonic, output.noise, predicted, output.voicing)

    def controls(self, mel: Tensor) -> dict[str, Tensor]:
        """Controls of the synthesiser, each within its bounds.

        Parameters
        ----------
        mel : Tensor [shape=(batch, n_frames, n_mels)]

        Returns
        -------
        dict of str to Tensor
            ``f0`` [shape=(batch, n_frames)], Hz; magnitudes, amplitudes and weights [shape=(batch, n_frames, n)], > 0;
            ``voicing`` [shape=(batch, n_frames)], in (0, 1), where there is a gate.
        """
        logits = {
            name: logit if logit.dtype == torch.float64 else logit.float() for name, logit in self.network(mel).items()
        }
        controls = {"f0": to_pitch(logits.pop("f0")[..., 0])}
        if "voicing" in logits:
            controls["voicing"] = torch.sigmoid(logits.pop("voicing")[..., 0])
        return controls | {name: positive(logit) for name, logit in logits.items()}

    def synthesise(
        self,
        controls: dict[str, Tensor],
        *,
        state: SynthesisState | None = None,
        generator: torch.Generator | None = None,
    ) -> VocoderOutput:
        """Sound of controls, at once or chunk by chunk.

        Parameters
        ----------
        controls : dict of str to Tensor
            See `controls`.
        state : SynthesisState or None
            Carries a signal from chunk to chunk, and is changed.
        generator : torch.Generator or None
            Draws the noise; default: torch's own.

        Returns
        -------
        VocoderOutput

        Raises
        ------
        ValueError
            If a frequency is negative or not finite, or if a state is given with linear interpolation or with
            filters that do not answer at once.
        """
        if state is not None and (self.interpolation != "nearest" or self.crossfade or self.compensate):
            raise ValueError(
                "a synthesiser that looks ahead cannot work chunk by chunk; build it with interpolation='nearest', "
                "crossfade=False and compensate=False"
            )
        with torch.no_grad():
            f0 = controls["f0"].detach()
            source_f0 = upsample(f0, hop_length=self.hop_length, interpolation=self.interpolation)
            white = uniform_noise(source_f0.shape[1], batch=len(f0), like=source_f0, generator=generator)
        phase = None if state is None else state.phase
        # transforms and long sums need single precision, whatever an enclosing autocast chooses for the network
        with torch.autocast(device_type=f0.device.type, enabled=False):
            harmonic, final = self._source(controls, source_f0, initial_phase=phase)
            if "voicing" in controls:
                gate = upsample(controls["voicing"], hop_length=self.hop_length, interpolation=self.interpolation)
                harmonic = harmonic * gate
            if "harmonic" in controls:
                harmonic = self._filter(harmonic, controls["harmonic"], branch="harmonic", state=state)
            noise = self._filter(white, controls["noise"], branch="noise", state=state)
        if state is not None:
            state.phase = final
        return VocoderOutput(harmonic + noise, harmonic, noise, controls["f0"], controls.get("voicing"))

    @abstractmethod
    def _source(self, controls: dict[str, Tensor], f0: Tensor, *, initial_phase: Tensor | None) -> Oscillation:
        """Harmonic source before its filter, for frequencies per sample."""

    def _filter(self, x: Tensor, magnitudes: Tensor, *, branch: str, state: SynthesisState | None) -> Tensor:
        if state is not None:
            stream = state.filters.setdefault(branch, TimeVariantFilter(hop_length=self.hop_length))
            return stream.process(x, magnitudes)
        return filter_frames(
            x, magnitudes, hop_length=self.hop_length, compensate=self.compensate, crossfade=self.crossfade
        )
