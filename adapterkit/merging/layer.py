"""One layer of a merge."""

from __future__ import annotations

from collections.abc import Sequence

from adapterkit.digest import json_digest
from adapterkit.errors import UsageError
from adapterkit.merging.asked import weights_of
from adapterkit.merging.each_factor import merged_factors
from adapterkit.merging.factors import Factors, stacked
from adapterkit.merging.flatten import without_zeros
from adapterkit.merging.gram import cancelled, gram
from adapterkit.merging.methods import Linear, Masked, method_named
from adapterkit.merging.options import MergeOptions
from adapterkit.merging.recompress import recompress
from adapterkit.merging.truncate import truncate


def merged_layer(name: str, parts: Sequence[Factors | None], options: MergeOptions) -> tuple[Factors, float] | None:
    """Merge the changes of one layer.

    Args:
        name: of the layer; DARE's draws depend on it.
        parts: one for each source, null where it does not change the layer.
        options: checked.

    Returns:
        The merged change, and the norm of what its rank left out over that of the exact one; null where nothing is
        left.

    Raises:
        UsageError: the changes have different shapes, or hold numbers that are none; what the method raises.
    """
    method = method_named(options.method)
    weights = weights_of(options)
    _check_parts(name, parts)
    seeds = [seeds_of(options.seed, number, name) for number in range(len(parts))]
    try:
        if options.on == "factors":
            return _on_factors(method, parts, weights, seeds, options)
        if isinstance(method, Linear):
            return _linear(method, parts, weights, options)
        return _masked(method, parts, weights, seeds, options)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def seeds_of(seed: int, source: int, layer: str) -> tuple[int, int]:
    """Two seeds of 128 bits: of the draws for a change, or for its A, and for its B."""
    digest = json_digest([seed, source, layer])
    return int(digest[:32], 16), int(digest[32:], 16)


def _check_parts(name: str, parts: Sequence[Factors | None]) -> None:
    shapes = {number: part.shape for number, part in enumerate(parts, 1) if part is not None}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"source {number} {rows} x {columns}" for number, (rows, columns) in shapes.items())
        raise UsageError(f"{name} has different shapes ({told}): these adapters are not of one base.")
    for number, part in enumerate(parts, 1):
        if part is not None and not (part.a.isfinite().all() and part.b.isfinite().all()):
            raise UsageError(f"{name}: source {number} holds NaN or an infinity, and a merge would spread it.")


def _linear(
    method: Linear, parts: Sequence[Factors | None], weights: Sequence[float], options: MergeOptions
) -> tuple[Factors, float] | None:
    products = gram(parts)
    chosen = [each * options.scale for each in method.coefficients(weights, products)]
    if cancelled(chosen, products):
        return None
    terms = [part.scaled(each) for part, each in zip(parts, chosen, strict=True) if part is not None and each]
    exact = without_zeros(stacked(terms))
    return recompress(exact, _limit(parts, options, default=exact.rank))


def _masked(
    method: Masked,
    parts: Sequence[Factors | None],
    weights: Sequence[float],
    seeds: Sequence[tuple[int, int]],
    options: MergeOptions,
) -> tuple[Factors, float] | None:
    there = [
        (part, weight, seed)
        for part, weight, (seed, _) in zip(parts, weights, seeds, strict=True)
        if part is not None and weight
    ]
    if not there or not options.scale:
        return None
    changes = [part for part, _, _ in there]
    dense = method.dense(changes, [weight for _, weight, _ in there], options.density, [seed for _, _, seed in there])
    rank = _limit(parts, options, default=0)
    guess, _ = recompress(stacked([part.scaled(weight) for part, weight, _ in there]), rank + 8)
    cut, error = truncate(dense, rank, guess.a)
    return (cut.scaled(options.scale), error) if bool(cut.b.any()) else None


def _limit(parts: Sequence[Factors | None], options: MergeOptions, *, default: int) -> int:
    """The most that the rank of the result may be."""
    shapes = [part.shape for part in parts if part is not None]
    if options.rank == "sum":
        return min(default, *shapes[0])
    largest = max(part.rank for part in parts if part is not None)
    return min(largest if options.rank == "largest" else options.rank, *shapes[0])


def _on_factors(
    method: Linear | Masked,
    parts: Sequence[Factors | None],
    weights: Sequence[float],
    seeds: Sequence[tuple[int, int]],
    options: MergeOptions,
) -> tuple[Factors, float] | None:
    merged = without_zeros(merged_factors(method, parts, weights, seeds, options.density).scaled(options.scale))
    return recompress(merged, _limit(parts, options, default=merged.rank)) if merged.rank else None
