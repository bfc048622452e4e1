"""CLMR's chain of random changes that makes two views of one recording, batched on the device."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reprise.audio.augment import pitch_shift
from reprise.audio.counters import normal, stream, uniform
from reprise.audio.effects import add_noise_of_level, amplify, echo, first_order_filter, sinc_filter
from reprise.audio.parallel import map_blocks
from reprise.audio.reverb import reverb
from reprise.audio.view_settings import TRANSFORMS, ViewSettings

__all__ = ["Changes", "ViewAugment"]

# one clip per processor thread: transforms of several clips round otherwise, and the phase vocoder, which adds phases
# up, would make -55 dB of it
BLOCK = 1
NEVER = float("nan")


@dataclass(frozen=True)
class Changes:
    """What is done to each clip; NaN where nothing is.

    Attributes
    ----------
    polarity : Tensor [shape=(batch,)], bool
        Whether the clip is turned upside down.
    noise_level : Tensor [shape=(batch,)]
    gain : Tensor [shape=(batch,)], dB
    cutoff : Tensor [shape=(batch,)], Hz
    high_pass : Tensor [shape=(batch,)], bool
        Which filter it is that has this cut-off.
    delay : Tensor [shape=(batch,)], ms
    cents : Tensor [shape=(batch,)]
    reverberance, damping, room_scale : Tensor [shape=(batch,)], 0 to 100
    noise_streams : Tensor [shape=(batch,)], int64
        Where the noise itself comes from.
    """

    polarity: Tensor
    noise_level: Tensor
    gain: Tensor
    cutoff: Tensor
    high_pass: Tensor
    delay: Tensor
    cents: Tensor
    reverberance: Tensor
    damping: Tensor
    room_scale: Tensor
    noise_streams: Tensor

    def split(self, size: int) -> list["Changes"]:
        """The same in blocks of ``size`` clips."""
        columns = [getattr(self, field.name).split(size) for field in dataclasses.fields(self)]
        return [Changes(*parts) for parts in zip(*columns, strict=True)]


class ViewAugment:
    """Random changes of a batch of clips, each clip with its own.

    Parameters
    ----------
    settings : ViewSettings
    sample_rate : float, Hz

    Notes
    -----
    Each change has random numbers of its own: switching one off leaves the others' as they are. They are a function of
    one number from the generator, of the change and of the clip's key, so that a clip with a given key is changed in
    the same way whatever else is in the batch: to the same bits in every batch of two or more on the CPU. On a GPU, and
    for a clip alone, the choices are the same bits and the samples agree to rounding, of which a phase vocoder makes up
    to -55 dB.

    Against the published pipeline: pitch is shifted by a phase vocoder, where sox overlaps pieces of the waveform;
    reverb and filter are sox's and julius's. Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook:
    03_tune.ipynb.
    """

    def __init__(self, settings: ViewSettings | None = None, *, sample_rate: float = 22_050) -> None:
        self.settings = settings or ViewSettings()
        self.sample_rate = sample_rate
        if max(self.settings.high_pass[1], self.settings.low_pass[1]) >= sample_rate / 2:
            raise ValueError(f"cut-off frequencies must lie below half of the sample rate, {sample_rate / 2} Hz")

    def __call__(self, y: Tensor, *, generator: torch.Generator, keys: Tensor | None = None) -> Tensor:
        """Change each clip at random.

        Parameters
        ----------
        y : Tensor [shape=(batch, time)], float32
        generator : torch.Generator
            Gives one number; on the CPU it saves a wait for the device.
        keys : Tensor [shape=(batch,)], int64, optional
            Of the clips, as their numbers in a table; by default their places in the batch.

        Returns
        -------
        Tensor [shape=(batch, time)]
        """
        return self.apply(y, self.draw(len(y), generator=generator, keys=keys))

    def pair(
        self, first: Tensor, second: Tensor, *, generator: torch.Generator, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Change two crops of each clip, independently of each other.

        Parameters
        ----------
        first, second : Tensor [shape=(batch, time)], float32
            The paper takes two crops of one recording; one crop given twice works as well.
        generator : torch.Generator
            As for one batch.
        keys : Tensor [shape=(batch,)], int64, optional
            As for one batch.

        Returns
        -------
        tuple of two Tensor [shape=(batch, time)]
        """
        keys = torch.arange(len(first)) if keys is None else keys
        views = self(torch.cat([first, second]), generator=generator, keys=torch.cat([2 * keys, 2 * keys + 1]))
        return views[: len(first)], views[len(first) :]

    def draw(self, n_clips: int, *, generator: torch.Generator, keys: Tensor | None = None) -> Changes:
        """Choose what to do.

        Parameters
        ----------
        n_clips : int
        generator : torch.Generator
        keys : Tensor [shape=(n_clips,)], int64, optional

        Returns
        -------
        Changes
            On the CPU.

        Raises
        ------
        ValueError
            If there is not one key per clip.
        """
        keys = torch.arange(n_clips) if keys is None else keys.cpu()
        if keys.shape != (n_clips,) or keys.dtype != torch.int64:
            raise ValueError(f"keys must be {n_clips} of type int64, got {keys.dtype} of shape {tuple(keys.shape)}")
        settings = self.settings
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        drawn = {name: uniform(stream(keys, seed=seed, name=name), 4).unbind(dim=1) for name in TRANSFORMS}

        def where(name: str, value: Tensor) -> Tensor:
            return torch.where(drawn[name][0] < getattr(settings, name), value, NEVER)

        _, coin, place, _ = drawn["filter"]
        high = coin < 0.5
        cutoff = torch.where(high, _between(settings.high_pass, place), _between(settings.low_pass, place))
        delays = torch.tensor(settings.delays, dtype=torch.float64)
        low, top = settings.room
        room = [low + (u * (top - low + 1)).floor() for u in drawn["reverb"][1:]]
        return Changes(
            polarity=drawn["polarity"][0] < settings.polarity,
            noise_level=where("noise", _between(settings.noise_levels, drawn["noise"][1])),
            gain=where("gain", _between(settings.gains, drawn["gain"][1])),
            cutoff=where("filter", cutoff),
            high_pass=high,
            delay=where("delay", delays[(drawn["delay"][1] * len(delays)).long()]),
            cents=where("pitch", (drawn["pitch"][1] * (2 * settings.cents + 1)).floor() - settings.cents),
            reverberance=where("reverb", room[0]),
            damping=where("reverb", room[1]),
            room_scale=where("reverb", room[2]),
            noise_streams=stream(keys, seed=seed, name="samples of the noise"),
        )

    def apply(self, y: Tensor, changes: Changes) -> Tensor:
        """Do what was chosen.

        Parameters
        ----------
        y : Tensor [shape=(batch, time)], float32
        changes : Changes

        Returns
        -------
        Tensor [shape=(batch, time)]
            Without gradients.

        Raises
        ------
        ValueError
            If the batch is not float32, or not of as many clips as there are changes for.
        """
        if y.ndim != 2 or y.dtype != torch.float32 or len(y) != len(changes.polarity):
            expected = f"float32 of shape ({len(changes.polarity)}, time)"
            raise ValueError(f"y must be {expected}, got {y.dtype} of {tuple(y.shape)}")
        with torch.no_grad(), torch.autocast(device_type=y.device.type, enabled=False):
            if y.device.type != "cpu" or not len(y):
                return self._changed(y, changes)
            blocks = list(zip(y.split(BLOCK), changes.split(BLOCK), strict=True))
            return torch.cat(map_blocks(lambda block: self._changed(*block), blocks))

    def _changed(self, y: Tensor, changes: Changes) -> Tensor:
        settings, rate = self.settings, self.sample_rate
        sign = torch.where(changes.polarity, -1.0, 1.0).to(y.device, non_blocking=True)
        y = y * sign[:, None]

        def noisy(clips: Tensor, rows: Tensor) -> Tensor:
            noise = normal(changes.noise_streams[rows].to(y.device), y.shape[1])
            return add_noise_of_level(clips, noise, level=changes.noise_level[rows])

        def filtered(clips: Tensor, rows: Tensor) -> Tensor:
            kind = sinc_filter if settings.filter_kind == "sinc" else first_order_filter
            return kind(clips, changes.cutoff[rows], high=changes.high_pass[rows], sample_rate=rate)

        def echoing(clips: Tensor, rows: Tensor) -> Tensor:
            return echo(clips, (changes.delay[rows] * (rate / 1000)).long(), factor=settings.echo_factor)

        def shifted(clips: Tensor, rows: Tensor) -> Tensor:
            return self._clipped(pitch_shift(clips, changes.cents[rows] / 100, n_fft=settings.pitch_n_fft))

        def in_a_room(clips: Tensor, rows: Tensor) -> Tensor:
            room = {name: getattr(changes, name)[rows] for name in ("reverberance", "damping", "room_scale")}
            return self._clipped(reverb(clips, **room, sample_rate=rate))

        _change(y, changes.noise_level, noisy)
        _change(y, changes.gain, lambda clips, rows: amplify(clips, changes.gain[rows]))
        _change(y, changes.cutoff, filtered)
        _change(y, changes.delay, echoing)
        _change(y, changes.cents, shifted)
        _change(y, changes.reverberance, in_a_room)
        return y

    def _clipped(self, y: Tensor) -> Tensor:
        return y.clamp(-1.0, 1.0) if self.settings.clip else y


def _change(y: Tensor, values: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Change, in place, the clips whose value is a number."""
    rows = values.isnan().logical_not().nonzero()[:, 0]
    if len(rows):
        places = rows.to(y.device, non_blocking=True)
        y.index_copy_(0, places, change(y.index_select(0, places), rows))


def _between(limits: tuple[float, float], u: Tensor) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * u
