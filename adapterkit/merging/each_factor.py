"""A of the adapters alone and B alone, as PEFT merges: no merge of what the adapters do, but of how it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from adapterkit.errors import UsageError
from adapterkit.merging.factors import Factors
from adapterkit.merging.methods import Linear, Masked


@dataclass(frozen=True)
class Side:
    """A, or B, of every source.

    Attributes:
        matrices: one for each source, null where it does not change the layer.
        weights: one for each.
        seeds: one for each.
    """

    matrices: Sequence[torch.Tensor | None]
    weights: Sequence[float]
    seeds: Sequence[int]


def merged_factors(
    method: Linear | Masked,
    parts: Sequence[Factors | None],
    weights: Sequence[float],
    seeds: Sequence[tuple[int, int]],
    density: float,
) -> Factors:
    """Merge A with A and B with B, each weighted by the square root of the weight where the method adds up.

    The sign of a weight is A's alone, or two of them would cancel.

    Args:
        method: what is done to A, and to B.
        parts: one for each source, null where it does not change the layer; at least one is not.
        weights: one for each.
        seeds: two for each, A's and B's.
        density: of the masks.

    Raises:
        UsageError: the ranks differ; what the method raises.
    """
    ranks = sorted({part.rank for part in parts if part is not None})
    if len(ranks) > 1:
        raise UsageError(
            f"on=factors adds A to A and B to B, which takes equal ranks, and these are {', '.join(map(str, ranks))}: "
            "use on=deltas."
        )
    roots = [math.sqrt(abs(each)) for each in weights] if method.roots else [abs(each) for each in weights]
    signed = [math.copysign(root, each) for root, each in zip(roots, weights, strict=True)]
    a = Side([None if part is None else part.a for part in parts], signed, [first for first, _ in seeds])
    b = Side([None if part is None else part.b for part in parts], roots, [second for _, second in seeds])
    return Factors(_merged(method, a, density), _merged(method, b, density))


def _merged(method: Linear | Masked, side: Side, density: float) -> torch.Tensor:
    if isinstance(method, Linear):
        return _sum(method, side)
    there = [number for number, each in enumerate(side.matrices) if each is not None and side.weights[number]]
    changes = [_as_change(each) for number in there if (each := side.matrices[number]) is not None]
    if not changes:
        return torch.zeros_like(next(each for each in side.matrices if each is not None))
    weights, seeds = [side.weights[number] for number in there], [side.seeds[number] for number in there]
    return method.dense(changes, weights, density, seeds).to(torch.float64)


def _sum(method: Linear, side: Side) -> torch.Tensor:
    some = next(each for each in side.matrices if each is not None)
    whole = torch.stack([torch.zeros_like(some) if each is None else each for each in side.matrices])
    flat = whole.flatten(1)
    coefficients = method.coefficients(side.weights, flat @ flat.T)
    found: torch.Tensor = torch.tensordot(torch.tensor(coefficients, dtype=whole.dtype), whole, dims=1)
    return found


def _as_change(matrix: torch.Tensor) -> Factors:
    """A thin matrix as a product with the identity, which is exact."""
    rows, columns = matrix.shape
    one = torch.eye(min(rows, columns), dtype=matrix.dtype)
    return Factors(matrix, one) if rows <= columns else Factors(one, matrix)
