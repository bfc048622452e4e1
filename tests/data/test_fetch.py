"""Fetching: download, check, unpack and verify, whatever was there before."""

import errno
import fcntl
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from reprise.data import fetch as fetching
from reprise.data import transfer
from reprise.data.fetch import FetchError, fetch, verify

from .misbehaving import whole
from .remote import ARCHIVE, OTHER, PAGE, WAVES, content_of, described, names, ranges, remote, zipped


def statuses(manifest, root):
    frame = verify(manifest, root)
    assert list(frame.columns) == ["file", "expected", "found", "status"]
    return dict(zip(frame["file"], frame["status"], strict=True))


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

    def test_an_archive_in_parts_is_joined_and_unpacked(self, server, tmp_path, patience):
        cuts = (0, 1000, 7000, len(ARCHIVE))
        parts = {f"t.zip.{k:03d}": ARCHIVE[cuts[k] : cuts[k + 1]] for k in range(3)}
        bodies = parts | {"labels.csv": b"a,b"}
        server.script = [whole(body) for body in bodies.values()]
        files = [remote(server.url(name), body=body, name=name) for name, body in bodies.items()]
        files = [file.model_copy(update={"part_of": "t.zip" if file.name in parts else None}) for file in files]
        files[-1] = files[-1].model_copy(update={"extract": False})
        manifest = described(*files)
        fetch(manifest, tmp_path, patience=patience)
        assert content_of(tmp_path / "Tiny") == WAVES | {"labels.csv": b"a,b"}
        assert names(tmp_path) == ["Tiny", "Tiny.downloads"]
        assert content_of(tmp_path / "Tiny.downloads") == bodies | {".lock": b""}
        assert set(statuses(manifest, tmp_path).values()) == {"ok"}

    def test_the_space_for_a_joined_archive_is_counted(self, server, tmp_path, patience, monkeypatch):
        part = remote(server.url(), body=ARCHIVE, name="t.zip.001").model_copy(update={"part_of": "t.zip"})
        server.script = [whole(ARCHIVE)]
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(ARCHIVE) + 2 * 20_000 - 1))
        with pytest.raises(FetchError, match="make room"):
            fetch(described(part), tmp_path, patience=patience)
        assert server.requests == []

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
