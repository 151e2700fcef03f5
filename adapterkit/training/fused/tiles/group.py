"""Linear layers that read the same input, with the adapters on them, as the compiled passes see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from adapterkit.training.dropout import kept_values
from adapterkit.training.fused.tiles import groups
from adapterkit.training.fused.tiles.pages import empty
from adapterkit.training.fused.tiles.team import number
from adapterkit.training.fused.weight import FrozenWeight

# Ranks are filled up to a multiple of this with zeros: the matrix unit computes so many anyway.
_RANKS = 32


@dataclass
class _Adapter:
    """One adapter on one layer: its parameters, its scaling, and its place among the rows of y and the ranks."""

    a: torch.nn.Parameter
    b: torch.nn.Parameter
    scaling: float
    dropout: float
    row: int
    rank: int


@dataclass
class _Segment:
    """Ranks of like dropout."""

    first: int
    ranks: int
    dropout: float


class TileGroup:
    """Several linear layers with one input.

    Attributes:
        parameters: the trainee's, A and B of each layer that has them.
        outputs: the sum of the layers' outputs.
        inputs: of each of them.
        ranks: of all adapters, filled up.
        share: float32 numbers that the gradients of a block of tokens take.
    """

    def __init__(
        self, layers: Sequence[Any], frozen: Sequence[str], trainee: str, forward: int, backward: int, at: int
    ) -> None:
        """Take layers of a stack and copy their weights, 4 bytes each, in the two orders in which they are read.

        Args:
            layers: linear layers, each bare or with LoRA.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
            forward: columns of a piece of the outputs.
            backward: columns of a piece of the inputs.
            at: where this group's gradients begin in the share of a block of tokens.
        """
        bare: list[Any] = [layer.get_base_layer() if isinstance(layer, LoraLayer) else layer for layer in layers]
        dense = torch.cat([FrozenWeight(each).dense(torch.bfloat16) for each in bare])
        self.outputs, self.inputs = dense.shape
        self._bias = torch.cat([each.bias.data for each in bare]) if bare[0].bias is not None else None
        self._place(layers, [each.out_features for each in bare], frozen, trainee)
        # Behind the rows of each piece of the weights come those of B and A.
        self._forward = woven(dense.t(), forward, self.ranks)
        self._backward = woven(dense, backward, self.ranks)
        self.parameters = [parameter for each in self._trained for parameter in (each.a, each.b)]
        kept = self.ranks - self._below
        self._da, self._db, self.share = at, at + kept * self.inputs, kept * (self.inputs + self.outputs)
        self._describe(forward, backward)

    def _place(self, layers: Sequence[Any], rows: Sequence[int], frozen: Sequence[str], trainee: str) -> None:
        self._frozen, self._below = _adapters(layers, rows, frozen, 0, apart=False)
        dropped = any(_bears(layer, trainee) and _drops(layer, trainee) for layer in layers)
        self._trained, self.ranks = _adapters(layers, rows, [trainee], self._below, apart=dropped)
        if not dropped:
            self._segments = [_Segment(0, self.ranks, 0.0)] if self.ranks else []
            return
        self._segments = [_Segment(0, self._below, 0.0)] if self._below else []
        stops = [each.rank for each in self._trained[1:]] + [self.ranks]
        for each, stop in zip(self._trained, stops, strict=True):
            self._segments.append(_Segment(each.rank, stop - each.rank, each.dropout))

    def _describe(self, forward: int, backward: int) -> None:
        zeros = torch.zeros(self.ranks * (2 * self.inputs + self.outputs), dtype=torch.bfloat16)
        of_a, of_b = self.ranks * self.inputs, self.ranks * self.outputs
        self._factors = zeros.split([of_a, of_a, of_b])
        fields: list[Any] = [0] * groups.SEGMENT
        for at, value in (
            (groups.IN, self.inputs), (groups.OUT, self.outputs), (groups.FORWARD, forward),
            (groups.BACKWARD, backward), (groups.WF, self._forward), (groups.WB, self._backward),
            (groups.BIAS, self._bias), (groups.RANKS, self.ranks), (groups.AF, self._factors[0]),
            (groups.AB, self._factors[1]), (groups.BB, self._factors[2]),
            (groups.TRAINED, self._below), (groups.DA, self._da), (groups.DB, self._db),
            (groups.SEGMENTS, len(self._segments)),
        ):  # fmt: skip
            fields[at] = number(value)
        for each in self._segments:
            fields += [each.first, each.ranks, 0, number(1.0 / (1.0 - each.dropout))]
        self._fields = fields

    def packing(self, description: torch.Tensor, *, trained: bool) -> list[list[int]]:
        """The entries of the pass that packs factors: the trainee's, or those of the frozen members."""
        table = []
        for each in self._trained if trained else self._frozen:
            segment = next(s for s in self._segments if s.first <= each.rank < s.first + s.ranks)
            table.append([
                each.a.data_ptr(), each.b.data_ptr(), len(each.a), len(each.b), each.row, each.rank, segment.first,
                segment.ranks, number(each.scaling), description.data_ptr(), int(segment.dropout > 0),
            ])  # fmt: skip
        return table

    def described(self, tokens: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """What the passes read of this group, int64, and what of it must outlive them: the dropouts' kept values."""
        kept, fields = [], list(self._fields)
        for number_of, each in enumerate(self._segments):
            if each.dropout:
                mask = kept_values(torch.empty(tokens, self.inputs, dtype=torch.bfloat16), each.dropout)
                fields[groups.SEGMENT + groups.EACH * number_of + 2] = mask.data_ptr()
                kept.append(mask)
        return torch.tensor(fields), kept

    def gradients(self) -> tuple[list[torch.Tensor], list[list[int]]]:
        """Room for those of `parameters`, float32, and the entries of the pass that adds them up."""
        found, table = [], []
        for each in self._trained:
            a, b = (torch.empty(parameter.shape) for parameter in (each.a, each.b))
            rank = each.rank - self._below
            from_a, from_b = self._da + rank * self.inputs, self._db + rank * self.outputs + each.row
            table.append([a.data_ptr(), *a.shape, from_a, self.inputs, 0, number(1.0)])
            table.append([b.data_ptr(), *b.shape, from_b, self.outputs, 1, number(each.scaling)])
            found += [a, b]
        return found, table


def woven(weight: torch.Tensor, columns: int, more: int = 0) -> torch.Tensor:
    """(k, n) in pieces of so many columns, pairs of rows woven together, with room for more rows: what products read."""
    k, n = weight.shape
    found = empty(n // columns, (k + more) // 2, columns, 2, dtype=weight.dtype)
    found[:, : k // 2] = weight.reshape(k // 2, 2, -1, columns).permute(2, 0, 3, 1)
    return found


def _adapters(
    layers: Sequence[Any], rows: Sequence[int], names: Sequence[str], rank: int, *, apart: bool
) -> tuple[list[_Adapter], int]:
    """The adapters of so many names on so many layers, and the first rank after them; `apart`: each on its own ranks."""
    found, row = [], 0
    for layer, count in zip(layers, rows, strict=True):
        for name in names:
            if _bears(layer, name):
                a: Any = layer.lora_A[name].weight
                b: Any = layer.lora_B[name].weight
                p = float(getattr(layer.lora_dropout[name], "p", 0.0))
                found.append(_Adapter(a, b, layer.scaling[name], p, row, rank))
                rank += len(a)
                rank = _filled(rank) if apart else rank
        row += count
    return found, _filled(rank)


def _bears(layer: Any, name: str) -> bool:
    return isinstance(layer, LoraLayer) and name in layer.lora_A


def _drops(layer: Any, name: str) -> bool:
    return bool(getattr(layer.lora_dropout[name], "p", 0.0))


def _filled(ranks: int) -> int:
    return -(-ranks // _RANKS) * _RANKS
