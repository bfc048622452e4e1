"""Freeverb as sox has it, each clip with its own room, in one pass over the spectrum."""

import math

import torch
from torch import Tensor

from reprise.audio.parallel import map_blocks

__all__ = ["reverb"]

# delays in samples at 44.1 kHz, and how far the two sides of the stereo image are apart
COMBS = (1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617)
ALL_PASSES = (225, 341, 441, 556)
APART = 12
WET_GAIN = 0.015
# what comes round again from behind the end of the transform is this much weaker
WRAPPED = 1e-4
# bins of a spectrum as a table of this width: powers of a root of unity are then products of two short lists
WIDTH = 256
# clips of a block: what stays in a processor's cache
BLOCK = 2
# logarithm of the shortest transform: z to the power of a delay must stay near 1
SHORTEST = 14


def reverb(
    y: Tensor,
    *,
    reverberance: Tensor | float,
    damping: Tensor | float,
    room_scale: Tensor | float,
    sample_rate: float,
) -> Tensor:
    r"""Add the sound of a room: eight comb filters in parallel, four all-pass filters in series, both stereo sides.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32
    reverberance, damping, room_scale : Tensor [shape=(batch,)] or float, 0 to 100
        How long it rings, how much sooner high frequencies fade, how large the room is. On the CPU they save a wait
        for the device.
    sample_rate : float, Hz

    Returns
    -------
    Tensor [shape=(batch, time)]
        The dry clip plus the mean of the two wet sides, cut to the clip's length; not clipped.

    Raises
    ------
    ValueError
        If a shape or a parameter is out of range; the message names it.

    Notes
    -----
    sox's ``reverb`` with its other settings as they come: a stereo depth of 100, no pre-delay, a wet gain of 0 dB,
    and the two channels mixed to one. A comb filter with the delay :math:`D`, the feedback :math:`f` and the damping
    :math:`d` is :math:`z^{-D} p / (p - f (1 - d) z^{-D})` with :math:`p = 1 - d z^{-1}`; sox's all-pass filter is
    :math:`(1.5 z^{-L} - 1) / (1 - 0.5 z^{-L})`. They ring for longer than a clip lasts, so the spectrum is taken on
    a circle of radius :math:`r > 1`: what wraps around comes back weaker by :math:`r^N`, and the wet part of a clip of
    half a second or more is that of the recursion to -90 dB. Paper: Vélez Vásquez and Burgoyne 2022, section 4.1, after
    CLMR. Notebook: 03_tune.ipynb.
    """
    if y.ndim != 2 or y.dtype != torch.float32:
        raise ValueError(f"y must be float32 of shape (batch, time), got {y.dtype} of {tuple(y.shape)}")
    settings = torch.stack(
        [_setting(name, value, len(y)) for name, value in
         (("reverberance", reverberance), ("damping", damping), ("room_scale", room_scale))], dim=1
    )  # fmt: skip
    if not y.numel():
        return y.clone()
    if y.device.type != "cpu":
        return _reverberate(y, settings, sample_rate=sample_rate)
    blocks = list(zip(y.split(BLOCK), settings.split(BLOCK), strict=True))
    return torch.cat(map_blocks(lambda block: _reverberate(*block, sample_rate=sample_rate), blocks))


def _setting(name: str, value: Tensor | float, n_clips: int) -> Tensor:
    values = torch.as_tensor(value, dtype=torch.float64).cpu()
    if values.shape not in ((), (1,), (n_clips,)):
        raise ValueError(f"{name} must be one number or one per clip, {n_clips}, got shape {tuple(values.shape)}")
    wrong = values[~((values >= 0) & (values <= 100))]
    if len(wrong):
        raise ValueError(f"{name} must lie in [0, 100], got {wrong[0].item()}")
    return values.expand(n_clips)


def _reverberate(y: Tensor, settings: Tensor, *, sample_rate: float) -> Tensor:
    n_samples = y.shape[1]
    # a power of two, so that whole turns of a phase are cut off exactly
    size = 1 << max(SHORTEST, math.ceil(math.log2(2 * n_samples)))
    growth = -math.log(WRAPPED) / size
    with torch.autocast(device_type=y.device.type, enabled=False):
        fade = torch.exp(-growth * torch.arange(n_samples, device=y.device, dtype=torch.float64)).float()
        spectrum = torch.fft.rfft(y * fade, size)
        spectrum = spectrum * _response(settings.to(y.device), size=size, growth=growth, sample_rate=sample_rate)
        return y + torch.fft.irfft(spectrum, size)[:, :n_samples] / fade


def _response(settings: Tensor, *, size: int, growth: float, sample_rate: float) -> Tensor:
    """Mean of both wet sides on the circle, where a transform of ``size`` reads it [shape=(batch, size // 2 + 1)]."""
    reverberance, damping, room_scale = settings.unbind(dim=1)
    # sox's scale of the feedback, which is 0.98 at 100
    slowness = -1.0 / math.log(1.0 - 0.3)
    longest = 100.0 / (math.log(1.0 - 0.98) * slowness + 1.0)
    feedback = 1.0 - torch.exp((reverberance - longest) / (slowness * longest))
    damping = damping / 100.0 * 0.3 + 0.2
    loop = (feedback * (1.0 - damping)).float()[:, None, None]
    back = torch.full_like(room_scale, -1, dtype=torch.long)
    pole = 1.0 - damping.float()[:, None, None] * _Powers(back, size=size, growth=growth)[()]
    powers = _Powers(_delays(room_scale, sample_rate=sample_rate), size=size, growth=growth)
    wet = _side(powers, 0, pole=pole, loop=loop) + _side(powers, 1, pole=pole, loop=loop)
    return (0.5 * WET_GAIN * pole * wet).flatten(1)[:, : size // 2 + 1]


def _side(powers: "_Powers", side: int, *, pole: Tensor, loop: Tensor) -> Tensor:
    """Filters of one side, without gain and the pole above all combs [shape=(batch, n_rows, WIDTH)]."""
    # a sum of fractions over one denominator: a division costs as much as thirty products
    above, below = torch.ones_like(pole), pole * powers[side, 0] - loop
    for comb in range(1, len(COMBS)):
        factor = pole * powers[side, comb] - loop
        above = above * factor + below
        below = below * factor
    for all_pass in range(len(COMBS), len(COMBS) + len(ALL_PASSES)):
        power = powers[side, all_pass]
        above = above * (1.5 - power)
        below = below * (power - 0.5)
    return above / below


def _delays(room_scale: Tensor, *, sample_rate: float) -> Tensor:
    """Samples of each filter, combs first [shape=(side, filter, batch)], int64."""
    lengths = torch.tensor((*COMBS, *ALL_PASSES), dtype=torch.float64, device=room_scale.device)
    # of the second side one filter is longer and the next one shorter
    signs = torch.ones_like(lengths)
    signs[1::2] = -1.0
    both = torch.stack([lengths, lengths + APART * signs])[:, :, None]
    scales = (room_scale / 100.0 * 0.9 + 0.1).repeat(len(lengths), 1)
    scales[len(COMBS) :] = 1.0
    return (scales * (sample_rate * (1.0 / 44_100.0)) * both + 0.5).long()


class _Powers:
    """Powers of z along the circle: two short lists per delay, multiplied when they are needed."""

    def __init__(self, delays: Tensor, *, size: int, growth: float) -> None:
        rows = torch.arange(size // 2 // WIDTH + 1, device=delays.device) * WIDTH
        columns = torch.arange(WIDTH, device=delays.device)
        radius = torch.exp(growth * delays.double())[..., None]
        self.rows, self.columns = (
            torch.polar(radius.expand(*delays.shape, len(bins)), self._phases(delays, bins, size)).to(torch.complex64)
            for bins, radius in ((rows, radius), (columns, torch.ones_like(radius)))
        )

    @staticmethod
    def _phases(delays: Tensor, bins: Tensor, size: int) -> Tensor:
        return (delays[..., None] * bins).bitwise_and(size - 1).double() * (2 * math.pi / size)

    def __getitem__(self, place: tuple[int, ...]) -> Tensor:
        """Of one filter of one side [shape=(batch, n_rows, WIDTH)]."""
        return self.rows[place][..., :, None] * self.columns[place][..., None, :]
