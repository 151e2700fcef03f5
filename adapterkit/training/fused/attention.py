"""Causal attention over rows of different lengths, padded on the right, and its backward pass.

A pad comes after every token of its row, so that no token looks at one. Short rows are computed by plain products,
which on a CPU take a fifth of the time of PyTorch's flash attention; for long ones memory would grow with the square.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch

PLAIN_UP_TO = 192


@dataclass
class Rows:
    """How the tokens of a batch, one after the other, stand in its padded form.

    Attributes:
        count: rows.
        width: tokens of the longest.
        where: int64 (tokens,), the place of each token in `count * width`.
        cos: (tokens, head), as the model's rotary embedding gives it.
        sin: the same.
    """

    count: int
    width: int
    where: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor

    @property
    def whole(self) -> bool:
        """Whether nothing is padded."""
        return len(self.where) == self.count * self.width

    def padded(self, tokens: torch.Tensor) -> torch.Tensor:
        """(tokens, heads, head) -> (rows, heads, width, head), zero where padded."""
        if not self.whole:
            room = tokens.new_zeros(self.count * self.width, *tokens.shape[1:])
            room[self.where] = tokens
            tokens = room
        return tokens.view(self.count, self.width, *tokens.shape[1:]).transpose(1, 2)

    def unpadded(self, padded: torch.Tensor) -> torch.Tensor:
        """(rows, heads, width, head) -> (tokens, heads, head)."""
        tokens = padded.transpose(1, 2).reshape(self.count * self.width, padded.shape[1], padded.shape[3])
        return tokens if self.whole else tokens[self.where]


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rows: Rows) -> tuple[torch.Tensor, Any]:
    """Scaled dot-product attention, each row for itself.

    Args:
        q: (tokens, heads, head).
        k: (tokens, kv heads, head); each serves `heads / kv heads` neighbouring heads.
        v: as k.
        rows: where the tokens stand.

    Returns:
        (tokens, heads, head), and what the backward pass needs.
    """
    parts = tuple(rows.padded(each) for each in (q, k, v))
    out, saved = _plain(*parts) if rows.width <= PLAIN_UP_TO else _flash(*parts)
    return rows.unpadded(out), saved


def attend_backward(grad: torch.Tensor, saved: Any, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v, each of its own shape, from that of the output, (tokens, heads, head)."""
    backward = _plain_backward if rows.width <= PLAIN_UP_TO else _flash_backward
    dq, dk, dv = backward(rows.padded(grad), saved)
    return rows.unpadded(dq), rows.unpadded(dk), rows.unpadded(dv)


def _plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, Any]:
    count, heads, width, head = q.shape
    groups = count * k.shape[1]
    q, k, v = q.reshape(groups, -1, head), k.reshape(groups, width, head), v.reshape(groups, width, head)
    scores = torch.bmm(q, k.transpose(1, 2)).view(groups, -1, width, width)
    weights = torch.softmax(torch.add(_causal(width, q.dtype), scores, alpha=1 / math.sqrt(head)), -1).view(
        groups, -1, width
    )
    return torch.bmm(weights, v).view(count, heads, width, head), (q, k, v, weights)


@functools.lru_cache(maxsize=8)
def _causal(width: int, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the scores: minus infinity for every later token. All layers of a batch share one."""
    return torch.full((width, width), -torch.inf, dtype=dtype).triu_(1)


def _plain_backward(grad: torch.Tensor, saved: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v, weights = saved
    count, heads, width, head = grad.shape
    grad = grad.reshape(k.shape[0], -1, head)
    dv = torch.bmm(weights.transpose(1, 2), grad)
    dweights = torch.bmm(grad, v.transpose(1, 2))
    dscores = torch.ops.aten._softmax_backward_data(dweights, weights, -1, weights.dtype)
    scale = 1 / math.sqrt(head)
    dq = torch.bmm(dscores, k).mul_(scale)
    dk = torch.bmm(dscores.transpose(1, 2), q).mul_(scale)
    return dq.view(count, heads, width, head), dk.view(count, -1, width, head), dv.view(count, -1, width, head)


def _flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, Any]:
    shared = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    out, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, True)
    return out, (q, k, v, out, sums, shared)


def _flash_backward(grad: torch.Tensor, saved: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v, out, sums, shared = saved
    backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    dq, dk, dv = backward(grad, q, k, v, out, sums, 0.0, True)
    return dq, *(each.unflatten(1, (-1, shared)).sum(2) for each in (dk, dv))
