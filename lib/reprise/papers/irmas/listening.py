"""What a trained network says of single windows of one clip."""

import numpy as np
import torch

from reprise.papers.irmas.corpus import Corpus
from reprise.papers.irmas.inputs import Inputs
from reprise.papers.irmas.networks import load_network
from reprise.papers.irmas.trials import IrmasTrial
from reprise.runs import StoredTrial

__all__ = ["window_probabilities"]


@torch.no_grad()
def window_probabilities(stored: StoredTrial, trial: IrmasTrial, *, corpus: Corpus, row: int) -> np.ndarray:
    """Probabilities of each instrument in each window of a clip.

    Parameters
    ----------
    stored : StoredTrial
    trial : IrmasTrial
        What was stored.
    corpus : Corpus
        The set that was trained on.
    row : int
        Of the clip in ``corpus.table``.

    Returns
    -------
    ndarray [shape=(n_windows, n_classes)], 0 to 1
        In the order of the windows; the last one may be filled up with zeros.

    Notes
    -----
    Paper: Ferković and Smoljan 2023, section 4.7. Notebook: 05_irmas.ipynb.
    """
    n_samples = int(corpus.bank.lengths[row])
    inputs = Inputs(corpus, trial.inputs, None, "cpu")
    windows = inputs.train(corpus.bank.batch(np.array([row]), length=n_samples), np.array([n_samples]))
    return torch.sigmoid(load_network(stored).eval()(windows)).float().numpy()
