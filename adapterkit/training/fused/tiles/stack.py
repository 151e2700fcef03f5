"""All decoder layers of a stack in compiled passes, or whether they can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.fused.tiles.arena import Arena
from adapterkit.training.fused.tiles.decoder import Blocks, TileLayer, columns
from adapterkit.training.fused.tiles.entry import LABEL_LOSSES
from adapterkit.training.fused.tiles.group import woven
from adapterkit.training.fused.tiles.team import Team, parallel, products

# Tokens of a block at most: two gradients of the widest layer stay in a core's second cache.
_BLOCK = 192


class TileStack:
    """Computes all layers, forward and, by autograd, backward."""

    def __init__(self, layers: Sequence[Any], head: torch.Tensor, config: Any, frozen: Sequence[str], trainee: str) -> None:
        """Take layers for which `can_tile` is true."""
        self._team, self._arena = Team(), Arena()
        self._team.reserve(1)
        self._layers = [TileLayer(layer, config, frozen, trainee, self._team) for layer in layers]
        self.head = TileHead(head, self._team)

    def rounded(self, tokens: int) -> int:
        """How many tokens are computed for so many."""
        size, count = _cut(tokens)
        return size * count

    def __call__(
        self, x: torch.Tensor, where: torch.Tensor, rows: int, width: int, cos: torch.Tensor, sin: torch.Tensor
    ) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        size, count = _cut(len(x))
        lengths = torch.bincount(where // width, minlength=rows)
        starts = lengths.cumsum(0) - lengths
        blocks = Blocks(size, count, starts, lengths, int(lengths.max()), cos, sin)
        self._team.reserve(max(layer.scratch(blocks) for layer in self._layers[:1]))
        self._arena.begin(sum(layer.kept(blocks) for layer in self._layers))
        for layer in self._layers:
            layer.pack(trained=True)
        for layer in self._layers:
            x = layer(x, blocks, self._arena)
        return x


def can_tile(config: Any, dtype: torch.dtype, layers: Sequence[Any]) -> bool:
    """Whether compiled passes can compute layers of this shape, on this machine."""
    if dtype != torch.bfloat16 or parallel() is None or products() is None:
        return False
    head = layers[0].self_attn.head_dim
    sizes = config.hidden_size, config.intermediate_size, config.num_attention_heads * head
    return head % 16 == 0 and all(columns(size) for size in sizes)


def _cut(tokens: int) -> tuple[int, int]:
    """Tokens of a block, a multiple of 16, and how many blocks: as many for every thread."""
    threads = torch.get_num_threads()
    count = threads * -(-tokens // (threads * _BLOCK))
    return -(-tokens // (count * 16)) * 16, count


class TileHead:
    """The head, whose logits nobody ever sees."""

    def __init__(self, weight: torch.Tensor, team: Team) -> None:
        """Copy (vocabulary, hidden) in the two orders in which it is read."""
        self._weight, self._team = weight, team
        self._vocabulary, self._hidden = weight.shape
        self._pieces = columns(self._vocabulary), columns(self._hidden)
        forward, backward = self._pieces
        self._forward, self._backward = woven(weight.t(), forward), woven(weight, backward)

    def __call__(self, hidden: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of (labels, hidden), float32 (labels,), and their gradients."""
        size, count = _cut(len(hidden))
        more = size * count - len(hidden)
        x, of = (torch.nn.functional.pad(each, (*(0, 0) * (each.dim() - 1), 0, more)) for each in (hidden, targets))
        losses, grads = torch.empty(len(x)), torch.empty_like(x)
        self._team.reserve(size * (8 * self._hidden + 40 * self._pieces[0] + 256) + (1 << 16))
        self._team(LABEL_LOSSES, count, size, self._hidden, *self._pieces, self._vocabulary, x, self._forward,
                   self._backward, self._weight, of, losses, grads)  # fmt: skip
        return losses[: len(hidden)], grads[: len(hidden)]
