"""Resynthesis of a user's recordings: level, length, rates, refusals in one line, and the verb on the command line."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load, load_file, save_file

from reprise import cli
from reprise.papers.sawsing import synthesis
from reprise.papers.sawsing import vocode as v
from reprise.papers.sawsing.networks import build
from reprise.papers.sawsing.settings import Settings
from reprise.papers.sawsing.stored_vocoder import NoVocoder
from reprise.papers.sawsing.trials import TrialKey

from .sung import HOP, RATE, SETTINGS, outcome


def tone(seconds=0.5, *, rate=RATE, level=0.1):
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def saved(folder, system="sawsing", settings=SETTINGS):
    return v.save_vocoder(build(system, settings), system=system, settings=settings, folder=folder / system)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    torch.manual_seed(0)
    return saved(tmp_path_factory.mktemp("vocoder"))


@pytest.fixture(scope="module")
def vocoder(place):
    return v.load_vocoder(place)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Folder of a stored trial."""
    found = outcome(tmp_path_factory.mktemp("store"), systems=("sawsing",), seeds=(0,))
    return found.stored[TrialKey("sawsing", "limited", "female1", 0)]


@pytest.fixture
def song(tmp_path):
    # soft, because untrained vocoders are loud
    soundfile.write(tmp_path / "song.wav", tone(level=0.002), RATE)
    return tmp_path / "song.wav"


class TestSound:
    @pytest.mark.parametrize("n_samples", [1264, 12000, 12001, 12239])
    @pytest.mark.parametrize("center", [False, True])
    def test_the_output_is_as_long_as_the_input(self, tmp_path, n_samples, center):
        ours = v.load_vocoder(saved(tmp_path, settings=SETTINGS.model_copy(update={"center_mel": center})))
        output = v.vocode(torch.from_numpy(tone(1.0))[:n_samples].expand(2, -1), vocoder=ours)
        assert output.audio.shape == output.harmonic.shape == output.noise.shape == (2, n_samples)
        assert output.f0.shape == (2, -(-n_samples // HOP))
        torch.testing.assert_close(output.audio, output.harmonic + output.noise)

    def test_the_level_of_the_input_comes_back_whatever_it_is(self, vocoder):
        y = torch.from_numpy(tone())
        loud, soft = (v.vocode(factor * y, vocoder=vocoder) for factor in (2.0, 0.25))
        torch.testing.assert_close(loud.audio, 8 * soft.audio, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(loud.f0, soft.f0, rtol=1e-4, atol=0)

    def test_without_a_target_the_level_is_left_alone(self, tmp_path):
        ours = v.load_vocoder(saved(tmp_path, settings=SETTINGS.model_copy(update={"target_rms": None})))
        y = torch.from_numpy(tone())
        assert not torch.allclose(v.vocode(2 * y, vocoder=ours).f0, v.vocode(y, vocoder=ours).f0, rtol=1e-3)

    def test_all_but_the_end_is_what_the_paper_resynthesises(self, vocoder):
        from reprise.audio.vocoder_input import log_mel

        y = torch.from_numpy(tone(1.0))
        gain = 0.02 / y.square().mean().sqrt()
        # attention sees the appended frames, so the network's answers differ a little; its input may not
        padded = torch.nn.functional.pad(y * gain, (0, 1024))[None]
        expected = log_mel(padded)[:, :100]
        found = v._mel(y[None] * gain, vocoder=vocoder)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(found[:, :96], log_mel(y[None] * gain))

    def test_the_seed_decides_the_noise_and_nothing_else(self, vocoder):
        y = torch.from_numpy(tone())
        first, again, other = (v.vocode(y, vocoder=vocoder, seed=seed) for seed in (0, 0, 1))
        assert torch.equal(first.audio, again.audio)
        assert torch.equal(first.harmonic, other.harmonic)
        assert not torch.equal(first.noise, other.noise)

    def test_a_given_pitch_is_sung(self, vocoder):
        y = torch.from_numpy(tone(1.0))
        output = v.vocode(y, vocoder=vocoder, f0=torch.full((100,), 440.0))
        spectrum = torch.fft.rfft(output.harmonic[0, RATE // 4 : 3 * RATE // 4] * torch.hann_window(RATE // 2)).abs()
        frequency = torch.arange(len(spectrum)) * 2.0
        away = ((frequency - 440 * (frequency / 440).round()).abs() > 12) | (frequency < 200)
        assert spectrum[~away].square().sum() > 100 * spectrum[away].square().sum()
        silent = v.vocode(y, vocoder=vocoder, f0=torch.zeros(100))
        assert silent.harmonic.abs().max() < 1e-4 * output.harmonic.abs().max()

    @pytest.mark.parametrize("system", ["pwg", "hifigan", "fastdiff", "nsf", "sawsing_debuzz"])
    def test_every_family_sings(self, tmp_path, system, monkeypatch):
        monkeypatch.setattr(synthesis, "estimate", lambda y, **_: np.full(1 + len(y) // HOP, 220.0, np.float32))
        ours = v.load_vocoder(saved(tmp_path, system))
        output = v.vocode(torch.from_numpy(tone(0.3)), vocoder=ours)
        assert output.audio.shape == (1, 7200)
        assert torch.isfinite(output.audio).all()
        assert ours.has_branches == (output.harmonic is not None)
        if system == "sawsing_debuzz":
            assert not output.harmonic.any(), "half a second is all ends"
        if not ours.has_branches:
            with pytest.raises(v.CannotVocode, match="cannot be given one"):
                v.vocode(torch.from_numpy(tone(0.3)), vocoder=ours, f0=torch.zeros(30))

    @pytest.mark.parametrize(
        ("y", "words"),
        [
            (torch.zeros(1, 12000), "silent: its level is -240 dB"),
            (torch.full((12000,), 5e-5), "silent: its level is -86 dB"),
            (torch.ones(1263), "too short: 1263 samples at 24000 Hz, and two frames take 1264"),
            (torch.ones(12000) / 0, "12000 samples are not finite"),
            (torch.ones(1, 1, 12000), "shape"),
        ],
    )
    def test_what_cannot_be_sung_is_said(self, vocoder, y, words):
        with pytest.raises(v.CannotVocode, match=words):
            v.vocode(y, vocoder=vocoder)

    @pytest.mark.parametrize(
        ("f0", "words"), [(torch.ones(49), "f0 has 49 frames, the recording 50"), (-torch.ones(50), "not negative")]
    )
    def test_a_wrong_pitch_is_refused(self, vocoder, f0, words):
        with pytest.raises(v.CannotVocode, match=words):
            v.vocode(torch.from_numpy(tone()), vocoder=vocoder, f0=f0)


class TestFolders:
    def test_a_stored_trial_is_a_vocoder_with_its_own_settings(self, trial):
        ours = v.load_vocoder(trial.folder)
        assert ours.config.name == "sawsing>limited/female1, seed 0"
        assert ours.config.target_rms == 0.02
        assert ours.config.debuzz is None
        assert not ours.model.training
        for name, value in trial.weights().items():
            assert torch.equal(value, ours.model.state_dict()[name])
        assert v.load_vocoder(trial.folder / "weights.safetensors").config == ours.config

    def test_a_saved_vocoder_comes_back_bit_by_bit(self, tmp_path):
        model = build("dwts", SETTINGS).eval()
        folder = v.save_vocoder(model, system="dwts", settings=SETTINGS, folder=tmp_path / "x" / "y", name="mine")
        ours = v.load_vocoder(folder)
        assert ours.config.name == "mine"
        mel = torch.randn(1, 20, 80)
        draw = (torch.Generator().manual_seed(0) for _ in range(2))
        with torch.no_grad():
            assert torch.equal(*(net(mel, generator=next(draw)).audio for net in (model, ours.model)))

    def test_a_model_of_other_settings_is_not_saved(self, tmp_path):
        with pytest.raises(ValueError, match="check the settings"):
            v.save_vocoder(build("pwg", Settings()), system="pwg", settings=SETTINGS, folder=tmp_path)
        with pytest.raises(ValueError, match="sawsing"):
            v.save_vocoder(torch.nn.Linear(1, 1), system="sawsing", settings=SETTINGS, folder=tmp_path)
        assert not list(tmp_path.iterdir())

    def refused(self, folder, words):
        with pytest.raises(NoVocoder, match=words) as caught:
            v.load_vocoder(folder)
        assert "\n" not in str(caught.value)

    def test_what_is_no_vocoder_is_refused_in_one_line(self, tmp_path):
        self.refused(tmp_path / "none", "no such folder")
        self.refused(tmp_path, "no config.json")
        torch.save({}, tmp_path / "model.pt")
        self.refused(tmp_path / "model.pt", "may hold code and is not read")
        self.refused(tmp_path, "only model.pt, which may hold code")
        (tmp_path / "config.json").write_text("{")
        self.refused(tmp_path, "is no JSON")
        (tmp_path / "config.json").write_text('{"class": "IrmasTrial"}')
        self.refused(tmp_path, "IrmasTrial, no vocoder")
        (tmp_path / "config.json").write_text("[]")
        self.refused(tmp_path, "something else")
        (tmp_path / "config.json").write_text('{"class": "VocoderTrial"}')
        self.refused(tmp_path, "another version")
        (tmp_path / "config.json").write_text('{"class": "VocoderConfig", "name": 3}')
        self.refused(tmp_path, "name: input should be a valid string")
        (tmp_path / "x.part").mkdir()
        self.refused(tmp_path / "x.part", "unfinished trial")

    def test_a_folder_too_high_up_names_one_below(self, trial):
        self.refused(trial.folder.parents[1], re.escape(f"below it there is {trial.folder}"))

    def test_damage_is_found(self, tmp_path, trial):
        copy = tmp_path / "copy"
        shutil.copytree(trial.folder, copy)
        (copy / "complete.json").unlink()
        self.refused(copy, "no complete.json")
        shutil.copytree(trial.folder, copy, dirs_exist_ok=True)
        weights = load_file(copy / "weights.safetensors")
        save_file({name: value + 1 for name, value in weights.items()}, copy / "weights.safetensors")
        self.refused(copy, "altered after it was written")
        (copy / "weights.safetensors").unlink()
        self.refused(copy, r"weights\.safetensors is missing")

    def test_weights_that_are_missing_cut_or_of_another_network_are_refused(self, tmp_path):
        folder = saved(tmp_path, "dwts")
        weights = folder / "weights.safetensors"
        content = weights.read_bytes()
        weights.write_bytes(content[:1000])
        self.refused(folder, "no whole file of safetensors")
        save_file({name: value for name, value in load(content).items() if name != "tables"}, weights)
        self.refused(folder, "does not fit dwts: .*tables")
        weights.unlink()
        self.refused(folder, r"has no weights\.safetensors")


def command(place, source, target, *more):
    return ["vocode", "--weights", str(place), "--in", str(source), "--out", str(target), *more]


class TestCommand:
    def test_a_song_becomes_a_file_and_its_branches(self, place, song, tmp_path, capsys):
        target = tmp_path / "resynth.wav"
        assert cli.main(command(place, song, target, "--branches", "--seed", "3")) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.splitlines()[0] == f"{target}: 0.5 s at 24000 Hz by SawSing"
        sounds = {name: soundfile.read(tmp_path / f"resynth{name}.wav") for name in ("", "_harmonic", "_noise")}
        assert {rate for _, rate in sounds.values()} == {RATE}
        np.testing.assert_allclose(sounds[""][0], sounds["_harmonic"][0] + sounds["_noise"][0], atol=2**-15 * 2)
        expected = v.vocode(
            torch.from_numpy(soundfile.read(song, dtype="float32")[0]), vocoder=v.load_vocoder(place), seed=3
        )
        np.testing.assert_allclose(sounds[""][0], expected.audio[0].clamp(-1, 1).numpy(), atol=2**-15)

    def test_another_rate_is_refused_with_the_way_out_and_then_converted(self, place, tmp_path, capsys):
        soundfile.write(tmp_path / "song.flac", np.stack([tone(rate=44100)] * 2, axis=1), 44100)
        arguments = command(place, tmp_path / "song.flac", tmp_path / "out.flac")
        assert cli.main(arguments) == 2
        err = capsys.readouterr().err
        assert "has 44100 Hz and the vocoder sings at 24000 Hz; --resample converts it" in err
        assert not (tmp_path / "out.flac").exists()
        assert cli.main([*arguments, "--resample"]) == 0
        err = capsys.readouterr().err
        assert "note: resampled from 44100 to 24000 Hz" in err
        assert "note: the mean of 2 channels" in err
        assert soundfile.info(tmp_path / "out.flac").frames == 12000

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (np.zeros(12000), "silent: every sample is zero"),
            (np.tile([5e-5, -5e-5], 6000), "silent: its level is"),
            (tone()[:1000], "too short: 1000 samples"),
            (tone()[:100], "too short"),
            (b"<html>", "HTML page"),
            (b"", "zero bytes"),
        ],
    )
    def test_a_recording_that_cannot_be_used_is_one_line_and_status_2(self, place, tmp_path, capsys, content, words):
        source = tmp_path / "song.wav"
        if isinstance(content, bytes):
            source.write_bytes(content)
        else:
            soundfile.write(source, content, RATE, subtype="FLOAT")
        self.fails(command(place, source, tmp_path / "out.wav"), f"{source}: ", words, capsys=capsys)
        assert not (tmp_path / "out.wav").exists()

    def fails(self, arguments, *words, capsys):
        assert cli.main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert len(err.splitlines()) == 1
        for word in words:
            assert word in err

    def test_targets_are_checked_before_the_work(self, place, song, tmp_path, capsys):
        self.fails(command(place, song, tmp_path / "x.mp3"), ".wav or .flac", capsys=capsys)
        self.fails(command(place, song, tmp_path / "no" / "x.wav"), "no folder", capsys=capsys)
        self.fails(command(place, song, song), "the recording itself", capsys=capsys)
        self.fails(command(place, tmp_path / "no.wav", tmp_path / "x.wav"), "no such file", capsys=capsys)
        self.fails(command(tmp_path / "no", song, tmp_path / "x.wav"), "no such folder", capsys=capsys)
        self.fails(["vocode", "--in", str(song)], "--weights", capsys=capsys)

    def test_a_vocoder_without_branches_says_so(self, tmp_path, song, capsys):
        place = saved(tmp_path, "hifigan")
        self.fails(command(place, song, tmp_path / "x.wav", "--branches"), "HiFi-GAN has no branches", capsys=capsys)
        assert cli.main(command(place, song, tmp_path / "x.wav")) == 0

    def test_clipped_samples_are_counted(self, place, tmp_path, monkeypatch, song):
        monkeypatch.setattr(v, "vocode", lambda y, **_: v.VocoderOutput(3 * torch.ones(1, len(y))))
        done = v.vocode_file(song, tmp_path / "loud.wav", weights=place)
        assert done.notes == ["12000 samples of loud.wav were clipped"]
        assert np.abs(soundfile.read(tmp_path / "loud.wav")[0]).max() <= 1

    def test_the_verb_is_listed_and_needs_no_torch_to_explain_itself(self):
        script = "import sys; from reprise import cli; cli.main(['vocode', '--help']); print('torch' in sys.modules)"
        out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        assert "--branches" in out
        assert out.split()[-1] == "False"
