"""VocalSet: both layouts, the known faults, splits of whole and partial copies."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from reprise.data import datasets
from reprise.data.datasets import vocalset
from reprise.data.table import ClipTableError, fingerprint, validate_table
from reprise.data.wavebank import WaveBank

RATE = 8000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 8)


def prefix(singer):
    return singer[0] + singer.removeprefix("female").removeprefix("male")


def take(layout, relative, seconds=3.0):
    path = layout / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, NOISE[: round(seconds * RATE)], RATE)
    return path


def write(layout, singers, techniques, seconds=3.0):
    for singer in singers:
        for technique in techniques:
            take(layout, f"{singer}/scales/{technique}/{prefix(singer)}_scales_{technique}_a.wav", seconds)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All twenty singers; as in the original, female8 does not speak and some do not inhale."""
    root = tmp_path_factory.mktemp("whole") / "VocalSet11"
    for singer in vocalset.SINGERS:
        lacking = {"female8": "spoken", "male4": "inhaled", "male11": "inhaled"}.get(singer)
        write(root / "FULL", [singer], [name for name in vocalset.TECHNIQUES if name != lacking])
    return root


def test_constants_are_the_papers():
    assert list(vocalset.TECHNIQUES) == sorted(vocalset.TECHNIQUES)
    assert len(vocalset.TECHNIQUES) == 10
    assert len(vocalset.SINGERS) == 20
    assert set(vocalset.OFFICIAL_TEST_SINGERS) == {"female2", "female8", "male3", "male5", "male10"}
    assert set(vocalset.OFFICIAL_TEST_SINGERS) < set(vocalset.SINGERS)
    assert "wilkins" in vocalset.CITATION.lower()


def test_whole_set_keeps_the_official_split(whole):
    table = validate_table(vocalset.load(whole))
    assert len(table) == 197
    assert set(table["singer"][table["split"] == "test"]) == set(vocalset.OFFICIAL_TEST_SINGERS)
    assert table["singer"][table["split"] == "train"].nunique() == 15
    assert (table["group"] == table["singer"]).all()
    assert (table["technique"] == table["path"].str.split("/").str[-2]).all()
    assert table.attrs == {"notes": [], "problems": [], "missing_techniques": [], "missing_singers": []}
    # few files of a full set's shape are still a part of it
    assert set(table["evidence"]) == {"excerpt"}


def test_evidence_is_full_with_enough_files(whole, monkeypatch):
    monkeypatch.setattr(vocalset, "MIN_FULL_FILES", 197)
    assert set(vocalset.load(whole)["evidence"]) == {"full"}
    monkeypatch.setattr(vocalset, "MIN_FULL_FILES", 198)
    assert set(vocalset.load(whole)["evidence"]) == {"excerpt"}


def test_held_out_singers_come_from_training(whole):
    official = vocalset.load(whole)
    choices = set()
    for seed in range(4):
        table = vocalset.load(whole, split="held_out_singers", seed=seed)
        sides = {side: frozenset(part["singer"]) for side, part in table.groupby("split")}
        assert {side: len(singers) for side, singers in sides.items()} == {"train": 12, "valid": 3, "test": 5}
        assert sides["test"] == set(vocalset.OFFICIAL_TEST_SINGERS)
        assert table["clip_id"].equals(official["clip_id"])
        choices.add(sides["valid"])
    assert len(choices) > 1
    assert vocalset.load(whole, split="held_out_singers", seed=3)["split"].equals(table["split"])


@pytest.mark.parametrize("place", ["", "FULL", "..", "marker beside"])
def test_synthetic_marker_is_found(tmp_path, place):
    root = tmp_path / "data" / "VocalSet"
    write(root / "FULL", ["female1", "male3"], ["belt", "trill"])
    folder = {"": root, "FULL": root / "FULL", "..": root.parent}.get(place, root)
    (folder / "SYNTHETIC.json").write_text("{}")
    table = vocalset.load(root / "FULL" if place == "marker beside" else root)
    assert set(table["evidence"]) == {"synthetic"}


LAYOUTS = {
    "1.1": ("FULL", "."),
    "1.1 unpacked into a folder": ("VocalSet11/FULL", "."),
    "1.2": ("VocalSet1-2/data_by_singer", "."),
    "1.2 itself": ("VocalSet1-2/data_by_singer", "VocalSet1-2"),
    "singers' folder": ("FULL", "FULL"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_table(tmp_path, layout):
    where, root = LAYOUTS[layout]
    base = tmp_path / "VocalSet"
    write(base / where, ["female1", "male3"], ["belt", "lip_trill"])
    for copy in ("data_by_technique", "data_by_vowel"):
        write((base / where).parent / copy, ["female1"], ["belt"])
    take(base / where, "__MACOSX/female1/scales/belt/f1_scales_belt_e.wav")
    take(base / where, "female1/scales/belt/._f1_scales_belt_a.wav")
    (base / where / "female1" / ".DS_Store").write_bytes(b"x")
    (base / "readme-anon.txt").write_text("about")
    table = vocalset.load(base / root)
    assert table["clip_id"].tolist() == [
        "female1/scales/belt/f1_scales_belt_a_000",
        "female1/scales/lip_trill/f1_scales_lip_trill_a_000",
        "male3/scales/belt/m3_scales_belt_a_000",
        "male3/scales/lip_trill/m3_scales_lip_trill_a_000",
    ]
    assert table["split"].tolist() == ["train", "train", "test", "test"]
    assert table["take"].tolist() == [name[:-4] for name in table["clip_id"]]


def test_technique_and_singer_come_from_folders(tmp_path):
    layout = tmp_path / "FULL"
    names = {
        "female4/arpeggios/straight/arpeggios_straight_e.wav": ("female4", "straight", "e"),
        "male3/scales/lip_trill/scales_lip_trill.wav": ("male3", "lip_trill", None),
        "male8/excerpts/straight/row_straight.wav": ("male8", "straight", None),
        "male10/scales/trill/m10_scales_trill_c_u.wav": ("male10", "trill", "u"),
        "male1/scales/trillo/m1_scales_trillo_i(1).wav": ("male1", "trillo", "i"),
        "female8/excerpts/vocal_fry/f8_dona_vocal_fry.mp3": ("female8", "vocal_fry", None),
        "male2/scales/vocal_fry/m2_scales_vocal_fry_i_lowPitch_0.6966-1.6966s.flac": ("male2", "vocal_fry", "i"),
        "male2/scales/vocal_fry/m2_scales_vocal_fry_i_lowPitch_0.7-1.7s.ogg": ("male2", "vocal_fry", "i"),
    }
    for name in names:
        take(layout, name)
    table = vocalset.load(tmp_path)
    found = {row.path.removeprefix(f"{layout}/"): (row.singer, row.technique, row.vowel) for row in table.itertuples()}
    assert found == names
    assert table.attrs["notes"][0] == "3 files have no singer in their name; the folder says who sings."
    assert table.attrs["problems"] == []


def test_known_faults_are_listed(tmp_path):
    layout = tmp_path / "FULL"
    removed = [
        "female2/scales/vibrato/f2_scales_vibrato_a(1).wav",
        "male8/excerpts/vibrato/caro_vibrato.wav",
        "male8/excerpts/vibrato/dona_vibrato.wav",
        "male8/excerpts/vibrato/row_vibrato.wav",
        "female9/arpeggios/vibrato/slow_vibrato_arps.wav",
    ]
    misplaced = "female9/arpeggios/fast_forte/arps_fast_piano_c.wav"
    kept = [
        "female2/scales/vibrato/f2_scales_vibrato_a.wav",
        "male8/excerpts/vibrato/m8_row_vibrato.wav",
        "male8/excerpts/straight/row_straight.wav",
        "female9/arpeggios/straight/f9_arpeggios_straight_a.wav",
    ]
    for name in [*removed, misplaced, *kept, "female9/long_tones/messa/f9_long_messa_a.wav"]:
        take(layout, name)
    table = vocalset.load(tmp_path)
    assert sorted(table["path"]) == sorted(str(layout / name) for name in kept)
    problems = pd.DataFrame(table.attrs["problems"]).set_index("path")
    assert sorted(problems.index) == sorted(str(layout / name) for name in [*removed, misplaced])
    assert (problems.loc[[str(layout / name) for name in removed], "action"] == "excluded").all()
    assert problems.loc[str(layout / misplaced), "action"] == "counted as fast_piano"
    assert any("not used: fast_piano 1, messa 1." in note for note in table.attrs["notes"])


def test_equal_names_stay_apart(tmp_path):
    for singer in ("female1", "male3"):
        for technique in ("straight", "belt"):
            take(tmp_path / "FULL", f"{singer}/scales/{technique}/scales_a.wav")
    table = vocalset.load(tmp_path)
    assert table["clip_id"].is_unique
    assert len(table) == 4


def test_second_encoding_of_a_take_is_left_out(tmp_path):
    for suffix in ("flac", "wav"):
        take(tmp_path / "FULL", f"female1/scales/belt/f1_scales_belt_a.{suffix}")
    table = vocalset.load(tmp_path)
    assert table["path"].str[-4:].tolist() == [".wav"]
    assert table.attrs["problems"][0]["reason"] == "a second encoding of a take"


def test_file_in_the_wrong_folder_is_listed(tmp_path):
    path = take(tmp_path / "FULL", "male3/scales/belt/f2_scales_belt_a.wav")
    table = vocalset.load(tmp_path)
    assert table["singer"].tolist() == ["male3"]
    reason = "named after female2 in the folder of male3"
    assert table.attrs["problems"] == [{"path": str(path), "reason": reason, "action": "folder kept"}]


def test_unreadable_files_are_listed(tmp_path):
    write(tmp_path / "FULL", ["female1", "male3"], ["belt", "trill"])
    bad = tmp_path / "FULL/female1/scales/belt/f1_scales_belt_e.wav"
    bad.write_text("<html></html>")
    table = vocalset.load(tmp_path)
    assert str(bad) not in set(table["path"])
    (problem,) = table.attrs["problems"]
    assert problem["path"] == str(bad)
    assert problem["reason"].startswith("not readable as audio")


def test_files_outside_the_tree_are_counted(tmp_path):
    write(tmp_path / "FULL", ["female1"], ["belt"])
    take(tmp_path / "FULL", "female1/scales/f1_scales_belt_a.wav")
    take(tmp_path / "FULL", "female10/scales/belt/f10_scales_belt_a.wav")
    notes = vocalset.load(tmp_path).attrs["notes"]
    assert notes[0].startswith("2 audio files lie outside")


@pytest.mark.parametrize(
    ("policies", "n_clips", "durations"),
    [
        ({}, 2, [3.0, 3.0]),
        ({"remainder": "pad"}, 3, [3.0, 3.0, 1.5]),
        ({"short": "pad"}, 3, [3.0, 3.0, 1.0]),
        ({"short": "pad", "remainder": "pad"}, 4, [3.0, 3.0, 1.5, 1.0]),
    ],
)
def test_policies_for_short_takes_and_remainders(tmp_path, policies, n_clips, durations):
    take(tmp_path / "FULL", "female1/scales/belt/f1_scales_belt_a.wav", 7.5)
    take(tmp_path / "FULL", "female1/scales/belt/f1_scales_belt_e.wav", 1.0)
    table = vocalset.load(tmp_path, **policies)
    assert len(table) == n_clips
    assert table["duration"].tolist() == pytest.approx(durations)
    what = "kept, to be padded" if "short" in policies else "dropped"
    assert f"1 of 2 takes are shorter than 3 s: {what}." in table.attrs["notes"]


def test_no_clip_at_all_is_an_error_with_a_way_out(tmp_path):
    write(tmp_path / "FULL", ["female1"], ["belt"], seconds=1.0)
    with pytest.raises(ClipTableError, match=r"no clip of 3 s .*the longest 1\.00 s; use short='pad'"):
        vocalset.load(tmp_path)


PARTIAL = {
    "no test singer": ({"female1": ["belt", "trill"], "male1": ["belt", "trill"], "male2": ["belt"]}, True),
    "no training singer": ({"female2": ["belt", "trill"], "male3": ["belt", "trill"]}, True),
    "one class in test": ({"female1": ["belt", "trill"], "male1": ["belt", "trill"], "male3": ["belt"]}, True),
    "a class only in training": (
        {"female1": ["belt", "trill", "spoken"], "male1": ["belt", "trill", "spoken"], "male3": ["belt", "trill"]},
        True,
    ),
    "no test singer and nothing shared": ({"female1": ["belt"], "male1": ["trill"]}, True),
    "one class in test, and no split has more": ({"female1": ["belt", "trill"], "male3": ["belt"]}, False),
    "sound": ({"female1": ["belt", "trill"], "male3": ["belt", "trill"]}, False),
    "a class of one singer": ({"female1": ["belt", "trill", "spoken"], "male3": ["belt", "trill"]}, False),
}


@pytest.mark.parametrize("case", PARTIAL)
def test_partial_copies_get_a_split_with_sense(tmp_path, case):
    singers, taken_over = PARTIAL[case]
    for singer, techniques in singers.items():
        write(tmp_path / "FULL", [singer], techniques)
    table = validate_table(vocalset.load(tmp_path))
    said = [note for note in table.attrs["notes"] if "official split is not usable" in note]
    assert len(said) == taken_over
    sides = table.groupby("technique")["split"].nunique()
    shared = table.groupby("technique")["singer"].nunique() > 1
    assert sides[shared].eq(2).all()
    official = table["singer"].isin(vocalset.OFFICIAL_TEST_SINGERS) == (table["split"] == "test")
    assert official.all() != taken_over
    assert set(vocalset.TECHNIQUES) - set(table["technique"]) == set(table.attrs["missing_techniques"])
    assert set(vocalset.SINGERS) - set(singers) == set(table.attrs["missing_singers"])


def test_note_names_what_is_missing(tmp_path):
    write(tmp_path / "FULL", ["female1", "male1", "male3"], ["belt", "trill"])
    write(tmp_path / "FULL", ["female1", "male1"], ["spoken"])
    note = next(note for note in vocalset.load(tmp_path, seed=5).attrs["notes"] if "official" in note)
    assert "test singers missing: female2, female8, male5, male10" in note
    assert "techniques on one side only: spoken" in note
    assert "seed 5" in note


def test_single_singer_has_no_test_side(tmp_path):
    write(tmp_path / "FULL", ["male3"], ["belt", "trill"])
    table = vocalset.load(tmp_path, split="held_out_singers")
    assert set(table["split"]) == {"train"}
    assert any("no test side" in note for note in table.attrs["notes"])
    assert any("No singer can be held out" in note for note in table.attrs["notes"])


def test_wrong_split_and_empty_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'random'"):
        vocalset.load(tmp_path, split="random")
    with pytest.raises(FileNotFoundError, match="holds no VocalSet"):
        vocalset.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no VocalSet"):
        vocalset.load(tmp_path / "gone")
    take(tmp_path, "data_by_technique/female1/scales/belt/f1_scales_belt_a.wav")
    with pytest.raises(FileNotFoundError, match="holds no VocalSet"):
        vocalset.load(tmp_path)


def test_registry_finds_and_loads(tmp_path):
    assert "vocalset" in datasets.available()
    root = tmp_path / "data" / "restricted" / "VocalSet"
    (tmp_path / "data" / "VocalSet1-2").mkdir(parents=True)
    write(root / "FULL", ["female1", "male3"], ["belt", "trill"])
    assert datasets.find_root("vocalset", tmp_path / "data") == root
    assert datasets.find_root("vocalset", tmp_path / "data" / "restricted") == root
    assert datasets.find_root("VocalSet", root) == root
    renamed = root.rename(tmp_path / "mine")
    assert datasets.find_root("vocalset", renamed) == renamed
    assert datasets.find_root("vocalset", tmp_path / "data") is None
    assert datasets.find_root("vocalset", tmp_path / "gone") is None
    assert len(datasets.load("vocalset", renamed, seconds=1.0)) == 12


def test_unknown_data_set_lists_the_known():
    for call in (datasets.load, datasets.find_root):
        with pytest.raises(ValueError, match=r"no data set 'vocalsat'; known: .*vocalset"):
            call("vocalsat", ".")


def test_attrs_survive_copies_and_storage(whole):
    table = vocalset.load(whole)
    part = table[table["split"] == "test"].reset_index(drop=True).copy()
    assert part.attrs == table.attrs
    assert pd.concat([part, part]).attrs == table.attrs


def test_real_excerpts(real_data):
    root = datasets.find_root("vocalset", real_data)
    table = datasets.load("vocalset", root, seconds=1.0)
    assert set(table["technique"]) == {"belt", "breathy", "straight", "vibrato", "vocal_fry"}
    assert set(table["evidence"]) == {"excerpt"}
    assert set(table["singer"]) == {"female1", "female2", "female3", "male1", "male2"}
    assert table["vowel"].isin(list("aeiou")).all()
    assert table.attrs["missing_techniques"] == ["inhaled", "lip_trill", "spoken", "trill", "trillo"]
    assert table.groupby("singer")["split"].nunique().eq(1).all()
    assert table.groupby("technique")["split"].nunique().eq(2).all()
    assert len(fingerprint(table)) == 64


def test_real_excerpts_of_three_seconds_fall_back(real_data):
    table = datasets.load("vocalset", datasets.find_root("vocalset", real_data))
    assert set(table["singer"]) == {"female1", "male1"}
    assert table.groupby("split")["singer"].nunique().to_dict() == {"test": 1, "train": 1}
    assert any("official split is not usable" in note for note in table.attrs["notes"])


def test_real_excerpts_through_the_bank(real_data):
    table = datasets.load("vocalset", datasets.find_root("vocalset", real_data), seconds=1.0).iloc[::20]
    bank = WaveBank.build(table, sample_rate=44100)
    assert bank.problems.empty
    batch = bank.batch(range(len(bank)))
    assert batch.shape == (len(table), 44100)
    for audio, clip in zip(batch, bank.table.itertuples(), strict=True):
        expected, _ = soundfile.read(clip.path, start=round(clip.start * 44100), frames=44100)
        np.testing.assert_allclose(audio.numpy(), expected, atol=1 / 32768)
