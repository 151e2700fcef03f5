"""Whether what is asked of a merge makes sense, before anything is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from adapterkit.errors import UsageError
from adapterkit.merging.masks.dropped import STEPS
from adapterkit.merging.methods import METHODS, Linear, Masked, method_named
from adapterkit.merging.options import MergeOptions
from adapterkit.texts import counted

# What is above has left float16 behind, and goes towards the end of float32 where it is multiplied.
_MOST = 1e6


def checked(options: MergeOptions, sources: int) -> Linear | Masked:
    """The method of the options, which fit it and the number of sources.

    Raises:
        UsageError: they do not.
        UnknownNameError: no method has that name.
    """
    method = method_named(options.method)
    if not sources:
        raise UsageError("There is nothing to merge: give at least one adapter.")
    if len(options.weights) != sources:
        raise UsageError(
            f"{counted(len(options.weights), 'weight')} for {counted(sources, 'adapter')}: each adapter takes one."
        )
    _check_numbers(options, method)
    _check_rank(options, method)
    weights = weights_of(options)
    if isinstance(method, Linear):
        # Of changes at right angles, so that what it has against the weights alone is said now.
        method.coefficients(weights, torch.eye(sources, dtype=torch.float64))
    return method


def weights_of(options: MergeOptions) -> tuple[float, ...]:
    """The weights, normalized where that is asked for.

    Raises:
        UsageError: they add up to zero, and cannot be.
    """
    if not options.normalize:
        return options.weights
    total = math.fsum(options.weights)
    if abs(total) <= 1e-12 * math.fsum(map(abs, options.weights)):
        raise UsageError(
            f"The weights {_shown(options.weights)} add up to zero, so they cannot be divided by their sum: "
            "use normalize=false."
        )
    return tuple(weight / total for weight in options.weights)


def _check_numbers(options: MergeOptions, method: Linear | Masked) -> None:
    if not all(map(math.isfinite, (*options.weights, options.scale))):
        raise UsageError(f"Weights and scale must be numbers: {_shown((*options.weights, options.scale))}.")
    if (most := max(map(abs, (*options.weights, options.scale)))) > _MOST:
        raise UsageError(f"{most:g} is no weight that changes could be multiplied by: {_MOST:g} is the most.")
    if min(options.weights) < 0 and not method.negative:
        can = ", ".join(name for name, each in METHODS.items() if each.negative)
        raise UsageError(
            f"{options.method} takes no weight below zero, such as {min(options.weights):g}: to take away what an "
            f"adapter learned, use one of {can}."
        )
    if not 0 < options.density <= 1:
        raise UsageError(f"density={options.density:g} is the share of entries that is kept: above 0, and 1 at most.")
    if isinstance(method, Masked) and method.seeded and options.density < 1 / STEPS:
        raise UsageError(
            f"density={options.density:g}: entries are dropped with a probability of so many in {STEPS}, so 1/{STEPS} "
            "is the least that can be kept."
        )
    if options.seed < 0:
        raise UsageError(f"seed={options.seed} is below zero.")
    if options.on not in ("deltas", "factors"):
        raise UsageError(
            f"on={options.on}: a merge works on `deltas`, the true changes, or on `factors`, as PEFT does."
        )


def _check_rank(options: MergeOptions, method: Linear | Masked) -> None:
    rank = options.rank
    if rank not in ("largest", "sum") and (isinstance(rank, str) or rank < 1):
        raise UsageError(f"rank={rank}: give a number, 1 at least, or `largest` or `sum`.")
    if rank == "sum" and isinstance(method, Masked):
        raise UsageError(
            f"rank=sum is exact for methods that add changes up. {options.method} masks single entries, which gives a "
            "matrix of full rank: give a number, and the merge says what that leaves out."
        )
    if rank == "sum" and options.on == "factors":
        raise UsageError(
            "rank=sum: on=factors adds A to A and B to B, so that ranks stay what they are; use rank=largest."
        )


def _shown(numbers: Sequence[float]) -> str:
    return ", ".join(f"{each:g}" for each in numbers)
