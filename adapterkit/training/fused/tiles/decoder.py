"""A decoder layer of the Llama family in three compiled passes forward and three backward (Touvron et al., 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.fused.tiles.arena import Arena
from adapterkit.training.fused.tiles.blocks import Blocks, columns
from adapterkit.training.fused.tiles.entry import (
    ATTEND,
    ATTEND_BACKWARD,
    GRADIENTS,
    MLP,
    MLP_BACKWARD,
    QKV,
    QKV_BACKWARD,
)
from adapterkit.training.fused.tiles.group import TileGroup
from adapterkit.training.fused.tiles.pages import Pool
from adapterkit.training.fused.tiles.team import Team

# Columns of a piece of queries, keys and values.
_HEADS = 192


class TileLayer:
    """A decoder layer with the adapters on it.

    Attributes:
        parameters: the trainee's in this layer, in the order in which gradients are returned.
    """

    def __init__(self, layer: Any, frozen: Sequence[str], trainee: str, team: Team, pool: Pool) -> None:
        """Take a layer with `self_attn`, `mlp` and two norms, as Llama, Mistral and Qwen2 have them.

        Args:
            layer: of the model, with the adapters on it.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
            team: whose threads compute.
            pool: where copies of the weights go.
        """
        attention, mlp = layer.self_attn, layer.mlp
        config = attention.config
        self.heads, self.keys = int(config.num_attention_heads), int(config.num_key_value_heads)
        self.head, self.hidden, self.wide = int(attention.head_dim), int(mlp.hidden_size), int(mlp.intermediate_size)
        self.team = team
        hidden, wide = columns(self.hidden), columns(self.wide)
        inner = columns(self.heads * self.head)
        at, self.groups = 0, []
        for modules, forward, backward in (
            ([attention.q_proj, attention.k_proj, attention.v_proj], self._whole_heads(), hidden),
            ([attention.o_proj], hidden, inner),
            ([mlp.gate_proj, mlp.up_proj], wide, hidden),
            ([mlp.down_proj], hidden, wide),
        ):
            self.groups.append(TileGroup(modules, frozen, trainee, forward, backward, at, pool))
            at += self.groups[-1].share
        self.share = at
        self.mixed = self.groups[1].inputs + self.groups[1].ranks
        self.first, self.second = (norm.weight.data for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        self.eps = float(layer.input_layernorm.variance_epsilon)
        self.parameters = [parameter for group in self.groups for parameter in group.parameters]

    def _whole_heads(self) -> int:
        total, most = self.heads + 2 * self.keys, max(1, _HEADS // self.head)
        return self.head * max(number for number in range(1, most + 1) if total % number == 0)

    def packing(self, *, trained: bool) -> list[list[int]]:
        """The entries of the pass that packs the factors of all groups."""
        return [entry for group in self.groups for entry in group.packing(trained=trained)]

    def scratch(self, blocks: Blocks) -> int:
        """Bytes that a thread may need."""
        ranks = max(group.ranks for group in self.groups)
        numbers = (
            8 * self.wide + 24 * self.hidden + 16 * ranks + 12 * self.groups[0].outputs + 12 * self.groups[1].inputs
        )
        passes = blocks.size * (numbers + 2048)
        attention = (blocks.room + blocks.queries) * (32 * self.head + 24 * blocks.queries)
        return passes + attention + (1 << 16)

    def kept(self, blocks: Blocks) -> int:
        """Bytes that the backward pass needs of this layer."""
        tokens = blocks.size * blocks.count
        numbers = sum(group.ranks for group in self.groups) + self.groups[0].outputs + self.groups[1].inputs
        numbers += 2 * self.hidden + 2 * self.wide + 2 * self.heads
        return 2 * (tokens * numbers + blocks.queries * self.groups[0].outputs) + 64 * 16

    def __call__(self, x: torch.Tensor, blocks: Blocks, arena: Arena) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        return _Layer.apply(x, self, blocks, arena, *self.parameters)  # type: ignore[no-any-return, no-untyped-call]


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, layer: TileLayer, blocks: Blocks, arena: Arena, *_: torch.nn.Parameter
    ) -> torch.Tensor:
        tokens, team, take = len(x), layer.team, arena.take
        pairs = [group.described(tokens) for group in layer.groups]
        described, kept = [description for description, _ in pairs], [masks for _, masks in pairs]
        low = [take(tokens, layer.groups[number].ranks) for number in (0, 2, 3)]
        qkv = take(tokens + blocks.queries, layer.groups[0].outputs)
        mixed, middle, gates = (take(tokens, n) for n in (layer.mixed, layer.hidden, 2 * layer.wide))
        y, logs = take(tokens, layer.hidden), take(layer.heads, tokens, dtype=torch.float32)
        rows, common, heads = blocks.rows, _common(layer, blocks), _attention(layer, blocks)
        angles = rows.cos, rows.sin, layer.head, layer.heads + layer.keys
        team(QKV, *common, described[0], x, layer.first, low[0], qkv, *angles)
        team(ATTEND, rows.count * layer.keys, *heads, qkv, mixed, logs, tokens, layer.mixed)
        team(MLP, *common, layer.second, *described[1:], mixed, x, middle, gates, y, *low[1:])
        ctx.layer, ctx.blocks, ctx.arena, ctx.taken = layer, blocks, arena, arena.taken
        ctx.saved = x, described, kept, low, qkv, mixed, middle, gates, logs
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        layer, blocks, arena = ctx.layer, ctx.blocks, ctx.arena
        x, described, _, low, qkv, mixed, middle, gates, logs = ctx.saved
        arena.check(ctx.taken)
        tokens, team, dy = len(x), layer.team, dy.contiguous()
        share, wanted = arena.shares(blocks.count, layer.share), ctx.needs_input_grad[0]
        dmiddle, dqkv = torch.empty_like(middle), torch.empty_like(qkv)
        dmixed = middle.new_empty(tokens, layer.groups[1].inputs)
        dx = torch.empty_like(x) if wanted else None
        rows, common, heads = blocks.rows, _common(layer, blocks), _attention(layer, blocks)
        angles = rows.cos, rows.sin, layer.head, layer.heads + layer.keys
        own = mixed, middle, gates, dy, *low[1:], dmiddle, dmixed, share, layer.share
        team(MLP_BACKWARD, *common, layer.second, *described[1:], *own)
        team(ATTEND_BACKWARD, rows.count * layer.keys, *heads, qkv, logs, tokens, dmixed, dqkv)
        own = dmiddle, dx, share, layer.share
        team(QKV_BACKWARD, *common, described[0], x, layer.first, low[0], dqkv, *angles, *own)
        found = [group.gradients() for group in layer.groups]
        table = torch.tensor([entry for _, entries in found for entry in entries])
        team(GRADIENTS, len(table), table, share, *share.shape)
        return dx, None, None, None, *(grad for grads, _ in found for grad in grads)


def _common(layer: TileLayer, blocks: Blocks) -> tuple[Any, ...]:
    return blocks.count, blocks.size, layer.hidden, layer.eps


def _attention(layer: TileLayer, blocks: Blocks) -> tuple[Any, ...]:
    scale = 1 / math.sqrt(layer.head)
    return (
        blocks.rows.starts,
        blocks.rows.lengths,
        layer.heads,
        layer.keys,
        layer.head,
        scale,
        blocks.queries,
        blocks.room,
    )
