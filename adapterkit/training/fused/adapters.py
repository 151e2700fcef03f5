"""Where the adapters on a group of linear layers stand among its rows and ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer


@dataclass
class PlacedAdapter:
    """One adapter on one layer.

    Attributes:
        a: float32 (ranks, inputs).
        b: float32 (outputs of the layer, ranks).
        scaling: of what b gives.
        dropout: the probability with which a number of the input is dropped.
        row: the layer's first among the group's outputs.
        rank: the adapter's first among the group's ranks.
    """

    a: torch.nn.Parameter
    b: torch.nn.Parameter
    scaling: float
    dropout: float
    row: int
    rank: int

    @property
    def rows(self) -> slice:
        """Of the group's outputs."""
        return slice(self.row, self.row + len(self.b))

    @property
    def ranks(self) -> slice:
        """Of the group's ranks."""
        return slice(self.rank, self.rank + len(self.a))


def bare(layer: Any) -> Any:
    """The linear layer itself."""
    return layer.get_base_layer() if isinstance(layer, LoraLayer) else layer


def place(layers: Sequence[Any], names: Sequence[str], rank: int) -> list[PlacedAdapter]:
    """The adapters of these names, PEFT's, on layers that read the same input; ranks are counted from `rank` on."""
    found, row = [], 0
    for layer in layers:
        for name in names:
            if isinstance(layer, LoraLayer) and name in layer.lora_A:
                a: Any = layer.lora_A[name].weight
                b: Any = layer.lora_B[name].weight
                p = float(getattr(layer.lora_dropout[name], "p", 0.0))
                found.append(PlacedAdapter(a, b, layer.scaling[name], p, row, rank))
                rank += len(a)
        row += bare(layer).out_features
    return found


def ranks_after(adapters: Sequence[PlacedAdapter], otherwise: int) -> int:
    """The first rank behind them."""
    return adapters[-1].ranks.stop if adapters else otherwise
