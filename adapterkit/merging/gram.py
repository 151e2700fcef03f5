"""Lengths and angles of changes, without forming one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from adapterkit.merging.factors import Factors

# A sum this much smaller than its terms is the rounding of changes that cancel each other.
_CANCELLED = 1e-7


def gram(changes: Sequence[Factors | None]) -> torch.Tensor:
    """The inner products of the changes of one layer: <b1 a1, b2 a2> = sum((b1^T b2) * (a1 a2^T)).

    Args:
        changes: of one shape; null is a change of zero.

    Returns:
        (changes, changes), float64.
    """
    found = torch.zeros(len(changes), len(changes), dtype=torch.float64)
    there = [(number, each) for number, each in enumerate(changes) if each is not None]
    if not there:
        return found
    a = torch.cat([each.a for _, each in there]).to(torch.float64)
    b = torch.cat([each.b for _, each in there], dim=1).to(torch.float64)
    products = (b.T @ b) * (a @ a.T)
    ranks = [each.rank for _, each in there]
    for row, (i, _) in zip(products.split(ranks), there, strict=True):
        for block, (j, _) in zip(row.split(ranks, dim=1), there, strict=True):
            found[i, j] = block.sum()
    return found


def cancelled(coefficients: Sequence[float], products: torch.Tensor) -> bool:
    """Whether a sum of changes is zero but for rounding.

    Args:
        coefficients: what each change is multiplied by.
        products: of the changes, from `gram`.
    """
    given = torch.tensor(coefficients, dtype=torch.float64)
    whole, terms = float(given @ products @ given), float(given.square() @ products.diagonal())
    return math.sqrt(max(whole, 0.0)) <= _CANCELLED * math.sqrt(terms)
