"""A synthetic IRMAS: eleven procedural instruments in the original's folders, names, labels and imbalance."""

from pathlib import Path
from typing import Any

from reprise.data.synthetic.ensembles import Balance, Clip, render
from reprise.data.synthetic.folder import generate, write_clips
from reprise.data.synthetic.irmas_plan import plan_testing, plan_training

__all__ = ["PRESETS", "TESTING", "TRAINING", "plan", "write"]

FORMAT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"training": 44, "testing": 24, "songs": 9, "test_seconds": (5.0, 7.0), "sample_rate": 22050},
    "demo": {"training": 330, "testing": 120, "songs": 30, "test_seconds": (5.0, 20.0), "sample_rate": 44100},
}

TRAINING = Balance(labelled=(0.0, 0.0), company=(-18.0, -6.0), drums=(-18.0, -8.0))
TESTING = Balance(labelled=(-6.0, 0.0), company=(-20.0, -9.0), drums=(-16.0, -5.0))


def plan(
    *, seed: int, training: int, testing: int, songs: int, test_seconds: tuple[float, float]
) -> tuple[list[Clip], list[Clip]]:
    """All clips of a data set.

    Parameters
    ----------
    seed : int
    training, testing : int
        Clips of each side.
    songs : int
        That the testing clips are from.
    test_seconds : (float, float), s

    Returns
    -------
    (list of Clip, list of Clip)
        Training clips and testing clips.
    """
    return (
        plan_training(seed=seed, clips=training),
        plan_testing(seed=seed, clips=testing, songs=songs, seconds=test_seconds),
    )


def _check(
    training: int, testing: int, songs: int, test_seconds: tuple[float, float], sample_rate: int, workers: int | None
) -> None:
    low, high = test_seconds
    if not 33 <= training <= 100_000:
        raise ValueError(f"training must lie in [33, 100000], three clips per instrument or more, not {training}")
    if not 1 <= songs <= testing <= 100_000 or testing < 22:
        raise ValueError(f"testing must lie in [22, 100000] and songs in [1, testing], not {testing} and {songs}")
    if not 0.5 <= low <= high <= 60:
        raise ValueError(f"test_seconds must be (shortest, longest) in [0.5, 60], not {test_seconds}")
    if not 8000 <= sample_rate <= 192000:
        raise ValueError(f"sample_rate must lie in [8000, 192000], not {sample_rate}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")


def write(
    root: Path,
    *,
    seed: int = 0,
    training: int = PRESETS["demo"]["training"],
    testing: int = PRESETS["demo"]["testing"],
    songs: int = PRESETS["demo"]["songs"],
    test_seconds: tuple[float, float] = PRESETS["demo"]["test_seconds"],
    sample_rate: int = 44100,
    workers: int | None = None,
) -> Path:
    """Write ``root/IRMAS``, unless the same one is there.

    Parameters
    ----------
    root : Path
        Folder of data sets.
    seed : int
    training : int, in [33, 100000]
        Clips of 3 s, one label each.
    testing : int, in [22, 100000]
        Clips with one to five labels.
    songs : int, in [1, testing]
        That the testing clips are from.
    test_seconds : (float, float), s, in [0.5, 60]
        Shortest and longest testing clip.
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
        If ``root/IRMAS`` is a folder that was not written here.
    """
    _check(training, testing, songs, test_seconds, sample_rate, workers)
    sizes: dict[str, Any] = {"training": training, "testing": testing, "songs": songs}
    parameters = {
        "dataset": "irmas",
        "format_version": FORMAT_VERSION,
        "seed": seed,
        **sizes,
        "test_seconds": [float(value) for value in test_seconds],
        "sample_rate": sample_rate,
        "balance": {"training": TRAINING.plain(), "testing": TESTING.plain()},
    }

    def fill(folder: Path) -> None:
        train, test = plan(seed=seed, test_seconds=test_seconds, **sizes)
        balances = {clip.path: TRAINING for clip in train} | {clip.path: TESTING for clip in test}
        write_clips(
            [*train, *test],
            lambda clip: render(clip, seed=seed, sample_rate=sample_rate, balance=balances[clip.path]),
            folder=folder,
            sample_rate=sample_rate,
            workers=workers,
            name="IRMAS",
        )
        for clip in test:
            # the original ends each line with a tabulator
            text = "".join(f"{code}\t\n" for code in clip.labels)
            (folder / clip.path).with_suffix(".txt").write_text(text, encoding="utf-8", newline="\n")

    return generate(Path(root).expanduser() / "IRMAS", parameters=parameters, fill=fill)
