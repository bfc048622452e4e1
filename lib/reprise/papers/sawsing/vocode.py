"""Resynthesis of a user's own recordings: from a mel spectrogram back to sound, by any stored vocoder."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.vocoder_input import log_mel
from reprise.files import atomic_path
from reprise.models.synthesiser import VocoderOutput
from reprise.papers.choices import UsageError
from reprise.papers.sawsing.stored_vocoder import LoadedVocoder, load_vocoder, save_vocoder
from reprise.papers.sawsing.synthesis import resynthesise
from reprise.seeds import torch_generator

__all__ = ["CannotVocode", "LoadedVocoder", "Vocoded", "load_vocoder", "save_vocoder", "vocode", "vocode_file"]

# below −80 dB there is only the rounding of 16 bits
QUIETEST = 1e-4
FORMATS = (".wav", ".flac")
BRANCHES = ("harmonic", "noise")


class CannotVocode(UsageError):
    """A recording that cannot be resynthesised as asked; the message is one line."""


@dataclass(frozen=True)
class Vocoded:
    """What `vocode_file` did.

    Attributes
    ----------
    files : list of Path
        Written files, the sound first.
    vocoder : str
        Name of what made them.
    seconds : float
        Length of the sound.
    sample_rate : int, Hz
    notes : list of str
        What was changed on the way.
    """

    files: list[Path]
    vocoder: str
    seconds: float
    sample_rate: int
    notes: list[str] = field(default_factory=list)


def vocode(y: Tensor, *, vocoder: LoadedVocoder, seed: int = 0, f0: Tensor | None = None) -> VocoderOutput:
    """Take recordings to mel spectrograms and back.

    Parameters
    ----------
    y : Tensor [shape=(time,) or (batch, time)], in [−1, 1]
        At the vocoder's rate.
    vocoder : LoadedVocoder
        From `load_vocoder`.
    seed : int
        Of the noise.
    f0 : Tensor [shape=(n_frames,) or (batch, n_frames)] or None, Hz
        Sung instead of the predicted pitch, with ``n_frames`` the time in hops, rounded up; 0 is unvoiced.

    Returns
    -------
    VocoderOutput
        As long as the input, and at its level. Always with a batch.

    Raises
    ------
    CannotVocode
        If a recording is silent, too short or not finite, or if the vocoder cannot be given a pitch.

    Notes
    -----
    Recordings are brought to the level of the training songs, which the vocoders depend on, and back. Unlike in the
    paper's code, silence is appended so that the last frames are not lost. Notebook: 04_sawsing.ipynb.
    """
    batch = y[None] if y.dim() == 1 else y
    gain = _gain(batch, vocoder=vocoder)
    mel = _mel(batch * gain, vocoder=vocoder)
    if f0 is not None:
        f0 = _checked_f0(f0, vocoder=vocoder, n_frames=mel.shape[1])
    output = resynthesise(
        vocoder.model, mel, generator=torch_generator("vocode", seed), f0=f0, debuzz=vocoder.config.debuzz
    )
    length = batch.shape[1]
    return replace(
        output,
        audio=output.audio[:, :length] / gain,
        harmonic=None if output.harmonic is None else output.harmonic[:, :length] / gain,
        noise=None if output.noise is None else output.noise[:, :length] / gain,
    )


def _gain(batch: Tensor, *, vocoder: LoadedVocoder) -> Tensor:
    """Factors to the level of the training songs [batch, 1]; recordings that have no level are refused."""
    mel = vocoder.config.mel
    shortest = mel.n_fft + mel.hop_length
    if batch.dim() != 2:
        raise CannotVocode(f"the recording has shape {tuple(batch.shape)}, not (time,) or (batch, time)")
    if batch.shape[1] < shortest:
        raise CannotVocode(
            f"too short: {batch.shape[1]} samples at {mel.sample_rate} Hz, and two frames take {shortest}"
        )
    if not torch.isfinite(batch).all():
        raise CannotVocode(f"{int((~torch.isfinite(batch)).sum())} samples are not finite; repair the recording")
    level = batch.double().square().mean(dim=1, keepdim=True).sqrt()
    if float(level.min()) < QUIETEST:
        decibels = 20 * math.log10(max(float(level.min()), 1e-12))
        raise CannotVocode(f"silent: its level is {decibels:.0f} dB, and below -80 dB there is nothing to sing")
    target = vocoder.config.target_rms
    return (torch.ones_like(level) if target is None else target / level).to(batch.dtype)


def _mel(batch: Tensor, *, vocoder: LoadedVocoder) -> Tensor:
    """Spectrogram with a frame for every begun block."""
    mel = vocoder.config.mel
    n_frames = -(-batch.shape[1] // mel.hop_length)
    length = n_frames * mel.hop_length if mel.center else (n_frames - 1) * mel.hop_length + mel.n_fft
    return log_mel(functional.pad(batch, (0, length - batch.shape[1])), **mel.model_dump())


def _checked_f0(f0: Tensor, *, vocoder: LoadedVocoder, n_frames: int) -> Tensor:
    if not vocoder.has_branches:
        raise CannotVocode(f"{vocoder.config.name} takes its pitch from the spectrogram alone and cannot be given one")
    if f0.shape[-1] != n_frames:
        raise CannotVocode(f"f0 has {f0.shape[-1]} frames, the recording {n_frames}")
    if not torch.isfinite(f0).all() or bool((f0 < 0).any()):
        raise CannotVocode("f0 must be finite and not negative; 0 Hz is unvoiced")
    return f0[None] if f0.dim() == 1 else f0


def vocode_file(
    source: str | Path,
    target: str | Path,
    *,
    weights: str | Path,
    resample: bool = False,
    branches: bool = False,
    seed: int = 0,
) -> Vocoded:
    """Resynthesise a recording on disk.

    Parameters
    ----------
    source : str or Path
        Recording that libsndfile reads; several channels are averaged.
    target : str or Path
        ``.wav`` or ``.flac``, 16 bits at the vocoder's rate; appears only when it is whole.
    weights : str or Path
        Folder for `load_vocoder`.
    resample : bool
        Bring a recording at another rate to the vocoder's.
    branches : bool
        Write the harmonic and the noise branch too: ``song_harmonic.wav`` and ``song_noise.wav`` beside ``song.wav``.
    seed : int
        Of the noise.

    Returns
    -------
    Vocoded

    Raises
    ------
    UsageError
        If the folder, the recording or the target cannot be used; the message is one line.
    """
    source, target = Path(source).expanduser(), Path(target).expanduser()
    _check_target(target, source=source)
    vocoder = load_vocoder(weights)
    if branches and not vocoder.has_branches:
        raise CannotVocode(f"{vocoder.config.name} has no branches; leave out --branches")
    samples, notes = _read(source, sample_rate=vocoder.sample_rate, resample=resample)
    try:
        output = vocode(samples, vocoder=vocoder, seed=seed)
    except CannotVocode as error:
        raise CannotVocode(f"{source}: {error}") from error
    sounds = {target: output.audio}
    if branches:
        sounds |= {target.with_name(f"{target.stem}_{name}{target.suffix}"): getattr(output, name) for name in BRANCHES}
    for path, sound in sounds.items():
        n_clipped = _write(path, sound[0], sample_rate=vocoder.sample_rate)
        notes += [f"{n_clipped} samples of {path.name} were clipped"] if n_clipped else []
    return Vocoded(
        files=list(sounds),
        vocoder=vocoder.config.name,
        seconds=len(samples) / vocoder.sample_rate,
        sample_rate=vocoder.sample_rate,
        notes=notes,
    )


def _check_target(target: Path, *, source: Path) -> None:
    if target.suffix.lower() not in FORMATS:
        raise CannotVocode(f"{target}: the sound is written as {' or '.join(FORMATS)}; give the file such an ending")
    if target.is_dir() or not target.absolute().parent.is_dir():
        problem = "is a folder" if target.is_dir() else f"there is no folder {target.parent}"
        raise CannotVocode(f"{target}: {problem}; name a file in a folder that there is")
    if target.exists() and source.exists() and target.samefile(source):
        raise CannotVocode(f"{target} is the recording itself, which would be lost; give another name with --out")


def _read(source: Path, *, sample_rate: int, resample: bool) -> tuple[Tensor, list[str]]:
    from reprise.data.decode import FULL_SCALE, BadAudio, decode

    if not source.is_file():
        raise CannotVocode(f"{source}: there is no such file; --in names a recording")
    try:
        decoded = decode(source, sample_rate=sample_rate)
    except BadAudio as error:
        raise CannotVocode(f"{source}: {error}") from error
    notes = []
    if decoded.source_rate != sample_rate:
        if not resample:
            raise CannotVocode(
                f"{source} has {decoded.source_rate} Hz and the vocoder sings at {sample_rate} Hz; "
                "--resample converts it"
            )
        notes.append(f"resampled from {decoded.source_rate} to {sample_rate} Hz")
    if decoded.n_channels > 1:
        notes.append(f"the mean of {decoded.n_channels} channels")
    if decoded.n_clipped:
        notes.append(f"{decoded.n_clipped} samples of {source.name} were beyond full scale")
    return torch.from_numpy(decoded.samples.astype("float32")) / FULL_SCALE, notes


def _write(path: Path, sound: Tensor, *, sample_rate: int) -> int:
    """Write 16 bits and tell how many samples did not fit."""
    import soundfile

    with atomic_path(path) as temporary:
        soundfile.write(temporary, sound.clamp(-1, 1).numpy(), sample_rate, subtype="PCM_16")
    return int((sound.abs() > 1).sum())
