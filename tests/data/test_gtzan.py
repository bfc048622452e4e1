"""GTZAN: the fault-filtered division from files or from torchaudio, the drawn one, faults named."""

from collections import Counter

import numpy as np
import pytest
import soundfile

from reprise.data import datasets
from reprise.data.datasets import gtzan
from reprise.data.table import validate_table

from .waves import RATE, write_noise


@pytest.fixture
def small(tmp_path):
    """Four clips of three genres."""
    root = tmp_path / "GTZAN"
    for seed, name in enumerate(["blues.00000", "blues.00012", "jazz.00003", "rock.00099"]):
        write_noise(root / "genres" / name.partition(".")[0] / f"{name}.wav", seed=seed)
    return root


def write_lists(root, **sides):
    for side in ("train", "valid", "test"):
        lines = [f"{name.partition('.')[0]}/{name}.wav" for name in sides.get(side, [])]
        (root / f"{side}_filtered.txt").write_text("\n".join(lines) + "\n")


def test_torchaudio_holds_the_published_division():
    lists = gtzan._published()
    assert (
        {side: len(names) for side, names in lists.items()}
        == gtzan.N_FILTERED
        == {"train": 443, "valid": 197, "test": 290}
    )
    names = [name for side in lists.values() for name in side]
    assert len(set(names)) == 930
    assert {name.partition(".")[0] for name in names} == set(gtzan.GENRES)
    assert "jazz.00054" in lists["train"]


def test_without_lists_the_published_division_holds(small):
    table = gtzan.load(small).set_index("clip_id")
    expected = {name: side for side, names in gtzan._published().items() for name in names}
    assert table["split"].to_dict() == {name: expected[name] for name in table.index}
    assert "Fault-filtered division from the lists in torchaudio." in table.attrs["notes"]
    assert table["label"].tolist() == table["genre"].tolist()


def test_lists_beside_the_audio_come_first(small, tmp_path):
    write_lists(small, train=["rock.00099", "pop.00001"], valid=["blues.00012"], test=["jazz.00003"])
    table = gtzan.load(small).set_index("clip_id")
    assert table["split"].to_dict() == {"blues.00012": "valid", "jazz.00003": "test", "rock.00099": "train"}
    notes = table.attrs["notes"]
    assert "Fault-filtered division from files beside the audio." in notes
    assert "1 clips are left out as faulty: repetitions, distortions or wrong labels." in notes
    assert "Clips that are there: train 1 of 2, valid 1 of 1, test 1 of 1." in notes
    assert table.attrs["missing_genres"] == ["classical", "country", "disco", "hiphop", "metal", "pop", "reggae"]
    assert set(table["evidence"]) == {"excerpt"}
    assert datasets.find_root("gtzan", tmp_path) == small


def test_some_lists_only_are_refused(small):
    write_lists(small, train=["rock.00099"])
    (small / "test_filtered.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks test_filtered\.txt"):
        gtzan.load(small)


@pytest.mark.parametrize("sides", [{"train": ["rock.00099"], "test": ["rock.00099"]}, {"train": ["1"], "valid": ["2"]}])
def test_lists_that_contradict_themselves_are_refused(small, sides):
    write_lists(small, **sides)
    with pytest.raises(ValueError, match="name a clip twice, or what is no clip of GTZAN"):
        gtzan.load(small)


def test_drawn_division_is_stratified_and_seeded(tmp_path):
    for genre in ("pop", "metal"):
        for number in range(20):
            write_noise(tmp_path / genre / f"{genre}.{number:05d}.wav", seconds=0.05, seed=number)
    table = gtzan.load(tmp_path, split="stratified", seed=3)
    counts = Counter(zip(table["genre"], table["split"], strict=True))
    assert all(
        counts[genre, side] == round(20 * gtzan.N_FILTERED[side] / 930)
        for genre in ("pop", "metal")
        for side in ("valid", "test")
    )
    assert table.equals(gtzan.load(tmp_path, split="stratified", seed=3))
    assert not table["split"].equals(gtzan.load(tmp_path, split="stratified", seed=4)["split"])
    assert "artists may be on several sides" in table.attrs["notes"][0]


def test_original_au_files_are_read(tmp_path):
    (tmp_path / "jazz").mkdir()
    samples = np.random.default_rng(0).integers(-9999, 9999, RATE).astype(np.int16)
    soundfile.write(tmp_path / "jazz" / "jazz.00003.au", samples, RATE, format="AU", subtype="PCM_16")
    assert gtzan.load(tmp_path)["duration"].tolist() == [1.0]


def test_bad_files_and_names_are_listed(small):
    (small / "genres" / "jazz" / "jazz.00003.wav").write_text("<html>")
    write_noise(small / "genres" / "jazz" / "solo.wav")
    write_noise(small / "genres" / "rock" / "pop.00000.wav")
    write_noise(small / "genres" / "loose.wav")
    table = gtzan.load(small, split="stratified")
    assert table.set_index("clip_id").loc["pop.00000", "genre"] == "rock"
    reasons = {problem["path"].rpartition("/")[2]: problem["reason"] for problem in table.attrs["problems"]}
    assert reasons["jazz.00003.wav"].startswith("not readable as audio")
    assert reasons["solo.wav"] == "its name has not the form <genre>.NNNNN"
    assert reasons["pop.00000.wav"] == "named after pop in the folder of rock"
    assert "1 audio files lie in no genre's folder and are not used." in table.attrs["notes"]


def test_windows_and_evidence(small, monkeypatch):
    windows = validate_table(gtzan.load(small, seconds=0.4, split="stratified"))
    assert windows.groupby("file").size().eq(3).all()
    (small / "SYNTHETIC.json").write_text("{}")
    assert set(gtzan.load(small)["evidence"]) == {"synthetic"}
    (small / "SYNTHETIC.json").unlink()
    monkeypatch.setattr(gtzan, "N_FILTERED", {"train": 2, "valid": 1, "test": 1})
    assert set(gtzan.load(small)["evidence"]) == {"full"}


def test_refusals(tmp_path, small):
    with pytest.raises(FileNotFoundError, match="holds no GTZAN"):
        gtzan.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="split must be one of 'fault_filtered', 'stratified', not 'random'"):
        gtzan.load(small, split="random")
    write_lists(small, train=["pop.00001"], valid=["pop.00002"], test=["pop.00003"])
    with pytest.raises(FileNotFoundError, match=r"none of 4 clips .* is in the fault-filtered lists"):
        gtzan.load(small)


def test_real_excerpts_are_on_all_sides(real_data):
    root = datasets.find_root("gtzan", real_data / "restricted")
    if root is None:
        pytest.skip("no excerpts of GTZAN")
    table = gtzan.load(root)
    assert set(table["genre"]) == {"classical", "country"}
    assert set(table["split"]) == {"train", "valid", "test"}
    assert table["duration"].between(29.9, 30.7).all()
