"""Several layers at once, each on a thread of its own, so that the bits depend on no number of threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from adapterkit.base.parallel import usable_cores

T = TypeVar("T")
R = TypeVar("R")

# Each of them holds the dense change of one layer: 180 MB for 11,008 x 4,096.
_AT_ONCE = 4


def each_layer(function: Callable[[T], R], layers: Iterable[T]) -> Generator[R, None, None]:
    """Map over layers, in order, as many at once as there are cores, four at most.

    torch shares single products and sums out among threads, which adds them up in another order for another number of
    threads; and its threads wait for each other by spinning, after each of many small steps: where another process has
    the second core, a merge took 20 times as long as on one thread. So within a layer there is one thread.
    The number of threads is the process's own, and is put back at the end: close the iterator (`contextlib.closing`).

    Args:
        function: of one layer.
        layers: what it is given.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    # torch keeps the number by thread as well.
    pool = ThreadPoolExecutor(min(usable_cores(), _AT_ONCE), initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(function, layers)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
