"""The training forward pass of a whole stack, fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adapterkit.data.template import IGNORED
from adapterkit.errors import TrainingError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training.fused.block import PlainStack
from adapterkit.training.fused.head import label_token_losses
from adapterkit.training.fused.rows import Rows
from adapterkit.training.fused.shapes import places, widened
from adapterkit.training.fused.tiles.choice import tile_stack


class FusedStack:
    """Computes losses of a stack in training, and their gradients, as the model itself does.

    Frozen weights may be copied, into the order in which products read them; parameters are read where they are, so
    that the guard, the optimizer and checkpoints see what they saw before.

    Attributes:
        engine: for the record: `fused, compiled`, or `fused, plain` where PyTorch's own operations compute.
    """

    def __init__(self, stack: AdapterStack) -> None:
        """Take a stack that `why_not_fused` has nothing against."""
        model: Any = stack.model.get_base_model()
        names = [member.peft_name for member in stack.members]
        self._inner = model.model
        # The model's own forward pass takes no more of them either.
        layers = self._inner.layers[: self._inner.config.num_hidden_layers]
        given = layers, model.lm_head.weight.data, names[:-1], names[-1]
        tiles = tile_stack(*given)
        self._stack: Any = PlainStack(*given) if tiles is None else tiles
        self.engine = "fused, plain" if tiles is None else "fused, compiled"

    def rest(self) -> None:
        """Let go of the memory that steps use again and again, until the next one."""
        self._stack.rest()

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
        count, width, where = places(mask, self._stack.rounded(int(mask.sum())))
        ids, following = widened(ids, width, 0), widened(labels[:, 1:], width, IGNORED)
        hidden = self._inner.embed_tokens(ids.flatten()[where]).detach()
        # Some rotary embeddings hang on the last position: the batch's own, and not the one that shapes are rounded to.
        longest = mask.shape[1]
        rotation = self._inner.rotary_emb(hidden, torch.arange(longest)[None])
        cos, sin = (each[0][(where % width).clamp(max=longest - 1)] for each in rotation)
        config = self._inner.config
        heads, keys = config.num_attention_heads, config.num_key_value_heads
        rows = Rows(count, width, where, cos, sin, heads, keys)
        hidden = self._stack(hidden, rows)
        targets = following.flatten()[where]
        kept = (targets != IGNORED).nonzero().squeeze(1)
        last = self._inner.norm(hidden[kept])
        return label_token_losses(last, targets[kept], self._stack.head), targets[kept]
