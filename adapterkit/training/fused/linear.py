"""Linear layers that read the same input, with the adapters on them, as one product; LoRA after Hu et al., 2021.

y = x W' + sum over the adapters of s (x A') B', with all layers' rows of W side by side, and all ranks of A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from adapterkit.training.dropout import kept_values
from adapterkit.training.fused.weight import FrozenWeight


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
        self.outputs, self.inputs = sum(each.outputs for each in self._weights), self._weights[0].inputs
        self._frozen = _adapters(layers, self._weights, frozen)
        self._trained = _adapters(layers, self._weights, [trainee])
        self.parameters = [parameter for each in self._trained for parameter in (each.a, each.b)]
        self._held: tuple[torch.Tensor | None, list[torch.Tensor]] | None = None
        self._ranks: torch.Tensor | None = None
        self._columns: list[torch.Tensor] = []

    def prepare(self, dtype: torch.dtype) -> None:
        """Round the trainee's parameters, float32, to the compute dtype: once for each forward pass."""
        if self._held is None:
            self._held = _rounded(self._frozen, dtype)
        self._ranks, self._columns = _rounded(self._trained, dtype)

    def forward(self, x: torch.Tensor, room: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """(tokens, inputs) -> (tokens, outputs), and what the backward pass needs besides x.

        Args:
            x: in the compute dtype.
            room: memory for the dense weight, of at least `outputs * inputs` numbers.
        """
        weight = self._dense(x.dtype, room)
        y = torch.mm(x, weight.t()) if self._bias is None else torch.addmm(self._bias, x, weight.t())
        assert self._held is not None
        held, columns = self._held
        if held is not None:
            self._add(y, torch.mm(x, held.t()), self._frozen, columns)
        if self._ranks is None:
            return y, None
        masks = [kept_values(x, each.dropout) if each.dropout else None for each in self._trained]
        if any(mask is not None for mask in masks):
            h = torch.cat([torch.mm(_dropped(x, mask, each), self._ranks[each.ranks].t())
                           for each, mask in zip(self._trained, masks, strict=True)], 1)  # fmt: skip
        else:
            h = torch.mm(x, self._ranks.t())
        self._add(y, h, self._trained, self._columns)
        return y, (h, masks)

    def backward(
        self, dy: torch.Tensor, x: torch.Tensor, saved: Any, room: torch.Tensor, *, wanted: bool = True
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """The gradient of x, where it is wanted, and those of `parameters`, float32."""
        grads: list[torch.Tensor] = []
        dx = torch.mm(dy, self._dense(dy.dtype, room)) if wanted else None
        assert self._held is not None
        held, columns = self._held
        if dx is not None and held is not None:
            dx.addmm_(self._led_back(dy, self._frozen, columns), held)
        if self._ranks is None:
            return dx, grads
        h, masks = saved
        dh = self._led_back(dy, self._trained, self._columns)
        shared = torch.mm(dh.t(), x) if all(mask is None for mask in masks) else None
        if shared is not None and dx is not None:
            dx.addmm_(dh, self._ranks)
        for each, mask in zip(self._trained, masks, strict=True):
            own = dh[:, each.ranks]
            if shared is not None:
                grads.append(shared[each.ranks].float())
            else:
                grads.append(torch.mm(own.t(), _dropped(x, mask, each)).float())
                if dx is not None:
                    dx += _dropped(torch.mm(own, self._ranks[each.ranks]), mask, each)
            grads.append(torch.mm(dy[:, each.rows].t(), h[:, each.ranks]).float().mul_(each.scaling))
        return dx, grads

    def _dense(self, dtype: torch.dtype, room: torch.Tensor) -> torch.Tensor:
        if len(self._weights) == 1:
            return self._weights[0].dense(dtype)
        whole, start = room[: self.outputs * self.inputs].view(self.outputs, self.inputs), 0
        for each in self._weights:
            whole[start : start + each.outputs] = each.dense(dtype)
            start += each.outputs
        return whole

    @staticmethod
    def _add(y: torch.Tensor, h: torch.Tensor, adapters: Sequence[_Adapter], columns: Sequence[torch.Tensor]) -> None:
        for each, b in zip(adapters, columns, strict=True):
            y[:, each.rows].addmm_(h[:, each.ranks], b.t())

    @staticmethod
    def _led_back(dy: torch.Tensor, adapters: Sequence[_Adapter], columns: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat([torch.mm(dy[:, each.rows], b) for each, b in zip(adapters, columns, strict=True)], 1)


def _adapters(layers: Sequence[Any], weights: Sequence[FrozenWeight], names: Sequence[str]) -> list[_Adapter]:
    found, row, rank = [], 0, 0
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


def _rounded(adapters: Sequence[_Adapter], dtype: torch.dtype) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    """All A, one below the other, and each B times its scaling."""
    if not adapters:
        return None, []
    ranks = torch.cat([each.a.detach().to(dtype) for each in adapters])
    return ranks, [(each.b.detach() * each.scaling).to(dtype) for each in adapters]


def _dropped(x: torch.Tensor, mask: torch.Tensor | None, adapter: _Adapter) -> torch.Tensor:
    return x if mask is None else torch.mul(x, mask).mul_(1.0 / (1.0 - adapter.dropout))
