"""IRMAS: names read by position, no clip lost, labels of the testing parts, both divisions, partial copies."""

import os
import unicodedata

import numpy as np
import pytest
import soundfile
from sklearn.model_selection import train_test_split

from reprise.data import datasets
from reprise.data.datasets import irmas
from reprise.data.datasets._files import plain_name
from reprise.data.datasets._irmas_files import parse_name
from reprise.data.table import fingerprint, validate_table
from reprise.data.wavebank import WaveBank

RATE = 8000
TRAIN_COUNTS = dict(zip(irmas.INSTRUMENTS, (388, 505, 451, 637, 760, 682, 721, 626, 577, 580, 778), strict=True))
PARTS = {
    "IRMAS-TestingData-Part1/Part1": (807, 58),
    "IRMAS-TestingData-Part2/IRTestingData-Part2": (1301, 97),
    "IRMAS-TestingData-Part3/Part3": (766, 53),
}


def audio(path, seconds=0.5, seed=None):
    """Noise that differs from file to file unless a seed is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(str(path).encode()) if seed is None else seed)
    soundfile.write(path, rng.uniform(-0.5, 0.5, round(seconds * RATE)), RATE)
    return path


def train(root, code, name, **options):
    return audio(root / "IRMAS-TrainingData" / code / f"{name}.wav", **options)


def labelled(root, name, text="pia\t\ntru\t\n", place="IRMAS-TestingData-Part1/Part1", **options):
    path = audio(root / place / f"{name}.wav", **options)
    if text is not None:
        path.with_suffix(".txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """As many files as the full set, all links to one short recording; recordings' numbers clash across names."""
    root = tmp_path_factory.mktemp("whole") / "IRMAS"
    source = audio(root.parent / "one.wav", seconds=0.01)
    number = 0
    for code, count in TRAIN_COUNTS.items():
        folder = root / "IRMAS-TrainingData" / code
        folder.mkdir(parents=True)
        for k in range(count):
            # the second half of a class repeats number and excerpt of the first behind another prefix
            place = k % (count // 2)
            prefix, tags = ("", "[cla]") if k < count // 2 else (f"{k:03d}__", "[nod][pop_roc]")
            os.link(source, folder / f"{prefix}[{code}]{tags}{number + place // 3:04d}__{place % 3 + 1}.wav")
        number += count
    rng = np.random.default_rng(0)
    for place, (n_clips, n_songs) in PARTS.items():
        (root / place).mkdir(parents=True)
        songs = np.concatenate([np.arange(n_songs), rng.integers(0, n_songs, n_clips - n_songs)])
        for k, song in enumerate(songs):
            stem = root / place / f"{place[-1]} - Song {song}-{k}"
            os.link(source, f"{stem}.wav")
            codes = rng.choice(list(irmas.INSTRUMENTS), rng.integers(1, 4), replace=False)
            (root / place / f"{stem.name}.txt").write_text("".join(f"{code}\t\n" for code in codes))
    return root


def test_whole_set_loses_no_clip(whole):
    table = validate_table(irmas.load(whole, same_audio="skip"))
    training = table[table["split"] == "train"]
    assert training["label"].value_counts().to_dict() == TRAIN_COUNTS
    assert (len(training), len(table) - len(training)) == (6705, 2874)
    # what a list known by number and excerpt alone would keep
    assert training.groupby(["recording", "excerpt"]).ngroups < 6705
    assert set(table["evidence"]) == {"full"}
    assert table["song"].nunique() == 208
    assert table["part"].value_counts().to_dict() == {1: 807, 2: 1301, 3: 766}
    assert table.attrs["problems"] == []
    assert table.attrs["missing_instruments"] == []
    assert set(irmas.load(whole, side="train", same_audio="skip")["evidence"]) == {"full"}


def test_paper_split_has_the_sizes_of_scikit_learn(whole):
    table = irmas.load(whole, side="test", same_audio="skip", seed=5)
    test, valid = train_test_split(range(2874), test_size=0.3)
    assert table["split"].value_counts().to_dict() == {"test": len(test), "valid": len(valid)}
    assert (len(valid), len(test)) == (863, 2011)
    assert table.attrs["group_overlap_allowed"]
    overlap = table["group"][table["split"] == "test"].isin(table["group"][table["split"] == "valid"]).mean()
    assert f"{overlap:.1%} of the test clips" in table.attrs["notes"][0]
    again = irmas.load(whole, side="test", same_audio="skip", seed=5)
    other = irmas.load(whole, side="test", same_audio="skip", seed=6)
    assert again.equals(table)
    assert not other["split"].equals(table["split"])


def test_song_disjoint_split(whole):
    table = irmas.load(whole, side="test", split="song_disjoint", same_audio="skip")
    sides = dict(iter(table.groupby("split")))
    assert set(sides) == {"valid", "test"}
    assert set(sides["valid"]["song"]).isdisjoint(sides["test"]["song"])
    assert len(sides["valid"]) / 2874 == pytest.approx(0.3, abs=0.02)
    assert all(part[code].any() for part in sides.values() for code in irmas.INSTRUMENTS)
    assert not table.attrs["group_overlap_allowed"]


@pytest.mark.parametrize("seed", range(4))
def test_song_disjoint_split_has_rare_instruments_on_both_sides(tmp_path, seed):
    for song, second in enumerate(("tru", "tru", "vio", "vio", "pia", "pia")):
        for k in range(3):
            labelled(tmp_path, f"song {song}-{k}", f"cel\t\n{second}\t\n", seconds=0.01)
    table = irmas.load(tmp_path, split="song_disjoint", seed=seed)
    assert table.groupby("song")["split"].nunique().eq(1).all()
    assert table["split"].nunique() == 2
    assert all(table[code].groupby(table["split"]).any().all() for code in ("tru", "vio", "pia"))


def test_one_file_less_is_an_excerpt(whole):
    path = sorted((whole / next(iter(PARTS))).glob("*.wav"))[0]
    label = path.with_suffix(".txt")
    text = label.read_text()
    label.unlink()
    try:
        assert set(irmas.load(whole, side="test", same_audio="skip")["evidence"]) == {"excerpt"}
        assert set(irmas.load(whole, side="train", same_audio="skip")["evidence"]) == {"full"}
    finally:
        label.write_text(text)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("[cla][cla]0189__2", ("cla", None, "cla", "0189", 2)),
        ("[cla][pop_roc]0190__1", ("cla", None, "pop_roc", "0190", 1)),
        ("031__[cel][nod][cla]0020__1", ("cel", False, "cla", "0020", 1)),
        ("057__[flu][dru][cou_fol]0407__3", ("flu", True, "cou_fol", "0407", 3)),
        ("[org][dru][jaz_blu]1153__2", ("org", True, "jaz_blu", "1153", 2)),
        ("[voi]2300__1", ("voi", None, None, "2300", 1)),
        ("12 What'll I Do - Bud Shank And Bob-4", None),
    ],
)
def test_names_are_read_by_position(stem, expected):
    found = parse_name(stem)
    names = ("instrument", "drums", "genre", "recording", "excerpt")
    assert (found and tuple(found[name] for name in names)) == expected


def test_the_folder_decides_and_conflicts_are_listed(tmp_path):
    wrong = train(tmp_path, "cla", "031__[cel][nod][cla]0020__1")
    train(tmp_path, "cla", "[cla][cla]0021__1")
    odd = train(tmp_path, "gac", "some strumming")
    genre = train(tmp_path, "gac", "[gac][reggae]0500__1")
    table = irmas.load(tmp_path, side="train")
    assert table.set_index("clip_id")["label"].to_dict() == {
        "cla/031__[cel][nod][cla]0020__1": "cla",
        "cla/[cla][cla]0021__1": "cla",
        "gac/[gac][reggae]0500__1": "gac",
        "gac/some strumming": "gac",
    }
    assert {(problem["path"], problem["reason"]) for problem in table.attrs["problems"]} == {
        (str(wrong), "named after cel in the folder of cla"),
        (str(odd), "its name has not the form [instrument]…[genre]NNNN__k"),
        (str(genre), "unknown genre 'reggae'"),
    }
    assert table["group"].tolist() == ["train/0020", "train/0021", "train/0500", "train/gac/some strumming"]
    assert set(table["split"]) == {"train"}
    assert table["genre"].tolist() == ["cla", "cla", "reggae", None]
    assert table["drums"].tolist() == [False, None, None, None]


def test_multi_label_columns_agree(tmp_path):
    train(tmp_path, "sax", "[sax][cla]0001__1")
    labelled(tmp_path, "a-1", "voi\t\ncel\t\nvoi\t\n")
    labelled(tmp_path, "b-1", "gel\t\n")
    table = irmas.load(tmp_path).set_index("clip_id")
    expected = {"sax/[sax][cla]0001__1": ("sax",), "part1/a-1": ("cel", "voi"), "part1/b-1": ("gel",)}
    assert table["labels"].to_dict() == expected
    for name, codes in expected.items():
        assert [code for code in irmas.INSTRUMENTS if table.at[name, code]] == list(codes)
    assert all(table[code].dtype == bool for code in irmas.INSTRUMENTS)
    assert table["label"].to_dict() == {"sax/[sax][cla]0001__1": "sax", "part1/a-1": None, "part1/b-1": None}


@pytest.mark.parametrize("ending", ["\t\n", "\t\r\n", "\t\r", "\n", "  \n"])
def test_label_files_with_any_line_ending(tmp_path, ending):
    labelled(tmp_path, "x-1", ending.join(["", "gel", "voi"]))
    labelled(tmp_path, "x-2", b"\xef\xbb\xbf" + f"Voi{ending}gel{ending}".encode())
    assert irmas.load(tmp_path, side="test")["labels"].tolist() == [("gel", "voi")] * 2


def test_faulty_label_files_are_listed(tmp_path):
    labelled(tmp_path, "good-1")
    some = labelled(tmp_path, "some-1", "dru\t\npia\t\n")
    none = labelled(tmp_path, "none-1", "dru\t\n")
    empty = labelled(tmp_path, "empty-1", "")
    alone = labelled(tmp_path, "alone-1", None)
    table = irmas.load(tmp_path, side="test")
    assert table["song"].tolist() == ["good", "some"]
    found = {(problem["path"], problem["reason"]) for problem in table.attrs["problems"]}
    assert found == {
        (str(some.with_suffix(".txt")), "unknown codes: dru"),
        (str(none.with_suffix(".txt")), "unknown codes: dru"),
        (str(none), "its label file names no instrument"),
        (str(empty), "its label file names no instrument"),
        (str(alone), "there is no label file of its name beside it"),
    }


@pytest.mark.parametrize("form", ["NFC", "NFD", "cp437"])
def test_names_from_any_unpacking_tool(tmp_path, form):
    name = "Canto das três raças"
    on_disk = name.encode().decode("cp437") if form == "cp437" else unicodedata.normalize(form, name)
    labelled(tmp_path, f"{on_disk}-1")
    path = labelled(tmp_path, f"{on_disk}-12")
    # the label file may come from another tool than the audio
    path.with_suffix(".txt").rename(path.parent / f"{name}-12.txt")
    table = irmas.load(tmp_path, side="test")
    assert table["clip_id"].tolist() == [f"part1/{name}-1", f"part1/{name}-12"]
    assert set(table["group"]) == {f"test/{name}"}
    assert table.attrs["problems"] == []


@pytest.mark.parametrize("name", ["três", "raças", "Segóvia", "Köln", "日本", "plain", "Ünder été"])
def test_plain_name_changes_no_sound_name(name):
    assert plain_name(name) == name
    assert plain_name(unicodedata.normalize("NFD", name)) == name


def test_a_name_that_is_no_text_is_listed(tmp_path):
    labelled(tmp_path, "good-1")
    raw = os.fsencode(tmp_path / "IRMAS-TestingData-Part1" / "Part1") + b"/tr\xeas-1.wav"
    try:
        os.link(labelled(tmp_path, "good-2"), raw)
    except OSError:
        pytest.skip("this file system keeps no such names")
    table = irmas.load(tmp_path, side="test")
    assert table["song"].tolist() == ["good", "good"]
    assert [problem["reason"] for problem in table.attrs["problems"]] == ["its name is not valid UTF-8"]
    fingerprint(table)


LAYOUTS = {
    "as unzipped by hand": ("IRMAS-TrainingData", *PARTS),
    "parts beside training": ("IRMAS-TrainingData", "Part1", "IRTestingData-Part2", "Part3"),
    "nested once more": (
        "IRMAS-TrainingData/IRMAS-TrainingData",
        "IRMAS-TestingData/Part1",
        "IRMAS-TestingData/IRTestingData-Part2",
        "IRMAS-TestingData/Part3",
    ),
    "other spellings": ("irmas_training_data", "Part 1", "IRMAS-TestingData-Part2", "part_3"),
    "folders with brackets": ("TrainingData", "TestingData/Part1", "TestingData/Part2", "TestingData/Part3"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_rows(tmp_path, layout):
    root = tmp_path / "IRMAS"
    training, *parts = LAYOUTS[layout]
    folder = "[{}]" if "bracket" in layout else "{}"
    for code in ("cel", "voi"):
        audio(root / training / folder.format(code) / f"[{code}][cla]0001__1.wav")
    for number, part in enumerate(parts, 1):
        labelled(root, f"song {number}-1", place=part)
    audio(root / training / "__MACOSX" / "cel" / "._x.wav")
    (root / "README.txt").write_text("about")
    table = irmas.load(root)
    assert table["clip_id"].tolist() == [
        "cel/[cel][cla]0001__1",
        "voi/[voi][cla]0001__1",
        "part1/song 1-1",
        "part2/song 2-1",
        "part3/song 3-1",
    ]
    assert table["part"].tolist() == [None, None, 1, 2, 3]
    assert datasets.find_root("irmas", tmp_path) == root


def test_find_root_knows_the_set_under_other_names(tmp_path):
    (tmp_path / "IRMAS").mkdir()
    train(tmp_path / "mine", "cel", "[cel][cla]0001__1")
    labelled(tmp_path / "other" / "deep", "song-1", "a lead sheet")
    assert datasets.find_root("irmas", tmp_path / "mine") == tmp_path / "mine"
    assert datasets.find_root("irmas", tmp_path / "other") is None
    assert datasets.find_root("irmas", tmp_path / "mine" / "IRMAS-TrainingData") is not None
    assert len(datasets.load("irmas", tmp_path / "mine" / "IRMAS-TrainingData")) == 1


def test_second_encodings_and_broken_files(tmp_path):
    wav = train(tmp_path, "cel", "[cel][cla]0001__1")
    samples, _ = soundfile.read(wav)
    soundfile.write(wav.with_suffix(".flac"), samples, RATE)
    copy = audio(tmp_path / "IRMAS-TrainingData" / "old" / "cel" / wav.name)
    stray = audio(tmp_path / "IRMAS-TrainingData" / "kazoo" / wav.name)
    broken = train(tmp_path, "voi", "[voi][cla]0002__1")
    broken.write_bytes(b"RIFF")
    train(tmp_path, "voi", "[voi][cla]0002__2", seconds=0)
    table = irmas.load(tmp_path)
    assert table["path"].tolist() == [str(wav)]
    found = {(problem["path"], problem["reason"].split(":")[0]) for problem in table.attrs["problems"]}
    assert {(str(wav.with_suffix(".flac")), "a second copy or encoding of a clip")} <= found
    assert {(str(copy), "a second copy or encoding of a clip"), (str(broken), "not readable as audio")} <= found
    assert len(found) == 4
    assert "1 training files lie in no instrument's folder" in table.attrs["notes"][0]
    assert str(stray) not in {path for path, _ in found}


def test_duplicates_and_contradictions(tmp_path):
    train(tmp_path, "gac", "[gac][pop_roc]0672__1", seed=1)
    train(tmp_path, "gel", "[gel][pop_roc]0757__1", seed=1)
    train(tmp_path, "voi", "[voi][pop_roc]2000__1", seed=2)
    train(tmp_path, "voi", "[voi][pop_roc]2001__1", seed=2)
    train(tmp_path, "voi", "[voi][pop_roc]2002__1", seed=3)
    table = irmas.load(tmp_path)
    found = irmas.duplicates(table)
    assert found.groupby("set")["file"].apply(list).tolist() == [
        ["gac/[gac][pop_roc]0672__1", "gel/[gel][pop_roc]0757__1"],
        ["voi/[voi][pop_roc]2000__1", "voi/[voi][pop_roc]2001__1"],
    ]
    assert found["contradictory"].tolist() == [True, True, False, False]
    assert [entry["file"] for entry in table.attrs["duplicates"]] == found["file"].tolist()
    assert "2 sets of equal files (4 files); 1 of them with different labels." in table.attrs["notes"]
    windows = irmas.load(tmp_path, seconds=0.25)
    assert irmas.duplicates(windows)["file"].tolist() == found["file"].tolist()
    clean = irmas.load(tmp_path, same_audio="drop_contradictory")
    assert clean["label"].tolist() == ["voi"] * 3
    assert irmas.load(tmp_path, same_audio="skip").attrs["duplicates"] == []


def test_windows_keep_the_side_of_their_file(tmp_path):
    for k in range(6):
        labelled(tmp_path, f"song-{k}", seconds=0.25 + 0.1 * k)
    table = irmas.load(tmp_path, seconds=0.2)
    assert table.groupby("file")["split"].nunique().eq(1).all()
    assert table.groupby("file")["duration"].sum().round(6).tolist() == [0.25, 0.35, 0.45, 0.55, 0.65, 0.75]
    whole = irmas.load(tmp_path)
    assert table.groupby("file")["split"].first().to_dict() == whole.set_index("file")["split"].to_dict()
    assert len(irmas.load(tmp_path, seconds=0.2, remainder="drop")) == 1 + 1 + 2 + 2 + 3 + 3


def test_parts_and_nothing(tmp_path):
    train(tmp_path / "a", "cel", "[cel][cla]0001__1")
    labelled(tmp_path / "b", "song-1")
    assert set(irmas.load(tmp_path / "a")["split"]) == {"train"}
    only = irmas.load(tmp_path / "b", split="song_disjoint")
    assert only["split"].tolist() == ["test"]
    assert "There is one testing song only: no validation side." in only.attrs["notes"]
    assert irmas.load(tmp_path / "b")["split"].tolist() == ["test"]
    with pytest.raises(FileNotFoundError, match=r"side='test'.*IRMAS-TestingData-Part1"):
        irmas.load(tmp_path / "a", side="test")
    with pytest.raises(FileNotFoundError, match="side='train'"):
        irmas.load(tmp_path / "b", side="train")
    with pytest.raises(FileNotFoundError, match="get it from"):
        irmas.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="split must be one of 'paper', 'song_disjoint', not 'songs'"):
        irmas.load(tmp_path / "a", split="songs")


def test_synthetic_marker_is_found(tmp_path):
    train(tmp_path / "IRMAS", "cel", "[cel][cla]0001__1")
    (tmp_path / "IRMAS" / "SYNTHETIC.json").write_text("{}")
    assert set(irmas.load(tmp_path / "IRMAS")["evidence"]) == {"synthetic"}
    assert set(irmas.load(tmp_path / "IRMAS" / "IRMAS-TrainingData")["evidence"]) == {"synthetic"}


def test_real_excerpts(real_data):
    table = irmas.load(datasets.find_root("irmas", real_data))
    labels = dict(zip(table["file"], table["labels"], strict=True))
    assert labels == {
        "cel/031__[cel][nod][cla]0020__1": ("cel",),
        "cla/[cla][cla]0189__2": ("cla",),
        "flu/057__[flu][dru][cou_fol]0407__1": ("flu",),
        "sax/118__[sax][nod][jaz_blu]1702__3": ("sax",),
        "vio/001__[vio][nod][cou_fol]2194__1": ("vio",),
        "part1/02 - And The Body Will Die-8": ("gel", "voi"),
        "part1/02. School Boy-9": ("pia", "tru"),
        "part1/12 What'll I Do - Bud Shank And Bob-4": ("flu", "gel"),
    }
    assert set(table["evidence"]) == {"excerpt"}
    assert table["split"].value_counts().to_dict() == {"train": 5, "test": 2, "valid": 1}
    assert table.attrs["problems"] == []
    training = irmas.load(datasets.find_root("irmas", real_data), side="train", seconds=1.0)
    assert training.groupby("file").size().tolist() == [3] * 5
    bank = WaveBank.build(training, sample_rate=16000)
    audio_batch = bank.batch(np.arange(15), length=16000)
    assert len(bank) == 15
    assert (audio_batch.square().mean(dim=1) > 1e-6).all()
