"""An adapter of a live model that changes nothing for a while: what parity is proven with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.utils.integrations import dequantize_module_weight

from adapterkit.stack.layers import lora_layers


@contextmanager
def zero_delta(model: torch.nn.Module, adapter: str) -> Iterator[None]:
    """Let an adapter's B be zero, and a DoRA's magnitudes the norms of the base's own rows; the tensors come back.

    Args:
        model: has the adapter.
        adapter: PEFT's name of it.
    """
    # A tensor made in inference mode could not go back into training.
    with torch.inference_mode(False), torch.no_grad():
        changes = [(each, each.data, other) for each, other in _silent(model, adapter)]
    try:
        # The very tensors come back, not copies: whoever knows their addresses finds them there.
        for parameter, _, other in changes:
            parameter.data = other
        yield
    finally:
        for parameter, own, _ in changes:
            parameter.data = own


def _silent(model: torch.nn.Module, adapter: str) -> Iterator[tuple[torch.nn.Parameter, torch.Tensor]]:
    """Parameters, with what they hold in an adapter that changes nothing."""
    layers: list[Any] = [layer for _, layer in lora_layers(model)]
    for layer in layers:
        if adapter in layer.lora_B:
            b = layer.lora_B[adapter].weight
            yield b, torch.zeros_like(b)
        if adapter in layer.lora_magnitude_vector:
            yield layer.lora_magnitude_vector[adapter].weight, _norms(layer, adapter)


def _norms(layer: Any, adapter: str) -> torch.Tensor:
    """What PEFT's forward pass divides the magnitudes by while B is zero, in the dtype that it computes in."""
    dora = layer.lora_magnitude_vector[adapter]
    weight = dequantize_module_weight(layer.get_base_layer()).to(layer.lora_A[adapter].weight.dtype)
    norms: torch.Tensor = dora.get_weight_norm(weight, torch.zeros((), device=weight.device), 0.0)
    return norms.to(dora.weight)
