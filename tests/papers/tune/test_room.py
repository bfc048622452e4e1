"""From folders of music to claims: the whole room on real trials of tiny clips."""

from pathlib import Path

import pytest
import torch

import reprise.papers.tune as room
from reprise.papers.tune import analysis, blocks, comparisons, neighbours, tables
from reprise.papers.tune.outcome import Outcome
from reprise.papers.tune.pairs import projected_pairs
from reprise.report.claims import evaluate
from reprise.report.reported import Reported
from reprise.runs import Store, run_grid


@pytest.fixture(scope="module")
def reported():
    return Reported.load(Path(room.__file__).with_name("reported.yaml"))


@pytest.mark.slow
def test_real_trials_become_numbers_neighbours_and_verdicts(grid, tiny_settings, reported, tmp_path):
    collection, trials = grid()
    results = run_grid(trials.values(), store=Store(tmp_path), progress=False)
    found = Outcome.collect(trials, results, collection=collection)
    assert set(found.stored) == set(trials)
    assert set(found.conditions) == {"vanilla_small", "vanilla_small@gtzan", "mel_statistics"}
    draws = analysis.make_draws(found, tiny_settings)
    for key in trials:
        stored = found.stored[key]
        for metric in ("auc", "ap", "auc_mlp", "auc_label_30", "gtzan_accuracy", "key_score", "arousal_r2"):
            if metric in stored.metrics and key.stage != "pretrain":
                # scores of probes with few labels are stored in half precision, where near ones become equal
                near = 1.0 if "label" in metric else 1e-3
                assert draws.value(key.condition, metric) == pytest.approx(100 * stored.metrics[metric], abs=near)
    frame = blocks.layer_frame(draws, conditions=("vanilla_small",))
    assert frame["auc"].notna().all()
    assert len(comparisons.learning_curves(found)) == 4
    assert len(tables.set_table(collection)) == len(collection.pretraining) + len(collection.tasks)
    row = int(found.rows()[0])
    assert neighbours.neighbours(found, "vanilla_small", row=row)["row"].iloc[0] == row
    verdicts = evaluate(reported, draws, evidence="synthetic", profile="smoke").set_index("claim")
    assert verdicts.loc["parameters_tune_plus", "verdict"] == "reproduced"
    before = projected_pairs(found, "vanilla_small", n=4, trained=False)
    after = projected_pairs(found, "vanilla_small", n=4)
    assert before[0].shape == after[1].shape == (4, 64)
    assert not torch.equal(before[0], after[0])
    assert torch.equal(after[0], projected_pairs(found, "vanilla_small", n=4)[0])
    with pytest.raises(KeyError, match="not pre-trained in this run"):
        projected_pairs(found, "mel_statistics")
