"""The steps between the products, compiled: each reads what it needs once and writes once. For bfloat16 on a CPU.

The same functions as in `plain`, which says what they compute.
"""

from __future__ import annotations

import ctypes
import struct

import torch

from adapterkit.training.fused.kernels import run
from adapterkit.training.fused.tiles.team import parallel
from adapterkit.training.fused.terms import Rows, Terms

# Items a thread claims at a time, of a few kilobytes each.
_PIECE = 16
(
    _SUM_NORM, _NORM_BACKWARD, _HEADS, _HEADS_BACKWARD, _PADDED, _UNPADDED, _WEIGH, _WEIGH_BACKWARD, _GATE,
    _GATE_BACKWARD, _LABEL_LOSSES,
) = range(11)  # fmt: skip


_Argument = torch.Tensor | int | float | None


def _run(kernel: int, items: int, *arguments: _Argument, piece: int = _PIECE) -> None:
    start = parallel()
    assert start is not None
    job = (ctypes.c_int64 * (4 + len(arguments)))(0, items, piece, kernel, *map(_number, arguments))
    start(run.address, ctypes.addressof(job))


def _number(argument: _Argument) -> int:
    """An address, a number, or the bits of a float32."""
    if isinstance(argument, torch.Tensor):
        assert argument.is_contiguous()
        return argument.data_ptr()
    if isinstance(argument, float):
        return int.from_bytes(struct.pack("<f", argument), "little")
    return argument or 0


def _five(terms: Terms) -> tuple[_Argument, ...]:
    first, second = terms.parts[0], terms.parts[1] if len(terms.parts) > 1 else None
    return first, first.shape[1], second, 0 if second is None else second.shape[1], terms.low


def _columns(terms: Terms) -> int:
    return sum(part.shape[1] for part in terms.parts)


def summed(terms: Terms, onto: torch.Tensor | None = None) -> torch.Tensor:
    """As `plain.summed`."""
    if len(terms.parts) == 1 and terms.low is None and onto is None:
        return terms.parts[0]
    out = terms.parts[0].new_empty(len(terms.parts[0]), _columns(terms))
    _run(_SUM_NORM, len(out), *_five(terms), onto, None, 0.0, out, None, None)
    return out


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """As `plain.norm`."""
    normed, r = torch.empty_like(x), x.new_empty(len(x), dtype=torch.float32)
    _run(_SUM_NORM, len(x), *_five(Terms([x])), None, weight, eps, None, normed, r)
    return normed, r


def summed_norm(
    terms: Terms, onto: torch.Tensor, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `plain.summed_norm`."""
    out, normed, r = torch.empty_like(onto), torch.empty_like(onto), onto.new_empty(len(onto), dtype=torch.float32)
    _run(_SUM_NORM, len(onto), *_five(terms), onto, weight, eps, out, normed, r)
    return out, normed, r


def norm_backward(
    terms: Terms, x: torch.Tensor, weight: torch.Tensor, r: torch.Tensor, onto: torch.Tensor
) -> torch.Tensor:
    """As `plain.norm_backward`."""
    out = torch.empty_like(x)
    _run(_NORM_BACKWARD, len(x), *_five(terms), x, weight, r, onto, out)
    return out


def heads(terms: Terms, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `plain.heads`."""
    q, k, v = (
        rows.cos.new_empty(rows.count, number, rows.width, rows.head) for number in (rows.heads, rows.keys, rows.keys)
    )
    shape = rows.heads, rows.keys, rows.head, rows.width
    _run(_HEADS, rows.count * rows.width, *_five(terms), rows.cos, rows.sin, rows.tokens, q, k, v, *shape)
    return q, k, v


def heads_backward(dq: torch.Tensor, dk: torch.Tensor, dv: torch.Tensor, rows: Rows) -> torch.Tensor:
    """As `plain.heads_backward`."""
    out = dq.new_empty(len(rows.where), (rows.heads + 2 * rows.keys) * rows.head)
    shape = rows.heads, rows.keys, rows.head, rows.width
    _run(_HEADS_BACKWARD, len(out), dq, dk, dv, rows.cos, rows.sin, rows.where, out, *shape)
    return out


def padded(terms: Terms, rows: Rows) -> torch.Tensor:
    """As `plain.padded`."""
    out = rows.cos.new_empty(rows.count, rows.heads, rows.width, rows.head)
    shape = rows.heads, rows.head, rows.width
    _run(_PADDED, rows.count * rows.width, *_five(terms), rows.tokens, out, *shape)
    return out


def unpadded(tokens: torch.Tensor, rows: Rows) -> torch.Tensor:
    """As `plain.unpadded`."""
    out = tokens.new_empty(len(rows.where), rows.heads * rows.head)
    _run(_UNPADDED, len(out), tokens, rows.where, out, rows.heads, rows.head, rows.width)
    return out


def weigh(scores: torch.Tensor, scale: float, queries: int) -> torch.Tensor:
    """As `plain.weigh`; in place."""
    _run(_WEIGH, scores.shape[0] * scores.shape[1], scores, scores.shape[2], scale, queries)
    return scores


def weigh_backward(dweights: torch.Tensor, weights: torch.Tensor, scale: float, queries: int) -> torch.Tensor:
    """As `plain.weigh_backward`; in place."""
    _run(_WEIGH_BACKWARD, weights.shape[0] * weights.shape[1], dweights, weights, weights.shape[2], scale, queries)
    return dweights


def gate(gates: torch.Tensor) -> torch.Tensor:
    """As `plain.gate`."""
    out = gates.new_empty(len(gates), gates.shape[1] // 2)
    _run(_GATE, len(gates), gates, out, out.shape[1])
    return out


def gate_backward(dactive: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
    """As `plain.gate_backward`; in place of the gates."""
    _run(_GATE_BACKWARD, len(gates), dactive, gates, dactive.shape[1])
    return gates


def label_losses(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `plain.label_losses`; in place."""
    losses = logits.new_empty(len(logits), dtype=torch.float32)
    _run(_LABEL_LOSSES, len(logits), logits, targets.contiguous(), losses, logits.shape[1], piece=1)
    return losses, logits
