"""Every quantity of this paper that follows from the code alone, under the names that its tables and claims use."""

import math

import numpy as np
import torch

from reprise.audio.filters import delay_of, impulse_responses
from reprise.audio.losses import FLOOR_HZ
from reprise.audio.oscillators import naive_sawtooth
from reprise.models.shapes import count_parameters
from reprise.models.synthesiser import HIGHEST, LOWEST
from reprise.models.vocoders import N_HARMONICS, N_TABLES, TABLE_LENGTH, SawSing, SawSub
from reprise.papers.sawsing.networks import build
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import ABLATIONS, SYSTEMS

__all__ = ["architecture_quantities", "setting_quantities", "source_quantities"]

RIVALS = ("pwg", "hifigan", "fastdiff")
ALIASED_AT = (113, 227, 442, 811)  # Hz
NOTES = {"phase_snr_110": 110.0, "phase_snr_220": 220.0, "phase_snr_440": 440.0, "phase_snr": 880.0}  # Hz
DURATIONS = (2, 10, 60)  # s
# samples at which the phase is compared, spread over the duration; all of them would change 0.25 dB
N_COMPARED = 60_013


def setting_quantities(settings: Settings) -> dict[str, float]:
    """Constants of the authors' code as they are here, from the settings and from the models.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to float
        ``constant/<name>`` for the rows of the table of constants.
    """
    names = (
        "sample_rate", "hop_length", "n_fft", "n_mels", "f0_lowest", "batch_size", "crop_seconds", "learning_rate",
        "weight_stft", "weight_f0", "switch_step", "n_test_songs", "n_valid_songs", "n_limited_songs", "steps_regular",
        "steps_limited",
    )  # fmt: skip
    found = {name: float(getattr(settings, name)) for name in names}
    found |= dict(zip(("f0_floor", "f0_ceiling"), settings.f0_search, strict=True))
    found |= {"pitch_low": LOWEST, "pitch_high": HIGHEST, "n_harmonics": N_HARMONICS}
    found |= {"harmonic_bins": SawSing.heads["harmonic"], "noise_bins": SawSing.heads["noise"]}
    found |= {"sawsub_bins": SawSub.heads["harmonic"], "n_tables": N_TABLES, "table_length": TABLE_LENGTH}
    for branch in ("harmonic", "noise"):
        found[f"{branch}_taps"] = float(impulse_responses(torch.ones(SawSing.heads[branch])).shape[-1])
    return {f"constant/{name}": float(value) for name, value in found.items()}


def architecture_quantities(settings: Settings | None = None) -> dict[str, float]:
    """What follows from the networks and the filters.

    Parameters
    ----------
    settings : Settings or None
        Default: the paper's.

    Returns
    -------
    dict of str to float
        ``parameters/<system>`` and ``parameters/body`` (trainable; gains of the weight normalisation included),
        ``parameter_ratio/<rival>`` (to SawSing), ``delay/harmonic`` and ``delay/noise`` in samples,
        ``partials/needed`` (those below half of the sample rate at the lowest pitch) and
        ``f0_loss/unvoiced_frame`` (least loss of an unvoiced frame before the switch).
    """
    chosen = settings or Settings()
    # sizes alone matter, so no weights are drawn
    with torch.device("meta"):
        models = {name: build(name, chosen) for name in SYSTEMS if name not in ABLATIONS}
    counts = {name: float(count_parameters(model)) for name, model in models.items()}
    body = models["sawsing"].get_submodule("network")
    found = {f"parameters/{name}": count for name, count in counts.items()}
    found["parameters/body"] = float(count_parameters(body) - count_parameters(body.get_submodule("out")))
    found |= {f"parameter_ratio/{name}": counts[name] / counts["sawsing"] for name in RIVALS}
    found |= {f"delay/{branch}": float(delay_of(SawSing.heads[branch])) for branch in ("harmonic", "noise")}
    found["partials/needed"] = chosen.sample_rate / 2 / LOWEST
    found["f0_loss/unvoiced_frame"] = math.log(LOWEST + FLOOR_HZ) - math.log(FLOOR_HZ)
    return found


def source_quantities(*, sample_rate: int = 24000) -> dict[str, float]:
    """What naive sources lose, in dB.

    Parameters
    ----------
    sample_rate : int, Hz

    Returns
    -------
    dict of str to float
        ``alias/<f0>hz``, energy of the naive sawtooth away from its partials over that at them;
        ``phase_snr/<duration>s``, energy of the partials of 880 Hz over that of the error if their phase is added up
        in radians and stored in single precision; ``phase_snr_110/<duration>s`` and so on for 110, 220 and 440 Hz.
    """
    found = {f"alias/{f0}hz": _aliases(f0, sample_rate=sample_rate) for f0 in ALIASED_AT}
    return found | {
        f"{name}/{seconds}s": _phase_snr(f0, seconds, sample_rate=sample_rate)
        for name, f0 in NOTES.items()
        for seconds in DURATIONS
    }


def _aliases(f0: int, *, sample_rate: int) -> float:
    """Of one second at a whole number of Hz, in which partials fall on bins."""
    wave = naive_sawtooth(torch.full((1, sample_rate), float(f0), dtype=torch.float64), sample_rate=sample_rate).audio
    power = np.square(np.abs(np.fft.rfft(wave[0].numpy())))[1:]
    partial = np.zeros(len(power), dtype=bool)
    partial[f0 - 1 : sample_rate // 2 - 1 : f0] = True
    return float(10 * np.log10(power[~partial].sum() / power[partial].sum()))


def _phase_snr(f0: float, seconds: int, *, sample_rate: int) -> float:
    step = 2 * math.pi * f0 / sample_rate
    numbers = np.linspace(1, seconds * sample_rate, N_COMPARED).astype(int)
    exact = step * numbers
    # torch's running sum is rounded when it is stored, not at every addition, which would be far worse
    rounded = (float(np.float32(step)) * numbers).astype(np.float32)
    wave, error = np.zeros(len(exact)), np.zeros(len(exact))
    for number in range(1, math.ceil(sample_rate / 2 / f0)):
        partial = np.sin(number * exact) / number
        wave += partial
        error += np.sin(np.float32(number) * rounded) / number - partial
    return float(10 * np.log10(np.square(wave).sum() / np.square(error).sum()))
