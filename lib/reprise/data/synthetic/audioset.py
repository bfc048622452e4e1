"""A synthetic AudioSet: the instruments of the synthetic IRMAS in other hands, heard by cameras in live rooms."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from reprise.data.datasets.audioset import MIDS
from reprise.data.synthetic.ensembles import Balance, Clip, company, deal, quotas, render
from reprise.data.synthetic.folder import generate, write_clips
from reprise.seeds import numpy_generator

__all__ = ["BALANCE", "PRESETS", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"clips": 33, "sample_rate": 22050},
    "demo": {"clips": 150, "sample_rate": 44100},
}

BALANCE = Balance(
    labelled=(-9.0, 0.0), company=(-16.0, -6.0), drums=(-12.0, -4.0), n_channels=1, rough=True, spoken=0.5
)

SECONDS = 10.0
# labels of the paper's training side, read off its Figure 2.13
_LABELS = {
    "cel": 1769.0,
    "cla": 1259.0,
    "flu": 1480.0,
    "gac": 1449.0,
    "gel": 1535.0,
    "org": 1452.0,
    "pia": 1697.0,
    "sax": 1457.0,
    "tru": 1529.0,
    "vio": 1929.0,
    "voi": 1413.0,
}
_LABELS_PER_CLIP = {"1": 12450.0, "2": 2000.0, "3": 148.0}
_GENRES = {"cla": 0.25, "cou_fol": 0.15, "jaz_blu": 0.2, "lat_sou": 0.05, "pop_roc": 0.35}
_COMPANIONS = (0.55, 0.35, 0.1)
_DRUMS = 0.15

# index and name of each identifier in class_labels_indices.csv
_NAMES = {
    "/m/05zppz": (1, "Male speech, man speaking"),
    "/m/02zsn": (2, "Female speech, woman speaking"),
    "/m/01h8n0": (4, "Conversation"),
    "/m/02qldy": (5, "Narration, monologue"),
    "/m/0l14jd": (28, "Choir"),
    "/t/dd00003": (32, "Male singing"),
    "/t/dd00004": (33, "Female singing"),
    "/t/dd00005": (34, "Child singing"),
    "/m/02sgy": (141, "Electric guitar"),
    "/m/042v_gx": (143, "Acoustic guitar"),
    "/m/05r5c": (153, "Piano"),
    "/m/01s0ps": (154, "Electric piano"),
    "/m/013y1f": (155, "Organ"),
    "/m/07gql": (187, "Trumpet"),
    "/m/07y_7": (191, "Violin, fiddle"),
    "/m/0d8_n": (192, "Pizzicato"),
    "/m/01xqw": (193, "Cello"),
    "/m/0l14j_": (196, "Flute"),
    "/m/06ncr": (197, "Saxophone"),
    "/m/01wy6": (198, "Clarinet"),
}
# listed, but without audio here: what the loader leaves out, and what is not available any more
_WITHOUT_AUDIO = (("/m/07y_7", "/m/0d8_n"), ("/m/05r5c", "/m/01s0ps"), ("/m/06ncr",))


def plan(*, seed: int, clips: int) -> list[Clip]:
    """All clips with their labels.

    Parameters
    ----------
    seed : int
    clips : int

    Returns
    -------
    list of Clip
        One piece each, of 10 s; ``path`` bears the identifier and the start.
    """
    rng = numpy_generator(seed, "synthetic audioset")
    numbers = quotas(clips, _LABELS_PER_CLIP)
    sizes = rng.permutation(np.repeat([int(name) for name in numbers], list(numbers.values())))
    counts = quotas(int(sizes.sum()), _LABELS, fewest=2)
    planned = []
    for k, ((labels,), genre) in enumerate(
        zip(
            deal([[int(size)] for size in sizes], counts, rng=rng),
            rng.choice(list(_GENRES), p=list(_GENRES.values()), size=clips),
            strict=True,
        )
    ):
        others = company(str(genre), labels, n=int(rng.choice(3, p=_COMPANIONS)), rng=rng)
        start = 10 * int(rng.integers(0, 18))
        path = f"audio/{_identifier(k)}_{start}.wav"
        drums = bool(rng.uniform() < _DRUMS)
        planned.append(Clip(k, path, f"video {k}", str(genre), labels, others, drums, SECONDS))
    return planned


def _identifier(number: int) -> str:
    """Of eleven characters, as those of videos, and not to be taken for one of them."""
    return f"synth-{number:05d}"


def _mids(clip: Clip, rng: np.random.Generator) -> list[str]:
    """Identifiers for a clip's labels; there are several kinds of voice."""
    return [str(rng.choice([mid for mid, code in MIDS.items() if code == label])) for label in clip.labels]


def _lists(clips: list[Clip], *, seed: int) -> dict[str, str]:
    """Content of the two lists: one clip in five is listed for evaluation."""
    rng = numpy_generator(seed, "synthetic audioset identifiers")
    rows: dict[str, list[tuple[str, float, list[str]]]] = {"balanced_train": [], "eval": []}
    for k, clip in enumerate(clips):
        stem = Path(clip.path).stem
        start = float(stem.rpartition("_")[2])
        rows["eval" if k % 5 == 4 else "balanced_train"].append((_identifier(k), start, _mids(clip, rng)))
    for k, mids in enumerate(_WITHOUT_AUDIO, start=len(clips)):
        rows["balanced_train"].append((_identifier(k), 30.0, list(mids)))
    texts = {}
    for name, listed in rows.items():
        head = [f"# procedural audio, no video; seed {seed}", f"# num_ytids={len(listed)}"]
        head.append("# YTID, start_seconds, end_seconds, positive_labels")
        lines = [f'{ytid}, {start:.3f}, {start + SECONDS:.3f}, "{",".join(mids)}"' for ytid, start, mids in listed]
        texts[f"{name}_segments.csv"] = "\n".join([*head, *lines]) + "\n"
    return texts


def _class_list() -> str:
    """The part of class_labels_indices.csv that the instruments need."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("index", "mid", "display_name"))
    writer.writerows((index, mid, name) for mid, (index, name) in _NAMES.items())
    return text.getvalue()


def _check(clips: int, sample_rate: int, workers: int | None) -> None:
    if not 22 <= clips <= 99_000:
        raise ValueError(f"clips must lie in [22, 99000], two per instrument or more, not {clips}")
    if not 8000 <= sample_rate <= 192000:
        raise ValueError(f"sample_rate must lie in [8000, 192000], not {sample_rate}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")


def write(
    root: Path,
    *,
    seed: int = 0,
    clips: int = PRESETS["demo"]["clips"],
    sample_rate: int = 44100,
    workers: int | None = None,
) -> Path:
    """Write ``root/AudioSet``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    clips : int, in [22, 99000]
        Of 10 s, with one to three labels.
    sample_rate : int, Hz, in [8000, 192000]
    workers : int, >= 1, optional
        Threads; default one per processor.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If a size is out of its range.
    FileExistsError
        If ``root/AudioSet`` is a folder that was not written here.
    """
    _check(clips, sample_rate, workers)
    parameters = {
        "dataset": "audioset",
        "format_version": FORMAT_VERSION,
        "seed": seed,
        "clips": clips,
        "sample_rate": sample_rate,
        "balance": BALANCE.plain(),
    }

    def fill(folder: Path) -> None:
        planned = plan(seed=seed, clips=clips)
        write_clips(
            planned,
            lambda clip: render(clip, seed=seed, sample_rate=sample_rate, balance=BALANCE),
            folder=folder,
            sample_rate=sample_rate,
            workers=workers,
            name="AudioSet",
        )
        for name, text in (_lists(planned, seed=seed) | {"class_labels_indices.csv": _class_list()}).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")

    return generate(Path(root).expanduser() / "AudioSet", parameters=parameters, fill=fill)
