"""All decoder layers of a stack, and its head, in compiled passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.fused.head import PlainHead
from adapterkit.training.fused.rows import Rows
from adapterkit.training.fused.tiles.arena import Arena
from adapterkit.training.fused.tiles.blocks import Blocks, columns, cut
from adapterkit.training.fused.tiles.decoder import TileLayer
from adapterkit.training.fused.tiles.entry import LABEL_LOSSES, PACK
from adapterkit.training.fused.tiles.group import woven
from adapterkit.training.fused.tiles.pages import Pool
from adapterkit.training.fused.tiles.team import Team


class TileStack:
    """Computes all layers, forward and, by autograd, backward."""

    def __init__(self, layers: Sequence[Any], head: torch.Tensor, frozen: Sequence[str], trainee: str) -> None:
        """Take layers and a head: see `choice.tile_stack`."""
        self._team, self._arena, pool = Team(), Arena(), Pool()
        self._layers = [TileLayer(layer, frozen, trainee, self._team, pool) for layer in layers]
        self.head: Any = TileHead(head, self._team, pool) if columns(len(head)) else PlainHead(head)
        self._pack(trained=False)

    def rounded(self, tokens: int) -> int:
        """How many tokens are computed for so many."""
        size, count = cut(tokens)
        return size * count

    def rest(self) -> None:
        """Give the memory of activations back, until the next step."""
        self._arena.rest()

    def __call__(self, hidden: torch.Tensor, rows: Rows) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        size, count = cut(len(hidden))
        blocks = Blocks(size, count, rows)
        # Passes see addresses alone.
        assert hidden.dtype == rows.cos.dtype == rows.sin.dtype == torch.bfloat16
        self._team.reserve(max(layer.scratch(blocks) for layer in self._layers))
        self._arena.begin(sum(layer.kept(blocks) for layer in self._layers))
        self._pack(trained=True)
        for layer in self._layers:
            hidden = layer(hidden, blocks, self._arena)
        return hidden

    def _pack(self, *, trained: bool) -> None:
        """Round factors to bfloat16, in the orders in which they are read."""
        if table := [entry for layer in self._layers for entry in layer.packing(trained=trained)]:
            self._team(PACK, len(table), torch.tensor(table))


class TileHead:
    """The head, whose logits nobody ever sees."""

    def __init__(self, weight: torch.Tensor, team: Team, pool: Pool) -> None:
        """Copy (vocabulary, hidden) in the two orders in which it is read."""
        self._weight, self._team = weight, team
        self._vocabulary, self._hidden = weight.shape
        self._pieces = columns(self._vocabulary), columns(self._hidden)
        forward, backward = self._pieces
        self._forward, self._backward = woven(weight.t(), forward, pool), woven(weight, backward, pool)

    def __call__(self, hidden: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of (labels, hidden), float32 (labels,), and their gradients."""
        if not len(hidden):
            return torch.empty(0), hidden
        size, count = cut(len(hidden))
        more = size * count - len(hidden)
        x, of = (torch.nn.functional.pad(each, (*(0, 0) * (each.dim() - 1), 0, more)) for each in (hidden, targets))
        losses, grads = torch.empty(len(x)), torch.empty_like(x)
        self._team.reserve(size * (8 * self._hidden + 40 * self._pieces[0] + 256) + (1 << 16))
        self._team(LABEL_LOSSES, count, size, self._hidden, *self._pieces, self._vocabulary, x, self._forward,
                   self._backward, self._weight, of, losses, grads)  # fmt: skip
        return losses[: len(hidden)], grads[: len(hidden)]
