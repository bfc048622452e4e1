"""A paper that trains a line in milliseconds; importable in worker processes and scripts."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from reprise.runs import TrialConfig, TrialContext, TrialResult, not_identity
from reprise.seeds import torch_generator
from reprise.training.checkpoint import Checkpoint
from reprise.training.loop import batch_order, fit


class ToyTrial(TrialConfig):
    runner: ClassVar[str] = "toy:run_trial"

    paper: str = "toy"
    condition: str = "line"
    dataset: str = "none"
    epochs: int = 3
    learning_rate: float = 0.1
    widths: tuple[int, ...] = (4,)
    fail: bool = False
    parent: "ToyTrial | None" = None
    log: Path | None = not_identity(None, description="Where to note that the trial ran.")
    kill_in_epoch: int | None = not_identity(
        None, description="Die there, as if out of memory, when run for the first time."
    )
    signal_in_epoch: int | None = not_identity(None, description="Signal to this process in that epoch.")
    signal_number: int = not_identity(int(signal.SIGTERM))
    pause: float = not_identity(0.0, description="Seconds before it starts.")

    def requires(self) -> list[TrialConfig]:
        return [] if self.parent is None else [self.parent]


def build(config: ToyTrial) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return nn.Sequential(nn.Linear(3, config.widths[0]), nn.Dropout(0.5), nn.Linear(config.widths[0], 1))


def run_trial(config: ToyTrial, context: TrialContext) -> TrialResult:
    if config.log is not None:
        with config.log.open("a") as stream:
            stream.write(f"{config.condition} {config.seed} {os.getpid()}\n")
    first = not (context.folder / "been_here").exists()
    (context.folder / "been_here").touch()
    time.sleep(config.pause)
    if config.fail:
        raise ValueError("asked to fail")
    model = build(config)
    if config.parent is not None:
        model.load_state_dict(context.load(config.parent).weights())
    x = torch.randn(32, 3, generator=torch_generator(config.seed, "x"))
    y = x.sum(dim=1, keepdim=True)

    def batches(epoch):
        for step, rows in enumerate(batch_order(len(x), batch_size=8, seed=config.seed, epoch=epoch)):
            if step == 2:
                if epoch == config.kill_in_epoch and first:
                    os.kill(os.getpid(), signal.SIGKILL)
                if epoch == config.signal_in_epoch:
                    os.kill(os.getpid(), config.signal_number)
            yield x[rows], y[rows]

    curves = None
    # importing torch's optimisers takes seconds, which worker processes can do without
    if config.epochs:
        curves = train(config, context, model, batches)
    model.eval()
    with torch.no_grad():
        predictions = model(x)
    return TrialResult(
        metrics={"mse": float((predictions - y).square().mean()), "undefined": float("nan")},
        arrays={"predictions": predictions.numpy(), "order": np.arange(len(x))},
        curves=curves,
        weights=model.state_dict(),
        notes=["a toy"],
    )


def train(config: ToyTrial, context: TrialContext, model: nn.Module, batches) -> pd.DataFrame:
    return fit(
        model,
        batches,
        loss_fn=lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        optimizer=torch.optim.Adam(model.parameters(), lr=config.learning_rate),
        epochs=config.epochs,
        seed=config.seed,
        checkpoint=Checkpoint(context.folder),
    )
