"""What masked changes come to, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def weighted_sum(blocks: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """w1 x1 + w2 x2 + ...

    Args:
        blocks: of one shape.
        weights: one for each.
    """
    total = blocks[0] * weights[0]
    for block, weight in zip(blocks[1:], weights[1:], strict=True):
        total.add_(block, alpha=weight)
    return total


def elected_mean(blocks: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The weighted mean of those entries that have the sign of the weighted sum; zero where that is zero.

    Elect and disjoint merge of TIES (Yadav et al. 2023, arXiv:2306.01708), with weights: an entry comes to
    sum(w x) / sum(w) over the x of the elected sign, which for equal weights is the paper's mean.

    Args:
        blocks: of one shape; an entry of zero has no vote.
        weights: one for each, above zero.
    """
    sign = weighted_sum(blocks, weights).sign_()
    total, votes = torch.zeros_like(sign), torch.zeros_like(sign)
    for block, weight in zip(blocks, weights, strict=True):
        agreeing = (block * sign).relu_()
        total.add_(agreeing, alpha=weight)
        votes.add_(agreeing.sign_(), alpha=weight)
    return total.mul_(sign).div_(votes.clamp_(min=min(weights)))
