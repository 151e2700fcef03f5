"""bfloat16 on processors without products in it: the same values, computed in float32.

There PyTorch multiplies bfloat16 several times as slowly as float32. So what a 4-bit base holds
unquantized is held in float32 - the values are the same - and what it computes, the dequantized weights included, is
float32. Nothing that names a base changes: files, packed bytes, fingerprint.
"""

from __future__ import annotations

import dataclasses
import functools
import platform
from typing import Any

import torch

from adapterkit.config.schema import QuantizationConfig

_BFLOAT16, _FLOAT32 = "bfloat16", "float32"


def as_computed(quantization: QuantizationConfig, device: torch.device) -> QuantizationConfig:
    """The dtypes in which a base is computed on a device, where it is asked for in these.

    An unquantized base stays in bfloat16: in float32 it would take twice the memory.
    """
    asked = quantization.kind, quantization.dtype, quantization.compute_dtype
    if asked != ("nf4", _BFLOAT16, _BFLOAT16) or device.type != "cpu" or multiplies_bfloat16():
        return quantization
    return dataclasses.replace(quantization, dtype=_FLOAT32, compute_dtype=_FLOAT32)


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16.

    oneDNN calls bfloat16 supported on x86 from AVX-512 on, but without `avx512_bf16` or AMX it widens every number by
    itself, and a product takes four times as long as one of float32.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except AttributeError:
        return False


def compute_in_float32(model: torch.nn.Module) -> None:
    """Hold in float32 what a 4-bit model holds in bfloat16, and compute its products so; the packed weights stay."""
    for module in model.modules():
        if hasattr(module, "compute_dtype"):
            four_bit: Any = module
            four_bit.compute_dtype, four_bit.compute_type_is_set = torch.float32, True
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if tensor.dtype == torch.bfloat16:
                # The same Parameter wherever it is tied.
                tensor.data = tensor.data.float()
