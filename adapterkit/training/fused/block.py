"""A decoder layer of the Llama family as one function, forward and backward (Touvron et al., 2023).

Every token is computed once, whatever row it belongs to; only attention looks at rows. What autograd would keep twice,
or in float32, is kept once, in the compute dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.fused import plain
from adapterkit.training.fused.attention import attend, attend_backward
from adapterkit.training.fused.head import PlainHead
from adapterkit.training.fused.linear import LinearGroup
from adapterkit.training.fused.rows import Rows
from adapterkit.training.fused.shapes import rounded_tokens


class Block:
    """A decoder layer with the adapters on it.

    Attributes:
        parameters: the trainee's in this layer, in the order in which gradients are returned.
    """

    def __init__(self, layer: Any, frozen: Sequence[str], trainee: str) -> None:
        """Take a layer with `self_attn`, `mlp` and two norms, as Llama, Mistral and Qwen2 have them.

        Args:
            layer: of the model, with the adapters on it.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
        """
        attention, mlp = layer.self_attn, layer.mlp
        self.qkv = LinearGroup([attention.q_proj, attention.k_proj, attention.v_proj], frozen, trainee)
        self.out = LinearGroup([attention.o_proj], frozen, trainee)
        self.up = LinearGroup([mlp.gate_proj, mlp.up_proj], frozen, trainee)
        self.down = LinearGroup([mlp.down_proj], frozen, trainee)
        self.groups = (self.qkv, self.out, self.up, self.down)
        self.first, self.second = (norm.weight.data for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        self.eps = layer.input_layernorm.variance_epsilon
        self.parameters = [parameter for group in self.groups for parameter in group.parameters]

    def __call__(self, x: torch.Tensor, rows: Rows) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        return _Layer.apply(x, self, rows, *self.parameters)  # type: ignore[no-any-return, no-untyped-call]


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, block: Block, rows: Rows, *_: torch.nn.Parameter) -> torch.Tensor:
        normed, r1 = plain.norm(x, block.first, block.eps)
        qkv, s1 = block.qkv.forward(normed)
        q, k, v = plain.heads(qkv, rows)
        out, kept = attend(q, k, v)
        mixed = plain.unpadded(out, rows)
        mixed_out, s2 = block.out.forward(mixed)
        middle = mixed_out.add_(x)
        again, r2 = plain.norm(middle, block.second, block.eps)
        gates, s3 = block.up.forward(again)
        active = plain.gate(gates)
        y, s4 = block.down.forward(active)
        ctx.block, ctx.rows = block, rows
        ctx.saved = x, normed, r1, s1, kept, mixed, s2, middle, again, r2, s3, gates, active, s4
        return y.add_(middle)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        block, rows = ctx.block, ctx.rows
        x, normed, r1, s1, kept, mixed, s2, middle, again, r2, s3, gates, active, s4 = ctx.saved
        del ctx.saved
        dactive, down = block.down.backward(dy, active, s4)
        dgates = plain.gate_backward(dactive, gates)
        dagain, up = block.up.backward(dgates, again, s3)
        dmiddle = plain.norm_backward(dagain, middle, block.second, r2, dy)
        dmixed, out = block.out.backward(dmiddle, mixed, s2)
        dq, dk, dv = attend_backward(plain.padded(dmixed, rows), kept)
        dqkv = plain.heads_backward(dq, dk, dv, rows)
        wanted = ctx.needs_input_grad[0]
        dnormed, qkv = block.qkv.backward(dqkv, normed, s1, wanted=wanted)
        dx = plain.norm_backward(dnormed, x, block.first, r1, dmiddle) if wanted else None
        return dx, None, None, *qkv, *out, *up, *down


class PlainStack:
    """All decoder layers and the head, by PyTorch's own operations: any dtype, any size."""

    def __init__(self, layers: Sequence[Any], head: torch.Tensor, frozen: Sequence[str], trainee: str) -> None:
        """Take layers as `Block` does, and the head's weight."""
        self._blocks = [Block(layer, frozen, trainee) for layer in layers]
        self._groups = [group for block in self._blocks for group in block.groups]
        self.head = PlainHead(head)
        for group in self._groups:
            group.prepare(head.dtype)

    def rounded(self, tokens: int) -> int:
        """How many tokens are computed for so many."""
        return rounded_tokens(tokens)

    def rest(self) -> None:
        """Nothing is held between steps."""

    def __call__(self, hidden: torch.Tensor, rows: Rows) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        for group in self._groups:
            group.refresh()
        for block in self._blocks:
            hidden = block(hidden, rows)
        return hidden
