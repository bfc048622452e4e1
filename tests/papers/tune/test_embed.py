"""A user's own folder as vectors: the command, its table, and mistakes that are answered in one line."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from reprise import cli
from reprise.papers.tune import embed as e
from reprise.papers.tune import experiment
from reprise.papers.tune.encoders import build_model
from reprise.papers.tune.stored_encoder import NoEncoder, open_encoder
from reprise.papers.tune.trials import TrialKey
from reprise.runs import Store, TrialResult

RATE, WINDOW = 11025, 2187


@pytest.fixture
def trials(grid):
    return grid()[1]


@pytest.fixture
def stored(trials, tmp_path):
    """An encoder with random weights, stored as a pre-training."""
    trial, store = trials[TrialKey("vanilla_small", "pretrain", 0)], Store(tmp_path / "runs")
    with store.claim(trial):
        return store.commit(trial, TrialResult({}, weights=build_model(trial).state_dict()), seconds=1.0)


@pytest.fixture
def recordings(tmp_path):
    """Two recordings, one of them stereo at another rate and deeper in the folder."""
    folder = tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    soundfile.write(folder / "b.wav", 0.1 * rng.standard_normal(3 * WINDOW + 100), RATE)
    soundfile.write(folder / "deep" / "a.flac", 0.1 * rng.standard_normal((1000, 2)), 22050)
    return folder


def command(stored, source, target):
    return ["embed", "--weights", str(stored.folder), "--in", str(source), "--out", str(target)]


def test_each_recording_is_a_row(stored, recordings, tmp_path, capsys):
    target = tmp_path / "table.csv"
    assert cli.main(command(stored, recordings, target)) == 0
    assert capsys.readouterr().out == f"{target}: 2 recordings, 512 features each, by vanilla_small, seed 0\n"
    frame = pd.read_csv(target)
    assert list(frame.columns) == ["path", "seconds", "n_windows", *(f"e{number}" for number in range(512))]
    assert list(frame["path"]) == ["b.wav", "deep/a.flac"]
    assert list(frame["n_windows"]) == [3, 1]
    np.testing.assert_allclose(frame["seconds"], [(3 * WINDOW + 100) / RATE, 1000 / 22050], atol=1e-6)
    audio = torch.from_numpy(soundfile.read(recordings / "b.wav", dtype="float32")[0])
    windows = audio[: 3 * WINDOW].view(3, WINDOW)
    with torch.no_grad():
        expected = experiment.load_encoder(stored)(windows).mean(dim=0)
    np.testing.assert_allclose(frame.iloc[0, 3:].to_numpy(float), expected, rtol=1e-4, atol=1e-6)


def test_arrays_are_written_without_objects(stored, recordings, tmp_path):
    done = e.embed_folder(recordings, tmp_path / "table.npz", weights=stored.folder)
    assert (done.n_files, done.n_features, done.problems) == (2, 512, [])
    with np.load(done.target, allow_pickle=False) as arrays:
        assert list(arrays["path"]) == ["b.wav", "deep/a.flac"]
        assert arrays["embeddings"].shape == (2, 512)
        assert arrays["embeddings"].dtype == np.float32
        assert list(arrays["n_windows"]) == [3, 1]


def test_a_parquet_table_has_the_same_numbers(stored, recordings, tmp_path):
    for ending in ("parquet", "csv"):
        assert cli.main(command(stored, recordings, tmp_path / f"table.{ending}")) == 0
    table = pd.read_parquet(tmp_path / "table.parquet")
    assert table["e0"].dtype == np.float32
    pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "table.csv"), check_dtype=False, rtol=1e-5)


def test_unusable_recordings_are_named_and_left_out(stored, recordings, tmp_path, capsys):
    (recordings / "broken.wav").write_bytes(b"<html>")
    soundfile.write(recordings / "silent.wav", np.zeros(5000), RATE)
    target = tmp_path / "table.csv"
    assert cli.main(command(stored, recordings, target)) == 0
    out, err = capsys.readouterr()
    assert "2 recordings" in out
    notes = [line for line in err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2
    assert notes[0].startswith("note: left out broken.wav: ")
    assert "silent" in notes[1]


def fails(arguments, *words, capsys):
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    for word in words:
        assert word in lines[0]


def test_mistakes_are_one_line_and_status_2(stored, recordings, tmp_path, capsys):
    target = tmp_path / "table.csv"
    fails(command(stored, recordings, tmp_path / "x.txt"), ".parquet, .csv, .npz", capsys=capsys)
    fails(command(stored, recordings, tmp_path / "no" / "x.csv"), "no folder", capsys=capsys)
    fails(command(stored, tmp_path / "no", target), "no such folder", capsys=capsys)
    (tmp_path / "empty").mkdir()
    fails(command(stored, tmp_path / "empty", target), "file in it", capsys=capsys)
    (tmp_path / "empty" / "x.wav").write_bytes(b"")
    fails(command(stored, tmp_path / "empty", target), "none of 1 files", "x.wav: ", capsys=capsys)
    fails(["embed", "--in", str(recordings), "--out", str(target)], "--weights", capsys=capsys)
    assert not target.exists()


def refused(folder, words):
    with pytest.raises(NoEncoder, match=words) as caught:
        open_encoder(folder)
    assert "\n" not in str(caught.value)


def test_what_is_no_encoder_is_refused_in_one_line(tmp_path):
    refused(tmp_path / "none", "no such folder")
    place = tmp_path / "x"
    place.mkdir()
    refused(place, r"holds no config\.json")
    (tmp_path / "x.part").mkdir()
    refused(tmp_path / "x.part", "unfinished trial")
    for content, words in (
        ("{", "is no JSON"),
        ("[]", "something else"),
        ('{"class": "VocoderTrial"}', "VocoderTrial, no encoder"),
        ('{"class": "ProbeTrial"}', "holds probes"),
        ('{"class": "PretrainTrial"}', "another version"),
    ):
        (place / "config.json").write_text(content)
        refused(place, words)


def test_damage_is_found_and_a_folder_too_high_up_names_one_below(stored, tmp_path):
    assert open_encoder(stored.folder / "weights.safetensors").sample_rate == RATE
    refused(stored.folder.parents[1], re.escape(f"below it there is {stored.folder}"))
    copy = tmp_path / "copy"
    shutil.copytree(stored.folder, copy)
    (copy / "complete.json").unlink()
    refused(copy, r"no complete\.json")
    shutil.copytree(stored.folder, copy, dirs_exist_ok=True)
    content = (copy / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(content[:-1] + b"x")
    refused(copy, "altered after it was written")


def test_the_verb_is_listed_and_needs_no_torch_to_explain_itself():
    script = "import sys; from reprise import cli; cli.main(['embed', '--help']); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "--weights" in out
    assert out.split()[-1] == "False"
