"""Representations of a user's own recordings, one row per file, by any encoder that was pre-trained here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from reprise.data.datasets._files import EXTENSIONS, walk
from reprise.data.decode import FULL_SCALE, BadAudio, decode
from reprise.files import atomic_path
from reprise.papers.choices import UsageError
from reprise.papers.tune.embedding import embed
from reprise.papers.tune.stored_encoder import LoadedEncoder, open_encoder
from reprise.progress import track

__all__ = ["FORMATS", "CannotEmbed", "Embedded", "embed_files", "embed_folder"]

FORMATS = (".parquet", ".csv", ".npz")
FACTS = ("path", "seconds", "n_windows")


class CannotEmbed(UsageError):
    """A folder or a target that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Embedded:
    """What `embed_folder` did.

    Attributes
    ----------
    target : Path
    encoder : str
        Name of what made the vectors.
    n_files : int
        Rows.
    n_features : int
        Length of a vector.
    problems : list of str
        Files that were left out, and why.
    """

    target: Path
    encoder: str
    n_files: int
    n_features: int
    problems: list[str] = field(default_factory=list)


def embed_files(
    paths: list[Path], *, root: Path, encoder: LoadedEncoder, device: str = "cpu"
) -> tuple[pd.DataFrame, list[str]]:
    """Embed recordings.

    Parameters
    ----------
    paths : list of Path
        Files that libsndfile reads; channels are averaged, and rates converted to the encoder's.
    root : Path
        Paths are told from here.
    encoder : LoadedEncoder
        From `reprise.papers.tune.stored_encoder.open_encoder`.
    device : str

    Returns
    -------
    frame : DataFrame
        One row per usable file, in the order given: ``path``, ``seconds``, ``n_windows`` (that fit in it, one at
        least), ``e0`` … (mean over the windows).
    problems : list of str
        One line per file that cannot be used.
    """
    model = encoder.model.to(device)
    facts, vectors, problems = [], [], []
    for path in track(paths, description="embed"):
        name = path.relative_to(root).as_posix()
        try:
            samples = decode(path, sample_rate=encoder.sample_rate).samples
        except (BadAudio, OSError) as error:
            problems.append(f"{name}: {error}")
            continue
        audio = torch.from_numpy(samples.astype(np.float32)).to(device)[None] / FULL_SCALE
        vectors.append(embed(model, audio, n_samples=encoder.n_samples)[0].cpu().numpy())
        n_windows = max(1, len(samples) // encoder.n_samples)
        facts.append((name, len(samples) / encoder.sample_rate, n_windows))
    frame = pd.DataFrame(facts, columns=list(FACTS))
    if not vectors:
        return frame, problems
    matrix = np.stack(vectors)
    columns = [f"e{number}" for number in range(matrix.shape[1])]
    return pd.concat([frame, pd.DataFrame(matrix, columns=columns)], axis=1), problems


def embed_folder(source: str | Path, target: str | Path, *, weights: str | Path, device: str = "cpu") -> Embedded:
    """Embed all recordings below a folder and write the table.

    Parameters
    ----------
    source : str or Path
        Folder with WAV, FLAC, AU, Ogg or MP3 files at any depth.
    target : str or Path
        ``.parquet``, ``.csv``, or ``.npz`` (``path``, ``seconds``, ``n_windows``, ``embeddings``); appears only when it
        is whole.
    weights : str or Path
        Folder for `reprise.papers.tune.stored_encoder.open_encoder`.
    device : str

    Returns
    -------
    Embedded

    Raises
    ------
    UsageError
        If the encoder, the folder or the target cannot be used; the message is one line.
    """
    source, target = Path(source).expanduser(), Path(target).expanduser()
    _check_target(target)
    paths = list(_recordings(source))
    encoder = open_encoder(weights)
    frame, problems = embed_files(paths, root=source, encoder=encoder, device=device)
    if frame.empty:
        raise CannotEmbed(f"none of {len(paths)} files in {source} can be used; the first is {problems[0]}")
    _write(frame, target)
    return Embedded(target, encoder.name, len(frame), frame.shape[1] - len(FACTS), problems)


def _check_target(target: Path) -> None:
    if target.suffix.lower() not in FORMATS:
        raise CannotEmbed(f"{target}: the table is written as {', '.join(FORMATS)}; give the file such an ending")
    if target.is_dir() or not target.absolute().parent.is_dir():
        problem = "is a folder" if target.is_dir() else f"there is no folder {target.parent}"
        raise CannotEmbed(f"{target}: {problem}; name a file in a folder that there is")


def _recordings(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        raise CannotEmbed(f"--in {source}: there is no such folder; name one with recordings in it")
    found = list(walk(source))
    if not found:
        raise CannotEmbed(f"--in {source}: there is no {', '.join(EXTENSIONS)} file in it")
    yield from found


def _write(frame: pd.DataFrame, target: Path) -> None:
    suffix = target.suffix.lower()
    with atomic_path(target) as temporary:
        if suffix == ".csv":
            frame.to_csv(temporary, index=False)
        elif suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            vectors = frame.drop(columns=list(FACTS)).to_numpy(np.float32)
            seconds, counts = frame["seconds"].to_numpy(), frame["n_windows"].to_numpy()
            with temporary.open("wb") as stream:
                np.savez(
                    stream, path=frame["path"].to_numpy(str), seconds=seconds, n_windows=counts, embeddings=vectors
                )
