"""A decoder layer of the Llama family in three compiled passes forward and three backward (Touvron et al., 2023)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adapterkit.training.fused.tiles.arena import Arena
from adapterkit.training.fused.tiles.blocks import Blocks, columns
from adapterkit.training.fused.tiles.entry import (
    ATTEND,
    ATTEND_BACKWARD,
    MLP,
    MLP_BACKWARD,
    QKV,
    QKV_BACKWARD,
)
from adapterkit.training.fused.tiles.group import TileGroup
from adapterkit.training.fused.tiles.pages import Pool
from adapterkit.training.fused.tiles.team import Pass

# Columns of a piece of queries, keys and values.
_HEADS = 192


@dataclass(frozen=True)
class Kept:
    """What the backward pass needs of a layer: addresses, and the groups' descriptions with their dropout.

    Attributes:
        x: the input.
        described: of each group.
        masks: which values dropout kept; they must outlive the passes.
        low: what the ranks of queries, keys and values, of gate and up, and of down came to.
        qkv: queries, keys and values, rotated.
        mixed: what attention found, and the ranks behind it.
        middle: the residual between the two halves.
        gates: gate and up.
        y: the output.
        logs: of the sums of weights.
    """

    x: int
    described: list[torch.Tensor]
    masks: list[list[torch.Tensor]]
    low: list[int]
    qkv: int
    mixed: int
    middle: int
    gates: int
    y: int
    logs: int


@dataclass(frozen=True)
class Gradients:
    """Addresses of what the backward passes of every layer use anew.

    Attributes:
        middle: of the residual between the two halves.
        qkv: of queries, keys and values.
        mixed: of what attention found.
        shares: of the parameters, as each chunk of tokens has found them.
    """

    middle: int
    qkv: int
    mixed: int
    shares: int


class TileLayer:
    """A decoder layer with the adapters on it.

    Attributes:
        parameters: the trainee's in this layer, in the order in which gradients are returned.
    """

    def __init__(self, layer: Any, frozen: Sequence[str], trainee: str, pool: Pool) -> None:
        """Take a layer with `self_attn`, `mlp` and two norms, as Llama, Mistral and Qwen2 have them.

        Args:
            layer: of the model, with the adapters on it.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
            pool: where copies of the weights go.
        """
        attention, mlp = layer.self_attn, layer.mlp
        config = attention.config
        self.heads, self.keys = int(config.num_attention_heads), int(config.num_key_value_heads)
        self.head, self.hidden, self.wide = int(attention.head_dim), int(mlp.hidden_size), int(mlp.intermediate_size)
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
        passes = blocks.cut.size * (numbers + 2048)
        attention = (blocks.room + blocks.queries) * (32 * self.head + 24 * blocks.queries)
        return passes + attention + (1 << 16)

    def kept(self, blocks: Blocks) -> int:
        """Bytes that the backward pass needs of this layer."""
        tokens = blocks.cut.tokens
        numbers = sum(group.ranks for group in self.groups) + self.groups[0].outputs + self.groups[1].inputs
        numbers += 2 * self.hidden + 2 * self.wide + 2 * self.heads
        return 2 * (tokens * numbers + blocks.queries * self.groups[0].outputs) + 64 * 16

    def forward(self, x: int, blocks: Blocks, arena: Arena) -> tuple[Kept, list[Pass]]:
        """The passes from x, the address of bfloat16 (tokens, hidden), to y of the same shape, and what they keep."""
        tokens, take, groups = blocks.cut.tokens, arena.take, self.groups
        pairs = [group.described(tokens) for group in groups]
        described, masks = [description for description, _ in pairs], [kept for _, kept in pairs]
        low = [take(tokens * groups[number].ranks) for number in (0, 2, 3)]
        qkv = take((tokens + blocks.queries) * groups[0].outputs)
        mixed, middle, gates, y = (take(tokens * n) for n in (self.mixed, self.hidden, 2 * self.wide, self.hidden))
        kept = Kept(x, described, masks, low, qkv, mixed, middle, gates, y, take(self.heads * tokens, size=4))
        common, (chunks, items, heads, angles) = self._common(blocks), self._parts(blocks)
        return kept, [
            (QKV, chunks, *common, described[0], x, self.first, low[0], qkv, *angles),
            (ATTEND, items, *heads, qkv, mixed, kept.logs, tokens, self.mixed),
            (MLP, chunks, *common, self.second, *described[1:], mixed, x, middle, gates, y, *low[1:]),
        ]

    def backward(self, kept: Kept, blocks: Blocks, grads: Gradients, dy: int, dx: int) -> list[Pass]:
        """The passes from the gradient of y to that of x, where its address is not 0, and to the parameters'."""
        tokens, (chunks, items, heads, angles) = blocks.cut.tokens, self._parts(blocks)
        common, described, low = self._common(blocks), kept.described, kept.low
        share = grads.shares, self.share
        return [
            (MLP_BACKWARD, chunks, *common, self.second, *described[1:], kept.mixed, kept.middle, kept.gates, dy,
             *low[1:], grads.middle, grads.mixed, *share),
            (ATTEND_BACKWARD, items, *heads, kept.qkv, kept.logs, tokens, grads.mixed, grads.qkv),
            (QKV_BACKWARD, chunks, *common, described[0], kept.x, self.first, low[0], grads.qkv, *angles,
             grads.middle, dx, *share),
        ]  # fmt: skip

    def gradients(self, at: int) -> list[list[int]]:
        """The entries of the pass that adds up the parameters' gradients, which lie from number `at` on."""
        table = []
        for group in self.groups:
            table += group.gradients(at)
            at += sum(parameter.numel() for parameter in group.parameters)
        return table

    def _common(self, blocks: Blocks) -> tuple[Any, ...]:
        return blocks.cut.edges, self.hidden, self.eps

    def _parts(self, blocks: Blocks) -> tuple[int, int, tuple[Any, ...], tuple[Any, ...]]:
        """Chunks of tokens, rows times heads of keys, and what attention and rotation take."""
        rows, scale = blocks.rows, 1 / math.sqrt(self.head)
        heads = rows.starts, rows.lengths, self.heads, self.keys, self.head, scale, blocks.queries, blocks.room
        angles = rows.cos, rows.sin, self.head, self.heads + self.keys
        return blocks.cut.chunks, rows.count * self.keys, heads, angles
