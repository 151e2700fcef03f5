"""Linear layers that read the same input, with the adapters on them, as one product; LoRA after Hu et al., 2021.

y = x W' + (x A') B', with all layers' rows of W side by side, all ranks of A, and B a matrix of blocks: each adapter's
scaled columns, in the rows of its layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.dropout import kept_values
from adapterkit.training.fused.adapters import PlacedAdapter, bare, place, ranks_after
from adapterkit.training.fused.weight import FrozenWeight


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
        frozen_layers = [bare(layer) for layer in layers]
        self._weights = [FrozenWeight(layer) for layer in frozen_layers]
        biased = frozen_layers[0].bias is not None
        self._bias = torch.cat([layer.bias.data for layer in frozen_layers]) if biased else None
        self.outputs, self.inputs = sum(each.outputs for each in self._weights), self._weights[0].inputs
        self._frozen = place(layers, frozen, 0)
        self._below = ranks_after(self._frozen, 0)
        self._trained = place(layers, [trainee], self._below)
        self._ranks = ranks_after(self._trained, self._below)
        self._dropped = any(each.dropout for each in self._trained)
        self.parameters = [parameter for each in self._trained for parameter in (each.a, each.b)]

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
    def _take(self, adapters: Sequence[PlacedAdapter]) -> None:
        for each in adapters:
            self._a[each.ranks] = each.a
            self._b[each.rows, each.ranks] = each.b * each.scaling

    def _dense(self, dtype: torch.dtype) -> torch.Tensor:
        dense = [each.dense(dtype) for each in self._weights]
        return dense[0] if len(dense) == 1 else torch.cat(dense)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """(tokens, inputs) -> (tokens, outputs), and what the backward pass needs besides x."""
        weight = self._dense(x.dtype).t()
        y = torch.mm(x, weight) if self._bias is None else torch.addmm(self._bias, x, weight)
        if not self._ranks:
            return y, None
        masks = [kept_values(x, each.dropout) if each.dropout else None for each in self._trained]
        if self._dropped:
            h = torch.cat([torch.mm(x, self._a[: self._below].t())]
                          + [torch.mm(_dropped(x, mask, each), self._a[each.ranks].t())
                             for each, mask in zip(self._trained, masks, strict=True)], 1)  # fmt: skip
        else:
            h = torch.mm(x, self._a.t())
        return y.addmm_(h, self._b.t()), (h[:, self._below :], masks)

    def backward(
        self, dy: torch.Tensor, x: torch.Tensor, saved: Any, *, wanted: bool = True
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """The gradient of x, where it is wanted, and those of `parameters`, float32."""
        dx = torch.mm(dy, self._dense(dy.dtype)) if wanted else None
        if not self._ranks:
            return dx, []
        h, masks = saved
        dh, below = torch.mm(dy, self._b), self._below
        straight = below if self._dropped else self._ranks
        if dx is not None:
            dx.addmm_(dh[:, :straight], self._a[:straight])
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
                    dx.add_(_dropped(torch.mm(own, self._a[each.ranks]), mask, each))
            grads.append(torch.mul(db[ranks, each.rows].t().float(), each.scaling))
        return dx, grads


def _dropped(x: torch.Tensor, mask: torch.Tensor | None, adapter: PlacedAdapter) -> torch.Tensor:
    return x if mask is None else torch.mul(x, mask).mul_(1.0 / (1.0 - adapter.dropout))
