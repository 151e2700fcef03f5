"""Whether compiled passes compute a stack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adapterkit.training.fused.tiles.blocks import columns
from adapterkit.training.fused.tiles.symbols import parallel, products

_log = logging.getLogger(__name__)

# Weights of so many numbers are copied, 4 bytes each. The size decides and not the memory that is free: the same
# training on the same machine is the same to the last bit.
COPIED_UP_TO = 500_000_000


@dataclass(frozen=True)
class Sizes:
    """What decides whether a model can be cut into blocks and pieces.

    Attributes:
        layers: how many.
        hidden: columns of their input.
        inner: columns of all heads of queries.
        head: columns of one of them.
        wide: columns of gate and up, each.
        vocabulary: how many tokens there are.
    """

    layers: int
    hidden: int
    inner: int
    head: int
    wide: int
    vocabulary: int


def can_tile(sizes: Sizes, dtype: torch.dtype) -> bool:
    """Whether compiled passes compute a model of these sizes in this dtype on this machine; numba is not asked yet."""
    if dtype != torch.bfloat16 or parallel() is None or products() is None:
        return False
    weights = sizes.layers * sizes.hidden * (2 * sizes.inner + 3 * sizes.wide) + sizes.vocabulary * sizes.hidden
    pieces = columns(sizes.hidden), columns(sizes.inner), columns(sizes.wide)
    return all(pieces) and sizes.head % 16 == 0 and weights <= COPIED_UP_TO


def tile_stack(layers: Sequence[Any], head: torch.Tensor, frozen: Sequence[str], trainee: str) -> Any:
    """A `TileStack` of these layers, or null where this machine or their sizes do not allow it.

    Args:
        layers: decoder layers of the Llama family, with adapters on them.
        head: (vocabulary, hidden).
        frozen: PEFT's names of the frozen members.
        trainee: that of the trainee.
    """
    attention, mlp = layers[0].self_attn, layers[0].mlp
    inner = attention.config.num_attention_heads * attention.head_dim
    sizes = Sizes(len(layers), mlp.hidden_size, inner, attention.head_dim, mlp.intermediate_size, len(head))
    factors = [each for layer in layers for name, each in layer.named_parameters() if ".lora_" in name]
    if not can_tile(sizes, head.dtype) or any(each.dtype != torch.float32 for each in factors):
        return None
    try:
        from adapterkit.training.fused.tiles.bits import rounds_itself
        from adapterkit.training.fused.tiles.stack import TileStack
    # numba tells in many ways that it does not run here: no wheel, no folder for what it compiles, another numpy.
    except Exception as error:
        _log.info("numba does not run here (%s): PyTorch's own operations compute", error)
        return None
    return TileStack(layers, head, frozen, trainee) if rounds_itself() else None
