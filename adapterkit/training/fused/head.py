"""The loss of label tokens, without ever holding the logits of all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad

ROUNDED = 64
# Logits of so many tokens at a time: 25 MB in bfloat16 for a vocabulary of 49,152.
AT_ONCE = 256


class _LabelLosses(torch.autograd.Function):
    """Computes the gradient of the hidden states in the forward pass, where softmax is at hand."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, steps: Any
    ) -> torch.Tensor:
        # Rows of zeros round the last product up to a shape that comes again (see `shapes`).
        count, more = len(hidden), -len(hidden) % ROUNDED
        hidden, targets = pad(hidden, (0, 0, 0, more)), pad(targets, (0, more))
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        grads = torch.empty_like(hidden)
        for start in range(0, len(hidden), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            losses[part], dlogits = steps.label_losses(torch.mm(hidden[part], weight.t()), targets[part])
            torch.mm(dlogits, weight, out=grads[part])
        ctx.save_for_backward(grads[:count])
        return losses[:count]

    @staticmethod
    def backward(ctx: Any, dlosses: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (grads,) = ctx.saved_tensors
        return grads * dlosses.to(grads.dtype).unsqueeze(1), None, None, None


def label_token_losses(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, steps: Any) -> torch.Tensor:
    """Negative log-likelihood of each target.

    Args:
        hidden: (tokens, hidden), after the last norm, in the compute dtype.
        weight: of the head, (vocabulary, hidden), frozen, in the same dtype.
        targets: int64 (tokens,).
        steps: `plain` or `compiled`.

    Returns:
        float32 (tokens,), in nats.
    """
    return _LabelLosses.apply(hidden, weight, targets, steps)  # type: ignore[no-any-return, no-untyped-call]


class _Given(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, compute: Any, targets: torch.Tensor) -> torch.Tensor:
        losses, grads = compute(hidden, targets)
        ctx.save_for_backward(grads)
        return losses

    @staticmethod
    def backward(ctx: Any, dlosses: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (grads,) = ctx.saved_tensors
        return grads * dlosses.to(grads.dtype).unsqueeze(1), None, None


def label_token_losses2(hidden, compute, targets):
    return _Given.apply(hidden, compute, targets)
