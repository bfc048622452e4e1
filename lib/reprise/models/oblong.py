"""Oblong CNN for singing techniques: tall, then wide kernels, plain or deformable."""

from typing import Literal

import pandas as pd
import torch
from torch import Tensor, nn

from reprise.models.deformable import DeformConv2d
from reprise.models.normpool import conv_norm_relu_pool

__all__ = ["OblongCNN"]

KERNELS = ((4, 1), (16, 1), (1, 4), (1, 16))
CHANNELS = (32, 64, 128, 128)
POOLS = (4, 4, 3, 2)
PLACEMENTS: dict[str | None, tuple[int, ...]] = {
    None: (),
    "all": (1, 2, 3, 4),
    "early": (1, 2),
    "late": (3, 4),
    "last": (4,),
}


class _Block(nn.Module):
    """Convolution, batch norm, ReLU, max-pooling, dropout."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        *,
        pool: int,
        deformable: bool,
        modulated: bool,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv: nn.Conv2d | DeformConv2d
        if deformable:
            self.conv = DeformConv2d(in_channels, out_channels, kernel, padding=padding, modulated=modulated)
        else:
            self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding)
        self.norm = nn.BatchNorm2d(out_channels)
        self.pool_size = pool
        self.pool: nn.Module = nn.Identity() if pool == 1 else nn.MaxPool2d(pool)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        # an input that needs no gradient, the spectrogram, saves most of the first block's work and memory on the CPU
        fused = self.training and x.device.type == "cpu" and not x.requires_grad and self.conv.weight.requires_grad
        if fused and self.pool_size > 1 and isinstance(self.conv, nn.Conv2d):
            return self.dropout(conv_norm_relu_pool(x, self.conv, norm=self.norm, pool=self.pool_size))
        # ReLU keeps the order, so it may follow the pool, where it has less work
        return self.dropout(torch.relu(self.pool(self.norm(self.conv(x)))))


class OblongCNN(nn.Module):
    """Four convolution blocks, average over frequency and time, a 30-dimensional feature, a linear classifier.

    Parameters
    ----------
    n_classes : int
    deformable : None, "all", "early", "late" or "last"
        Which convolutions are deformable: none, 1 to 4, 1 and 2, 3 and 4, or 4.
    modulated : bool
        Deformable layers learn a mask beside the offsets; the printed parameter counts come out only so.
    pool_deformable : bool
        Keep max-pooling in deformable layers as in the paper's Table 1; the authors' code drops it there.
    head : "code" or "table"
        Layers before the feature: a hidden layer of 50 units as in the authors' code, or none as in Table 1.

    Attributes
    ----------
    classifier : nn.Linear
        The last layer, which classifier re-training trains alone.

    Raises
    ------
    ValueError
        If ``deformable`` or ``head`` is none of the above.

    Notes
    -----
    337,510 trainable parameters without deformable layers; all 463,374; early 362,194; late 438,690; last 435,734.

    Paper: Yamamoto et al. 2022, Table 1. Notebook: 01_singing_technique.ipynb.
    """

    def __init__(
        self,
        *,
        n_classes: int = 10,
        deformable: Literal["all", "early", "late", "last"] | None = None,
        modulated: bool = True,
        pool_deformable: bool = True,
        head: Literal["code", "table"] = "code",
    ) -> None:
        super().__init__()
        if deformable not in PLACEMENTS:
            raise ValueError(f"deformable={deformable!r}; choose one of {list(PLACEMENTS)}")
        if head not in ("code", "table"):
            raise ValueError(f"head={head!r}; choose 'code' or 'table'")
        blocks = []
        for layer, (n_in, n_out, kernel, pool) in enumerate(
            zip((3, *CHANNELS), CHANNELS, KERNELS, POOLS, strict=False), start=1
        ):
            deforms = layer in PLACEMENTS[deformable]
            blocks.append(
                _Block(
                    n_in,
                    n_out,
                    kernel,
                    pool=pool if pool_deformable or not deforms else 1,
                    deformable=deforms,
                    modulated=modulated,
                )
            )
        self.blocks = nn.ModuleList(blocks)
        if head == "code":
            self.feature = nn.Sequential(
                nn.Linear(128, 50), nn.BatchNorm1d(50), nn.ReLU(), nn.Dropout(0.4), nn.Linear(50, 30)
            )
        else:
            self.feature = nn.Sequential(nn.Linear(128, 30))
        self.classifier = nn.Linear(30, n_classes)

    def _blocks(self) -> list[_Block]:
        return [block for block in self.blocks if isinstance(block, _Block)]

    def _map_sizes(self, freq: int, time: int) -> list[tuple[int, int]]:
        """Size of the map after each block."""
        sizes = []
        for block, kernel in zip(self._blocks(), KERNELS, strict=True):
            pool = block.pool_size
            freq, time = ((n + 2 * (k // 2) - k + 1) // pool for n, k in zip((freq, time), kernel, strict=True))
            sizes.append((freq, time))
        return sizes

    def smallest_input(self) -> tuple[int, int]:
        """Smallest (freq, time) that leaves something to pool in every block."""
        smallest = []
        for axis in (0, 1):
            n = 1
            while min(size[axis] for size in self._map_sizes(n, n)) < 1:
                n += 1
            smallest.append(n)
        return smallest[0], smallest[1]

    def maps(self, x: Tensor) -> Tensor:
        """Feature maps before averaging.

        Parameters
        ----------
        x : Tensor [shape=(batch, 3, freq, time)]

        Returns
        -------
        Tensor [shape=(batch, 128, out_freq, out_time)]
            10 × 3 for the paper's 1025 × 259.

        Raises
        ------
        ValueError
            If ``x`` has another number of axes or channels, or is too small for the pools.
        """
        if x.dim() != 4 or x.shape[1] != 3:
            raise ValueError(f"the input has shape {tuple(x.shape)}; OblongCNN needs (batch, 3, freq, time)")
        if min(map(min, self._map_sizes(*x.shape[2:]))) < 1:
            freq, time = self.smallest_input()
            raise ValueError(
                f"the input of {x.shape[2]} × {x.shape[3]} (freq × time) is too small for the pools; the smallest is "
                f"{freq} × {time}: use a longer clip, a smaller hop_length or a larger n_fft"
            )
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)
        return x

    def features(self, x: Tensor) -> Tensor:
        """The 30-dimensional representation that the classifier sees.

        Parameters
        ----------
        x : Tensor [shape=(batch, 3, freq, time)]

        Returns
        -------
        Tensor [shape=(batch, 30)]

        Raises
        ------
        ValueError
            See :meth:`maps`.
        """
        return self.feature(self.maps(x).mean(dim=(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores before softmax.

        Parameters
        ----------
        x : Tensor [shape=(batch, 3, freq, time)]

        Returns
        -------
        Tensor [shape=(batch, n_classes)]
        """
        return self.classifier(self.features(x))

    def shape_walk(self, freq: int = 1025, time: int = 259) -> pd.DataFrame:
        """Layer by layer, what an input becomes: read off the live modules while they run.

        Parameters
        ----------
        freq, time : int
            Size of the input.

        Returns
        -------
        DataFrame
            ``layer, output, parameters``: name, shape without the batch as "128 × 10 × 3", trainable parameters.
        """
        rows: list[tuple[str, str, int]] = [("input", f"3 × {freq} × {time}", 0)]

        def watch(name: str):
            def hook(module: nn.Module, _inputs: tuple, output: Tensor) -> None:
                n_parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
                rows.append((name, " × ".join(map(str, output.shape[1:])), n_parameters))

            return hook

        names: dict[nn.Module, str] = {}
        for number, (block, (kh, kw)) in enumerate(zip(self._blocks(), KERNELS, strict=True), start=1):
            kind = "deformable conv" if isinstance(block.conv, DeformConv2d) else "conv"
            names[block.conv] = f"{kind} {number} ({kh}×{kw})"
            names[block.norm] = f"batch norm {number}"
            if block.pool_size > 1:
                names[block.pool] = f"max pool {number} ({block.pool_size}×{block.pool_size})"
        names |= {
            module: f"dense {module.out_features}" if isinstance(module, nn.Linear) else "batch norm"
            for module in (*self.feature, self.classifier)
            if isinstance(module, nn.Linear | nn.BatchNorm1d)
        }
        handles = [module.register_forward_hook(watch(name)) for module, name in names.items()]
        training = self.training
        device = self.classifier.weight.device
        try:
            with torch.no_grad():
                self.eval()(torch.zeros(1, 3, freq, time, device=device))
        finally:
            self.train(training)
            for handle in handles:
                handle.remove()
        return pd.DataFrame(rows, columns=["layer", "output", "parameters"])
