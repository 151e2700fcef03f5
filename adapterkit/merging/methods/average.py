"""The mean of the changes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adapterkit.errors import UsageError


def average(weights: Sequence[float], products: torch.Tensor) -> list[float]:
    """One nth of each; a source without the layer counts as a change of zero.

    Args:
        weights: all equal, above zero, whatever they are.
        products: inner products of the changes; not looked at.

    Returns:
        What each change is multiplied by.

    Raises:
        UsageError: the weights differ, or are zero.
    """
    if len(set(weights)) > 1:
        raise UsageError(
            f"An average takes all alike, and these weights differ: {', '.join(f'{each:g}' for each in weights)}. "
            "Leave them out, or use method=weighted with normalize=true."
        )
    if not weights[0]:
        raise UsageError("An average of weights 0 is nothing: leave the weights out, and each counts as much.")
    return [1 / len(weights)] * len(weights)
