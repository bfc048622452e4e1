"""The networks of the systems and the optimisers that train them."""

from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from reprise.models.instrument import MFCCCNN, FeatureCNN, InstrumentAST, RawAudioCNN, SpectrogramResNet
from reprise.papers.irmas.trials import NetworkConfig, OptimiserConfig
from reprise.runs import StoredTrial
from reprise.seeds import derive_seed
from reprise.training.schedules import polynomial_decay

__all__ = ["build_network", "build_optimiser", "load_network"]


def build_network(config: NetworkConfig, *, seed: int, n_classes: int = 11) -> nn.Module:
    """Network whose initial weights depend on the seed alone, or on the file that the config names.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
    n_classes : int

    Returns
    -------
    Module
        On the CPU.

    Raises
    ------
    FileNotFoundError, ValueError
        If published weights are missing or are others than those that the trial was planned with.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, config.family))
        return _build(config, n_classes)


def _build(config: NetworkConfig, n_classes: int) -> nn.Module:
    head: dict[str, Any] = {"n_classes": n_classes, "dropout": config.dropout}
    match config.family:
        case "raw":
            return RawAudioCNN(**head)
        case "mfcc" | "features_2d":
            return MFCCCNN(norm_first=bool(config.norm_first), **head)
        case "features":
            return FeatureCNN(**head)
        case "resnet":
            sizes: dict[str, Any] = {"blocks": config.blocks, "width": config.width}
            return SpectrogramResNet(weights=config.weights, sha256=config.weights_sha256, **sizes, **head)
        case "ast":
            return InstrumentAST(
                n_frames=config.n_frames or 0,
                n_classes=n_classes,
                weights=None if config.weights is None else config.weights.parent,
                sha256=config.weights_sha256,
                layers=config.layers,
                width=config.width,
                heads=config.heads,
            )


def load_network(stored: StoredTrial) -> nn.Module:
    """Trained network of a stored trial.

    Parameters
    ----------
    stored : StoredTrial

    Returns
    -------
    Module
        In evaluation mode, on the CPU.
    """
    fields = {name: stored.config["network"].get(name) for name in NetworkConfig.model_fields}
    # everything is overwritten, so the published weights need not be there
    config = NetworkConfig(**{**fields, "weights": None, "weights_sha256": None})
    state = stored.weights()
    model = build_network(config, seed=stored.config["seed"], n_classes=len(state[_last_bias(state)]))
    model.load_state_dict(state)
    return model.eval()


def _last_bias(state: dict[str, torch.Tensor]) -> str:
    """Name of the output layer's bias, whose length is the number of classes."""
    names = ("head.4.bias", "resnet.fc.1.bias", "transformer.classifier.dense.bias")
    return next(name for name in names if name in state)


def build_optimiser(
    model: nn.Module, config: OptimiserConfig, *, updates: int
) -> tuple[torch.optim.Optimizer, LambdaLR]:
    """Adam with L2 on the gradient, and the schedule of its rates.

    Parameters
    ----------
    model : Module
        With two pairs of rates in ``config``, one that tells ``base_parameters`` from ``head_parameters``.
    config : OptimiserConfig
    updates : int ≥ 1
        Length of the training.

    Returns
    -------
    optimizer : Adam
    schedule : LambdaLR
        Stepped after every update.

    Notes
    -----
    Adam treats each parameter alone, so two groups of one optimiser do what the paper's two optimisers do.
    Paper: Ferković and Smoljan 2023, chapter 4 and section 4.5. Notebook: 05_irmas.ipynb.
    """
    parts: list[Any] = [model.parameters()]
    if isinstance(model, InstrumentAST):
        parts = [model.base_parameters(), model.head_parameters()]
    groups = [
        {"params": list(part), "lr": first, "weight_decay": decay}
        for part, (first, _), decay in zip(parts, config.rates, config.weight_decays, strict=True)
    ]
    optimiser = torch.optim.Adam(groups)
    factors = [
        polynomial_decay(updates=updates, start=first, end=last, power=config.decay_power, warmup=config.warmup)
        for first, last in config.rates
    ]
    return optimiser, LambdaLR(optimiser, factors)
