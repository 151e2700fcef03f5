"""The steps between the products, by PyTorch's own operations."""

from __future__ import annotations

import functools

import torch
from torch.nn.functional import silu

from adapterkit.training.fused.rows import Rows


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Root-mean-square norm (Zhang and Sennrich, 2019), and 1 / rms, float32 (tokens,)."""
    whole = x.float()
    r = torch.rsqrt(whole.square().mean(-1).add_(eps))
    # In float32 `whole` is x itself.
    return torch.mul(whole, r[:, None]).to(x.dtype).mul_(weight), r


def norm_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, r: torch.Tensor, onto: torch.Tensor
) -> torch.Tensor:
    """From the gradient of the norm of x to that of x, plus `onto`."""
    scaled, whole = (grad * weight).float(), x.float()
    along = torch.linalg.vecdot(scaled, whole).mul_(r.pow(3) / x.shape[-1])
    return scaled.mul_(r[:, None]).addcmul_(whole, along[:, None], value=-1).to(x.dtype).add_(onto)


def heads(qkv: torch.Tensor, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values side by side, rotated (Su et al., 2021), to (rows, heads, width, head) each."""
    q, k, v = qkv.unflatten(1, (-1, rows.head)).split([rows.heads, rows.keys, rows.keys], 1)
    return (
        _padded(_turned(q, rows.cos, rows.sin), rows),
        _padded(_turned(k, rows.cos, rows.sin), rows),
        _padded(v, rows),
    )


def heads_backward(dq: torch.Tensor, dk: torch.Tensor, dv: torch.Tensor, rows: Rows) -> torch.Tensor:
    """Gradients of queries, keys and values, each (rows, heads, width, head), to those of one matrix of all."""
    tokens = [_unpadded(each, rows) for each in (dq, dk, dv)]
    turned = [_turned(each, rows.cos, -rows.sin) for each in tokens[:2]]
    return torch.cat([each.flatten(1) for each in (*turned, tokens[2])], 1)


def padded(tokens: torch.Tensor, rows: Rows) -> torch.Tensor:
    """(tokens, heads * head) -> (rows, heads, width, head), zero where padded."""
    return _padded(tokens.unflatten(1, (-1, rows.head)), rows)


def unpadded(tokens: torch.Tensor, rows: Rows) -> torch.Tensor:
    """(rows, heads, width, head) -> (tokens, heads * head)."""
    return _unpadded(tokens, rows).flatten(1)


def weigh(scores: torch.Tensor, scale: float, queries: int) -> torch.Tensor:
    """Softmax of the scaled scores of each query's own token and those before it.

    Args:
        scores: (groups, heads * queries, keys); the last of the queries stands at the last of the keys.
        scale: times the scores.
        queries: of each head.
    """
    groups, _, keys = scores.shape
    seen = torch.add(_causal(queries, keys, scores.dtype), scores.view(groups, -1, queries, keys), alpha=scale)
    return torch.softmax(seen, -1).view(scores.shape)


def weigh_backward(dweights: torch.Tensor, weights: torch.Tensor, scale: float, queries: int) -> torch.Tensor:
    """From the gradient of the weights to that of the scores."""
    found: torch.Tensor = torch.ops.aten._softmax_backward_data(dweights, weights, -1, weights.dtype)
    return found.mul_(scale)


def gate(gates: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up, of both side by side."""
    opened, up = gates.chunk(2, 1)
    return silu(opened).mul_(up)


def gate_backward(dactive: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
    """From the gradient of silu(gate) * up to those of gate and up, side by side."""
    grads = torch.empty_like(gates)
    opened, up = gates.chunk(2, 1)
    dgate, dup = grads.chunk(2, 1)
    torch.mul(dactive, silu(opened), out=dup)
    torch.ops.aten.silu_backward.grad_input(dactive * up, opened, grad_input=dgate)
    return grads


def label_losses(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The negative log-likelihood of each target, float32, and its gradient with respect to the logits."""
    chances = torch.log_softmax(logits, -1, dtype=torch.float32)
    wanted = targets[:, None]
    losses = -chances.gather(1, wanted).squeeze(1)
    chances.exp_().scatter_add_(1, wanted, torch.full(wanted.shape, -1.0, device=logits.device))
    return losses, chances.to(logits.dtype)


@functools.lru_cache(maxsize=8)
def _causal(queries: int, keys: int, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the scores: minus infinity for every later token. All layers of a batch share one."""
    return torch.full((queries, keys), -torch.inf, dtype=dtype).triu_(1 + keys - queries)


def _turned(tokens: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Halves of each head, (tokens, heads, head), rotated against each other; the inverse with -sin."""
    half = tokens.shape[-1] // 2
    first, second = tokens[..., :half], tokens[..., half:]
    c, s = cos[:, None, :half], sin[:, None, :half]
    out = torch.empty(tokens.shape, dtype=tokens.dtype, device=tokens.device)
    torch.mul(first, c, out=out[..., :half]).addcmul_(second, s, value=-1)
    torch.mul(second, c, out=out[..., half:]).addcmul_(first, s)
    return out


def _padded(tokens: torch.Tensor, rows: Rows) -> torch.Tensor:
    if not rows.whole:
        room = tokens.new_zeros(rows.count * rows.width, *tokens.shape[1:])
        room[rows.where] = tokens
        tokens = room
    return tokens.reshape(rows.count, rows.width, *tokens.shape[1:]).transpose(1, 2).contiguous()


def _unpadded(tokens: torch.Tensor, rows: Rows) -> torch.Tensor:
    flat = tokens.transpose(1, 2).reshape(rows.count * rows.width, tokens.shape[1], tokens.shape[3])
    return flat if rows.whole else flat[rows.where]
