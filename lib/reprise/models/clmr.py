"""CLMR: the sample-level encoder, its building block, its initialisation and the projection head."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

__all__ = ["ConvBlock", "Projector", "SampleCNN", "checked_audio", "initialise"]

WIDTHS = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512)
LENGTH = 59_049


class ConvBlock(nn.Sequential):
    """Convolution (kernel 3), batch norm, ReLU.

    Parameters
    ----------
    in_channels, out_channels : int ≥ 1
    stride : 1 or 3
        With 1 the input is padded, so that the length stays; with 3 it is a third.

    Notes
    -----
    :math:`3 c_{in} c_{out} + 3 c_{out}` parameters. ``forward``: Tensor [shape=(batch, in_channels, time)] →
    [shape=(batch, out_channels, time // stride)], ≥ 0.
    Paper: Vélez Vásquez and Burgoyne 2022, section 3.1. Notebook: 03_tune.ipynb.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        conv = nn.Conv1d(in_channels, out_channels, 3, stride=stride, padding=1 if stride == 1 else 0)
        super().__init__(conv, nn.BatchNorm1d(out_channels), nn.ReLU())


def checked_audio(audio: Tensor, *, name: str, unit: int, smallest: int) -> Tensor:
    """Waveforms as a map of one channel.

    Parameters
    ----------
    audio : Tensor [shape=(batch, time)]
    name : str
        Of the network, for the message.
    unit : int ≥ 1, samples
        The length must be a multiple of it.
    smallest : int ≥ 1, samples
        Multiple of ``unit`` that the length must reach.

    Returns
    -------
    Tensor [shape=(batch, 1, time)]

    Raises
    ------
    ValueError
        If the shape or the length is another; the message names the next valid length.
    """
    if audio.ndim != 2:
        raise ValueError(f"{name} needs waveforms of shape (batch, time), got {tuple(audio.shape)}")
    length = audio.shape[1]
    if length % unit or length < smallest:
        following = max(-(-length // unit) * unit, smallest)
        raise ValueError(
            f"{name} cannot take {length} samples: the length must be a multiple of {unit} and at least {smallest}; "
            f"the next valid length is {following} (the paper: {LENGTH})"
        )
    return audio.unsqueeze(1)


def initialise(network: nn.Module, scheme: Literal["he", "code", "default"]) -> None:
    r"""Draw new weights for the convolutions, from torch's generator.

    Parameters
    ----------
    network : Module
        Changed in place.
    scheme : "he", "code" or "default"
        He's uniform distribution for the weights of all convolutions, the transposed ones included, as the paper
        says; for those of the convolution blocks only, as the authors' code does; or nothing: torch's own.

    Raises
    ------
    ValueError
        If ``scheme`` is another word.

    Notes
    -----
    :math:`U(-b, b)` with :math:`b = \sqrt{6 / n}` and :math:`n` the inputs that one output sums up (He et al. 2015):
    :math:`3 c_{in}` for the blocks, :math:`c_{in}` for transposed convolutions of stride 3, whose outputs do not
    overlap. Biases and batch norms keep torch's start.
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """
    if scheme not in ("he", "code", "default"):
        raise ValueError(f"the initialisation {scheme!r} is unknown; choose 'he', 'code' or 'default'")
    if scheme == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.ConvTranspose1d) and scheme == "he":
            bound = (6 / module.in_channels) ** 0.5
            nn.init.uniform_(module.weight, -bound, bound)


class SampleCNN(nn.Module):
    """Encoder of CLMR: eleven convolution blocks on the waveform, a third of the length after each of ten.

    Parameters
    ----------
    init : "he", "code" or "default"
        See :func:`initialise`. The published code defines He's initialisation for this network and never calls it, so
        that the baseline has torch's own.

    Attributes
    ----------
    representation : int
        512.
    unit, smallest_input : int, samples
        1, for lengths that are no multiple of 59,049 lose their end in a pool; and 59,049.

    Notes
    -----
    2,368,512 parameters; 2,394,162 with a linear head for 50 tags. The paper's table counts ten blocks.
    Paper: Spijkervet and Burgoyne 2021; Vélez Vásquez and Burgoyne 2022, Table 1. Notebook: 03_tune.ipynb.
    """

    representation = 512
    unit = 1
    smallest_input = LENGTH

    def __init__(self, *, init: Literal["he", "code", "default"] = "default") -> None:
        super().__init__()
        self.first = ConvBlock(1, WIDTHS[0], stride=3)
        self.blocks = nn.ModuleList(ConvBlock(before, after) for before, after in pairwise(WIDTHS))
        self.last = ConvBlock(WIDTHS[-1], WIDTHS[-1])
        self.pool = nn.MaxPool1d(3)
        initialise(self, init)

    def maps(self, audio: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Name and output of each block, one after another.

        Parameters
        ----------
        audio : Tensor [shape=(batch, time)], −1 to 1

        Yields
        ------
        tuple of str and Tensor [shape=(batch, channels, length)], ≥ 0
            ``Conv-1`` to ``Conv-11``; those of blocks with a pool are taken after it.

        Raises
        ------
        ValueError
            If the shape is another or the audio too short.
        """
        x = self.first(checked_audio(audio, name="SampleCNN", unit=self.unit, smallest=self.smallest_input))
        yield "Conv-1", x
        for number, block in enumerate(self.blocks, start=2):
            x = self.pool(block(x))
            yield f"Conv-{number}", x
        yield f"Conv-{len(self.blocks) + 2}", self.last(x)

    def forward(self, audio: Tensor) -> Tensor:
        """Representation of waveforms.

        Parameters
        ----------
        audio : Tensor [shape=(batch, time)], −1 to 1
            59,049 samples at 22,050 Hz in the paper; what is longer is averaged over time.

        Returns
        -------
        Tensor [shape=(batch, 512)], ≥ 0

        Raises
        ------
        ValueError
            See :meth:`maps`.
        """
        # one after another, so that without gradients no map outlives its use
        return deque(self.maps(audio), maxlen=1)[0][1].mean(dim=2)


class Projector(nn.Sequential):
    """Head of the contrastive loss, thrown away afterwards: linear, ReLU, linear, without biases.

    Parameters
    ----------
    representation : int ≥ 1
        Length of the encoder's vectors; also the width of the hidden layer.
    output : int ≥ 1
        64 in the second version of CLMR's code, which TUNe uses; 128 in the first.

    Notes
    -----
    294,912 parameters by default. ``forward``: Tensor [shape=(batch, representation)] → [shape=(batch, output)].
    Paper: Spijkervet and Burgoyne 2021; Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """

    def __init__(self, representation: int = 512, *, output: int = 64) -> None:
        hidden = nn.Linear(representation, representation, bias=False)
        super().__init__(hidden, nn.ReLU(), nn.Linear(representation, output, bias=False))
