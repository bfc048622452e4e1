"""Identity of trials."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from toy import ToyTrial

from reprise.runs import TrialConfig, not_identity


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    width: int = 1
    label: str = not_identity("", description="Only for show.")


class NestedTrial(TrialConfig):
    runner: ClassVar[str] = "toy:run_trial"
    inner: Inner = Inner()
    table: dict[str, float] = Field(default_factory=dict)
    parent: "NestedTrial | None" = None


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: text.strip() and "/" not in text and not text.startswith(".") and len(text.encode()) < 60
)
configs = st.builds(
    ToyTrial,
    seed=st.integers(0, 2**40),
    condition=names,
    dataset=st.text(max_size=10),
    epochs=st.integers(-5, 10**6),
    learning_rate=st.floats(allow_nan=False, allow_infinity=False),
    widths=st.lists(st.integers(), max_size=4).map(tuple),
    fail=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(configs)
def test_json_round_trip_keeps_the_fingerprint(config):
    again = ToyTrial.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.fingerprint() == config.fingerprint()
    fields = json.loads(json.dumps(config.identity()))
    assert fields.pop("class") == "ToyTrial"
    assert ToyTrial(**fields).fingerprint() == config.fingerprint()


@settings(max_examples=60, deadline=None)
@given(configs, configs)
def test_fingerprint_differs_exactly_when_the_identity_does(one, other):
    assert (one.fingerprint() == other.fingerprint()) == (one.identity() == other.identity())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("paper", "other"),
        ("condition", "other"),
        ("seed", 1),
        ("dataset", "other"),
        ("schema_version", 2),
        ("epochs", 4),
        ("learning_rate", math.nextafter(0.1, 1)),
        ("widths", (4, 4)),
        ("fail", True),
        ("parent", ToyTrial(seed=9)),
    ],
)
def test_every_identity_field_changes_the_fingerprint(field, value):
    base = ToyTrial(seed=0)
    assert base.model_copy(update={field: value}).fingerprint() != base.fingerprint()


def test_fields_that_are_not_identity_are_these_and_change_nothing():
    excluded = set(ToyTrial.model_fields) - set(ToyTrial(seed=0).identity())
    assert excluded == {
        "data_root",
        "device",
        "log",
        "kill_in_epoch",
        "signal_in_epoch",
        "signal_number",
        "pause",
    }
    assert set(TrialConfig.model_fields) - excluded == {"paper", "condition", "seed", "dataset", "schema_version"}
    moved = ToyTrial(seed=0, data_root=Path("/elsewhere"), device="cuda:1", pause=1.0)
    assert moved.fingerprint() == ToyTrial(seed=0).fingerprint()
    assert moved.folder_name == f"0-{moved.fingerprint()[:16]}"


def test_a_trial_is_restored_from_its_stored_identity():
    parent = NestedTrial(paper="p", condition="c", seed=1, dataset="d", data_root=Path("/data"))
    trial = parent.model_copy(update={"inner": Inner(width=3), "table": {"a": 0.5}, "parent": parent})
    again = NestedTrial.restore(json.loads(json.dumps(trial.identity())))
    assert again.fingerprint() == trial.fingerprint()
    assert again.inner == Inner(width=3)
    assert again.parent.data_root is None
    with pytest.raises(ValueError, match="identity of a NestedTrial, not of a ToyTrial"):
        ToyTrial.restore(trial.identity())
    with pytest.raises(ValidationError, match="unknown"):
        NestedTrial.restore({**trial.identity(), "unknown": 1})


def test_exclusion_reaches_nested_models_and_parents():
    def nested(root, label):
        parent = NestedTrial(paper="p", condition="c", seed=0, dataset="d", data_root=root)
        return NestedTrial(
            paper="p", condition="c", seed=1, dataset="d", inner=Inner(label=label), parent=parent, data_root=root
        )

    assert nested(None, "a").fingerprint() == nested(Path("/x"), "b").fingerprint()
    assert nested(None, "a").row()["parent"].startswith("c/0-")
    assert nested(None, "a").row()["inner.width"] == 1
    assert "inner.label" not in nested(None, "a").row()


def test_class_name_is_identity():
    class OtherTrial(ToyTrial):
        pass

    assert OtherTrial(seed=0).fingerprint() != ToyTrial(seed=0).fingerprint()


def test_numbers_of_any_kind_are_the_same_number():
    given_in_many_ways = [1, 1.0, np.float32(1), np.float64(1), np.int64(1)]
    assert len({ToyTrial(seed=0, learning_rate=value).fingerprint() for value in given_in_many_ways}) == 1
    base = ToyTrial(seed=np.int64(3), widths=[4])
    assert base.fingerprint() == ToyTrial(seed=3, widths=(4,)).fingerprint()
    assert base.model_copy(update={"learning_rate": 1}).fingerprint() == (
        base.model_copy(update={"learning_rate": 1.0}).fingerprint()
    )


def test_fingerprint_is_the_same_in_another_process():
    fields = "paper='p', seed=7, condition='ä/b', dataset='d'"
    code = f"from reprise.runs import TrialConfig; print(TrialConfig({fields}).fingerprint())"
    environment = {"PYTHONHASHSEED": "5", "PATH": "", "LC_ALL": "C"}
    seen = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    here = TrialConfig(paper="p", seed=7, condition="ä/b", dataset="d")
    assert seen.stdout.strip() == here.fingerprint()


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"seed": -1},
        {"leraning_rate": 0.1},
        {"epochs": "many"},
        {"condition": "../up"},
        {"condition": "a//b"},
        {"condition": ""},
        {"condition": "/root"},
        {"condition": "a.part"},
        {"condition": "0-0123456789abcdef"},
        {"paper": "."},
    ],
)
def test_wrong_values_are_refused_at_construction_and_copying(wrong):
    with pytest.raises(ValidationError):
        ToyTrial(**({"seed": 0} | wrong))
    with pytest.raises(ValidationError):
        ToyTrial(seed=0).model_copy(update=wrong)


def test_nan_deep_inside_is_refused():
    with pytest.raises(ValidationError):
        NestedTrial(paper="p", condition="c", seed=0, dataset="d", table={"a": float("nan")})


def test_runner_must_exist():
    class Nowhere(ToyTrial):
        runner: ClassVar[str] = "toy:nothing"

    with pytest.raises(ValueError, match="no function nothing"):
        Nowhere(seed=0).run(None)


def test_importing_the_room_is_light():
    code = "import sys, reprise.runs; print([n for n in ('torch', 'pandas', 'distributed') if n in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
