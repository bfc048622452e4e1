"""A listening test as one web page that needs no network: hidden reference, low anchor, ratings saved as CSV."""

import base64
import hashlib
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy import signal

from reprise.files import canonical_json, write_text
from reprise.stats.ratings import REFERENCE

__all__ = ["ANCHOR", "MOST_STIMULI", "Screen", "low_anchor", "write_listening_page"]

TEMPLATE = Path(__file__).with_name("listening_page.html")
ANCHOR = "anchor"
# every stimulus has a key of its own: nine digits, and the letters but for that of the reference
MOST_STIMULI = 34
ANCHOR_HZ, ANCHOR_STOP_HZ, ANCHOR_STOP_DB = 3500.0, 4000.0, 60.0
INTRODUCTION = "You will hear short pieces of singing, each in several versions."


@dataclass(frozen=True)
class Screen:
    """One page of the test: versions of one sound.

    Attributes
    ----------
    name : str
        Of this page; listeners do not see it.
    reference : ndarray [shape=(time,)], in [−1, 1]
    stimuli : mapping of str to ndarray [shape=(time,)], in [−1, 1]
        Versions of the same length; the hidden reference and the anchor are added.
    item : str or None
        What is played, where several pages play the same. Default: the name.
    """

    name: str
    reference: np.ndarray
    stimuli: Mapping[str, np.ndarray]
    item: str | None = None


def low_anchor(y: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """Low-pass of a recording, which every listener hears to be worse.

    Parameters
    ----------
    y : ndarray [shape=(time,)]
    sample_rate : int, Hz
        Above 8 kHz.

    Returns
    -------
    ndarray [shape=(time,)]
        Flat to 3.5 kHz, 60 dB down from 4 kHz on, without delay.

    Raises
    ------
    ValueError
        If the rate is too low to lack anything.

    Notes
    -----
    ITU-R BS.1534-3, section 5.1, asks for 25 dB at 4 kHz and 50 dB at 4.5 kHz.
    """
    if sample_rate <= 2 * ANCHOR_STOP_HZ:
        raise ValueError(f"at {sample_rate} Hz a low-pass at 3.5 kHz changes nothing; the rate must exceed 8000 Hz")
    half = sample_rate / 2
    n_taps, beta = signal.kaiserord(ANCHOR_STOP_DB, (ANCHOR_STOP_HZ - ANCHOR_HZ) / half)
    n_taps |= 1
    taps = signal.firwin(n_taps, (ANCHOR_HZ + ANCHOR_STOP_HZ) / 2, window=("kaiser", beta), fs=sample_rate)
    padded = np.pad(np.asarray(y, dtype=np.float64), n_taps // 2)
    return signal.oaconvolve(padded, taps, mode="valid")


def write_listening_page(
    folder: str | Path,
    *,
    screens: Sequence[Screen],
    sample_rate: int,
    title: str,
    introduction: str = INTRODUCTION,
    name: str = "listening_test.html",
) -> Path:
    """Write the page.

    Parameters
    ----------
    folder : str or Path
    screens : sequence of Screen
        Their order, and that of the stimuli, is drawn anew whenever the page is opened.
    sample_rate : int, Hz
    title : str
    introduction : str
        Plain text before the instructions.
    name : str
        Of the file.

    Returns
    -------
    Path
        The page, sounds included: some 64 kB per second of sound at 24 kHz. It can be sent by mail or put on any web
        server; the CSV that it saves is for :func:`reprise.stats.ratings.read_ratings`. The same sounds and names give
        the same file, and the test's identity is their hash.

    Raises
    ------
    ValueError
        If there is no screen, names are taken twice, sounds differ in length, or a sound is not finite or beyond
        [−1, 1]; the message names it.

    Notes
    -----
    After ITU-R BS.1534-3 (MUSHRA): hidden reference, low anchor, ratings from 0 to 100, switching at the same moment.
    Unlike there, one anchor, and no training phase.
    """
    if not screens:
        raise ValueError("there is no screen; give at least one, with a reference and a stimulus")
    names = [screen.name for screen in screens]
    twice = [screen for screen in names if names.count(screen) > 1]
    if twice:
        raise ValueError(f"two screens are called {twice[0]!r}; ratings could not be told apart")
    pages = [_screen(screen, sample_rate=sample_rate) for screen in screens]
    identity = hashlib.sha256(canonical_json(pages).encode()).hexdigest()[:12]
    # in a script element nothing is escaped, so the text must not be able to end it
    data = json.dumps({"id": identity, "screens": pages}, ensure_ascii=True).replace("<", "\\u003c")
    page = TEMPLATE.read_text(encoding="utf-8")
    # the data last: it may hold anything
    for mark, text in (("%TITLE%", html.escape(title)), ("%INTRODUCTION%", f"<p>{html.escape(introduction)}</p>")):
        page = page.replace(mark, text.replace("%", "&#37;"))
    path = Path(folder) / name
    write_text(path, page.replace("%DATA%", data))
    return path


def _screen(screen: Screen, *, sample_rate: int) -> dict[str, Any]:
    """A screen as the page's script reads it; every sound is in it once."""
    reserved = {REFERENCE, ANCHOR} & set(screen.stimuli)
    if reserved:
        raise ValueError(
            f"screen {screen.name!r}: {min(reserved)!r} is added by the page; give the stimulus another name"
        )
    if not 1 <= len(screen.stimuli) <= MOST_STIMULI - 2:
        raise ValueError(
            f"screen {screen.name!r} has {len(screen.stimuli)} stimuli; it can have 1 to {MOST_STIMULI - 2}"
        )
    _check_sound(screen.reference, where=f"the reference of screen {screen.name!r}")
    # the filter may ring beyond full scale
    anchor = np.clip(low_anchor(screen.reference, sample_rate=sample_rate), -1.0, 1.0)
    versions = {REFERENCE: screen.reference, ANCHOR: anchor, **screen.stimuli}
    sounds: list[str] = []
    stimuli: list[dict[str, Any]] = []
    for name, samples in versions.items():
        where = f"{name!r} of screen {screen.name!r}"
        if np.shape(samples) != np.shape(screen.reference):
            raise ValueError(f"{where} has shape {np.shape(samples)}, its reference {np.shape(screen.reference)}")
        _check_sound(samples, where=where)
        sound = _wav(samples, sample_rate=sample_rate)
        if sound not in sounds:
            sounds.append(sound)
        stimuli.append({"name": name, "sound": sounds.index(sound)})
    item = screen.name if screen.item is None else screen.item
    return {"name": screen.name, "item": item, "reference": 0, "stimuli": stimuli, "sounds": sounds}


def _check_sound(samples: np.ndarray, *, where: str) -> None:
    values = np.asarray(samples)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{where} has shape {values.shape}, not (time,)")
    if not np.isfinite(values).all() or np.abs(values).max() > 1.0:
        raise ValueError(f"{where} is not finite or beyond [-1, 1]; scale all sounds of a screen alike")


def _wav(samples: np.ndarray, *, sample_rate: int) -> str:
    stream = io.BytesIO()
    soundfile.write(stream, np.asarray(samples, dtype=np.float64), sample_rate, format="WAV", subtype="PCM_16")
    return base64.b64encode(stream.getvalue()).decode()
