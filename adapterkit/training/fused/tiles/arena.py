"""Memory of a training step that the next one uses again.

What a step frees goes back to the system piece by piece, and comes back page by page, which takes as long as a tenth of
the step itself.
"""

from __future__ import annotations

import math

import torch

from adapterkit.training.fused.tiles.pages import empty


class Arena:
    """Hands out places in one large allocation, all of which end when the next step begins.

    Attributes:
        taken: how often it was begun anew.
    """

    def __init__(self) -> None:
        """Allocate nothing yet."""
        self.taken, self._at = 0, 0
        self._memory = torch.empty(0, dtype=torch.uint8)
        self._shares = torch.empty(0)

    def begin(self, size: int) -> None:
        """Make room for so many bytes; what was handed out before must not be used any more."""
        self.taken, self._at = self.taken + 1, 0
        if size > len(self._memory):
            del self._memory
            self._memory = empty(size, dtype=torch.uint8)

    def rest(self) -> None:
        """Hold nothing; what was handed out must not be used any more."""
        self.taken, self._at = self.taken + 1, 0
        self._memory, self._shares = torch.empty(0, dtype=torch.uint8), torch.empty(0)

    def take(self, numbers: int, size: int = 2) -> int:
        """The address of so many uninitialised numbers of `size` bytes."""
        found = self._memory.data_ptr() + self._at
        self._at += -(-numbers * size // 64) * 64
        assert self._at <= len(self._memory)
        return found

    def tensor(self, address: int, *shape: int) -> torch.Tensor:
        """What lies at an address that was handed out, bfloat16."""
        start = address - self._memory.data_ptr()
        return self._memory[start : start + 2 * math.prod(shape)].view(torch.bfloat16).view(shape)

    def shares(self, blocks: int, numbers: int) -> torch.Tensor:
        """Float32 (blocks, numbers), the same memory every time."""
        if blocks * numbers > len(self._shares):
            self._shares = torch.empty(blocks * numbers)
        return self._shares[: blocks * numbers].view(blocks, numbers)

    def check(self, taken: int) -> None:
        """Raise RuntimeError where a step that has begun since has overwritten what was handed out."""
        if taken != self.taken:
            raise RuntimeError("backward pass of a step after the next one has begun: its activations are overwritten")
