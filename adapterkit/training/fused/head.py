"""The loss of label tokens, without ever holding the logits of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import pad

from adapterkit.training.fused import plain

ROUNDED = 64
# Logits of so many tokens at a time: 25 MB in bfloat16 for a vocabulary of 49,152.
AT_ONCE = 256

LossesAndGradients = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class _LabelLosses(torch.autograd.Function):
    """Computes the gradient of the hidden states in the forward pass, where softmax is at hand."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, targets: torch.Tensor, compute: LossesAndGradients) -> torch.Tensor:
        losses, grads = compute(hidden, targets)
        ctx.save_for_backward(grads)
        return losses

    @staticmethod
    def backward(ctx: Any, dlosses: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (grads,) = ctx.saved_tensors
        return grads * dlosses.to(grads.dtype).unsqueeze(1), None, None


def label_token_losses(hidden: torch.Tensor, targets: torch.Tensor, compute: LossesAndGradients) -> torch.Tensor:
    """Negative log-likelihood of each target.

    Args:
        hidden: (tokens, hidden), after the last norm, in the compute dtype.
        targets: int64 (tokens,).
        compute: float32 losses (tokens,) of both, in nats, and their gradients (tokens, hidden).

    Returns:
        float32 (tokens,), in nats.
    """
    return _LabelLosses.apply(hidden, targets, compute)  # type: ignore[no-any-return, no-untyped-call]


class PlainHead:
    """Losses and gradients by PyTorch's own operations."""

    def __init__(self, weight: torch.Tensor) -> None:
        """Take the head's weight, (vocabulary, hidden), frozen."""
        self._weight = weight

    def __call__(self, hidden: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of (tokens, hidden) and (tokens,): see `label_token_losses`."""
        # Rows of zeros round the last product up to a shape that comes again (see `shapes`).
        count, more = len(hidden), -len(hidden) % ROUNDED
        hidden, targets = pad(hidden, (0, 0, 0, more)), pad(targets, (0, more))
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        grads = torch.empty_like(hidden)
        for start in range(0, len(hidden), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            losses[part], dlogits = plain.label_losses(torch.mm(hidden[part], self._weight.t()), targets[part])
            torch.mm(dlogits, self._weight, out=grads[part])
        return losses[:count], grads[:count]
