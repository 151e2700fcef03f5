"""What a layer's weight comes to under its adapters, DoRA among them, as one dense matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Change:
    """What one adapter does to a weight.

    Attributes:
        delta: (outputs, inputs), float64, every scaling included.
        magnitude: of a DoRA the norms that it gives the rows, (outputs,), float64; null: it only adds.
    """

    delta: torch.Tensor
    magnitude: torch.Tensor | None = None


def dense_sum(own: torch.Tensor, changes: Iterable[Change]) -> torch.Tensor:
    """Add the changes of a stack to a weight, root-first.

    DoRA takes the norms of the rows of the base and its own change, and rescales all that came before it:
    W' = m * (W + D1 + D2) / |W + D2| (Liu et al. 2024, arXiv:2402.09353, with what PEFT makes of a stack).

    Args:
        own: the weight of the base, (outputs, inputs), float64.
        changes: root-first; read one at a time, so that no two need be in memory.
    """
    total = own
    for change in changes:
        total = total + change.delta
        if change.magnitude is not None:
            total = total * (change.magnitude / torch.linalg.vector_norm(own + change.delta, dim=1))[:, None]
    return total
