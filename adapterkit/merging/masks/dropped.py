"""Entries dropped by chance: which ones, seed and layer alone decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

STEPS = 1 << 16


@dataclass(frozen=True)
class Dropped:
    """A mask that keeps each entry with one probability, independently of all others.

    Entry number i, in row-major order, is kept if the i-th uint16 of the raw stream of PCG64 is below 65536 times the
    probability. numpy promises that stream for all its versions, unlike what its Generator makes of it.

    Attributes:
        seed: of the stream.
        level: 65536 times the probability.
    """

    seed: int
    level: int

    @property
    def probability(self) -> float:
        """Of being kept."""
        return self.level / STEPS

    def __call__(self, block: torch.Tensor, rows: slice) -> torch.Tensor:
        """Some rows of the change, zero where they are dropped; the first row's number is a multiple of four."""
        if self.level == STEPS:
            return block
        # A draw of the stream serves four entries.
        stream = np.random.PCG64(self.seed).advance(rows.start * block.shape[1] // 4)
        draws = stream.random_raw((block.numel() + 3) // 4).astype("<u8", copy=False).view("<u2")[: block.numel()]
        kept = (draws < self.level).reshape(block.shape)
        # A product does not branch: filling where a mask says so takes seven times as long.
        return torch.from_numpy(np.multiply(block.numpy(), kept, out=block.numpy()))


def dropped(density: float, seed: int) -> Dropped:
    """A mask with the probability that is nearest to the density among multiples of 1/65536.

    Args:
        density: 1/65536 <= density <= 1.
        seed: 0 or more.
    """
    return Dropped(seed, round(density * STEPS))
