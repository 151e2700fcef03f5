"""Many small computations on as many threads as PyTorch uses, each computed by one of them alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def on_threads(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Call a function for each item; what it returned, in order, as soon as that is known.

    Shared out one by one, operations as small as these wait for the slowest thread to begin each of them: on a busy
    machine forty times as long as they compute. And what one thread computes is the same bits, however many there are.

    Args:
        function: of one item; called on several threads at a time.
        items: any.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(items) == 1:
        yield from map(function, items)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, items)
    finally:
        # What a thread sets for itself is also what later threads begin with.
        torch.set_num_threads(threads)
