"""Causal attention over rows of different lengths, padded on the right, and its backward pass.

A pad comes after every token of its row, so that no token looks at one. Short rows are computed by plain products,
which on a CPU take a fifth of the time of PyTorch's flash attention; for long ones memory would grow with the square.
"""

from __future__ import annotations

import math
from typing import Any

import torch

_PLAIN_UP_TO = 192


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, steps: Any) -> tuple[torch.Tensor, Any]:
    """Scaled dot-product attention, each row for itself.

    Args:
        q: (rows, heads, width, head).
        k: (rows, kv heads, width, head); each serves `heads / kv heads` neighbouring heads.
        v: as k.
        steps: `plain` or `compiled`.

    Returns:
        As q, and what the backward pass needs.
    """
    return _plain(q, k, v, steps) if q.shape[2] <= _PLAIN_UP_TO else _flash(q, k, v)


def attend_backward(grad: torch.Tensor, saved: Any, steps: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v, each of its own shape, from that of the output, shaped as q."""
    return _plain_backward(grad, saved, steps) if grad.shape[2] <= _PLAIN_UP_TO else _flash_backward(grad, saved)


def _plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, steps: Any) -> tuple[torch.Tensor, Any]:
    shape, (count, keys, width, head) = q.shape, k.shape
    q, k, v = q.view(count * keys, -1, head), k.view(count * keys, width, head), v.view(count * keys, width, head)
    weights = steps.weigh(torch.bmm(q, k.transpose(1, 2)), 1 / math.sqrt(head))
    return torch.bmm(weights, v).view(shape), (q, k, v, weights)


def _plain_backward(grad: torch.Tensor, saved: Any, steps: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v, weights = saved
    shape, of_keys = grad.shape, (grad.shape[0], -1, *grad.shape[2:])
    grad = grad.view(q.shape)
    dv = torch.bmm(weights.transpose(1, 2), grad)
    dscores = steps.weigh_backward(torch.bmm(grad, v.transpose(1, 2)), weights, 1 / math.sqrt(q.shape[2]))
    dq, dk = torch.bmm(dscores, k), torch.bmm(dscores.transpose(1, 2), q)
    return dq.view(shape), dk.view(of_keys), dv.view(of_keys)


def _flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, Any]:
    shared = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    out, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, True)
    return out.contiguous(), (q, k, v, out, sums, shared)


def _flash_backward(grad: torch.Tensor, saved: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v, out, sums, shared = saved
    backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    dq, dk, dv = backward(grad, q, k, v, out, sums, 0.0, True)
    return dq.contiguous(), *(each.unflatten(1, (-1, shared)).sum(2) for each in (dk, dv))
