"""A small invented paper whose results are known."""

import copy

import numpy as np
import pytest
import yaml

from reprise.report.draws import Draws
from reprise.report.reported import Reported

CONTENT = {
    "paper": {"slug": "toy", "title": "A Toy & Its Box", "authors": ["A. Author"], "year": 2020, "doi": "10.1/toy"},
    "tables": {
        "table_2": {
            "title": "Systems",
            "source": "Table 2",
            "columns": {"macro_f1": "F1", "accuracy": {"label": "Acc.", "digits": 2}},
            "rows": {
                "good": {"label": "Good <1>", "macro_f1": 0.8, "accuracy": 0.82},
                "bad": {"label": "Bad", "macro_f1": 0.5, "accuracy": None, "note": "not printed"},
            },
        },
        "table_3": {
            "title": "Errors",
            "columns": {"mae": {"label": "MAE", "unit": "cent", "direction": "lower", "digits": 1}},
            "rows": {"good": {"label": "Good", "mae": 10}, "bad": {"label": "Bad", "mae": 30}},
        },
    },
    "figures": {
        "figure_1": {"title": "A picture"},
        "figure_3": {
            "title": "Curve",
            "x": {"label": "α", "values": [0, 0.2, 1]},
            "y": {"metric": "macro_f1", "label": "F1"},
            "series": {
                "good": {"label": "Good", "values": [0.6, 0.7, None]},
                "bad": {"label": "Bad", "values": [0.5] * 3},
            },
        },
    },
    "claims": [
        {
            "id": "good_wins",
            "source": "§1",
            "kind": "ordering",
            "statement": "Good is better than bad.",
            "metric": "macro_f1",
            "better": "good",
            "worse": ["bad"],
        }
    ],
    "decisions": [{"id": "mask_on", "paper": "off", "code": "on", "ours": "on", "why": "counts", "parameter": "mask"}],
}


@pytest.fixture
def content():
    """The toy paper as plain data, free to be changed."""
    return copy.deepcopy(CONTENT)


@pytest.fixture
def load(tmp_path):
    """Write plain data as ``reported.yaml`` and load it."""

    def write_and_load(content):
        path = tmp_path / "reported.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return Reported.load(path)

    return write_and_load


@pytest.fixture
def reported(content, load):
    return load(content)


def probabilities(targets, *, strength, seed, n_seeds):
    rng = np.random.default_rng(seed)
    eye = np.eye(4)[targets]
    return [rng.random((len(targets), 4)) + strength * eye for _ in range(n_seeds)]


@pytest.fixture
def draws():
    """Good is far better than bad, everywhere; three seeds, 120 clips."""
    targets = np.random.default_rng(0).integers(0, 4, size=120)
    names = {"good": 0.9, "bad": 0.1, "good@0": 0.5, "good@0.2": 0.9, "bad@0": 0.1, "bad@0.2": 0.1, "bad@1": 0.1}
    predictions = {
        name: probabilities(targets, strength=strength, seed=index, n_seeds=3)
        for index, (name, strength) in enumerate(names.items())
    }
    return Draws.from_predictions(predictions, targets, rng=np.random.default_rng(1), n_draws=500)
