"""Audio files to mono int16 at a wanted rate, or a reason why not."""

import errno
import os
import shutil
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import soundfile
import soxr

from reprise.files import atomic_path, read_json
from reprise.progress import track

__all__ = [
    "FORMAT_VERSION",
    "FULL_SCALE",
    "BadAudio",
    "Decoded",
    "Mono",
    "decode",
    "expected_bytes",
    "length_is_estimated",
    "read_index",
    "write_bank",
]

Mono = Literal["mean", "left", "right"]

FORMAT_VERSION = 1
FULL_SCALE = 32768.0
MIN_SECONDS = 0.01
_BLOCK_FRAMES = 1 << 20
# libsndfile's word for "the header does not say"
_UNKNOWN_FRAMES = 1 << 62
_UNKNOWN_BYTES = (0, 0xFFFFFFFF)
_MAX_OGG_PAGE = 65307
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BadAudio(ValueError):
    """A file that cannot stand for the audio its name promises; the message is the reason, without the path."""


@dataclass(frozen=True)
class Decoded:
    """Samples of one file.

    Parameters
    ----------
    samples : ndarray of int16 [shape=(n,)]
    source_rate : int, Hz
    n_channels : int
        Of the file, before mixing.
    n_clipped : int
        Samples beyond full scale, which int16 cannot hold.
    """

    samples: np.ndarray
    source_rate: int
    n_channels: int
    n_clipped: int


def _missing_wav_bytes(stream: BinaryIO) -> int:
    """How many bytes of audio a WAV header promises beyond the end of the file; 0 for anything else."""
    size = os.fstat(stream.fileno()).st_size
    head = stream.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return 0
    long_size = 0
    while len(chunk := stream.read(8)) == 8:
        name, declared = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        if name == b"ds64":
            body = stream.read(declared)
            long_size = struct.unpack("<Q", body[8:16])[0] if len(body) >= 16 else 0
        elif name == b"data":
            if declared in _UNKNOWN_BYTES:
                declared = long_size
            return max(0, stream.tell() + declared - size)
        else:
            stream.seek(declared + declared % 2, os.SEEK_CUR)
    return 0


def _ogg_unfinished(stream: BinaryIO) -> bool:
    """Whether an Ogg stream lacks the page that says it ends here."""
    stream.seek(0)
    if stream.read(4) != b"OggS":
        return False
    size = os.fstat(stream.fileno()).st_size
    stream.seek(max(0, size - _MAX_OGG_PAGE))
    tail = stream.read()
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        return True
    n_segments = tail[page + 26]
    lacing = tail[page + 27 : page + 27 + n_segments]
    whole = len(lacing) == n_segments and len(tail) >= page + 27 + n_segments + sum(lacing)
    return not (whole and tail[page + 5] & 4)


def _check_container(path: Path) -> None:
    """Refuse what libsndfile would decode without a word although its end is missing."""
    try:
        with path.open("rb") as stream:
            if missing := _missing_wav_bytes(stream):
                raise BadAudio(f"truncated: the header promises {missing} bytes more than the file has")
            if _ogg_unfinished(stream):
                raise BadAudio("truncated: the last page of the Ogg stream is missing")
    except OSError as error:
        raise BadAudio(f"cannot be read: {error.strerror}") from error


def _what_it_is(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(512)
    if not head:
        return "empty: zero bytes"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "not audio: an HTML page, probably a failed download"
    return f"not audio, or damaged: it begins with {head[:8]!r}"


def _to_mono(block: np.ndarray, mono: Mono) -> np.ndarray:
    if block.shape[1] == 1 or mono == "left":
        return block[:, 0]
    return block[:, 1] if mono == "right" else block.mean(axis=1, dtype=np.float32)


def length_is_estimated(path: Path) -> bool:
    """Whether an MP3 file does not tell its length: libsndfile then guesses from its size, tags included."""
    if path.suffix.lower() != ".mp3":
        return False
    with path.open("rb") as stream:
        head = stream.read(10)
        # the size of an ID3 tag comes in four bytes of seven bits
        skipped = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        stream.seek(skipped if head[:3] == b"ID3" else 0)
        first_frame = stream.read(512)
    return not any(tag in first_frame for tag in (b"Xing", b"Info", b"VBRI"))


def _read(path: Path, mono: Mono) -> tuple[np.ndarray, int, int]:
    """Mono float32 samples, rate and number of channels of a whole file."""
    blocks, n_frames = [], 0
    try:
        with soundfile.SoundFile(path) as file:
            declared, rate, n_channels = file.frames, file.samplerate, file.channels
            # block by block: a header without a length would otherwise ask for exabytes
            while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                n_frames += len(block)
                blocks.append(_to_mono(block, mono))
    except soundfile.LibsndfileError as error:
        if n_frames:
            raise BadAudio(f"damaged after {n_frames} samples: {error.error_string}") from error
        raise BadAudio(f"{_what_it_is(path)} ({error.error_string})") from error
    if n_frames < declared < _UNKNOWN_FRAMES and not length_is_estimated(path):
        raise BadAudio(f"truncated: {n_frames} samples decoded, {declared} in the header")
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return samples, rate, n_channels


def _check_samples(samples: np.ndarray, rate: int) -> None:
    if len(samples) < MIN_SECONDS * rate:
        raise BadAudio(f"too short: {len(samples)} samples at {rate} Hz")
    low, high = samples.min(), samples.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BadAudio(f"{np.count_nonzero(~np.isfinite(samples))} samples are not finite")
    if low == high:
        raise BadAudio("silent: every sample is zero" if low == 0 else f"constant: every sample is {low:g}")


def decode(path: str | Path, *, sample_rate: int, mono: Mono = "mean") -> Decoded:
    """Read a file that libsndfile knows, mix it to one channel, bring it to a rate and to 16 bits.

    Parameters
    ----------
    path : str or Path
    sample_rate : int, Hz
        soxr (HQ) resamples where the file's rate differs.
    mono : "mean", "left" or "right"
        What stands for several channels.

    Returns
    -------
    Decoded
        A 16-bit file at the wanted rate comes through unchanged.

    Raises
    ------
    BadAudio
        Not audio, cut, damaged, empty, silent, constant, too short or not finite.

    Notes
    -----
    libsndfile decodes cut WAV, MP3 and Ogg files without an error. A cut WAV is known by its header, Ogg by its last
    page, MP3 by its frame count where the encoder wrote one.
    """
    path = Path(path)
    _check_container(path)
    samples, source_rate, n_channels = _read(path, mono)
    _check_samples(samples, source_rate)
    if source_rate != sample_rate:
        samples = soxr.resample(samples, source_rate, sample_rate, quality="HQ")
    # exactly +1 is no overload: it is one step above the largest int16 and lands on it
    n_clipped = int(np.count_nonzero(np.abs(samples) > 1.0))
    scaled = np.rint(samples * np.float32(FULL_SCALE))
    pcm = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
    return Decoded(pcm, source_rate, n_channels, n_clipped)


def expected_bytes(paths: Iterable[str | Path], *, sample_rate: int) -> int:
    """Size of the decoded audio of many files as their headers tell it; unreadable files count nothing."""
    total = 0
    for path in paths:
        try:
            header = soundfile.info(path)
        except (soundfile.LibsndfileError, OSError):
            continue
        if header.frames < _UNKNOWN_FRAMES:
            total += 2 * int(np.ceil(header.frames * sample_rate / header.samplerate))
    return total


def _decode_in_order(paths: list[str], *, sample_rate: int, mono: Mono, workers: int) -> Iterator[Decoded | str]:
    """Decode in threads, yield in order, hold few files in memory; a string says why a file is unusable."""

    def attempt(path: str) -> Decoded | str:
        try:
            return decode(path, sample_rate=sample_rate, mono=mono)
        except BadAudio as problem:
            return str(problem)

    pending: deque[Future[Decoded | str]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for path in paths:
                pending.append(pool.submit(attempt, path))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _disk_full(folder: Path, needed: int, *, code: int) -> OSError:
    free = shutil.disk_usage(folder).free
    return OSError(
        code,
        f"no room for the decoded audio: {needed} bytes needed, {free} free; "
        "make room or set REPRISE_CACHE to a folder on a larger disk",
        str(folder),
    )


def write_bank(target: Path, paths: dict[str, str], *, sample_rate: int, mono: Mono, workers: int) -> dict[str, Any]:
    """Decode many files, each once, into one file of samples.

    Parameters
    ----------
    target : Path
        Takes the samples, int16 little-endian, one file after another; it appears only when it is whole.
    paths : dict of str to str
        Content hash → a path with this content, in the order in which they are written.
    sample_rate : int, Hz
    mono : "mean", "left" or "right"
        What stands for several channels.
    workers : int ≥ 1
        Threads that decode. The bytes do not depend on it.

    Returns
    -------
    dict
        The index, ready for JSON: ``version, sample_rate, mono, n_samples`` and ``files``: content hash → ``offset``
        and ``length`` in samples, ``source_rate`` in Hz, ``n_channels``, ``n_clipped``; or ``problem``, a sentence, for
        a file that cannot be used.

    Raises
    ------
    OSError
        If the disk has too little room (the message says how much is needed and free) or writing fails.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    needed = expected_bytes(paths.values(), sample_rate=sample_rate)
    if needed > shutil.disk_usage(target.parent).free:
        raise _disk_full(target.parent, needed, code=errno.ENOSPC)
    files: dict[str, Any] = {}
    offset = 0
    results = _decode_in_order(list(paths.values()), sample_rate=sample_rate, mono=mono, workers=workers)
    try:
        with atomic_path(target) as temporary, temporary.open("wb") as stream:
            for digest, result in zip(paths, track(results, total=len(paths), description="decoding"), strict=True):
                if isinstance(result, str):
                    files[digest] = {"problem": result}
                    continue
                stream.write(result.samples.data)
                files[digest] = {
                    "offset": offset,
                    "length": len(result.samples),
                    "source_rate": result.source_rate,
                    "n_channels": result.n_channels,
                    "n_clipped": result.n_clipped,
                }
                offset += len(result.samples)
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise _disk_full(target.parent, needed, code=error.errno) from error
        raise
    return {"version": FORMAT_VERSION, "sample_rate": sample_rate, "mono": mono, "n_samples": offset, "files": files}


def read_index(index_path: Path, data_path: Path) -> dict[str, Any] | None:
    """Index of a finished bank, or None where it is missing or does not fit its samples."""
    try:
        index = read_json(index_path)
        if index["version"] == FORMAT_VERSION and data_path.stat().st_size == 2 * index["n_samples"]:
            return index
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None
