"""U-Net on the waveform: contractive and expansive path; and what an encoder of such blocks makes of a length."""

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from reprise.models.clmr import LENGTH, ConvBlock

__all__ = ["UNet", "length_after", "shape_trace"]


def length_after(length: int, *, depth: int) -> int:
    """Length of a map after so many pools by three.

    Parameters
    ----------
    length : int ≥ 0, samples
    depth : int ≥ 0

    Returns
    -------
    int
        59,049 samples are 3¹⁰: 19,683, 6,561, …, 3, 1.
    """
    return length // 3**depth


class UNet(nn.Module):
    """Contractive and expansive path.

    Parameters
    ----------
    n_contractive : int ≥ 1
        Blocks with a pool; one more without follows, the bottom of the U.
    n_expansive : int, 0 to ``n_contractive``
    filters : int ≥ 1
        Channels of the first block; each further block has twice as many.
    top_channels : int ≥ 1 or None
        Channels of the last expansive block; None for as many as the contractive block beside it.

    Attributes
    ----------
    top_depth : int
        Pools between the input and the output: ``n_contractive - n_expansive``.
    out_channels : int

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    An expansive block is a transposed convolution (kernel and stride 3), the concatenation of its output with that of
    the contractive block of the same length, and a convolution block.
    Paper: Vélez Vásquez and Burgoyne 2022, sections 3.1 and 3.2. Notebook: 03_tune.ipynb.
    """

    def __init__(
        self, *, n_contractive: int = 4, n_expansive: int = 4, filters: int = 34, top_channels: int | None = None
    ) -> None:
        super().__init__()
        if n_contractive < 1 or not 0 <= n_expansive <= n_contractive or filters < 1:
            raise ValueError(
                "a U needs n_contractive ≥ 1, 0 ≤ n_expansive ≤ n_contractive and filters ≥ 1, got "
                f"{n_contractive}, {n_expansive} and {filters}"
            )
        widths = [filters * 2**depth for depth in range(n_contractive + 1)]
        self.top_depth = n_contractive - n_expansive
        self.pool = nn.MaxPool1d(3)
        self.contractive = nn.ModuleList(ConvBlock(a, b) for a, b in pairwise([1, *widths[:-1]]))
        self.bottom = ConvBlock(widths[-2], widths[-1])
        self.up, self.expansive = nn.ModuleList(), nn.ModuleList()
        for depth in range(n_contractive - 1, self.top_depth - 1, -1):
            last = top_channels if depth == self.top_depth and top_channels is not None else widths[depth]
            self.up.append(nn.ConvTranspose1d(widths[depth + 1], widths[depth], 3, stride=3))
            self.expansive.append(ConvBlock(2 * widths[depth], last))
        self.out_channels = last if n_expansive else widths[-1]

    def maps(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Name and output of each block: ``Contr-1`` …, ``Bot-U``, ``Expa-1`` …, the last of which is the U's output.

        Parameters
        ----------
        x : Tensor [shape=(batch, 1, time)]
            Its length a multiple of three to the power of ``n_contractive``.

        Yields
        ------
        tuple of str and Tensor [shape=(batch, channels, length)], ≥ 0
            Contractive blocks before their pool.
        """
        skips = []
        for number, block in enumerate(self.contractive, start=1):
            skips.append(block(x))
            yield f"Contr-{number}", skips[-1]
            x = self.pool(skips[-1])
        x = self.bottom(x)
        yield "Bot-U", x
        for number, (up, block) in enumerate(zip(self.up, self.expansive, strict=True), start=1):
            x = block(torch.cat((up(x), skips.pop()), dim=1))
            yield f"Expa-{number}", x


def shape_trace(encoder: nn.Module, *, length: int = LENGTH) -> pd.DataFrame:
    """Every block of an encoder in the order in which it runs, read off the live modules: the stuff of Figure 1.

    Parameters
    ----------
    encoder : TUNe, CLMRTail or SampleCNN
        Left as it was; a copy without values runs.
    length : int, samples

    Returns
    -------
    DataFrame
        ``block`` (module's name), ``kind`` (conv or up), ``path`` (contractive, bottom, expansive, tail),
        ``in_channels``, ``channels``, ``length`` (of the convolution's output), ``parameters`` and ``macs``
        (multiplications of one clip's convolutions). Summed up, ``parameters`` are the encoder's.

    Raises
    ------
    ValueError
        If the length is not valid for the encoder.
    """
    shadow = copy.deepcopy(encoder).to("meta").eval()
    rows: list[dict[str, Any]] = []

    def watch(name: str) -> Any:
        def hook(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            conv: Any = module[0] if isinstance(module, ConvBlock) else module
            up = isinstance(conv, nn.ConvTranspose1d)
            steps = inputs[0].shape[2] if up else output.shape[2]
            rows.append(
                {
                    "block": name,
                    "kind": "up" if up else "conv",
                    "path": _path(name),
                    "in_channels": conv.in_channels,
                    "channels": conv.out_channels,
                    "length": output.shape[2],
                    "parameters": sum(value.numel() for value in module.parameters()),
                    "macs": 3 * conv.in_channels * conv.out_channels * steps,
                }
            )

        return hook

    for name, module in shadow.named_modules():
        if isinstance(module, ConvBlock | nn.ConvTranspose1d):
            module.register_forward_hook(watch(name))
    with torch.no_grad():
        shadow(torch.empty(1, length, device="meta"))
    return pd.DataFrame(rows)


def _path(name: str) -> str:
    if not name.startswith("unet."):
        return "tail" if name.startswith("tail.") else "contractive"
    part = name.split(".")[1]
    return "expansive" if part == "up" else part
