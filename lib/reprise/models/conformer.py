"""Blocks of attention in linear time (Performer, FAVOR+) and convolution (Conformer), as in the SawSing code."""

import math

import torch
from torch import Tensor, nn

__all__ = ["ConformerBlock", "ConvolutionModule", "LinearAttention", "orthogonal_features"]

EPSILON = 1e-4  # keeps every feature, and so the sum of a row's weights, above zero


def orthogonal_features(n_features: int, width: int) -> Tensor:
    """Random directions that are orthogonal in groups, with the lengths of normal vectors.

    Parameters
    ----------
    n_features : int, ≥ 1
    width : int, ≥ 1

    Returns
    -------
    Tensor [shape=(n_features, width)]
        Drawn from torch's generator, as the first weights of a network are.

    Notes
    -----
    Paper: Choromanski et al. 2021, section 2.4. Notebook: 04_sawsing.ipynb.
    """
    groups = [torch.linalg.qr(torch.randn(width, width))[0].T for _ in range(-(-n_features // width))]
    lengths = torch.randn(n_features, width).norm(dim=1, keepdim=True)
    return torch.cat(groups)[:n_features] * lengths


class LinearAttention(nn.Module):
    r"""Softmax attention approximated by positive random features, in time proportional to the number of frames.

    Parameters
    ----------
    width : int
        Of the frames.
    n_heads, head_width : int
        Their product need not be ``width``.
    n_features : int or None
        Default: :math:`\lfloor d \ln d \rfloor` for heads of width *d*.

    Notes
    -----
    ``forward`` takes and returns Tensor [shape=(batch, n_frames, width)]. With :math:`x' = x / d^{1/4}` and directions
    :math:`\omega_i`, queries become
    :math:`\phi_i(q) = e^{\omega_i q' - |q'|^2 / 2 - \max_j \omega_j q'} + \epsilon` and keys the same without the
    maximum; the result is :math:`\phi(q) (\phi(k)^T v)`, divided by
    :math:`\phi(q) \sum_n \phi(k_n)`. Where frames are few, :math:`(\phi(q) \phi(k)^T) v` is the same and cheaper.
    Directions are a buffer, saved with the weights and never drawn again. Every frame sees every frame: results depend
    on the length of the input.
    Paper: Choromanski et al. 2021; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """

    directions: Tensor

    def __init__(self, width: int, *, n_heads: int = 8, head_width: int = 64, n_features: int | None = None) -> None:
        super().__init__()
        inner = n_heads * head_width
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)
        count = int(head_width * math.log(head_width)) if n_features is None else n_features
        self.register_buffer("directions", orthogonal_features(count, head_width))

    def forward(self, x: Tensor) -> Tensor:
        """Every frame as a weighted mean of all frames."""
        heads = [
            layer(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        ]
        return self.out(self._attend(*heads).transpose(1, 2).flatten(2))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key = self._features(query, stabilise=True), self._features(key, stabilise=False)
        # a column of ones gives the sums that the weights are divided by
        value = torch.cat([value, value.new_ones(*value.shape[:-1], 1)], dim=-1)
        n_frames, n_features = query.shape[-2:]
        # epsilon is added to products, which are small, not to the features
        if n_frames * (n_features + value.shape[-1]) < 2 * n_features * value.shape[-1]:
            # a short clip has fewer pairs of frames than features have products with values
            sums = query.sum(dim=-1, keepdim=True) + key.sum(dim=-1).unsqueeze(-2) + n_features * EPSILON
            mixed = (query @ key.transpose(-1, -2) + EPSILON * sums) @ value
        else:
            context = key.transpose(-1, -2) @ value + EPSILON * value.sum(dim=-2, keepdim=True)
            mixed = query @ context + EPSILON * context.sum(dim=-2, keepdim=True)
        return mixed[..., :-1] / mixed[..., -1:]

    def _features(self, x: Tensor, *, stabilise: bool) -> Tensor:
        """Features without epsilon, on memory of their own."""
        scale = x.shape[-1] ** -0.25
        directions = (self.directions.to(x.dtype) * scale).T.expand(*x.shape[:2], -1, -1)
        projected = x @ directions
        exponent = 0.5 * scale**2 * x.square().sum(dim=-1, keepdim=True)
        if stabilise:
            exponent = exponent + projected.detach().amax(dim=-1, keepdim=True)
        return projected.sub_(exponent).exp_()


class ConvolutionModule(nn.Module):
    """Layer norm, widening and gate, convolution over time in each channel, Swish, projection.

    Parameters
    ----------
    width : int
    expansion : int
        Channels of the convolution, per input channel.
    kernel_size : int, odd, frames

    Notes
    -----
    ``forward`` takes and returns Tensor [shape=(batch, n_frames, width)]. Neither batch norm nor dropout, unlike the
    Conformer's.
    Paper: Gulati et al. 2020; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, width: int, *, expansion: int = 2, kernel_size: int = 31) -> None:
        super().__init__()
        inner = width * expansion
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * inner)
        self.depthwise = nn.Conv1d(inner, inner, kernel_size, padding=kernel_size // 2, groups=inner)
        self.project = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Frames mixed with their neighbours."""
        gated = nn.functional.glu(self.widen(self.norm(x)), dim=-1)
        return self.project(nn.functional.silu(self.depthwise(gated.transpose(1, 2))).transpose(1, 2))


class ConformerBlock(nn.Module):
    """Attention, then convolution, each added to its input.

    Parameters
    ----------
    width : int

    Notes
    -----
    ``forward`` takes and returns Tensor [shape=(batch, n_frames, width)]. 161,920 trainable parameters for a width
    of 64. Notebook: 04_sawsing.ipynb.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = LinearAttention(width)
        self.convolution = ConvolutionModule(width)

    def forward(self, x: Tensor) -> Tensor:
        """Frames with what attention and convolution add."""
        x = x + self.attention(self.norm(x))
        return x + self.convolution(x)
