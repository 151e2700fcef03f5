"""Walk the LoRA layers that PEFT put into a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from peft.tuners.lora import LoraLayer


def lora_layers(model: torch.nn.Module) -> Iterator[tuple[str, LoraLayer]]:
    """Every layer that PEFT gave LoRA weights, with its name."""
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


def adapter_parameters(model: torch.nn.Module, adapter: str) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Every parameter of one adapter, with its full name."""
    for name, layer in lora_layers(model):
        # PEFT lists DoRA's magnitudes twice.
        for container in dict.fromkeys(layer.adapter_layer_names):
            held = getattr(layer, container, {})
            if adapter not in held:
                continue
            part = held[adapter]
            if isinstance(part, torch.nn.Parameter):
                yield f"{name}.{container}.{adapter}", part
            elif isinstance(part, torch.nn.Module):
                for suffix, parameter in part.named_parameters():
                    yield f"{name}.{container}.{adapter}.{suffix}", parameter


def silence_dropout(model: torch.nn.Module, adapter: str) -> None:
    """Run one adapter without dropout, in train mode too.

    PEFT keeps a frozen parent's dropout active while its child trains: noise in what should be a constant.
    """
    for _, layer in lora_layers(model):
        if adapter in layer.lora_dropout:
            layer.lora_dropout[adapter] = torch.nn.Identity()


def rescale(model: torch.nn.Module, coefficients: Mapping[str, float]) -> None:
    """Multiply what adapters give by numbers: always their own alpha / r times these, never what is there times these.

    So any number of changes leaves no rounding behind, and a coefficient of 1 is the original scaling, bit for bit.

    Args:
        model: has the adapters.
        coefficients: by PEFT's name of an adapter.
    """
    for _, layer in lora_layers(model):
        for name, coefficient in coefficients.items():
            layer.set_scale(name, coefficient)
