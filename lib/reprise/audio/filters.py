"""Filters that change from frame to frame, designed from magnitude responses, in one call or chunk by chunk."""

import torch
from torch import Tensor
from torch.nn import functional

from reprise.audio.bases import hann_window
from reprise.audio.parallel import map_blocks

__all__ = ["TimeVariantFilter", "delay_of", "filter_frames", "impulse_responses", "uniform_noise"]

BLOCKS = 250  # blocks that a processor thread transforms together: what stays in its cache


def delay_of(n_bins: int) -> int:
    """Delay in samples of the filters of `impulse_responses`, for a number of magnitudes."""
    return n_bins - 1


def impulse_responses(magnitudes: Tensor) -> Tensor:
    r"""Linear-phase filters by frequency sampling.

    Parameters
    ----------
    magnitudes : Tensor [shape=(..., n_bins)], ≥ 0, n_bins ≥ 2
        From 0 Hz to half of the sample rate, evenly spaced.

    Returns
    -------
    Tensor [shape=(..., 2 * n_bins - 2)]
        Symmetric about tap ``n_bins - 1``, which is the delay; tap 0 is zero.

    Raises
    ------
    ValueError
        If there are fewer than two bins.

    Notes
    -----
    :math:`h = w \odot \mathrm{roll}_{N-1}(\mathrm{irfft}(m))` with the periodic Hann window :math:`w` of
    :math:`2N - 2` samples. The window blurs the response: a single raised bin becomes a lobe of half its height.
    Paper: Engel et al. 2020; Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """
    n_bins = magnitudes.shape[-1]
    _check_bins(n_bins)
    taps = 2 * n_bins - 2
    window = hann_window(taps, taps, device=magnitudes.device, dtype=magnitudes.dtype)
    response = torch.fft.irfft(magnitudes, n=taps)
    return torch.cat([response[..., n_bins - 1 :], response[..., : n_bins - 1]], dim=-1) * window


def filter_frames(
    x: Tensor, magnitudes: Tensor, *, hop_length: int, compensate: bool = False, crossfade: bool = False
) -> Tensor:
    r"""Filter a signal by one linear-phase filter per frame.

    Parameters
    ----------
    x : Tensor [shape=(batch, n_frames * hop_length)]
    magnitudes : Tensor [shape=(batch, n_frames, n_bins)], ≥ 0
        See `impulse_responses`.
    hop_length : int, samples
    compensate : bool
        Remove the delay of ``n_bins - 1`` samples; the authors' code keeps it.
    crossfade : bool
        Cross-fade from filter to filter, from centre to centre of the blocks, instead of switching at their borders.

    Returns
    -------
    Tensor [shape=(batch, n_frames * hop_length)]
        Differentiable in both arguments.

    Raises
    ------
    ValueError
        If the lengths do not fit, or if there are fewer than two bins.

    Notes
    -----
    :math:`y = \sum_t (x \cdot w_t) * h_t`, cut to the length of ``x``, where :math:`w_t` is one in block *t* and zero
    elsewhere or, cross-faded, a Hann window of two blocks about its centre; these add up to one.
    Paper: Wu et al. 2022, section 3. Notebook: 04_sawsing.ipynb.
    """
    stream = TimeVariantFilter(hop_length=hop_length, compensate=compensate, crossfade=crossfade)
    ready = stream.process(x, magnitudes)
    if ready.shape[-1] < x.shape[-1]:
        ready = torch.cat([ready, stream.flush()], dim=-1)
    return ready[..., : x.shape[-1]]


class TimeVariantFilter:
    """`filter_frames` for a signal that comes in chunks.

    Parameters
    ----------
    hop_length : int, samples, ≥ 1
    compensate, crossfade : bool
        See `filter_frames`.

    Raises
    ------
    ValueError
        If ``hop_length`` is below 1.

    Notes
    -----
    What `process` returns for the chunks and `flush` at the end, one after another, is what one call returns for the
    whole signal, and the filters' ringing after it. Results come later than their input by the delay if it is
    compensated, and by one and a half blocks if filters are cross-faded.
    """

    def __init__(self, *, hop_length: int, compensate: bool = False, crossfade: bool = False) -> None:
        if hop_length < 1:
            raise ValueError(f"hop_length must be at least 1, got {hop_length}")
        self.hop_length, self.compensate, self.crossfade = hop_length, compensate, crossfade
        self._tail: Tensor | None = None
        self._waiting: tuple[Tensor, Tensor] | None = None
        self._skip = 0

    def process(self, x: Tensor, magnitudes: Tensor) -> Tensor:
        """Take the next chunk and return the samples that are settled.

        Parameters
        ----------
        x : Tensor [shape=(batch, n_frames * hop_length)]
        magnitudes : Tensor [shape=(batch, n_frames, n_bins)]

        Returns
        -------
        Tensor [shape=(batch, time)]
            As long as ``x``, once the delay is over.

        Raises
        ------
        ValueError
            If the lengths do not fit, or differ from the chunks before.
        """
        self._check(x, magnitudes)
        if self._tail is None:
            self._start(x, magnitudes)
        if not self.crossfade:
            return self._add(x.unflatten(-1, (-1, self.hop_length)), magnitudes)
        return self._crossfaded(x, magnitudes)

    def flush(self) -> Tensor:
        """Return what is left after the last chunk, and start anew.

        Returns
        -------
        Tensor [shape=(batch, time)]
            Nothing if there was no chunk.
        """
        if self._tail is None:
            return torch.zeros(1, 0)
        parts = []
        if self._waiting is not None:
            x, magnitudes = self._waiting
            # the last filter stays: its window and that of its repetition add up to one as far as there is a signal
            silence = x.new_zeros(len(x), 2 * self.hop_length)
            parts.append(self._crossfaded(silence, magnitudes[:, -1:].expand(-1, 2, -1)))
        rest = self._tail[:, self._skip :]
        self._tail, self._waiting, self._skip = None, None, 0
        return torch.cat([*parts, rest], dim=-1)

    def _check(self, x: Tensor, magnitudes: Tensor) -> None:
        if x.dim() != 2 or magnitudes.dim() != 3 or len(x) != len(magnitudes):
            raise ValueError(
                f"x of shape {tuple(x.shape)} and magnitudes of shape {tuple(magnitudes.shape)} do not fit; they need "
                "(batch, time) and (batch, n_frames, n_bins)"
            )
        if x.shape[1] != magnitudes.shape[1] * self.hop_length or magnitudes.shape[1] == 0:
            raise ValueError(
                f"{x.shape[1]} samples do not match {magnitudes.shape[1]} frames of {self.hop_length} samples"
            )
        _check_bins(magnitudes.shape[2])
        length = 2 * magnitudes.shape[2] - 3 + (self.hop_length if self.crossfade else 0)
        if self._tail is not None and self._tail.shape != (len(x), length):
            raise ValueError(
                f"this chunk has a batch of {len(x)} and {magnitudes.shape[2]} magnitudes a frame, another number than "
                "the chunks before; call flush() first"
            )

    def _start(self, x: Tensor, magnitudes: Tensor) -> None:
        n_bins, hop = magnitudes.shape[2], self.hop_length
        self._skip = delay_of(n_bins) if self.compensate else 0
        self._tail = x.new_zeros(len(x), 2 * n_bins - 3 + (hop if self.crossfade else 0))
        if self.crossfade:
            # the first filter stood before its block, too, where there was silence
            self._skip += hop + hop // 2
            self._waiting = x.new_zeros(len(x), hop + hop // 2), magnitudes[:, :1]

    def _crossfaded(self, x: Tensor, magnitudes: Tensor) -> Tensor:
        hop = self.hop_length
        waiting_x, waiting_magnitudes = self._waiting if self._waiting is not None else (x[:, :0], magnitudes[:, :0])
        x, magnitudes = torch.cat([waiting_x, x], dim=1), torch.cat([waiting_magnitudes, magnitudes], dim=1)
        ready = magnitudes.shape[1] - 1
        # the last frame's window reaches into the next block
        self._waiting = x[:, ready * hop :], magnitudes[:, ready:]
        window = hann_window(2 * hop, 2 * hop, device=x.device, dtype=x.dtype)
        return self._add(x.unfold(1, 2 * hop, hop)[:, :ready] * window, magnitudes[:, :ready])

    def _add(self, segments: Tensor, magnitudes: Tensor) -> Tensor:
        """Filter segments that begin every ``hop_length`` samples, add them up, keep what the next ones add to."""
        batch, n_segments, length = segments.shape
        n_fft = _good_length(length + 2 * magnitudes.shape[2] - 3)
        if n_segments == 0:
            return segments.new_zeros(batch, 0)
        rows, filters = segments.flatten(0, 1), magnitudes.flatten(0, 1)
        if rows.device.type == "cpu" and not (
            torch.is_grad_enabled() and (rows.requires_grad or filters.requires_grad)
        ):
            parts = list(zip(rows.split(BLOCKS), filters.split(BLOCKS), strict=True))
            filtered = torch.cat(map_blocks(lambda part: _convolve(*part, n_fft), parts))
        else:
            filtered = _convolve(rows, filters, n_fft)
        total = _overlap_add(filtered.view(batch, n_segments, n_fft), self.hop_length)
        done, tail = n_segments * self.hop_length, self._tail
        if tail is None:
            raise ValueError("the filter has no state; call process() first")
        kept = tail.shape[1]
        total = functional.pad(total, (0, max(0, done + kept - total.shape[1])))
        total = torch.cat([total[:, :kept] + tail, total[:, kept:]], dim=1)
        skip = min(self._skip, done)
        self._skip -= skip
        self._tail = total[:, done : done + kept]
        return total[:, skip:done]


def uniform_noise(n_samples: int, *, batch: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """White noise, uniform between −1 and 1.

    Parameters
    ----------
    n_samples : int
    batch : int
    like : Tensor [shape=(...)]
        Has the device and the type of the result.
    generator : torch.Generator or None
        On the same device. Default: torch's own, which ``training.loop.fit`` seeds anew each epoch.

    Returns
    -------
    Tensor [shape=(batch, n_samples)]
        Drawn sample by sample, so that chunks drawn one after another are the noise drawn at once.
    """
    noise = torch.rand(n_samples, batch, generator=generator, device=like.device, dtype=like.dtype)
    return noise.mul_(2).sub_(1).T.contiguous()


def _check_bins(n_bins: int) -> None:
    if n_bins < 2:
        raise ValueError(f"a filter needs magnitudes at 2 frequencies or more, got {n_bins}")


def _convolve(segments: Tensor, magnitudes: Tensor, n_fft: int) -> Tensor:
    filters = torch.fft.rfft(impulse_responses(magnitudes), n=n_fft)
    return torch.fft.irfft(torch.fft.rfft(segments, n=n_fft) * filters, n=n_fft)


def _overlap_add(segments: Tensor, hop_length: int) -> Tensor:
    """Sum of segments that begin every ``hop_length`` samples [shape=(batch, n_segments * hop_length + overlap)]."""
    batch, n_segments, length = segments.shape
    pieces = -(-length // hop_length)
    padded = functional.pad(segments, (0, pieces * hop_length - length)).unflatten(-1, (pieces, hop_length))
    total = segments.new_zeros(batch, n_segments + pieces - 1, hop_length)
    for piece in range(pieces):
        total[:, piece : piece + n_segments] += padded[:, :, piece]
    return total.flatten(1)


def _good_length(n: int) -> int:
    """Smallest even length, not below ``n``, that has no prime factor above 5."""
    length = n + n % 2
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2
