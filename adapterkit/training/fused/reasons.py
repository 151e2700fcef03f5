"""What stands against computing a training fused: what settings and config tell, and what the model itself shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer

from adapterkit.config.schema import TrainerConfig
from adapterkit.stack.adapter_stack import AdapterStack

# Llama's own layout; what else these classes can do is asked for below.
_LLAMA, _MISTRAL, _QWEN2 = "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"


def why_not_asked(trainer: TrainerConfig, *, sharded: bool) -> str | None:
    """What the settings of a training have against it; null for nothing.

    Args:
        trainer: whether activations are computed twice.
        sharded: whether the base is cut among ranks.
    """
    if trainer.gradient_checkpointing:
        return "gradient checkpointing is asked for"
    return "the base is cut among ranks" if sharded else None


def why_not_config(family: str, config: Any, adapted: Iterable[str], device: torch.device) -> str | None:
    """What shows without the weights of a base; null for nothing.

    Args:
        family: the class that transformers builds the base with.
        config: transformers' own, of the base.
        adapted: full names of the layers that bear adapters.
        device: where the base lives.
    """
    if family not in (_LLAMA, _MISTRAL, _QWEN2):
        return f"{family} is not of a layout that is known"
    if device.type != "cpu":
        return "it does not live on a CPU"
    if _has_window(family, config):
        return "its attention looks back over a window only"
    if config.attention_dropout:
        return f"its attention_dropout is {config.attention_dropout}"
    if not getattr(config, "is_causal", True):
        return "its attention looks ahead"
    if config.hidden_act != "silu":
        return f"its activation is {config.hidden_act}"
    outside = (name for name in adapted if not (name.startswith("model.layers.") and name.endswith("_proj")))
    return next((f"{name} bears an adapter" for name in outside), None)


def why_not_fused(stack: AdapterStack) -> str | None:
    """What stands against computing this stack fused; null when nothing does."""
    model: Any = stack.model.get_base_model()
    adapted = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    if why := why_not_config(type(model).__name__, model.config, adapted, stack.base.device):
        return why
    if any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        return "something hooks into its modules"
    reasons = (*map(_why_not_adapted, adapted.values()), _why_not_weights(model))
    return next((why for why in reasons if why), None)


def _has_window(family: str, config: Any) -> bool:
    """Each class reads its own keys of the config, and passes over those of the others."""
    if family == _QWEN2:
        return any(kind != "full_attention" for kind in config.layer_types)
    return family == _MISTRAL and config.sliding_window is not None


def _why_not_adapted(layer: Any) -> str | None:
    if any(layer.use_dora.values()):
        return "DoRA asks for the norm of every row of a weight"
    if layer.lora_variant or any(layer.lora_bias.values()):
        return "an adapter is more than A and B"
    if layer.merged or layer.disable_adapters:
        return "an adapter is merged or switched off"
    return None


def _why_not_weights(model: Any) -> str | None:
    dtype = model.model.embed_tokens.weight.dtype
    if model.lm_head.weight.dtype != dtype or model.lm_head.bias is not None:
        return "its head is not one of plain weights in the dtype of the rest"
    for name, layer in model.model.layers.named_modules():
        bare = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
        if not name.endswith(("_proj", "norm")):
            continue
        if name.endswith("_proj") and type(bare) not in (torch.nn.Linear, Linear4bit):
            return f"{name} is a {type(bare).__name__}"
        held = {each.dtype for each in bare.parameters(recurse=False) if each.is_floating_point()}
        if type(bare) is Linear4bit:
            held.add(bare.compute_dtype or dtype)
        if held - {dtype}:
            return f"{name} computes in another dtype than the rest"
    return None
