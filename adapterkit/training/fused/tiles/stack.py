"""All decoder layers of a stack, and its head, in compiled passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.fused.head import PlainHead
from adapterkit.training.fused.rows import Rows
from adapterkit.training.fused.tiles.arena import Arena
from adapterkit.training.fused.tiles.blocks import Blocks, columns, cut
from adapterkit.training.fused.tiles.decoder import Gradients, Kept, TileLayer
from adapterkit.training.fused.tiles.entry import GRADIENTS, LABEL_LOSSES, PACK
from adapterkit.training.fused.tiles.group import woven
from adapterkit.training.fused.tiles.pages import Pool
from adapterkit.training.fused.tiles.team import Pass, Team

# Labels of a block at most: the head is larger than all that a block of them needs.
_LABELS = 512


class TileStack:
    """Computes all layers, forward and, by autograd, backward."""

    def __init__(self, layers: Sequence[Any], head: torch.Tensor, frozen: Sequence[str], trainee: str) -> None:
        """Take layers and a head: see `choice.tile_stack`."""
        self._team, self._arena, pool = Team(), Arena(), Pool()
        self._layers = [TileLayer(layer, frozen, trainee, pool) for layer in layers]
        self._parameters = [parameter for layer in self._layers for parameter in layer.parameters]
        self._numbers, self._entries, table = 0, [], list[list[int]]()
        for layer in self._layers:
            self._entries.append((len(table), len(table) + len(layer.parameters)))
            table += layer.gradients(self._numbers)
            self._numbers += sum(parameter.numel() for parameter in layer.parameters)
        self._gradients = torch.tensor(table)
        self.head: Any = TileHead(head, self._team, pool) if columns(len(head)) else PlainHead(head)
        self._team(*self._packing(trained=False))

    def rounded(self, tokens: int) -> int:
        """How many tokens are computed for so many."""
        return cut(tokens).tokens

    def rest(self) -> None:
        """Give the memory of activations back, until the next step."""
        self._arena.rest()

    def __call__(self, hidden: torch.Tensor, rows: Rows) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        # Passes see addresses alone.
        assert hidden.dtype == rows.cos.dtype == rows.sin.dtype == torch.bfloat16
        return _Layers.apply(hidden, self, Blocks(cut(len(hidden)), rows), *self._parameters)  # type: ignore[no-any-return, no-untyped-call]

    def forward(self, hidden: torch.Tensor, blocks: Blocks) -> tuple[torch.Tensor, list[Kept]]:
        """Through all layers, and what each keeps."""
        self._team.reserve(max(layer.scratch(blocks) for layer in self._layers))
        self._arena.begin(sum(layer.kept(blocks) for layer in self._layers))
        kept, passes, x = list[Kept](), self._packing(trained=True), hidden.data_ptr()
        for layer in self._layers:
            found, more = layer.forward(x, blocks, self._arena)
            kept.append(found)
            passes += more
            x = found.y
        self._team(*passes)
        return self._arena.tensor(x, *hidden.shape), kept

    def backward(self, kept: list[Kept], blocks: Blocks, dy: torch.Tensor, dx: torch.Tensor | None) -> torch.Tensor:
        """Back through all layers: the gradients of all parameters, float32, one behind the other."""
        wide, first = self._layers[0], len(self._layers) - 1
        tokens, chunks = blocks.cut.tokens, blocks.cut.chunks
        most = max(layer.share for layer in self._layers)
        between = torch.empty(4, tokens, wide.hidden, dtype=dy.dtype)
        qkv = torch.empty(tokens + blocks.queries, wide.groups[0].outputs, dtype=dy.dtype)
        mixed = torch.empty(tokens, wide.groups[1].inputs, dtype=dy.dtype)
        shares = self._arena.shares(chunks, most)
        room = Gradients(*(each.data_ptr() for each in (between[3], qkv, mixed, shares)))
        found, table = torch.empty(self._numbers), self._gradients.clone()
        table[:, 0] += found.data_ptr()
        passes, to = list[Pass](), dy.data_ptr()
        for number in range(first, -1, -1):
            last = 0 if dx is None else dx.data_ptr()
            grad = between[number % 2].data_ptr() if number else last
            layer, (start, end) = self._layers[number], self._entries[number]
            passes += layer.backward(kept[number], blocks, room, to, grad)
            passes.append((GRADIENTS, end - start, table[start:end], shares, chunks, layer.share))
            to = grad
        self._team(*passes)
        return found

    def split(self, gradients: torch.Tensor) -> list[torch.Tensor]:
        """Those of each parameter."""
        parts = gradients.split([parameter.numel() for parameter in self._parameters])
        return [part.view(parameter.shape) for part, parameter in zip(parts, self._parameters, strict=True)]

    def check(self, taken: int) -> None:
        """Raise RuntimeError where what a step kept is overwritten by one that began after it."""
        self._arena.check(taken)

    @property
    def taken(self) -> int:
        """Which step has begun last."""
        return self._arena.taken

    def _packing(self, *, trained: bool) -> list[Pass]:
        """The pass that rounds factors to bfloat16, in the orders in which they are read."""
        table = [entry for layer in self._layers for entry in layer.packing(trained=trained)]
        return [(PACK, len(table), torch.tensor(table))] if table else []


class _Layers(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, stack: TileStack, blocks: Blocks, *_: torch.nn.Parameter
    ) -> torch.Tensor:
        y, kept = stack.forward(hidden, blocks)
        ctx.stack, ctx.blocks, ctx.kept, ctx.hidden, ctx.taken = stack, blocks, kept, hidden, stack.taken
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        ctx.stack.check(ctx.taken)
        dx = torch.empty_like(ctx.hidden) if ctx.needs_input_grad[0] else None
        found = ctx.stack.backward(ctx.kept, ctx.blocks, dy.contiguous(), dx)
        return dx, None, None, *ctx.stack.split(found)


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
        blocks = cut(len(hidden), _LABELS)
        more = blocks.tokens - len(hidden)
        x, of = (torch.nn.functional.pad(each, (*(0, 0) * (each.dim() - 1), 0, more)) for each in (hidden, targets))
        losses, grads = torch.empty(len(x)), torch.empty_like(x)
        self._team.reserve(blocks.size * (8 * self._hidden + 40 * self._pieces[0] + 256) + (1 << 16))
        self._team((
            LABEL_LOSSES, blocks.chunks, blocks.edges, self._hidden, *self._pieces, self._vocabulary, x,
            self._forward, self._backward, self._weight, of, losses, grads,
        ))  # fmt: skip
        return losses[: len(hidden)], grads[: len(hidden)]
