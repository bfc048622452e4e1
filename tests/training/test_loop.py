"""The training loop against plain torch, interrupted and with bad numbers."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from reprise.seeds import torch_generator
from reprise.training.checkpoint import Checkpoint
from reprise.training.loop import NonFiniteLoss, OutOfDeviceMemory, batch_order, fit

X = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(dim=1, keepdim=True).sin()


def make_model(dropout: float = 0.5) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(dropout), nn.Linear(8, 1))


def make_linear() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def batches_of(size: int):
    return lambda epoch: ((X[rows], Y[rows]) for rows in batch_order(len(X), batch_size=size, seed=0, epoch=epoch))


def loss_fn(model, batch):
    return (model(batch[0]) - batch[1]).square().mean()


def train(model, *, epochs=4, batch_size=8, lr=0.05, optimizer=None, **options):
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=lr)
    return fit(model, batches_of(batch_size), loss_fn=loss_fn, optimizer=optimizer, epochs=epochs, seed=3, **options)


def same_state(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_equals_a_plain_loop():
    model, plain = make_linear(), make_linear()
    curves = train(model, epochs=3, lr=0.01)
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
    means = []
    for epoch in range(3):
        losses = []
        for batch in batches_of(8)(epoch):
            optimizer.zero_grad()
            loss = loss_fn(plain, batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        means.append(np.mean(losses))
    assert same_state(model, plain)
    np.testing.assert_allclose(curves["loss"], means, rtol=1e-12)
    assert list(curves["epoch"]) == [0, 1, 2]
    assert curves["loss"].iloc[-1] < curves["loss"].iloc[0]


def test_accumulation_equals_the_big_batch():
    big, small = make_linear().double(), make_linear().double()

    def run(model, size, accumulate):
        batches = lambda epoch: ((x.double(), y.double()) for x, y in batches_of(size)(epoch))  # noqa: E731
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return fit(model, batches, loss_fn=loss_fn, optimizer=optimizer, epochs=5, seed=0, accumulate=accumulate)

    one, other = run(big, 8, 1), run(small, 2, 4)
    for a, b in zip(big.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-12)


def test_a_last_group_that_is_not_full_weighs_as_much_as_it_has():
    model, plain = make_linear(), make_linear()
    fit(
        model,
        lambda epoch: [(X[:4], Y[:4]), (X[4:8], Y[4:8]), (X[8:12], Y[8:12])],
        loss_fn=loss_fn,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.5),
        epochs=1,
        seed=0,
        accumulate=2,
    )
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.5)
    for rows in (slice(0, 8), slice(8, 12)):
        optimizer.zero_grad()
        loss_fn(plain, (X[rows], Y[rows])).backward()
        optimizer.step()
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("schedule", ["none", "callable", "torch"])
@pytest.mark.parametrize("stop", [1, 3])
def test_resume_to_the_same_bits(tmp_path, stop, schedule):
    def run(folder, epochs, interrupt=False):
        model = make_model()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        schedules = {
            "none": None,
            "callable": lambda step: 1 / (1 + step),
            "torch": torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100),
        }

        def batches(epoch):
            for step, batch in enumerate(batches_of(8)(epoch)):
                if interrupt and epoch == stop and step == 1:
                    raise KeyboardInterrupt
                yield batch

        curves = fit(
            model,
            batches,
            loss_fn=loss_fn,
            optimizer=optimizer,
            epochs=epochs,
            seed=3,
            schedule=schedules[schedule],
            clip_norm=0.5,
            accumulate=2,
            checkpoint=Checkpoint(folder),
            validate=lambda model, epoch: {"score": model(X).sum() + torch.rand(())},
        )
        return model, curves

    straight, curves = run(tmp_path / "straight", 5)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", 5, interrupt=True)
    resumed, again = run(tmp_path / "broken", 5)
    assert same_state(straight, resumed)
    pd.testing.assert_frame_equal(curves.drop(columns="seconds"), again.drop(columns="seconds"), check_exact=True)
    done, once_more = run(tmp_path / "broken", 5)
    assert same_state(straight, done)
    pd.testing.assert_frame_equal(again, once_more)


def test_a_damaged_checkpoint_costs_one_epoch_and_no_bit(tmp_path):
    straight, broken, resumed = make_model(), make_model(), make_model()
    train(straight, epochs=5)
    train(broken, epochs=3, checkpoint=Checkpoint(tmp_path))
    newest = max(tmp_path.glob("*.pt"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match=newest.name):
        train(resumed, epochs=5, checkpoint=Checkpoint(tmp_path))
    assert same_state(straight, resumed)


def test_two_calls_are_one_run():
    straight, parts = make_model(), make_model()
    one = train(straight, epochs=5)
    optimizer = torch.optim.Adam(parts.parameters(), lr=0.05)
    two = pd.concat(
        [train(parts, epochs=2, optimizer=optimizer), train(parts, first_epoch=2, epochs=5, optimizer=optimizer)]
    )
    assert same_state(straight, parts)
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds").reset_index(drop=True))


def test_seeds_decide_dropout_and_the_callers_generator_is_untouched():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, third = make_model(), make_model(), make_model()
    train(first)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    train(second)
    assert same_state(first, second)
    fit(
        third,
        batches_of(8),
        loss_fn=loss_fn,
        optimizer=torch.optim.Adam(third.parameters(), lr=0.05),
        epochs=4,
        seed=4,
    )
    assert not same_state(first, third)


def test_every_epoch_draws_anew_from_the_seed_and_its_number():
    seen = {}

    def watch(model, batch):
        seen.setdefault(len(seen), torch.rand(3))
        return loss_fn(model, batch)

    model = make_linear()
    fit(
        model,
        lambda epoch: [(X, Y)],
        loss_fn=watch,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        epochs=3,
        seed=3,
    )
    for epoch in range(3):
        assert torch.equal(seen[epoch], torch.rand(3, generator=torch_generator(3, epoch)))
    assert not torch.equal(seen[0], seen[1])


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    train(make_model(), description="pretraining", checkpoint=Checkpoint(tmp_path))
    with pytest.raises(ValueError, match="belongs to another training"):
        train(make_model(), description="probe", checkpoint=Checkpoint(tmp_path))
    train(make_model(), description="probe", checkpoint=Checkpoint(tmp_path, name="probe"))


@pytest.mark.parametrize("with_folder", [True, False])
def test_nan_stops_with_the_facts(tmp_path, with_folder):
    def poisoned(epoch):
        for step, (x, y) in enumerate(batches_of(8)(epoch)):
            yield x, y * float("nan") if (epoch, step) == (2, 1) else y

    model, reference = make_model(), make_model()
    checkpoint = Checkpoint(tmp_path) if with_folder else None
    with pytest.raises(NonFiniteLoss, match=r"epoch 2, step 1: loss nan, learning rate 0\.05"):
        fit(
            model,
            poisoned,
            loss_fn=loss_fn,
            optimizer=torch.optim.Adam(model.parameters(), lr=0.05),
            epochs=4,
            seed=3,
            checkpoint=checkpoint,
        )
    assert all(torch.isfinite(value).all() for value in model.parameters())
    if with_folder:
        facts = json.loads((tmp_path / "diagnostic.json").read_text())
        assert (facts["epoch"], facts["step"], facts["loss"], facts["lr"]) == (2, 1, "nan", 0.05)
        assert float(facts["gradient_norm"]) > 0
        train(reference, epochs=2)
        saved = Checkpoint(tmp_path).load()
        assert all(torch.equal(saved["model"][name], value) for name, value in reference.state_dict().items())


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = make_linear()

    def last_step_overflows(model, batch):
        # the loss is finite, its gradient is not
        return torch.sqrt((model(batch[0]) * 0).square().sum())

    with pytest.raises(NonFiniteLoss, match="a weight is not finite in epoch 0"):
        fit(
            model,
            lambda epoch: [(X, Y)],
            loss_fn=last_step_overflows,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            epochs=1,
            seed=0,
            checkpoint=Checkpoint(tmp_path),
        )
    assert Checkpoint(tmp_path).load() is None


def test_out_of_memory_is_a_sentence():
    def too_big(model, batch):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")

    model = make_linear()
    with pytest.raises(OutOfDeviceMemory, match="lower batch_size, and raise accumulate") as caught:
        fit(
            model,
            batches_of(8),
            loss_fn=too_big,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            epochs=1,
            seed=0,
        )
    assert "Tried to allocate 3 GiB" in str(caught.value)


def test_clipping_bounds_the_update():
    model = make_linear()
    before = [value.detach().clone() for value in model.parameters()]
    fit(
        model,
        lambda epoch: [(X * 1e3, Y)],
        loss_fn=loss_fn,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        epochs=1,
        seed=0,
        clip_norm=0.25,
    )
    moved = torch.cat([(a - b).flatten() for a, b in zip(model.parameters(), before, strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(0.25, rel=1e-3)


def test_modes_and_validation():
    seen = []

    def watch(model, batch):
        seen.append(("loss", model.training))
        return loss_fn(model, batch)

    def validate(model, epoch):
        seen.append(("validate", model.training))
        assert not torch.is_grad_enabled()
        return {"epoch_squared": np.float32(epoch**2)}

    model = make_model()
    model.eval()
    options = {"loss_fn": watch, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "epochs": 2, "seed": 0}
    curves = fit(model, lambda epoch: [(X, Y)], validate=validate, **options)
    assert seen == [("loss", True), ("validate", False)] * 2
    assert list(curves["epoch_squared"]) == [0.0, 1.0]
    model.eval()
    seen.clear()
    fit(model, lambda epoch: [(X, Y)], train=False, **options)
    assert seen == [("loss", False)] * 2
    with pytest.raises(ValueError, match="validate returned loss"):
        fit(model, lambda epoch: [(X, Y)], validate=lambda model, epoch: {"loss": 0.0}, **options)


def test_schedule_and_autocast():
    model, seen = make_linear(), []

    def watch(model, batch):
        output = model(batch[0])
        seen.append((output.dtype, optimizer.param_groups[0]["lr"]))
        return (output.float() - batch[1]).square().mean()

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    curves = fit(
        model,
        batches_of(12),
        loss_fn=watch,
        optimizer=optimizer,
        epochs=2,
        seed=0,
        schedule=lambda step: 1 / (step + 1),
        autocast=torch.bfloat16,
    )
    assert {dtype for dtype, _ in seen} == {torch.bfloat16}
    np.testing.assert_allclose([lr for _, lr in seen], [0.1, 0.1 / 2, 0.1 / 3, 0.1 / 4])
    np.testing.assert_allclose(curves["lr"], [0.1, 0.1 / 3])
    with pytest.raises(ValueError, match="float16"):
        train(make_linear(), autocast=torch.float16)


def test_no_batches_and_wrong_numbers():
    model = make_linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="no batches in epoch 0"):
        fit(model, lambda epoch: [], loss_fn=loss_fn, optimizer=optimizer, epochs=1, seed=0)
    with pytest.raises(ValueError, match="accumulate"):
        train(model, accumulate=0)
    assert train(model, epochs=0).empty


@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (2, 5), (0, 4)])
def test_batch_order(n, size):
    batches = batch_order(n, batch_size=size, seed=1, epoch=2)
    assert sorted(torch.cat(batches).tolist() if batches else []) == list(range(n))
    assert all(len(batch) == size for batch in batches[:-1])
    again = batch_order(n, batch_size=size, seed=1, epoch=2)
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))
    dropped = batch_order(n, batch_size=size, seed=1, epoch=2, drop_last=True)
    assert len(dropped) == n // size
    assert all(torch.equal(a, b) for a, b in zip(batches, dropped, strict=False))
    if n > 5:
        assert not torch.equal(torch.cat(batches), torch.cat(batch_order(n, batch_size=size, seed=1, epoch=3)))
    with pytest.raises(ValueError, match="batch_size"):
        batch_order(n, batch_size=0, seed=0, epoch=0)
