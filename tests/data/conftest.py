"""Fixtures of several tests of the data floor: a server, an archive on it, three sound files."""

import pytest
import soundfile

from reprise.data.download import Patience

from .misbehaving import Server, ranged
from .remote import ARCHIVE, NOWHERE, described, remote
from .waves import RATE, pcm


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def sleeps():
    return []


@pytest.fixture
def patience(sleeps):
    return Patience(attempts=3, timeout=0.3, back_off=1, longest_wait=60, sleep=sleeps.append)


@pytest.fixture
def tiny(server):
    server.script = [ranged(ARCHIVE)]
    return described(remote(server.url("t.zip"), body=ARCHIVE, name="t.zip"))


@pytest.fixture
def offline():
    return described(remote(NOWHERE, body=ARCHIVE, name="t.zip"))


@pytest.fixture
def waves(tmp_path):
    """Three files of different length, the second in stereo."""
    folder = tmp_path / "Töne und Klänge"
    folder.mkdir()
    data = [pcm(2.5, seed=1), pcm(1.0, seed=2, channels=2), pcm(3.0, seed=3)]
    paths = [folder / f"{name}.wav" for name in "abc"]
    for path, samples in zip(paths, data, strict=True):
        soundfile.write(path, samples, RATE, subtype="PCM_16")
    return paths, data
