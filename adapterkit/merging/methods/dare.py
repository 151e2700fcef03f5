"""DARE (Yu et al. 2024, arXiv:2311.03099): drop entries by chance, rescale the others, add up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from adapterkit.merging.factors import Factors
from adapterkit.merging.masks.blocks import combined
from adapterkit.merging.masks.combine import weighted_sum
from adapterkit.merging.masks.dropped import dropped


def dare(changes: Sequence[Factors], weights: Sequence[float], density: float, seeds: Sequence[int]) -> torch.Tensor:
    """The weighted sum of changes of which each entry is kept with a probability, and divided by it where it is.

    Args:
        changes: of one layer, float64.
        weights: one for each.
        density: the probability; 1 - p of the paper.
        seeds: one for each.

    Returns:
        (outputs, inputs), float32.
    """
    masks = [dropped(density, seed) for seed in seeds]
    rescaled = [change.scaled(1 / mask.probability) for change, mask in zip(changes, masks, strict=True)]
    return combined(rescaled, masks, partial(weighted_sum, weights=weights))
