"""The training forward pass of a whole stack, fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adapterkit.errors import TrainingError
from adapterkit.evaluation.loss import IGNORED
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training.fused import plain
from adapterkit.training.fused.block import Block
from adapterkit.training.fused.head import label_token_losses
from adapterkit.training.fused.shapes import places, widened
from adapterkit.training.fused.steps import steps_for
from adapterkit.training.fused.terms import Rows
from adapterkit.training.fused.weight import can_keep

# Weights of so many numbers are kept dense, 2 GB of them. The size decides and not the memory that is free: the same
# training on the same machine is the same to the last bit.
KEPT_UP_TO = 500_000_000


class FusedStack:
    """Computes losses of a stack in training, and their gradients, as the model itself does.

    Nothing is copied but the scales of quantized weights; parameters are read where they are, so that the guard, the
    optimizer and checkpoints see what they saw before.

    Attributes:
        engine: for the record: `fused, compiled`, or `fused, plain` where PyTorch's own operations stand between the
            products.
    """

    def __init__(self, stack: AdapterStack) -> None:
        """Take a stack that `why_not_fused` has nothing against."""
        model: Any = stack.model.get_base_model()
        names = [member.peft_name for member in stack.members]
        self._inner, self._head = model.model, model.lm_head
        self._dtype: torch.dtype = self._inner.embed_tokens.weight.dtype
        self._steps = steps_for(self._dtype)
        self.engine = "fused, plain" if self._steps is plain else "fused, compiled"
        # The model's own forward pass takes no more of them either.
        layers = self._inner.layers[: self._inner.config.num_hidden_layers]
        self._blocks = [Block(layer, names[:-1], names[-1], self._steps) for layer in layers]
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
            Losses in nats, float32 (labels,), and the labels, int64 (labels,); none of either where no token has a
            label, and a backward pass from there leaves gradients of zero.

        Raises:
            TrainingError: the batch holds no token at all.
        """
        ids, mask, labels = inputs["input_ids"], inputs["attention_mask"].bool(), inputs["labels"]
        if not mask.any():
            raise TrainingError(
                f"A batch of {mask.shape[0]} x {mask.shape[1]} places holds no token: its attention_mask is 0 "
                "everywhere. Leave rows without tokens out of the data."
            )
        count, width, where = places(mask)
        ids, following = widened(ids, width, 0), widened(labels[:, 1:], width, IGNORED)
        hidden = self._inner.embed_tokens(ids.flatten()[where]).detach()
        # Some rotary embeddings hang on the last position: the batch's own, and not the one that shapes are rounded to.
        longest = mask.shape[1]
        rotation = self._inner.rotary_emb(hidden, torch.arange(longest)[None])
        cos, sin = (each[0][(where % width).clamp(max=longest - 1)] for each in rotation)
        config = self._inner.config
        heads, keys = config.num_attention_heads, config.num_key_value_heads
        rows = Rows(count, width, where, cos, sin, heads, keys)
        for group in self._groups:
            group.refresh()
        for block in self._blocks:
            hidden = block(hidden, rows)
        targets = following.flatten()[where]
        kept = (targets != IGNORED).nonzero().squeeze(1)
        last = self._inner.norm(hidden[kept])
        return label_token_losses(last, self._head.weight.data, targets[kept], self._steps), targets[kept]
