"""Noise in files and the clip tables of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from reprise.data.table import split_clips

RATE = 8000


def pcm(seconds, *, seed=0, channels=1):
    shape = (int(seconds * RATE), channels) if channels > 1 else int(seconds * RATE)
    return np.random.default_rng(seed).integers(-32768, 32768, shape).astype(np.int16)


def write_noise(path, *, seconds=1.0, seed=0):
    """Write a file of noise, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, pcm(seconds, seed=seed), RATE)
    return path


def clip_table(paths, *, seconds=1.0, remainder="pad"):
    durations = [soundfile.info(path).duration for path in paths]
    files = pd.DataFrame({"clip_id": [Path(p).stem for p in paths], "path": paths, "duration": durations})
    files = files.assign(group=files["clip_id"], split="train", evidence="synthetic")
    return split_clips(files, seconds=seconds, short="pad", remainder=remainder)


def one_clip(path, *, duration=1.0):
    row = {"clip_id": "x", "path": path, "start": 0.0, "duration": duration}
    return pd.DataFrame([row | {"group": "g", "split": "train", "evidence": "synthetic"}])
