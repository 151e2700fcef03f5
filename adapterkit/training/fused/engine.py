"""The training forward pass of a whole stack, fused, or the reason why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer

from adapterkit.evaluation.loss import IGNORED
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training.fused.block import Block
from adapterkit.training.fused.head import label_token_losses
from adapterkit.training.fused.shapes import places, widened
from adapterkit.training.fused.steps import steps_for
from adapterkit.training.fused.terms import Rows
from adapterkit.training.fused.weight import can_keep

# Weights of so many numbers are kept dense, 2 GB of them. The size decides and not the memory that is free: the same
# training on the same machine is the same to the last bit.
KEPT_UP_TO = 500_000_000

# Llama's own layout; what else these classes can do is asked for below.
FAMILIES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM")


class FusedStack:
    """Computes losses of a stack in training, and their gradients, as the model itself does.

    Nothing is copied but the scales of quantized weights; parameters are read where they are, so that the guard, the
    optimizer and checkpoints see what they saw before.
    """

    def __init__(self, stack: AdapterStack) -> None:
        """Take a stack that `why_not_fused` has nothing against."""
        model: Any = stack.model.get_base_model()
        names = [member.peft_name for member in stack.members]
        self._inner, self._head = model.model, model.lm_head
        self._dtype: torch.dtype = self._inner.embed_tokens.weight.dtype
        self._steps = steps_for(self._dtype)
        self._blocks = [Block(layer, names[:-1], names[-1], self._steps) for layer in self._inner.layers]
        self._groups = [group for block in self._blocks for group in block.groups]
        weights = sum(group.outputs * group.inputs for group in self._groups)
        for group in self._groups:
            group.prepare(self._dtype)
            if weights <= KEPT_UP_TO and can_keep(self._dtype):
                group.keep()

    def label_losses(self, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of every label token, tokens of all rows one after the other.

        Args:
            inputs: `input_ids`, `attention_mask` and `labels`, int64 (rows, tokens), padded on the right.

        Returns:
            Losses in nats, float32 (labels,), and the labels, int64 (labels,).
        """
        ids, mask, labels = inputs["input_ids"], inputs["attention_mask"].bool(), inputs["labels"]
        count, width, where = places(mask)
        ids, following = widened(ids, width, 0), widened(labels[:, 1:], width, IGNORED)
        hidden = self._inner.embed_tokens(ids.flatten()[where]).detach()
        cos, sin = self._inner.rotary_emb(hidden[None], (where % width)[None])
        config = self._inner.config
        heads, keys = config.num_attention_heads, config.num_key_value_heads
        rows = Rows(count, width, where, cos[0].contiguous(), sin[0].contiguous(), heads, keys)
        for group in self._groups:
            group.refresh()
        for block in self._blocks:
            hidden = block(hidden, rows)
        targets = following.flatten()[where]
        kept = (targets != IGNORED).nonzero().squeeze(1)
        last = self._inner.norm(hidden[kept])
        return label_token_losses(last, self._head.weight.data, targets[kept], self._steps), targets[kept]


def why_not_fused(stack: AdapterStack) -> str | None:
    """What stands against computing this stack fused; null when nothing does."""
    model: Any = stack.model.get_base_model()
    config, kind = model.config, type(model).__name__
    if kind not in FAMILIES:
        return f"{kind} is not of a layout that is known"
    if stack.base.device.type != "cpu":
        return "it does not live on a CPU"
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return "its attention looks back over a window only"
    if config.hidden_act != "silu":
        return f"its activation is {config.hidden_act}"
    if any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        return "something hooks into its modules"
    adapted = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    if outside := [name for name in adapted if not (name.startswith("model.layers.") and name.endswith("_proj"))]:
        return f"{outside[0]} bears an adapter"
    reasons = (*map(_why_not_adapted, adapted.values()), _why_not_linear(model))
    return next((why for why in reasons if why), None)


def _why_not_adapted(layer: Any) -> str | None:
    if any(layer.use_dora.values()):
        return "DoRA asks for the norm of every row of a weight"
    if layer.merged or layer.disable_adapters:
        return "an adapter is merged or switched off"
    return None


def _why_not_linear(model: Any) -> str | None:
    dtype = model.model.embed_tokens.weight.dtype
    if model.lm_head.weight.dtype != dtype or model.lm_head.bias is not None:
        return "its head is not one of plain weights in the dtype of the rest"
    for name, layer in model.model.layers.named_modules():
        bare = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
        if not name.endswith("_proj"):
            continue
        if type(bare) not in (torch.nn.Linear, Linear4bit):
            return f"{name} is a {type(bare).__name__}"
        if (bare.compute_dtype or dtype if type(bare) is Linear4bit else bare.weight.dtype) != dtype:
            return f"{name} computes in another dtype than the rest"
    return None
