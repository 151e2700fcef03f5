"""A decoder layer of the Llama family as one function, forward and backward (Touvron et al., 2023).

Every token is computed once, whatever row it belongs to; only attention looks at rows. What autograd would keep twice,
or in float32, is kept once, in the compute dtype.
"""

from __future__ import annotations

from typing import Any

import torch

from adapterkit.training.fused.attention import attend, attend_backward
from adapterkit.training.fused.linear import LinearGroup
from adapterkit.training.fused.terms import Rows


class Block:
    """A decoder layer with the adapters on it.

    Attributes:
        parameters: the trainee's in this layer, in the order in which gradients are returned.
    """

    def __init__(self, layer: Any, frozen: list[str], trainee: str, steps: Any) -> None:
        """Take a layer with `self_attn`, `mlp` and two norms, as Llama, Mistral and Qwen2 have them.

        Args:
            layer: of the model, with the adapters on it.
            frozen: PEFT's names of the frozen members.
            trainee: that of the trainee.
            steps: what computes between the products: `plain` or `compiled`.
        """
        attention, mlp = layer.self_attn, layer.mlp
        self.qkv = LinearGroup([attention.q_proj, attention.k_proj, attention.v_proj], frozen, trainee)
        self.out = LinearGroup([attention.o_proj], frozen, trainee)
        self.up = LinearGroup([mlp.gate_proj, mlp.up_proj], frozen, trainee)
        self.down = LinearGroup([mlp.down_proj], frozen, trainee)
        self.groups = (self.qkv, self.out, self.up, self.down)
        self.first, self.second = (norm.weight.data for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        self.eps = layer.input_layernorm.variance_epsilon
        self.steps = steps
        self.parameters = [parameter for group in self.groups for parameter in group.parameters]

    def __call__(self, x: torch.Tensor, rows: Rows) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        return _Layer.apply(x, self, rows, *self.parameters)  # type: ignore[no-any-return, no-untyped-call]


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, block: Block, rows: Rows, *_: torch.nn.Parameter) -> torch.Tensor:
        steps = block.steps
        normed, r1 = steps.norm(x, block.first, block.eps)
        qkv, s1 = block.qkv.forward(normed)
        q, k, v = steps.heads(qkv, rows)
        out, kept = attend(q, k, v, steps)
        mixed = steps.unpadded(out, rows)
        mixed_out, s2 = block.out.forward(mixed)
        middle, again, r2 = steps.summed_norm(mixed_out, x, block.second, block.eps)
        opened, s3 = block.up.forward(again)
        gates = steps.summed(opened)
        active = steps.gate(gates)
        y, s4 = block.down.forward(active)
        ctx.block, ctx.rows = block, rows
        ctx.saved = x, normed, r1, s1, kept, mixed, s2, middle, again, r2, s3, gates, active, s4
        return steps.summed(y, middle)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        block, rows, steps = ctx.block, ctx.rows, ctx.block.steps
        x, normed, r1, s1, kept, mixed, s2, middle, again, r2, s3, gates, active, s4 = ctx.saved
        del ctx.saved
        dactive, down = block.down.backward(dy, active, s4)
        dgates = steps.gate_backward(steps.summed(dactive), gates)
        dagain, up = block.up.backward(dgates, again, s3)
        dmiddle = steps.norm_backward(dagain, middle, block.second, r2, dy)
        dmixed, out = block.out.backward(dmiddle, mixed, s2)
        dq, dk, dv = attend_backward(steps.padded(dmixed, rows), kept, steps)
        dqkv = steps.heads_backward(dq, dk, dv, rows)
        wanted = ctx.needs_input_grad[0]
        dnormed, qkv = block.qkv.backward(dqkv, normed, s1, wanted=wanted)
        dx = steps.norm_backward(dnormed, x, block.first, r1, dmiddle) if wanted else None
        return dx, None, None, *qkv, *out, *up, *down
