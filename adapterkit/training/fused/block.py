"""A decoder layer of the Llama family as one function, forward and backward (Touvron et al., 2023).

Every token is computed once, whatever row it belongs to; only attention looks at rows. What autograd would keep twice,
or in float32, is kept once, in the compute dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import silu

from adapterkit.training.fused.attention import Rows, attend, attend_backward
from adapterkit.training.fused.linear import LinearGroup


@dataclass
class Batch:
    """What all layers share in one forward and backward pass: the rows, and memory for a dense weight."""

    rows: Rows
    room: torch.Tensor


class Block:
    """A decoder layer with the adapters on it.

    Attributes:
        parameters: the trainee's in this layer, in the order in which gradients are returned.
    """

    def __init__(self, layer: Any, frozen: list[str], trainee: str) -> None:
        """Take a layer with `self_attn`, `mlp` and two norms, as Llama, Mistral and Qwen2 have them."""
        attention, mlp = layer.self_attn, layer.mlp
        self.qkv = LinearGroup([attention.q_proj, attention.k_proj, attention.v_proj], frozen, trainee)
        self.out = LinearGroup([attention.o_proj], frozen, trainee)
        self.up = LinearGroup([mlp.gate_proj, mlp.up_proj], frozen, trainee)
        self.down = LinearGroup([mlp.down_proj], frozen, trainee)
        self.groups = (self.qkv, self.out, self.up, self.down)
        self.first, self.second = (norm.weight.data for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        self.eps = layer.input_layernorm.variance_epsilon
        self.head = attention.head_dim
        self.queries = self.out.inputs
        self.keys = (self.qkv.outputs - self.queries) // 2
        self.parameters = [parameter for group in self.groups for parameter in group.parameters]

    def __call__(self, x: torch.Tensor, batch: Batch) -> torch.Tensor:
        """(tokens, hidden) -> (tokens, hidden)."""
        return _Layer.apply(x, self, batch, *self.parameters)  # type: ignore[no-any-return, no-untyped-call]


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, block: Block, batch: Batch, *_: torch.nn.Parameter) -> torch.Tensor:
        rows, room = batch.rows, batch.room
        normed, r1 = _norm(x, block.first, block.eps)
        qkv, s1 = block.qkv.forward(normed, room)
        q, k, v = (
            part.unflatten(1, (-1, block.head)) for part in qkv.split([block.queries, block.keys, block.keys], 1)
        )
        q, k = _turned(q, rows.cos, rows.sin), _turned(k, rows.cos, rows.sin)
        mixed, kept = attend(q, k, v, rows)
        mixed = mixed.flatten(1)
        middle, s2 = block.out.forward(mixed, room)
        middle += x
        again, r2 = _norm(middle, block.second, block.eps)
        gates, s3 = block.up.forward(again, room)
        gate, up = gates.chunk(2, 1)
        active = silu(gate).mul_(up)
        y, s4 = block.down.forward(active, room)
        y += middle
        ctx.block, ctx.batch = block, batch
        ctx.saved = x, normed, r1, s1, kept, mixed, s2, middle, again, r2, s3, gates, active, s4
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        block, rows, room = ctx.block, ctx.batch.rows, ctx.batch.room
        x, normed, r1, s1, kept, mixed, s2, middle, again, r2, s3, gates, active, s4 = ctx.saved
        del ctx.saved
        dactive, down = block.down.backward(dy, active, s4, room)
        dgates = _gated_backward(dactive, gates)
        dagain, up = block.up.backward(dgates, again, s3, room)
        dmiddle = _norm_backward(dagain, middle, block.second, r2).add_(dy)
        dmixed, out = block.out.backward(dmiddle, mixed, s2, room)
        dq, dk, dv = attend_backward(dmixed.unflatten(1, (-1, block.head)), kept, rows)
        dqkv = torch.cat([
            _turned(dq, rows.cos, -rows.sin).flatten(1), _turned(dk, rows.cos, -rows.sin).flatten(1), dv.flatten(1)
        ], 1)  # fmt: skip
        wanted = ctx.needs_input_grad[0]
        dnormed, qkv = block.qkv.backward(dqkv, normed, s1, room, wanted=wanted)
        dx = _norm_backward(dnormed, x, block.first, r1).add_(dmiddle) if wanted else None
        return dx, None, None, *qkv, *out, *up, *down


def _norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Root-mean-square norm (Zhang and Sennrich, 2019), and 1 / rms, float32 (tokens, 1)."""
    whole = x.float()
    r = torch.rsqrt(whole.square().mean(-1, keepdim=True).add_(eps))
    # In float32 `whole` is x itself.
    return torch.mul(whole, r).to(x.dtype).mul_(weight), r


def _norm_backward(dy: torch.Tensor | None, x: torch.Tensor, weight: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    assert dy is not None
    scaled, whole = (dy * weight).float(), x.float()
    along = torch.linalg.vecdot(scaled, whole).unsqueeze_(1).mul_(r.pow(3) / x.shape[-1])
    return scaled.mul_(r).addcmul_(whole, along, value=-1).to(x.dtype)


def _turned(tokens: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding (Su et al., 2021), halves rotated against each other; the inverse with -sin."""
    half = tokens.shape[-1] // 2
    first, second = tokens[..., :half], tokens[..., half:]
    c, s = cos[:, None, :half], sin[:, None, :half]
    out = torch.empty(tokens.shape, dtype=tokens.dtype, device=tokens.device)
    torch.mul(first, c, out=out[..., :half]).addcmul_(second, s, value=-1)
    torch.mul(second, c, out=out[..., half:]).addcmul_(first, s)
    return out


def _gated_backward(dactive: torch.Tensor | None, gates: torch.Tensor) -> torch.Tensor:
    """From the gradient of silu(gate) * up to those of gate and up, side by side; the given one is used up."""
    assert dactive is not None
    grads = torch.empty_like(gates)
    gate, up = gates.chunk(2, 1)
    dgate, dup = grads.chunk(2, 1)
    torch.mul(dactive, silu(gate), out=dup)
    torch.ops.aten.silu_backward.grad_input(dactive.mul_(up), gate, grad_input=dgate)
    return grads
