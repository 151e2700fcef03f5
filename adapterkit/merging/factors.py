"""A LoRA's change of one linear layer, as two thin factors with every scaling folded in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from adapterkit.artifacts.adapter_config import LoraSettings
from adapterkit.errors import StackError
from adapterkit.names import TENSOR_PREFIX

_A, _B, _MAGNITUDE = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector"


@dataclass(frozen=True)
class Factors:
    """The change `b @ a` of a linear layer's weight.

    Attributes:
        a: (rank, inputs).
        b: (outputs, rank), scaling included.
    """

    a: torch.Tensor
    b: torch.Tensor

    @property
    def rank(self) -> int:
        """How many columns `b` has; the true rank of the change is at most that."""
        return self.a.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weight that is changed: (outputs, inputs)."""
        return self.b.shape[0], self.a.shape[1]

    def scaled(self, weight: float) -> Factors:
        """The change times a number."""
        return Factors(self.a, self.b * weight)

    def dense(self, rows: slice = slice(None)) -> torch.Tensor:
        """The change itself, (outputs, inputs), or some of its rows."""
        return self.b[rows] @ self.a


def stacked(parts: Sequence[Factors]) -> Factors:
    """The exact sum of changes of one layer: ranks add up.

    Args:
        parts: at least one, all of one shape and dtype.
    """
    if len(parts) == 1:
        return parts[0]
    return Factors(torch.cat([each.a for each in parts]), torch.cat([each.b for each in parts], dim=1))


class AdapterFactors(Mapping[str, Factors]):
    """An adapter's changes by the layer's name in the base, in float64, with alpha/r or alpha/sqrt(r) in `b`.

    In float64 the product of a float32 weight and its scaling is good to 1e-16, so that folding costs no more than the
    one rounding of whoever stores the result. A layer's factors are made when they are asked for, and not kept.
    """

    def __init__(
        self, settings: LoraSettings, tensors: Mapping[str, torch.Tensor], *, magnitudes: bool = False
    ) -> None:
        """Take an adapter's two files.

        Args:
            settings: of its adapter_config.json.
            tensors: of its weights file.
            magnitudes: take a DoRA too: its factors are a part of its change, and `magnitude` is the rest.

        Raises:
            StackError: it is a DoRA, whose change depends on the base's weights and is no product of two factors.
        """
        if "dora" in settings.variant and not magnitudes:
            raise StackError(
                "A DoRA rescales the base's own weights, so its change is no low-rank matrix and cannot be combined or "
                "flattened. Use it on its base as it is, make a whole model of both (adapterkit export REF --to "
                "merged), or train it again with adapter.use_dora=false."
            )
        self._settings, self._tensors = settings, tensors
        modules = (name.removeprefix(TENSOR_PREFIX).removesuffix(f".{_A}") for name in tensors if name.endswith(_A))
        self._modules = dict.fromkeys(sorted(modules))

    def __getitem__(self, module: str) -> Factors:
        """The change of one layer."""
        if module not in self._modules:
            raise KeyError(module)
        a, b = (self._tensors[f"{TENSOR_PREFIX}{module}.{part}"].to(torch.float64) for part in (_A, _B))
        rank, alpha = self._settings.rank_of(module), self._settings.alpha_of(module)
        return Factors(a, b * (alpha / (math.sqrt(rank) if self._settings.variant.startswith("rs") else rank)))

    def magnitude(self, module: str) -> torch.Tensor | None:
        """The norms that a DoRA gives the rows of a layer's weight, (outputs,), float64; null: it gives none."""
        found = self._tensors.get(f"{TENSOR_PREFIX}{module}.{_MAGNITUDE}")
        return None if found is None else found.to(torch.float64)

    def __iter__(self) -> Iterator[str]:
        """The layers' names, sorted."""
        return iter(self._modules)

    def __len__(self) -> int:
        """How many layers are changed."""
        return len(self._modules)
