"""Tables about models: counts, layers and maps of live networks, hyper-parameters (Tables 4.1 to 4.5, section 3.4)."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import nn

from reprise.models.instrument import MFCCCNN, FeatureCNN, InstrumentAST, RawAudioCNN, SpectrogramResNet
from reprise.models.shapes import count_parameters, shape_walk
from reprise.report.schema import Table

if TYPE_CHECKING:
    from reprise.papers.irmas.settings import Settings

__all__ = [
    "FIGURE_4_2",
    "FIGURE_4_3",
    "feature_maps",
    "layer_quantities",
    "parameter_counts",
    "parameter_table",
    "raw_layers",
    "setting_quantities",
]

# Figures 4.2 and 4.3 as printed: channels × map, the input first
FIGURE_4_2 = ("1 × 40 × 256", "32 × 18 × 126", "64 × 8 × 58", "128 × 3 × 24", "256 × 1 × 7")
FIGURE_4_3 = ("40 × 87", "32 × 40", "64 × 19", "128 × 9", "256 × 4")
# what the paper's table leaves out
_UNLISTED = ("ReLU", "BatchNorm1d", "Dropout")
# rows of table_4_2 in reported.yaml
_ROWS = (
    *(f"{layer}_{number}" for number in range(1, 7) for layer in ("conv", "pool")),
    *("mean", "flatten", "linear_1", "linear_2", "output"),
)
_STAGES = {"AdaptiveAvgPool1d": "mean", "AdaptiveAvgPool2d": "mean", "Linear": "linear"}


@cache
def parameter_counts() -> Mapping[str, int]:
    """Parameters of the networks at the paper's size, for 11 instruments.

    Returns
    -------
    mapping of str to int
        ``cnn_raw, cnn_mfcc, cnn_features, resnet, ast`` (10 s), ``ast_1s``.

    Notes
    -----
    Built without memory for the weights, so that it costs next to nothing.
    """
    with torch.device("meta"):
        networks: dict[str, nn.Module] = {
            "cnn_raw": RawAudioCNN(),
            "cnn_mfcc": MFCCCNN(),
            "cnn_features": FeatureCNN(),
            "resnet": SpectrogramResNet(),
            "ast": InstrumentAST(n_frames=1024),
            "ast_1s": InstrumentAST(n_frames=98),
        }
    return {name: count_parameters(network) for name, network in networks.items()}


def parameter_table(published: Table, run: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Exact numbers of parameters beside the printed ones, with what printing did to them (Table 4.1).

    Parameters
    ----------
    published : Table
        ``table_4_1`` of ``reported.yaml``, in thousands.
    run : mapping of str to int or None
        Name as in :func:`parameter_counts` → parameters of the network that this run trains, which may be smaller.

    Returns
    -------
    DataFrame
        ``model, parameters`` (at the paper's size), ``paper, rounded, cut`` (whether rounding to the printed digits
        gives the printed number, and whether cutting does) and, with ``run``, ``this_run``.
    """
    counts, rows = parameter_counts(), []
    for name, row in published.rows.items():
        printed = row.values["parameters"] or 0.0
        # numbers above a million are printed in millions, with one digit
        step = 1e5 if printed >= 1e3 else 1e3
        wanted = round(1e3 * printed / step)
        found = {
            "model": row.label,
            "parameters": counts[name],
            "paper": 1e3 * printed,
            "rounded": round(counts[name] / step) == wanted,
            "cut": int(counts[name] / step) == wanted,
        }
        rows.append(found | ({} if run is None else {"this_run": run.get(name)}))
    return pd.DataFrame(rows)


def raw_layers() -> pd.DataFrame:
    """Listed layers of the network on samples, with their inputs (Table 4.2).

    Returns
    -------
    DataFrame [indexed by the rows of ``table_4_2``]
        ``kind, channels, length`` (missing behind the mean), ``kernel`` (as "440, stride 2").

    Notes
    -----
    The paper heads the column of inputs "shape in", prints pools of size 4 as 4 × 4 and leaves out ReLU, batch norm
    and dropout.
    """
    walk = RawAudioCNN().shape_walk()
    walk = walk[~walk["kind"].isin(_UNLISTED)]
    shapes = [[int(size) for size in shape.split(" × ")] for shape in [*walk["input"], walk["output"].iloc[-1]]]
    frame = pd.DataFrame(
        {
            "kind": [*walk["kind"], "output"],
            "channels": [shape[0] for shape in shapes],
            "length": pd.array([shape[1] if len(shape) > 1 else None for shape in shapes], dtype="Int64"),
            "kernel": [*walk["kernel"], ""],
        }
    )
    return frame.set_axis(pd.Index(_ROWS, name="layer"))


def layer_quantities() -> dict[str, float]:
    """Inputs of the layers, for ``table_4_2``, and parameters in thousands, for ``table_4_1``.

    Returns
    -------
    dict of str to float
        ``channels/conv_1``, ``length/conv_1`` …, ``parameters/cnn_raw`` …
    """
    layers = raw_layers()
    found = {f"channels/{name}": float(value) for name, value in layers["channels"].items()}
    found |= {f"length/{name}": float(value) for name, value in layers["length"].dropna().items()}
    return found | {f"parameters/{name}": count / 1e3 for name, count in parameter_counts().items()}


def feature_maps(network: MFCCCNN | FeatureCNN, published: Sequence[str]) -> pd.DataFrame:
    """Maps between the blocks of a network, ours and the paper's (Figures 4.2 and 4.3).

    Parameters
    ----------
    network : MFCCCNN or FeatureCNN
    published : sequence of str
        ``FIGURE_4_2`` or ``FIGURE_4_3``: the input, then what each block gives.

    Returns
    -------
    DataFrame
        ``stage, operation`` (what leads there), ``ours, paper, same, parameters``; the stages behind the blocks, which
        the paper draws without numbers of their own, have no ``paper``.
    """
    walk = shape_walk(network, torch.zeros(1, *network.example))
    pools = walk["kind"].str.startswith("MaxPool").to_numpy()
    # pools still to come: the same number within a block, none behind the last
    ahead = pools[::-1].cumsum()[::-1]
    rows = [{"stage": "input", "operation": "", "ours": walk["input"].iloc[0], "parameters": 0}]
    for number, left in enumerate(range(int(ahead[0]), 0, -1), start=1):
        block = walk[ahead == left]
        convolution = block[block["kind"].str.startswith("Conv")].iloc[0]
        operation = (
            f"{convolution['kind']} {convolution['kernel']}, {block['kind'].iloc[-1]} {block['kernel'].iloc[-1]}"
        )
        found = {"stage": f"block {number}", "operation": operation, "ours": block["output"].iloc[-1]}
        rows.append(found | {"parameters": int(block["parameters"].sum())})
    for layer in walk[(ahead == 0) & walk["kind"].isin(list(_STAGES))].to_dict("records"):
        found = {"stage": _STAGES[layer["kind"]], "operation": layer["kind"], "ours": layer["output"]}
        rows.append(found | {"parameters": int(layer["parameters"])})
    frame = pd.DataFrame(rows)
    frame["paper"] = pd.Series([*published, *[None] * (len(frame) - len(published))], dtype=object)
    frame["same"] = (frame["ours"] == frame["paper"]).astype("boolean").where(frame["paper"].notna())
    return frame[["stage", "operation", "ours", "paper", "same", "parameters"]]


def setting_quantities(settings: "Settings") -> dict[str, float]:
    """Hyper-parameters of this run, for the tables ``table_4_3`` to ``table_4_5`` and ``section_3_4``.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to float
        ``learning_rate/small_cnns``, ``learning_rate_end/…``, ``decay_power/…``, ``warmup/…``, ``epochs/…``,
        ``batch_size/…``, ``l2/…`` for ``small_cnns, resnet, ast_base, ast_classifier``; ``noise, pitch, shift, masks,
        mask_share`` of ``augmentation``.
    """
    base, head = settings.l2_ast_high
    networks = {
        "small_cnns": (settings.rates("cnn"), settings.l2_cnn),
        "resnet": (settings.rates("resnet"), settings.l2_resnet),
        "ast_base": (settings.rates("ast_base"), base),
        "ast_classifier": (settings.rates("ast_head"), head),
    }
    found: dict[str, float] = {}
    for name, ((first, last), l2) in networks.items():
        values = {
            "learning_rate": first,
            "learning_rate_end": last,
            "decay_power": settings.decay_power,
            "warmup": settings.warmup,
            "epochs": settings.epochs,
            "batch_size": settings.batch_size,
            "l2": l2,
        }
        found |= {f"{key}/{name}": float(value) for key, value in values.items()}
    augmentation = {
        "noise": settings.noise_amount,
        "pitch": settings.pitch_semitones,
        "shift": settings.time_shift,
        "masks": settings.n_masks[0],
        "mask_share": settings.mask_limit,
    }
    return found | {f"{key}/augmentation": float(value) for key, value in augmentation.items()}
