"""Clips shared out among processor threads, each computing alone."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

__all__ = ["map_blocks"]

Block = TypeVar("Block")
Result = TypeVar("Result")

_here = threading.local()


def _begin() -> None:
    """Make a thread of the pool compute alone."""
    _here.in_pool = True
    # the first question sets a thread to torch's common number, which would undo an earlier setting
    torch.get_num_threads()
    torch.set_num_threads(1)


@cache
def _pool(n_threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that stay, with the memory they work in; a forked process needs its own."""
    return ThreadPoolExecutor(n_threads, f"clips-{process}", initializer=_begin)


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
    on a busy machine several times as long. A function may call this one: in a thread of the pool blocks are computed
    one after another, as threads that wait for others of their own pool would wait for ever.
    """
    # a thread of the pool starts outside the caller's inference mode and could not write to its tensors
    inference = torch.is_inference_mode_enabled()

    def without_gradients(block: Block) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return function(block)

    n_threads = 1 if getattr(_here, "in_pool", False) else torch.get_num_threads()
    if min(n_threads, len(blocks)) <= 1:
        return [without_gradients(block) for block in blocks]
    try:
        return list(_pool(n_threads, os.getpid()).map(without_gradients, blocks))
    finally:
        # the workers' setting is the default of threads that start later
        torch.set_num_threads(n_threads)
