"""Many small probes trained at once: one batched product per layer, and Adam with a learning rate for each probe."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reprise.seeds import torch_generator

__all__ = ["Layer", "ProbeConfig", "ProbeStack", "run_layers"]

Layer = tuple[Tensor, Tensor]
BETAS, EPSILON = (0.9, 0.999), 1e-8
# numbers that one layer may give at once, over all probes, when a large set is evaluated
BLOCK_ELEMENTS = 32_000_000


@dataclass(frozen=True)
class ProbeConfig:
    """How one probe is trained; the paper's linear probe by default.

    Attributes
    ----------
    hidden : int ≥ 1 or None
        Units of the one hidden layer, with a ReLU; None for a linear probe. The paper's has as many as features.
    lr : float, > 0
        Of Adam: 3e-4 in the paper, 1e-3 in its code.
    weight_decay : float, ≥ 0
        L2 penalty inside of Adam, on biases too.
    batch_size : int ≥ 1
    dropout : float, 0 ≤ dropout < 1
        Of the features, and of the hidden units.
    standardise : bool
        Give each feature zero mean and unit variance, by the training rows.
    seed : int
        Of first weights, order and dropout.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.3, supplement. Notebook: 03_tune.ipynb.
    """

    hidden: int | None = None
    lr: float = 3e-4
    weight_decay: float = 1e-6
    batch_size: int = 48
    dropout: float = 0.0
    standardise: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.hidden is not None and self.hidden < 1:
            raise ValueError(f"hidden must be at least 1, or None for a linear probe, got {self.hidden}")
        if not self.lr > 0 or not self.weight_decay >= 0 or not 0 <= self.dropout < 1 or self.batch_size < 1:
            raise ValueError(
                "a probe needs lr > 0, weight_decay ≥ 0, 0 ≤ dropout < 1 and batch_size ≥ 1, got "
                f"{self.lr}, {self.weight_decay}, {self.dropout} and {self.batch_size}"
            )


def run_layers(x: Tensor, layers: Sequence[Layer], *, masks: Sequence[Tensor] = ()) -> Tensor:
    """Outputs of a probe, or of a stack of them.

    Parameters
    ----------
    x : Tensor [shape=(..., batch, n_features)]
    layers : sequence of (weight [shape=(..., in, out)], bias [shape=(..., 1, out)])
        A ReLU between any two.
    masks : sequence of Tensor
        Factors of each layer's input, for dropout; none for none.

    Returns
    -------
    Tensor [shape=(..., batch, n_outputs)]
    """
    for number, (weight, bias) in enumerate(layers):
        x = torch.relu(x) if number else x
        x = (x * masks[number] if masks else x) @ weight + bias
    return x


class ProbeStack:
    """Probes of one architecture and batch size.

    Parameters
    ----------
    configs : sequence of ProbeConfig
        They agree in ``hidden``.
    n_features, n_outputs : int ≥ 1
    device : torch.device

    Attributes
    ----------
    seeds : list of int
        Of each probe.
    lr : Tensor [shape=(n_probes, 1, 1)]
    """

    def __init__(
        self, configs: Sequence[ProbeConfig], *, n_features: int, n_outputs: int, device: torch.device
    ) -> None:
        self.device = device
        self.sizes = [n_features, *([] if configs[0].hidden is None else [configs[0].hidden]), n_outputs]
        self.seeds = [config.seed for config in configs]
        self.lr = self._column([config.lr for config in configs])
        self.decay = self._column([config.weight_decay for config in configs])
        self.dropout = self._column([config.dropout for config in configs])
        first = {seed: self._first_weights(seed) for seed in set(self.seeds)}
        stacked = zip(*(first[seed] for seed in self.seeds), strict=True)
        self.values = [torch.stack(group).to(device) for group in stacked]
        self.means = [torch.zeros_like(value) for value in self.values]
        self.squares = [torch.zeros_like(value) for value in self.values]
        self.updates = 0

    def __len__(self) -> int:
        return len(self.seeds)

    def _column(self, numbers: list[float]) -> Tensor:
        return torch.tensor(numbers, device=self.device).view(-1, 1, 1)

    def _first_weights(self, seed: int) -> list[Tensor]:
        """Weights and biases as torch.nn.Linear starts them: uniform up to one over the root of the inputs."""
        generator, weights = torch_generator(seed, "probe", "weights"), []
        for before, after in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            for rows in (before, 1):
                weights.append((2 * torch.rand(rows, after, generator=generator) - 1) / before**0.5)
        return weights

    @property
    def layers(self) -> list[Layer]:
        """Weights and biases of all probes."""
        return list(zip(self.values[::2], self.values[1::2], strict=True))

    def layers_of(self, probe: int) -> list[Layer]:
        """A copy of one probe's weights and biases, now."""
        return [(weight[probe].detach().clone(), bias[probe].detach().clone()) for weight, bias in self.layers]

    def evaluate(self, features: Tensor) -> Tensor:
        """Outputs without dropout.

        Parameters
        ----------
        features : Tensor [shape=(n, n_features)]

        Returns
        -------
        Tensor [shape=(n_probes, n, n_outputs)]
        """
        rows = max(1, BLOCK_ELEMENTS // (len(self) * max(self.sizes[1:])))
        return torch.cat([run_layers(part, self.layers) for part in features.split(rows)], dim=1)

    def update(self, x: Tensor, targets: Tensor, *, loss_fn, place: tuple[int, int]) -> None:
        """One step of Adam for every probe.

        Parameters
        ----------
        x : Tensor [shape=(1 or n_probes, batch, n_features)]
        targets : Tensor [shape=(1 or n_probes, batch, ...)]
        loss_fn : callable
            (outputs, targets) → loss of each probe, Tensor [shape=(n_probes,)].
        place : tuple of int
            Epoch and batch, which the dropout depends on beside each probe's seed.
        """
        masks = self._masks(x.shape[1], place)
        values = [value.requires_grad_() for value in self.values]
        with torch.enable_grad():
            losses = loss_fn(run_layers(x, self.layers, masks=masks), targets)
            gradients = torch.autograd.grad(losses.sum(), values)
        self.updates += 1
        correction = [1 - beta**self.updates for beta in BETAS]
        with torch.no_grad():
            for value, gradient, mean, square in zip(values, gradients, self.means, self.squares, strict=True):
                total = gradient + self.decay * value
                mean.lerp_(total, 1 - BETAS[0])
                square.mul_(BETAS[1]).addcmul_(total, total, value=1 - BETAS[1])
                value -= self.lr / correction[0] * mean / (square.div(correction[1]).sqrt_() + EPSILON)

    def _masks(self, n: int, place: tuple[int, int]) -> list[Tensor]:
        if not bool(self.dropout.any()):
            return []
        seeds = sorted(set(self.seeds))
        draws: list[list[Tensor]] = []
        for seed in seeds:
            generator = torch_generator(seed, "probe", "dropout", *place, device=str(self.device))
            draws.append([torch.rand(n, size, generator=generator, device=self.device) for size in self.sizes[:-1]])
        own = torch.tensor([seeds.index(seed) for seed in self.seeds], device=self.device)
        kept = 1 - self.dropout
        return [(torch.stack(layer)[own] < kept) / kept for layer in zip(*draws, strict=True)]

    def keep(self, probes: Sequence[int]) -> None:
        """Let go of all other probes.

        Parameters
        ----------
        probes : sequence of int
            Positions in the stack.
        """
        chosen = torch.tensor(probes, dtype=torch.long, device=self.device)
        self.seeds = [self.seeds[probe] for probe in probes]
        self.lr, self.decay, self.dropout = (value[chosen] for value in (self.lr, self.decay, self.dropout))
        for group in (self.values, self.means, self.squares):
            group[:] = [value.detach()[chosen] for value in group]
