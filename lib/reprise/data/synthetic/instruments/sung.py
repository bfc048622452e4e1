"""Voice among the instruments: the singing synthesiser with a melody of any key, or speech."""

import numpy as np
from numpy.typing import NDArray

from reprise.data.synthetic.instruments.makes import Make
from reprise.data.synthetic.instruments.score import NoteList
from reprise.data.synthetic.melodies import POINT_RATE, Line, point_hop, smooth, wander
from reprise.data.synthetic.singers import SINGERS, Singer, draw_singer
from reprise.data.synthetic.techniques import perform

__all__ = ["play_voice", "singer_of"]

Audio = NDArray[np.float32]

_MANNERS = {
    "cla": ("vibrato",),
    "cou_fol": ("straight", "straight", "vibrato"),
    "jaz_blu": ("straight", "vibrato", "breathy"),
    "lat_sou": ("vibrato", "straight"),
    "pop_roc": ("straight", "belt", "belt", "breathy", "vibrato"),
}


def singer_of(make: Make) -> Singer:
    """The singer who is this make of a voice."""
    names = list(SINGERS)
    return draw_singer(names[int(make.traits["singer"]) % len(names)], seed=make.seed)


def play_voice(
    notes: NoteList,
    *,
    make: Make,
    genre: str,
    n_samples: int,
    sample_rate: int,
    rng: np.random.Generator,
    spoken: bool = False,
) -> Audio:
    """Sing a melody on vowels.

    Parameters
    ----------
    notes : NoteList
        Never two at a time.
    make : Make
        Of ``voi``.
    genre : str
        Decides how it is sung.
    n_samples : int
    sample_rate : int, Hz
    rng : numpy.random.Generator
    spoken : bool
        Speak instead.

    Returns
    -------
    ndarray [shape=(n_samples,)], float32
        Dry, of no particular level.
    """
    singer = singer_of(make)
    n_points = -(-n_samples // point_hop(sample_rate))
    n = len(notes)
    time = np.arange(n_points) / POINT_RATE
    note = np.maximum(np.searchsorted(notes.onset, time, side="right") - 1, 0)
    since = time - notes.onset[note]
    after = since - notes.length[note]
    pitch = smooth((notes.pitch + 0.08 * rng.standard_normal(n))[note], seconds=singer.glide) + make.tuning
    pitch += 0.06 * wander(n_points, seconds=0.8, rng=rng) + 0.025 * wander(n_points, seconds=0.08, rng=rng)
    # consonants are short dips; rests are silent
    dips = rng.uniform(1.0, 9.0, n)[note] * np.exp(-np.square(np.maximum(since, 0.0) / 0.03))
    level = 14.0 * (notes.velocity[note] - 0.8) - dips - 60.0 * np.clip(after / 0.12, 0.0, 1.0)
    level = np.where(since < 0.0, -60.0, level) + 1.5 * wander(n_points, seconds=0.6, rng=rng)
    line = Line(
        pitch=pitch,
        level=smooth(level, seconds=0.03),
        vowels=smooth(np.eye(5)[rng.integers(0, 5, n)][note], seconds=0.07),
        since=np.maximum(since, 0.0),
    )
    manners = _MANNERS.get(genre, ("straight",))
    technique = "spoken" if spoken else manners[rng.integers(len(manners))]
    voice = perform(line, technique=technique, singer=singer, sample_rate=sample_rate, rng=rng)
    return voice[:n_samples]
