"""Clips shared out among processor threads, each computing alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["map_blocks"]

Block = TypeVar("Block")
Result = TypeVar("Result")


def map_blocks(function: Callable[[Block], Result], blocks: Sequence[Block]) -> list[Result]:
    """Apply a function to each block, on as many threads as torch would use for one operation.

    Parameters
    ----------
    function : callable
        Runs without gradients; nearly all its time must be spent in torch or numpy, which let other threads run.
    blocks : sequence

    Returns
    -------
    list
        In the order of the blocks; independent of the number of threads.

    Notes
    -----
    A clip's operations are too small to be split: threads that meet after each one wait longer than they work, and
    on a busy machine several times as long.
    """
    # a thread of the pool starts outside the caller's inference mode and could not write to its tensors
    inference = torch.is_inference_mode_enabled()

    def without_gradients(block: Block) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return function(block)

    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, len(blocks))
    if n_workers <= 1:
        return [without_gradients(block) for block in blocks]
    try:
        with ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(without_gradients, blocks))
    finally:
        # the workers' setting is the default of threads that start later
        torch.set_num_threads(n_threads)
