"""The largest entries of a change: exactly so many, found without forming the whole change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from adapterkit.merging.factors import Factors
from adapterkit.merging.masks.blocks import row_blocks

# Changes of up to so many entries are sorted whole, of larger ones a part around the threshold, which a sample shows.
_WHOLE = 1 << 18
_SAMPLE = 1 << 16

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Largest:
    """A mask that keeps the entries above a threshold, and of those equal to it the first ones.

    Attributes:
        threshold: the least magnitude that is kept.
        last: the row-major index of the last entry of just that magnitude that is kept; null: all of them are.
    """

    threshold: float
    last: int | None

    def __call__(self, block: torch.Tensor, rows: slice) -> torch.Tensor:
        """Some rows of the change, zero where they are masked."""
        if self.threshold == 0.0:
            return block
        kept = torch.nn.functional.hardshrink(block, math.nextafter(self.threshold, 0.0))
        if self.last is not None:
            flat = kept.view(-1)
            equal = torch.nonzero(flat.abs() == self.threshold).view(-1)
            flat[equal[equal + rows.start * block.shape[1] > self.last]] = 0.0
        return kept


def largest(change: Factors, density: float) -> Largest:
    """Find the mask that keeps exactly max(1, round(density * entries)) entries of the largest magnitude.

    Of entries of one magnitude the first in row-major order are kept. Magnitudes are those of the change in float64.

    Args:
        change: float64.
        density: 0 < density <= 1.
    """
    entries = change.shape[0] * change.shape[1]
    kept = max(1, round(density * entries))
    if kept == entries:
        return Largest(0.0, None)
    sample = np.sort(_sample(change)) if entries > _WHOLE else np.empty(0)
    spread = 4 * math.sqrt(len(sample) * density * (1 - density)) + 4
    while True:
        low, high = _bracket(sample, (1 - density) * len(sample), spread)
        above, positions, values = _between(change, low, high)
        if above < kept <= above + len(values):
            return _cut(positions, values, kept - above)
        spread *= 4


def _sample(change: Factors) -> Array:
    """Magnitudes of entries drawn anywhere; what is drawn decides how fast the threshold is found, not what it is."""
    raw = np.random.PCG64(0).random_raw(2 * _SAMPLE).astype(np.uint64)
    rows, columns = (
        torch.from_numpy((part % np.uint64(size)).astype(np.int64))
        for part, size in zip(np.split(raw, 2), change.shape, strict=True)
    )
    found: Array = torch.einsum("sr,rs->s", change.b[rows], change.a[:, columns]).abs_().numpy()
    return found


def _bracket(sample: Array, middle: float, spread: float) -> tuple[float, float]:
    """Two magnitudes with the threshold between them, as far as a sorted sample tells."""
    first, last = math.floor(middle - spread), math.ceil(middle + spread)
    low = sample[first] * (1 - 1e-9) if first >= 0 else 0.0
    high = sample[last] * (1 + 1e-9) if last < len(sample) else math.inf
    return float(low), float(high)


def _between(change: Factors, low: float, high: float) -> tuple[int, Array, Array]:
    """How many magnitudes are above `high`; index and magnitude of those from `low` to `high`, in row-major order."""
    above, positions, values = 0, [], []
    for rows in row_blocks(change.shape):
        magnitudes = change.dense(rows).abs_().numpy().reshape(-1)
        over = magnitudes > high
        above += int(np.count_nonzero(over))
        inside = np.flatnonzero((magnitudes >= low) ^ over)
        positions.append(inside + rows.start * change.shape[1])
        values.append(magnitudes[inside])
    return above, np.concatenate(positions), np.concatenate(values)


def _cut(positions: Array, values: Array, kept: int) -> Largest:
    """The mask that keeps so many of these entries."""
    threshold = float(np.partition(values, len(values) - kept)[len(values) - kept])
    equal = positions[values == threshold]
    among = kept - int(np.count_nonzero(values > threshold))
    return Largest(threshold, None if among == len(equal) else int(equal[among - 1]))
