"""How a base is held in memory: 4-bit NF4, 8-bit, or plain bf16 and fp32."""

from __future__ import annotations

from typing import Any

import torch

from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import MissingExtraError, UsageError

KINDS = ("nf4", "int8", "none")
_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float16": torch.float16}


def torch_dtype(name: str) -> torch.dtype:
    """The torch dtype of a config's name.

    Raises:
        UsageError: the name is none of bfloat16, float16, float32.
    """
    if name not in _DTYPES:
        raise UsageError(f"'{name}' is not a dtype for a base: write one of {', '.join(_DTYPES)}.")
    return _DTYPES[name]


def settings_of(config: QuantizationConfig) -> dict[str, Any]:
    """The settings that change what the base computes: they name it in run keys and lineage.

    Raises:
        UsageError: unknown kind or dtype.
    """
    if config.kind not in KINDS:
        raise UsageError(f"quantization.kind={config.kind} is unknown: write one of {', '.join(KINDS)}.")
    torch_dtype(config.dtype), torch_dtype(config.compute_dtype)
    settings: dict[str, Any] = {"kind": config.kind, "dtype": config.dtype}
    if config.kind == "nf4":
        settings |= {"compute_dtype": config.compute_dtype, "double_quant": config.double_quant}
    return settings


def loading_arguments(config: QuantizationConfig) -> dict[str, Any]:
    """Keyword arguments of `from_pretrained` for these settings.

    Raises:
        MissingExtraError: bitsandbytes is needed and cannot be imported.
    """
    arguments: dict[str, Any] = {"dtype": torch_dtype(config.dtype)}
    if config.kind == "none":
        return arguments
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", f"quantization={config.kind}", "pip install bitsandbytes") from error
    from transformers import BitsAndBytesConfig

    if config.kind == "int8":
        return arguments | {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    return arguments | {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=config.double_quant,
            bnb_4bit_compute_dtype=torch_dtype(config.compute_dtype),
        )
    }


def keep_bytes_in_place(model: torch.nn.Module) -> None:
    """Stop bitsandbytes from repacking 4-bit weights at the first evaluation forward.

    On CPUs with AVX512-BF16 it rewrites the packed weights and rounds absmax to bf16 (bitsandbytes#2078): the frozen
    base would change under its own adapters. Training never takes that path, so both would not even see one model.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  (no such attribute on nn.Module)
