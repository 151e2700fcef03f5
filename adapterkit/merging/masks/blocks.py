"""A change, a block of rows at a time: the same blocks every time, so that every pass meets the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from adapterkit.merging.factors import Factors

# What stands in the processor's caches while several blocks are worked on.
_ENTRIES = 1 << 16

Mask = Callable[[torch.Tensor, slice], torch.Tensor]
Combination = Callable[[Sequence[torch.Tensor]], torch.Tensor]


def row_blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Cut the rows of a matrix into blocks of four rows or a multiple of it, but for the last."""
    rows = max(4, _ENTRIES // shape[1] // 4 * 4)
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def combined(changes: Sequence[Factors], masks: Sequence[Mask], combination: Combination) -> torch.Tensor:
    """Mask each change and combine them, entry by entry.

    Args:
        changes: of one shape, float64.
        masks: one for each; takes a block and says where it stands, gives the block with zeros where it masks.
        combination: of masked blocks, float64.

    Returns:
        (outputs, inputs), float32.
    """
    shape = changes[0].shape
    found = torch.empty(shape, dtype=torch.float32)
    for rows in row_blocks(shape):
        found[rows] = combination([mask(change.dense(rows), rows) for change, mask in zip(changes, masks, strict=True)])
    return found
