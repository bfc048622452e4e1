"""The paper's systems as trials, made from the settings and the singers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reprise.data.pitch import Estimator, version_of
from reprise.papers.sawsing.networks import network_config
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.systems import ABLATIONS, SYSTEMS, Condition, Scenario, split_condition
from reprise.papers.sawsing.trials import (
    LossConfig,
    MelConfig,
    PitchConfig,
    ScoreConfig,
    SongsConfig,
    TrainingConfig,
    TrialKey,
    VocoderTrial,
)

if TYPE_CHECKING:
    from reprise.papers.sawsing.corpus import Collection

__all__ = ["SYSTEMS", "TrialKey", "VocoderTrial", "conditions", "mel_config", "songs_config", "split_condition"]

# what ``auto`` stands for: of the first kind the first that is installed, of the second one that made no labels
LABELLERS: tuple[Estimator, ...] = ("dio", "pyin")
JUDGES: tuple[Estimator, ...] = ("autocorrelation", "pyin")


def songs_config(settings: Settings, *, singer: str) -> SongsConfig:
    """Part of the settings that decides how a singer's songs are read.

    Parameters
    ----------
    settings : Settings
    singer : str

    Returns
    -------
    SongsConfig
        With the estimator that ``auto`` stands for on this machine.

    Raises
    ------
    ValueError
        If the package of the estimator is missing.
    """
    names = ("sample_rate", "hop_length", "n_test_songs", "n_valid_songs", "split_seed", "target_rms")
    wanted = settings.f0_estimator
    estimator = next(name for name in LABELLERS if _installed(name)) if wanted == "auto" else wanted
    chosen: dict[str, Any] = {name: getattr(settings, name) for name in names}
    return SongsConfig(singer=singer, pitch=_pitch(settings, estimator), **chosen)


def mel_config(settings: Settings) -> MelConfig:
    """Part of the settings that decides what the vocoders read.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    MelConfig
    """
    return MelConfig(
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        n_mels=settings.n_mels,
        center=settings.center_mel,
    )


def conditions(
    settings: Settings, collection: "Collection", *, seeds: Iterable[int], device: str = "auto"
) -> dict[TrialKey, VocoderTrial]:
    """All systems, scenarios, singers and seeds.

    Parameters
    ----------
    settings : Settings
    collection : Collection
        From `reprise.papers.sawsing.corpus.open_collection`.
    seeds : iterable of int ≥ 0
    device : str
        ``auto``, ``cpu`` or ``cuda:N``; not part of a trial's identity.

    Returns
    -------
    dict of TrialKey to VocoderTrial
        The regular scenario first, and each system before those that take its weights. Ablations are in the regular
        scenario only, where SawSing is, and left out where they change nothing under these settings.

    Raises
    ------
    ValueError
        If the package of an estimator is missing.
    """
    chosen = list(seeds)
    ablations = settings.ablations if "sawsing" in settings.trained else ()
    named = {*settings.trained, *ablations}
    grid: dict[TrialKey, VocoderTrial] = {}
    for scenario in ("regular", "limited"):
        if scenario not in settings.scenarios:
            continue
        for singer in collection.singers:
            for seed in chosen:
                for name in SYSTEMS:
                    if name in named and _differs(name, scenario, settings):
                        key = TrialKey(name, scenario, singer, seed)
                        grid[key] = _trial(key, settings, collection=collection, device=device)
    return grid


def _differs(name: str, scenario: Scenario, settings: Settings) -> bool:
    """Whether a system is one of its own in a scenario."""
    if name not in ABLATIONS:
        return True
    return scenario == "regular" and (SYSTEMS[name].debuzz or settings.of(name) != settings)


def _trial(key: TrialKey, settings: Settings, *, collection: "Collection", device: str) -> VocoderTrial:
    system, ours = SYSTEMS[key.system], settings.of(key.system)
    parent = None
    if system.weights_from is not None:
        parent = _trial(key._replace(system=system.weights_from), settings, collection=collection, device=device)
    songs = collection.singers[key.singer]
    return VocoderTrial(
        paper="sawsing",
        condition=f"{Condition(key.system, key.scenario).name}/{key.singer}",
        seed=key.seed,
        dataset=songs.fingerprint,
        data_root=collection.folder,
        device=device,
        system=key.system,
        scenario=key.scenario,
        songs=songs.config,
        mel=mel_config(ours),
        network=network_config(key.system, settings),
        training=None if parent is not None else _training(key, ours),
        scoring=_scoring(ours, songs.config),
        debuzz=system.debuzz,
        parent=parent,
    )


def _training(key: TrialKey, settings: Settings) -> TrainingConfig:
    limited = key.scenario == "limited"
    rival = SYSTEMS[key.system].family in ("pwg", "hifigan", "fastdiff")
    steps, early, stretch = (
        max(1, round(number * (settings.rival_steps if rival else 1.0)))
        for number in (
            settings.steps_limited if limited else settings.steps_regular,
            settings.early_steps,
            settings.valid_every,
        )
    )
    return TrainingConfig(
        n_songs=settings.n_limited_songs if limited else None,
        batch_size=settings.batch_size,
        n_samples=settings.n_samples - settings.n_samples % settings.hop_length,
        align_crops=settings.align_crops,
        shuffle=settings.shuffle,
        fill_batch=settings.fill_batch,
        learning_rate=settings.learning_rate_rivals if rival else settings.learning_rate,
        steps=steps,
        valid_every=stretch,
        early_step=early if early <= steps else None,
        selection=settings.selection,
        loss=_loss(key, settings, steps=steps),
    )


def _loss(key: TrialKey, settings: Settings, *, steps: int) -> LossConfig:
    family = SYSTEMS[key.system].family
    chosen: dict[str, Any] = {}
    if family == "pwg":
        chosen = {
            "adversarial": settings.weight_adversarial,
            "discriminator_start": round(settings.discriminator_start * steps),
            "discriminator_divisor": settings.discriminator_divisor,
        }
    elif family == "hifigan":
        chosen = {
            "adversarial": 1.0,
            "mel": settings.weight_mel,
            "features": settings.weight_features,
            "discriminator_start": 0,
            "discriminator_divisor": settings.discriminator_divisor,
        }
    elif family != "fastdiff":
        chosen = {"stft": settings.weight_stft, "f0": settings.weight_f0, "switch_step": settings.switch_step}
        if family == "nsf" or settings.voicing_gate:
            chosen["voicing"] = settings.weight_voicing
    return LossConfig(formula=settings.loss_formula, **chosen)


def _scoring(settings: Settings, songs: SongsConfig) -> ScoreConfig:
    judge: Estimator
    if settings.f0_evaluator == "auto":
        judge = next(name for name in JUDGES if name != songs.pitch.estimator)
    else:
        judge = settings.f0_evaluator
    return ScoreConfig(
        pitch=_pitch(settings, judge),
        piece_frames=settings.piece_frames,
        max_lag=settings.max_lag,
        n_noise=settings.n_noise,
        embedding=settings.embedding,
        n_held=settings.n_held,
        held_cents=settings.held_cents,
        held_step=settings.held_step,
        n_step=settings.n_step,
        n_partials=settings.n_partials,
    )


def _pitch(settings: Settings, estimator: Estimator) -> PitchConfig:
    return PitchConfig(estimator=estimator, search=settings.f0_search, lowest=settings.f0_lowest)


def _installed(estimator: str) -> bool:
    try:
        version_of(estimator)
    except ValueError:
        return False
    return True
