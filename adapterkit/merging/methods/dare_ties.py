"""DARE-TIES: entries are dropped by chance as by DARE, and the others merged as by TIES."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from adapterkit.merging.factors import Factors
from adapterkit.merging.masks.blocks import combined
from adapterkit.merging.masks.combine import elected_mean
from adapterkit.merging.masks.dropped import dropped


def dare_ties(
    changes: Sequence[Factors], weights: Sequence[float], density: float, seeds: Sequence[int]
) -> torch.Tensor:
    """Of changes dropped and rescaled by chance, entry by entry, the mean of those that agree in sign.

    Args:
        changes: of one layer, float64.
        weights: one for each, above zero.
        density: the probability of an entry to be kept.
        seeds: one for each.

    Returns:
        (outputs, inputs), float32.
    """
    masks = [dropped(density, seed) for seed in seeds]
    rescaled = [change.scaled(1 / mask.probability) for change, mask in zip(changes, masks, strict=True)]
    return combined(rescaled, masks, partial(elected_mean, weights=weights))
