"""An adapter of a live model that changes nothing for a while: what parity is proven with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight

from adapterkit.stack.layers import lora_layers


@contextmanager
def zero_delta(model: torch.nn.Module, adapter: str) -> Iterator[None]:
    """Let an adapter's B be zero, and a DoRA's magnitudes the norms of the base's own rows; the tensors come back.

    Args:
        model: has the adapter.
        adapter: PEFT's name of it.
    """
    layers = [layer for _, layer in lora_layers(model) if adapter in layer.lora_B]
    parameters = [each.lora_B[adapter].weight for each in layers]
    replaced = [torch.zeros_like(parameter) for parameter in parameters]
    for layer in layers:
        if adapter in layer.lora_magnitude_vector:
            parameters.append(layer.lora_magnitude_vector[adapter].weight)
            replaced.append(_norms(layer, adapter))
    kept = [parameter.data for parameter in parameters]
    try:
        # The very tensors come back, not copies: whoever knows their addresses finds them there.
        for parameter, tensor in zip(parameters, replaced, strict=True):
            parameter.data = tensor
        yield
    finally:
        for parameter, tensor in zip(parameters, kept, strict=True):
            parameter.data = tensor


def _norms(layer: LoraLayer, adapter: str) -> torch.Tensor:
    """What PEFT's forward pass divides the magnitudes by while B is zero, in the dtype that it computes in."""
    dora = layer.lora_magnitude_vector[adapter]
    with torch.no_grad():
        weight = dequantize_module_weight(layer.get_base_layer()).to(layer.lora_A[adapter].weight.dtype)
        norms: torch.Tensor = dora.get_weight_norm(weight, torch.zeros_like(weight), 0.0)
    return norms.to(dora.weight)
