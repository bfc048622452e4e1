"""The paper's systems as trials, made from the settings."""

from typing import Any

from reprise.audio.kaldi import AUDIOSET_MEAN, AUDIOSET_STD
from reprise.files import sha256_file
from reprise.papers.choices import closest
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.systems import SYSTEMS, SetName, System, split_condition
from reprise.papers.irmas.trials import (
    AugmentConfig,
    ClipConfig,
    DataSets,
    InputConfig,
    IrmasTrial,
    MixingConfig,
    NetworkConfig,
    OptimiserConfig,
)

__all__ = ["SYSTEMS", "ClipConfig", "DataSets", "IrmasTrial", "clip_config", "conditions", "split_condition"]

# the authors' constants of the filter banks of their copy of IRMAS
IRMAS_BANKS = (0.4658, 0.3385)
# from here on a window is AudioSet's whole clip, and its filter bank is filled up to the longest
LONG_WINDOW = 10.0
# settings that a trial takes over under their names
COPIED = (
    "batch_size",
    "epochs",
    "train_drop_last",
    "batch_norm_statistics",
    "selection",
    "threshold",
    "drop_last",
)


def clip_config(settings: Settings, *, sample_rate: int | None = None) -> ClipConfig:
    """Part of the settings that decides how the data sets are read.

    Parameters
    ----------
    settings : Settings
    sample_rate : int or None, Hz
        Default: the settings' ``sample_rate``.

    Returns
    -------
    ClipConfig
    """
    return ClipConfig(
        sample_rate=sample_rate or settings.sample_rate,
        split=settings.split,
        split_seed=settings.split_seed,
        contradictory=settings.contradictory,
    )


def conditions(
    settings: Settings, *, seed: int, sets: DataSets, device: str = "auto", everything: bool = False
) -> dict[str, IrmasTrial]:
    """All systems of one seed that the data allow, in the paper's order.

    Parameters
    ----------
    settings : Settings
    seed : int ≥ 0
    sets : DataSets
        From ``Collection.sets``.
    device : str
        ``auto``, ``cpu`` or ``cuda:N``; not part of a trial's identity.
    everything : bool
        Leave ``systems`` and ``systems_on_notes`` of the settings out of account.

    Returns
    -------
    dict
        System, as named in ``reported.yaml`` → trial. Each trial is scored on every set of ``sets``.

    Raises
    ------
    ValueError
        If the settings name a system that does not exist.
    FileNotFoundError
        If published weights are asked for and are not there.
    """
    on_notes = sets.collection == "philharmonia"
    wanted = settings.systems or (settings.systems_on_notes if on_notes else tuple(SYSTEMS))
    for name in wanted:
        if name not in SYSTEMS:
            raise ValueError(f"unknown system {name!r}{closest(name, SYSTEMS)} the systems are {', '.join(SYSTEMS)}")
    return {
        name: _trial(name, settings, seed=seed, sets=sets, device=device)
        for name, system in SYSTEMS.items()
        if (everything or name in wanted) and (system.trained_on == "irmas" or sets.audioset is not None)
    }


def _trial(name: str, settings: Settings, *, seed: int, sets: DataSets, device: str) -> IrmasTrial:
    system = SYSTEMS[name]
    on_irmas = system.trained_on == "irmas"
    sample_rate = settings.sample_rate_ast if system.family == "ast" else settings.sample_rate
    inputs = _inputs(system, settings, sample_rate=sample_rate)
    return IrmasTrial(
        paper="irmas",
        condition=name,
        seed=seed,
        dataset=sets.irmas if on_irmas else sets.audioset or "",
        data_root=sets.irmas_root if on_irmas else sets.audioset_root,
        device=device,
        trained_on=system.trained_on,
        sets=sets,
        clips=clip_config(settings, sample_rate=sample_rate),
        inputs=inputs,
        network=_network(system, settings, n_frames=inputs.n_frames),
        optimiser=_optimiser(system, settings),
        augment=_augment(system, settings),
        mixing=_mixing(system, settings),
        **{field: getattr(settings, field) for field in COPIED},
    )


def _inputs(system: System, settings: Settings, *, sample_rate: int) -> InputConfig:
    seconds = system.window or settings.window_seconds
    common: dict[str, Any] = {"window_seconds": seconds, "standardise": settings.standardise}
    frames: dict[str, Any] = common | {"n_fft": settings.n_fft, "hop_length": settings.hop_length}
    cepstrum = (settings.n_mfcc, settings.mfcc_frames)
    match system.family:
        case "raw":
            return InputConfig(feature="raw", **common)
        case "mfcc":
            return InputConfig(feature="mfcc", n_mfcc=settings.n_mfcc, size=cepstrum, **frames)
        case "features":
            return InputConfig(feature="descriptors", row_statistics=settings.standardise_descriptors, **frames)
        case "features_2d":
            # a kernel over neighbouring rows needs rows of one scale
            return InputConfig(feature="descriptors", row_statistics=True, size=(40, settings.mfcc_frames), **frames)
        case "resnet":
            return InputConfig(feature="mel", n_mels=settings.n_mels, size=settings.image_size, **frames)
        case "ast":
            return InputConfig(
                feature="fbank",
                n_frames=_bank_frames(seconds, sample_rate=sample_rate, longest=settings.max_ast_frames),
                fbank_window=settings.fbank_window,
                fbank_statistics=_bank_statistics(settings, system.trained_on),
                **common,
            )


def _bank_frames(seconds: float, *, sample_rate: int, longest: int) -> int:
    """Frames of a window's filter bank: whole frames only, but all of the published model's for 10 s."""
    frames = 1 + (round(seconds * sample_rate) - int(0.025 * sample_rate)) // int(0.010 * sample_rate)
    return longest if seconds >= LONG_WINDOW else min(frames, longest)


def _bank_statistics(settings: Settings, trained_on: SetName) -> tuple[float, float]:
    """Mean and deviation for (x − mean) / (2 · deviation)."""
    library = (AUDIOSET_MEAN, AUDIOSET_STD)
    if settings.ast_normalisation == "library" or trained_on == "audioset":
        return library
    mean, deviation = IRMAS_BANKS
    if settings.ast_normalisation == "code":
        return mean, deviation
    # the library's first, the authors' on its result: two linear maps are one
    return library[0] + 2 * library[1] * mean, 2 * library[1] * deviation


def _network(system: System, settings: Settings, *, n_frames: int | None) -> NetworkConfig:
    family = system.family
    if family == "resnet":
        return NetworkConfig(
            family=family,
            dropout=settings.dropout,
            blocks=settings.resnet_blocks,
            width=settings.resnet_width,
            **_weights(settings, ("resnet50*.safetensors", "resnet50*.pth")),
        )
    if family == "ast":
        return NetworkConfig(
            family=family,
            layers=settings.ast_layers,
            width=settings.ast_width,
            heads=settings.ast_heads,
            n_frames=n_frames,
            **_weights(settings, ("ast-finetuned-audioset*/model.safetensors",)),
        )
    norm_first = settings.mfcc_norm_first if family in ("mfcc", "features_2d") else None
    return NetworkConfig(family=family, dropout=settings.dropout, norm_first=norm_first)


def _weights(settings: Settings, patterns: tuple[str, ...]) -> dict[str, Any]:
    """Path and hash of published weights, where the settings ask for them."""
    if settings.initial_weights == "random" or settings.weights_dir is None:
        return {}
    folder = settings.weights_dir.expanduser()
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    if not found:
        raise FileNotFoundError(
            f"{folder} has no {' or '.join(patterns)}; put the published weights there or set initial_weights=random"
        )
    return {"weights": found[0], "weights_sha256": sha256_file(found[0])}


def _optimiser(system: System, settings: Settings) -> OptimiserConfig:
    shape = {"decay_power": settings.decay_power, "warmup": settings.warmup}
    if system.family == "ast":
        return OptimiserConfig(
            rates=(settings.rates("ast_base"), settings.rates("ast_head")),
            weight_decays=settings.l2_ast_low if system.l2 == "low" else settings.l2_ast_high,
            clip_norm=settings.clip_norm_ast,
            accumulate=settings.accumulate_ast,
            **shape,
        )
    if system.family == "resnet":
        return OptimiserConfig(rates=(settings.rates("resnet"),), weight_decays=(settings.l2_resnet,), **shape)
    return OptimiserConfig(rates=(settings.rates("cnn"),), weight_decays=(settings.l2_cnn,), **shape)


def _augment(system: System, settings: Settings) -> AugmentConfig | None:
    if not settings.augment:
        return None
    # only spectrograms are masked: mel images and cepstra
    masked = system.family in ("resnet", "mfcc")
    return AugmentConfig(
        noise_amount=settings.noise_amount,
        pitch_semitones=settings.pitch_semitones,
        time_shift=settings.time_shift,
        n_masks=settings.n_masks if masked else (0, 0),
        mask_limit=settings.mask_limit if masked else 0.0,
    )


def _mixing(system: System, settings: Settings) -> MixingConfig | None:
    if system.sampling == "static":
        return None
    return MixingConfig(
        kind=system.sampling,
        min_sampled=settings.min_sampled,
        max_sampled=system.max_sampled,
        unsampled=settings.unsampled if system.sampling == "true" else None,
    )
