"""Both views of a few clips as a stored network sees them, before and after it learned."""

from torch import Tensor, no_grad

from reprise.papers.tune.encoders import build_model
from reprise.papers.tune.experiment import config_of, load_contrastive
from reprise.papers.tune.outcome import PRETRAIN, Outcome
from reprise.papers.tune.pretraining import Pairs
from reprise.papers.tune.systems import split_condition
from reprise.papers.tune.trials import PretrainTrial, TrialKey

__all__ = ["projected_pairs"]


@no_grad()
def projected_pairs(
    outcome: Outcome, condition: str, *, n: int = 12, trained: bool = True, seed: int | None = None
) -> tuple[Tensor, Tensor]:
    """Projections of two views of some clips.

    Parameters
    ----------
    outcome : Outcome
    condition : str
        One that was pre-trained.
    n : int ≥ 2
        Clips: those that the pre-training was watched on, and where these are too few, those that it learned from.
    trained : bool
        False: with the weights that the network began with.
    seed : int or None
        None: the first one.

    Returns
    -------
    z_a, z_b : Tensor [shape=(n_clips, features)]
        The same views whether trained or not, and at most n clips; for
        :func:`reprise.papers.tune.figures_training.similarity_frame`.

    Raises
    ------
    KeyError
        If the condition was not pre-trained in this run; the message names those that were.

    Notes
    -----
    Paper: Vélez Vásquez and Burgoyne 2022, section 4.1. Notebook: 03_tune.ipynb.
    """
    seeds = outcome.seeds(condition, PRETRAIN)
    if not seeds:
        names = dict.fromkeys(key.condition for key in outcome.stored if key.stage == PRETRAIN)
        raise KeyError(f"{condition!r} was not pre-trained in this run; there are {', '.join(names)}")
    stored = outcome.stored[TrialKey(condition, PRETRAIN, seeds[0] if seed is None else seed)]
    config = config_of(stored)
    if not isinstance(config, PretrainTrial):
        raise KeyError(f"{stored.folder} holds no pre-training")
    clips = outcome.collection.pretraining[split_condition(condition).pretraining]
    rows = clips.rows("valid")
    if len(rows) < n:
        rows = clips.rows("train")
    first, second = Pairs(clips, config, device="cpu").views(rows[:n], "shown")
    model = load_contrastive(stored) if trained else build_model(config).eval()
    return model(first), model(second)
