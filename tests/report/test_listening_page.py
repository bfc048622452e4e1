"""The listening page: what is in it, that it needs nothing else, and a listener who works through it in a browser."""

import base64
import html.parser
import io
import json
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
import soundfile
from scipy import signal

from reprise.report import listening_page as page
from reprise.report.listening_page import Screen, low_anchor, write_listening_page
from reprise.stats.ratings import read_ratings

RATE = 24000
TITLE = "Versions of a <song>, 100% %DATA%"


def screens(n_seconds=0.2, n_stimuli=3):
    time = np.arange(int(n_seconds * RATE)) / RATE
    rng = np.random.default_rng(0)
    found = []
    for number in range(2):
        tone = 0.4 * np.sin(2 * np.pi * (300 + 200 * number) * time)
        names = ["sawsing", "pwg>limited", 'odd </script> "name",', *map(str, range(n_stimuli))][:n_stimuli]
        stimuli = {name: 0.9 * tone + 0.05 * rng.standard_normal(len(time)) for name in names}
        found.append(Screen(f"page {number}", tone, stimuli, item=f"song {number}, 1 s"))
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_listening_page(tmp_path_factory.mktemp("page"), screens=screens(), sample_rate=RATE, title=TITLE)


class Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.data, self.tags, self.links, self._in = "", [], [], False

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        self._in = attributes.get("id") == "data"
        self.links += [value for name, value in attributes.items() if name in ("src", "href", "action", "poster")]

    def handle_endtag(self, tag):
        self._in = False

    def handle_data(self, data):
        self.data += data if self._in else ""


def parsed(path):
    parser = Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_the_page_holds_every_sound_and_loads_nothing(written):
    parser = parsed(written)
    assert parser.links == []
    assert not {"link", "img", "iframe", "audio"} & set(parser.tags)
    text = written.read_text(encoding="utf-8")
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
    assert "default-src 'none'" in text
    data = json.loads(parser.data)
    assert [screen["name"] for screen in data["screens"]] == ["page 0", "page 1"]
    for screen, given in zip(data["screens"], screens(), strict=True):
        sounds = [soundfile.read(io.BytesIO(base64.b64decode(sound))) for sound in screen["sounds"]]
        assert all(rate == RATE for _, rate in sounds)
        by_name = {stimulus["name"]: sounds[stimulus["sound"]][0] for stimulus in screen["stimuli"]}
        assert set(by_name) == {"reference", "anchor", *given.stimuli}
        np.testing.assert_allclose(by_name["reference"], given.reference, atol=1e-4)
        np.testing.assert_array_equal(by_name["reference"], sounds[screen["reference"]][0])
        for name, samples in given.stimuli.items():
            np.testing.assert_allclose(by_name[name], samples, atol=1e-4)
        assert len(sounds) == len(by_name), "the hidden reference is the reference's own sound"


def test_the_title_is_text_not_markup(written):
    text = written.read_text(encoding="utf-8")
    assert "<h1>Versions of a &lt;song&gt;, 100&#37; &#37;DATA&#37;</h1>" in text
    assert "%TITLE%" not in text


def test_the_same_test_is_the_same_file_and_another_has_another_name(tmp_path, written):
    again = write_listening_page(tmp_path, screens=screens(), sample_rate=RATE, title=TITLE, name="again.html")
    assert again.read_bytes() == written.read_bytes()
    other = write_listening_page(tmp_path, screens=screens()[:1], sample_rate=RATE, title=TITLE)
    assert json.loads(parsed(other).data)["id"] != json.loads(parsed(written).data)["id"]


def test_the_anchor_keeps_what_the_standard_keeps_and_has_no_delay():
    impulse = np.zeros(RATE)
    impulse[RATE // 2] = 1.0
    answer = low_anchor(impulse, sample_rate=RATE)
    assert len(answer) == len(impulse)
    assert np.argmax(answer) == RATE // 2
    gain = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(answer)), 1e-9))
    assert np.abs(gain[:3501]).max() < 0.1
    assert gain[4000:].max() < -59
    taps = answer[RATE // 2 - 300 : RATE // 2 + 301]
    noise = np.random.default_rng(0).standard_normal(3000)
    np.testing.assert_allclose(
        low_anchor(noise, sample_rate=RATE), signal.convolve(noise, taps, mode="same"), atol=1e-9
    )
    with pytest.raises(ValueError, match="8000 Hz"):
        low_anchor(noise, sample_rate=8000)


TONE = np.zeros(4800)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([], "no screen"),
        ([Screen("a", TONE, {"x": TONE})] * 2, "two screens are called 'a'"),
        ([Screen("a", TONE, {"x": TONE[:-1]})], r"'x' of screen 'a' has shape \(4799,\), its reference \(4800,\)"),
        ([Screen("a", TONE, {"x": TONE + 1.01})], r"'x' of screen 'a' is not finite or beyond"),
        ([Screen("a", TONE, {"x": TONE * np.nan})], "not finite"),
        ([Screen("a", TONE[None], {"x": TONE[None]})], r"not \(time,\)"),
        ([Screen("a", TONE, {"anchor": TONE})], "'anchor' is added by the page"),
        ([Screen("a", TONE, {})], "0 stimuli"),
        ([Screen("a", TONE, {str(n): TONE for n in range(33)})], "1 to 32"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(tmp_path, made, words):
    with pytest.raises(ValueError, match=words):
        write_listening_page(tmp_path, screens=made, sample_rate=RATE, title="x")
    assert not list(tmp_path.iterdir())


def test_every_version_has_a_key_of_its_own(written):
    keys = re.search(r'KEYS = "(\w+)"', written.read_text(encoding="utf-8"))[1]
    assert len(set(keys)) == len(keys) == page.MOST_STIMULI
    assert not set("r0") & set(keys)


LISTENER = """
(async () => {
  const $ = (id) => document.getElementById(id), log = [];
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const heard = async (test) => { for (let i = 0; i < 2000 && !test(); i += 1) await wait(10); };
  const key = (name) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
  const on = (button) => document.querySelector(button).getAttribute("aria-pressed") === "true";
  const pressed = () => document.querySelectorAll('[aria-pressed="true"]').length;
  addEventListener("error", (event) => log.push(event.message));
  addEventListener("securitypolicyviolation", (event) => log.push(event.violatedDirective));
  $("rater").value = '=Ann, "A"';
  $("start").click();
  const rows = document.getElementsByClassName("row");
  for (let page = 0; page < 2; page += 1) {
    $("next").click(); log.push($("message").textContent);
    key("0"); await heard(() => on("#reference")); log.push("playing " + pressed());
    for (let i = 1; i < rows.length; i += 1) { key(String(i)); await heard(() => on(`[data-key="${i}"]`)); }
    $("next").click(); log.push($("message").textContent);
    key(String(rows.length)); await heard(() => on(`[data-key="${rows.length}"]`)); log.push("playing " + pressed());
    key(page ? " " : String(rows.length)); log.push("playing " + pressed());
    $("next").click(); log.push($("message").textContent);
    [...rows].forEach((row, index) => {
      const slider = row.querySelector("input");
      slider.value = String(20 * index + page);
      slider.dispatchEvent(new Event("input"));
    });
    if (page) { $("back").click(); $("next").click(); }
    $("next").click(); await wait(20);
  }
  $("save").click(); log.push($("message").textContent);
  console.log("RESULT" + btoa(JSON.stringify({log, csv: $("text").value})) + "END");
})();
"""


def test_a_listener_works_through_the_page_with_the_keyboard(written, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    driven = tmp_path / "driven.html"
    text = written.read_text(encoding="utf-8")
    driven.write_text(text.replace("</body>", f"<script>{LISTENER}</script></body>"), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --autoplay-policy=no-user-gesture-required --mute-audio"
    command = [browser, *flags.split(), "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    lines = []
    with subprocess.Popen([*command, driven.as_uri()], stderr=subprocess.PIPE, text=True) as process:
        timer = threading.Timer(120, process.kill)
        timer.start()
        for line in process.stderr:
            lines.append(line)
            if "END" in line:
                break
        timer.cancel()
        process.terminate()
    found = re.search(r"RESULT(.*?)END", "".join(lines))
    assert found, "".join(lines)
    result = json.loads(base64.b64decode(found[1]))
    one_page = ["Please listen to the reference first.", "playing 1", "Please listen to 5.", "playing 1", "playing 0"]
    one_page += ["Please rate 1, 2, 3, 4, 5; move the slider, even if 50 is right."]
    assert result["log"] == [*one_page, *one_page, "Saved; look among your downloads."]
    (tmp_path / "ratings.csv").write_text(result["csv"], encoding="utf-8")
    ratings = read_ratings(tmp_path / "ratings.csv")
    assert len(ratings) == 10
    assert set(ratings["rater"]) == {'Ann, "A"'}, "a name must not begin a spreadsheet's formula"
    assert set(ratings["stimulus"]) == {"reference", "anchor", *screens()[0].stimuli}
    assert set(ratings["item"]) == {"song 0, 1 s", "song 1, 1 s"}
    assert set(ratings["test"]) == {json.loads(parsed(written).data)["id"]}
    assert ratings.groupby("page")["rating"].apply(sorted).tolist() == [[0, 20, 40, 60, 80], [1, 21, 41, 61, 81]]
    assert (ratings["plays"] == 1).all()
