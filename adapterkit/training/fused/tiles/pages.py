"""Large allocations in large pages, where the system has them: fewer faults, and streams that are not cut."""

from __future__ import annotations

import math
import mmap

import torch

_LARGE, _AT_ONCE = 2 << 20, 64 << 20


def empty(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """An uninitialised tensor with pages of its own."""
    size = math.prod(shape) * dtype.itemsize
    room = mmap.mmap(-1, -(-size // _LARGE) * _LARGE + _LARGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        room.madvise(mmap.MADV_HUGEPAGE)
    whole = torch.frombuffer(room, dtype=torch.uint8)
    start = -whole.data_ptr() % _LARGE
    return whole[start : start + size].view(dtype).view(shape)


class Pool:
    """Hands out tensors that stay, one behind the other: pages of its own for every weight would waste memory."""

    def __init__(self) -> None:
        """Allocate nothing yet."""
        self._memory, self._at = torch.empty(0, dtype=torch.uint8), 0

    def take(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        """An uninitialised tensor."""
        size = math.prod(shape) * dtype.itemsize
        if self._at + size > len(self._memory):
            self._memory, self._at = empty(max(size, _AT_ONCE), dtype=torch.uint8), 0
        found = self._memory[self._at : self._at + size].view(dtype).view(shape)
        self._at += -(-size // 64) * 64
        return found
