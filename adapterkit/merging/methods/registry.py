"""The one list of the ways to merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from adapterkit.errors import UnknownNameError
from adapterkit.merging.factors import Factors
from adapterkit.merging.methods.average import average
from adapterkit.merging.methods.dare import dare
from adapterkit.merging.methods.dare_ties import dare_ties
from adapterkit.merging.methods.slerp import slerp
from adapterkit.merging.methods.task_arithmetic import task_arithmetic
from adapterkit.merging.methods.ties import ties
from adapterkit.merging.methods.weighted import weighted
from adapterkit.names import nearest


@dataclass(frozen=True)
class Linear:
    """A method whose result is c1 D1 + c2 D2 + ..., so that ranks add up and nothing dense is formed.

    Attributes:
        coefficients: of weights and the inner products of the changes of a layer.
        negative: whether weights below zero mean something.
        roots: on factors, A and B are each multiplied by a square root of the weight, as PEFT does.
    """

    coefficients: Callable[[Sequence[float], torch.Tensor], list[float]]
    negative: bool = False
    roots: bool = False


@dataclass(frozen=True)
class Masked:
    """A method that decides entry by entry, so that the result has full rank.

    Attributes:
        dense: of the changes of a layer, weights above zero, density and one seed a change; (outputs, inputs), float32.
        seeded: whether the seeds decide anything.
    """

    dense: Callable[[Sequence[Factors], Sequence[float], float, Sequence[int]], torch.Tensor]
    seeded: bool = False
    negative: bool = False
    roots: bool = True


METHODS: Mapping[str, Linear | Masked] = {
    "average": Linear(average),
    "weighted": Linear(weighted, negative=True, roots=True),
    "slerp": Linear(slerp),
    "task_arithmetic": Linear(task_arithmetic, negative=True, roots=True),
    "ties": Masked(ties),
    "dare": Masked(dare, seeded=True),
    "dare_ties": Masked(dare_ties, seeded=True),
}


def method_named(name: str) -> Linear | Masked:
    """Look a method up.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in METHODS:
        raise UnknownNameError("merge method", name, nearest(name, METHODS), hint=f"There are: {', '.join(METHODS)}.")
    return METHODS[name]
