import gzip
import io
import os
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprise import archives
from reprise.archives import ArchiveRefused, safe_extract

FORMATS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]


def pack(path, members):
    """Write an archive with given (name, content) pairs; a name that ends with a slash is a folder."""
    if path.name.endswith("zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                info = zipfile.ZipInfo("placeholder")
                # the constructor would clean the name
                info.filename = name
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
        return path
    suffix = path.name.rpartition(".")[2]
    with tarfile.open(path, "w" if suffix == "tar" else f"w:{suffix}") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(content))
    return path


def pack_special(path, kind, *, name="a", target="/etc/passwd", size=0):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("first"), io.BytesIO(b""))
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, size
        archive.addfile(info)
    return path


def content_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names_by_tarfile(archive):
    with tarfile.open(archive) as opened:
        return opened.getnames()


def refused(archive, tmp_path, match, **limits):
    """Check that nothing at all appears on disk, and hand the message back."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArchiveRefused, match=match) as error:
        safe_extract(archive, tmp_path / "out", **limits)
    assert sorted(tmp_path.rglob("*")) == before
    assert str(archive) in str(error.value)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_was_packed_comes_out(tmp_path, suffix):
    big = os.urandom((1 << 20) + 7)
    members = [("./top/", b""), ("top/a b.wav", big), ("top/ü/c.txt", b"c"), ("empty/", b""), ("top//d", b"")]
    archive = pack(tmp_path / f"x.{suffix}", members)
    files = safe_extract(archive, tmp_path / "out")
    assert content_of(tmp_path / "out") == {"top/a b.wav": big, "top/ü/c.txt": b"c", "top/d": b""}
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == ["top/a b.wav", "top/ü/c.txt", "top/d"]
    assert (tmp_path / "out" / "empty").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", archive.name]


def test_files_are_readable_by_others(tmp_path):
    umask = os.umask(0o022)
    try:
        safe_extract(pack(tmp_path / "x.zip", [("a/b", b"1")]), tmp_path / "out")
    finally:
        os.umask(umask)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out", tmp_path / "out/a", tmp_path / "out/a/b")]
    assert modes == [0o755, 0o755, 0o644]


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x", r"'\.\.'"),
        ("a/../../x", r"'\.\.'"),
        ("a/..", r"'\.\.'"),
        ("__MACOSX/../../x", r"'\.\.'"),
        ("/etc/x", "absolute"),
        ("//host/x", "absolute"),
        ("C:/x", "drive"),
        ("c:x", "drive"),
        ("..\\x", "backslash"),
        ("a\\..\\..\\x", "backslash"),
        ("a\nb", "control"),
        ("x" * 300, "longer"),
        (".", "without a name"),
    ],
)
def test_names_that_leave_the_folder_are_refused(tmp_path, suffix, name, reason):
    refused(pack(tmp_path / f"x.{suffix}", [("good", b"1"), (name, b"2")]), tmp_path, reason)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("suffix", ["zip", "tar"])
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a/B.wav", "a/b.wav"], "twice"),
        (["a/b", "a/./b"], "twice"),
        (["STRASSE", "straße"], "twice"),
        (["\u00e9", "e\u0301"], "twice"),
        (["a", "a/b"], "file and a folder"),
        (["a/b", "A"], "file and a folder"),
    ],
)
def test_two_members_for_one_place_are_refused(tmp_path, suffix, names, reason):
    refused(pack(tmp_path / f"x.{suffix}", [(name, b"1") for name in names]), tmp_path, reason)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "device"),
    ],
)
@pytest.mark.parametrize("target", ["/etc/passwd", "first"])
def test_links_and_devices_are_refused(tmp_path, kind, target, reason):
    refused(pack_special(tmp_path / "x.tar", kind, target=target), tmp_path, reason)


@pytest.mark.parametrize(("mode", "reason"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFCHR, "device")])
def test_links_and_devices_in_zip_are_refused(tmp_path, mode, reason):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("a")
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "x.zip", tmp_path, reason)


def test_limits(tmp_path):
    archive = pack(tmp_path / "x.zip", [("a", os.urandom(600)), ("b", os.urandom(600)), (".DS_Store", b"")])
    refused(archive, tmp_path, "more than 2 members", max_members=2)
    refused(archive, tmp_path, "1199 bytes", max_bytes=1199)
    assert len(safe_extract(archive, tmp_path / "out", max_members=3, max_bytes=1200)) == 2


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar.xz"])
def test_bombs_are_refused(tmp_path, suffix):
    archive = pack(tmp_path / f"x.{suffix}", [(f"{k}.wav", bytes(2 << 20)) for k in range(4)])
    refused(archive, tmp_path, "200 times")
    assert len(safe_extract(archive, tmp_path / "out", max_ratio=100_000)) == 4


def test_a_tar_that_goes_on_for_ever_after_its_end_is_refused(tmp_path):
    plain = pack(tmp_path / "x.tar", [("a", b"1")]).read_bytes()
    (tmp_path / "x.tar").unlink()
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(plain + bytes(8 << 20)))
    refused(tmp_path / "x.tar.gz", tmp_path, "far larger")


def test_overlapping_zip_members_count_as_often_as_they_are_named(tmp_path):
    archive = pack(tmp_path / "x.zip", [("a", os.urandom(10_000))])
    data = archive.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry = data[start : data.index(b"PK\x05\x06")]
    entries = b"".join(entry[:28] + struct.pack("<H", 4) + entry[30:46] + b"%04d" % k + entry[47:] for k in range(300))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 300, 300, len(entries), start, 0)
    archive.write_bytes(data[:start] + entries + end)
    assert len(zipfile.ZipFile(archive).infolist()) == 300
    refused(archive, tmp_path, "50 times", max_ratio=50)


def test_a_tar_header_with_a_huge_attribute_is_refused_before_it_is_read(tmp_path):
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * (2 << 20)}
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    refused(tmp_path / "x.tar.gz", tmp_path, "header announces", max_ratio=1e9)


def test_a_negative_tar_size_is_refused(tmp_path):
    archive = pack(tmp_path / "x.tar", [("a", b"1"), ("b", b"2")])
    with archive.open("r+b") as stream:
        header = bytearray(stream.read(512))
        # base-256 for -512
        header[124:136] = b"\xff" * 10 + b"\xfe\x00"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        stream.seek(0)
        stream.write(header)
    refused(archive, tmp_path, "-512 bytes")


@pytest.mark.parametrize("declared", [10, 5_000])
def test_a_zip_header_that_lies_about_the_size_leaves_nothing(tmp_path, declared):
    archive = pack(tmp_path / "x.zip", [("a", b"1" * 1000)])
    data = archive.read_bytes()
    at = data.index(b"PK\x01\x02") + 24
    archive.write_bytes(data[:at] + struct.pack("<L", declared) + data[at + 4 :])
    refused(archive, tmp_path, "damaged file|has 1000 or more")


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = pack(tmp_path / "x.zip", [("a", b"1" * 1000)])
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(archive, tmp_path, "encrypted")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_an_archive_that_breaks_off_leaves_nothing(tmp_path, suffix, share):
    archive = pack(tmp_path / f"x.{suffix}", [(f"{k}.wav", os.urandom(50_000)) for k in range(5)])
    data = archive.read_bytes()
    archive.write_bytes(data[: int(share * len(data))])
    refused(archive, tmp_path, "sound|damaged")


def test_a_tar_cut_between_two_members_is_noticed(tmp_path):
    archive = pack(tmp_path / "x.tar", [("a", b"1"), ("b", b"2")])
    archive.write_bytes(archive.read_bytes()[:1024])
    # the standard library takes it for complete
    assert names_by_tarfile(archive) == ["a"]
    refused(archive, tmp_path, "breaks off")


def test_a_tar_with_a_damaged_second_header_is_noticed(tmp_path):
    archive = pack(tmp_path / "x.tar", [("a", b"1"), ("b", b"2")])
    data = bytearray(archive.read_bytes())
    data[1024 + 3] ^= 0xFF
    archive.write_bytes(data)
    assert names_by_tarfile(archive) == ["a"]
    refused(archive, tmp_path, "damaged")


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_flipped_byte_leaves_nothing(tmp_path, suffix):
    archive = pack(tmp_path / f"x.{suffix}", [("a", b"1"), ("b", os.urandom(200_000))])
    data = bytearray(archive.read_bytes())
    data[100_000] ^= 0xFF
    archive.write_bytes(data)
    refused(archive, tmp_path, "sound|damaged")


def test_a_web_page_is_no_archive(tmp_path):
    (tmp_path / "x.zip").write_text("<!DOCTYPE html><title>Log in</title>" * 100)
    refused(tmp_path / "x.zip", tmp_path, "neither")


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.zip"):
        safe_extract(tmp_path / "x.zip", tmp_path / "out")


def test_what_macos_adds_is_left_out(tmp_path):
    members = [("a/x.wav", b"1"), ("__MACOSX/a/._x.wav", b"2"), ("a/.DS_Store", b"3"), ("b/__MACOSX/", b"")]
    safe_extract(pack(tmp_path / "x.zip", members), tmp_path / "out")
    assert content_of(tmp_path / "out") == {"a/x.wav": b"1"}
    safe_extract(tmp_path / "x.zip", tmp_path / "all", skip=frozenset())
    assert len(content_of(tmp_path / "all")) == 3


def test_only_an_empty_target_is_used(tmp_path):
    archive = pack(tmp_path / "x.zip", [("a", b"1")])
    (tmp_path / "out").mkdir()
    safe_extract(archive, tmp_path / "out")
    (tmp_path / "out" / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="move it away"):
        safe_extract(archive, tmp_path / "out")
    assert content_of(tmp_path / "out") == {"a": b"mine"}


def test_an_archive_exchanged_after_the_survey_is_judged_again(tmp_path, monkeypatch):
    archive = pack(tmp_path / "x.tar", [("a", b"1")])
    real = archives.stage_folder

    def exchange(final):
        pack(archive, [("good", b"1"), ("../evil", b"2")])
        return real(final)

    monkeypatch.setattr(archives, "stage_folder", exchange)
    refused(archive, tmp_path, r"'\.\.'")


def test_a_full_disk_is_not_taken_for_a_damaged_archive(tmp_path, monkeypatch):
    archive = pack(tmp_path / "x.zip", [("a", b"1")])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        safe_extract(archive, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


KILLED = """
import os, sys
from reprise import archives
real, calls = archives._write, []
def write(*arguments):
    calls.append(1)
    if len(calls) == 3:
        os._exit(9)
    real(*arguments)
archives._write = write
archives.safe_extract(sys.argv[1], sys.argv[2])
"""


def test_killed_half_way_leaves_nothing_under_the_final_name(tmp_path):
    archive = pack(tmp_path / "x.zip", [(f"{k}", b"1") for k in range(5)])
    ended = subprocess.run([sys.executable, "-c", KILLED, str(archive), str(tmp_path / "out")], check=False)
    assert ended.returncode == 9
    assert not (tmp_path / "out").exists()
    safe_extract(archive, tmp_path / "out")
    assert len(content_of(tmp_path / "out")) == 5
    # what the killed process left has been cleared
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "x.zip"]


PART = st.sampled_from(["..", ".", "", "a", "A", "C:", "\\", "~", "con", "é", "..."]) | st.text(
    st.characters(codec="utf-8"), max_size=4
)
NAMES = st.lists(st.lists(PART, min_size=1, max_size=4).map("/".join), min_size=1, max_size=4)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("suffix", ["zip", "tar"])
@given(names=NAMES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_whatever_writes_outside(tmp_path_factory, suffix, names):
    base = tmp_path_factory.mktemp("any")
    (base / "deep" / "er").mkdir(parents=True)
    archive = pack(base / f"x.{suffix}", [(name, b"content") for name in names])
    target = base / "deep" / "er" / "out"
    try:
        files = safe_extract(archive, target)
    except ArchiveRefused:
        files = []
        assert not target.exists()
    assert sorted(base.iterdir()) == [base / "deep", archive]
    assert list((base / "deep").iterdir()) == [base / "deep" / "er"]
    assert set((base / "deep" / "er").iterdir()) <= {target}
    on_disk = {path.resolve() for path in target.rglob("*") if path.is_file()}
    assert {path.resolve() for path in files} == on_disk
    assert all(path.is_relative_to(target.resolve()) for path in on_disk)
