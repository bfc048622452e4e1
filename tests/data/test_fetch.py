import errno
import fcntl
import hashlib
import io
import json
import shutil
import subprocess
import sys
import time
import zipfile
from email.utils import formatdate
from types import SimpleNamespace

import numpy as np
import pytest

from reprise.data import fetch as fetching
from reprise.data import transfer
from reprise.data.download import DownloadError, Patience, download, kind_of
from reprise.data.fetch import FetchError, fetch, verify
from reprise.data.manifest import Manifest, RemoteFile

from .misbehaving import Server, cut, endless, hang, ranged, redirect_to, status, trickle, whole

BODY = np.random.default_rng(1).bytes(300_001)
OTHER = np.random.default_rng(2).bytes(len(BODY))
PAGE = b"<!DOCTYPE html>\n<html><title>Please log in</title></html>"
NOWHERE = "http://127.0.0.1:9/x.zip"


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


class TestDownload:
    @pytest.fixture
    def get(self, server, patience, tmp_path):
        def run(*script, urls=None, body=BODY, **changes):
            server.script = list(script)
            settings = Patience(**(vars(patience) | changes))
            return download(remote(*(urls or [server.url()]), body=body), tmp_path / "x.zip", patience=settings)

        return run

    def complete(self, tmp_path):
        assert (tmp_path / "x.zip").read_bytes() == BODY
        assert names(tmp_path) == ["x.zip"]

    def test_a_good_server(self, get, server, tmp_path, sleeps):
        assert get(whole(BODY)) == tmp_path / "x.zip"
        self.complete(tmp_path)
        assert (len(server.requests), sleeps) == (1, [])
        assert server.requests[0]["User-Agent"].startswith("reprise/")

    def test_a_body_that_breaks_off_is_continued(self, get, server, tmp_path):
        get(cut(BODY, 1), cut(BODY, 70_000), cut(BODY, 130_000), ranged(BODY), attempts=9)
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=1-", "bytes=70001-", "bytes=200001-"]
        assert server.requests[1]["If-Range"] == '"one"'

    def test_an_interrupted_process_goes_on_where_it_stopped(self, get, server, tmp_path):
        with pytest.raises(DownloadError, match=r"100000 of 300001 bytes.*run the same command"):
            get(cut(BODY, 100_000), attempts=1)
        assert names(tmp_path) == ["x.zip.partial", "x.zip.partial.json"]
        get(ranged(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-"]

    def test_stopped_between_the_last_byte_and_the_check(self, get, server, tmp_path):
        (tmp_path / "x.zip.partial").write_bytes(BODY)
        get(status(500))
        self.complete(tmp_path)
        assert server.requests == []

    def test_a_range_that_is_ignored_is_not_appended(self, get, server, tmp_path):
        get(cut(BODY, 100_000), whole(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"ETag": '"two"'},
            {"ETag": ""},
            {"Content_Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"},
            {"Content_Range": ""},
        ],
    )
    def test_a_part_of_another_file_is_not_appended(self, get, server, tmp_path, headers):
        get(cut(BODY, 100_000), ranged(OTHER, **headers), ranged(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-", None]

    def test_a_part_that_only_pretends_to_fit_is_found_by_the_hash(self, get, server, tmp_path):
        get(cut(BODY, 100_000), ranged(OTHER), ranged(BODY))
        assert (tmp_path / "x.zip").read_bytes() == BODY
        assert ranges(server) == [None, "bytes=100000-", None]
        assert (tmp_path / "x.zip.rejected").read_bytes() == BODY[:100_000] + OTHER[100_000:]

    @pytest.mark.parametrize(
        ("headers", "validator"),
        [
            ({"ETag": 'W/"weak"'}, None),
            ({"ETag": ""}, None),
            ({"ETag": "", "Last_Modified": "Thu, 08 Mar 2018 10:00:00 GMT"}, "Thu, 08 Mar 2018 10:00:00 GMT"),
        ],
    )
    def test_only_a_strong_validator_is_trusted(self, get, server, tmp_path, headers, validator):
        get(cut(BODY, 100_000, **headers), ranged(BODY, **headers))
        self.complete(tmp_path)
        assert server.requests[1].get("If-Range") == validator
        assert ranges(server)[1] == (validator and "bytes=100000-")

    def test_a_range_that_the_server_does_not_have(self, get, server, tmp_path):
        get(cut(BODY, 100_000), status(416), whole(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-", None]

    def test_a_part_from_another_address_is_not_continued(self, get, server, tmp_path):
        get(*[cut(BODY, 100)] * 3, ranged(BODY), urls=[server.url("a"), server.url("b")])
        self.complete(tmp_path)
        assert [request["path"] for request in server.requests] == ["/a", "/a", "/a", "/b"]
        assert ranges(server)[-1] is None

    def test_too_many_requests(self, get, tmp_path, sleeps):
        get(status(429, Retry_After=7), whole(BODY))
        self.complete(tmp_path)
        assert sleeps == [7]

    def test_retry_after_as_a_date(self, get, sleeps):
        get(status(503, Retry_After=formatdate(time.time() + 30, usegmt=True)), whole(BODY))
        assert sleeps == [pytest.approx(30, abs=3)]

    def test_unavailable_twice(self, get, tmp_path, sleeps):
        get(status(503), status(503), whole(BODY))
        self.complete(tmp_path)
        assert sleeps == [1, 2]

    def test_the_pause_is_capped(self, get, sleeps):
        get(*[status(503)] * 8, whole(BODY), attempts=9)
        assert sleeps == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_a_pause_longer_than_the_cap_is_left_to_the_user(self, get, server, sleeps):
        with pytest.raises(DownloadError, match="come back in 3600 s"):
            get(status(429, Retry_After=3600))
        assert (len(server.requests), sleeps) == (1, [])

    def test_unavailable_for_good(self, get, server, tmp_path):
        with pytest.raises(DownloadError, match=r"status 503.*3 times in a row"):
            get(status(503))
        assert len(server.requests) == 3
        assert names(tmp_path) == []

    @pytest.mark.parametrize("code", [401, 403, 404, 410])
    def test_a_refusal_leads_to_the_next_address_at_once(self, get, server, tmp_path, code, sleeps):
        get(status(code), whole(BODY), urls=[server.url("a"), server.url("b")])
        self.complete(tmp_path)
        assert [request["path"] for request in server.requests] == ["/a", "/b"]
        assert sleeps == []

    def test_a_dead_address_leads_to_the_next(self, get, server, tmp_path):
        get(whole(BODY), urls=[NOWHERE, server.url()])
        self.complete(tmp_path)

    @pytest.mark.parametrize(
        ("body", "kind"), [(PAGE, "HTML page"), (b"", "empty"), (OTHER, "binary data"), (b'{"a": 1}', "JSON")]
    )
    def test_other_content_with_status_200_is_rejected(self, get, tmp_path, body, kind):
        with pytest.raises(DownloadError, match=kind) as error:
            get(whole(body))
        assert names(tmp_path) == ["x.zip.rejected"]
        assert (tmp_path / "x.zip.rejected").read_bytes() == body
        for content in (body, BODY):
            assert hashlib.sha256(content).hexdigest() in str(error.value)

    def test_a_replaced_file_leads_to_the_next_address(self, get, server, tmp_path):
        get(whole(OTHER), whole(BODY), urls=[server.url("a"), server.url("b")])
        assert (tmp_path / "x.zip").read_bytes() == BODY

    @pytest.mark.parametrize("body", [BODY + b"1", BODY * 3])
    def test_a_longer_body_is_read_one_byte_too_far(self, get, tmp_path, body):
        with pytest.raises(DownloadError, match=f"{len(BODY) + 1} bytes"):
            get(whole(body))

    def test_an_endless_body_ends(self, get, tmp_path):
        with pytest.raises(DownloadError, match=f"{len(BODY) + 1} bytes"):
            get(endless(BODY[:50_000]))

    def test_a_length_that_is_too_small(self, get, tmp_path):
        with pytest.raises(DownloadError, match="1000 bytes"):
            get(whole(BODY, Content_Length=1000))
        assert not (tmp_path / "x.zip").exists()

    def test_a_server_that_hangs_is_left(self, get, tmp_path):
        start = time.monotonic()
        get(hang(), whole(BODY))
        self.complete(tmp_path)
        assert time.monotonic() - start < 2

    def test_a_server_that_trickles_is_left(self, get, server, tmp_path):
        get(trickle(BODY, every=0.02), ranged(BODY), window=0.2, minimum_rate=10_000)
        self.complete(tmp_path)
        # what came is kept
        assert ranges(server)[1] is not None

    def test_a_redirect_is_followed_and_a_loop_is_not(self, get, server, tmp_path):
        get(redirect_to(server.url("there")), whole(BODY))
        self.complete(tmp_path)
        with pytest.raises(DownloadError, match="redirect"):
            get(redirect_to(server.url("there")))
        assert len(server.requests) < 20

    def test_progress_renews_patience(self, get, server):
        body = np.random.default_rng(3).bytes(5 << 20)
        get(*[cut(body, 1_100_000)] * 5, body=body, attempts=2)
        assert len(server.requests) == 5

    def test_a_server_that_always_cuts_and_never_resumes_is_given_up(self, get, server):
        body = np.random.default_rng(3).bytes(3 << 20)
        with pytest.raises(DownloadError, match="3 times in a row"):
            get(*[cut(body, size, ETag="") for size in (2 << 20, 1 << 19, 2 << 20, 2 << 20)], body=body)
        assert len(server.requests) == 3


class TestUnknownSize:
    """A manifest without ``bytes``: the hash alone decides."""

    @pytest.fixture
    def get(self, server, patience, tmp_path):
        def run(*script, body=BODY):
            server.script = list(script)
            file = remote(server.url(), body=body).model_copy(update={"bytes": None})
            return download(file, tmp_path / "x.zip", patience=patience)

        return run

    def test_the_right_content_is_accepted_and_other_is_not(self, get, tmp_path):
        assert get(whole(BODY)).read_bytes() == BODY
        with pytest.raises(DownloadError, match="the content is not the expected one") as error:
            get(whole(OTHER))
        assert hashlib.sha256(BODY).hexdigest() + "," in str(error.value)
        assert names(tmp_path) == ["x.zip", "x.zip.rejected"]

    def test_a_broken_transfer_is_resumed(self, get, server, tmp_path):
        get(cut(BODY, 100_000), ranged(BODY))
        assert ranges(server) == [None, "bytes=100000-"]
        assert (tmp_path / "x.zip").read_bytes() == BODY

    def test_what_is_whole_already_is_not_asked_for(self, get, server, tmp_path):
        (tmp_path / "x.zip.partial").write_bytes(BODY)
        get(whole(OTHER))
        assert server.requests == []
        assert (tmp_path / "x.zip").read_bytes() == BODY

    def test_nobody_knows_the_length(self, get, server):
        with pytest.raises(DownloadError, match="does not say how long"):
            get(endless(BODY[:50_000]))

    def test_the_space_for_it_is_that_of_its_content(self, tiny, tmp_path, monkeypatch):
        unknown = tiny.model_copy(update={"files": (tiny.files[0].model_copy(update={"bytes": None}),)})
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * tiny.extracted_bytes - 1))
        with pytest.raises(FetchError, match="make room"):
            fetch(unknown, tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * tiny.extracted_bytes))
        assert fetch(unknown, tmp_path).is_dir()


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"PK\x03\x04", "ZIP"), (b"\x1f\x8b\x08", "gzip"), (b"\xef\xbb\xbf <HTML>", "HTML"), (b"%PDF-1.4", "PDF")],
)
def test_kind_of(tmp_path, start, kind):
    (tmp_path / "x").write_bytes(start)
    assert kind in kind_of(tmp_path / "x")


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


def statuses(manifest, root):
    frame = verify(manifest, root)
    assert list(frame.columns) == ["file", "expected", "found", "status"]
    return dict(zip(frame["file"], frame["status"], strict=True))


@pytest.fixture
def tiny(server):
    server.script = [ranged(ARCHIVE)]
    return described(remote(server.url("t.zip"), body=ARCHIVE, name="t.zip"))


@pytest.fixture
def offline():
    return described(remote(NOWHERE, body=ARCHIVE, name="t.zip"))


class TestFetch:
    def test_download_check_unpack(self, tiny, server, tmp_path, patience):
        assert statuses(tiny, tmp_path) == {"t.zip": "missing", "Tiny/": "not unpacked"}
        root = tmp_path / "a folder" / "ü"
        assert fetch(tiny, root, patience=patience) == root / "Tiny"
        assert content_of(root / "Tiny") == WAVES
        assert statuses(tiny, root) == {"t.zip": "ok", "Tiny/": "ok"}
        assert names(root) == ["Tiny", "Tiny.downloads"]
        fetch(tiny, root, patience=patience)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("place", ["t.zip", "Tiny.downloads/t.zip"])
    def test_a_file_put_there_by_hand_is_used(self, offline, tmp_path, patience, place):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(ARCHIVE)
        assert statuses(offline, tmp_path) == {"t.zip": "ok", "Tiny/": "not unpacked"}
        fetch(offline, tmp_path, patience=patience)
        assert content_of(tmp_path / "Tiny") == WAVES
        assert (tmp_path / place).read_bytes() == ARCHIVE

    @pytest.mark.parametrize("place", ["t.zip", "Tiny.downloads/t.zip"])
    def test_a_wrong_file_put_there_by_hand_is_not_lost(self, offline, tmp_path, patience, place):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(PAGE)
        assert statuses(offline, tmp_path)["t.zip"] == "altered"
        with pytest.raises(FetchError, match="which was there before"):
            fetch(offline, tmp_path, patience=patience)
        # what lies among the downloads is moved out of the way, what lies elsewhere is the user's
        kept = place if place == "t.zip" else f"{place}.rejected"
        assert (tmp_path / kept).read_bytes() == PAGE
        assert not (tmp_path / "Tiny").exists()

    def test_no_address_works(self, offline, tmp_path, patience):
        with pytest.raises(FetchError) as error:
            fetch(offline, tmp_path, patience=patience)
        message = str(error.value)
        assert f"put it at {tmp_path / 'Tiny.downloads' / 't.zip'}" in message
        assert f"./run_all.sh data fetch tiny --data {tmp_path}" in message
        assert "https://example.org/tiny" in message
        assert "CC0" in message

    def test_downloads_may_be_deleted_afterwards(self, tiny, tmp_path, patience):
        fetch(tiny, tmp_path, patience=patience)
        shutil.rmtree(tmp_path / "Tiny.downloads")
        assert statuses(tiny, tmp_path) == {"t.zip": "ok", "Tiny/": "ok"}
        fetch(tiny, tmp_path, patience=patience)

    def test_verify_finds_every_fault(self, tiny, tmp_path, patience):
        folder = fetch(tiny, tmp_path, patience=patience)
        first, second, third = sorted(WAVES)
        altered = bytearray(WAVES[first])
        altered[17] ^= 1
        (folder / first).write_bytes(altered)
        assert statuses(tiny, tmp_path) == {"t.zip": "ok", "Tiny/": "altered", f"Tiny/{first}": "altered"}
        (folder / second).unlink()
        (folder / third).write_bytes(WAVES[third][:100])
        found = statuses(tiny, tmp_path)
        assert (found[f"Tiny/{second}"], found[f"Tiny/{third}"]) == ("missing", "altered")
        with pytest.raises(FetchError, match=r"female2.*missing or altered"):
            fetch(tiny, tmp_path, patience=patience)

    def test_a_folder_of_other_origin_is_left_alone(self, tiny, server, tmp_path, patience):
        (tmp_path / "Tiny").mkdir()
        (tmp_path / "Tiny" / "mine.wav").write_bytes(b"mine")
        assert statuses(tiny, tmp_path)["Tiny/"] == "unknown"
        with pytest.raises(FetchError, match="was not made by fetch"):
            fetch(tiny, tmp_path, patience=patience)
        assert content_of(tmp_path / "Tiny") == {"mine.wav": b"mine"}
        assert server.requests == []

    def test_another_version_is_left_alone(self, tiny, server, tmp_path, patience):
        fetch(tiny, tmp_path, patience=patience)
        newer = tiny.model_copy(update={"version": "2.0", "files": (remote(server.url(), body=OTHER),)})
        assert statuses(newer, tmp_path)["Tiny/"] == "altered"
        with pytest.raises(FetchError, match=r"holds version 1\.0, not 2\.0"):
            fetch(newer, tmp_path, patience=patience)

    def test_several_archives_and_plain_files_make_one_folder(self, server, tmp_path, patience):
        parts = {"a.zip": zipped({"FULL/a.wav": b"a"}), "b.zip": zipped({"FULL/b.wav": b"b"}), "labels.csv": b"a,b"}
        server.script = [whole(body) for body in parts.values()]
        files = [
            remote(server.url(name), body=body, name=name, extract=name.endswith("zip")) for name, body in parts.items()
        ]
        fetch(described(*files), tmp_path, patience=patience)
        assert content_of(tmp_path / "Tiny") == {"FULL/a.wav": b"a", "FULL/b.wav": b"b", "labels.csv": b"a,b"}
        assert content_of(tmp_path / "Tiny.downloads") == parts | {".lock": b""}

    def test_two_archives_with_one_file_are_refused(self, server, tmp_path, patience):
        parts = [zipped({"a.wav": b"a"}), zipped({"a.wav": b"b"})]
        server.script = [whole(body) for body in parts]
        files = [remote(server.url(f"{k}"), body=body, name=f"{k}.zip") for k, body in enumerate(parts)]
        with pytest.raises(FetchError, match=r"a\.wav"):
            fetch(described(*files), tmp_path, patience=patience)
        assert names(tmp_path) == ["Tiny.downloads"]

    @pytest.mark.parametrize("members", [{"../evil": b"1"}, {"a.wav": bytes(50_000)}])
    def test_a_hostile_archive_leaves_nothing(self, server, tmp_path, patience, members):
        archive = zipped({"good.wav": b"1"} | members)
        server.script = [whole(archive)]
        with pytest.raises(FetchError, match="is not extracted"):
            fetch(described(remote(server.url(), body=archive)), tmp_path / "root", patience=patience)
        assert names(tmp_path) == ["root"]
        assert names(tmp_path / "root") == ["Tiny.downloads"]

    def test_a_disk_that_is_too_small_is_noticed_before(self, tiny, server, tmp_path, patience, monkeypatch):
        needed = len(ARCHIVE) + 20_000
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
        with pytest.raises(FetchError, match="make room"):
            fetch(tiny, tmp_path, patience=patience)
        assert server.requests == []
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
        fetch(tiny, tmp_path, patience=patience)

    def test_a_disk_that_fills_up_keeps_what_came(self, tiny, server, tmp_path, patience, monkeypatch):
        def full(blocks, out):
            out.write(next(blocks)[:1000])
            raise OSError(errno.ENOSPC, "No space left on device")
            yield

        with monkeypatch.context() as patched:
            patched.setattr(transfer, "_write", full)
            with pytest.raises(FetchError, match="is full"):
                fetch(tiny, tmp_path, patience=patience)
        fetch(tiny, tmp_path, patience=patience)
        assert ranges(server) == [None, "bytes=1000-"]
        assert content_of(tmp_path / "Tiny") == WAVES

    def test_a_root_that_cannot_be_written_is_named(self, tiny, tmp_path, patience):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(FetchError, match="file"):
            fetch(tiny, tmp_path / "file" / "root", patience=patience)

    def test_a_read_only_folder_that_is_complete_is_enough(self, tiny, tmp_path, patience, monkeypatch):
        folder = fetch(tiny, tmp_path, patience=patience)

        def refuse(*_):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(fetching, "_alone", refuse)
        assert fetch(tiny, tmp_path, patience=patience) == folder
        with pytest.raises(FetchError, match="choose another folder"):
            fetch(tiny, tmp_path / "new", patience=patience)

    def test_two_processes_do_not_download_the_same(self, tiny, server, tmp_path, patience):
        (tmp_path / "Tiny.downloads").mkdir()
        with (tmp_path / "Tiny.downloads" / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(FetchError, match="another process"):
                fetch(tiny, tmp_path, patience=patience)
        assert server.requests == []
        fetch(tiny, tmp_path, patience=patience)

    def test_killed_while_unpacking(self, offline, tmp_path, patience):
        (tmp_path / "t.zip").write_bytes(ARCHIVE)
        script = (
            "import os, sys, json\n"
            "from reprise.data import fetch as module\n"
            "from reprise.data.manifest import Manifest\n"
            "module.write_json = lambda *_: os._exit(9)\n"
            "module.fetch(Manifest.model_validate(json.loads(sys.argv[1])), sys.argv[2])\n"
        )
        arguments = [json.dumps(offline.model_dump(mode="json")), str(tmp_path)]
        assert subprocess.run([sys.executable, "-c", script, *arguments], check=False).returncode == 9
        assert not (tmp_path / "Tiny").exists()
        fetch(offline, tmp_path, patience=patience)
        assert content_of(tmp_path / "Tiny") == WAVES
        assert names(tmp_path) == ["Tiny", "Tiny.downloads", "t.zip"]
