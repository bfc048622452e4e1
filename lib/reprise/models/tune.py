"""TUNe: a U-Net on the waveform whose tail brings its full-rate output down to one vector."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reprise.models.clmr import ConvBlock, SampleCNN, checked_audio, initialise
from reprise.models.unet import UNet, length_after, shape_trace

__all__ = ["VARIANTS", "CLMRTail", "TUNe", "UNet", "length_after", "shape_trace"]

Init = Literal["he", "code", "default"]

# the rows of the paper's Table 1 by their printed names
VARIANTS: dict[str, dict[str, Any]] = {
    "Vanilla TUNe": {},
    "TUNe Contractive+1": {"n_contractive": 5, "n_expansive": 5, "filters": 18},
    "TUNe Contractive+2": {"n_contractive": 6, "n_expansive": 6, "filters": 9},
    "TUNe Contractive+3": {"n_contractive": 7, "n_expansive": 7, "filters": 4},
    "TUNe Expansive-1": {"n_expansive": 3, "n_tail": 3},
    "TUNe Expansive-2": {"n_expansive": 2, "n_tail": 2, "filters": 35},
    "TUNe Expansive-3": {"n_expansive": 1, "n_tail": 1, "filters": 38},
    "TUNe Tail+1": {"n_tail": 5, "filters": 28},
    "TUNe Tail+2": {"n_tail": 6, "filters": 19},
    "TUNe Tail+3": {"n_tail": 7, "filters": 15},
    "TUNe Tail+4": {"n_tail": 8, "filters": 13},
    "TUNe Tail+5": {"n_tail": 9, "filters": 11},
    "TUNe CLMR-tail": {"filters": 10},
    "TUNe+": {"n_tail": 9, "filters": 11, "plus": True},
    "Vanilla TUNe Small": {"filters": 11},
    "TUNe+ Large": {"n_tail": 9, "plus": True, "tail_widths": "early"},
    "TUNe+ Smaller Rep": {"n_tail": 9, "filters": 11, "plus": True, "tail_widths": "early", "representation": 256},
    "CLMR": {},
}
# doubling of the tail's widths stops at 32 times the first ones
LARGEST_DOUBLING = 5


class _Encoder(nn.Module, ABC):
    """A U, a tail and the mean over time."""

    name: str
    unet: UNet
    representation: int
    depth: int

    @property
    def unit(self) -> int:
        """Samples that the input's length must be a multiple of: three to the power of ``n_contractive``."""
        return 3 ** len(self.unet.contractive)

    @property
    def smallest_input(self) -> int:
        """Samples that leave one point after the last pool."""
        return max(self.unit, 3**self.depth)

    def maps(self, audio: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Name and output of each block, one after another, as in the supplement's Figures S3 and S4.

        Parameters
        ----------
        audio : Tensor [shape=(batch, time)], −1 to 1

        Yields
        ------
        tuple of str and Tensor [shape=(batch, channels, length)], ≥ 0
            ``Contr-1`` … before their pools, ``Bot-U``, ``Expa-1`` …, ``Tail-1`` ….

        Raises
        ------
        ValueError
            If the shape is another or the length not valid; the message names the next valid one.
        """
        x = checked_audio(audio, name=self.name, unit=self.unit, smallest=self.smallest_input)
        features = []
        for name, value in self.unet.maps(x):
            yield name, value
            # the U lets go of the contractive blocks' large maps as soon as it can
            if not name.startswith("Contr"):
                features.append(value)
        yield from self._tail(features)

    @abstractmethod
    def _tail(self, features: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Names and outputs of the tail's blocks, from those of the U's bottom and expansive path."""

    def forward(self, audio: Tensor) -> Tensor:
        """Representation of waveforms.

        Parameters
        ----------
        audio : Tensor [shape=(batch, time)], −1 to 1
            59,049 samples at 22,050 Hz in the paper.

        Returns
        -------
        Tensor [shape=(batch, representation)], ≥ 0
            Mean of the last block over whatever length is left; the published code's pool has a fixed size, so that
            an input twice as long would give two vectors side by side.

        Raises
        ------
        ValueError
            See :meth:`maps`.
        """
        # one after another, so that without gradients no map outlives its use
        return deque(self.maps(audio), maxlen=1)[0][1].mean(dim=2)


class TUNe(_Encoder):
    """Tailed U-Net: encoder without a head.

    Parameters
    ----------
    n_contractive, n_expansive : int
        See :class:`UNet`.
    n_tail : int ≥ 1
        Tail blocks, each a pool followed by a convolution block.
    filters : int ≥ 1
        Channels of the first block, :math:`c`.
    plus : bool
        TUNe+: tail blocks also receive the U's feature of their length.
    representation : int ≥ 1
        Channels of the last tail block, :math:`R`.
    tail_widths : "double" or "early"
        Widths of the tail blocks before the last: doubled from block to block up to :math:`32 c`; or doubled as long
        as the U has a feature of their length, except for its bottom's, and :math:`R` from there on.
    init : "he", "code" or "default"
        See :func:`reprise.models.clmr.initialise`.

    Attributes
    ----------
    unit, smallest_input : int, samples
        What the input's length must be a multiple of, and at least.

    Raises
    ------
    ValueError
        If a number is out of its range or ``tail_widths`` is another word.

    Notes
    -----
    "Double until the representation size is reached" gives the printed parameter counts of all rows in neither
    reading; the two rules here do, "early" for TUNe+ Large and TUNe+ Smaller Rep. Links of TUNe+ end at the bottom of
    the U, so four of nine tail blocks have one, and the last comes from the bottom, not from an expansive block.
    Paper: Vélez Vásquez and Burgoyne 2022, section 3.3, Figure 1, Table 1. Notebook: 03_tune.ipynb.
    """

    name = "TUNe"

    def __init__(
        self,
        *,
        n_contractive: int = 4,
        n_expansive: int = 4,
        n_tail: int = 4,
        filters: int = 34,
        plus: bool = False,
        representation: int = 512,
        tail_widths: Literal["double", "early"] = "double",
        init: Init = "he",
    ) -> None:
        super().__init__()
        if n_tail < 1 or representation < 1:
            raise ValueError(
                f"n_tail and representation must be at least 1, got {n_tail} and {representation}; "
                "the U alone is reprise.models.tune.UNet"
            )
        if tail_widths not in ("double", "early"):
            raise ValueError(f"tail_widths={tail_widths!r}; choose 'double' or 'early'")
        self.unet = UNet(n_contractive=n_contractive, n_expansive=n_expansive, filters=filters)
        self.representation, self.plus, self.pool = representation, plus, nn.MaxPool1d(3)
        top = self.unet.top_depth
        self.depth = top + n_tail
        depths = range(top + 1, top + n_tail)
        if tail_widths == "double":
            widths = [filters * 2 ** min(depth, LARGEST_DOUBLING) for depth in depths]
        else:
            widths = [filters * 2**depth if depth < n_contractive else representation for depth in depths]
        widths = [self.unet.out_channels, *widths, representation]
        links = [filters * 2 ** (top + number) if self._is_linked(number) else 0 for number in range(1, n_tail + 1)]
        self.tail = nn.ModuleList(
            ConvBlock(before + link, after) for (before, after), link in zip(pairwise(widths), links, strict=True)
        )
        initialise(self, init)

    def _is_linked(self, number: int) -> bool:
        return self.plus and number <= len(self.unet.expansive)

    def _tail(self, features: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
        # from the U's output down to its bottom, each a third of the length of the one before
        x, *links = reversed(features)
        for number, block in enumerate(self.tail, start=1):
            x = self.pool(x)
            if self._is_linked(number):
                x = torch.cat((x, links[number - 1]), dim=1)
            x = block(x)
            yield f"Tail-{number}", x

    @classmethod
    def from_name(cls, name: str, *, init: Init | None = None) -> "TUNe | CLMRTail | SampleCNN":
        """Network of a row of the paper's Table 1.

        Parameters
        ----------
        name : str
            As printed, for example "TUNe Tail+5", "Vanilla TUNe", "CLMR"; " 10 000" after it changes nothing.
        init : "he", "code", "default" or None
            None for each network's own default.

        Returns
        -------
        TUNe, CLMRTail or SampleCNN
            The encoder alone, with random weights.

        Raises
        ------
        ValueError
            If there is no such row; the message lists the names.
        """
        key = name.removesuffix(" 10 000")
        if key not in VARIANTS:
            raise ValueError(f"there is no network {name!r}; choose one of {', '.join(VARIANTS)}")
        kinds: dict[str, type[Any]] = {"CLMR": SampleCNN, "TUNe CLMR-tail": CLMRTail}
        options = VARIANTS[key] | ({} if init is None else {"init": init})
        return kinds.get(key, cls)(**options)


class CLMRTail(_Encoder):
    """U whose output has one channel, a signal for CLMR's whole network behind it.

    Parameters
    ----------
    n_contractive, filters : int
        See :class:`UNet`; the U ends at full rate.
    tail : SampleCNN or None
        A trained CLMR encoder, as in the paper; None for a new one that learns with the U.
    freeze : bool
        Leave the tail's weights as they are. As in the published code its batch norms go on counting in training.
    init : "he", "code" or "default"
        For the U, and for the tail where it is new; see :func:`reprise.models.clmr.initialise`.

    Notes
    -----
    2,522,505 parameters, 153,993 of them in the U.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.2.2. Notebook: 03_tune.ipynb.
    """

    name = "TUNe CLMR-tail"

    def __init__(
        self,
        *,
        n_contractive: int = 4,
        filters: int = 10,
        tail: SampleCNN | None = None,
        freeze: bool = False,
        init: Init = "he",
    ) -> None:
        super().__init__()
        self.unet = UNet(n_contractive=n_contractive, n_expansive=n_contractive, filters=filters, top_channels=1)
        initialise(self.unet, init)
        self.tail = SampleCNN(init=init) if tail is None else tail
        self.representation = self.tail.representation
        self.depth = len(self.tail.blocks) + 1
        self.tail.requires_grad_(not freeze)

    def _tail(self, features: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
        for name, value in self.tail.maps(features[-1].squeeze(1)):
            yield name.replace("Conv", "Tail"), value
