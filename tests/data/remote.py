"""Bodies, archives and manifests for the tests of downloads."""

import hashlib
import io
import zipfile

import numpy as np

from reprise.data.manifest import Manifest, RemoteFile

BODY = np.random.default_rng(1).bytes(300_001)
OTHER = np.random.default_rng(2).bytes(len(BODY))
PAGE = b"<!DOCTYPE html>\n<html><title>Please log in</title></html>"
NOWHERE = "http://127.0.0.1:9/x.zip"


def remote(*urls, body=BODY, name="x.zip", extract=True):
    return RemoteFile(
        name=name,
        url=urls[0],
        mirrors=urls[1:],
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        extract=extract,
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def ranges(server):
    return [request.get("Range") for request in server.requests]


WAVES = {f"FULL/female{k}/{k}.wav": np.random.default_rng(k).bytes(5000) for k in range(1, 4)}


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


ARCHIVE = zipped(WAVES | {"__MACOSX/FULL/._1.wav": b"fork"})


def described(*files):
    return Manifest(
        name="tiny",
        title="Tiny",
        licence="CC0",
        citation="@misc{tiny}",
        homepage="https://example.org/tiny",
        folder="Tiny",
        version="1.0",
        files=files,
        extracted_bytes=20_000,
    )


def content_of(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".reprise"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
