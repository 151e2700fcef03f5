"""Causal attention over rows of different lengths, padded on the right, and its backward pass.

By plain products and one pass of softmax, which on a CPU takes half the time of PyTorch's flash attention and less. A
pad comes after every token of its row, so that no token looks at one. Long rows are cut into blocks of queries, whose
weights are computed again in the backward pass: memory grows with the length and not with its square.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from adapterkit.training.fused import plain

# At most so many queries of each head at a time.
BLOCK = 256


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """Scaled dot-product attention, each row for itself.

    Args:
        q: (rows, heads, width, head), contiguous.
        k: (rows, kv heads, width, head); each serves `heads / kv heads` neighbouring heads.
        v: as k.

    Returns:
        As q, and what the backward pass needs.
    """
    q4, k3, v3, blocks = _grouped(q, k), k.flatten(0, 1), v.flatten(0, 1), _blocks(q)
    if len(blocks) == 1:
        weights = _weights(q4, k3, blocks[0])
        return torch.bmm(weights, v3).view(q.shape), (q, k, v, weights)
    out = torch.empty_like(q)
    out4 = _grouped(out, k)
    for block in blocks:
        weights = _weights(q4, k3, block)
        out4[:, :, block] = torch.bmm(weights, v3[:, : block.stop]).view(out4[:, :, block].shape)
    return out, (q, k, v, None)


def attend_backward(grad: torch.Tensor, saved: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v, each of its own shape, from that of the output, shaped as q."""
    q, k, v, kept = saved
    q4, k3, v3, grad4 = _grouped(q, k), k.flatten(0, 1), v.flatten(0, 1), _grouped(grad, k)
    if kept is not None:
        dq, dk, dv = _block_backward(grad4.flatten(1, 2), q4.flatten(1, 2), k3, v3, kept, q.shape[2])
        return dq.view(q.shape), dk.view(k.shape), dv.view(v.shape)
    dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    dq4 = _grouped(dq, k)
    for block in _blocks(q):
        seen, weights = slice(0, block.stop), _weights(q4, k3, block)
        of, out = q4[:, :, block].flatten(1, 2), grad4[:, :, block].flatten(1, 2)
        own = _block_backward(out, of, k3[:, seen], v3[:, seen], weights, block.stop - block.start)
        dq4[:, :, block] = own[0].view(dq4[:, :, block].shape)
        dk.flatten(0, 1)[:, seen].add_(own[1])
        dv.flatten(0, 1)[:, seen].add_(own[2])
    return dq, dk, dv


def _block_backward(
    grad: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    weights: torch.Tensor,
    queries: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of a block's queries, and of the keys and values that they see; groups first in all."""
    dv = torch.bmm(weights.transpose(1, 2), grad)
    dweights = torch.bmm(grad, v.transpose(1, 2))
    dscores = plain.weigh_backward(dweights, weights, _scale(q), queries)
    return torch.bmm(dscores, k), torch.bmm(dscores.transpose(1, 2), q), dv


def _weights(q: torch.Tensor, k: torch.Tensor, block: slice) -> torch.Tensor:
    """Those of a block of queries, (groups, shared * queries, keys up to the block's last)."""
    scores = torch.bmm(q[:, :, block].flatten(1, 2), k[:, : block.stop].transpose(1, 2))
    return plain.weigh(scores, _scale(q), block.stop - block.start)


def _blocks(q: torch.Tensor) -> list[slice]:
    """Blocks of like size: a last one of few queries would take as long as a full one."""
    width = q.shape[2]
    size = math.ceil(width / math.ceil(width / BLOCK))
    return [slice(start, min(start + size, width)) for start in range(0, width, size)]


def _grouped(tokens: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """(rows, heads, width, head) -> (rows * kv heads, heads / kv heads, width, head), the same memory."""
    return tokens.view(k.shape[0] * k.shape[1], -1, *tokens.shape[2:])


def _scale(q: torch.Tensor) -> float:
    return 1 / math.sqrt(q.shape[-1])
