"""The grid of the tagging paper: which trials, with which settings, after which others."""

import pytest

from reprise.papers.tune.conditions import PretrainTrial, ProbeTrial, TrialKey, batch_of, encoder_config
from reprise.papers.tune.settings import Settings


def test_every_condition_is_pre_trained_and_then_probed(grid):
    _, trials = grid()
    assert list(trials) == [
        TrialKey("vanilla_small", "pretrain", 0),
        *(TrialKey("vanilla_small", task, 0) for task in ("mtt", "gtzan", "key", "emotion")),
        TrialKey("vanilla_small@gtzan", "pretrain", 0),
        TrialKey("vanilla_small@gtzan", "mtt", 0),
        *(TrialKey("mel_statistics", task, 0) for task in ("mtt", "gtzan", "key", "emotion")),
    ]
    for key, trial in trials.items():
        if key.stage == "pretrain":
            assert isinstance(trial, PretrainTrial)
        else:
            assert isinstance(trial, ProbeTrial)
            parent = None if key.condition == "mel_statistics" else trials[key._replace(stage="pretrain")]
            assert trial.requires() == ([] if parent is None else [parent])


def test_without_tags_what_there_is_is_probed(grid):
    _, trials = grid(without=("magnatagatune",))
    assert [(key.condition, key.stage) for key in trials] == [
        *(("vanilla_small@gtzan", stage) for stage in ("pretrain", "gtzan", "key", "emotion")),
        *(("mel_statistics", task) for task in ("gtzan", "key", "emotion")),
    ]


def test_settings_reach_the_trials(grid):
    _, trials = grid(views="clmr_v1", nt_xent_groups=1, same_crop=True, probe_windows="all", key_strategy="vote")
    training, probe = trials[TrialKey("vanilla_small", "pretrain", 0)], trials[TrialKey("vanilla_small", "mtt", 0)]
    assert (training.groups, training.same_crop, training.epochs, training.batch_size) == (1, True, 2, 4)
    assert training.views.settings == Settings(views="clmr_v1", pitch_n_fft=256).view_settings
    assert probe.protocol.windows == "all"
    assert probe.layers
    assert not trials[TrialKey("mel_statistics", "mtt", 0)].layers
    assert trials[TrialKey("vanilla_small", "key", 0)].key_strategy == "vote"
    assert probe.key_strategy is None


def test_each_task_stops_its_probes_by_a_score_of_its_own_unless_all_stop_by_the_loss(grid):
    def scores(**changes):
        probes = {key: trial for key, trial in grid(**changes)[1].items() if key.condition == "mel_statistics"}
        return [trial.protocol.score for trial in probes.values()]

    assert scores() == ["auc", "accuracy", "key_score", "r2"]
    assert scores(probe_score="average_precision") == ["average_precision", "accuracy", "key_score", "r2"]
    assert scores(probe_score="loss") == ["loss"] * 4


def test_stored_identities_come_back(grid):
    for trial in grid()[1].values():
        assert type(trial).restore(trial.identity()).fingerprint() == trial.fingerprint()


def test_a_clmr_tail_waits_for_the_clmr_that_was_trained_for_longest(grid):
    changes = {"systems": ("clmr", "clmr_tail"), "transfer_systems": (), "lengths": ("long",)}
    _, trials = grid(**changes, longer_systems=("clmr",))
    tail = trials[TrialKey("clmr_tail", "pretrain", 0)]
    assert tail.parent == trials[TrialKey("clmr+long", "pretrain", 0)]
    assert tail.parent.epochs == 3
    _, trials = grid(**changes, longer_systems=())
    assert trials[TrialKey("clmr_tail", "pretrain", 0)].parent == trials[TrialKey("clmr", "pretrain", 0)]
    _, trials = grid(**changes, clmr_tail="trained")
    assert trials[TrialKey("clmr_tail", "pretrain", 0)].parent is None


@pytest.mark.parametrize(
    ("n_clips", "groups", "expected"),
    [(200, 2, (96, 2)), (96, 2, (96, 2)), (95, 2, (94, 2)), (4, 2, (4, 2)), (3, 2, (3, 1)), (8, 3, (6, 3))],
)
def test_batches_are_as_large_as_the_set_allows(n_clips, groups, expected):
    assert batch_of(n_clips, batch_size=96, groups=groups) == expected


def test_other_sets_are_trained_on_for_as_many_steps(grid):
    collection, trials = grid(max_pretrain_clips=None, epochs_transfer=None)
    here, there = (trials[TrialKey(name, "pretrain", 0)] for name in ("vanilla_small", "vanilla_small@gtzan"))
    steps = {
        trial: trial.epochs * (len(collection.pretraining[name].rows("train")) // trial.batch_size)
        for name, trial in (("mtt", here), ("gtzan", there))
    }
    assert 0 <= steps[there] - steps[here] < len(collection.pretraining["gtzan"].rows("train")) // 4
    assert grid(epochs_transfer=7)[1][TrialKey("vanilla_small@gtzan", "pretrain", 0)].epochs == 7


def test_encoders_are_those_of_the_rows():
    settings = Settings()
    assert encoder_config("tail_5", settings).network == "TUNe Tail+5"
    assert encoder_config("clmr", settings).initialisation == "default"
    assert encoder_config("clmr_tail", settings).tail == "from_clmr"
    assert encoder_config("mel_statistics", settings).network is None
