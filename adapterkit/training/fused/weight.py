"""Products with the weights of frozen linear layers, whichever way these are held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState, dequantize_blockwise

# oneDNN shares a product of few columns among threads by splitting the sum, at half the speed; two products of half the
# columns it shares by columns.
_NARROW = 1024


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


class Products:
    """Products with the weights of layers that read the same input, one below the other: x W' and dy W.

    Attributes:
        outputs: rows of all weights.
        inputs: columns of each.
    """

    def __init__(self, weights: Sequence[FrozenWeight], bias: torch.Tensor | None) -> None:
        """Take the weights; nothing is computed yet."""
        self.outputs, self.inputs = sum(each.outputs for each in weights), weights[0].inputs
        self._weights, self._bias = weights, bias

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(tokens, inputs) -> (tokens, outputs), the bias added; perhaps in several parts, column after column."""
        weight = self._dense(x.dtype)
        return [torch.mm(x, weight.t()) if self._bias is None else torch.addmm(self._bias, x, weight.t())]

    def backward(self, dy: torch.Tensor) -> list[torch.Tensor]:
        """(tokens, outputs) -> (tokens, inputs), perhaps in several parts."""
        return [torch.mm(dy, self._dense(dy.dtype))]

    def _dense(self, dtype: torch.dtype) -> torch.Tensor:
        dense = [each.dense(dtype) for each in self._weights]
        return dense[0] if len(dense) == 1 else torch.cat(dense)


class KeptProducts(Products):
    """The same from dense bfloat16 copies in oneDNN's own order, one for each direction.

    A product in any other order arranges the weight anew each time, which for some thousand tokens is as much work as
    the product itself.
    """

    def __init__(self, weights: Sequence[FrozenWeight], bias: torch.Tensor | None) -> None:
        """Make the copies, 4 bytes a weight."""
        super().__init__(weights, bias)
        dense = self._dense(torch.bfloat16)
        parts = 2 if self.outputs <= _NARROW else 1
        self._forward = [_arranged(part) for part in dense.chunk(parts)]
        self._biases = [None] * parts if bias is None else list(bias.chunk(parts))
        self._backward = [_arranged(part) for part in dense.t().chunk(2 if self.inputs <= _NARROW else 1)]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """As the base class."""
        return [_times(x, weight, bias) for weight, bias in zip(self._forward, self._biases, strict=True)]

    def backward(self, dy: torch.Tensor) -> list[torch.Tensor]:
        """As the base class."""
        return [_times(dy, weight, None) for weight in self._backward]


def can_keep(dtype: torch.dtype) -> bool:
    """Whether oneDNN computes in this dtype here, from weights in its own order."""
    known = hasattr(torch.ops.mkldnn, "_linear_pointwise") and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    return dtype == torch.bfloat16 and known and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _arranged(weight: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 1024)
    return found


def _times(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def _scales(state: QuantState) -> torch.Tensor:
    scales: torch.Tensor = state.absmax
    if state.nested:
        scales = dequantize_blockwise(scales, state.state2) + state.offset
    return scales.float()
