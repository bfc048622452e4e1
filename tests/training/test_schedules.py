"""The learning-rate schedule against the transformers library and the paper's numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_polynomial_decay_schedule_with_warmup

from reprise.training.schedules import polynomial_decay


def optimizer(*rates):
    return torch.optim.SGD(
        [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates], lr=rates[0]
    )


def rates_of(scheduler, count):
    rates = []
    for _ in range(count):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


@given(
    updates=st.integers(1, 60),
    start=st.floats(1e-5, 1),
    part=st.floats(0, 0.9),
    power=st.floats(0.1, 3),
    warmup=st.floats(0, 0.99),
)
@settings(max_examples=30, deadline=None)
def test_equals_the_library(updates, start, part, power, warmup):
    end = part * start
    factor = polynomial_decay(updates=updates, start=start, end=end, power=power, warmup=warmup)
    reference = get_polynomial_decay_schedule_with_warmup(
        optimizer(start), int(warmup * updates), updates, lr_end=end, power=power
    )
    ours = LambdaLR(optimizer(start), factor)
    assert rates_of(ours, updates + 3) == pytest.approx(rates_of(reference, updates + 3), rel=1e-12, abs=1e-18)


def test_the_papers_training():
    updates = 6705 // 16 * 35
    assert updates == 14_665
    factor = polynomial_decay(updates=updates, start=1e-3, end=1e-5)
    assert factor(0) == 0
    assert factor(732) == pytest.approx(732 / 733)
    assert factor(733) == 1
    assert factor(updates) == pytest.approx(0.01)
    assert factor(10 * updates) == pytest.approx(0.01)
    assert factor((733 + updates) // 2) == pytest.approx(0.01 + 0.99 * 0.5**0.7, rel=1e-4)
    values = [factor(update) for update in range(updates + 1)]
    assert max(values) == 1
    assert values[733:] == sorted(values[733:], reverse=True)


def test_two_groups_have_two_schedules():
    both = optimizer(2e-5, 1e-3)
    options = {"updates": 100, "warmup": 0.05}
    factors = [polynomial_decay(start=2e-5, end=2e-6, **options), polynomial_decay(start=1e-3, end=1e-4, **options)]
    scheduler = LambdaLR(both, factors)
    for _ in range(100):
        both.step()
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([2e-6, 1e-4])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates": 0}, "updates must be"),
        ({"end": 2e-3}, "end=0.002"),
        ({"end": -1e-9}, "end=-1e-09"),
        ({"start": 0.0, "end": 0.0}, "start > 0"),
        ({"power": 0}, "power must be"),
        ({"warmup": 1.0}, "warmup must"),
    ],
)
def test_faults_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        polynomial_decay(**({"updates": 10, "start": 1e-3, "end": 1e-5} | changes))
