"""What is known of a data set before it is on disk: files, hashes, licence, citation."""

import difflib
import hashlib
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from reprise.paths import data_manifests

__all__ = ["Manifest", "ManifestError", "RemoteFile", "available", "load_manifest"]

# one part of a path that is neither hidden nor able to leave its folder
PlainName = Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$", max_length=200)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class ManifestError(ValueError):
    """A manifest cannot be used; the message names the file and each field at fault."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RemoteFile(_Strict):
    """One file to download.

    Parameters
    ----------
    name : str
        Its name on disk.
    url : str
    mirrors : tuple of str
        Tried in this order after ``url``.
    bytes : int or None
        None where the size is not known, which is better than a guess: the hash alone then decides, and the server's
        word is taken for the progress and for how much is read at most.
    sha256, sha1, md5 : str or None
        Hexadecimal digits; at least one of them. The longest decides where several are given.
    extract : bool
        Whether it is an archive whose content is the data set.
    part_of : str or None
        Name of the archive of which it is a part: parts that follow one another are joined before they are extracted.
    """

    name: PlainName
    url: Url
    mirrors: tuple[Url, ...] = Field(default=(), strict=False)
    bytes: int | None = Field(default=None, gt=0)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    sha1: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    extract: bool
    part_of: PlainName | None = None

    @model_validator(mode="after")
    def _has_hash(self) -> "RemoteFile":
        if self.sha256 is None and self.sha1 is None and self.md5 is None:
            raise ValueError(f"{self.name}: a size proves nothing; give sha256, sha1 or md5")
        if self.part_of is not None and not self.extract:
            raise ValueError(f"{self.name}: a part_of an archive is there to be extracted; say extract: true")
        return self

    @property
    def algorithm(self) -> str:
        """Name of the hash that decides."""
        return "sha256" if self.sha256 else "sha1" if self.sha1 else "md5"

    @property
    def digest(self) -> str:
        """Expected hash, as ``algorithm:digits``."""
        return f"{self.algorithm}:{self.sha256 or self.sha1 or self.md5}"

    def digest_of(self, path: Path) -> str:
        """Hash of a file on disk, to be compared with :attr:`digest`."""
        with path.open("rb") as stream:
            return f"{self.algorithm}:{hashlib.file_digest(stream, self.algorithm).hexdigest()}"


class Manifest(_Strict):
    """A data set.

    Parameters
    ----------
    name : str
        As the manifest's file and the loader in :mod:`reprise.data.datasets`.
    title, licence, homepage, version : str
    citation : str
        BibTeX.
    folder : str
        Usual name of the data set's folder.
    files : tuple of RemoteFile
        At least one, names unique whatever their case.
    extracted_bytes : int
        About what the unpacked data set takes; at most twice as much is unpacked.
    layout : str
        How the folder looks inside.
    notes : tuple of str
        What a reader of the manifest must know.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    title: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    citation: str = Field(pattern=r"^@\w+\{")
    homepage: Url
    folder: PlainName
    version: str = Field(min_length=1)
    files: tuple[RemoteFile, ...] = Field(min_length=1, strict=False)
    extracted_bytes: int = Field(gt=0)
    layout: str = ""
    notes: tuple[str, ...] = Field(default=(), strict=False)

    @field_validator("files")
    @classmethod
    def _unique(cls, files: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
        names = [file.name.casefold() for file in files]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one file is called {', '.join(twice)}")
        wholes = [whole for whole, _ in groupby(file.part_of for file in files) if whole is not None]
        if len(wholes) != len(set(wholes)):
            raise ValueError("the files that are part_of an archive must follow one another")
        return files

    @property
    def download_bytes(self) -> int | None:
        """Size of all files together, or None if one of them is not known."""
        sizes = [file.bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def available() -> list[str]:
    """Names of the data sets that have a manifest."""
    return sorted(path.stem for path in data_manifests().glob("*.yaml"))


def load_manifest(name: str) -> Manifest:
    """Read ``data_manifests/<name>.yaml``.

    Parameters
    ----------
    name : str
        One of :func:`available`.

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        If there is no such manifest (the message lists those there are), it is no YAML, or a field is wrong.
    """
    known = available()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ManifestError(
            f"there is no manifest {name!r} in {data_manifests()}{hint} Known: {', '.join(known) or 'none'}"
        )
    path = data_manifests() / f"{name}.yaml"
    return _parse(path)


def _parse(path: Path) -> Manifest:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        manifest = Manifest.model_validate(content)
    except yaml.YAMLError as error:
        raise ManifestError(f"{path} is no valid YAML: {error}") from error
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()]
        raise ManifestError("\n".join([f"{path} is no valid manifest; correct these fields:", *faults])) from error
    if manifest.name != path.stem:
        raise ManifestError(f"{path}: name is {manifest.name!r}, but the file is called {path.name}; make them equal")
    return manifest
