"""Philharmonia: fields of the names, codes of IRMAS, notes on one side only."""

import numpy as np
import pytest
import soundfile

from reprise.data import datasets
from reprise.data.datasets import philharmonia
from reprise.data.datasets._instruments import INSTRUMENTS
from reprise.data.table import validate_table
from reprise.data.wavebank import WaveBank

RATE = 8000


def note(root, name, seconds=0.5, extension="mp3"):
    path = root / f"{name}.{extension}"
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * RATE))
    soundfile.write(path, noise, RATE)
    return path


@pytest.fixture
def root(tmp_path):
    base = tmp_path / "Philharmonia"
    for pitch in ("A3", "As4", "C5", "Ds2"):
        note(base, f"cello/cello_{pitch}_15_forte_arco-normal")
        note(base, f"cello/cello_{pitch}_05_piano_pizz-normal")
        note(base, f"bass_clarinet/bass-clarinet_{pitch}_1_forte_normal")
    note(base, "cor anglais/english-horn_C4_1_forte_normal")
    note(base, "percussion/Chinese-hand-cymbals__1_mezzo-forte_struck-together")
    return base


def test_fields_and_labels(root):
    table = validate_table(philharmonia.load(root))
    rows = table.set_index("clip_id")
    cello = rows.loc["cello/cello_As4_15_forte_arco-normal"]
    assert cello[["label", "sound", "pitch", "length", "dynamic", "technique"]].tolist() == [
        "cel",
        "cello",
        "As4",
        "15",
        "forte",
        "arco-normal",
    ]
    assert (cello["cel"], cello["cla"]) == (True, False)
    assert rows["label"].groupby(rows["instrument"]).first().to_dict() == {
        "bass_clarinet": "bass_clarinet",
        "cello": "cel",
        "cor_anglais": "cor_anglais",
        "percussion": "percussion",
    }
    assert not rows.loc["bass_clarinet/bass-clarinet_A3_1_forte_normal", list(INSTRUMENTS)].any()
    cymbals = rows.loc["percussion/Chinese-hand-cymbals__1_mezzo-forte_struck-together"]
    assert cymbals["pitch"] is None
    assert np.isnan(cymbals["midi"])
    assert cymbals["group"] == "percussion/Chinese-hand-cymbals"
    assert set(table["evidence"]) == {"excerpt"}
    assert table.attrs["problems"] == []


@pytest.mark.parametrize(("pitch", "midi"), [("A4", 69), ("C4", 60), ("As4", 70), ("B0", 23), ("Cs7", 97)])
def test_pitches(tmp_path, pitch, midi):
    note(tmp_path, f"flute/flute_{pitch}_1_forte_normal")
    assert philharmonia.load(tmp_path)["midi"].tolist() == [midi]


def test_a_note_is_on_one_side(root):
    sides = set()
    for seed in range(4):
        table = philharmonia.load(root, seed=seed)
        assert table.groupby("group")["split"].nunique().eq(1).all()
        assert set(table["split"][table["label"] == "cel"]) == {"train", "test"}
        assert table[table["label"] == "cel"].groupby("pitch").size().eq(2).all()
        sides.add(tuple(table["split"]))
    assert len(sides) > 1
    assert philharmonia.load(root, seed=3).equals(table)


def test_windows(root):
    table = philharmonia.load(root, seconds=0.2)
    whole = philharmonia.load(root)
    assert table.groupby("file")["duration"].sum().to_numpy() == pytest.approx(whole["duration"].to_numpy())
    assert set(philharmonia.load(root, seconds=0.2, remainder="drop")["duration"]) == {0.2}


def test_length_of_an_mp3_that_does_not_tell_it(tmp_path):
    path = note(tmp_path, "flute/flute_A4_1_forte_normal", seconds=1.0)
    told = path.read_bytes()
    assert b"Info" in told[:512] or b"Xing" in told[:512]
    second = told.index(told[:2], 100)
    path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x4e\x10" + bytes(10_000) + told[second:])
    samples, _ = soundfile.read(path)
    assert soundfile.info(path).frames > len(samples) + RATE // 10
    assert philharmonia.load(tmp_path)["duration"].tolist() == [len(samples) / RATE]


def test_other_files(root):
    note(root, "cello/extra/cello_A3_1_forte_normal")
    unnamed = note(root, "tuba/a low one", extension="wav")
    second = note(root, "cello/cello_A3_15_forte_arco-normal", extension="wav")
    broken = root / "viola" / "viola_D6_05_piano_arco-normal.mp3"
    broken.parent.mkdir()
    broken.write_bytes(b"")
    table = philharmonia.load(root)
    row = table[table["path"] == str(unnamed)].iloc[0]
    assert (row["label"], row["group"], row["pitch"]) == ("tuba", "tuba/a low one", None)
    found = {problem["path"]: problem["reason"].split(":")[0] for problem in table.attrs["problems"]}
    assert found == {
        str(second.with_suffix(".mp3")): "a second copy or encoding of a clip",
        str(broken): "not readable as audio",
    }
    assert table.attrs["notes"][0] == "1 audio files lie outside <instrument>/ and are not used."


def test_found_and_not_found(root, tmp_path):
    assert datasets.find_root("philharmonia", tmp_path) == root
    deep = tmp_path / "renamed"
    root.rename(deep)
    assert datasets.find_root("philharmonia", deep) == deep
    assert len(datasets.load("philharmonia", tmp_path)) == len(datasets.load("philharmonia", deep)) == 14
    (deep / "SYNTHETIC.json").write_text("{}")
    assert set(philharmonia.load(deep)["evidence"]) == {"synthetic"}
    (tmp_path / "FULL" / "female1" / "scales").mkdir(parents=True)
    note(tmp_path / "other", "scales/f1_scales_belt_a", extension="wav")
    with pytest.raises(FileNotFoundError, match="no file <instrument>/"):
        philharmonia.load(tmp_path / "other")


def test_real_excerpts(real_data):
    table = philharmonia.load(datasets.find_root("philharmonia", real_data))
    counts = table["label"].value_counts()
    assert len(table) == 384
    assert counts.eq(24).all()
    assert len(counts) == 16
    assert set(counts.index) & set(philharmonia.CODES.values()) == {"cel", "cla", "flu", "gac", "sax"}
    assert table["pitch"].isna().sum() == 24
    assert table["split"].value_counts().to_dict() == {"train": 288, "test": 96}
    assert table.groupby("label")["split"].nunique().eq(2).all()
    # these files do not tell their length: what libsndfile announces is up to a quarter of a second too much
    for row in table[::16].itertuples():
        samples, rate = soundfile.read(row.path)
        assert row.duration == len(samples) / rate


def test_mp3_files_whose_length_is_a_guess_are_not_called_truncated(real_data, tmp_path):
    table = datasets.load("philharmonia", real_data / "restricted" / "Philharmonia").iloc[::40].reset_index(drop=True)
    assert table["path"].str.endswith(".mp3").all()
    bank = WaveBank.build(table, sample_rate=44100, cache=tmp_path)
    assert bank.problems.empty
    assert len(bank.table) == len(table)
