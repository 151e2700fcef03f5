"""The loss of label tokens, without ever holding the logits of all of them."""

from __future__ import annotations

from typing import Any

import torch

# Logits of so many tokens at a time: 12 MB in bfloat16 for a vocabulary of 49,152.
AT_ONCE = 128


class _LabelLosses(torch.autograd.Function):
    """Computes the gradient of the hidden states in the forward pass, where softmax is at hand."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        grads = torch.empty_like(hidden)
        for start in range(0, len(hidden), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            logits = torch.mm(hidden[part], weight.t())
            chances = torch.log_softmax(logits, -1, dtype=torch.float32)
            wanted = targets[part, None]
            losses[part] = -chances.gather(1, wanted).squeeze(1)
            chances.exp_().scatter_add_(1, wanted, torch.full(wanted.shape, -1.0, device=hidden.device))
            torch.mm(chances.to(hidden.dtype), weight, out=grads[part])
        ctx.save_for_backward(grads)
        return losses

    @staticmethod
    def backward(ctx: Any, dlosses: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (grads,) = ctx.saved_tensors
        return grads * dlosses.to(grads.dtype).unsqueeze(1), None, None


def label_token_losses(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of each target.

    Args:
        hidden: (tokens, hidden), after the last norm, in the compute dtype.
        weight: of the head, (vocabulary, hidden), frozen, in the same dtype.
        targets: int64 (tokens,).

    Returns:
        float32 (tokens,), in nats.
    """
    return _LabelLosses.apply(hidden, weight, targets)  # type: ignore[no-any-return, no-untyped-call]
