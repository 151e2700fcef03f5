"""Linear layers that read the same input, with the adapters on them, as the compiled passes see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adapterkit.training.dropout import kept_values
from adapterkit.training.fused.adapters import bare, place, ranks_after
from adapterkit.training.fused.tiles import group_products as fields
from adapterkit.training.fused.tiles.pages import Pool
from adapterkit.training.fused.tiles.team import number
from adapterkit.training.fused.weight import FrozenWeight

# Ranks are filled up to a multiple of this with zeros: the matrix unit computes so many anyway.
_RANKS = 32


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
        description: int64, what the compiled passes read: see `group_products`.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        frozen: Sequence[str],
        trainee: str,
        forward: int,
        backward: int,
        at: int,
        pool: Pool,
    ) -> None:
        """Take layers of a stack and copy their weights, 4 bytes each, in the two orders in which they are read.

        Args:
            layers: linear layers, each bare or with LoRA.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
            forward: columns of a piece of the outputs.
            backward: columns of a piece of the inputs.
            at: where this group's gradients begin in the share of a block of tokens.
            pool: where copies of the weights go.
        """
        frozen_layers = [bare(layer) for layer in layers]
        dense = torch.cat([FrozenWeight(layer).dense(torch.bfloat16) for layer in frozen_layers])
        self.outputs, self.inputs = dense.shape
        biased = frozen_layers[0].bias is not None
        self._bias = torch.cat([layer.bias.data for layer in frozen_layers]) if biased else None
        self._frozen = place(layers, frozen, 0)
        self._below = _filled(ranks_after(self._frozen, 0))
        self._trained = place(layers, [trainee], self._below)
        self._segments = self._cut()
        # Behind the rows of each piece of the weights come those of B and A.
        self._forward = woven(dense.t(), forward, pool, self.ranks)
        self._backward = woven(dense, backward, pool, self.ranks)
        self.parameters = [parameter for each in self._trained for parameter in (each.a, each.b)]
        kept = self.ranks - self._below
        self._da, self._db, self.share = at, at + kept * self.inputs, kept * (self.inputs + self.outputs)
        self._describe(forward, backward)

    def _cut(self) -> list[_Segment]:
        """Ranks of like dropout, each segment filled up; where there is dropout, every trained adapter has its own."""
        if not any(each.dropout for each in self._trained):
            self.ranks = _filled(ranks_after(self._trained, self._below))
            return [_Segment(0, self.ranks, 0.0)] if self.ranks else []
        found, rank = [_Segment(0, self._below, 0.0)] if self._below else [], self._below
        for each in self._trained:
            each.rank = rank
            found.append(_Segment(rank, _filled(len(each.a)), each.dropout))
            rank += found[-1].ranks
        self.ranks = rank
        return found

    def _describe(self, forward: int, backward: int) -> None:
        zeros = torch.zeros(self.ranks * (2 * self.inputs + self.outputs), dtype=torch.bfloat16)
        of_a, of_b = self.ranks * self.inputs, self.ranks * self.outputs
        self._factors = zeros.split([of_a, of_a, of_b])
        found: list[Any] = [0] * fields.SEGMENT
        for at, value in (
            (fields.IN, self.inputs), (fields.OUT, self.outputs), (fields.FORWARD, forward),
            (fields.BACKWARD, backward), (fields.WF, self._forward), (fields.WB, self._backward),
            (fields.BIAS, self._bias), (fields.RANKS, self.ranks), (fields.AF, self._factors[0]),
            (fields.AB, self._factors[1]), (fields.BB, self._factors[2]),
            (fields.TRAINED, self._below), (fields.DA, self._da), (fields.DB, self._db),
            (fields.SEGMENTS, len(self._segments)),
        ):  # fmt: skip
            found[at] = number(value)
        for each in self._segments:
            found += [each.first, each.ranks, 0, number(1.0 / (1.0 - each.dropout))]
        self.description = torch.tensor(found)

    def packing(self, *, trained: bool) -> list[list[int]]:
        """The entries of the pass that packs factors: the trainee's, or those of the frozen members."""
        table = []
        for each in self._trained if trained else self._frozen:
            segment = next(segment for segment in reversed(self._segments) if segment.first <= each.rank)
            table.append([
                number(each.a), number(each.b), len(each.a), len(each.b), each.row, each.rank, segment.first,
                segment.ranks, number(each.scaling), self.description.data_ptr(), int(segment.dropout > 0),
            ])  # fmt: skip
        return table

    def described(self, tokens: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The description with dropout drawn for so many tokens, and the kept values, which must outlive the passes."""
        if not any(each.dropout for each in self._segments):
            return self.description, []
        kept, found = [], self.description.clone()
        x = torch.empty(tokens, self.inputs, dtype=torch.bfloat16)
        for at, each in enumerate(self._segments):
            if each.dropout:
                kept.append(kept_values(x, each.dropout))
                found[fields.SEGMENT + fields.EACH * at + 2] = kept[-1].data_ptr()
        return found, kept

    def gradients(self, at: int) -> list[list[int]]:
        """The entries of the pass that adds up those of `parameters`, which lie in a row from number `at` on."""
        table = []
        for each in self._trained:
            rank = each.rank - self._below
            from_a, from_b = self._da + rank * self.inputs, self._db + rank * self.outputs + each.row
            table.append([4 * at, *each.a.shape, from_a, self.inputs, 0, number(1.0)])
            at += each.a.numel()
            table.append([4 * at, *each.b.shape, from_b, self.outputs, 1, number(each.scaling)])
            at += each.b.numel()
        return table


def woven(weight: torch.Tensor, columns: int, pool: Pool, more: int = 0) -> torch.Tensor:
    """(k, n) in pieces of so many columns, pairs of rows woven together, with room for more rows."""
    k, n = weight.shape
    found = pool.take(n // columns, (k + more) // 2, columns, 2, dtype=weight.dtype)
    found[:, : k // 2] = weight.reshape(k // 2, 2, -1, columns).permute(2, 0, 3, 1)
    return found


def _filled(ranks: int) -> int:
    return -(-ranks // _RANKS) * _RANKS
