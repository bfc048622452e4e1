"""Systems of the instrument paper as trials: what each is made of, and what belongs to its identity."""

from pathlib import Path

import pytest

import reprise.papers.irmas as room
from reprise.audio.kaldi import AUDIOSET_MEAN, AUDIOSET_STD
from reprise.files import sha256_file
from reprise.papers.irmas.conditions import SYSTEMS, conditions, split_condition
from reprise.papers.irmas.settings import Settings
from reprise.papers.irmas.trials import DataSets
from reprise.report.reported import Reported

SETS = DataSets(irmas="i", audioset="a")


def make(settings: Settings | None = None, *, seed: int = 0, sets: DataSets = SETS, **options):
    return conditions(settings or Settings(), seed=seed, sets=sets, **options)


def test_every_published_condition_has_a_trial():
    reported = Reported.load(Path(room.__file__).with_name("reported.yaml"))
    published = {row for table in reported.tables.values() for row in table.rows}
    published |= {point.condition for figure in reported.figures.values() for point in figure.points()}
    systems = {split_condition(name)[0] for name in published if name and split_condition_or_none(name)}
    assert systems & set(SYSTEMS) >= set(SYSTEMS) - {"cnn_features_2d"}


def split_condition_or_none(name):
    try:
        return split_condition(name)
    except ValueError:
        return None


def test_windows_and_sets_of_the_systems():
    trials = make()
    windows = {name: trial.inputs.window_seconds for name, trial in trials.items()}
    assert windows["resnet_2s"] == 2
    assert windows["resnet_3s"] == windows["bspds5_3s"] == 3
    assert windows["resnet_audioset"] == windows["ast_audioset"] == 10
    assert {name for name, seconds in windows.items() if seconds == 1} == {
        "resnet_1s", "cnn_raw", "cnn_mfcc", "cnn_features", "tds5_1s", "tds4_1s", "bspds5_1s", "ast_low_l2",
        "ast_high_l2", "cnn_features_2d",
    }  # fmt: skip
    assert {name for name, trial in trials.items() if trial.trained_on == "audioset"} == {
        "resnet_audioset",
        "ast_audioset",
    }
    assert trials["resnet_audioset"].dataset == "a"
    assert trials["resnet_1s"].dataset == "i"
    assert {trial.clips.sample_rate for trial in trials.values() if trial.network.family == "ast"} == {16000}


def test_only_dynamic_systems_mix():
    mixed = {name: trial.mixing for name, trial in make().items() if trial.mixing}
    assert {name: (one.kind, one.max_sampled) for name, one in mixed.items()} == {
        "tds5_1s": ("true", 5),
        "tds4_1s": ("true", 4),
        "bspds5_1s": ("base", 5),
        "bspds5_3s": ("base", 5),
    }


def test_the_transformer_has_1214_and_110_positions_and_two_pairs_of_rates():
    from reprise.models.ast import n_positions

    trials = make()
    assert n_positions(trials["ast_audioset"].network.n_frames) == 1214
    assert n_positions(trials["ast_high_l2"].network.n_frames) == 110
    assert trials["ast_high_l2"].optimiser.weight_decays == (1e-4, 1e-3)
    assert trials["ast_low_l2"].optimiser.weight_decays == (1e-5, 1e-5)
    assert trials["ast_low_l2"].optimiser.rates == ((2e-5, 2e-6), (1e-3, 1e-4))
    assert (trials["ast_low_l2"].optimiser.clip_norm, trials["ast_low_l2"].optimiser.accumulate) == (1.0, 16)


def test_filter_banks_are_normalised_by_the_chosen_constants():
    def constants(choice, name="ast_high_l2"):
        return make(Settings(ast_normalisation=choice))[name].inputs.fbank_statistics

    assert constants("code") == (0.4658, 0.3385)
    assert constants("library") == (AUDIOSET_MEAN, AUDIOSET_STD)
    assert constants("code", "ast_audioset") == (AUDIOSET_MEAN, AUDIOSET_STD)
    x = 1.7
    once = (x - AUDIOSET_MEAN) / (2 * AUDIOSET_STD)
    mean, deviation = constants("both")
    assert (x - mean) / (2 * deviation) == pytest.approx((once - 0.4658) / (2 * 0.3385))


def test_without_audioset_its_systems_are_left_out_and_the_others_change():
    trials = make(sets=DataSets(irmas="i"))
    assert set(SYSTEMS) - set(trials) == {"resnet_audioset", "ast_audioset"}
    assert trials["resnet_1s"].fingerprint() != make()["resnet_1s"].fingerprint()


def test_notes_train_a_few_systems():
    sets = DataSets(irmas="n", collection="philharmonia")
    assert tuple(make(sets=sets)) == ("resnet_1s", "cnn_raw", "cnn_mfcc", "cnn_features")
    assert len(make(sets=sets, everything=True)) == len(SYSTEMS) - 2
    assert tuple(make(Settings(systems=("cnn_raw",)), sets=sets)) == ("cnn_raw",)


def test_an_unknown_system_is_named_with_the_closest():
    with pytest.raises(ValueError, match="did you mean 'resnet_1s'"):
        make(Settings(systems=("resnet_1",)))


def test_folders_and_devices_are_not_identity_but_data_and_seed_are(tmp_path):
    here = SETS.model_copy(update={"irmas_root": tmp_path, "audioset_root": tmp_path})
    first = make()["resnet_1s"].fingerprint()
    assert make(sets=here, device="cpu")["resnet_1s"].fingerprint() == first
    assert make(seed=1)["resnet_1s"].fingerprint() != first
    assert make(sets=SETS.model_copy(update={"audioset": "b"}))["resnet_1s"].fingerprint() != first


def test_a_setting_changes_the_systems_that_use_it_only():
    before = {name: trial.fingerprint() for name, trial in make().items()}

    def changed(**change):
        return {name for name, trial in make(Settings(**change)).items() if trial.fingerprint() != before[name]}

    assert changed(n_mels=128) == {name for name, one in SYSTEMS.items() if one.family == "resnet"}
    assert changed(unsampled=0.01) == {"tds5_1s", "tds4_1s"}
    assert changed(l2_ast_low=(1e-6, 1e-6)) == {"ast_low_l2"}
    assert changed(standardise_descriptors=True) == {"cnn_features"}
    assert changed(n_seeds=5, n_draws=100, alpha_anova=0.05) == set()


def test_published_weights_are_known_by_their_content(tmp_path):
    folder = tmp_path / "weights"
    (folder / "ast-finetuned-audioset-10-10-0.4593").mkdir(parents=True)
    (folder / "ast-finetuned-audioset-10-10-0.4593" / "model.safetensors").write_bytes(b"a")
    settings = Settings(initial_weights="published", weights_dir=folder)
    with pytest.raises(FileNotFoundError, match="resnet50"):
        make(settings)
    (folder / "resnet50-0676ba61.pth").write_bytes(b"r")
    first = make(settings)
    assert first["resnet_1s"].network.weights_sha256 == sha256_file(folder / "resnet50-0676ba61.pth")
    folder.rename(tmp_path / "elsewhere")
    moved = make(Settings(initial_weights="published", weights_dir=tmp_path / "elsewhere"))
    assert moved["ast_low_l2"].fingerprint() == first["ast_low_l2"].fingerprint()
    assert moved["ast_low_l2"].fingerprint() != make()["ast_low_l2"].fingerprint()


def test_conditions_name_system_and_set():
    assert split_condition("resnet_1s") == ("resnet_1s", "irmas")
    assert split_condition("resnet_1s>audioset") == ("resnet_1s", "audioset")
    with pytest.raises(ValueError, match="mnist"):
        split_condition("resnet_1s>mnist")
