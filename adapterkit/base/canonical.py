"""The canonical bytes of values: those of the narrowest float dtype that holds every one of them bit for bit.

Preparing a model for k-bit training, or loading it again in fp32, widens bf16 and fp16 tensors and changes no value.
The rule looks at values alone, so a tensor and its widened copy have the same bytes; and since widening is one-to-one,
no two different values do. It is bfloat16 if the fp32 form of every value ends in 16 zero bits; else float16 if every
value comes back bit for bit from a trip through it; else float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Bits = npt.NDArray[Any]
# Label and elements of a contiguous tensor of one dimension on the CPU.
Content = Callable[[torch.Tensor], tuple[str, Bits]]

# Ordinary fp32 values give themselves away at once: the whole is read only where it may well fit.
_GLANCE = 4096
# What numpy knows as it is; the rest is looked at as integers of its size.
_NUMPY = {torch.float32, torch.uint8, torch.int8}
_SAME_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def canonical_content(flat: torch.Tensor) -> tuple[str, Bits]:
    """Label and elements in the narrowest dtype that holds the values; fp64 and what is no float stay what they are."""
    if flat.dtype == torch.float32:
        return _narrowed(flat) or raw_content(flat)
    if flat.dtype == torch.float16:
        return _narrowed_half(flat) or raw_content(flat)
    return raw_content(flat)


def raw_content(flat: torch.Tensor) -> tuple[str, Bits]:
    """Label and elements in the dtype it has."""
    return _label(flat.dtype), flat.numpy() if flat.dtype in _NUMPY else _bits(flat)


@functools.cache
def _label(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _bits(flat: torch.Tensor) -> Bits:
    if flat.is_complex():
        flat = torch.view_as_real(flat.resolve_conj()).view(-1)
    bits: Bits = flat.view(_SAME_SIZE[flat.element_size()]).numpy()
    return bits


def _narrowed(flat: torch.Tensor) -> tuple[str, Bits] | None:
    bits = _bits(flat)
    if _fits_bfloat16(bits[:_GLANCE]) and _fits_bfloat16(bits):
        return "bfloat16", _upper_halves(bits)
    if _as_half(flat[:_GLANCE]) is not None and (half := _as_half(flat)) is not None:
        return "float16", _bits(half)
    return None


def _narrowed_half(flat: torch.Tensor) -> tuple[str, Bits] | None:
    if not _fits_bfloat16(_bits(flat[:_GLANCE].float())):
        return None
    wide = flat.float()
    # Widening in hardware makes signalling NaNs quiet ones: their bits would be lost on the way.
    lossless = np.array_equal(_bits(wide.half()), _bits(flat))
    return ("bfloat16", _upper_halves(_bits(wide))) if lossless and _fits_bfloat16(_bits(wide)) else None


def _fits_bfloat16(bits: Bits) -> bool:
    return not int(np.bitwise_or.reduce(bits)) & 0xFFFF


def _upper_halves(bits: Bits) -> Bits:
    return (bits.view(np.uint32) >> 16).astype(np.uint16)


def _as_half(flat: torch.Tensor) -> torch.Tensor | None:
    half = flat.half()
    return half if np.array_equal(_bits(half.float()), _bits(flat)) else None
