"""The five DDSP vocoders: SawSing, DDSP-Add, DWTS, and two that only the authors' code has."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from reprise.audio.oscillators import Oscillation, accumulate_phase, naive_sawtooth, sawtooth
from reprise.audio.wavetables import additive, harmonics_below_nyquist, wavetable
from reprise.models.synthesiser import SynthesisState, Vocoder, VocoderOutput

__all__ = ["DWTS", "DDSPAdd", "Full", "SawSing", "SawSub", "SynthesisState", "Vocoder", "VocoderOutput"]

N_HARMONICS = 150
N_TABLES, TABLE_LENGTH = 20, 512


class SawSing(Vocoder):
    """Filtered band-limited sawtooth and filtered noise; 536,034 trainable parameters.

    Notes
    -----
    See :class:`Vocoder`. Paper: Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """

    heads: ClassVar[dict[str, int]] = {"harmonic": 256, "noise": 80}

    def _source(self, controls: dict[str, Tensor], f0: Tensor, *, initial_phase: Tensor | None) -> Oscillation:
        return sawtooth(
            f0,
            sample_rate=self.sample_rate,
            initial_phase=initial_phase,
            n_harmonics=N_HARMONICS,
            precision=self.phase_precision,
        )


class SawSub(Vocoder):
    """Filtered sawtooth with all its aliases and filtered noise; 552,930 trainable parameters.

    Notes
    -----
    See :class:`Vocoder`. In the authors' code only. Notebook: 04_sawsing.ipynb.
    """

    heads: ClassVar[dict[str, int]] = {"harmonic": 512, "noise": 80}

    def _source(self, controls: dict[str, Tensor], f0: Tensor, *, initial_phase: Tensor | None) -> Oscillation:
        return naive_sawtooth(
            f0, sample_rate=self.sample_rate, initial_phase=initial_phase, precision=self.phase_precision
        )


class DDSPAdd(Vocoder):
    """Sum of 150 partials with learned amplitudes and filtered noise; 529,104 trainable parameters.

    Notes
    -----
    See :class:`Vocoder`. Amplitudes are shares of a common level; the shares of partials above half of the sample rate
    are lost, not given to the others, so that high notes are softer.
    Paper: Engel et al. 2020; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """

    heads: ClassVar[dict[str, int]] = {"amplitude": 1, "partials": N_HARMONICS, "noise": 80}

    def _source(self, controls: dict[str, Tensor], f0: Tensor, *, initial_phase: Tensor | None) -> Oscillation:
        phase = accumulate_phase(
            f0, sample_rate=self.sample_rate, initial_phase=initial_phase, precision=self.phase_precision
        )
        frame_f0 = controls["f0"].detach()
        below = harmonics_below_nyquist(frame_f0, sample_rate=self.sample_rate, n_harmonics=N_HARMONICS)
        amplitudes = _shares(controls["partials"], controls["amplitude"]) * below
        wave = additive(amplitudes, phase, hop_length=self.hop_length, interpolation=self.interpolation)
        return Oscillation(wave, phase[:, -1])


class Full(DDSPAdd):
    """Sum of 150 partials with learned amplitudes, filtered, and filtered noise; 546,000 trainable parameters.

    Notes
    -----
    See :class:`Vocoder` and :class:`DDSPAdd`. In the authors' code only. Notebook: 04_sawsing.ipynb.
    """

    heads: ClassVar[dict[str, int]] = {"amplitude": 1, "partials": N_HARMONICS, "harmonic": 256, "noise": 80}


class DWTS(Vocoder):
    """Weighted sum of 20 learned wavetables and filtered noise; 530,764 trainable parameters.

    Notes
    -----
    See :class:`Vocoder`. Tables start as normal noise of 512 entries.
    Paper: Shan et al. 2022; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """

    heads: ClassVar[dict[str, int]] = {"amplitude": 1, "weights": N_TABLES, "noise": 80}

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.tables = nn.Parameter(torch.randn(N_TABLES, TABLE_LENGTH))

    def _source(self, controls: dict[str, Tensor], f0: Tensor, *, initial_phase: Tensor | None) -> Oscillation:
        phase = accumulate_phase(
            f0, sample_rate=self.sample_rate, initial_phase=initial_phase, precision=self.phase_precision
        )
        wave = wavetable(
            self.tables,
            _shares(controls["weights"], controls["amplitude"]),
            phase=phase,
            f0=controls["f0"].detach(),
            sample_rate=self.sample_rate,
            hop_length=self.hop_length,
            interpolation=self.interpolation,
        )
        return Oscillation(wave, phase[:, -1])


def _shares(parts: Tensor, level: Tensor) -> Tensor:
    """Parts in proportion, which add up to the level."""
    return level * parts / parts.sum(dim=-1, keepdim=True)
