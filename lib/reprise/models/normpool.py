"""First block of a CNN (convolution, batch norm, ReLU, max-pooling) trained without ever keeping its unpooled map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["conv_norm_relu_pool"]


class _PooledConv(torch.autograd.Function):
    """max_pool2d(conv2d(x, weight)), for an input that needs no gradient.

    Only the pixel that won each window matters to the weight, so the backward pass reads those pixels and nothing else.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, padding: tuple[int, int], pool: int) -> Tensor:
        pooled, winners = [], []
        # one clip at a time: its map stays in the cache between convolution and pooling
        for clip in x.contiguous(memory_format=torch.channels_last).split(1):
            value, winner = F.max_pool2d(F.conv2d(clip, weight, padding=padding), pool, return_indices=True)
            pooled.append(value)
            winners.append(winner.int())
        winner = torch.cat(winners)
        ctx.save_for_backward(x, weight, winner)
        ctx.padding = padding
        return torch.cat(pooled)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, weight, winner = ctx.saved_tensors
        n_filters, n_channels, kh, kw = weight.shape
        (pad_y, pad_x), width = ctx.padding, x.shape[3] + 2 * ctx.padding[1]
        grad_weight = torch.zeros_like(weight)
        for clip, where, values in zip(x, winner.permute(0, 2, 3, 1), grad.permute(0, 2, 3, 1), strict=True):
            planes = F.pad(clip, (pad_x, pad_x, pad_y, pad_y)).flatten(1).contiguous()
            # from an index into the convolved map to the same corner in the padded one
            corner = where.reshape(-1)
            if kw > 1:
                corner = corner + (corner // (width - kw + 1)) * (kw - 1)
            values = values.reshape(-1, n_filters)
            for row in range(kh):
                for column in range(kw):
                    tap = corner + (row * width + column)
                    for channel in range(n_channels):
                        seen = planes[channel].index_select(0, tap).view_as(values)
                        grad_weight[:, channel, row, column] += seen.mul_(values).sum(dim=0)
        return None, grad_weight, None, None


def _patch_moments(x: Tensor, kernel: Sequence[int], padding: Sequence[int]) -> tuple[Tensor, Tensor, int]:
    """Mean, covariance and number of the patches that the convolution sees, in double precision.

    They give the mean and the variance of every filter's output: w·m + b and wᵀCw.
    """
    (kh, kw), (pad_y, pad_x) = kernel, padding
    means, covariances = [], []
    for clip in x.split(1):
        windows = F.pad(clip[0], (pad_x, pad_x, pad_y, pad_y)).unfold(1, kh, 1).unfold(2, kw, 1)
        patches = windows.permute(0, 3, 4, 1, 2).reshape(len(clip[0]) * kh * kw, -1)
        mean = patches.mean(dim=1, keepdim=True)
        patches -= mean
        covariances.append((patches @ patches.T).double() / patches.shape[1])
        means.append(mean[:, 0].double())
    each = torch.stack(means)
    mean = each.mean(dim=0)
    spread = each - mean
    return mean, torch.stack(covariances).mean(dim=0) + spread.T @ spread / len(x), len(x) * patches.shape[1]


def _update(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """What a batch norm layer remembers of a batch."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    momentum = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), momentum)


def conv_norm_relu_pool(x: Tensor, conv: nn.Conv2d, *, norm: nn.BatchNorm2d, pool: int) -> Tensor:
    """Training-mode ``max_pool2d(relu(norm(conv(x))), pool)`` for an input that needs no gradient.

    Parameters
    ----------
    x : Tensor [shape=(batch, in_channels, height, width)]
        Gets no gradient.
    conv : nn.Conv2d
        Stride, dilation and groups of 1.
    norm : nn.BatchNorm2d
        Its running statistics are updated.
    pool : int
        Side of the square windows.

    Returns
    -------
    Tensor [shape=(batch, out_channels, out_height // pool, out_width // pool)]

    Notes
    -----
    Batch norm followed by ReLU is monotone in each channel, rising or falling with the sign of the gain. So the pooled
    maximum comes from the largest convolution output of a filter whose sign is flipped where the gain is negative, and
    norm and ReLU are due on the pooled map alone. The statistics of the unpooled map follow from those of the input's
    patches. Values and gradients are those of the four layers, to rounding.
    """
    padding = tuple(int(p) for p in conv.padding)
    sign = torch.where(norm.weight < 0, -1.0, 1.0).to(x.dtype)
    weight = conv.weight * sign[:, None, None, None]
    pooled = _PooledConv.apply(x, weight, padding, pool)
    mean, covariance, count = _patch_moments(x, weight.shape[2:], padding)
    flat = weight.flatten(1).double()
    centre, variance = flat @ mean, ((flat @ covariance) * flat).sum(dim=1)
    gain = norm.weight.abs() * torch.rsqrt(variance + norm.eps)
    shift = norm.bias - gain * centre
    with torch.no_grad():
        bias = 0.0 if conv.bias is None else conv.bias
        _update(norm, sign * centre + bias, variance * (count / max(count - 1, 1)))
    gain, shift = gain.to(x.dtype)[:, None, None], shift.to(x.dtype)[:, None, None]
    return torch.relu(torch.addcmul(shift, pooled, gain))
