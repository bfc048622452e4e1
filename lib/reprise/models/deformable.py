"""Deformable convolution (versions 1 and 2) in plain torch, equal to torchvision's operator and faster on the CPU."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["DeformConv2d", "deform_conv2d"]

# most sampled values, and samples, in a block: on the CPU (True) what fits the cache of a core
BLOCK = {True: (2**20, 2**17), False: (2**25, 2**25)}

Pair = tuple[int, int]


class _Geometry(NamedTuple):
    """Sizes of one call: (height, width) of the map and of the kernel, then stride, padding, dilation."""

    size: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def output(self) -> Pair:
        height, width = (
            (self.size[i] + 2 * self.padding[i] - self.dilation[i] * (self.kernel[i] - 1) - 1) // self.stride[i] + 1
            for i in (0, 1)
        )
        return height, width

    def grid(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Undeformed coordinates: rows [shape=(height, 1, taps)] and columns [shape=(width, taps)] of the output."""
        (kh, kw), (height, width) = self.kernel, self.output
        position_y, position_x, tap_y, tap_x = (
            torch.arange(n, dtype=like.dtype, device=like.device) for n in (height, width, kh, kw)
        )
        y = (position_y * self.stride[0] - self.padding[0])[:, None] + (tap_y * self.dilation[0]).repeat_interleave(kw)
        x = (position_x * self.stride[1] - self.padding[1])[:, None] + (tap_x * self.dilation[1]).repeat(kh)
        return y[:, None], x


class _Samples(NamedTuple):
    """Where the taps of a block look [shape=(n,) each]: row of the upper left pixel in the table, weights by side."""

    corner: Tensor
    up: Tensor
    down: Tensor
    left: Tensor
    right: Tensor
    row: int
    gain: Tensor | None = None

    @property
    def steps(self) -> tuple[int, int, int, int]:
        """From the upper left corner to the four corners."""
        return 0, 1, self.row, self.row + 1

    def corners(self) -> Tensor:
        """Table rows of the four corners [shape=(n, 4)]."""
        rows = self.corner.new_empty(len(self.corner), 4)
        for k, step in enumerate(self.steps):
            torch.add(self.corner, step, out=rows[:, k])
        return rows

    def scaled(self, gain: Tensor | None) -> "_Samples":
        """Samples whose corner weights and slopes are multiplied by ``gain`` [shape=(n,)]."""
        if gain is None:
            return self
        up, down = self.up * gain, self.down * gain
        return self._replace(up=up, down=down, gain=gain)

    def weights(self) -> Tensor:
        """Bilinear weights of the four corners [shape=(n, 4)]."""
        weights = self.up.new_empty(len(self.up), 2, 2)
        for i, vertical in enumerate((self.up, self.down)):
            for j, horizontal in enumerate((self.left, self.right)):
                torch.mul(vertical, horizontal, out=weights[:, i, j])
        return weights.view(-1, 4)

    def slope_y(self) -> Tensor:
        """Derivative of the weights in y [shape=(n, 4)]."""
        slope = self.up.new_empty(len(self.up), 4)
        for k, horizontal in enumerate((self.left, self.right)):
            slope[:, 2 + k] = horizontal if self.gain is None else horizontal * self.gain
            slope[:, k] = -slope[:, 2 + k]
        return slope

    def slope_x(self) -> Tensor:
        """Derivative of the weights in x [shape=(n, 4)]."""
        slope = self.up.new_empty(len(self.up), 4)
        for k, vertical in enumerate((self.up, self.down)):
            slope[:, 2 * k + 1] = vertical
            slope[:, 2 * k] = -vertical
        return slope


def _table(x: Tensor) -> Tensor:
    """Pixels as rows of channels, inside enough zeros that a clamped sample never needs a test for the border.

    A sample outside (−2, size) touches zeros only, so coordinates are clamped to [−2, size] and corners reach size + 1.
    The two zero columns left of a row serve as the right border of the row before.
    """
    batch, channels, height, width = x.shape
    table = x.new_zeros(batch, height + 5, width + 2, channels)
    _inner(table)[:] = x.permute(0, 2, 3, 1)
    return table


def _inner(table: Tensor) -> Tensor:
    return table[:, 2:-3, 2:]


def _blocks(batch: int, geometry: _Geometry, channels: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Slices of the batch and of the output rows, so that the values sampled for each fit the cache."""
    height, width = geometry.output
    values, limit = BLOCK[device.type == "cpu"]
    # a quarter of all samples at most, which keeps the peak of small layers below one full column matrix
    samples = min(values // channels, limit, batch * height * width * geometry.taps // 4)
    rows = max(1, samples // (width * geometry.taps))
    images = max(1, rows // height)
    rows = min(rows, height)
    for image in range(0, batch, images):
        for row in range(0, height, rows):
            yield slice(image, min(image + images, batch)), slice(row, min(row + rows, height))


def _samples(offset: Tensor, grid: tuple[Tensor, Tensor], geometry: _Geometry, block: tuple[slice, slice]) -> _Samples:
    height, width = geometry.size
    images, rows = block
    moved = offset[images, :, rows].permute(0, 2, 3, 1).unflatten(3, (geometry.taps, 2))
    # written in the order of the samples, whatever the layout of the offsets
    y, x = offset.new_empty(2, *moved.shape[:-1])
    torch.add(moved[..., 0], grid[0][rows], out=y).clamp_(-2, height)
    torch.add(moved[..., 1], grid[1], out=x).clamp_(-2, width)
    # a NaN must not become an address; it still reaches the result through the weights
    y_low, x_low = y.nan_to_num(height).floor_(), x.nan_to_num(width).floor_()
    row = width + 2
    corner = (y_low.int() + 2).mul_(row).add_(x_low.int()).add_(2)
    if len(corner) > 1:
        first = torch.arange(len(corner), dtype=corner.dtype, device=corner.device) * ((height + 5) * row)
        corner += first[:, None, None, None]
    down, right = y.sub_(y_low).flatten(), x.sub_(x_low).flatten()
    return _Samples(corner.flatten(), 1 - down, down, 1 - right, right, row)


def _mix(rows: Tensor, table: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of four table rows each [shape=(n, channels)], in one pass over contiguous memory."""
    return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")


def _dot(a: Tensor, b: Tensor) -> Tensor:
    # several times faster than sum(dim=1) where there are few channels
    return torch.mv(a.mul_(b), a.new_ones(a.shape[1]))


def _spread(table: Tensor, values: Tensor, samples: _Samples) -> None:
    """Add to the four pixels of each sample its share of ``values`` [shape=(n, channels)]: the transpose of _mix."""
    corner, order = torch.sort(samples.corner, stable=True)
    order = order.int()
    first, last = int(corner[0]), int(corner[-1]) + 1
    pixels = torch.arange(first, last, dtype=corner.dtype, device=corner.device)
    start = torch.searchsorted(corner, pixels, out_int32=True)
    weights = (a[order] * b[order] for a in (samples.up, samples.down) for b in (samples.left, samples.right))
    for step, weight in zip(samples.steps, weights, strict=True):
        table[first + step : last + step] += F.embedding_bag(
            order, values, start, per_sample_weights=weight, mode="sum"
        )


def _gain(mask: Tensor | None, block: tuple[slice, slice]) -> Tensor | None:
    images, rows = block
    return None if mask is None else mask[images, :, rows].permute(0, 2, 3, 1).flatten()


class _DeformConv(torch.autograd.Function):
    """One group. Sampled columns are made block by block and made again in the backward pass, never kept."""

    @staticmethod
    def forward(ctx, x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, geometry: _Geometry) -> Tensor:
        batch, channels = x.shape[:2]
        filters = weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
        table, grid = _table(x), geometry.grid(x)
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        size = (batch, len(weight), *geometry.output)
        out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout)
        target = out.permute(0, 2, 3, 1)
        for block in _blocks(batch, geometry, channels, x.device):
            samples = _samples(offset, grid, geometry, block).scaled(_gain(mask, block))
            columns = _mix(samples.corners(), table[block[0]].flatten(0, 2), samples.weights())
            part = target[block]
            part.copy_((columns.view(-1, len(filters)) @ filters).view(part.shape))
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.geometry = geometry
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        x, offset, mask, weight = ctx.saved_tensors
        geometry: _Geometry = ctx.geometry
        filters = weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
        table, grid = _table(x), geometry.grid(x)
        grad_table = torch.zeros_like(table) if ctx.needs_input_grad[0] else None
        grad_offset, grad_filters = torch.empty_like(offset), torch.zeros_like(filters)
        grad_mask = None if mask is None else torch.empty_like(mask)
        for block in _blocks(len(x), geometry, x.shape[1], x.device):
            images, rows = block
            plain = _samples(offset, grid, geometry, block)
            samples = plain.scaled(_gain(mask, block))
            corners, pixels = plain.corners(), table[images].flatten(0, 2)
            output = grad.permute(0, 2, 3, 1)[block].reshape(-1, len(weight))
            columns = _mix(corners, pixels, samples.weights())
            grad_filters.addmm_(columns.view(-1, len(filters)).T, output)
            values = torch.mm(output, filters.T, out=columns.view(-1, len(filters))).view(columns.shape)
            moved = grad_offset[images, :, rows].permute(0, 2, 3, 1).unflatten(3, (-1, 2))
            targets = [(moved[..., 0], samples.slope_y), (moved[..., 1], samples.slope_x)]
            if grad_mask is not None:
                targets.append((grad_mask[images, :, rows].permute(0, 2, 3, 1), plain.weights))
            for target, factors in targets:
                target.copy_(_dot(_mix(corners, pixels, factors()), values).view(target.shape))
            if grad_table is not None:
                _spread(grad_table[images].flatten(0, 2), values, samples)
        grad_x = None if grad_table is None else _inner(grad_table).permute(0, 3, 1, 2)
        grad_weight = grad_filters.view(*geometry.kernel, x.shape[1], -1).permute(3, 2, 0, 1)
        return grad_x, grad_offset, grad_mask, grad_weight, None


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _checked_groups(
    x: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor | None, geometry: _Geometry
) -> Pair:
    """Groups of the weight and of the offsets, as the shapes tell them."""
    for name, tensor in (("x", x), ("offset", offset), ("weight", weight), ("mask", mask)):
        if tensor is not None and tensor.dim() != 4:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; deform_conv2d needs four axes")
    taps, channels = geometry.taps, x.shape[1]
    if min(geometry.stride) < 1 or min(geometry.dilation) < 1 or min(geometry.padding) < 0:
        raise ValueError(f"stride and dilation must be at least 1 and padding at least 0, not {geometry}")
    if min(geometry.output) < 1:
        raise ValueError(
            f"a map of {geometry.size} is too small for the kernel {geometry.kernel}: output would be {geometry.output}"
        )
    if weight.shape[1] > channels or channels % weight.shape[1] or len(weight) % (channels // weight.shape[1]):
        raise ValueError(
            f"weight of shape {tuple(weight.shape)} does not divide {channels} input channels into equal groups"
        )
    groups, offset_groups = channels // weight.shape[1], offset.shape[1] // (2 * taps)
    if offset_groups < 1 or offset.shape[1] % (2 * taps) or channels % offset_groups:
        raise ValueError(
            f"offset has {offset.shape[1]} channels; a {geometry.kernel} kernel needs {2 * taps}, or a multiple whose "
            f"number of groups divides the {channels} input channels"
        )
    expected = (len(x), 2 * taps * offset_groups, *geometry.output)
    if tuple(offset.shape) != expected:
        raise ValueError(f"offset has shape {tuple(offset.shape)}; this convolution needs {expected}")
    expected = (len(x), taps * offset_groups, *geometry.output)
    if mask is not None and tuple(mask.shape) != expected:
        raise ValueError(f"mask has shape {tuple(mask.shape)}; this convolution needs {expected}")
    if bias is not None and tuple(bias.shape) != (len(weight),):
        raise ValueError(f"bias has shape {tuple(bias.shape)}; {len(weight)} filters need {(len(weight),)}")
    return groups, offset_groups


def _grouped(
    x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor, geometry: _Geometry, groups: Pair
) -> Tensor:
    """Each weight group as the sum over the offset groups whose channels it reads."""
    per_group, per_offset = x.shape[1] // groups[0], x.shape[1] // groups[1]
    offsets = offset.chunk(groups[1], dim=1)
    masks = [None] * groups[1] if mask is None else mask.chunk(groups[1], dim=1)
    outputs = []
    for group, filters in enumerate(weight.chunk(groups[0])):
        begin, end = group * per_group, (group + 1) * per_group
        cuts = sorted({begin, end, *range(-(-begin // per_offset) * per_offset, end, per_offset)})
        parts = [
            _DeformConv.apply(
                x[:, low:high],
                offsets[low // per_offset],
                masks[low // per_offset],
                filters[:, low - begin : high - begin],
                geometry,
            )
            for low, high in itertools.pairwise(cuts)
        ]
        outputs.append(sum(parts[1:], start=parts[0]))
    return torch.cat(outputs, dim=1)


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Convolution whose taps are displaced, each by its own offset at each position.

    Parameters
    ----------
    x : Tensor [shape=(batch, in_channels, height, width)]
    offset : Tensor [shape=(batch, 2 * offset_groups * kh * kw, out_height, out_width)], pixels
        For each offset group and each tap, row by row: displacement in y, then in x.
    weight : Tensor [shape=(out_channels, in_channels / groups, kh, kw)]
    bias : Tensor [shape=(out_channels,)] or None
    stride, padding, dilation : int or (int, int)
        Of y and x.
    mask : Tensor [shape=(batch, offset_groups * kh * kw, out_height, out_width)] or None
        Factor on each sample; None leaves them as they are (version 1 of the operator).

    Returns
    -------
    Tensor [shape=(batch, out_channels, out_height, out_width)]
        In the type of ``x``, and channels-last if ``x`` is.

    Raises
    ------
    ValueError
        If shapes do not fit; the message has the shape that would.

    Notes
    -----
    .. math:: y(p_0) = \sum_m w_m \, \mu_m(p_0) \, x(p_0 + p_m + \Delta p_m(p_0))

    with bilinear interpolation and zeros outside of the map. Arguments, values and gradients are those of
    ``torchvision.ops.deform_conv2d``; the number of groups follows from the shapes as there. Half precision, also
    under autocast, is computed in float32, since a coordinate needs its digits.

    Paper: Zhu et al. 2019, equation 1. Notebook: 01_singing_technique.ipynb.
    """
    geometry = _Geometry(
        (x.shape[-2], x.shape[-1]),
        (weight.shape[-2], weight.shape[-1]),
        _pair(stride),
        _pair(padding),
        _pair(dilation),
    )
    groups = _checked_groups(x, offset, weight, bias, mask, geometry)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    with torch.autocast(x.device.type, enabled=False):
        inputs = (x.to(dtype), offset.to(dtype), None if mask is None else mask.to(dtype), weight.to(dtype), geometry)
        out = _DeformConv.apply(*inputs) if groups == (1, 1) else _grouped(*inputs, groups)
        if bias is not None:
            out = out + bias.to(dtype)[:, None, None]
    return out.to(x.dtype)


class DeformConv2d(nn.Module):
    """Deformable convolution that learns its own offsets, and equals ``nn.Conv2d`` until it has learnt some.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
    stride, padding, dilation : int or (int, int)
        Of the convolution and of the two that predict offsets and mask.
    modulated : bool
        Learn a mask too (version 2 of the operator).
    bias : bool

    Attributes
    ----------
    weight, bias : Parameter
        As in ``nn.Conv2d``, with its initialisation.
    offset_conv : nn.Conv2d
        2·kh·kw output channels, zero-initialised.
    mask_conv : nn.Conv2d or None
        kh·kw output channels, zero-initialised; the mask is twice its sigmoid, so 1 at first.

    Notes
    -----
    Paper: Zhu et al. 2019, section 3.2, in the variant of Yamamoto et al. 2022. Notebook: 01_singing_technique.ipynb.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        modulated: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = _pair(kernel_size), _pair(stride)
        self.padding, self.dilation = _pair(padding), _pair(dilation)
        plain = self._conv(in_channels, out_channels, bias=bias)
        self.weight, self.bias = plain.weight, plain.bias
        taps = self.kernel_size[0] * self.kernel_size[1]
        self.offset_conv = self._conv(in_channels, 2 * taps)
        self.mask_conv = self._conv(in_channels, taps) if modulated else None
        for conv in (self.offset_conv, self.mask_conv):
            for parameter in () if conv is None else conv.parameters():
                nn.init.zeros_(parameter)

    def _conv(self, in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
        return nn.Conv2d(
            in_channels,
            out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            bias=bias,
        )

    def offsets(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Offsets and mask that the layer uses on an input.

        Parameters
        ----------
        x : Tensor [shape=(batch, in_channels, height, width)]

        Returns
        -------
        offset : Tensor [shape=(batch, 2 * kh * kw, out_height, out_width)], pixels
            For each tap, row by row: displacement in y, then in x.
        mask : Tensor [shape=(batch, kh * kw, out_height, out_width)] in (0, 2), or None without modulation
        """
        # half precision would round coordinates to whole pixels on a large map
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.offset_conv.weight.dtype)
            offset = self.offset_conv(x)
            return offset, None if self.mask_conv is None else 2 * torch.sigmoid(self.mask_conv(x))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve at the learnt positions.

        Parameters
        ----------
        x : Tensor [shape=(batch, in_channels, height, width)]

        Returns
        -------
        Tensor [shape=(batch, out_channels, out_height, out_width)]
        """
        offset, mask = self.offsets(x)
        return deform_conv2d(
            x,
            offset,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            mask=mask,
        )

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"{self.weight.shape[1]}, {self.weight.shape[0]}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, modulated={self.mask_conv is not None}"
        )
