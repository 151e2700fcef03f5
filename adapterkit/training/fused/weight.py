"""Products with the weights of frozen linear layers, whichever way these are held."""

from __future__ import annotations

from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState, dequantize_blockwise


class FrozenWeight:
    """Reads a frozen `torch.nn.Linear` or `bitsandbytes.nn.Linear4bit`; copies nothing but the scales.

    Attributes:
        outputs: rows of the weight.
        inputs: columns of the weight.
        device: where it is.
    """

    def __init__(self, layer: torch.nn.Linear) -> None:
        """Undo the quantization of the scales once; there is one for every 64 weights."""
        self.outputs, self.inputs, self.device = layer.out_features, layer.in_features, layer.weight.device
        self._plain: torch.Tensor | None = None
        if isinstance(layer, bnb.nn.Linear4bit):
            packed: Any = layer.weight
            self._packed, self._state = packed.data, packed.quant_state
            self._scales = _scales(self._state)
        else:
            self._plain = layer.weight.data

    def dense(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight, (outputs, inputs); the layer's own memory where it is not quantized, and not to be written."""
        if self._plain is not None:
            return self._plain
        state = self._state
        found: torch.Tensor = torch.ops.bitsandbytes.dequantize_4bit(
            self._packed, self._scales, state.blocksize, state.quant_type, state.shape, dtype
        )
        return found


def _scales(state: QuantState) -> torch.Tensor:
    scales: torch.Tensor = state.absmax
    if state.nested:
        scales = dequantize_blockwise(scales, state.state2) + state.offset
    return scales.float()
