"""Architecture tables read from a live network: layers, kernels, map sizes and parameters."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

__all__ = ["count_parameters", "shape_walk"]


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def shape_walk(model: nn.Module, example: Tensor, *, names: Sequence[str] | None = None) -> pd.DataFrame:
    """List the layers of a network in the order in which they run.

    Parameters
    ----------
    model : Module
        Left as it was: its mode, statistics and random numbers do not change.
    example : Tensor [shape=(batch, ...)]
        An input; moved to the model's device.
    names : sequence of str or None
        Modules to list, each with everything inside of it. Default: every module that contains no other.

    Returns
    -------
    DataFrame
        ``layer`` (name), ``kind`` (class), ``kernel``, ``input``, ``output`` (shapes without the batch, as
        "32 × 5457") and ``parameters`` (trainable, counted where a module runs first).

    Raises
    ------
    ValueError
        If the model has no module of a given name.
    """
    modules = dict(model.named_modules())
    leaves = [name for name, module in modules.items() if not any(module.children())]
    chosen = leaves if names is None else list(names)
    unknown = [name for name in chosen if name not in modules]
    if unknown:
        raise ValueError(f"the model has no module {unknown[0]!r}; it has {', '.join(filter(None, modules))}")
    rows: list[dict[str, Any]] = []
    hooks = [modules[name].register_forward_hook(_recorder(name, rows), with_kwargs=True) for name in chosen]
    try:
        with torch.no_grad(), _evaluating(model):
            model(example.to(next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return pd.DataFrame(rows, columns=["layer", "kind", "kernel", "input", "output", "parameters"])


def _recorder(name: str, rows: list[dict[str, Any]]) -> Callable[..., None]:
    def record(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        again = any(row["layer"] == name for row in rows)
        rows.append(
            {
                "layer": name,
                "kind": type(module).__name__,
                "kernel": _kernel(module),
                "input": _text([*args, *kwargs.values()]),
                "output": _text(output),
                "parameters": 0 if again else count_parameters(module),
            }
        )

    return record


def _kernel(module: nn.Module) -> str:
    size = getattr(module, "kernel_size", None)
    if size is None:
        return ""
    stride = getattr(module, "stride", 1)
    sizes = size if isinstance(size, tuple) else (size,)
    strides = stride if isinstance(stride, tuple) else (stride,)
    text = " × ".join(map(str, sizes))
    return text if set(strides) == {1} else f"{text}, stride {' × '.join(map(str, dict.fromkeys(strides)))}"


def _text(value: Any) -> str:
    return " × ".join(map(str, _shape(value)))


def _shape(value: Any) -> tuple[int, ...]:
    """Shape of the first tensor in a nest of containers, without the batch axis."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return next((shape for shape in map(_shape, items) if shape), ())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
