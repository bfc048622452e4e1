"""What deformable layers learned: their sampling points, carried back to the spectrogram."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.models.deformable import DeformConv2d
from reprise.models.oblong import OblongCNN
from reprise.papers.singing_technique.analysis import Outcome
from reprise.papers.singing_technique.experiment import load_network

__all__ = ["LayerOffsets", "as_frame", "kernel_points", "learned_offsets", "mean_fields", "trained_network"]

# bins and frames per cell of each layer's input: the product of the pools before it (Table 1)
CELL = {1: 1, 2: 4, 3: 16, 4: 48}
# an even kernel padded by half its length is centred half a cell early; the shifts add up, in bins and in frames
SHIFT = {1: (0.0, 0.0), 2: (-0.5, 0.0), 3: (-2.5, 0.0), 4: (-2.5, -8.0)}


@dataclass(frozen=True)
class LayerOffsets:
    """Offsets and mask of one deformable layer for one clip.

    Attributes
    ----------
    offset : ndarray [shape=(n_taps, 2, rows, columns)]
        Vertical and horizontal displacement of each tap, in cells of the layer's input.
    mask : ndarray [shape=(n_taps, rows, columns)]
        Weight of each sample, 1 at initialisation; all 1 without modulation.
    taps : ndarray [shape=(n_taps, 2)]
        Grid positions of the taps relative to the output position, in cells.
    """

    offset: np.ndarray
    mask: np.ndarray
    taps: np.ndarray


def trained_network(outcome: Outcome, condition: str) -> OblongCNN:
    """Network of the first seed of a condition, with its trained weights.

    Parameters
    ----------
    outcome : Outcome
    condition : str
        For example ``crt_wc@0.2``.

    Returns
    -------
    OblongCNN
        In evaluation mode, on the CPU.

    Raises
    ------
    KeyError
        If the condition was not run.
    """
    return load_network(outcome.stored[condition][0])


def learned_offsets(model: OblongCNN, inputs: Tensor) -> dict[int, LayerOffsets]:
    """Offsets of every deformable layer for one clip.

    Parameters
    ----------
    model : OblongCNN
        In evaluation mode.
    inputs : Tensor [shape=(1, 3, freq, n_frames)]

    Returns
    -------
    dict
        Layer number (1 to 4) → :class:`LayerOffsets`.
    """
    convolutions = {number: block.get_submodule("conv") for number, block in enumerate(model.blocks, start=1)}
    layers = {number: conv for number, conv in convolutions.items() if isinstance(conv, DeformConv2d)}
    seen: list[Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for layer in layers.values()]
    try:
        with torch.inference_mode():
            model(inputs)
            found = [layer.offsets(x) for layer, x in zip(layers.values(), seen, strict=True)]
    finally:
        for hook in hooks:
            hook.remove()
    return {
        number: _layer_offsets(layer, offset, mask)
        for (number, layer), (offset, mask) in zip(layers.items(), found, strict=True)
    }


def _layer_offsets(layer: DeformConv2d, offset: Tensor, mask: Tensor | None) -> LayerOffsets:
    (height, width), (pad_y, pad_x) = layer.kernel_size, layer.padding
    rows, columns = offset.shape[2:]
    grid = np.stack(np.meshgrid(np.arange(height) - pad_y, np.arange(width) - pad_x, indexing="ij"), axis=-1)
    taps = grid.reshape(-1, 2)
    weights = np.ones((len(taps), rows, columns)) if mask is None else mask[0].numpy()
    return LayerOffsets(offset[0].reshape(len(taps), 2, rows, columns).numpy(), weights, taps)


def mean_fields(learned: Mapping[int, LayerOffsets]) -> dict[int, np.ndarray]:
    """Mean displacement of the taps at each position.

    Parameters
    ----------
    learned : mapping of int to LayerOffsets

    Returns
    -------
    dict
        Layer → array [shape=(2, rows, columns)], vertical and horizontal, in cells.
    """
    return {layer: values.offset.mean(axis=0) for layer, values in learned.items()}


def as_frame(fields: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Mean displacements as a long table: ``layer, row, column, vertical, horizontal``."""
    parts = []
    for layer, (vertical, horizontal) in fields.items():
        rows, columns = np.indices(vertical.shape)
        parts.append(
            pd.DataFrame(
                {
                    "layer": layer,
                    "row": rows.ravel(),
                    "column": columns.ravel(),
                    "vertical": vertical.ravel(),
                    "horizontal": horizontal.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _to_spectrogram(cells: np.ndarray, layer: int) -> np.ndarray:
    """Centres of cells (row, column) of a layer's input as (bin, frame) of the spectrogram."""
    return (cells + 0.5) * CELL[layer] - 0.5 + np.asarray(SHIFT[layer])


def _places(spectrogram: np.ndarray, shape: tuple[int, int], layer: int, n_places: int) -> Iterable[tuple[int, int]]:
    """Output positions at evenly spaced times, each at the row where the spectrogram is loudest."""
    rows, columns = shape
    for column in np.unique(np.linspace(0, columns - 1, n_places + 2).round().astype(int)[1:-1]):
        _, frame = _to_spectrogram(np.array([0.0, column]), layer)
        levels = spectrogram[:, int(np.clip(frame, 0, spectrogram.shape[1] - 1))]
        loudest = int(np.argmax(levels))
        yield int(np.clip(loudest // CELL[layer], 0, rows - 1)), int(column)


def kernel_points(learned: Mapping[int, LayerOffsets], spectrogram: np.ndarray, *, n_places: int = 4) -> pd.DataFrame:
    """Sampling points of a few kernels on the spectrogram, before and after their displacement.

    Parameters
    ----------
    learned : mapping of int to LayerOffsets
    spectrogram : ndarray [shape=(freq, n_frames)]
        Decides where to look: at evenly spaced times, where it is loudest.
    n_places : int
        Kernels per layer.

    Returns
    -------
    DataFrame
        ``layer, place, tap, bin, frame, bin_deformed, frame_deformed, weight``.
    """
    rows = []
    for layer, values in learned.items():
        shape = (values.mask.shape[1], values.mask.shape[2])
        for place, (row, column) in enumerate(_places(spectrogram, shape, layer, n_places)):
            grid = values.taps + np.array([row, column])
            moved = grid + values.offset[:, :, row, column]
            before, after = _to_spectrogram(grid, layer), _to_spectrogram(moved, layer)
            for tap in range(len(grid)):
                weight = float(values.mask[tap, row, column])
                rows.append((layer, place, tap, *before[tap], *after[tap], weight))
    names = ["layer", "place", "tap", "bin", "frame", "bin_deformed", "frame_deformed", "weight"]
    return pd.DataFrame(rows, columns=names)
