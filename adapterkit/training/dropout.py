"""Dropout that does not cost more than the layer it regularises.

`torch.nn.Dropout` on a CPU draws one number a value on one thread; with LoRA's seven dropouts a block that doubles the
time of a training step. Here one 64-bit draw serves four values, 16 bits each, so the rate is exact to 2^-16.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from adapterkit.stack.layers import lora_layers

_LEVELS = 1 << 16


def kept_values(x: torch.Tensor, p: float) -> torch.Tensor:
    """Which values dropout keeps, bool in the shape of `x`, drawn from torch's global CPU generator."""
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.int16)[: x.numel()].view(x.shape) >= round(p * _LEVELS) - _LEVELS // 2


class _Drop(torch.autograd.Function):
    """Keeps one byte a value for the backward pass, where a multiplied mask would keep eight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, p: float) -> torch.Tensor:
        kept = kept_values(x, p)
        ctx.save_for_backward(kept)
        ctx.scale = 1.0 / (1.0 - p)
        return torch.mul(x, kept).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (kept,) = ctx.saved_tensors
        return torch.mul(grad, kept).mul_(ctx.scale), None


class PackedDropout(torch.nn.Module):
    """Inverted dropout (Srivastava et al., 2014) with 16-bit draws from torch's global CPU generator.

    Args:
        p: probability of zeroing a value, rounded to a multiple of 2^-16; kept values are scaled by 1 / (1 - p).
    """

    def __init__(self, p: float) -> None:
        """Fix the rate."""
        super().__init__()
        self.p = round(p * _LEVELS) / _LEVELS

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop values of a floating tensor of any shape in train mode; the identity in evaluation."""
        if not self.training or self.p == 0.0:
            return x
        return cast(torch.Tensor, _Drop.apply(x, self.p))  # type: ignore[no-untyped-call]

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"p={self.p:g}"


def use_packed_dropout(model: torch.nn.Module, adapter: str) -> None:
    """Replace one adapter's `torch.nn.Dropout` by the packed one, where the model lives on a CPU."""
    for _, layer in lora_layers(model):
        held = layer.lora_dropout
        dropout = held[adapter] if adapter in held else None  # noqa: SIM401  (a ModuleDict has no get)
        if isinstance(dropout, torch.nn.Dropout) and _on_cpu(layer.get_base_layer()):
            held[adapter] = PackedDropout(dropout.p)


def _on_cpu(layer: torch.nn.Module) -> bool:
    return all(parameter.device.type == "cpu" for parameter in layer.parameters())
