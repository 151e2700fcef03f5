"""What memory the process holds, and how what it has freed goes back to the system, where the allocator keeps it."""

from __future__ import annotations

import ctypes
import functools
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any


def resident_memory() -> int | None:
    """Bytes of physical memory that this process holds; null where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_memory() -> int:
    """Bytes of physical memory that this process held at most so far, on Linux; elsewhere another unit."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# Products of one shape each. A training step takes some 30; the fused forward pass rounds the number of tokens, so that
# a training meets some ten sets of them.
PRIMITIVES = 512


def bound_primitives() -> None:
    """Let oneDNN keep 512 compiled products instead of 1024; to be called before the first product in bfloat16.

    It compiles one for every shape, each takes 1.35 MB, and every batch of another number of tokens brings new ones
    where nobody rounds it: some 30 MB a step, 1.4 GB after 50. What the user has set in
    `ONEDNN_PRIMITIVE_CACHE_CAPACITY` stands.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PRIMITIVES))


def release_freed() -> None:
    """Return what glibc keeps of freed memory; elsewhere nothing happens.

    A base leaves hundreds of megabytes of freed copies behind when it is loaded, and a step its activations. What is
    allocated next in large pieces comes from the system and not from there, so that both would count in the peak.
    """
    if (trim := _malloc_trim()) is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], Any] | None:
    try:
        found: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return found
