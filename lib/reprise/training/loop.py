"""The training loop: plain torch, resumable to the same bits."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from reprise.files import write_json
from reprise.progress import track
from reprise.seeds import derive_seed, torch_generator
from reprise.training.checkpoint import Checkpoint

__all__ = ["NonFiniteLoss", "OutOfDeviceMemory", "batch_order", "fit"]

Batch = TypeVar("Batch")
Validate = Callable[[nn.Module, int], dict[str, float]]

# reading a loss makes the host wait for the device, so on a GPU it is looked at only so often
CHECK_EVERY = 50


class NonFiniteLoss(RuntimeError):
    """The loss or a weight is NaN or infinite, so going on would only destroy the model."""


class OutOfDeviceMemory(RuntimeError):
    """A training step does not fit into the device's memory."""


def fit(
    model: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    *,
    loss_fn: Callable[[Any, Batch], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    seed: int,
    first_epoch: int = 0,
    schedule: Callable[[int], float] | LRScheduler | None = None,
    autocast: torch.dtype | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    checkpoint: Checkpoint | None = None,
    validate: Validate | None = None,
    train: bool = True,
    description: str = "",
) -> pd.DataFrame:
    """Train a model in place.

    Parameters
    ----------
    model : Module
        Everything that learns, on its device. What is outside of it is neither moved nor checkpointed.
    batches : callable
        Epoch → batches on that device; must depend on the epoch alone.
    loss_fn : callable
        (model, batch) → scalar, mean over the batch.
    optimizer : Optimizer
    epochs, first_epoch : int
        Epochs ``first_epoch … epochs - 1`` are run: ``epochs=2``, then ``first_epoch=2, epochs=5`` is one run of 5.
    seed : int
        Seeds torch anew in every epoch (dropout); the caller's generators are untouched.
    schedule : callable, LRScheduler or None
        Update of this call, from 0 → factor of the learning rate; or a scheduler, stepped after every update.
    autocast : dtype or None
        ``torch.bfloat16`` for mixed precision.
    accumulate : int ≥ 1
        Batches per update: as one large batch, unless the loss or a norm couples the items of a batch.
    clip_norm : float or None
        Largest norm of the gradient.
    checkpoint : Checkpoint or None
        Saved after every epoch; an interrupted run goes on from there to the same bits.
    validate : callable or None
        (model, epoch) → numbers for the curves; called without gradients.
    train : bool
        Switch to train mode for epochs and to eval mode for ``validate``; False leaves the mode alone.
    description : str
        Shown as progress; empty for none.

    Returns
    -------
    DataFrame
        ``epoch, loss`` (mean over batches), ``lr`` (at the start), ``seconds``, and the numbers of ``validate``.

    Raises
    ------
    NonFiniteLoss, OutOfDeviceMemory
        With a sentence on what to change; the checkpoint of the last good epoch stays.
    """
    _require_sensible(epochs=epochs, accumulate=accumulate, autocast=autocast)
    device = next(model.parameters()).device
    scheduler = _scheduler(optimizer, schedule)
    state = _State(model, optimizer, scheduler, checkpoint, label=[seed, first_epoch, description])
    rows = state.resume()
    remaining = range(first_epoch + len(rows), epochs)
    for epoch in track(remaining, description=description) if description else remaining:
        start, losses = time.monotonic(), _Losses(state, epoch)
        with _seeded(derive_seed(seed, epoch), device), _explained_memory(losses):
            if train:
                model.train()
            for group in _groups(batches(epoch), accumulate):
                for index, batch in enumerate(group):
                    with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                        loss = loss_fn(model, batch)
                    losses.add(loss)
                    if index == 0:
                        optimizer.zero_grad(set_to_none=True)
                    (loss / len(group)).backward()
                if clip_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
            row = losses.row() | _validation(validate, model, epoch, train=train)
        rows.append(row | {"seconds": time.monotonic() - start})
        state.save(rows)
    return pd.DataFrame(rows)


def batch_order(n: int, *, batch_size: int, seed: int, epoch: int, drop_last: bool = False) -> list[Tensor]:
    """Shuffled indices of the batches of one epoch.

    Parameters
    ----------
    n : int ≥ 0
        Number of items.
    batch_size : int ≥ 1
    seed : int
    epoch : int
        With the seed, the only thing that the order depends on.
    drop_last : bool
        Leave out a last batch that is not full.

    Returns
    -------
    list of Tensor of int64 [shape=(≤ batch_size,)]
        Each index once (unless ``drop_last``); on the CPU.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    order = torch.randperm(n, generator=torch_generator(seed, "order", epoch))
    whole = n - n % batch_size if drop_last else n
    return list(order[:whole].split(batch_size)) if whole else []


def _require_sensible(*, epochs: int, accumulate: int, autocast: torch.dtype | None) -> None:
    if epochs < 0 or accumulate < 1:
        raise ValueError(f"epochs must be ≥ 0 and accumulate ≥ 1, got {epochs} and {accumulate}")
    if autocast is torch.float16:
        raise ValueError("autocast=torch.float16 would lose small gradients, as the loss is not scaled; use bfloat16")


def _scheduler(
    optimizer: torch.optim.Optimizer, schedule: Callable[[int], float] | LRScheduler | None
) -> LRScheduler | None:
    if schedule is None or isinstance(schedule, LRScheduler):
        return schedule
    return LambdaLR(optimizer, schedule)


def _groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    iterator = iter(batches)
    while group := list(islice(iterator, size)):
        yield group


def _validation(validate: Validate | None, model: nn.Module, epoch: int, *, train: bool) -> dict[str, float]:
    if validate is None:
        return {}
    if train:
        model.eval()
    with torch.no_grad():
        numbers = {name: float(value) for name, value in validate(model, epoch).items()}
    taken = sorted({"epoch", "loss", "lr", "seconds"} & set(numbers))
    if taken:
        raise ValueError(f"validate returned {', '.join(taken)}, which the curves already have; use other names")
    return numbers


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch for a while, and only the generators that are put back afterwards."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


class _State:
    """What a checkpoint holds."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: LRScheduler | None,
        checkpoint: Checkpoint | None,
        *,
        label: list[Any],
    ) -> None:
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.checkpoint, self.label = checkpoint, label

    def save(self, rows: list[dict[str, float]]) -> None:
        """Save the state after an epoch."""
        if self.checkpoint is not None:
            state = {"label": self.label, "rows": rows, "model": self.model.state_dict()}
            schedule = None if self.scheduler is None else self.scheduler.state_dict()
            self.checkpoint.save({**state, "optimizer": self.optimizer.state_dict(), "schedule": schedule})

    def resume(self) -> list[dict[str, float]]:
        """Put model, optimiser and schedule back to where the last run stopped; the curves up to there."""
        saved = None if self.checkpoint is None else self.checkpoint.load()
        if saved is None or self.checkpoint is None:
            return []
        if saved["label"] != self.label:
            raise ValueError(
                f"the checkpoint in {self.checkpoint.folder} belongs to another training (seed, first epoch, "
                f"description {saved['label']}, not {self.label}); give each Checkpoint of a folder a name of its own"
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(saved["schedule"])
        return saved["rows"]


class _Losses:
    """Losses of one epoch, left on the device until they are needed."""

    def __init__(self, state: _State, epoch: int) -> None:
        self.state, self.epoch = state, epoch
        self.lr = float(state.optimizer.param_groups[0]["lr"])
        self.values: list[Tensor] = []
        self.checked = 0

    def add(self, loss: Tensor) -> None:
        """Remember a loss, and stop if it is not finite."""
        self.values.append(loss.detach())
        if not loss.is_cuda or len(self.values) % CHECK_EVERY == 0:
            self._check()

    def row(self) -> dict[str, float]:
        """Curves of the epoch; stops if a loss or a weight is not finite."""
        if not self.values:
            raise ValueError(f"there are no batches in epoch {self.epoch}: is the training set empty?")
        self._check()
        parameters = [value for value in self.state.model.parameters() if value.requires_grad and value.numel()]
        if not bool(torch.stack([torch.isfinite(value).all() for value in parameters]).all()):
            self._stop(len(self.values) - 1, float(self.values[-1]), "a weight is not finite")
        mean = torch.stack(self.values).cpu().double().mean()
        return {"epoch": self.epoch, "loss": float(mean), "lr": self.lr}

    def _check(self) -> None:
        if self.checked == len(self.values):
            return
        fresh = torch.stack(self.values[self.checked :]).cpu()
        bad = (~torch.isfinite(fresh)).flatten().nonzero()
        if len(bad):
            step = int(bad[0])
            self._stop(self.checked + step, float(fresh.flatten()[step]), "the loss is not finite")
        self.checked = len(self.values)

    def _stop(self, step: int, loss: float, reason: str) -> None:
        optimizer, checkpoint = self.state.optimizer, self.state.checkpoint
        gradients = [value.grad for value in self.state.model.parameters() if value.grad is not None]
        norm = float(nn.utils.get_total_norm(gradients)) if gradients else float("nan")
        lr = float(optimizer.param_groups[0]["lr"])
        facts = {"epoch": self.epoch, "step": step, "loss": str(loss), "lr": lr, "gradient_norm": str(norm)}
        place = ""
        if checkpoint is not None:
            path = checkpoint.folder / "diagnostic.json"
            write_json(path, facts | {"reason": reason, "last_losses": [str(float(x)) for x in self.values[-20:]]})
            place = f"; details in {path}"
        raise NonFiniteLoss(
            f"{reason} in epoch {self.epoch}, step {step}: loss {loss}, learning rate {lr:g}, norm of the last "
            f"gradient {norm:g}{place}. Lower the learning rate or set clip_norm, and look for NaN in the data"
        )


@contextmanager
def _explained_memory(losses: _Losses) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfDeviceMemory(
            f"the device's memory is full in epoch {losses.epoch}, step {len(losses.values)}: lower batch_size, and "
            "raise accumulate by the same factor where neither the loss nor a norm couples the items of a batch "
            f"({str(error).splitlines()[0] if str(error) else 'no details'})"
        ) from error
