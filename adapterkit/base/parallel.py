"""As many threads as this process may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def usable_cores() -> int:
    """How many cores this process may run on: fewer than the machine has, inside a container or under `taskset`."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Map over items on as many threads as this process may use, in order; hashlib releases the interpreter lock."""
    with ThreadPoolExecutor(max_workers=usable_cores()) as pool:
        return list(pool.map(function, items))
