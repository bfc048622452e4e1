"""Blocks on threads: results in order, settings left alone, and no thread that waits for its own pool."""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate

import pytest
import torch

from reprise.audio import parallel
from reprise.audio.parallel import map_blocks


@pytest.fixture
def two_threads(monkeypatch):
    """A pool of two, also where torch was told to use one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_blocks(two_threads):
    assert map_blocks(lambda block: block**2, range(20)) == [number**2 for number in range(20)]
    assert torch.get_num_threads() == 2


def test_blocks_are_computed_by_more_than_one_thread_and_each_alone(two_threads):
    meeting = threading.Barrier(2, timeout=10)

    def meet(_: int) -> tuple[int, int]:
        meeting.wait()
        return threading.get_ident(), torch.get_num_threads()

    found = map_blocks(meet, range(2))
    assert len({name for name, _ in found}) == 2
    assert {n for _, n in found} == {1}


def test_blocks_within_blocks_do_not_wait_for_their_own_pool(two_threads):
    def outer(block: int) -> list[int]:
        # as if torch had set this thread back to the common number
        torch.set_num_threads(2)
        return map_blocks(lambda inner: 10 * block + inner, range(3))

    # a watcher of its own, so that a pool that is stuck fails the test instead of holding it up
    watcher = ThreadPoolExecutor(1)
    waiting = watcher.submit(map_blocks, outer, range(6))
    try:
        assert waiting.result(timeout=20) == [[10 * block + inner for inner in range(3)] for block in range(6)]
    except TooLate:
        pytest.fail("threads of the pool wait for one another")
    finally:
        watcher.shutdown(wait=False)
        parallel._pool.cache_clear()


def test_gradients_are_off_inside_and_an_error_comes_out(two_threads):
    weight = torch.ones(3, requires_grad=True)
    assert not any(block.requires_grad for block in map_blocks(lambda scale: scale * weight, range(1, 4)))
    with pytest.raises(ZeroDivisionError):
        map_blocks(lambda block: 1 // block, [1, 0, 2])
    assert torch.get_num_threads() == 2
