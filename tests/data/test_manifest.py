import re

import pytest
import yaml

from reprise.data import datasets, manifest
from reprise.data.manifest import ManifestError, available, load_manifest

GOOD = {
    "name": "tiny",
    "title": "A tiny data set",
    "licence": "CC0",
    "citation": "@misc{tiny, title = {Tiny}}",
    "homepage": "https://example.org/tiny",
    "folder": "Tiny",
    "version": "1.0",
    "files": [{"name": "t.zip", "url": "https://example.org/t.zip", "bytes": 7, "md5": "0" * 32, "extract": True}],
    "extracted_bytes": 10,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "data_manifests", lambda: tmp_path)
    return tmp_path


def write(folder, content, name="tiny"):
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("name", available())
def test_every_manifest_of_the_project_is_valid(name):
    entry = load_manifest(name)
    assert entry.name == name
    assert entry.download_bytes is None or entry.download_bytes > 0
    # the folder that fetch makes is one that the loader looks for
    assert entry.folder in datasets._module(name).FOLDER_NAMES


def test_vocalset_is_what_its_record_says():
    entry = load_manifest("vocalset")
    (file,) = entry.files
    assert (file.name, file.bytes, file.extract) == ("VocalSet11.zip", 2_077_243_579, True)
    assert file.digest == "sha256:df3dbe37b3dd840dce4bf7a4d2545d36daf38abc63a368f0e2003764aa7fa124"
    assert file.md5 == "0c09396242f946e7111ad7d8fc649b81"
    assert file.url.startswith("https://zenodo.org/records/1203819/")
    assert entry.licence == "CC BY 4.0"


def test_irmas_is_what_public_loaders_check_and_no_size_is_made_up():
    entry = load_manifest("irmas")
    assert [file.name for file in entry.files] == [
        "IRMAS-TrainingData.zip",
        *(f"IRMAS-TestingData-Part{part}.zip" for part in (1, 2, 3)),
    ]
    assert entry.files[0].digest == "md5:4fd9f5ed5a18d8e2687e6360b5f60afe"
    assert all(file.bytes is None and file.extract for file in entry.files)
    assert all(file.url.startswith("https://zenodo.org/records/1290750/") for file in entry.files)
    assert entry.download_bytes is None


def test_magnatagatune_is_one_archive_in_three_parts_and_two_lists():
    entry = load_manifest("magnatagatune")
    assert [file.name for file in entry.files if file.part_of == "mp3.zip"] == [f"mp3.zip.00{k}" for k in (1, 2, 3)]
    assert [file.name for file in entry.files if not file.extract] == ["annotations_final.csv", "clip_info_final.csv"]
    assert all(file.digest.startswith("sha256:") and file.bytes is None for file in entry.files)


def test_billboard_promises_no_audio():
    (file,) = load_manifest("billboard").files
    assert file.name == datasets._module("billboard").INDEX
    assert "cannot be downloaded" in load_manifest("billboard").notes[0]


@pytest.mark.parametrize(("sizes", "total"), [((7, 5), 12), ((7, None), None), ((None,), None)])
def test_the_sum_of_sizes_is_known_if_each_is(folder, sizes, total):
    files = [GOOD["files"][0] | {"name": f"{k}.zip", "bytes": size} for k, size in enumerate(sizes)]
    write(folder, GOOD | {"files": files})
    assert load_manifest("tiny").download_bytes == total


def test_a_manifest_is_read(folder):
    write(folder, GOOD)
    assert available() == ["tiny"]
    entry = load_manifest("tiny")
    assert entry.files[0].digest == "md5:" + "0" * 32
    assert entry.files[0].mirrors == ()


def test_the_hash_of_a_file(folder, tmp_path):
    write(folder, GOOD)
    (tmp_path / "abc").write_bytes(b"abc")
    # RFC 1321 and FIPS 180-2 print these
    md5 = load_manifest("tiny").files[0]
    assert md5.digest_of(tmp_path / "abc") == "md5:900150983cd24fb0d6963f7d28e17f72"
    write(folder, GOOD | {"files": [GOOD["files"][0] | {"sha256": "1" * 64}]})
    sha256 = load_manifest("tiny").files[0].digest_of(tmp_path / "abc")
    assert sha256 == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    write(folder, GOOD | {"files": [GOOD["files"][0] | {"sha1": "1" * 40}]})
    sha1 = load_manifest("tiny").files[0].digest_of(tmp_path / "abc")
    assert sha1 == "sha1:a9993e364706816aba3e25717850c26c9cd0d89d"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sha256", "A" * 64),
        ("sha256", "0" * 63),
        ("md5", None),
        ("bytes", 0),
        ("bytes", "7"),
        ("bytes", 7.5),
        ("bytes", True),
        ("url", "ftp://example.org/t.zip"),
        ("url", "/etc/passwd"),
        ("mirrors", ["file:///etc/passwd"]),
        ("name", "../t.zip"),
        ("name", ".hidden"),
        ("name", "a\\b"),
        ("extract", "yes"),
        ("sha1", "0" * 39),
        ("sha512", "0" * 128),
        ("part_of", "../whole.zip"),
    ],
)
def test_a_wrong_field_of_a_file_is_named(folder, field, value):
    write(folder, GOOD | {"files": [GOOD["files"][0] | {field: value}]})
    with pytest.raises(ManifestError, match=rf"tiny\.yaml[\s\S]*files\.0[\s\S]*{field}"):
        load_manifest("tiny")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("folder", ".."),
        ("folder", "a/b"),
        ("citation", "Wilkins 2018"),
        ("version", 1.1),
        ("files", []),
        ("extracted_bytes", 0),
        ("licence", ""),
        ("license", "CC0"),
        ("files", [GOOD["files"][0], GOOD["files"][0] | {"name": "T.ZIP"}]),
    ],
)
def test_a_wrong_field_is_named(folder, field, value):
    write(folder, GOOD | {field: value})
    with pytest.raises(ManifestError, match=rf"tiny\.yaml[\s\S]*{field}"):
        load_manifest("tiny")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a", "x.zip", False)], "say extract: true"),
        ([("a", "x.zip", True), ("b", None, True), ("c", "x.zip", True)], "must follow one another"),
    ],
)
def test_parts_of_an_archive_that_cannot_be_joined_are_refused(folder, files, message):
    entries = [
        GOOD["files"][0] | {"name": name, "part_of": whole, "extract": extract} for name, whole, extract in files
    ]
    write(folder, GOOD | {"files": entries})
    with pytest.raises(ManifestError, match=message):
        load_manifest("tiny")


@pytest.mark.parametrize("field", sorted(GOOD))
def test_no_field_may_be_left_out(folder, field):
    write(folder, {key: value for key, value in GOOD.items() if key != field})
    with pytest.raises(ManifestError, match=field):
        load_manifest("tiny")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "\tname: x"])
def test_what_is_no_manifest_is_named(folder, text):
    (folder / "tiny.yaml").write_text(text)
    with pytest.raises(ManifestError, match=r"tiny\.yaml"):
        load_manifest("tiny")


def test_the_name_is_the_file_name(folder):
    write(folder, GOOD, name="other")
    with pytest.raises(ManifestError, match="make them equal"):
        load_manifest("other")


def test_an_unknown_name_gets_a_suggestion(folder):
    write(folder, GOOD)
    with pytest.raises(ManifestError, match=re.escape("did you mean 'tiny'?")):
        load_manifest("tinny")
    # a name is never a path
    with pytest.raises(ManifestError, match="no manifest"):
        load_manifest(f"../{folder.name}/tiny")
