"""The weighted sum of the changes."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def weighted(weights: Sequence[float], products: torch.Tensor) -> list[float]:
    """w1 D1 + w2 D2 + ...

    Args:
        weights: any, normalized by whoever wants that.
        products: inner products of the changes; not looked at.

    Returns:
        What each change is multiplied by.
    """
    return list(weights)
