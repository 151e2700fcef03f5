"""A stack rewritten as one LoRA: b = [c1 b1, c2 b2, ...], a = [a1; a2; ...], so that b a is the sum of the changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from adapterkit.errors import UsageError
from adapterkit.merging.factors import Factors, stacked
from adapterkit.merging.gram import cancelled, gram


def flatten(members: Sequence[Mapping[str, Factors]], coefficients: Sequence[float]) -> dict[str, Factors]:
    """Add adapters up, layer by layer, exactly: ranks add up, and what is zero is left out.

    Args:
        members: the changes of each, by the layer's name.
        coefficients: what each is multiplied by.

    Returns:
        The sum by the layer's name, sorted; every column of every layer contributes something.

    Raises:
        UsageError: nothing is left: the base would answer as it does without an adapter.
    """
    found = {}
    for name in sorted({name for member in members for name in member}):
        if cancelled(coefficients, gram([member.get(name) for member in members])):
            continue
        parts = [
            member[name].scaled(coefficient)
            for member, coefficient in zip(members, coefficients, strict=True)
            if coefficient and name in member
        ]
        if parts and (tight := without_zeros(stacked(parts))).rank:
            found[name] = tight
    if not found:
        raise UsageError(
            "Nothing is left of the stack: every change is zero, by its weight or because it learned nothing, or they "
            "cancel each other. The base alone is the same model."
        )
    return found


def without_zeros(factors: Factors) -> Factors:
    """The same change without the columns of b, and rows of a, whose product is exactly zero."""
    kept = factors.b.any(dim=0) & factors.a.any(dim=1)
    return factors if bool(kept.all()) else Factors(factors.a[kept], factors.b[:, kept])


def norm(factors: Factors) -> float:
    """The Frobenius norm of a change, from two small products: |b a|^2 is the sum over (b^T b) * (a a^T)."""
    square = ((factors.b.T @ factors.b) * (factors.a @ factors.a.T)).sum().item()
    return float(max(square, 0.0) ** 0.5)


def rounding(factors: Factors, dtype: torch.dtype) -> float:
    """What storing a change in a dtype costs: the norm of the difference over that of the change."""
    return difference(factors, Factors(factors.a.to(dtype), factors.b.to(dtype)))


def difference(factors: Factors, stored: Factors) -> float:
    """How far stored factors of the same rank are from a change: the norm of the difference over that of the change.

    The difference itself is written as factors, so that nothing cancels: b' a' - b a = b' (a' - a) + (b' - b) a.
    """
    a, b = stored.a.to(factors.a.dtype), stored.b.to(factors.b.dtype)
    whole = norm(factors)
    return norm(stacked([Factors(a - factors.a, b), Factors(factors.a, b - factors.b)])) / whole if whole else 0.0
