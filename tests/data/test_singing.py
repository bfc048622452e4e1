"""Solo singing: layouts, songs that stay together, partial copies, the scenario of three recordings, faults."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from reprise.data import datasets
from reprise.data.datasets import singing
from reprise.data.datasets._singing_split import OPENCPOP_TEST
from reprise.data.table import ClipTableError, fingerprint, validate_table
from reprise.data.wavebank import WaveBank

RATE = 8000


def audio(path, seconds=0.25):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(str(path).encode()))
    soundfile.write(path, rng.uniform(-0.5, 0.5, round(seconds * RATE)), RATE)
    return path


def write(root, names):
    for name in names:
        audio(root / name)
    return root


def songs_of(table, side):
    return set(table["group"][table["split"] == side])


def test_it_is_registered(tmp_path):
    assert "singing" in datasets.available()
    write(tmp_path / "MPop600", ["f1_001.wav", "f1_002.wav"])
    assert datasets.find_root("singing", tmp_path) == tmp_path / "MPop600"
    assert datasets.find_root("singing", tmp_path / "MPop600") == tmp_path / "MPop600"
    assert len(datasets.load("singing", tmp_path / "MPop600")) == 2


def test_only_singing_is_recognised(tmp_path):
    (tmp_path / "CSD").mkdir()
    assert datasets.find_root("singing", tmp_path) is None, "an empty folder of that name"
    write(tmp_path / "Philharmonia", ["violin/violin_A4_1_forte_normal.mp3.wav"])
    assert datasets.find_root("singing", tmp_path) is None
    write(tmp_path, ["mine/wavs/2001000001.wav"])
    assert datasets.find_root("singing", tmp_path) == tmp_path
    other = write(tmp_path / "songs of mine", ["one.wav"])
    assert datasets.find_root("singing", other) == other
    sides = write(tmp_path / "by side", ["train/me/a.wav", "test/me/b.wav"])
    assert datasets.find_root("singing", sides) == sides
    assert not singing.recognise(tmp_path / "nothing")


LAYOUTS = {
    "mpop600": (
        ["f1_001.wav", "f1_002.wav", "m2_001.wav", "m2_003.flac"],
        {("f1", "001"), ("f1", "002"), ("m2", "001"), ("m2", "003")},
    ),
    "csd": (
        ["english/wav/en001a.wav", "english/wav/en001b.wav", "korean/wav/kr050a.wav"],
        {("CSD", "en001"), ("CSD", "kr050")},
    ),
    "opencpop": (
        ["segments/wavs/2001000001.wav", "segments/wavs/2001000002.wav", "segments/wavs/2044000001.wav"],
        {("Opencpop", "2001"), ("Opencpop", "2044")},
    ),
    "m4singer": (
        ["Alto-1#美错/0000.wav", "Alto-1#美错/0001.wav", "Tenor-3#后来/0000.wav", "Bass-1#美错/0000.wav"],
        {("Alto-1", "美错"), ("Tenor-3", "后来"), ("Bass-1", "美错")},
    ),
    "gtsinger": (
        [
            "English/EN-Alto-1/Glissando/my love/Control_Group/0000.wav",
            "English/EN-Alto-1/Glissando/my love/Glissando_Group/0000.wav",
            "English/EN-Alto-1/Breathy/my love/Breathy_Group/0000.wav",
            "English/EN-Tenor-1/Vibrato/stay/Vibrato_Group/0003.wav",
        ],
        {("EN-Alto-1", "my love"), ("EN-Tenor-1", "stay")},
    ),
    "vocadito": (
        ["Audio/vocadito_1.wav", "Audio/vocadito_10.wav"],
        {("vocadito_1", "vocadito_1"), ("vocadito_10", "vocadito_10")},
    ),
    "plain": (
        ["Anna/one.wav", "Anna/two.flac", "Bob/live/one.wav"],
        {("Anna", "one"), ("Anna", "two"), ("Bob", "live/one")},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    names, expected = LAYOUTS[layout]
    table = validate_table(singing.load(write(tmp_path / "set", names)))
    assert table.attrs["layout"] == layout
    assert len(table) == len(names)
    assert set(zip(table["singer"], table["song"], strict=True)) == expected
    assert table.groupby("group")["split"].nunique().eq(1).all()
    assert songs_of(table, "test")
    assert set(table["evidence"]) == {"excerpt"}
    assert table.attrs["problems"] == []
    # the folder that the files lie in tells the same
    inner = min(tmp_path.rglob(names[0].split("/")[-1])).parent
    if layout not in ("plain", "opencpop"):
        assert singing.load(inner).attrs["layout"] == layout


def test_what_belongs_together_stays_together(tmp_path):
    csd = write(tmp_path / "CSD", [f"wav/en{k:03d}{key}.wav" for k in range(1, 7) for key in "ab"])
    m4 = write(tmp_path / "M4", [f"{v}-1#s{k}/0000.wav" for v in ("Alto", "Bass") for k in range(5)])
    for seed in range(5):
        table = singing.load(csd, seed=seed)
        assert table.groupby("song")["split"].nunique().eq(1).all()
        table = singing.load(m4, seed=seed)
        assert table.groupby("song")["split"].nunique().eq(1).all(), "a title is one song, whoever sings it"


def test_untitled_songs_of_gtsinger_are_of_their_technique(tmp_path):
    base = "French/FR-Tenor-1/{}/song01/{}_Group/0000.wav"
    names = [base.format(t, g) for t in ("Vibrato", "Breathy") for g in (t, "Control", "Paired_Speech")]
    table = singing.load(write(tmp_path, names))
    assert set(table["style"]) == {"vibrato", "breathy", "control"}
    assert set(table["song"]) == {"Vibrato/song01", "Breathy/song01"}
    assert "2 files are speech and are not used." in table.attrs["notes"]


def test_opencpop_is_read_once_with_its_own_test_songs(tmp_path):
    songs = ["2001", "2002", "2044", "2100"]
    parts = [f"segments/wavs/{song}{k:06d}.wav" for song in songs for k in range(2)]
    table = singing.load(write(tmp_path, [*parts, *(f"wavs/{song}.wav" for song in songs)]))
    assert len(table) == 8
    assert songs_of(table, "test") == {"2044", "2100"}
    assert any("4 files are whole songs" in note for note in table.attrs["notes"])
    whole = singing.load(write(tmp_path / "whole", [f"wavs/{song}.wav" for song in songs]))
    assert set(whole["group"]) == set(songs)
    assert len(set(OPENCPOP_TEST)) == 5


def test_singers_of_vocadito_come_from_its_table(tmp_path):
    write(tmp_path, [f"Audio/vocadito_{k}.wav" for k in (1, 2, 3)])
    table = singing.load(tmp_path)
    assert any("vocadito_metadata.csv" in note for note in table.attrs["notes"])
    (tmp_path / "vocadito_metadata.csv").write_text("track_id,singer_id,average_pitch\n1,S1,50\n2,S2,65\n3,S1,52\n")
    table = singing.load(tmp_path).set_index("song")
    assert table["singer"].to_dict() == {"vocadito_1": "S1", "vocadito_2": "S2", "vocadito_3": "S1"}
    (tmp_path / "vocadito_metadata.csv").write_text("something else\n")
    assert singing.load(tmp_path)["singer"].nunique() == 3


@pytest.fixture(scope="module")
def mpop(tmp_path_factory):
    """As many songs as a singer of MPop600 has, all one short recording; two of another singer."""
    root = tmp_path_factory.mktemp("mpop") / "MPop600"
    first = audio(root / "f1_001.wav", seconds=0.02)
    for k in range(2, 151):
        (root / f"f1_{k:03d}.wav").hardlink_to(first)
    for k in (1, 2, 3, 4, 5, 6):
        (root / f"m2_{k:03d}.wav").hardlink_to(first)
    return root


def test_the_papers_sides_of_a_whole_singer(mpop):
    table = singing.load(mpop, singer="f1")
    assert table["split"].value_counts().to_dict() == {"train": 123, "valid": 24, "test": 3}
    assert set(table["song"][table["split"] == "test"]) == {"037", "142", "143"}
    assert {"002", "147"} <= set(table["song"][table["split"] == "valid"])
    drawn = singing.load(mpop, singer="f1", split="seeded", seed=3)
    assert drawn["split"].value_counts().to_dict() == {"train": 123, "valid": 24, "test": 3}
    assert songs_of(drawn, "test") != songs_of(singing.load(mpop, singer="f1", split="seeded", seed=4), "test")
    assert set(singing.load(mpop, singer="m2")["evidence"]) == {"excerpt"}


def test_a_whole_singer_is_full_evidence(mpop, tmp_path):
    for path in mpop.glob("f1_*.wav"):
        (tmp_path / path.name).hardlink_to(path)
    assert set(singing.load(tmp_path)["evidence"]) == {"full"}
    (tmp_path / "f1_150.wav").unlink()
    assert set(singing.load(tmp_path)["evidence"]) == {"excerpt"}


def test_the_folders_of_the_official_code(tmp_path):
    names = [f"f1/train-full/audio/{k:03d}.wav" for k in range(1, 6)]
    names += ["f1/train-3min/audio/001.wav", "f1/train-val/audio/010.wav", "f1/test/audio/011.wav"]
    table = singing.load(write(tmp_path, names))
    assert table.attrs["layout"] == "mpop600"
    assert songs_of(table, "test") == {"f1/011"}
    assert songs_of(table, "valid") == {"f1/010"}
    assert len(songs_of(table, "train")) == 5
    assert "The sides are those of the folders." in table.attrs["notes"]
    assert any("train-3min" in note for note in table.attrs["notes"])


def test_a_short_training_folder_alone_is_for_training(tmp_path):
    names = ["f1/train-3min/audio/001.wav", "f1/train-3min/audio/002.wav", "f1/test/audio/011.wav"]
    table = singing.load(write(tmp_path, names))
    assert songs_of(table, "train") == {"f1/001", "f1/002"}


def test_a_song_in_two_sides_stays_held_out(tmp_path):
    write(tmp_path, ["train/me/a.wav", "train/me/b.wav", "test/me/a.wav", "loose.wav"])
    table = singing.load(tmp_path)
    assert songs_of(table, "test") == {"me/a"}
    (found,) = table.attrs["problems"]
    assert found["path"] == str(tmp_path / "train/me/a.wav")
    assert found["reason"] == "its song is in the train and the test folder"
    assert "1 files lie in no side's folder: they are for training." in table.attrs["notes"]
    assert songs_of(table, "train") == {"me/b", f"{tmp_path.name}/loose"}


def test_sides_without_both_are_drawn(tmp_path):
    table = singing.load(write(tmp_path, [f"train/me/{k}.wav" for k in range(4)]))
    assert len(songs_of(table, "test")) == 1


@settings(max_examples=12)
@given(n_songs=st.integers(2, 12), n_singers=st.integers(1, 3), seed=st.integers(0, 50))
def test_songs_are_on_one_side(tmp_path_factory, n_songs, n_singers, seed):
    root = tmp_path_factory.mktemp("songs")
    names = [f"S{s}/song{k}.wav" for s in range(n_singers) for k in range(n_songs)]
    first = audio(root / names[0], seconds=0.02)
    for name in names[1:]:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).hardlink_to(first)
    table = singing.load(root, seed=seed)
    assert table.groupby("group")["split"].nunique().eq(1).all()
    assert songs_of(table, "test")
    assert songs_of(table, "train")
    assert set(table["singer"][table["split"] == "test"]) == set(table["singer"])
    assert singing.load(root, seed=seed).equals(table)


def test_three_recordings(mpop):
    regular = singing.load(mpop, singer="f1")
    taken = []
    for choice in range(41):
        table = singing.load(mpop, singer="f1", scenario="limited", choice=choice)
        mine = songs_of(table, "train")
        assert len(mine) == 3
        assert sorted(mine) == table.attrs["recordings"]
        assert mine <= songs_of(regular, "train")
        for side in ("valid", "test"):
            assert songs_of(table, side) == songs_of(regular, side)
        taken += mine
        if choice == 3:
            break
    assert len(set(taken)) == len(taken), "choices have no song in common"
    again = singing.load(mpop, singer="f1", scenario="limited", choice=3)
    assert again.equals(table)
    other = singing.load(mpop, singer="f1", scenario="limited", choice=3, seed=1)
    assert songs_of(other, "train") != mine


def test_few_recordings_of_few_songs(tmp_path):
    write(tmp_path, [f"{s}/song{k}.wav" for s in ("A", "B") for k in range(5)])
    table = singing.load(tmp_path, scenario="limited", n_recordings=2, split="seeded")
    assert table[table["split"] == "train"].groupby("singer")["group"].nunique().to_dict() == {"A": 2, "B": 2}
    table = singing.load(tmp_path, scenario="limited", n_recordings=9)
    assert any("fewer than 9" in note for note in table.attrs["notes"])
    table = singing.load(tmp_path, scenario="limited", n_recordings=2, choice=50)
    assert any("drawn anew" in note for note in table.attrs["notes"])
    assert len(songs_of(table, "train")) == 4


def test_one_song_trains_only(tmp_path):
    table = singing.load(write(tmp_path, ["me/one.wav"]))
    assert set(table["split"]) == {"train"}
    assert any("one song only" in note for note in table.attrs["notes"])


def test_windows_and_formats(tmp_path):
    audio(tmp_path / "a.wav", 1.0)
    audio(tmp_path / "b.flac", 0.7)
    audio(tmp_path / "c.ogg", 0.3)
    audio(tmp_path / "d.mp3", 0.6)
    audio(tmp_path / "a.ogg", 1.0)
    table = singing.load(tmp_path, seconds=0.5, short="drop", remainder="drop")
    assert table["song"].value_counts().to_dict() == {"a": 2, "b": 1, "d": 1}
    assert [found["reason"] for found in table.attrs["problems"]] == ["a second copy or encoding of a clip"]
    with pytest.raises(ClipTableError, match="no window of 9 s"):
        singing.load(tmp_path, seconds=9.0, short="drop")


def test_faults_are_listed(tmp_path):
    audio(tmp_path / "me/a.wav")
    audio(tmp_path / "me/b.wav")
    (tmp_path / "me/text.wav").write_text("no audio")
    (tmp_path / "me/empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "me/none.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "me/silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "me/.hidden.wav").write_text("")
    table = singing.load(tmp_path)
    names = sorted(found["path"].rsplit("/", 1)[1] for found in table.attrs["problems"])
    assert names == ["empty.wav", "none.wav", "text.wav"]
    bank = WaveBank.build(table, sample_rate=RATE)
    assert [path.rsplit("/", 1)[1] for path in bank.problems["path"]] == ["silent.wav"]


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        singing.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no readable"):
        singing.load(tmp_path)
    write(tmp_path, ["me/a.wav", "you/b.wav"])
    with pytest.raises(ValueError, match="known: me, you"):
        singing.load(tmp_path, singer="her")
    for options in ({"scenario": "small"}, {"split": "x"}, {"layout": "x"}, {"n_recordings": 0}, {"n_test": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            singing.load(tmp_path, **options)
    with pytest.raises(FileNotFoundError, match="no readable"):
        singing.load(tmp_path, layout="csd")


def test_the_table_does_not_depend_on_the_place(tmp_path):
    names = ["me/a.wav", "me/b.wav", "me/c.wav"]
    write(tmp_path / "x", names)
    (tmp_path / "y").mkdir()
    for name in names:
        (tmp_path / "y" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "y" / name).write_bytes((tmp_path / "x" / name).read_bytes())
    assert fingerprint(singing.load(tmp_path / "x")) == fingerprint(singing.load(tmp_path / "y"))


@pytest.mark.parametrize(("name", "n_files"), [("GTSinger", 80), ("M4Singer", 16), ("vocadito", 2)])
def test_real_excerpts(real_data, name, n_files):
    table = singing.load(real_data / name)
    assert table.attrs["layout"] == name.lower()
    assert len(table) == n_files
    assert table.attrs["problems"] == []
    assert songs_of(table, "test")
    assert datasets.find_root("singing", real_data) is not None
