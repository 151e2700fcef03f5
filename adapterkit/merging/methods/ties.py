"""TIES (Yadav et al. 2023, arXiv:2306.01708): trim, elect a sign, merge what agrees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from adapterkit.merging.factors import Factors
from adapterkit.merging.masks.blocks import combined
from adapterkit.merging.masks.combine import elected_mean
from adapterkit.merging.masks.largest import largest


def ties(changes: Sequence[Factors], weights: Sequence[float], density: float, seeds: Sequence[int]) -> torch.Tensor:
    """Keep the largest entries of each change, and of those, entry by entry, the mean of the ones that agree in sign.

    The paper trims the whole of a model's change at once; this trims each layer's, as mergekit and PEFT do.

    Args:
        changes: of one layer, float64.
        weights: one for each, above zero.
        density: share of each change's entries that is kept.
        seeds: not looked at.

    Returns:
        (outputs, inputs), float32.
    """
    masks = [largest(change, density) for change in changes]
    return combined(changes, masks, partial(elected_mean, weights=weights))
