"""Linear layers that read the same input, with the adapters on them, as one product; LoRA after Hu et al., 2021.

y = x W' + (x A') B', with all layers' rows of W side by side, all ranks of A, and B a matrix of blocks: each adapter's
scaled columns, in the rows of its layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from adapterkit.training.dropout import kept_values
from adapterkit.training.fused.terms import Terms
from adapterkit.training.fused.weight import FrozenWeight, KeptProducts, Products


@dataclass
class _Adapter:
    """One adapter on one layer: its parameters, its scaling, and its place among the rows of y and the ranks."""

    a: torch.nn.Parameter
    b: torch.nn.Parameter
    scaling: float
    dropout: float
    rows: slice
    ranks: slice


class LinearGroup:
    """Several linear layers with one input.

    Attributes:
        parameters: the trainee's, A and B of each layer that has them.
        outputs: the sum of the layers' outputs.
        inputs: of each of them.
    """

    def __init__(self, layers: Sequence[Any], frozen: Sequence[str], trainee: str) -> None:
        """Take layers of a stack.

        Args:
            layers: linear layers, each bare or with LoRA.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
        """
        bare: list[Any] = [layer.get_base_layer() if isinstance(layer, LoraLayer) else layer for layer in layers]
        self._weights = [FrozenWeight(layer) for layer in bare]
        self._bias = torch.cat([each.bias.data for each in bare]) if bare[0].bias is not None else None
        self._products = Products(self._weights, self._bias)
        self.outputs, self.inputs = self._products.outputs, self._products.inputs
        self._frozen = _adapters(layers, self._weights, frozen, 0)
        self._below = self._frozen[-1].ranks.stop if self._frozen else 0
        self._trained = _adapters(layers, self._weights, [trainee], self._below)
        self._ranks = (self._trained or self._frozen)[-1].ranks.stop if self._trained or self._frozen else 0
        self._dropped = any(each.dropout for each in self._trained)
        self.parameters = [parameter for each in self._trained for parameter in (each.a, each.b)]

    def keep(self) -> None:
        """Keep dense copies of the weights, for products that are twice as fast; 4 bytes a weight."""
        self._products = KeptProducts(self._weights, self._bias)

    def prepare(self, dtype: torch.dtype) -> None:
        """Take the frozen members' factors, rounded to the compute dtype, and make room for the trainee's."""
        device = self._weights[0].device
        self._a = torch.empty(self._ranks, self.inputs, dtype=dtype, device=device)
        self._b = torch.zeros(self.outputs, self._ranks, dtype=dtype, device=device)
        self._take(self._frozen)

    def refresh(self) -> None:
        """Round the trainee's parameters, float32, to the compute dtype: once for each forward pass."""
        self._take(self._trained)

    @torch.no_grad()
    def _take(self, adapters: Sequence[_Adapter]) -> None:
        for each in adapters:
            self._a[each.ranks] = each.a
            self._b[each.rows, each.ranks] = each.b * each.scaling

    def forward(self, x: torch.Tensor) -> tuple[Terms, Any]:
        """(tokens, inputs) -> (tokens, outputs), a sum not yet computed, and what the backward pass needs besides x."""
        parts = self._products.forward(x)
        if not self._ranks:
            return Terms(parts), None
        masks = [kept_values(x, each.dropout) if each.dropout else None for each in self._trained]
        if self._dropped:
            h = torch.cat([torch.mm(x, self._a[: self._below].t())]
                          + [torch.mm(_dropped(x, mask, each), self._a[each.ranks].t())
                             for each, mask in zip(self._trained, masks, strict=True)], 1)  # fmt: skip
        else:
            h = torch.mm(x, self._a.t())
        return _added(parts, h, self._b.t()), (h[:, self._below :], masks)

    def backward(
        self, dy: torch.Tensor, x: torch.Tensor, saved: Any, *, wanted: bool = True
    ) -> tuple[Terms | None, list[torch.Tensor]]:
        """The gradient of x, where it is wanted, and those of `parameters`, float32."""
        parts = self._products.backward(dy) if wanted else None
        if not self._ranks:
            return (Terms(parts) if parts else None), []
        h, masks = saved
        dh, below = torch.mm(dy, self._b), self._below
        straight = below if self._dropped else self._ranks
        dx = _added(parts, dh[:, :straight], self._a[:straight]) if parts else None
        if not self._trained:
            return dx, []
        da = None if self._dropped else torch.mm(dh[:, below:].t(), x)
        db, grads = torch.mm(h.t(), dy), []
        for each, mask in zip(self._trained, masks, strict=True):
            ranks = slice(each.ranks.start - below, each.ranks.stop - below)
            if da is not None:
                grads.append(da[ranks].float())
            else:
                own = dh[:, each.ranks]
                grads.append(torch.mm(own.t(), _dropped(x, mask, each)).float())
                if dx is not None:
                    _add(dx, _dropped(torch.mm(own, self._a[each.ranks]), mask, each))
            grads.append(torch.mul(db[ranks, each.rows].t().float(), each.scaling))
        return dx, grads


def _added(parts: list[torch.Tensor], h: torch.Tensor, columns: torch.Tensor) -> Terms:
    """The parts, and h times columns; onto a single part it is added in the product itself."""
    if len(parts) == 1:
        return Terms([parts[0].addmm_(h, columns)])
    return Terms(parts, torch.mm(h, columns))


def _add(terms: Terms, more: torch.Tensor) -> None:
    (terms.parts[0] if terms.low is None else terms.low).add_(more)


def _adapters(
    layers: Sequence[Any], weights: Sequence[FrozenWeight], names: Sequence[str], rank: int
) -> list[_Adapter]:
    """The adapters of so many names on so many layers; their ranks are counted from `rank` on."""
    found, row = [], 0
    for layer, weight in zip(layers, weights, strict=True):
        for name in names:
            if isinstance(layer, LoraLayer) and name in layer.lora_A:
                a: Any = layer.lora_A[name].weight
                b: Any = layer.lora_B[name].weight
                p = float(getattr(layer.lora_dropout[name], "p", 0.0))
                rows, ranks = slice(row, row + weight.outputs), slice(rank, rank + len(a))
                found.append(_Adapter(a, b, layer.scaling[name], p, rows, ranks))
                rank += len(a)
        row += weight.outputs
    return found


def _dropped(x: torch.Tensor, mask: torch.Tensor | None, adapter: _Adapter) -> torch.Tensor:
    return x if mask is None else torch.mul(x, mask).mul_(1.0 / (1.0 - adapter.dropout))
