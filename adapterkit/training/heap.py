"""Keep freed memory in the process: a training step on a CPU frees and asks for the same gigabytes again and again.

glibc serves every tensor above 32 MB at the most by `mmap` and gives it back at once, so that each step faults in
and zeroes some 600,000 pages anew; on two cores that took a fifth of a step's time.
"""

from __future__ import annotations

import ctypes
import platform

# The parameters of mallopt(3), from glibc's <malloc.h>.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc's allocator keep and reuse what tensors free, for the rest of the process.

    The peak stays what it was; the process merely does not shrink between two steps.

    Returns:
        Whether it took: False where the C library is not glibc, or refuses.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = ((_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, 256 << 20))
    return all(libc.mallopt(parameter, value) == 1 for parameter, value in settings)
