"""Spherical interpolation (Shoemake 1985): along the arc between two changes, not along the chord."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from adapterkit.errors import UsageError

# Below this angle arc and chord differ by less than 2e-9 of either, and the formula divides by the angle.
_PARALLEL = 1e-4
# Cosines below this: no arc is the shortest one, and the formula divides by next to nothing.
_OPPOSITE = -0.9995


def slerp(weights: Sequence[float], products: torch.Tensor) -> list[float]:
    """sin((1 - t) w) / sin(w) D1 + sin(t w) / sin(w) D2, w the angle between the changes, t the second's share.

    The angle is that of the whole changes of the layer, and their lengths stay in: a change twice as long counts twice.
    Where the angle is next to zero, or a change is zero, it is (1 - t) D1 + t D2. Of more than two changes the third is
    merged with the merge of the first two, with t = w3 / (w1 + w2 + w3), and so on: the order counts.

    Args:
        weights: 0 or more; only their ratios count.
        products: inner products of the changes, (changes, changes), float64.

    Returns:
        What each change is multiplied by.

    Raises:
        UsageError: two changes point in opposite directions.
    """
    found = torch.zeros(len(weights), dtype=torch.float64)
    before = 0.0
    for number, weight in enumerate(weights):
        if not weight:
            continue
        first, second = _shares(found, number, weight / (before + weight), products)
        found *= first
        found[number] = second
        before += weight
    return [float(each) for each in found]


def _shares(merged: torch.Tensor, number: int, t: float, products: torch.Tensor) -> tuple[float, float]:
    """What the merge so far and the next change are multiplied by."""
    lengths = (
        math.sqrt(max(float(merged @ products @ merged), 0.0)),
        math.sqrt(max(float(products[number, number]), 0.0)),
    )
    if not all(lengths):
        return 1 - t, t
    cosine = float(products[number] @ merged) / (lengths[0] * lengths[1])
    if cosine < _OPPOSITE:
        raise UsageError(
            f"Source {number + 1} points in the opposite direction of those before it (cosine {cosine:.4f}), and no "
            "arc between opposite points is the shortest: use method=weighted."
        )
    angle = math.acos(min(cosine, 1.0))
    if angle < _PARALLEL:
        return 1 - t, t
    return math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
