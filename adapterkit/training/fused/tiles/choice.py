"""Whether compiled passes compute a stack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch

from adapterkit.training.fused.tiles.blocks import columns
from adapterkit.training.fused.tiles.team import parallel, products

_log = logging.getLogger(__name__)

# Weights of so many numbers are copied, 4 bytes each. The size decides and not the memory that is free: the same
# training on the same machine is the same to the last bit.
COPIED_UP_TO = 500_000_000


def tile_stack(layers: Sequence[Any], head: torch.Tensor, frozen: Sequence[str], trainee: str) -> Any:
    """A `TileStack` of these layers, or null where this machine or their sizes do not allow it.

    Args:
        layers: decoder layers of the Llama family, with adapters on them.
        head: (vocabulary, hidden).
        frozen: PEFT's names of the frozen members.
        trainee: that of the trainee.
    """
    if head.dtype != torch.bfloat16 or not _fits(layers, head) or parallel() is None or products() is None:
        return None
    try:
        from adapterkit.training.fused.tiles.bits import rounds_itself
        from adapterkit.training.fused.tiles.stack import TileStack
    # numba tells in many ways that it does not run here: no wheel, no folder for what it compiles, another numpy.
    except Exception as error:
        _log.info("numba does not run here (%s): PyTorch's own operations compute", error)
        return None
    return TileStack(layers, head, frozen, trainee) if rounds_itself() else None


def _fits(layers: Sequence[Any], head: torch.Tensor) -> bool:
    attention, mlp = layers[0].self_attn, layers[0].mlp
    hidden, wide, inner = mlp.hidden_size, mlp.intermediate_size, attention.config.num_attention_heads * attention.head_dim
    weights = len(layers) * hidden * (2 * inner + 3 * wide) + head.numel()
    return attention.head_dim % 16 == 0 and all(map(columns, (hidden, wide, inner))) and weights <= COPIED_UP_TO
