"""Decode once: all clips of a data set in one memory-mapped int16 file, served as batches."""

import mmap
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reprise.data.decode import FORMAT_VERSION, FULL_SCALE, Mono, read_index, write_bank
from reprise.data.table import content_hashes, validate_table
from reprise.files import sha256_json, write_json
from reprise.paths import cache_root

__all__ = ["BadAudioError", "WaveBank"]

# annotations round to hundredths of a second; a file that was cut misses more
_PAST_END_SECONDS = 0.01
_PROBE_SAMPLES = 64
# rows are gathered in blocks that stay in the processor's cache between copy and conversion
_BLOCK_SAMPLES = 1 << 19
# pages of the map count as this process's memory until they are let go; one touch can bring in a huge page
_RELEASE_BYTES = 1 << 28
_HUGE_PAGE_BYTES = 1 << 21
_COPY_SAMPLES = 1 << 25


class BadAudioError(ValueError):
    """Unusable audio under ``on_bad="fail"``, or nothing usable at all."""


def _open_map(path: Path) -> tuple[mmap.mmap, np.ndarray]:
    with path.open("rb") as stream:
        mapping = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return mapping, np.frombuffer(mapping, dtype="<i2")


def _describe_files(paths: list[str], hashes: dict[str, str], index: dict[str, Any]) -> pd.DataFrame:
    columns = ["problem", "offset", "length", "source_rate", "n_channels", "n_clipped"]
    rows = [{"problem": ""} | ({"problem": "missing"} if p not in hashes else index["files"][hashes[p]]) for p in paths]
    files = pd.DataFrame(rows, index=pd.Index(paths, name="path")).reindex(columns=columns)
    return files.fillna(dict.fromkeys(columns[1:], 0)).astype(dict.fromkeys(columns[1:], "int64"))


def _mark_cut_files(table: pd.DataFrame, files: pd.DataFrame, *, sample_rate: int) -> None:
    """Note a problem for files that end before one of their clips does."""
    ends = (table["start"] + table["duration"]).groupby(table["path"].astype(str)).max().reindex(files.index)
    decoded = files["length"] / sample_rate
    cut = (files["problem"] == "") & (ends > decoded + _PAST_END_SECONDS)
    files.loc[cut, "problem"] = [
        f"truncated: {have:.3f} s decoded, but a clip ends at {want:.3f} s"
        for have, want in zip(decoded[cut], ends[cut], strict=True)
    ]


def _flat_clips(samples: np.ndarray, offsets: np.ndarray, lengths: np.ndarray) -> dict[int, str]:
    """Positions of clips whose samples are all the same, with the reason."""
    found = {int(i): "no sample" for i in np.flatnonzero(lengths <= 0)}
    usable = np.flatnonzero(lengths > 0)
    if not usable.size:
        return found
    # a look at the middle of each clip clears nearly all of them, so that only the rest is read
    width = int(min(_PROBE_SAMPLES, lengths[usable].min()))
    middle = offsets[usable] + (lengths[usable] - width) // 2
    probes = np.lib.stride_tricks.sliding_window_view(samples, width)[middle]
    for i in usable[probes.min(axis=1) == probes.max(axis=1)]:
        clip = samples[offsets[i] : offsets[i] + lengths[i]]
        if clip.min() == clip.max():
            found[int(i)] = "silent" if clip[0] == 0 else "constant"
    return found


def _clip_problems(table: pd.DataFrame, reasons: dict[int, str]) -> list[dict[str, str]]:
    paths, names, starts = table["path"].astype(str), table["clip_id"].astype(str), table["start"].astype(float)
    return [
        {
            "path": paths[i],
            "reason": f"clip {names[i]} from {starts[i]:.3f} s is {reason}",
            "action": "excluded, with 1 clip",
        }
        for i, reason in sorted(reasons.items())
    ]


def _integers(values: Any, name: str) -> np.ndarray:
    array = values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be whole numbers, not {array.dtype} ({array.flat[0]!r})")
    return array.astype(np.int64)


class WaveBank:
    """Decoded audio of a clip table.

    Made by :meth:`build`.

    Attributes
    ----------
    table : DataFrame
        The clip table without unusable clips, index 0, 1, …: the rows of :meth:`batch`.
    problems : DataFrame
        ``path``, ``reason``, ``action``: what was found unusable.
    files : DataFrame
        One row per path: ``problem`` (empty if none), ``offset`` and ``length`` in the bank (samples), ``source_rate``
        (Hz), ``n_channels``, ``n_clipped`` (samples beyond full scale).
    lengths : ndarray of int64 [shape=(n,)]
        Samples of each clip of ``table``: what random crops are drawn from.
    sample_rate : int, Hz
    """

    def __init__(
        self,
        data_path: Path,
        *,
        table: pd.DataFrame,
        files: pd.DataFrame,
        sample_rate: int,
        on_bad: Literal["exclude", "fail"] = "exclude",
    ):
        self.sample_rate = sample_rate
        self.files = files
        self._resident: Tensor | None = None
        self._touched = 0
        _mark_cut_files(table, files, sample_rate=sample_rate)
        paths = table["path"].astype(str)
        sound = (paths.map(files["problem"]) == "").to_numpy()
        problems = self._file_problems(paths)
        if not sound.any():
            self._refuse(problems, "no clip is usable")
        self._map, self._samples = _open_map(data_path)
        kept = table[sound].reset_index(drop=True)
        self._place(kept)
        flat = _flat_clips(self._samples, self._offsets, self.lengths)
        self._release(0, _RELEASE_BYTES)
        problems += _clip_problems(kept, flat)
        if problems and on_bad == "fail":
            self._refuse(problems, f"{len(problems)} problems in the audio")
        good = ~np.isin(np.arange(len(kept)), list(flat))
        if not good.any():
            self._refuse(problems, "no clip is usable")
        self.table = kept[good].reset_index(drop=True)
        self._place(self.table)
        self.problems = pd.DataFrame(problems, columns=["path", "reason", "action"])

    @classmethod
    def build(
        cls,
        table: pd.DataFrame,
        *,
        sample_rate: int,
        cache: Path | None = None,
        mono: Mono = "mean",
        on_bad: Literal["exclude", "fail"] = "exclude",
        workers: int | None = None,
    ) -> "WaveBank":
        """Decode the files of a clip table, or open what was decoded before.

        Parameters
        ----------
        table : DataFrame
            A valid clip table; several clips may share a file.
        sample_rate : int, Hz, > 0
            Files at other rates are resampled (soxr, HQ).
        cache : Path or None
            Folder of the banks; ``cache_root()/waves`` by default.
        mono : "mean", "left" or "right"
            What stands for several channels.
        on_bad : "exclude" or "fail"
            What unusable files and silent clips lead to: they are left out and listed in ``problems``, or an error.
        workers : int or None
            Threads; one per core by default.

        Returns
        -------
        WaveBank

        Raises
        ------
        BadAudioError
            If anything is unusable under ``on_bad="fail"``, or everything is; names the first ones and their number.
        OSError
            If the disk is full: says how many bytes are needed; nothing is left behind.

        Notes
        -----
        A bank is known by its files' contents, rate, channel policy and format: a change of any makes a new one.
        Processes that build the same bank at once each write a file of their own; the last one stays.
        """
        validate_table(table)
        if isinstance(sample_rate, bool) or int(sample_rate) != sample_rate or sample_rate <= 0:
            raise ValueError(f"sample_rate must be a whole number of Hz above zero, not {sample_rate!r}")
        if mono not in ("mean", "left", "right"):
            raise ValueError(f"mono must be 'mean', 'left' or 'right', not {mono!r}")
        if on_bad not in ("exclude", "fail"):
            raise ValueError(f"on_bad must be 'exclude' or 'fail', not {on_bad!r}")
        folder = Path(cache) if cache is not None else cache_root() / "waves"
        workers = workers or os.cpu_count() or 1
        paths = sorted(table["path"].astype(str).unique())
        hashes = content_hashes((path for path in paths if Path(path).is_file()), workers=workers)
        sources = dict(sorted({digest: path for path, digest in hashes.items()}.items()))
        key = sha256_json(
            {"files": list(sources), "sample_rate": int(sample_rate), "mono": mono, "version": FORMAT_VERSION}
        )
        data_path, index_path = folder / f"{key[:32]}.i16", folder / f"{key[:32]}.json"
        index = read_index(index_path, data_path)
        if index is None:
            index = write_bank(data_path, sources, sample_rate=int(sample_rate), mono=mono, workers=workers)
            write_json(index_path, index)
        files = _describe_files(paths, hashes, index)
        return cls(data_path, table=table, files=files, sample_rate=int(sample_rate), on_bad=on_bad)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        size = self._samples.nbytes / 2**20
        return f"WaveBank({len(self)} clips, {self.sample_rate} Hz, {size:.0f} MiB, {len(self.problems)} problems)"

    def to(self, device: str | torch.device, *, limit_bytes: int | None = None) -> "WaveBank":
        """Keep the samples in a device's memory if they fit; :meth:`batch` then gathers there.

        Parameters
        ----------
        device : str or torch.device
        limit_bytes : int or None
            How much they may take. By default half of a CUDA device's free memory, and nothing elsewhere: on a CPU the
            memory map serves as well.

        Returns
        -------
        WaveBank
            This bank, unchanged where the samples do not fit.
        """
        device = torch.device(device)
        if limit_bytes is None:
            limit_bytes = torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 0
        self._resident = None
        if self._samples.nbytes <= limit_bytes:
            resident = torch.empty(len(self._samples), dtype=torch.int16, device=device)
            for first in range(0, len(self._samples), _COPY_SAMPLES):
                part = self._samples[first : first + _COPY_SAMPLES].copy()
                resident[first : first + len(part)] = torch.from_numpy(part).to(device)
                self._release(1, part.nbytes)
            self._resident = resident
        return self

    def batch(
        self,
        rows: Any,
        starts: Any = None,
        length: int | None = None,
        *,
        device: str | torch.device | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Audio of some clips, all of one length.

        Parameters
        ----------
        rows : int array or Tensor [shape=(batch,)]
            Positions in ``table``; repetitions allowed.
        starts : int, int array or None [shape=(batch,)], samples, ≥ 0
            Where to begin, counted from each clip's own start; 0 by default.
        length : int or None, samples, > 0
            By default the duration of the clips, which must then be the same for all.
        device : str, torch.device or None
            Where the result goes; by default where the samples are (see :meth:`to`). What travels is int16.
        out : Tensor or None [shape=(batch, length)], float32, on the CPU
            Filled and returned, to spare the allocation; only for results on the CPU.

        Returns
        -------
        Tensor [shape=(batch, length)], float32 in [−1, 1)
            Zeros beyond a clip's end, never another clip's samples.

        Raises
        ------
        ValueError
            If an argument is out of range; the message names the value.
        """
        offsets, valid, length = self._windows(rows, starts, length)
        resident = self._resident
        if device is None:
            device = resident.device if resident is not None else "cpu"
        target = torch.device(device)
        if out is not None and (target.type != "cpu" or out.device.type != "cpu"):
            raise ValueError(f"out is for results on the CPU, not on {target}; leave it away")
        on_target = resident is not None and (
            resident.device.type == target.type and target.index in (None, resident.device.index)
        )
        if resident is not None and on_target:
            audio = _gather_resident(resident, torch.from_numpy(offsets), torch.from_numpy(valid), length)
            return audio if out is None else out.copy_(audio)
        if target.type == "cpu":
            return self._gather_float(offsets, valid, length, out=out)
        pcm = self._gather(offsets, valid, length)
        self._release(len(pcm), pcm.nbytes)
        return torch.from_numpy(pcm).to(target).to(torch.float32).mul_(1 / FULL_SCALE)

    def _file_problems(self, paths: pd.Series) -> list[dict[str, str]]:
        bad = self.files["problem"][self.files["problem"] != ""]
        n_clips = paths.value_counts()
        return [
            {
                "path": path,
                "reason": reason,
                "action": f"excluded, with {n_clips[path]} clip" + "s" * int(n_clips[path] > 1),
            }
            for path, reason in zip(bad.index.astype(str), bad, strict=True)
        ]

    @staticmethod
    def _refuse(problems: list[dict[str, str]], summary: str) -> None:
        first = "; ".join(f"{problem['path']}: {problem['reason']}" for problem in problems[:3])
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        advice = "fetch these files again, or leave them out with on_bad='exclude'"
        raise BadAudioError(f"{summary} ({len(problems)}): {first}{more}. Next: {advice}")

    def _place(self, table: pd.DataFrame) -> None:
        """Set where each clip lies in the bank, in samples."""
        place = self.files[["offset", "length"]].reindex(table["path"].astype(str)).to_numpy()
        start = np.rint(table["start"].to_numpy(float) * self.sample_rate).astype(np.int64)
        self._nominal = np.rint(table["duration"].to_numpy(float) * self.sample_rate).astype(np.int64)
        self._offsets = place[:, 0] + start
        # resampling may end a sample early
        self.lengths = np.minimum(self._nominal, place[:, 1] - start)

    def _windows(self, rows: Any, starts: Any, length: int | None) -> tuple[np.ndarray, np.ndarray, int]:
        """First sample in the bank and number of real samples of each wanted window."""
        rows = _integers(rows, "rows")
        if rows.ndim != 1 or not rows.size:
            raise ValueError(f"rows must be a list of at least one position, not of shape {rows.shape}")
        if (wrong := (rows < 0) | (rows >= len(self))).any():
            raise ValueError(f"row {rows[wrong][0]} is not in 0 … {len(self) - 1}")
        starts = _integers(0 if starts is None else starts, "starts")
        if starts.shape not in ((), rows.shape):
            raise ValueError(f"starts has shape {starts.shape}, rows {rows.shape}")
        if (starts < 0).any():
            raise ValueError(f"start {starts[starts < 0].flat[0]} is negative")
        if length is None:
            nominal = self._nominal[rows]
            length = int(nominal[0])
            if (other := nominal[nominal != length]).size:
                raise ValueError(f"clips of {length} and {other[0]} samples in one batch: give the length")
        if isinstance(length, bool) or int(length) != length or length <= 0:
            raise ValueError(f"length must be a whole number of samples above zero, not {length!r}")
        length = int(length)
        return self._offsets[rows] + starts, np.clip(self.lengths[rows] - starts, 0, length), length

    def _gather(self, offsets: np.ndarray, valid: np.ndarray, length: int) -> np.ndarray:
        """Windows as int16 [shape=(n, length)]."""
        last = len(self._samples) - length
        if last >= 0:
            # not np.take: it would first copy the overlapping view as a whole
            block = np.lib.stride_tricks.sliding_window_view(self._samples, length)[np.minimum(offsets, last)]
        else:
            block = np.empty((len(offsets), length), np.int16)
        beyond = np.flatnonzero(offsets > last)
        if beyond.size:
            index = offsets[beyond, None] + np.arange(length)
            block[beyond] = self._samples[np.minimum(index, len(self._samples) - 1)]
        short = np.flatnonzero(valid < length)
        if short.size:
            block[short] *= np.arange(length) < valid[short, None]
        return block

    def _gather_float(self, offsets: np.ndarray, valid: np.ndarray, length: int, *, out: Tensor | None) -> Tensor:
        shape = (len(offsets), length)
        if out is None:
            # NumPy asks for huge pages, which halves the cost of fresh memory
            out = torch.from_numpy(np.empty(shape, np.float32))
        elif tuple(out.shape) != shape or out.dtype != torch.float32:
            raise ValueError(f"out must be float32 of shape {shape}, not {out.dtype} of {tuple(out.shape)}")
        # NumPy, not torch: work of a millisecond is not worth waiting for a thread team, long on a busy machine
        audio = out.detach().numpy()
        step = max(1, _BLOCK_SAMPLES // length)
        for first in range(0, len(offsets), step):
            here = slice(first, first + step)
            audio[here] = self._gather(offsets[here], valid[here], length)
            audio[here] *= np.float32(1 / FULL_SCALE)
        self._release(len(out), 2 * out.numel())
        return out

    def _release(self, n_windows: int, n_bytes: int) -> None:
        """Count what was read and now and then let the pages go; the system's own cache of the file keeps them."""
        self._touched += n_windows * _HUGE_PAGE_BYTES + n_bytes
        if self._touched >= _RELEASE_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0


def _gather_resident(samples: Tensor, offsets: Tensor, valid: Tensor, length: int) -> Tensor:
    """Windows gathered on the device that holds the samples, float32 [shape=(n, length)]."""
    device = samples.device
    step = torch.arange(length, device=device)
    index = (offsets.to(device)[:, None] + step).clamp_(max=len(samples) - 1)
    pcm = samples[index].masked_fill_(step >= valid.to(device)[:, None], 0)
    return pcm.to(torch.float32).mul_(1 / FULL_SCALE)
